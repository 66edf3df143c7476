//! Reads the ZIP file of a batch (miner API §4), entry by entry, so that one bad entry costs one prompt.

use std::io::{Cursor, Read};

use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::Value;
use zip::ZipArchive;
use zip::result::ZipError;

use super::BatchResults;

const MANIFEST: &str = "_failed.json";

/// Longest reason that is kept, in characters.
const MAX_REASON_CHARACTERS: usize = 500;

/// Marks of a ZIP file: an entry of its directory, and the directory's end.
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const DIRECTORY_END: &[u8] = b"PK\x05\x06";

/// How large an archive may be.
#[derive(Debug, Clone)]
pub struct ArchiveLimits {
    /// The whole archive, in bytes. `MAX_BATCH_ZIP_BYTES`, 64 MiB.
    pub zip_bytes: usize,
    /// Entries. `MAX_BATCH_FILES`, 100.
    pub entries: usize,
    /// A module, in bytes after decompression. `MAX_JS_BYTES`, 1 MiB.
    pub module_bytes: usize,
    /// The failure manifest, in bytes after decompression. `MAX_FAILED_MANIFEST_BYTES`, 16 KiB.
    pub manifest_bytes: usize,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            zip_bytes: 64 << 20,
            entries: 100,
            module_bytes: 1 << 20,
            manifest_bytes: 16 << 10,
        }
    }
}

/// Why an archive is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It is larger than allowed; reading stopped there.
    #[error("larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// It has more entries than allowed.
    #[error("more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// It is no ZIP file, or its directory is damaged.
    #[error("no readable ZIP file: {problem}")]
    NotAZip {
        /// What is wrong.
        problem: String,
    },
    /// It holds neither a module nor a failure that can be used.
    #[error("nothing in it can be used{}", first_fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default())]
    Empty {
        /// What is wrong with the first entry, if there is one.
        first_fault: Option<String>,
    },
}

/// Reads an archive. Takes up to a second for the largest: not for an async thread.
///
/// # Errors
///
/// [`ArchiveError`] when nothing of it is used. An entry that is too large, encrypted, damaged or packed in an unknown
/// way is a failure of its stem, with the reason among [`BatchResults::failures`].
pub fn read(bytes: &[u8], limits: &ArchiveLimits) -> Result<BatchResults, ArchiveError> {
    if bytes.len() > limits.zip_bytes {
        return Err(ArchiveError::TooLarge {
            limit_bytes: limits.zip_bytes,
        });
    }
    check_directory(bytes, limits.entries)?;
    let damaged = |error: ZipError| ArchiveError::NotAZip {
        problem: error.to_string(),
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > limits.entries {
        return Err(ArchiveError::TooManyEntries {
            limit: limits.entries,
        });
    }

    let Contents { modules, manifest } = contents(&archive);
    let mut results = BatchResults::default();
    if let Some(index) = manifest {
        match entry(&mut archive, index, limits.manifest_bytes) {
            Ok(bytes) => results.failures = failures(&bytes),
            Err(fault) => tracing::info!(fault, "a pod's failure manifest cannot be used"),
        }
    }
    let mut first_fault = None;
    let mut faulty = IndexMap::new();
    for (stem, index) in modules {
        match entry(&mut archive, index, limits.module_bytes) {
            Ok(bytes) => drop(results.modules.insert(stem, bytes)),
            Err(fault) => {
                first_fault.get_or_insert_with(|| format!("{stem}.js is {fault}"));
                faulty.insert(stem, format!("module in batch results is {fault}"));
            }
        }
    }
    if results.modules.is_empty() && results.failures.is_empty() {
        return Err(ArchiveError::Empty { first_fault });
    }
    for (stem, reason) in faulty {
        results.failures.entry(stem).or_insert(reason);
    }
    Ok(results)
}

/// Where the entries that matter are in the directory.
struct Contents {
    modules: IndexMap<String, usize>,
    manifest: Option<usize>,
}

/// Finds modules by the last segment of their name; of equal ones the last counts.
fn contents(archive: &ZipArchive<Cursor<&[u8]>>) -> Contents {
    let mut found = Contents {
        modules: IndexMap::new(),
        manifest: None,
    };
    for index in 0..archive.len() {
        let name = archive.name_for_index(index).unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        if name == MANIFEST {
            found.manifest = Some(index);
        } else if let Some(stem) = name.strip_suffix(".js").filter(|stem| !stem.is_empty()) {
            found.modules.insert(stem.to_owned(), index);
        }
    }
    found
}

/// One entry's bytes, counted as they are inflated: what the directory says of their number is not believed.
fn entry(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    limit_bytes: usize,
) -> Result<Bytes, &'static str> {
    let file = archive.by_index(index).map_err(|error| match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => "encrypted",
        ZipError::UnsupportedArchive(_) => "packed in an unsupported way",
        _ => "damaged",
    })?;
    let mut bytes = Vec::new();
    match file.take(limit_bytes as u64 + 1).read_to_end(&mut bytes) {
        Err(_) => Err("damaged"),
        Ok(length) if length > limit_bytes => Err("too large"),
        Ok(_) => Ok(bytes.into()),
    }
}

/// Reads `_failed.json`: stem to reason. What is no JSON object says nothing.
fn failures(bytes: &[u8]) -> IndexMap<String, String> {
    let Ok(Value::Object(manifest)) = serde_json::from_slice(bytes) else {
        tracing::info!("a pod's failure manifest is no JSON object");
        return IndexMap::new();
    };
    let reason = |value: Value| match value {
        Value::String(text) => text.chars().take(MAX_REASON_CHARACTERS).collect(),
        other => other
            .to_string()
            .chars()
            .take(MAX_REASON_CHARACTERS)
            .collect(),
    };
    manifest
        .into_iter()
        .map(|(stem, value)| (stem, reason(value)))
        .collect()
}

/// Counts entries before the directory is read, because reading it takes memory for each one it claims to have.
fn check_directory(bytes: &[u8], limit: usize) -> Result<(), ArchiveError> {
    const END_BYTES: usize = 22;
    const MAX_COMMENT_BYTES: usize = u16::MAX as usize;
    // Chance occurrences within compressed data are allowed for.
    const CHANCE: usize = 64;

    let tail = &bytes[bytes.len().saturating_sub(END_BYTES + MAX_COMMENT_BYTES)..];
    let end = tail
        .windows(DIRECTORY_END.len())
        .rposition(|window| window == DIRECTORY_END);
    let announced = end
        .and_then(|at| tail.get(at + 10..at + 12))
        .map(|count| match count {
            [low, high] => usize::from(u16::from_le_bytes([*low, *high])),
            _ => 0,
        });
    let Some(announced) = announced else {
        return Err(ArchiveError::NotAZip {
            problem: "no directory at its end".to_owned(),
        });
    };
    let entries = bytes
        .windows(DIRECTORY_ENTRY.len())
        .filter(|window| *window == DIRECTORY_ENTRY)
        .count();
    if announced > limit || entries > limit + CHANCE {
        return Err(ArchiveError::TooManyEntries { limit });
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;
    use crate::clients::pod::{MISSING_FROM_BATCH, StemResult};

    /// A ZIP file of `entries`.
    pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, bytes) in entries {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn parse(bytes: &[u8]) -> Result<BatchResults, ArchiveError> {
        read(bytes, &ArchiveLimits::default())
    }

    fn failed(reason: &str) -> StemResult {
        StemResult::Failed(reason.to_owned())
    }

    #[test]
    fn modules_and_failures_are_found_wherever_they_lie() {
        let results = parse(&zip(&[
            ("a.js", b"A"),
            ("deep/in/b-1.js", b"old"),
            ("other/b-1.js", b"new"),
            (".js", b"no stem"),
            ("readme.txt", b"ignored"),
            ("out/_failed.json", br#"{"c":"no GPU","d":7,"a":"and yet"}"#),
        ]))
        .unwrap();
        assert_eq!(
            results.of("b-1"),
            StemResult::Module(Bytes::from_static(b"new"))
        );
        assert_eq!(results.of("c"), failed("no GPU"));
        assert_eq!(results.of("d"), failed("7"));
        assert_eq!(
            results.of("a"),
            failed("and yet"),
            "a listed failure wins over a module"
        );
        assert_eq!(results.of("e"), failed(MISSING_FROM_BATCH));
        assert_eq!(results.modules.len(), 2);
    }

    #[test]
    fn one_bad_module_costs_one_prompt() {
        let large = vec![b' '; (1 << 20) + 1];
        let exact = vec![b' '; 1 << 20];
        let results = parse(&zip(&[
            ("good.js", b"G"),
            ("large.js", &large),
            ("exact.js", &exact),
        ]))
        .unwrap();
        assert_eq!(
            results.of("good"),
            StemResult::Module(Bytes::from_static(b"G"))
        );
        assert_eq!(
            results.of("large"),
            failed("module in batch results is too large")
        );
        assert!(matches!(results.of("exact"), StemResult::Module(bytes) if bytes.len() == 1 << 20));
    }

    #[test]
    fn a_damaged_encrypted_or_oddly_packed_entry_costs_one_prompt() {
        let whole = zip(&[("bad.js", b"some text that is packed"), ("good.js", b"G")]);
        let local = |at: usize, offset: usize, value: &[u8]| {
            let mut bytes = whole.clone();
            bytes[at + offset..at + offset + value.len()].copy_from_slice(value);
            bytes
        };
        let entry_at = whole
            .windows(4)
            .position(|window| window == DIRECTORY_ENTRY)
            .unwrap();
        let damaged = local(0, 36 + 2, b"\xff\xff\xff\xff");
        assert_eq!(
            parse(&damaged).unwrap().of("bad"),
            failed("module in batch results is damaged")
        );
        let encrypted = local(entry_at, 8, &[1, 0]);
        assert_eq!(
            parse(&encrypted).unwrap().of("bad"),
            failed("module in batch results is encrypted")
        );
        let odd = local(entry_at, 10, &[97, 0]);
        assert_eq!(
            parse(&odd).unwrap().of("bad"),
            failed("module in batch results is packed in an unsupported way")
        );
        for bytes in [damaged, encrypted, odd] {
            assert_eq!(
                parse(&bytes).unwrap().of("good"),
                StemResult::Module(Bytes::from_static(b"G"))
            );
        }
    }

    #[test]
    fn an_archive_that_unpacks_to_far_more_than_it_says_is_counted_by_what_it_unpacks_to() {
        let mut bomb = zip(&[("bomb.js", &vec![0; 32 << 20]), ("good.js", b"G")]);
        assert!(bomb.len() < 100_000);
        let entry_at = bomb
            .windows(4)
            .position(|window| window == DIRECTORY_ENTRY)
            .unwrap();
        bomb[entry_at + 24..entry_at + 28].copy_from_slice(&10_u32.to_le_bytes());
        let results = parse(&bomb).unwrap();
        assert_eq!(
            results.of("bomb"),
            failed("module in batch results is too large")
        );
    }

    #[test]
    fn a_manifest_alone_is_a_whole_answer_and_a_bad_one_says_nothing() {
        let results = parse(&zip(&[("_failed.json", br#"{"a":"x"}"#)])).unwrap();
        assert_eq!(results.of("a"), failed("x"));

        let long = format!("{{\"a\":\"{}\"}}", "y".repeat(20_000));
        let deep = "[".repeat(10_000);
        for manifest in [long.as_bytes(), deep.as_bytes(), b"[1]", b"", b"\xff"] {
            let results = parse(&zip(&[("_failed.json", manifest), ("a.js", b"A")])).unwrap();
            assert_eq!(
                results.of("a"),
                StemResult::Module(Bytes::from_static(b"A"))
            );
        }
        let long_reason = format!("{{\"a\":\"{}\"}}", "y".repeat(2000));
        let results = parse(&zip(&[("_failed.json", long_reason.as_bytes())])).unwrap();
        assert_eq!(results.of("a"), failed(&"y".repeat(MAX_REASON_CHARACTERS)));
    }

    #[test]
    fn archives_without_anything_usable_are_refused() {
        assert_eq!(
            parse(&zip(&[])),
            Err(ArchiveError::Empty { first_fault: None })
        );
        assert_eq!(
            parse(&zip(&[("x.txt", b"x")])),
            Err(ArchiveError::Empty { first_fault: None })
        );
        let large = vec![b' '; (1 << 20) + 1];
        let fault = Some("a.js is too large".to_owned());
        assert_eq!(
            parse(&zip(&[("a.js", &large)])),
            Err(ArchiveError::Empty { first_fault: fault })
        );
    }

    #[test]
    fn archives_above_the_limits_are_refused() {
        let names: Vec<String> = (0..101).map(|index| format!("{index}.js")).collect();
        let entries: Vec<(&str, &[u8])> = names
            .iter()
            .map(|name| (name.as_str(), &b"x"[..]))
            .collect();
        assert_eq!(
            parse(&zip(&entries)),
            Err(ArchiveError::TooManyEntries { limit: 100 })
        );
        assert_eq!(parse(&zip(&entries[..100])).unwrap().modules.len(), 100);

        let small = ArchiveLimits {
            zip_bytes: 50,
            ..ArchiveLimits::default()
        };
        assert_eq!(
            read(&zip(&entries[..1]), &small),
            Err(ArchiveError::TooLarge { limit_bytes: 50 })
        );
    }

    #[test]
    fn a_directory_that_lies_about_its_length_takes_no_memory() {
        let mut bytes = DIRECTORY_ENTRY.repeat(100_000);
        bytes.extend_from_slice(&zip(&[("a.js", b"A")]));
        assert_eq!(
            parse(&bytes),
            Err(ArchiveError::TooManyEntries { limit: 100 })
        );
    }

    #[test]
    fn every_cut_of_an_archive_is_an_error_or_a_result_and_never_a_panic() {
        let whole = zip(&[("a.js", b"some module"), ("_failed.json", br#"{"b":"x"}"#)]);
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            let _ = parse(&changed);
        }
    }
}
