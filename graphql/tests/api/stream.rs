//! Subscriptions over a real WebSocket.

use std::time::Duration;

use chain_metadata::NetUid;
use futures::{SinkExt, StreamExt};
use graphql::ports::HeadNews;
use graphql::{Limits, ServerOptions};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::fake::{Fake, account, hash_of};
use crate::http::{Server, start, start_with};

pub(crate) struct Client(pub(crate) WebSocketStream<TcpStream>);

async fn connect(server: &Server, protocol: &'static str) -> Result<Client, Error> {
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let url = format!("ws://{}/graphql/ws", server.addr);
    let mut request = url.into_client_request().unwrap();
    let name = "sec-websocket-protocol";
    request
        .headers_mut()
        .insert(name, HeaderValue::from_static(protocol));
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    Ok(Client(socket))
}

async fn ready(server: &Server) -> Client {
    let mut client = connect(server, "graphql-transport-ws").await.unwrap();
    client.send(json!({ "type": "connection_init" })).await;
    assert_eq!(client.next().await, json!({ "type": "connection_ack" }));
    client
}

impl Client {
    async fn send(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({ "id": id, "type": "subscribe", "payload": { "query": query } }))
            .await;
    }

    async fn frame(&mut self) -> Message {
        let frame = tokio::time::timeout(Duration::from_secs(10), self.0.next()).await;
        frame.expect("silence").expect("the socket ended").unwrap()
    }

    async fn next(&mut self) -> Value {
        loop {
            match self.frame().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The data of the next message of one subscription.
    async fn data(&mut self, id: &str) -> Value {
        let mut message = self.next().await;
        assert_eq!(
            (&message["type"], &message["id"]),
            (&json!("next"), &json!(id)),
            "{message}"
        );
        assert_eq!(message["payload"].get("errors"), None, "{message}");
        message["payload"]["data"].take()
    }
}

impl Client {
    /// The next message of a stream that is no heartbeat.
    async fn item(&mut self, id: &str, field: &str) -> Value {
        loop {
            let message = self.data(id).await[field].take();
            if message["__typename"] != "Heartbeat" {
                return message;
            }
        }
    }

    /// Waits for the first heartbeat: from there on nothing is missed.
    async fn begun(&mut self, id: &str, field: &str) -> Value {
        let message = self.data(id).await[field].take();
        assert_eq!(message["__typename"], "Heartbeat", "{message}");
        message
    }
}

async fn listening(server: &Server, count: usize) {
    for _ in 0..1000 {
        if server.fake.listeners() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} listeners instead of {count}", server.fake.listeners());
}

const BLOCKS: &str = "subscription { blocks { __typename
    ... on Heartbeat { cursor indexed finalized atMs }
    ... on BlockCommitted { cursor number hash specVersion finalized epochs block { number extrinsics { totalCount } subnet(netuid: 1) { stamp { block } } } }
    ... on Lagged { missed lastSeen from to } ... on Retracted { above } } }";

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_told_after_their_commit() {
    let server = start(Fake::new()).await;
    let mut client = ready(&server).await;
    client.subscribe("s", BLOCKS).await;
    let beat = client.begun("s", "blocks").await;
    assert_eq!(
        (&beat["indexed"], &beat["finalized"]),
        (&json!(20), &json!(null))
    );
    let mut cursors = vec![beat["cursor"].clone()];
    for (number, epochs) in [(21, vec![]), (22, vec![1, 7])] {
        assert_eq!(server.fake.commit(&epochs), number);
        let mut item = client.item("s", "blocks").await;
        cursors.push(item["cursor"].take());
        assert_eq!(
            item,
            json!({
                "__typename": "BlockCommitted", "cursor": null, "number": number,
                "hash": hash_of(number).to_string(), "specVersion": 301, "finalized": true,
                "epochs": epochs,
                "block": {
                    "number": number, "extrinsics": { "totalCount": 3 },
                    "subnet": { "stamp": { "block": number } },
                },
            })
        );
    }
    // Behind each cursor comes exactly the rest.
    for (number, cursor) in (21..).zip(&cursors) {
        let query = BLOCKS.replace("blocks {", &format!("blocks(after: {cursor}) {{"));
        client.subscribe("again", &query).await;
        client.begun("again", "blocks").await;
        for number in number..=22 {
            assert_eq!(client.item("again", "blocks").await["number"], number);
        }
        client
            .send(json!({ "id": "again", "type": "complete" }))
            .await;
        assert_eq!(client.next().await["type"], "complete");
    }
    // The other side may end one stream and go on with the socket.
    client.send(json!({ "id": "s", "type": "complete" })).await;
    listening(&server, 0).await;
    assert_eq!(
        client.next().await,
        json!({ "type": "complete", "id": "s" })
    );
    client.subscribe("q", "{ status { last } }").await;
    assert_eq!(client.data("q").await["status"]["last"], 22);
    assert_eq!(client.next().await["type"], "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_of_kinds_or_steps_passes_no_commit() {
    let server = start(Fake::with(|held| held.unfinalized = Some(0))).await;
    let mut client = ready(&server).await;
    for (lists, passes) in [
        ("kinds: [HASH], steps: [MADE]", true),
        ("kinds: [], steps: [MADE]", false),
        ("kinds: [HASH], steps: []", false),
        ("steps: []", false),
    ] {
        let query = format!(
            "subscription {{ commits({lists}, after: \"first\", unfinalized: true) {{ __typename
               ... on Heartbeat {{ indexed }} ... on CommitStepped {{ number }} }} }}"
        );
        client.subscribe("c", &query).await;
        client.begun("c", "commits").await;
        let last = server.fake.commit(&[]);
        // A heartbeat that knows of the new block comes behind everything.
        let found = loop {
            let message = client.data("c").await["commits"].take();
            if message["__typename"] != "Heartbeat" {
                break true;
            }
            if message["indexed"] == last {
                break false;
            }
        };
        assert_eq!(found, passes, "{lists}");
        client.send(json!({ "id": "c", "type": "complete" })).await;
        while client.next().await["type"] != "complete" {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_are_filtered_by_subnet() {
    let server = start(Fake::new()).await;
    let mut client = ready(&server).await;
    let fields = "__typename ... on EpochRan { number hash netuid mechanism epochIndex finalized
        subnet { netuid stamp { block } } verification { verdict blockNumber } }";
    client
        .subscribe("all", &format!("subscription {{ epochs {{ {fields} }} }}"))
        .await;
    client.begun("all", "epochs").await;
    let mut other = ready(&server).await;
    other
        .subscribe(
            "two",
            &format!("subscription {{ epochs(netuids: [2]) {{ {fields} }} }}"),
        )
        .await;
    other.begun("two", "epochs").await;
    server.fake.commit(&[1]);
    server.fake.commit(&[]);
    server.fake.commit(&[1, 2]);
    let epoch = |number: u32, netuid: u16| {
        json!({
            "__typename": "EpochRan", "number": number, "hash": hash_of(number).to_string(),
            "netuid": netuid, "mechanism": 0, "epochIndex": "7", "finalized": true,
            "subnet": { "netuid": netuid, "stamp": { "block": number } },
            "verification": { "verdict": "DIFFERS", "blockNumber": number },
        })
    };
    for expected in [epoch(21, 1), epoch(23, 1), epoch(23, 2)] {
        assert_eq!(client.item("all", "epochs").await, expected);
    }
    assert_eq!(other.item("two", "epochs").await, epoch(23, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_has_its_items() {
    let server = start(Fake::new()).await;
    let mut client = ready(&server).await;
    let hotkey = account(2).to_string();
    let cases = [
        (
            "weightsSet",
            format!(
                "(after: \"first\", netuids: [1, 2], hotkeys: [\"{hotkey}\"], kinds: [HASH_REVEAL])"
            ),
            "... on WeightsRowSet { cursor number hash specVersion finalized netuid mechanism uid
                set { kind hotkey versionKey } }",
            json!({ "number": 10, "netuid": 2, "mechanism": 0, "uid": 0, "finalized": true,
                "specVersion": 300, "set": { "kind": "HASH_REVEAL", "hotkey": hotkey,
                "versionKey": "9007199254740993" } }),
        ),
        (
            "commits",
            "(after: \"first\", netuids: [1], kinds: [HASH], steps: [ATTEMPTED])".to_owned(),
            "... on CommitStepped { cursor number hash specVersion finalized step
                commit { id state asOfBlock } }",
            json!({ "number": 10, "specVersion": 300, "finalized": true, "step": "ATTEMPTED",
                "commit": { "id": "10-0", "state": "COMMITTED", "asOfBlock": 10 } }),
        ),
        (
            "stakeMovements",
            "(after: \"first\", netuids: [1], kinds: [MOVED_AND_TRANSFERRED])".to_owned(),
            "... on StakeMoved { cursor number hash specVersion finalized
                movement { id kind tao fee } }",
            json!({ "number": 11, "specVersion": 300, "finalized": true,
                "movement": { "id": "11-1", "kind": "MOVED_AND_TRANSFERRED",
                "tao": "9007199254740993", "fee": null } }),
        ),
    ];
    for (field, arguments, fields, expected) in cases {
        let query = format!("subscription {{ {field}{arguments} {{ __typename {fields} }} }}");
        client.subscribe(field, &query).await;
        client.begun(field, field).await;
        let mut item = client.item(field, field).await;
        assert_eq!(
            item["hash"],
            hash_of(u32::try_from(item["number"].as_u64().unwrap()).unwrap()).to_string()
        );
        assert!(item["cursor"].as_str().unwrap().len() > 20);
        for own in ["__typename", "hash", "cursor"] {
            item.as_object_mut().unwrap().remove(own);
        }
        assert_eq!(item, expected);
        // Others of the same stream may be on their way.
        client
            .send(json!({ "id": field, "type": "complete" }))
            .await;
        while client.next().await["type"] != "complete" {}
    }
    let query = "subscription { scores(after: \"first\", kinds: [SCORE], netuids: [2]) { __typename
        ... on ScoreRecorded { cursor record { number netuid } } } }";
    client.subscribe("r", query).await;
    client.begun("r", "scores").await;
    let item = client.item("r", "scores").await;
    assert_eq!(item["record"]["netuid"], 2);

    for (query, word) in [
        ("blocks(after: \"42\") { __typename }", "cursor"),
        ("scores(after: \"4200\") { __typename }", "cursor"),
    ] {
        client
            .subscribe("bad", &format!("subscription {{ {query} }}"))
            .await;
        let message = loop {
            let message = client.next().await;
            if message["id"] == "bad" && message["type"] == "next" {
                break message;
            }
        };
        let error = &message["payload"]["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_INPUT", "{message}");
        assert!(
            error["message"].as_str().unwrap().contains(word),
            "{message}"
        );
    }
}

// One thread: the server cannot send while the burst is stored.
#[tokio::test]
async fn a_client_that_is_behind_misses_nothing() {
    let server = start(Fake::new()).await;
    let mut client = ready(&server).await;
    client.subscribe("s", BLOCKS).await;
    client.begun("s", "blocks").await;
    server.fake.commit(&[]);
    assert_eq!(client.item("s", "blocks").await["number"], 21);
    // The channel that tells of new blocks holds four.
    for _ in 0..20 {
        server.fake.commit(&[]);
    }
    for number in 22..=41 {
        assert_eq!(client.item("s", "blocks").await["number"], number);
    }
    assert_eq!(server.fake.commit(&[]), 42);
    assert_eq!(client.item("s", "blocks").await["number"], 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_limits_hold_on_sockets_too() {
    let server = start(Fake::new()).await;
    let mut client = ready(&server).await;
    let error = async |client: &mut Client, id: &str, query: &str| {
        client.subscribe(id, query).await;
        let message = client.next().await;
        assert_eq!(message["type"], "next", "{message}");
        assert_eq!(client.next().await["type"], "complete");
        message["payload"]["errors"][0]["extensions"].clone()
    };
    assert_eq!(
        error(&mut client, "a", "{ nothing }").await["code"],
        "BAD_INPUT"
    );
    assert_eq!(
        error(&mut client, "b", "{ block(number: 1) { number } }").await["code"],
        "OUT_OF_RANGE"
    );
    let deep = format!(
        "{{ block {}number{} }}",
        "{ parent ".repeat(20) + "{ ",
        " }".repeat(21)
    );
    assert_eq!(error(&mut client, "c", &deep).await["limit"], "depth");
    let nested = "{a".repeat(1_000);
    assert_eq!(
        error(&mut client, "d", &nested).await["code"],
        "LIMIT_EXCEEDED"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_and_their_operations_are_bounded() {
    let options = ServerOptions {
        limits: Limits {
            websockets: 1,
            operations_per_websocket: 2,
            body_bytes: 2_000,
            ..Limits::default()
        },
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let mut client = ready(&server).await;
    for id in ["1", "2"] {
        client.subscribe(id, BLOCKS).await;
        client.begun(id, "blocks").await;
    }
    client.subscribe("3", BLOCKS).await;
    let refused = client.next().await;
    assert_eq!(refused["id"], "3");
    let extensions = &refused["payload"]["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "LIMIT_EXCEEDED");
    assert_eq!(extensions["allowed"], 2);
    assert_eq!(client.next().await["type"], "complete");
    // A place is free again when its stream ends.
    client.send(json!({ "id": "1", "type": "complete" })).await;
    assert_eq!(client.next().await["type"], "complete");
    client.subscribe("4", "{ status { last } }").await;
    assert_eq!(client.data("4").await["status"]["last"], 20);
    assert_eq!(client.next().await["type"], "complete");

    match connect(&server, "graphql-transport-ws").await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 503),
        other => panic!("{:?}", other.err()),
    }
    // A message above the limit ends the socket, which frees its place.
    let _ = client.0.send(Message::text("x".repeat(3_000))).await;
    while let Some(Ok(message)) = client.0.next().await {
        assert!(!message.is_text(), "{message:?}");
    }
    listening(&server, 0).await;
    for _ in 0..100 {
        if connect(&server, "graphql-transport-ws").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place was not freed");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_shown_the_door() {
    let server = start(Fake::new()).await;
    match connect(&server, "graphql-ws").await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 400),
        other => panic!("{:?}", other.err()),
    }
    // A subscription before the introduction, and text that is no message.
    let early = json!({ "id": "1", "type": "subscribe", "payload": { "query": BLOCKS } });
    for text in [early.to_string(), "no json".to_owned()] {
        let mut client = connect(&server, "graphql-transport-ws").await.unwrap();
        client.0.send(Message::text(text)).await.unwrap();
        assert!(matches!(client.frame().await, Message::Close(Some(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_closes_sockets_and_returns() {
    let server = start(Fake::new()).await;
    let mut client = ready(&server).await;
    client.subscribe("s", BLOCKS).await;
    client.begun("s", "blocks").await;
    let began = std::time::Instant::now();
    let stopping = tokio::spawn(server.stop());
    let Message::Close(Some(frame)) = client.frame().await else {
        panic!("no close frame");
    };
    assert_eq!(u16::from(frame.code), 1001);
    stopping.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_come_go_and_become_final() {
    let server = start(Fake::with(|held| held.unfinalized = Some(2))).await;
    let mut client = ready(&server).await;
    let query = "subscription { heads { __typename
        ... on HeadAdded { number hash epochs block { number finalized } }
        ... on HeadRetracted { number hash }
        ... on HeadFinalized { number hash }
        ... on Lagged { missed lastSeen } } }";
    client.subscribe("h", query).await;
    listening(&server, 1).await;
    let added = |number| HeadNews::Added {
        number,
        hash: hash_of(number),
        epochs: vec![NetUid(1)],
    };
    for number in [22, 23] {
        server.fake.tell(added(number));
    }
    let hash = hash_of(22);
    server.fake.tell(HeadNews::Retracted { number: 22, hash });
    let hash = hash_of(21);
    server.fake.tell(HeadNews::Finalized { number: 21, hash });
    let word = |kind: &str, number| json!({ "__typename": kind, "number": number, "hash": hash_of(number).to_string() });
    let mut first = word("HeadAdded", 22);
    first["epochs"] = json!([1]);
    first["block"] = json!({ "number": 22, "finalized": false });
    // One that is not there any more when it is asked for.
    let mut second = word("HeadAdded", 23);
    second["epochs"] = json!([1]);
    second["block"] = json!(null);
    for expected in [
        first,
        second,
        word("HeadRetracted", 22),
        word("HeadFinalized", 21),
    ] {
        assert_eq!(client.data("h").await["heads"], expected);
    }
    // What was lost before it came here is told as what is lost here.
    server.fake.tell(HeadNews::Missed(7));
    assert_eq!(
        client.data("h").await["heads"],
        json!({ "__typename": "Lagged", "missed": "7", "lastSeen": 21 })
    );
}
