//! Settings: every environment variable Assize reads, in one place, by the names operators already use.
//!
//! A value that is missing or wrong stops the start with a sentence that names the variable; nothing is skipped. A process
//! is asked only for the secrets its roles use, so that a stolen one gives away no more than its own.

use std::{collections::HashMap, path::PathBuf, str::FromStr, time::Duration};

use secrecy::SecretString;
use url::Url;
use workflow::round::judging::Judging;

use crate::{
    clients::{clouds::CloudKind, object_store::S3Settings},
    handlers::RoundSettings,
    roles::Role,
    services::S3_DEADLINE,
};

/// A setting that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Required, and not set.
    #[error("{name} is not set: {meaning}")]
    Missing {
        /// Variable.
        name: &'static str,
        /// What it is for.
        meaning: &'static str,
    },
    /// Set to something else than expected.
    #[error("{name} is {value:?}: expected {expected}")]
    Wrong {
        /// Variable.
        name: String,
        /// Its value.
        value: String,
        /// What it should look like.
        expected: &'static str,
    },
}

/// Where everything outside is, and how to get in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `SUBTENSOR_NETWORK`: endpoints of the chain, `finney` or addresses separated by commas.
    pub chain_endpoints: Vec<Url>,
    /// `EGRESS_HOST_MAP`: `PREFIX=ADDRESS` pairs separated by commas; who answers for outside hosts in a rehearsal.
    pub host_map: Vec<(String, Url)>,
    /// `GITHUB_API_URL`.
    pub github_api: Url,
    /// `GITHUB_REPO`: `owner/name` of the state repository.
    pub github_repository: String,
    /// `GITHUB_TOKEN`.
    pub github_token: SecretString,
    /// `STATE_REPOSITORY`: address of the git remote; `https://github.com/{GITHUB_REPO}.git` if not set.
    pub state_repository: String,
    /// `GITHUB_BRANCH`.
    pub branch: String,
    /// `MIRROR_DIR`: the local bare clone.
    pub mirror_dir: PathBuf,
    /// `SIGNING_KEY`: an OpenSSH private key that signs commits.
    pub signing_key: Option<SecretString>,
    /// `TRUSTED_SIGNING_KEYS`: public keys of earlier years, separated by commas, whose commits still count as ours.
    pub trusted_signing_keys: Vec<String>,
    /// `GIT_AUTHOR_EMAIL` of our commits.
    pub author_email: String,
    /// `GIT_SSH_KEY`: a private key for a remote by SSH; without it the SSH agent is asked.
    pub ssh_key: Option<SecretString>,
    /// `GIT_SSH_KEY_PASSPHRASE`.
    pub ssh_passphrase: Option<SecretString>,
    /// `GIT_SSH_HOST_KEY`: the server's keys as `SHA256:…`, separated by commas; without them `known_hosts` decides.
    pub ssh_host_keys: Vec<String>,
    /// `GITHUB_WEBHOOK_SECRET`: signs the calls that say that the repository has moved.
    pub webhook_secret: Option<SecretString>,
    /// `DISCORD_WEBHOOK_URL`: where people are told of what needs them.
    pub discord_webhook: Option<SecretString>,
    /// `R2_ENDPOINT`.
    pub s3_endpoint: Url,
    /// `R2_ACCESS_KEY_ID`.
    pub s3_access_key: String,
    /// `R2_SECRET_ACCESS_KEY`.
    pub s3_secret_key: SecretString,
    /// `R2_BUCKET`, `404-gen` if not set.
    pub s3_bucket: String,
    /// `CDN_URL`.
    pub cdn_url: String,
    /// `RENDER_URL`.
    pub render_url: Url,
    /// `RENDER_API_KEY`.
    pub render_api_key: Option<SecretString>,
    /// `OPENAI_BASE_URL`.
    pub vlm_url: Url,
    /// `OPENAI_API_KEY`.
    pub vlm_api_key: SecretString,
    /// `MAX_CONCURRENT_VLM_CALLS`, over all replicas.
    pub vlm_capacity: usize,
    /// `GPU_PROVIDERS` with their credentials.
    pub clouds: Vec<CloudSettings>,
    /// The round's own numbers.
    pub round: RoundSettings,
}

/// A GPU cloud with its address and credentials.
#[derive(Debug, Clone)]
pub struct CloudSettings {
    /// Which.
    pub kind: CloudKind,
    /// Base of its API.
    pub base_url: Url,
    /// `TARGON_API_KEY`, `RUNPOD_PROVIDER_API_KEY` or `VERDA_CLIENT_SECRET`.
    pub key: SecretString,
    /// `VERDA_CLIENT_ID`.
    pub client_id: String,
    /// `VERDA_GENERATION_TOKEN`.
    pub pod_token: SecretString,
}

/// Reads variables from a map, so that tests need no environment.
#[derive(Debug, Clone, Default)]
pub struct Variables(pub HashMap<String, String>);

impl Variables {
    /// The process's environment.
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// A variable, unless it is unset or empty.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The parts of a variable, separated by commas.
    fn list(&self, name: &str) -> Vec<String> {
        self.find(name)
            .unwrap_or_default()
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }

    fn required(&self, name: &'static str, meaning: &'static str) -> Result<&str, SettingsError> {
        self.find(name)
            .ok_or(SettingsError::Missing { name, meaning })
    }

    fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        default: T,
        expected: &'static str,
    ) -> Result<T, SettingsError> {
        match self.find(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| wrong(name, value, expected)),
        }
    }

    fn url(&self, name: &'static str, default: &'static str) -> Result<Url, SettingsError> {
        let value = self.find(name).unwrap_or(default);
        Url::parse(value).map_err(|_| wrong(name, value, "an address such as https://host/path"))
    }

    /// A secret of some roles. For a process that has none of them it is empty, and is not read even if it is set.
    fn secret(
        &self,
        wanted: bool,
        name: &'static str,
        meaning: &'static str,
    ) -> Result<SecretString, SettingsError> {
        if !wanted {
            return Ok(SecretString::default());
        }
        self.required(name, meaning).map(SecretString::from)
    }

    fn seconds(&self, name: &'static str, default: Duration) -> Result<Duration, SettingsError> {
        let seconds: f64 = self.parsed(name, default.as_secs_f64(), "a number of seconds")?;
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| wrong(name, &seconds.to_string(), "a number of seconds"))
    }
}

fn wrong(name: &str, value: &str, expected: &'static str) -> SettingsError {
    SettingsError::Wrong {
        name: name.to_owned(),
        value: value.to_owned(),
        expected,
    }
}

/// The object store alone, for processes that only show what is in it.
#[derive(Debug)]
pub struct StoreSettings {
    /// `R2_ENDPOINT`, `R2_BUCKET`, `R2_ACCESS_KEY_ID`, `R2_SECRET_ACCESS_KEY`, `CDN_URL`.
    pub s3: S3Settings,
    /// `EGRESS_HOST_MAP`.
    pub host_map: Vec<(String, Url)>,
}

impl StoreSettings {
    /// Reads them, if there is an `R2_ENDPOINT`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] for the first variable that is missing or wrong beside it.
    pub fn find(v: &Variables) -> Result<Option<Self>, SettingsError> {
        if v.find("R2_ENDPOINT").is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            s3: S3Settings {
                endpoint: v.url("R2_ENDPOINT", "")?,
                bucket: v.find("R2_BUCKET").unwrap_or("404-gen").to_owned(),
                access_key_id: v
                    .required("R2_ACCESS_KEY_ID", "key of the object store")?
                    .to_owned(),
                secret_access_key: v.secret(
                    true,
                    "R2_SECRET_ACCESS_KEY",
                    "secret key of the object store",
                )?,
                public_base: v
                    .find("CDN_URL")
                    .unwrap_or("https://subnet404.xyz")
                    .trim_end_matches('/')
                    .to_owned(),
                attempt_deadline: S3_DEADLINE,
            },
            host_map: host_map(v.find("EGRESS_HOST_MAP").unwrap_or(""))?,
        }))
    }
}

const FINNEY: &str = "wss://entrypoint-finney.opentensor.ai:443";
/// Rao in one alpha.
const RAO: f64 = 1e9;

impl Settings {
    /// Reads what a process with these roles needs.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] for the first variable that is missing or wrong.
    pub fn read(variables: &Variables, roles: &[Role]) -> Result<Self, SettingsError> {
        let v = variables;
        let serves = |wanted: &[Role]| wanted.iter().any(|role| roles.contains(role));
        // Pushes, and asks for the runs of builds.
        let github = serves(&[Role::Mirror, Role::Download]);
        // Modules and pictures go in and out.
        let objects = serves(&[Role::Download, Role::Render, Role::Gpu, Role::Judge]);
        let judge = serves(&[Role::Judge]);

        let mirror_secret = |name| {
            v.find(name)
                .filter(|_| serves(&[Role::Mirror]))
                .map(SecretString::from)
        };

        let github_repository = if github {
            v.required("GITHUB_REPO", "owner/name of the state repository")?
        } else {
            ""
        };
        let state_repository = match v.find("STATE_REPOSITORY") {
            Some(address) => address.to_owned(),
            None => format!("https://github.com/{github_repository}.git"),
        };
        Ok(Self {
            chain_endpoints: endpoints(v.find("SUBTENSOR_NETWORK").unwrap_or("finney"))?,
            host_map: host_map(v.find("EGRESS_HOST_MAP").unwrap_or(""))?,
            github_api: v.url("GITHUB_API_URL", "https://api.github.com")?,
            github_token: v.secret(
                github,
                "GITHUB_TOKEN",
                "a token that may push to the state repository and read its Actions",
            )?,
            github_repository: github_repository.to_owned(),
            state_repository,
            branch: v.find("GITHUB_BRANCH").unwrap_or("main").to_owned(),
            mirror_dir: v.find("MIRROR_DIR").unwrap_or("assize-mirror").into(),
            signing_key: mirror_secret("SIGNING_KEY"),
            trusted_signing_keys: v.list("TRUSTED_SIGNING_KEYS"),
            author_email: v
                .find("GIT_AUTHOR_EMAIL")
                .unwrap_or("assize@localhost")
                .to_owned(),
            ssh_key: mirror_secret("GIT_SSH_KEY"),
            ssh_passphrase: mirror_secret("GIT_SSH_KEY_PASSPHRASE"),
            ssh_host_keys: v.list("GIT_SSH_HOST_KEY"),
            webhook_secret: v.find("GITHUB_WEBHOOK_SECRET").map(SecretString::from),
            discord_webhook: mirror_secret("DISCORD_WEBHOOK_URL"),
            s3_endpoint: object_store(v, objects)?,
            s3_access_key: if objects {
                v.required("R2_ACCESS_KEY_ID", "key of the object store")?
                    .to_owned()
            } else {
                String::new()
            },
            s3_secret_key: v.secret(
                objects,
                "R2_SECRET_ACCESS_KEY",
                "secret key of the object store",
            )?,
            s3_bucket: v.find("R2_BUCKET").unwrap_or("404-gen").to_owned(),
            cdn_url: v
                .find("CDN_URL")
                .unwrap_or("https://subnet404.xyz")
                .trim_end_matches('/')
                .to_owned(),
            render_url: v.url("RENDER_URL", "http://localhost:8000")?,
            render_api_key: v
                .find("RENDER_API_KEY")
                .filter(|_| serves(&[Role::Render]))
                .map(SecretString::from),
            vlm_url: v.url("OPENAI_BASE_URL", "http://localhost:8000/v1")?,
            vlm_api_key: v.secret(
                judge,
                "OPENAI_API_KEY",
                "key of the vision-language model's server",
            )?,
            vlm_capacity: v.parsed("MAX_CONCURRENT_VLM_CALLS", 32, "a number of calls")?,
            clouds: if serves(&[Role::Gpu]) {
                clouds(v)?
            } else {
                Vec::new()
            },
            round: round(v, serves(&[Role::Gpu]))?,
        })
    }
}

/// Where the object store of a process that uses none would be.
const NO_OBJECT_STORE: &str = "http://localhost:9000";

fn object_store(v: &Variables, wanted: bool) -> Result<Url, SettingsError> {
    let value = if wanted {
        v.required("R2_ENDPOINT", "address of the object store")?
    } else {
        NO_OBJECT_STORE
    };
    Url::parse(value).map_err(|_| wrong("R2_ENDPOINT", value, "an address such as https://host"))
}

fn endpoints(text: &str) -> Result<Vec<Url>, SettingsError> {
    text.split(',')
        .map(str::trim)
        .filter(|endpoint| !endpoint.is_empty())
        .map(|endpoint| {
            let address = if endpoint == "finney" {
                FINNEY
            } else {
                endpoint
            };
            Url::parse(address)
                .ok()
                .filter(|url| matches!(url.scheme(), "ws" | "wss"))
                .ok_or_else(|| {
                    wrong(
                        "SUBTENSOR_NETWORK",
                        endpoint,
                        "finney or an address such as wss://host:443",
                    )
                })
        })
        .collect()
}

fn host_map(text: &str) -> Result<Vec<(String, Url)>, SettingsError> {
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let refused = || {
                wrong(
                    "EGRESS_HOST_MAP",
                    pair,
                    "PREFIX=ADDRESS, for example *=http://127.0.0.1:9000",
                )
            };
            let (prefix, address) = pair.split_once('=').ok_or_else(refused)?;
            Ok((
                prefix.to_owned(),
                Url::parse(address).map_err(|_| refused())?,
            ))
        })
        .collect()
}

/// The clouds of `GPU_PROVIDERS`; each needs its keys.
fn clouds(v: &Variables) -> Result<Vec<CloudSettings>, SettingsError> {
    let names = v.find("GPU_PROVIDERS").unwrap_or("targon");
    names
        .split(',')
        .map(|name| {
            let kind: CloudKind = name.parse().map_err(|_| {
                wrong(
                    "GPU_PROVIDERS",
                    name,
                    "targon, verda or runpod, separated by commas",
                )
            })?;
            let (base_url, key) = match kind {
                CloudKind::Targon => (
                    v.url("TARGON_API_URL", "https://api.targon.com")?,
                    v.secret(true, "TARGON_API_KEY", "key of Targon")?,
                ),
                CloudKind::Verda => (
                    v.url("VERDA_API_URL", "https://api.verda.com/v1")?,
                    v.secret(true, "VERDA_CLIENT_SECRET", "client secret of Verda")?,
                ),
                CloudKind::RunPod => (
                    v.url("RUNPOD_API_URL", "https://rest.runpod.io/v1")?,
                    v.secret(true, "RUNPOD_PROVIDER_API_KEY", "key of RunPod")?,
                ),
            };
            let (client_id, pod_token) = match kind {
                CloudKind::Verda => (
                    v.required("VERDA_CLIENT_ID", "client id of Verda")?
                        .to_owned(),
                    v.secret(
                        true,
                        "VERDA_GENERATION_TOKEN",
                        "token that Verda's pods want",
                    )?,
                ),
                _ => (String::new(), SecretString::from("")),
            };
            Ok(CloudSettings {
                kind,
                base_url,
                key,
                client_id,
                pod_token,
            })
        })
        .collect()
}

fn round(v: &Variables, rents: bool) -> Result<RoundSettings, SettingsError> {
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
        pause_on_stage_end: v.parsed(
            "PAUSE_ON_STAGE_END",
            default.pause_on_stage_end,
            "true or false",
        )?,
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
        curtail: v.parsed("CURTAIL_MATCHES", default.curtail, "true or false")?,
        near_band_prompts: band,
        near_repeats: repeats,
        speculative_audits: v.parsed(
            "SPECULATIVE_AUDITS",
            default.speculative_audits,
            "a number of miners",
        )?,
    })
}

/// More measurements of one match than anybody looks at.
const MOST_NEAR_REPEATS: u32 = 20;

#[cfg(test)]
mod tests {
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
    fn secrets_are_not_in_the_debug_text() {
        let text = format!("{:?}", Settings::read(&complete(), &Role::ALL).unwrap());
        assert!(!text.contains("\"t\"") && !text.contains("\"s\""), "{text}");
    }
}
