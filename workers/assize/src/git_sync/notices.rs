//! Telling people of edits that are not in force. A notice that cannot be sent is tried again at the next look.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use workflow::db::{self, hand_edit::Untold};

use crate::clients::discord::{Notice, NoticeError, NoticeField, Notices};

/// Orange: somebody has something to do.
const COLOR: u32 = 0x00E6_7E22;

/// Sends what nobody was told of. A failing channel is logged and holds up nothing.
///
/// # Errors
///
/// If the database fails.
pub(super) async fn tell(pool: &PgPool, notices: &dyn Notices) -> sqlx::Result<()> {
    let untold = db::hand_edit::untold(&mut *pool.acquire().await?).await?;
    for told in untold {
        match notices.send(&notice(&told)).await {
            Ok(()) => {}
            Err(error @ NoticeError::Refused { .. }) => {
                // It would be refused every time.
                tracing::warn!(error = %error, "a notice is dropped");
            }
            Err(error) => {
                tracing::warn!(error = %error, "a notice was not sent and is tried again");
                return Ok(());
            }
        }
        db::hand_edit::mark_told(&mut *pool.acquire().await?, &told).await?;
    }
    Ok(())
}

fn notice(untold: &Untold) -> Notice {
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
    let timestamp: DateTime<Utc> = untold.created_at;
    Notice {
        title,
        color: COLOR,
        timestamp,
        description: Some(description),
        fields: vec![
            field("Author", &untold.author),
            field("Commit", &untold.commit_sha),
        ],
    }
}
