//! What a page is asked to draw, and how long it took.

use serde::{Deserialize, Serialize};

use crate::views::{Angle, Lighting, PictureRequest};

/// Pictures of one document that share camera distance, size, lighting and background.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Batch {
    /// One picture each.
    pub angles: Vec<Angle>,
    /// Edge of a picture in pixels.
    pub size: u32,
    /// Background as 0xRRGGBB; none leaves the coverage in alpha, for a background put behind it later.
    pub background: Option<u32>,
    /// The lights.
    pub lighting: Lighting,
    /// Distance of the camera from the origin.
    pub camera_radius: f64,
    /// Vertical field of view in degrees.
    pub camera_fov_deg: f64,
}

impl Batch {
    /// The batch of a request, over `background`.
    pub fn new(request: &PictureRequest, background: Option<u32>) -> Self {
        Self {
            angles: request.angles.clone(),
            size: request.size,
            background,
            lighting: request.lighting,
            camera_radius: request.camera_radius,
            camera_fov_deg: request.camera_fov_deg,
        }
    }
}

/// Where a document's time went, in the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Timings {
    /// Fetching the document.
    pub fetch_ms: f64,
    /// Building the scene.
    pub build_ms: f64,
    /// Handing the pictures to the graphics process.
    pub draw_ms: f64,
    /// Waiting for them and reading their pixels.
    pub read_ms: f64,
    /// Handing over the pixels and waiting for the last of them to be sent.
    pub send_ms: f64,
}
