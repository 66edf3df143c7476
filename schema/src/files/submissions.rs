//! `rounds/{n}/submissions.json`: what miners revealed on chain.

use serde::{Deserialize, Serialize};

use super::macros::map_file;
use crate::format::json;
use crate::{BlockNumber, CommitSha, FileError, Hotkey, IndexMap};

/// `rounds/{n}/submissions.json`. The order decides who challenges first: ascending reveal block, ties as accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Submissions(pub IndexMap<Hotkey, Submission>);

/// What one miner revealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Repository of the solution, `owner/name`.
    pub repo: String,
    /// Commit of the solution.
    pub commit: CommitSha,
    /// Where the miner's modules are, normalised: `{cdn_url}/{stem}.js`.
    pub cdn_url: String,
    /// Block of the reveal.
    pub revealed_at_block: BlockNumber,
    /// `{config.name}-{round}`; suffix of the image tag.
    pub round: String,
}

impl Submissions {
    /// Hotkeys in the order in which they challenge: ascending reveal block, ties in file order.
    pub fn challengers(&self) -> Vec<&Hotkey> {
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_by_key(|(_, submission)| submission.revealed_at_block);
        rows.into_iter().map(|(hotkey, _)| hotkey).collect()
    }
}

map_file!(
    Submissions, Hotkey, Submission, Required,
    refuse: |_: &str, _: &[u8]| Ok::<(), FileError>(()),
    write: json::pretty_ascii
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StateFile, TolerantFile};

    fn submission(repo: &str, block: u64) -> Submission {
        Submission {
            repo: repo.into(),
            commit: "6ff9eb5179c41281d9b61d65bc08383b683cb8a2".into(),
            cdn_url: "https://cdn.example".into(),
            revealed_at_block: BlockNumber(block),
            round: "mesh-0".into(),
        }
    }

    #[test]
    fn non_ascii_characters_are_escaped() {
        let submissions: Submissions = [(Hotkey::new("5A"), submission("é/😀", 1))]
            .into_iter()
            .collect();
        let text = String::from_utf8(submissions.to_bytes()).unwrap();
        assert!(text.contains(r#""repo": "\u00e9/\ud83d\ude00""#), "{text}");
        assert_eq!(
            Submissions::parse("submissions.json", text.as_bytes()).unwrap(),
            submissions
        );
    }

    #[test]
    fn challengers_come_by_block_and_ties_in_file_order() {
        let submissions: Submissions = [("5C", 9), ("5B", 7), ("5A", 7)]
            .map(|(hotkey, block)| (Hotkey::new(hotkey), submission("r", block)))
            .into_iter()
            .collect();
        assert_eq!(
            submissions.challengers(),
            [&Hotkey::new("5B"), &Hotkey::new("5A"), &Hotkey::new("5C")]
        );
    }

    #[test]
    fn a_malformed_row_is_quarantined_and_the_others_are_read() {
        let good = submission("r", 1);
        let body = format!(
            r#"{{"5Good": {}, "5Bad": {{"repo": "r"}}, "5Worse": 3}}"#,
            serde_json::to_string(&good).unwrap()
        );
        let read = Submissions::parse_tolerant("submissions.json", body.as_bytes()).unwrap();
        assert_eq!(read.file.len(), 1);
        assert_eq!(read.file["5Good"], good);
        let rows: Vec<_> = read.problems.iter().map(ToString::to_string).collect();
        assert_eq!(rows[0], "5Bad: missing field `commit`");
        assert!(rows[1].starts_with("5Worse: invalid type"), "{}", rows[1]);
        assert!(Submissions::parse("submissions.json", body.as_bytes()).is_err());
    }
}
