//! Prometheus figures of the service.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::once::Source;
use crate::failure::Failure;
use crate::renderer::{RenderTimings, Renderer};

/// Seconds a request or a step takes, from a rejected module to a full queue.
const SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// The service's own registry.
pub struct ServiceMetrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    step_seconds: HistogramVec,
    rejections: IntCounterVec,
    shared: IntCounterVec,
    in_flight: IntGauge,
    browser_starts: IntGaugeVec,
}

impl Default for ServiceMetrics {
    fn default() -> Self {
        let registry = Registry::new();
        let metrics = Self {
            requests: made(IntCounterVec::new(
                Opts::new("render_requests_total", "Requests answered."),
                &["route", "status"],
            )),
            request_seconds: made(HistogramVec::new(
                HistogramOpts::new("render_request_seconds", "From request to answer.")
                    .buckets(SECONDS.to_vec()),
                &["route"],
            )),
            step_seconds: made(HistogramVec::new(
                HistogramOpts::new("render_step_seconds", "The steps of one module.")
                    .buckets(SECONDS.to_vec()),
                &["step"],
            )),
            rejections: made(IntCounterVec::new(
                Opts::new(
                    "render_rejections_total",
                    "Modules rejected, by the first rule they broke.",
                ),
                &["stage", "rule"],
            )),
            shared: made(IntCounterVec::new(
                Opts::new(
                    "render_shared_total",
                    "Work that requests needed: made for them, joined while it ran, or kept from before.",
                ),
                &["work", "how"],
            )),
            in_flight: made(IntGauge::new(
                "render_modules_in_flight",
                "Modules waiting or being worked on.",
            )),
            browser_starts: made(IntGaugeVec::new(
                Opts::new(
                    "render_browser_starts",
                    "Browsers started since the process began.",
                ),
                &["browser"],
            )),
            registry,
        };
        let collectors: [Box<dyn prometheus::core::Collector>; 7] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.request_seconds.clone()),
            Box::new(metrics.step_seconds.clone()),
            Box::new(metrics.rejections.clone()),
            Box::new(metrics.shared.clone()),
            Box::new(metrics.in_flight.clone()),
            Box::new(metrics.browser_starts.clone()),
        ];
        for collector in collectors {
            made(metrics.registry.register(collector));
        }
        metrics
    }
}

/// The names above are valid and different, which is all that can go wrong.
fn made<T>(result: prometheus::Result<T>) -> T {
    result.expect("the names of the service's figures are valid and different")
}

impl ServiceMetrics {
    /// A request was answered.
    pub fn answered(&self, route: &str, status: StatusCode, took: Duration) {
        self.requests
            .with_label_values(&[route, status.as_str()])
            .inc();
        self.request_seconds
            .with_label_values(&[route])
            .observe(took.as_secs_f64());
    }

    /// A module was rendered.
    pub fn rendered(&self, timings: &RenderTimings) {
        for (step, ms) in timings.steps() {
            self.step_seconds
                .with_label_values(&[step])
                .observe(ms / 1000.0);
        }
    }

    /// A module was rejected.
    pub fn rejected(&self, failures: &[Failure]) {
        if let Some(first) = failures.first() {
            self.rejections
                .with_label_values(&[first.stage.as_str(), first.rule.as_str()])
                .inc();
        }
    }

    /// A request needed some work, or had it from somebody else's.
    pub fn shared(&self, work: &str, how: Source) {
        self.shared.with_label_values(&[work, how.as_str()]).inc();
    }

    /// All figures in Prometheus' text format.
    pub fn text(&self, renderer: &Renderer) -> String {
        self.in_flight.set(renderer.in_flight() as i64);
        let starts = renderer.browser_starts();
        self.browser_starts
            .with_label_values(&["execute"])
            .set(starts.execute as i64);
        self.browser_starts
            .with_label_values(&["draw"])
            .set(starts.draw as i64);
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}
