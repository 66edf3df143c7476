//! The loopback server of the drawing pages: documents out, pixels in.
//!
//! Nothing else can reach it: it listens on the loopback interface and every address starts with a secret.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::document::fields::{MaterialKind, TEXTURE};
use crate::document::{ATTRIBUTES, MAGIC};
use crate::png::Part;

/// Largest picture a page may post: 4096 x 4096 pixels.
const MAX_PICTURE_BYTES: usize = 4096 * 4096 * 4;

/// Where documents wait to be fetched and pictures arrive.
#[derive(Debug, Default)]
pub struct Desk {
    next: AtomicU64,
    jobs: Mutex<HashMap<u64, Job>>,
}

#[derive(Debug)]
struct Job {
    document: Bytes,
    pictures: mpsc::UnboundedSender<(usize, Part)>,
}

impl Desk {
    /// Lays a document out. Its pictures arrive by the sender until the ticket is dropped.
    pub fn take_in(
        self: &Arc<Self>,
        document: Bytes,
        pictures: mpsc::UnboundedSender<(usize, Part)>,
    ) -> Ticket {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.jobs().insert(number, Job { document, pictures });
        Ticket {
            desk: self.clone(),
            number,
        }
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the job off the desk when its caller is done, or gone.
pub struct Ticket {
    desk: Arc<Desk>,
    /// The job's number in the addresses.
    pub number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.desk.jobs().remove(&self.number);
    }
}

const DRAW_PAGE: &str = include_str!("../../assets/draw.html");
const DRAW_SCRIPT: &str = include_str!("../../assets/draw.js");
const THREE_MODULE: &str = include_str!(concat!(env!("OUT_DIR"), "/three.module.js"));
const THREE_CORE: &str = include_str!(concat!(env!("OUT_DIR"), "/three.core.js"));

/// The pages' own scripts, the documents and the pictures, all under the secret.
pub fn routes(secret: &str, desk: Arc<Desk>) -> Router {
    let at = |path: &str| format!("/{secret}{path}");
    let html = || async {
        let policy = "default-src 'none'; script-src 'self'; connect-src 'self'";
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, policy),
        ];
        (headers, DRAW_PAGE)
    };
    Router::new()
        .route(&at("/"), get(html))
        .route(&at("/draw.js"), get(|| async { script(DRAW_SCRIPT) }))
        .route(
            &at("/three.module.js"),
            get(|| async { script(THREE_MODULE) }),
        )
        .route(&at("/three.core.js"), get(|| async { script(THREE_CORE) }))
        .route(&at("/tables.json"), get(|| async { axum::Json(tables()) }))
        .route(&at("/document/{number}"), get(document))
        .route(
            &at("/pixels/{number}/{picture}/{left}/{bottom}/{width}/{height}"),
            post(pixels),
        )
        .layer(DefaultBodyLimit::max(MAX_PICTURE_BYTES))
        .with_state(desk)
}

fn script(text: &'static str) -> Response {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        text,
    )
        .into_response()
}

async fn document(State(desk): State<Arc<Desk>>, Path(number): Path<u64>) -> Response {
    match desk.jobs().get(&number) {
        Some(job) => job.document.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn pixels(
    State(desk): State<Arc<Desk>>,
    Path((number, picture, left, bottom, width, height)): Path<(u64, usize, u32, u32, u32, u32)>,
    pixels: Bytes,
) -> StatusCode {
    let part = Part {
        left,
        bottom,
        width,
        height,
        pixels,
    };
    match desk.jobs().get(&number) {
        Some(job) if job.pictures.send((picture, part)).is_ok() => StatusCode::NO_CONTENT,
        _ => StatusCode::NOT_FOUND,
    }
}

fn tables() -> Value {
    let materials: serde_json::Map<String, Value> = MaterialKind::ALL
        .iter()
        .map(|kind| {
            (
                kind.class().to_owned(),
                json!(kind.fields().collect::<Vec<_>>()),
            )
        })
        .collect();
    json!({ "magic": MAGIC, "attributes": ATTRIBUTES, "texture": TEXTURE, "materials": materials })
}

/// 128 random bits for the loopback address, so that no other process of the machine can guess it.
pub fn secret() -> std::io::Result<String> {
    let mut bytes = [0_u8; 16];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(hex::encode(bytes))
}
