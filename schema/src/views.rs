//! The pictures of a module: which views, in which order, on which backgrounds.

/// One view of a module: the camera's direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Name in file names, embeddings and reports.
    pub name: &'static str,
    /// Angle around the vertical axis, degrees.
    pub theta_deg: f64,
    /// Angle above (negative) or below (positive) the horizon, degrees.
    pub phi_deg: f64,
}

/// All views, drawn on white, in the order of requests and embeddings.
pub const WHITE_VIEWS: [View; 8] = [
    View {
        name: "front_left",
        theta_deg: 30.0,
        phi_deg: 0.0,
    },
    View {
        name: "front_right",
        theta_deg: 330.0,
        phi_deg: 0.0,
    },
    View {
        name: "front_below",
        theta_deg: 0.0,
        phi_deg: 15.0,
    },
    View {
        name: "front_above",
        theta_deg: 0.0,
        phi_deg: -30.0,
    },
    View {
        name: "right",
        theta_deg: 90.0,
        phi_deg: 0.0,
    },
    View {
        name: "back",
        theta_deg: 180.0,
        phi_deg: 0.0,
    },
    View {
        name: "left",
        theta_deg: 270.0,
        phi_deg: 0.0,
    },
    View {
        name: "top_down",
        theta_deg: 0.0,
        phi_deg: -90.0,
    },
];

/// The views drawn on gray too: the first four, from the front.
pub const GRAY_VIEWS: [View; 4] = [
    WHITE_VIEWS[0],
    WHITE_VIEWS[1],
    WHITE_VIEWS[2],
    WHITE_VIEWS[3],
];

/// Distance of the camera from the origin, in scene units.
pub const CAMERA_RADIUS: f64 = 2.0;

/// Vertical field of view of the camera, degrees.
pub const CAMERA_FOV_DEG: f64 = 49.1;

/// Width and height of a view, pixels.
pub const IMAGE_SIZE_PX: u32 = 1024;

/// Name of the sheet of four views, next to the folders of views.
pub const GRID: &str = "grid.png";

/// Name of the embeddings of the prompt image and the white views.
pub const EMBEDDINGS: &str = "embeddings.npz";

/// What a view is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Background {
    /// `#ffffff`.
    White,
    /// `#808080`: shows what is pale on white.
    Gray,
}

impl Background {
    /// Name of the folder under a views prefix.
    pub fn folder(self) -> &'static str {
        match self {
            Self::White => "white",
            Self::Gray => "gray",
        }
    }

    /// The colour as the render service takes it: six hexadecimal digits.
    pub fn color_hex(self) -> &'static str {
        match self {
            Self::White => "ffffff",
            Self::Gray => "808080",
        }
    }

    /// The views drawn on this background, in order.
    pub fn views(self) -> &'static [View] {
        match self {
            Self::White => &WHITE_VIEWS,
            Self::Gray => &GRAY_VIEWS,
        }
    }
}

impl View {
    /// Name of this view under a views prefix: `white/front_left.png`.
    pub fn object_name(&self, background: Background) -> String {
        format!("{}/{}.png", background.folder(), self.name)
    }
}

/// The fourteen objects of a whole bundle under its views prefix: eight white views, four gray ones, the grid, the
/// embeddings.
pub fn bundle_object_names() -> Vec<String> {
    let views = [Background::White, Background::Gray]
        .into_iter()
        .flat_map(|background| {
            background
                .views()
                .iter()
                .map(move |view| view.object_name(background))
        });
    views
        .chain([GRID.to_owned(), EMBEDDINGS.to_owned()])
        .collect()
}

/// URL of the sheet of a bundle: `{views}/grid.png`, as reports name it.
pub fn grid_url(views_prefix: &str) -> String {
    format!("{views_prefix}/{GRID}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_fourteen_objects_with_their_published_names() {
        let names = bundle_object_names();
        assert_eq!(names.len(), 14);
        assert_eq!(names[0], "white/front_left.png");
        assert_eq!(names[7], "white/top_down.png");
        assert_eq!(
            names[8..12],
            [
                "gray/front_left.png",
                "gray/front_right.png",
                "gray/front_below.png",
                "gray/front_above.png"
            ]
        );
        assert_eq!(names[12..], ["grid.png", "embeddings.npz"]);
    }
}
