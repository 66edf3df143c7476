#![allow(clippy::unwrap_used)]

use secrecy::ExposeSecret as _;
use workflow::rules::duel::DuelThresholds;

use super::*;

fn complete() -> Variables {
    let pairs = [
        ("GITHUB_REPO", "owner/state"),
        ("GITHUB_TOKEN", "t"),
        ("R2_ENDPOINT", "https://r2.example"),
        ("R2_ACCESS_KEY_ID", "k"),
        ("R2_SECRET_ACCESS_KEY", "s"),
        ("OPENAI_API_KEY", "o"),
        ("TARGON_API_KEY", "g"),
    ];
    Variables(
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
    )
}

#[test]
fn the_references_variables_are_enough() {
    let settings = Settings::read(&complete(), &Role::ALL).unwrap();
    assert_eq!(
        settings.state_repository,
        "https://github.com/owner/state.git"
    );
    assert_eq!(settings.round.required_lock_rao, 100_000_000_000);
    assert_eq!(
        settings.chain_endpoints[0].host_str(),
        Some("entrypoint-finney.opentensor.ai")
    );
}

#[test]
fn every_required_variable_is_named_when_it_is_missing() {
    for name in complete().0.keys() {
        let mut variables = complete();
        variables.0.remove(name);
        let said = Settings::read(&variables, &Role::ALL)
            .unwrap_err()
            .to_string();
        assert!(said.starts_with(&format!("{name} is not set: ")), "{said}");
    }
}

#[test]
fn a_role_is_asked_only_for_the_secrets_it_uses() {
    let wants = |role: Role| -> Vec<String> {
        let mut names: Vec<String> = complete().0.into_keys().collect();
        names.sort_unstable();
        names.retain(|name| {
            let mut variables = complete();
            variables.0.remove(name);
            Settings::read(&variables, &[role]).is_err()
        });
        names
    };
    let objects = ["R2_ACCESS_KEY_ID", "R2_ENDPOINT", "R2_SECRET_ACCESS_KEY"];
    let with_objects = |others: &[&'static str]| {
        let mut names = [others, &objects].concat();
        names.sort_unstable();
        names
    };
    assert_eq!(wants(Role::Engine), [""; 0]);
    assert_eq!(wants(Role::Chain), [""; 0]);
    assert_eq!(wants(Role::Mirror), ["GITHUB_REPO", "GITHUB_TOKEN"]);
    assert_eq!(
        wants(Role::Download),
        with_objects(&["GITHUB_REPO", "GITHUB_TOKEN"])
    );
    assert_eq!(wants(Role::Render), objects);
    assert_eq!(wants(Role::Judge), with_objects(&["OPENAI_API_KEY"]));
    assert_eq!(wants(Role::Gpu), with_objects(&["TARGON_API_KEY"]));
}

#[test]
fn a_secret_of_another_role_is_not_even_read() {
    let settings = Settings::read(&complete(), &[Role::Engine]).unwrap();
    assert_eq!(settings.vlm_api_key.expose_secret(), "");
    assert_eq!(settings.github_token.expose_secret(), "");
    assert!(settings.clouds.is_empty());
}

#[test]
fn wrong_values_are_named_with_what_was_expected() {
    for (name, value) in [
        ("NETUID", "seventeen"),
        ("GPU_PROVIDERS", "aws"),
        ("SUBTENSOR_NETWORK", "https://x"),
        ("REQUIRED_LOCK_ALPHA", "NaN"),
        ("CHECK_POD_INTERVAL", "-3"),
        ("EGRESS_HOST_MAP", "everything"),
        (
            "DUEL_THRESHOLDS",
            r#"{"front_draw_gap": 0.7, "unheard_of": 1}"#,
        ),
        ("NEAR_BAND_PROMPTS", "-1"),
        ("NEAR_REPEATS", "21"),
        ("CURTAIL_MATCHES", "perhaps"),
        ("PAUSE_ON_STAGE_END", "maybe"),
        ("MAX_JS_SIZE_BYTES", "1 MiB"),
        ("MAX_BATCH_FILES", "many"),
        ("RENDER_ALERT_MIN_FAILURES", "some"),
        ("STORAGE_KEY_TEMPLATE", "rounds/{round}/{filename}"),
        ("BATCH_SIZE", "0"),
        ("TOTAL_GENERATION_TIME_LIMIT", "inf"),
        ("MAX_CONCURRENT_VLM_CALLS", "0"),
        ("OPENAI_TIMEOUT", "0"),
        ("OPENAI_TIMEOUT", "601"),
    ] {
        let mut variables = complete();
        variables.0.insert(name.to_owned(), value.to_owned());
        let said = Settings::read(&variables, &Role::ALL)
            .unwrap_err()
            .to_string();
        assert!(said.starts_with(&format!("{name} is ")), "{said}");
    }
}

#[test]
fn thresholds_that_are_not_named_keep_their_defaults() {
    let mut variables = complete();
    let value = r#"{"guard_after_front": true}"#.to_owned();
    variables.0.insert("DUEL_THRESHOLDS".to_owned(), value);
    let settings = Settings::read(&variables, &Role::ALL).unwrap();
    let thresholds = settings.round.duel_thresholds;
    let expected = DuelThresholds {
        guard_after_front: true,
        ..DuelThresholds::default()
    };
    assert_eq!(thresholds, expected);
}

#[test]
fn a_call_of_the_model_may_take_as_long_as_the_references_setting_says() {
    let deadline = |value: Option<&str>| {
        let mut variables = complete();
        let pair = value.map(|value| ("OPENAI_TIMEOUT".to_owned(), value.to_owned()));
        variables.0.extend(pair);
        let settings = Settings::read(&variables, &Role::ALL).unwrap();
        settings.vlm_deadline.as_secs_f64()
    };
    assert_eq!(deadline(None), 120.0);
    assert_eq!(deadline(Some("300")), 300.0);
    assert_eq!(deadline(Some("2.5")), 2.5);
}

#[test]
fn truth_values_are_read_in_the_references_words() {
    for (value, expected) in [("True", true), ("1", true), ("off", false), ("", false)] {
        let mut variables = complete();
        let value = (String::from("PAUSE_ON_STAGE_END"), value.to_owned());
        variables.0.extend([value]);
        let settings = Settings::read(&variables, &Role::ALL).unwrap();
        assert_eq!(settings.round.pause_on_stage_end, expected);
    }
}

#[test]
fn secrets_are_not_in_the_debug_text() {
    let text = format!("{:?}", Settings::read(&complete(), &Role::ALL).unwrap());
    assert!(!text.contains("\"t\"") && !text.contains("\"s\""), "{text}");
}

#[test]
fn limits_and_places_have_the_references_names() {
    let mut variables = complete();
    for (name, value) in [
        ("MAX_JS_SIZE_BYTES", "1000"),
        ("MAX_BATCH_ZIP_BYTES", "2000"),
        ("MAX_CONSECUTIVE_UNHEALTHY", "3"),
        ("RENDER_ALERT_COOLDOWN_SECONDS", "60"),
        ("SUBTENSOR_TIMEOUT", "30"),
        ("STORAGE_KEY_TEMPLATE", "r/{round}/{hotkey}/{filename}"),
        ("STORAGE_ROOT_FOLDER", "again"),
        ("BATCH_SIZE", "16"),
        ("MAX_REPLACEMENTS", "0"),
        ("MAX_CONCURRENT_MINERS", "2"),
        ("MAX_MISMATCHED_PROMPTS", "6"),
    ] {
        variables.0.insert(name.to_owned(), value.to_owned());
    }
    let settings = Settings::read(&variables, &Role::ALL).unwrap();
    assert_eq!(settings.cdn.max_bytes, 1000);
    assert_eq!(settings.pods.archive.zip_bytes, 2000);
    assert_eq!(settings.round.max_unhealthy, 3);
    assert_eq!(settings.render_alert.cooldown.as_secs(), 60);
    assert_eq!(settings.chain_timeout.as_secs(), 30);
    let budget = settings.round.budget;
    assert_eq!((budget.batch_size, budget.replacements), (16, 0));
    assert_eq!((budget.at_once, budget.limits.failed_prompts), (2, 6));
    assert_eq!(
        (budget.first_tries, budget.limits.total_time_s),
        (2, 7200.0)
    );
    let (round, stem) = (schema::RoundNumber(2), schema::Stem::new("s"));
    let hotkey = schema::Hotkey::new("5A");
    let submitted = settings.layout.submitted(round, &hotkey, &stem);
    assert_eq!(submitted.module_url, "https://subnet404.xyz/r/2/5A/s.js");
    let generated = settings.layout.generated(round, &hotkey.into(), 1, &stem);
    assert_eq!(generated.module_key, "again/2/5A/generated_1/s.js");
}
