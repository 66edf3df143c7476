//! Nothing is drawn twice: pictures are kept in the object store by what they depend on.
//!
//! A module is drawn again when a step is repeated, when a pod makes the same bytes in every repeat of an audit, and when
//! two miners deliver one module. The pictures depend on the module's text, their size and the renderer's version alone
//! (the renderer draws one scene document to the same pixels every time), so those three are the key.
//!
//! Two workers that ask for the same module at the same time both find nothing here. They are not made to wait for each
//! other: the render service joins requests for the same pictures, draws them once and answers both, and a module that
//! runs out of time holds up nobody. Only two services behind one address would draw such a module twice, to the same
//! pixels.
//!
//! The cache can only save work: whatever goes wrong with it, the module is drawn. Rejections are not kept; finding them
//! again is cheap, and a wrong one must not outlive its cause.

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::{RenderService, RenderServiceError, RenderedBundle, bundle};
use crate::clients::object_store::{Object, ObjectStore};

/// Folder of the kept pictures in the bucket. Nothing refers to them: an operator may let them expire.
const FOLDER: &str = "render-cache";

/// Largest kept bundle, in bytes; what is larger is drawn again.
const MAX_BUNDLE_BYTES: usize = 128 << 20;

/// Asks the store before the renderer.
pub struct CachedRenderService<Service> {
    service: Service,
    store: Arc<dyn ObjectStore>,
}

impl<Service: RenderService> CachedRenderService<Service> {
    /// A cache in `store` in front of `service`.
    pub fn new(service: Service, store: Arc<dyn ObjectStore>) -> Self {
        Self { service, store }
    }

    async fn kept(&self, key: &str) -> Option<RenderedBundle> {
        let tar = match self.store.get(key, MAX_BUNDLE_BYTES).await {
            Ok(found) => found?,
            Err(error) => {
                tracing::warn!(%error, "the kept pictures cannot be read, drawing them");
                return None;
            }
        };
        bundle::read(&tar)
            .inspect_err(|problem| {
                tracing::warn!(key, problem, "the kept pictures are damaged, drawing them")
            })
            .ok()
    }

    async fn keep(&self, key: String, bundle: &RenderedBundle) {
        let kept = match bundle::write(bundle) {
            Ok(tar) => {
                let object = Object {
                    key,
                    content_type: "application/x-tar",
                    bytes: tar.into(),
                };
                self.store
                    .put(object)
                    .await
                    .map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(problem) = kept {
            tracing::warn!(problem, "the pictures are not kept");
        }
    }
}

#[async_trait]
impl<Service: RenderService> RenderService for CachedRenderService<Service> {
    async fn views(
        &self,
        source: &str,
        view_size: u32,
    ) -> Result<RenderedBundle, RenderServiceError> {
        // Asked each time: the service may be replaced by one that draws differently while we run.
        let version = match self.service.version().await {
            Ok(version) => version,
            Err(error) => {
                tracing::warn!(%error, "the renderer does not tell its version, drawing without the cache");
                return self.service.views(source, view_size).await;
            }
        };
        let key = key(&version, source, view_size);
        if let Some(bundle) = self.kept(&key).await {
            return Ok(bundle);
        }
        let bundle = self.service.views(source, view_size).await?;
        // It may have been replaced since it was asked.
        if bundle.renderer_version == version {
            self.keep(key, &bundle).await;
        }
        Ok(bundle)
    }

    async fn version(&self) -> Result<String, RenderServiceError> {
        self.service.version().await
    }
}

/// `render-cache/{start of the version's SHA-256}/{SHA-256 of the source}-{size}.tar`: short enough for a store that keeps
/// objects as files, whatever the version says.
fn key(version: &str, source: &str, view_size: u32) -> String {
    let version = &hex::encode(Sha256::digest(version))[..16];
    let sha256 = hex::encode(Sha256::digest(source));
    format!("{FOLDER}/{version}/{sha256}-{view_size}.tar")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clients::object_store::{FakeObjectStore, ObjectStoreError};
    use crate::clients::render_service::{FakeRenderService, ModuleFailure};
    use crate::clients::testing;

    fn cached() -> (CachedRenderService<FakeRenderService>, Arc<FakeObjectStore>) {
        let store = Arc::new(FakeObjectStore::new("https://cdn"));
        let service = CachedRenderService::new(FakeRenderService::default(), store.clone());
        (service, store)
    }

    fn drawn(service: &CachedRenderService<FakeRenderService>) -> usize {
        service.service.script.count()
    }

    #[tokio::test]
    async fn a_module_is_drawn_once_for_each_size() {
        let (service, store) = cached();
        let first = service.views("module", 64).await.unwrap();
        assert_eq!(service.views("module", 64).await.unwrap(), first);
        assert_eq!(drawn(&service), 1);
        service.views("module", 128).await.unwrap();
        service.views("another", 64).await.unwrap();
        assert_eq!(drawn(&service), 3);
        assert!(
            store
                .objects()
                .keys()
                .all(|key| key.starts_with("render-cache/"))
        );
    }

    /// As many bytes as a store over a folder can keep with its headers' file name.
    const LONGEST_KEY: usize = 160;

    #[test]
    fn a_key_is_short_however_long_the_version_and_differs_with_each_part() {
        let versions = ["v".repeat(300), "v".repeat(301)];
        let keys = [
            key(&versions[0], "module", 1024),
            key(&versions[1], "module", 1024),
            key(&versions[0], "another", 1024),
            key(&versions[0], "module", 256),
        ];
        assert!(keys.iter().all(|key| key.len() <= LONGEST_KEY), "{keys:?}");
        let distinct: std::collections::HashSet<&String> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[tokio::test]
    async fn pictures_of_another_version_are_not_kept_as_this_ones() {
        let (service, store) = cached();
        let mut other = bundle::of_one_picture(&testing::png(1, 1, [0; 3]).into());
        other.renderer_version = "newer".to_owned();
        service.service.script.push(Ok(other.clone()));
        assert_eq!(service.views("module", 64).await.unwrap(), other);
        assert!(store.objects().is_empty());
    }

    #[tokio::test]
    async fn rejections_are_found_anew() {
        let (service, store) = cached();
        let failure = ModuleFailure {
            stage: "execution".to_owned(),
            rule: "TIMEOUT_EXCEEDED".to_owned(),
            detail: String::new(),
        };
        let rejection = RenderServiceError::Rejected {
            failures: vec![failure],
        };
        service.service.script.push(Err(rejection));
        assert!(service.views("module", 64).await.is_err());
        assert!(store.objects().is_empty());
        assert!(service.views("module", 64).await.is_ok());
    }

    #[tokio::test]
    async fn a_broken_cache_costs_only_time() {
        let (service, store) = cached();
        let refusal = ObjectStoreError::Failed {
            operation: "store",
            key: String::new(),
            source: "full".into(),
        };
        store.writes.push(refusal);
        service.views("module", 64).await.unwrap();
        assert!(store.objects().is_empty());

        service.views("module", 64).await.unwrap();
        let (key, kept) = store.objects().pop_first().unwrap();
        let damaged = Object {
            bytes: kept.bytes.slice(..kept.bytes.len() / 2),
            ..kept
        };
        store.put(damaged).await.unwrap();
        let again = service.views("module", 64).await.unwrap();
        assert_eq!(drawn(&service), 3);
        assert_eq!(bundle::read(&store.objects()[&key].bytes).unwrap(), again);
    }
}
