//! git-sync: mirrors finished steps into the public state repository, and reads back what people edited there.
//!
//! One process does it at a time, by a lock that the database gives and takes away with the connection. The outbox rows are
//! the truth until the remote has acknowledged them: local commits may be thrown away at any moment and are made again.
//!
//! People's edits go the other way. A commit of somebody else is read within one poll, or at once when a webhook says so.
//! Files that people own are checked and, as far as they are valid, in force ([`edits`]); an edit of a file that Assize owns
//! stands as a conflict until an operator decides ([`settle`]).

mod adopt;
mod check;
mod edits;
mod ledger;
mod notices;
mod outbox;
mod settle;
mod signers;
mod start;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sqlx::{PgConnection, PgPool, postgres::PgListener};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workflow::db;

use notices::Teller;

use crate::{
    clients::discord::{DiscordNotices, NoNotices, Notices},
    egress::Egress,
    repository::{GitCredentials, MirrorOptions, MirrorRepository, SigningKey},
    settings::Settings,
};

pub use check::{Checked, check, check_owned};
pub use start::{StartError, start_current_round};
pub(crate) use start::{is_kept, take_over};

/// How often people's edits are looked for.
const POLL_EVERY: Duration = Duration::from_secs(15);
/// How long a change that is not urgent waits for company.
const GATHER: Duration = Duration::from_millis(700);
/// Between tries while the remote does not answer.
const RETRY_EVERY: Duration = Duration::from_secs(3);
/// The database lock that makes one git-sync the holder: "assize" in ASCII.
const HOLDER_LOCK: i64 = 0x6173_7369_7a65;
/// Objects in files of their own from which on the clone is made again: some thousand commits' worth.
const LOOSE_OBJECTS: usize = 50_000;
/// Larger files (reports) are not kept in the database.
pub(crate) const LARGEST_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The repository side, shared with the blocking calls.
#[derive(Clone)]
pub struct GitSync {
    pool: PgPool,
    mirror: Arc<MirrorRepository>,
    teller: Teller,
    poll_every: Duration,
}

/// Why the holder stops waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// There may be something to push.
    Push,
    /// The remote has moved, says a webhook.
    Fetch,
}

impl GitSync {
    /// Opens the local clone, or clones the remote, and publishes the signing key where it is not yet.
    ///
    /// # Errors
    ///
    /// If the remote cannot be reached, refuses us, or is no state repository.
    pub async fn open(pool: PgPool, settings: &Settings) -> anyhow::Result<Self> {
        let options = options(settings)?;
        let notices: Arc<dyn Notices> = match &settings.discord_webhook {
            None => Arc::new(NoNotices),
            Some(webhook) => {
                let egress =
                    Egress::new(&settings.host_map).context("EGRESS_HOST_MAP cannot be used")?;
                Arc::new(DiscordNotices::new(egress, webhook.clone())?)
            }
        };
        let mut sync = Self::with_options(pool.clone(), options, notices.clone()).await?;
        let files = format!(
            "https://github.com/{}/blob/{}/",
            settings.github_repository, settings.branch
        );
        sync.teller = Teller::new(pool, notices, files).alerting(settings.render_alert);
        Ok(sync)
    }

    /// The same with options of the repository instead of settings.
    ///
    /// # Errors
    ///
    /// As [`GitSync::open`].
    pub async fn with_options(
        pool: PgPool,
        options: MirrorOptions,
        notices: Arc<dyn Notices>,
    ) -> anyhow::Result<Self> {
        let (key, email) = (options.signing_key.clone(), options.author_email.clone());
        let (seen, contested) = edits::remembered(&mut *pool.acquire().await?).await?;
        let mirror = tokio::task::spawn_blocking(move || {
            let mirror = MirrorRepository::open_or_clone(options)?;
            // The database outlives the clone.
            mirror.restore(seen, contested)?;
            if let Some(key) = key {
                signers::publish(&mirror, &key, &email)?;
            }
            anyhow::Ok(mirror)
        })
        .await??;
        Ok(Self {
            teller: Teller::new(pool.clone(), notices, String::new()),
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
        self.begin().await?;
        let _telling = self.teller.start();
        let mut next_poll = Instant::now() + self.poll_every;
        loop {
            still_holds(&mut holder).await?;
            if Instant::now() >= next_poll {
                self.read_back().await?;
                self.compact().await?;
                next_poll = Instant::now() + self.poll_every;
            }
            self.push_all().await?;
            self.teller.look();
            let wake = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep_until(next_poll) => Wake::Fetch,
                wake = next_wake(&mut listener, GATHER) => wake?,
            };
            if wake == Wake::Fetch {
                next_poll = Instant::now();
            }
        }
    }

    /// What a holder does first: reads what it missed, and what an interrupted holder could no longer record.
    async fn begin(&self) -> anyhow::Result<()> {
        let (seen, contested) = edits::remembered(&mut *self.pool.acquire().await?).await?;
        let repository = self.mirror.clone();
        tokio::task::spawn_blocking(move || repository.restore(seen, contested)).await??;
        self.read_back().await?;
        outbox::acknowledge_published(&self.pool, &self.mirror).await
    }

    /// Pushes until the outbox is empty and every decision is carried out.
    async fn push_all(&self) -> anyhow::Result<()> {
        loop {
            if let Some((conflict, pushed)) = settle::carry_out(&self.pool, &self.mirror).await? {
                settle::record(&self.pool, &self.mirror, &conflict, &pushed).await?;
                if pushed.met_others {
                    self.read_back().await?;
                }
                continue;
            }
            let Some(pushed) = outbox::push_batch(&self.pool, &self.mirror).await? else {
                return Ok(());
            };
            // Edits that were met are recorded before the changes that wait for them.
            if pushed.met_others {
                self.read_back().await?;
            }
            let mut transaction = self.pool.begin().await?;
            outbox::acknowledge(&mut transaction, &pushed).await?;
            transaction.commit().await?;
        }
    }

    /// Fetches, and stores what people changed.
    async fn read_back(&self) -> anyhow::Result<()> {
        let mirror = self.mirror.clone();
        let fetched = tokio::task::spawn_blocking(move || mirror.fetch()).await??;
        edits::store_foreign(&self.pool, &self.mirror, fetched).await
    }

    /// Makes the clone again when its small files would fill the disk.
    async fn compact(&self) -> anyhow::Result<()> {
        let mirror = self.mirror.clone();
        let compacted =
            tokio::task::spawn_blocking(move || mirror.compact(LOOSE_OBJECTS)).await??;
        if compacted {
            tracing::info!("the local clone was made again, in one pack");
        }
        Ok(())
    }

    /// Reads what people changed and pushes what is left, once, for a stop in good order and for tests. Answers whether the
    /// outbox is empty.
    ///
    /// # Errors
    ///
    /// If the remote or the database cannot be reached.
    pub async fn drain(&self) -> anyhow::Result<bool> {
        self.begin().await?;
        self.push_all().await?;
        self.teller.tell().await?;
        let (waiting, _) = db::mirror::lag(&mut *self.pool.acquire().await?).await?;
        Ok(waiting == 0)
    }
}

/// Waits for a notice, and after one that is not urgent for `company`, in case more come.
async fn next_wake(listener: &mut PgListener, company: Duration) -> sqlx::Result<Wake> {
    let mut until = None;
    loop {
        let gathered = async move {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = gathered => return Ok(Wake::Push),
            notice = listener.try_recv() => {
                match notice?.as_ref().map(sqlx::postgres::PgNotification::payload) {
                    Some("fetch") => return Ok(Wake::Fetch),
                    Some("urgent") | None => return Ok(Wake::Push),
                    Some(_) => {
                        until.get_or_insert_with(|| Instant::now() + company);
                    }
                }
            }
        }
    }
}

async fn still_holds(holder: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(holder).await.map(drop)
}

fn options(settings: &Settings) -> anyhow::Result<MirrorOptions> {
    let mut options = MirrorOptions::new(
        settings.mirror_dir.clone(),
        settings.state_repository.clone(),
    );
    options.branch.clone_from(&settings.branch);
    options.author_email.clone_from(&settings.author_email);
    options
        .trusted_keys
        .clone_from(&settings.trusted_signing_keys);
    // A token is for addresses that take one.
    let takes_token = settings.state_repository.starts_with("https://");
    options.credentials = GitCredentials {
        token: Some(settings.github_token.clone())
            .filter(|token| takes_token && !token.expose_secret().is_empty()),
        ssh_key: settings.ssh_key.clone(),
        ssh_passphrase: settings.ssh_passphrase.clone(),
        ssh_host_keys: settings.ssh_host_keys.clone(),
    };
    if let Some(key) = &settings.signing_key {
        options.signing_key =
            Some(SigningKey::from_openssh(key).context("SIGNING_KEY cannot be used")?);
    }
    Ok(options)
}
