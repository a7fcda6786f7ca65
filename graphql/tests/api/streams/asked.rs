//! What is asked of a stream: filters, records, cursors of others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use graphql::streams::{CursorError, Filter, StreamCursor, StreamError, StreamMessage, Topic};

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

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
