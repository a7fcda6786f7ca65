//! One structured line for every request.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;

/// Logs a request when its answer's head is ready. Probes are logged at debug level.
pub(super) async fn record(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.to_string());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    let ms = elapsed.as_secs_f64() * 1000.0;
    let peer = peer.as_deref().unwrap_or("unknown");
    if matches!(path.as_str(), "/health" | "/ready" | "/metrics") {
        tracing::debug!(target: "access", %method, path, status, ms, peer, "request");
    } else {
        tracing::info!(target: "access", %method, path, status, ms, peer, "request");
    }
    metrics::counter!("http_requests_total", "status" => status.to_string()).increment(1);
    metrics::histogram!("http_request_seconds").record(elapsed.as_secs_f64());
    response
}
