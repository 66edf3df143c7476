//! Every published file reads, and writes back byte for byte.

use schema::files::{AnyReport, Config, DuelWinner, MeshDuel, MeshReport};
use schema::format::float::python_repr;
use schema::paths::{StatePath, classify};
use schema::{Document, StateFile};
use sha2::{Digest, Sha256};

use crate::fixture::{ARCHIVE, FILES, INDEX, REPORTS, index};

fn assert_round_trip(path: &str, bytes: &[u8]) {
    let document = Document::parse(path, bytes).unwrap_or_else(|error| panic!("{error}"));
    let written = document.to_bytes();
    if written != bytes {
        let at = written
            .iter()
            .zip(bytes)
            .take_while(|(one, other)| one == other)
            .count();
        let around = |text: &[u8]| {
            String::from_utf8_lossy(
                &text[at.saturating_sub(60).min(text.len())..(at + 60).min(text.len())],
            )
            .into_owned()
        };
        panic!(
            "{path} differs from byte {at}:\nread    {}\nwritten {}",
            around(bytes),
            around(&written)
        );
    }
}

#[test]
fn every_published_file_is_covered_and_writes_back_byte_for_byte() {
    let mut covered = 0;
    for (path, bytes) in FILES
        .iter()
        .filter(|(path, _)| ![ARCHIVE, INDEX].contains(&path.as_str()))
    {
        let kind = classify(path).unwrap_or_else(|| panic!("{path} is covered by no type"));
        assert_eq!(kind.to_string(), *path);
        // Made by hand: the formatting is free, the values count.
        if kind != StatePath::Config {
            assert_round_trip(path, bytes);
        }
        covered += 1;
    }
    assert_eq!(covered, 134);
}

#[test]
fn the_hand_made_config_keeps_its_values() {
    let bytes = &FILES["config.json"];
    assert_eq!(
        bytes.last(),
        Some(&b'\n'),
        "the published file ends with a newline"
    );
    let config = Config::parse("config.json", bytes).unwrap();
    assert_eq!(
        (
            config.name.as_str(),
            config.round_duration_days,
            config.audit_repeats
        ),
        ("mesh", 3, 3)
    );
    assert_eq!(config.problems(), Vec::<String>::new());
    let written = config.to_bytes();
    assert_eq!(Config::parse("config.json", &written).unwrap(), config);

    let before: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).unwrap();
    let after: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&written).unwrap();
    for (key, value) in &before {
        let same = match (value.as_f64(), after[key].as_f64()) {
            (Some(one), Some(other)) => one == other,
            _ => *value == after[key],
        };
        assert!(same, "{key}: {value} became {}", after[key]);
    }
    assert!(
        after.keys().take(before.len()).eq(before.keys()),
        "key order"
    );
}

#[test]
fn every_packed_report_writes_back_byte_for_byte_and_is_what_the_index_says() {
    let lines = index();
    assert_eq!((lines.len(), REPORTS.len()), (143, 143));
    for line in lines {
        let bytes = &REPORTS[&line.path];
        assert_eq!(bytes.len(), line.bytes, "{}", line.path);
        assert_eq!(
            hex::encode(Sha256::digest(bytes)),
            line.sha256,
            "{}",
            line.path
        );
        assert_eq!(!bytes.is_ascii(), line.non_ascii, "{}", line.path);
        assert_eq!(
            FILES.get(&line.path),
            line.plain.then_some(bytes),
            "{}",
            line.path
        );
        assert!(
            matches!(classify(&line.path), Some(StatePath::DuelsReport { .. })),
            "{}",
            line.path
        );
        assert_round_trip(&line.path, bytes);

        let AnyReport::Mesh(report) = AnyReport::parse(&line.path, bytes).unwrap() else {
            panic!("{} is not of the mesh competition", line.path);
        };
        assert_eq!(
            (report.left.as_str(), report.right.as_str()),
            (line.left.as_str(), line.right.as_str())
        );
        assert_eq!(
            (report.score, python_repr(report.margin)),
            (line.score, line.margin)
        );
        assert_eq!(outcomes(&report), line.counts, "{}", line.path);
        let missing = |duel: &&MeshDuel| duel.left_png.is_none() || duel.right_png.is_none();
        let missing: Vec<_> = report.duels.iter().filter(missing).collect();
        assert!(
            missing
                .iter()
                .all(|duel| duel.issues.starts_with("No preview")),
            "{}",
            line.path
        );
        assert_eq!(missing.len(), line.missing_preview, "{}", line.path);
    }
}

fn outcomes(report: &MeshReport) -> [usize; 5] {
    let count = |winner| {
        report
            .duels
            .iter()
            .filter(|duel| duel.winner == winner)
            .count()
    };
    [
        report.duels.len(),
        count(DuelWinner::Left),
        count(DuelWinner::Right),
        count(DuelWinner::Draw),
        count(DuelWinner::Skipped),
    ]
}
