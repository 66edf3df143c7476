//! A miner's hotkey.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{LEADER, SUBMITTED, first_characters, text_newtype};

/// Characters of a hotkey that file names, pod names and messages use.
const SHORT_LENGTH: usize = 10;

/// A miner's hotkey: its full SS58 address, `5GgpGaDxzT…`.
///
/// Read from files and built with [`Hotkey::new`] unchecked; [`str::parse`] checks that the text can stand in a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hotkey(String);

text_newtype!(Hotkey);

impl Hotkey {
    /// The first 10 characters, as file names and messages use them (`hk10` in the specification). Not unique.
    pub fn short(&self) -> &str {
        first_characters(&self.0, SHORT_LENGTH)
    }
}

/// Why a text is no hotkey.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a hotkey: expected letters and digits of an SS58 address, and not `{LEADER}` or `{SUBMITTED}`"
)]
pub struct HotkeyError {
    /// The text that was refused.
    pub text: String,
}

impl FromStr for Hotkey {
    type Err = HotkeyError;

    /// Accepts letters and digits only, so that a hotkey from outside can never leave its folder. The checksum of the
    /// address is the chain's business.
    fn from_str(text: &str) -> Result<Self, HotkeyError> {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain && text != LEADER && text != SUBMITTED {
            Ok(Self::new(text))
        } else {
            Err(HotkeyError {
                text: text.to_owned(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_is_the_first_ten_characters_even_of_short_and_non_ascii_texts() {
        assert_eq!(Hotkey::new("5GgpGaDxzTyBAME1").short(), "5GgpGaDxzT");
        assert_eq!(Hotkey::new("5Gg").short(), "5Gg");
        assert_eq!(Hotkey::new("ääääääääääöö").short(), "ääääääääää");
    }

    #[test]
    fn a_text_that_could_leave_its_folder_or_be_taken_for_the_leader_is_no_hotkey() {
        for text in ["", "../5Gg", "5Gg/x", "5Gg ", "leader", "submitted", "5Gé"] {
            assert!(text.parse::<Hotkey>().is_err(), "{text:?} was accepted");
        }
        assert!(
            "5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg"
                .parse::<Hotkey>()
                .is_ok()
        );
    }
}
