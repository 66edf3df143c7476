//! `assize conflict …`: edits of files that Assize owns, and an operator's word on them.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use workflow::db::{
    self,
    conflict::ConflictRow,
    operator::{Operator, OperatorError},
};

use super::database::{DatabaseArgs, connect};
use crate::git_sync::check_owned;

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum ConflictCommand {
    /// List the edits that wait for a decision.
    List {
        /// Where the database is.
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Show an edit: the file before it and after it, and our changes that wait.
    Show {
        /// Its number, as listed.
        id: i64,
        /// Where the database is.
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Let the edit stand: the round works with it from now on.
    Accept(DecisionArgs),
    /// Take the edit back: the file is again as before, and our changes that waited are made.
    Reject(DecisionArgs),
}

/// Which edit, by whom, and why.
#[derive(Debug, Clone, Args)]
pub struct DecisionArgs {
    /// Its number, as listed.
    pub id: i64,
    /// Who decides.
    #[arg(long, env = "ASSIZE_OPERATOR")]
    pub operator: String,
    /// Why; it is published in the ledger.
    #[arg(long)]
    pub reason: String,
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

pub(super) async fn run(command: ConflictCommand) -> anyhow::Result<()> {
    match command {
        ConflictCommand::List { database } => list(&database).await,
        ConflictCommand::Show { id, database } => show(id, &database).await,
        ConflictCommand::Accept(args) => decide(args, true).await,
        ConflictCommand::Reject(args) => decide(args, false).await,
    }
}

async fn list(database: &DatabaseArgs) -> anyhow::Result<()> {
    let pool = connect(database).await?;
    let conflicts = db::conflict::shown(&mut *pool.acquire().await?).await?;
    for conflict in &conflicts {
        let decision = conflict.decision.as_deref().unwrap_or("undecided");
        println!(
            "{}\t{}\t{decision}\t{}\t{}\t{} of our changes wait",
            conflict.id, conflict.path, conflict.author, conflict.commit_sha, conflict.held
        );
    }
    eprintln!("{} edits of our files stand in our way.", conflicts.len());
    Ok(())
}

async fn show(id: i64, database: &DatabaseArgs) -> anyhow::Result<()> {
    let pool = connect(database).await?;
    let mut conn = pool.acquire().await?;
    let conflict = find(&mut conn, id).await?;
    println!(
        "{} edited by {} in {}",
        conflict.path, conflict.author, conflict.commit_sha
    );
    for (name, content) in [("before", &conflict.before), ("after", &conflict.theirs)] {
        println!("--- {name}");
        match content {
            Some(content) => println!("{}", String::from_utf8_lossy(content)),
            None => println!("(no file)"),
        }
    }
    for held in db::conflict::held(&mut conn, id).await? {
        println!("--- waiting: {} ({})", held.step, held.because);
    }
    if let Err(problem) = check_owned(&conflict.path, conflict.theirs.as_deref()) {
        println!("--- it cannot be accepted: {problem}");
    }
    Ok(())
}

async fn decide(args: DecisionArgs, accept: bool) -> anyhow::Result<()> {
    let pool = connect(&args.database).await?;
    let mut conn = pool.acquire().await?;
    let conflict = find(&mut conn, args.id).await?;
    if accept && let Err(problem) = check_owned(&conflict.path, conflict.theirs.as_deref()) {
        bail!(
            "the edit cannot be accepted, because the round could not read it: {problem}; reject it, or repair the file first"
        );
    }
    let operator = Operator {
        name: &args.operator,
        reason: &args.reason,
    };
    db::conflict::decide(&mut conn, args.id, accept, &operator).await?;
    let verb = if accept { "accepted" } else { "rejected" };
    println!(
        "The edit of {} is {verb}; git-sync carries it out at once.",
        conflict.path
    );
    Ok(())
}

async fn find(conn: &mut sqlx::PgConnection, id: i64) -> anyhow::Result<ConflictRow> {
    db::conflict::find(conn, id)
        .await?
        .filter(|conflict| conflict.decision.as_deref() != Some("withdrawn"))
        .ok_or(OperatorError::UnknownConflict(id))
        .context("see `assize conflict list`")
}
