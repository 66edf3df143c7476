//! What map files and object files have in common.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{FileError, Problem};
use crate::format::json;
use crate::state_file::RowProblem;

/// Implements [`crate::StateFile`] for a type that is one JSON object, or with `array` one JSON array, in the ordinary
/// layout.
macro_rules! json_file {
    ($name:ty, $absence:ident) => {
        crate::files::macros::json_file!($name, $absence, crate::format::json::parse_object);
    };
    (array $name:ty, $absence:ident) => {
        crate::files::macros::json_file!($name, $absence, crate::format::json::parse);
    };
    ($name:ty, $absence:ident, $parse:path) => {
        impl crate::StateFile for $name {
            const ABSENCE: crate::Absence = crate::Absence::$absence;

            fn parse(path: &str, bytes: &[u8]) -> Result<Self, crate::FileError> {
                $parse(path, bytes)
            }

            fn to_bytes(&self) -> Vec<u8> {
                crate::format::json::pretty(self)
            }
        }
    };
}
pub(crate) use json_file;

/// Makes a newtype behave as the insertion-ordered map it holds.
macro_rules! map_newtype {
    ($name:ident, $key:ty, $value:ty) => {
        impl std::ops::Deref for $name {
            type Target = indexmap::IndexMap<$key, $value>;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl std::ops::DerefMut for $name {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.0
            }
        }

        impl FromIterator<($key, $value)> for $name {
            fn from_iter<I: IntoIterator<Item = ($key, $value)>>(rows: I) -> Self {
                Self(rows.into_iter().collect())
            }
        }

        impl IntoIterator for $name {
            type Item = ($key, $value);
            type IntoIter = indexmap::map::IntoIter<$key, $value>;

            fn into_iter(self) -> Self::IntoIter {
                self.0.into_iter()
            }
        }

        impl<'a> IntoIterator for &'a $name {
            type Item = (&'a $key, &'a $value);
            type IntoIter = indexmap::map::Iter<'a, $key, $value>;

            fn into_iter(self) -> Self::IntoIter {
                self.0.iter()
            }
        }
    };
}
pub(crate) use map_newtype;

/// Implements [`crate::StateFile`] and [`crate::TolerantFile`] for a map newtype. `$refuse` looks at the whole file
/// first and refuses it when it has an older form; `$write` is the layout.
macro_rules! map_file {
    ($name:ident, $key:ty, $value:ty, $absence:ident, refuse: $refuse:expr, write: $write:expr) => {
        crate::files::macros::map_newtype!($name, $key, $value);

        impl crate::StateFile for $name {
            const ABSENCE: crate::Absence = crate::Absence::$absence;

            fn parse(path: &str, bytes: &[u8]) -> Result<Self, crate::FileError> {
                if crate::Absence::$absence == crate::Absence::EmptyCollection && bytes.is_empty() {
                    return Ok(Self::default());
                }
                ($refuse)(path, bytes)?;
                crate::format::json::parse(path, bytes)
            }

            fn to_bytes(&self) -> Vec<u8> {
                ($write)(self)
            }
        }

        impl crate::TolerantFile for $name {
            fn parse_tolerant(path: &str, bytes: &[u8]) -> Result<crate::Tolerant<Self>, crate::FileError> {
                if crate::Absence::$absence == crate::Absence::EmptyCollection && bytes.is_empty() {
                    return Ok(crate::Tolerant { file: Self::default(), problems: Vec::new() });
                }
                ($refuse)(path, bytes)?;
                let (rows, problems) = crate::files::macros::readable_entries(path, bytes)?;
                let file = rows.into_iter().map(|(key, row)| (key.into(), row)).collect();
                Ok(crate::Tolerant { file, problems })
            }
        }
    };
    ($name:ident, $key:ty, $value:ty, $absence:ident) => {
        crate::files::macros::map_file!(
            $name, $key, $value, $absence,
            refuse: |_: &str, _: &[u8]| Ok::<(), crate::FileError>(()),
            write: crate::format::json::pretty
        );
    };
}
pub(crate) use map_file;

/// For maps whose rows repeat their key: finds rows that name someone else.
macro_rules! rows_with_hotkeys {
    ($name:ident) => {
        impl $name {
            /// Rows whose inner hotkey is not their key: key, inner hotkey. The key counts; a difference is a slip of
            /// someone's hand.
            pub fn mismatched_hotkeys(
                &self,
            ) -> impl Iterator<Item = (&crate::Hotkey, &crate::Hotkey)> {
                self.0
                    .iter()
                    .filter(|(key, row)| **key != row.hotkey)
                    .map(|(key, row)| (key, &row.hotkey))
            }
        }
    };
}
pub(crate) use rows_with_hotkeys;

/// Rows with the names by which a problem would call them.
type NamedRows<T> = Vec<(String, T)>;

/// The rows of a map file that can be read, and the others.
pub(crate) fn readable_entries<T: DeserializeOwned>(
    path: &str,
    bytes: &[u8],
) -> Result<(NamedRows<T>, Vec<RowProblem>), FileError> {
    let entries: IndexMap<String, Value> = json::parse(path, bytes)?;
    Ok(sorted_out(entries.into_iter()))
}

/// The rows of an array file that can be read, and the others.
pub(crate) fn readable_items<T: DeserializeOwned>(
    path: &str,
    bytes: &[u8],
) -> Result<(Vec<T>, Vec<RowProblem>), FileError> {
    let items: Vec<Value> = json::parse(path, bytes)?;
    let named = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| (format!("[{index}]"), item));
    let (rows, problems) = sorted_out(named);
    Ok((rows.into_iter().map(|(_, row)| row).collect(), problems))
}

fn sorted_out<T: DeserializeOwned>(
    rows: impl Iterator<Item = (String, Value)>,
) -> (NamedRows<T>, Vec<RowProblem>) {
    let mut readable = Vec::new();
    let mut problems = Vec::new();
    for (row, found) in rows {
        match T::deserialize(&found) {
            Ok(value) => readable.push((row, value)),
            Err(error) => problems.push(RowProblem {
                row,
                expected: json::expectation(&error),
                found,
            }),
        }
    }
    (readable, problems)
}

/// The objects of a map file or array file, to tell which form it has. Empty when the file is something else, so that
/// the typed reader reports what is wrong with it.
pub(crate) fn sniff_objects(bytes: &[u8]) -> Vec<serde_json::Map<String, Value>> {
    let items: Vec<Value> = match serde_json::from_slice(bytes) {
        Ok(Value::Object(entries)) => entries.into_iter().map(|(_, value)| value).collect(),
        Ok(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    items
        .into_iter()
        .filter_map(|item| match item {
            Value::Object(object) => Some(object),
            _ => None,
        })
        .collect()
}

/// The error for a file of an older form.
pub(crate) fn older_form(path: &str, expected: &'static str, found: &'static str) -> FileError {
    FileError::whole_file(path, Problem::OlderForm { expected, found })
}

/// Implements [`crate::StateFile`] for an enum of a current and an older form, chosen by `$is_older(bytes)`.
macro_rules! either_form {
    ($name:ident { Current($current:ty), $older_name:ident($older:ty) }, $absence:ident, $is_older:expr) => {
        impl crate::StateFile for $name {
            const ABSENCE: crate::Absence = crate::Absence::$absence;

            fn parse(path: &str, bytes: &[u8]) -> Result<Self, crate::FileError> {
                if $is_older(bytes) {
                    <$older as crate::StateFile>::parse(path, bytes).map(Self::$older_name)
                } else {
                    <$current as crate::StateFile>::parse(path, bytes).map(Self::Current)
                }
            }

            fn to_bytes(&self) -> Vec<u8> {
                match self {
                    Self::Current(file) => crate::StateFile::to_bytes(file),
                    Self::$older_name(file) => crate::StateFile::to_bytes(file),
                }
            }
        }
    };
}
pub(crate) use either_form;
