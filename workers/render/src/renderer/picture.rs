//! From the parts that were drawn to PNG.

use bytes::Bytes;

use super::RenderError;
use crate::png::{Part, Pixels};
use crate::views::{self, PictureRequest};

/// A picture still in the part that was drawn.
#[derive(Debug, Clone)]
pub struct Picture {
    part: Part,
    size: u32,
    background: u32,
    has_coverage: bool,
}

impl Picture {
    /// The pictures of one request. `has_coverage`: they were drawn without a background.
    pub fn all(parts: &[Part], request: &PictureRequest, has_coverage: bool) -> Vec<Self> {
        let picture = |part: &Part| Self {
            part: part.clone(),
            size: request.size,
            background: request.background,
            has_coverage,
        };
        parts.iter().map(picture).collect()
    }

    fn pixels(&self) -> Pixels {
        self.part
            .over(self.size, self.background, self.has_coverage)
    }
}

/// One PNG each.
pub async fn encode(pictures: Vec<Picture>) -> Result<Vec<Bytes>, RenderError> {
    in_parallel(pictures, |picture| picture.pixels().to_png()).await
}

/// One PNG of all.
pub async fn encode_grid(cells: Vec<Picture>, cell: u32, gap: u32) -> Result<Bytes, RenderError> {
    let pngs = in_parallel(vec![cells], move |cells| {
        grid_of(&cells, cell, gap).to_png()
    })
    .await?;
    Ok(pngs.into_iter().next().unwrap_or_default())
}

/// One PNG of each view, and last one of the grid whose cells are the last pictures.
pub async fn encode_views(mut pictures: Vec<Picture>) -> Result<Vec<Bytes>, RenderError> {
    let cells = pictures.split_off(pictures.len().saturating_sub(views::GRID_VIEWS.len()));
    let mut work: Vec<Vec<Picture>> = pictures.into_iter().map(|picture| vec![picture]).collect();
    work.push(cells);
    in_parallel(work, |pictures| match pictures.as_slice() {
        [one] => one.pixels().to_png(),
        cells => grid_of(cells, views::GRID_CELL, views::GRID_GAP).to_png(),
    })
    .await
}

fn grid_of(cells: &[Picture], cell: u32, gap: u32) -> Pixels {
    let cells: Vec<Pixels> = cells.iter().map(Picture::pixels).collect();
    Pixels::grid(&cells, cell, gap)
}

/// Works on blocking threads, and keeps the order.
async fn in_parallel<T: Send + 'static>(
    work: Vec<T>,
    encode: impl Fn(T) -> Result<Bytes, image::ImageError> + Copy + Send + 'static,
) -> Result<Vec<Bytes>, RenderError> {
    let tasks: Vec<_> = work
        .into_iter()
        .map(|one| tokio::task::spawn_blocking(move || encode(one)))
        .collect();
    let mut pngs = Vec::with_capacity(tasks.len());
    for task in tasks {
        let png = task
            .await
            .map_err(|error| RenderError::Crashed(error.to_string()))?;
        pngs.push(png.map_err(|error| RenderError::Crashed(error.to_string()))?);
    }
    Ok(pngs)
}
