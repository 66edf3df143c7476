//! Handler of `collect`.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use async_trait::async_trait;
use schema::Hotkey;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{Collect, CollectInput, Collected, RejectedSubmission},
    rules::submissions::{
        Coldkey, RevealWindow, accept_submissions, coldkeys_to_ask, read_reveals,
    },
};

use crate::clients::chain::{self, Chain};

/// Reads the chain at the hash of the round's last reveal block, so that every run reads the same.
pub struct CollectHandler {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// Our subnet.
    pub netuid: u16,
    /// What an owner must have locked for each of its submissions.
    pub required_lock_rao: u64,
}

#[async_trait]
impl Handler<Collect> for CollectHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: CollectInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<Collected>> {
        let block = input.schedule.latest_reveal_block;
        let hash = self
            .chain
            .block_hash(block)
            .await
            .context("the block of the reveal cannot be found")?;
        let reveals = self
            .chain
            .revealed_commitments(self.netuid, hash)
            .await
            .context("commitments were not read")?;
        let window = RevealWindow {
            earliest: input.schedule.earliest_reveal_block,
            latest: block,
        };
        let read = read_reveals(&reveals, window, &input.label);

        let neurons: BTreeMap<Hotkey, Coldkey> = self
            .chain
            .neurons(self.netuid, hash)
            .await
            .context("registrations were not read")?
            .into_iter()
            .map(|(hotkey, coldkey)| (hotkey, Coldkey(coldkey.0)))
            .collect();
        let mut locks = BTreeMap::new();
        for coldkey in coldkeys_to_ask(&read, &neurons) {
            let asked = chain::Coldkey(coldkey.0.clone());
            let rao = self
                .chain
                .coldkey_lock(&asked, self.netuid, hash)
                .await
                .context("an owner's lock was not read")?;
            locks.insert(coldkey, rao);
        }

        let collected = accept_submissions(read, &neurons, &locks, self.required_lock_rao);
        Ok(Outcome::Done(Collected {
            committed: collected.committed,
            rejected: collected
                .rejected
                .into_iter()
                .map(|rejected| RejectedSubmission {
                    hotkey: rejected.hotkey,
                    reason: rejected.reason.to_string(),
                })
                .collect(),
            accepted: collected.accepted.0.into_iter().collect(),
            block_hash: format!("0x{}", hex::encode(hash.0)),
            block,
        }))
    }
}
