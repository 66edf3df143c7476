//! The newest chain block the workers have seen, and the waits it ends.

use sqlx::PgConnection;

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
    let ended: Vec<i64> = sqlx::query_scalar(
        "UPDATE job SET state = 'completed', finished_at = now(), output = to_jsonb($1::bigint)
         WHERE state = 'waiting' AND wait_block <= $1 RETURNING id",
    )
    .bind(block)
    .fetch_all(&mut *conn)
    .await?;
    let queues = super::job::wake_parents_of(conn, &ended).await?;
    super::notify_jobs(conn, queues).await
}

/// The recorded head: block and hash.
pub async fn head(conn: &mut PgConnection) -> sqlx::Result<Option<(i64, String)>> {
    sqlx::query_as("SELECT block, hash FROM chain_head").fetch_optional(conn).await
}
