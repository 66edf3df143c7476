//! The published files, by their paths in the repository.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use schema::{RoundNumber, StateFile};

/// What lies beside the files of the repository: all reports in one archive, and their index.
pub const ARCHIVE: &str = "duel-reports-all.tar.xz";
pub const INDEX: &str = "duel-reports-index.csv";

pub const ROUNDS: [RoundNumber; 2] = [RoundNumber(0), RoundNumber(1)];

/// Every plain file of the fixture, by its path.
pub static FILES: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let mut files = BTreeMap::new();
    collect(&root(), "", &mut files);
    files
});

/// All 143 reports, by their paths.
pub static REPORTS: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let packed = std::fs::File::open(root().join(ARCHIVE)).unwrap();
    let mut archive = tar::Archive::new(xz2::read::XzDecoder::new(packed));
    let mut reports = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let path = entry
                .path()
                .unwrap()
                .to_str()
                .unwrap()
                .trim_start_matches("./")
                .to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            reports.insert(path, bytes);
        }
    }
    reports
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/competition-0")
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
}

/// A plain file, read.
pub fn read<T: StateFile>(path: &str) -> T {
    let bytes = FILES
        .get(path)
        .unwrap_or_else(|| panic!("the fixture lacks {path}"));
    T::parse(path, bytes).unwrap_or_else(|error| panic!("{error}"))
}

/// One line of the index of reports.
pub struct IndexLine {
    pub path: String,
    pub bytes: usize,
    pub sha256: String,
    pub left: String,
    pub right: String,
    pub score: i64,
    pub margin: String,
    /// Duels in all, won by left, won by right, drawn, skipped.
    pub counts: [usize; 5],
    pub missing_preview: usize,
    pub non_ascii: bool,
    pub plain: bool,
}

pub fn index() -> Vec<IndexLine> {
    let text = std::str::from_utf8(&FILES[INDEX]).unwrap();
    text.lines().skip(1).map(index_line).collect()
}

fn index_line(line: &str) -> IndexLine {
    let fields: Vec<&str> = line.split(',').collect();
    let number = |column: usize| fields[column].parse::<usize>().unwrap();
    IndexLine {
        path: fields[0].to_owned(),
        bytes: number(1),
        sha256: fields[2].to_owned(),
        left: fields[3].to_owned(),
        right: fields[4].to_owned(),
        score: fields[5].parse().unwrap(),
        margin: fields[6].to_owned(),
        counts: [7, 8, 9, 10, 11].map(number),
        missing_preview: number(12),
        non_ascii: number(13) == 1,
        plain: number(14) == 1,
    }
}
