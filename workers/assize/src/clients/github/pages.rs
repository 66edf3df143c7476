//! Lists in pages, asked for with `ETag`s: what did not change costs nothing of the rate limit.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use reqwest::header::{ACCEPT, ETAG, HeaderName, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::{ActionsSettings, GithubError};
use crate::clients::script::lock;
use crate::clients::wire::{Answer, excerpt, exchange, header_text, retry_after};
use crate::egress::Egress;

const PAGE_SIZE: usize = 100;

/// Pages read of one list: 2,000 entries.
const MAX_PAGES: usize = 20;

/// Largest page, in bytes. A run has about 15 kB.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// Remembered pages. Cleared as a whole when full; a page forgotten costs one request.
const MAX_REMEMBERED: usize = 64;

/// Wait when the rate limit is used up and GitHub does not say for how long.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_mins(1);

/// Reads whole lists.
#[derive(Debug)]
pub struct Pages {
    egress: Egress,
    settings: ActionsSettings,
    remembered: Mutex<HashMap<Url, Remembered>>,
}

#[derive(Debug, Clone)]
struct Remembered {
    etag: String,
    body: Bytes,
}

/// A list as far as it was read.
pub struct Listed<Row> {
    pub rows: Vec<Row>,
    /// How many entries GitHub says there are.
    pub announced: usize,
}

impl Pages {
    /// Reads lists of the API at `settings.base_url`.
    pub fn new(egress: Egress, settings: ActionsSettings) -> Self {
        Self {
            egress,
            settings,
            remembered: Mutex::default(),
        }
    }

    /// The entries of the list `key` at `path`, page by page until one is not full or holds an entry that is `enough`.
    pub async fn list<Row: DeserializeOwned>(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        key: &str,
        enough: impl Fn(&Row) -> bool + Send,
    ) -> Result<Listed<Row>, GithubError> {
        let mut listed = Listed {
            rows: Vec::new(),
            announced: 0,
        };
        for page in 1..=MAX_PAGES {
            let body = self.page(path, filter, page).await?;
            let (rows, announced) = parse_page::<Row>(path, &body, key)?;
            let last = rows.len() < PAGE_SIZE || rows.iter().any(&enough);
            listed.rows.extend(rows);
            listed.announced = announced;
            if last || listed.rows.len() >= announced {
                break;
            }
        }
        Ok(listed)
    }

    async fn page(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        page: usize,
    ) -> Result<Bytes, GithubError> {
        let url = self.url(path, filter, page);
        let known = lock(&self.remembered).get(&url).cloned();
        let mut request = self
            .egress
            .request(Method::GET, &url)
            .header(ACCEPT, "application/vnd.github.v3+json")
            .header("X-GitHub-Api-Version", "2022-11-28")
            .bearer_auth(self.settings.token.expose_secret());
        if let Some(known) = &known {
            request = request.header(IF_NONE_MATCH, &known.etag);
        }
        let answer = exchange(request, self.settings.deadline, MAX_PAGE_BYTES)
            .await
            .map_err(GithubError::Unreachable)?;
        match (answer.status, known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => Ok(known.body),
            (StatusCode::OK, _) => {
                self.remember(url, &answer);
                Ok(answer.body)
            }
            _ => Err(refusal(path, &answer)),
        }
    }

    fn url(&self, path: &str, filter: &[(&str, &str)], page: usize) -> Url {
        let mut url = self.settings.base_url.clone();
        let path = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut()
            .extend_pairs(filter)
            .append_pair("per_page", &PAGE_SIZE.to_string())
            .append_pair("page", &page.to_string());
        url
    }

    fn remember(&self, url: Url, answer: &Answer) {
        if let Some(etag) = header_text(&answer.headers, &ETAG) {
            let mut remembered = lock(&self.remembered);
            if remembered.len() >= MAX_REMEMBERED {
                remembered.clear();
            }
            remembered.insert(
                url,
                Remembered {
                    etag: etag.to_owned(),
                    body: answer.body.clone(),
                },
            );
        }
    }
}

/// The rows of the list `key` on a page, and how many it announces in all.
pub(super) fn parse_page<Row: DeserializeOwned>(
    path: &str,
    body: &[u8],
    key: &str,
) -> Result<(Vec<Row>, usize), GithubError> {
    let malformed = |problem: String| GithubError::Malformed {
        path: path.to_owned(),
        problem,
    };
    let bad = |error: serde_json::Error| malformed(format!("an unreadable page: {error}"));
    let mut page: Map<String, Value> = serde_json::from_slice(body).map_err(bad)?;
    let total = page.get("total_count").and_then(Value::as_u64);
    let total = total.ok_or_else(|| malformed("no total_count".to_owned()))?;
    let rows = page
        .remove(key)
        .ok_or_else(|| malformed(format!("no list {key}")))?;
    let rows = serde_json::from_value(rows).map_err(bad)?;
    Ok((rows, usize::try_from(total).unwrap_or(usize::MAX)))
}

fn refusal(path: &str, answer: &Answer) -> GithubError {
    const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
    const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

    let status = answer.status.as_u16();
    let asked = retry_after(&answer.headers);
    let used_up = header_text(&answer.headers, &REMAINING) == Some("0");
    if status == 429 || (status == 403 && (used_up || asked.is_some())) {
        let reset = header_text(&answer.headers, &RESET)
            .and_then(|text| text.parse().ok())
            .and_then(until);
        let retry_after = asked.or(reset).unwrap_or(DEFAULT_RETRY_AFTER);
        return GithubError::RateLimited { retry_after };
    }
    match status {
        401 | 403 => GithubError::Unauthorized { status },
        _ => GithubError::Status {
            status,
            path: path.to_owned(),
            message: excerpt(&answer.body),
        },
    }
}

/// How long until `unix_seconds`, at most an hour: GitHub's limits are by the hour.
fn until(unix_seconds: u64) -> Option<Duration> {
    const HOUR: Duration = Duration::from_hours(1);
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(unix_seconds))?;
    Some(
        at.duration_since(SystemTime::now())
            .unwrap_or_default()
            .min(HOUR),
    )
}
