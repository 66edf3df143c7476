//! Queries on the `entry` table: what became of modules, counted.

use schema::RoundNumber;
use sqlx::PgConnection;

use crate::round::notices::Downloads;

/// What the miners of a round delivered.
///
/// # Errors
///
/// Whatever the database says.
pub async fn downloads(conn: &mut PgConnection, round: RoundNumber) -> sqlx::Result<Downloads> {
    sqlx::query_as(
        "WITH miner AS (
             SELECT count(stem) AS entries, count(js) AS delivered, count(*) FILTER (WHERE js IS NOT NULL AND views IS NULL) AS undrawn
             FROM submission s LEFT JOIN entry e ON e.round = s.round AND e.hotkey = s.hotkey AND repeat = 0
             WHERE s.round = $1 GROUP BY s.hotkey
         )
         SELECT count(*) AS miners, count(*) FILTER (WHERE delivered = entries AND entries > 0) AS perfect,
                count(*) FILTER (WHERE delivered = 0) AS empty, coalesce(sum(undrawn), 0)::bigint AS render_failures
         FROM miner",
    )
    .bind(round.0 as i32)
    .fetch_one(conn)
    .await
}

/// Modules of the round under way that could not be drawn.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RenderFailures {
    /// Round.
    pub round: i32,
    /// How many.
    pub failures: i64,
    /// Of how many miners.
    pub miners: i64,
    /// When the last one failed.
    pub failed_at: chrono::DateTime<chrono::Utc>,
}

/// The failures so far of each round that is downloading.
///
/// # Errors
///
/// Whatever the database says.
pub async fn render_failures(conn: &mut PgConnection) -> sqlx::Result<Vec<RenderFailures>> {
    sqlx::query_as(
        "SELECT entry.round, count(*) AS failures, count(DISTINCT hotkey) AS miners, max(recorded_at) AS failed_at
         FROM entry JOIN round USING (round)
         WHERE stage = 'downloading' AND repeat = 0 AND js IS NOT NULL AND views IS NULL GROUP BY entry.round",
    )
    .fetch_all(conn)
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrator = "crate::db::MIGRATOR")]
    async fn downloads_are_counted_by_miner_and_failures_while_they_go_on(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let nothing = downloads(&mut conn, RoundNumber(3)).await.unwrap();
        assert_eq!(nothing, Downloads::default());
        for statement in [
            "INSERT INTO round (round, stage) VALUES (3, 'downloading'), (2, 'closed')",
            "INSERT INTO submission (round, hotkey, position, repo, commit, cdn_url, revealed_at_block)
             SELECT 3, 'whole', 0, 'r', 'c', 'u', 1 UNION ALL SELECT 3, 'partly', 1, 'r', 'c', 'u', 1
             UNION ALL SELECT 3, 'none', 2, 'r', 'c', 'u', 1",
            "INSERT INTO entry (round, hotkey, repeat, stem, js, views, failure_reason) VALUES
             (3, 'whole', 0, 'a', 'js', 'views', NULL), (3, 'whole', 0, 'b', 'js', NULL, 'render_failed'),
             (3, 'whole', 1, 'b', NULL, NULL, 'missing from batch results'),
             (3, 'partly', 0, 'a', 'js', NULL, 'render_failed'), (3, 'partly', 0, 'b', NULL, NULL, 'js_too_large'),
             (3, 'none', 0, 'a', NULL, NULL, 'js_too_large'), (3, 'leader', 1, 'a', 'js', NULL, NULL),
             (2, 'partly', 0, 'a', 'js', NULL, 'render_failed')",
        ] {
            sqlx::query(statement).execute(&mut *conn).await.unwrap();
        }
        let counted = downloads(&mut conn, RoundNumber(3)).await.unwrap();
        let expected = Downloads {
            miners: 3,
            perfect: 1,
            empty: 1,
            render_failures: 2,
        };
        assert_eq!(counted, expected);
        let failing = render_failures(&mut conn).await.unwrap();
        assert_eq!(failing.len(), 1);
        assert_eq!(
            (failing[0].round, failing[0].failures, failing[0].miners),
            (3, 2, 2)
        );
    }
}
