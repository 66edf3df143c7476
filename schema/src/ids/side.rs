//! The two sides of a match.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Hotkey;

/// The word that stands in for a hotkey wherever the incumbent is meant.
pub const LEADER: &str = "leader";

/// The word for a miner's own submission on the left of an audit duel.
pub const SUBMITTED: &str = "submitted";

/// Who generated something: the incumbent leader or a miner. The plain string `leader` or a hotkey in files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The incumbent, by its baseline generated in this round.
    Leader,
    /// A miner of this round.
    Miner(Hotkey),
}

/// The left side of a tournament match: who is challenged.
pub type Defender = Side;

impl Side {
    /// `leader` or the full hotkey.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Leader => LEADER,
            Self::Miner(hotkey) => hotkey.as_str(),
        }
    }

    /// `leader` or the first 10 characters of the hotkey.
    pub fn short(&self) -> &str {
        match self {
            Self::Leader => LEADER,
            Self::Miner(hotkey) => hotkey.short(),
        }
    }

    /// The miner's hotkey; none for the leader.
    pub fn hotkey(&self) -> Option<&Hotkey> {
        match self {
            Self::Leader => None,
            Self::Miner(hotkey) => Some(hotkey),
        }
    }

    /// Whether this is the incumbent.
    pub fn is_leader(&self) -> bool {
        matches!(self, Self::Leader)
    }
}

impl From<Hotkey> for Side {
    fn from(hotkey: Hotkey) -> Self {
        Self::Miner(hotkey)
    }
}

impl From<&Hotkey> for Side {
    fn from(hotkey: &Hotkey) -> Self {
        Self::Miner(hotkey.clone())
    }
}

impl From<&str> for Side {
    fn from(text: &str) -> Self {
        if text == LEADER {
            Self::Leader
        } else {
            Self::Miner(Hotkey::new(text))
        }
    }
}

/// The left side of a report: a [`Side`], or the miner's own submission in an audit duel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftSide {
    /// What the audited miner submitted.
    Submitted,
    /// A defender.
    Side(Side),
}

impl LeftSide {
    /// `submitted`, `leader` or the full hotkey.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Submitted => SUBMITTED,
            Self::Side(side) => side.as_str(),
        }
    }

    /// As file names and messages use it: `submitted`, `leader` or the first 10 characters of the hotkey.
    pub fn short(&self) -> &str {
        match self {
            Self::Submitted => SUBMITTED,
            Self::Side(side) => side.short(),
        }
    }
}

impl From<Side> for LeftSide {
    fn from(side: Side) -> Self {
        Self::Side(side)
    }
}

impl From<&Side> for LeftSide {
    fn from(side: &Side) -> Self {
        Self::Side(side.clone())
    }
}

impl From<Hotkey> for LeftSide {
    fn from(hotkey: Hotkey) -> Self {
        Self::Side(hotkey.into())
    }
}

impl From<&str> for LeftSide {
    fn from(text: &str) -> Self {
        if text == SUBMITTED {
            Self::Submitted
        } else {
            Self::Side(text.into())
        }
    }
}

macro_rules! plain_string {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(text.into())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(|text| text.as_str().into())
            }
        }
    };
}

plain_string!(Side);
plain_string!(LeftSide);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_plain_strings_in_json() {
        let sides: Vec<Side> = serde_json::from_str(r#"["leader","5GgpGaDxzTyB"]"#).unwrap();
        assert_eq!(
            sides,
            [Side::Leader, Side::Miner(Hotkey::new("5GgpGaDxzTyB"))]
        );
        assert_eq!(
            serde_json::to_string(&sides).unwrap(),
            r#"["leader","5GgpGaDxzTyB"]"#
        );
        let left: LeftSide = serde_json::from_str(r#""submitted""#).unwrap();
        assert_eq!(left, LeftSide::Submitted);
        assert_eq!(LeftSide::from(Side::Leader).short(), "leader");
    }
}
