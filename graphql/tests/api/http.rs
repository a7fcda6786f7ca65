//! A server under test and the smallest HTTP client that can talk to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use graphql::ServerOptions;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fake::Fake;

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) fake: Arc<Fake>,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value; names and values are in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(other, _)| *other == name);
        found.next().map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

pub(crate) async fn start(fake: Fake) -> Server {
    start_with(fake, ServerOptions::default()).await
}

pub(crate) async fn start_with(fake: Fake, options: ServerOptions) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let fake = Arc::new(fake);
    let (stop, stopped) = oneshot::channel();
    let done = tokio::spawn(graphql::serve(
        listener,
        fake.clone(),
        options,
        async move {
            let _ = stopped.await;
        },
    ));
    Server {
        addr,
        fake,
        stop,
        done,
    }
}

impl Server {
    /// Begins the shutdown and waits for its end.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        let end = tokio::time::timeout(Duration::from_secs(20), self.done).await;
        end.expect("the server did not stop").unwrap().unwrap();
    }

    pub(crate) async fn raw(&self, request: Vec<u8>) -> Answer {
        let addr = self.addr;
        tokio::task::spawn_blocking(move || exchange(addr, &request))
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        self.raw(request.into_bytes()).await
    }

    /// A request with headers of its own, each ended by `\r\n`.
    pub(crate) async fn ask_as(&self, method: &str, path: &str, headers: &str) -> Answer {
        let body = if path == "/graphql" && method == "POST" {
            r#"{"query":"{ status { last } }"}"#
        } else {
            ""
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.raw(request.into_bytes()).await
    }

    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.post_to("/graphql", body).await
    }

    pub(crate) async fn post_to(&self, path: &str, body: &str) -> Answer {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.raw([head.as_bytes(), body.as_bytes()].concat()).await
    }

    /// The whole answer to a query, errors included.
    pub(crate) async fn ask(&self, query: &str) -> Value {
        self.ask_with(query, json!({})).await
    }

    pub(crate) async fn ask_with(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let answer = self.post(&body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// The data of a query that must meet no error.
    pub(crate) async fn data(&self, query: &str) -> Value {
        let mut answer = self.ask(query).await;
        assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
        answer["data"].take()
    }

    /// Message and extensions of the only error of a query.
    pub(crate) async fn error(&self, query: &str) -> (String, Value) {
        only_error(&self.ask(query).await)
    }
}

pub(crate) fn only_error(answer: &Value) -> (String, Value) {
    let errors = answer["errors"].as_array().expect("no error");
    assert_eq!(errors.len(), 1, "{answer:#}");
    let message = errors[0]["message"].as_str().unwrap().to_owned();
    (message, errors[0]["extensions"].clone())
}

fn exchange(addr: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    // A server that refuses a large body may close before it has read all of it.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(!answer.is_empty(), "no answer: {error}");
    }
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("no head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    Answer {
        status,
        head: head.to_lowercase(),
        body: if chunked {
            dechunked(body)
        } else {
            body.to_owned()
        },
    }
}

fn dechunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        body += &after[..size];
        rest = &after[size + 2..];
    }
    body
}
