//! Queries on `notice`: what people are told, in the order of a notice's life.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use super::entry;
use crate::round::notices::{FailedWork, NoticeText, Outage, RENDER_FAILURES, render_failures};

/// How long a resource may be out before people are told: a restart is not worth their time.
const OUTAGE_TOLD_AFTER_SECONDS: f64 = 30.0;
/// Between two notices about work of one kind that keeps failing.
const FAILURES_TOLD_EVERY: Duration = Duration::from_secs(600);
/// After which an unsent notice is given up: nobody reads yesterday's news in a channel that comes back.
const GIVEN_UP_AFTER_SECONDS: f64 = 24.0 * 3600.0;
/// Notices read at once.
const BATCH: i64 = 20;

/// From when on people are told that pictures fail.
#[derive(Debug, Clone, Copy)]
pub struct RenderAlert {
    /// `RENDER_ALERT_MIN_FAILURES`: so many failures.
    pub min_failures: i64,
    /// `RENDER_ALERT_MIN_HOTKEYS`: of so many miners.
    pub min_miners: i64,
    /// `RENDER_ALERT_COOLDOWN_SECONDS`: between two notices.
    pub cooldown: Duration,
}

impl Default for RenderAlert {
    fn default() -> Self {
        Self {
            min_failures: 20,
            min_miners: 3,
            cooldown: Duration::from_secs(600),
        }
    }
}

/// A notice that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Row id.
    pub id: i64,
    /// What it says.
    pub text: NoticeText,
    /// When what it tells happened.
    pub created_at: DateTime<Utc>,
}

/// Adds a notice, unless the same was said last about its subject. It is sent once the repository shows everything that was
/// committed with it.
///
/// # Errors
///
/// Whatever the database says.
pub async fn add(
    conn: &mut PgConnection,
    round: u32,
    subject: &str,
    text: &NoticeText,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO notice (round, subject, text, after_mirror)
         SELECT $1, $2, $3, true
         WHERE $3 IS DISTINCT FROM
               (SELECT text FROM notice WHERE round = $1 AND subject = $2 ORDER BY id DESC LIMIT 1)",
    )
    .bind(round as i32)
    .bind(subject)
    .bind(Json(text))
    .execute(conn)
    .await
    .map(drop)
}

/// Adds a notice of something that failed at `failed_at`, unless one was added since, or a short while ago.
async fn add_failure(
    conn: &mut PgConnection,
    round: Option<i32>,
    subject: &str,
    text: &NoticeText,
    failed_at: DateTime<Utc>,
    every: Duration,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO notice (round, subject, text, after_mirror)
         SELECT $1, $2, $3, false
         WHERE NOT EXISTS (
             SELECT FROM notice WHERE round IS NOT DISTINCT FROM $1 AND subject = $2
                AND (created_at >= $4 OR created_at > now() - make_interval(secs => $5)))",
    )
    .bind(round)
    .bind(subject)
    .bind(Json(text))
    .bind(failed_at)
    .bind(every.as_secs_f64())
    .execute(conn)
    .await
    .map(drop)
}

/// Adds notices of what failed and stands still: parked work by kind, calls of the model by match, and resources that are
/// out of service; and of pictures that fail in numbers.
///
/// # Errors
///
/// Whatever the database says.
pub async fn add_failures(conn: &mut PgConnection, alert: &RenderAlert) -> sqlx::Result<()> {
    for failed in failed_work(conn).await? {
        let text = crate::round::notices::failed_work(&failed);
        add_failure(
            conn,
            failed.round,
            &failed.subject(),
            &text,
            failed.failed_at,
            FAILURES_TOLD_EVERY,
        )
        .await?;
    }
    for outage in outages(conn).await? {
        let text = crate::round::notices::outage(&outage);
        let (subject, since) = (outage.subject(), outage.since);
        add_failure(conn, None, &subject, &text, since, FAILURES_TOLD_EVERY).await?;
    }
    for failing in entry::render_failures(conn).await? {
        if failing.failures >= alert.min_failures && failing.miners >= alert.min_miners {
            let text = render_failures(failing.failures, failing.miners);
            let (round, at) = (Some(failing.round), failing.failed_at);
            add_failure(conn, round, RENDER_FAILURES, &text, at, alert.cooldown).await?;
        }
    }
    Ok(())
}

async fn failed_work(conn: &mut PgConnection) -> sqlx::Result<Vec<FailedWork>> {
    sqlx::query_as(
        "WITH parked AS (
             SELECT j.round, j.name, j.error, a.ended_at, j.key,
                    CASE WHEN j.name = 'ask' THEN substring(j.key FROM '^(.*)/duel/') END AS match_key,
                    CASE WHEN j.name = 'ask' THEN j.parent_id ELSE j.id END AS unit
             FROM job j JOIN attempt a ON a.job_id = j.id AND a.attempt = j.attempt WHERE j.state = 'parked'
         )
         SELECT round, name, match_key, count(DISTINCT unit) AS failed,
                CASE WHEN match_key IS NULL THEN 0 ELSE
                    (SELECT count(*) FROM job d WHERE d.round = parked.round AND d.name = 'duel'
                                                  AND starts_with(d.key, parked.match_key || '/duel/')) END AS total,
                (array_agg(error ORDER BY ended_at DESC))[1] AS error, max(ended_at) AS failed_at
         FROM parked GROUP BY round, name, match_key ORDER BY round, name, match_key",
    )
    .fetch_all(conn)
    .await
}

async fn outages(conn: &mut PgConnection) -> sqlx::Result<Vec<Outage>> {
    sqlx::query_as(
        "SELECT name AS queue, outage AS because, outage_since AS since FROM queue
         WHERE outage IS NOT NULL AND outage_since < now() - make_interval(secs => $1) ORDER BY name",
    )
    .bind(OUTAGE_TOLD_AFTER_SECONDS)
    .fetch_all(conn)
    .await
}

/// The next notices to send, oldest first: those whose facts the repository shows. Notices that nobody could be told of for a
/// day are given up.
///
/// # Errors
///
/// Whatever the database says.
pub async fn unsent(conn: &mut PgConnection) -> sqlx::Result<Vec<Unsent>> {
    sqlx::query(
        "UPDATE notice SET given_up_at = now(), given_up_because = 'not delivered within a day'
         WHERE sent_at IS NULL AND given_up_at IS NULL AND created_at < now() - make_interval(secs => $1)",
    )
    .bind(GIVEN_UP_AFTER_SECONDS)
    .execute(&mut *conn)
    .await?;
    let rows: Vec<(i64, Json<NoticeText>, DateTime<Utc>)> = sqlx::query_as(
        "SELECT id, text, created_at FROM notice n
         WHERE sent_at IS NULL AND given_up_at IS NULL
           AND (NOT after_mirror OR NOT EXISTS (
                SELECT FROM mirror_file m WHERE m.mirrored_at IS NULL AND m.created_at <= n.created_at))
         ORDER BY id LIMIT $1",
    )
    .bind(BATCH)
    .fetch_all(conn)
    .await?;
    let unsent = rows.into_iter().map(|(id, text, created_at)| Unsent {
        id,
        text: text.0,
        created_at,
    });
    Ok(unsent.collect())
}

/// Notes that people were told.
///
/// # Errors
///
/// Whatever the database says.
pub async fn mark_sent(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE notice SET sent_at = now() WHERE id = $1")
        .bind(id)
        .execute(conn)
        .await
        .map(drop)
}

/// Notes that a notice will never be taken.
///
/// # Errors
///
/// Whatever the database says.
pub async fn give_up(conn: &mut PgConnection, id: i64, because: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE notice SET given_up_at = now(), given_up_because = $2 WHERE id = $1")
        .bind(id)
        .bind(because)
        .execute(conn)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use sqlx::{AssertSqlSafe, PgPool};

    use super::*;

    fn text(words: &str) -> NoticeText {
        NoticeText {
            title: words.to_owned(),
            color: 0,
            description: None,
            fields: Vec::new(),
        }
    }

    async fn run(conn: &mut PgConnection, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(conn)
            .await
            .unwrap();
    }

    async fn titles(conn: &mut PgConnection) -> Vec<String> {
        let unsent = unsent(conn).await.unwrap();
        unsent.into_iter().map(|notice| notice.text.title).collect()
    }

    #[sqlx::test(migrator = "crate::db::MIGRATOR")]
    async fn the_same_is_said_once_in_a_row_about_a_subject(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        for (subject, words) in [
            ("timeline", "A leads"),
            ("timeline", "A leads"),
            ("winner", "A leads"),
            ("timeline", "B leads"),
            ("timeline", "A leads"),
        ] {
            add(&mut conn, 3, subject, &text(words)).await.unwrap();
        }
        add(&mut conn, 4, "timeline", &text("A leads"))
            .await
            .unwrap();
        assert_eq!(
            titles(&mut conn).await,
            ["A leads", "A leads", "B leads", "A leads", "A leads"]
        );
    }

    #[sqlx::test(migrator = "crate::db::MIGRATOR")]
    async fn a_notice_waits_until_the_repository_shows_what_it_tells(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let outbox = "INSERT INTO mirror_file (job_id, attempt, step, message, path, change, content) VALUES (1, 1, 's', 'm', 'p', 'put', '')";
        run(&mut conn, outbox).await;
        add(&mut conn, 3, "winner", &text("A won")).await.unwrap();
        assert!(titles(&mut conn).await.is_empty());
        run(
            &mut conn,
            "UPDATE mirror_file SET mirrored_at = now(), commit_sha = 'c'",
        )
        .await;
        // What comes later does not hold it back.
        run(&mut conn, outbox).await;
        let waiting = unsent(&mut conn).await.unwrap();
        assert_eq!(waiting.len(), 1);
        mark_sent(&mut conn, waiting[0].id).await.unwrap();
        assert!(titles(&mut conn).await.is_empty());
    }

    #[sqlx::test(migrator = "crate::db::MIGRATOR")]
    async fn what_is_refused_or_a_day_old_is_given_up_with_the_reason(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        for subject in ["old", "refused", "new"] {
            add(&mut conn, 3, subject, &text(subject)).await.unwrap();
        }
        run(
            &mut conn,
            "UPDATE notice SET created_at = now() - interval '25 hours' WHERE subject = 'old'",
        )
        .await;
        let waiting = unsent(&mut conn).await.unwrap();
        give_up(&mut conn, waiting[0].id, "too long").await.unwrap();
        assert_eq!(titles(&mut conn).await, ["new"]);
        let reasons: Vec<String> = sqlx::query_scalar(
            "SELECT given_up_because FROM notice WHERE given_up_at IS NOT NULL ORDER BY id",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        assert_eq!(reasons, ["not delivered within a day", "too long"]);
    }

    #[sqlx::test(migrator = "crate::db::MIGRATOR")]
    async fn parked_calls_are_told_once_by_match_until_more_are_parked_later(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        run(
            &mut conn,
            "INSERT INTO job (kind, name, key, round, queue, state, input)
             SELECT 'flow', 'duel', 'round/3/match/leader/A/duel/' || n, 3, 'flow', 'waiting', '{}' FROM generate_series(1, 4) n;
             INSERT INTO job (kind, name, key, round, queue, state, attempt, parent_id, input, error)
             SELECT 'step', 'ask', 'round/3/match/leader/A/duel/' || n || '/' || call, 3, 'vlm', 'parked', 5, n, '{}', 'no JSON'
             FROM generate_series(1, 2) n, unnest(ARRAY['s1', 's2']) call;
             INSERT INTO attempt (job_id, attempt, started_at, ended_at, outcome)
             SELECT id, attempt, now() - interval '1 hour', now() - interval '30 min', 'errored' FROM job WHERE name = 'ask'",
        )
        .await;
        for _ in 0..2 {
            add_failures(&mut conn, &RenderAlert::default())
                .await
                .unwrap();
        }
        let told = unsent(&mut conn).await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].text.title, "Judge LLM Errors");
        let description = told[0].text.description.clone().unwrap();
        assert!(
            description.starts_with("2 / 4 duels of `round/3/match/leader/A`"),
            "{description}"
        );

        // One more: told when the last notice is ten minutes old.
        run(
            &mut conn,
            "INSERT INTO job (kind, name, key, round, queue, state, attempt, parent_id, input, error)
             VALUES ('step', 'ask', 'round/3/match/leader/A/duel/3/s1', 3, 'vlm', 'parked', 5, 3, '{}', 'no JSON');
             INSERT INTO attempt (job_id, attempt, started_at, outcome)
             SELECT id, attempt, now(), 'errored' FROM job WHERE key LIKE '%/3/s1'",
        )
        .await;
        add_failures(&mut conn, &RenderAlert::default())
            .await
            .unwrap();
        assert_eq!(titles(&mut conn).await.len(), 1);
        run(
            &mut conn,
            "UPDATE notice SET created_at = now() - interval '11 min'",
        )
        .await;
        add_failures(&mut conn, &RenderAlert::default())
            .await
            .unwrap();
        assert_eq!(titles(&mut conn).await.len(), 2);
    }

    #[sqlx::test(migrator = "crate::db::MIGRATOR")]
    async fn an_outage_is_told_once_and_a_restart_not_at_all(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        run(
            &mut conn,
            "INSERT INTO queue (name, outage, outage_since, outage_until) VALUES ('vlm', 'gone', now(), now())",
        )
        .await;
        add_failures(&mut conn, &RenderAlert::default())
            .await
            .unwrap();
        assert!(titles(&mut conn).await.is_empty());
        run(
            &mut conn,
            "UPDATE queue SET outage_since = now() - interval '1 min'",
        )
        .await;
        for _ in 0..2 {
            add_failures(&mut conn, &RenderAlert::default())
                .await
                .unwrap();
            run(
                &mut conn,
                "UPDATE notice SET created_at = created_at - interval '1 s'",
            )
            .await;
        }
        assert_eq!(titles(&mut conn).await, ["Judge LLM Errors"]);
    }

    #[sqlx::test(migrator = "crate::db::MIGRATOR")]
    async fn pictures_that_fail_in_numbers_are_told_again_after_a_while_if_more_do(pool: PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        run(
            &mut conn,
            "INSERT INTO round (round, stage) VALUES (3, 'downloading');
             INSERT INTO entry (round, hotkey, repeat, stem, js, failure_reason)
             SELECT 3, miner, 0, stem, 'js', 'render_failed' FROM generate_series(1, 10) stem, unnest(ARRAY['A', 'B']) miner",
        )
        .await;
        let look = async |conn: &mut PgConnection| {
            add_failures(conn, &RenderAlert::default()).await.unwrap();
            let told = unsent(conn).await.unwrap();
            let last = told.last().and_then(|told| told.text.description.clone());
            (told.len(), last)
        };
        assert_eq!(look(&mut conn).await.0, 0, "twenty, of two miners only");
        let one_more = |miner: &str| {
            format!(
                "INSERT INTO entry (round, hotkey, repeat, stem, js, failure_reason) VALUES (3, '{miner}', 0, 'x', 'js', 'render_failed')"
            )
        };
        run(&mut conn, &one_more("C")).await;
        let said = Some("21 render failures across 3 miners".to_owned());
        assert_eq!(look(&mut conn).await, (1, said.clone()));
        run(&mut conn, &one_more("D")).await;
        assert_eq!(look(&mut conn).await, (1, said));
        run(
            &mut conn,
            "UPDATE notice SET created_at = now() - interval '11 min'",
        )
        .await;
        let said = Some("22 render failures across 4 miners".to_owned());
        assert_eq!(look(&mut conn).await, (2, said));
    }
}
