//! The DevTools protocol over the browser's own pipe.
//!
//! A pipe instead of a port: no other process of the machine, and no page, can reach the browser's controls, and a
//! browser whose pipe closes ends itself, so it never outlives us. Messages are JSON with a zero byte behind each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};

/// Why a protocol call brought no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CdpError {
    /// The browser is gone.
    #[error("the browser's control pipe is closed")]
    Closed,
    /// The browser refused.
    #[error("{method} was refused by the browser: {message}")]
    Refused {
        /// The method called.
        method: &'static str,
        /// What the browser said.
        message: String,
    },
    /// The page's script threw; only trusted scripts are called this way.
    #[error("the page's script failed: {0}")]
    Script(String),
}

/// Longest the end of a target is waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// An event of one session.
#[derive(Debug)]
pub struct Event {
    /// Its name, `Domain.event`.
    pub method: String,
    /// Its parameters.
    pub params: Value,
}

/// The control pipe of one browser. Clones share it.
#[derive(Debug, Clone)]
pub struct Connection {
    shared: Arc<Shared>,
    closed: watch::Receiver<bool>,
}

#[derive(Debug)]
struct Shared {
    next: AtomicU64,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    pending: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    sessions: Mutex<HashMap<String, mpsc::UnboundedSender<Event>>>,
    /// The session of each target, for events that name the target alone.
    targets: Mutex<HashMap<String, String>>,
    /// Targets whose end somebody waits for.
    ending: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

type Answer = Result<Value, String>;

#[derive(Deserialize)]
struct Message {
    id: Option<u64>,
    #[serde(default)]
    result: Value,
    error: Option<Refusal>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(rename = "sessionId")]
    session: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Connection {
    /// Speaks over the two ends of a browser's pipe until either closes.
    pub fn new(
        mut to_browser: impl AsyncWrite + Unpin + Send + 'static,
        from_browser: impl AsyncRead + Unpin + Send + 'static,
    ) -> Self {
        let (outgoing, mut queue) = mpsc::unbounded_channel::<Vec<u8>>();
        let (closing, closed) = watch::channel(false);
        let shared = Arc::new(Shared {
            next: AtomicU64::new(1),
            outgoing,
            pending: Mutex::new(Some(HashMap::new())),
            sessions: Mutex::default(),
            targets: Mutex::default(),
            ending: Mutex::default(),
        });
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                if to_browser.write_all(&message).await.is_err() {
                    break;
                }
            }
        });
        let reader = Arc::downgrade(&shared);
        tokio::spawn(async move {
            read_messages(from_browser, |bytes| match reader.upgrade() {
                Some(shared) => {
                    shared.receive(bytes);
                    true
                }
                None => false,
            })
            .await;
            if let Some(shared) = reader.upgrade() {
                shared.close();
            }
            let _ = closing.send(true);
        });
        Self { shared, closed }
    }

    /// Calls a method of the browser itself.
    pub async fn call(&self, method: &'static str, params: Value) -> Result<Value, CdpError> {
        self.send(method, params, None).await
    }

    /// Opens a session with a target and routes its events, `Target.targetCrashed` among them.
    pub async fn attach(
        &self,
        target: &str,
    ) -> Result<(Session, mpsc::UnboundedReceiver<Event>), CdpError> {
        let answer = self
            .call(
                "Target.attachToTarget",
                json!({ "targetId": target, "flatten": true }),
            )
            .await?;
        let id = text(&answer, "sessionId");
        let (sender, events) = mpsc::unbounded_channel();
        lock(&self.shared.sessions).insert(id.clone(), sender);
        lock(&self.shared.targets).insert(target.to_owned(), id.clone());
        let session = Session {
            connection: self.clone(),
            id,
        };
        Ok((session, events))
    }

    /// Closes a target and waits until the browser has let go of it.
    pub async fn close_target(&self, target: &str) -> Result<(), CdpError> {
        let (sender, ended) = oneshot::channel();
        lock(&self.shared.ending).insert(target.to_owned(), sender);
        let closing = self
            .call("Target.closeTarget", json!({ "targetId": target }))
            .await;
        if closing.is_ok() {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, ended).await;
        }
        lock(&self.shared.ending).remove(target);
        closing.map(|_| ())
    }

    /// Waits until the pipe is closed.
    pub async fn closed(&self) {
        let _ = self.closed.clone().wait_for(|closed| *closed).await;
    }

    /// Whether the pipe is closed.
    pub fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    async fn send(
        &self,
        method: &'static str,
        params: Value,
        session: Option<&str>,
    ) -> Result<Value, CdpError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let (Some(session), Some(object)) = (session, message.as_object_mut()) {
            object.insert("sessionId".to_owned(), Value::from(session));
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let (sender, answer) = oneshot::channel();
        match lock(&self.shared.pending).as_mut() {
            Some(pending) => pending.insert(id, sender),
            None => return Err(CdpError::Closed),
        };
        let forget = Forget {
            shared: &self.shared,
            id,
        };
        self.shared
            .outgoing
            .send(bytes)
            .map_err(|_| CdpError::Closed)?;
        let answer = answer.await.map_err(|_| CdpError::Closed)?;
        drop(forget);
        answer.map_err(|message| CdpError::Refused { method, message })
    }
}

/// Forgets a call whose caller stopped waiting.
struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(pending) = lock(&self.shared.pending).as_mut() {
            pending.remove(&self.id);
        }
    }
}

impl Shared {
    fn receive(&self, bytes: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Message>(bytes) else {
            tracing::warn!(
                bytes = bytes.len(),
                "the browser sent something that is not a protocol message"
            );
            return;
        };
        if let Some(id) = message.id {
            let waiting = lock(&self.pending)
                .as_mut()
                .and_then(|pending| pending.remove(&id));
            if let Some(waiting) = waiting {
                let _ = waiting.send(match message.error {
                    Some(refusal) => Err(refusal.message),
                    None => Ok(message.result),
                });
            }
        } else if message.method.as_deref() == Some("Target.targetDestroyed") {
            let ended = lock(&self.ending).remove(&text(&message.params, "targetId"));
            if let Some(ended) = ended {
                let _ = ended.send(());
            }
        } else if let Some(method) = message.method {
            // The browser tells why a target's process ended, but not in the target's session.
            let session = message.session.or_else(|| {
                let target = text(&message.params, "targetId");
                let is_crash = method == "Target.targetCrashed";
                is_crash.then(|| lock(&self.targets).get(&target).cloned())?
            });
            let sessions = lock(&self.sessions);
            if let Some(sender) = session.and_then(|session| sessions.get(&session)) {
                let _ = sender.send(Event {
                    method,
                    params: message.params,
                });
            }
        }
    }

    fn close(&self) {
        lock(&self.pending).take();
        lock(&self.sessions).clear();
        lock(&self.targets).clear();
        lock(&self.ending).clear();
    }
}

/// A session with one page.
#[derive(Debug, Clone)]
pub struct Session {
    connection: Connection,
    id: String,
}

impl Session {
    /// Calls a method of the page.
    pub async fn call(&self, method: &'static str, params: Value) -> Result<Value, CdpError> {
        self.connection.send(method, params, Some(&self.id)).await
    }

    /// Evaluates a trusted expression and waits for its promise. The result must be plain data.
    pub async fn evaluate(&self, expression: &str) -> Result<Value, CdpError> {
        let mut answer = self
            .call(
                "Runtime.evaluate",
                json!({ "expression": expression, "awaitPromise": true, "returnByValue": true }),
            )
            .await?;
        if let Some(exception) = answer.get("exceptionDetails") {
            let message = exception
                .pointer("/exception/description")
                .or_else(|| exception.get("text"))
                .and_then(Value::as_str)
                .unwrap_or("unknown");
            return Err(CdpError::Script(message.to_owned()));
        }
        Ok(answer
            .pointer_mut("/result/value")
            .map(Value::take)
            .unwrap_or_default())
    }

    /// Stops routing events to the session.
    pub fn forget(&self) {
        let shared = &self.connection.shared;
        lock(&shared.sessions).remove(&self.id);
        lock(&shared.targets).retain(|_, session| *session != self.id);
    }
}

/// A text member of an answer, empty if it is missing.
pub fn text(answer: &Value, key: &str) -> String {
    answer
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Splits the stream at its zero bytes. Ends with the stream, or when `receive` wants no more.
async fn read_messages(mut stream: impl AsyncRead + Unpin, mut receive: impl FnMut(&[u8]) -> bool) {
    let mut buffer: Vec<u8> = Vec::with_capacity(1 << 16);
    let mut scanned = 0;
    loop {
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let mut start = 0;
        while let Some(offset) = memchr(&buffer[scanned..]) {
            let end = scanned + offset;
            if !receive(&buffer[start..end]) {
                return;
            }
            start = end + 1;
            scanned = start;
        }
        buffer.drain(..start);
        scanned = buffer.len();
        if buffer.is_empty() && buffer.capacity() > 1 << 22 {
            buffer = Vec::with_capacity(1 << 16);
        } else {
            buffer.reserve(1 << 16);
        }
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    // The standard library's own search is compiled with optimisation in every profile; documents have megabytes.
    std::ffi::CStr::from_bytes_until_nul(bytes)
        .ok()
        .map(std::ffi::CStr::count_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_split_at_zero_bytes_wherever_the_stream_is_cut() {
        let (mut writer, reader) = tokio::io::duplex(3);
        let send = tokio::spawn(async move {
            writer
                .write_all(b"one\0twotwo\0\0three\0rest")
                .await
                .unwrap();
        });
        let mut seen = Vec::new();
        read_messages(reader, |bytes| {
            seen.push(String::from_utf8(bytes.to_vec()).unwrap());
            true
        })
        .await;
        send.await.unwrap();
        assert_eq!(seen, ["one", "twotwo", "", "three"]);
    }

    #[tokio::test]
    async fn a_closed_pipe_answers_every_waiting_call() {
        let (ours, theirs) = tokio::io::duplex(64);
        let (read, write) = tokio::io::split(ours);
        let connection = Connection::new(write, read);
        let waiting = connection.call("Browser.getVersion", json!({}));
        drop(theirs);
        assert!(matches!(waiting.await, Err(CdpError::Closed)));
        connection.closed().await;
        assert!(matches!(
            connection.call("Browser.getVersion", json!({})).await,
            Err(CdpError::Closed)
        ));
    }
}
