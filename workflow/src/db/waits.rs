//! What of a round has not ended: one look at its jobs.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::round::waits::{Unfinished, Work, WorkStanding};

/// Reads what of a round has not ended. A few statements on the round's unfinished jobs.
///
/// # Errors
///
/// Whatever the database says.
pub async fn unfinished(conn: &mut PgConnection, round: i32) -> sqlx::Result<Unfinished> {
    let work: Vec<(String, String, i64, Option<String>)> = sqlx::query_as(
        "SELECT name, standing, count(*), max(left(error, 400)) FROM (
             SELECT name, error, CASE WHEN state IN ('parked', 'paused') THEN state
                                      WHEN failures > 0 THEN 'retrying' ELSE 'working' END AS standing
             FROM job WHERE round = $1 AND finished_at IS NULL AND kind <> 'wait'
               AND (kind = 'step' OR state IN ('parked', 'paused') OR failures > 0)) j
         GROUP BY name, standing ORDER BY standing, name",
    )
    .bind(round)
    .fetch_all(&mut *conn)
    .await?;
    type Waits = (
        Option<i64>,
        Option<i64>,
        Option<DateTime<Utc>>,
        i64,
        Option<String>,
    );
    let (block, head, moment, events, event): Waits = sqlx::query_as(
        "SELECT min(wait_block), (SELECT block FROM chain_head),
                min(run_at) FILTER (WHERE wait_block IS NULL AND wait_event IS NULL),
                count(wait_event), min(wait_event)
         FROM job WHERE round = $1 AND kind = 'wait' AND finished_at IS NULL",
    )
    .bind(round)
    .fetch_one(&mut *conn)
    .await?;
    let tournament: Option<Vec<String>> =
        sqlx::query_scalar("SELECT waits_for FROM round WHERE round = $1 AND winner IS NULL")
            .bind(round)
            .fetch_optional(&mut *conn)
            .await?;
    let unmirrored: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM mirror_file WHERE mirrored_at IS NULL AND round = $1",
    )
    .bind(round)
    .fetch_one(conn)
    .await?;
    Ok(Unfinished {
        tournament: tournament.unwrap_or_default(),
        work: work
            .into_iter()
            .map(|(name, standing, count, error)| Work {
                name,
                standing: match standing.as_str() {
                    "parked" => WorkStanding::Parked,
                    "paused" => WorkStanding::Paused,
                    "retrying" => WorkStanding::Retrying,
                    _ => WorkStanding::Working,
                },
                count,
                error,
            })
            .collect(),
        block: block.zip(head.or(Some(0))),
        moment,
        events: event.map(|name| (events, name)),
        unmirrored,
    })
}
