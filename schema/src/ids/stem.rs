//! The key of a prompt.

use serde::{Deserialize, Serialize};

use super::text_newtype;

/// A prompt's name: the last path segment of its image URL without its last suffix. The key of all generation maps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stem(String);

text_newtype!(Stem);

impl Stem {
    /// The stem of a prompt URL: `https://host/a/51b5.png` → `51b5`.
    ///
    /// Nothing is sanitised, and two URLs with equal file names give one stem. As in the published data, a leading or
    /// trailing dot does not start a suffix.
    pub fn of_url(url: &str) -> Self {
        let trimmed = url.trim_end_matches('/');
        let name = trimmed.rsplit('/').next().unwrap_or(trimmed);
        match name.rfind('.') {
            Some(dot) if dot > 0 && dot + 1 < name.len() => Self::new(&name[..dot]),
            _ => Self::new(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stem_is_the_last_segment_without_its_last_suffix() {
        for (url, stem) in [
            ("https://sn12domain.org/51b597ba.png", "51b597ba"),
            (
                "https://sn12domain.org/a/b/6b9e5ca6-f1a8.jpeg",
                "6b9e5ca6-f1a8",
            ),
            ("two.dots.png", "two.dots"),
            ("https://host/none", "none"),
            ("https://host/folder.d/", "folder"),
            (".hidden", ".hidden"),
            ("ends.", "ends."),
            ("", ""),
        ] {
            assert_eq!(Stem::of_url(url).as_str(), stem, "{url}");
        }
    }
}
