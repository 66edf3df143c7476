//! The miners on the chain: for each round whose window opens, every miner of the cast reveals its submission.
//!
//! A round's reveals are planned once, when its schedule is public, and kept: where and what each is follows from the
//! seed and the window. Beside the cast there is the usual noise: nonsense, and a submission from before the window.

use std::sync::Arc;

use schema::files::{Schedule, State};
use schema::{RoundNumber, Stage, StateFile, paths};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::subnet::NOISE_ACCOUNTS;
use crate::chain::{Account, Ledger, Reveal, payload_bytes};
use crate::clock::ChainClock;
use crate::gateway::MinerCdns;
use crate::git::Remote;
use crate::miners::{Cast, CastMiner, Reveal as RevealTime};

/// The miners, looking at the state repository and acting on the chain.
#[derive(Clone)]
pub(super) struct Commitments {
    pub seed: u64,
    pub cast: Arc<Cast>,
    pub ledger: Arc<Ledger>,
    pub clock: ChainClock,
    pub remote: Remote,
}

impl Commitments {
    /// Reveals for every round that opens, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        super::on_every_move(
            &self.remote.clone(),
            stop,
            "the miners' commitments",
            move || self.look(),
        )
        .await;
    }

    /// Plans the reveals of the current round, if its window is open and that has not been done.
    pub(super) fn look(&self) -> anyhow::Result<()> {
        let Some(bytes) = self.remote.read(&paths::state())? else {
            return Ok(());
        };
        let state = State::parse(&paths::state(), &bytes)?;
        let round = state.current_round;
        if state.stage != Stage::Open
            || self
                .ledger
                .reveals()
                .iter()
                .any(|reveal| reveal.round == round.0)
        {
            return Ok(());
        }
        let path = paths::schedule(round);
        let Some(bytes) = self.remote.read(&path)? else {
            return Ok(());
        };
        let schedule = Schedule::parse(&path, &bytes)?;
        self.ledger.add_reveals(self.plan(round, &schedule))
    }

    fn plan(&self, round: RoundNumber, schedule: &Schedule) -> Vec<Reveal> {
        let earliest = block(schedule.earliest_reveal_block.0);
        let latest = block(schedule.latest_reveal_block.0);
        // The first round's miners revealed before the world began; later ones cannot change blocks that have passed.
        let first_of_world = self.ledger.reveals().is_empty();
        let oldest = if first_of_world {
            self.clock.first_block()
        } else {
            self.clock.current() + 1
        };
        let first = earliest.max(oldest).min(latest);
        let mut reveals = Vec::new();
        for (index, miner) in self.cast.miners().iter().enumerate() {
            let block = match miner.reveal {
                RevealTime::InWindow { share } => {
                    first + (share.clamp(0.0, 1.0) * f64::from(latest - first)).round() as u32
                }
                RevealTime::AfterWindow { blocks } => {
                    latest + u32::try_from(blocks.max(1)).unwrap_or(1)
                }
            };
            if index == 0 && block > first {
                reveals.push(reveal(
                    round,
                    &miner.hotkey,
                    first,
                    &superseded_payload(miner, round),
                ));
            }
            reveals.push(reveal(
                round,
                &miner.hotkey,
                block,
                &payload(miner, round, index),
            ));
        }
        let [null, text, early] =
            NOISE_ACCOUNTS.map(|name| Account::derived(self.seed, name).to_string());
        reveals.push(reveal(round, &null, first, "null"));
        // Twelve characters: the length prefix is `0`, and with the `x` it looks like hexadecimal to careless readers.
        reveals.push(reveal(round, &text, latest, "x marks that"));
        if first_of_world && oldest < earliest {
            let stranger = json!({"repo": "early/bird", "commit": "e".repeat(40), "cdn_url": "https://early.example"});
            reveals.push(reveal(round, &early, earliest - 1, &stranger.to_string()));
        }
        reveals
    }
}

/// What a miner reveals. Every third writes it as a Python dictionary, which the rules accept.
fn payload(miner: &CastMiner, round: RoundNumber, index: usize) -> String {
    let cdn_url = MinerCdns::url(miner, round.0);
    let text = json!({"repo": miner.repo, "commit": miner.commit, "cdn_url": cdn_url}).to_string();
    if index % 3 == 1 {
        text.replace('"', "'")
    } else {
        text
    }
}

/// What the first miner reveals before it changes its mind: the later commitment counts.
fn superseded_payload(miner: &CastMiner, round: RoundNumber) -> String {
    let commit: String = miner.commit.chars().rev().collect();
    json!({"repo": miner.repo, "commit": commit, "cdn_url": format!("{}/draft", MinerCdns::url(miner, round.0))}).to_string()
}

fn reveal(round: RoundNumber, hotkey: &str, block: u32, text: &str) -> Reveal {
    Reveal {
        round: round.0,
        hotkey: hotkey.to_owned(),
        block,
        payload: hex::encode(payload_bytes(text)),
    }
}

fn block(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
