//! A line of results.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

/// One line of results.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which measure.
    pub bench: &'static str,
    /// Recorded ends a second.
    pub per_s: f64,
    /// Median time of one: from claim to recorded end; for `pickup` from enqueueing to the handler's start.
    pub p50_ms: f64,
    /// Of the slowest 5 %, the fastest.
    pub p95_ms: f64,
    /// Of the slowest 1 %, the fastest.
    pub p99_ms: f64,
    /// How many.
    pub n: usize,
    /// What only this measure has.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

pub(super) fn percentiles_of(mut durations: Vec<Duration>) -> Vec<f64> {
    durations.sort_unstable();
    let at = |part: f64| {
        durations
            .get(((durations.len() as f64 * part) as usize).min(durations.len().saturating_sub(1)))
    };
    [0.5, 0.95, 0.99]
        .into_iter()
        .map(|part| at(part).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0))
        .collect()
}

pub(super) fn report(bench: &'static str, n: usize, took: Duration, percentiles: &[f64]) -> Report {
    let percentile = |place: usize| round_to(percentiles.get(place).copied().unwrap_or(0.0), 3);
    Report {
        bench,
        per_s: round_to(n as f64 / took.as_secs_f64(), 1),
        p50_ms: percentile(0),
        p95_ms: percentile(1),
        p99_ms: percentile(2),
        n,
        more: Map::new(),
    }
}

pub(super) fn round_to(value: f64, decimals: i32) -> f64 {
    let factor = 10f64.powi(decimals);
    (value * factor).round() / factor
}
