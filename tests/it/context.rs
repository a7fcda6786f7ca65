//! What the tests share: recordings, nodes, stores, the program.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chain_metadata::Recording;
use indexer::IndexError;
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::source::ChainSource;
use indexer::source::recording::RecordingSource;
use indexer::source::rpc::{RpcOptions, RpcSource};
use indexer::store::Store;
use replay_node::{Options, ReplayNode};
use tokio::sync::watch;

/// Both recordings.
pub(crate) const RECORDINGS: [&str; 2] = ["mini-300", "upgrades"];

pub(crate) fn recording(name: &str) -> Arc<Recording> {
    replay_node::fixture(name).unwrap()
}

pub(crate) async fn node(name: &str) -> ReplayNode {
    replay_node::start(recording(name), Options::default())
        .await
        .unwrap()
}

/// Short waits, so that faults do not take long.
pub(crate) fn quick() -> RpcOptions {
    RpcOptions {
        timeout: Duration::from_secs(5),
        patience: Some(Duration::from_secs(20)),
        genesis: None,
    }
}

pub(crate) async fn connect(node: &ReplayNode) -> Arc<RpcSource> {
    Arc::new(RpcSource::connect(&[node.ws_url()], quick()).await.unwrap())
}

/// Indexes until a block.
pub(crate) async fn index<S: ChainSource>(
    source: Arc<S>,
    store: &Store,
    until: u32,
) -> Result<Option<u32>, IndexError> {
    index_with(source, store, plan(until)).await
}

pub(crate) fn plan(until: u32) -> Plan {
    Plan {
        until: Some(until),
        ..Plan::default()
    }
}

pub(crate) async fn index_with<S: ChainSource>(
    source: Arc<S>,
    store: &Store,
    plan: Plan,
) -> Result<Option<u32>, IndexError> {
    let (progress, _) = watch::channel(Progress::default());
    let (_stop, stop) = watch::channel(false);
    pipeline::run(
        source,
        store.clone(),
        plan,
        Notify::default(),
        progress,
        stop,
    )
    .await
}

/// A whole recording in a store in memory, without a socket.
pub(crate) async fn indexed(name: &str) -> Store {
    let recording = recording(name);
    let store = Store::in_memory().unwrap();
    let head = recording.head;
    let last = index(Arc::new(RecordingSource(recording)), &store, head)
        .await
        .unwrap();
    assert_eq!(last, Some(head));
    store
}

/// A folder with a store of a recording's first blocks.
pub(crate) async fn indexed_folder(name: &str, until: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_sled(dir.path(), true, 16 << 20).unwrap();
    let source = Arc::new(RecordingSource(recording(name)));
    index(source, &store, until).await.unwrap();
    dir
}

/// The program, with nothing of the caller's settings.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yumascope"));
    command.args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("YUMASCOPE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program to its end.
pub(crate) fn outcome(args: &[&str]) -> Output {
    program(args).output().unwrap()
}

/// Runs it in the background with its output thrown away.
pub(crate) fn background(args: &[&str]) -> Child {
    program(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
