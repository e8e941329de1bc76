//! Where Prometheus reads.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::{ServeError, Stop, http, run};
use crate::config::Config;

/// Records metrics from now on and serves them, when there is an address for them. One process has one recorder: a second
/// server in it adds to the first one's.
pub(super) async fn start(config: &Config, stop: &Stop) -> Result<(), ServeError> {
    if config.metrics.is_empty() {
        return Ok(());
    }
    let listener = run::listen("metrics", &config.metrics).await?;
    let Ok(handle) = PrometheusBuilder::new().install_recorder() else {
        tracing::warn!("another server in this process records metrics: {} shows none", config.metrics);
        return Ok(());
    };
    stop.tasks.spawn(http::serve(listener, router(handle), stop.workers.clone()));
    Ok(())
}

fn router(handle: PrometheusHandle) -> Router {
    let show = async move || {
        handle.run_upkeep();
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render())
    };
    Router::new().route("/metrics", get(show))
}
