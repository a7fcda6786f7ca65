//! Logs to standard error, metrics for `/metrics`.

mod gauges;

use std::io::IsTerminal;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

pub(crate) use gauges::Gauges;

/// Starts logging; call once.
pub(crate) fn logs(filter: &str, json: bool) -> Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("{filter:?} is not a log filter; use error, warn, info or debug")
    })?;
    let ansi = std::io::stderr().is_terminal();
    let text = (!json).then(|| fmt::layer().with_writer(std::io::stderr).with_ansi(ansi));
    let lines = json.then(|| fmt::layer().json().with_writer(std::io::stderr));
    tracing_subscriber::registry()
        .with(filter)
        .with(text)
        .with(lines)
        .try_init()
        .ok();
    Ok(())
}

/// Installs the metrics recorder; the handle renders them.
pub(crate) fn metrics() -> Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &[0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0],
        )
        .and_then(PrometheusBuilder::install_recorder)
        .context("metrics cannot be started")
}
