//! Handler of `render`.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use schema::{
    Side,
    storage::{EntryFiles, Layout},
    views::Background,
};
use sha2::{Digest as _, Sha256};
use url::Url;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::{
        entry::EntryId,
        steps::{ModuleFault, Redraw, RedrawInput, Render, RenderInput, RenderOutput},
    },
};

use crate::clients::{
    cdn::MAX_MODULE_BYTES,
    embedder::Embedder,
    object_store::{Object, ObjectStore},
    prompt_images::PromptImages,
    render_service::{RenderService, RenderServiceError, RenderedBundle},
};

/// Draws a module and stores its views, grid and embeddings. Safe to run twice: object keys come from the input alone, so
/// a second run overwrites what the first one stored.
#[derive(Clone)]
pub struct RenderHandler {
    /// The renderer.
    pub renderer: Arc<dyn RenderService>,
    /// The embedding model.
    pub embedder: Arc<dyn Embedder>,
    /// Prompt images.
    pub prompt_images: Arc<dyn PromptImages>,
    /// Our object store.
    pub store: Arc<dyn ObjectStore>,
    /// Where in it things lie.
    pub layout: Layout,
    /// Edge of a picture, in pixels.
    pub view_size: u32,
}

#[async_trait]
impl Handler<Render> for RenderHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: RenderInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<RenderOutput>> {
        let module = self
            .store
            .get(&input.module.key, MAX_MODULE_BYTES)
            .await
            .context("the module was not read")?;
        let module = module.with_context(|| {
            format!(
                "the module {} is not in the object store any more",
                input.module.key
            )
        })?;
        let digest = hex::encode(Sha256::digest(&module));
        ensure!(
            digest == input.module.sha256,
            "the module {} is not the one that was fetched",
            input.module.key
        );
        let Ok(source) = std::str::from_utf8(&module) else {
            return Ok(Outcome::Done(not_text()));
        };

        let bundle = match self.renderer.views(source, self.view_size).await {
            Ok(bundle) => bundle,
            Err(RenderServiceError::Rejected { failures }) => {
                let faults = failures.into_iter().map(|failure| ModuleFault {
                    stage: failure.stage,
                    rule: failure.rule,
                    detail: failure.detail,
                });
                return Ok(Outcome::Done(RenderOutput::Rejected {
                    faults: faults.collect(),
                }));
            }
            Err(RenderServiceError::Busy { retry_after }) => {
                return Ok(Outcome::Snooze(retry_after));
            }
            Err(error) => return Err(error.into()),
        };

        let prompt = Url::parse(&input.prompt.url)
            .with_context(|| format!("the prompt {} is no URL", input.prompt.url))?;
        let prompt = self.prompt_images.fetch(&prompt).await?;
        let prompt_sha256 = hex::encode(Sha256::digest(&prompt));
        let embeddings = self.embedder.embed(prompt, &bundle.white).await?.to_npz()?;
        let files = files(&self.layout, &input.entry);
        let (document_sha256, renderer_version) = (
            bundle.document_sha256.clone(),
            bundle.renderer_version.clone(),
        );
        let mut objects = objects(&files, bundle, embeddings);
        let list = digest_list(&files, &objects);
        let pictures_sha256 = hex::encode(Sha256::digest(&list));
        let pictures_size = objects.iter().map(|object| object.bytes.len() as u64).sum();
        objects.push(Object {
            key: files.object_key(DIGEST_LIST),
            content_type: "text/plain",
            bytes: list.into(),
        });
        self.store
            .put_all(objects)
            .await
            .context("the views were not stored")?;
        Ok(Outcome::Done(RenderOutput::Rendered {
            views: files.views_url_prefix,
            document_sha256,
            renderer_version,
            pictures_sha256,
            prompt_sha256,
            pictures_size,
        }))
    }
}

#[async_trait]
impl Handler<Redraw> for RenderHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: RedrawInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<RenderOutput>> {
        Handler::<Render>::run(self, input.render, context).await
    }
}

/// The name of the list of digests beside the pictures.
const DIGEST_LIST: &str = "SHA256SUMS";

/// What `sha256sum` prints for the files of a bundle, and `sha256sum -c` checks. The ledger holds the list's own digest.
fn digest_list(files: &EntryFiles, objects: &[Object]) -> Vec<u8> {
    let folder = format!("{}/", files.views_key_prefix);
    let mut list = String::new();
    for object in objects {
        let name = object.key.strip_prefix(&folder).unwrap_or(&object.key);
        let digest = hex::encode(Sha256::digest(&object.bytes));
        list.push_str(&format!("{digest}  {name}\n"));
    }
    list.into_bytes()
}

fn not_text() -> RenderOutput {
    let detail = "the module is not UTF-8 text".to_owned();
    let fault = ModuleFault {
        stage: "parse".to_owned(),
        rule: "PARSE_ERROR".to_owned(),
        detail,
    };
    RenderOutput::Rejected {
        faults: vec![fault],
    }
}

/// Where an entry's objects lie.
pub(super) fn files(layout: &Layout, entry: &EntryId) -> EntryFiles {
    match (&entry.side, entry.repeat) {
        (Side::Miner(hotkey), 0) => layout.submitted(entry.round, hotkey, &entry.stem),
        (side, repeat) => layout.generated(entry.round, side, repeat, &entry.stem),
    }
}

fn objects(files: &EntryFiles, bundle: RenderedBundle, embeddings: Vec<u8>) -> Vec<Object> {
    let picture = |name: String, bytes| Object {
        key: files.object_key(&name),
        content_type: "image/png",
        bytes,
    };
    let folder = |background: Background, name: &str| format!("{}/{name}.png", background.folder());
    let mut objects = Vec::with_capacity(14);
    objects.extend(
        bundle
            .white
            .into_iter()
            .map(|(name, bytes)| picture(folder(Background::White, &name), bytes)),
    );
    objects.extend(
        bundle
            .gray
            .into_iter()
            .map(|(name, bytes)| picture(folder(Background::Gray, &name), bytes)),
    );
    objects.push(picture("grid.png".to_owned(), bundle.grid));
    objects.push(Object {
        key: files.object_key("embeddings.npz"),
        content_type: "application/octet-stream",
        bytes: embeddings.into(),
    });
    objects
}
