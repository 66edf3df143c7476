//! The newest chain block the workers have seen, and the waits it ends.

use sqlx::PgConnection;

use super::sql::{notify, tell_flows};

/// Records a head; an older one than the recorded changes nothing. Ends waits for its block.
pub async fn record_head(conn: &mut PgConnection, block: u64, hash: &str) -> sqlx::Result<()> {
    let block = i64::try_from(block).unwrap_or(i64::MAX);
    let changed = sqlx::query(
        "INSERT INTO chain_head (block, hash) VALUES ($1, $2)
         ON CONFLICT (singleton) DO UPDATE SET block = excluded.block, hash = excluded.hash, seen_at = now()
         WHERE chain_head.block < excluded.block",
    )
    .bind(block)
    .bind(hash)
    .execute(&mut *conn)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query(concat!(
        "WITH due AS MATERIALIZED (
             SELECT id, parent_id FROM job WHERE state = 'waiting' AND wait_block <= $1
         ), locked AS MATERIALIZED (
             SELECT id, queue, state FROM job WHERE id IN (SELECT id FROM due UNION SELECT parent_id FROM due)
             ORDER BY id FOR NO KEY UPDATE
         ), ended AS (
             UPDATE job SET state = 'completed', finished_at = now(), output = to_jsonb($1::bigint)
             WHERE id IN (SELECT id FROM due) AND state = 'waiting' AND (SELECT count(*) FROM locked) > 0
             RETURNING id, parent_id, wakes, join_id, queue, state
         ), ",
        tell_flows!(),
        " SELECT ",
        notify!("notices")
    ))
    .bind(block)
    .execute(conn)
    .await
    .map(drop)
}

/// The recorded head: block and hash.
pub async fn head(conn: &mut PgConnection) -> sqlx::Result<Option<(i64, String)>> {
    sqlx::query_as("SELECT block, hash FROM chain_head")
        .fetch_optional(conn)
        .await
}
