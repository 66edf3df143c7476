//! The count: nothing lost, nothing double, every result exact, every attempt explained.

use std::time::Duration;

use serde::Serialize;
use sqlx::PgConnection;

use super::{
    feed::NEVER,
    flows::{Errand, STEPS},
    server::Server,
};

/// How often the flows are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is in the database when all is over.
#[derive(Debug, Default, Serialize)]
pub struct Proof {
    /// Flows that have ended, child flows not counted.
    pub flows: i64,
    /// Steps that have ended, each by exactly one attempt.
    pub steps: i64,
    /// Flows, steps, rows, lines and events that should be there and are not.
    pub lost: i64,
    /// Rows, lines, events, completions and jobs that are there once too often.
    pub double: i64,
    /// Flows that ended with something else than they should.
    pub wrong: i64,
    /// Jobs whose history does not explain their attempts.
    pub unexplained: i64,
    /// Flows of transactions that were rolled back.
    pub unborn: i64,
    /// Attempts by how they ended: what the troubles cost.
    pub attempts: serde_json::Map<String, serde_json::Value>,
    /// From the last sign of life of a worker to the moment its work was given to others, in seconds; the longest.
    pub longest_takeover_s: f64,
}

impl Proof {
    /// Counts.
    pub(super) async fn of(server: &Server, flows: u64) -> anyhow::Result<Self> {
        let mut connection = server.connect().await?;
        let conn = &mut connection;
        let (flows, steps) = (flows as i64, (flows * STEPS) as i64);
        let completed = |name: &str| {
            format!("SELECT count(*) FROM job WHERE name = '{name}' AND state = 'completed'")
        };
        let ended = count(conn, &completed("errand")).await?;
        let sides = count(conn, &completed("side")).await?;
        let done = count(conn, &completed("note")).await? + count(conn, &completed("work")).await?;
        let jobs = count(conn, "SELECT count(*) FROM job").await?;
        let fed = count(conn, "SELECT count(*) FROM fed").await?;
        let events = count(conn, "SELECT count(*) FROM event").await?;
        let rows = count(conn, "SELECT count(DISTINCT step) FROM ledger").await?;
        let lines = count(conn, "SELECT count(DISTINCT content) FROM mirror_file").await?;

        let lost = [
            flows - ended,
            flows - sides,
            steps - done,
            flows - fed,
            flows - events,
            steps - rows,
            steps - lines,
        ];
        let double = [
            // One wait a flow beside flows and steps.
            jobs - (3 * flows + steps),
            count(conn, "SELECT count(*) - count(DISTINCT step) FROM ledger").await?,
            count(conn, "SELECT count(*) - count(DISTINCT content) FROM mirror_file").await?,
            count(
                conn,
                "SELECT coalesce(sum(n - 1), 0)::bigint FROM (SELECT count(*) AS n FROM attempt WHERE outcome = 'completed' GROUP BY job_id) a",
            )
            .await?,
        ];
        Ok(Self {
            flows: ended,
            steps: done,
            lost: lost.iter().map(|missing| missing.max(&0)).sum(),
            double: double.iter().map(|extra| extra.max(&0)).sum(),
            wrong: wrong(conn).await?,
            unexplained: count(
                conn,
                "SELECT count(*) FROM job LEFT JOIN (
                     SELECT job_id, count(*) AS n, max(attempt) AS last FROM attempt GROUP BY job_id) a ON job_id = id
                 WHERE kind <> 'wait' AND (n IS NULL OR n <> last OR last <> job.attempt)",
            )
            .await?,
            unborn: count(
                conn,
                &format!("SELECT count(*) FROM job WHERE (input ->> 'errand')::bigint >= {NEVER}"),
            )
            .await?,
            attempts: attempts(conn).await?,
            longest_takeover_s: sqlx::query_scalar(
                "SELECT coalesce(max(extract(epoch FROM ended_at - heartbeat_at)), 0)::float8
                 FROM attempt JOIN worker ON worker.id = worker_id WHERE outcome = 'lost'",
            )
            .fetch_one(conn)
            .await?,
        })
    }

    /// Whether nothing is missing, double or wrong.
    pub fn is_exact(&self) -> bool {
        [
            self.lost,
            self.double,
            self.wrong,
            self.unexplained,
            self.unborn,
        ]
        .iter()
        .all(|count| *count == 0)
    }
}

/// Waits until every flow has ended; a database that is away is waited for.
pub(super) async fn until_over(server: &Server, flows: u64) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Ok(mut connection) = server.connect().await else {
            continue;
        };
        let parked: sqlx::Result<Option<(String, Option<String>)>> = sqlx::query_as(
            "SELECT key, error FROM job WHERE state IN ('parked', 'failed', 'cancelled') LIMIT 1",
        )
        .fetch_optional(&mut connection)
        .await;
        if let Ok(Some((key, error))) = parked {
            anyhow::bail!("{key} went wrong: {error:?}");
        }
        let over = "SELECT count(*) FROM job WHERE name = 'errand' AND state = 'completed'";
        if count(&mut connection, over)
            .await
            .is_ok_and(|ended| ended as u64 >= flows)
        {
            return Ok(());
        }
    }
}

async fn count(conn: &mut PgConnection, sql: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_one(conn)
        .await
}

async fn wrong(conn: &mut PgConnection) -> sqlx::Result<i64> {
    let results: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT (input ->> 'errand')::bigint, output::bigint FROM job WHERE name = 'errand' AND state = 'completed'",
    )
    .fetch_all(conn)
    .await?;
    let wrong = results
        .iter()
        .filter(|(errand, output)| Errand::expected(*errand as u64) != *output);
    Ok(wrong.count() as i64)
}

async fn attempts(
    conn: &mut PgConnection,
) -> sqlx::Result<serde_json::Map<String, serde_json::Value>> {
    let outcomes: Vec<(String, i64)> =
        sqlx::query_as("SELECT outcome, count(*) FROM attempt GROUP BY outcome ORDER BY outcome")
            .fetch_all(conn)
            .await?;
    Ok(outcomes
        .into_iter()
        .map(|(outcome, count)| (outcome, count.into()))
        .collect())
}
