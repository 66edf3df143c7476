//! Prompt images by HTTP.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Method, StatusCode};
use url::Url;

use super::{PromptImageError, PromptImages};
use crate::clients::png;
use crate::clients::wire::exchange;
use crate::egress::Egress;

/// Largest prompt image, in bytes. Real ones have 0.1 to 2 MB.
const MAX_IMAGE_BYTES: usize = 32 << 20;

/// Total deadline of one fetch (collection and rounds §6.1 gives 60 s).
const DEADLINE: Duration = Duration::from_mins(1);

/// Fetches prompt images from the hosts the operator's list names.
#[derive(Debug, Clone)]
pub struct HttpPromptImages {
    egress: Egress,
    deadline: Duration,
}

impl HttpPromptImages {
    /// A source that goes out by `egress`.
    pub fn new(egress: Egress) -> Self {
        Self {
            egress,
            deadline: DEADLINE,
        }
    }

    /// The same with another total deadline of one fetch.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

#[async_trait]
impl PromptImages for HttpPromptImages {
    async fn fetch(&self, url: &Url) -> Result<Bytes, PromptImageError> {
        let request = self.egress.request(Method::GET, url);
        let answer = exchange(request, self.deadline, MAX_IMAGE_BYTES)
            .await
            .map_err(|source| PromptImageError::Unreachable {
                url: url.to_string(),
                source,
            })?;
        if answer.status != StatusCode::OK {
            return Err(PromptImageError::Status {
                url: url.to_string(),
                status: answer.status.as_u16(),
            });
        }
        let bytes = answer.body.clone();
        let decoded = tokio::task::spawn_blocking(move || png::decode_rgb(&bytes).map(drop)).await;
        match decoded.unwrap_or(Err(png::PngError::NotPng)) {
            Ok(()) => Ok(answer.body),
            Err(source) => Err(PromptImageError::NotAPicture {
                url: url.to_string(),
                source,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::Router;

    use super::*;
    use crate::clients::testing::{self, Raw, serve, serve_raw};

    fn images() -> HttpPromptImages {
        HttpPromptImages::new(testing::egress()).with_deadline(Duration::from_millis(500))
    }

    #[tokio::test]
    async fn a_picture_comes_as_it_is() {
        let picture = testing::png(8, 8, [9, 9, 9]);
        let served = picture.clone();
        let base = serve(Router::new().fallback(|| async move { served })).await;
        assert_eq!(&*images().fetch(&base).await.unwrap(), &*picture);
    }

    #[tokio::test]
    async fn a_cut_picture_and_a_web_page_are_no_pictures() {
        for body in [
            testing::png(64, 64, [1, 2, 3])[..60].to_vec(),
            b"<html>".to_vec(),
        ] {
            let base = serve(Router::new().fallback(|| async move { body })).await;
            let error = images().fetch(&base).await.unwrap_err();
            assert!(
                matches!(error, PromptImageError::NotAPicture { .. }),
                "{error:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_error_status_and_a_silent_host_are_told_apart() {
        let missing = serve(Router::new()).await;
        let error = images().fetch(&missing).await.unwrap_err();
        assert!(
            matches!(error, PromptImageError::Status { status: 404, .. }),
            "{error:?}"
        );

        let silent = serve_raw(Raw::Silent).await;
        let error = images().fetch(&silent).await.unwrap_err();
        assert!(
            matches!(error, PromptImageError::Unreachable { .. }),
            "{error:?}"
        );
    }
}
