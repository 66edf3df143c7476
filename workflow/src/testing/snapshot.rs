//! What a run has left in the database, without what differs between two honest runs: ids, moments, workers, attempts.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

use super::Scenario;

/// Rows by table, sorted.
pub type Snapshot = BTreeMap<String, Vec<Value>>;

/// Tables of the engine whose content is the history of a run, not its result.
const NOT_RESULTS: [&str; 10] = [
    "_sqlx_migrations",
    "attempt",
    "chain_head",
    "job",
    "mirror_file",
    "open_join",
    "operator_action",
    "pause",
    "shared_job",
    "worker",
];

/// Jobs by their keys, with what they ended as.
const JOBS: &str = "SELECT jsonb_build_object('key', job.key, 'kind', job.kind, 'name', job.name, 'round', job.round, 'queue', job.queue,
        'parent', parent.key, 'state', job.state, 'output', job.output, 'input', job.input)
    FROM job LEFT JOIN job parent ON parent.id = job.parent_id ORDER BY job.key";

/// The outbox: the changes of each step in their order. The order of steps is not compared: steps without an order between
/// them may end in any.
const OUTBOX: &str = "SELECT jsonb_build_object('step', step, 'place', row_number() OVER (PARTITION BY step ORDER BY id), 'round', round,
        'message', message, 'urgent', urgent, 'path', path, 'change', change, 'content', encode(content, 'escape'))
    FROM mirror_file ORDER BY step, id";

/// Takes a snapshot.
///
/// # Errors
///
/// Whatever the database says.
pub async fn take(pool: &PgPool, scenario: &dyn Scenario) -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::new();
    for (table, sql) in [("job", JOBS.to_owned()), ("mirror_file", OUTBOX.to_owned())]
        .into_iter()
        .chain(results(pool).await?)
    {
        let mut rows: Vec<Value> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(pool)
            .await?;
        rows.iter_mut()
            .for_each(|row| scenario.normalize(table, row));
        scenario.settle(table, &mut rows);
        snapshot.insert(table.to_owned(), rows);
    }
    Ok(snapshot)
}

/// A statement for each table of results: its rows without moments and without numbers that the database gives out.
async fn results(pool: &PgPool) -> anyhow::Result<Vec<(&'static str, String)>> {
    let tables: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT c.table_name::text, coalesce(array_agg(c.column_name::text) FILTER (
                    WHERE c.data_type = 'timestamp with time zone' OR c.is_identity = 'YES'), '{}')
         FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name <> ALL($1)
         GROUP BY c.table_name ORDER BY c.table_name",
    )
    .bind(NOT_RESULTS)
    .fetch_all(pool)
    .await?;
    Ok(tables
        .into_iter()
        .map(|(table, without)| {
            let sql = format!(
                "SELECT r FROM (SELECT to_jsonb(t) - ARRAY[{}]::text[] AS r FROM \"{table}\" t) rows ORDER BY r::text",
                without.iter().map(|column| format!("'{column}'")).collect::<Vec<_>>().join(", ")
            );
            // A handful of names, for the length of a test.
            (&*table.leak(), sql)
        })
        .collect())
}

/// Empties every table, so that the next run begins as the first.
///
/// # Errors
///
/// Whatever the database says.
pub async fn forget_everything(pool: &PgPool) -> anyhow::Result<()> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'",
    )
    .fetch_all(pool)
    .await?;
    sqlx::query(AssertSqlSafe(format!(
        "TRUNCATE {} RESTART IDENTITY",
        tables.join(", ")
    )))
    .execute(pool)
    .await?;
    Ok(())
}

/// Where two snapshots differ, for a person; empty when they do not.
pub(super) fn differences(expected: &Snapshot, found: &Snapshot) -> Vec<String> {
    let mut differences = Vec::new();
    for table in expected
        .keys()
        .chain(found.keys().filter(|table| !expected.contains_key(*table)))
    {
        let rows = |snapshot: &Snapshot| snapshot.get(table).cloned().unwrap_or_default();
        let (expected, found) = (rows(expected), rows(found));
        differences.extend(
            expected
                .iter()
                .filter(|row| !found.contains(row))
                .map(|row| format!("{table} lacks {row}")),
        );
        differences.extend(
            found
                .iter()
                .filter(|row| !expected.contains(row))
                .map(|row| format!("{table} has {row} instead")),
        );
        if differences.is_empty() && expected.len() != found.len() {
            differences.push(format!(
                "{table} has {} rows instead of {}",
                found.len(),
                expected.len()
            ));
        }
    }
    differences
}
