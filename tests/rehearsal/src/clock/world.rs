//! The wall clock of the world: the machine's time plus whatever the world was told to skip.
//!
//! Builds, pods and outage windows last their time on this clock, so a test skips an hour instead of waiting for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::files::{read_json, write_json};

/// The world's wall clock. Clones share one time.
#[derive(Debug, Clone)]
pub struct WorldClock {
    skipped_ms: Arc<AtomicU64>,
    file: Option<PathBuf>,
    skips: watch::Sender<()>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Skipped {
    skipped_ms: u64,
}

impl WorldClock {
    /// A clock that forgets what it skipped when the process ends.
    pub fn in_memory() -> Self {
        Self {
            skipped_ms: Arc::default(),
            file: None,
            skips: watch::Sender::new(()),
        }
    }

    /// A clock that keeps what it skipped in `file`.
    ///
    /// # Errors
    ///
    /// When the file exists and cannot be read.
    pub fn open(file: PathBuf) -> anyhow::Result<Self> {
        let skipped: Skipped = read_json(&file)?.unwrap_or_default();
        let clock = Self::in_memory();
        clock.skipped_ms.store(skipped.skipped_ms, Ordering::SeqCst);
        Ok(Self {
            file: Some(file),
            ..clock
        })
    }

    /// Milliseconds since the Unix epoch, in world time.
    pub fn now_ms(&self) -> u64 {
        let machine = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis() as u64;
        machine.saturating_add(self.skipped_ms.load(Ordering::SeqCst))
    }

    /// Lets `duration` pass at once.
    ///
    /// # Errors
    ///
    /// When the new time cannot be written down.
    pub fn skip(&self, duration: Duration) -> anyhow::Result<()> {
        let skipped_ms = self
            .skipped_ms
            .fetch_add(duration.as_millis() as u64, Ordering::SeqCst)
            + duration.as_millis() as u64;
        if let Some(file) = &self.file {
            write_json(file, &Skipped { skipped_ms }).context("cannot keep the world's clock")?;
        }
        self.skips.send_replace(());
        Ok(())
    }

    /// Waits until the world's time is `at_ms`, also when part of the way is skipped.
    pub async fn reached(&self, at_ms: u64) {
        let mut skips = self.skips.subscribe();
        loop {
            let Some(left) = at_ms.checked_sub(self.now_ms()).filter(|left| *left > 0) else {
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                _ = skips.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_skip_wakes_those_who_wait_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock.json");
        let clock = WorldClock::open(file.clone()).unwrap();
        let hour = Duration::from_hours(1);
        let wake_at = clock.now_ms() + hour.as_millis() as u64;

        let waiter = tokio::spawn({
            let clock = clock.clone();
            async move { clock.reached(wake_at).await }
        });
        clock.skip(hour).unwrap();
        tokio::time::timeout(Duration::from_secs(5), waiter)
            .await
            .unwrap()
            .unwrap();

        let reopened = WorldClock::open(file).unwrap();
        assert!(reopened.now_ms() >= wake_at);
    }
}
