//! Who acts, why, and on which database: what every command that changes something asks for.

use clap::Args;
use sqlx::{Postgres, pool::PoolConnection};
use workflow::db::operator::Operator;

use super::database::{DatabaseArgs, connect};

/// Who acts, why, and where.
#[derive(Debug, Clone, Args)]
pub struct OperatorArgs {
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

impl OperatorArgs {
    pub(super) fn operator(&self) -> Operator<'_> {
        Operator {
            name: &self.operator,
            reason: &self.reason,
        }
    }

    pub(super) async fn connection(&self) -> anyhow::Result<PoolConnection<Postgres>> {
        Ok(connect(&self.database).await?.acquire().await?)
    }
}

/// "1 job is due again." or "7 jobs are due again."
pub(super) fn tell(jobs: u64, what: &str) {
    match jobs {
        0 => println!("Nothing changed: no job fits."),
        1 => println!("1 job is {what}."),
        _ => println!("{jobs} jobs are {what}."),
    }
}
