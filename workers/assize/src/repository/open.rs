//! Opening the clone of an earlier run, or making it.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions};

use super::conflict::ContestedFiles;
use super::error::While as _;
use super::refs::{SEEN, find_ref, set_ref, tracking_ref};
use super::tree::{entry_of, tree_of, visit_files};
use super::{MirrorOptions, Oid, RepositoryError, transport};

/// The files without which a branch is not the state of a competition.
const REQUIRED_FILES: [&str; 2] = ["config.json", "state.json"];

fn sibling(local: &Path, suffix: &str) -> PathBuf {
    let mut name = local.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    local.with_file_name(name)
}

pub(super) fn lock(local: &Path) -> Result<fs::File, RepositoryError> {
    let path = sibling(local, ".lock");
    let io = |source| RepositoryError::Io {
        path: path.clone(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    let file = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(RepositoryError::Locked {
            local: local.to_owned(),
        }),
        Err(fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

/// The clone of an earlier run, or `None` when there is none or it has to be made again.
pub(super) fn open_existing(
    options: &MirrorOptions,
) -> Result<Option<Repository>, RepositoryError> {
    let is_empty =
        || fs::read_dir(&options.local).is_ok_and(|mut entries| entries.next().is_none());
    if !options.local.exists() || is_empty() {
        return Ok(None);
    }
    let foreign = || RepositoryError::ForeignFolder {
        local: options.local.clone(),
    };
    let config = git2::Config::open(&options.local.join("config")).map_err(|_| foreign())?;
    if config.get_string("remote.origin.url").ok().as_deref() != Some(options.remote.as_str())
        || !config.get_bool("assize.mirror").unwrap_or(false)
    {
        return Err(foreign());
    }
    match Repository::open_bare(&options.local) {
        Ok(repository) if is_whole(&repository, options) => Ok(Some(repository)),
        _ => {
            tracing::warn!(clone.path = %options.local.display(), "the local clone is incomplete, it is made again");
            fs::remove_dir_all(&options.local).map_err(|source| RepositoryError::Io {
                path: options.local.clone(),
                source,
            })?;
            Ok(None)
        }
    }
}

/// Whether everything the remote's tip needs is there.
fn is_whole(repository: &Repository, options: &MirrorOptions) -> bool {
    let Ok(tracked) = find_ref(repository, &tracking_ref(options)) else {
        return false;
    };
    let Some(tip) = tracked else {
        return options.bootstrap;
    };
    let Ok(objects) = repository.odb() else {
        return false;
    };
    let Ok(tree) = tree_of(repository, Some(tip)) else {
        return false;
    };
    let mut whole = true;
    let visited = visit_files(repository, tree, String::new(), |_, blob| {
        whole &= objects.read_header(blob).is_ok();
    });
    whole && visited.is_ok()
}

/// Clones. The folder appears when the clone is complete.
pub(super) fn clone(options: &MirrorOptions) -> Result<Repository, RepositoryError> {
    let partial = clone_aside(options)?;
    if options.local.exists() {
        fs::remove_dir(&options.local).map_err(io(&options.local))?;
    }
    fs::rename(&partial, &options.local).map_err(io(&options.local))?;
    Repository::open_bare(&options.local).while_("open the clone")
}

/// Clones again in place of a clone with very many loose objects: the remote sends them in one pack. What was seen and is
/// contested stays. A crash in between leaves no clone at all, as if it had been deleted.
pub(super) fn clone_again(
    old: &Repository,
    options: &MirrorOptions,
) -> Result<Repository, RepositoryError> {
    let partial = clone_aside(options)?;
    let seen = find_ref(old, SEEN)?;
    let renewed = Repository::open_bare(&partial).while_("open the clone")?;
    if let Some(seen) = seen.filter(|seen| renewed.find_commit(*seen).is_ok()) {
        set_ref(&renewed, SEEN, seen)?;
    }
    drop(renewed);
    ContestedFiles::load(old.path()).save(&partial)?;
    let replaced = sibling(&options.local, ".replaced");
    if replaced.exists() {
        fs::remove_dir_all(&replaced).map_err(io(&replaced))?;
    }
    fs::rename(&options.local, &replaced).map_err(io(&options.local))?;
    fs::rename(&partial, &options.local).map_err(io(&options.local))?;
    fs::remove_dir_all(&replaced).map_err(io(&replaced))?;
    Repository::open_bare(&options.local).while_("open the clone")
}

/// About how many objects lie in files of their own. One of 256 folders is counted: names are hashes.
pub(super) fn loose_objects(repository: &Repository) -> usize {
    let folder = repository.path().join("objects").join("17");
    fs::read_dir(folder).map_or(0, |entries| entries.count() * 256)
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> RepositoryError {
    let path = path.to_owned();
    move |source| RepositoryError::Io {
        path: path.clone(),
        source,
    }
}

/// Clones into a folder beside the target.
fn clone_aside(options: &MirrorOptions) -> Result<PathBuf, RepositoryError> {
    let partial = sibling(&options.local, ".partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(io(&partial))?;
    }
    let mut init = RepositoryInitOptions::new();
    init.bare(true)
        .mkpath(true)
        .external_template(false)
        .initial_head(&options.branch);
    let repository = Repository::init_opts(&partial, &init).while_("make the clone")?;
    let mut config = repository.config().while_("configure the clone")?;
    config
        .set_bool("assize.mirror", true)
        .while_("configure the clone")?;
    let refspec = format!("+refs/heads/{}:{}", options.branch, tracking_ref(options));
    repository
        .remote_with_fetch("origin", &options.remote, &refspec)
        .while_("configure the clone")?;

    match transport::download(&repository, options)? {
        Some(tip) => {
            check_is_state(&repository, options, tip)?;
            set_ref(&repository, &tracking_ref(options), tip)?;
            set_ref(&repository, SEEN, tip)?;
        }
        None if options.bootstrap => {}
        None => {
            return Err(RepositoryError::Empty {
                remote: options.remote_shown(),
            });
        }
    }
    drop(repository);
    Ok(partial)
}

fn check_is_state(
    repository: &Repository,
    options: &MirrorOptions,
    tip: Oid,
) -> Result<(), RepositoryError> {
    let tree = tree_of(repository, Some(tip))?;
    for missing in REQUIRED_FILES {
        if entry_of(&tree, missing)?.is_none() && !options.bootstrap {
            return Err(RepositoryError::NotStateRepository {
                remote: options.remote_shown(),
                branch: options.branch.clone(),
                missing,
            });
        }
    }
    Ok(())
}
