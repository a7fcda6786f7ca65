//! One recording played several times as one chain.

use replay_node::{Mode, Options};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn laps_form_one_valid_chain() {
    let recording = mini();
    let node = node(Options {
        repeat: 4,
        ..Options::default()
    })
    .await;
    let client = connect(&node).await;
    assert_eq!(node.end(), 4 * 329);
    assert_eq!(node.head(), 4 * 329);
    let mut parent = json!(recording.block(328).unwrap().hash);
    for number in 329..=2 * 329 + 3 {
        let hash = ask(&client, "chain_getBlockHash", json!([number])).await;
        let block = ask(&client, "chain_getBlock", json!([hash])).await;
        let header = &block["block"]["header"];
        assert_eq!(header["parentHash"], parent);
        assert_eq!(header["number"], format!("{number:#x}"));
        let decoded: chain_metadata::Header = serde_json::from_value(header.clone()).unwrap();
        assert_eq!(json!(hash_of(&decoded)), hash);

        // Extrinsics and storage are those of the recorded block.
        let source = (number - 1) % 329 + 1;
        let recorded = recording.block(source).unwrap();
        let extrinsics: Vec<_> = recorded.extrinsics.iter().map(|xt| to_hex(xt)).collect();
        assert_eq!(block["block"]["extrinsics"], json!(extrinsics));
        let key = hex::decode(&EVENTS[2..]).unwrap();
        let events = ask(&client, "state_getStorage", json!([EVENTS, hash])).await;
        assert_eq!(events, json!(recording.storage(source, &key).map(to_hex)));
        parent = hash;
    }
    // Recorded calls are answered in every lap.
    let call = &recording.calls()[0];
    let hash = node.hash(3 * 329 + call.block).unwrap();
    let list = json!([call.method, to_hex(&call.params), hash]);
    assert_eq!(bytes(&ask(&client, "state_call", list).await), call.result);
    node.stop().await;
}

#[tokio::test]
async fn a_live_chain_goes_on_into_the_next_lap() {
    let mode = Mode::Stepped { start: 328 };
    let node = node(Options {
        mode,
        repeat: 2,
        ..Options::default()
    })
    .await;
    let client = connect(&node).await;
    let mut finalized = heads(&client, "FinalizedHeads").await;
    let mut parent = next(&mut finalized).await;
    node.advance(3);
    for number in 329..=331 {
        let header = next(&mut finalized).await;
        assert_eq!(
            (header.number, header.parent_hash),
            (number, hash_of(&parent))
        );
        parent = header;
    }
    node.stop().await;
}
