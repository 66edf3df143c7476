//! The pod's HTTP interface (miner API §3).

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;
use url::Url;

use super::archive::{self, ArchiveError, ArchiveLimits};
use super::{BatchResults, PodAddress, PodError, PodPrompt, PodStatus, Pods, status};
use crate::clients::wire::{Answer, ExchangeError, excerpt, exchange};
use crate::egress::Egress;

/// Largest answer but the archive, in bytes. A status with the largest payload that is kept has 5 kB.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// How pods are talked to.
#[derive(Debug, Clone)]
pub struct PodSettings {
    /// Total deadline of `/health` and `/status`. 30 s.
    pub poll_deadline: Duration,
    /// Total deadline of one try of `/generate`. 60 s.
    pub generate_deadline: Duration,
    /// Total deadline of one try of `/results`, all bytes. 10 minutes: 64 MiB at 110 kB/s.
    pub results_deadline: Duration,
    /// Pauses between tries of `/generate` and `/results`; one try more than pauses. 2, 4, 8, 16 s.
    pub pauses: Vec<Duration>,
    /// Limits of the archive.
    pub archive: ArchiveLimits,
}

impl Default for PodSettings {
    fn default() -> Self {
        Self {
            poll_deadline: Duration::from_secs(30),
            generate_deadline: Duration::from_mins(1),
            results_deadline: Duration::from_mins(10),
            pauses: [2, 4, 8, 16].map(Duration::from_secs).to_vec(),
            archive: ArchiveLimits::default(),
        }
    }
}

/// Pods over HTTP.
#[derive(Debug, Clone)]
pub struct HttpPods {
    egress: Egress,
    settings: PodSettings,
}

impl HttpPods {
    /// A client of any pod.
    pub fn new(egress: Egress, settings: PodSettings) -> Self {
        Self { egress, settings }
    }

    fn request(&self, method: Method, pod: &PodAddress, path: &str) -> RequestBuilder {
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url: Url = pod.url.clone();
        url.set_path(&format!("{}/{path}", pod.url.path().trim_end_matches('/')));
        url.set_query(query);
        let request = self.egress.request(method, &url);
        match &pod.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// Repeats `call` after each pause, as long as the error may pass.
    async fn with_pauses<T, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T, PodError>
    where
        F: Future<Output = Result<T, PodError>> + Send,
    {
        for pause in &self.settings.pauses {
            match call().await {
                Err(error) if error.is_retryable() => tokio::time::sleep(*pause).await,
                ended => return ended,
            }
        }
        call().await
    }

    async fn download(&self, pod: &PodAddress) -> Result<BatchResults, PodError> {
        const OPERATION: &str = "/results";
        let limits = &self.settings.archive;
        let request = self.request(Method::GET, pod, "results");
        let answer = match exchange(request, self.settings.results_deadline, limits.zip_bytes).await
        {
            Ok(answer) => answer,
            Err(ExchangeError::TooLarge { limit_bytes }) => {
                return Err(ArchiveError::TooLarge { limit_bytes }.into());
            }
            Err(source) => {
                return Err(PodError::Unreachable {
                    operation: OPERATION,
                    source,
                });
            }
        };
        expect_ok(OPERATION, &answer)?;
        let limits = limits.clone();
        let read = tokio::task::spawn_blocking(move || archive::read(&answer.body, &limits)).await;
        // A reader that panics on some archive is told from a good one by an error like any other.
        let crashed = |_| {
            Err(ArchiveError::NotAZip {
                problem: "its reader crashed".to_owned(),
            })
        };
        Ok(read.unwrap_or_else(crashed)?)
    }
}

#[async_trait]
impl Pods for HttpPods {
    async fn health(&self, pod: &PodAddress) -> Result<(), PodError> {
        const OPERATION: &str = "/health";
        let request = self.request(Method::GET, pod, "health");
        let answer = answer(OPERATION, request, self.settings.poll_deadline).await?;
        expect_ok(OPERATION, &answer)
    }

    async fn status(
        &self,
        pod: &PodAddress,
        replacements_remaining: u32,
    ) -> Result<PodStatus, PodError> {
        const OPERATION: &str = "/status";
        let path = format!("status?replacements_remaining={replacements_remaining}");
        let request = self.request(Method::GET, pod, &path);
        let answer = answer(OPERATION, request, self.settings.poll_deadline).await?;
        if !answer.status.is_success() {
            return Err(refusal(OPERATION, &answer));
        }
        status::read(&answer.body).map_err(|problem| PodError::BadStatus { problem })
    }

    async fn generate(
        &self,
        pod: &PodAddress,
        prompts: &[PodPrompt],
        seed: u64,
    ) -> Result<(), PodError> {
        const OPERATION: &str = "/generate";
        let body = json!({"prompts": prompts, "seed": seed});
        self.with_pauses(|| async {
            let request = self.request(Method::POST, pod, "generate").json(&body);
            let answer = answer(OPERATION, request, self.settings.generate_deadline).await?;
            expect_ok(OPERATION, &answer)
        })
        .await
    }

    async fn results(&self, pod: &PodAddress) -> Result<BatchResults, PodError> {
        self.with_pauses(|| self.download(pod)).await
    }
}

async fn answer(
    operation: &'static str,
    request: RequestBuilder,
    deadline: Duration,
) -> Result<Answer, PodError> {
    exchange(request, deadline, MAX_ANSWER_BYTES)
        .await
        .map_err(|source| PodError::Unreachable { operation, source })
}

fn expect_ok(operation: &'static str, answer: &Answer) -> Result<(), PodError> {
    if answer.status == StatusCode::OK {
        Ok(())
    } else {
        Err(refusal(operation, answer))
    }
}

fn refusal(operation: &'static str, answer: &Answer) -> PodError {
    match answer.status {
        StatusCode::CONFLICT => PodError::Conflict {
            operation,
            current: status::conflicting_state(&answer.body),
        },
        status => PodError::Status {
            operation,
            status: status.as_u16(),
            message: excerpt(&answer.body),
        },
    }
}

#[cfg(test)]
mod tests;
