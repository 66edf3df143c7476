//! State files as handlers read them: what people edited and what earlier steps wrote.

use anyhow::Context as _;
use schema::StateFile;
use sqlx::PgConnection;
use workflow::db;

/// Reads a file that may be absent.
pub(super) async fn find<F: StateFile>(
    conn: &mut PgConnection,
    path: &str,
) -> anyhow::Result<Option<F>> {
    let content = db::state_file::read(conn, path).await?;
    Ok(F::parse_present_or_absent(path, content.as_deref())?)
}

/// Reads a file that must be there.
pub(super) async fn read<F: StateFile>(conn: &mut PgConnection, path: &str) -> anyhow::Result<F> {
    find(conn, path).await?.with_context(|| {
        format!("{path} is not in the state repository; add it and retry the step")
    })
}
