//! `bench`: blocks per second from a node to the durable store.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::source::recording::RecordingSource;
use indexer::source::rpc::{RpcOptions, RpcSource};
use indexer::store::Store;
use replay_node::Options;
use tokio::sync::watch;

use crate::args::BenchArgs;

/// Plays a recording `repeat` times over a real WebSocket and indexes it.
pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    let recording = match &args.recording {
        Some(dir) => Arc::new(replay_node::load_dir(dir)?),
        None => replay_node::fixture("mini-300")?,
    };
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let dir = match &args.data_dir {
        Some(dir) => dir.clone(),
        None => scratch.path().join("store"),
    };
    let store = if args.in_memory {
        Store::in_memory()?
    } else {
        Store::open_sled(&dir, true, 256 << 20)?
    };
    let metrics = crate::telemetry::metrics()?;
    let plan = Plan {
        window: args.window,
        ..Plan::default()
    };
    let (seconds, blocks, requests) = super::runtime()?.block_on(async {
        let started = Instant::now();
        if args.no_socket {
            let until = recording.head;
            let source = Arc::new(RecordingSource(recording));
            let last = index(
                source,
                &store,
                Plan {
                    until: Some(until),
                    ..plan
                },
            )
            .await?;
            return anyhow::Ok((started.elapsed(), last, 0));
        }
        let options = Options {
            repeat: args.repeat,
            ..Options::default()
        };
        let node = replay_node::start(recording, options).await?;
        let source = RpcSource::connect(&[node.ws_url()], RpcOptions::default()).await?;
        let started = Instant::now();
        let until = Some(node.end());
        let last = index(Arc::new(source), &store, Plan { until, ..plan }).await?;
        let taken = started.elapsed();
        let requests = node.counts().requests;
        node.stop().await;
        Ok((taken, last, requests))
    })?;
    let seconds = seconds.as_secs_f64();
    let blocks = f64::from(blocks) + 1.0;
    let disk = store.engine().size_on_disk()?;
    super::print(&format!(
        "blocks          {blocks}\nseconds         {seconds:.3}\nblocks/s        {:.0}\nrequests        {requests}\nbytes on disk   {disk}\n\n",
        blocks / seconds
    ));
    // Where the time goes, as the road itself counts it.
    for line in metrics.render().lines() {
        if line.contains("_seconds_sum") || line.contains("_seconds_count") {
            super::print(&format!("{line}\n"));
        }
    }
    Ok(())
}

async fn index<S: indexer::source::ChainSource>(
    source: Arc<S>,
    store: &Store,
    plan: Plan,
) -> Result<u32> {
    let (progress, _) = watch::channel(Progress::default());
    let (_stop, stop) = watch::channel(false);
    let last = pipeline::run(
        source,
        store.clone(),
        plan,
        Notify::default(),
        progress,
        stop,
    )
    .await?;
    last.context("nothing was indexed")
}
