//! Whether an edit of a file that people own can be in force: pure, so that the command line can ask too.

use std::collections::BTreeSet;

use schema::{
    Hotkey, Problem, StateFile as _, Stem, TolerantFile as _,
    files::{Config, Prompts, SourceAudits, State},
    paths::{StatePath, classify},
};
use url::Url;
use workflow::rules::prompts::colliding_stems;

/// Problems that are told of one edit; more are only counted.
const TOLD: usize = 20;

/// What of an edit can be in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// All of it.
    Whole(Vec<u8>),
    /// What is left without the rows that cannot be read.
    Partly {
        /// The file without them.
        content: Vec<u8>,
        /// What is wrong with them, a sentence each.
        problems: Vec<String>,
    },
    /// Nothing: the last valid version stays in force.
    Refused(Vec<String>),
}

/// Checks an edit of a file that people own.
///
/// - `content`: the file as it was edited; `None` when it was deleted.
/// - `in_force`: the version in force until now.
///
/// `config.json`, `state.json` and the pool of prompts are in force as a whole or not at all: the public record must follow
/// from the files as they stand. Of `source_audit.json` each row counts by itself. A row that became unreadable does not take
/// away what the same miner's last readable row said.
pub fn check(path: &str, content: Option<&[u8]>, in_force: Option<&[u8]>) -> Checked {
    match (classify(path), content) {
        (Some(StatePath::SourceAudit(_)), content) => {
            source_audits(path, content.unwrap_or_default(), in_force)
        }
        (Some(StatePath::HandMade(_)), content) => {
            Checked::Whole(content.unwrap_or_default().to_vec())
        }
        (_, None) => Checked::Refused(vec![format!(
            "{path} was deleted; nothing works without it"
        )]),
        (Some(StatePath::Config), Some(content)) => whole(content, config(path, content)),
        (Some(StatePath::PromptPool), Some(content)) => whole(content, prompts(path, content)),
        (Some(StatePath::State), Some(content)) => whole(
            content,
            State::parse(path, content)
                .map(drop)
                .map_err(|error| vec![error.to_string()]),
        ),
        _ => Checked::Refused(vec![format!("{path} is not a file that people own")]),
    }
}

fn whole(content: &[u8], checked: Result<(), Vec<String>>) -> Checked {
    match checked {
        Ok(()) => Checked::Whole(content.to_vec()),
        Err(mut problems) => {
            shorten(&mut problems);
            Checked::Refused(problems)
        }
    }
}

fn config(path: &str, content: &[u8]) -> Result<(), Vec<String>> {
    let config = Config::parse(path, content).map_err(|error| vec![error.to_string()])?;
    let problems = config.problems();
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems
        .into_iter()
        .map(|problem| format!("{path}: {problem}"))
        .collect())
}

fn prompts(path: &str, content: &[u8]) -> Result<(), Vec<String>> {
    let pool = Prompts::parse(path, content).map_err(|error| vec![error.to_string()])?;
    let mut problems = Vec::new();
    if pool.is_empty() {
        problems.push(format!("{path}: expected at least one prompt, found none"));
    }
    for (index, url) in pool.urls().iter().enumerate() {
        let is_web = Url::parse(url)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_web || Stem::of_url(url).as_str().is_empty() {
            problems.push(format!(
                "{path}: prompt {}: expected the address of an image, found `{url}`",
                index + 1
            ));
        }
    }
    for stem in colliding_stems(pool.urls()) {
        problems.push(format!(
            "{path}: expected file names to differ, found `{stem}` more than once; its outputs would overwrite each other"
        ));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn source_audits(path: &str, content: &[u8], in_force: Option<&[u8]>) -> Checked {
    let read = match SourceAudits::parse_tolerant(path, content) {
        Ok(read) => read,
        Err(error) => return Checked::Refused(vec![error.to_string()]),
    };
    if read.problems.is_empty() {
        return Checked::Whole(content.to_vec());
    }
    let mut audits = read.file;
    let mut problems = Vec::new();
    let mut kept = BTreeSet::new();
    let before = in_force.and_then(|before| SourceAudits::parse(path, before).ok());
    for problem in &read.problems {
        problems.push(format!("{path}: row {problem}"));
        let hotkey = problem.found["hotkey"].as_str().map(Hotkey::new);
        let last_readable = hotkey.and_then(|hotkey| before.as_ref()?.of(&hotkey).cloned());
        // A readable row of this edit says more than the version before it.
        if let Some(row) = last_readable
            && audits.of(&row.hotkey).is_none()
            && kept.insert(row.hotkey.clone())
        {
            problems.push(format!(
                "{path}: the last readable row of {} stays in force",
                row.hotkey
            ));
            audits.0.push(row);
        }
    }
    shorten(&mut problems);
    Checked::Partly {
        content: audits.to_bytes(),
        problems,
    }
}

fn shorten(problems: &mut Vec<String>) {
    if problems.len() > TOLD {
        let more = problems.len() - TOLD;
        problems.truncate(TOLD);
        problems.push(format!("and {more} more"));
    }
}

/// Whether a file that Assize owns can be in force as somebody edited it.
///
/// # Errors
///
/// One sentence with path, line and what was expected.
pub fn check_owned(path: &str, content: Option<&[u8]>) -> Result<(), String> {
    let Some(content) = content else {
        return Ok(());
    };
    match schema::Document::parse(path, content) {
        Ok(_) => Ok(()),
        // Notes beside the state are nobody's business.
        Err(error) if error.problem == Problem::UnknownPath => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const CONFIG: &str = r#"{"name": "mesh", "description": "d", "first_evaluation_date": "2026-02-02",
        "last_competition_date": "2027-01-26", "generation_stage_minutes": 120, "win_margin": 0.05, "weight_decay": 0.2,
        "weight_floor": 0.2, "prompts_per_round": 128, "carryover_prompts": 32}"#;

    fn refused(path: &str, content: &str) -> String {
        match check(path, Some(content.as_bytes()), None) {
            Checked::Refused(problems) => problems.join("\n"),
            other => panic!("{path} {content}: {other:?}"),
        }
    }

    #[test]
    fn a_good_edit_is_in_force_as_it_stands() {
        for (path, content) in [
            ("config.json", CONFIG),
            (
                "prompts.txt",
                "https://a.example/1.png\n\nhttps://a.example/2.png\n",
            ),
            ("rounds/3/source_audit.json", ""),
            ("rounds/3/source_audit.json", "[ ]"),
            ("state.json", r#"{"current_round": 3, "stage": "paused"}"#),
            (".github/workflows/build-and-push.yml", "on: push"),
        ] {
            assert_eq!(
                check(path, Some(content.as_bytes()), None),
                Checked::Whole(content.as_bytes().to_vec()),
                "{path}"
            );
        }
        assert_eq!(
            check("rounds/3/source_audit.json", None, Some(b"[]")),
            Checked::Whole(Vec::new())
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_was_expected() {
        assert!(refused("config.json", "{ \"name\": ").starts_with("config.json:1:"));
        let reversed = CONFIG
            .replace("2027-01-26", "2026-01-26")
            .replace("0.05", "5");
        let told = refused("config.json", &reversed);
        assert!(
            told.contains("first_evaluation_date") && told.contains("win_margin is 5"),
            "{told}"
        );
        assert!(
            refused("state.json", r#"{"current_round": 3, "stage": "PAUSED"}"#)
                .contains("expected one of")
        );
        assert!(refused("prompts.txt", "\n").contains("at least one prompt"));
        assert!(refused("prompts.txt", "https://a.example/1.png\nrm -rf /").contains("prompt 2"));
        let twice = "https://a.example/x/1.png\nhttps://a.example/y/1.png";
        assert!(refused("prompts.txt", twice).contains("`1` more than once"));
        for path in ["config.json", "prompts.txt", "state.json"] {
            assert!(
                matches!(check(path, None, None), Checked::Refused(_)),
                "{path}"
            );
        }
    }

    #[test]
    fn a_malformed_row_is_set_aside_and_the_others_are_in_force() {
        let edited = br#"[{"hotkey":"5A","verdict":"passed"},{"hotkey":"5B","verdict":"maybe"},{"verdict":"failed"}]"#;
        let Checked::Partly { content, problems } =
            check("rounds/3/source_audit.json", Some(edited), None)
        else {
            panic!("not partly")
        };
        let audits = SourceAudits::parse("source_audit.json", &content).unwrap();
        assert_eq!(audits.0.len(), 1);
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0].contains("rounds/3/source_audit.json: row [1]"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_row_that_became_unreadable_takes_nothing_away_from_its_miner() {
        let before = br#"[{"hotkey":"5A","verdict":"passed","reason":"clean"}]"#;
        let edited = br#"[{"hotkey":"5A","verdict":"pased"},{"hotkey":"5B","verdict":"failed"}]"#;
        let Checked::Partly { content, .. } =
            check("rounds/3/source_audit.json", Some(edited), Some(before))
        else {
            panic!("not partly")
        };
        let audits = SourceAudits::parse("source_audit.json", &content).unwrap();
        assert_eq!(audits.of(&Hotkey::new("5A")).unwrap().reason, "clean");
        assert!(audits.of(&Hotkey::new("5B")).is_some());
    }

    #[test]
    fn a_file_of_ours_is_checked_before_it_can_be_accepted() {
        assert_eq!(check_owned("rounds/0/winner.json", None), Ok(()));
        assert_eq!(check_owned("notes.md", Some(b"hello")), Ok(()));
        let told = check_owned("rounds/0/builds.json", Some(b"{\n")).unwrap_err();
        assert!(told.starts_with("rounds/0/builds.json:"), "{told}");
    }
}
