//! Reports for people.

use std::fmt::Write as _;
use std::path::Path;

use crate::measure::{
    Corner, Extent, HALF_EXTENT, MAX_DEPTH, MAX_DRAW_CALLS, MAX_INSTANCES, MAX_TEXTURE_BYTES,
    MAX_VERTICES, Metrics,
};
use crate::validate::Report;

/// Milliseconds a module has in a live round.
const TIME_LIMIT_MS: u64 = 5_000;
/// Milliseconds from which a module is too close to the limit for comfort.
const TIME_WARNING_MS: u64 = 4_000;

/// The report of one file.
pub fn in_full(report: &Report, path: &Path, colours: bool) -> String {
    let paint = Paint(colours);
    let mut text = String::new();
    let verdict = if report.passed {
        paint.green("PASSED")
    } else {
        paint.red("FAILED")
    };
    let stages: Vec<&str> = report
        .stages_run
        .iter()
        .map(|stage| stage.as_str())
        .collect();
    let _ = writeln!(text, "{}  {verdict}", path.display());
    let _ = writeln!(text, "stages: {}", stages.join(" > "));
    if let Some(metrics) = &report.metrics {
        metrics_block(&mut text, metrics, paint);
    }
    if report.total_ms > 0 || report.module_load_ms.is_some() {
        timing_block(&mut text, report, paint);
    }
    for failure in &report.failures {
        let _ = writeln!(
            text,
            "{}/{}: {}",
            failure.stage,
            paint.red(failure.rule.as_str()),
            failure.detail
        );
    }
    text.truncate(text.trim_end().len());
    text
}

fn metrics_block(text: &mut String, metrics: &Metrics, paint: Paint) {
    let _ = writeln!(text, "metrics:");
    let mut row = |name: &str, value: u64, limit: u64| {
        let mark = if value > limit {
            paint.red("✗")
        } else {
            paint.green("✓")
        };
        let _ = writeln!(text, "  {name:<14} {value:>9} / {limit:<9} {mark}");
    };
    row("vertices", metrics.vertices, MAX_VERTICES);
    row("draw calls", metrics.draw_calls, MAX_DRAW_CALLS);
    row("depth", u64::from(metrics.max_depth), u64::from(MAX_DEPTH));
    row("instances", metrics.instances, MAX_INSTANCES);
    row("texture bytes", metrics.texture_bytes, MAX_TEXTURE_BYTES);
    if let Some(extent) = &metrics.bbox {
        let mark = if fits(extent) {
            paint.green("✓")
        } else {
            paint.red("✗")
        };
        let _ = writeln!(
            text,
            "  {:<14} {} .. {} {mark}",
            "bounding box",
            corner(&extent.min),
            corner(&extent.max)
        );
    }
}

fn corner(corner: &Corner) -> String {
    let axis =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    format!(
        "({}, {}, {})",
        axis(corner.x),
        axis(corner.y),
        axis(corner.z)
    )
}

fn fits(extent: &Extent) -> bool {
    let axes = |corner: &Corner| [corner.x, corner.y, corner.z];
    axes(&extent.min)
        .iter()
        .all(|value| value.is_some_and(|value| value >= -HALF_EXTENT))
        && axes(&extent.max)
            .iter()
            .all(|value| value.is_some_and(|value| value <= HALF_EXTENT))
}

fn timing_block(text: &mut String, report: &Report, paint: Paint) {
    let phase = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let _ = writeln!(text, "timing:");
    let _ = writeln!(text, "  module load    {}", phase(report.module_load_ms));
    let _ = writeln!(text, "  generate       {}", phase(report.execution_ms));
    let sum = report
        .module_load_ms
        .zip(report.execution_ms)
        .map(|(load, run)| load + run);
    match sum {
        Some(sum) => {
            let mark = match sum {
                sum if sum > TIME_LIMIT_MS => paint.red("✗"),
                sum if sum > TIME_WARNING_MS => paint.yellow("!"),
                _ => paint.green("✓"),
            };
            let headroom = TIME_LIMIT_MS.saturating_sub(sum);
            let _ = writeln!(
                text,
                "  together       {sum} ms / {TIME_LIMIT_MS} ms, {headroom} ms left {mark}"
            );
        }
        None => {
            let _ = writeln!(text, "  together       - / {TIME_LIMIT_MS} ms ?");
        }
    }
    let _ = writeln!(text, "  wall clock     {} ms", report.total_ms);
}

/// The reports of several files, a row each.
pub struct Table {
    paint: Paint,
    header_written: bool,
    passed: usize,
    failed: usize,
}

impl Table {
    /// An empty table.
    pub fn new(colours: bool) -> Self {
        Self {
            paint: Paint(colours),
            header_written: false,
            passed: 0,
            failed: 0,
        }
    }

    /// A row, under the header if it is the first.
    pub fn row(&mut self, report: &Report, path: &Path) -> String {
        let mut text = String::new();
        if !self.header_written {
            self.header_written = true;
            let _ = writeln!(
                text,
                "{:<8} {:>9} {:>6} {:>6} {:>10} {:>9} {:>8}  file",
                "verdict", "vertices", "draws", "depth", "instances", "textures", "ms"
            );
        }
        let verdict = if report.passed {
            self.passed += 1;
            self.paint.green(&format!("{:<8}", "passed"))
        } else {
            self.failed += 1;
            self.paint.red(&format!("{:<8}", "FAILED"))
        };
        let figure =
            |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let metrics = report.metrics.as_ref();
        let _ = write!(
            text,
            "{verdict} {:>9} {:>6} {:>6} {:>10} {:>9} {:>8}  {}",
            figure(metrics.map(|metrics| metrics.vertices)),
            figure(metrics.map(|metrics| metrics.draw_calls)),
            figure(metrics.map(|metrics| u64::from(metrics.max_depth))),
            figure(metrics.map(|metrics| metrics.instances)),
            figure(metrics.map(|metrics| metrics.texture_bytes)),
            report.total_ms,
            path.display(),
        );
        for failure in &report.failures {
            let _ = write!(text, "\n{:9}{failure}", "");
        }
        text
    }

    /// The last line.
    pub fn total(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }
}

/// Colours, where a terminal shows them.
#[derive(Debug, Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
    fn green(self, text: &str) -> String {
        self.with("32", text)
    }
    fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }
    fn red(self, text: &str) -> String {
        self.with("31", text)
    }
}
