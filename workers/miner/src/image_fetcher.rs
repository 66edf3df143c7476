//! Downloads prompt images with bounds on size and time.

use std::time::Duration;

use futures::StreamExt;

/// Prompt images are well below this; anything larger is a mistake or an attack.
const MAX_IMAGE_BYTES: usize = 32 * 1024 * 1024;
const ATTEMPTS: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client for prompt images: three attempts of 30 s, at most 32 MiB, only pictures.
#[derive(Debug, Clone, Default)]
pub struct ImageFetcher {
    client: reqwest::Client,
}

impl ImageFetcher {
    /// Downloads one image.
    ///
    /// # Errors
    ///
    /// A short reason, fit for `_failed.json`, when every attempt failed or what came back is not a picture.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let mut reason = String::new();
        for attempt in 1..=ATTEMPTS {
            match tokio::time::timeout(TIMEOUT, self.fetch_once(url)).await {
                Ok(Ok(bytes)) => return Ok(bytes),
                Ok(Err(Failure::Final(text))) => return Err(text),
                Ok(Err(Failure::Again(text))) => reason = text,
                Err(_) => reason = format!("no answer in {} s", TIMEOUT.as_secs()),
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(Duration::from_millis(250 * u64::from(attempt))).await;
            }
        }
        Err(format!("prompt image not downloaded: {reason}"))
    }

    async fn fetch_once(&self, url: &str) -> Result<Vec<u8>, Failure> {
        let response = self
            .client
            .get(url)
            .send()
            .await
            .map_err(|error| Failure::Again(error.to_string()))?;
        let status = response.status();
        if !status.is_success() {
            let text = format!("prompt image answered {status}");
            return Err(if status.is_client_error() {
                Failure::Final(text)
            } else {
                Failure::Again(text)
            });
        }
        let mut bytes = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| Failure::Again(error.to_string()))?;
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_IMAGE_BYTES {
                return Err(Failure::Final(format!(
                    "prompt image is larger than {MAX_IMAGE_BYTES} bytes"
                )));
            }
        }
        if is_picture(&bytes) {
            Ok(bytes)
        } else {
            Err(Failure::Final("prompt image is no picture".to_owned()))
        }
    }
}

enum Failure {
    /// Another attempt may succeed.
    Again(String),
    /// It will not get better.
    Final(String),
}

fn is_picture(bytes: &[u8]) -> bool {
    let png = bytes.starts_with(b"\x89PNG\r\n\x1a\n");
    let jpeg = bytes.starts_with(b"\xff\xd8\xff");
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP".as_slice());
    png || jpeg || webp
}
