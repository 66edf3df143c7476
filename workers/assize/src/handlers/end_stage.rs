//! Handler of `end_stage`.

use async_trait::async_trait;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{EndStage, EndStageInput, StageEnd},
};

/// Answers what is set. Of two answers the recorded one counts.
pub struct EndStageHandler {
    /// `PAUSE_ON_STAGE_END`.
    pub pause_on_stage_end: bool,
}

#[async_trait]
impl Handler<EndStage> for EndStageHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        _input: EndStageInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<StageEnd>> {
        Ok(Outcome::Done(StageEnd {
            pauses: self.pause_on_stage_end,
        }))
    }
}
