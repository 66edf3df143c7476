//! Step `verify-build`: waits until one miner's build in the public run stands otherwise than it was seen to stand.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schema::{
    Hotkey, RoundNumber,
    files::{Build, BuildStatus, Submission},
    messages, paths,
};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, MirrorChange, Step},
    round::{flows, ledger::Artifact, queues},
};

/// Follows a build.
pub struct VerifyBuild;

/// Whose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifyBuildInput {
    /// Round.
    pub round: RoundNumber,
    /// Miner.
    pub hotkey: Hotkey,
    /// Its submission.
    pub submission: Submission,
    /// When the run was found: the build's time limit counts from then.
    pub found_at: DateTime<Utc>,
    /// How the build was seen to stand.
    #[serde(default = "unseen", skip_serializing_if = "is_unseen")]
    pub seen: BuildStatus,
    /// Counts the changes that were seen.
    #[serde(default, skip_serializing_if = "is_first")]
    pub change: u32,
}

fn unseen() -> BuildStatus {
    BuildStatus::Pending
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_unseen(seen: &BuildStatus) -> bool {
    *seen == unseen()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_first(change: &u32) -> bool {
    *change == 0
}

impl VerifyBuildInput {
    /// A build of which nothing has been seen.
    pub fn new(
        round: RoundNumber,
        hotkey: Hotkey,
        submission: Submission,
        found_at: DateTime<Utc>,
    ) -> Self {
        Self {
            round,
            hotkey,
            submission,
            found_at,
            seen: unseen(),
            change: 0,
        }
    }
}

/// The build as it stands now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifyBuildOutput {
    /// As in `builds.json`.
    pub build: Build,
    /// Digest of the image's manifest, if the registry told.
    #[serde(default)]
    pub digest: Option<String>,
}

/// What [`build_event`] tells: the row of `builds.json`, and the digest beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecidedBuild {
    /// As in `builds.json`.
    #[serde(flatten)]
    pub build: Build,
    /// As in [`VerifyBuildOutput`].
    #[serde(default)]
    pub digest: Option<String>,
}

impl DecidedBuild {
    /// What pods run: the image by its digest, or by its tag if the registry did not tell; none if it was not built.
    pub fn image_to_run(&self) -> Option<String> {
        let image = self.build.runnable_image()?;
        Some(match &self.digest {
            Some(digest) => Build::pinned(image, digest),
            None => image.to_owned(),
        })
    }
}

impl Step for VerifyBuild {
    const NAME: &'static str = "verify-build";
    const QUEUE: &'static str = queues::NETWORK;
    const DEADLINE: Duration = Duration::from_secs(120);
    const MAX_FAILURES: u16 = 100;
    type Input = VerifyBuildInput;
    type Output = VerifyBuildOutput;

    fn key(input: &VerifyBuildInput) -> String {
        let first = format!("round/{}/verify-build/{}", input.round, input.hotkey);
        match input.change {
            0 => first,
            change => format!("{first}/change/{change}"),
        }
    }

    fn round(input: &VerifyBuildInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn effects(input: &VerifyBuildInput, output: &VerifyBuildOutput) -> Effects {
        let build = &output.build;
        let mut changes = vec![MirrorChange::MergeEntry {
            path: paths::builds(input.round),
            key: input.hotkey.as_str().to_owned(),
            value: serde_json::to_value(build).unwrap_or_default(),
        }];
        if let Some(image) = &build.docker_image {
            let artifact = Artifact::Image {
                hotkey: input.hotkey.clone(),
                image: image.clone(),
                digest: output.digest.clone(),
            };
            changes.push(artifact.append(input.round));
        }
        let record = Record::Build {
            round: input.round.0,
            hotkey: input.hotkey.as_str().to_owned(),
            status: build.status.as_str().to_owned(),
            docker_image: build.docker_image.clone(),
            digest: output.digest.clone(),
        };
        let decided = DecidedBuild {
            build: build.clone(),
            digest: output.digest.clone(),
        };
        let event = (
            build_event(input.round, &input.hotkey),
            serde_json::to_value(decided).unwrap_or_default(),
        );
        let mut effects = Effects {
            records: vec![record],
            ..Effects::default()
        };
        if build.status.is_terminal() {
            effects.events.push(event);
            effects.wakes.push(flows::tournament_key(input.round));
        }
        effects.publish(messages::build_statuses(input.round), changes)
    }
}

/// The event that tells everyone how a build was decided: a [`DecidedBuild`].
pub fn build_event(round: RoundNumber, hotkey: &Hotkey) -> String {
    format!("round/{round}/build/{hotkey}")
}
