//! Which commits a service made, which a person, and what their signatures are worth.
//!
//! A reference service commits under a person's name, so only the wording tells: every line of the message is one of the
//! published texts, and the commit touches only files that those texts name. Assize's commits carry `Assize-Step`.
//!
//! Source: "Commit messages" of the state repository's specification.

use std::collections::BTreeMap;

use git2::Repository;
use schema::RoundNumber;
use schema::paths::classify;

use super::checks::files::round_of;
use super::code::{Code, Severity};
use super::history::{CommitRecord, History, PathChange};
use super::report::Record;
use super::shape::Shape;
use super::source::read_blob;
use crate::repository::{CommitSignature, Owner, SIGNERS_PATH, owner_of, signature_of_commit};

/// At most this many paths are named in one message.
const NAMED_PATHS: usize = 6;

/// Who made a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Assize,
    Service,
    Person,
}

/// Checks authors, shapes and signatures of all commits. `keys`: the published public keys.
pub(super) fn check(
    repository: &Repository,
    history: &History,
    keys: &[String],
    record: &mut Record,
) {
    let makers: Vec<Maker> = history.commits.iter().map(maker).collect();
    let first_service = makers.iter().position(|maker| *maker != Maker::Person);
    let mut authors: BTreeMap<&str, usize> = BTreeMap::new();
    for (commit, maker) in history.commits.iter().zip(&makers) {
        if *maker == Maker::Service {
            *authors.entry(commit.email.as_str()).or_default() += 1;
        }
    }
    let usual = authors
        .iter()
        .max_by_key(|(_, count)| **count)
        .map(|(email, _)| *email);
    for (email, count) in authors.iter().filter(|(email, _)| Some(**email) != usual) {
        record.find(
            Code::OtherAuthor,
            None,
            None,
            format!(
                "{count} commits with a service's wording are by {email}, the others by {}: a service ran under another \
                 name, or somebody used its wording",
                usual.unwrap_or_default()
            ),
        );
    }
    for (index, (commit, maker)) in history.commits.iter().zip(&makers).enumerate() {
        let is_setup = first_service.is_none_or(|first| index < first);
        // The oldest commit of a shallow clone was not compared.
        if *maker == Maker::Person && !commit.changes.is_empty() {
            by_hand(repository, commit, is_setup, record);
        }
    }
    signatures(repository, history, &makers, keys, record);
}

fn by_hand(repository: &Repository, commit: &CommitRecord, is_setup: bool, record: &mut Record) {
    let of_services: Vec<&PathChange> = commit
        .changes
        .iter()
        .filter(|change| {
            let before = change.before.and_then(|blob| read_blob(repository, blob));
            owner_of(&change.path, before.as_deref()) == Owner::Assize
        })
        .collect();
    let rounds: Vec<RoundNumber> = commit
        .changes
        .iter()
        .filter_map(|change| round_of(&classify(&change.path)?))
        .collect();
    let round = rounds
        .first()
        .copied()
        .filter(|first| rounds.iter().all(|round| round == first));
    let (code, severity, named) = if is_setup || of_services.is_empty() {
        (
            Code::PeopleEdit,
            Severity::Note,
            commit.changes.iter().collect(),
        )
    } else {
        (Code::HandEdit, Severity::Warning, of_services)
    };
    let what = if is_setup {
        "set up"
    } else {
        "changed by hand"
    };
    let message = format!(
        "{} ({}) {what}: {}",
        commit.subject(),
        commit.author,
        list(&named)
    );
    let path = (commit.changes.len() == 1)
        .then(|| commit.changes.first().map(|change| change.path.clone()))
        .flatten();
    record.find_as(
        code,
        severity,
        round,
        path,
        Some(commit.oid.to_string()),
        message,
    );
}

fn list(changes: &[&PathChange]) -> String {
    let verb = |change: &PathChange| match (change.before, change.after) {
        (None, _) => "new ",
        (_, None) => "deleted ",
        _ => "",
    };
    let mut named: Vec<String> = changes
        .iter()
        .take(NAMED_PATHS)
        .map(|change| format!("{}{}", verb(change), change.path))
        .collect();
    if changes.len() > NAMED_PATHS {
        named.push(format!("and {} more", changes.len() - NAMED_PATHS));
    }
    named.join(", ")
}

fn signatures(
    repository: &Repository,
    history: &History,
    makers: &[Maker],
    keys: &[String],
    record: &mut Record,
) {
    let mut any_signed = false;
    for (commit, maker) in history.commits.iter().zip(makers) {
        let Ok(signature) = signature_of_commit(repository, commit.oid) else {
            continue;
        };
        let id = Some(commit.oid.to_string());
        let subject = commit.subject();
        match signature {
            CommitSignature::Valid { public_key } => {
                any_signed = true;
                // People sign with keys of their own, which need not be published.
                let known = keys.contains(&public_key) || *maker != Maker::Assize;
                record.count(Code::SignatureUnknown.area(), None, known);
                if !known {
                    let message = format!(
                        "`{subject}` is signed by a key that is not published in {SIGNERS_PATH}"
                    );
                    record.find_as(
                        Code::SignatureUnknown,
                        Severity::Error,
                        None,
                        None,
                        id,
                        message,
                    );
                }
            }
            CommitSignature::Invalid { reason } => {
                any_signed = true;
                record.count(Code::SignatureInvalid.area(), None, false);
                let message = format!("`{subject}`: {reason}");
                record.find_as(
                    Code::SignatureInvalid,
                    Severity::Error,
                    None,
                    None,
                    id,
                    message,
                );
            }
            CommitSignature::Unsigned if *maker == Maker::Assize && !keys.is_empty() => {
                record.count(Code::SignatureMissing.area(), None, false);
                let message = format!("`{subject}` claims to be Assize's and is not signed");
                record.find_as(
                    Code::SignatureMissing,
                    Severity::Error,
                    None,
                    None,
                    id,
                    message,
                );
            }
            CommitSignature::Unsigned | CommitSignature::OtherKind => {}
        }
    }
    if keys.is_empty() && !any_signed {
        record.find(
            Code::SignatureNone,
            None,
            None,
            format!("no commit is signed and {SIGNERS_PATH} is not published, so authorship rests on names alone"),
        );
    }
}

fn maker(commit: &CommitRecord) -> Maker {
    if commit.assize_step.is_some() {
        return Maker::Assize;
    }
    let lines: Vec<&str> = commit
        .message
        .trim()
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let shapes: Option<Vec<Shape>> = lines.iter().map(|line| Shape::of(line.trim())).collect();
    match shapes {
        Some(shapes) if !shapes.is_empty() => {
            let fits = |change: &PathChange| shapes.iter().any(|shape| shape.allows(&change.path));
            if commit.changes.iter().all(fits) {
                Maker::Service
            } else {
                Maker::Person
            }
        }
        _ => Maker::Person,
    }
}

/// The public keys of an `allowed_signers` file.
pub(super) fn published_keys(allowed_signers: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(allowed_signers);
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| {
            let mut words = line
                .split_whitespace()
                .skip_while(|word| !word.starts_with("ssh-"));
            Some(format!("{} {}", words.next()?, words.next()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_an_allowed_signers_file() {
        let file = b"# comment\nassize@example.org namespaces=\"git\" ssh-ed25519 AAAAC3 comment\n\nbroken line\n";
        assert_eq!(published_keys(file), ["ssh-ed25519 AAAAC3"]);
    }
}
