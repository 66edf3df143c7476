//! Embeddings for rehearsals: histograms of colour and shape.

use async_trait::async_trait;
use bytes::Bytes;
use image::{RgbImage, imageops};
use indexmap::IndexMap;

use super::{DIMENSIONS, EmbedError, Embedder, Embeddings};
use crate::clients::png;

/// Side of the small picture everything is measured on, in pixels.
const SIDE: u32 = 64;

/// Cells across, for where colours lie.
const LAYOUT_CELLS: u32 = 8;
const LAYOUT: usize = (LAYOUT_CELLS * LAYOUT_CELLS * 3) as usize;

/// Steps of each channel, for which colours there are.
const COLOUR_STEPS: usize = 4;
const COLOURS: usize = COLOUR_STEPS * COLOUR_STEPS * COLOUR_STEPS;

/// Cells across and directions, for which way edges run.
const EDGE_CELLS: u32 = 4;
const DIRECTIONS: usize = 8;
const EDGES: usize = (EDGE_CELLS * EDGE_CELLS) as usize * DIRECTIONS;

const _: () = assert!(LAYOUT + COLOURS + EDGES == DIMENSIONS);

/// Stands in for DINOv3 until the crate `distance` exists. Deterministic and honest, but not learned: it measures where
/// colours lie, which colours there are and which way edges run, so it finds the view that resembles a prompt when both
/// are drawn alike, as in a rehearsal. It knows nothing of objects. Its vectors have the size and length of DINOv3's and
/// mean nothing beside them.
#[derive(Debug, Clone, Copy, Default)]
pub struct HistogramEmbedder;

#[async_trait]
impl Embedder for HistogramEmbedder {
    fn model(&self) -> &'static str {
        "rehearsal-histogram-1"
    }

    async fn embed(
        &self,
        prompt: Bytes,
        white: &IndexMap<String, Bytes>,
    ) -> Result<Embeddings, EmbedError> {
        let white = white.clone();
        let embedded = tokio::task::spawn_blocking(move || {
            let views = white
                .iter()
                .map(|(name, bytes)| Ok((name.clone(), embed_picture(name, bytes)?)));
            Ok(Embeddings {
                prompt: embed_picture("prompt", &prompt)?,
                views: views.collect::<Result<_, _>>()?,
            })
        });
        embedded.await.unwrap_or_else(|error| {
            Err(EmbedError::Model {
                message: error.to_string(),
            })
        })
    }
}

fn embed_picture(name: &str, bytes: &[u8]) -> Result<Vec<f32>, EmbedError> {
    let picture = png::decode_rgb(bytes).map_err(|source| EmbedError::Picture {
        name: name.to_owned(),
        source,
    })?;
    Ok(vector(&imageops::thumbnail(&picture, SIDE, SIDE)))
}

/// The embedding of a picture of [`SIDE`] × [`SIDE`] pixels. The colour of its border counts as background.
fn vector(picture: &RgbImage) -> Vec<f32> {
    let background = border_colour(picture);
    let mut layout = vec![0.0; LAYOUT];
    let mut colours = vec![0.0; COLOURS];
    let mut edges = vec![0.0; EDGES];
    for (x, y, pixel) in picture.enumerate_pixels() {
        let difference: [f32; 3] =
            std::array::from_fn(|channel| f32::from(pixel[channel]) - background[channel]);
        let weight = (length(&difference) / 64.0).min(1.0);

        let cell = (y * LAYOUT_CELLS / SIDE * LAYOUT_CELLS + x * LAYOUT_CELLS / SIDE) as usize;
        for (channel, part) in difference.iter().enumerate() {
            add(&mut layout, cell * 3 + channel, *part);
        }

        let step = |channel: usize| usize::from(pixel[channel]) * COLOUR_STEPS / 256;
        add(
            &mut colours,
            (step(0) * COLOUR_STEPS + step(1)) * COLOUR_STEPS + step(2),
            weight,
        );

        let (across, down) = (slope(picture, x, y, 1, 0), slope(picture, x, y, 0, 1));
        let turn = down.atan2(across).rem_euclid(std::f32::consts::PI) / std::f32::consts::PI;
        let direction = ((turn * DIRECTIONS as f32) as usize).min(DIRECTIONS - 1);
        let cell = (y * EDGE_CELLS / SIDE * EDGE_CELLS + x * EDGE_CELLS / SIDE) as usize;
        add(
            &mut edges,
            cell * DIRECTIONS + direction,
            across.hypot(down),
        );
    }
    let mut whole = Vec::with_capacity(DIMENSIONS);
    for mut part in [layout, colours, edges] {
        normalise(&mut part);
        whole.append(&mut part);
    }
    normalise(&mut whole);
    whole
}

fn border_colour(picture: &RgbImage) -> [f32; 3] {
    let mut sum = [0.0_f32; 3];
    let mut count = 0.0;
    let last = SIDE - 1;
    for (_, _, pixel) in picture
        .enumerate_pixels()
        .filter(|(x, y, _)| [0, last].contains(x) || [0, last].contains(y))
    {
        count += 1.0;
        for (channel, total) in sum.iter_mut().enumerate() {
            *total += f32::from(pixel[channel]);
        }
    }
    sum.map(|total| total / count)
}

/// How brightness changes at a pixel, towards `(right, down)`.
fn slope(picture: &RgbImage, x: u32, y: u32, right: u32, down: u32) -> f32 {
    let brightness = |x: u32, y: u32| {
        let pixel = picture.get_pixel(x.min(SIDE - 1), y.min(SIDE - 1));
        0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
    };
    brightness(x + right, y + down) - brightness(x.saturating_sub(right), y.saturating_sub(down))
}

fn add(histogram: &mut [f32], bin: usize, amount: f32) {
    if let Some(value) = histogram.get_mut(bin) {
        *value += amount;
    }
}

/// Divides by the length; a vector of length 0 stays.
fn normalise(vector: &mut [f32]) {
    let length = length(vector);
    if length > 0.0 {
        for value in vector {
            *value /= length;
        }
    }
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::Rgb;

    use super::*;
    use crate::clients::testing;

    /// A box of `colour` on white.
    fn drawn(left: u32, top: u32, width: u32, height: u32, colour: [u8; 3]) -> Bytes {
        let picture = RgbImage::from_fn(128, 128, |x, y| {
            let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
            Rgb(if inside { colour } else { [255, 255, 255] })
        });
        testing::encode(&picture).into()
    }

    async fn embed(prompt: Bytes, views: Vec<(&str, Bytes)>) -> Result<Embeddings, EmbedError> {
        let views = views
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .collect();
        HistogramEmbedder.embed(prompt, &views).await
    }

    #[tokio::test]
    async fn the_view_drawn_like_the_prompt_is_the_best_one() {
        let embeddings = embed(
            drawn(20, 50, 88, 24, [200, 30, 30]),
            vec![
                ("front_left", drawn(50, 20, 24, 88, [200, 30, 30])),
                ("right", drawn(22, 48, 86, 26, [190, 40, 35])),
                ("back", drawn(20, 50, 88, 24, [30, 30, 200])),
            ],
        )
        .await
        .unwrap();
        assert_eq!(embeddings.best_view().unwrap().0, "right");
    }

    #[tokio::test]
    async fn vectors_have_the_size_and_length_of_the_real_ones_and_do_not_change() {
        let picture = drawn(30, 30, 50, 60, [10, 120, 40]);
        let embeddings = embed(picture.clone(), vec![("right", picture)])
            .await
            .unwrap();
        assert_eq!(embeddings.prompt.len(), DIMENSIONS);
        assert!((length(&embeddings.prompt) - 1.0).abs() < 1e-5);
        assert_eq!(embeddings.views["right"], embeddings.prompt);
    }

    #[tokio::test]
    async fn an_empty_picture_has_no_direction_and_no_nan() {
        let blank: Bytes = testing::png(16, 16, [255, 255, 255]).into();
        let embeddings = embed(blank.clone(), vec![("right", blank)]).await.unwrap();
        assert!(embeddings.prompt.iter().all(|value| *value == 0.0));
        assert_eq!(embeddings.best_view(), Some(("right", 0.0)));
    }

    #[tokio::test]
    async fn a_damaged_picture_is_named() {
        let good: Bytes = testing::png(4, 4, [0, 0, 0]).into();
        let error = embed(good, vec![("left", Bytes::from_static(b"no"))])
            .await
            .unwrap_err();
        assert!(matches!(error, EmbedError::Picture { name, .. } if name == "left"));
    }
}
