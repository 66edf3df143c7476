//! What became of each submission's image, from the jobs of the build workflow.
//!
//! The workflow has one job a hotkey, and these jobs appear only some time after the run itself. So "there is no job with
//! this name" means nothing until the run is complete and its job list was read to the end: only then is a build `not_found`.
//! (The reference asked too early, or took a failed request for an empty list, and froze every build of a real round;
//! weaknesses W1 and W2.)
//!
//! Source: generation, section 3.2 (jobs), 3.3 (`builds.json`), 3.4 (algorithm).

use schema::Hotkey;
use schema::files::{Build, BuildStatus, Builds, Submission, Submissions};

/// What the name of a hotkey's job starts with; the hotkey and `)` follow.
pub const JOB_NAME_PREFIX: &str = "Bake and push images to Google Cloud (";

/// A job of the run, as GitHub lists it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Job {
    /// The display name.
    pub name: String,
    /// `queued`, `in_progress`, `completed`, …
    pub status: String,
    /// `success`, `failure`, …; none while it runs.
    pub conclusion: Option<String>,
}

/// What is known of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunView {
    /// The run was not found, or its jobs could not be read to the last page. Says nothing about any build.
    Unknown,
    /// The whole job list.
    Jobs {
        /// The jobs of all pages.
        jobs: Vec<Job>,
        /// Whether the run's own status was `completed` before the list was read.
        run_complete: bool,
    },
}

/// The build of a submission before anything is known of it.
pub fn pending_build(submission: &Submission) -> Build {
    Build {
        repo: submission.repo.clone(),
        commit: submission.commit.clone(),
        revealed_at_block: submission.revealed_at_block,
        tag: Build::tag_of(&submission.commit, &submission.round),
        status: BuildStatus::Pending,
        docker_image: None,
    }
}

/// The builds to follow: one a submission, in their order. What `prior` decided stays as it is, images and hand edits
/// included; the rest starts over.
pub fn start_builds(submissions: &Submissions, prior: &Builds) -> Builds {
    submissions
        .iter()
        .map(|(hotkey, submission)| {
            let decided = prior.get(hotkey).filter(|build| build.status.is_terminal());
            (
                hotkey.clone(),
                decided
                    .cloned()
                    .unwrap_or_else(|| pending_build(submission)),
            )
        })
        .collect()
}

/// Brings every undecided build up to what `run` shows.
///
/// `past_deadline`: whether `BUILD_TIMEOUT` has passed since the run was found. A build that has not ended by then is
/// `timed_out`, but only by a job list that could be read: an outage of ours or of GitHub's times nobody out.
/// `image_format`: `DOCKER_IMAGE_FORMAT`.
pub fn update_builds(
    builds: &Builds,
    run: &RunView,
    past_deadline: bool,
    image_format: &str,
) -> Builds {
    let RunView::Jobs { jobs, run_complete } = run else {
        return builds.clone();
    };
    builds
        .iter()
        .map(|(hotkey, build)| {
            if build.status.is_terminal() {
                return (hotkey.clone(), build.clone());
            }
            let job = jobs
                .iter()
                .find(|job| hotkey_of_job(&job.name) == Some(hotkey.as_str()));
            let status = match job {
                Some(job) => status_of_job(&job.status, job.conclusion.as_deref()),
                None if *run_complete => BuildStatus::NotFound,
                None => BuildStatus::Pending,
            };
            let status = if past_deadline && !status.is_terminal() {
                BuildStatus::TimedOut
            } else {
                status
            };
            (
                hotkey.clone(),
                with_status(hotkey, build, status, image_format),
            )
        })
        .collect()
}

/// Whether every build is decided.
pub fn all_decided(builds: &Builds) -> bool {
    builds.values().all(|build| build.status.is_terminal())
}

/// The hotkey a job belongs to; none for other jobs.
pub fn hotkey_of_job(name: &str) -> Option<&str> {
    name.strip_prefix(JOB_NAME_PREFIX)?.strip_suffix(')')
}

/// The status of a build from its job. The conclusion counts before the status; conclusions that decide nothing
/// (`neutral`, `stale`, unknown ones) leave it pending.
pub fn status_of_job(status: &str, conclusion: Option<&str>) -> BuildStatus {
    match conclusion {
        Some("success") => BuildStatus::Success,
        Some("failure" | "cancelled" | "skipped" | "timed_out" | "action_required") => {
            BuildStatus::Failure
        }
        _ if status == "in_progress" => BuildStatus::InProgress,
        _ => BuildStatus::Pending,
    }
}

fn with_status(hotkey: &Hotkey, build: &Build, status: BuildStatus, image_format: &str) -> Build {
    let docker_image =
        (status == BuildStatus::Success).then(|| Build::image_of(image_format, hotkey, &build.tag));
    Build {
        status,
        docker_image,
        ..build.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use schema::StateFile;

    use super::*;

    fn submissions() -> Submissions {
        let bytes = include_bytes!(
            "../../../schema/tests/fixtures/competition-0/rounds/0/submissions.json"
        );
        Submissions::parse("submissions.json", bytes).unwrap()
    }

    fn published() -> Builds {
        Builds::parse(
            "builds.json",
            include_bytes!("../../../schema/tests/fixtures/competition-0/rounds/0/builds.json"),
        )
        .unwrap()
    }

    fn job(hotkey: &str, status: &str, conclusion: Option<&str>) -> Job {
        Job {
            name: format!("{JOB_NAME_PREFIX}{hotkey})"),
            status: status.into(),
            conclusion: conclusion.map(str::to_owned),
        }
    }

    fn started() -> Builds {
        start_builds(&submissions(), &Builds::default())
    }

    fn first() -> Hotkey {
        submissions().keys().next().unwrap().clone()
    }

    fn status_after(jobs: Vec<Job>, run_complete: bool, past_deadline: bool) -> BuildStatus {
        let run = RunView::Jobs { jobs, run_complete };
        update_builds(&started(), &run, past_deadline, Build::DEFAULT_IMAGE_FORMAT)[&first()].status
    }

    #[test]
    fn the_published_builds_follow_from_the_conclusions_of_their_jobs() {
        let published = published();
        let jobs = published
            .iter()
            .map(|(hotkey, build)| {
                let conclusion = if build.status == BuildStatus::Success {
                    "success"
                } else {
                    "failure"
                };
                job(hotkey.as_str(), "completed", Some(conclusion))
            })
            .collect();
        let run = RunView::Jobs {
            jobs,
            run_complete: true,
        };
        let builds = update_builds(&started(), &run, false, Build::DEFAULT_IMAGE_FORMAT);
        assert_eq!(builds, published);
        assert!(all_decided(&builds));
    }

    #[test]
    fn conclusions_count_before_statuses() {
        use BuildStatus::{Failure, InProgress, Pending, Success};
        for (status, conclusion, expected) in [
            ("completed", Some("success"), Success),
            ("in_progress", Some("success"), Success),
            ("completed", Some("failure"), Failure),
            ("completed", Some("cancelled"), Failure),
            ("completed", Some("skipped"), Failure),
            ("completed", Some("timed_out"), Failure),
            ("completed", Some("action_required"), Failure),
            ("in_progress", None, InProgress),
            ("queued", None, Pending),
            ("waiting", None, Pending),
            ("completed", Some("neutral"), Pending),
            ("completed", Some("stale"), Pending),
            ("completed", None, Pending),
        ] {
            assert_eq!(
                status_of_job(status, conclusion),
                expected,
                "{status} {conclusion:?}"
            );
        }
    }

    /// What froze all 23 builds of a real round: the run existed, its matrix jobs did not yet.
    #[test]
    fn a_missing_job_means_nothing_while_the_run_is_going_on() {
        let setup = Job {
            name: "setup".into(),
            status: "in_progress".into(),
            conclusion: None,
        };
        assert_eq!(
            status_after(vec![setup.clone()], false, false),
            BuildStatus::Pending
        );
        assert_eq!(status_after(vec![], false, false), BuildStatus::Pending);
        assert_eq!(
            status_after(vec![setup], true, false),
            BuildStatus::NotFound
        );
    }

    #[test]
    fn a_job_list_that_could_not_be_read_decides_nothing_not_even_a_timeout() {
        for past_deadline in [false, true] {
            let builds = update_builds(
                &started(),
                &RunView::Unknown,
                past_deadline,
                Build::DEFAULT_IMAGE_FORMAT,
            );
            assert_eq!(builds, started());
        }
    }

    #[test]
    fn builds_still_running_at_the_deadline_are_timed_out() {
        let running = || vec![job(first().as_str(), "in_progress", None)];
        assert_eq!(
            status_after(running(), false, false),
            BuildStatus::InProgress
        );
        assert_eq!(status_after(running(), false, true), BuildStatus::TimedOut);
        let done = vec![job(first().as_str(), "completed", Some("success"))];
        assert_eq!(status_after(done, false, true), BuildStatus::Success);
    }

    #[test]
    fn decided_builds_stay_as_they_are() {
        let mut prior = published();
        prior.get_mut(&first()).unwrap().docker_image = Some("typed/by:hand".into());
        let extra = prior[&first()].clone();
        prior.insert(Hotkey::new("5Extra"), extra);
        let second = prior.keys().nth(1).unwrap().clone();
        prior.get_mut(&second).unwrap().status = BuildStatus::InProgress;

        let builds = start_builds(&submissions(), &prior);
        assert_eq!(
            builds[&first()].docker_image.as_deref(),
            Some("typed/by:hand")
        );
        assert_eq!(
            (builds[&second].status, &builds[&second].docker_image),
            (BuildStatus::Pending, &None)
        );
        assert!(
            builds.keys().eq(submissions().keys()),
            "same hotkeys, same order, no extra one"
        );

        let run = RunView::Jobs {
            jobs: vec![job(first().as_str(), "completed", Some("failure"))],
            run_complete: false,
        };
        let updated = update_builds(&builds, &run, true, Build::DEFAULT_IMAGE_FORMAT);
        assert_eq!(
            updated[&first()].docker_image.as_deref(),
            Some("typed/by:hand")
        );
    }

    #[test]
    fn the_tag_and_image_are_lower_case_and_made_of_commit_round_and_hotkey() {
        let format = "Registry.example/{hotkey10}:{tag}";
        let run = RunView::Jobs {
            jobs: vec![job(first().as_str(), "completed", Some("success"))],
            run_complete: false,
        };
        let build = update_builds(&started(), &run, false, format)[&first()].clone();
        let image = format!(
            "registry.example/{}:{}",
            first().short().to_lowercase(),
            build.tag
        );
        assert_eq!(build.docker_image, Some(image));
        assert_eq!(build.tag, format!("{}-mesh-0", build.commit.short()));
    }

    #[test]
    fn only_exactly_named_jobs_belong_to_a_hotkey() {
        assert_eq!(
            hotkey_of_job("Bake and push images to Google Cloud (5Abc)"),
            Some("5Abc")
        );
        for other in [
            "setup",
            "Bake and push images to Google Cloud",
            "x Bake and push images to Google Cloud (5Abc)",
        ] {
            assert_eq!(hotkey_of_job(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn an_image_is_named_exactly_for_successes_and_nothing_decided_is_undone(
            outcomes in proptest::collection::vec((0_usize..6, any::<bool>()), 45), complete: bool, deadline: bool,
        ) {
            let conclusions = [Some("success"), Some("failure"), Some("stale"), None];
            let jobs: Vec<Job> = submissions()
                .keys()
                .zip(&outcomes)
                .filter_map(|(hotkey, (outcome, running))| {
                    let status = if *running { "in_progress" } else { "queued" };
                    Some(job(hotkey.as_str(), status, *conclusions.get(*outcome)?))
                })
                .collect();
            let run = RunView::Jobs { jobs, run_complete: complete };
            let once = update_builds(&started(), &run, deadline, Build::DEFAULT_IMAGE_FORMAT);
            for build in once.values() {
                prop_assert_eq!(build.docker_image.is_some(), build.status == BuildStatus::Success);
            }
            prop_assert!(!deadline || all_decided(&once));
            let empty = RunView::Jobs { jobs: vec![], run_complete: true };
            let twice = update_builds(&once, &empty, true, Build::DEFAULT_IMAGE_FORMAT);
            for (hotkey, build) in &once {
                prop_assert!(!build.status.is_terminal() || twice[hotkey] == *build);
            }
        }
    }
}
