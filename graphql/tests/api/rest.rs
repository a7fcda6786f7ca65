//! REST straight from the port: forms, validators, waits, refusals, the document of routes.

mod explorer;
mod forms;
mod lasting;
mod openapi;
mod refusals;
mod waits;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::http::Server;

/// An answer with its bytes.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }
}

pub(crate) async fn send(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("\r\n{body}");
    let addr = server.addr;
    let exchange = move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.expect("no head");
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        Reply {
            status: status.parse().unwrap(),
            headers: lines.fold(BTreeMap::new(), |mut all, line| {
                let (name, value) = line.split_once(": ").unwrap();
                let told: &mut String = all.entry(name.to_lowercase()).or_default();
                if !told.is_empty() {
                    told.push_str(", ");
                }
                told.push_str(value);
                all
            }),
            body: answer[end + 4..].to_vec(),
        }
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

pub(crate) async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    send(server, "GET", path, headers, "").await
}

/// An answer that must be one.
pub(crate) async fn good(server: &Server, path: &str) -> Reply {
    let reply = get(server, path, &[]).await;
    assert_eq!(
        reply.status,
        200,
        "{path}: {}",
        String::from_utf8_lossy(&reply.body)
    );
    reply
}

/// The document of a refusal.
pub(crate) fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    let document = reply.json();
    assert_eq!(reply.status, status, "{document:#}");
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(document["status"], status, "{document:#}");
    assert_eq!(document["code"], code, "{document:#}");
    assert!(document["detail"].as_str().unwrap().len() > 10);
    assert!(document["title"].is_string());
    document
}

/// Routes that answer from the store in memory.
pub(crate) const READS: [&str; 17] = [
    "/v1/status",
    "/v1/coverage",
    "/v1/runtimes",
    "/v1/blocks",
    "/v1/blocks/11",
    "/v1/blocks/11/extrinsics",
    "/v1/blocks/11/events",
    "/v1/subnets",
    "/v1/subnets/1",
    "/v1/metagraph/1",
    "/v1/weights/1",
    "/v1/bonds/1",
    "/v1/stake?hotkey=5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM",
    "/v1/stake/movements",
    "/v1/epochs/1",
    "/v1/commits",
    "/v1/scores/1",
];
