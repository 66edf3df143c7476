//! A real remote in a temporary folder, and people who push to it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use git2::{FileMode, Repository, RepositoryInitOptions, build::TreeUpdateBuilder};
use tempfile::TempDir;

use super::{Change, CommitOutcome, MirrorOptions, MirrorRepository, Oid};

pub const CONFIG: &str = "{\n  \"name\": \"mesh\"\n}\n";
pub const STATE: &str =
    "{\n  \"current_round\": 0,\n  \"stage\": \"duels\",\n  \"next_stage_eta\": null\n}";

/// A bare remote with a competition in it, and a folder for clones.
pub struct World {
    pub folder: TempDir,
    pub remote: PathBuf,
}

impl World {
    pub fn new() -> Self {
        let world = Self::empty();
        world.person(&[
            ("config.json", Some(CONFIG)),
            ("state.json", Some(STATE)),
            ("leader.json", Some("[]")),
            ("prompts.txt", Some("https://example.org/a.png")),
        ]);
        world
    }

    pub fn empty() -> Self {
        let folder = TempDir::new().unwrap();
        let remote = folder.path().join("remote.git");
        let mut init = RepositoryInitOptions::new();
        init.bare(true).initial_head("main");
        Repository::init_opts(&remote, &init).unwrap();
        Self { folder, remote }
    }

    pub fn clone_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn options(&self) -> MirrorOptions {
        MirrorOptions::new(self.clone_path("clone"), self.remote.to_str().unwrap())
    }

    pub fn mirror(&self) -> MirrorRepository {
        MirrorRepository::open_or_clone(self.options()).unwrap()
    }

    pub fn git(&self) -> Repository {
        Repository::open_bare(&self.remote).unwrap()
    }

    /// A person pushes one commit; `None` deletes the file.
    pub fn person(&self, files: &[(&str, Option<&str>)]) -> Oid {
        commit_to(
            &self.git(),
            "main",
            "Operator",
            "operator@example.org",
            files,
        )
    }

    pub fn tip(&self) -> Oid {
        self.git().refname_to_id("refs/heads/main").unwrap()
    }

    /// What stands in the remote.
    pub fn file(&self, path: &str) -> Option<String> {
        let git = self.git();
        let tree = git.find_commit(self.tip()).unwrap().tree().unwrap();
        let entry = tree.get_path(Path::new(path)).ok()?;
        Some(String::from_utf8(git.find_blob(entry.id()).unwrap().content().to_vec()).unwrap())
    }

    /// Messages of the remote's commits, newest first.
    pub fn messages(&self) -> Vec<String> {
        let git = self.git();
        let mut walk = git.revwalk().unwrap();
        walk.push(self.tip()).unwrap();
        walk.map(|oid| {
            let commit = git.find_commit(oid.unwrap()).unwrap();
            String::from_utf8_lossy(commit.message_bytes()).into_owned()
        })
        .collect()
    }
}

pub fn commit_to(
    git: &Repository,
    branch: &str,
    name: &str,
    email: &str,
    files: &[(&str, Option<&str>)],
) -> Oid {
    let reference = format!("refs/heads/{branch}");
    let parent = git
        .refname_to_id(&reference)
        .ok()
        .map(|oid| git.find_commit(oid).unwrap());
    let base = match &parent {
        Some(parent) => parent.tree().unwrap(),
        None => git
            .find_tree(git.treebuilder(None).unwrap().write().unwrap())
            .unwrap(),
    };
    let mut update = TreeUpdateBuilder::new();
    for (path, content) in files {
        match content {
            Some(content) => {
                update.upsert(*path, git.blob(content.as_bytes()).unwrap(), FileMode::Blob);
            }
            None => {
                update.remove(*path);
            }
        }
    }
    let tree = git
        .find_tree(update.create_updated(git, &base).unwrap())
        .unwrap();
    let author = git2::Signature::now(name, email).unwrap();
    let parents: Vec<_> = parent.iter().collect();
    git.commit(
        Some(&reference),
        &author,
        &author,
        "Edit by hand",
        &tree,
        &parents,
    )
    .unwrap()
}

pub fn put(path: &str, content: &str) -> Change {
    Change::Put {
        path: path.to_owned(),
        content: content.as_bytes().to_vec(),
    }
}

pub fn entry(path: &str, key: &str, value: serde_json::Value) -> Change {
    Change::MergeEntry {
        path: path.to_owned(),
        key: key.to_owned(),
        value,
    }
}

pub fn row(path: &str, left: &str, right: &str, margin: f64) -> Change {
    Change::MatrixRow {
        path: path.to_owned(),
        left: left.to_owned(),
        right: right.to_owned(),
        margin,
    }
}

pub fn trailers(step: &str) -> Vec<(String, String)> {
    vec![
        ("Assize-Step".to_owned(), step.to_owned()),
        ("Assize-Attempt".to_owned(), "1".to_owned()),
    ]
}

pub fn commit(mirror: &MirrorRepository, changes: &[Change]) -> CommitOutcome {
    mirror
        .commit(changes, "Update builds", &trailers("build"))
        .unwrap()
}

/// Runs `git` and returns what it printed; panics when it fails.
pub fn run_git(folder: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "safe.directory=*"])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {printed}");
    printed
}
