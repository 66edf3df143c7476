//! What a miner names: files, folders of modules, or `-` for standard input.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::validate::STANDARD_INPUT;

/// Why an argument names no module.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A folder cannot be read.
    #[error("cannot read the folder {}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A folder holds no module.
    #[error("the folder {} holds no .js file", .0.display())]
    Empty(PathBuf),
    /// Two modules would be drawn into the same folder.
    #[error("{} and {} would both be drawn into the folder {}: draw them one after the other", .first.display(), .second.display(), .stem.display())]
    SameStem {
        /// One module.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// The name they share.
        stem: PathBuf,
    },
}

/// The files that `arguments` name, in their order: the `.js` files of a folder by name. And what is wrong with the rest.
pub fn expand(arguments: &[PathBuf]) -> (Vec<PathBuf>, Vec<InputError>) {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for argument in arguments {
        if !argument.is_dir() {
            files.push(argument.clone());
            continue;
        }
        match modules_of(argument) {
            Ok(found) if found.is_empty() => problems.push(InputError::Empty(argument.clone())),
            Ok(found) => files.extend(found),
            Err(source) => problems.push(InputError::Folder {
                path: argument.clone(),
                source,
            }),
        }
    }
    (files, problems)
}

fn modules_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The folder that the pictures of a module go into.
pub fn stem(file: &Path) -> OsString {
    if file == Path::new(STANDARD_INPUT) {
        return "stdin".into();
    }
    file.file_stem().unwrap_or_default().to_owned()
}

/// Refuses modules whose pictures would overwrite each other.
///
/// # Errors
///
/// [`InputError::SameStem`] of the first two.
pub fn check_stems(files: &[PathBuf]) -> Result<(), InputError> {
    let mut seen: HashMap<OsString, &PathBuf> = HashMap::new();
    for file in files {
        let stem = stem(file);
        if let Some(first) = seen.insert(stem.clone(), file) {
            return Err(InputError::SameStem {
                first: first.clone(),
                second: file.clone(),
                stem: stem.into(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_modules_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.js", "a.js", "notes.txt", "c.mjs"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("d.js")).unwrap();
        let file = PathBuf::from("z.js");
        let (files, problems) = expand(&[file.clone(), folder.path().to_path_buf()]);
        let expected = [file, folder.path().join("a.js"), folder.path().join("b.js")];
        assert_eq!(files, expected);
        assert!(problems.is_empty());
    }

    #[test]
    fn a_folder_without_modules_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (files, problems) = expand(&[folder.path().to_path_buf()]);
        assert!(files.is_empty());
        let sentence = format!("the folder {} holds no .js file", folder.path().display());
        assert_eq!(problems[0].to_string(), sentence);
    }

    #[test]
    fn pictures_of_two_modules_never_share_a_folder() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(check_stems(&paths(&["a.js", "b.js", "-"])).is_ok());
        let error = check_stems(&paths(&["one/a.js", "b.js", "two/a.js"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "one/a.js and two/a.js would both be drawn into the folder a: draw them one after the other"
        );
    }
}
