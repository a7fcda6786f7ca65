//! Unmodified clients against the replay node: subxt with its default backend
//! and with the legacy one.

use std::sync::Arc;

use replay_node::{Mode, Options};
use subxt::backend::LegacyBackend;
use subxt::dynamic;
use subxt::ext::scale_value::Value;
use subxt::rpcs::RpcClient;
use subxt::{OnlineClient, SubstrateConfig};

use crate::context::{node, recording};

async fn reads(api: &OnlineClient<SubstrateConfig>) {
    let recording = recording("mini-300");
    let at = api.at_block(140_u64).await.unwrap();
    assert_eq!(at.block_hash().0, recording.block(140).unwrap().hash.0);

    let tempo = dynamic::storage::<(u16,), u16>("SubtensorModule", "Tempo");
    let value = at.storage().fetch(tempo, (1,)).await.unwrap();
    assert_eq!(value.decode().unwrap(), 20);

    let weights = dynamic::storage::<(u16, u16), Vec<(u16, u16)>>("SubtensorModule", "Weights");
    let mut rows = at.storage().iter(weights, (1_u16,)).await.unwrap();
    let mut count = 0;
    while let Some(row) = rows.next().await {
        assert!(!row.unwrap().value().decode().unwrap().is_empty());
        count += 1;
    }
    assert!(count > 0);

    let events = at.events().fetch().await.unwrap();
    assert!(events.iter().all(|e| e.is_ok()));
    assert!(!events.is_empty());
    let extrinsics = at.extrinsics().fetch().await.unwrap();
    let raw = &recording.block(140).unwrap().extrinsics;
    assert_eq!(extrinsics.iter().count(), raw.len());

    let call = dynamic::runtime_api_call::<_, Value>("Core", "version", ());
    at.runtime_apis().call(call).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn subxt_reads_with_its_default_backend() {
    let node = node("mini-300").await;
    let api = OnlineClient::<SubstrateConfig>::from_insecure_url(node.ws_url())
        .await
        .unwrap();
    reads(&api).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subxt_reads_and_follows_with_the_legacy_backend() {
    let options = Options {
        mode: Mode::Stepped { start: 200 },
        ..Options::default()
    };
    let node = replay_node::start(recording("mini-300"), options)
        .await
        .unwrap();
    let rpc = RpcClient::from_insecure_url(node.ws_url()).await.unwrap();
    let backend: LegacyBackend<SubstrateConfig> =
        LegacyBackend::builder().storage_page_size(50).build(rpc);
    let api = OnlineClient::from_backend_with_config(SubstrateConfig::new(), Arc::new(backend))
        .await
        .unwrap();
    reads(&api).await;
    let mut blocks = api.stream_blocks().await.unwrap();
    let first = blocks.next().await.unwrap().unwrap();
    assert_eq!(first.number(), 200);
    node.advance(2);
    for number in [201, 202] {
        let block = blocks.next().await.unwrap().unwrap();
        assert_eq!(block.number(), number);
        let at = block.at().await.unwrap();
        assert!(at.events().fetch().await.unwrap().iter().all(|e| e.is_ok()));
    }
    node.stop().await;
}
