//! `/metrics`: what a monitoring system reads, in Prometheus' text form. Everything is asked of the database at each scrape, so
//! that any process of any replica answers the same.

use axum::http::header;
use prometheus::{Encoder as _, Gauge, GaugeVec, Opts, Registry, TextEncoder};

use super::{DashboardError, IntoResponse, Response, State};
use crate::dashboard::queries::repository::{self, LAG_WINDOW_SECONDS, Waiting};
use workflow::db::mirror::{self, Lag};

pub(super) async fn page(state: State) -> Result<Response, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let lag = mirror::lag_within(&mut connection, LAG_WINDOW_SECONDS).await?;
    let waiting = repository::waiting(&mut connection).await?;
    let text = exposition(&lag, waiting).map_err(|error| {
        tracing::error!(error = %error, "the metrics cannot be put together");
        DashboardError::Metrics
    })?;
    let kind = [(
        header::CONTENT_TYPE,
        TextEncoder::new().format_type().to_owned(),
    )];
    Ok((kind, text).into_response())
}

fn exposition(lag: &Lag, waiting: Waiting) -> prometheus::Result<String> {
    let registry = Registry::new();
    let quantiles = GaugeVec::new(
        Opts::new(
            "assize_mirror_lag_seconds",
            "Time from the end of a step to its state files being on the remote, over the files of the last hour",
        ),
        &["quantile"],
    )?;
    for (quantile, seconds) in [
        ("0.5", lag.p50_seconds),
        ("0.95", lag.p95_seconds),
        ("0.99", lag.p99_seconds),
        ("1", lag.max_seconds),
    ] {
        if let Some(seconds) = seconds {
            quantiles.with_label_values(&[quantile]).set(seconds);
        }
    }
    registry.register(Box::new(quantiles))?;
    for (name, help, value) in [
        (
            "assize_mirror_files_last_hour",
            "State files that reached the remote in the last hour",
            lag.files as f64,
        ),
        (
            "assize_mirror_waiting_files",
            "State files that wait to be pushed",
            lag.waiting as f64,
        ),
        (
            "assize_mirror_oldest_waiting_seconds",
            "How long the oldest waiting state file has waited",
            lag.oldest_waiting_seconds,
        ),
        (
            "assize_repository_conflicts",
            "Edits of files that Assize owns, waiting for an operator",
            waiting.conflicts as f64,
        ),
        (
            "assize_repository_refused_edits",
            "Files that people own whose newest edit is not in force as a whole",
            waiting.refused as f64,
        ),
    ] {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        registry.register(Box::new(gauge))?;
    }
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_lag_is_told_by_quantile_and_left_out_when_there_is_none() {
        let lag = Lag {
            files: 3,
            p95_seconds: Some(1.5),
            waiting: 2,
            oldest_waiting_seconds: 0.25,
            ..Lag::default()
        };
        let text = exposition(
            &lag,
            Waiting {
                conflicts: 1,
                refused: 0,
            },
        )
        .unwrap();
        for line in [
            "assize_mirror_lag_seconds{quantile=\"0.95\"} 1.5",
            "assize_mirror_waiting_files 2",
            "assize_mirror_oldest_waiting_seconds 0.25",
            "assize_repository_conflicts 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("quantile=\"0.5\""));
    }
}
