//! The round of the competition as flows.
//!
//! ```text
//! round ─▶ open_round ─▶ (block) ─▶ fix_rules ─▶ collect ─▶ seed ─▶ (block) ─▶ prepare × entries ─▶ tournament ─▶ declare ─▶ finalize ─▶ next round
//!                                               ├▶ builds: build × miners: verify-build         │
//!                                               ├▶ fingerprints: fingerprint_prompt × prompts   │
//!                                               └▶ baseline: order-pod, deploy-pod, regenerate, ├▶ match: duel × prompts, each ask × calls
//!                                                      render × modules                         ├▶ regeneration: order-pod, deploy-pod,
//!                                                                                               │    regenerate × batches, render × modules
//!                                                                                               └▶ compare: duel × prompts
//! ```
//!
//! Flows stand in `flows/`, one a file, and read top to bottom. Steps stand in `steps/`: what is asked, what is answered, and
//! what commits together with the answer. How a step is done is a handler's business (`workers/assize/src/handlers`).

pub mod entry;
pub mod flows;
pub mod judge;
pub mod judging;
pub mod ledger;
pub mod notices;
pub mod steps;
pub mod waits;

use crate::engine::Registry;

/// Queues by the role of the workers that serve them.
pub mod queues {
    /// Reads and decisions on our own database.
    pub const STATE: &str = "state";
    /// Questions to the chain.
    pub const CHAIN: &str = "chain";
    /// Downloads and questions to GitHub.
    pub const NETWORK: &str = "network";
    /// Pictures.
    pub const RENDER: &str = "render";
    /// Rented GPUs.
    pub const GPU: &str = "gpu";
    /// The vision-language model.
    pub const VLM: &str = "vlm";
}

/// Adds every flow of the round.
#[must_use]
pub fn with_flows(registry: Registry) -> Registry {
    registry
        .flow::<flows::Round>()
        .flow::<flows::Prepare>()
        .flow::<flows::Builds>()
        .flow::<flows::Build>()
        .flow::<flows::Fingerprints>()
        .flow::<flows::Regeneration>()
        .flow::<flows::DuelFlow>()
        .flow::<flows::Match>()
        .flow::<flows::Compare>()
        .reconciler::<flows::Tournament>()
}
