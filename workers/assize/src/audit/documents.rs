//! Reading every file: in parallel, tolerant of single bad rows, reports reduced to what checks need.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use schema::files::report::DuelDetail;
use schema::files::{
    AnyAuditRequests, AnyGenerationAudits, AnyGenerationReports, AnyGenerations, AnyReport,
    AuditRequests, Builds, DuelWinner, GenerationAudits, GenerationReports, Generations, Leaders,
    Matrix, MeshGenerationAudits, MeshGenerations, SourceAudits, Submissions,
};
use schema::paths::{StatePath, classify};
use schema::{Document, FileError, Hotkey, LeftSide, RowProblem, StateFile, Stem, TolerantFile};
use serde::Deserialize;

use super::AuditError;
use super::outputs::Outputs;
use super::source::{Listing, Place, Source};

/// A file as read.
pub(super) struct ReadFile {
    pub(super) path: String,
    /// What the path means; none when it is no file of a state repository.
    pub(super) kind: Option<StatePath>,
    pub(super) content: Content,
    /// Rows that were left out.
    pub(super) row_problems: Vec<RowProblem>,
    /// Whether a service would write exactly these bytes.
    pub(super) is_canonical: bool,
}

/// What stands in a file.
pub(super) enum Content {
    Document(Document),
    Report(ReportSummary),
    Outputs(Outputs),
    Unreadable(FileError),
    /// This clone lacks it.
    Missing,
}

/// A match report without its texts.
#[derive(Debug, Clone)]
pub(super) struct ReportSummary {
    pub(super) left: LeftSide,
    pub(super) right: Hotkey,
    pub(super) score: i64,
    pub(super) margin: f64,
    pub(super) duels: Vec<DuelSummary>,
}

/// One duel.
#[derive(Debug, Clone)]
pub(super) struct DuelSummary {
    pub(super) name: Stem,
    pub(super) prompt: String,
    pub(super) winner: DuelWinner,
    /// Whether it says that it was left out because it could not change a decision any more.
    pub(super) is_curtailed: bool,
    pub(super) left: Shown,
    pub(super) right: Shown,
}

/// What a side showed in a duel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// URL of the module or mesh.
    pub(super) model: Option<String>,
    /// URL of the picture.
    pub(super) picture: Option<String>,
}

/// Reads all files of the listing, in path order.
pub(super) fn read_all(source: &Source, listing: &Listing) -> Result<Vec<ReadFile>, AuditError> {
    let files: Vec<(&String, &Place)> = listing.files.iter().collect();
    let next = AtomicUsize::new(0);
    let read = Mutex::new(Vec::with_capacity(files.len()));
    let threads = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(8);
    // Repositories cannot be shared between threads, only handed over.
    let readers = (0..threads)
        .map(|_| source.reader())
        .collect::<Result<Vec<_>, _>>()?;
    std::thread::scope(|scope| {
        for reader in readers {
            let (files, next, read) = (&files, &next, &read);
            scope.spawn(move || {
                let mut mine = Vec::new();
                while let Some((path, place)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    mine.push(read_file(path, reader.read(place)));
                }
                read.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .append(&mut mine);
            });
        }
    });
    let mut read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
    read.sort_by(|one: &ReadFile, other| one.path.cmp(&other.path));
    Ok(read)
}

pub(super) fn read_file(path: &str, bytes: Option<Vec<u8>>) -> ReadFile {
    let kind = classify(path);
    let mut file = ReadFile {
        path: path.to_owned(),
        kind,
        content: Content::Missing,
        row_problems: Vec::new(),
        is_canonical: true,
    };
    let (Some(bytes), Some(kind)) = (bytes, &file.kind) else {
        return file;
    };
    match kind {
        StatePath::DuelsReport { .. } | StatePath::AuditReport { .. } => {
            match ReportSummary::read(path, &bytes) {
                Ok(report) => {
                    file.is_canonical = is_laid_out(&bytes);
                    file.content = Content::Report(report);
                }
                Err(error) => file.content = Content::Unreadable(error),
            }
        }
        StatePath::Submitted { .. }
        | StatePath::Generated { .. }
        | StatePath::GeneratedOnce { .. } => match Outputs::read(&bytes) {
            Some(outputs) => {
                file.is_canonical = is_laid_out(&bytes);
                file.content = Content::Outputs(outputs);
            }
            None => read_document(&mut file, &bytes),
        },
        _ => read_document(&mut file, &bytes),
    }
    file
}

/// Whether the file has the layout of those that services write. Only the outside of large files is looked at: writing them
/// again to compare every byte costs more than all other checks together.
fn is_laid_out(bytes: &[u8]) -> bool {
    bytes == b"{}" || bytes.starts_with(b"{\n  \"") && bytes.ends_with(b"\n}")
}

/// Reads a file strictly, or row by row when that fails.
fn read_document(file: &mut ReadFile, bytes: &[u8]) {
    let (document, problems) = match Document::parse(&file.path, bytes) {
        Ok(document) => {
            file.is_canonical = document.to_bytes() == bytes;
            (document, Vec::new())
        }
        Err(error) => {
            let rows = file
                .kind
                .as_ref()
                .and_then(|kind| tolerant(kind, &file.path, bytes));
            let Some(read) = rows else {
                file.content = Content::Unreadable(error);
                return;
            };
            read
        }
    };
    file.row_problems = problems;
    file.content = match document {
        Document::Generations(generations) => Content::Outputs(Outputs::of(generations)),
        document => Content::Document(document),
    };
}

/// Reads the rows that can be read of a file that as a whole cannot.
fn tolerant(kind: &StatePath, path: &str, bytes: &[u8]) -> Option<(Document, Vec<RowProblem>)> {
    fn rows<T: TolerantFile>(path: &str, bytes: &[u8]) -> Option<(T, Vec<RowProblem>)> {
        let read = T::parse_tolerant(path, bytes).ok()?;
        Some((read.file, read.problems))
    }
    match kind {
        StatePath::Leader => {
            rows::<Leaders>(path, bytes).map(|(file, problems)| (Document::Leaders(file), problems))
        }
        StatePath::Submissions(_) => rows::<Submissions>(path, bytes)
            .map(|(file, problems)| (Document::Submissions(file), problems)),
        StatePath::Builds(_) => {
            rows::<Builds>(path, bytes).map(|(file, problems)| (Document::Builds(file), problems))
        }
        StatePath::RequireAudit(_) => rows::<AuditRequests>(path, bytes).map(|(file, problems)| {
            (
                Document::AuditRequests(AnyAuditRequests::Current(file)),
                problems,
            )
        }),
        StatePath::GenerationReports(_) => {
            rows::<GenerationReports>(path, bytes).map(|(file, problems)| {
                (
                    Document::GenerationReports(AnyGenerationReports::Current(file)),
                    problems,
                )
            })
        }
        StatePath::GenerationAudits(_) => rows::<GenerationAudits>(path, bytes)
            .map(|(file, problems)| {
                (
                    Document::GenerationAudits(AnyGenerationAudits::Current(file)),
                    problems,
                )
            })
            .or_else(|| {
                rows::<MeshGenerationAudits>(path, bytes).map(|(file, problems)| {
                    (
                        Document::GenerationAudits(AnyGenerationAudits::Mesh(file)),
                        problems,
                    )
                })
            }),
        StatePath::SourceAudit(_) => rows::<SourceAudits>(path, bytes)
            .map(|(file, problems)| (Document::SourceAudits(file), problems)),
        StatePath::MatchesMatrix(_) | StatePath::AuditMatrix(_) => {
            rows::<Matrix>(path, bytes).map(|(file, problems)| (Document::Matrix(file), problems))
        }
        StatePath::Submitted { .. }
        | StatePath::Generated { .. }
        | StatePath::GeneratedOnce { .. } => rows::<Generations>(path, bytes)
            .map(|(file, problems)| {
                (
                    Document::Generations(AnyGenerations::Current(file)),
                    problems,
                )
            })
            .or_else(|| {
                rows::<MeshGenerations>(path, bytes).map(|(file, problems)| {
                    (Document::Generations(AnyGenerations::Mesh(file)), problems)
                })
            }),
        _ => None,
    }
}

/// A report in either form, without its texts. Reports are most of a repository's bytes, so they are read in one pass.
#[derive(Deserialize)]
struct RawReport {
    left: LeftSide,
    right: Hotkey,
    score: i64,
    margin: f64,
    duels: Vec<RawDuel>,
}

#[derive(Deserialize)]
struct RawDuel {
    name: Stem,
    prompt: String,
    winner: DuelWinner,
    #[serde(default)]
    detail: Option<RawDetail>,
    #[serde(default, alias = "left_glb")]
    left_js: Option<String>,
    #[serde(default)]
    left_png: Option<String>,
    #[serde(default, alias = "right_glb")]
    right_js: Option<String>,
    #[serde(default)]
    right_png: Option<String>,
}

/// Only what a duel that was not judged has.
#[derive(Deserialize)]
struct RawDetail {
    #[serde(default)]
    reason: Option<String>,
}

impl ReportSummary {
    pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        match serde_json::from_slice::<RawReport>(bytes) {
            Ok(report) => Ok(Self {
                left: report.left,
                right: report.right,
                score: report.score,
                margin: report.margin,
                duels: report
                    .duels
                    .into_iter()
                    .map(|duel| DuelSummary {
                        name: duel.name,
                        prompt: duel.prompt,
                        winner: duel.winner,
                        is_curtailed: duel
                            .detail
                            .and_then(|detail| detail.reason)
                            .is_some_and(|reason| reason == DuelDetail::CURTAILED),
                        left: Shown {
                            model: duel.left_js,
                            picture: duel.left_png,
                        },
                        right: Shown {
                            model: duel.right_js,
                            picture: duel.right_png,
                        },
                    })
                    .collect(),
            }),
            // A hand-made report may still be one that readers accept; if not, theirs is the better error.
            Err(_) => AnyReport::parse(path, bytes).map(Self::of),
        }
    }

    fn of(report: AnyReport) -> Self {
        match report {
            AnyReport::Current(report) => Self {
                left: report.left,
                right: report.right,
                score: report.score,
                margin: report.margin,
                duels: report
                    .duels
                    .into_iter()
                    .map(|duel| DuelSummary {
                        name: duel.name,
                        prompt: duel.prompt,
                        winner: duel.winner,
                        is_curtailed: matches!(
                            &duel.detail,
                            Some(DuelDetail::MissingViews { reason }) if reason == DuelDetail::CURTAILED
                        ),
                        left: Shown {
                            model: duel.left_js,
                            picture: duel.left_png,
                        },
                        right: Shown {
                            model: duel.right_js,
                            picture: duel.right_png,
                        },
                    })
                    .collect(),
            },
            AnyReport::Mesh(report) => Self {
                left: report.left,
                right: report.right,
                score: report.score,
                margin: report.margin,
                duels: report
                    .duels
                    .into_iter()
                    .map(|duel| DuelSummary {
                        name: duel.name,
                        prompt: duel.prompt,
                        winner: duel.winner,
                        is_curtailed: false,
                        left: Shown {
                            model: duel.left_glb,
                            picture: duel.left_png,
                        },
                        right: Shown {
                            model: duel.right_glb,
                            picture: duel.right_png,
                        },
                    })
                    .collect(),
            },
        }
    }
}
