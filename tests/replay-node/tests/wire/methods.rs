//! `system_…`, `chain_…`, `author_…` and the list of methods.

use jsonrpsee::core::client::ClientT;
use jsonrpsee::http_client::HttpClientBuilder;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn the_node_says_what_it_is() {
    let node = whole().await;
    let client = connect(&node).await;
    assert_eq!(ask(&client, "system_chain", json!([])).await, "mini-300");
    assert_eq!(ask(&client, "system_name", json!([])).await, "replay-node");
    assert_eq!(
        ask(&client, "system_version", json!([])).await,
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(
        ask(&client, "system_chainType", json!([])).await,
        "Development"
    );
    let properties = ask(&client, "system_properties", json!([])).await;
    assert_eq!(
        properties,
        json!({"ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO"})
    );
    let health = ask(&client, "system_health", json!([])).await;
    assert_eq!(
        health,
        json!({"peers": 0, "isSyncing": false, "shouldHavePeers": false})
    );
    node.stop().await;
}

#[tokio::test]
async fn every_listed_method_exists_and_no_other() {
    let node = whole().await;
    let client = connect(&node).await;
    let list = ask(&client, "rpc_methods", json!([])).await;
    let names: Vec<&str> = list["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(names.is_sorted());
    // Clients choose newer protocols by these prefixes.
    assert!(
        !names
            .iter()
            .any(|name| name.starts_with("archive_") || name.starts_with("chainHead_"))
    );
    for wanted in [
        "rpc_methods",
        "chain_getBlockHash",
        "chain_getHead",
        "chain_getFinalisedHead",
        "chain_subscribeFinalisedHeads",
        "chain_unsubscribeNewHead",
        "chain_getRuntimeVersion",
        "state_getStorageAt",
        "state_callAt",
        "state_unsubscribeStorage",
        "subscribe_newHead",
    ] {
        assert!(names.contains(&wanted), "{wanted}");
    }
    for name in &names {
        // Whatever a method says to an argument that fits none, it is not "method not found".
        let answer = try_ask(&client, name, json!([{}])).await;
        if let Err(jsonrpsee::core::client::Error::Call(error)) = answer {
            assert_ne!(error.code(), -32601, "{name}");
        }
    }
    for missing in ["archive_v1_body", "chain_getBlok", "state_getPairs"] {
        let (code, _) = refused(&client, missing, json!([])).await;
        assert_eq!(code, -32601, "{missing}");
    }
    node.stop().await;
}

#[tokio::test]
async fn hashes_by_number_in_every_form() {
    let (node, recording) = (whole().await, mini());
    let client = connect(&node).await;
    let hash = |number: u32| json!(recording.block(number).unwrap().hash);
    for method in ["chain_getBlockHash", "chain_getHead"] {
        assert_eq!(ask(&client, method, json!([])).await, hash(329));
        assert_eq!(ask(&client, method, json!([null])).await, hash(329));
        assert_eq!(
            ask(&client, method, json!([0])).await,
            format!("0x{}", "45".repeat(32))
        );
        assert_eq!(ask(&client, method, json!([17])).await, hash(17));
        assert_eq!(ask(&client, method, json!(["0x11"])).await, hash(17));
        assert_eq!(ask(&client, method, json!([330])).await, Value::Null);
        let many = ask(&client, method, json!([[1, "0x2", 4_000_000]])).await;
        assert_eq!(many, json!([hash(1), hash(2), null]));
        assert_eq!(ask(&client, method, json!([[]])).await, json!([]));
    }
    for bad in [
        json!("17"),
        json!("0xzz"),
        json!(u64::MAX),
        json!(-1),
        json!({"a": 1}),
    ] {
        let (code, _) = refused(&client, "chain_getBlockHash", json!([bad])).await;
        assert_eq!(code, -32602);
    }
    for method in ["chain_getFinalizedHead", "chain_getFinalisedHead"] {
        assert_eq!(ask(&client, method, json!([])).await, hash(329));
    }
    node.stop().await;
}

#[tokio::test]
async fn every_header_and_block_is_as_recorded() {
    let (node, recording) = (whole().await, mini());
    let client = connect(&node).await;
    for block in recording.blocks() {
        let answer = ask(&client, "chain_getBlock", json!([block.hash])).await;
        let header = ask(&client, "chain_getHeader", json!([block.hash])).await;
        assert_eq!(answer["block"]["header"], header);
        assert_eq!(answer["justifications"], Value::Null);
        assert_eq!(header["number"], format!("{:#x}", block.number));
        assert_eq!(header, serde_json::to_value(&block.header).unwrap());
        let extrinsics: Vec<String> = block.extrinsics.iter().map(|xt| to_hex(xt)).collect();
        assert_eq!(answer["block"]["extrinsics"], json!(extrinsics));
    }
    let head = ask(&client, "chain_getHeader", json!([])).await;
    assert_eq!(head["number"], "0x149");
    let head = ask(&client, "chain_getBlock", json!([])).await;
    assert_eq!(head["block"]["header"]["number"], "0x149");
    let unknown = format!("0x{}", "12".repeat(32));
    assert_eq!(
        ask(&client, "chain_getHeader", json!([unknown])).await,
        Value::Null
    );
    assert_eq!(
        ask(&client, "chain_getBlock", json!([unknown])).await,
        Value::Null
    );
    assert_eq!(
        refused(&client, "chain_getBlock", json!(["0x12"])).await.0,
        -32602
    );
    node.stop().await;
}

#[tokio::test]
async fn submitted_extrinsics_are_kept() {
    let node = whole().await;
    let client = connect(&node).await;
    let hash = ask(&client, "author_submitExtrinsic", json!(["0x280402"])).await;
    assert_eq!(hash, blake2(&[0x28, 0x04, 0x02]));
    ask(&client, "author_submitExtrinsic", json!(["0x"])).await;
    assert_eq!(node.submitted(), [vec![0x28, 0x04, 0x02], vec![]]);
    let pending = ask(&client, "author_pendingExtrinsics", json!([])).await;
    assert_eq!(pending, json!(["0x280402", "0x"]));
    assert_eq!(
        refused(&client, "author_submitExtrinsic", json!(["0x2"]))
            .await
            .0,
        -32602
    );
    node.stop().await;
}

#[tokio::test]
async fn http_answers_the_same_on_the_same_port() {
    let node = whole().await;
    let client = connect(&node).await;
    let http = HttpClientBuilder::default().build(node.http_url()).unwrap();
    let answer: Value = http
        .request("chain_getHeader", arguments(json!([])))
        .await
        .unwrap();
    assert_eq!(answer, ask(&client, "chain_getHeader", json!([])).await);
    node.stop().await;
}
