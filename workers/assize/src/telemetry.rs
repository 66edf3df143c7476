//! Logs: sentences with fields, to standard error, as text or (`LOG_FORMAT=json`) one object a line.

use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts logging. `LOG_LEVEL` is a level or a filter such as `info,workflow=debug`; `default` is used when it is not set.
pub fn start(default: &str) {
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| default.to_owned());
    let filter =
        EnvFilter::try_new(level.to_lowercase()).unwrap_or_else(|_| EnvFilter::new(default));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if std::env::var("LOG_FORMAT").is_ok_and(|format| format == "json") {
        registry.with(lines.json().flatten_event(true)).try_init()
    } else {
        registry.with(lines.with_target(false)).try_init()
    };
    // Tests start it more than once.
    drop(started);
}
