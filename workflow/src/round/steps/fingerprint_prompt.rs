//! Step `fingerprint_prompt`: the digest of a prompt's image, so that nobody can exchange it unseen.

use chrono::{DateTime, Utc};
use schema::{RoundNumber, messages};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Step},
    round::{entry::Prompt, ledger::Artifact, queues},
};

/// Fetches a prompt's image once.
pub struct FingerprintPrompt;

/// Which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FingerprintPromptInput {
    /// Round.
    pub round: RoundNumber,
    /// The prompt.
    pub prompt: Prompt,
}

/// What was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptFingerprint {
    /// Digest, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size_bytes: u64,
    /// When it was fetched.
    pub fetched_at: DateTime<Utc>,
}

impl Step for FingerprintPrompt {
    const NAME: &'static str = "fingerprint_prompt";
    const QUEUE: &'static str = queues::NETWORK;
    const MAX_FAILURES: u16 = 30;
    // After the modules: nothing waits for it.
    const PRIORITY: i16 = 120;
    type Input = FingerprintPromptInput;
    type Output = PromptFingerprint;

    fn key(input: &FingerprintPromptInput) -> String {
        format!("round/{}/fingerprint/{}", input.round, input.prompt.stem)
    }

    fn round(input: &FingerprintPromptInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn effects(input: &FingerprintPromptInput, output: &PromptFingerprint) -> Effects {
        let artifact = Artifact::Prompt {
            stem: input.prompt.stem.clone(),
            url: input.prompt.url.clone(),
            sha256: output.sha256.clone(),
            size: output.size_bytes,
            fetched_at: output.fetched_at,
        };
        Effects::default().publish(
            messages::ledger(input.round),
            vec![artifact.append(input.round)],
        )
    }
}
