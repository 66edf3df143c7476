//! `assize job …`: what operators do to jobs. Every action names who acts and why, and is kept.

use clap::{Args, Subcommand};
use workflow::db::{
    self,
    operator::{Filter, Operator},
};

use super::work::{DatabaseArgs, connect};

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum JobCommand {
    /// List jobs: parked ones, unless a state is given.
    List {
        /// State.
        #[arg(long, default_value = "parked")]
        state: String,
        /// Where the database is.
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Try parked, failed or waiting jobs again, now.
    Retry(ActionArgs),
    /// Take running jobs away from their workers and run them again.
    ForceRetry(ActionArgs),
    /// Stop jobs from starting.
    Pause(ActionArgs),
    /// Let paused jobs go on.
    Resume(ActionArgs),
    /// Cancel the job with --key and everything below it.
    Cancel(ActionArgs),
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
    /// Who acts.
    #[arg(long, env = "ASSIZE_OPERATOR")]
    pub operator: String,
    /// Why; it is published in the ledger.
    #[arg(long)]
    pub reason: String,
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

pub(super) async fn run(command: JobCommand) -> anyhow::Result<()> {
    let args = match &command {
        JobCommand::List { state, database } => return list(state, database).await,
        JobCommand::Retry(args)
        | JobCommand::ForceRetry(args)
        | JobCommand::Pause(args)
        | JobCommand::Resume(args)
        | JobCommand::Cancel(args) => args,
    };
    let pool = connect(&args.database).await?;
    let mut conn = pool.acquire().await?;
    let operator = Operator {
        name: &args.operator,
        reason: &args.reason,
    };
    let filter = Filter {
        id: args.id,
        key: args.key.clone(),
        name: args.name.clone(),
        queue: args.queue.clone(),
        round: args.round,
    };
    let changed = match command {
        JobCommand::Retry(_) => db::operator::retry(&mut conn, &filter, &operator).await?,
        JobCommand::ForceRetry(_) => {
            db::operator::force_retry(&mut conn, &filter, &operator).await?
        }
        JobCommand::Pause(_) => db::operator::pause(&mut conn, &filter, &operator).await?,
        JobCommand::Resume(_) => db::operator::resume(&mut conn, &filter, &operator).await?,
        JobCommand::Cancel(_) => {
            let key = args
                .key
                .as_deref()
                .ok_or_else(|| anyhow::anyhow!("cancel needs --key"))?;
            db::operator::cancel(&mut conn, key, &operator).await?
        }
        JobCommand::List { .. } => 0,
    };
    println!("{changed} jobs changed.");
    Ok(())
}

async fn list(state: &str, database: &DatabaseArgs) -> anyhow::Result<()> {
    let pool = connect(database).await?;
    let rows: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT id, key, coalesce(error, '') FROM job WHERE state = $1 ORDER BY id LIMIT 200",
    )
    .bind(state)
    .fetch_all(&pool)
    .await?;
    for (id, key, error) in &rows {
        println!("{id}\t{key}\t{error}");
    }
    eprintln!("{} jobs are {state}.", rows.len());
    Ok(())
}
