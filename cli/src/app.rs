//! Composition: store, source, road and window put together.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use challenges::ledger::Ledger;
use graphql::ServerOptions;
use graphql::ports::Intake;
use indexer::heads::{self, Heads};
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::source::remember::Remembering;
use indexer::source::rpc::{RpcOptions, RpcSource};
use indexer::source::{ChainSource, SourceError};
use indexer::store::Store;
use indexer::verify::follow::{self, Follower};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinError;

use crate::adapters::intake::StoreIntake;
use crate::adapters::reader::StoreReader;
use crate::config::Config;
use crate::door;
use crate::networks::Network;
use crate::progress;
use crate::scorer::Scorer;
use crate::signals::{stop_on_signal, stopped};
use crate::telemetry::{self, Gauges};

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
    let (stop, stop_heard) = watch::channel(false);
    stop_on_signal(stop.clone())?;
    let hooks = crate::alerts::wanted(&config)?;
    let store = open(&config, true)?;
    // Bind before the node is asked: a port in use is told at once. Serve after
    // it has answered: an address is told only when the chain is known.
    let listener = match serve {
        Serve::Yes => Some(bind(&config).await?),
        Serve::No => None,
    };
    let (ledger, scorer) = scoring(&config, &store)?;
    let gauges = Gauges::default();
    let listener = match listener {
        Some(listener) => Some((
            listener,
            server_options(&config, &gauges, ledger, scorer.clone())?,
        )),
        None => None,
    };
    let (source, chain) = tokio::select! {
        connected = connect(&config, &store, serve) => connected?,
        () = stopped(stop_heard.clone()) => return Ok(()),
    };

    let (sender, heard) = watch::channel(Progress::default());
    let notify = Notify::default();
    tokio::spawn(progress::show(heard.clone(), config.until));
    // Weak: the connection ends with the road, also while the window goes on.
    let asked = Arc::downgrade(&source);
    let trouble = move || asked.upgrade()?.trouble();
    let mut reader = StoreReader::following(store.clone(), chain, &notify, heard.clone(), trouble);
    // Both read the same blocks, first the one, then the other.
    let source = Arc::new(Remembering::new(source));
    // A road with an end has no use for what is beyond it.
    if serve == Serve::Yes && config.heads && config.until.is_none() {
        let above = Heads::new(store.clone())?;
        reader = reader.with_heads(above.clone());
        let (source, commits) = (source.clone(), notify.subscribe());
        let options = heads::Options::default();
        let following = tokio::spawn(heads::follow(source, above, commits, heard, options));
        tokio::spawn(async {
            if let Err(error) = ended(
                "task of unfinalized blocks",
                following.await.map(Ok::<_, anyhow::Error>),
            ) {
                // The road and the window go on without them.
                tracing::error!("{error:#}");
            }
        });
    }
    let reader = Arc::new(reader.with_scorer(scorer.clone()));
    gauges.watch(reader.clone(), store.clone());
    score(scorer.as_ref(), &stop_heard)?;
    let hooks = crate::alerts::start(hooks, &config, reader.clone(), &stop_heard)?;
    let verdicts = verdicts(&config, &store, &notify, stop_heard.clone())?;
    let plan = Plan {
        from: config.from,
        at_head: config.network.is_some_and(Network::pruned),
        until: config.until,
        ranges: config.blocks()?,
        split: config.split,
        ranges_at_once: usize::try_from(config.ranges_at_once)?,
        allow_partial: config.allow_partial,
        window: config.window,
        ..Plan::default()
    };
    let road = tokio::spawn(pipeline::run(
        source,
        store,
        plan,
        notify,
        sender,
        stop_heard.clone(),
    ));
    let road = async { ended("road", road.await) };
    let Some((listener, options)) = listener else {
        let walked = road.await;
        settled(verdicts).await?;
        crate::alerts::end(hooks).await;
        // Not inside the macro, which does not look at it when nothing is logged.
        let last = walked?;
        tracing::info!(last, "indexed");
        return Ok(());
    };
    announce(&listener, &options)?;
    let server = graphql::serve(listener, reader.clone(), options, stopped(stop_heard));
    let server = tokio::spawn(server);
    let server = async { ended("server", server.await) };
    let done = both(road, server, &stop, |walked| match walked {
        Ok(last) => {
            tracing::info!(last, "the road has ended");
            reader.stopped(None);
        }
        Err(e) => {
            // What is stored stays served; the log and the status say why nothing is added.
            tracing::error!("{e:#}");
            reader.stopped(Some(format!("{e:#}")));
        }
    })
    .await;
    settled(verdicts).await?;
    crate::alerts::end(hooks).await;
    done
}

/// The thread that computes epochs again, if it is wanted; it ends with the road or at the stop.
fn verdicts(
    config: &Config,
    store: &Store,
    notify: &Notify,
    stop_heard: watch::Receiver<bool>,
) -> Result<Option<Follower>> {
    if !config.verify {
        return Ok(None);
    }
    let stop = follow::Stop::default();
    let follower = follow::start(store.clone(), notify, stop.clone())?;
    tokio::spawn(async move {
        stopped(stop_heard).await;
        stop.now();
    });
    Ok(Some(follower))
}

/// Waits for the thread of the verdicts.
async fn settled(verdicts: Option<Follower>) -> Result<()> {
    let Some(follower) = verdicts else {
        return Ok(());
    };
    let joined = tokio::task::spawn_blocking(|| follower.join()).await;
    ended("verification", joined)
}

/// The first node that answers for the store's chain, and the chain's name.
async fn connect(
    config: &Config,
    store: &Store,
    serve: Serve,
) -> Result<(Arc<RpcSource>, Option<String>)> {
    let patience = match (config.patience, serve) {
        (Some(0), _) | (None, Serve::Yes) => None,
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, Serve::No) => Some(Duration::from_secs(120)),
    };
    let stored = store.genesis()?;
    let options = RpcOptions {
        timeout: Duration::from_secs(config.timeout),
        patience,
        // A store that has begun knows its chain; a node of another is never used.
        genesis: config.network.and_then(Network::genesis).or(stored),
    };
    let source = match RpcSource::connect(&config.urls()?, options).await {
        Err(e @ SourceError::Genesis { .. }) if stored.is_some() => {
            return Err(e).with_context(|| {
                format!(
                    "the store in {} holds another chain; give another --data-dir or another node",
                    config.data_dir.display()
                )
            });
        }
        other => other?,
    };
    store.bind_genesis(source.genesis().await?)?;
    let chain = source.chain_name().await;
    Ok((Arc::new(source), chain))
}

/// Waits for the road and the server. The server outlives the road, so that
/// what is stored stays served until the program is told to stop; a server
/// that ends first stops the road, and its error is the program's.
async fn both<T>(
    road: impl Future<Output = Result<T>>,
    server: impl Future<Output = Result<()>>,
    stop: &watch::Sender<bool>,
    road_ended: impl FnOnce(&Result<T>),
) -> Result<()> {
    tokio::pin!(road, server);
    tokio::select! {
        walked = &mut road => {
            road_ended(&walked);
            server.await?;
            walked.map(drop)
        }
        served = &mut server => {
            stop.send_replace(true);
            let walked = road.await;
            road_ended(&walked);
            served?;
            walked.map(drop)
        }
    }
}

/// What a task returned; a panic in it becomes an error with its message.
fn ended<T, E: Into<anyhow::Error>>(
    task: &str,
    joined: Result<Result<T, E>, JoinError>,
) -> Result<T> {
    let broken = match joined {
        Ok(done) => return done.map_err(Into::into),
        Err(broken) => broken,
    };
    let why = match broken.try_into_panic() {
        Ok(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => match payload.downcast::<&str>() {
                Ok(text) => (*text).to_owned(),
                Err(_) => "a panic without a message".to_owned(),
            },
        },
        Err(other) => other.to_string(),
    };
    bail!("the {task} ended unexpectedly: {why}; please report it")
}

/// Serves a store without a node.
pub(crate) async fn serve_only(config: Config) -> Result<()> {
    let (stop, stop_heard) = watch::channel(false);
    stop_on_signal(stop)?;
    let hooks = crate::alerts::wanted(&config)?;
    let store = open(&config, false)?;
    store
        .checkpoint()?
        .ok_or(indexer::store::StoreError::Empty)?;
    let listener = bind(&config).await?;
    let (ledger, scorer) = scoring(&config, &store)?;
    let gauges = Gauges::default();
    let options = server_options(&config, &gauges, ledger, scorer.clone())?;
    score(scorer.as_ref(), &stop_heard)?;
    announce(&listener, &options)?;
    let reader = Arc::new(StoreReader::at_rest(store.clone(), None).with_scorer(scorer));
    gauges.watch(reader.clone(), store);
    let hooks = crate::alerts::start(hooks, &config, reader.clone(), &stop_heard)?;
    graphql::serve(listener, reader, options, stopped(stop_heard)).await?;
    crate::alerts::end(hooks).await;
    Ok(())
}

fn open(config: &Config, create: bool) -> Result<Store> {
    Ok(Store::open_sled(
        &config.data_dir,
        create,
        config.cache_bytes(),
    )?)
}

async fn bind(config: &Config) -> Result<TcpListener> {
    TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "{} cannot be listened on; stop what uses it or give another --listen",
            config.listen
        )
    })
}

/// Says where the window is; programs that start this one read the line.
fn announce(listener: &TcpListener, options: &ServerOptions) -> Result<()> {
    let address = listener.local_addr()?;
    let scheme = match options.door.tls {
        Some(_) => "https",
        None => "http",
    };
    eprintln!(
        "yumascope serves on {scheme}://{address}/ (GraphQL at {scheme}://{address}/graphql)"
    );
    if let Some(side) = &options.metrics_listener {
        eprintln!(
            "yumascope shows metrics on http://{}/metrics",
            side.local_addr()?
        );
    }
    Ok(())
}

/// The ledger of results and the scorer over it, where they are wanted: whatever writes records
/// in this process shares one ledger.
fn scoring(config: &Config, store: &Store) -> Result<(Arc<Ledger>, Option<Arc<Scorer>>)> {
    let ledger = Arc::new(Ledger::open(store.clone())?);
    let scorer = match &config.scoring {
        Some(file) => Some(Arc::new(Scorer::load(file, ledger.clone())?)),
        None => None,
    };
    Ok((ledger, scorer))
}

/// The thread that scores; it ends with the program.
fn score(scorer: Option<&Arc<Scorer>>, stop: &watch::Receiver<bool>) -> Result<()> {
    let Some(scorer) = scorer.cloned() else {
        return Ok(());
    };
    let stop = stop.clone();
    let work = move || {
        if let Err(error) = scorer.run(&stop) {
            tracing::error!("the scorer has ended: {error:#}");
        }
    };
    std::thread::Builder::new()
        .name("scorer".into())
        .spawn(work)?;
    Ok(())
}

fn server_options(
    config: &Config,
    gauges: &Gauges,
    ledger: Arc<Ledger>,
    scorer: Option<Arc<Scorer>>,
) -> Result<ServerOptions> {
    let intake = config
        .reports()
        .map(|limits| Arc::new(StoreIntake::new(ledger, limits, scorer)) as Arc<dyn Intake>);
    let metrics = telemetry::metrics()?;
    gauges.begin();
    let gauges = gauges.clone();
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    let rest = ServerOptions {
        metrics: Some(Arc::new(move || {
            gauges.ages();
            metrics.render()
        })),
        intake,
        ..ServerOptions::default()
    };
    let options = door::options(config, rest)?;
    door::watch(config, &options)?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[tokio::test]
    async fn a_server_that_dies_stops_the_road_and_is_the_error() {
        let (stop, heard) = watch::channel(false);
        let road = async {
            stopped(heard).await;
            Ok(7)
        };
        let server = async { Err(anyhow!("the socket is gone")) };
        let mut walked = None;
        let done = both(road, server, &stop, |end| {
            walked = end.as_ref().ok().copied();
        });
        let error = done.await.unwrap_err();
        assert_eq!(error.to_string(), "the socket is gone");
        assert_eq!(walked, Some(7));
    }

    #[tokio::test]
    async fn a_road_that_fails_is_served_on_until_the_stop() {
        let (stop, heard) = watch::channel(false);
        let road = async { Err::<(), _>(anyhow!("bad block 7")) };
        let server = async {
            stopped(heard).await;
            Ok(())
        };
        // The server ends only by the stop, which is given when the road is over.
        let end = both(road, server, &stop, |_| {
            stop.send_replace(true);
        });
        assert_eq!(end.await.unwrap_err().to_string(), "bad block 7");
    }

    #[tokio::test]
    async fn a_panic_is_told_with_its_message() {
        type Nothing = Result<(), anyhow::Error>;
        let number = 7;
        let texts: [tokio::task::JoinHandle<Nothing>; 2] = [
            tokio::spawn(async move { panic!("block {number}") }),
            tokio::spawn(async { panic!("block 7") }),
        ];
        for task in texts {
            let error = ended("road", task.await).unwrap_err().to_string();
            assert!(
                error.contains("road ended unexpectedly: block 7"),
                "{error}"
            );
        }
        let task = tokio::spawn(std::future::pending::<Nothing>());
        task.abort();
        let error = ended("road", task.await).unwrap_err().to_string();
        assert!(error.contains("cancelled"), "{error}");
    }
}
