//! What a contested file becomes when an operator has decided.
//!
//! Both ways keep what the decision is not about: rows that Assize wrote beside the edit, before or after it.

use super::change::{Change, Row};
use super::conflict::{Contested, Touched};
use super::patch;

/// Changes that take a rejected edit back. The rows (or the whole file) it touched stand again as before the edit; what
/// Assize has written in other rows since stays. The held changes are to be made after them.
///
/// - `before`: the file before the edit; `theirs`: as it was edited; `now`: as it stands.
pub fn after_rejection(
    contested: &Contested,
    before: Option<&[u8]>,
    theirs: Option<&[u8]>,
    now: Option<&[u8]>,
) -> Vec<Change> {
    let path = &contested.path;
    let restored = if patch::extension(path) == "jsonl" {
        Some(without_their_lines(
            before.unwrap_or_default(),
            theirs.unwrap_or_default(),
            now.unwrap_or_default(),
        ))
        .filter(|lines| !lines.is_empty() || before.is_some())
    } else {
        let later = patch::rows_changed(path, theirs, now).unwrap_or_default();
        match &contested.touched {
            Touched::Rows(touched) if !later.is_empty() => {
                let ours = later.difference(touched).cloned().collect();
                patch::with_rows_of(path, before, now, &ours).or_else(|| before.map(<[u8]>::to_vec))
            }
            _ => before.map(<[u8]>::to_vec),
        }
    };
    vec![match restored {
        Some(content) => Change::Put {
            path: path.clone(),
            content,
        },
        None => Change::Delete { path: path.clone() },
    }]
}

/// What is left of the held changes when the edit is accepted: nothing of the rows it touched, everything else.
///
/// - `theirs`: the file as it was edited.
pub fn after_acceptance(
    contested: &Contested,
    theirs: Option<&[u8]>,
    held: Vec<Change>,
) -> Vec<Change> {
    let Touched::Rows(touched) = &contested.touched else {
        return Vec::new();
    };
    held.into_iter()
        .filter_map(|change| match (change.row(), change) {
            (Row::WholeFile, Change::Put { path, content }) => {
                let content = patch::with_rows_of(&path, Some(&content), theirs, touched)?;
                Some(Change::Put { path, content })
            }
            (Row::WholeFile, _) => None,
            (Row::Named(row), change) => (!touched.contains(&row)).then_some(change),
            (Row::NewLine, change) => Some(change),
        })
        .collect()
}

/// Files of lines: those before the edit, and those that were added since by nobody but us.
fn without_their_lines(before: &[u8], theirs: &[u8], now: &[u8]) -> Vec<u8> {
    let lines = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (mut kept, theirs) = (lines(before), lines(theirs));
    kept.extend(lines(now).into_iter().filter(|line| !theirs.contains(line)));
    kept.iter()
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Owner;
    use super::*;

    fn contested(path: &str, before: &[u8], theirs: &[u8]) -> Contested {
        Contested {
            path: path.to_owned(),
            owner: Owner::Assize,
            commit: "1".repeat(40),
            touched: Touched::between(path, Some(before), Some(theirs)),
            before: None,
        }
    }

    fn rejected(path: &str, before: &str, theirs: &str, now: &str) -> String {
        let edit = contested(path, before.as_bytes(), theirs.as_bytes());
        let changes = after_rejection(
            &edit,
            Some(before.as_bytes()),
            Some(theirs.as_bytes()),
            Some(now.as_bytes()),
        );
        match &changes[..] {
            [Change::Put { content, .. }] => String::from_utf8(content.clone()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rejected_file_is_again_as_it_was_byte_for_byte() {
        let before = "{\"b\": 1,\n \"a\": 2}";
        assert_eq!(
            rejected("rounds/0/builds.json", before, "{\"a\": 3}", "{\"a\": 3}"),
            before
        );
    }

    #[test]
    fn rows_that_assize_wrote_beside_a_rejected_edit_stay() {
        let restored = rejected(
            "rounds/0/builds.json",
            r#"{"a": 1, "b": 1}"#,
            r#"{"a": 9, "b": 1}"#,
            r#"{"a": 9, "b": 2, "c": 3}"#,
        );
        let restored: serde_json::Value = serde_json::from_str(&restored).unwrap();
        assert_eq!(restored, serde_json::json!({"a": 1, "b": 2, "c": 3}));
        assert_eq!(
            rejected(
                "rounds/0/matches_matrix.csv",
                "left,right,margin\nleader,a,0.5\nleader,b,0.25",
                "left,right,margin\nleader,a,-0.5\nleader,b,0.25\nleader,x,1.0",
                "left,right,margin\nleader,a,-0.5\nleader,b,0.25\nleader,x,1.0\na,c,0.0",
            ),
            "left,right,margin\nleader,a,0.5\nleader,b,0.25\na,c,0.0"
        );
    }

    #[test]
    fn lines_that_others_added_to_a_ledger_are_taken_out_and_ours_stay() {
        let path = "rounds/0/ledger/decisions.jsonl";
        assert_eq!(
            rejected(path, "1\n2\n", "1\n2\nx\n", "1\n2\nx\n3\n"),
            "1\n2\n3\n"
        );
        assert_eq!(rejected(path, "1\n2\n", "2\n", "2\n"), "1\n2\n");
    }

    #[test]
    fn a_file_that_was_not_there_is_taken_out_again() {
        let edit = contested("rounds/0/winner.json", b"", b"{}");
        let changes = after_rejection(&edit, None, Some(b"{}"), Some(b"{}"));
        assert!(
            matches!(&changes[..], [Change::Delete { .. }]),
            "{changes:?}"
        );
    }

    #[test]
    fn of_what_was_held_all_but_the_accepted_rows_is_made() {
        let path = "rounds/0/builds.json";
        let theirs = br#"{"a": 9}"#;
        let edit = contested(path, br#"{"a": 1}"#, theirs);
        let entry = |key: &str| Change::MergeEntry {
            path: path.to_owned(),
            key: key.to_owned(),
            value: serde_json::json!(2),
        };
        let whole = Change::Put {
            path: path.to_owned(),
            content: br#"{"a": 2, "b": 2}"#.to_vec(),
        };
        let made = after_acceptance(&edit, Some(theirs), vec![entry("a"), entry("b"), whole]);
        assert_eq!(made[0], entry("b"));
        let Change::Put { content, .. } = &made[1] else {
            panic!("{made:?}")
        };
        assert_eq!(content, b"{\n  \"a\": 9,\n  \"b\": 2\n}");
        assert_eq!(made.len(), 2);
    }

    #[test]
    fn an_accepted_whole_file_leaves_nothing_of_ours_to_make() {
        let edit = Contested {
            touched: Touched::WholeFile,
            ..contested("rounds/0/prompts.txt", b"a", b"b")
        };
        let held = Change::Put {
            path: edit.path.clone(),
            content: b"c".to_vec(),
        };
        assert_eq!(after_acceptance(&edit, Some(b"b"), vec![held]), []);
    }
}
