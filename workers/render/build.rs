//! Embeds Three.js 0.183.2 as npm delivered it.
//!
//! The pictures of a round depend on every byte of the library, so the two files are pinned twice: by the integrity
//! hash in `package-lock.json` and by the SHA-256 below, which is what this build really checks. They are not copied
//! into the repository. Where `node_modules` is missing, the build installs it once with `npm ci --ignore-scripts`.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

const PINNED: [(&str, &str); 2] = [
    (
        "three.core.js",
        "6a7fc83437818534d5e30ce8c8e0ce76230ca2245446ea24744bb3d88c436583",
    ),
    (
        "three.module.js",
        "e8ac51bc2f6b7eb17bc88c6540eb0a1fee872f848949373de39d55f34b5c5a8f",
    ),
];

fn main() {
    let crate_dir = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = crate_dir.join("../..");
    let three = root.join("node_modules/three/build");
    println!("cargo::rerun-if-changed=build.rs");
    for (name, _) in PINNED {
        println!("cargo::rerun-if-changed={}", three.join(name).display());
    }
    if let Err(message) = embed(&root, &three) {
        println!("cargo::error={message}");
    }
}

fn embed(root: &Path, three: &Path) -> Result<(), String> {
    if PINNED.iter().any(|(name, _)| !three.join(name).is_file()) {
        install(root)?;
    }
    for (name, expected) in PINNED {
        let path = three.join(name);
        let bytes = std::fs::read(&path).map_err(|error| {
            format!(
                "cannot read {}: {error}; run `npm ci --ignore-scripts` in the repository root",
                path.display()
            )
        })?;
        let found = hex::encode(Sha256::digest(&bytes));
        if found != expected {
            return Err(format!(
                "{} is not the Three.js 0.183.2 this build is pinned to (SHA-256 {found}, expected {expected}); \
                 delete node_modules and run `npm ci --ignore-scripts` in the repository root",
                path.display()
            ));
        }
        let out = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default()).join(name);
        std::fs::write(&out, &bytes)
            .map_err(|error| format!("cannot write {}: {error}", out.display()))?;
    }
    Ok(())
}

fn install(root: &Path) -> Result<(), String> {
    let hint = "node_modules is missing: run `npm ci --ignore-scripts` in the repository root";
    let status = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(root)
        .status()
        .map_err(|error| format!("{hint} (npm could not be started: {error})"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{hint} (npm ended with {status})"))
    }
}
