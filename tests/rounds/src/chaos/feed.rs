//! Starts the flows, in transactions of which some are rolled back, through the same failing database.

use std::time::Duration;

use sqlx::Connection as _;
use tokio::time::Instant;
use workflow::{db, engine::NewJob};

use super::{
    ChaosOptions,
    flows::{Errand, ErrandInput},
    server::Server,
};

/// Errands in one transaction.
const TOGETHER: u64 = 20;
/// Errands from here on are started in transactions that never commit.
pub(super) const NEVER: u64 = 1_000_000;
/// Between tries while the database does not answer.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// The one who starts the errands.
pub(super) struct Feed<'a> {
    server: &'a Server,
    flows: u64,
    during: Duration,
}

impl<'a> Feed<'a> {
    /// Errands come in pairs.
    pub(super) fn new(server: &'a Server, options: &ChaosOptions) -> Self {
        Self {
            server,
            flows: options.flows.next_multiple_of(2),
            during: options.feed,
        }
    }

    /// How many there will be.
    pub(super) fn flows(&self) -> u64 {
        self.flows
    }

    /// Starts them all, evenly.
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        for first in (0..self.flows).step_by(TOGETHER as usize) {
            let share = first as f64 / self.flows as f64;
            tokio::time::sleep_until(began + self.during.mul_f64(share)).await;
            let errands: Vec<u64> = (first..self.flows.min(first + TOGETHER)).collect();
            let never: Vec<u64> = errands.iter().map(|errand| NEVER + errand).collect();
            // A failure says nothing about whether the transaction was committed. Starting twice is starting once.
            while self.start(&errands, true).await.is_err()
                || self.start(&never, false).await.is_err()
            {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
        Ok(())
    }

    /// Starts errands together with their rows in `fed`: both exist, or neither does.
    async fn start(&self, errands: &[u64], commit: bool) -> anyhow::Result<()> {
        let jobs = errands
            .iter()
            .map(|errand| NewJob::flow::<Errand>(&ErrandInput { errand: *errand }))
            .collect::<Result<Vec<_>, _>>()?;
        let mut connection = self.server.connect().await?;
        let mut transaction = connection.begin().await?;
        db::start(&mut transaction, &jobs).await?;
        sqlx::query("INSERT INTO fed SELECT unnest($1::bigint[]) ON CONFLICT DO NOTHING")
            .bind(
                errands
                    .iter()
                    .map(|errand| *errand as i64)
                    .collect::<Vec<_>>(),
            )
            .execute(&mut *transaction)
            .await?;
        if commit {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(connection.close().await?)
    }
}
