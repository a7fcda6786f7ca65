//! Probes: whether the process lives, and whether what it serves is fresh.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// How long a blocking thread may be waited for before the process counts as stuck.
const POOL_TIME: Duration = Duration::from_secs(5);

/// What strangers are told when following has stopped. The cause may name nodes and files.
pub(super) const STOPPED: &str = "following the chain stopped; the log has the cause";

/// `/health`: the event loop answers, and so do the threads that read.
pub(super) async fn live() -> Response {
    let lives = reads_within(POOL_TIME).await;
    let (status, reason) = match lives {
        true => (StatusCode::OK, None),
        false => {
            tracing::error!(
                "no thread was free to read within {} s",
                POOL_TIME.as_secs()
            );
            let reason = "no thread is free to read; the process is stuck or has too much to do";
            (StatusCode::SERVICE_UNAVAILABLE, Some(reason))
        }
    };
    let cache = [(header::CACHE_CONTROL, "no-store")];
    let body = serde_json::json!({ "live": lives, "reason": reason });
    (status, cache, Json(body)).into_response()
}

/// Whether a thread for reading is free within a time.
async fn reads_within(time: Duration) -> bool {
    let asked = tokio::task::spawn_blocking(|| ());
    matches!(tokio::time::timeout(time, asked).await, Ok(Ok(())))
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

/// `/ready`: asked of the store now. What was said before matters only so far that short trouble
/// does not take the instance out, and that it does not come back too early; see [`Steady`].
pub(super) async fn ready(State(app): State<App>) -> Response {
    // Queries that take long say nothing about the store.
    let reads = app.reads.spare();
    let asked = reads.run("status", |reader| reader.status());
    let readiness = match tokio::time::timeout(STORE_TIME, asked).await {
        _ if *app.draining.borrow() => {
            Readiness::not_known("the server is stopping; ask another instance")
        }
        Ok(Ok(status)) => app.steady.judge(&status, &app.options, Instant::now()),
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

/// What `/ready` remembers, so that it does not flap at a bound: trouble counts when it lasts, and
/// after trouble the store must be closer to the node than was asked of it before.
#[derive(Debug, Default)]
pub(super) struct Steady(Mutex<Said>);

#[derive(Debug, Clone, Copy, Default)]
enum Said {
    /// Not ready, or never asked.
    #[default]
    Out,
    /// Ready, and since when there is trouble.
    In { trouble: Option<Instant> },
}

/// Why a store is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// That does not go by itself, or nothing was ever right.
    Lasting(String),
    /// That may go in a moment.
    Passing(String),
}

impl Steady {
    /// Judges what the store tells at a moment.
    fn judge(&self, status: &Status, options: &ServerOptions, now: Instant) -> Readiness {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = match *state {
            Said::In { .. } => trouble(status, options, options.max_lag),
            Said::Out => trouble(status, options, options.back_lag.min(options.max_lag)),
        };
        let (next, reason) = match (*state, trouble) {
            (_, None) => (Said::In { trouble: None }, None),
            (Said::In { trouble }, Some(Trouble::Passing(reason))) => {
                let since = trouble.unwrap_or(now);
                match now.saturating_duration_since(since) >= options.ready_hold {
                    true => (Said::Out, Some(reason)),
                    false => (
                        Said::In {
                            trouble: Some(since),
                        },
                        None,
                    ),
                }
            }
            (_, Some(Trouble::Lasting(reason) | Trouble::Passing(reason))) => {
                (Said::Out, Some(reason))
            }
        };
        *state = next;
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
}

fn trouble(status: &Status, options: &ServerOptions, most_lag: u32) -> Option<Trouble> {
    if status.stopped.is_some() {
        return Some(Trouble::Lasting(STOPPED.to_owned()));
    }
    let Some(last) = status.last else {
        return Some(Trouble::Lasting("nothing is stored yet".to_owned()));
    };
    if !status.following {
        return None;
    }
    let (Some(finalized), Some(age)) = (status.node_finalized, status.node_finalized_age_ms) else {
        let text = "the node has not told its finalized height yet";
        return Some(Trouble::Lasting(text.to_owned()));
    };
    if u128::from(age) > options.max_node_age.as_millis() {
        return Some(Trouble::Passing(format!(
            "the node told its finalized height {age} ms ago, more than {} ms",
            options.max_node_age.as_millis()
        )));
    }
    let lag = finalized.saturating_sub(last);
    if lag > most_lag {
        return Some(Trouble::Passing(format!(
            "the store is {lag} blocks behind the node, more than {most_lag}"
        )));
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use chain_metadata::H256;

    /// As a store that is near its node tells it.
    pub(in crate::server) fn followed() -> Status {
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
        let options = ServerOptions::default();
        let judged = Steady::default().judge(&status, &options, Instant::now());
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
            ("following the chain stopped; the log", |s| {
                s.stopped = Some("bad block 7 of ws://10.0.0.9".into())
            }),
        ];
        for (text, change) in cases {
            let reason = reason(change).unwrap();
            assert!(reason.contains(text), "{reason}");
            assert!(!reason.contains("10.0.0.9"), "{reason}");
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

    /// What is said of a lag at seconds on a clock of its own.
    fn course(options: &ServerOptions, course: &[(u64, u32)]) -> Vec<bool> {
        let (steady, start) = (Steady::default(), Instant::now());
        let said = course.iter().map(|(second, lag)| {
            let status = Status {
                node_finalized: Some(100 + lag),
                ..followed()
            };
            let now = start + Duration::from_secs(*second);
            steady.judge(&status, options, now).ready
        });
        said.collect()
    }

    #[test]
    fn it_does_not_flap_at_the_bound() {
        let options = ServerOptions {
            max_lag: 10,
            back_lag: 5,
            ready_hold: Duration::from_secs(8),
            ..ServerOptions::default()
        };
        // At first the lower bound counts; then lags about the upper one change nothing.
        let of = |list: &[(u64, u32)]| course(&options, list);
        assert_eq!(of(&[(0, 6), (1, 5), (2, 10)]), [false, true, true]);
        // Short trouble is passed over, and begins anew after a good moment.
        let short = [
            (0, 0),
            (1, 11),
            (8, 11),
            (9, 10),
            (10, 11),
            (17, 11),
            (18, 10),
        ];
        assert_eq!(of(&short), [true; 7]);
        // Trouble that lasts counts, and then only the lower bound brings it back.
        let long = [
            (0, 0),
            (1, 11),
            (8, 11),
            (9, 11),
            (10, 10),
            (11, 6),
            (12, 5),
            (13, 9),
        ];
        let said = [true, true, true, false, false, false, true, true];
        assert_eq!(of(&long), said);
    }

    #[test]
    fn a_stopped_road_is_told_at_once() {
        let options = ServerOptions {
            ready_hold: Duration::from_secs(60),
            ..ServerOptions::default()
        };
        let (steady, now) = (Steady::default(), Instant::now());
        assert!(steady.judge(&followed(), &options, now).ready);
        let stopped = Status {
            stopped: Some("bad block 7".into()),
            ..followed()
        };
        assert!(!steady.judge(&stopped, &options, now).ready);
    }

    #[test]
    fn a_process_without_a_free_thread_does_not_live() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let long = Duration::from_secs(30);
            assert!(reads_within(long).await);
            let (free, wait) = std::sync::mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || wait.recv());
            assert!(!reads_within(Duration::from_millis(100)).await);
            drop(free);
            busy.await.unwrap().unwrap_err();
            assert!(reads_within(long).await);
        });
    }
}
