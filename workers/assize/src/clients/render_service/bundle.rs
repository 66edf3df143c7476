//! Reads the tar file that the render service answers with.

use std::io::Read;

use bytes::Bytes;
use indexmap::IndexMap;
use schema::views::{GRAY_VIEWS, GRID, View, WHITE_VIEWS};
use serde::Deserialize;

use super::RenderedBundle;
use crate::clients::png;

const MAX_ENTRIES: usize = 64;

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
        renderer_version: "fake".to_owned(),
    }
}

/// A tar file as the render service sends it, with every picture `picture`.
#[cfg(test)]
pub fn write(picture: &[u8], leave_out: &str) -> Vec<u8> {
    let metadata = serde_json::json!({
        "metrics": {"vertices": 24},
        "document_sha256": "ab",
        "renderer_version": "test",
    });
    let metadata = metadata.to_string();
    let white = WHITE_VIEWS
        .iter()
        .map(|view| (format!("white/{}.png", view.name), picture));
    let gray = GRAY_VIEWS
        .iter()
        .map(|view| (format!("gray/{}.png", view.name), picture));
    let rest = [
        (GRID.to_owned(), picture),
        ("metadata.json".to_owned(), metadata.as_bytes()),
    ];
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in rest
        .into_iter()
        .chain(gray)
        .chain(white)
        .filter(|(name, _)| name != leave_out)
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder
            .append_data(&mut header, name, bytes)
            .expect("memory can be written");
    }
    builder.into_inner().expect("memory can be written")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clients::testing;

    #[test]
    fn all_pictures_are_found_by_name_whatever_the_order_of_the_file() {
        let picture = testing::png(2, 2, [1, 2, 3]);
        let bundle = read(&write(&picture, "").into()).unwrap();
        assert!(
            bundle
                .white
                .keys()
                .eq(WHITE_VIEWS.iter().map(|view| view.name))
        );
        assert!(
            bundle
                .gray
                .keys()
                .eq(GRAY_VIEWS.iter().map(|view| view.name))
        );
        assert_eq!(&*bundle.grid, &*picture);
        assert_eq!(bundle.metrics["vertices"], 24);
    }

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        let picture = testing::png(2, 2, [1, 2, 3]);
        let problem = |bytes: Vec<u8>| read(&bytes.into()).unwrap_err();
        assert_eq!(
            problem(write(&picture, "gray/front_left.png")),
            "no gray/front_left.png"
        );
        assert_eq!(
            problem(write(&picture, "metadata.json")),
            "no metadata.json"
        );
        assert_eq!(
            problem(write(b"GIF", "")),
            "white/front_left.png, which is no PNG file"
        );
        assert!(problem(b"garbage".repeat(200)).starts_with("a bad tar file"));
        let cut = write(&vec![0x89; 2000], "");
        assert!(problem(cut[..700].to_vec()).contains("tar file"));
    }
}
