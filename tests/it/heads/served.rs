//! The program with unfinalized blocks: what it answers, what it tells, and what
//! is on disk when it is killed.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use indexer::check::check;
use indexer::store::Store;
use replay_node::ReplayNode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::{finals, stepped, undisturbed};
use crate::context::text;
use crate::served::{Served, query, start};

fn run(node: &ReplayNode, dir: &std::path::Path, more: &[&str]) -> Served {
    let url = node.ws_url();
    // Verdicts come behind the commits; what is asked here is about blocks.
    let mut args = vec!["run", "--verify", "false"];
    args.extend(["--url", &url, "--data-dir", text(dir)]);
    args.extend(["--listen", "127.0.0.1:0"]);
    args.extend(more);
    start(&args)
}

/// Asks until the answer has this at a place.
async fn until(address: &str, asked: &str, place: &str, wanted: Value) -> Value {
    let started = Instant::now();
    loop {
        let answer = query(address, asked);
        if answer.pointer(place) == Some(&wanted) {
            return answer;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{wanted} is not at {place}: {answer}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const STATUS: &str = "{ status { last unfinalized headsTrouble best { number hash finalized } } }";
const BEST: &str = "/data/status/best/hash";

#[tokio::test(flavor = "multi_thread")]
async fn unfinalized_blocks_are_answered_when_asked_for() {
    let node = stepped(60, 5).await;
    let dir = tempfile::tempdir().unwrap();
    let served = run(&node, dir.path(), &[]);
    let address = &served.address;
    let hash = |number| json!(node.hash(number).unwrap());
    until(address, STATUS, BEST, hash(60)).await;
    let fork = node.faults().fork(3);
    let answer = until(address, STATUS, BEST, json!(fork[2])).await;
    let status = json!({ "last": 55, "unfinalized": 8, "headsTrouble": null,
        "best": { "number": 63, "hash": fork[2], "finalized": false } });
    assert_eq!(answer["data"]["status"], status);

    let first = fork[0];
    let asked = format!(
        "{{ availableRange {{ last blockCount best {{ number finalized }} }}
            head: block {{ number finalized }}
            named: block(hash: \"{first}\") {{ number finalized parentHash extrinsicCount
                extrinsics {{ totalCount nodes {{ hash }} }} events {{ totalCount }} }}
            list: blocks(first: 1) {{ nodes {{ number }} }}
            final: subnet(netuid: 1) {{ stamp {{ block finalized }} }}
            best: metagraph(netuid: 1, asOf: {{ best: true }}) {{ neuronCount stamp {{ block hash finalized }} }}
            older: metagraph(netuid: 1, asOf: {{ block: 40 }}) {{ stamp {{ block finalized }} }}
            rows: weights(netuid: 1, asOf: {{ hash: \"{first}\" }}) {{ stamp {{ block hash finalized }} }}
            commits(asOf: {{ best: true }}) {{ nodes {{ id }} }} }}"
    );
    let answer = query(address, &asked);
    assert_eq!(answer.get("errors"), None, "{answer}");
    let data = &answer["data"];
    assert_eq!(
        data["availableRange"],
        json!({ "last": 55, "blockCount": "56", "best": { "number": 63, "finalized": false } })
    );
    assert_eq!(data["head"], json!({ "number": 55, "finalized": true }));
    assert_eq!(data["list"]["nodes"], json!([{ "number": 55 }]));
    assert_eq!(data["named"]["finalized"], false);
    assert_eq!(data["named"]["parentHash"], hash(60));
    let count = &data["named"]["extrinsicCount"];
    assert_eq!(data["named"]["extrinsics"]["totalCount"], *count);
    assert_eq!(
        data["final"]["stamp"],
        json!({ "block": 55, "finalized": true })
    );
    assert_eq!(
        data["older"]["stamp"],
        json!({ "block": 40, "finalized": true })
    );
    assert_eq!(
        data["best"]["stamp"],
        json!({ "block": 63, "hash": fork[2], "finalized": false })
    );
    assert_eq!(
        data["rows"]["stamp"],
        json!({ "block": 61, "hash": first, "finalized": false })
    );
    // An extrinsic is found by its place, not by its hash alone.
    let place = "extrinsic(block: 61, index: 0)";
    let answer = query(address, &format!("{{ {place} {{ hash }} }}"));
    let xt = answer["data"]["extrinsic"]["hash"].as_str().unwrap();
    assert_eq!(data["named"]["extrinsics"]["nodes"][0]["hash"], xt);
    let answer = query(
        address,
        &format!("{{ extrinsics(hash: \"{xt}\") {{ hash }} }}"),
    );
    assert_eq!(answer["data"]["extrinsics"], json!([]));

    node.advance(4);
    until(address, STATUS, BEST, hash(64)).await;
    let asked = format!(
        "{{ lost: block(hash: \"{first}\") {{ number }} won: block(number: 61) {{ hash finalized }} }}"
    );
    let answer = until(address, &asked, "/data/won/hash", hash(61)).await;
    assert_eq!(answer["data"]["lost"], Value::Null);
    let answer = query(
        address,
        &format!("{{ subnets(asOf: {{ hash: \"{first}\" }}) {{ netuid }} }}"),
    );
    let code = "/errors/0/extensions/code";
    assert_eq!(answer.pointer(code), Some(&json!("NOT_FOUND")));
    let answer = query(address, "{ block(number: 65) { number } }");
    assert_eq!(answer.pointer(code), Some(&json!("OUT_OF_RANGE")));
    drop(served);

    let served = run(&node, dir.path(), &["--no-heads"]);
    let answer = until(&served.address, STATUS, "/data/status/last", json!(59)).await;
    let status = &answer["data"]["status"];
    assert_eq!(status["unfinalized"], Value::Null);
    assert_eq!(
        status["best"],
        json!({ "number": 59, "hash": hash(59), "finalized": true })
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_of_what_is_dropped_and_what_comes() {
    let node = stepped(60, 5).await;
    let dir = tempfile::tempdir().unwrap();
    let served = run(&node, dir.path(), &[]);
    until(&served.address, STATUS, BEST, json!(node.hash(60).unwrap())).await;
    let stream = tokio::net::TcpStream::connect(&served.address)
        .await
        .unwrap();
    let url = format!("ws://{}/graphql/ws", served.address);
    let mut request = url.into_client_request().unwrap();
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let query = "subscription { heads { kind: __typename
        ... on HeadAdded { number hash block { hash } }
        ... on HeadRetracted { number hash }
        ... on HeadFinalized { number hash } } }";
    for message in [
        json!({ "type": "connection_init" }),
        json!({ "id": "h", "type": "subscribe", "payload": { "query": query } }),
        // Answered after the subscription is there.
        json!({ "id": "q", "type": "subscribe", "payload": { "query": "{ status { last } }" } }),
    ] {
        socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }
    let mut next = async || loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
        let message = message.expect("silence").unwrap().unwrap();
        let Ok(text) = message.to_text() else {
            continue;
        };
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        if message["id"] == "q" && message["type"] == "complete" {
            return Value::Null;
        }
        if message["id"] == "h" {
            return message["payload"]["data"]["heads"].clone();
        }
    };
    while next().await != Value::Null {}
    let fork = node.faults().fork(2);
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.push(next().await);
    }
    node.advance(3);
    // Two retracted, three added, three final.
    while heard.len() < 10 {
        heard.push(next().await);
    }
    let word = |kind: &str, number: u32, hash| json!([kind, number, hash]);
    let short = |event: &Value| json!([event["kind"], event["number"], event["hash"]]);
    let (finalized, changed): (Vec<_>, Vec<_>) = heard
        .iter()
        .partition(|event| event["kind"] == "HeadFinalized");
    let won = finals(&node, 61..=63);
    let expected = [
        word("HeadAdded", 61, fork[0]),
        word("HeadAdded", 62, fork[1]),
        word("HeadRetracted", 62, fork[1]),
        word("HeadRetracted", 61, fork[0]),
        word("HeadAdded", 61, won[0]),
        word("HeadAdded", 62, won[1]),
        word("HeadAdded", 63, won[2]),
    ];
    assert_eq!(changed.into_iter().map(short).collect::<Vec<_>>(), expected);
    let stored = (56..).zip(finals(&node, 56..=58));
    let expected: Vec<_> = stored
        .map(|(n, hash)| word("HeadFinalized", n, hash))
        .collect();
    assert_eq!(
        finalized.into_iter().map(short).collect::<Vec<_>>(),
        expected
    );
    // The block of the last one can be asked for in the message itself.
    let last = heard
        .iter()
        .rev()
        .find(|event| event["kind"] == "HeadAdded");
    assert_eq!(last.unwrap()["block"]["hash"], json!(won[2]));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_nothing_unfinalized_on_disk() {
    let node = stepped(60, 6).await;
    let dir = tempfile::tempdir().unwrap();
    let mut served = run(&node, dir.path(), &[]);
    let fork = node.faults().fork(4);
    until(&served.address, STATUS, BEST, json!(fork[3])).await;
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
    assert_eq!(check(&store).unwrap(), undisturbed(54).await);
    for hash in finals(&node, 55..=60).iter().chain(&fork) {
        assert_eq!(store.block_number(hash).unwrap(), None);
    }
    drop(store);
    // It goes on, and the unfinalized blocks are those of the chain as it is then.
    node.advance(6);
    let served = run(&node, dir.path(), &[]);
    let answer = until(&served.address, STATUS, BEST, json!(node.hash(66).unwrap())).await;
    assert_eq!(answer["data"]["status"]["last"], 60);
    node.stop().await;
}
