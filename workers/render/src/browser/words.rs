//! What a browser said before it ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};

/// The last lines a browser wrote to its error output.
#[derive(Debug, Clone, Default)]
pub struct LastWords {
    lines: Arc<Mutex<VecDeque<String>>>,
    ended: Arc<tokio::sync::Notify>,
}

impl LastWords {
    /// Keeps the last lines of `stderr`.
    pub fn listen(&self, stderr: tokio::process::ChildStderr) {
        let words = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // Chromium complains about the desktop bus that a server does not have.
                if line.contains(":dbus/") {
                    continue;
                }
                tracing::trace!(browser.log = line, "browser");
                let mut kept = words.lines.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == 12 {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
            words.ended.notify_one();
        });
    }

    /// The last lines, once there are no more to come.
    pub async fn text(&self) -> String {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.ended.notified()).await;
        self.now()
    }

    /// The last lines so far.
    pub fn now(&self) -> String {
        let kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" | ")
    }
}
