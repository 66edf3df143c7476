//! `rounds/{n}/require_audit.json`: whose outputs must be regenerated.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::macros::{
    either_form, json_file, map_newtype, older_form, readable_items, sniff_objects,
};
use crate::format::json;
use crate::{
    Absence, Defender, FileError, Hotkey, IndexMap, StateFile, Stem, Tolerant, TolerantFile,
};

/// `rounds/{n}/require_audit.json`: an array in the file, unique by hotkey here. A repeated hotkey keeps its first
/// position and its last value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditRequests(pub IndexMap<Hotkey, AuditRequest>);

/// A miner to audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRequest {
    /// The miner.
    pub hotkey: Hotkey,
    /// The incumbent this miner last beat.
    pub latest_defender: Defender,
}

impl AuditRequests {
    /// Adds a request, or refreshes the defender of an existing one in place. Says whether anything changed.
    pub fn request(&mut self, hotkey: &Hotkey, latest_defender: &Defender) -> bool {
        let request = AuditRequest {
            hotkey: hotkey.clone(),
            latest_defender: latest_defender.clone(),
        };
        let before = self.0.insert(hotkey.clone(), request);
        before.is_none_or(|before| before.latest_defender != *latest_defender)
    }
}

map_newtype!(AuditRequests, Hotkey, AuditRequest);

impl FromIterator<AuditRequest> for AuditRequests {
    fn from_iter<I: IntoIterator<Item = AuditRequest>>(requests: I) -> Self {
        Self(
            requests
                .into_iter()
                .map(|request| (request.hotkey.clone(), request))
                .collect(),
        )
    }
}

impl Serialize for AuditRequests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.values())
    }
}

impl<'de> Deserialize<'de> for AuditRequests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<AuditRequest>::deserialize(deserializer)
            .map(|requests| requests.into_iter().collect())
    }
}

impl StateFile for AuditRequests {
    const ABSENCE: Absence = Absence::EmptyCollection;

    fn parse(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        refuse_older(path, bytes)?;
        json::parse(path, bytes)
    }

    fn to_bytes(&self) -> Vec<u8> {
        json::pretty(self)
    }
}

impl TolerantFile for AuditRequests {
    fn parse_tolerant(path: &str, bytes: &[u8]) -> Result<Tolerant<Self>, FileError> {
        if bytes.is_empty() {
            return Ok(Tolerant {
                file: Self::default(),
                problems: Vec::new(),
            });
        }
        refuse_older(path, bytes)?;
        let (rows, problems) = readable_items::<AuditRequest>(path, bytes)?;
        Ok(Tolerant {
            file: rows.into_iter().collect(),
            problems,
        })
    }
}

/// The same file before defenders were recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OlderAuditRequests(pub Vec<OlderAuditRequest>);

/// A miner to audit, before defenders were recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OlderAuditRequest {
    /// The miner.
    pub hotkey: Hotkey,
    /// The prompts whose mismatch weighed most, in the mesh competition; the revision after it had no such key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_prompts: Option<Vec<Stem>>,
}

json_file!(array OlderAuditRequests, Required);

/// `require_audit.json` in either form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnyAuditRequests {
    /// With defenders.
    Current(AuditRequests),
    /// Without.
    Older(OlderAuditRequests),
}

fn is_older(bytes: &[u8]) -> bool {
    let rows = sniff_objects(bytes);
    rows.iter().any(|row| row.contains_key("hotkey"))
        && !rows.iter().any(|row| row.contains_key("latest_defender"))
}

fn refuse_older(path: &str, bytes: &[u8]) -> Result<(), FileError> {
    if is_older(bytes) {
        return Err(older_form(
            path,
            "requests with `latest_defender`",
            "without it",
        ));
    }
    Ok(())
}

either_form!(AnyAuditRequests { Current(AuditRequests), Older(OlderAuditRequests) }, EmptyCollection, is_older);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Side;

    #[test]
    fn a_repeated_hotkey_keeps_the_first_position_and_the_last_value() {
        let body = br#"[{"hotkey":"5A","latest_defender":"leader"},{"hotkey":"5B","latest_defender":"leader"},{"hotkey":"5A","latest_defender":"5C"}]"#;
        let requests = AuditRequests::parse("require_audit.json", body).unwrap();
        assert_eq!(
            requests.keys().map(Hotkey::as_str).collect::<Vec<_>>(),
            ["5A", "5B"]
        );
        assert_eq!(
            requests["5A"].latest_defender,
            Side::Miner(Hotkey::new("5C"))
        );
    }

    #[test]
    fn a_refreshed_defender_keeps_its_place_and_tells_a_change() {
        let (first, second) = (Hotkey::new("5A"), Hotkey::new("5B"));
        let mut requests = AuditRequests::default();
        assert!(requests.request(&first, &Side::Leader));
        assert!(requests.request(&second, &Side::Leader));
        assert!(!requests.request(&first, &Side::Leader));
        assert!(requests.request(&first, &Side::Miner(second)));
        assert_eq!(requests.get_index_of(&first), Some(0));
    }

    #[test]
    fn older_requests_read_with_and_without_critical_prompts_and_write_back() {
        for body in [
            "[\n  {\n    \"hotkey\": \"5A\",\n    \"critical_prompts\": []\n  }\n]",
            "[\n  {\n    \"hotkey\": \"5A\"\n  }\n]",
        ] {
            assert!(AuditRequests::parse("require_audit.json", body.as_bytes()).is_err());
            let read = AnyAuditRequests::parse("require_audit.json", body.as_bytes()).unwrap();
            assert!(matches!(read, AnyAuditRequests::Older(_)));
            assert_eq!(read.to_bytes(), body.as_bytes());
        }
    }
}
