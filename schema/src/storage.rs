//! Where modules and pictures are stored: object keys, and the public URLs the state files carry.

use crate::{Hotkey, RoundNumber, Side, Stem};

/// The bucket of the reference.
pub const DEFAULT_BUCKET: &str = "404-gen";

/// Default of `CDN_URL`.
pub const DEFAULT_CDN_URL: &str = "https://subnet404.xyz";

/// Default of `STORAGE_KEY_TEMPLATE`: the key of a submitted file.
pub const DEFAULT_STORAGE_KEY_TEMPLATE: &str = "rounds/{round}/{hotkey}/submitted/{filename}";

/// Default of `STORAGE_ROOT_FOLDER`: the folder of regenerated files.
pub const DEFAULT_STORAGE_ROOT_FOLDER: &str = "rounds";

/// Where everything is stored. [`Default`] is the published layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    cdn_url: String,
    submitted_key_template: String,
    generated_root_folder: String,
}

/// The files of one entry (a hotkey and a stem): its module, and the prefix of its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFiles {
    /// Object key of the module, `…/{stem}.js`.
    pub module_key: String,
    /// Prefix of the pictures' object keys, `…/{stem}`, without a slash at the end.
    pub views_key_prefix: String,
    /// Public URL of the module.
    pub module_url: String,
    /// Public URL prefix of the pictures; `views` in the state files.
    pub views_url_prefix: String,
}

impl Default for Layout {
    fn default() -> Self {
        Self::new(
            DEFAULT_CDN_URL,
            DEFAULT_STORAGE_KEY_TEMPLATE,
            DEFAULT_STORAGE_ROOT_FOLDER,
        )
    }
}

impl Layout {
    /// A layout from `CDN_URL` (slashes at its end are dropped), `STORAGE_KEY_TEMPLATE` (with `{round}`, `{hotkey}` and
    /// `{filename}`) and `STORAGE_ROOT_FOLDER`.
    pub fn new(
        cdn_url: impl Into<String>,
        submitted_key_template: impl Into<String>,
        generated_root_folder: impl Into<String>,
    ) -> Self {
        Self {
            cdn_url: cdn_url.into().trim_end_matches('/').to_owned(),
            submitted_key_template: submitted_key_template.into(),
            generated_root_folder: generated_root_folder.into(),
        }
    }

    /// The files of what a miner submitted for a prompt.
    pub fn submitted(&self, round: RoundNumber, hotkey: &Hotkey, stem: &Stem) -> EntryFiles {
        let key = |filename: &str| {
            self.submitted_key_template
                .replace("{round}", &round.to_string())
                .replace("{hotkey}", hotkey.as_str())
                .replace("{filename}", filename)
        };
        self.entry_files(key(&format!("{stem}.js")), key(stem.as_str()))
    }

    /// The files of what a side's code generated for a prompt in a repeat (from 1).
    pub fn generated(
        &self,
        round: RoundNumber,
        side: &Side,
        repeat: u32,
        stem: &Stem,
    ) -> EntryFiles {
        let prefix = format!(
            "{}/{round}/{side}/generated_{repeat}/{stem}",
            self.generated_root_folder
        );
        self.entry_files(format!("{prefix}.js"), prefix)
    }

    /// The public URL of an object.
    pub fn public_url(&self, key: &str) -> String {
        format!("{}/{key}", self.cdn_url)
    }

    /// The key of the object with this public URL, if it is one of this layout's.
    pub fn key_of_url<'a>(&self, url: &'a str) -> Option<&'a str> {
        url.strip_prefix(&self.cdn_url)?.strip_prefix('/')
    }

    fn entry_files(&self, module_key: String, views_key_prefix: String) -> EntryFiles {
        EntryFiles {
            module_url: self.public_url(&module_key),
            views_url_prefix: self.public_url(&views_key_prefix),
            module_key,
            views_key_prefix,
        }
    }
}

impl EntryFiles {
    /// Object key of a picture or other file of the bundle, by its name under the prefix (`white/back.png`).
    pub fn object_key(&self, name: &str) -> String {
        format!("{}/{name}", self.views_key_prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submitted_and_generated_files_have_their_published_urls() {
        let (round, hotkey, stem) = (RoundNumber(6), Hotkey::new("5Gg"), Stem::new("51b5"));
        let layout = Layout::default();
        let submitted = layout.submitted(round, &hotkey, &stem);
        assert_eq!(
            submitted.module_url,
            "https://subnet404.xyz/rounds/6/5Gg/submitted/51b5.js"
        );
        assert_eq!(
            submitted.views_url_prefix,
            "https://subnet404.xyz/rounds/6/5Gg/submitted/51b5"
        );
        assert_eq!(
            submitted.object_key("white/back.png"),
            "rounds/6/5Gg/submitted/51b5/white/back.png"
        );
        assert_eq!(
            layout.key_of_url(&submitted.module_url),
            Some(submitted.module_key.as_str())
        );
        let generated = layout.generated(round, &Side::Leader, 1, &stem);
        assert_eq!(
            generated.module_url,
            "https://subnet404.xyz/rounds/6/leader/generated_1/51b5.js"
        );
    }

    #[test]
    fn settings_move_the_files() {
        let layout = Layout::new(
            "http://127.0.0.1:9000/b//",
            "x/{hotkey}/{round}/{filename}",
            "y",
        );
        let (round, hotkey, stem) = (RoundNumber(0), Hotkey::new("5Gg"), Stem::new("s"));
        assert_eq!(
            layout.submitted(round, &hotkey, &stem).module_url,
            "http://127.0.0.1:9000/b/x/5Gg/0/s.js"
        );
        assert_eq!(
            layout.generated(round, &hotkey.into(), 2, &stem).module_key,
            "y/0/5Gg/generated_2/s.js"
        );
    }
}
