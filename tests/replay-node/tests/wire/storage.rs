//! `state_…` over storage.

use jsonrpsee::core::client::{ClientT, Subscription, SubscriptionClientT};
use jsonrpsee::core::params::BatchRequestBuilder;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn values_hashes_and_sizes() {
    let (node, recording) = (whole().await, mini());
    let client = connect(&node).await;
    let key = hex::decode(&EVENTS[2..]).unwrap();
    for number in [0, 1, 100, 329] {
        let at = recording.block(number).unwrap().hash;
        let value = recording.storage(number, &key);
        for method in ["state_getStorage", "state_getStorageAt"] {
            let answer = ask(&client, method, json!([EVENTS, at])).await;
            assert_eq!(answer, json!(value.map(to_hex)));
        }
        for method in ["state_getStorageHash", "state_getStorageHashAt"] {
            let answer = ask(&client, method, json!([EVENTS, at])).await;
            assert_eq!(answer, json!(value.map(blake2)));
        }
        for method in ["state_getStorageSize", "state_getStorageSizeAt"] {
            let answer = ask(&client, method, json!([EVENTS, at])).await;
            assert_eq!(answer, json!(value.map(<[u8]>::len)));
        }
    }
    assert!(recording.storage(329, &key).is_some());
    // Without a hash the best block is meant; block 329 is 0x149.
    assert_eq!(
        ask(&client, "state_getStorage", json!([NUMBER])).await,
        "0x49010000"
    );
    assert_eq!(
        ask(&client, "state_getStorage", json!([NUMBER, null])).await,
        "0x49010000"
    );
    assert_eq!(
        ask(&client, "state_getStorage", json!(["0xdead"])).await,
        Value::Null
    );
    assert_eq!(
        ask(&client, "state_getStorageSize", json!(["0xdead"])).await,
        Value::Null
    );
    node.stop().await;
}

#[tokio::test]
async fn an_unknown_block_is_an_error_that_names_it() {
    let node = whole().await;
    let client = connect(&node).await;
    let unknown = format!("0x{}", "12".repeat(32));
    for (method, list) in [
        ("state_getStorage", json!([EVENTS, unknown])),
        ("state_getStorageHash", json!([EVENTS, unknown])),
        ("state_getStorageSize", json!([EVENTS, unknown])),
        ("state_getKeysPaged", json!([EVENTS, 10, null, unknown])),
        ("state_getKeys", json!([EVENTS, unknown])),
        ("state_queryStorageAt", json!([[EVENTS], unknown])),
        ("state_getMetadata", json!([unknown])),
        ("state_getRuntimeVersion", json!([unknown])),
        ("state_call", json!(["Core_version", "0x", unknown])),
    ] {
        let (code, message) = refused(&client, method, list).await;
        assert_eq!(code, -32000, "{method}");
        assert!(
            message.contains("UnknownBlock") && message.contains(&unknown),
            "{message}"
        );
    }
    for (method, list) in [
        ("state_getStorage", json!([])),
        ("state_getStorage", json!(["0x26a"])),
        ("state_getStorage", json!([EVENTS, "0x12"])),
        ("state_getKeysPaged", json!([EVENTS])),
        ("state_queryStorageAt", json!([EVENTS])),
    ] {
        assert_eq!(refused(&client, method, list).await.0, -32602, "{method}");
    }
    node.stop().await;
}

#[tokio::test]
async fn pages_of_keys_are_in_order_and_complete() {
    let (node, recording) = (whole().await, mini());
    let client = connect(&node).await;
    let block = recording.block(200).unwrap();
    for (prefix, size) in [
        ("0x", 1000),
        (SYSTEM, 7),
        ("0x658faa385070e074c85bf6b568cf0555", 64),
    ] {
        let prefix_bytes = hex::decode(&prefix[2..]).unwrap();
        let all = recording.keys(200, &prefix_bytes, None, usize::MAX);
        assert!(all.len() > size && all.is_sorted());
        let mut got: Vec<Vec<u8>> = Vec::new();
        loop {
            let last = got.last().map(|key| to_hex(key));
            let list = json!([prefix, size, last, block.hash]);
            let page = ask(&client, "state_getKeysPaged", list).await;
            let page = page.as_array().unwrap();
            got.extend(page.iter().map(bytes));
            if page.len() < size {
                break;
            }
        }
        assert_eq!(got, all);
        let unpaged = ask(&client, "state_getKeys", json!([prefix, block.hash])).await;
        assert_eq!(unpaged.as_array().unwrap().len(), all.len());
    }
    let (code, message) = refused(&client, "state_getKeysPaged", json!(["0x", 1001])).await;
    assert_eq!(code, 4002);
    assert!(message.contains("1001"), "{message}");
    let none = ask(&client, "state_getKeysPaged", json!([null, 0])).await;
    assert_eq!(none, json!([]));
    node.stop().await;
}

#[tokio::test]
async fn many_values_at_one_block() {
    let (node, recording) = (whole().await, mini());
    let client = connect(&node).await;
    let block = recording.block(12).unwrap();
    let list = json!([[NUMBER, "0xdead", EVENTS], block.hash]);
    let answer = ask(&client, "state_queryStorageAt", list).await;
    let events = recording
        .storage(12, &hex::decode(&EVENTS[2..]).unwrap())
        .unwrap();
    let changes = json!([
        [NUMBER, "0x0c000000"],
        ["0xdead", null],
        [EVENTS, to_hex(events)]
    ]);
    assert_eq!(answer, json!([{"block": block.hash, "changes": changes}]));
    node.stop().await;
}

#[tokio::test]
async fn a_batch_of_everything() {
    let (node, recording) = (whole().await, mini());
    let client = connect(&node).await;
    let mut batch = BatchRequestBuilder::new();
    for block in recording.blocks() {
        batch
            .insert("chain_getBlock", arguments(json!([block.hash])))
            .unwrap();
        batch
            .insert("state_getStorage", arguments(json!([NUMBER, block.hash])))
            .unwrap();
    }
    let answers = client.batch_request::<Value>(batch).await.unwrap();
    assert_eq!(answers.num_successful_calls(), 660);
    for (number, pair) in answers
        .into_ok()
        .unwrap()
        .collect::<Vec<_>>()
        .chunks(2)
        .enumerate()
    {
        assert_eq!(pair[0]["block"]["header"]["number"], format!("{number:#x}"));
        if number > 0 {
            let number = u32::try_from(number).unwrap();
            assert_eq!(pair[1], to_hex(&number.to_le_bytes()));
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn storage_can_be_followed() {
    let (node, recording) = (stepped(10, 0).await, mini());
    let client = connect(&node).await;
    // System.LastRuntimeUpgrade does not change, System.Number does with every block.
    let steady = "0x26aa394eea5630e07c48ae0c9558cef7f9cce9c888469bb1a0dceaa129672ef8";
    let mut changes: Subscription<Value> = client
        .subscribe(
            "state_subscribeStorage",
            arguments(json!([[NUMBER, steady]])),
            "state_unsubscribeStorage",
        )
        .await
        .unwrap();
    let first = next(&mut changes).await;
    assert_eq!(first["block"], json!(recording.block(10).unwrap().hash));
    assert_eq!(first["changes"][0], json!([NUMBER, "0x0a000000"]));
    assert_eq!(first["changes"].as_array().unwrap().len(), 2);
    nothing(&mut changes).await;
    node.advance(1);
    let second = next(&mut changes).await;
    let block = recording.block(11).unwrap().hash;
    assert_eq!(
        second,
        json!({"block": block, "changes": [[NUMBER, "0x0b000000"]]})
    );

    let refused: Result<Subscription<Value>, _> = client
        .subscribe(
            "state_subscribeStorage",
            arguments(json!([])),
            "state_unsubscribeStorage",
        )
        .await;
    assert!(refused.unwrap_err().to_string().contains("name the keys"));
    node.stop().await;
}
