//! Reports for people.

use std::fmt::Write as _;
use std::path::Path;

use crate::measure::{
    Corner, Extent, HALF_EXTENT, MAX_DEPTH, MAX_DRAW_CALLS, MAX_INSTANCES, MAX_TEXTURE_BYTES,
    MAX_VERTICES, Metrics,
};
use crate::validate::Report;

/// The report of one file whose module had `time_limit_ms`.
pub fn in_full(report: &Report, path: &Path, time_limit_ms: u64, colours: bool) -> String {
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
        timing_block(&mut text, report, time_limit_ms, paint);
    }
    for failure in &report.failures {
        let _ = writeln!(
            text,
            "{}/{}: {}",
            failure.stage,
            paint.red(failure.rule.as_str()),
            plain(&failure.detail)
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

fn timing_block(text: &mut String, report: &Report, limit: u64, paint: Paint) {
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
                sum if sum > limit => paint.red("✗"),
                // Too close to the limit for comfort.
                sum if sum > limit / 5 * 4 => paint.yellow("!"),
                _ => paint.green("✓"),
            };
            let headroom = limit.saturating_sub(sum);
            let _ = writeln!(
                text,
                "  together       {sum} ms / {limit} ms, {headroom} ms left {mark}"
            );
        }
        None => {
            let _ = writeln!(text, "  together       - / {limit} ms ?");
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
            let _ = write!(text, "\n{:9}{}", "", plain(&failure.to_string()));
        }
        text
    }

    /// The last line.
    pub fn total(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }
}

/// Text on one line without control characters: what a module throws may hold anything.
fn plain(text: &str) -> String {
    let visible = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    text.chars().map(visible).collect()
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::failure::{Failure, Rule, Stage};

    fn report(passed: bool) -> Report {
        let corner = |value: f64| Corner {
            x: Some(value),
            y: Some(value / 3.0),
            z: Some(value),
        };
        let metrics = Metrics {
            vertices: 250_001,
            draw_calls: 200,
            max_depth: 1,
            depth: 1,
            instances: 0,
            texture_bytes: 0,
            bbox: Some(Extent {
                min: corner(-0.5),
                max: corner(0.5),
            }),
            drawn_primitives: 12,
            drawn_surface: Some(1.5),
        };
        let failure = Failure::new(
            Stage::PostValidation,
            Rule::VertexLimitExceeded,
            "vertices 250001 > 250000",
        );
        Report {
            file: "/tmp/a.js".to_owned(),
            passed,
            stages_run: Stage::VALIDATION.to_vec(),
            failures: if passed { Vec::new() } else { vec![failure] },
            metrics: Some(metrics),
            module_load_ms: Some(4),
            execution_ms: Some(4_200),
            total_ms: 4_300,
        }
    }

    #[test]
    fn a_report_shows_stages_figures_times_and_failures_in_this_order() {
        let text = in_full(&report(false), Path::new("a.js"), 5_000, false);
        let expected = "\
a.js  FAILED
stages: parse > static_analysis > module_load > execution > post_validation
metrics:
  vertices          250001 / 250000    ✗
  draw calls           200 / 200       ✓
  depth                  1 / 32        ✓
  instances              0 / 50000     ✓
  texture bytes          0 / 4194304   ✓
  bounding box   (-0.500, -0.167, -0.500) .. (0.500, 0.167, 0.500) ✓
timing:
  module load    4 ms
  generate       4200 ms
  together       4204 ms / 5000 ms, 796 ms left !
  wall clock     4300 ms
post_validation/VERTEX_LIMIT_EXCEEDED: vertices 250001 > 250000";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_module_that_never_ran_has_no_times_and_one_that_was_killed_has_dashes() {
        let rejected = Report {
            metrics: None,
            module_load_ms: None,
            execution_ms: None,
            total_ms: 0,
            ..report(false)
        };
        assert!(!in_full(&rejected, Path::new("a.js"), 5_000, false).contains("timing"));
        let killed = Report {
            total_ms: 5_010,
            ..rejected
        };
        let text = in_full(&killed, Path::new("a.js"), 5_000, false);
        assert!(
            text.contains("module load    -\n  generate       -\n  together       - / 5000 ms ?")
        );
    }

    #[test]
    fn colours_are_for_terminals_only_and_modules_cannot_send_their_own() {
        let mut thrown = report(false);
        thrown.failures[0].detail = "red\u{1b}[31m\nsecond line".to_owned();
        let text = in_full(&thrown, Path::new("a.js"), 5_000, false);
        assert!(!text.contains('\u{1b}'));
        assert!(text.ends_with("red [31m second line"));
        assert!(in_full(&thrown, Path::new("a.js"), 5_000, true).contains("\u{1b}[31mFAILED"));
    }

    #[test]
    fn several_files_are_rows_under_one_header_with_a_total() {
        let mut table = Table::new(false);
        let first = table.row(&report(true), Path::new("a.js"));
        let second = table.row(&report(false), Path::new("b.js"));
        assert!(
            first.starts_with("verdict ") && first.ends_with(" a.js"),
            "{first}"
        );
        assert!(second.starts_with("FAILED "), "{second}");
        assert!(second.ends_with(
            "b.js\n         post_validation/VERTEX_LIMIT_EXCEEDED: vertices 250001 > 250000"
        ));
        assert_eq!(table.total(), "1 passed, 1 failed");
    }
}
