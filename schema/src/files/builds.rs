//! `rounds/{n}/builds.json`: the images built from the submissions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::macros::map_file;
use crate::{BlockNumber, CommitSha, Hotkey, IndexMap};

/// `rounds/{n}/builds.json`, in the order of the submissions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Builds(pub IndexMap<Hotkey, Build>);

/// The image of one submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Repository, from the submission.
    pub repo: String,
    /// Commit, from the submission.
    pub commit: CommitSha,
    /// Block of the reveal, from the submission.
    pub revealed_at_block: BlockNumber,
    /// `{first 7 of commit}-{round label}`.
    pub tag: String,
    /// How far the build is.
    pub status: BuildStatus,
    /// The image; set only on success.
    #[serde(default)]
    pub docker_image: Option<String>,
}

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    /// Queued, or not seen yet.
    Pending,
    /// Running.
    InProgress,
    /// The image is in the registry.
    Success,
    /// It failed, was cancelled or skipped.
    Failure,
    /// It had not ended at the deadline.
    TimedOut,
    /// The build has no job for this hotkey.
    NotFound,
}

impl BuildStatus {
    /// Whether the status will not change any more.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::InProgress)
    }

    /// The word in `builds.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::TimedOut => "timed_out",
            Self::NotFound => "not_found",
        }
    }
}

impl fmt::Display for BuildStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Build {
    /// The default of `DOCKER_IMAGE_FORMAT`.
    pub const DEFAULT_IMAGE_FORMAT: &str =
        "europe-west3-docker.pkg.dev/gen-456515/active-competition/{hotkey10}:{tag}";

    /// The image tag of a commit in a round: `6ff9eb5-mesh-0`. `round_label` is [`super::Config::round_label`].
    pub fn tag_of(commit: &CommitSha, round_label: &str) -> String {
        format!("{}-{round_label}", commit.short())
    }

    /// The image of a hotkey: `{hotkey10}` or `{hotkey}`, and `{tag}`, filled into `image_format`, the whole lower-cased. Ten
    /// characters can be those of another miner too; a workflow that pushes by the whole hotkey keeps all images apart.
    pub fn image_of(image_format: &str, hotkey: &Hotkey, tag: &str) -> String {
        image_format
            .replace("{hotkey10}", hotkey.short())
            .replace("{hotkey}", hotkey.as_str())
            .replace("{tag}", tag)
            .to_lowercase()
    }

    /// `image` by its digest, which nobody can move to another image: `host/name:tag` becomes `host/name@sha256:…`.
    pub fn pinned(image: &str, digest: &str) -> String {
        let named = image.split_once('@').map_or(image, |(named, _)| named);
        let name = match named.rsplit_once(':') {
            // A colon before the last slash belongs to the host's port.
            Some((name, tag)) if !tag.contains('/') => name,
            _ => named,
        };
        format!("{name}@{digest}")
    }

    /// The image, when there is one to run: the build succeeded and names it.
    pub fn runnable_image(&self) -> Option<&str> {
        match self.status {
            BuildStatus::Success => self.docker_image.as_deref(),
            _ => None,
        }
    }
}

map_file!(Builds, Hotkey, Build, NotYet);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_image_has_its_digest_for_its_tag_and_keeps_its_port() {
        for (image, pinned) in [
            ("host.example/a/b:c", "host.example/a/b@sha256:d"),
            ("host.example:5000/a/b:c", "host.example:5000/a/b@sha256:d"),
            ("host.example:5000/a/b", "host.example:5000/a/b@sha256:d"),
            ("debian", "debian@sha256:d"),
            ("host.example/a:c@sha256:e", "host.example/a@sha256:d"),
        ] {
            assert_eq!(Build::pinned(image, "sha256:d"), pinned, "{image}");
        }
    }
}
