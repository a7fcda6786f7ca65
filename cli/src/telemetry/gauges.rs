//! Gauges of the store and the road, for `/metrics`.
//!
//! Heights and sizes are read every few seconds. Ages are computed when the page is rendered, from
//! moments: an age that is remembered stops growing with whoever remembers it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use graphql::ports::{Reader, Status};
use indexer::store::Store;

/// How often heights are read.
const EVERY: Duration = Duration::from_secs(5);
/// How often the files of the store are added up.
const SIZE_EVERY: u32 = 12;

/// The moments that ages are counted from.
#[derive(Debug, Default)]
struct Moments {
    /// Time of the highest stored block, in milliseconds since 1970.
    tip_ms: Option<u64>,
    /// When the node told its finalized height.
    node: Option<Instant>,
    /// When a block was committed.
    committed: Option<Instant>,
}

/// What ages are computed from, shared by the task that reads and the page that shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauges(Arc<Mutex<Moments>>);

impl Gauges {
    /// Describes every gauge, and begins counters at zero: a counter that appears with its first
    /// event hides that event from whoever asks for its growth. Call once the recorder is there.
    pub(crate) fn begin(&self) {
        describe();
        for verdict in indexer::verify::Verdict::WORDS {
            metrics::counter!("verify_epochs_total", "verdict" => verdict).absolute(0);
        }
        metrics::counter!("indexer_reorgs_total").absolute(0);
        metrics::counter!("indexer_undecodable_values_total").absolute(0);
        metrics::gauge!("graphql_websockets").set(0.0);
        metrics::gauge!("yumascope_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    }

    /// Reads for as long as the program runs; must be called inside a tokio runtime.
    pub(crate) fn watch(&self, reader: Arc<dyn Reader>, store: Store) {
        let gauges = self.clone();
        tokio::spawn(async move {
            for round in 0_u32.. {
                let (gauges, reader, store) = (gauges.clone(), reader.clone(), store.clone());
                let read = tokio::task::spawn_blocking(move || {
                    match reader.status() {
                        Ok(status) => gauges.heights(&status),
                        // A store that is still empty says so here, and is no trouble.
                        Err(error) => tracing::debug!(%error, "the status cannot be read"),
                    }
                    if round % SIZE_EVERY == 0 {
                        sizes(&store);
                    }
                });
                if let Err(error) = read.await {
                    tracing::error!(%error, "reading the gauges met an error");
                }
                tokio::time::sleep(EVERY).await;
            }
        });
    }

    fn heights(&self, status: &Status) {
        let set = |name: &'static str, height: Option<u32>| {
            if let Some(height) = height {
                metrics::gauge!(name).set(f64::from(height));
            }
        };
        set("indexer_height", status.last);
        set("indexer_node_finalized_height", status.node_finalized);
        if let (Some(finalized), Some(last)) = (status.node_finalized, status.last) {
            set("indexer_lag_blocks", Some(finalized.saturating_sub(last)));
        }
        let blocks: u64 = status
            .spans
            .iter()
            .map(|(first, last)| u64::from(last.saturating_sub(*first)).saturating_add(1))
            .sum();
        metrics::gauge!("store_blocks").set(whole(blocks));
        metrics::gauge!("store_spans").set(whole(wide(status.spans.len())));
        let is_stopped = status.stopped.is_some();
        metrics::gauge!("indexer_stopped").set(if is_stopped { 1.0 } else { 0.0 });
        let since = |age: Option<u64>| {
            age.and_then(|age| Instant::now().checked_sub(Duration::from_millis(age)))
        };
        let moments = Moments {
            tip_ms: status.last_timestamp_ms,
            node: since(status.node_finalized_age_ms),
            committed: since(status.committed_age_ms),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = moments;
    }

    /// Sets the ages; called when the page is rendered.
    pub(crate) fn ages(&self) {
        let moments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        if let (Some(tip), Ok(now)) = (moments.tip_ms, now) {
            let age = now.saturating_sub(Duration::from_millis(tip));
            metrics::gauge!("indexer_tip_age_seconds").set(age.as_secs_f64());
        }
        for (name, since) in [
            ("indexer_node_heard_age_seconds", moments.node),
            ("indexer_committed_age_seconds", moments.committed),
        ] {
            if let Some(since) = since {
                metrics::gauge!(name).set(since.elapsed().as_secs_f64());
            }
        }
    }
}

fn sizes(store: &Store) {
    match store.engine().size_on_disk() {
        Ok(bytes) => metrics::gauge!("store_bytes").set(whole(bytes)),
        Err(error) => tracing::debug!(%error, "the store's files cannot be added up"),
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A count as Prometheus takes it.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, exact up to 2^53"
)]
fn whole(count: u64) -> f64 {
    count as f64
}

fn describe() {
    for (name, text) in [
        ("indexer_height", "highest stored block"),
        (
            "indexer_node_finalized_height",
            "the node's finalized height",
        ),
        (
            "indexer_lag_blocks",
            "finalized blocks that are not stored yet",
        ),
        (
            "indexer_tip_age_seconds",
            "time since the timestamp of the highest stored block",
        ),
        (
            "indexer_node_heard_age_seconds",
            "time since the node told a new finalized height",
        ),
        (
            "indexer_committed_age_seconds",
            "time since a block was committed",
        ),
        (
            "indexer_stopped",
            "1 when nothing is added; the log and the status say why",
        ),
        (
            "keys_unreadable",
            "1 while the API keys cannot be read anew and older ones are in force",
        ),
        (
            "tls_unreadable",
            "1 while certificate and key cannot be read anew and older ones are in force",
        ),
        ("store_blocks", "stored blocks"),
        ("store_spans", "runs of stored blocks without a hole"),
        ("store_bytes", "bytes of the store's files"),
        (
            "verify_height",
            "highest block whose epochs were computed again",
        ),
        ("yumascope_info", "1, with the version as a label"),
    ] {
        metrics::describe_gauge!(name, text);
    }
    for (name, text) in [
        ("indexer_blocks_total", "blocks committed since the start"),
        ("indexer_rpc_errors_total", "requests to a node that failed"),
        ("indexer_reorgs_total", "unfinalized branches that lost"),
        (
            "verify_epochs_total",
            "epochs computed again since the start, by verdict",
        ),
        ("graphql_refused_total", "requests over a limit, by limit"),
    ] {
        metrics::describe_counter!(name, text);
    }
    for (name, text) in [
        ("indexer_rpc_seconds", "answers of a node, by endpoint"),
        ("indexer_decode_seconds", "decoding a window of blocks"),
        ("indexer_commit_seconds", "building and committing a window"),
        ("http_request_seconds", "answers to requests"),
    ] {
        metrics::describe_histogram!(name, metrics::Unit::Seconds, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_grow_between_readings() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let gauges = Gauges::default();
            gauges.begin();
            let earlier = Instant::now().checked_sub(Duration::from_secs(50));
            *gauges.0.lock().unwrap() = Moments {
                tip_ms: Some(0),
                node: earlier,
                committed: None,
            };
            gauges.ages();
        });
        let page = page.render();
        let value = |name: &str| -> f64 {
            let line = page.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("indexer_node_heard_age_seconds ") >= 50.0, "{page}");
        assert!(value("indexer_tip_age_seconds ") > 1.7e9, "{page}");
        // What is not known is not there, rather than 0.
        assert!(!page.contains("\nindexer_committed_age_seconds "), "{page}");
        assert!(
            page.contains("verify_epochs_total{verdict=\"DIFFERS\"} 0"),
            "{page}"
        );
    }
}
