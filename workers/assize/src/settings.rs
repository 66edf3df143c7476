//! Settings: every environment variable Assize reads, in one place, by the names operators already use.
//!
//! A value that is missing or wrong stops the start with a sentence that names the variable; nothing is skipped. A process
//! is asked only for the secrets its roles use, so that a stolen one gives away no more than its own.

mod addresses;
mod clouds;
mod limits;
mod round;
mod store;
#[cfg(test)]
mod tests;
mod variables;

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use schema::storage::{DEFAULT_CDN_URL, Layout};
use secrecy::SecretString;
use url::Url;
use workflow::{db::notice::RenderAlert, round::steps::LONGEST_CALL};

pub use clouds::CloudSettings;
pub use store::StoreSettings;
pub use variables::{SettingsError, Variables};

use crate::{
    clients::{cdn::CdnSettings, pod::PodSettings},
    handlers::RoundSettings,
    roles::Role,
};
use addresses::{endpoints, host_map};
use clouds::clouds;
use limits::{cdn, layout, pods, render_alert};
use round::round;
use store::object_store;
use variables::wrong;

/// Calls of the model at a time.
const VLM_CAPACITY: NonZeroUsize = NonZeroUsize::new(32).unwrap();
/// One call of the model.
const VLM_DEADLINE: Duration = Duration::from_secs(120);

/// Where everything outside is, and how to get in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `SUBTENSOR_NETWORK`: endpoints of the chain, `finney` or addresses separated by commas.
    pub chain_endpoints: Vec<Url>,
    /// `SUBTENSOR_TIMEOUT`: how long a question to the chain may take.
    pub chain_timeout: Duration,
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
    /// `RENDER_ALERT_MIN_FAILURES`, `RENDER_ALERT_MIN_HOTKEYS` and `RENDER_ALERT_COOLDOWN_SECONDS`: from when on people are
    /// told that pictures fail.
    pub render_alert: RenderAlert,
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
    /// `STORAGE_KEY_TEMPLATE` and `STORAGE_ROOT_FOLDER`: where modules and pictures are kept.
    pub layout: Layout,
    /// `MAX_JS_SIZE_BYTES`: how large a submitted module may be.
    pub cdn: CdnSettings,
    /// `MAX_BATCH_ZIP_BYTES`, `MAX_BATCH_FILES`, `MAX_JS_BYTES` and `MAX_FAILED_MANIFEST_BYTES`: how much a pod may send.
    pub pods: PodSettings,
    /// `RENDER_URL`.
    pub render_url: Url,
    /// `RENDER_API_KEY`.
    pub render_api_key: Option<SecretString>,
    /// `OPENAI_BASE_URL`.
    pub vlm_url: Url,
    /// `OPENAI_API_KEY`.
    pub vlm_api_key: SecretString,
    /// `OPENAI_TIMEOUT`: how long one call may take, 120 s if not set.
    pub vlm_deadline: Duration,
    /// `MAX_CONCURRENT_VLM_CALLS`, over all replicas; 32 if not set.
    pub vlm_capacity: usize,
    /// `GPU_PROVIDERS` with their credentials.
    pub clouds: Vec<CloudSettings>,
    /// The round's own numbers.
    pub round: RoundSettings,
}

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
        let cdn_url = v
            .find("CDN_URL")
            .unwrap_or(DEFAULT_CDN_URL)
            .trim_end_matches('/');
        Ok(Self {
            chain_endpoints: endpoints(v.find("SUBTENSOR_NETWORK").unwrap_or("finney"))?,
            chain_timeout: v.seconds("SUBTENSOR_TIMEOUT", Duration::from_secs(120))?,
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
            render_alert: render_alert(v)?,
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
            cdn_url: cdn_url.to_owned(),
            layout: layout(v, cdn_url)?,
            cdn: cdn(v)?,
            pods: pods(v)?,
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
            vlm_deadline: vlm_deadline(v)?,
            // Without a single call at a time nothing would ever be judged, and nobody told.
            vlm_capacity: v
                .parsed(
                    "MAX_CONCURRENT_VLM_CALLS",
                    VLM_CAPACITY,
                    "a number of calls, at least 1",
                )?
                .get(),
            clouds: if serves(&[Role::Gpu]) {
                clouds(v)?
            } else {
                Vec::new()
            },
            round: round(v, serves(&[Role::Gpu]))?,
        })
    }
}

/// A call that takes longer than its step would be cut in the middle, whatever was set.
fn vlm_deadline(v: &Variables) -> Result<Duration, SettingsError> {
    let deadline = v.seconds("OPENAI_TIMEOUT", VLM_DEADLINE)?;
    if deadline.is_zero() || deadline > LONGEST_CALL {
        return Err(wrong(
            "OPENAI_TIMEOUT",
            &deadline.as_secs_f64().to_string(),
            "a number of seconds, more than 0 and at most 600",
        ));
    }
    Ok(deadline)
}
