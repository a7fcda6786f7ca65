//! `bench`: blocks per second from a node to the durable store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chain_metadata::Recording;
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::source::ChainSource;
use indexer::source::recording::RecordingSource;
use indexer::source::rpc::{RpcOptions, RpcSource};
use indexer::store::Store;
use replay_node::Options;
use tokio::sync::watch;

use crate::args::BenchArgs;

/// What was measured.
struct Measured {
    blocks: u32,
    wall: Duration,
    /// `None` without a socket.
    requests: Option<u64>,
    /// `None` in memory.
    bytes_on_disk: Option<u64>,
}

/// Plays a recording `repeat` times over a real WebSocket and indexes it.
pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    let recording = match &args.recording {
        Some(dir) => Arc::new(replay_node::load_dir(dir)?),
        None => replay_node::fixture("mini-300")?,
    };
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let store = match &args.data_dir {
        _ if args.in_memory => Store::in_memory()?,
        Some(dir) => empty_store(dir)?,
        None => empty_store(&scratch.path().join("store"))?,
    };
    let metrics = crate::telemetry::metrics()?;
    let (blocks, wall, requests) =
        super::runtime()?.block_on(measure(args, recording, store.clone()))?;
    let measured = Measured {
        blocks,
        wall,
        requests,
        bytes_on_disk: match args.in_memory {
            true => None,
            false => Some(store.engine().size_on_disk()?),
        },
    };
    super::print(&table(&measured, &stages(&metrics.render())));
    Ok(())
}

/// A new store: blocks that are there already would be counted as indexed.
fn empty_store(dir: &Path) -> Result<Store> {
    let store = Store::open_sled(dir, true, 256 << 20)?;
    if store.checkpoint()?.is_some() || store.genesis()?.is_some() {
        bail!(
            "{} holds a store already; give an empty folder or leave --data-dir out",
            dir.display()
        );
    }
    Ok(store)
}

async fn measure(
    args: &BenchArgs,
    recording: Arc<Recording>,
    store: Store,
) -> Result<(u32, Duration, Option<u64>)> {
    let plan = |until| Plan {
        window: args.window,
        until: Some(until),
        ..Plan::default()
    };
    if args.no_socket {
        let plan = plan(recording.head);
        let source = Arc::new(RecordingSource(recording));
        let (blocks, wall) = index(source, store, plan).await?;
        return Ok((blocks, wall, None));
    }
    let options = Options {
        repeat: args.repeat,
        ..Options::default()
    };
    let node = replay_node::start(recording, options).await?;
    let source = RpcSource::connect(&[node.ws_url()], RpcOptions::default()).await?;
    let (blocks, wall) = index(Arc::new(source), store, plan(node.end())).await?;
    let requests = node.counts().requests;
    node.stop().await;
    Ok((blocks, wall, Some(requests)))
}

/// Indexes from block 0; how many blocks, and how long it took.
async fn index<S: ChainSource>(
    source: Arc<S>,
    store: Store,
    plan: Plan,
) -> Result<(u32, Duration)> {
    let (progress, _) = watch::channel(Progress::default());
    let (_stop, stop) = watch::channel(false);
    let started = Instant::now();
    let last = pipeline::run(source, store, plan, Notify::default(), progress, stop).await?;
    let last = last.context("nothing was indexed")?;
    Ok((last.saturating_add(1), started.elapsed()))
}

/// Seconds and times of one stage.
#[derive(Debug, Default, PartialEq)]
struct Stage {
    seconds: f64,
    times: f64,
}

/// The road's histograms of seconds, by stage, out of the page for Prometheus.
/// Endpoints are counted together.
fn stages(page: &str) -> BTreeMap<String, Stage> {
    let mut stages: BTreeMap<String, Stage> = BTreeMap::new();
    for line in page.lines() {
        let Some((series, number)) = line.rsplit_once(' ') else {
            continue;
        };
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.trim_end_matches('}')),
            None => (series, ""),
        };
        let (name, is_sum) = match (
            name.strip_suffix("_seconds_sum"),
            name.strip_suffix("_seconds_count"),
        ) {
            (Some(name), _) => (name, true),
            (None, Some(name)) => (name, false),
            (None, None) => continue,
        };
        let (Some(name), Ok(number)) = (name.strip_prefix("indexer_"), number.parse::<f64>())
        else {
            continue;
        };
        let name = match labels {
            "" => name.to_owned(),
            labels if labels.starts_with("endpoint=") => name.to_owned(),
            labels => format!("{name} {labels}"),
        };
        let stage = stages.entry(name).or_default();
        match is_sum {
            true => stage.seconds += number,
            false => stage.times += number,
        }
    }
    stages
}

fn table(measured: &Measured, stages: &BTreeMap<String, Stage>) -> String {
    let wall = measured.wall.as_secs_f64();
    let blocks = f64::from(measured.blocks);
    // A bench of no time at all would divide by zero.
    let wall_or_least = wall.max(1e-9);
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        out.push_str(&format!("{name:<18} {value:>14}\n"));
    };
    line("blocks", measured.blocks.to_string());
    line("seconds", format!("{wall:.3}"));
    line("blocks/s", format!("{:.0}", blocks / wall_or_least));
    if let Some(requests) = measured.requests {
        line("requests", requests.to_string());
        line("requests per block", per_block(requests, measured.blocks));
    }
    if let Some(bytes) = measured.bytes_on_disk {
        line("bytes on disk", bytes.to_string());
    }
    let title = "where the time goes";
    out.push_str(&format!(
        "\n{title:<22} {:>10} {:>8} {:>10}\n",
        "seconds", "share", "times"
    ));
    let mut stages: Vec<_> = stages.iter().collect();
    stages.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds));
    for (name, stage) in stages {
        let share = 100.0 * stage.seconds / wall_or_least;
        out.push_str(&format!(
            "  {name:<20} {:>10.3} {share:>6.1} % {:>10.0}\n",
            stage.seconds, stage.times
        ));
    }
    out.push_str(
        "Shares are of the wall time; stages run side by side, so they need not add up.\n",
    );
    out
}

/// Thousandths, by integers.
fn per_block(requests: u64, blocks: u32) -> String {
    let thousandths = u128::from(requests) * 1000 / u128::from(blocks.max(1));
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE indexer_rpc_seconds histogram
indexer_rpc_seconds_bucket{endpoint=\"ws://a:1\",le=\"0.1\"} 3
indexer_rpc_seconds_sum{endpoint=\"ws://a:1\"} 0.5
indexer_rpc_seconds_count{endpoint=\"ws://a:1\"} 3
indexer_rpc_seconds_sum{endpoint=\"ws://b:1\"} 0.25
indexer_rpc_seconds_count{endpoint=\"ws://b:1\"} 1
indexer_stage_seconds_sum{stage=\"plan\"} 2
indexer_commit_seconds_sum 1.5
indexer_commit_seconds_count 12
graphql_read_seconds_sum 9
indexer_blocks_total 330
";

    #[test]
    fn stages_are_read_from_the_metrics() {
        let stages = stages(PAGE);
        let names: Vec<_> = stages.keys().map(String::as_str).collect();
        assert_eq!(names, ["commit", "rpc", "stage stage=\"plan\""]);
        let stage = |seconds, times| Stage { seconds, times };
        assert_eq!(stages["rpc"], stage(0.75, 4.0));
        assert_eq!(stages["commit"], stage(1.5, 12.0));
    }

    #[test]
    fn the_table_can_be_read() {
        let measured = Measured {
            blocks: 330,
            wall: Duration::from_millis(3000),
            requests: Some(99),
            bytes_on_disk: None,
        };
        let table = table(&measured, &stages(PAGE));
        let row = |name: &str| -> Vec<String> {
            let line = table.lines().find(|l| l.trim().starts_with(name));
            let line = line.unwrap_or_else(|| panic!("no {name} in\n{table}"));
            line.split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(row("blocks/s"), ["blocks/s", "110"]);
        assert_eq!(row("requests per block")[3], "0.300");
        assert_eq!(row("commit"), ["commit", "1.500", "50.0", "%", "12"]);
        assert!(!table.contains("bytes on disk"), "{table}");
        // The longest first.
        assert!(table.find("plan").unwrap() < table.find("commit").unwrap());
    }
}
