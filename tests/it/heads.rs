//! Blocks that are not final yet: in memory, of one branch, gone when it loses,
//! and never on disk.

mod forks;
mod joined;
mod served;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::H256;
use indexer::check::{Report, check};
use indexer::heads::{Branch, HeadEvent, Heads, Options, follow};
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::source::ChainSource;
use indexer::source::recording::RecordingSource;
use indexer::source::remember::Remembering;
use indexer::store::Store;
use replay_node::{Mode, ReplayNode};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::context::{connect, index, recording};

/// A node whose head moves by hand and whose finality is behind.
pub(crate) async fn stepped(start: u32, finality_lag: u32) -> ReplayNode {
    let options = replay_node::Options {
        mode: Mode::Stepped { start },
        finality_lag,
        ..replay_node::Options::default()
    };
    let recording = recording("mini-300");
    replay_node::start(recording, options).await.unwrap()
}

/// Short waits.
pub(crate) fn options() -> Options {
    Options {
        patience: Duration::from_secs(5),
        grace: Duration::from_millis(500),
        ..Options::default()
    }
}

/// The road and the heads over one store, until it is dropped.
pub(crate) struct Live {
    pub(crate) store: Store,
    pub(crate) heads: Heads,
    pub(crate) events: broadcast::Receiver<HeadEvent>,
    stop: watch::Sender<bool>,
    road: JoinHandle<Result<Option<u32>, indexer::IndexError>>,
    follower: JoinHandle<()>,
}

/// Starts both; what is below the finalized head is indexed first.
pub(crate) async fn live<S: ChainSource>(source: Arc<S>, store: Store) -> Live {
    let source = Arc::new(Remembering::new(source));
    let heads = Heads::new(store.clone()).unwrap();
    let events = heads.subscribe();
    let (progress, heard) = watch::channel(Progress::default());
    let (stop, stopped) = watch::channel(false);
    let notify = Notify::default();
    let follower = tokio::spawn(follow(
        source.clone(),
        heads.clone(),
        notify.subscribe(),
        heard,
        options(),
    ));
    let road = tokio::spawn(pipeline::run(
        source,
        store.clone(),
        Plan::default(),
        notify,
        progress,
        stopped,
    ));
    Live {
        store,
        heads,
        events,
        stop,
        road,
        follower,
    }
}

impl Live {
    /// Waits until the best block is this one and the store has come to a height.
    pub(crate) async fn settled(&mut self, best: H256, stored: u32) -> Arc<Branch> {
        let started = std::time::Instant::now();
        loop {
            let branch = self.heads.branch();
            let end = branch.best().or(branch.root()).map(|(_, hash)| hash);
            let root = branch.root().map(|(number, _)| number);
            if end == Some(best) && root == Some(stored) {
                return branch;
            }
            assert!(
                started.elapsed() < Duration::from_secs(120) && !self.road.is_finished(),
                "best {:?}, wanted {best}; stored {:?}, wanted {stored}; {:?}",
                branch.best(),
                self.store.last(),
                self.heads.trouble(),
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What was told since, without what became final.
    pub(crate) fn changes(&mut self) -> Vec<HeadEvent> {
        let mut changes = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if !matches!(event, HeadEvent::Finalized { .. }) {
                changes.push(event);
            }
        }
        changes
    }

    /// Stops both; the heads end with the road.
    pub(crate) async fn end(self) -> Store {
        self.stop.send_replace(true);
        self.road.await.unwrap().unwrap();
        self.follower.await.unwrap();
        assert_eq!(self.heads.branch().blocks().len(), 0);
        self.store
    }
}

/// Every row of the blocks in memory, by block.
pub(crate) type Dump = Vec<(H256, Vec<(Vec<u8>, Option<Vec<u8>>)>)>;

pub(crate) fn dump(branch: &Branch) -> Dump {
    let blocks = branch.blocks().iter();
    let rows = |block: &indexer::heads::Unfinalized| {
        let rows = block.rows.rows();
        rows.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)))
            .collect()
    };
    blocks.map(|block| (block.hash, rows(block))).collect()
}

/// The same blocks, prepared anew above the same store by somebody who has seen no other.
pub(crate) async fn fresh(node: &ReplayNode, store: &Store, best: H256) -> Dump {
    let heads = Heads::new(store.clone()).unwrap();
    let finalized = store.last().unwrap();
    let progress = Progress {
        committed: finalized,
        finalized,
        ..Progress::default()
    };
    let (notify, (_tell, progress)) = (Notify::default(), watch::channel(progress));
    let source = Arc::new(Remembering::new(connect(node).await));
    let following = follow(
        source,
        heads.clone(),
        notify.subscribe(),
        progress,
        options(),
    );
    let arrived = async {
        while heads.branch().best().map(|(_, hash)| hash) != Some(best) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        dump(&heads.branch())
    };
    tokio::select! {
        () = following => panic!("it ended"),
        dump = arrived => dump,
        () = tokio::time::sleep(Duration::from_secs(120)) => panic!("{:?}", heads.trouble()),
    }
}

/// What an undisturbed index of the chain up to a block holds.
pub(crate) async fn undisturbed(until: u32) -> Report {
    let store = Store::in_memory().unwrap();
    let source = RecordingSource(recording("mini-300"));
    index(Arc::new(source), &store, until).await.unwrap();
    store
        .bind_genesis(recording("mini-300").genesis_hash)
        .unwrap();
    check(&store).unwrap()
}

pub(crate) fn added(branch: &Branch, hashes: &[H256]) -> Vec<HeadEvent> {
    let block = |hash: &H256| {
        let found = branch.blocks().iter().find(|block| block.hash == *hash);
        let block = found.unwrap_or_else(|| panic!("{hash} is not there"));
        HeadEvent::Added {
            number: block.number,
            hash: block.hash,
            epochs: block.epochs.clone(),
        }
    };
    hashes.iter().map(block).collect()
}

/// Blocks that were retracted, the highest first; `lowest` is the number of the first.
pub(crate) fn retracted(hashes: &[H256], lowest: u32) -> Vec<HeadEvent> {
    let blocks = (lowest..).zip(hashes);
    let mut events: Vec<_> = blocks
        .map(|(number, hash)| HeadEvent::Retracted {
            number,
            hash: *hash,
        })
        .collect();
    events.reverse();
    events
}

pub(crate) fn finals(node: &ReplayNode, numbers: std::ops::RangeInclusive<u32>) -> Vec<H256> {
    numbers.map(|number| node.hash(number).unwrap()).collect()
}
