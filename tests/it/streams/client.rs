//! A client of one stream, over either wire, that keeps what it is told as it is told to.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::truth::{Item, Topic};

/// How it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Socket,
    Events,
}

/// What a client is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    pub(super) topic: Topic,
    pub(super) wire: Wire,
    pub(super) unfinalized: bool,
    pub(super) from_first: bool,
    pub(super) slow: bool,
    pub(super) leaves_after: Option<usize>,
}

/// What it has put together.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) client: Client,
    pub(super) items: BTreeSet<Item>,
    /// The place of its first heartbeat, or what it was taken back to; `None` for one that began with all that is stored.
    pub(super) begun_behind: Option<u32>,
    pub(super) retracted: usize,
    pub(super) came_back: usize,
}

/// A message of either wire.
#[derive(Debug)]
enum Told {
    Item(Item),
    Retracted(u32),
    Heartbeat { indexed: Option<u32> },
    Lagged,
}

enum Stream {
    Socket(Box<WebSocketStream<TcpStream>>),
    Events(BufReader<TcpStream>),
}

/// The height in a cursor. To a client it is opaque; a test may look.
fn height(cursor: &str) -> u32 {
    u32::from_str_radix(&cursor[2..10], 16).unwrap()
}

/// Whether a cursor is behind all items of its block.
fn is_behind(cursor: &str) -> bool {
    &cursor[26..34] == "ffffffff"
}

impl Client {
    /// Follows until everything up to the end is there.
    pub(super) async fn follow(
        self,
        number: usize,
        address: &str,
        ended: watch::Receiver<Option<u32>>,
        begun: &watch::Sender<usize>,
    ) -> Joined {
        let mut joined = Joined {
            client: self,
            items: BTreeSet::new(),
            begun_behind: None,
            retracted: 0,
            came_back: 0,
        };
        let mut cursor = self.from_first.then(|| "first".to_owned());
        let (mut first, mut taken) = (true, 0);
        let mut stream = self.open(address, cursor.as_deref()).await;
        loop {
            let (told, place) = self.next(&mut stream).await;
            if std::mem::take(&mut first) {
                begun.send_modify(|begun| *begun += 1);
                joined.begun_behind = (!self.from_first).then(|| height(&place));
            }
            let (block, whole) = (height(&place), is_behind(&place));
            cursor = Some(place);
            let end = *ended.borrow();
            match told {
                Told::Item(item) => {
                    assert_eq!(item.block, block, "client {number}");
                    let highest = joined.items.last().map(|item| item.block);
                    assert!(
                        highest <= Some(block),
                        "client {number}: {item:?} after {highest:?}"
                    );
                    assert!(joined.items.insert(item), "client {number}: told twice");
                    if !self.unfinalized && end.is_some_and(|end| block > end) {
                        return joined;
                    }
                }
                Told::Retracted(above) => {
                    assert!(self.unfinalized, "client {number}");
                    joined.items.retain(|item| item.block <= above);
                    joined.retracted += 1;
                    // It may have begun on a branch that lost.
                    joined.begun_behind = joined.begun_behind.map(|begun| begun.min(above));
                }
                Told::Heartbeat { indexed } => {
                    // Of blocks above what is stored something may still be retracted.
                    let done = |end| block > end || (block == end && whole);
                    if end.is_some_and(|end| done(end) && indexed >= Some(end)) {
                        return joined;
                    }
                }
                Told::Lagged => panic!("client {number}: everything is stored"),
            }
            taken += 1;
            if self.leaves_after.is_some_and(|most| taken >= most) {
                taken = 0;
                joined.came_back += 1;
                drop(stream);
                stream = self.open(address, cursor.as_deref()).await;
            }
            if self.slow {
                let pause = u64::try_from(5 + (number * 7 + taken) % 20).unwrap();
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
    }

    /// Opens the stream; a place may be free only in a moment.
    async fn open(&self, address: &str, after: Option<&str>) -> Stream {
        for _ in 0..600 {
            let opened = match self.wire {
                Wire::Events => self.open_events(address, after).await,
                Wire::Socket => self.open_socket(address, after).await,
            };
            if let Some(stream) = opened {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no place");
    }

    async fn open_events(&self, address: &str, after: Option<&str>) -> Option<Stream> {
        let topic = format!("{:?}", self.topic).to_lowercase();
        let mut path = format!("/v1/streams/{topic}?unfinalized={}", self.unfinalized);
        let mut header = String::new();
        match after {
            Some("first") => path += "&after=first",
            Some(cursor) => header = format!("Last-Event-ID: {cursor}\r\n"),
            None => {}
        }
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        line.contains(" 200 ").then_some(Stream::Events(stream))
    }

    async fn open_socket(&self, address: &str, after: Option<&str>) -> Option<Stream> {
        let stream = TcpStream::connect(address).await.ok()?;
        let mut request = format!("ws://{address}/graphql/ws")
            .into_client_request()
            .unwrap();
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .ok()?;
        let (field, fields) = match self.topic {
            Topic::Blocks => ("blocks", "... on BlockCommitted { cursor number hash }"),
            Topic::Epochs => (
                "epochs",
                "... on EpochRan { cursor number netuid mechanism }",
            ),
            Topic::Weights => (
                "weightsSet",
                "... on WeightsRowSet { cursor number netuid mechanism uid }",
            ),
            Topic::Commits => (
                "commits",
                "... on CommitStepped { cursor number step commit { id } }",
            ),
            Topic::Stake => (
                "stakeMovements",
                "... on StakeMoved { cursor number movement { id } }",
            ),
        };
        let query = format!(
            "subscription($after: String, $unfinalized: Boolean!) {{
                told: {field}(after: $after, unfinalized: $unfinalized) {{ is: __typename {fields}
                    ... on Retracted {{ cursor above }} ... on Lagged {{ cursor from to }}
                    ... on Heartbeat {{ cursor indexed }} }} }}"
        );
        let variables = json!({ "after": after, "unfinalized": self.unfinalized });
        let payload = json!({ "query": query, "variables": variables });
        for message in [
            json!({ "type": "connection_init" }),
            json!({ "id": "s", "type": "subscribe", "payload": payload }),
        ] {
            socket.send(Message::text(message.to_string())).await.ok()?;
        }
        Some(Stream::Socket(Box::new(socket)))
    }

    async fn next(&self, stream: &mut Stream) -> (Told, String) {
        let next = async {
            match stream {
                Stream::Socket(socket) => self.next_of_socket(socket).await,
                Stream::Events(lines) => self.next_event(lines).await,
            }
        };
        let next = tokio::time::timeout(Duration::from_secs(120), next).await;
        next.unwrap_or_else(|_| panic!("silence: {self:?}"))
    }

    async fn next_event(&self, lines: &mut BufReader<TcpStream>) -> (Told, String) {
        let (mut id, mut event) = (String::new(), String::new());
        loop {
            // Lines of chunks and the head's begin with none of these words.
            let mut line = String::new();
            assert_ne!(lines.read_line(&mut line).await.unwrap(), 0, "it ended");
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("id: ") {
                text.clone_into(&mut id);
            } else if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut event);
            } else if let Some(text) = line.strip_prefix("data: ") {
                let data: Value = serde_json::from_str(text).unwrap();
                let told = match event.as_str() {
                    "item" => Told::Item(self.item(&data["value"])),
                    "retracted" => Told::Retracted(number(&data["above"]).unwrap()),
                    "heartbeat" => Told::Heartbeat {
                        indexed: number(&data["indexed"]),
                    },
                    "lagged" => Told::Lagged,
                    other => panic!("{other}: {data}"),
                };
                return (told, id);
            }
        }
    }

    async fn next_of_socket(&self, socket: &mut WebSocketStream<TcpStream>) -> (Told, String) {
        loop {
            let message = socket.next().await.expect("it ended").unwrap();
            let Message::Text(text) = message else {
                assert!(!message.is_close(), "{message:?}");
                continue;
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] != "next" {
                assert_eq!(message["type"], "connection_ack", "{message}");
                continue;
            }
            let data = &message["payload"]["data"]["told"];
            let cursor = data["cursor"]
                .as_str()
                .unwrap_or_else(|| panic!("{message}"));
            let told = match data["is"].as_str().unwrap() {
                "Retracted" => Told::Retracted(number(&data["above"]).unwrap()),
                "Heartbeat" => Told::Heartbeat {
                    indexed: number(&data["indexed"]),
                },
                "Lagged" => Told::Lagged,
                _ => Told::Item(self.item(data)),
            };
            return (told, cursor.to_owned());
        }
    }

    /// The name of an item; both wires show the same fields.
    fn item(&self, data: &Value) -> Item {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let name = match self.topic {
            Topic::Blocks => text(&data["hash"]),
            Topic::Epochs => format!("{}/{}", data["netuid"], data["mechanism"]),
            Topic::Weights => {
                format!("{}/{}/{}", data["netuid"], data["mechanism"], data["uid"])
            }
            Topic::Commits => format!("{} {}", text(&data["commit"]["id"]), text(&data["step"])),
            Topic::Stake => text(&data["movement"]["id"]),
        };
        Item {
            block: number(&data["number"]).unwrap(),
            name,
        }
    }
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}
