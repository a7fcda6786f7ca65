//! Composition: store, source, road and window put together.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use graphql::ServerOptions;
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::source::ChainSource;
use indexer::source::rpc::{RpcOptions, RpcSource};
use indexer::store::Store;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::adapters::reader::StoreReader;
use crate::config::Config;
use crate::networks::Network;
use crate::telemetry;

/// Whether the road has a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serve {
    /// GraphQL while indexing.
    Yes,
    /// Indexing only.
    No,
}

/// Follows a chain; serves it too when asked.
pub(crate) async fn run(config: Config, serve: Serve) -> Result<()> {
    let store = open(&config, true)?;
    // Bind before the first block: a port in use is told at once.
    let listener = match serve {
        Serve::Yes => Some(bind(&config).await?),
        Serve::No => None,
    };
    let forever = matches!(serve, Serve::Yes);
    let patience = match (config.patience, forever) {
        (Some(0), _) | (None, true) => None,
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, false) => Some(Duration::from_secs(120)),
    };
    let options = RpcOptions {
        timeout: Duration::from_secs(config.timeout),
        patience,
        genesis: config.network.and_then(Network::genesis),
    };
    let source = Arc::new(RpcSource::connect(&config.urls()?, options).await?);
    store.bind_genesis(source.genesis().await?)?;
    let chain = source.chain_name().await;

    let (stop, stopped) = watch::channel(false);
    let (progress, heard) = watch::channel(Progress::default());
    let notify = Notify::default();
    tokio::spawn(stop_on_signal(stop.clone()));
    tokio::spawn(show_progress(heard.clone(), config.until));
    let plan = Plan {
        from: config.from,
        at_head: config.network.is_some_and(Network::pruned),
        until: config.until,
        window: config.window,
        ..Plan::default()
    };
    let reader = Arc::new(StoreReader::following(store.clone(), chain, &notify, heard));
    let road = pipeline::run(
        source,
        store.clone(),
        plan,
        notify,
        progress,
        stopped.clone(),
    );
    let Some(listener) = listener else {
        let last = road.await?;
        tracing::info!(last, "indexed");
        return Ok(());
    };
    let server = tokio::spawn(graphql::serve(
        listener,
        reader.clone(),
        server_options()?,
        until_true(stopped.clone()),
    ));
    let walked = road.await;
    match &walked {
        Ok(last) => {
            tracing::info!(last, "the road has ended");
            reader.stopped(None);
        }
        Err(e) => {
            // What is stored stays served; /ready says why nothing is added.
            tracing::error!("{e}");
            reader.stopped(Some(e.to_string()));
        }
    }
    server.await.context("the server ended unexpectedly")??;
    walked?;
    Ok(())
}

/// Serves a store without a node.
pub(crate) async fn serve_only(config: Config) -> Result<()> {
    let store = open(&config, false)?;
    let listener = bind(&config).await?;
    store
        .checkpoint()?
        .ok_or(indexer::store::StoreError::Empty)?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(stop_on_signal(stop));
    let reader = Arc::new(StoreReader::at_rest(store, None));
    graphql::serve(listener, reader, server_options()?, until_true(stopped)).await?;
    Ok(())
}

fn open(config: &Config, create: bool) -> Result<Store> {
    Ok(Store::open_sled(
        &config.data_dir,
        create,
        config.cache_mib << 20,
    )?)
}

async fn bind(config: &Config) -> Result<TcpListener> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "{} cannot be listened on; stop what uses it or give another --listen",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    eprintln!("yumascope serves on http://{address}/ (GraphQL at http://{address}/graphql)");
    Ok(listener)
}

fn server_options() -> Result<ServerOptions> {
    let metrics = telemetry::metrics()?;
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(ServerOptions {
        metrics: Some(Arc::new(move || metrics.render())),
        ..ServerOptions::default()
    })
}

async fn until_true(mut flag: watch::Receiver<bool>) {
    let _ = flag.wait_for(|stop| *stop).await;
}

/// SIGINT and SIGTERM end the program in order; a second one ends it at once.
async fn stop_on_signal(stop: watch::Sender<bool>) {
    wait_for_signal().await;
    tracing::info!("stopping; signal again to stop at once");
    stop.send_replace(true);
    wait_for_signal().await;
    std::process::exit(130);
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() {
    let _ = tokio::signal::ctrl_c().await;
}

/// A bar on a terminal, a line every few seconds elsewhere.
async fn show_progress(mut progress: watch::Receiver<Progress>, until: Option<u32>) {
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{bar:40} block {pos}/{len} {per_sec} eta {eta}")
        {
            bar.set_style(style);
        }
        bar
    });
    let mut told = std::time::Instant::now();
    let mut first = None;
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        let (Some(committed), Some(finalized)) = (now.committed, now.finalized) else {
            continue;
        };
        let target = until.map_or(finalized, |until| until.min(finalized));
        if let Some(bar) = &bar {
            // A resumed index starts in the middle; its speed is that of this run.
            if first.is_none() {
                first = Some(committed);
                bar.set_position(u64::from(committed));
                bar.reset_eta();
            }
            bar.set_length(u64::from(target));
            bar.set_position(u64::from(committed));
        } else if told.elapsed() > Duration::from_secs(5) || committed >= target {
            told = std::time::Instant::now();
            tracing::info!(block = committed, of = target, "indexed");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Some(bar) = bar {
        bar.finish();
    }
}
