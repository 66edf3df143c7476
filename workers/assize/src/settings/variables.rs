//! Variables by name, and what is said when one is missing or wrong.

use std::{collections::HashMap, str::FromStr, time::Duration};

use secrecy::SecretString;
use url::Url;

/// A setting that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Required, and not set.
    #[error("{name} is not set: {meaning}")]
    Missing {
        /// Variable.
        name: &'static str,
        /// What it is for.
        meaning: &'static str,
    },
    /// Set to something else than expected.
    #[error("{name} is {value:?}: expected {expected}")]
    Wrong {
        /// Variable.
        name: String,
        /// Its value.
        value: String,
        /// What it should look like.
        expected: &'static str,
    },
}

/// Reads variables from a map, so that tests need no environment.
#[derive(Debug, Clone, Default)]
pub struct Variables(pub HashMap<String, String>);

impl Variables {
    /// The process's environment. Names count in any case, as the services count them whose variables these are; of two
    /// spellings the one in capitals.
    pub fn of_process() -> Self {
        Self::of(std::env::vars())
    }

    fn of(pairs: impl Iterator<Item = (String, String)>) -> Self {
        let mut variables = HashMap::new();
        for (name, value) in pairs {
            let in_capitals = name.to_uppercase();
            if name == in_capitals || !variables.contains_key(&in_capitals) {
                variables.insert(in_capitals, value);
            }
        }
        Self(variables)
    }

    /// A variable, unless it is unset or empty.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The parts of a variable, separated by commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.find(name)
            .unwrap_or_default()
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }

    pub(super) fn required(
        &self,
        name: &'static str,
        meaning: &'static str,
    ) -> Result<&str, SettingsError> {
        self.find(name)
            .ok_or(SettingsError::Missing { name, meaning })
    }

    pub(super) fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        default: T,
        expected: &'static str,
    ) -> Result<T, SettingsError> {
        match self.find(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| wrong(name, value, expected)),
        }
    }

    /// A truth value, in the words that the reference's services take.
    pub(super) fn truth(&self, name: &'static str, default: bool) -> Result<bool, SettingsError> {
        let Some(value) = self.find(name) else {
            return Ok(default);
        };
        match value.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
            _ => Err(wrong(name, value, "true or false")),
        }
    }

    pub(super) fn url(
        &self,
        name: &'static str,
        default: &'static str,
    ) -> Result<Url, SettingsError> {
        let value = self.find(name).unwrap_or(default);
        Url::parse(value).map_err(|_| wrong(name, value, "an address such as https://host/path"))
    }

    /// A secret of some roles. For a process that has none of them it is empty, and is not read even if it is set.
    pub(super) fn secret(
        &self,
        wanted: bool,
        name: &'static str,
        meaning: &'static str,
    ) -> Result<SecretString, SettingsError> {
        if !wanted {
            return Ok(SecretString::default());
        }
        self.required(name, meaning).map(SecretString::from)
    }

    pub(super) fn seconds(
        &self,
        name: &'static str,
        default: Duration,
    ) -> Result<Duration, SettingsError> {
        let seconds: f64 = self.parsed(name, default.as_secs_f64(), "a number of seconds")?;
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| wrong(name, &seconds.to_string(), "a number of seconds"))
    }
}

/// The error for a value that is not what was expected.
pub(super) fn wrong(name: &str, value: &str, expected: &'static str) -> SettingsError {
    SettingsError::Wrong {
        name: name.to_owned(),
        value: value.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_in_any_case_and_capitals_win() {
        let pairs = [
            ("openai_api_key", "small"),
            ("NETUID", "17"),
            ("Netuid", "18"),
        ];
        for pairs in [pairs.to_vec(), pairs.into_iter().rev().collect()] {
            let pairs = pairs.into_iter();
            let variables = Variables::of(pairs.map(|(name, value)| (name.into(), value.into())));
            assert_eq!(variables.find("OPENAI_API_KEY"), Some("small"));
            assert_eq!(variables.find("NETUID"), Some("17"));
        }
    }
}
