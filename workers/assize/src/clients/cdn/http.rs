//! Modules by HTTP from servers that miners run (collection and rounds §6.2, W3, W4, W13, W14).

use std::io::Read;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::Utc;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
};
use sha2::{Digest, Sha256};
use url::Url;

use super::{FetchError, Fetched, ModuleSource};
use crate::clients::wire::{
    Answer, ExchangeError, TransportClass, TransportError, exchange, header_text,
};
use crate::egress::{Egress, refused_address};

/// The largest module, in bytes; exactly this many pass. `MAX_JS_SIZE_BYTES`.
pub const MAX_MODULE_BYTES: usize = 1_048_576;

/// How much larger a compressed body may be than what it holds: headers of the format around stored blocks.
const COMPRESSION_OVERHEAD_BYTES: usize = 1024;

/// Validators longer than this are not kept.
const MAX_VALIDATOR_CHARACTERS: usize = 256;

/// How a module is fetched.
#[derive(Debug, Clone)]
pub struct CdnSettings {
    /// Largest module, in bytes, after any decompression. 1 MiB.
    pub max_bytes: usize,
    /// Tries of one fetch. 2.
    pub attempts: u32,
    /// Pause between tries. 3 s.
    pub pause: Duration,
    /// Total deadline of one try, from the name to the last byte. 60 s: a megabyte at 17 kB/s.
    pub deadline: Duration,
    /// An address of our own that answers whenever our network works. Asked after a connection to a miner failed: only
    /// when it does answer is the failure the miner's. Without one, every failed connection counts as the miner's.
    pub control: Option<Url>,
}

impl Default for CdnSettings {
    fn default() -> Self {
        Self {
            max_bytes: MAX_MODULE_BYTES,
            attempts: 2,
            pause: Duration::from_secs(3),
            deadline: Duration::from_mins(1),
            control: None,
        }
    }
}

/// Fetches modules from miners' servers, through [`Egress`].
#[derive(Debug, Clone)]
pub struct HttpModuleSource {
    egress: Egress,
    settings: CdnSettings,
}

/// Why one try failed.
enum Failure {
    TooLarge,
    Status(u16),
    Class(&'static str),
    Transport { error: TransportError, mapped: bool },
}

impl HttpModuleSource {
    /// A source that goes out by `egress`.
    pub fn new(egress: Egress, settings: CdnSettings) -> Self {
        Self { egress, settings }
    }

    async fn try_once(&self, url: &Url) -> Result<Fetched, Failure> {
        let request = self
            .egress
            .get_for_miner(url)
            .map_err(|error| Failure::Class(error.class()))?;
        let mapped = request.mapped;
        let limit = self.settings.max_bytes + COMPRESSION_OVERHEAD_BYTES;
        // Compressed answers cost memory before they can be counted, so none is asked for (W14).
        let request = request.request.header(ACCEPT_ENCODING, "identity");
        let answer = exchange(request, self.settings.deadline, limit)
            .await
            .map_err(|error| match error {
                ExchangeError::TooLarge { .. } => Failure::TooLarge,
                ExchangeError::Transport(error) => match refused_address(error.cause()) {
                    Some(refused) => Failure::Class(refused.class()),
                    None => Failure::Transport { error, mapped },
                },
            })?;
        if !answer.status.is_success() {
            return Err(Failure::Status(answer.status.as_u16()));
        }
        let bytes = self.decoded(&answer)?;
        Ok(Fetched {
            sha256: sha256_hex(&bytes),
            bytes,
            etag: validator(&answer.headers, &ETAG),
            last_modified: validator(&answer.headers, &LAST_MODIFIED),
            fetched_at: Utc::now(),
        })
    }

    /// The body without a content encoding that the server applied although none was asked for, as static stores do
    /// with files that were uploaded compressed.
    fn decoded(&self, answer: &Answer) -> Result<Bytes, Failure> {
        let encoding = answer
            .headers
            .get(CONTENT_ENCODING)
            .map_or("", |value| value.to_str().unwrap_or("?"));
        let max = self.settings.max_bytes;
        let bytes = match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => answer.body.clone(),
            "gzip" | "x-gzip" => inflate(MultiGzDecoder::new(&*answer.body), max)?,
            "deflate" => inflate(ZlibDecoder::new(&*answer.body), max)?,
            _ => return Err(Failure::Class("DecodingError")),
        };
        if bytes.len() > max {
            Err(Failure::TooLarge)
        } else {
            Ok(bytes)
        }
    }

    /// What a failure that stayed after the last try means.
    async fn verdict(&self, failure: Failure) -> FetchError {
        let (error, mapped) = match failure {
            Failure::TooLarge => return theirs("js_too_large"),
            Failure::Status(code) => return theirs(format!("js_fetch_failed: HTTP {code}")),
            Failure::Class(class) => return theirs(format!("js_fetch_failed: {class}")),
            Failure::Transport { error, mapped } => (error, mapped),
        };
        let class = error.class;
        if class == TransportClass::LocalResources {
            return ours("this machine has no resources left for a connection", error);
        }
        if mapped && class == TransportClass::ConnectError {
            return ours("the rehearsal host does not answer", error);
        }
        if !self.network_works().await {
            return ours("our control address does not answer either", error);
        }
        theirs(format!("js_fetch_failed: {}", class.name()))
    }

    /// Whether our control address answers, with whatever status. True without one.
    async fn network_works(&self) -> bool {
        const MAX_CONTROL_BYTES: usize = 64 << 10;
        let Some(control) = &self.settings.control else {
            return true;
        };
        let request = self.egress.request(reqwest::Method::GET, control);
        // An answer that is too large is an answer.
        !matches!(
            exchange(request, self.settings.deadline, MAX_CONTROL_BYTES).await,
            Err(ExchangeError::Transport(_))
        )
    }
}

#[async_trait]
impl ModuleSource for HttpModuleSource {
    async fn fetch(&self, cdn_url: &str, stem: &str) -> Result<Fetched, FetchError> {
        let Some(url) = module_url(cdn_url, stem) else {
            return Err(theirs("js_fetch_failed: InvalidURL"));
        };
        let mut attempt = 1;
        loop {
            let failure = match self.try_once(&url).await {
                Ok(fetched) => return Ok(fetched),
                Err(failure) => failure,
            };
            // Neither a module that is too large nor an address that is not allowed gets better by asking again.
            let worth_another = matches!(failure, Failure::Status(_) | Failure::Transport { .. });
            if !worth_another || attempt >= self.settings.attempts {
                return Err(self.verdict(failure).await);
            }
            attempt += 1;
            tokio::time::sleep(self.settings.pause).await;
        }
    }
}

/// `{cdn_url without trailing /}/{stem}.js`. The stem is the file name of a prompt's URL, escapes included, so it is
/// used as it is, but stays one path segment whatever it holds.
fn module_url(cdn_url: &str, stem: &str) -> Option<Url> {
    let mut text = format!("{}/", cdn_url.trim_end_matches('/'));
    for character in stem.chars() {
        match character {
            '/' => text.push_str("%2F"),
            '\\' => text.push_str("%5C"),
            '?' => text.push_str("%3F"),
            '#' => text.push_str("%23"),
            other => text.push(other),
        }
    }
    text.push_str(".js");
    Url::parse(&text).ok()
}

/// Inflates at most `max` bytes.
fn inflate(decoder: impl Read, max: usize) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    match decoder.take(max as u64 + 1).read_to_end(&mut bytes) {
        Err(_) => Err(Failure::Class("DecodingError")),
        Ok(length) if length > max => Err(Failure::TooLarge),
        Ok(_) => Ok(bytes.into()),
    }
}

fn validator(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = header_text(headers, name)?;
    (text.len() <= MAX_VALIDATOR_CHARACTERS).then(|| text.to_owned())
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn theirs(reason: impl Into<String>) -> FetchError {
    FetchError::TheirFault {
        reason: reason.into(),
    }
}

fn ours(what: &str, source: TransportError) -> FetchError {
    FetchError::Ours {
        what: what.to_owned(),
        source: Some(Box::new(source)),
    }
}

#[cfg(test)]
mod tests;
