//! Where the parts of a world are reached, and with what.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::kept::Ports;
use crate::clouds::CloudKeys;
use crate::discord::CHANNEL;

/// Everything a client of the world has to be configured with. The keys are the world's own and open nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The chain node, `ws://…`.
    pub chain_ws: String,
    /// The gateway, `http://127.0.0.1:PORT`: `https://HOST/PATH` is `{gateway}/hosts/HOST/PATH`.
    pub gateway: String,
    /// Base of GitHub's API, without a trailing slash.
    pub github_api: String,
    /// `owner/name` of the state repository.
    pub github_repo: String,
    /// The token GitHub's writes need.
    pub github_token: String,
    /// Base of Targon's API (`…/tha/v2/workloads` below it).
    pub targon: String,
    /// Targon's key.
    pub targon_api_key: String,
    /// Base of Verda's API, `…/v1`.
    pub verda: String,
    /// Verda's client id.
    pub verda_client_id: String,
    /// Verda's client secret.
    pub verda_client_secret: String,
    /// The token Verda's pods want.
    pub verda_generation_token: String,
    /// Base of RunPod's API, `…/v1`.
    pub runpod: String,
    /// RunPod's key.
    pub runpod_api_key: String,
    /// Base of the vision model's API, `…/v1`.
    pub vlm: String,
    /// The name of the served model.
    pub vlm_model: String,
    /// The object store. Path-style addressing, any region.
    pub s3_endpoint: String,
    /// The object store's access key.
    pub s3_access_key: String,
    /// The object store's secret key.
    pub s3_secret_key: String,
    /// The bucket, which exists.
    pub bucket: String,
    /// The public base URL of the bucket, as published files name it; the gateway answers for it.
    pub public_cdn: String,
    /// The bare state repository on disk.
    pub git_remote_path: PathBuf,
    /// The same over smart HTTP, for reading and pushing.
    pub git_remote_http: String,
    /// The branch that carries the state.
    pub branch: String,
    /// Discord's webhook of the channel that is told of everything: whoever has it can write there.
    pub discord_webhook: String,
    /// The subnet.
    pub netuid: u16,
}

/// The bucket's name in the competition.
pub(super) const BUCKET: &str = "404-gen";
/// The public host of the bucket.
pub(super) const PUBLIC_CDN_HOST: &str = "subnet404.xyz";
/// The state repository on GitHub.
pub(super) const REPOSITORY: &str = "rehearsal/state";

impl Addresses {
    pub(super) fn new(seed: u64, ports: &Ports, git_remote_path: PathBuf, vlm_model: &str) -> Self {
        let http = |port: u16| format!("http://127.0.0.1:{port}");
        let keys = cloud_keys(seed);
        Self {
            chain_ws: format!("ws://127.0.0.1:{}", ports.chain),
            gateway: http(ports.gateway),
            github_api: http(ports.github),
            github_repo: REPOSITORY.to_owned(),
            github_token: key(seed, "github"),
            targon: http(ports.targon),
            targon_api_key: keys.targon_api_key,
            verda: format!("{}/v1", http(ports.verda)),
            verda_client_id: keys.verda_client_id,
            verda_client_secret: keys.verda_client_secret,
            verda_generation_token: keys.verda_generation_token,
            runpod: format!("{}/v1", http(ports.runpod)),
            runpod_api_key: keys.runpod_api_key,
            vlm: format!("{}/v1", http(ports.vlm)),
            vlm_model: vlm_model.to_owned(),
            s3_endpoint: http(ports.s3),
            s3_access_key: key(seed, "s3-access"),
            s3_secret_key: key(seed, "s3-secret"),
            bucket: BUCKET.to_owned(),
            public_cdn: format!("https://{PUBLIC_CDN_HOST}"),
            git_remote_path,
            git_remote_http: format!("{}/{REPOSITORY}.git", http(ports.git)),
            branch: "main".to_owned(),
            discord_webhook: format!(
                "{}/api/webhooks/{CHANNEL}/{}",
                http(ports.discord),
                discord_token(seed)
            ),
            netuid: crate::chain::NETUID,
        }
    }
}

pub(super) fn discord_token(seed: u64) -> String {
    key(seed, "discord")
}

pub(super) fn cloud_keys(seed: u64) -> CloudKeys {
    CloudKeys {
        targon_api_key: key(seed, "targon"),
        verda_client_id: key(seed, "verda-client"),
        verda_client_secret: key(seed, "verda-secret"),
        verda_generation_token: key(seed, "verda-pods"),
        runpod_api_key: key(seed, "runpod"),
    }
}

/// A key that follows from the seed, so that a world opened again has the same.
fn key(seed: u64, what: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!(
        "assize rehearsal key {seed} {what}"
    )));
    let short: String = digest.chars().take(24).collect();
    format!("rehearsal-{what}-{short}")
}
