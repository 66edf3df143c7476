#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn penalties(text: &str) -> Option<(u8, u8)> {
    read_answer::<CompareAnswer>(text)
        .ok()
        .map(|answer| (answer.penalty_1, answer.penalty_2))
}

fn feature(description: &str) -> Feature {
    Feature {
        description: description.into(),
        category: FeatureCategory::Presence,
    }
}

fn check(feature: &str, matches: FeatureMatch) -> Check {
    Check {
        feature: feature.into(),
        matches,
        note: String::new(),
    }
}

#[test]
fn plain_json_is_an_answer_and_unknown_keys_are_ignored() {
    assert_eq!(
        penalties(r#"{"penalty_1": 3, "penalty_2": 7, "issues": "x", "more": [1]}"#),
        Some((3, 7))
    );
}

#[test]
fn integers_come_as_texts_whole_floats_and_truth_values() {
    assert_eq!(
        penalties(r#"{"penalty_1": "4", "penalty_2": 7.0, "issues": ""}"#),
        Some((4, 7))
    );
    assert_eq!(
        penalties(r#"{"penalty_1": true, "penalty_2": false, "issues": ""}"#),
        Some((1, 0))
    );
}

#[test]
fn broken_penalties_are_rounded_with_halves_to_even() {
    assert_eq!(
        penalties(r#"{"penalty_1": 2.5, "penalty_2": 3.5, "issues": ""}"#),
        Some((2, 4))
    );
    assert_eq!(
        penalties(r#"{"penalty_1": "6.7", "penalty_2": 1e-3, "issues": ""}"#),
        Some((7, 0))
    );
}

#[test]
fn penalties_outside_the_scale_are_clamped() {
    assert_eq!(
        penalties(r#"{"penalty_1": -3, "penalty_2": 30, "issues": ""}"#),
        Some((0, 10))
    );
    assert_eq!(
        penalties(r#"{"penalty_1": 1e300, "penalty_2": 99999999999999999999, "issues": ""}"#),
        Some((10, 10))
    );
    assert_eq!(
        penalties(r#"{"penalty_1": "-0.5", "penalty_2": "10.5", "issues": ""}"#),
        Some((0, 10))
    );
}

#[test]
fn answers_are_found_in_fences_between_words_and_with_trailing_commas() {
    let json = r#"{"penalty_1": 1, "penalty_2": 2, "issues": ""}"#;
    for text in [
        format!("\n  {json}\n"),
        format!("```json\n{json}\n```"),
        format!("Here it is:\n```\n{json}\n``` Good luck {{}}"),
        format!("I think: {json} - done."),
        r#"{"penalty_1": 1, "penalty_2": 2, "issues": "",}"#.to_owned(),
        "```json\n{\"penalty_1\": 1.2, \"penalty_2\": 2, \"issues\": \"\" ,\n }\n```".to_owned(),
    ] {
        assert_eq!(penalties(&text), Some((1, 2)), "{text}");
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for text in [
        "",
        "no idea",
        "{}",
        "null",
        "[1, 2]",
        r#"{"penalty_1": 1, "penalty_2": 2}"#,
        r#"{"penalty_1": 1, "penalty_2": null, "issues": ""}"#,
        r#"{"penalty_1": 1, "penalty_2": "much", "issues": ""}"#,
        r#"{"penalty_1": 1, "penalty_2": "inf", "issues": ""}"#,
        r#"{"penalty_1": 1, "penalty_2": 2, "issues": 3}"#,
        "}{",
        "``````",
    ] {
        assert_eq!(penalties(text), None, "{text} was accepted");
    }
    let error = read_answer::<CompareAnswer>("I cannot see the pictures").unwrap_err();
    assert!(error.to_string().contains("I cannot see"), "{error}");
}

#[test]
fn a_zero_character_does_not_reach_the_database_that_would_refuse_the_answer() {
    let text = r#"{"penalty_1": 1, "penalty_2": 2, "issues": "a\u0000b"}"#;
    let answer = read_answer::<CompareAnswer>(text).unwrap();
    assert_eq!(answer.issues, "a\u{fffd}b");
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    assert_eq!(penalties(&"{\"a\":".repeat(100_000)), None);
    assert_eq!(penalties(&"[".repeat(100_000)), None);
}

#[test]
fn a_decomposition_has_four_to_seven_features() {
    let text = |count: usize| {
        let features = vec![r#"{"description": "a leg", "category": "count"}"#; count].join(",");
        format!(r#"{{"main_object": "chair", "features": [{features}]}}"#)
    };
    let accepted: Vec<usize> = (0..10)
        .filter(|count| read_answer::<DecomposeAnswer>(&text(*count)).is_ok())
        .collect();
    assert_eq!(accepted, [4, 5, 6, 7]);
    let schema = DecomposeAnswer::schema();
    assert_eq!(schema["properties"]["features"]["minItems"], 4);
    assert_eq!(schema["properties"]["features"]["maxItems"], 7);
}

#[test]
fn a_checklist_counts_each_asked_feature_once_and_nothing_else() {
    let answer = VerifyAnswer {
        checks: vec![
            check("2. [presence] A handle", FeatureMatch::Partial),
            check("four legs", FeatureMatch::Yes),
            check("four legs", FeatureMatch::No),
            check("a crown of gold", FeatureMatch::Yes),
        ],
        main_object_correct: true,
    };
    assert_eq!(
        answer.matches_of(&[feature("Four legs"), feature("a handle"), feature("a lid")]),
        [Some(FeatureMatch::Yes), Some(FeatureMatch::Partial), None]
    );
}

#[test]
fn a_reworded_check_stands_for_the_feature_at_its_place() {
    let features = [feature("four legs"), feature("a handle"), feature("a lid")];
    let answer = |texts: &[&str]| VerifyAnswer {
        checks: texts
            .iter()
            .map(|text| check(text, FeatureMatch::Yes))
            .collect(),
        main_object_correct: true,
    };
    let answered = |texts: &[&str]| {
        let matches = answer(texts).matches_of(&features);
        matches.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    assert_eq!(
        answered(&["4 legs", "has a handle", "a lid"]),
        [true, true, true]
    );
    assert_eq!(
        answered(&["a handle", "a handle", "a lid"]),
        [false, true, true]
    );
    assert_eq!(answered(&["4 legs", "has a handle"]), [false, false, false]);
    assert!(answer(&["a handle", "a lid"]).is_answer_to(&features));
    assert!(!answer(&["a handle"]).is_answer_to(&features));
    assert!(!answer(&[]).is_answer_to(&features));
}

#[test]
fn verification_and_side_answers_are_read_by_their_words() {
    let text = r#"{"checks": [{"feature": "a", "match": "partial", "note": "n"}], "main_object_correct": "yes"}"#;
    let answer: VerifyAnswer = read_answer(text).unwrap();
    assert!(answer.main_object_correct);
    assert_eq!(answer.checks[0].matches, FeatureMatch::Partial);
    let side: SideAnswer = read_answer(r#"{"verdict": "garbage", "reason": "flat"}"#).unwrap();
    assert_eq!(side.verdict, ViewVerdict::Garbage);
    assert!(read_answer::<SideAnswer>(r#"{"verdict": "Garbage", "reason": ""}"#).is_err());
    assert_eq!(
        read_answer::<ExplainAnswer>(r#"{"issues": "none"}"#)
            .unwrap()
            .issues,
        "none"
    );
}

#[test]
fn every_schema_requires_all_its_keys() {
    for schema in [
        CompareAnswer::schema(),
        DecomposeAnswer::schema(),
        VerifyAnswer::schema(),
        SideAnswer::schema(),
        ExplainAnswer::schema(),
    ] {
        let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let required = schema["required"].as_array().unwrap();
        assert_eq!(
            required
                .iter()
                .map(|key| key.as_str().unwrap())
                .collect::<Vec<_>>(),
            keys
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in ".{0,200}") {
        let _ = read_answer::<CompareAnswer>(&text);
        let _ = read_answer::<DecomposeAnswer>(&text);
        let _ = read_answer::<VerifyAnswer>(&text);
        let _ = read_answer::<SideAnswer>(&text);
        let _ = plain_feature(&text);
    }

    #[test]
    fn pieces_of_json_never_make_reading_panic(
        pieces in proptest::collection::vec(
            prop_oneof!["[{}\\[\\],:\" ]{1,4}", Just("\"penalty_1\"".to_owned()), Just("```json".to_owned()),
                        Just("1e999".to_owned()), Just("\\ud800".to_owned()), Just("-".to_owned())],
            0..40,
        )
    ) {
        let _ = read_answer::<CompareAnswer>(&pieces.concat());
    }

    #[test]
    fn every_readable_penalty_is_on_the_scale(first in proptest::num::f64::ANY, second: i64) {
        let text = json!({"penalty_1": first, "penalty_2": second.to_string(), "issues": ""}).to_string();
        if let Some((first, second)) = penalties(&text) {
            prop_assert!(first <= 10 && second <= 10);
        }
    }
}
