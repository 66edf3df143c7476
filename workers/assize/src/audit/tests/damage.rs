//! Whatever a repository holds, the audit ends with a report: people will point it at anything.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::super::{to_html, to_text};
use super::fixture::packed_files;
use super::world::{Files, Git, OPERATOR, SERVICE, audit_files, finished};

/// Repositories that are damaged here; `AUDIT_RUNS` asks for more.
const RUNS: u64 = 60;

/// Of the larger published fixture, one for so many.
const SMALL_FOR_EACH_LARGE: u64 = 12;

/// What stands for a value: extremes, other kinds, other forms of the same.
const VALUES: [&str; 16] = [
    "null",
    "-1",
    "1e308",
    "18446744073709551615",
    "3.0",
    "\"3\"",
    "0.5",
    "\"\"",
    "[]",
    "{}",
    "true",
    "\"leader\"",
    "\"5A\"",
    "NaN",
    "\"2026-02-02T00:00:00\"",
    "1e-320",
];

fn runs() -> u64 {
    std::env::var("AUDIT_RUNS").map_or(RUNS, |runs| runs.parse().unwrap())
}

fn any_path(files: &Files, random: &mut StdRng) -> String {
    let paths: Vec<&String> = files.keys().collect();
    (*paths.choose(random).unwrap()).clone()
}

/// Puts another value behind one of the colons.
fn with_another_value(text: &str, random: &mut StdRng) -> String {
    let colons: Vec<usize> = text.match_indices("\": ").map(|(at, _)| at + 3).collect();
    let Some(start) = colons.choose(random) else {
        return text.to_owned();
    };
    let length = text[*start..].find([',', '\n', '}']).unwrap_or(0);
    let value = VALUES.choose(random).unwrap();
    format!("{}{value}{}", &text[..*start], &text[start + length..])
}

fn damage(files: &mut Files, random: &mut StdRng) {
    let path = any_path(files, random);
    let mut bytes = files[&path].clone();
    match random.random_range(0..8) {
        0 => {
            files.remove(&path);
            return;
        }
        1 => {
            let other = any_path(files, random);
            bytes = files[&other].clone();
        }
        2 => bytes.truncate(random.random_range(0..=bytes.len())),
        3 => {
            let at = random.random_range(0..=bytes.len());
            bytes.insert(at, *b"\"{}[]:,0e-\n\xff".choose(random).unwrap());
        }
        4 => {
            // Into a round that is not there, or far away.
            let round = ["rounds/1/", "rounds/7/", "rounds/4294967295/"]
                .choose(random)
                .unwrap();
            files.insert(path.replacen("rounds/0/", round, 1), bytes);
            return;
        }
        5 => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut lines: Vec<&str> = text.split('\n').collect();
            let line = random.random_range(0..lines.len());
            lines.insert(line, lines[line]);
            bytes = lines.join("\n").into_bytes();
        }
        _ => bytes = with_another_value(&String::from_utf8_lossy(&bytes), random).into_bytes(),
    }
    files.insert(path, bytes);
}

#[test]
fn no_damage_keeps_the_audit_from_its_report() {
    for run in 0..runs() {
        let mut random = StdRng::seed_from_u64(run);
        let mut files = if run % SMALL_FOR_EACH_LARGE == 0 {
            packed_files()
        } else {
            finished()
        };
        for _ in 0..random.random_range(1..4) {
            damage(&mut files, &mut random);
        }
        let audited = std::panic::catch_unwind(|| {
            let report = audit_files(&files);
            (to_text(&report), to_html(&report))
        });
        assert!(audited.is_ok(), "run {run} panics");
    }
}

#[test]
fn no_damaged_commit_keeps_the_audit_from_its_report() {
    for run in 0..runs() / 3 {
        let mut random = StdRng::seed_from_u64(run);
        let git = Git::finished();
        for _ in 0..3 {
            let mut files = finished();
            damage(&mut files, &mut random);
            let author = [SERVICE, OPERATOR].choose(&mut random).unwrap();
            let message = [
                "Round 0: duels",
                "Match report: leader vs 5CCCCCCCCC",
                "Repair\n\nAssize-Step: x",
            ];
            git.commit(author, message.choose(&mut random).unwrap(), &files);
        }
        let audited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let report = git.audit();
            (to_text(&report), to_html(&report))
        }));
        assert!(audited.is_ok(), "run {run} panics");
    }
}
