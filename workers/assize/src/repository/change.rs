//! One change of one state file, as a finished step asks for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::patch::{self, NotPatchable};

/// What a step changes in a file. All but `Put` and `Delete` say only which row they mean, so whatever others wrote in the
/// same file meanwhile stays. Applying a change twice is the same as applying it once.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The whole file, byte for byte.
    Put {
        /// Path in the repository.
        path: String,
        /// The bytes to commit.
        content: Vec<u8>,
    },
    /// Sets `key` in a file that is one JSON map. A known key keeps its position, a new one comes last.
    MergeEntry {
        /// Path in the repository.
        path: String,
        /// The map key.
        key: String,
        /// The row.
        value: Value,
    },
    /// Sets an item of a file that is one JSON array. Items are told apart by their field `identity` (`hotkey`). The last
    /// item with the same identity keeps its position, a new one comes last.
    ListItem {
        /// Path in the repository.
        path: String,
        /// Name of the field that identifies an item.
        identity: String,
        /// The item.
        value: Value,
    },
    /// Sets the margin of a pair in a matrix. A known pair keeps its row, a new one comes last.
    MatrixRow {
        /// Path in the repository.
        path: String,
        /// Defender, or `submitted_{r}` and the like in the audit matrix.
        left: String,
        /// Challenger, or the audited miner.
        right: String,
        /// In [−1, 1], positive when the right side is better.
        margin: f64,
    },
    /// Adds a line to a file of lines (JSON Lines), unless the file has exactly this line already.
    AppendLine {
        /// Path in the repository.
        path: String,
        /// Without its line end.
        line: String,
    },
    /// Takes `key` out of a file that is one JSON map.
    RemoveEntry {
        /// Path in the repository.
        path: String,
        /// The map key.
        key: String,
    },
    /// Takes a pair out of a matrix.
    RemoveRow {
        /// Path in the repository.
        path: String,
        /// See `MatrixRow`.
        left: String,
        /// See `MatrixRow`.
        right: String,
    },
    /// Takes the file out of the repository.
    Delete {
        /// Path in the repository.
        path: String,
    },
}

/// A stored change that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("a stored change of kind `{kind}` cannot be read: {expected}")]
pub struct InvalidChange {
    kind: String,
    expected: String,
}

#[derive(Serialize, Deserialize)]
struct EntryRow {
    key: String,
    value: Value,
}

#[derive(Serialize, Deserialize)]
struct ItemRow {
    identity: String,
    value: Value,
}

#[derive(Serialize, Deserialize)]
struct PairRow {
    left: String,
    right: String,
    #[serde(default)]
    margin: Option<f64>,
}

impl Change {
    /// Path in the repository.
    pub fn path(&self) -> &str {
        match self {
            Self::Put { path, .. }
            | Self::MergeEntry { path, .. }
            | Self::ListItem { path, .. }
            | Self::MatrixRow { path, .. }
            | Self::AppendLine { path, .. }
            | Self::RemoveEntry { path, .. }
            | Self::RemoveRow { path, .. }
            | Self::Delete { path } => path,
        }
    }

    /// The word for the kind of change in the outbox.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Put { .. } => "put",
            Self::MergeEntry { .. } => "merge_entry",
            Self::ListItem { .. } => "list_item",
            Self::MatrixRow { .. } => "matrix_row",
            Self::AppendLine { .. } => "append_line",
            Self::RemoveEntry { .. } => "remove_entry",
            Self::RemoveRow { .. } => "remove_row",
            Self::Delete { .. } => "delete",
        }
    }

    /// Everything but kind and path, as the outbox stores it. The form is a contract: rows outlive a deploy.
    pub fn content(&self) -> Vec<u8> {
        match self {
            Self::Put { content, .. } => content.clone(),
            Self::MergeEntry { key, value, .. } => to_json(&EntryRow {
                key: key.clone(),
                value: value.clone(),
            }),
            Self::ListItem {
                identity, value, ..
            } => to_json(&ItemRow {
                identity: identity.clone(),
                value: value.clone(),
            }),
            Self::MatrixRow {
                left,
                right,
                margin,
                ..
            } => to_json(&PairRow {
                left: left.clone(),
                right: right.clone(),
                margin: Some(*margin),
            }),
            Self::RemoveRow { left, right, .. } => to_json(&PairRow {
                left: left.clone(),
                right: right.clone(),
                margin: None,
            }),
            Self::AppendLine { line, .. } => line.clone().into_bytes(),
            Self::RemoveEntry { key, .. } => key.clone().into_bytes(),
            Self::Delete { .. } => Vec::new(),
        }
    }

    /// Reads a change back from its outbox row.
    ///
    /// # Errors
    ///
    /// [`InvalidChange`] when `kind` is unknown or `content` is not what [`Change::content`] wrote for it.
    pub fn from_stored(kind: &str, path: &str, content: &[u8]) -> Result<Self, InvalidChange> {
        let invalid = |expected: String| InvalidChange {
            kind: kind.to_owned(),
            expected,
        };
        let text = || {
            String::from_utf8(content.to_vec())
                .map_err(|error| invalid(format!("expected UTF-8 text ({error})")))
        };
        let pair = || {
            serde_json::from_slice::<PairRow>(content)
                .map_err(|error| invalid(format!("expected left, right and margin ({error})")))
        };
        let path = path.to_owned();
        Ok(match kind {
            "put" => Self::Put {
                path,
                content: content.to_vec(),
            },
            "merge_entry" => {
                let row: EntryRow = serde_json::from_slice(content)
                    .map_err(|error| invalid(format!("expected key and value ({error})")))?;
                Self::MergeEntry {
                    path,
                    key: row.key,
                    value: row.value,
                }
            }
            "list_item" => {
                let row: ItemRow = serde_json::from_slice(content)
                    .map_err(|error| invalid(format!("expected identity and value ({error})")))?;
                Self::ListItem {
                    path,
                    identity: row.identity,
                    value: row.value,
                }
            }
            "matrix_row" => {
                let row = pair()?;
                let margin = row
                    .margin
                    .ok_or_else(|| invalid("expected a margin".to_owned()))?;
                Self::MatrixRow {
                    path,
                    left: row.left,
                    right: row.right,
                    margin,
                }
            }
            "remove_row" => {
                let row = pair()?;
                Self::RemoveRow {
                    path,
                    left: row.left,
                    right: row.right,
                }
            }
            "append_line" => Self::AppendLine {
                path,
                line: text()?,
            },
            "remove_entry" => Self::RemoveEntry { path, key: text()? },
            "delete" => Self::Delete { path },
            _ => return Err(invalid("this program does not know the kind".to_owned())),
        })
    }

    /// The file after the change; `None` is an absent file.
    pub(crate) fn apply(&self, current: Option<&[u8]>) -> Result<Option<Vec<u8>>, NotPatchable> {
        match self {
            Self::Put { content, .. } => Ok(Some(content.clone())),
            Self::MergeEntry { path, key, value } => {
                patch::set_entry(path, current, key, Some(value.clone())).map(Some)
            }
            Self::ListItem {
                path,
                identity,
                value,
            } => patch::set_item(path, current, identity, value).map(Some),
            Self::MatrixRow {
                left,
                right,
                margin,
                ..
            } => patch::set_row(current, left, right, Some(*margin)).map(Some),
            Self::AppendLine { line, .. } => patch::append_line(current, line).map(Some),
            Self::RemoveEntry { path, key } if current.is_some() => {
                patch::set_entry(path, current, key, None).map(Some)
            }
            Self::RemoveRow { left, right, .. } if current.is_some() => {
                patch::set_row(current, left, right, None).map(Some)
            }
            Self::Delete { .. } | Self::RemoveEntry { .. } | Self::RemoveRow { .. } => Ok(None),
        }
    }

    /// The row this change sets, or `None` when it means the whole file. Lines are only ever added, so they meet nothing.
    pub(super) fn row(&self) -> Row {
        match self {
            Self::Put { .. } | Self::Delete { .. } => Row::WholeFile,
            Self::MergeEntry { key, .. } | Self::RemoveEntry { key, .. } => Row::Named(key.clone()),
            Self::ListItem {
                identity, value, ..
            } => Row::Named(patch::identity_of(value, identity).unwrap_or_default()),
            Self::MatrixRow { left, right, .. } | Self::RemoveRow { left, right, .. } => {
                Row::Named(patch::pair_name(left, right))
            }
            Self::AppendLine { .. } => Row::NewLine,
        }
    }
}

/// Which part of a file a change means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    WholeFile,
    Named(String),
    NewLine,
}

fn to_json(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).expect("rows of strings and finite numbers are always JSON")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_change_comes_back_from_the_outbox_as_it_went_in() {
        let path = "rounds/0/file".to_owned();
        let changes = [
            Change::Put {
                path: path.clone(),
                content: vec![0, 255, 10],
            },
            Change::MergeEntry {
                path: path.clone(),
                key: "a".into(),
                value: json!({"z": 1.0, "a": null}),
            },
            Change::ListItem {
                path: path.clone(),
                identity: "hotkey".into(),
                value: json!({"hotkey": "5x"}),
            },
            Change::MatrixRow {
                path: path.clone(),
                left: "leader".into(),
                right: "5x".into(),
                margin: -0.0078125,
            },
            Change::AppendLine {
                path: path.clone(),
                line: "{\"a\":1}".into(),
            },
            Change::RemoveEntry {
                path: path.clone(),
                key: "é".into(),
            },
            Change::RemoveRow {
                path: path.clone(),
                left: "leader".into(),
                right: "5x".into(),
            },
            Change::Delete { path: path.clone() },
        ];
        for change in changes {
            let stored =
                Change::from_stored(change.kind(), change.path(), &change.content()).unwrap();
            assert_eq!(stored, change);
        }
    }

    #[test]
    fn a_change_of_an_unknown_kind_is_refused_with_its_name() {
        let error = Change::from_stored("rename", "a", b"").unwrap_err();
        assert!(error.to_string().contains("`rename`"), "{error}");
    }
}
