//! Runtime versions, metadata and runtime-API calls, across upgrades.

use jsonrpsee::core::client::{Subscription, SubscriptionClientT};
use parity_scale_codec::{Decode, Encode};
use replay_node::{Mode, Options, fixture, start};
use serde_json::{Value, json};

use crate::support::*;

/// The runtime's own answer to `Core_version`, as far as the recorded versions of `Core` have it.
#[derive(Debug, Decode)]
struct Version {
    spec_name: String,
    impl_name: String,
    authoring: u32,
    spec: u32,
    implementation: u32,
    apis: Vec<([u8; 8], u32)>,
    transaction: u32,
    state: u8,
}

#[tokio::test]
async fn versions_and_metadata_follow_the_state_of_the_block() {
    let recording = fixture("upgrades").unwrap();
    let node = start(recording.clone(), Options::default()).await.unwrap();
    let client = connect(&node).await;
    for (number, spec) in [
        (0, 103),
        (66, 103),
        (67, 119),
        (97, 119),
        (98, 143),
        (129, 143),
    ] {
        let at = recording.block(number).unwrap().hash;
        for method in ["state_getRuntimeVersion", "chain_getRuntimeVersion"] {
            let version = ask(&client, method, json!([at])).await;
            assert_eq!(&version, recording.runtime_version(spec).unwrap());
            assert_eq!(version["specVersion"], spec);
        }
        let core = ask(&client, "state_call", json!(["Core_version", "0x", at])).await;
        let core = bytes(&core);
        let input = &mut core.as_slice();
        let version = Version::decode(input).unwrap();
        assert!(input.is_empty());
        assert_eq!(
            (version.spec, version.spec_name.as_str()),
            (spec, "node-subtensor")
        );
        assert_eq!(version.impl_name, "node-subtensor");
        assert_eq!((version.authoring, version.implementation), (1, 1));
        assert_eq!((version.transaction, version.state), (1, 1));
        let apis = recording.runtime_version(spec).unwrap()["apis"]
            .as_array()
            .unwrap();
        assert_eq!(version.apis.len(), apis.len());
        assert_eq!(
            json!([to_hex(&version.apis[0].0), version.apis[0].1]),
            apis[0]
        );

        let metadata = recording.metadata(spec, 14).unwrap();
        let answer = ask(&client, "state_getMetadata", json!([at])).await;
        assert_eq!(bytes(&answer), metadata);
        let answer = ask(
            &client,
            "state_call",
            json!(["Metadata_metadata", "0x", at]),
        )
        .await;
        assert_eq!(
            Vec::<u8>::decode(&mut bytes(&answer).as_slice()).unwrap(),
            metadata
        );
        // These runtimes have version 1 of the Metadata API.
        let list = json!(["Metadata_metadata_versions", "0x", at]);
        let (code, message) = refused(&client, "state_call", list).await;
        assert_eq!(code, -32000);
        let sentence = "Client error: Execution failed: Other: Exported method Metadata_metadata_versions is not found";
        assert_eq!(message.trim(), sentence);
    }
    assert_eq!(
        ask(&client, "state_getRuntimeVersion", json!([])).await["specVersion"],
        143
    );
    node.stop().await;
}

#[tokio::test]
async fn metadata_of_both_formats() {
    let (node, recording) = (whole().await, mini());
    let client = connect(&node).await;
    let versions = ask(
        &client,
        "state_call",
        json!(["Metadata_metadata_versions", "0x"]),
    )
    .await;
    assert_eq!(bytes(&versions), vec![14u32, 15].encode());
    for (version, expected) in [
        (14u32, recording.metadata(300, 14)),
        (15, recording.metadata(300, 15)),
        (16, None),
    ] {
        let input = to_hex(&version.encode());
        let list = json!(["Metadata_metadata_at_version", input]);
        let answer = bytes(&ask(&client, "state_call", list).await);
        let decoded = Option::<Vec<u8>>::decode(&mut answer.as_slice()).unwrap();
        assert_eq!(decoded.as_deref(), expected);
    }
    let list = json!(["Metadata_metadata_at_version", "0x0e"]);
    assert_eq!(refused(&client, "state_call", list).await.0, -32602);
    node.stop().await;
}

#[tokio::test]
async fn every_recorded_call_is_answered_and_no_other() {
    for name in replay_node::FIXTURES {
        let recording = fixture(name).unwrap();
        let node = start(recording.clone(), Options::default()).await.unwrap();
        let client = connect(&node).await;
        assert!(!recording.calls().is_empty());
        for call in recording.calls() {
            let list = json!([call.method, to_hex(&call.params), call.hash]);
            let answer = ask(&client, "state_call", list).await;
            assert_eq!(bytes(&answer), call.result);
        }
        let call = &recording.calls()[0];
        let list = json!([call.method, "0xffff", call.hash]);
        let (code, message) = refused(&client, "state_callAt", list).await;
        assert_eq!(code, -32000);
        for part in [
            call.method.as_str(),
            "0xffff",
            &call.hash.to_string(),
            &format!("block {}", call.block),
        ] {
            assert!(message.contains(part), "{message}");
        }
        let (_, message) = refused(&client, "state_call", json!(["Made_up", "0x"])).await;
        assert!(
            message.contains("Made_up") && message.contains("no call of it"),
            "{message}"
        );
        node.stop().await;
    }
}

#[tokio::test]
async fn upgrades_can_be_followed() {
    let recording = fixture("upgrades").unwrap();
    let options = Options {
        mode: Mode::Stepped { start: 60 },
        ..Options::default()
    };
    let node = start(recording, options).await.unwrap();
    let client = connect(&node).await;
    let mut versions: Subscription<Value> = client
        .subscribe(
            "state_subscribeRuntimeVersion",
            arguments(json!([])),
            "state_unsubscribeRuntimeVersion",
        )
        .await
        .unwrap();
    assert_eq!(next(&mut versions).await["specVersion"], 103);
    node.advance(6);
    nothing(&mut versions).await;
    node.advance(1);
    assert_eq!(next(&mut versions).await["specVersion"], 119);
    node.advance(1000);
    assert_eq!(next(&mut versions).await["specVersion"], 143);
    nothing(&mut versions).await;
    node.stop().await;
}
