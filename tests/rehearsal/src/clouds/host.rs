//! The pods' host names: the gateway's way to their containers.

use async_trait::async_trait;
use axum::body::Body;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Fleet, Pod, Provider, has_token};
use crate::gateway::{HostRequest, OutsideHost};

const TARGON_DOMAIN: &str = ".pods.targon.rehearsal.example";
const VERDA_HOST: &str = "containers.verda.rehearsal.example";
const RUNPOD_DOMAIN: &str = ".proxy.runpod.net";

/// The URL a cloud gives a pod. RunPod's clients build it themselves.
pub(super) fn url_of(pod: &Pod) -> String {
    match pod.provider {
        Provider::Targon => format!("https://{}{TARGON_DOMAIN}", pod.id),
        Provider::Verda => format!("https://{VERDA_HOST}/{}", pod.id),
        Provider::RunPod => format!("https://{}-{}{RUNPOD_DOMAIN}", pod.id, pod.port),
    }
}

/// Answers for the host names of all pods.
pub(crate) struct PodHost {
    fleet: Fleet,
    verda_generation_token: String,
    client: reqwest::Client,
}

impl PodHost {
    /// The hosts of `fleet`; Verda's want `verda_generation_token`.
    pub(crate) fn new(fleet: Fleet, verda_generation_token: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            fleet,
            verda_generation_token: verda_generation_token.to_owned(),
            client,
        })
    }

    /// The pod a request is for, and the path within it.
    fn pod<'a>(&self, host: &str, path: &'a str) -> Option<(Pod, &'a str)> {
        if host == VERDA_HOST {
            let rest = path.trim_start_matches('/');
            let (name, rest) = rest
                .find('/')
                .map_or((rest, "/"), |slash| rest.split_at(slash));
            return self
                .fleet
                .find(Provider::Verda, name)
                .map(|pod| (pod, rest));
        }
        if let Some(id) = host.strip_suffix(TARGON_DOMAIN) {
            return self.fleet.find(Provider::Targon, id).map(|pod| (pod, path));
        }
        let (id, port) = host.strip_suffix(RUNPOD_DOMAIN)?.rsplit_once('-')?;
        let pod = self.fleet.find(Provider::RunPod, id)?;
        (port == pod.port.to_string()).then_some((pod, path))
    }

    async fn pass_on(&self, request: HostRequest) -> Response {
        let Some((pod, path)) = self.pod(&request.host, &request.path) else {
            return (StatusCode::NOT_FOUND, "no such pod").into_response();
        };
        if pod.provider == Provider::Verda
            && !has_token(&request.headers, &self.verda_generation_token)
        {
            return (StatusCode::UNAUTHORIZED, "inference key missing or wrong").into_response();
        }
        let Some(port) = self.fleet.local_port(&pod.id) else {
            return (StatusCode::BAD_GATEWAY, "the container does not answer").into_response();
        };
        let query = request
            .query
            .as_ref()
            .map_or(String::new(), |query| format!("?{query}"));
        let mut headers = request.headers;
        for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let sent = self
            .client
            .request(
                request.method,
                format!("http://127.0.0.1:{port}{path}{query}"),
            )
            .headers(headers)
            .body(reqwest::Body::wrap_stream(request.body.into_data_stream()))
            .send()
            .await;
        match sent {
            Ok(answer) => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = answer.status();
                *response.headers_mut() = end_to_end(answer.headers());
                *response.body_mut() = Body::from_stream(answer.bytes_stream());
                response
            }
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [CONNECTION, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

#[async_trait]
impl OutsideHost for PodHost {
    fn claims(&self, host: &str, _: &str) -> bool {
        host == VERDA_HOST || host.ends_with(TARGON_DOMAIN) || host.ends_with(RUNPOD_DOMAIN)
    }

    async fn answer(&self, request: HostRequest) -> Response {
        self.pass_on(request).await
    }
}
