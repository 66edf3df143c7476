//! How far the round is: a line that changes on a terminal, a quiet line a stage elsewhere.

use std::io::{IsTerminal as _, Write as _};

use sqlx::PgPool;

use super::{RehearseArgs, parts::Parts};

/// One look at the round.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) current_round: u32,
    pub(super) stage: String,
    pub(super) finished_round: Option<u32>,
    pub(super) awaited_block: Option<i64>,
    pub(super) ended_jobs: i64,
    /// State files that are not on the remote and notices that the channel does not have.
    pub(super) outbox: i64,
    pub(super) parked: Vec<(String, String)>,
    downloaded: i64,
    drawn: i64,
    entries: i64,
    duels: i64,
    open_duels: i64,
    regenerated: i64,
}

/// Shows the round.
pub(super) struct Progress {
    terminal: bool,
    last_line: String,
    last_stage: String,
    entries_expected: u32,
}

impl Progress {
    pub(super) fn new(args: &RehearseArgs, parts: &Parts) -> Self {
        eprintln!(
            "Rehearsal of a round: {} miners. Dashboard: {}",
            args.miners, parts.dashboard_url
        );
        eprintln!(
            "Pictures are drawn at {} px (a live round: 1024; --view-size 1024).",
            args.view_size
        );
        let entries_expected = u32::from(args.miners) * args.prompts;
        Self {
            terminal: std::io::stderr().is_terminal(),
            last_line: String::new(),
            last_stage: String::new(),
            entries_expected,
        }
    }

    pub(super) async fn look(&mut self, pool: &PgPool) -> sqlx::Result<Seen> {
        let seen = look(pool).await?;
        self.show(&seen);
        Ok(seen)
    }

    fn show(&mut self, seen: &Seen) {
        let line = format!(
            "round {} {}: {} of about {} entries downloaded, {} drawn, {} duels judged ({} open), {} regenerated",
            seen.current_round,
            seen.stage,
            seen.downloaded,
            self.entries_expected.max(seen.entries as u32),
            seen.drawn,
            seen.duels,
            seen.open_duels,
            seen.regenerated
        );
        if self.terminal && line != self.last_line {
            eprint!("\r\x1b[2K{line}");
            let _ = std::io::stderr().flush();
        } else if !self.terminal && seen.stage != self.last_stage {
            eprintln!("{line}");
        }
        self.last_line = line;
        self.last_stage.clone_from(&seen.stage);
    }

    pub(super) fn finish(&self) {
        if self.terminal {
            eprintln!();
        }
    }
}

async fn look(pool: &PgPool) -> sqlx::Result<Seen> {
    let mut conn = pool.acquire().await?;
    let stage: Option<(i32, String)> = sqlx::query_as(
        "SELECT round, stage FROM round WHERE stage <> 'closed' ORDER BY round DESC LIMIT 1",
    )
    .fetch_optional(&mut *conn)
    .await?;
    let finished: Option<i32> = sqlx::query_scalar(
        "SELECT max(round) FROM job WHERE name = 'round' AND state = 'completed'",
    )
    .fetch_one(&mut *conn)
    .await?;
    let awaited_block: Option<i64> = sqlx::query_scalar(
        "SELECT min(wait_block) FROM job WHERE state = 'waiting' AND wait_block IS NOT NULL",
    )
    .fetch_one(&mut *conn)
    .await?;
    let counts: (i64, i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE state = 'completed'),
                count(*) FILTER (WHERE name = 'download' AND state = 'completed'),
                count(*) FILTER (WHERE name = 'render' AND state = 'completed'),
                count(*) FILTER (WHERE name = 'prepare'),
                count(*) FILTER (WHERE name = 'duel' AND state = 'completed'),
                count(*) FILTER (WHERE name = 'duel' AND state <> 'completed')
         FROM job",
    )
    .fetch_one(&mut *conn)
    .await?;
    let regenerated: i64 = sqlx::query_scalar("SELECT count(*) FROM entry WHERE repeat > 0")
        .fetch_one(&mut *conn)
        .await?;
    let outbox: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM mirror_file WHERE mirrored_at IS NULL)
              + (SELECT count(*) FROM notice WHERE sent_at IS NULL AND given_up_at IS NULL)",
    )
    .fetch_one(&mut *conn)
    .await?;
    let parked: Vec<(String, String)> = sqlx::query_as(
        "SELECT key, coalesce(error, '') FROM job WHERE state = 'parked' ORDER BY id LIMIT 5",
    )
    .fetch_all(&mut *conn)
    .await?;
    let (current_round, stage) = stage.unwrap_or_default();
    let round = |number: i32| u32::try_from(number).unwrap_or(0);
    Ok(Seen {
        current_round: round(current_round),
        stage,
        finished_round: finished.map(round),
        awaited_block,
        ended_jobs: counts.0,
        outbox,
        parked,
        downloaded: counts.1,
        drawn: counts.2,
        entries: counts.3,
        duels: counts.4,
        open_duels: counts.5,
        regenerated,
    })
}
