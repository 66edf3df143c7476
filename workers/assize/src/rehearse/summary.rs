//! What a rehearsal ends with: timeline, winner, leader, schedule, and where to look.

use std::time::Duration;

use anyhow::Context as _;
use schema::{
    RoundNumber, StateFile as _,
    files::{Leaders, Schedule, State, Winner},
    paths,
};
use serde::Serialize;
use sqlx::PgPool;
use workflow::db;

use super::{RehearseArgs, parts::Parts};

/// The last line of a rehearsal with `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The last round that was played.
    pub round: u32,
    /// Stage of the repository now.
    pub stage: String,
    /// `leader` or the winner's hotkey.
    pub winner: String,
    /// Accepted submissions.
    pub miners: i64,
    /// Prompts of the round.
    pub prompts: i64,
    /// Submitted entries: miners by prompts.
    pub entries: i64,
    /// Entries with pictures.
    pub rendered: i64,
    /// Entries whose module broke a rule.
    pub rejected: i64,
    /// Duels judged, audits included.
    pub duels: i64,
    /// Audits: regenerations compared.
    pub audits: i64,
    /// Attempts of all jobs.
    pub attempts: i64,
    /// Attempts that failed by our fault.
    pub failed_attempts: i64,
    /// Commits on the remote.
    pub commits: usize,
    /// Within how many seconds of their step 95 of 100 state files were on the remote.
    pub mirror_lag_p95_seconds: f64,
    /// From start to end.
    pub seconds: f64,
    /// The remote repository.
    pub state_repo: String,
    #[serde(skip)]
    report: String,
}

impl Summary {
    pub(super) async fn read(
        args: &RehearseArgs,
        parts: &Parts,
        round: RoundNumber,
        took: Duration,
    ) -> anyhow::Result<Self> {
        let remote = parts.world.remote().clone();
        let read = |path: String| {
            let remote = remote.clone();
            async move {
                let shown = path.clone();
                let content = tokio::task::spawn_blocking(move || remote.read(&path)).await??;
                content.with_context(|| format!("the remote has no {shown}"))
            }
        };
        let state = State::parse(&paths::state(), &read(paths::state()).await?)?;
        let winner = Winner::parse(&paths::winner(round), &read(paths::winner(round)).await?)?;
        let leaders = Leaders::parse(&paths::leader(), &read(paths::leader()).await?)?;
        let schedule = match read(paths::schedule(round.next())).await {
            Ok(content) => Some(Schedule::parse(&paths::schedule(round.next()), &content)?),
            Err(_) => None,
        };
        let mut summary = counts(&parts.pool, round).await?;
        summary.stage = state.stage.to_string();
        summary.winner = winner.winner_hotkey.as_str().to_owned();
        let repository = parts.world.addresses().git_remote_path.clone();
        summary.state_repo = repository.display().to_string();
        summary.commits = tokio::task::spawn_blocking(move || count_commits(&repository)).await??;
        summary.seconds = (took.as_secs_f64() * 10.0).round() / 10.0;

        let ever = f64::from(u32::MAX);
        let lag = db::mirror::lag_within(&mut *parts.pool.acquire().await?, ever).await?;
        summary.mirror_lag_p95_seconds = (lag.p95_seconds.unwrap_or(0.0) * 1000.0).round() / 1000.0;

        let timeline = timeline(&parts.pool, round).await?;
        let leader = leaders.latest().map_or_else(
            || "none".to_owned(),
            |leader| {
                format!(
                    "{} at weight {} from block {}",
                    leader.hotkey, leader.weight, leader.effective_block
                )
            },
        );
        let next = schedule.map_or_else(
            || "the competition is over".to_owned(),
            |next| {
                format!(
                    "round {}: reveals in blocks {} to {}, generation until block {}",
                    round.next(),
                    next.earliest_reveal_block,
                    next.latest_reveal_block,
                    next.generation_deadline_block
                )
            },
        );
        summary.report = format!(
            "Timeline of round {round}:\n{timeline}Winner: {}\nLeader: {leader}\nNext: {next}\nPublic: 95 of 100 state files within {:.1} s\nState repository: {}\nDashboard: {}{}",
            summary.winner,
            summary.mirror_lag_p95_seconds,
            summary.state_repo,
            parts.dashboard_url,
            if args.keep_serving {
                ""
            } else {
                " (with --keep-serving it stays)"
            },
        );
        Ok(summary)
    }

    /// Prints the report, and with `json` the object as the last line of standard output.
    ///
    /// # Errors
    ///
    /// If the object cannot be written as JSON.
    pub fn print(&self, json: bool) -> serde_json::Result<()> {
        if json {
            eprintln!("{}", self.report);
            println!("{}", serde_json::to_string(self)?);
        } else {
            println!("{}", self.report);
        }
        Ok(())
    }
}

async fn counts(pool: &PgPool, round: RoundNumber) -> sqlx::Result<Summary> {
    let mut conn = pool.acquire().await?;
    let number = round.0 as i32;
    let (miners, entries, rendered): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM submission WHERE round = $1),
                count(*) FILTER (WHERE repeat = 0 AND hotkey <> 'leader'),
                count(*) FILTER (WHERE repeat = 0 AND hotkey <> 'leader' AND views IS NOT NULL)
         FROM entry WHERE round = $1",
    )
    .bind(number)
    .fetch_one(&mut *conn)
    .await?;
    let (rejected, duels): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE name = 'render' AND output ->> 'outcome' = 'rejected' AND input #>> '{entry,repeat}' = '0'),
                count(*) FILTER (WHERE name = 'duel' AND state = 'completed')
         FROM job WHERE round = $1",
    )
    .bind(number)
    .fetch_one(&mut *conn)
    .await?;
    let (audits, prompts): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM match_result WHERE round = $1 AND matrix = 'audits'),
                coalesce((SELECT jsonb_array_length(output -> 'prompts') FROM job WHERE round = $1 AND name = 'seed'), 0)::bigint",
    )
    .bind(number)
    .fetch_one(&mut *conn)
    .await?;
    let (attempts, failed_attempts): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE outcome IN ('errored', 'lost')) FROM attempt",
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok(Summary {
        round: round.0,
        stage: String::new(),
        winner: String::new(),
        miners,
        prompts,
        entries,
        rendered,
        rejected,
        duels,
        audits,
        attempts,
        failed_attempts,
        commits: 0,
        mirror_lag_p95_seconds: 0.0,
        seconds: 0.0,
        state_repo: String::new(),
        report: String::new(),
    })
}

/// The measured margins in the order of play, with the audits of each miner.
async fn timeline(pool: &PgPool, round: RoundNumber) -> sqlx::Result<String> {
    let rows: Vec<(String, String, String, f64)> = sqlx::query_as(
        "SELECT matrix, left_side, right_side, margin FROM match_result WHERE round = $1 ORDER BY matrix DESC, position",
    )
    .bind(round.0 as i32)
    .fetch_all(pool)
    .await?;
    let short = |side: &str| side.chars().take(10).collect::<String>();
    let mut text = String::new();
    for (matrix, left, right, margin) in rows {
        let kind = if matrix == "matches" {
            "match"
        } else {
            "audit"
        };
        let left = if matrix == "matches" {
            short(&left)
        } else {
            left
        };
        let margin = workflow::rules::percent::signed_percent(margin);
        text.push_str(&format!(
            "  {kind} {:<10} against {left:<12} {margin}\n",
            short(&right)
        ));
    }
    Ok(text)
}

fn count_commits(repository: &std::path::Path) -> anyhow::Result<usize> {
    let repository = git2::Repository::open(repository)?;
    let mut walk = repository.revwalk()?;
    walk.push_head()?;
    Ok(walk.count())
}
