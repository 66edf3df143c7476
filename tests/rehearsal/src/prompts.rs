//! Prompt images: pictures of the hidden reference scenes, drawn when first asked for and kept on disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use render::{Angle, PictureRequest, RENDERER_VERSION, RenderError, Renderer};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::scenes::{Random, Scene, module_text};

/// Where the photographer stands: a little to the left of the front and above, between the judged front views.
const CAMERA: Angle = Angle::new(20.0, -10.0);
/// The prompt images' background.
const BACKGROUND: u32 = 0xff_ff_ff;
/// Edge of a prompt image in pixels unless told otherwise.
const SIZE: u32 = 256;
/// One in this many stems is a UUID with hyphens; of real prompts 10 to 18 in 128 are.
const UUID_EVERY: u64 = 8;

/// The stems of a pool of `count` prompts, all different: hexadecimal digits mostly, some UUIDs.
pub fn prompt_pool(world_seed: u64, count: usize) -> Vec<String> {
    let stem = |index: usize| {
        let mut random = Random::of(
            "prompt stem",
            &[&world_seed.to_be_bytes(), &(index as u64).to_be_bytes()],
        );
        if random.next_u64().is_multiple_of(UUID_EVERY) {
            let mut bytes = [0; 16];
            random.fill(&mut bytes);
            let digits = hex::encode(bytes);
            [
                &digits[..8],
                &digits[8..12],
                &digits[12..16],
                &digits[16..20],
                &digits[20..],
            ]
            .join("-")
        } else {
            let mut bytes = [0; 32];
            random.fill(&mut bytes);
            hex::encode(bytes)
        }
    };
    (0..count).map(stem).collect()
}

/// Why there is no prompt image. All of these are the world's own faults.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// The reference scene could not be drawn.
    #[error("cannot draw the prompt image {stem}")]
    Render {
        /// The prompt.
        stem: String,
        /// The renderer's reason.
        #[source]
        source: RenderError,
    },

    /// The picture could not be kept.
    #[error("cannot write the prompt image {path}")]
    Write {
        /// Where it should have been written.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
}

/// Draws prompt images. Any stem has one, so the prompts of real rounds have too.
pub struct PromptHost {
    folder: PathBuf,
    world_seed: u64,
    size: u32,
    renderer: Arc<Renderer>,
    images: Mutex<HashMap<String, Arc<OnceCell<Bytes>>>>,
}

impl PromptHost {
    /// A host that keeps its pictures in `folder`, which is made when needed.
    pub fn new(folder: impl Into<PathBuf>, world_seed: u64, renderer: Arc<Renderer>) -> Self {
        Self {
            folder: folder.into(),
            world_seed,
            size: SIZE,
            renderer,
            images: Mutex::default(),
        }
    }

    /// The same with pictures of `size` pixels; kept apart from those of other sizes.
    #[must_use]
    pub fn with_size(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    /// The prompt image as PNG. The first request draws it, later ones and later runs read it.
    ///
    /// # Errors
    ///
    /// See [`PromptError`]; asking again tries again.
    pub async fn image(&self, stem: &str) -> Result<Bytes, PromptError> {
        let cell = {
            let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(images.entry(stem.to_owned()).or_default())
        };
        cell.get_or_try_init(|| self.read_or_draw(stem))
            .await
            .cloned()
    }

    async fn read_or_draw(&self, stem: &str) -> Result<Bytes, PromptError> {
        let path = self.folder.join(self.file_name(stem));
        if let Ok(file) = tokio::fs::read(&path).await {
            return Ok(file.into());
        }
        let module = module_text(&Scene::of(self.world_seed, stem));
        let request = PictureRequest::of(vec![CAMERA], self.size, BACKGROUND);
        let drawn = self.renderer.picture(&module, request).await;
        let failed = |source| PromptError::Render {
            stem: stem.to_owned(),
            source,
        };
        let picture = drawn
            .map_err(failed)?
            .into_iter()
            .next()
            .ok_or_else(|| failed(RenderError::rejected(Vec::new())))?;
        write_whole(&path, &picture)
            .await
            .map_err(|source| PromptError::Write { path, source })?;
        Ok(picture)
    }

    /// Stems come from outside and may be no file names, so the name is a digest.
    fn file_name(&self, stem: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(format!(
            "{RENDERER_VERSION}\n{}\n{}\n{stem}",
            self.world_seed, self.size
        ));
        format!("{}.png", hex::encode(hash.finalize()))
    }
}

/// Under its name there is the whole file or none.
async fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let unfinished = path.with_extension(format!("{}.part", std::process::id()));
    tokio::fs::write(&unfinished, bytes).await?;
    tokio::fs::rename(&unfinished, path).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use render::RendererConfig;

    use super::*;

    #[test]
    fn a_pool_has_different_stems_and_some_are_uuids() {
        let pool = prompt_pool(5, 128);
        assert_eq!(pool, prompt_pool(5, 128));
        assert_eq!(pool.iter().collect::<HashSet<_>>().len(), 128);
        let uuids = pool.iter().filter(|stem| stem.contains('-')).count();
        assert!((6..30).contains(&uuids), "{uuids} UUIDs");
        assert_eq!(
            prompt_pool(5, 200)[..128],
            pool,
            "a larger pool begins with the smaller one"
        );
    }

    #[tokio::test]
    async fn a_prompt_image_is_drawn_once_and_then_read_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        let renderer = Arc::new(Renderer::launch(RendererConfig::default()).await.unwrap());
        let host =
            PromptHost::new(folder.path().join("prompts"), 5, Arc::clone(&renderer)).with_size(64);
        let (first, again) = tokio::join!(host.image("a/../b"), host.image("a/../b"));
        let first = first.unwrap();
        assert_eq!(first, again.unwrap());
        assert_ne!(first, host.image("another").await.unwrap());
        assert_eq!(
            std::fs::read_dir(folder.path().join("prompts"))
                .unwrap()
                .count(),
            2
        );
        renderer.shut_down().await;

        let later =
            PromptHost::new(folder.path().join("prompts"), 5, Arc::clone(&renderer)).with_size(64);
        assert_eq!(
            later.image("a/../b").await.unwrap(),
            first,
            "no browser is needed for a picture on disk"
        );
        assert!(later.image("never drawn").await.is_err());
    }
}
