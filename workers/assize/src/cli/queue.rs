//! `assize queue …`: queues are the resources that all replicas share; their limits and pauses hold over all of them.

use clap::{Args, Subcommand};
use workflow::db::operator;

use super::{
    database::{DatabaseArgs, connect},
    operator::OperatorArgs,
};
use crate::dashboard::queries::fleet;

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum QueueCommand {
    /// List queues with what waits in them, who serves them, and their limits.
    List(DatabaseArgs),
    /// Let nothing of a queue start, over all workers.
    Pause(NamedArgs),
    /// Let a paused queue go on.
    Resume(NamedArgs),
    /// Limit a queue over all workers; a limit that is left out is lifted. The capacity of `vlm` is set again from
    /// `MAX_CONCURRENT_VLM_CALLS` whenever a worker starts.
    Limit(LimitArgs),
}

/// Which queue, by whom, and why.
#[derive(Debug, Clone, Args)]
pub struct NamedArgs {
    /// Queue.
    pub queue: String,
    /// By whom, why, and where.
    #[command(flatten)]
    pub by: OperatorArgs,
}

/// Limits of a queue.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Jobs that run at once.
    #[arg(long, value_parser = clap::value_parser!(i32).range(0..))]
    pub capacity: Option<i32>,
    /// Jobs that start in a second.
    #[arg(long, value_name = "PER_SECOND", value_parser = positive)]
    pub rate: Option<f64>,
    /// Which queue.
    #[command(flatten)]
    pub queue: NamedArgs,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("expected a number greater than 0".to_owned()),
    }
}

pub(super) async fn run(command: QueueCommand) -> anyhow::Result<()> {
    match command {
        QueueCommand::List(database) => list(&database).await?,
        QueueCommand::Pause(args) => {
            let mut conn = args.by.connection().await?;
            operator::pause_queue(&mut conn, &args.queue, true, &args.by.operator()).await?;
            println!("Nothing of {} starts until it is resumed.", args.queue);
        }
        QueueCommand::Resume(args) => {
            let mut conn = args.by.connection().await?;
            operator::pause_queue(&mut conn, &args.queue, false, &args.by.operator()).await?;
            println!("{} goes on.", args.queue);
        }
        QueueCommand::Limit(args) => {
            let NamedArgs { queue, by } = &args.queue;
            let mut conn = by.connection().await?;
            operator::limit_queue(&mut conn, queue, args.capacity, args.rate, &by.operator())
                .await?;
            println!(
                "{queue}: {} at once, {} a second, over all workers.",
                limit(args.capacity),
                limit(args.rate)
            );
        }
    }
    Ok(())
}

fn limit(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| "any number".to_owned(), |value| value.to_string())
}

async fn list(database: &DatabaseArgs) -> anyhow::Result<()> {
    let mut conn = connect(database).await?.acquire().await?;
    println!("queue\tdue\tlater\trunning\tparked\tworkers\tat once\ta second\t");
    for queue in fleet::queues(&mut conn).await? {
        println!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            queue.name,
            queue.available,
            queue.scheduled,
            queue.running,
            queue.parked,
            queue.workers,
            limit(queue.capacity),
            limit(queue.rate_per_second),
            if queue.paused { "paused" } else { "" }
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_above_nothing() {
        assert_eq!(positive("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "NaN", "inf", "ten"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
    }
}
