//! The registry of container images: manifests by tag and by digest, for whoever has fetched a token first.

use async_trait::async_trait;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::{HostRequest, OutsideHost, percent_decoded};
use crate::clouds::Images;

/// Every host that is asked by the registry interface.
pub(crate) struct ImageRegistry {
    images: Images,
}

impl ImageRegistry {
    /// A registry that has what the clouds can pull.
    pub(crate) fn new(images: Images) -> Self {
        Self { images }
    }

    fn manifest(&self, request: &HostRequest, repository: &str, tag: &str) -> Response {
        let scope = format!("repository:{repository}:pull");
        let given = request.headers.get(AUTHORIZATION);
        if given
            .is_none_or(|given| given.as_bytes() != format!("Bearer {}", token(&scope)).as_bytes())
        {
            let host = &request.host;
            let challenge = format!(
                r#"Bearer realm="https://{host}/v2/token",service="{host}",scope="{scope}""#
            );
            return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response();
        }
        let name = format!("{}/{repository}", request.host);
        if (self.images)(&format!("{name}:{tag}")).is_none() {
            let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#;
            return (StatusCode::NOT_FOUND, unknown).into_response();
        }
        let digest = image_digest(&name, tag);
        let headers = [
            (
                CONTENT_TYPE.as_str(),
                "application/vnd.oci.image.manifest.v1+json",
            ),
            ("docker-content-digest", digest.as_str()),
        ];
        (headers, image_manifest(&name, tag)).into_response()
    }
}

#[async_trait]
impl OutsideHost for ImageRegistry {
    fn claims(&self, _: &str, path: &str) -> bool {
        path.starts_with("/v2/")
    }

    async fn answer(&self, request: HostRequest) -> Response {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let path = percent_decoded(&request.path);
        let asked = path.strip_prefix("/v2/").unwrap_or_default();
        if asked == "token" {
            let query = request.query.clone().unwrap_or_default();
            let scope = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("scope="));
            let scope = percent_decoded(scope.unwrap_or_default());
            return format!(r#"{{"token":"{}","expires_in":300}}"#, token(&scope)).into_response();
        }
        match asked.split_once("/manifests/") {
            Some((repository, tag)) => self.manifest(&request, repository, tag),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

/// A token that opens one scope.
fn token(scope: &str) -> String {
    hex::encode(Sha256::digest(format!("rehearsal registry {scope}")))
}

/// The manifest of an image. Its layers follow from its name and the commit it was built from, the tag's first word: the same
/// source gives the same image in every round.
fn image_manifest(name: &str, tag: &str) -> String {
    let commit = tag.split('-').next().unwrap_or(tag);
    let layer = hex::encode(Sha256::digest(format!("{name} {commit}")));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[{{"digest":"sha256:{layer}"}}]}}"#
    )
}

/// The digest of an image: what `name@sha256:…` is pulled by.
pub(crate) fn image_digest(name: &str, tag: &str) -> String {
    let manifest = image_manifest(name, tag);
    format!("sha256:{}", hex::encode(Sha256::digest(manifest)))
}
