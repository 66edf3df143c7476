//! Step `render`: one module in, its views, grid and embeddings in the object store.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Step},
    round::{
        entry::{self, Drawn, EntryId, ModuleRef, Prompt},
        ledger::Decision,
        queues,
    },
};

/// Draws a module.
pub struct Render;

/// Which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderInput {
    /// The entry.
    pub entry: EntryId,
    /// Its prompt, for the embeddings.
    pub prompt: Prompt,
    /// Its module.
    pub module: ModuleRef,
    /// Counts the times that its miner's regeneration began anew.
    #[serde(default)]
    pub again: u32,
}

/// What became of the module. A rejected module is a result, not an error: the round goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RenderOutput {
    /// All fourteen objects are stored.
    Rendered {
        /// Public URL prefix of the views.
        views: String,
        /// Digest of the scene document that was drawn.
        document_sha256: String,
        /// Which renderer drew it.
        renderer_version: String,
        /// Digest of all fourteen objects, by name.
        pictures_sha256: String,
        /// Digest of the prompt's image that they were embedded with.
        prompt_sha256: String,
        /// Bytes of all of them.
        #[serde(default)]
        pictures_size: u64,
    },
    /// The module broke a rule, and will break it again.
    Rejected {
        /// Which rules, in order.
        faults: Vec<ModuleFault>,
    },
}

/// A rule a module broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleFault {
    /// Where it was found: `parse`, `static_analysis`, …
    pub stage: String,
    /// Code, for example `TIMEOUT_EXCEEDED`.
    pub rule: String,
    /// For people.
    pub detail: String,
}

/// The published reason for a module that could not be drawn. The rule it broke is in the ledger.
const RENDER_FAILED: &str = "render_failed";

impl Step for Render {
    const NAME: &'static str = "render";
    const QUEUE: &'static str = queues::RENDER;
    const DEADLINE: Duration = Duration::from_secs(180);
    const MAX_FAILURES: u16 = 12;
    type Input = RenderInput;
    type Output = RenderOutput;

    fn key(input: &RenderInput) -> String {
        let entry = input.entry.key();
        match input.again {
            0 => format!("{entry}/render"),
            again => format!("{entry}/render/again/{again}"),
        }
    }

    fn round(input: &RenderInput) -> Option<u32> {
        Some(input.entry.round.0)
    }

    fn fair_key(input: &RenderInput) -> Option<String> {
        Some(input.entry.side.as_str().to_owned())
    }

    fn effects(input: &RenderInput, output: &RenderOutput) -> Effects {
        let module = Some(&input.module);
        match output {
            RenderOutput::Rendered {
                views,
                document_sha256,
                renderer_version,
                pictures_sha256,
                pictures_size,
                prompt_sha256,
            } => {
                let drawn = Drawn {
                    views,
                    document_sha256,
                    renderer: renderer_version,
                    pictures_sha256,
                    pictures_size: *pictures_size,
                    prompt_sha256,
                };
                entry::settled(&input.entry, module, Some(drawn), None)
            }
            RenderOutput::Rejected { faults } => {
                let mut effects = entry::settled(&input.entry, module, None, Some(RENDER_FAILED));
                let decision = Decision::ModuleRejected {
                    hotkey: input.entry.side.clone(),
                    repeat: input.entry.repeat,
                    stem: input.entry.stem.clone(),
                    sha256: input.module.sha256.clone(),
                    faults: faults.clone(),
                };
                if let Some(publication) = &mut effects.publication {
                    publication.changes.push(decision.append(input.entry.round));
                }
                effects
            }
        }
    }
}
