//! What the model sees in a picture: one or four views of an object, each found, cut out and brought to one size.

use image::{DynamicImage, ImageFormat, RgbImage};
use sha2::{Digest, Sha256};

/// Side of a view as it is looked at.
const LOOK: u32 = 96;
/// Side of the canvas on which objects are compared.
pub(super) const CANVAS: usize = 40;
/// A pixel belongs to the object when a channel differs from the background by more than this.
const FOREGROUND: i32 = 20;
/// Bins of a view's colours: twelve hues, then dark, gray and pale.
pub(super) const COLOR_BINS: usize = 15;
/// Larger pictures are refused before they are decoded.
const MAX_SIDE: u32 = 8192;

/// A decoded picture.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// The digest of the file, for noise that follows from what is seen.
    pub digest: [u8; 32],
    /// One view, or the four of a grid in reading order.
    pub views: Vec<View>,
    /// Whether a strip that stands for painted text is in it.
    pub painted_text: bool,
}

/// One view of an object.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// The object scaled to fit the canvas: red, green, blue (0 to 1) and how much of the pixel it covers.
    pub canvas: Vec<[f32; 4]>,
    /// Shares of the object's area by colour; sums to 1 unless nothing is to be seen.
    pub colors: [f32; COLOR_BINS],
    /// The same for the upper, middle and lower third of the object's height.
    pub thirds: [[f32; COLOR_BINS]; 3],
    /// The mean width of each third, as a share of the object's width.
    pub widths: [f32; 3],
    /// Height of the object by its width; 1 when nothing is to be seen.
    pub tallness: f32,
    /// Share of the view that the object covers.
    pub cover: f32,
}

impl Picture {
    /// Looks at a PNG file.
    pub fn look(file: &[u8]) -> Result<Self, String> {
        let mut reader =
            image::ImageReader::with_format(std::io::Cursor::new(file), ImageFormat::Png);
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        reader.limits(limits);
        let image = reader
            .decode()
            .map_err(|error| format!("cannot decode the image: {error}"))?;
        let views: Vec<RgbImage> = cells(&image)
            .iter()
            .map(|cell| cell.thumbnail_exact(LOOK, LOOK).to_rgb8())
            .collect();
        Ok(Self {
            digest: Sha256::digest(file).into(),
            painted_text: views.iter().any(has_painted_text),
            views: views.iter().map(View::of).collect(),
        })
    }
}

/// The four cells when black lines cross the middle of the picture and its corners are not black; else the picture.
fn cells(image: &DynamicImage) -> Vec<DynamicImage> {
    let (width, height) = (image.width(), image.height());
    if width < 64 || height < 64 {
        return vec![image.clone()];
    }
    let black = |x: u32, y: u32| {
        image::GenericImageView::get_pixel(image, x, y).0[..3]
            .iter()
            .all(|channel| *channel < 8)
    };
    let (x, y) = (width / 2, height / 2);
    let cross = [1, 3, 5, 11, 13, 15]
        .iter()
        .all(|part| black(x, height * part / 16) && black(width * part / 16, y));
    if !cross || black(2, 2) || black(width - 3, height - 3) {
        return vec![image.clone()];
    }
    // The gap is 5 of 1041 pixels; cells leave out a little more.
    let (cell_width, cell_height) = (x - 3, y - 3);
    let corners = [
        (0, 0),
        (width - cell_width, 0),
        (0, height - cell_height),
        (width - cell_width, height - cell_height),
    ];
    corners
        .iter()
        .map(|(left, top)| image.crop_imm(*left, *top, cell_width, cell_height))
        .collect()
}

/// Whether both colours of the strip are there.
fn has_painted_text(image: &RgbImage) -> bool {
    /// Pixels of each colour that make a strip.
    const ENOUGH: usize = 8;
    crate::scenes::PAINTED_TEXT_COLORS.iter().all(|paint| {
        let close =
            |pixel: &image::Rgb<u8>| pixel.0.iter().zip(paint).all(|(a, b)| a.abs_diff(*b) < 64);
        image.pixels().filter(|pixel| close(pixel)).count() >= ENOUGH
    })
}

impl View {
    fn of(image: &RgbImage) -> Self {
        let side = LOOK as usize;
        let pixels: Vec<[u8; 3]> = image.pixels().map(|pixel| pixel.0).collect();
        let background = background(&pixels, side);
        let is_object = |pixel: &[u8; 3]| {
            pixel
                .iter()
                .zip(background)
                .any(|(a, b)| (i32::from(*a) - i32::from(b)).abs() > FOREGROUND)
        };
        let object: Vec<bool> = pixels.iter().map(is_object).collect();
        let Some([left, top, right, bottom]) = frame(&object, side) else {
            return Self::empty();
        };
        let (width, height) = (right - left + 1, bottom - top + 1);

        let mut view = Self::empty();
        view.tallness = height as f32 / width as f32;
        let mut area = 0_usize;
        let mut rows = [0_usize; 3];
        let mut filled = [0_usize; 3];
        for y in top..=bottom {
            let third = (y - top) * 3 / height;
            rows[third] += 1;
            for x in left..=right {
                let index = y * side + x;
                if object[index] {
                    area += 1;
                    filled[third] += 1;
                    let shares = color_bins(pixels[index]);
                    for (bin, share) in shares {
                        view.colors[bin] += share;
                        view.thirds[third][bin] += share;
                    }
                }
            }
        }
        view.cover = area as f32 / (side * side) as f32;
        view.colors
            .iter_mut()
            .for_each(|share| *share /= area.max(1) as f32);
        for third in 0..3 {
            view.thirds[third]
                .iter_mut()
                .for_each(|share| *share /= filled[third].max(1) as f32);
            view.widths[third] = filled[third] as f32 / (rows[third] * width).max(1) as f32;
        }
        view.paint_canvas(&pixels, &object, [left, top, width, height]);
        view
    }

    fn empty() -> Self {
        Self {
            canvas: vec![[0.0; 4]; CANVAS * CANVAS],
            colors: [0.0; COLOR_BINS],
            thirds: [[0.0; COLOR_BINS]; 3],
            widths: [0.0; 3],
            tallness: 1.0,
            cover: 0.0,
        }
    }

    /// Scales the object's frame to fit the canvas, keeping its proportions, and averages what falls on each pixel.
    fn paint_canvas(
        &mut self,
        pixels: &[[u8; 3]],
        object: &[bool],
        [left, top, width, height]: [usize; 4],
    ) {
        let scale = CANVAS as f32 / width.max(height) as f32;
        let margin_x = (CANVAS as f32 - width as f32 * scale) / 2.0;
        let margin_y = (CANVAS as f32 - height as f32 * scale) / 2.0;
        let source = |target: usize, margin: f32| (target as f32 - margin) / scale;
        for y in 0..CANVAS {
            let rows = [
                source(y, margin_y).max(0.0),
                source(y + 1, margin_y).min(height as f32),
            ];
            for x in 0..CANVAS {
                let columns = [
                    source(x, margin_x).max(0.0),
                    source(x + 1, margin_x).min(width as f32),
                ];
                let mut sum = [0.0_f32; 4];
                let mut samples = 0.0_f32;
                for [row, column] in samples_within(rows, columns) {
                    samples += 1.0;
                    let index = (top + row) * LOOK as usize + left + column;
                    if object[index] {
                        let [red, green, blue] =
                            pixels[index].map(|channel| f32::from(channel) / 255.0);
                        sum = [sum[0] + red, sum[1] + green, sum[2] + blue, sum[3] + 1.0];
                    }
                }
                if sum[3] > 0.0 {
                    let covered = sum[3];
                    self.canvas[y * CANVAS + x] = [
                        sum[0] / covered,
                        sum[1] / covered,
                        sum[2] / covered,
                        covered / samples,
                    ];
                }
            }
        }
    }
}

/// The pixels of the source that a canvas pixel stands for; at least the nearest one.
fn samples_within(rows: [f32; 2], columns: [f32; 2]) -> Vec<[usize; 2]> {
    let range = |[low, high]: [f32; 2]| {
        if high <= low {
            return 0..0;
        }
        let first = low as usize;
        first..(high.ceil() as usize).max(first + 1)
    };
    range(rows)
        .flat_map(|row| range(columns).map(move |column| [row, column]))
        .collect()
}

/// The middle value of each channel along the border.
fn background(pixels: &[[u8; 3]], side: usize) -> [u8; 3] {
    let edge = (0..side).flat_map(|i| [i, (side - 1) * side + i, i * side, i * side + side - 1]);
    let border: Vec<[u8; 3]> = edge.map(|index| pixels[index]).collect();
    [0, 1, 2].map(|channel| {
        let mut values: Vec<u8> = border.iter().map(|pixel| pixel[channel]).collect();
        values.sort_unstable();
        values[values.len() / 2]
    })
}

/// Left, top, right and bottom of what is set.
fn frame(object: &[bool], side: usize) -> Option<[usize; 4]> {
    let mut found: Option<[usize; 4]> = None;
    for (index, _) in object.iter().enumerate().filter(|(_, set)| **set) {
        let (x, y) = (index % side, index / side);
        let [left, top, right, bottom] = found.unwrap_or([x, y, x, y]);
        found = Some([left.min(x), top.min(y), right.max(x), bottom.max(y)]);
    }
    found
}

/// The bins a colour falls into, with shares: between two hues it counts for both, faintly coloured it is partly gray.
fn color_bins([red, green, blue]: [u8; 3]) -> [(usize, f32); 3] {
    let [red, green, blue] = [red, green, blue].map(|channel| f32::from(channel) / 255.0);
    let high = red.max(green).max(blue);
    let chroma = high - red.min(green).min(blue);
    let gray_bin = if high < 0.25 {
        12
    } else if high < 0.7 {
        13
    } else {
        14
    };
    let saturation = if high > 0.0 { chroma / high } else { 0.0 };
    // Dark pixels have no hue to speak of.
    let colored =
        ((saturation - 0.12) / 0.25).clamp(0.0, 1.0) * ((high - 0.08) / 0.12).clamp(0.0, 1.0);
    if colored <= 0.0 || chroma <= 0.0 {
        return [(gray_bin, 1.0), (0, 0.0), (0, 0.0)];
    }
    let sextant = if high == red {
        ((green - blue) / chroma).rem_euclid(6.0)
    } else if high == green {
        (blue - red) / chroma + 2.0
    } else {
        (red - green) / chroma + 4.0
    };
    let place = sextant * 2.0;
    let share = place - place.floor();
    let bin = place.floor() as usize % 12;
    [
        (bin, colored * (1.0 - share)),
        ((bin + 1) % 12, colored * share),
        (gray_bin, 1.0 - colored),
    ]
}
