//! Streams over the store in memory: replay and live are one, whatever comes between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chain_metadata::{BlockNumber, H256};
use futures::StreamExt;
use graphql::streams::{
    Filter, Messages, StreamCursor, StreamMessage, StreamOptions, Streams, Topic, Wanted,
};
use graphql::{Limits, Reader};
use serde_json::Value;

use crate::fake::Fake;
use crate::fake::streams::until;

mod asked;
mod events;

fn streams(fake: &Arc<Fake>) -> Streams {
    every(fake, Duration::from_secs(3600))
}

fn every(fake: &Arc<Fake>, heartbeat: Duration) -> Streams {
    let reader: Arc<dyn Reader> = fake.clone();
    Streams::new(reader, &Limits::default(), StreamOptions { heartbeat })
}

fn wanted(topic: Topic, after: Option<StreamCursor>, unfinalized: bool) -> Wanted {
    Wanted {
        topic,
        filter: Filter::default(),
        after,
        unfinalized,
    }
}

/// What a client has put together, and where it stands.
#[derive(Default, Clone)]
struct Joined {
    items: BTreeMap<(BlockNumber, usize), (H256, Value)>,
    cursor: Option<StreamCursor>,
    seen: Vec<StreamMessage>,
}

impl Joined {
    fn take(&mut self, message: StreamMessage) {
        match &message {
            StreamMessage::Item {
                block,
                block_hash,
                value,
                ..
            } => {
                let block = block.unwrap();
                let at = self.items.range((block, 0)..=(block, usize::MAX)).count();
                if let Some(last) = self.items.keys().next_back() {
                    assert!(block >= last.0, "block {block} after {last:?}");
                }
                let item = (block_hash.unwrap(), Value::clone(value));
                self.items.insert((block, at), item);
            }
            StreamMessage::Retracted { above, .. } => {
                self.items.retain(|(block, _), _| block <= above);
            }
            StreamMessage::Lagged { .. } | StreamMessage::Heartbeat { .. } => {}
        }
        self.cursor = Some(message.cursor());
        self.seen.push(message);
    }

    fn blocks(&self) -> Vec<(BlockNumber, H256)> {
        let items = self.items.iter();
        let mut blocks: Vec<_> = items
            .map(|((block, _), (hash, _))| (*block, *hash))
            .collect();
        blocks.dedup();
        blocks
    }
}

async fn next(stream: &mut Messages) -> StreamMessage {
    let next = tokio::time::timeout(Duration::from_secs(30), stream.next()).await;
    next.expect("silence").expect("it ended").unwrap()
}

/// Takes messages until the last item is of this block.
async fn until_block(joined: &mut Joined, stream: &mut Messages, block: BlockNumber) {
    while joined.items.keys().next_back().map(|key| key.0) != Some(block) {
        joined.take(next(stream).await);
    }
}

fn chain(fake: &Fake, blocks: std::ops::RangeInclusive<u32>) -> Vec<(BlockNumber, H256)> {
    let held = fake.held();
    blocks.map(|number| (number, held.hash(number))).collect()
}

fn first(topic: Topic) -> Option<StreamCursor> {
    Some(StreamCursor::decode_for(topic, "first").unwrap())
}

#[tokio::test]
async fn replay_goes_on_live_without_a_seam() {
    let fake = Arc::new(Fake::new());
    let streams = streams(&fake);
    let topic = Topic::Blocks;
    let mut old = streams
        .follow(topic, Filter::default(), first(topic))
        .unwrap();
    let mut new = streams.follow(topic, Filter::default(), None).unwrap();
    let beat = next(&mut new).await;
    let StreamMessage::Heartbeat { indexed, .. } = beat else {
        panic!("{beat:?}");
    };
    assert_eq!((indexed, beat.cursor().block()), (Some(20), Some(20)));
    let (mut a, mut b) = (Joined::default(), Joined::default());
    // What is stored during the replay is neither missed nor told twice.
    until_block(&mut a, &mut old, 15).await;
    for _ in 0..5 {
        fake.commit(&[]);
    }
    until_block(&mut a, &mut old, 25).await;
    until_block(&mut b, &mut new, 25).await;
    assert_eq!(a.blocks(), chain(&fake, 10..=25));
    assert_eq!(b.blocks(), chain(&fake, 21..=25));
    assert_eq!(a.items.len(), 16);
}

#[tokio::test]
async fn a_long_replay_is_read_in_small_pieces() {
    let fake = Arc::new(Fake::with(|held| held.last = Some(1_000)));
    let streams = streams(&fake);
    let topic = Topic::Stake;
    let mut stream = streams
        .follow(topic, Filter::default(), first(topic))
        .unwrap();
    let mut joined = Joined::default();
    until_block(&mut joined, &mut stream, 100).await;
    let counts = fake.take_counts();
    // Never further ahead of its client than a few blocks.
    assert!(counts["happenings"] <= 12, "{counts:?}");
    fake.commit(&[]);
    until_block(&mut joined, &mut stream, 1_001).await;
    assert_eq!(joined.blocks(), chain(&fake, 10..=1_001));
}

#[tokio::test]
async fn every_cursor_gives_exactly_the_rest() {
    let fake = Arc::new(Fake::new());
    fake.held().epochs = (10..=20).map(|block| (block, vec![1, 2])).collect();
    let streams = streams(&fake);
    let topics = Topic::ALL
        .into_iter()
        .filter(|topic| *topic != Topic::Scores);
    for topic in topics {
        let mut stream = streams
            .follow(topic, Filter::default(), first(topic))
            .unwrap();
        let mut whole = Joined::default();
        let mut states = Vec::new();
        until_block(&mut whole, &mut stream, 20).await;
        // All items of the last block.
        let last = 20_u32;
        let (_, rest) = whole.items.iter().next_back().unwrap();
        assert_eq!(rest.0, fake.held().hash(last));
        let all: Vec<_> = {
            let mut again = streams
                .follow(topic, Filter::default(), first(topic))
                .unwrap();
            let mut joined = Joined::default();
            let expected = match topic {
                Topic::Blocks | Topic::Stake => 11,
                Topic::Weights => 16,
                _ => 22,
            };
            while joined.items.len() < expected {
                joined.take(next(&mut again).await);
                states.push(joined.clone());
            }
            joined.items.into_iter().collect()
        };
        for state in states {
            let cursor = state.cursor.unwrap();
            let text = cursor.encode();
            let cursor = StreamCursor::decode_for(topic, &text).unwrap();
            let mut stream = streams
                .follow(topic, Filter::default(), Some(cursor))
                .unwrap();
            let mut state = state;
            while state.items.len() < all.len() {
                state.take(next(&mut stream).await);
            }
            assert_eq!(state.items.into_iter().collect::<Vec<_>>(), all, "{topic}");
            // Nothing follows: the next thing is a block that is new.
            let mut quiet = Joined::default();
            let idle = tokio::time::timeout(Duration::from_millis(20), stream.next()).await;
            if let Ok(Some(Ok(message))) = idle {
                quiet.take(message);
            }
            assert!(quiet.items.is_empty(), "{topic}");
        }
    }
}

#[tokio::test]
async fn forks_are_retracted_and_the_stream_goes_on() {
    let fake = Arc::new(Fake::with(|held| held.unfinalized = Some(0)));
    let streams = streams(&fake);
    let wanted = wanted(Topic::Weights, first(Topic::Weights), true);
    let mut stream = streams.follow_all(wanted).unwrap();
    let mut joined = Joined::default();
    for _ in 0..5 {
        fake.add();
    }
    until_block(&mut joined, &mut stream, 25).await;
    // The other row of that block.
    joined.take(next(&mut stream).await);
    let lost = chain(&fake, 22..=25);
    let before = joined.items.clone();
    fake.fork(22, 1, 4);
    let mut message = next(&mut stream).await;
    while matches!(message, StreamMessage::Heartbeat { .. }) {
        message = next(&mut stream).await;
    }
    let StreamMessage::Retracted { above, blocks, .. } = &message else {
        panic!("{message:?}");
    };
    let told: Vec<_> = lost.iter().rev().copied().collect();
    assert_eq!((*above, blocks), (21, &told));
    joined.take(message);
    until_block(&mut joined, &mut stream, 25).await;
    assert_ne!(joined.items, before);
    // Becoming final changes nothing that was told.
    let number = fake.commit(&[]);
    assert_eq!(number, 21);
    fake.commit(&[]);
    fake.add();
    fake.add();
    until_block(&mut joined, &mut stream, 26).await;
    let expected: Vec<_> = chain(&fake, 10..=26)
        .into_iter()
        .filter(|(number, _)| !number.is_multiple_of(3))
        .collect();
    assert_eq!(joined.blocks(), expected);
    // What became final is told, in a heartbeat behind it.
    while !matches!(
        joined.seen.last(),
        Some(StreamMessage::Heartbeat {
            indexed: Some(22),
            ..
        })
    ) {
        joined.take(next(&mut stream).await);
    }
    assert_eq!(joined.blocks(), expected);
}

#[tokio::test]
async fn a_cursor_of_a_branch_that_lost_is_retracted_first() {
    let fake = Arc::new(Fake::with(|held| held.unfinalized = Some(0)));
    let streams = streams(&fake);
    for _ in 0..5 {
        fake.add();
    }
    let topic = Topic::Commits;
    let mut whole = Joined::default();
    let mut stream = streams
        .follow_all(wanted(topic, first(topic), true))
        .unwrap();
    let mut states = Vec::new();
    while whole.items.len() < 32 {
        whole.take(next(&mut stream).await);
        states.push(whole.clone());
    }
    drop(stream);
    fake.fork(23, 1, 4);
    // One who knows nothing of what was before.
    let streams = self::streams(&fake);
    for final_too in [false, true] {
        if final_too {
            for _ in 0..6 {
                fake.commit(&[]);
            }
        }
        for unfinalized in [true, false] {
            if !unfinalized && !final_too {
                continue;
            }
            for state in &states {
                let cursor = state.cursor.unwrap();
                let mut state = state.clone();
                let taken = state.seen.len();
                let asked = wanted(topic, Some(cursor), unfinalized);
                let mut stream = streams.follow_all(asked).unwrap();
                while state.items.len() < 34 || state.blocks() != chain(&fake, 10..=26) {
                    state.take(next(&mut stream).await);
                }
                let first = &state.seen[taken];
                let gone = cursor.block() >= Some(23);
                let retracted = matches!(first, StreamMessage::Retracted { above: 20, .. });
                assert_eq!(retracted, gone, "{cursor:?}: {first:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_shorter_branch_is_told_too() {
    let fake = Arc::new(Fake::with(|held| held.unfinalized = Some(0)));
    let streams = streams(&fake);
    let mut stream = streams
        .follow_all(wanted(Topic::Blocks, None, true))
        .unwrap();
    let mut joined = Joined::default();
    joined.take(next(&mut stream).await);
    for _ in 0..4 {
        fake.add();
    }
    until_block(&mut joined, &mut stream, 24).await;
    fake.fork(22, 5, 1);
    while joined.blocks() != chain(&fake, 21..=22) {
        joined.take(next(&mut stream).await);
    }
    // And one without any block of its own.
    fake.fork(21, 6, 0);
    while !joined.items.is_empty() {
        joined.take(next(&mut stream).await);
    }
    fake.add();
    until_block(&mut joined, &mut stream, 21).await;
    assert_eq!(joined.blocks(), chain(&fake, 21..=21));
}

#[tokio::test]
async fn blocks_that_are_not_stored_are_lagged() {
    let fake = Arc::new(Fake::with(|held| held.holes = vec![(13, 16)]));
    let streams = streams(&fake);
    let topic = Topic::Blocks;
    let mut stream = streams
        .follow(topic, Filter::default(), first(topic))
        .unwrap();
    let mut joined = Joined::default();
    until_block(&mut joined, &mut stream, 20).await;
    let lagged = |joined: &Joined| -> Vec<(u32, u32)> {
        let seen = joined.seen.iter();
        seen.filter_map(|message| match message {
            StreamMessage::Lagged { from, to, why, .. } => {
                assert!(why.contains("not stored"), "{why}");
                Some((*from, *to))
            }
            _ => None,
        })
        .collect()
    };
    assert_eq!(lagged(&joined), [(13, 16)]);
    let blocks: Vec<_> = [chain(&fake, 10..=12), chain(&fake, 17..=20)].concat();
    assert_eq!(joined.blocks(), blocks);
    // Behind the gap the cursor works as any other.
    let behind = joined.seen.iter().find_map(|message| match message {
        StreamMessage::Lagged { cursor, .. } => Some(*cursor),
        _ => None,
    });
    let mut stream = streams.follow(topic, Filter::default(), behind).unwrap();
    let mut rest = Joined::default();
    until_block(&mut rest, &mut stream, 20).await;
    assert_eq!(rest.blocks(), chain(&fake, 17..=20));
    // When the blocks are there, they are told to whoever asks from before.
    fake.held().holes.clear();
    let before = joined.seen.iter().find(|m| m.cursor().block() == Some(12));
    let cursor = before.map(StreamMessage::cursor);
    let streams = self::streams(&fake);
    let mut stream = streams.follow(topic, Filter::default(), cursor).unwrap();
    let mut rest = Joined::default();
    until_block(&mut rest, &mut stream, 20).await;
    assert_eq!(rest.blocks(), chain(&fake, 13..=20));
    // A cursor from below all that is stored.
    fake.held().first = Some(15);
    let streams = self::streams(&fake);
    let mut stream = streams.follow(topic, Filter::default(), cursor).unwrap();
    let mut rest = Joined::default();
    until_block(&mut rest, &mut stream, 20).await;
    assert_eq!(lagged(&rest), [(13, 14)]);
    assert_eq!(rest.blocks(), chain(&fake, 15..=20));
}

#[tokio::test]
async fn what_is_made_again_is_waited_for() {
    let fake = Arc::new(Fake::with(|held| held.restaged = Some(14)));
    let streams = streams(&fake);
    let topic = Topic::Commits;
    let mut stream = streams
        .follow(topic, Filter::default(), first(topic))
        .unwrap();
    let mut joined = Joined::default();
    until_block(&mut joined, &mut stream, 14).await;
    joined.take(next(&mut stream).await);
    let idle = tokio::time::timeout(Duration::from_millis(50), stream.next()).await;
    assert!(idle.is_err(), "{idle:?}");
    assert_eq!(joined.blocks(), chain(&fake, 10..=14));
    fake.held().restaged = None;
    until_block(&mut joined, &mut stream, 20).await;
    assert_eq!(joined.blocks(), chain(&fake, 10..=20));
}

#[tokio::test]
async fn a_slow_client_costs_the_others_nothing_and_loses_nothing() {
    let fake = Arc::new(Fake::new());
    let streams = streams(&fake);
    let mut slow = streams
        .follow(Topic::Blocks, Filter::default(), None)
        .unwrap();
    next(&mut slow).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut stream = streams
            .follow(Topic::Blocks, Filter::default(), None)
            .unwrap();
        next(&mut stream).await;
        clients.push((stream, Joined::default()));
    }
    fake.take_counts();
    const BLOCKS: u32 = 400;
    for block in 21..=20 + BLOCKS {
        fake.commit(&[]);
        for (stream, joined) in &mut clients {
            until_block(joined, stream, block).await;
        }
    }
    // One look and one read of each block, and a few more looks when one is old.
    let counts = fake.take_counts();
    assert_eq!(counts.get("happenings"), Some(&400), "{counts:?}");
    assert!(counts["status"] < 600, "{counts:?}");
    let mut joined = Joined::default();
    until_block(&mut joined, &mut slow, 20 + BLOCKS).await;
    assert_eq!(joined.blocks(), chain(&fake, 21..=20 + BLOCKS));
    for (_, client) in &clients {
        assert_eq!(client.items, joined.items);
    }
    // Nobody follows, nobody listens.
    assert_eq!(fake.listeners(), 2);
    drop((slow, clients));
    until("nobody listens", || fake.listeners() == 0).await;
}

#[tokio::test]
async fn heartbeats_come_and_move_the_cursor() {
    let fake = Arc::new(Fake::with(|held| held.node_finalized = Some(33)));
    let streams = every(&fake, Duration::from_millis(20));
    let filter = Filter {
        netuids: Some(vec![9]),
        ..Filter::default()
    };
    let mut stream = streams.follow(Topic::Weights, filter, None).unwrap();
    fake.commit(&[]);
    // No item passes the filter, and yet the place moves.
    loop {
        let StreamMessage::Heartbeat {
            cursor,
            indexed,
            finalized,
            at_ms,
        } = next(&mut stream).await
        else {
            panic!("an item");
        };
        assert_eq!(finalized, Some(33));
        assert!(at_ms > 1_600_000_000_000);
        if indexed == Some(21) && cursor.block() == Some(21) {
            break;
        }
    }
}
