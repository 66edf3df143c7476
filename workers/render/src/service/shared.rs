//! One execution for all requests that need the same module, and one drawing for all that need the same pictures.
//!
//! The reference's client sends three requests for one module at once, its retries send them again, and two miners may
//! deliver the same module. What a module builds depends on its text and the renderer's version alone, so both name the
//! work; pictures are named by their request too. What is kept and what is not:
//!
//! - documents and pictures are kept in bounded memory, see [`super::ServiceConfig::kept_bytes`];
//! - a rejection is kept if the module breaks the same rule everywhere ([`Failure::is_certain`]): never one for time or
//!   memory, which may be the machine's;
//! - our own faults end the requests that wait for them and are forgotten.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::metrics::ServiceMetrics;
use super::once::{Made, Once, Source};
use crate::failure::Failure;
use crate::measure::Metrics;
use crate::renderer::{Document, RenderError, RenderTimings, Renderer, Rendering, check_size};
use crate::views::PictureRequest;

/// A renderer whose work is shared. Cheap to clone.
#[derive(Clone)]
pub struct SharedRenderer {
    renderer: Arc<Renderer>,
    metrics: Arc<ServiceMetrics>,
    documents: Arc<Once<Checked, SharedError>>,
    views: Arc<Once<Arc<Rendering>, SharedError>>,
    pictures: Arc<Once<Arc<Vec<Bytes>>, SharedError>>,
}

/// One error for everyone who waited for the work.
type SharedError = Arc<RenderError>;

/// What validation made of a module.
#[derive(Clone)]
enum Checked {
    Passed(Arc<Document>, RenderTimings),
    Rejected(Arc<Rejection>),
}

struct Rejection {
    failures: Vec<Failure>,
    metrics: Option<Metrics>,
}

/// A module by its text, and the renderer that works on it.
#[derive(Clone)]
struct Module {
    source: Arc<str>,
    key: String,
    version: String,
}

impl SharedRenderer {
    /// Shares `renderer`'s work. Half of `kept_bytes` is for documents, a quarter for the judged views, a quarter for
    /// other pictures.
    pub fn new(renderer: Arc<Renderer>, metrics: Arc<ServiceMetrics>, kept_bytes: usize) -> Self {
        Self {
            renderer,
            metrics,
            documents: Once::new(kept_bytes / 2),
            views: Once::new(kept_bytes / 4),
            pictures: Once::new(kept_bytes / 4),
        }
    }

    /// As [`Renderer::views`].
    ///
    /// # Errors
    ///
    /// As [`Renderer::views`].
    pub async fn views(
        &self,
        source: &str,
        size: u32,
    ) -> Result<(Arc<Rendering>, Source), SharedError> {
        check_size(size)?;
        let _place = self.renderer.enter()?;
        let module = self.module(source).await?;
        let key = format!("{}/views/{size}", module.key);
        let this = self.clone();
        let work = || async move {
            let (document, timings) = this.document(&module).await?;
            let rendering = this.renderer.views_of(&document, size, timings).await?;
            this.metrics.rendered(&rendering.timings);
            let is_current = rendering.renderer_version == module.version;
            Ok(Made {
                kept_bytes: is_current.then(|| rendering.bytes()),
                value: Arc::new(rendering),
            })
        };
        let (rendering, how) = self.views.get(key, work).await?;
        self.metrics.shared("views", how);
        Ok((rendering, how))
    }

    /// As [`Renderer::picture`].
    ///
    /// # Errors
    ///
    /// As [`Renderer::picture`].
    pub async fn picture(
        &self,
        source: &str,
        request: PictureRequest,
    ) -> Result<Arc<Vec<Bytes>>, SharedError> {
        let name = format!("pictures/{}", name_of(&request));
        let size = request.size;
        let draw = move |this: Self, document: Arc<Document>| async move {
            this.renderer.pictures_of(&document, &request).await
        };
        self.drawn(source, size, name, draw).await
    }

    /// As [`Renderer::grid`].
    ///
    /// # Errors
    ///
    /// As [`Renderer::grid`].
    pub async fn grid(
        &self,
        source: &str,
        request: PictureRequest,
        gap: u32,
    ) -> Result<Bytes, SharedError> {
        let name = format!("grid/{gap}/{}", name_of(&request));
        let size = request.size;
        let draw = move |this: Self, document: Arc<Document>| async move {
            let png = this.renderer.grid_of(&document, &request, gap).await?;
            Ok(vec![png])
        };
        let pngs = self.drawn(source, size, name, draw).await?;
        Ok(pngs.first().cloned().unwrap_or_default())
    }

    async fn drawn<Drawing>(
        &self,
        source: &str,
        size: u32,
        name: String,
        draw: impl FnOnce(Self, Arc<Document>) -> Drawing + Send + 'static,
    ) -> Result<Arc<Vec<Bytes>>, SharedError>
    where
        Drawing: Future<Output = Result<Vec<Bytes>, RenderError>> + Send + 'static,
    {
        check_size(size)?;
        let _place = self.renderer.enter()?;
        let module = self.module(source).await?;
        let key = format!("{}/{name}", module.key);
        let this = self.clone();
        let work = || async move {
            let (document, _) = this.document(&module).await?;
            let pngs = draw(this.clone(), document).await?;
            let bytes = pngs.iter().map(Bytes::len).sum();
            Ok(Made {
                kept_bytes: this.is_current(&module).await.then_some(bytes),
                value: Arc::new(pngs),
            })
        };
        let (pngs, how) = self.pictures.get(key, work).await?;
        self.metrics.shared("pictures", how);
        Ok(pngs)
    }

    async fn document(
        &self,
        module: &Module,
    ) -> Result<(Arc<Document>, RenderTimings), SharedError> {
        let (this, own) = (self.clone(), module.clone());
        let work = || async move {
            let made = match this.renderer.document(&own.source).await {
                Ok((document, timings)) => Made {
                    kept_bytes: Some(document.bytes()),
                    value: Checked::Passed(Arc::new(document), timings),
                },
                Err(RenderError::Rejected { failures, metrics }) => {
                    let rejection = Rejection { failures, metrics };
                    Made {
                        kept_bytes: rejection.is_certain().then(|| rejection.bytes()),
                        value: Checked::Rejected(Arc::new(rejection)),
                    }
                }
                Err(error) => return Err(Arc::new(error)),
            };
            let is_current = this.is_current(&own).await;
            Ok(Made {
                kept_bytes: made.kept_bytes.filter(|_| is_current),
                ..made
            })
        };
        let (checked, how) = self.documents.get(module.key.clone(), work).await?;
        self.metrics.shared("document", how);
        match checked {
            Checked::Passed(document, _) if how == Source::Kept => {
                Ok((document, RenderTimings::default()))
            }
            Checked::Passed(document, timings) => Ok((document, timings)),
            Checked::Rejected(rejection) => Err(Arc::new(RenderError::Rejected {
                failures: rejection.failures.clone(),
                metrics: rejection.metrics.clone(),
            })),
        }
    }

    async fn module(&self, source: &str) -> Result<Module, SharedError> {
        let version = self.renderer.version().await?;
        let sha256 = hex::encode(Sha256::digest(source));
        Ok(Module {
            source: source.into(),
            key: format!("{version}/{sha256}"),
            version,
        })
    }

    /// Whether the renderer is still the one the work was begun with: its browser may have been updated meanwhile.
    async fn is_current(&self, module: &Module) -> bool {
        matches!(self.renderer.version().await, Ok(version) if version == module.version)
    }
}

impl Rejection {
    fn is_certain(&self) -> bool {
        self.failures.iter().all(Failure::is_certain)
    }

    fn bytes(&self) -> usize {
        let details = self.failures.iter().map(|failure| failure.detail.len());
        details.sum::<usize>() + self.failures.len() * size_of::<Failure>() + size_of::<Metrics>()
    }
}

/// Everything a request for pictures says.
fn name_of(request: &PictureRequest) -> String {
    serde_json::to_string(request).unwrap_or_else(|_| format!("{request:?}"))
}
