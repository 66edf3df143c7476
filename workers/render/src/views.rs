//! Cameras, lights and the fixed sets of pictures a module is judged by.
//!
//! Source: render specification, scene (11.6), grid (11.7) and view sets (12.1).

use serde::{Deserialize, Serialize};

/// Where a camera stands on a sphere around the origin, looking at it, up is +Y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Angle {
    /// Azimuth in degrees: 0 is the front (+Z), 90 is +X.
    pub theta_deg: f64,
    /// Elevation in degrees; negative is above.
    pub phi_deg: f64,
}

impl Angle {
    /// An angle.
    pub const fn new(theta_deg: f64, phi_deg: f64) -> Self {
        Self { theta_deg, phi_deg }
    }
}

/// How a scene is lit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lighting {
    /// Three fixed lights. The grid.
    #[default]
    Studio,
    /// One light that goes with the camera. The judged views.
    Follow,
}

/// Pictures of one scene with one background, size and lighting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PictureRequest {
    /// One picture each, in this order.
    pub angles: Vec<Angle>,
    /// Edge of the square picture in pixels.
    pub size: u32,
    /// Background as 0xRRGGBB.
    pub background: u32,
    /// The lights.
    pub lighting: Lighting,
    /// Distance of the camera from the origin.
    pub camera_radius: f64,
    /// Vertical field of view in degrees.
    pub camera_fov_deg: f64,
}

impl PictureRequest {
    /// Pictures from `angles` as the judged views are taken: light with the camera, radius 2, 49.1°.
    pub fn of(angles: Vec<Angle>, size: u32, background: u32) -> Self {
        Self {
            angles,
            size,
            background,
            lighting: Lighting::Follow,
            camera_radius: CAMERA_RADIUS,
            camera_fov_deg: CAMERA_FOV_DEG,
        }
    }
}

/// Distance of every judged camera.
pub const CAMERA_RADIUS: f64 = 2.0;
/// Vertical field of view of every judged camera.
pub const CAMERA_FOV_DEG: f64 = 49.1;
/// Background of the white views.
pub const WHITE: u32 = 0xff_ff_ff;
/// Background of the gray views and the grid.
pub const GRAY: u32 = 0x80_80_80;
/// Edge of a grid cell in pixels.
pub const GRID_CELL: u32 = 518;
/// Pixels between grid cells.
pub const GRID_GAP: u32 = 5;

/// The eight white views, in the order the judge reads them.
pub const WHITE_VIEWS: [(&str, Angle); 8] = [
    ("front_left", Angle::new(30.0, 0.0)),
    ("front_right", Angle::new(330.0, 0.0)),
    ("front_below", Angle::new(0.0, 15.0)),
    ("front_above", Angle::new(0.0, -30.0)),
    ("right", Angle::new(90.0, 0.0)),
    ("back", Angle::new(180.0, 0.0)),
    ("left", Angle::new(270.0, 0.0)),
    ("top_down", Angle::new(0.0, -90.0)),
];

/// The four gray views: the first four white ones.
pub const GRAY_VIEWS: [(&str, Angle); 4] = [
    WHITE_VIEWS[0],
    WHITE_VIEWS[1],
    WHITE_VIEWS[2],
    WHITE_VIEWS[3],
];

/// The four views of the grid, row by row.
pub const GRID_VIEWS: [Angle; 4] = [
    Angle::new(24.0, -15.0),
    Angle::new(120.0, -15.0),
    Angle::new(216.0, -15.0),
    Angle::new(312.0, -15.0),
];

/// The grid's pictures.
pub fn grid_request() -> PictureRequest {
    PictureRequest {
        lighting: Lighting::Studio,
        ..PictureRequest::of(GRID_VIEWS.to_vec(), GRID_CELL, GRAY)
    }
}

/// The judged views of one background.
pub fn view_request(views: &[(&str, Angle)], size: u32, background: u32) -> PictureRequest {
    PictureRequest::of(
        views.iter().map(|(_, angle)| *angle).collect(),
        size,
        background,
    )
}
