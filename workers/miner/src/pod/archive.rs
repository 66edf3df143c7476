//! The result archive: `{stem}.js` for each success in prompt order, `_failed.json` last (miner API, "Result archive").

use std::io::{Cursor, Write};

use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::machine::Outcome;

/// A client refuses the whole archive for one larger module, so a larger module fails here, alone.
pub(super) const MAX_MODULE_BYTES: usize = 1_048_576;
/// A client refuses the whole archive for a larger manifest.
const MAX_MANIFEST_BYTES: usize = 16_384;
const MAX_REASON_CHARACTERS: usize = 200;

/// A finished batch, packed once.
#[derive(Debug, Clone)]
pub(super) struct Archive {
    pub bytes: Bytes,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

impl Archive {
    /// Packs every stem into exactly one of archive and manifest.
    pub fn pack(outcomes: &[(String, Outcome)]) -> zip::result::ZipResult<Self> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default());
        for (stem, outcome) in outcomes {
            if let Ok(module) = outcome {
                zip.start_file(format!("{stem}.js"), options)?;
                zip.write_all(module.as_bytes())?;
            }
        }
        let failures: Vec<(&str, &str)> = outcomes
            .iter()
            .filter_map(|(stem, outcome)| Some((stem.as_str(), outcome.as_ref().err()?.as_str())))
            .collect();
        if !failures.is_empty() {
            zip.start_file("_failed.json", options)?;
            zip.write_all(&manifest(&failures))?;
        }
        let bytes = zip.finish()?.into_inner();
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok(Self {
            bytes: bytes.into(),
            sha256,
        })
    }
}

/// The failures as an object, with reasons cut as far as the manifest's limit asks.
fn manifest(failures: &[(&str, &str)]) -> Vec<u8> {
    let mut longest = MAX_REASON_CHARACTERS;
    loop {
        let object: Map<String, Value> = failures
            .iter()
            .map(|(stem, reason)| {
                (
                    (*stem).to_owned(),
                    reason.chars().take(longest).collect::<String>().into(),
                )
            })
            .collect();
        // A map of strings always serialises.
        let bytes = serde_json::to_vec_pretty(&object).unwrap_or_default();
        if bytes.len() <= MAX_MANIFEST_BYTES || longest == 0 {
            return bytes;
        }
        longest /= 2;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_long_reasons_stays_below_the_clients_limit() {
        let stems: Vec<String> = (0..99).map(|index| format!("{index:0>64}")).collect();
        let long = "\u{7}".repeat(5000);
        let failures: Vec<(&str, &str)> = stems
            .iter()
            .map(|stem| (stem.as_str(), long.as_str()))
            .collect();
        let bytes = manifest(&failures);
        assert!(bytes.len() <= MAX_MANIFEST_BYTES, "{} bytes", bytes.len());
        let map: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(map.len(), 99);
    }
}
