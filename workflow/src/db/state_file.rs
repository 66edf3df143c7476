//! The newest known content of small state files: what people edited and what steps put.

use sqlx::PgConnection;

/// Sets a file; true if its content changed.
pub async fn write(
    conn: &mut PgConnection,
    path: &str,
    content: &[u8],
    origin: &str,
) -> sqlx::Result<bool> {
    let changed = sqlx::query(
        "INSERT INTO state_file (path, content, origin) VALUES ($1, $2, $3)
         ON CONFLICT (path) DO UPDATE SET content = excluded.content, origin = excluded.origin, updated_at = now()
         WHERE state_file.content <> excluded.content",
    )
    .bind(path)
    .bind(content)
    .bind(origin)
    .execute(conn)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Reads a file.
pub async fn read(conn: &mut PgConnection, path: &str) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("SELECT content FROM state_file WHERE path = $1")
        .bind(path)
        .fetch_optional(conn)
        .await
}
