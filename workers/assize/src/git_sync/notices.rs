//! Telling people: of edits that are not in force, of what happens in a round, and of what failed.
//!
//! It runs beside the mirror and never in its way: a channel that is slow, limited or gone holds up nobody. What was not taken
//! is tried again; what would be refused every time, or is a day old, is given up and kept with the reason.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::{sync::Notify, task::JoinSet};
use workflow::{
    db::{
        self,
        hand_edit::Untold,
        notice::{RenderAlert, Unsent},
    },
    round::notices::{NoticeField, STATE_LINK},
};

use crate::clients::discord::{Notice, NoticeError, Notices};

/// Orange: somebody has something to do.
const COLOR: u32 = 0x00E6_7E22;
/// Before another try with a channel that failed.
const RETRY_AFTER: Duration = Duration::from_secs(15);
/// A channel that asks to wait longer is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Tells people, beside the mirror.
#[derive(Clone)]
pub(super) struct Teller {
    pool: PgPool,
    notices: Arc<dyn Notices>,
    /// Begin of a link to a file of the state repository.
    files: String,
    render_alert: RenderAlert,
    looked: Arc<Notify>,
}

/// A teller at work; it ends when this is dropped.
pub(super) struct Telling(
    #[expect(dead_code, reason = "aborts the task when dropped")] JoinSet<()>,
);

/// What became of a look.
enum Told {
    /// Nothing is left to tell.
    All,
    /// The channel does not take more; it is tried again after this.
    Later(Duration),
}

impl Teller {
    /// A teller for a channel. `files` begins the address of a state file: `https://github.com/{repo}/blob/{branch}/`.
    pub(super) fn new(pool: PgPool, notices: Arc<dyn Notices>, files: String) -> Self {
        Self {
            pool,
            notices,
            files,
            render_alert: RenderAlert::default(),
            looked: Arc::default(),
        }
    }

    /// The same that tells of pictures that fail from then on.
    #[must_use]
    pub(super) fn alerting(mut self, render_alert: RenderAlert) -> Self {
        self.render_alert = render_alert;
        self
    }

    /// There may be something to tell.
    pub(super) fn look(&self) {
        self.looked.notify_one();
    }

    /// Tells whatever there is after each [`Teller::look`].
    pub(super) fn start(&self) -> Telling {
        let teller = self.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let wait = match teller.tell_next().await {
                    Ok(Told::All) => None,
                    Ok(Told::Later(wait)) => Some(wait.min(LONGEST_WAIT)),
                    Err(error) => {
                        tracing::warn!(error = %error, "the notices cannot be read and are tried again");
                        Some(RETRY_AFTER)
                    }
                };
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => teller.looked.notified().await,
                }
            }
        });
        Telling(tasks)
    }

    /// Tells what there is now, once. A failing channel is logged.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(super) async fn tell(&self) -> sqlx::Result<()> {
        self.tell_next().await.map(drop)
    }

    async fn tell_next(&self) -> sqlx::Result<Told> {
        db::notice::add_failures(&mut *self.pool.acquire().await?, &self.render_alert).await?;
        loop {
            let mut conn = self.pool.acquire().await?;
            let edits = db::hand_edit::untold(&mut conn).await?;
            let unsent = db::notice::unsent(&mut conn).await?;
            // Nothing of the database is held while the channel is asked.
            drop(conn);
            if edits.is_empty() && unsent.is_empty() {
                return Ok(Told::All);
            }
            for untold in edits {
                if let Some(wait) = self.send(&of_edit(&untold)).await.wait() {
                    return Ok(Told::Later(wait));
                }
                db::hand_edit::mark_told(&mut *self.pool.acquire().await?, &untold).await?;
            }
            for notice in unsent {
                let sent = self.send(&self.of_round(&notice)).await;
                if let Some(wait) = sent.wait() {
                    return Ok(Told::Later(wait));
                }
                let mut conn = self.pool.acquire().await?;
                match sent {
                    Sent::Refused(because) => {
                        db::notice::give_up(&mut conn, notice.id, &because).await?;
                    }
                    _ => db::notice::mark_sent(&mut conn, notice.id).await?,
                }
            }
        }
    }

    async fn send(&self, notice: &Notice) -> Sent {
        match self.notices.send(notice).await {
            Ok(()) => Sent::Taken,
            Err(error @ NoticeError::Refused { .. }) => {
                // It would be refused every time.
                tracing::warn!(error = %error, "a notice is dropped");
                Sent::Refused(error.to_string())
            }
            Err(error) => {
                tracing::warn!(error = %error, "a notice was not sent and is tried again");
                Sent::Later(match error {
                    NoticeError::RateLimited { retry_after } => retry_after,
                    _ => RETRY_AFTER,
                })
            }
        }
    }

    fn of_round(&self, unsent: &Unsent) -> Notice {
        let text = unsent.text.clone();
        let linked = |field: NoticeField| NoticeField {
            value: field
                .value
                .replace(&format!("]({STATE_LINK}"), &format!("]({}", self.files)),
            ..field
        };
        Notice {
            title: text.title,
            color: text.color,
            timestamp: unsent.created_at,
            description: text.description,
            fields: text.fields.into_iter().map(linked).collect(),
        }
    }
}

/// What a channel made of a notice.
enum Sent {
    Taken,
    Refused(String),
    Later(Duration),
}

impl Sent {
    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Later(wait) => Some(*wait),
            Self::Taken | Self::Refused(_) => None,
        }
    }
}

fn of_edit(untold: &Untold) -> Notice {
    let (title, description) = if untold.kind == "conflict" {
        (
            format!("{} was edited by hand", untold.path),
            "Assize owns this file. The edit stays until an operator accepts or rejects it: `assize conflict list`.".to_owned(),
        )
    } else {
        (
            format!("An edit of {} is not in force", untold.path),
            untold
                .problems
                .iter()
                .map(|problem| format!("- {problem}"))
                .collect::<Vec<_>>()
                .join("\n"),
        )
    };
    let field = |name: &str, value: &str| NoticeField {
        name: name.to_owned(),
        value: value.to_owned(),
        inline: true,
    };
    Notice {
        title,
        color: COLOR,
        timestamp: untold.created_at,
        description: Some(description),
        fields: vec![
            field("Author", &untold.author),
            field("Commit", &untold.commit_sha),
        ],
    }
}
