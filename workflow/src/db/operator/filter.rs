//! Which jobs an action is for.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

/// Which jobs an action is for: those that match every field that is set. At least one must be.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Job id.
    pub id: Option<i64>,
    /// Key, or with a trailing `*` a prefix of it.
    pub key: Option<String>,
    /// Step or flow name.
    pub name: Option<String>,
    /// Queue.
    pub queue: Option<String>,
    /// Round.
    pub round: Option<i32>,
}

impl Filter {
    pub(super) fn is_empty(&self) -> bool {
        self.id.is_none()
            && self.key.is_none()
            && self.name.is_none()
            && self.queue.is_none()
            && self.round.is_none()
    }

    /// The one job it names, if it names one.
    pub(super) fn one(&self) -> Option<String> {
        let key = self.key.clone().filter(|key| !key.ends_with('*'));
        key.or_else(|| self.id.map(|id| id.to_string()))
    }

    pub(super) fn as_json(&self) -> Value {
        json!({ "id": self.id, "key": self.key, "name": self.name, "queue": self.queue, "round": self.round })
    }
}

/// The filter as a row, from the parameter `$1`.
pub(super) const FILTER: &str =
    "jsonb_to_record($1) AS f(id bigint, key text, name text, queue text, round integer)";
/// Whether a job matches it.
pub(super) const MATCHES: &str = "(f.id IS NULL OR job.id = f.id)
    AND (f.key IS NULL OR CASE WHEN right(f.key, 1) = '*' THEN starts_with(job.key, left(f.key, -1)) ELSE job.key = f.key END)
    AND (f.name IS NULL OR job.name = f.name) AND (f.queue IS NULL OR job.queue = f.queue)
    AND (f.round IS NULL OR job.round = f.round)";

/// Jobs that a record of what was before names one by one; an action on more is told by its filter.
const NAMED_JOBS: i64 = 20;

/// Key, state and failures of the jobs an action is for.
pub(super) async fn matching(
    conn: &mut PgConnection,
    filter: &Filter,
    from: &str,
) -> sqlx::Result<Value> {
    let sql = format!(
        "SELECT coalesce(jsonb_agg(jsonb_build_object('key', key, 'state', state, 'failures', failures)), '[]')
         FROM (SELECT job.key, job.state, job.failures FROM job, {FILTER} WHERE {MATCHES} AND {from} ORDER BY job.id LIMIT $2) j"
    );
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(filter.as_json())
        .bind(NAMED_JOBS)
        .fetch_one(conn)
        .await
}
