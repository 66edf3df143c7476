//! One listener for every host name of the outside: miners' CDNs, prompt images, the public CDN of the store, pods, the
//! registry of container images.
//!
//! Public files name hosts as they really are (`https://sn12domain.org/…`). A client of the world asks
//! `http://127.0.0.1:PORT/hosts/sn12domain.org/…` instead; [`loopback_url`] makes one of the other.

mod bucket;
mod cdn;
mod fetch;
mod prompts;
mod registry;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

pub(crate) use bucket::BucketCdn;
pub(crate) use cdn::{MinerCdns, short};
pub(crate) use fetch::WorldFetch;
pub(crate) use prompts::PromptHosts;
pub use prompts::PromptImages;
pub(crate) use registry::{ImageRegistry, image_digest};

/// The host names miners' CDNs end with; before it stand the first ten characters of the hotkey, in lower case.
pub const CDN_DOMAIN: &str = "cdn.rehearsal.example";

/// A request for a host of the outside.
pub(crate) struct HostRequest {
    pub host: String,
    /// With its leading slash, still percent-encoded.
    pub path: String,
    pub query: Option<String>,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: Body,
}

/// One or several hosts of the outside.
#[async_trait]
pub(crate) trait OutsideHost: Send + Sync + 'static {
    /// Whether this request is for it.
    fn claims(&self, host: &str, path: &str) -> bool;

    /// Answers a request it claims.
    async fn answer(&self, request: HostRequest) -> Response;
}

/// The gateway for `hosts`; the first that claims a request answers it.
pub(crate) fn router(hosts: Vec<Arc<dyn OutsideHost>>) -> Router {
    let hosts: Arc<[Arc<dyn OutsideHost>]> = hosts.into();
    Router::new().fallback(dispatch).with_state(hosts)
}

/// Where the gateway at `gateway` (`http://127.0.0.1:PORT`) answers for a URL of the outside. A URL without a host, or
/// one that is on loopback already, stays as it is.
pub fn loopback_url(gateway: &str, url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (host, path) = rest
        .find(['/', '?', '#'])
        .map_or((rest, ""), |end| rest.split_at(end));
    let outside =
        matches!(scheme, "http" | "https") && !host.starts_with("127.0.0.1") && !host.is_empty();
    if outside {
        format!("{gateway}/hosts/{host}{path}")
    } else {
        url.to_owned()
    }
}

async fn dispatch(State(hosts): State<Arc<[Arc<dyn OutsideHost>]>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Some(rest) = head.uri.path().strip_prefix("/hosts/") else {
        return (StatusCode::NOT_FOUND, "ask for /hosts/{host}/{path}").into_response();
    };
    let (host, path) = rest
        .find('/')
        .map_or((rest, "/"), |slash| rest.split_at(slash));
    let host = host.to_ascii_lowercase();
    match hosts.iter().find(|known| known.claims(&host, path)) {
        Some(known) => {
            let request = HostRequest {
                host: host.clone(),
                path: path.to_owned(),
                query: head.uri.query().map(str::to_owned),
                method: head.method,
                headers: head.headers,
                body,
            };
            known.answer(request).await
        }
        None => (
            StatusCode::BAD_GATEWAY,
            format!("no such host in the rehearsal world: {host}"),
        )
            .into_response(),
    }
}

/// Undoes percent-encoding; bytes that are no UTF-8 are replaced.
pub(crate) fn percent_decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let escaped = (*byte == b'%')
            .then(|| path.get(index + 1..index + 3))
            .flatten();
        if let Some(value) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(value);
            index += 3;
        } else {
            decoded.push(*byte);
            index += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The last segment of a path, and its part before the last dot if it ends with `suffix`.
fn stem_of<'a>(path: &'a str, suffix: &str) -> Option<&'a str> {
    path.rsplit('/')
        .next()?
        .strip_suffix(suffix)
        .filter(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::clock::WorldClock;
    use crate::faults::{Faults, Service};
    use crate::http::{Door, serve};
    use crate::miners::{Behaviour, Cast};

    struct GreyImages;

    #[async_trait]
    impl PromptImages for GreyImages {
        async fn png(&self, stem: &str) -> anyhow::Result<bytes::Bytes> {
            Ok(format!("picture of {stem}").into())
        }
    }

    async fn gateway(cast: Arc<Cast>, bucket: &std::path::Path) -> String {
        let hosts: Vec<Arc<dyn OutsideHost>> = vec![
            Arc::new(BucketCdn::new("subnet404.xyz", bucket)),
            Arc::new(MinerCdns::new(cast)),
            Arc::new(PromptHosts::new(Arc::new(GreyImages))),
        ];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let door = Door {
            service: Service::Gateway,
            faults: Faults::new(WorldClock::in_memory()),
            stop,
        };
        tokio::spawn(serve(listener, door, router(hosts)));
        url
    }

    async fn get(gateway: &str, url: &str) -> (u16, String) {
        let response = reqwest::get(loopback_url(gateway, url)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    #[tokio::test]
    async fn each_host_answers_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("rounds/0")).unwrap();
        std::fs::write(folder.path().join("rounds/0/a b.js"), "module").unwrap();
        let cast = Arc::new(Cast::new(7, 6));
        let gateway = gateway(cast.clone(), folder.path()).await;

        let prompt = get(&gateway, "https://sn12domain.org/abc-1.png").await;
        assert_eq!(prompt, (200, "picture of abc-1".to_owned()));
        let object = get(&gateway, "https://subnet404.xyz/rounds/0/a%20b.js").await;
        assert_eq!(object, (200, "module".to_owned()));
        assert_eq!(
            get(&gateway, "https://subnet404.xyz/rounds/0/none.js")
                .await
                .0,
            404
        );
        assert_eq!(
            get(&gateway, "https://subnet404.xyz/rounds/..%2f..%2fsecret")
                .await
                .0,
            404
        );
        assert_eq!(get(&gateway, "https://elsewhere.example/page").await.0, 502);

        let good = &cast.miners()[0];
        let module = get(&gateway, &format!("{}/abc.js", MinerCdns::url(good, 3))).await;
        assert_eq!(
            module,
            (200, cast.submitted_module(&good.hotkey, "abc").unwrap())
        );
    }

    #[tokio::test]
    async fn a_file_a_miner_does_not_have_is_404_and_the_others_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let cast = Arc::new(Cast::new(7, 6));
        let gateway = gateway(cast.clone(), folder.path()).await;
        let lacking = cast
            .miners()
            .iter()
            .find(|miner| miner.behaviour == Behaviour::MissingFiles)
            .unwrap();
        for index in 0..20 {
            let stem = format!("prompt{index}");
            let expected = if cast.misbehaves_on(lacking, &stem) {
                404
            } else {
                200
            };
            assert_eq!(
                get(
                    &gateway,
                    &format!("{}/{stem}.js", MinerCdns::url(lacking, 0))
                )
                .await
                .0,
                expected
            );
        }
        let unknown = format!("https://5aaaaaaaaa.{CDN_DOMAIN}/round-0/prompt0.js");
        assert_eq!(get(&gateway, &unknown).await.0, 404);
    }

    #[test]
    fn urls_of_the_outside_become_paths_of_the_gateway() {
        let gateway = "http://127.0.0.1:81";
        assert_eq!(
            loopback_url(gateway, "https://a.b/c?d=e"),
            "http://127.0.0.1:81/hosts/a.b/c?d=e"
        );
        assert_eq!(
            loopback_url(gateway, "https://a.b"),
            "http://127.0.0.1:81/hosts/a.b"
        );
        assert_eq!(
            loopback_url(gateway, "http://127.0.0.1:9/x"),
            "http://127.0.0.1:9/x"
        );
        assert_eq!(
            loopback_url(gateway, "data:image/png;base64,AA"),
            "data:image/png;base64,AA"
        );
    }
}
