//! git-sync: mirrors finished steps into the public state repository, and reads back what people edited there.
//!
//! One process does it at a time, by a lock that the database gives and takes away with the connection. The outbox rows are
//! the truth until the remote has acknowledged them: local commits may be thrown away at any moment and are made again.

mod import;
mod outbox;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sqlx::{PgConnection, PgPool, postgres::PgListener};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workflow::db;

use crate::{
    repository::{GitCredentials, MirrorOptions, MirrorRepository, SigningKey},
    settings::Settings,
};

pub use import::{StartError, start_current_round};

/// How often people's edits are looked for.
const POLL_EVERY: Duration = Duration::from_secs(15);
/// How long a change that is not urgent waits for company.
const GATHER: Duration = Duration::from_millis(700);
/// Between tries while the remote does not answer.
const RETRY_EVERY: Duration = Duration::from_secs(3);
/// The database lock that makes one git-sync the holder: "assize" in ASCII.
const HOLDER_LOCK: i64 = 0x6173_7369_7a65;

/// The repository side, shared with the blocking calls.
#[derive(Clone)]
pub struct GitSync {
    pool: PgPool,
    mirror: Arc<MirrorRepository>,
    poll_every: Duration,
}

impl GitSync {
    /// Opens the local clone, or clones the remote.
    ///
    /// # Errors
    ///
    /// If the remote cannot be reached, refuses us, or is no state repository.
    pub async fn open(pool: PgPool, settings: &Settings) -> anyhow::Result<Self> {
        let mut options = MirrorOptions::new(
            settings.mirror_dir.clone(),
            settings.state_repository.clone(),
        );
        options.branch.clone_from(&settings.branch);
        options.credentials = GitCredentials {
            token: token_for(settings),
            ..GitCredentials::default()
        };
        if let Some(key) = &settings.signing_key {
            options.signing_key =
                Some(SigningKey::from_openssh(key).context("SIGNING_KEY cannot be used")?);
        }
        let mirror =
            tokio::task::spawn_blocking(move || MirrorRepository::open_or_clone(options)).await??;
        Ok(Self {
            pool,
            mirror: Arc::new(mirror),
            poll_every: POLL_EVERY,
        })
    }

    /// The same with another interval for looking at people's edits.
    #[must_use]
    pub fn polling_every(mut self, interval: Duration) -> Self {
        self.poll_every = interval;
        self
    }

    /// The repository.
    pub fn mirror(&self) -> &Arc<MirrorRepository> {
        &self.mirror
    }

    /// Mirrors until `stop`. Whatever fails is tried again; nothing of the outbox is lost.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                held = self.hold(&stop) => if let Err(error) = held {
                    tracing::warn!(error = format!("{error:#}"), "git-sync was interrupted and starts anew");
                },
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(RETRY_EVERY) => {}
            }
        }
    }

    /// Becomes the holder and works as long as the connection that holds the lock lives.
    async fn hold(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut holder = self.pool.acquire().await?.detach();
        let held: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(HOLDER_LOCK)
            .fetch_one(&mut holder)
            .await?;
        if !held {
            // Another replica mirrors; it is tried again soon, in case that one ends.
            return Ok(());
        }
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(db::MIRROR_CHANNEL).await?;
        let mut next_poll = Instant::now();
        loop {
            still_holds(&mut holder).await?;
            if Instant::now() >= next_poll {
                self.read_back().await?;
                next_poll = Instant::now() + self.poll_every;
            }
            self.push_all().await?;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep_until(next_poll) => {}
                notice = listener.try_recv() => {
                    let urgent = notice?.is_some_and(|notice| notice.payload() == "urgent");
                    if !urgent {
                        gather(&mut listener).await?;
                    }
                }
            }
        }
    }

    /// Pushes until the outbox is empty.
    async fn push_all(&self) -> anyhow::Result<()> {
        while outbox::push_batch(&self.pool, &self.mirror).await? {}
        Ok(())
    }

    /// Fetches, and stores what people changed.
    async fn read_back(&self) -> anyhow::Result<()> {
        let mirror = self.mirror.clone();
        let fetched = tokio::task::spawn_blocking(move || mirror.fetch()).await??;
        import::store_foreign(&self.pool, &self.mirror, fetched).await
    }

    /// Pushes what is left, for a stop in good order. Answers whether the outbox is empty.
    ///
    /// # Errors
    ///
    /// If the remote or the database cannot be reached.
    pub async fn drain(&self) -> anyhow::Result<bool> {
        self.push_all().await?;
        let (waiting, _) = db::mirror::lag(&mut *self.pool.acquire().await?).await?;
        Ok(waiting == 0)
    }
}

/// Waits a moment for more changes, unless one of them is urgent.
async fn gather(listener: &mut PgListener) -> sqlx::Result<()> {
    let until = Instant::now() + GATHER;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(until) => return Ok(()),
            notice = listener.try_recv() => match notice? {
                Some(notice) if notice.payload() == "urgent" => return Ok(()),
                Some(_) => {}
                None => return Ok(()),
            },
        }
    }
}

async fn still_holds(holder: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(holder).await.map(drop)
}

/// A token is for addresses that take one.
fn token_for(settings: &Settings) -> Option<secrecy::SecretString> {
    let takes_one = settings.state_repository.starts_with("https://");
    Some(settings.github_token.clone())
        .filter(|token| takes_one && !token.expose_secret().is_empty())
}
