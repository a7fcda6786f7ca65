//! A quarter of an hour's faults in seconds: road and heads over nodes that drop,
//! stall, lie, go back and fork, by a schedule that is the same every time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chain_metadata::H256;
use indexer::against::{Samples, compare};
use indexer::check::check;
use indexer::heads::HeadEvent;
use indexer::source::rpc::{RpcOptions, RpcSource, Tuning};
use indexer::source::{BestHead, Bytes, ChainSource, RawBlock, RawRuntime, SourceError, Want};
use indexer::store::Store;
use replay_node::{HashFault, ReplayNode};

use super::{Live, dump, fresh, live, stepped, undisturbed};
use crate::context::{connect, node};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap() % limit
    }
}

const METHODS: [&str; 5] = [
    "chain_getBlock",
    "chain_getBlockHash",
    "chain_getHeader",
    "chain_getFinalizedHead",
    "state_queryStorageAt",
];

/// Does one thing to a node; what it was.
fn disturb(node: &ReplayNode, numbers: &mut Numbers) -> &'static str {
    let faults = node.faults();
    let method = METHODS[usize::try_from(numbers.below(5)).unwrap()];
    let times = u64::from(1 + numbers.below(2));
    match numbers.below(14) {
        0 => {
            faults.drop_connections();
            "dropped connections"
        }
        1 => {
            faults.drop_every(u64::from(2 + numbers.below(5)));
            "drops now and then"
        }
        2 => {
            faults.drop_on(method, times);
            "drops at a method"
        }
        3 => {
            faults.delay(Duration::from_millis(1800));
            "stalls"
        }
        4 => {
            faults.truncate(method, times);
            "truncated answers"
        }
        5 => {
            faults.oversize(method, times, 8);
            "answers with too much in them"
        }
        6 => {
            faults.oversize(method, times, 9 << 20);
            "answers above the limit"
        }
        7 => {
            faults.hashes(HashFault::Null);
            "null hashes"
        }
        8 => {
            faults.hashes(HashFault::Zero);
            "zero hashes"
        }
        9 => {
            faults.go_back(1 + numbers.below(12));
            "goes back"
        }
        10 => {
            faults.lag(1 + numbers.below(8));
            "lags"
        }
        11 => {
            faults.mute(true);
            "tells no heads"
        }
        12 => {
            faults.refuse_connections(true);
            faults.drop_connections();
            "refuses connections"
        }
        _ => {
            faults.fail(method, times);
            "errors"
        }
    }
}

/// What a subscriber knows of the chain from the events alone.
#[derive(Default)]
struct Told {
    last: Option<u32>,
    above: Vec<(u32, H256)>,
    retracted: usize,
}

impl Told {
    fn hear(&mut self, event: HeadEvent, node: &ReplayNode) {
        match event {
            HeadEvent::Added { number, hash, .. } => {
                let top = self.above.last().map(|(number, _)| *number).or(self.last);
                assert_eq!(Some(number), top.map(|top| top + 1), "no gap, no duplicate");
                self.above.push((number, hash));
            }
            HeadEvent::Retracted { number, hash } => {
                assert_eq!(self.above.pop(), Some((number, hash)), "from the top down");
                self.retracted += 1;
            }
            HeadEvent::Finalized { number, hash } => {
                assert_eq!(Some(hash), node.hash(number));
                assert!(self.last.is_none_or(|last| number == last + 1));
                if !self.above.is_empty() {
                    assert_eq!(self.above.remove(0), (number, hash));
                }
                self.last = Some(number);
            }
        }
    }
}

async fn source(nodes: &[&ReplayNode], genesis: H256) -> Arc<RpcSource> {
    let urls: Vec<String> = nodes.iter().map(|node| node.ws_url()).collect();
    let options = RpcOptions {
        timeout: Duration::from_millis(1500),
        patience: None,
        genesis: Some(genesis),
    };
    let tuning = Tuning {
        silence: Duration::from_millis(400),
        max_answer: 8 << 20,
    };
    let source = RpcSource::connect_tuned(&urls, options, tuning).await;
    Arc::new(source.unwrap())
}

/// Waits until one of these is the best block.
async fn seen(live: &Live, tips: &[H256]) {
    let started = std::time::Instant::now();
    loop {
        let best = live.heads.branch().best();
        if best.is_some_and(|(_, hash)| tips.contains(&hash)) {
            return;
        }
        let why = live.heads.trouble();
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "{best:?} {why:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_of_an_hour_of_faults_changes_nothing() {
    const LAG: u32 = 3;
    let (one, two) = (stepped(40, LAG).await, stepped(40, LAG).await);
    let stranger = node("upgrades").await;
    let genesis = one.hash(0).unwrap();
    stranger.faults().genesis(Some(H256([7; 32])));
    let source = source(&[&stranger, &one, &two], genesis).await;
    let mut live = live(source, Store::in_memory().unwrap()).await;
    live.settled(one.hash(40).unwrap(), 40 - LAG).await;

    let mut numbers = Numbers(20_260_310);
    let mut told = Told::default();
    let mut faults: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut most_held, mut forks_seen) = (0, 0);
    for round in 0..50 {
        let (bad, other) = if numbers.below(2) == 0 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        *faults.entry(disturb(bad, &mut numbers)).or_default() += 1;
        // Now and then both, so that nobody is left to ask.
        if numbers.below(6) == 0 {
            *faults.entry(disturb(other, &mut numbers)).or_default() += 1;
        }
        if numbers.below(3) == 0 {
            let depth = 1 + numbers.below(8);
            // At one height, so that neither's finality passes the other's fork.
            let top = one.head().max(two.head());
            for node in [&one, &two] {
                node.advance(top - node.head());
            }
            // Whichever is heard; the two need not agree.
            let (first, second) = (one.faults().fork(depth), two.faults().fork(9 - depth));
            *faults.entry("forks").or_default() += 1;
            if numbers.below(3) == 0 {
                // Some of the forks are seen whole before they lose.
                one.faults().clear();
                two.faults().clear();
                let tips = [first.last(), second.last()];
                seen(&live, &tips.map(|tip| *tip.unwrap())).await;
                forks_seen += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(u64::from(20 + numbers.below(100)))).await;
        for node in [&one, &two] {
            // Both come to the same height in the end, at different times.
            let target = (44 + round * 5).min(node.end());
            node.advance(
                target
                    .saturating_sub(node.head())
                    .min(1 + numbers.below(12)),
            );
        }
        tokio::time::sleep(Duration::from_millis(u64::from(20 + numbers.below(60)))).await;
        one.faults().clear();
        two.faults().clear();
        most_held = most_held.max(live.heads.branch().blocks().len());
        while let Ok(event) = live.events.try_recv() {
            told.hear(event, &one);
        }
    }
    assert_eq!(faults.len(), 15, "{faults:?}");

    one.advance(1_000);
    two.advance(1_000);
    let end = one.end();
    let best = one.hash(end).unwrap();
    let branch = live.settled(best, end - LAG).await;
    while let Ok(event) = live.events.try_recv() {
        told.hear(event, &one);
    }
    assert_eq!(told.last, Some(end - LAG));
    let held: Vec<_> = branch.blocks().iter().map(|b| (b.number, b.hash)).collect();
    assert_eq!(told.above, held);
    assert!(forks_seen >= 4, "{forks_seen}");
    assert!(
        told.retracted >= forks_seen && most_held > 3,
        "{} {most_held}",
        told.retracted
    );
    assert_eq!(dump(&branch), fresh(&one, &live.store, best).await);
    assert_eq!(stranger.counts().of("chain_getBlock"), 0);
    assert!(one.counts().connections > 5 && two.counts().connections > 5);

    let store = live.end().await;
    assert_eq!(check(&store).unwrap(), undisturbed(end - LAG).await);
    let samples = Samples {
        count: 2_000,
        seed: 7,
    };
    let done = compare(&store, &*connect(&one).await, samples)
        .await
        .unwrap();
    // The first stakes were written past the runtime when the chain was recorded;
    // see the tests of state.
    let stakes = ["TotalHotkeyAlpha", "TotalHotkeyShares"];
    let recorder_set = |block, item: &str| {
        (12..=22).contains(&block) && stakes.iter().any(|stake| item.ends_with(stake))
    };
    let wrong = done.differences.iter();
    let wrong: Vec<_> = wrong.filter(|d| !recorder_set(d.block, &d.item)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    for node in [one, two, stranger] {
        node.stop().await;
    }
}

/// A source that gives another first extrinsic of one block, while told to.
struct Spoiled {
    inner: Arc<RpcSource>,
    block: H256,
    on: AtomicBool,
}

impl ChainSource for Spoiled {
    async fn genesis(&self) -> Result<H256, SourceError> {
        self.inner.genesis().await
    }
    async fn finalized(&self) -> Result<u32, SourceError> {
        self.inner.finalized().await
    }
    async fn finalized_above(&self, height: u32) -> Result<u32, SourceError> {
        self.inner.finalized_above(height).await
    }
    async fn best(&self, known: Option<H256>) -> Result<BestHead, SourceError> {
        self.inner.best(known).await
    }
    async fn hashes(&self, numbers: &[u32]) -> Result<Vec<H256>, SourceError> {
        self.inner.hashes(numbers).await
    }
    async fn blocks(&self, numbers: &[u32], want: &[Want]) -> Result<Vec<RawBlock>, SourceError> {
        let mut blocks = self.inner.blocks(numbers, want).await?;
        for block in &mut blocks {
            if block.hash == self.block && self.on.load(Ordering::SeqCst) {
                block.extrinsics[0] = vec![0xff; 7];
            }
        }
        Ok(blocks)
    }
    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        self.inner.storage(want).await
    }
    async fn keys(&self, at: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        self.inner.keys(at, prefix).await
    }
    async fn runtime(&self, at: H256) -> Result<RawRuntime, SourceError> {
        self.inner.runtime(at).await
    }
    async fn spec(&self, at: H256) -> Result<u32, SourceError> {
        self.inner.spec(at).await
    }
}

/// Waits until the heads are in trouble of this kind.
async fn trouble(live: &Live, kind: &str) -> String {
    let started = std::time::Instant::now();
    loop {
        match live.heads.trouble() {
            Some(why) if why.contains(kind) => return why,
            other => assert!(started.elapsed() < Duration::from_secs(20), "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_decode_does_not_stop_the_road() {
    let node = stepped(60, 4).await;
    let source = Arc::new(Spoiled {
        inner: connect(&node).await,
        block: node.hash(61).unwrap(),
        on: AtomicBool::new(true),
    });
    let mut live = live(source.clone(), Store::in_memory().unwrap()).await;
    live.settled(node.hash(60).unwrap(), 56).await;
    node.advance(1);
    let why = trouble(&live, "block 61").await;
    assert!(why.contains("extrinsic 0"), "{why}");
    node.advance(3);
    // The road goes on below it; the blocks before it stay.
    let branch = live.settled(node.hash(60).unwrap(), 60).await;
    assert_eq!(branch.blocks().len(), 0);
    trouble(&live, "block 61").await;
    source.on.store(false, Ordering::SeqCst);
    node.advance(1);
    live.settled(node.hash(65).unwrap(), 61).await;
    while live.heads.trouble().is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let store = live.end().await;
    assert_eq!(check(&store).unwrap(), undisturbed(61).await);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_heads_are_asked_for() {
    let node = stepped(60, 4).await;
    let genesis = node.hash(0).unwrap();
    let mut live = live(source(&[&node], genesis).await, Store::in_memory().unwrap()).await;
    live.settled(node.hash(60).unwrap(), 56).await;
    node.faults().mute(true);
    let fork = node.faults().fork(2);
    live.settled(fork[1], 56).await;
    node.advance(3);
    live.settled(node.hash(63).unwrap(), 59).await;
    live.end().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_unfinalized_blocks_are_waited_for() {
    let node = stepped(300, 299).await;
    let mut live = live(connect(&node).await, Store::in_memory().unwrap()).await;
    let why = trouble(&live, "unfinalized").await;
    assert!(why.contains("299 ") && why.contains("256"), "{why}");
    assert_eq!(live.heads.branch().blocks().len(), 0);
    assert_eq!(live.store.last().unwrap(), Some(1));
    // A head that goes back is all that is needed.
    node.faults().go_back(290);
    let branch = live.settled(node.hash(10).unwrap(), 1).await;
    assert_eq!(branch.blocks().len(), 9);
    live.end().await;
    node.stop().await;
}
