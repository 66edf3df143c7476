//! `assize recover`: a fresh database from a clone of the state repository, and the round goes on.
//!
//! What the repository shows as done is put back as completed jobs, with the keys, inputs and outputs they had. The round's
//! flow then runs again from the top, finds them done, and asks for what is missing. Nothing is guessed: a result whose
//! digest, time or reason the repository does not tell is not put back, and is made again.
//!
//! ```text
//! audit the clone ─▶ read the current round ─▶ plan (pure) ─▶ one transaction: files, jobs, rows ─▶ compare with the clone
//! ```
//!
//! A repository that contradicts itself is refused, because the round would go on from something that is not so.

mod check;
mod clone;
mod entries;
mod ledger;
mod matches;
mod plan;
mod public_round;
mod regenerations;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use schema::{RoundNumber, Stage};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use workflow::{
    db::{self, operator},
    engine::NewJob,
    round::{flows::Round, steps::RoundInput},
};

use crate::{
    audit::{AuditOptions, Severity, audit},
    git_sync::take_over,
};

use clone::StateClone;
use plan::Plan;
use public_round::PublicRound;

/// Options of `assize recover`.
#[derive(Debug, Clone, Args)]
pub struct RecoverArgs {
    /// A clone of the state repository, bare or not, as new as can be.
    #[arg(long, value_name = "REPO")]
    pub from: PathBuf,
    /// Recover although the audit finds errors: why that is right. The reason is published in the ledger.
    #[arg(long, value_name = "REASON")]
    pub despite_findings: Option<String>,
    /// Print what was recovered as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to recover from.
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    /// A clone of the state repository.
    pub repository: PathBuf,
    /// Who recovers although the audit finds errors, and why.
    pub despite_findings: Option<(String, String)>,
}

/// What was put back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// The round that goes on.
    pub round: u32,
    /// Where it stands.
    pub stage: String,
    /// Submissions.
    pub submissions: usize,
    /// Decided builds.
    pub builds: usize,
    /// Submitted entries that need no work any more.
    pub entries: usize,
    /// Regenerated modules that need no work any more, the leader's baseline included.
    pub regenerated: usize,
    /// Published matches and audits.
    pub matches: usize,
    /// Duels of matches that are not published yet.
    pub duels: usize,
    /// Finished jobs that were put back in all.
    pub jobs: usize,
    /// Whether another service seeded the round, so that nobody can derive its seed.
    pub seeded_elsewhere: bool,
    /// Delivered modules that are fetched and drawn again, because the repository does not tell their digests.
    pub fetched_again: usize,
}

/// Why nothing was recovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// There is something in the database.
    #[error(
        "the database is not empty: it knows of rounds or jobs already. Recovering is for a fresh database; make one, or go on with this one"
    )]
    NotFresh,
    /// The source has no history.
    #[error("{path} cannot be read as a clone of a state repository: {what}")]
    NotAClone {
        /// What was given.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The repository contradicts itself.
    #[error(
        "the repository is not consistent, so the round cannot go on from it: {first}{more}. Run `assize audit` for all of it; \
         repair the repository, or recover with --despite-findings and a reason",
        more = if *others == 0 { String::new() } else { format!(" (and {others} more)") }
    )]
    Inconsistent {
        /// The first error.
        first: String,
        /// How many others.
        others: usize,
    },
    /// Another service has seeded the round and judges it.
    #[error(
        "round {round} was seeded by another service (rounds/{round}/ledger/seed.json is missing) and is being judged: the \
         digests of what its matches showed are not published, so nobody could tell whether what would be fetched now is \
         the same. Let that service end the round; Assize goes on from stage finalizing, or with the next round"
    )]
    JudgedElsewhere {
        /// Round.
        round: RoundNumber,
    },
    /// What was put back is not what the repository shows.
    #[error("what was put back is not what the repository shows: {0}. Nothing was changed")]
    Differs(String),
}

/// Runs the command.
///
/// # Errors
///
/// [`RecoverError`] with a sentence, or if the database or the clone fails. Then the database is as it was.
pub async fn run(args: RecoverArgs, pool: PgPool) -> anyhow::Result<()> {
    db::migrate(&pool)
        .await
        .context("the database cannot be brought to this build's schema")?;
    let options = RecoverOptions {
        repository: args.from,
        despite_findings: args
            .despite_findings
            .map(|reason| (operator_name(), reason)),
    };
    let recovery = recover(&pool, &options).await?;
    if args.json {
        println!("{}", serde_json::to_string(&recovery)?);
    } else {
        println!("{recovery}");
    }
    Ok(())
}

/// Who types.
fn operator_name() -> String {
    std::env::var("USER")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "operator".to_owned())
}

/// Puts back what the repository shows, and starts the round's flow.
///
/// # Errors
///
/// As [`run`].
pub async fn recover(pool: &PgPool, options: &RecoverOptions) -> anyhow::Result<Recovery> {
    if !db::recovered::is_fresh(&mut *pool.acquire().await?).await? {
        bail!(RecoverError::NotFresh);
    }
    let asked = options.clone();
    let (round, plan) = tokio::task::spawn_blocking(move || read(&asked)).await??;

    let mut transaction = pool.begin().await?;
    for (path, content) in &round.small_files {
        take_over(&mut transaction, path, content).await?;
    }
    for record in &plan.records {
        record.write(&mut transaction).await?;
    }
    db::recovered::insert(&mut transaction, &plan.jobs).await?;
    db::recovered::note(&mut transaction, &round.commit).await?;
    // Edits that people made since are read by git-sync.
    db::hand_edit::move_cursor(&mut transaction, &round.commit).await?;
    check::compare(&mut transaction, &round, &plan).await?;
    go_on(&mut transaction, &round, &plan, options).await?;
    transaction.commit().await?;
    Ok(plan.summary(&round))
}

/// Reads and audits the clone. Blocks.
fn read(options: &RecoverOptions) -> anyhow::Result<(PublicRound, Plan)> {
    let clone = StateClone::open(&options.repository)?;
    let round = PublicRound::read(&clone)?;
    if options.despite_findings.is_none() {
        refuse_contradictions(&options.repository, round.number)?;
    }
    let plan = plan::of(&round)?;
    Ok((round, plan))
}

/// Refuses a repository in which the current round, or what all rounds share, does not follow from what is published.
/// Oddities of earlier rounds are history: nothing goes on from them.
fn refuse_contradictions(repository: &Path, round: RoundNumber) -> anyhow::Result<()> {
    let report = audit(&AuditOptions {
        repository: repository.to_owned(),
        round: Some(round),
        ..AuditOptions::default()
    })?;
    let errors: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| {
            let path = finding.path.as_deref().unwrap_or("the repository");
            format!("{path}: {} ({})", finding.message, finding.code)
        })
        .collect();
    match errors.split_first() {
        None => Ok(()),
        Some((first, others)) => bail!(RecoverError::Inconsistent {
            first: first.clone(),
            others: others.len(),
        }),
    }
}

/// Starts what is to go on, under the pause that people set.
async fn go_on(
    conn: &mut PgConnection,
    round: &PublicRound,
    plan: &Plan,
    options: &RecoverOptions,
) -> anyhow::Result<()> {
    if round.stage != Stage::Finished {
        let flow = NewJob::flow::<Round>(&RoundInput {
            round: round.number,
        })?;
        db::start(conn, &[flow]).await?;
    }
    db::start(conn, &plan.starts).await?;
    if round.is_paused {
        let filter = operator::Filter {
            round: Some(round.number.0 as i32),
            ..operator::Filter::default()
        };
        let by = operator::Operator {
            name: "assize recover",
            reason: "state.json says that the competition is paused",
        };
        operator::pause(conn, &filter, &by).await?;
    }
    if let Some((name, reason)) = &options.despite_findings {
        let by = operator::Operator { name, reason };
        let target = operator::Target::file("database", Some(round.number));
        let after = serde_json::to_value(plan.summary(round))?;
        operator::keep(conn, &by, "recover", &target, None, Some(after)).await?;
    }
    Ok(())
}

impl std::fmt::Display for Recovery {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            out,
            "Round {} goes on in stage {}. Put back from the repository:",
            self.round, self.stage
        )?;
        writeln!(
            out,
            "  {} submissions, {} decided builds",
            self.submissions, self.builds
        )?;
        writeln!(
            out,
            "  {} submitted and {} regenerated modules with their pictures or reasons",
            self.entries, self.regenerated
        )?;
        write!(
            out,
            "  {} published matches and audits, {} duels of matches that are not published yet",
            self.matches, self.duels
        )?;
        if self.seeded_elsewhere {
            write!(
                out,
                "\nAnother service seeded the round: its seed is taken as published, and nobody can derive it."
            )?;
        }
        if self.fetched_again > 0 {
            write!(
                out,
                "\n{} delivered modules are fetched and drawn again, because their digests are not published.",
                self.fetched_again
            )?;
        }
        Ok(())
    }
}
