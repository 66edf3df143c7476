//! Answers from a script, then with no text; remembers what it was asked.

use async_trait::async_trait;

use super::{Vlm, VlmError, VlmRequest};
use crate::clients::script::Script;

/// A model that says what it is told to say.
#[derive(Debug, Default)]
pub struct FakeVlm {
    /// Answers to give first, and the questions.
    pub script: Script<VlmRequest, Result<String, VlmError>>,
}

#[async_trait]
impl Vlm for FakeVlm {
    async fn complete(&self, request: &VlmRequest) -> Result<String, VlmError> {
        self.script
            .ask(request.clone())
            .unwrap_or(Err(VlmError::Empty))
    }
}
