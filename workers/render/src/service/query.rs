//! Query parameters: camera, size, background, lighting.

use super::respond::ClientError;
use crate::renderer::MAX_PICTURE_EDGE;
use crate::views::{
    Angle, CAMERA_FOV_DEG, CAMERA_RADIUS, GRAY, GRID_CELL, GRID_GAP, Lighting, PictureRequest,
};

/// Most views of one request.
const MAX_VIEWS: usize = 64;
/// Largest angle and distance: beyond it a camera stands nowhere.
const MAX_NUMBER: f64 = 1e6;
/// Vertical fields of view are smaller, in degrees.
const MAX_FOV_DEG: f64 = 180.0;
/// Most pixels of all pictures of one request: 16 views of 1024 x 1024.
const MAX_PIXELS: u64 = 16 * 1024 * 1024;

/// The parameters of one request, by name. The last of several of one name counts.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Splits and decodes the query part of an address.
    pub fn parse(query: Option<&str>) -> Result<Self, ClientError> {
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// `img_size` of `/views`: 1024 when it is missing.
    pub fn view_size(&self) -> Result<u32, ClientError> {
        self.size(1024)
    }

    /// The pictures asked for.
    pub fn pictures(&self) -> Result<PictureRequest, ClientError> {
        let thetas = self.numbers("thetas", &[24.0, 120.0, 216.0, 312.0])?;
        let phis = self.numbers("phis", &[-15.0])?;
        if thetas.is_empty() || thetas.len() > MAX_VIEWS {
            return Err(ClientError::bad_request(format!(
                "`thetas` must name 1 to {MAX_VIEWS} angles"
            )));
        }
        let angles = match phis.as_slice() {
            [phi] => thetas
                .iter()
                .map(|theta| Angle::new(*theta, *phi))
                .collect(),
            phis if phis.len() == thetas.len() => thetas
                .iter()
                .zip(phis)
                .map(|(theta, phi)| Angle::new(*theta, *phi))
                .collect(),
            _ => {
                return Err(ClientError::bad_request(
                    "`phis` must be one number or as many as `thetas`",
                ));
            }
        };
        let size = self.size(GRID_CELL)?;
        if u64::from(size) * u64::from(size) * thetas.len() as u64 > MAX_PIXELS {
            return Err(ClientError::bad_request(format!(
                "{} views of {size} pixels are more than {MAX_PIXELS} pixels in one request",
                thetas.len()
            )));
        }
        Ok(PictureRequest {
            angles,
            size,
            background: self.color()?,
            lighting: if self.get("lighting") == Some("follow") {
                Lighting::Follow
            } else {
                Lighting::Studio
            },
            camera_radius: self.positive("cam_radius", CAMERA_RADIUS)?,
            camera_fov_deg: self.field_of_view()?,
        })
    }

    /// Pixels between grid cells.
    pub fn gap(&self) -> Result<u32, ClientError> {
        match self.get("gap") {
            None | Some("") => Ok(GRID_GAP),
            Some(text) => text
                .trim()
                .parse()
                .ok()
                .filter(|gap| *gap <= 256)
                .ok_or_else(|| ClientError::bad_request("`gap` must be 0 to 256 pixels")),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn size(&self, default: u32) -> Result<u32, ClientError> {
        match self.get("img_size").map(str::trim) {
            None | Some("" | "0") => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|size| (1..=MAX_PICTURE_EDGE).contains(size))
                .ok_or_else(|| {
                    ClientError::bad_request(format!(
                        "`img_size` must be 1 to {MAX_PICTURE_EDGE} pixels"
                    ))
                }),
        }
    }

    fn positive(&self, name: &str, default: f64) -> Result<f64, ClientError> {
        match self.numbers(name, &[default])?.as_slice() {
            [value] if *value == 0.0 => Ok(default),
            [value] if *value > 0.0 => Ok(*value),
            _ => Err(ClientError::bad_request(format!(
                "`{name}` must be one positive number"
            ))),
        }
    }

    fn field_of_view(&self) -> Result<f64, ClientError> {
        match self.positive("cam_fov_deg", CAMERA_FOV_DEG)? {
            degrees if degrees < MAX_FOV_DEG => Ok(degrees),
            _ => Err(ClientError::bad_request(format!(
                "`cam_fov_deg` must be less than {MAX_FOV_DEG}"
            ))),
        }
    }

    fn numbers(&self, name: &str, default: &[f64]) -> Result<Vec<f64>, ClientError> {
        let Some(text) = self.get(name).filter(|text| !text.trim().is_empty()) else {
            return Ok(default.to_vec());
        };
        text.split(',')
            .map(|number| {
                number
                    .trim()
                    .parse::<f64>()
                    .ok()
                    .filter(|number| number.abs() <= MAX_NUMBER)
            })
            .collect::<Option<_>>()
            .ok_or_else(|| {
                ClientError::bad_request(format!(
                    "`{name}` must be numbers separated by commas, none beyond {MAX_NUMBER}"
                ))
            })
    }

    fn color(&self) -> Result<u32, ClientError> {
        match self
            .get("bg_color")
            .map(|text| text.trim_start_matches('#'))
        {
            None | Some("") => Ok(GRAY),
            Some(text) if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                u32::from_str_radix(text, 16)
                    .map_err(|_| ClientError::bad_request("`bg_color` must be RRGGBB"))
            }
            Some(_) => Err(ClientError::bad_request(
                "`bg_color` must be six hexadecimal digits",
            )),
        }
    }
}

/// Undoes percent encoding, and `+` for a space.
fn decode(text: &str) -> Result<String, ClientError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (digit(rest.next()), digit(rest.next())) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => {
                        return Err(ClientError::bad_request(
                            "the query has a broken percent escape",
                        ));
                    }
                }
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| ClientError::bad_request("the query is not UTF-8"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pictures(query: &str) -> Result<PictureRequest, ClientError> {
        Query::parse(Some(query))?.pictures()
    }

    #[test]
    fn no_query_means_the_grid_of_the_rounds() {
        let request = pictures("").unwrap();
        assert_eq!(request, crate::views::grid_request());
    }

    #[test]
    fn the_query_of_the_rounds_white_batch_means_the_white_views() {
        let request = pictures(
            "thetas=30,330,0,0,90,180,270,0&phis=0%2C0%2C15%2C-30%2C0%2C0%2C0%2C-90&bg_color=ffffff&lighting=follow\
             &img_size=1024&cam_radius=2.0&cam_fov_deg=49.1",
        )
        .unwrap();
        let expected =
            crate::views::view_request(&crate::views::WHITE_VIEWS, 1024, crate::views::WHITE);
        assert_eq!(request, expected);
    }

    #[test]
    fn bad_numbers_are_refused_instead_of_guessed() {
        for query in [
            "thetas=a",
            "phis=1,2",
            "img_size=-1",
            "img_size=9999",
            "bg_color=12345",
            "cam_radius=-1",
            "thetas=NaN",
            "thetas=1e308",
            "cam_radius=1e300",
            "cam_fov_deg=180",
            "thetas=%zz",
        ] {
            assert!(pictures(query).is_err(), "{query}");
        }
    }

    #[test]
    fn zero_means_the_default_as_it_always_did() {
        let request = pictures("img_size=0&cam_radius=0&cam_fov_deg=0").unwrap();
        assert_eq!(
            (request.size, request.camera_radius, request.camera_fov_deg),
            (518, 2.0, 49.1)
        );
    }
}
