//! From a document to pictures.

use std::time::Instant;

use bytes::Bytes;

use super::picture::{self, Picture};
use super::{Document, RenderError, RenderTimings, Renderer, Rendering, milliseconds};
use crate::draw::{Batch, DrawError, Drawer, DrawerConfig, Timings};
use crate::failure::{Failure, Rule, Stage};
use crate::png::Part;
use crate::views::{self, PictureRequest};

impl Renderer {
    /// All pictures of a module that was executed. `timings`: what that took.
    ///
    /// # Errors
    ///
    /// As [`Renderer::views`].
    pub(crate) async fn views_of(
        &self,
        document: &Document,
        view_size: u32,
        mut timings: RenderTimings,
    ) -> Result<Rendering, RenderError> {
        let drawing = Instant::now();
        let (pictures, page) = self.draw_views(document, view_size).await?;
        timings.page = page;
        timings.draw_ms = milliseconds(drawing);
        let encoding = Instant::now();
        let mut pngs = picture::encode_views(pictures).await?;
        timings.encode_ms = milliseconds(encoding);
        timings.total_ms += timings.draw_ms + timings.encode_ms;
        let grid = pngs.pop().unwrap_or_default();
        let gray = pngs.split_off(views::WHITE_VIEWS.len().min(pngs.len()));
        let name = |views: &[(&'static str, views::Angle)], pngs: Vec<Bytes>| {
            views.iter().map(|(name, _)| *name).zip(pngs).collect()
        };
        Ok(Rendering {
            white: name(&views::WHITE_VIEWS, pngs),
            gray: name(&views::GRAY_VIEWS, gray),
            grid,
            metrics: document.metrics.clone(),
            document_sha256: document.sha256.clone(),
            renderer_version: self.version().await?,
            timings,
        })
    }

    /// One PNG for each angle of the request.
    ///
    /// # Errors
    ///
    /// As [`Renderer::views`].
    pub(crate) async fn pictures_of(
        &self,
        document: &Document,
        request: &PictureRequest,
    ) -> Result<Vec<Bytes>, RenderError> {
        picture::encode(self.draw_request(document, request).await?).await
    }

    /// The pictures of the request as one PNG.
    ///
    /// # Errors
    ///
    /// As [`Renderer::views`].
    pub(crate) async fn grid_of(
        &self,
        document: &Document,
        request: &PictureRequest,
        gap: u32,
    ) -> Result<Bytes, RenderError> {
        let cells = self.draw_request(document, request).await?;
        picture::encode_grid(cells, request.size, gap).await
    }

    async fn draw_request(
        &self,
        document: &Document,
        request: &PictureRequest,
    ) -> Result<Vec<Picture>, RenderError> {
        // Through the same path as the judged views, so that both are the same pixels.
        let background = (!document.is_opaque).then_some(request.background);
        let (parts, _) = self
            .draw(document, &[Batch::new(request, background)])
            .await?;
        Ok(Picture::all(&parts, request, document.is_opaque))
    }

    /// White views, gray views and the cells of the grid, in this order.
    async fn draw_views(
        &self,
        document: &Document,
        size: u32,
    ) -> Result<(Vec<Picture>, Timings), RenderError> {
        let white = views::view_request(&views::WHITE_VIEWS, size, views::WHITE);
        let gray = views::view_request(&views::GRAY_VIEWS, size, views::GRAY);
        let grid = views::grid_request();
        if document.is_opaque {
            // The gray views are four of the white ones: drawn once without a background, put over both.
            let (parts, page) = self
                .draw(
                    document,
                    &[Batch::new(&white, None), Batch::new(&grid, None)],
                )
                .await?;
            let (shared, cells) = parts.split_at(white.angles.len());
            let pictures = [
                Picture::all(shared, &white, true),
                Picture::all(&shared[..gray.angles.len()], &gray, true),
                Picture::all(cells, &grid, true),
            ];
            return Ok((pictures.concat(), page));
        }
        let requests = [&white, &gray, &grid];
        let batches = requests.map(|request| Batch::new(request, Some(request.background)));
        let (parts, page) = self.draw(document, &batches).await?;
        let mut parts = parts.as_slice();
        let mut pictures = Vec::new();
        for request in requests {
            let (own, rest) = parts.split_at(request.angles.len());
            pictures.extend(Picture::all(own, request, false));
            parts = rest;
        }
        Ok((pictures, page))
    }

    /// The drawing browser, started with the first picture.
    pub(super) async fn drawer(&self) -> Result<&Drawer, RenderError> {
        let config = &self.config;
        let launch = || async {
            Drawer::launch(DrawerConfig {
                chromium: config.chromium.clone(),
                unprivileged_uid_gid: config.unprivileged_uid_gid,
                allow_no_sandbox: config.allow_no_sandbox,
                pages: config.pages,
                documents_a_browser: config.modules_a_browser,
                time_limit: config.draw_time_limit,
                graphics: config.graphics,
            })
            .await
        };
        Ok(self.drawer.get_or_try_init(launch).await?)
    }

    async fn draw(
        &self,
        document: &Document,
        batches: &[Batch],
    ) -> Result<(Vec<Part>, Timings), RenderError> {
        let drawer = self.drawer().await?;
        let drawn = drawer
            .draw(
                document.canonical.clone(),
                document.bounds,
                document.is_costly,
                batches,
            )
            .await;
        match drawn {
            Err(error @ (DrawError::Scene(_) | DrawError::TooCostly(_))) => {
                let detail = error.to_string();
                Err(RenderError::Rejected {
                    failures: vec![Failure::new(Stage::Render, Rule::RenderRunFailed, detail)],
                    metrics: Some(document.metrics.clone()),
                })
            }
            other => Ok(other?),
        }
    }
}

/// Largest picture in pixels an edge: four times the judged size.
pub const MAX_PICTURE_EDGE: u32 = 4096;

/// Refuses pictures larger than the drawing pages make.
///
/// # Errors
///
/// [`RenderError::BadRequest`].
pub(crate) fn check_size(size: u32) -> Result<(), RenderError> {
    if (1..=MAX_PICTURE_EDGE).contains(&size) {
        Ok(())
    } else {
        Err(RenderError::BadRequest(format!(
            "the picture size {size} is outside 1 to {MAX_PICTURE_EDGE} pixels"
        )))
    }
}
