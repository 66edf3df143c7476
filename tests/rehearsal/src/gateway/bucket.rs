//! The public CDN of the object store: its bucket as static files.

use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;

use super::{HostRequest, OutsideHost, percent_decoded};

pub(crate) struct BucketCdn {
    host: String,
    folder: PathBuf,
}

impl BucketCdn {
    /// Answers for `host` with the files of the bucket in `folder`.
    pub(crate) fn new(host: &str, folder: &Path) -> Self {
        Self {
            host: host.to_owned(),
            folder: folder.to_owned(),
        }
    }
}

#[async_trait]
impl OutsideHost for BucketCdn {
    fn claims(&self, host: &str, _: &str) -> bool {
        host == self.host
    }

    async fn answer(&self, request: HostRequest) -> Response {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let key = percent_decoded(request.path.trim_start_matches('/'));
        // A key is a plain path below the bucket, nothing that climbs out of it.
        let key = PathBuf::from(key);
        if !key
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return StatusCode::NOT_FOUND.into_response();
        }
        let Ok(file) = tokio::fs::File::open(self.folder.join(&key)).await else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let size = match file.metadata().await {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
        let headers = [
            (CONTENT_TYPE, content_type(&key).to_owned()),
            (CONTENT_LENGTH, size.to_string()),
        ];
        let body = if request.method == Method::HEAD {
            Body::empty()
        } else {
            Body::from_stream(ReaderStream::new(file))
        };
        (headers, body).into_response()
    }
}

fn content_type(key: &Path) -> &'static str {
    match key.extension().and_then(|extension| extension.to_str()) {
        Some("js") => "application/javascript",
        Some("png") => "image/png",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
