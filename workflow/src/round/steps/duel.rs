//! Step `duel`: one prompt, two modules, one verdict of the vision-language model.

use std::time::Duration;

use schema::{
    RoundNumber,
    files::report::{DuelDetail, DuelWinner},
    messages,
};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Retry, Step},
    round::{entry::Prompt, ledger::DuelVerdict, queues},
};

/// Judges a duel.
pub struct DuelStep;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuelInput {
    /// Round.
    pub round: RoundNumber,
    /// Key of the match it belongs to.
    pub match_key: String,
    /// The prompt.
    pub prompt: Prompt,
    /// Defender.
    pub left: DuelSide,
    /// Challenger.
    pub right: DuelSide,
    /// The round's seed.
    pub seed: u32,
}

/// One side of a duel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuelSide {
    /// Module URL.
    pub js: Option<String>,
    /// Views prefix; without one there is nothing to look at.
    pub views: Option<String>,
    /// Digest of the drawn document: a verdict is bound to what was seen.
    pub document_sha256: Option<String>,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DuelOutput {
    /// Who won.
    pub winner: DuelWinner,
    /// Why, as published.
    pub detail: DuelDetail,
}

impl Step for DuelStep {
    const NAME: &'static str = "duel";
    const QUEUE: &'static str = queues::VLM;
    const DEADLINE: Duration = Duration::from_secs(600);
    // A model that is away for hours costs nobody a duel.
    const MAX_FAILURES: u16 = 100;
    const RETRY: Retry = Retry {
        first: Duration::from_secs(1),
        cap: Duration::from_secs(120),
    };
    type Input = DuelInput;
    type Output = DuelOutput;

    fn key(input: &DuelInput) -> String {
        format!("{}/duel/{}", input.match_key, input.prompt.stem)
    }

    fn round(input: &DuelInput) -> Option<u32> {
        Some(input.round.0)
    }

    /// A verdict is public as soon as it is there, so that a lost database costs no duel. Margins follow when the match does.
    fn effects(input: &DuelInput, output: &DuelOutput) -> Effects {
        let verdict = DuelVerdict {
            input: input.clone(),
            output: output.clone(),
        };
        Effects::default().publish(
            messages::ledger(input.round),
            vec![verdict.append(input.round)],
        )
    }
}
