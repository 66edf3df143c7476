//! Where the chain's nodes and a rehearsal's hosts are.

use url::Url;

use super::variables::{SettingsError, wrong};

const FINNEY: &str = "wss://entrypoint-finney.opentensor.ai:443";

/// The endpoints of `SUBTENSOR_NETWORK`.
pub(super) fn endpoints(text: &str) -> Result<Vec<Url>, SettingsError> {
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

/// The pairs of `EGRESS_HOST_MAP`.
pub(super) fn host_map(text: &str) -> Result<Vec<(String, Url)>, SettingsError> {
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
