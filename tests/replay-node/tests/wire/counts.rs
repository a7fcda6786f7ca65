//! What is counted, and how.

use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::params::BatchRequestBuilder;
use jsonrpsee::http_client::HttpClientBuilder;
use replay_node::CallCounts;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn a_batch_is_one_request_of_many_calls() {
    let node = whole().await;
    let client = connect(&node).await;
    ask(&client, "chain_getBlockHash", json!([1])).await;
    let mut batch = BatchRequestBuilder::new();
    for number in 0..100 {
        batch
            .insert("chain_getBlockHash", arguments(json!([number])))
            .unwrap();
    }
    batch
        .insert("chain_getHeader", arguments(json!([])))
        .unwrap();
    client.batch_request::<Value>(batch).await.unwrap();
    let counts = node.counts();
    assert_eq!(
        (counts.requests, counts.batches, counts.connections),
        (2, 1, 1)
    );
    assert_eq!(counts.of("chain_getBlockHash"), 101);
    assert_eq!(counts.of("chain_getHeader"), 1);
    assert_eq!(counts.of("state_call"), 0);
    assert_eq!(counts.calls(), 102);

    node.reset_counts();
    assert_eq!(node.counts(), CallCounts::default());

    // Over HTTP it is the same; refused calls and subscriptions count too.
    let http = HttpClientBuilder::default().build(node.http_url()).unwrap();
    let mut batch = BatchRequestBuilder::new();
    batch
        .insert("chain_getHeader", arguments(json!([])))
        .unwrap();
    batch.insert("no_such", arguments(json!([]))).unwrap();
    http.batch_request::<Value>(batch).await.unwrap();
    let _heads = heads(&client, "NewHeads").await;
    let counts = node.counts();
    assert_eq!(
        (counts.requests, counts.batches, counts.connections),
        (2, 1, 1)
    );
    assert_eq!(counts.of("no_such"), 1);
    assert_eq!(counts.of("chain_subscribeNewHeads"), 1);
    node.stop().await;
}
