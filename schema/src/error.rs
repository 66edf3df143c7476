//! Why a state file could not be read: which file, where in it, and what was expected.

/// A state file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}: {problem}", position(*line, *column))]
pub struct FileError {
    /// Path of the file in the repository, as the caller gave it.
    pub path: String,
    /// Line of the problem, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// Column of the problem, from 1; 0 when the whole line or file is meant.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a state file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A required file is not there.
    #[error("the file does not exist, and it is required")]
    Missing,
    /// The bytes are no UTF-8.
    #[error("expected UTF-8 text")]
    NotUtf8,
    /// The text is no JSON, or JSON of another shape. The text names what was expected.
    #[error("{0}")]
    Json(String),
    /// A CSV row whose margin is no number.
    #[error("expected a number as the margin of {left} and {right}, found `{margin}`")]
    Margin {
        /// Left side of the row.
        left: String,
        /// Right side of the row.
        right: String,
        /// The text found.
        margin: String,
    },
    /// The file has the form of an earlier revision; reading it as the current one would silently lose its content.
    #[error("expected {expected}, found the older form {found}; read it with the older type")]
    OlderForm {
        /// What the type asked for holds.
        expected: &'static str,
        /// What the file holds.
        found: &'static str,
    },
    /// The path belongs to no state file.
    #[error("this path belongs to no file of the state repository")]
    UnknownPath,
}

impl FileError {
    /// A problem of the file as a whole.
    pub fn whole_file(path: &str, problem: Problem) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            column: 0,
            problem,
        }
    }
}

fn position(line: usize, column: usize) -> String {
    match (line, column) {
        (0, _) => String::new(),
        (line, 0) => format!(":{line}"),
        (line, column) => format!(":{line}:{column}"),
    }
}
