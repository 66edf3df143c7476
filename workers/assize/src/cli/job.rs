//! `assize job …`: looking at jobs, and what operators do to them. Every action names who acts and why, and is kept.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use workflow::db::{
    self,
    operator::{self, Filter},
};

use super::{
    database::{DatabaseArgs, connect},
    operator::{OperatorArgs, tell},
};
use crate::dashboard::queries::steps;

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum JobCommand {
    /// List the newest jobs that match: parked ones, unless a state is given.
    List(ListArgs),
    /// Show one job with its attempts and errors.
    Show {
        /// Job key.
        key: String,
        /// Where the database is.
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Try parked, failed or waiting jobs again, now.
    Retry(ActionArgs),
    /// Take running jobs away from their workers and run them again.
    ForceRetry(ActionArgs),
    /// Stop jobs from starting, also those that come later; running ones end.
    Pause(ActionArgs),
    /// Let paused jobs go on.
    Resume(ActionArgs),
    /// Cancel jobs and everything below them, for good.
    Cancel(ActionArgs),
}

/// Which jobs to list.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// State, or "any".
    #[arg(long, default_value = "parked")]
    pub state: String,
    /// Part of the key.
    #[arg(long, default_value = "")]
    pub key: String,
    /// Step or flow name.
    #[arg(long, default_value = "")]
    pub name: String,
    /// Queue.
    #[arg(long, default_value = "")]
    pub queue: String,
    /// Round.
    #[arg(long)]
    pub round: Option<u32>,
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Which jobs, by whom, and why.
#[derive(Debug, Clone, Args)]
pub struct ActionArgs {
    /// Job key; with a trailing * every key that begins so.
    #[arg(long)]
    pub key: Option<String>,
    /// Job id.
    #[arg(long)]
    pub id: Option<i64>,
    /// Step or flow name.
    #[arg(long)]
    pub name: Option<String>,
    /// Queue.
    #[arg(long)]
    pub queue: Option<String>,
    /// Round.
    #[arg(long)]
    pub round: Option<i32>,
    /// By whom, why, and where.
    #[command(flatten)]
    pub by: OperatorArgs,
}

impl ActionArgs {
    fn filter(&self) -> Filter {
        Filter {
            id: self.id,
            key: self.key.clone(),
            name: self.name.clone(),
            queue: self.queue.clone(),
            round: self.round,
        }
    }
}

pub(super) async fn run(command: JobCommand) -> anyhow::Result<()> {
    match command {
        JobCommand::List(args) => list(args).await,
        JobCommand::Show { key, database } => show(&key, &database).await,
        JobCommand::Retry(args) => act(Action::Retry, &args.filter(), &args.by).await,
        JobCommand::ForceRetry(args) => act(Action::ForceRetry, &args.filter(), &args.by).await,
        JobCommand::Pause(args) => act(Action::Pause, &args.filter(), &args.by).await,
        JobCommand::Resume(args) => act(Action::Resume, &args.filter(), &args.by).await,
        JobCommand::Cancel(args) => act(Action::Cancel, &args.filter(), &args.by).await,
    }
}

/// What an operator does to jobs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    Retry,
    ForceRetry,
    Pause,
    Resume,
    Cancel,
}

pub(super) async fn act(action: Action, filter: &Filter, by: &OperatorArgs) -> anyhow::Result<()> {
    let mut conn = by.connection().await?;
    let operator = by.operator();
    let (changed, what) = match action {
        Action::Retry => (
            operator::retry(&mut conn, filter, &operator).await,
            "due again",
        ),
        Action::ForceRetry => (
            operator::force_retry(&mut conn, filter, &operator).await,
            "given to other workers",
        ),
        Action::Pause => (
            operator::pause(&mut conn, filter, &operator).await,
            "paused; what becomes due later will be too",
        ),
        Action::Resume => (
            operator::resume(&mut conn, filter, &operator).await,
            "due again",
        ),
        Action::Cancel => (
            operator::cancel(&mut conn, filter, &operator).await,
            "cancelled",
        ),
    };
    match (action, changed?) {
        (Action::Pause, 0) => {
            println!("Nothing is due now; what becomes due later will be paused.")
        }
        (_, changed) => tell(changed, what),
    }
    Ok(())
}

async fn list(args: ListArgs) -> anyhow::Result<()> {
    let mut conn = connect(&args.database).await?.acquire().await?;
    let filter = steps::StepFilter {
        state: Some(args.state)
            .filter(|state| state != "any")
            .unwrap_or_default(),
        name: args.name,
        queue: args.queue,
        round: args
            .round
            .map_or_else(String::new, |round| round.to_string()),
        key: args.key,
        before: String::new(),
    };
    let jobs = steps::list(&mut conn, &filter).await?;
    for job in &jobs {
        println!(
            "{}\t{}\t{}\t{}",
            job.id,
            job.state,
            job.key,
            job.error.as_deref().unwrap_or_default()
        );
    }
    eprintln!("{} jobs, the newest first.", jobs.len());
    Ok(())
}

async fn show(key: &str, database: &DatabaseArgs) -> anyhow::Result<()> {
    let mut conn = connect(database).await?.acquire().await?;
    let found = db::job::find(&mut conn, key)
        .await?
        .with_context(|| format!("there is no job {key}"))?;
    let job = steps::find(&mut conn, found.id)
        .await?
        .with_context(|| format!("{key} has just been removed"))?;
    println!("key       {}", job.key);
    println!("id        {}", job.id);
    println!(
        "kind      {} {} (version {})",
        job.kind, job.name, job.version
    );
    if let Some(parent) = &job.parent_key {
        println!("asked by  {parent}");
    }
    if let Some(round) = job.round {
        println!("round     {round}");
    }
    println!("queue     {} (priority {})", job.queue, job.priority);
    println!("state     {}", job.state);
    println!("failures  {} of {}", job.failures, job.max_failures);
    println!("due       {}", job.run_at);
    if let Some(worker) = &job.worker {
        println!("worker    {worker}");
    }
    println!("input     {}", job.input);
    if let Some(output) = &job.output {
        println!("output    {output}");
    }
    if let Some(error) = &job.error {
        println!("error     {error}");
    }
    for (state, count) in steps::child_counts(&mut conn, job.id).await? {
        println!("children  {count} {state}");
    }
    for attempt in steps::attempts(&mut conn, job.id).await? {
        println!(
            "attempt   {} {} by {} from {} to {}{}",
            attempt.number,
            attempt.outcome,
            attempt.worker.as_deref().unwrap_or("an unknown worker"),
            attempt.started_at,
            attempt.ended_at,
            attempt
                .error
                .map(|error| format!(": {error}"))
                .unwrap_or_default()
        );
    }
    Ok(())
}
