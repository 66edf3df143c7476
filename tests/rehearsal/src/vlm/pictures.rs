//! Fetching pictures and remembering what was seen in them, each URL once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::Fetch;
use super::picture::Picture;

/// When this many are remembered, the old ones are dropped. One takes about 26 KB, a grid four times that.
const MAX_REMEMBERED: usize = 4096;

pub(super) struct Pictures {
    fetch: Arc<dyn Fetch>,
    remember: Duration,
    seen: Mutex<HashMap<String, Entry>>,
}

#[derive(Clone)]
struct Entry {
    since: Instant,
    picture: Arc<OnceCell<Arc<Picture>>>,
}

impl Pictures {
    pub fn new(fetch: Arc<dyn Fetch>, remember: Duration) -> Self {
        Self {
            fetch,
            remember,
            seen: Mutex::default(),
        }
    }

    /// What is to be seen at `url`, which may be a `data:` URL. Callers that ask at the same time fetch once.
    pub async fn get(&self, url: &str) -> Result<Arc<Picture>, String> {
        if url.starts_with("data:") {
            return look(decode_data_url(url)?).await;
        }
        let cell = self.entry(url).picture;
        let picture = cell
            .get_or_try_init(|| async {
                let file = self
                    .fetch
                    .fetch(url)
                    .await
                    .map_err(|reason| format!("cannot fetch {url}: {reason}"))?;
                look(file)
                    .await
                    .map_err(|reason| format!("{url}: {reason}"))
            })
            .await?;
        Ok(Arc::clone(picture))
    }

    pub fn forget(&self) {
        self.seen().clear();
    }

    fn entry(&self, url: &str) -> Entry {
        let now = Instant::now();
        let mut seen = self.seen();
        if seen.len() >= MAX_REMEMBERED {
            seen.retain(|_, entry| now - entry.since < self.remember / 2);
            if seen.len() >= MAX_REMEMBERED {
                seen.clear();
            }
        }
        let fresh = || Entry {
            since: now,
            picture: Arc::default(),
        };
        let entry = seen.entry(url.to_owned()).or_insert_with(fresh);
        if now - entry.since >= self.remember {
            *entry = fresh();
        }
        entry.clone()
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decoding takes milliseconds, so it is done beside the runtime.
async fn look(file: Bytes) -> Result<Arc<Picture>, String> {
    let looked = tokio::task::spawn_blocking(move || Picture::look(&file)).await;
    looked
        .map_err(|_| "cannot decode the image".to_owned())?
        .map(Arc::new)
}

fn decode_data_url(url: &str) -> Result<Bytes, String> {
    let (_, data) = url
        .split_once(";base64,")
        .ok_or("a data URL must be in base64")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(data);
    bytes
        .map(Bytes::from)
        .map_err(|error| format!("a data URL is not in base64: {error}"))
}
