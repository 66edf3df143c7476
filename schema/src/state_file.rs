//! What every state file can do: be read from bytes and written to the exact bytes.

use serde_json::Value;

use crate::error::{FileError, Problem};

/// A file of the public state repository.
pub trait StateFile: Sized {
    /// What an absent file means; see [`StateFile::parse_present_or_absent`].
    const ABSENCE: Absence;

    /// Reads the file as the readers in the field do: unknown keys are ignored, missing optional keys take defaults,
    /// integers may be written `3.0` or `"3"`. `path` is only named in errors.
    ///
    /// # Errors
    ///
    /// [`FileError`] with line, column and what was expected.
    fn parse(path: &str, bytes: &[u8]) -> Result<Self, FileError>;

    /// The exact bytes to commit (layout, number and text forms of the specification's "Serialisation").
    fn to_bytes(&self) -> Vec<u8>;

    /// Reads a file that may be absent: `bytes` is `None` when the repository does not hold it.
    ///
    /// - a required file: an error naming it;
    /// - a file that may not be there yet: `None`;
    /// - a collection: the empty collection.
    ///
    /// # Errors
    ///
    /// As [`StateFile::parse`], and [`Problem::Missing`] for an absent required file.
    fn parse_present_or_absent(
        path: &str,
        bytes: Option<&[u8]>,
    ) -> Result<Option<Self>, FileError> {
        match (bytes, Self::ABSENCE) {
            (Some(bytes), _) => Self::parse(path, bytes).map(Some),
            (None, Absence::Required) => Err(FileError::whole_file(path, Problem::Missing)),
            (None, Absence::NotYet) => Ok(None),
            (None, Absence::EmptyCollection) => Self::parse(path, b"").map(Some),
        }
    }
}

/// What it means that a file is not in the repository ("Parse tolerance" in the specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// An error: nothing works without it.
    Required,
    /// The step that writes it has not run.
    NotYet,
    /// The same as an empty file: an empty collection.
    EmptyCollection,
}

/// A collection whose rows can be read one by one, so that one bad hand edit does not hide the others.
pub trait TolerantFile: StateFile {
    /// Reads every row that can be read and lists the others.
    ///
    /// # Errors
    ///
    /// [`FileError`] when the file as a whole is unreadable: no JSON, or neither map nor array where one is expected.
    fn parse_tolerant(path: &str, bytes: &[u8]) -> Result<Tolerant<Self>, FileError>;
}

/// A collection read row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerant<T> {
    /// The rows that could be read.
    pub file: T,
    /// The rows that could not, in file order.
    pub problems: Vec<RowProblem>,
}

/// A row that could not be read and was left out.
#[derive(Debug, Clone, PartialEq)]
pub struct RowProblem {
    /// Which row: the map key, `[index]` from 0 in an array, or `line N` in a CSV file.
    pub row: String,
    /// What was expected.
    pub expected: String,
    /// The row as found.
    pub found: Value,
}

impl std::fmt::Display for RowProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.row, self.expected)
    }
}
