//! Handler of `download`.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use schema::storage::Layout;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::{
        entry::ModuleRef,
        steps::{Download, DownloadInput, DownloadOutput},
    },
};

use crate::clients::{
    cdn::{FetchError, ModuleSource},
    object_store::{Object, ObjectStore},
};

/// Fetches a module and stores it. Safe to run twice: the object key comes from the input alone, so a second run
/// overwrites what the first one stored.
pub struct DownloadHandler {
    /// Miners' servers.
    pub modules: Arc<dyn ModuleSource>,
    /// Our object store.
    pub store: Arc<dyn ObjectStore>,
    /// Where in it things lie.
    pub layout: Layout,
}

#[async_trait]
impl Handler<Download> for DownloadHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: DownloadInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<DownloadOutput>> {
        let fetched = match self
            .modules
            .fetch(&input.cdn_url, input.stem.as_str())
            .await
        {
            Ok(fetched) => fetched,
            Err(FetchError::TheirFault { reason }) => {
                return Ok(Outcome::Done(DownloadOutput::Missing { reason }));
            }
            Err(error) => return Err(error.into()),
        };
        let files = self
            .layout
            .submitted(input.round, &input.hotkey, &input.stem);
        let module = ModuleRef {
            key: files.module_key.clone(),
            url: files.module_url,
            size_bytes: fetched.bytes.len() as u64,
            sha256: fetched.sha256,
            fetched_at: Some(chrono::Utc::now()),
        };
        let object = Object {
            key: files.module_key,
            content_type: "application/javascript",
            bytes: fetched.bytes,
        };
        self.store
            .put(object)
            .await
            .context("the module was not stored")?;
        Ok(Outcome::Done(DownloadOutput::Stored { module }))
    }
}
