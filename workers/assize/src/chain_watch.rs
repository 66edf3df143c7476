//! Follows the chain's head, so that flows that wait for a block are woken by it.

use std::sync::Arc;

use futures::StreamExt as _;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use workflow::db;

use crate::clients::chain::Chain;

/// Records every new head until `stop`. The stream reconnects by itself; a database that is away is waited for.
pub async fn watch(pool: PgPool, chain: Arc<dyn Chain>, stop: CancellationToken) {
    let mut heads = chain.heads();
    loop {
        let block = tokio::select! {
            () = stop.cancelled() => return,
            head = heads.next() => match head {
                Some(block) => block,
                None => return,
            },
        };
        if let Err(error) = record(&pool, block.0).await {
            tracing::warn!(chain.block = block.0, error = %error, "the chain's head was not recorded; the next one will be");
        }
    }
}

async fn record(pool: &PgPool, block: u64) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    db::chain::record_head(&mut transaction, block, "").await?;
    transaction.commit().await
}
