//! `assize round …`: looking at rounds, and what operators do to a whole one.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use schema::{Hotkey, RoundNumber, Side, Stem};
use workflow::db::{
    measurement::MatchName,
    operator::Filter,
    redraw::{Pictures, draw_anew},
    rejudge::judge_anew,
    retention,
};

use super::{
    database::{DatabaseArgs, connect},
    job::{Action, act},
    operator::OperatorArgs,
};
use crate::dashboard::queries::rounds;

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum RoundCommand {
    /// List rounds, the newest first.
    List(DatabaseArgs),
    /// Show where a round stands, and what it waits for.
    Show {
        /// Round.
        round: u32,
        /// Where the database is.
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Let nothing of a round start, also what becomes due later; running steps end.
    Pause(RoundArgs),
    /// Let a paused round go on.
    Resume(RoundArgs),
    /// Try every parked, failed or waiting step of a round again, now.
    Retry(RoundArgs),
    /// Cancel everything of a round that has not ended, for good.
    Cancel(RoundArgs),
    /// Set the result of a match aside and have it judged anew; the old result stays public.
    Rejudge(RejudgeArgs),
    /// Draw stored modules anew, after the renderer was broken; matches judged on other pictures are judged again.
    Redraw(RedrawArgs),
    /// Remove the jobs, attempts and outbox of a round that is closed and mirrored; what it recorded stays.
    Prune(RoundArgs),
}

/// Which match, by whom, and why.
#[derive(Debug, Clone, Args)]
pub struct RejudgeArgs {
    /// Round.
    pub round: u32,
    /// Left side as in the matrix: `leader` or a hotkey; of an audit `submitted_1`, `leader_1` or `{hotkey}_1`.
    pub left: String,
    /// Right side: a hotkey.
    pub right: String,
    /// It is a row of audit_matrix.csv.
    #[arg(long)]
    pub audit: bool,
    /// By whom, why, and where.
    #[command(flatten)]
    pub by: OperatorArgs,
}

/// Whose pictures, by whom, and why.
#[derive(Debug, Clone, Args)]
pub struct RedrawArgs {
    /// Round.
    pub round: u32,
    /// `leader` or a hotkey.
    pub side: String,
    /// Of this prompt only, by its stem.
    #[arg(long)]
    pub stem: Option<String>,
    /// Which generated repeat, from 1. Without it what the miner submitted, or the leader's baseline.
    #[arg(long)]
    pub repeat: Option<u32>,
    /// By whom, why, and where.
    #[command(flatten)]
    pub by: OperatorArgs,
}

/// Which round, by whom, and why.
#[derive(Debug, Clone, Args)]
pub struct RoundArgs {
    /// Round.
    pub round: u32,
    /// By whom, why, and where.
    #[command(flatten)]
    pub by: OperatorArgs,
}

pub(super) async fn run(command: RoundCommand) -> anyhow::Result<()> {
    let (action, args) = match command {
        RoundCommand::List(database) => return list(&database).await,
        RoundCommand::Show { round, database } => return show(round, &database).await,
        RoundCommand::Rejudge(args) => return rejudge(args).await,
        RoundCommand::Redraw(args) => return redraw(args).await,
        RoundCommand::Prune(args) => return prune(&args).await,
        RoundCommand::Pause(args) => (Action::Pause, args),
        RoundCommand::Resume(args) => (Action::Resume, args),
        RoundCommand::Retry(args) => (Action::Retry, args),
        RoundCommand::Cancel(args) => (Action::Cancel, args),
    };
    let filter = Filter {
        round: Some(number(args.round)?),
        ..Filter::default()
    };
    act(action, &filter, &args.by).await
}

fn number(round: u32) -> anyhow::Result<i32> {
    i32::try_from(round).with_context(|| format!("there is no round {round}"))
}

async fn list(database: &DatabaseArgs) -> anyhow::Result<()> {
    let mut conn = connect(database).await?.acquire().await?;
    for round in rounds::list(&mut conn).await? {
        println!(
            "{}\t{}\t{} miners\t{} matches\t{} parked\t{}",
            round.number,
            round.stage,
            round.miners,
            round.matches,
            round.parked,
            round.winner.as_deref().unwrap_or("no winner yet")
        );
    }
    Ok(())
}

async fn show(round: u32, database: &DatabaseArgs) -> anyhow::Result<()> {
    let mut conn = connect(database).await?.acquire().await?;
    let number = number(round)?;
    let found = rounds::find(&mut conn, number)
        .await?
        .with_context(|| format!("round {round} is not known here"))?;
    println!("round {round}: {} since {}", found.stage, found.stage_since);
    for wait in &found.waits_for {
        println!("waits for {wait}");
    }
    if let Some(winner) = &found.winner {
        println!("winner {winner}");
    }
    if let Some(closed) = found.closed_at {
        println!("closed {closed}");
    }
    println!("step\tall\tdone\trunning\twaiting\tretrying\tparked\tlost");
    for kind in rounds::step_kinds(&mut conn, number).await? {
        println!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            kind.name,
            kind.total,
            kind.completed,
            kind.running,
            kind.waiting,
            kind.retrying,
            kind.parked,
            kind.lost
        );
    }
    Ok(())
}

async fn rejudge(args: RejudgeArgs) -> anyhow::Result<()> {
    let name = MatchName {
        matrix: if args.audit { "audits" } else { "matches" },
        left: args.left,
        right: Hotkey::new(args.right),
    };
    let mut conn = args.by.connection().await?;
    let round = RoundNumber(args.round);
    let next = judge_anew(&mut conn, round, &name, &args.by.operator()).await?;
    println!(
        "{} vs {} will be judged anew (judgement {}); the old result is under ledger/superseded/.",
        name.left,
        name.right,
        next + 1
    );
    Ok(())
}

async fn redraw(args: RedrawArgs) -> anyhow::Result<()> {
    let side = Side::from(args.side.as_str());
    let pictures = Pictures {
        round: RoundNumber(args.round),
        repeat: args.repeat.unwrap_or(u32::from(side.is_leader())),
        side,
        stem: args.stem.map(Stem::new),
    };
    let mut conn = args.by.connection().await?;
    let entries = draw_anew(&mut conn, &pictures, &args.by.operator()).await?;
    println!(
        "{entries} {} drawn anew; matches that were judged on other pictures will be judged again.",
        if entries == 1 {
            "entry is"
        } else {
            "entries are"
        }
    );
    Ok(())
}

async fn prune(args: &RoundArgs) -> anyhow::Result<()> {
    let mut conn = args.by.connection().await?;
    let pruned = retention::prune(&mut conn, args.round, &args.by.operator()).await?;
    println!(
        "Removed {} jobs, {} attempts and {} changes of state files of round {}.",
        pruned.jobs, pruned.attempts, pruned.mirror_files, args.round
    );
    Ok(())
}
