//! Ranges that are joined below the unfinalized blocks.

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::H256;
use indexer::heads::{Branch, Heads, follow};
use indexer::notify::Notify;
use indexer::pipeline::Progress;
use indexer::source::recording::RecordingSource;
use indexer::source::remember::Remembering;
use indexer::store::spans::{delete_restage, put_restage};
use indexer::store::{Batch, Restage, Store};
use replay_node::ReplayNode;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{added, dump, finals, fresh, options, retracted, stepped};
use crate::context::{connect, index_with, recording};
use crate::coverage::ranges;

/// The heads alone over a store: nobody tells them of what is written.
struct Alone {
    heads: Heads,
    _notify: Notify,
    _tell: watch::Sender<Progress>,
    follower: JoinHandle<()>,
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

async fn alone(node: &ReplayNode, store: &Store) -> Alone {
    let heads = Heads::new(store.clone()).unwrap();
    let finalized = store.last().unwrap();
    let (tell, progress) = watch::channel(Progress {
        committed: finalized,
        finalized,
        ..Progress::default()
    });
    let notify = Notify::default();
    let source = Arc::new(Remembering::new(connect(node).await));
    let follower = tokio::spawn(follow(
        source,
        heads.clone(),
        notify.subscribe(),
        progress,
        options(),
    ));
    Alone {
        heads,
        _notify: notify,
        _tell: tell,
        follower,
    }
}

impl Alone {
    async fn until(&self, what: &str, holds: impl Fn(&Heads) -> bool) -> Arc<Branch> {
        for _ in 0..12_000 {
            if holds(&self.heads) {
                return self.heads.branch();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let branch = self.heads.branch();
        panic!(
            "never {what}: {:?}, {:?}",
            branch.best(),
            self.heads.trouble()
        );
    }

    async fn best(&self, best: H256) -> Arc<Branch> {
        let is_best = |heads: &Heads| heads.branch().best().map(|(_, hash)| hash) == Some(best);
        self.until("the best block", is_best).await
    }
}

async fn play(store: &Store, range: (u32, u32)) {
    let source = Arc::new(RecordingSource(recording("mini-300")));
    index_with(source, store, ranges(&[range])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_above_a_range_is_made_again_when_it_is_joined() {
    let node = stepped(76, 6).await;
    let store = Store::in_memory().unwrap();
    play(&store, (40, 70)).await;
    let alone = alone(&node, &store).await;
    let held = alone.best(node.hash(76).unwrap()).await;
    assert!(alone.heads.pin().unwrap().1.is_some());
    let mut events = alone.heads.subscribe();

    play(&store, (0, 39)).await;
    assert_eq!(store.spans().len(), 1);
    assert!(store.joints().is_empty() && store.restages().is_empty());
    // The end of the store is the same block, and yet nobody reads the old rows above it.
    assert!(alone.heads.pin().unwrap().1.is_none());
    assert!(!held.holds(&store).unwrap());

    node.advance(1);
    let best = node.hash(77).unwrap();
    let branch = alone.best(best).await;
    assert!(alone.heads.pin().unwrap().1.is_some());
    assert!(branch.holds(&store).unwrap());
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event);
    }
    let expected = [
        retracted(&finals(&node, 71..=76), 71),
        added(&branch, &finals(&node, 71..=77)),
    ];
    assert_eq!(told, expected.concat());
    // They know of everything below, as if there had been one range from the start.
    let whole = Store::in_memory().unwrap();
    play(&whole, (0, 70)).await;
    assert_eq!(dump(&branch), fresh(&node, &whole, best).await);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_above_while_the_ledger_is_made_again() {
    let node = stepped(60, 6).await;
    let store = Store::in_memory().unwrap();
    play(&store, (0, 54)).await;
    let begin = || {
        let mut batch = Batch::default();
        let restage = Restage {
            span: 0,
            from: 40,
            done: 45,
        };
        put_restage(&mut batch, &restage);
        store.commit(vec![batch]).unwrap();
    };
    let end = || {
        let mut batch = Batch::default();
        delete_restage(&mut batch, 0);
        store.commit(vec![batch]).unwrap();
    };
    let waits = |heads: &Heads| {
        let why = heads.trouble().unwrap_or_default();
        heads.branch().blocks().is_empty() && why.contains("done up to block 45")
    };
    begin();
    let alone = alone(&node, &store).await;
    alone.until("waits", waits).await;
    end();
    let best = node.hash(60).unwrap();
    let branch = alone.best(best).await;
    assert_eq!(dump(&branch), fresh(&node, &store, best).await);
    alone
        .until("content", |heads| heads.trouble().is_none())
        .await;
    // And when there were some already.
    begin();
    node.advance(1);
    alone.until("waits again", waits).await;
    end();
    let best = node.hash(61).unwrap();
    let branch = alone.best(best).await;
    assert_eq!(dump(&branch), fresh(&node, &store, best).await);
    node.stop().await;
}
