//! The tar file that the render service answers with, read and written.

use std::io::Read;

use bytes::Bytes;
use indexmap::IndexMap;
use schema::views::{GRAY_VIEWS, GRID, View, WHITE_VIEWS};
use serde::Deserialize;

use super::RenderedBundle;
use crate::clients::png;

const MAX_ENTRIES: usize = 64;

/// The `renderer_version` of the fake.
pub const FAKE_VERSION: &str = "fake";

/// `metadata.json` in the tar file.
#[derive(Deserialize)]
struct Metadata {
    metrics: serde_json::Value,
    document_sha256: String,
    renderer_version: String,
}

/// Reads `white/{view}.png` ×8, `gray/{view}.png` ×4, `grid.png` and `metadata.json`, in any order; other entries are
/// ignored.
///
/// # Errors
///
/// A sentence fragment that says what is missing or damaged.
pub fn read(body: &Bytes) -> Result<RenderedBundle, String> {
    let mut entries = read_tar(body)?;
    let mut picture = |name: String| -> Result<Bytes, String> {
        let bytes = entries
            .shift_remove(&name)
            .ok_or_else(|| format!("no {name}"))?;
        if png::has_signature(&bytes) {
            Ok(bytes)
        } else {
            Err(format!("{name}, which is no PNG file"))
        }
    };
    let mut set = |folder: &str, views: &[View]| -> Result<IndexMap<String, Bytes>, String> {
        let named = |view: &View| {
            Ok((
                view.name.to_owned(),
                picture(format!("{folder}/{}.png", view.name))?,
            ))
        };
        views.iter().map(named).collect()
    };
    let white = set("white", &WHITE_VIEWS)?;
    let gray = set("gray", &GRAY_VIEWS)?;
    let grid = picture(GRID.to_owned())?;
    let metadata = entries.get("metadata.json").ok_or("no metadata.json")?;
    let metadata: Metadata = serde_json::from_slice(metadata)
        .map_err(|error| format!("a bad metadata.json: {error}"))?;
    Ok(RenderedBundle {
        white,
        gray,
        grid,
        metrics: metadata.metrics,
        document_sha256: metadata.document_sha256,
        renderer_version: metadata.renderer_version,
    })
}

fn read_tar(body: &Bytes) -> Result<IndexMap<String, Bytes>, String> {
    let bad = |error: std::io::Error| format!("a bad tar file: {error}");
    let mut found = IndexMap::new();
    let mut archive = tar::Archive::new(&body[..]);
    for (index, entry) in archive.entries().map_err(bad)?.enumerate() {
        if index == MAX_ENTRIES {
            return Err(format!("a tar file of more than {MAX_ENTRIES} entries"));
        }
        let mut entry = entry.map_err(bad)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes())
            .trim_start_matches("./")
            .to_owned();
        let announced = entry.size();
        let mut bytes = Vec::new();
        // The whole body is within its limit already, and an entry cannot be larger than the body.
        entry.read_to_end(&mut bytes).map_err(bad)?;
        if bytes.len() as u64 != announced {
            return Err(format!("a tar file cut within {name}"));
        }
        found.insert(name, bytes.into());
    }
    Ok(found)
}

/// A bundle in which every picture is `picture`, for fakes.
pub fn of_one_picture(picture: &Bytes) -> RenderedBundle {
    let set = |views: &[View]| {
        views
            .iter()
            .map(|view| (view.name.to_owned(), picture.clone()))
            .collect()
    };
    RenderedBundle {
        white: set(&WHITE_VIEWS),
        gray: set(&GRAY_VIEWS),
        grid: picture.clone(),
        metrics: serde_json::json!({}),
        document_sha256: String::new(),
        renderer_version: FAKE_VERSION.to_owned(),
    }
}

/// The tar file of `bundle`, as [`read`] takes it.
///
/// # Errors
///
/// Those of writing to memory: none that is known.
pub fn write(bundle: &RenderedBundle) -> std::io::Result<Vec<u8>> {
    let metadata = serde_json::json!({
        "metrics": bundle.metrics,
        "document_sha256": bundle.document_sha256,
        "renderer_version": bundle.renderer_version,
    });
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes)
    };
    for (folder, pictures) in [("white", &bundle.white), ("gray", &bundle.gray)] {
        for (name, png) in pictures {
            add(format!("{folder}/{name}.png"), png)?;
        }
    }
    add(GRID.to_owned(), &bundle.grid)?;
    add("metadata.json".to_owned(), metadata.to_string().as_bytes())?;
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clients::testing;

    fn bundle() -> RenderedBundle {
        let picture = testing::png(2, 2, [1, 2, 3]);
        RenderedBundle {
            metrics: serde_json::json!({"vertices": 24}),
            ..of_one_picture(&picture.into())
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bundle = bundle();
        assert_eq!(bundle.white.len(), WHITE_VIEWS.len());
        assert_eq!(read(&write(&bundle).unwrap().into()).unwrap(), bundle);
    }

    #[test]
    fn the_order_of_the_file_does_not_matter() {
        let mut turned = bundle();
        turned.white.reverse();
        let found = read(&write(&turned).unwrap().into()).unwrap();
        let names = WHITE_VIEWS.iter().map(|view| view.name);
        assert!(found.white.keys().eq(names));
    }

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        let problem = |bundle: &RenderedBundle| read(&write(bundle).unwrap().into()).unwrap_err();
        let mut missing = bundle();
        missing.gray.shift_remove("front_left");
        assert_eq!(problem(&missing), "no gray/front_left.png");
        let not_a_picture = of_one_picture(&Bytes::from_static(b"GIF"));
        assert_eq!(
            problem(&not_a_picture),
            "white/front_left.png, which is no PNG file"
        );
        let empty = tar::Builder::new(Vec::new()).into_inner().unwrap();
        assert_eq!(read(&empty.into()).unwrap_err(), "no white/front_left.png");
        let garbage = b"garbage".repeat(200);
        assert!(
            read(&garbage.into())
                .unwrap_err()
                .starts_with("a bad tar file")
        );
        let large = of_one_picture(&vec![0x89; 2000].into());
        let cut = write(&large).unwrap()[..700].to_vec();
        assert!(read(&cut.into()).unwrap_err().contains("tar file"));
    }
}
