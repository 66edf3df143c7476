//! Where the files come from: a commit of a git repository, or a plain folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags};

use super::AuditError;

/// Folders nested deeper than this are no state repository.
const MAX_DEPTH: usize = 8;

/// An opened source.
pub(crate) enum Source {
    /// A repository and the commit to check.
    Git {
        /// Opened again by each thread that reads.
        repository: Repository,
        /// The commit to check.
        tip: Oid,
    },
    /// A folder without history.
    Folder(PathBuf),
}

/// Where one file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Blob(Oid),
    File(PathBuf),
}

impl Source {
    /// Opens what is at `path`: the commit `revision` (by default `HEAD`) of a repository, or a folder with a
    /// `config.json` or `state.json`.
    pub(crate) fn open(path: &Path, revision: Option<&str>) -> Result<Self, AuditError> {
        allow_partial_clones();
        let cannot_read = |what: String| AuditError::CannotRead {
            path: path.display().to_string(),
            what,
        };
        // No search in parent folders: a plain folder inside some other repository is a plain folder.
        match Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, None::<&Path>) {
            Ok(repository) => {
                let wanted = revision.unwrap_or("HEAD");
                let tip = match repository
                    .revparse_single(wanted)
                    .and_then(|object| object.peel_to_commit())
                {
                    Ok(commit) => commit.id(),
                    Err(_) => return Err(cannot_read(format!("it has no commit `{wanted}`"))),
                };
                Ok(Self::Git { repository, tip })
            }
            Err(error) if error.code() == ErrorCode::NotFound => {
                let is_state = ["config.json", "state.json", "rounds"]
                    .iter()
                    .any(|name| path.join(name).exists());
                if revision.is_some() || !is_state {
                    return Err(cannot_read(
                        "it is neither a git repository nor a folder with the files of one"
                            .to_owned(),
                    ));
                }
                Ok(Self::Folder(path.to_owned()))
            }
            Err(error) => Err(cannot_read(error.message().to_owned())),
        }
    }

    /// Every file to check, by path.
    pub(crate) fn files(&self) -> Result<Listing, AuditError> {
        match self {
            Self::Git { repository, tip } => list_commit(repository, *tip),
            Self::Folder(root) => {
                let mut listing = Listing::default();
                list_folder(root, "", 0, &mut listing).map_err(|error| AuditError::CannotRead {
                    path: root.display().to_string(),
                    what: error.to_string(),
                })?;
                Ok(listing)
            }
        }
    }

    /// Something that reads files, for one thread.
    pub(crate) fn reader(&self) -> Result<Reader, AuditError> {
        match self {
            Self::Git { repository, .. } => {
                let reopened = Repository::open(repository.path()).map_err(|error| {
                    AuditError::CannotRead {
                        path: repository.path().display().to_string(),
                        what: error.message().to_owned(),
                    }
                })?;
                Ok(Reader {
                    repository: Some(reopened),
                })
            }
            Self::Folder(_) => Ok(Reader { repository: None }),
        }
    }
}

/// The files of a source.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: BTreeMap<String, Place>,
    /// Folders that could not be listed because this clone lacks them.
    pub(crate) missing_folders: Vec<String>,
}

/// Reads files of a source.
pub(crate) struct Reader {
    repository: Option<Repository>,
}

impl Reader {
    /// The bytes, or `None` when this clone lacks them.
    pub(crate) fn read(&self, place: &Place) -> Option<Vec<u8>> {
        match place {
            Place::Blob(oid) => {
                let repository = self.repository.as_ref()?;
                repository
                    .find_blob(*oid)
                    .ok()
                    .map(|blob| blob.content().to_vec())
            }
            Place::File(path) => fs::read(path).ok(),
        }
    }
}

/// The bytes of a blob, or `None` when this clone lacks it.
pub(crate) fn read_blob(repository: &Repository, blob: Oid) -> Option<Vec<u8>> {
    repository
        .find_blob(blob)
        .ok()
        .map(|blob| blob.content().to_vec())
}

fn list_commit(repository: &Repository, tip: Oid) -> Result<Listing, AuditError> {
    let cannot_read = |error: git2::Error| AuditError::CannotRead {
        path: repository.path().display().to_string(),
        what: error.message().to_owned(),
    };
    let root = repository
        .find_commit(tip)
        .and_then(|commit| commit.tree())
        .map_err(cannot_read)?;
    let mut listing = Listing::default();
    let mut folders = vec![(String::new(), root, 0)];
    while let Some((prefix, tree, depth)) = folders.pop() {
        for entry in &tree {
            // A path that is not UTF-8 is no state file.
            let Ok(name) = entry.name() else { continue };
            let path = format!("{prefix}{name}");
            match entry.kind() {
                Some(ObjectType::Blob) => {
                    listing.files.insert(path, Place::Blob(entry.id()));
                }
                Some(ObjectType::Tree) if depth < MAX_DEPTH => {
                    match repository.find_tree(entry.id()) {
                        Ok(tree) => folders.push((format!("{path}/"), tree, depth + 1)),
                        Err(_) => listing.missing_folders.push(path),
                    }
                }
                _ => {}
            }
        }
    }
    Ok(listing)
}

fn list_folder(
    folder: &Path,
    prefix: &str,
    depth: usize,
    listing: &mut Listing,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < MAX_DEPTH && name != ".git" {
            list_folder(&entry.path(), &format!("{path}/"), depth + 1, listing)?;
        } else if kind.is_file() {
            listing.files.insert(path, Place::File(entry.path()));
        }
    }
    Ok(())
}

/// libgit2 refuses to open a clone that was made with a filter unless it is told that we can live with missing objects.
fn allow_partial_clones() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Safety: libgit2 copies the list; it is set once, before this module opens its first repository.
        #[allow(unsafe_code)]
        unsafe {
            let _ = git2::opts::set_extensions(&["partialclone"]);
        }
    });
}
