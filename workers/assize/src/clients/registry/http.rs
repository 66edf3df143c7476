//! The registry interface of Docker and OCI: `GET /v2/{name}/manifests/{reference}`, without a password.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, HeaderName, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{ImageName, ImageRegistry, RegistryError, challenge, is_digest};
use crate::clients::wire::{Answer, excerpt, exchange, header_text, retry_after};
use crate::egress::Egress;

/// The kinds of manifest an image can have. The index comes with every platform's; its digest is what a tag points to.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Largest manifest, in bytes; registries refuse larger ones when they are pushed.
const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// Largest answer with a token, in bytes.
const MAX_TOKEN_BYTES: usize = 64 << 10;

/// Wait when a registry has had enough of us and does not say for how long.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_mins(1);

/// How registries are asked.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Total deadline of one request; an image takes up to three. 20 s.
    pub deadline: Duration,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(20),
        }
    }
}

/// The registry that an image's name says.
#[derive(Debug)]
pub struct HttpRegistry {
    egress: Egress,
    settings: RegistrySettings,
}

impl HttpRegistry {
    /// A client of all registries.
    pub fn new(egress: Egress, settings: RegistrySettings) -> Self {
        Self { egress, settings }
    }

    async fn manifest(
        &self,
        host: &str,
        url: &Url,
        token: Option<&SecretString>,
    ) -> Result<Answer, RegistryError> {
        let mut request = self
            .egress
            .request(Method::GET, url)
            .header(ACCEPT, MANIFESTS);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        exchange(request, self.settings.deadline, MAX_MANIFEST_BYTES)
            .await
            .map_err(|source| unreachable(host, source))
    }

    /// A token for whoever asks, from where the registry says.
    async fn token(&self, host: &str, url: &Url) -> Result<SecretString, RegistryError> {
        let request = self.egress.request(Method::GET, url);
        let answer = exchange(request, self.settings.deadline, MAX_TOKEN_BYTES)
            .await
            .map_err(|source| unreachable(host, source))?;
        match answer.status {
            StatusCode::OK => read_token(&answer.body).ok_or_else(|| RegistryError::Malformed {
                host: host.to_owned(),
                problem: "no token where it sent us for one".to_owned(),
            }),
            _ => Err(refusal(host, "", &answer)),
        }
    }
}

#[async_trait]
impl ImageRegistry for HttpRegistry {
    async fn digest(&self, image: &str) -> Result<String, RegistryError> {
        let bad_name = |source| RegistryError::Name {
            image: image.to_owned(),
            source,
        };
        let name = ImageName::parse(image).map_err(bad_name)?;
        let host = name.host.as_str();
        let url = Url::parse(&name.manifest_url()).map_err(|_| RegistryError::Malformed {
            host: host.to_owned(),
            problem: "an address that is none".to_owned(),
        })?;
        let mut answer = self.manifest(host, &url, None).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let asked = header_text(&answer.headers, &WWW_AUTHENTICATE)
                .and_then(|header| challenge::token_url(header, &url));
            if let Some(asked) = asked {
                let token = self.token(host, &asked).await?;
                answer = self.manifest(host, &url, Some(&token)).await?;
            }
        }
        if answer.status != StatusCode::OK {
            return Err(refusal(host, image, &answer));
        }
        let told = header_text(&answer.headers, &CONTENT_DIGEST);
        let asked = is_digest(&name.reference).then_some(name.reference.as_str());
        digest_of(&answer.body, told, asked).map_err(|problem| RegistryError::Malformed {
            host: host.to_owned(),
            problem,
        })
    }
}

/// The digest of a manifest. `told` by the registry's header, `asked` for by us: what there is of them must agree with it.
fn digest_of(body: &[u8], told: Option<&str>, asked: Option<&str>) -> Result<String, String> {
    let manifest: Value = serde_json::from_slice(body).map_err(|_| "no manifest".to_owned())?;
    if manifest.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
        return Err("a manifest of another version than 2".to_owned());
    }
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(body)));
    for claimed in [told, asked].into_iter().flatten() {
        // Another algorithm's digest says nothing that could be checked here.
        if claimed.starts_with("sha256:") && claimed != digest {
            return Err(format!("a manifest that is {digest} and not {claimed}"));
        }
    }
    Ok(digest)
}

fn read_token(body: &[u8]) -> Option<SecretString> {
    #[derive(Deserialize)]
    struct Told {
        token: Option<String>,
        access_token: Option<String>,
    }
    let told: Told = serde_json::from_slice(body).ok()?;
    let token = told.token.or(told.access_token)?;
    // What is no header value would fail the request as if the registry were away.
    let is_fit = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_fit.then(|| token.into())
}

/// Reads an answer of each kind, for whoever only wants to know that it can be read.
pub(crate) fn read_answer(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    drop(digest_of(body, Some(&text), None));
    drop(read_token(body));
    if let Ok(name) = ImageName::parse(&text) {
        let url = Url::parse(&name.manifest_url()).expect("a name that was read has an address");
        let path = format!("/v2/{}/manifests/{}", name.repository, name.reference);
        assert_eq!(url.path(), path, "a name leads nowhere else");
    }
    if let Ok(registry) = Url::parse("https://registry.example") {
        challenge::token_url(&text, &registry);
    }
}

fn unreachable(host: &str, source: crate::clients::wire::ExchangeError) -> RegistryError {
    RegistryError::Unreachable {
        host: host.to_owned(),
        source,
    }
}

fn refusal(host: &str, image: &str, answer: &Answer) -> RegistryError {
    let (host, status) = (host.to_owned(), answer.status.as_u16());
    match status {
        401 | 403 => RegistryError::Refused { host, status },
        404 => RegistryError::NotFound {
            host,
            image: image.to_owned(),
        },
        429 => RegistryError::RateLimited {
            host,
            retry_after: retry_after(&answer.headers).unwrap_or(DEFAULT_RETRY_AFTER),
        },
        _ => RegistryError::Status {
            host,
            status,
            message: excerpt(&answer.body),
        },
    }
}

#[cfg(test)]
mod tests;
