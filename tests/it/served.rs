//! The program as a person runs it: `demo` in the background, its HTTP answers,
//! its end on a signal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::context::program;

/// A running program and the address it serves on.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn start(args: &[&str]) -> Served {
    let mut child = program(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("it ended without an address").unwrap();
        if let Some((_, rest)) = line.split_once("serves on http://") {
            break rest.split('/').next().unwrap().to_owned();
        }
    };
    // Keep reading, or the program would stop at a full pipe.
    std::thread::spawn(move || for _ in lines {});
    Served { child, address }
}

/// One request over a connection of its own: status and body.
pub(crate) fn http(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if head.to_lowercase().contains("transfer-encoding: chunked") {
        dechunk(body)
    } else {
        body.to_owned()
    };
    (status, body)
}

fn dechunk(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        out.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
    out
}

pub(crate) fn query(address: &str, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let (status, body) = http(address, "POST", "/graphql", &body);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

pub(crate) fn wait_until_ready(address: &str) {
    let started = Instant::now();
    while http(address, "GET", "/ready", "").0 != 200 {
        assert!(started.elapsed() < Duration::from_secs(60), "not ready");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The query of the README, and its answer as printed there.
fn readme_example() -> (String, Value) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let block = |fence: &str| {
        let from = readme
            .find(fence)
            .unwrap_or_else(|| panic!("README has no {fence}"));
        let body = &readme[from + fence.len()..];
        body[..body.find("```").unwrap()].trim().to_owned()
    };
    let answer = serde_json::from_str(&block("```json\n")).expect("the README's answer is JSON");
    (block("```graphql\n"), answer)
}

#[test]
fn the_demo_answers_what_the_readme_says() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    let (question, answer) = readme_example();
    assert_eq!(query(&served.address, &question), answer);
    let (status, page) = http(&served.address, "GET", "/graphql", "");
    assert_eq!(status, 200);
    assert!(page.contains("<html"), "{page:.200}");
    assert_eq!(http(&served.address, "GET", "/health", "").0, 200);
    let commits = query(
        &served.address,
        "{ commits(kind: HASH, state: REVEALED, asOf: { block: 300 }) { hasNextPage nodes {
             id hotkey madeBy { extrinsic { call { name } } } state
             reveals { verified firstEpoch row { rows { uid } }
                       madeBy { extrinsic { call { name } } } } } } }",
    );
    let nodes = &commits["data"]["commits"]["nodes"];
    assert_eq!(nodes.as_array().map(Vec::len), Some(2), "{commits}");
    assert_eq!(
        nodes[1],
        json!({
            "id": "112-0",
            "hotkey": "5E5DF52BUfTKqaQLCZXeKv9W7RYMgS9drCBpqgvQUAs9F8ug",
            "madeBy": { "extrinsic": { "call": { "name": "commit_weights" } } },
            "state": "REVEALED",
            "reveals": [{
                "verified": true,
                "firstEpoch": 139,
                "row": { "rows": [{ "uid": 1 }] },
                "madeBy": { "extrinsic": { "call": { "name": "reveal_weights" } } }
            }]
        })
    );
    // It is ready a few blocks before the end.
    let started = Instant::now();
    loop {
        let (_, metrics) = http(&served.address, "GET", "/metrics", "");
        if metrics.contains("indexer_blocks_total 330\n") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{metrics}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(unix)]
mod on_a_signal {
    use indexer::check::check;
    use indexer::store::Store;
    use indexer::verify::follow;

    use super::*;
    use crate::context::{background, connect, index, indexed, node, outcome, text};

    /// Sends SIGTERM and waits for the end, which must come soon and in order.
    fn terminate(child: &mut Child) {
        let pid = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap();
        assert!(sent.success());
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(8), "still running");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Height of the last stored block, as the window tells it.
    fn last(address: &str) -> Option<u64> {
        query(address, "{ status { last } }")["data"]["status"]["last"].as_u64()
    }

    fn wait_until_stored(address: &str, block: u64) -> u64 {
        let started = Instant::now();
        loop {
            match last(address) {
                Some(last) if last >= block => return last,
                _ => assert!(started.elapsed() < Duration::from_secs(60), "no block"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The store is whole as far as it goes, and goes on to what it would have been.
    async fn good_so_far(node: &replay_node::ReplayNode, data: &str) -> u32 {
        let dir = std::path::Path::new(data);
        let stopped_at = check(&Store::open_sled(dir, false, 16 << 20).unwrap())
            .unwrap()
            .last;
        let store = Store::open_sled(dir, false, 16 << 20).unwrap();
        index(connect(node).await, &store, node.end())
            .await
            .unwrap();
        let whole = indexed("mini-300").await;
        for store in [&store, &whole] {
            follow::catch_up(store, &follow::Stop::default()).unwrap();
        }
        assert_eq!(
            check(&store).unwrap(),
            check(&whole).unwrap(),
            "stopped at {stopped_at}"
        );
        stopped_at
    }

    fn run_slowly<'a>(url: &'a str, data: &'a str) -> Vec<&'a str> {
        let mut args = vec!["run", "--url", url, "--data-dir", data];
        args.extend(["--listen", "127.0.0.1:0", "--window", "1"]);
        args
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_signal_in_the_middle_of_catching_up_leaves_a_good_store() {
        let node = node("mini-300").await;
        node.faults().delay(Duration::from_millis(20));
        let dir = tempfile::tempdir().unwrap();
        let (url, data) = (node.ws_url(), text(dir.path()));
        let mut served = start(&run_slowly(&url, data));
        // It answers while it catches up.
        wait_until_stored(&served.address, 5);
        terminate(&mut served.child);
        node.faults().clear();
        let stopped_at = good_so_far(&node, data).await;
        assert!((5..node.end()).contains(&stopped_at), "{stopped_at}");
        node.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_signal_while_the_node_refuses_connections_leaves_a_good_store() {
        let node = node("mini-300").await;
        node.faults().delay(Duration::from_millis(20));
        let dir = tempfile::tempdir().unwrap();
        let (url, data) = (node.ws_url(), text(dir.path()));
        let mut served = start(&run_slowly(&url, data));
        wait_until_stored(&served.address, 5);
        node.faults().refuse_connections(true);
        assert!(node.faults().drop_connections() > 0);
        // It tries again and again, and serves what it has.
        let before = node.counts().connections;
        let started = Instant::now();
        while node.counts().connections < before + 2 {
            assert!(started.elapsed() < Duration::from_secs(30), "it gave up");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(last(&served.address).is_some_and(|last| last >= 5));
        let why = loop {
            let status = query(&served.address, "{ status { stopped following } }");
            assert_eq!(status["data"]["status"]["following"], true);
            if let Some(why) = status["data"]["status"]["stopped"].as_str() {
                break why.to_owned();
            }
            assert!(started.elapsed() < Duration::from_secs(30), "no reason");
            std::thread::sleep(Duration::from_millis(100));
        };
        assert!(why.contains("127.0.0.1"), "{why}");
        let (status, ready) = http(&served.address, "GET", "/ready", "");
        assert_eq!(status, 503);
        // Strangers are not told which node it is.
        assert!(ready.contains("the log has the cause"), "{ready}");
        assert!(
            !ready.contains("asked again") && !ready.contains(&url),
            "{ready}"
        );
        terminate(&mut served.child);
        node.faults().clear();
        let stopped_at = good_so_far(&node, data).await;
        assert!((5..node.end()).contains(&stopped_at), "{stopped_at}");
        node.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_signal_before_the_node_has_answered_ends_it() {
        let node = node("mini-300").await;
        node.faults().delay(Duration::from_secs(60));
        let dir = tempfile::tempdir().unwrap();
        let (url, data) = (node.ws_url(), text(dir.path()));
        let mut child = background(&run_slowly(&url, data));
        let started = Instant::now();
        while node.counts().connections == 0 {
            assert!(started.elapsed() < Duration::from_secs(30), "no connection");
            std::thread::sleep(Duration::from_millis(20));
        }
        terminate(&mut child);
        node.stop().await;
    }

    #[test]
    fn a_signal_ends_it_in_order_and_the_store_can_be_served_again() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let node = runtime.block_on(node("upgrades"));
        let dir = tempfile::tempdir().unwrap();
        let url = node.ws_url();
        let data = text(dir.path());
        let args = [
            "run",
            "--url",
            &url,
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            data,
        ];
        let mut served = start(&args);
        wait_until_ready(&served.address);
        terminate(&mut served.child);
        runtime.block_on(node.stop());

        let served = start(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data]);
        let status = query(
            &served.address,
            "{ status { last following } runtimes { specVersion } }",
        );
        assert_eq!(
            status["data"]["runtimes"].as_array().map(Vec::len),
            Some(3),
            "{status}"
        );
        let held = outcome(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data]);
        assert!(String::from_utf8_lossy(&held.stderr).contains("another yumascope"));
    }
}
