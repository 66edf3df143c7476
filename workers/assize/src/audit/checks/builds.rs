//! Images against submissions.
//!
//! Source: "Schemas" 7.8 and "Invariants that hold in the real data" 3 and 4 of the state repository's specification.

use std::collections::HashSet;

use schema::files::{Build, BuildStatus, Builds};
use schema::{Hotkey, IndexMap, RoundNumber, paths};

use super::super::code::Code;
use super::super::model::RoundFiles;
use super::super::report::Record;

/// Checks that builds are those of the submissions and name the images they must.
pub(in super::super) fn check(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    let (Some(builds), Some(submissions)) = (&files.builds, &files.submissions) else {
        return;
    };
    let path = paths::builds(round);
    let same_keys = builds.keys().eq(submissions.keys());
    record.expect(
        same_keys,
        Code::BuildsSubmissions,
        Some(round),
        &path,
        || {
            let missing = submissions
                .keys()
                .filter(|hotkey| !builds.contains_key(*hotkey))
                .count();
            let strange = builds
                .keys()
                .filter(|hotkey| !submissions.contains_key(*hotkey))
                .count();
            match (missing, strange) {
                (0, 0) => "the builds stand in another order than the submissions".to_owned(),
                _ => format!(
                    "{missing} submissions have no build, {strange} builds have no submission"
                ),
            }
        },
    );
    shared(round, builds, record);
    for (hotkey, build) in builds {
        if let Some(submission) = submissions.get(hotkey) {
            let same = build.repo == submission.repo
                && build.commit == submission.commit
                && build.revealed_at_block == submission.revealed_at_block;
            record.expect(same, Code::BuildsSubmissions, Some(round), &path, || {
                format!(
                    "the build of {hotkey} is of {} at {}, not of what was submitted",
                    build.repo, build.commit
                )
            });
            let tag = Build::tag_of(&submission.commit, &submission.round);
            record.expect(
                build.tag == tag,
                Code::BuildsTag,
                Some(round),
                &path,
                || {
                    format!(
                        "the build of {hotkey} has the tag `{}`, not `{tag}`",
                        build.tag
                    )
                },
            );
        }
        record.expect(
            is_image_right(hotkey, build),
            Code::BuildsImage,
            Some(round),
            &path,
            || match &build.docker_image {
                Some(image) => format!(
                    "the build of {hotkey} is {} with the image `{image}`",
                    build.status
                ),
                None => format!("the build of {hotkey} succeeded and names no image"),
            },
        );
        if files.winner.is_some() && !build.status.is_terminal() {
            record.find(
                Code::BuildsUndecided,
                Some(round),
                path.clone(),
                format!(
                    "the build of {hotkey} is still {} in a finished round",
                    build.status
                ),
            );
        }
    }
}

/// Names have ten characters of the hotkey and seven of the commit: whoever wants to can make them meet.
fn shared(round: RoundNumber, builds: &Builds, record: &mut Record) {
    let mut by_image: IndexMap<&str, Vec<(&Hotkey, &Build)>> = IndexMap::new();
    for (hotkey, build) in builds {
        if let Some(image) = build.runnable_image() {
            by_image.entry(image).or_default().push((hotkey, build));
        }
    }
    for (image, of) in by_image {
        let sources = of.iter().map(|(_, build)| (&build.repo, &build.commit));
        if sources.collect::<HashSet<_>>().len() > 1 {
            let hotkeys: Vec<&str> = of.iter().map(|(hotkey, _)| hotkey.as_str()).collect();
            record.find(
                Code::BuildsShared,
                Some(round),
                paths::builds(round),
                format!("`{image}` is the image of {}", hotkeys.join(" and of ")),
            );
        }
    }
}

/// An image is there exactly after a success. The registry in front of it may differ, and may have the whole hotkey in its names.
fn is_image_right(hotkey: &Hotkey, build: &Build) -> bool {
    match (&build.docker_image, build.status) {
        (Some(image), BuildStatus::Success) => {
            ["{hotkey10}:{tag}", "{hotkey}:{tag}"].iter().any(|format| {
                let name = Build::image_of(format, hotkey, &build.tag);
                image
                    .strip_suffix(&name)
                    .is_some_and(|registry| registry.is_empty() || registry.ends_with('/'))
            })
        }
        (None, BuildStatus::Success) | (Some(_), _) => false,
        (None, _) => true,
    }
}
