//! Probes: whether the process lives, and whether what it serves is fresh.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::{App, ServerOptions};
use crate::ports::Status;
use crate::schema::lag;

/// How long the store may take to tell its state before it counts as stuck.
const STORE_TIME: Duration = Duration::from_secs(5);

/// `/health`: the process answers.
pub(super) async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "live": true }))
}

/// `/metrics`, as the options render it.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    match &app.options.metrics {
        Some(render) => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], render()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `/ready`: asked of the store now, never of a remembered flag.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let asked = app.reads.run("status", |reader| reader.status());
    let readiness = match tokio::time::timeout(STORE_TIME, asked).await {
        Ok(Ok(status)) => judge(&status, &app.options),
        Ok(Err(error)) => {
            tracing::error!(%error, "the store's state could not be read");
            Readiness::not_known("the store's state could not be read; the log has the cause")
        }
        Err(_) => Readiness::not_known("the store did not tell its state in time"),
    };
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let cache = [(header::CACHE_CONTROL, "no-store")];
    (status, cache, Json(readiness)).into_response()
}

/// The body of `/ready`.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Readiness {
    ready: bool,
    /// Why not; null when ready.
    reason: Option<String>,
    /// Highest stored block.
    last: Option<u32>,
    /// The node's finalized height; null when no node is followed.
    node_finalized: Option<u32>,
    /// Age of that height, in milliseconds.
    node_finalized_age_ms: Option<u64>,
    /// Blocks behind it.
    lag: Option<u32>,
    /// Whether a node is followed.
    following: bool,
}

impl Readiness {
    fn not_known(reason: &str) -> Self {
        Self {
            ready: false,
            reason: Some(reason.to_owned()),
            last: None,
            node_finalized: None,
            node_finalized_age_ms: None,
            lag: None,
            following: false,
        }
    }
}

fn judge(status: &Status, options: &ServerOptions) -> Readiness {
    let reason = why_not(status, options);
    Readiness {
        ready: reason.is_none(),
        reason,
        last: status.last,
        node_finalized: status.node_finalized,
        node_finalized_age_ms: status.node_finalized_age_ms,
        lag: lag(status),
        following: status.following,
    }
}

fn why_not(status: &Status, options: &ServerOptions) -> Option<String> {
    if let Some(why) = &status.stopped {
        return Some(format!("following the chain stopped: {why}"));
    }
    let Some(last) = status.last else {
        return Some("nothing is stored yet".to_owned());
    };
    if !status.following {
        return None;
    }
    let (Some(finalized), Some(age)) = (status.node_finalized, status.node_finalized_age_ms) else {
        return Some("the node has not told its finalized height yet".to_owned());
    };
    if u128::from(age) > options.max_node_age.as_millis() {
        return Some(format!(
            "the node told its finalized height {age} ms ago, more than {} ms",
            options.max_node_age.as_millis()
        ));
    }
    let lag = finalized.saturating_sub(last);
    if lag > options.max_lag {
        return Some(format!(
            "the store is {lag} blocks behind the node, more than {}",
            options.max_lag
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_metadata::H256;

    fn followed() -> Status {
        Status {
            genesis_hash: H256::ZERO,
            chain: None,
            first: Some(0),
            last: Some(100),
            spans: vec![(0, 100)],
            last_hash: Some(H256::ZERO),
            last_timestamp_ms: None,
            last_spec: Some(1),
            node_finalized: Some(105),
            node_finalized_age_ms: Some(1_000),
            committed_age_ms: Some(1_000),
            following: true,
            verified: None,
            stopped: None,
            format_version: 1,
            heads: crate::ports::Heads::default(),
        }
    }

    fn reason(change: impl Fn(&mut Status)) -> Option<String> {
        let mut status = followed();
        change(&mut status);
        let judged = judge(&status, &ServerOptions::default());
        assert_eq!(judged.ready, judged.reason.is_none());
        judged.reason
    }

    #[test]
    fn a_store_near_a_fresh_node_is_ready() {
        assert_eq!(reason(|_| {}), None);
        assert_eq!(reason(|status| status.node_finalized = Some(110)), None);
        // The node may be behind what another one told before.
        assert_eq!(reason(|status| status.node_finalized = Some(90)), None);
        assert_eq!(
            reason(|status| status.node_finalized_age_ms = Some(60_000)),
            None
        );
    }

    #[test]
    fn every_other_state_says_why_not() {
        type Change = fn(&mut Status);
        let cases: [(&str, Change); 5] = [
            ("11 blocks behind", |s| s.node_finalized = Some(111)),
            ("60001 ms ago", |s| s.node_finalized_age_ms = Some(60_001)),
            ("has not told", |s| s.node_finalized = None),
            ("nothing is stored", |s| s.last = None),
            ("bad block", |s| s.stopped = Some("bad block 7".into())),
        ];
        for (text, change) in cases {
            let reason = reason(change).unwrap();
            assert!(reason.contains(text), "{reason}");
        }
    }

    #[test]
    fn a_store_that_follows_nobody_is_ready_when_it_holds_something() {
        let alone = |status: &mut Status| {
            status.following = false;
            status.node_finalized = None;
            status.node_finalized_age_ms = None;
        };
        assert_eq!(reason(alone), None);
        assert!(
            reason(|status| {
                alone(status);
                status.last = None;
            })
            .is_some()
        );
    }
}
