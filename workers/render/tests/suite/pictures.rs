//! Our pictures against those of a plain three.js page that draws the same module.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use base64::Engine as _;
use render::browser::{Browser, Launch, PageHandle};
use render::views::{GRAY, WHITE, grid_request};
use render::{Angle, PictureRequest, Renderer, RendererConfig};
use serde_json::{Value, json};

use crate::modules::{self, Module, PATIENCE};

/// Most a channel may differ, in steps of 255: a rounding. Geometry, order and raster are the same. The views on white and
/// gray share one drawing, whose background is put behind it afterwards, and the black environment map is left out.
const LARGEST_STEP: u8 = 1;
/// Most pixels that may differ at all, as a part of the picture.
const DIFFERING_PART: f64 = 0.1;

struct Oracle {
    browser: Browser,
    page: PageHandle,
}

impl Oracle {
    async fn start() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let script = |path: PathBuf| {
            let text = std::fs::read_to_string(path).unwrap();
            get(move || async move { ([(header::CONTENT_TYPE, "text/javascript")], text) })
        };
        let page = std::fs::read_to_string(root.join("tests/oracle/oracle.html")).unwrap();
        let three = root.join("../../node_modules/three/build");
        let routes = Router::new()
            .route(
                "/",
                get(move || async move { ([(header::CONTENT_TYPE, "text/html")], page) }),
            )
            .route("/oracle.js", script(root.join("tests/oracle/oracle.js")))
            .route("/three.module.js", script(three.join("three.module.js")))
            .route("/three.core.js", script(three.join("three.core.js")));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let browser = Browser::launch(&Launch {
            chromium: None,
            unprivileged_uid_gid: None,
            allow_no_sandbox: false,
            data_limit: None,
            flags: [
                "--use-gl=angle",
                "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader",
            ]
            .map(String::from)
            .into(),
        })
        .await
        .unwrap();
        let (page, mut events) = browser.open().await.unwrap();
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        page.session
            .call("Page.navigate", json!({ "url": address }))
            .await
            .unwrap();
        let loaded = "new Promise((resolve) => { const look = () => globalThis.oracle ? resolve(1) : setTimeout(look, 5); look(); })";
        page.session.evaluate(loaded).await.unwrap();
        Self { browser, page }
    }

    /// The pictures of a module as decoded pixels.
    async fn draw(&self, source: &str, request: &PictureRequest) -> Vec<image::RgbaImage> {
        let call = format!(
            "oracle({}, {})",
            Value::from(source),
            serde_json::to_string(request).unwrap()
        );
        let images = tokio::time::timeout(PATIENCE, self.page.session.evaluate(&call))
            .await
            .unwrap();
        let images =
            images.unwrap_or_else(|error| panic!("{error}: {}", self.browser.last_words()));
        let decode = |image: &Value| {
            let png = base64::engine::general_purpose::STANDARD
                .decode(image.as_str().unwrap())
                .unwrap();
            image::load_from_memory(&png).unwrap().to_rgba8()
        };
        images.as_array().unwrap().iter().map(decode).collect()
    }
}

/// How far two pictures are apart.
#[derive(Debug, Default)]
struct Difference {
    /// Mean over all channels.
    mean: f64,
    /// Largest of any channel.
    largest: u8,
    /// Part of the pixels that differ.
    part: f64,
}

fn compare(ours: &image::RgbaImage, oracle: &image::RgbaImage) -> Difference {
    assert_eq!(ours.dimensions(), oracle.dimensions());
    let mut largest = 0;
    let mut sum = 0_u64;
    let mut differing = 0_u32;
    for (pixel, other) in ours.pixels().zip(oracle.pixels()) {
        let steps = pixel.0.iter().zip(other.0).map(|(a, b)| a.abs_diff(b));
        let apart = steps.clone().max().unwrap_or_default();
        largest = largest.max(apart);
        sum += steps.map(u64::from).sum::<u64>();
        differing += u32::from(apart > 0);
    }
    Difference {
        mean: sum as f64 / (ours.len() as f64),
        largest,
        part: f64::from(differing) / f64::from(ours.width() * ours.height()),
    }
}

async fn ours(
    renderer: &Renderer,
    module: &Module,
    request: &PictureRequest,
) -> Vec<image::RgbaImage> {
    let pngs = tokio::time::timeout(PATIENCE, renderer.picture(&module.source, request.clone()))
        .await
        .unwrap();
    let pngs = pngs.unwrap_or_else(|error| panic!("{}: {error}", module.name));
    pngs.iter()
        .map(|png| image::load_from_memory(png).unwrap().to_rgba8())
        .collect()
}

/// Edge of the compared pictures in pixels.
const SIZE: u32 = 384;

/// Judged views from two sides on white and one on gray, and a studio view of the grid.
fn requests() -> Vec<PictureRequest> {
    let follow =
        |background, angles: &[Angle]| PictureRequest::of(angles.to_vec(), SIZE, background);
    let mut studio = grid_request();
    studio.angles.truncate(1);
    studio.size = SIZE;
    vec![
        follow(WHITE, &[Angle::new(30.0, 0.0), Angle::new(0.0, -90.0)]),
        follow(GRAY, &[Angle::new(0.0, 15.0)]),
        studio,
    ]
}

async fn match_the_oracle(folder: &str, names: &[&str]) {
    let renderer = Renderer::launch(RendererConfig::default()).await.unwrap();
    let oracle = Oracle::start().await;
    let mut worst = Difference::default();
    let mut wrong = Vec::new();
    for name in names {
        let module = modules::one(folder, name);
        for request in requests() {
            let plain = oracle.draw(&module.source, &request).await;
            let ours = ours(&renderer, &module, &request).await;
            assert_eq!(ours.len(), plain.len());
            for (index, (ours, plain)) in ours.iter().zip(&plain).enumerate() {
                let found = compare(ours, plain);
                worst.mean = worst.mean.max(found.mean);
                worst.largest = worst.largest.max(found.largest);
                worst.part = worst.part.max(found.part);
                if found.largest > LARGEST_STEP || found.part > DIFFERING_PART {
                    let name = format!(
                        "{name}-{:?}-{:06x}-{index}",
                        request.lighting, request.background
                    );
                    let folder = std::env::temp_dir().join("assize-pictures");
                    std::fs::create_dir_all(&folder).unwrap();
                    ours.save(folder.join(format!("{name}-ours.png"))).unwrap();
                    plain
                        .save(folder.join(format!("{name}-plain.png")))
                        .unwrap();
                    wrong.push(format!("{name}: {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{folder}: {worst:?}");
    oracle.browser.close().await;
    renderer.close().await;
}

/// Modules of `budget` that together hold every kind of object and material real modules use.
const REAL: [&str; 8] = [
    "balloon",
    "car",
    "clock",
    "leafy_tree",
    "line_segments",
    "material_variants",
    "points_cloud",
    "suv",
];

/// Modules of `pictures` about shapes: what is drawn, where and in which order.
const SHAPES: [&str; 9] = [
    "buffers",
    "instances",
    "lines_and_points",
    "materials_by_group",
    "morphs",
    "order_and_visibility",
    "ties",
    "transforms",
    "wireframes",
];

/// Modules of `pictures` about materials.
const MATERIALS: [&str; 2] = ["environment", "physical"];

/// Modules of `pictures` about textures and the smaller properties.
const TEXTURES: [&str; 2] = ["small_print", "textures"];

/// Modules of `pictures` about what shines through.
const MIXTURES: [&str; 4] = [
    "blending",
    "custom_blending",
    "transmission",
    "transparency",
];

#[test]
fn every_picture_module_is_compared() {
    let mut compared = [SHAPES.as_slice(), &MATERIALS, &TEXTURES, &MIXTURES].concat();
    compared.sort_unstable();
    let all = modules::all("pictures");
    let names: Vec<&str> = all.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names, compared);
}

#[tokio::test]
async fn real_modules_look_as_a_plain_page_draws_them() {
    match_the_oracle("budget", &REAL).await;
}

#[tokio::test]
async fn shapes_places_and_orders_are_carried_over() {
    match_the_oracle("pictures", &SHAPES).await;
}

#[tokio::test]
async fn materials_are_carried_over() {
    match_the_oracle("pictures", &MATERIALS).await;
}

#[tokio::test]
async fn textures_and_small_properties_are_carried_over() {
    match_the_oracle("pictures", &TEXTURES).await;
}

#[tokio::test]
async fn transparency_and_blending_are_carried_over() {
    match_the_oracle("pictures", &MIXTURES).await;
}

#[tokio::test]
async fn all_views_and_the_grid_are_the_single_pictures() {
    let renderer = Arc::new(Renderer::launch(RendererConfig::default()).await.unwrap());
    let module = modules::one("budget", "car");
    let rendering = tokio::time::timeout(PATIENCE, renderer.views(&module.source, 256))
        .await
        .unwrap()
        .unwrap();
    let names = |views: &[(&'static str, bytes::Bytes)]| {
        views.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&rendering.white),
        [
            "front_left",
            "front_right",
            "front_below",
            "front_above",
            "right",
            "back",
            "left",
            "top_down"
        ]
    );
    assert_eq!(
        names(&rendering.gray),
        ["front_left", "front_right", "front_below", "front_above"]
    );
    let grid = image::load_from_memory(&rendering.grid).unwrap().to_rgba8();
    assert_eq!(grid.dimensions(), (1041, 1041));
    assert_eq!(grid.get_pixel(0, 0).0, [0x80, 0x80, 0x80, 255]);
    assert_eq!(grid.get_pixel(520, 3).0, [0, 0, 0, 255]);

    let request = render::views::view_request(&render::views::GRAY_VIEWS, 256, GRAY);
    let single = renderer.picture(&module.source, request).await.unwrap();
    for ((name, view), single) in rendering.gray.iter().zip(&single) {
        assert_eq!(view, single, "{name}");
        assert_eq!(
            image::load_from_memory(view)
                .unwrap()
                .to_rgba8()
                .get_pixel(0, 0)
                .0,
            [0x80, 0x80, 0x80, 255]
        );
    }
    let white = image::load_from_memory(&rendering.white[0].1)
        .unwrap()
        .to_rgba8();
    assert_eq!(white.get_pixel(0, 0).0, [255; 4]);

    // The same module twice, with another one between: the same bytes.
    let other = modules::one("budget", "leafy_tree");
    renderer.views(&other.source, 64).await.unwrap();
    let again = renderer.views(&module.source, 256).await.unwrap();
    assert_eq!(again.document_sha256, rendering.document_sha256);
    assert_eq!(again.white, rendering.white);
    assert_eq!(again.grid, rendering.grid);
    renderer.shut_down().await;
}
