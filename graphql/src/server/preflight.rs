//! Preflights: a browser asks by OPTIONS what a page may do, before the request itself comes to the
//! door.
//!
//! They have a bucket of their own by address, as wide as a key's, since a browser asks before every
//! new path and cannot show a key then.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use super::App;
use super::access::is_own;
use super::address::client;
use super::connections::Connection;
use super::refused::{Refused, code};

/// The layer around the answers to preflights.
pub(super) async fn counted(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method() != Method::OPTIONS {
        return next.run(request).await;
    }
    let connection = request.extensions().get::<Arc<Connection>>();
    let peer = connection.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.peer.ip());
    let (door, headers) = (&app.door, request.headers());
    let proxies = &door.options.trusted_proxies;
    let address = client(peer, headers, proxies, door.options.proxy_header);
    let level = match is_own(door, address, headers) {
        true => None,
        false => door.take_preflight(address),
    };
    let Some(Err(level)) = level else {
        return next.run(request).await;
    };
    metrics::counter!("limit_hits_total", "limit" => "preflight_rate").increment(1);
    let (wait, rate) = (level.wait(), level.rate.per_second);
    let text = format!(
        "this address may ask {rate} times a second what its pages may do (OPTIONS), with bursts of {}; wait {wait} seconds",
        level.limit(),
    );
    let refused = Refused {
        retry: Some(wait),
        more: vec![
            ("limit", json!("preflight rate")),
            ("allowed", json!(level.limit())),
            ("perSecond", json!(rate)),
            ("retryAfterSeconds", json!(wait)),
        ],
        ..Refused::new(429, code::RATE_LIMITED, text)
    };
    refused.response(request.uri().path())
}
