//! A model of fixed latency and capacity, behind the real interface: what a judge is measured with.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// What was asked of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) calls: u64,
    /// Sum over all calls of the time they were worked on.
    pub(super) busy: Duration,
    pub(super) in_flight: usize,
    pub(super) peak_in_flight: usize,
    first_start: Option<Instant>,
    last_end: Option<Instant>,
}

impl Account {
    /// From the start of the first call to the end of the last.
    pub(super) fn span(&self) -> Duration {
        match (self.first_start, self.last_end) {
            (Some(first), Some(last)) => last - first,
            _ => Duration::ZERO,
        }
    }
}

/// Answers every schema of the judge after `latency`, at most `capacity` calls at once; more wait. The answers follow from the
/// addresses of the pictures alone: about one duel in eight is a draw from the front and goes through all stages.
#[derive(Clone)]
pub(super) struct FixedVlm {
    latency: Duration,
    slots: Arc<Semaphore>,
    account: Arc<Mutex<Account>>,
}

impl FixedVlm {
    pub(super) fn new(latency: Duration, capacity: usize) -> Self {
        Self {
            latency,
            slots: Arc::new(Semaphore::new(capacity)),
            account: Arc::default(),
        }
    }

    pub(super) fn account(&self) -> Account {
        self.lock().clone()
    }

    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(self.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(&self) {
        let Ok(_slot) = self.slots.acquire().await else {
            return;
        };
        let start = Instant::now();
        {
            let mut account = self.lock();
            account.in_flight += 1;
            account.peak_in_flight = account.peak_in_flight.max(account.in_flight);
            account.first_start.get_or_insert(start);
        }
        tokio::time::sleep(self.latency).await;
        let end = Instant::now();
        let mut account = self.lock();
        account.in_flight -= 1;
        account.calls += 1;
        account.busy += end - start;
        account.last_end = Some(end);
    }
}

async fn complete(
    State(vlm): State<FixedVlm>,
    Json(request): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let answer = answer(&request).ok_or(StatusCode::BAD_REQUEST)?;
    vlm.work().await;
    let message = json!({"role": "assistant", "content": answer.to_string()});
    Ok(Json(
        json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}),
    ))
}

fn answer(request: &Value) -> Option<Value> {
    let properties = request.pointer("/response_format/json_schema/schema/properties")?;
    let asked = |key: &str| properties.get(key).is_some();
    let pictures: Vec<&str> = request
        .pointer("/messages/1/content")?
        .as_array()?
        .iter()
        .filter_map(|part| part.pointer("/image_url/url")?.as_str())
        .collect();
    Some(if asked("penalty_1") {
        let [_, first, second] = pictures[..] else {
            return None;
        };
        json!({"penalty_1": penalty(first), "penalty_2": penalty(second), "issues": "as measured"})
    } else if asked("features") {
        let feature = |text| json!({"description": text, "category": "presence"});
        let features = ["a lid", "a spout", "a handle", "a foot"].map(feature);
        json!({"main_object": "tea pot", "features": features})
    } else if asked("checks") {
        let check = |text| json!({"feature": text, "match": "yes", "note": "is there"});
        let checks = ["a lid", "a spout", "a handle", "a foot"].map(check);
        json!({"checks": checks, "main_object_correct": true})
    } else if asked("verdict") {
        json!({"verdict": "ok", "reason": "solid"})
    } else if asked("addresses_viewer") {
        json!({"addresses_viewer": false, "text": ""})
    } else {
        json!({"issues": "none worth a word"})
    })
}

/// 1 to 8, the same for all views of an entry.
fn penalty(picture: &str) -> u64 {
    let entry: Vec<&str> = picture.split('/').take(8).collect();
    let mut hasher = DefaultHasher::new();
    entry.hash(&mut hasher);
    1 + hasher.finish() % 8
}
