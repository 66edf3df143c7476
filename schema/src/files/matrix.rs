//! `matches_matrix.csv` and `audit_matrix.csv`: the margins, in the order of play.

use std::fmt;

use crate::format::float;
use crate::ids::SUBMITTED;
use crate::{
    Absence, Defender, FileError, Hotkey, IndexMap, Problem, RowProblem, StateFile, Tolerant,
    TolerantFile,
};

const HEADER: &str = "left,right,margin";

/// A matrix of margins, from −1 to 1, positive when the right side is better.
///
/// Rows keep the order of their first insertion; a pair inserted again keeps its place. In `matches_matrix.csv` left is
/// a [`Defender`], in `audit_matrix.csv` an [`AuditLeft`]; right is always a hotkey. Pairs are never mirrored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    rows: IndexMap<(String, Hotkey), f64>,
}

impl Matrix {
    /// The margin of a pair.
    pub fn get(&self, left: &impl AsLeft, right: &Hotkey) -> Option<f64> {
        self.rows.get(&(left.left(), right.clone())).copied()
    }

    /// Whether the pair has been played.
    pub fn contains(&self, left: &impl AsLeft, right: &Hotkey) -> bool {
        self.get(left, right).is_some()
    }

    /// Sets the margin of a pair: at the end when it is new, in its place when it is not.
    pub fn insert(&mut self, left: &impl AsLeft, right: &Hotkey, margin: f64) {
        self.rows.insert((left.left(), right.clone()), margin);
    }

    /// The rows in file order: left, right, margin.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Hotkey, f64)> {
        self.rows
            .iter()
            .map(|((left, right), margin)| (left.as_str(), right, *margin))
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing has been played.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// What can stand on the left of a matrix row.
pub trait AsLeft {
    /// The text in the file.
    fn left(&self) -> String;
}

impl AsLeft for Defender {
    fn left(&self) -> String {
        self.as_str().to_owned()
    }
}

impl AsLeft for Hotkey {
    fn left(&self) -> String {
        self.as_str().to_owned()
    }
}

impl AsLeft for &str {
    fn left(&self) -> String {
        (*self).to_owned()
    }
}

impl AsLeft for AuditLeft {
    fn left(&self) -> String {
        self.to_string()
    }
}

/// The left side of an audit duel with its repeat, `submitted_1` or `leader_2`, as `audit_matrix.csv` has it. The right
/// side is the audited miner's regenerated output of that repeat.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditLeft {
    /// What the miner submitted.
    Submitted {
        /// Which repeat, from 1.
        repeat: u32,
    },
    /// The incumbent the miner beat.
    Defender {
        /// Who that was.
        defender: Defender,
        /// Which repeat, from 1.
        repeat: u32,
    },
}

impl AuditLeft {
    /// Reads `submitted_{r}` or `{defender}_{r}`.
    pub fn parse(text: &str) -> Option<Self> {
        let (who, repeat) = text.rsplit_once('_')?;
        let repeat = repeat.parse().ok()?;
        match who {
            "" => None,
            SUBMITTED => Some(Self::Submitted { repeat }),
            defender => Some(Self::Defender {
                defender: defender.into(),
                repeat,
            }),
        }
    }

    /// Which repeat, from 1.
    pub fn repeat(&self) -> u32 {
        match self {
            Self::Submitted { repeat } | Self::Defender { repeat, .. } => *repeat,
        }
    }
}

impl fmt::Display for AuditLeft {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submitted { repeat } => write!(formatter, "{SUBMITTED}_{repeat}"),
            Self::Defender { defender, repeat } => write!(formatter, "{defender}_{repeat}"),
        }
    }
}

impl StateFile for Matrix {
    const ABSENCE: Absence = Absence::EmptyCollection;

    /// The body is trimmed; the first line is dropped as header, whatever it says; lines with fewer than three fields are
    /// skipped and further fields ignored; `nan` is a margin, another word is an error; a repeated pair keeps its last
    /// margin.
    fn parse(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        let mut matrix = Self::default();
        for row in read_rows(path, bytes)? {
            match row.margin {
                Ok(margin) => matrix.rows.insert((row.left, row.right), margin),
                Err(margin) => {
                    let problem = Problem::Margin {
                        left: row.left,
                        right: row.right.into(),
                        margin,
                    };
                    return Err(FileError {
                        path: path.to_owned(),
                        line: row.line,
                        column: 0,
                        problem,
                    });
                }
            };
        }
        Ok(matrix)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut text = HEADER.to_owned();
        for (left, right, margin) in self.rows() {
            text.extend([
                "\n",
                left,
                ",",
                right.as_str(),
                ",",
                &float::python_repr(margin),
            ]);
        }
        text.into_bytes()
    }
}

impl TolerantFile for Matrix {
    fn parse_tolerant(path: &str, bytes: &[u8]) -> Result<Tolerant<Self>, FileError> {
        let mut read = Tolerant {
            file: Self::default(),
            problems: Vec::new(),
        };
        for row in read_rows(path, bytes)? {
            match row.margin {
                Ok(margin) => {
                    read.file.rows.insert((row.left, row.right), margin);
                }
                Err(margin) => read.problems.push(RowProblem {
                    row: format!("line {}", row.line),
                    expected: format!(
                        "expected a number as the margin of {} and {}",
                        row.left, row.right
                    ),
                    found: margin.into(),
                }),
            }
        }
        Ok(read)
    }
}

struct Row {
    line: usize,
    left: String,
    right: Hotkey,
    /// The number, or the text that is none.
    margin: Result<f64, String>,
}

fn read_rows(path: &str, bytes: &[u8]) -> Result<Vec<Row>, FileError> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| FileError::whole_file(path, Problem::NotUtf8))?;
    let blank_lines_before = text.len() - text.trim_start().len();
    let first_line = 1 + text[..blank_lines_before].matches('\n').count();
    let lines = text.trim().lines().enumerate().skip(1);
    let rows = lines.filter_map(|(index, line)| {
        let mut fields = line.split(',');
        let (left, right, margin) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Row {
            line: first_line + index,
            left: left.to_owned(),
            right: Hotkey::new(right),
            margin: float::parse_python(margin).ok_or_else(|| margin.trim().to_owned()),
        })
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Side;

    fn text(matrix: &Matrix) -> String {
        String::from_utf8(matrix.to_bytes()).unwrap()
    }

    #[test]
    fn an_empty_matrix_is_just_the_header_line() {
        assert_eq!(text(&Matrix::default()), "left,right,margin");
        assert!(Matrix::parse("m.csv", b"").unwrap().is_empty());
        assert!(
            Matrix::parse("m.csv", b"left,right,margin")
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_pair_inserted_again_keeps_its_row() {
        let (first, second) = (Hotkey::new("5A"), Hotkey::new("5B"));
        let mut matrix = Matrix::default();
        matrix.insert(&Side::Leader, &first, 0.0078125);
        matrix.insert(&Side::Miner(first.clone()), &second, -1.0);
        matrix.insert(&Side::Leader, &first, 0.00001);
        assert_eq!(
            text(&matrix),
            "left,right,margin\nleader,5A,1e-05\n5A,5B,-1.0"
        );
        assert_eq!(matrix.get(&first, &second), Some(-1.0));
        assert_eq!(matrix.get(&second, &first), None);
    }

    #[test]
    fn reading_forgives_what_the_readers_in_the_field_forgive() {
        let body = b"\n\nleader,5X,0.5\nleader,5A, 0.25 ,more\r\nshort,row\n\nleader,5B,nan\nleader,5A,1\n";
        let matrix = Matrix::parse("m.csv", body).unwrap();
        assert_eq!(
            matrix.len(),
            2,
            "the first line is dropped even when it is data"
        );
        assert_eq!(matrix.get(&Side::Leader, &Hotkey::new("5A")), Some(1.0));
        assert!(
            matrix
                .get(&Side::Leader, &Hotkey::new("5B"))
                .unwrap()
                .is_nan()
        );
        assert_eq!(
            text(&matrix),
            "left,right,margin\nleader,5A,1.0\nleader,5B,nan"
        );
    }

    #[test]
    fn a_margin_that_is_no_number_is_an_error_with_its_line_or_a_quarantined_row() {
        let body = b"left,right,margin\nleader,5A,0.5\nleader,5B,x\nleader,5C,0.25";
        let error = Matrix::parse("m.csv", body).unwrap_err();
        assert_eq!(
            error.to_string(),
            "m.csv:3: expected a number as the margin of leader and 5B, found `x`"
        );
        let read = Matrix::parse_tolerant("m.csv", body).unwrap();
        assert_eq!(read.file.len(), 2);
        assert_eq!(read.problems[0].row, "line 3");
    }

    #[test]
    fn audit_rows_name_side_and_repeat() {
        let submitted = AuditLeft::Submitted { repeat: 1 };
        let defender = AuditLeft::Defender {
            defender: Side::Leader,
            repeat: 12,
        };
        assert_eq!(submitted.to_string(), "submitted_1");
        assert_eq!(AuditLeft::parse("leader_12"), Some(defender));
        assert_eq!(AuditLeft::parse("submitted_1"), Some(submitted));
        assert_eq!(AuditLeft::parse("leader"), None);
        assert_eq!(AuditLeft::parse("_1"), None);
    }
}
