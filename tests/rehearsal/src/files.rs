//! Small files the world keeps: written whole, renamed into place, so that a killed process leaves the old or the new.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a JSON file; an absent one is `None`.
pub(crate) fn read_json<T: DeserializeOwned>(file: &Path) -> anyhow::Result<Option<T>> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let value = serde_json::from_slice(&bytes).with_context(|| {
        format!(
            "{} is not what the rehearsal world wrote; remove its folder",
            file.display()
        )
    })?;
    Ok(Some(value))
}

/// Writes a JSON file in place of the old one.
pub(crate) fn write_json<T: Serialize>(file: &Path, value: &T) -> anyhow::Result<()> {
    write_whole(file, &serde_json::to_vec_pretty(value)?)
}

/// Writes a file in place of the old one.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".new");
    fs::write(&draft, bytes)
        .and_then(|()| fs::rename(&draft, file))
        .with_context(|| format!("cannot write {}", file.display()))
}
