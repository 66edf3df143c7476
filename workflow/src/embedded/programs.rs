//! Where the system keeps `initdb` and `postgres`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::EmbeddedError;

/// Debian keeps each major version here, as `<version>/bin`, and puts none of them on `PATH`.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// The two programs a cluster needs, of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
}

impl Programs {
    /// Finds the programs: in `named`, else in `PG_BIN_DIR`, else the best of Debian's folders and `PATH`.
    ///
    /// - `cluster`: the major version of the cluster to be run, when there is one already. Another version cannot run it.
    pub fn find(named: Option<&Path>, cluster: Option<u32>) -> Result<Self, EmbeddedError> {
        let from_environment = std::env::var_os("PG_BIN_DIR").map(PathBuf::from);
        let named = named.map(Path::to_path_buf).or(from_environment);
        let found = match named {
            Some(folder) => {
                Self::within(&folder).ok_or(EmbeddedError::ProgramsMissingIn { folder })?
            }
            None => Self::installed(Path::new(DEBIAN_ROOT), cluster)
                .ok_or(EmbeddedError::ProgramsMissing)?,
        };
        match cluster {
            Some(cluster) if found.version() != Some(cluster) => Err(EmbeddedError::WrongVersion {
                cluster,
                found: found.version().unwrap_or_default(),
            }),
            _ => Ok(found),
        }
    }

    /// The newest version under `debian_root` (or the one of the cluster), else the first folder of `PATH` that has both.
    fn installed(debian_root: &Path, cluster: Option<u32>) -> Option<Self> {
        let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(debian_root)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let version = entry.file_name().to_str()?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .collect();
        versions.sort_by_key(|(version, _)| (Some(*version) == cluster, *version));
        let path = std::env::var_os("PATH").unwrap_or_default();
        versions
            .into_iter()
            .rev()
            .map(|(_, folder)| folder)
            .chain(std::env::split_paths(&path))
            .find_map(|folder| Self::within(&folder))
    }

    fn within(folder: &Path) -> Option<Self> {
        let programs = Self {
            initdb: folder.join("initdb"),
            postgres: folder.join("postgres"),
        };
        (programs.initdb.is_file() && programs.postgres.is_file()).then_some(programs)
    }

    /// The major version, as `postgres --version` says it: `postgres (PostgreSQL) 15.18 (Debian …)`.
    fn version(&self) -> Option<u32> {
        let output = Command::new(&self.postgres)
            .arg("--version")
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace()
            .find_map(|word| word.split(['.', 'd', 'b', 'r']).next()?.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fake_version(root: &Path, version: &str) {
        let bin = root.join(version).join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        for program in ["initdb", "postgres"] {
            std::fs::write(bin.join(program), "").unwrap();
        }
    }

    #[test]
    fn the_newest_installed_version_is_taken_by_number_and_not_by_spelling() {
        let root = tempfile::tempdir().unwrap();
        fake_version(root.path(), "9");
        fake_version(root.path(), "15");
        let found = Programs::installed(root.path(), None).unwrap();
        assert_eq!(found.postgres, root.path().join("15/bin/postgres"));
    }

    #[test]
    fn a_cluster_gets_the_version_that_made_it_while_a_newer_one_is_installed() {
        let root = tempfile::tempdir().unwrap();
        fake_version(root.path(), "15");
        fake_version(root.path(), "17");
        let found = Programs::installed(root.path(), Some(15)).unwrap();
        assert_eq!(found.postgres, root.path().join("15/bin/postgres"));
    }

    #[test]
    fn a_cluster_of_a_version_that_is_not_installed_is_refused_by_name() {
        let error = Programs::find(None, Some(9)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("install the package postgresql-9"),
            "{error}"
        );
    }

    #[test]
    fn a_named_folder_without_the_programs_is_refused_and_not_searched_elsewhere() {
        let empty = tempfile::tempdir().unwrap();
        let error = Programs::find(Some(empty.path()), None).unwrap_err();
        assert!(
            matches!(error, EmbeddedError::ProgramsMissingIn { .. }),
            "{error}"
        );
    }
}
