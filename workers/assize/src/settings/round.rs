//! The round's own numbers.

use secrecy::SecretString;
use workflow::{
    round::judging::Judging,
    rules::{generation_report::RegenerationLimits, regeneration::Budget},
};

use super::variables::{SettingsError, Variables, wrong};
use crate::handlers::RoundSettings;

/// Rao in one alpha.
const RAO: f64 = 1e9;

/// The round's numbers; `rents`: whether the process rents pods, and so may know the token that goes into them.
pub(super) fn round(v: &Variables, rents: bool) -> Result<RoundSettings, SettingsError> {
    let default = RoundSettings::default();
    let lock_alpha: f64 = v.parsed("REQUIRED_LOCK_ALPHA", 100.0, "a number of alpha")?;
    if !(0.0..=1e9).contains(&lock_alpha) {
        return Err(wrong(
            "REQUIRED_LOCK_ALPHA",
            &lock_alpha.to_string(),
            "a number of alpha, 0 or more",
        ));
    }
    Ok(RoundSettings {
        netuid: v.parsed("NETUID", default.netuid, "a subnet number")?,
        required_lock_rao: (lock_alpha * RAO) as u64,
        view_size: v.parsed("VIEW_SIZE", default.view_size, "pixels")?,
        docker_image_format: v
            .find("DOCKER_IMAGE_FORMAT")
            .map_or(default.docker_image_format, str::to_owned),
        check_build_interval: v.seconds("CHECK_BUILD_INTERVAL", default.check_build_interval)?,
        build_timeout: v.seconds("BUILD_TIMEOUT", default.build_timeout)?,
        check_pod_interval: v.seconds("CHECK_POD_INTERVAL", default.check_pod_interval)?,
        pod_visibility_timeout: v
            .seconds("POD_VISIBILITY_TIMEOUT", default.pod_visibility_timeout)?,
        pod_warmup_timeout: v.seconds("POD_WARMUP_TIMEOUT", default.pod_warmup_timeout)?,
        status_check_interval: v.seconds("STATUS_CHECK_INTERVAL", default.status_check_interval)?,
        max_unhealthy: v.parsed(
            "MAX_CONSECUTIVE_UNHEALTHY",
            default.max_unhealthy,
            "a number of looks",
        )?,
        batch_time_limit: v.seconds("BATCH_TIME_LIMIT", default.batch_time_limit)?,
        gpu_type: v.find("GPU_TYPE").map_or(default.gpu_type, str::to_owned),
        gpu_count: v.parsed("GPU_COUNT", default.gpu_count, "a number of GPUs")?,
        generation_port: v.parsed("GENERATION_PORT", default.generation_port, "a port")?,
        hf_token: v.find("HF_TOKEN").filter(|_| rents).map(SecretString::from),
        vlm_model: v.find("VLM_MODEL").map_or(default.vlm_model, str::to_owned),
        duel_thresholds: match v.find("DUEL_THRESHOLDS") {
            None => default.duel_thresholds,
            Some(value) => serde_json::from_str(value).map_err(|_| {
                wrong(
                    "DUEL_THRESHOLDS",
                    value,
                    "a JSON object with known thresholds",
                )
            })?,
        },
        judging: judging(v)?,
        budget: budget(v)?,
        pause_on_stage_end: v.truth("PAUSE_ON_STAGE_END", default.pause_on_stage_end)?,
    })
}

fn judging(v: &Variables) -> Result<Judging, SettingsError> {
    let default = Judging::default();
    let band: f64 = v.parsed(
        "NEAR_BAND_PROMPTS",
        default.near_band_prompts,
        "a number of prompts",
    )?;
    if !(0.0..=1e6).contains(&band) {
        return Err(wrong(
            "NEAR_BAND_PROMPTS",
            &band.to_string(),
            "a number of prompts, 0 or more",
        ));
    }
    let repeats: u32 = v.parsed("NEAR_REPEATS", default.near_repeats, "a number of runs")?;
    if repeats > MOST_NEAR_REPEATS {
        return Err(wrong(
            "NEAR_REPEATS",
            &repeats.to_string(),
            "a number of runs, at most 20",
        ));
    }
    Ok(Judging {
        curtail: v.truth("CURTAIL_MATCHES", default.curtail)?,
        near_band_prompts: band,
        near_repeats: repeats,
        speculative_audits: v.parsed(
            "SPECULATIVE_AUDITS",
            default.speculative_audits,
            "a number of miners",
        )?,
    })
}

fn budget(v: &Variables) -> Result<Budget, SettingsError> {
    let default = Budget::default();
    let at_least_one = |name: &'static str, default: u32| match v.parsed(name, default, COUNT)? {
        0 => Err(wrong(name, "0", COUNT)),
        count => Ok(count),
    };
    let limit = "TOTAL_GENERATION_TIME_LIMIT";
    let total_time_s: f64 = v.parsed(limit, default.limits.total_time_s, "a number of seconds")?;
    if !(0.0..=1e9).contains(&total_time_s) {
        return Err(wrong(
            limit,
            &total_time_s.to_string(),
            "a number of seconds",
        ));
    }
    Ok(Budget {
        batch_size: at_least_one("BATCH_SIZE", default.batch_size as u32)? as usize,
        replacements: v.parsed("MAX_REPLACEMENTS", default.replacements, "a number of pods")?,
        first_tries: at_least_one("MAX_INITIAL_DEPLOY_ATTEMPTS", default.first_tries)?,
        at_once: at_least_one("MAX_CONCURRENT_MINERS", default.at_once as u32)? as usize,
        limits: RegenerationLimits {
            total_time_s,
            failed_prompts: v.parsed(
                "MAX_MISMATCHED_PROMPTS",
                default.limits.failed_prompts,
                "a number of prompts",
            )?,
        },
    })
}

const COUNT: &str = "a number, 1 or more";

/// More measurements of one match than anybody looks at.
const MOST_NEAR_REPEATS: u32 = 20;
