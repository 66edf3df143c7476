//! The ledger's lines and checkpoints.

use std::collections::HashMap;

use schema::paths::LedgerFile;
use schema::{RoundNumber, paths};
use serde_json::Value;
use workflow::round::ledger::Artifact;

use super::super::code::Code;
use super::super::model::{Competition, RoundFiles};
use super::super::report::Record;
use crate::clients::registry::is_digest;
use crate::repository::Checkpoint;

/// Checks a round's ledger, if it has one. `keys`: the published public keys.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    keys: &[String],
    record: &mut Record,
) {
    for (name, bytes) in &files.ledger {
        if let Some(problem) = unreadable_line(name, bytes) {
            record.find(
                Code::LedgerUnreadable,
                Some(round),
                format!("rounds/{round}/ledger/{name}"),
                problem,
            );
        }
    }
    artifacts(round, files, record);
    images(round, files, record);
    let path = paths::ledger(round, &LedgerFile::Checkpoint);
    let Some(bytes) = files.ledger.get("checkpoint.json") else {
        if !files.ledger.is_empty()
            && files.winner.is_some()
            && competition.rounds.contains_key(&round.next())
        {
            record.find(
                Code::LedgerOpen,
                Some(round),
                path,
                "the round is finished and no checkpoint closes its ledger",
            );
        }
        return;
    };
    let checkpoint: Checkpoint = match serde_json::from_slice(bytes) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            record.find(
                Code::LedgerUnreadable,
                Some(round),
                path,
                format!("expected a checkpoint: {error}"),
            );
            return;
        }
    };
    let mut expect = |holds: bool, message: String| {
        record.expect(holds, Code::LedgerChain, Some(round), &path, || message);
    };
    let problems = checkpoint.problems(|name| files.ledger.get(name).map(Vec::as_slice));
    expect(
        problems.is_empty(),
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    );
    expect(
        checkpoint.round == round,
        format!("it closes round {}", checkpoint.round),
    );
    let uncovered: Vec<&str> = files
        .ledger
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "checkpoint.json" && !name.starts_with("superseded/"))
        .filter(|name| !checkpoint.files.contains_key(*name))
        .collect();
    expect(
        uncovered.is_empty(),
        format!("it does not cover {}", uncovered.join(", ")),
    );
    let previous = round
        .previous()
        .and_then(|previous| competition.rounds.get(&previous))
        .and_then(|files| files.ledger.get("checkpoint.json"));
    expect(
        checkpoint.follows(previous.map(Vec::as_slice)),
        "it does not follow the checkpoint of the round before".to_owned(),
    );
    if !keys.is_empty() {
        let known = checkpoint.signature.is_some()
            && checkpoint
                .public_key
                .as_ref()
                .is_some_and(|key| keys.contains(key));
        expect(known, "it is not signed by a published key".to_owned());
    }
}

/// Every module that the round's files name has one digest.
fn artifacts(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    let Some(bytes) = files.ledger.get("artifacts.jsonl") else {
        return;
    };
    let mut digests: HashMap<String, Vec<String>> = HashMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let text = |key: &str| line.get(key).and_then(Value::as_str).map(str::to_owned);
        if let (Some("module"), Some(url), Some(digest)) = (
            line.get("kind").and_then(Value::as_str),
            text("url"),
            text("sha256"),
        ) {
            let known = digests.entry(url).or_default();
            if !known.contains(&digest) {
                known.push(digest);
            }
        }
    }
    let outputs = files.submitted.values().chain(files.generated.values());
    let urls: Vec<&String> = outputs
        .flat_map(|outputs| outputs.rows.values())
        .filter_map(|row| row.shown.model.as_ref())
        .collect();
    let with = |count: fn(usize) -> bool| {
        urls.iter()
            .filter(|url| count(digests.get(**url).map_or(0, Vec::len)))
            .count()
    };
    let path = paths::ledger(round, &LedgerFile::Artifacts);
    let missing = with(|count| count == 0);
    record.expect(
        missing == 0,
        Code::LedgerArtifact,
        Some(round),
        &path,
        || {
            format!(
                "{missing} of {} published modules have no digest",
                urls.len()
            )
        },
    );
    let changed = with(|count| count > 1);
    record.expect(changed == 0, Code::LedgerArtifact, Some(round), &path, || {
        format!("{changed} of {} published modules have more than one digest: they changed under the same address", urls.len())
    });
}

/// Every image that the ledger tells of is the one of its build, by one digest.
fn images(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    let Some(bytes) = files.ledger.get("artifacts.jsonl") else {
        return;
    };
    let path = paths::ledger(round, &LedgerFile::Artifacts);
    let mut digests: HashMap<String, String> = HashMap::new();
    let mut unproven = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(Artifact::Image {
            hotkey,
            image,
            digest,
        }) = serde_json::from_slice(line)
        else {
            continue;
        };
        if let Some(builds) = &files.builds {
            let built = builds.get(&hotkey).and_then(|build| build.runnable_image());
            record.expect(
                built == Some(image.as_str()),
                Code::LedgerImage,
                Some(round),
                &path,
                || match built {
                    Some(built) => format!(
                        "the ledger tells of `{image}` for {hotkey}, whose build has `{built}`"
                    ),
                    None => format!(
                        "the ledger tells of `{image}` for {hotkey}, whose build has no image"
                    ),
                },
            );
        }
        let Some(digest) = digest else {
            unproven += 1;
            continue;
        };
        record.expect(
            is_digest(&digest),
            Code::LedgerImage,
            Some(round),
            &path,
            || format!("`{digest}` is no digest of `{image}`"),
        );
        let known = digests
            .entry(image.clone())
            .or_insert_with(|| digest.clone());
        record.expect(
            *known == digest,
            Code::LedgerImage,
            Some(round),
            &path,
            || format!("`{image}` is {known}, and then {digest}: its tag was moved"),
        );
    }
    if unproven > 0 {
        record.find(
            Code::LedgerImageUnproven,
            Some(round),
            path,
            format!("{unproven} images have no digest"),
        );
    }
}

/// The first line that is no JSON.
fn unreadable_line(name: &str, bytes: &[u8]) -> Option<String> {
    if name
        .rsplit_once('.')
        .is_none_or(|(_, extension)| extension != "jsonl")
    {
        return None;
    }
    let content = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if content.is_empty() {
        return None;
    }
    content
        .split(|byte| *byte == b'\n')
        .enumerate()
        .find_map(|(index, line)| {
            let error = serde_json::from_slice::<Value>(line).err()?;
            Some(format!("line {} is no JSON ({error})", index + 1))
        })
}
