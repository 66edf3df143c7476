//! The database's clock, for code outside flows. Worker clocks are never compared.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// The database's time.
///
/// # Errors
///
/// Whatever the database says.
pub async fn now(conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar("SELECT now()").fetch_one(conn).await
}
