//! GPU clouds with their credentials.

use secrecy::SecretString;
use url::Url;

use super::variables::{SettingsError, Variables, wrong};
use crate::clients::clouds::CloudKind;

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

/// The clouds of `GPU_PROVIDERS`; each needs its keys.
pub(super) fn clouds(v: &Variables) -> Result<Vec<CloudSettings>, SettingsError> {
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
