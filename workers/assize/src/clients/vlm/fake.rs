//! Answers from a script, then with no text; remembers what it was asked.

use async_trait::async_trait;

use super::{Vlm, VlmCall, VlmError};
use crate::clients::script::Script;

/// A model that says what it is told to say.
#[derive(Debug, Default)]
pub struct FakeVlm {
    /// Answers to give first, and the questions with their attempt.
    pub script: Script<(VlmCall, u32), Result<String, VlmError>>,
}

#[async_trait]
impl Vlm for FakeVlm {
    async fn complete(&self, call: &VlmCall, attempt: u32) -> Result<String, VlmError> {
        self.script
            .ask((call.clone(), attempt))
            .unwrap_or(Err(VlmError::Empty))
    }
}
