//! Step `ask`: one call of a duel to the vision-language model.
//!
//! Source: judge, section 4.2 (retries), 4.4 (attempts).

use std::time::Duration;

use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Retry, Step},
    round::queues,
    rules::{call_answer::CallAnswer, vlm_answer::Feature, vlm_calls::VlmCall},
};

/// Longest that one call may take (`OPENAI_TIMEOUT`).
pub const LONGEST_CALL: Duration = Duration::from_secs(600);

/// Asks the model one question.
pub struct Ask;

/// Which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskInput {
    /// Round.
    pub round: RoundNumber,
    /// Key of the duel.
    pub duel: String,
    /// The question.
    pub call: VlmCall,
    /// URLs of its pictures, in the order of [`VlmCall::pictures`].
    pub pictures: Vec<String>,
    /// What [`VlmCall::Verify`] asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// Version of the texts.
    pub questions: u32,
    /// Name of the model at its server.
    pub model: String,
    /// The round's seed, plus the number of the run.
    pub seed: u32,
    /// Place in the queue. Later stages come first, so that duels are ended before others are begun: what is known of a duel
    /// is used while the model's server still has its pictures at hand.
    pub priority: i16,
}

impl Step for Ask {
    const NAME: &'static str = "ask";
    const QUEUE: &'static str = queues::VLM;
    // The call, and a minute to record that it is over.
    const DEADLINE: Duration = Duration::from_secs(LONGEST_CALL.as_secs() + 60);
    const RETRY: Retry = Retry::linear(Duration::from_millis(500), Duration::from_secs(30));
    type Input = AskInput;
    type Output = CallAnswer;

    fn key(input: &AskInput) -> String {
        format!("{}/{}", input.duel, input.call.key())
    }

    fn round(input: &AskInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn priority(input: &AskInput) -> i16 {
        input.priority
    }

    /// As often as the catalogue of calls says; then the call is parked, and the duel waits for an operator.
    fn max_failures(input: &AskInput) -> u16 {
        u16::try_from(input.call.attempts()).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::vlm_calls::Model;

    #[test]
    fn a_call_is_tried_as_often_as_the_catalogue_says_each_time_half_a_second_later() {
        let input = |call| AskInput {
            round: RoundNumber(1),
            duel: "duel".to_owned(),
            call,
            pictures: Vec::new(),
            features: Vec::new(),
            questions: 1,
            model: "glm".to_owned(),
            seed: 7,
            priority: 0,
        };
        let calls = [
            VlmCall::Decompose,
            VlmCall::Verify { model: Model::A },
            VlmCall::Explain,
        ];
        assert_eq!(calls.map(|call| Ask::max_failures(&input(call))), [5, 5, 3]);
        let waits = [1, 2, 3, 4].map(|failures| Ask::RETRY.wait(failures, 0.5).as_millis());
        assert_eq!(waits, [500, 1000, 1500, 2000]);
    }
}
