//! Answers from a script, then with a module that names its stem; remembers what it was asked.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;

use super::http::sha256_hex;
use super::{FetchError, Fetched, ModuleSource};
use crate::clients::script::Script;

/// A CDN that delivers everything, unless told otherwise.
#[derive(Debug, Default)]
pub struct FakeModuleSource {
    /// Answers to give first, and the questions: CDN URL and stem.
    pub script: Script<(String, String), Result<Fetched, FetchError>>,
}

#[async_trait]
impl ModuleSource for FakeModuleSource {
    async fn fetch(&self, cdn_url: &str, stem: &str) -> Result<Fetched, FetchError> {
        let question = (cdn_url.to_owned(), stem.to_owned());
        self.script.ask(question).unwrap_or_else(|| {
            let bytes = Bytes::from(format!(
                "export default (THREE) => new THREE.Group(); // {stem}"
            ));
            Ok(Fetched {
                sha256: sha256_hex(&bytes),
                bytes,
                etag: None,
                last_modified: None,
                fetched_at: DateTime::UNIX_EPOCH,
            })
        })
    }
}
