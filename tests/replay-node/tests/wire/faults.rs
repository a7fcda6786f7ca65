//! Everything that can be made to go wrong.

use std::time::{Duration, Instant};

use chain_metadata::H256;
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::params::BatchRequestBuilder;
use jsonrpsee::http_client::HttpClientBuilder;
use jsonrpsee::ws_client::WsClientBuilder;
use replay_node::HashFault;
use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::*;

#[tokio::test]
async fn connections_are_dropped_at_once() {
    let node = whole().await;
    let clients = [connect(&node).await, connect(&node).await];
    let mut finalized = heads(&clients[0], "FinalizedHeads").await;
    next(&mut finalized).await;
    // Even while an answer is being waited for.
    node.faults().delay(LONG);
    let began = Instant::now();
    let waiting = try_ask(&clients[0], "system_chain", json!([]));
    let dropping = async {
        tokio::time::sleep(SHORT).await;
        assert_eq!(node.faults().drop_connections(), 2);
    };
    let (answer, ()) = tokio::join!(waiting, dropping);
    assert!(answer.is_err());
    for client in &clients {
        tokio::time::timeout(LONG / 2, client.on_disconnect())
            .await
            .unwrap();
    }
    assert!(finalized.next().await.is_none());
    assert!(began.elapsed() < LONG / 2);
    node.faults().clear();
    let client = connect(&node).await;
    ask(&client, "system_chain", json!([])).await;
    // It is the socket that closes, without a farewell.
    let mut raw = Raw::connect(&node).await;
    assert_eq!(node.faults().drop_connections(), 2);
    assert!(raw.closed().await);
    node.stop().await;
}

#[tokio::test]
async fn every_nth_request_costs_the_connection() {
    let node = whole().await;
    node.faults().drop_every(3);
    for _ in 0..2 {
        let client = connect(&node).await;
        ask(&client, "system_chain", json!([])).await;
        ask(&client, "system_chain", json!([])).await;
        assert!(try_ask(&client, "system_chain", json!([])).await.is_err());
        client.on_disconnect().await;
    }
    node.faults().drop_every(0);
    let client = connect(&node).await;
    for _ in 0..7 {
        ask(&client, "system_chain", json!([])).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn new_connections_can_be_refused() {
    let node = whole().await;
    let client = connect(&node).await;
    node.faults().refuse_connections(true);
    assert!(try_connect(&node).await.is_err());
    ask(&client, "system_chain", json!([])).await;
    node.faults().clear();
    connect(&node).await;
    node.stop().await;
}

#[tokio::test]
async fn answers_can_be_late_and_a_batch_waits_once() {
    let node = whole().await;
    let client = connect(&node).await;
    let delay = Duration::from_millis(120);
    node.faults().delay(delay);
    let mut batch = BatchRequestBuilder::new();
    for _ in 0..50 {
        batch.insert("system_chain", arguments(json!([]))).unwrap();
    }
    let began = Instant::now();
    client.batch_request::<Value>(batch).await.unwrap();
    assert!(began.elapsed() >= delay && began.elapsed() < delay * 25);
    node.stop().await;
}

#[tokio::test]
async fn hashes_can_be_null_or_zero() {
    let node = whole().await;
    let client = connect(&node).await;
    for (fault, answer) in [
        (HashFault::Null, Value::Null),
        (HashFault::Zero, json!(H256::ZERO)),
    ] {
        node.faults().hashes(fault);
        assert_eq!(
            ask(&client, "chain_getBlockHash", json!([17])).await,
            answer
        );
        let many = ask(&client, "chain_getBlockHash", json!([[0, 17, 9999]])).await;
        assert_eq!(many, json!([node.hash(0), answer, null]));
    }
    node.faults().clear();
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([17])).await,
        json!(node.hash(17))
    );
    node.stop().await;
}

#[tokio::test]
async fn a_node_can_lag() {
    let node = stepped(50, 0).await;
    let client = connect(&node).await;
    node.faults().lag(10);
    assert_eq!(
        ask(&client, "chain_getFinalizedHead", json!([])).await,
        json!(node.hash(40))
    );
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([])).await,
        json!(node.hash(40))
    );
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([41])).await,
        Value::Null
    );
    assert_eq!(
        ask(&client, "chain_getHeader", json!([node.hash(41)])).await,
        Value::Null
    );
    assert_eq!(
        refused(&client, "state_getMetadata", json!([node.hash(41)]))
            .await
            .0,
        -32000
    );
    assert_eq!(
        ask(&client, "state_getStorage", json!([NUMBER])).await,
        "0x28000000"
    );
    let mut finalized = heads(&client, "FinalizedHeads").await;
    assert_eq!(next(&mut finalized).await.number, 40);
    node.advance(1);
    assert_eq!(next(&mut finalized).await.number, 41);
    node.faults().lag(0);
    node.advance(1);
    assert_eq!(next(&mut finalized).await.number, 52);
    node.stop().await;
}

#[tokio::test]
async fn a_node_can_go_back() {
    let node = stepped(50, 0).await;
    let client = connect(&node).await;
    let mut finalized = heads(&client, "FinalizedHeads").await;
    let mut best = heads(&client, "NewHeads").await;
    assert_eq!(
        (
            next(&mut finalized).await.number,
            next(&mut best).await.number
        ),
        (50, 50)
    );
    node.faults().go_back(20);
    assert_eq!(node.head(), 30);
    assert_eq!(
        (
            next(&mut finalized).await.number,
            next(&mut best).await.number
        ),
        (30, 30)
    );
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([31])).await,
        Value::Null
    );
    node.advance(1);
    assert_eq!(next(&mut finalized).await.number, 31);
    node.faults().go_back(1000);
    assert_eq!(node.head(), 0);
    assert_eq!(
        ask(&client, "chain_getFinalizedHead", json!([])).await,
        json!(node.hash(0))
    );
    node.stop().await;
}

#[tokio::test]
async fn the_genesis_can_be_anothers() {
    let node = whole().await;
    let client = connect(&node).await;
    let other = H256([9; 32]);
    node.faults().genesis(Some(other));
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([0])).await,
        json!(other)
    );
    assert_eq!(
        ask(&client, "chain_getHeader", json!([other])).await["number"],
        "0x0"
    );
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([1])).await,
        json!(node.hash(1))
    );
    node.faults().clear();
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([0])).await,
        json!(node.hash(0))
    );
    node.stop().await;
}

#[tokio::test]
async fn a_method_can_fail_for_a_while() {
    let node = whole().await;
    let client = connect(&node).await;
    node.faults().fail("system_chain", 2);
    node.faults()
        .fail_with("chain_getHeader", 1, -32000, "State already discarded");
    assert_eq!(refused(&client, "system_chain", json!([])).await.0, -32603);
    // Within a batch too, and only where it belongs.
    let mut batch = BatchRequestBuilder::new();
    for method in [
        "system_chain",
        "system_name",
        "chain_getHeader",
        "system_chain",
    ] {
        batch.insert(method, arguments(json!([]))).unwrap();
    }
    let answers = client.batch_request::<Value>(batch).await.unwrap();
    let good: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(good, [false, true, false, true]);
    assert_eq!(ask(&client, "system_chain", json!([])).await, "mini-300");

    node.faults().fail("system_chain", u64::MAX);
    refused(&client, "system_chain", json!([])).await;
    node.faults().fail("system_chain", 0);
    ask(&client, "system_chain", json!([])).await;
    node.stop().await;
}

#[tokio::test]
async fn answers_can_be_too_short_or_too_long() {
    let node = whole().await;
    let client = connect(&node).await;
    let whole = bytes(&ask(&client, "state_getStorage", json!([EVENTS])).await);
    node.faults().truncate("state_getStorage", 1);
    let cut = bytes(&ask(&client, "state_getStorage", json!([EVENTS])).await);
    assert!(!cut.is_empty() && cut.len() <= whole.len() / 2 && whole.starts_with(&cut));
    assert_eq!(
        bytes(&ask(&client, "state_getStorage", json!([EVENTS])).await),
        whole
    );

    node.faults().truncate("chain_getBlock", 1);
    let block = ask(&client, "chain_getBlock", json!([node.hash(60)])).await;
    let all = mini().block(60).unwrap().extrinsics.len();
    assert!(block["block"]["extrinsics"].as_array().unwrap().len() < all);

    node.faults().oversize("state_getStorage", 1, 20 << 20);
    let long = ask(&client, "state_getStorage", json!([EVENTS])).await;
    assert_eq!(
        long.as_str().unwrap().len(),
        whole.len() * 2 + 2 + (20 << 20)
    );
    // A client with a usual limit loses its connection over it.
    let small = WsClientBuilder::default()
        .max_response_size(10 << 20)
        .build(node.ws_url())
        .await
        .unwrap();
    node.faults().oversize("state_getStorage", 1, 20 << 20);
    assert!(
        try_ask(&small, "state_getStorage", json!([EVENTS]))
            .await
            .is_err()
    );
    node.stop().await;
}

#[tokio::test]
async fn a_method_can_cost_the_connection() {
    let node = whole().await;
    let client = connect(&node).await;
    node.faults().drop_on("chain_getBlock", 1);
    ask(&client, "system_chain", json!([])).await;
    assert!(try_ask(&client, "chain_getBlock", json!([])).await.is_err());
    let http = HttpClientBuilder::default().build(node.http_url()).unwrap();
    node.faults().drop_on("chain_getBlock", 1);
    let lost: Result<Value, _> = http.request("chain_getBlock", arguments(json!([]))).await;
    assert!(lost.is_err());
    let found: Result<Value, _> = http.request("chain_getBlock", arguments(json!([]))).await;
    assert!(found.is_ok());
    node.stop().await;
}
