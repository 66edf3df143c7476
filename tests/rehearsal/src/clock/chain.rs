//! The block clock: blocks pass at a settable rate, or at once when told to.
//!
//! A block is written down before anyone can see it. So after a kill the clock goes on from a block that nobody has
//! been shown a later one than, and a client never sees the chain shrink.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::files::{read_json, write_json};

/// One block of the chain, in seconds of chain time. Exactly 12 s everywhere in the competition.
pub const SECONDS_PER_BLOCK: u64 = 12;

/// Blocks that come faster than this are handed out together, so that a fast chain does not write a file a block.
const SHORTEST_TICK: Duration = Duration::from_millis(50);
/// How often a standing or slow clock looks whether its rate has changed.
const LONGEST_TICK: Duration = Duration::from_millis(200);

/// The chain's clock. Clones share one time.
#[derive(Debug, Clone)]
pub struct ChainClock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    written: Mutex<Written>,
    block: watch::Sender<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    /// The lowest block the node knows.
    first_block: u32,
    block: u32,
    blocks_per_second: f64,
    /// Chain time of `anchor_block`, in Unix milliseconds.
    anchor_ms: u64,
    anchor_block: u32,
}

/// Where a new chain begins. Ignored by a chain that was begun before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChainStart {
    pub first_block: u32,
    pub block: u32,
    pub now_ms: u64,
}

impl ChainClock {
    /// Opens the clock kept in `file`, or begins a new one.
    pub(crate) fn open(
        file: PathBuf,
        start: ChainStart,
        blocks_per_second: f64,
    ) -> anyhow::Result<Self> {
        let written = match read_json::<Written>(&file)? {
            Some(written) => Written {
                blocks_per_second,
                ..written
            },
            None => Written {
                first_block: start.first_block,
                block: start.block.max(start.first_block),
                blocks_per_second,
                anchor_ms: start.now_ms,
                anchor_block: start.block,
            },
        };
        write_json(&file, &written)?;
        let block = watch::Sender::new(written.block);
        Ok(Self {
            inner: Arc::new(Inner {
                file,
                written: Mutex::new(written),
                block,
            }),
        })
    }

    /// The newest block.
    pub fn current(&self) -> u32 {
        *self.inner.block.borrow()
    }

    /// The lowest block the node knows. Earlier ones are pruned, except the genesis.
    pub fn first_block(&self) -> u32 {
        self.written().first_block
    }

    /// Chain time of a block, in Unix milliseconds: 12 s a block, whatever the rate of the clock.
    pub fn timestamp_ms(&self, block: u32) -> u64 {
        let written = self.written();
        let blocks = i64::from(block) - i64::from(written.anchor_block);
        written
            .anchor_ms
            .saturating_add_signed(blocks * (SECONDS_PER_BLOCK * 1000) as i64)
    }

    /// Produces all blocks up to `block` at once; a block that has been reached already changes nothing.
    ///
    /// # Errors
    ///
    /// When the new block cannot be written down.
    pub fn advance_to(&self, block: u32) -> anyhow::Result<u32> {
        let mut written = self
            .inner
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if block > written.block {
            let next = Written {
                block,
                ..written.clone()
            };
            write_json(&self.inner.file, &next)?;
            *written = next;
            self.inner.block.send_replace(block);
        }
        Ok(written.block)
    }

    /// Blocks per second of real time. `0.0` stands still; a real chain has 1/12.
    pub fn rate(&self) -> f64 {
        self.written().blocks_per_second
    }

    /// Sets the rate; see [`ChainClock::rate`]. Negative and infinite rates stand still.
    pub fn set_rate(&self, blocks_per_second: f64) {
        let rate = if blocks_per_second.is_finite() {
            blocks_per_second.max(0.0)
        } else {
            0.0
        };
        self.inner
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocks_per_second = rate;
    }

    /// Waits until `block` has been produced.
    pub async fn reached(&self, block: u32) {
        // Fails only when the sender is gone, and this clock holds it.
        let _ = self
            .inner
            .block
            .subscribe()
            .wait_for(|current| *current >= block)
            .await;
    }

    /// Sees every change of the newest block.
    pub(crate) fn watch(&self) -> watch::Receiver<u32> {
        self.inner.block.subscribe()
    }

    /// Lets blocks pass at the clock's rate until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut last = Instant::now();
        let mut due = 0.0_f64;
        loop {
            let rate = self.rate();
            let tick = if rate > 0.0 {
                Duration::from_secs_f64((1.0 / rate).min(3600.0)).clamp(SHORTEST_TICK, LONGEST_TICK)
            } else {
                LONGEST_TICK
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(tick) => {}
            }
            due += last.elapsed().as_secs_f64() * rate;
            last = Instant::now();
            let blocks = due.floor();
            if blocks >= 1.0 {
                due -= blocks;
                let next = self.current().saturating_add(blocks as u32);
                if let Err(error) = self.advance_to(next) {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the rehearsal chain cannot keep its block"
                    );
                }
            }
        }
    }

    fn written(&self) -> Written {
        self.inner
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const START: ChainStart = ChainStart {
        first_block: 90,
        block: 100,
        now_ms: 1_000_000,
    };

    #[test]
    fn a_reopened_clock_goes_on_where_it_was_seen_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chain.json");
        let clock = ChainClock::open(file.clone(), START, 0.0).unwrap();
        assert_eq!(clock.advance_to(120).unwrap(), 120);
        assert_eq!(clock.advance_to(110).unwrap(), 120);

        let elsewhere = ChainStart {
            first_block: 1,
            block: 5,
            now_ms: 7,
        };
        let reopened = ChainClock::open(file, elsewhere, 0.0).unwrap();
        assert_eq!(reopened.current(), 120);
        assert_eq!(reopened.first_block(), 90);
        assert_eq!(reopened.timestamp_ms(101), 1_012_000);
        assert_eq!(reopened.timestamp_ms(99), 988_000);
    }

    #[tokio::test]
    async fn blocks_pass_at_the_rate_that_was_set() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ChainClock::open(folder.path().join("chain.json"), START, 0.0).unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(clock.clone().run(stop.clone()));

        clock.set_rate(200.0);
        tokio::time::timeout(Duration::from_secs(10), clock.reached(130))
            .await
            .unwrap();
        stop.cancel();
        running.await.unwrap();
    }
}
