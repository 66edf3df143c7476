//! The programs that read the public repository today, replayed over a rehearsed one.
//!
//! Written from the published rules alone and without any type of ours, so that a mistake in our types cannot hide here:
//! how values are coerced, what a missing or empty file means, how lines are split, what each reader looks up, what the
//! image build and its watcher expect of commits, and what has held in every published round.
//!
//! Source: the state repository's specification, "Parse tolerance", "CI contract", "Outside readers" and "Invariants".

#![allow(
    clippy::str_split_at_newline,
    reason = "the readers split on `\\n` alone"
)]

mod history;
mod python;
mod rules;
mod values;

use std::path::Path;

use serde_json::{Map, Value};
use values::integer;

/// A clone, as a reader sees it.
pub struct Checkout<'a> {
    folder: &'a Path,
}

/// Replays every reader over the finished rounds `0..=last` of the clone in `folder`. Panics where one would stumble.
pub fn accept(folder: &Path, last: u32) {
    let checkout = Checkout { folder };
    checkout.everything_is_laid_out_as_written_by_the_reference();
    rules::weights_setter(&checkout);
    rules::services_every_cycle(&checkout);
    for round in 0..=last {
        rules::miners(&checkout, round);
        rules::carried_over(&checkout, round);
        rules::image_build(&checkout, round);
        rules::judge(&checkout, round);
        rules::orchestrator(&checkout, round);
        rules::round_manager(&checkout, round);
        history::stages_appear_as_promised(&checkout, round);
    }
    history::the_build_is_found_by_its_message(&checkout, last);
}

impl Checkout<'_> {
    /// The file at `path`; `None` when it is absent.
    fn file(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(path)).ok()
    }

    /// A file that raises when it is absent or no JSON.
    fn required(&self, path: &str) -> Value {
        let bytes = self
            .file(path)
            .unwrap_or_else(|| panic!("{path}: not found"));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A map that is empty when its file is absent or empty.
    fn map(&self, path: &str) -> Map<String, Value> {
        match self.file(path).filter(|bytes| !bytes.is_empty()) {
            None => Map::new(),
            Some(_) => self
                .required(path)
                .as_object()
                .unwrap_or_else(|| panic!("{path}: no map"))
                .clone(),
        }
    }

    /// An array that is empty when its file is absent or empty.
    fn array(&self, path: &str) -> Vec<Value> {
        match self.file(path).filter(|bytes| !bytes.is_empty()) {
            None => Vec::new(),
            Some(_) => self
                .required(path)
                .as_array()
                .unwrap_or_else(|| panic!("{path}: no array"))
                .clone(),
        }
    }

    /// Rows of a matrix: the first line is dropped, short lines are skipped, a margin that is no number raises, the last of
    /// a repeated pair counts.
    fn matrix(&self, path: &str) -> Vec<(String, String, f64)> {
        let bytes = self.file(path).unwrap_or_default();
        let body = String::from_utf8(bytes).unwrap();
        let mut rows: Vec<(String, String, f64)> = Vec::new();
        for line in body.trim().split('\n').skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let [left, right, margin, ..] = &fields[..] else {
                continue;
            };
            let margin: f64 = margin
                .trim()
                .parse()
                .unwrap_or_else(|_| panic!("{path}: {line}"));
            match rows
                .iter_mut()
                .find(|row| row.0 == *left && row.1 == *right)
            {
                Some(row) => row.2 = margin,
                None => rows.push(((*left).to_owned(), (*right).to_owned(), margin)),
            }
        }
        rows
    }

    /// A round's prompts as judge and orchestrator split them.
    fn prompts(&self, round: u32) -> Vec<String> {
        let path = format!("rounds/{round}/prompts.txt");
        let bytes = self
            .file(&path)
            .unwrap_or_else(|| panic!("{path}: not found"));
        let body = String::from_utf8(bytes).unwrap();
        let prompts: Vec<String> = body
            .trim()
            .split('\n')
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        // The collector splits otherwise: the two must see the same.
        let collectors: Vec<String> = body
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(prompts, collectors, "{path}");
        prompts
    }

    /// Submissions in file order: hotkey and fields.
    fn submissions(&self, round: u32) -> Vec<(String, Map<String, Value>)> {
        let path = format!("rounds/{round}/submissions.json");
        let submissions = self.required(&path);
        let fields = |value: &Value| {
            value
                .as_object()
                .unwrap_or_else(|| panic!("{path}: no object"))
                .clone()
        };
        submissions
            .as_object()
            .unwrap()
            .iter()
            .map(|(hotkey, value)| (hotkey.clone(), fields(value)))
            .collect()
    }

    /// Every JSON file of a service is laid out as its writers lay it out: two spaces, no newline at the end, keys in their
    /// order; `seed.json` on one line; matrices without a newline at the end.
    fn everything_is_laid_out_as_written_by_the_reference(&self) {
        for path in history::listed(self) {
            let bytes = self.file(&path).unwrap();
            let name = path.rsplit('/').next().unwrap();
            let is_ledger = path.contains("/ledger/");
            if path == "config.json" || path.starts_with('.') || is_ledger || name == "README.md" {
                continue;
            }
            assert!(!bytes.ends_with(b"\n") && !bytes.contains(&b'\r'), "{path}");
            match path.rsplit('.').next() {
                Some("json") if name == "seed.json" => {
                    let seed = integer(&self.required(&path)["seed"]);
                    assert_eq!(bytes, format!("{{\"seed\": {seed}}}").as_bytes(), "{path}");
                }
                Some("json") => {
                    let again = serde_json::to_string_pretty(&self.required(&path)).unwrap();
                    // Only submissions escape what is not ASCII.
                    if name == "submissions.json" {
                        assert!(bytes.is_ascii(), "{path}");
                    } else {
                        assert_eq!(String::from_utf8(bytes).unwrap(), again, "{path}");
                    }
                }
                Some("csv") => assert!(bytes.starts_with(b"left,right,margin"), "{path}"),
                _ => {}
            }
        }
    }
}

/// The last part of a prompt's address without its last suffix.
fn stem(url: &str) -> String {
    let name = url.rsplit('/').next().unwrap();
    name.rsplit_once('.')
        .map_or(name, |(stem, _)| stem)
        .to_owned()
}

/// The name that stands for a side in file names.
fn left10(side: &str) -> String {
    side.chars().take(10).collect()
}

/// The published rounds, where prompts really were carried over.
#[test]
fn the_carried_prompts_of_the_published_rounds_are_the_sample_that_the_seed_draws() {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/tests/fixtures/competition-0");
    let checkout = Checkout { folder: &fixture };
    rules::carried_over(&checkout, 1);
    assert_eq!(checkout.prompts(1).len(), 128);
}
