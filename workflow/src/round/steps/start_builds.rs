//! Step `start_builds`: `builds.json` with every submission's build pending, in the order of the submissions.

use schema::{
    Hotkey, RoundNumber, StateFile as _,
    files::{Builds, Submission},
    messages, paths,
};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, MirrorChange, Step},
    round::queues,
    rules::builds::pending_build,
};

/// Publishes the pending builds.
pub struct StartBuilds;

/// Of whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartBuildsInput {
    /// Round.
    pub round: RoundNumber,
    /// In order.
    pub submissions: Vec<(Hotkey, Submission)>,
}

impl Step for StartBuilds {
    const NAME: &'static str = "start_builds";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = StartBuildsInput;
    type Output = ();

    fn key(input: &StartBuildsInput) -> String {
        format!("round/{}/start_builds", input.round)
    }

    fn round(input: &StartBuildsInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn effects(input: &StartBuildsInput, (): &()) -> Effects {
        let builds: Builds = input
            .submissions
            .iter()
            .map(|(hotkey, submission)| (hotkey.clone(), pending_build(submission)))
            .collect();
        let put = MirrorChange::Put {
            path: paths::builds(input.round),
            content: builds.to_bytes(),
        };
        Effects::default().publish(messages::build_statuses(input.round), vec![put])
    }
}
