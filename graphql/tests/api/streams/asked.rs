//! What is asked of a stream: filters, records, cursors of others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use graphql::streams::{
    CursorError, Filter, StreamCursor, StreamError, StreamMessage, Topic, Wanted,
};

use super::{Joined, first, next, streams as streams_of, until_block};
use crate::fake::{Fake, account};

#[tokio::test]
async fn filters_pass_what_they_say_and_refuse_what_they_do_not_know() {
    let fake = Arc::new(Fake::new());
    let streams = streams_of(&fake);
    let follow = |topic: Topic, filter: Filter| streams.follow(topic, filter, first(topic));
    let filter = |netuids: &[u16], hotkeys: &[u8], kinds: &[&str]| Filter {
        netuids: (!netuids.is_empty()).then(|| netuids.to_vec()),
        hotkeys: (!hotkeys.is_empty()).then(|| hotkeys.iter().map(|n| account(*n)).collect()),
        kinds: (!kinds.is_empty()).then(|| kinds.iter().map(|kind| (*kind).to_owned()).collect()),
    };
    for (topic, filter, count) in [
        (Topic::Weights, filter(&[1], &[], &[]), 8),
        (Topic::Weights, filter(&[], &[2], &["hash_reveal"]), 8),
        (Topic::Commits, filter(&[], &[7], &["made"]), 11),
        (Topic::Commits, filter(&[1], &[], &["HASH"]), 22),
        (Topic::Commits, filter(&[], &[], &["MADE", "HASH"]), 11),
        (
            Topic::Stake,
            filter(&[1], &[3], &["moved_and_transferred"]),
            5,
        ),
        (Topic::Stake, filter(&[2], &[], &[]), 11),
    ] {
        let mut stream = follow(topic, filter).unwrap();
        let mut joined = Joined::default();
        while joined.items.len() < count {
            joined.take(next(&mut stream).await);
        }
        let more = tokio::time::timeout(Duration::from_millis(50), async {
            while !matches!(next(&mut stream).await, StreamMessage::Item { .. }) {}
        });
        assert!(more.await.is_err(), "{topic}: more than {count}");
    }
    for (topic, filter, word) in [
        (Topic::Blocks, filter(&[1], &[], &[]), "netuid"),
        (Topic::Epochs, filter(&[], &[1], &[]), "hotkey"),
        (Topic::Epochs, filter(&[], &[], &["a"]), "kind"),
        (Topic::Weights, filter(&[], &[], &["MADE"]), "it has DIRECT"),
    ] {
        match follow(topic, filter) {
            Err(StreamError::Filter(text)) => assert!(text.contains(word), "{text}"),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{topic} took it"),
        }
    }
}

#[tokio::test]
async fn an_empty_list_passes_nothing() {
    let fake = Arc::new(Fake::with(|held| held.unfinalized = Some(0)));
    let streams = streams_of(&fake);
    let filters = [
        (Topic::Blocks, None, None),
        (Topic::Weights, Some(vec![]), None),
        (Topic::Commits, Some(vec![]), None),
        (Topic::Stake, Some(vec![]), None),
        (Topic::Epochs, None, Some(vec![])),
        (Topic::Commits, None, Some(vec![])),
    ];
    for (topic, kinds, netuids) in filters {
        let nothing = kinds.is_some() || netuids.is_some();
        let filter = Filter {
            kinds,
            netuids,
            hotkeys: None,
        };
        let wanted = Wanted {
            topic,
            filter,
            after: first(topic),
            unfinalized: true,
        };
        let mut stream = streams.follow_all(wanted).unwrap();
        next(&mut stream).await;
        let last = fake.commit(&[]);
        // A heartbeat that knows of the new block comes behind everything.
        let found = loop {
            match next(&mut stream).await {
                StreamMessage::Heartbeat {
                    cursor,
                    indexed: Some(indexed),
                    ..
                } if indexed == last && cursor.block() == Some(last) => break None,
                StreamMessage::Heartbeat { .. } => {}
                other => break Some(other),
            }
        };
        assert_eq!(found.is_none(), nothing, "{topic}: {found:?}");
    }
}

#[tokio::test]
async fn records_of_results_follow_each_other() {
    let fake = Arc::new(Fake::new());
    let streams = streams_of(&fake);
    let follow = |after| {
        streams
            .follow(Topic::Scores, Filter::default(), after)
            .unwrap()
    };
    let number = |message: &StreamMessage| match message {
        StreamMessage::Item { value, .. } => {
            value["number"].as_str().unwrap().parse::<u64>().unwrap()
        }
        other => panic!("{other:?}"),
    };
    let mut new = follow(None);
    assert!(matches!(
        next(&mut new).await,
        StreamMessage::Heartbeat { .. }
    ));
    let mut old = follow(first(Topic::Scores));
    next(&mut old).await;
    for expected in 0..300 {
        let message = next(&mut old).await;
        assert_eq!(number(&message), expected);
        let mut again = follow(Some(message.cursor()));
        next(&mut again).await;
        if expected % 50 == 0 {
            assert_eq!(number(&next(&mut again).await), expected + 1);
        }
    }
    fake.held().records = 302;
    for stream in [&mut old, &mut new] {
        for expected in [300, 301] {
            assert_eq!(number(&next(stream).await), expected);
        }
    }
}

#[tokio::test]
async fn cursors_of_others_are_refused() {
    let fake = Arc::new(Fake::new());
    let streams = streams_of(&fake);
    let mut stream = streams
        .follow(Topic::Blocks, Filter::default(), first(Topic::Blocks))
        .unwrap();
    let mut joined = Joined::default();
    until_block(&mut joined, &mut stream, 12).await;
    let cursor = joined.cursor.unwrap();
    match streams.follow(Topic::Stake, Filter::default(), Some(cursor)) {
        Err(StreamError::Cursor(CursorError::OtherTopic { found, wanted })) => {
            assert_eq!((found, wanted), (Topic::Blocks, Topic::Stake));
        }
        _ => panic!("taken"),
    }
    // Another chain: final there, and unknown here.
    let other = Arc::new(Fake::with(|held| held.branches = BTreeMap::from([(0, 9)])));
    let mut stream = streams_of(&other)
        .follow(Topic::Blocks, Filter::default(), Some(cursor))
        .unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error, StreamError::OtherChain { block: 12 });
    assert!(stream.next().await.is_none());
    // From the future: it waits, and says how far the store is.
    let mut bytes = hex(&cursor.encode());
    bytes[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let future = StreamCursor::decode_for(Topic::Blocks, &text).unwrap();
    let mut stream = streams
        .follow(Topic::Blocks, Filter::default(), Some(future))
        .unwrap();
    let message = next(&mut stream).await;
    assert!(matches!(
        message,
        StreamMessage::Heartbeat {
            indexed: Some(20),
            ..
        }
    ));
    let idle = tokio::time::timeout(Duration::from_millis(50), stream.next()).await;
    assert!(idle.is_err());
}

/// A cursor of blocks behind `index` items of a block that begins with these bytes.
fn behind(block: u32, fork: &[u8], index: u32, base: u32) -> StreamCursor {
    let mut bytes = vec![b'B'];
    bytes.extend(block.to_be_bytes());
    bytes.extend(&fork[..8]);
    bytes.extend(index.to_be_bytes());
    bytes.extend(base.to_be_bytes());
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    StreamCursor::decode_for(Topic::Blocks, &text).unwrap()
}

#[tokio::test]
async fn a_cursor_below_the_first_block_is_held_against_its_parent() {
    const END: u32 = u32::MAX;
    let fake = Arc::new(Fake::with(|held| held.first = Some(15)));
    let streams = streams_of(&fake);
    let follow = |cursor| {
        streams
            .follow(Topic::Blocks, Filter::default(), Some(cursor))
            .unwrap()
    };
    let right = fake.held().hash(14).0;
    let other = [0xee; 8];
    let mut joined = Joined::default();
    until_block(&mut joined, &mut follow(behind(14, &right, END, 14)), 20).await;
    assert_eq!(joined.blocks(), super::chain(&fake, 15..=20));
    // Final on another chain, whole or in the middle of the block.
    for index in [END, 1] {
        let mut stream = follow(behind(14, &other, index, 14));
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error, StreamError::OtherChain { block: 14 });
        assert!(stream.next().await.is_none());
    }
    // Not final then: back to where all was, of which nothing is stored.
    let mut stream = follow(behind(14, &other, END, 10));
    let back = next(&mut stream).await;
    assert!(
        matches!(back, StreamMessage::Retracted { above: 10, .. }),
        "{back:?}"
    );
    let mut joined = Joined::default();
    until_block(&mut joined, &mut stream, 20).await;
    assert_eq!(joined.blocks(), super::chain(&fake, 15..=20));
    let lagged = |message: &&StreamMessage| {
        matches!(
            message,
            StreamMessage::Lagged {
                from: 11,
                to: 14,
                ..
            }
        )
    };
    assert_eq!(joined.seen.iter().filter(lagged).count(), 1);
}

#[tokio::test]
async fn a_block_that_does_not_go_on_from_the_cursor_ends_the_stream() {
    let fake = Arc::new(Fake::with(|held| held.holes = vec![(11, 14)]));
    let streams = streams_of(&fake);
    let cursor = behind(12, &[0xee; 8], u32::MAX, 12);
    let mut stream = streams
        .follow(Topic::Blocks, Filter::default(), Some(cursor))
        .unwrap();
    // Neither the block nor the next one is there to be compared.
    let beat = next(&mut stream).await;
    assert!(matches!(beat, StreamMessage::Heartbeat { .. }), "{beat:?}");
    // Then the next one comes, before the stream has gone on.
    fake.held().holes = vec![(11, 12)];
    // The hub looks again after a second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let end = tokio::time::timeout(Duration::from_secs(30), stream.next()).await;
    let error = end.expect("silence").unwrap().unwrap_err();
    assert_eq!(error, StreamError::OtherChain { block: 12 });
}

#[tokio::test]
async fn what_was_read_before_ranges_were_joined_is_read_again() {
    let fake = Arc::new(Fake::with(|held| held.holes = vec![(11, 14)]));
    let streams = streams_of(&fake);
    let all = async || {
        let topic = Topic::Commits;
        let mut stream = streams
            .follow(topic, Filter::default(), first(topic))
            .unwrap();
        until_block(&mut Joined::default(), &mut stream, 20).await;
        fake.take_counts().get("happenings").copied()
    };
    // Six recent blocks one by one, and the old one.
    assert_eq!(all().await, Some(7));
    assert_eq!(all().await, Some(1), "recent blocks are shared");
    fake.held().holes.clear();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(
        all().await,
        Some(11),
        "what follows from older blocks may be other now"
    );
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
