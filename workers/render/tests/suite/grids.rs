//! `/render/grid`: cells, gaps and sizes (11.3, 11.7).

use render::{RendererConfig, ServiceConfig};

use crate::modules::cube;
use crate::service::Running;

const BLACK: image::Rgba<u8> = image::Rgba([0, 0, 0, 255]);
const RED: image::Rgba<u8> = image::Rgba([255, 0, 0, 255]);

#[tokio::test]
async fn cells_stand_row_by_row_and_gaps_and_unused_cells_are_black() {
    let service = Running::start(RendererConfig::default(), ServiceConfig::default()).await;
    let source = cube("mesh.scale.setScalar(0.01);");
    // Views; gap; then the grid's width and height in cells and gaps, and an unused cell.
    for (thetas, gap, (columns, rows), unused) in [
        ("0", 5, (1, 1), None),
        ("0,90", 5, (2, 1), None),
        ("0,90,180", 5, (2, 2), Some((1, 1))),
        ("0,90,180,270", 0, (2, 2), None),
        ("0,72,144,216,288", 3, (3, 2), Some((2, 1))),
    ] {
        let path =
            format!("/render/grid?thetas={thetas}&phis=0&img_size=32&gap={gap}&bg_color=ff0000");
        let answer = service.post(&path, &source).await;
        assert_eq!(answer.headers()["content-type"], "image/png", "{path}");
        let png = answer.bytes().await.unwrap();
        let grid = image::load_from_memory(&png).unwrap().to_rgba8();
        let edge = |cells: u32| cells * 32 + (cells - 1) * gap;
        assert_eq!(grid.dimensions(), (edge(columns), edge(rows)), "{path}");
        let corner = |column: u32, row: u32| *grid.get_pixel(column * (32 + gap), row * (32 + gap));
        for row in 0..rows {
            for column in 0..columns {
                let expected = if Some((column, row)) == unused {
                    BLACK
                } else {
                    RED
                };
                assert_eq!(corner(column, row), expected, "{path}: {column}, {row}");
            }
        }
        if columns > 1 && gap > 0 {
            assert_eq!(*grid.get_pixel(32, 0), BLACK, "{path}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_said_is_the_grid_of_the_rounds() {
    let service = Running::start(RendererConfig::default(), ServiceConfig::default()).await;
    let source = cube("");
    let asked = async |query: &str| {
        let answer = service.post(&format!("/render/grid{query}"), &source).await;
        assert_eq!(answer.status(), 200, "{query}");
        answer.bytes().await.unwrap()
    };
    let plain = asked("").await;
    for same in [
        "?thetas=24,120,216,312&phis=-15&img_size=518&cam_radius=2.0&cam_fov_deg=49.1&gap=5&bg_color=808080&lighting=studio",
        "?phis=-15,-15,-15,-15&lighting=anything%20but%20the%20other",
        "?img_size=0&cam_radius=0&cam_fov_deg=0&bg_color=%23808080",
    ] {
        assert_eq!(asked(same).await, plain, "{same}");
    }
    for other in [
        "?lighting=follow",
        "?gap=0",
        "?phis=15",
        "?bg_color=ffffff",
        "?cam_radius=3",
    ] {
        assert_ne!(asked(other).await, plain, "{other}");
    }
    service.stop().await;
}
