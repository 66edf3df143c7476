//! Newtypes for what the competition names, so that two strings cannot change places.

mod commit;
mod hotkey;
mod number;
mod side;
mod stem;

pub use commit::CommitSha;
pub use hotkey::{Hotkey, HotkeyError};
pub use number::{BlockNumber, RoundNumber};
pub use side::{Defender, LEADER, LeftSide, SUBMITTED, Side};
pub use stem::Stem;

/// Gives a string newtype what every one of them has: a constructor that keeps the text as it is, views of it, and
/// conversions. Reading never judges the text, because hand-made files hold surprising ones.
macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// Wraps `text` as it is, unchecked.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, owned.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}
use text_newtype;

/// The first `count` characters of `text`, all of it when it is shorter.
fn first_characters(text: &str, count: usize) -> &str {
    match text.char_indices().nth(count) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
