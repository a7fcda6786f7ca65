//! Starting nodes and asking them.

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::{H256, blake2_256};
use chain_metadata::{Header, Recording};
use jsonrpsee::core::client::{ClientT, Error, Subscription, SubscriptionClientT};
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use replay_node::{Mode, Options, ReplayNode, fixture, start};
use serde_json::Value;
use tokio::time::timeout;

/// Nothing on the loopback interface takes this long.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// Long enough to see that nothing comes.
pub(crate) const SHORT: Duration = Duration::from_millis(150);

pub(crate) fn mini() -> Arc<Recording> {
    fixture("mini-300").unwrap()
}

pub(crate) async fn node(options: Options) -> ReplayNode {
    start(mini(), options).await.unwrap()
}

pub(crate) async fn whole() -> ReplayNode {
    node(Options::default()).await
}

pub(crate) async fn stepped(start: u32, finality_lag: u32) -> ReplayNode {
    node(Options {
        mode: Mode::Stepped { start },
        finality_lag,
        ..Options::default()
    })
    .await
}

pub(crate) async fn connect(node: &ReplayNode) -> WsClient {
    try_connect(node).await.unwrap()
}

pub(crate) async fn try_connect(node: &ReplayNode) -> Result<WsClient, Error> {
    WsClientBuilder::default()
        .max_response_size(256 << 20)
        .max_request_size(64 << 20)
        .request_timeout(LONG)
        .build(node.ws_url())
        .await
}

/// Turns a JSON list into positional arguments.
pub(crate) fn arguments(list: Value) -> ArrayParams {
    let mut params = ArrayParams::new();
    for value in list.as_array().unwrap() {
        params.insert(value).unwrap();
    }
    params
}

pub(crate) async fn ask(client: &WsClient, method: &str, list: Value) -> Value {
    try_ask(client, method, list).await.unwrap()
}

pub(crate) async fn try_ask(client: &WsClient, method: &str, list: Value) -> Result<Value, Error> {
    client.request(method, arguments(list)).await
}

/// Code and message of the error that a call has to give.
pub(crate) async fn refused(client: &WsClient, method: &str, list: Value) -> (i32, String) {
    match try_ask(client, method, list).await {
        Err(Error::Call(error)) => {
            let data = error.data().map_or("", |data| data.get());
            (error.code(), format!("{} {data}", error.message()))
        }
        other => panic!("{method} gave {other:?}"),
    }
}

pub(crate) async fn heads(client: &WsClient, kind: &str) -> Subscription<Header> {
    let subscribe = format!("chain_subscribe{kind}");
    let unsubscribe = format!("chain_unsubscribe{kind}");
    client
        .subscribe(&subscribe, arguments(serde_json::json!([])), &unsubscribe)
        .await
        .unwrap()
}

pub(crate) async fn next<T: serde::de::DeserializeOwned>(subscription: &mut Subscription<T>) -> T {
    timeout(LONG, subscription.next())
        .await
        .expect("a notification in time")
        .expect("an open subscription")
        .expect("a notification that can be read")
}

pub(crate) async fn nothing<T: serde::de::DeserializeOwned + std::fmt::Debug>(
    subscription: &mut Subscription<T>,
) {
    if let Ok(item) = timeout(SHORT, subscription.next()).await {
        panic!("unexpected {item:?}");
    }
}

pub(crate) fn hash_of(header: &Header) -> H256 {
    header.hash()
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    hex::decode(text.strip_prefix("0x").unwrap()).unwrap()
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub(crate) fn blake2(bytes: &[u8]) -> String {
    blake2_256(bytes).to_string()
}

/// Storage key of `System.Events`.
pub(crate) const EVENTS: &str =
    "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7";
/// Storage key of `System.Number`.
pub(crate) const NUMBER: &str =
    "0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac";
/// Storage prefix of pallet `System`.
pub(crate) const SYSTEM: &str = "0x26aa394eea5630e07c48ae0c9558cef7";
