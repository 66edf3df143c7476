//! What a commit adds to the ledger by itself: the attempts that came to its verdicts, results that it replaces, and the
//! checkpoint that closes a round.
//!
//! A step says what it changes without knowing which attempt it is; the rest needs what stands in the repository. So all of
//! it is made when the commit is, not when the step ends. Made again after a lost push it comes out the same.

use schema::{
    RoundNumber,
    paths::{self, LedgerFile, StatePath, classify},
};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use workflow::{
    engine::{self, MirrorChange},
    round::{ledger::Decision, steps::Finalize},
};

use crate::repository::{Change, Checkpoint, MirrorRepository, RepositoryError};

/// How much of a digest tells kept results of one file apart, in hexadecimal digits.
const DIGEST_IN_NAME: usize = 12;

/// Key and attempt of a step.
type Step = (String, i32);

/// Completes the changes of one commit, made by `steps`.
pub(super) fn complete(
    mirror: &MirrorRepository,
    steps: &[Step],
    changes: &mut Vec<(Step, Change)>,
) -> Result<(), RepositoryError> {
    let mut kept = Vec::new();
    for (step, change) in changes.iter_mut() {
        name_attempt(change, step.1);
        if let Change::Put { path, content } = change {
            let more = superseded(mirror, step, path, content)?;
            kept.extend(more.into_iter().map(|change| (step.clone(), change)));
        }
    }
    changes.extend(kept);
    for step in steps {
        if let Some(round) = finalized_round(&step.0) {
            changes.push((step.clone(), checkpoint(mirror, round)?));
        }
    }
    Ok(())
}

/// Says in the line of a verdict which attempt of its step came to it.
fn name_attempt(change: &mut Change, attempt: i32) {
    let Change::AppendLine { path, line } = change else {
        return;
    };
    let is_verdict = match classify(path) {
        Some(StatePath::Ledger { file, .. }) => match file {
            LedgerFile::Duels(_) => true,
            LedgerFile::Decisions => {
                serde_json::from_str::<Decision>(line).is_ok_and(|decision| decision.is_verdict())
            }
            _ => false,
        },
        _ => false,
    };
    if is_verdict && let Ok(mut told) = serde_json::from_str::<Map<String, Value>>(line) {
        told.insert("attempt".to_owned(), attempt.into());
        *line = Value::Object(told).to_string();
    }
}

/// Keeps the measurement that `content` replaces, and says so.
fn superseded(
    mirror: &MirrorRepository,
    (step, attempt): &Step,
    path: &str,
    content: &[u8],
) -> Result<Vec<Change>, RepositoryError> {
    let Some(kind) = classify(path).filter(is_measurement) else {
        return Ok(Vec::new());
    };
    let Some(round) = kind.round() else {
        return Ok(Vec::new());
    };
    let Some(before) = mirror.read(path)?.filter(|before| before != content) else {
        return Ok(Vec::new());
    };
    let sha256 = hex::encode(Sha256::digest(&before));
    let name = path
        .strip_prefix(&format!("rounds/{round}/"))
        .unwrap_or(path)
        .replace('/', "_");
    let file = LedgerFile::Superseded(format!("{}_{name}", &sha256[..DIGEST_IN_NAME]));
    let decision = Decision::Superseded {
        path: path.to_owned(),
        kept_as: file.to_string(),
        sha256,
        step: step.clone(),
        attempt: *attempt,
    };
    let mut kept = vec![Change::Put {
        path: paths::ledger(round, &file),
        content: before,
    }];
    if let MirrorChange::AppendLine { path, line } = decision.append(round) {
        kept.push(Change::AppendLine { path, line });
    }
    Ok(kept)
}

/// Results that are measured once: another content is another measurement.
fn is_measurement(kind: &StatePath) -> bool {
    matches!(
        kind,
        StatePath::DuelsReport { .. } | StatePath::AuditReport { .. } | StatePath::Winner(_)
    )
}

/// The round that a step with this key finalizes.
fn finalized_round(step: &str) -> Option<RoundNumber> {
    let round = step
        .strip_prefix("round/")?
        .strip_suffix(&format!("/{}", <Finalize as engine::Step>::NAME))?;
    round.parse().ok().map(RoundNumber)
}

/// Closes the ledger of a round as it stands now.
fn checkpoint(mirror: &MirrorRepository, round: RoundNumber) -> Result<Change, RepositoryError> {
    let path = paths::ledger(round, &LedgerFile::Checkpoint);
    let folder = format!("rounds/{round}/ledger/");
    let mut files = Vec::new();
    for file in mirror.list(&folder)? {
        if file != path
            && let Some(content) = mirror.read(&file)?
            && let Some(name) = file.strip_prefix(&folder)
        {
            files.push((name.to_owned(), content));
        }
    }
    let previous = match round.previous() {
        Some(previous) => mirror.read(&paths::ledger(previous, &LedgerFile::Checkpoint))?,
        None => None,
    };
    let closed = Checkpoint::close(
        round,
        previous.as_deref(),
        files
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice())),
    );
    let closed = match mirror.signing_key() {
        Some(key) => closed.sign(key)?,
        None => closed,
    };
    Ok(Change::Put {
        path,
        content: closed.to_bytes(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::repository::{SigningKey, testing::World};

    const REPORT: &str = "rounds/0/5A/duels_leader.json";

    fn completed(world: &World, step: &str, change: Change) -> Vec<Change> {
        let mut options = world.options();
        options.signing_key = Some(SigningKey::generate());
        let mirror = MirrorRepository::open_or_clone(options).unwrap();
        let step = (step.to_owned(), 1);
        let mut changes = vec![(step.clone(), change)];
        complete(&mirror, &[step], &mut changes).unwrap();
        changes.into_iter().map(|(_, change)| change).collect()
    }

    fn put(path: &str, content: &str) -> Change {
        Change::Put {
            path: path.to_owned(),
            content: content.into(),
        }
    }

    #[test]
    fn a_result_that_is_measured_again_is_kept_with_its_digest_and_the_step() {
        let world = World::new();
        world.person(&[(REPORT, Some("first"))]);
        let step = "round/0/tournament";
        let changes = completed(&world, step, put(REPORT, "second"));
        let sha256 = hex::encode(Sha256::digest("first"));
        let name = format!("superseded/{}_5A_duels_leader.json", &sha256[..12]);
        assert_eq!(changes[1], put(&format!("rounds/0/ledger/{name}"), "first"));
        let Change::AppendLine { path, line } = &changes[2] else {
            panic!("{changes:?}");
        };
        assert_eq!(path, "rounds/0/ledger/decisions.jsonl");
        let told: Decision = serde_json::from_str(line).unwrap();
        assert_eq!(
            told,
            Decision::Superseded {
                path: REPORT.to_owned(),
                kept_as: name,
                sha256,
                step: step.to_owned(),
                attempt: 1,
            }
        );
    }

    #[test]
    fn the_line_of_a_verdict_names_the_attempt_that_came_to_it_and_other_lines_stay_as_they_are() {
        let world = World::new();
        let mirror = MirrorRepository::open_or_clone(world.options()).unwrap();
        let line = |file: LedgerFile, line: &str| Change::AppendLine {
            path: paths::ledger(RoundNumber(0), &file),
            line: line.to_owned(),
        };
        let duels = || LedgerFile::Duels("match_leader_5A".to_owned());
        let told = r#"{"kind":"winner","winner":"leader","docker_image":"x:1""#;
        let step = ("round/0/match/leader/5A/duel/a/0".to_owned(), 3);
        let lines = [
            line(duels(), r#"{"input":{"seed":1.0},"output":{}}"#),
            line(LedgerFile::Decisions, &format!("{told}}}")),
            line(
                LedgerFile::Decisions,
                r#"{"kind":"judging_rules","rules":{}}"#,
            ),
            line(LedgerFile::Artifacts, r#"{"kind":"module"}"#),
        ];
        let mut changes = lines.clone().map(|line| (step.clone(), line)).to_vec();
        complete(&mirror, &[step], &mut changes).unwrap();
        let [_, _, rules, artifact] = lines;
        let expected = [
            line(duels(), r#"{"input":{"seed":1.0},"output":{},"attempt":3}"#),
            line(LedgerFile::Decisions, &format!(r#"{told},"attempt":3}}"#)),
            rules,
            artifact,
        ];
        assert_eq!(
            changes
                .into_iter()
                .map(|(_, change)| change)
                .collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn the_same_result_again_and_files_that_are_no_measurement_add_nothing() {
        let world = World::new();
        world.person(&[(REPORT, Some("first"))]);
        for change in [put(REPORT, "first"), put("leader.json", "[1]")] {
            let changes = completed(&world, "round/0/tournament", change.clone());
            assert_eq!(changes, [change]);
        }
    }

    #[test]
    fn the_commit_that_ends_a_round_closes_its_ledger_with_a_signed_checkpoint() {
        let world = World::new();
        world.person(&[
            ("rounds/3/ledger/decisions.jsonl", Some("{}\n")),
            (
                "rounds/3/ledger/duels/match_leader_5A.jsonl",
                Some("{}\n{}\n"),
            ),
            ("rounds/2/ledger/checkpoint.json", Some("before")),
        ]);
        let changes = completed(&world, "round/3/finalize", put("state.json", "{}"));
        let Some(Change::Put { path, content }) = changes.last() else {
            panic!("{changes:?}");
        };
        assert_eq!(path, "rounds/3/ledger/checkpoint.json");
        let checkpoint: Checkpoint = serde_json::from_slice(content).unwrap();
        let lines: Vec<(&str, usize)> = checkpoint
            .files
            .iter()
            .map(|(name, end)| (name.as_str(), end.lines))
            .collect();
        assert_eq!(
            lines,
            [("decisions.jsonl", 1), ("duels/match_leader_5A.jsonl", 2)]
        );
        assert!(checkpoint.signature.is_some() && checkpoint.follows(Some(b"before")));
        let problems = checkpoint.problems(|name| match name {
            "decisions.jsonl" => Some(b"{}\n"),
            _ => Some(b"{}\n{}\n"),
        });
        assert_eq!(problems, []);
    }

    #[test]
    fn only_the_step_that_ends_a_round_closes_its_ledger() {
        assert_eq!(finalized_round("round/12/finalize"), Some(RoundNumber(12)));
        for step in [
            "round/12/declare",
            "round/finalize",
            "round/x/finalize",
            "finalize",
        ] {
            assert_eq!(finalized_round(step), None, "{step}");
        }
    }
}
