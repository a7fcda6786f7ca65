//! Bare sockets: too many, too slow; and how the server ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use graphql::{DoorOptions, ServerOptions};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::fake::Fake;
use crate::http::start_with;

fn door(change: impl FnOnce(&mut DoorOptions)) -> ServerOptions {
    let mut options = ServerOptions::default();
    options.door.limit_loopback = true;
    change(&mut options.door);
    options
}

fn connect(addr: std::net::SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
}

/// What still comes until the other side closes.
fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it was not closed: {error}"),
    }
    String::from_utf8(text).unwrap()
}

const GET: &[u8] = b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_to_its_end_is_cut() {
    let options = door(|door| door.header_timeout = Duration::from_secs(2));
    let server = start_with(Fake::new(), options).await;
    let addr = server.addr;
    tokio::task::spawn_blocking(move || {
        let silent = connect(addr);
        let mut slow = connect(addr);
        let mut idle = connect(addr);
        idle.write_all(GET).unwrap();
        // A byte now and then does not buy time.
        let mut cut = false;
        for byte in b"GET /health HTTP/1.1\r\nx: "
            .iter()
            .chain(std::iter::repeat_n(&b'a', 3_000))
        {
            cut = slow.write_all(&[*byte]).is_err();
            if cut {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(cut, "it was listened to for ever");
        assert_eq!(rest(silent), "");
        assert!(
            rest(idle).starts_with("HTTP/1.1 200"),
            "answered, then closed"
        );
    })
    .await
    .unwrap();
    // The place is free again, and others were never disturbed.
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded_by_address_and_in_all() {
    for (options, limit) in [
        (
            door(|door| door.connections_per_address = 3),
            "connections_per_address is 3",
        ),
        (door(|door| door.max_connections = 3), "connections is 3"),
    ] {
        let server = start_with(Fake::new(), options).await;
        let addr = server.addr;
        tokio::task::spawn_blocking(move || {
            let mut open: Vec<TcpStream> = (0..3).map(|_| connect(addr)).collect();
            for stream in &mut open {
                stream.write_all(GET).unwrap();
                let mut first = [0; 12];
                stream.read_exact(&mut first).unwrap();
                assert_eq!(&first, b"HTTP/1.1 200");
            }
            let refused = rest(connect(addr));
            assert!(
                refused.starts_with("HTTP/1.1 503") && refused.contains(limit),
                "{refused}"
            );
            drop(open);
            let began = Instant::now();
            loop {
                let mut stream = connect(addr);
                let _ = stream
                    .write_all(b"GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
                if rest(stream).starts_with("HTTP/1.1 200") {
                    break;
                }
                assert!(
                    began.elapsed() < Duration::from_secs(30),
                    "no place came back"
                );
            }
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut() {
    let options = door(|door| {
        door.read_timeout = Duration::from_secs(1);
        door.limit_loopback = false;
    });
    let server = start_with(Fake::new(), options).await;
    let addr = server.addr;
    tokio::task::spawn_blocking(move || {
        let mut stream = connect(addr);
        stream
            .set_write_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let page = b"GET /graphql HTTP/1.1\r\nhost: t\r\n\r\n".repeat(100);
        let error = loop {
            if let Err(error) = stream.write_all(&page) {
                break error.kind();
            }
        };
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
        assert!(matches!(error, BrokenPipe | ConnectionReset), "{error:?}");
    })
    .await
    .unwrap();
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_bounded_in_lines_and_bytes() {
    let server = start_with(Fake::new(), ServerOptions::default()).await;
    let many = "a: b\r\n".repeat(100);
    let long = format!("a: {}\r\n", "b".repeat(300_000));
    for headers in [many, long] {
        let answer = server.ask_as("GET", "/health", &headers).await;
        assert_eq!(answer.status, 431);
    }
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_drains_it_says_so_and_still_answers() {
    let options = ServerOptions {
        drain: Duration::from_secs(3_600),
        metrics: Some(Arc::new(|| "blocks_total 7\n".to_owned())),
        ..ServerOptions::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(graphql::serve(
        listener,
        Arc::new(Fake::new()),
        options,
        async {
            let _ = stopped.await;
        },
    ));
    let get = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
        tokio::task::spawn_blocking(move || {
            let mut stream = connect(addr);
            stream.write_all(request.as_bytes()).unwrap();
            rest(stream)
        })
        .await
        .unwrap()
    };
    assert!(get("/ready").await.starts_with("HTTP/1.1 200"));
    stop.send(()).unwrap();
    let began = Instant::now();
    let told = loop {
        let told = get("/ready").await;
        if told.starts_with("HTTP/1.1 503") {
            break told;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{told}");
    };
    let body: Value = serde_json::from_str(told.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert!(
        body["reason"].as_str().unwrap().contains("stopping"),
        "{body}"
    );
    assert!(get("/metrics").await.contains("blocks_total 7"));
    served.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_have_an_address_of_their_own() {
    let side = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = side.local_addr().unwrap();
    let options = ServerOptions {
        metrics: Some(Arc::new(|| "blocks_total 7\n".to_owned())),
        metrics_listener: Some(Arc::new(side)),
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    assert_eq!(server.get("/metrics").await.status, 404);
    let get = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
        tokio::task::spawn_blocking(move || {
            let mut stream = connect(at);
            stream.write_all(request.as_bytes()).unwrap();
            rest(stream)
        })
        .await
        .unwrap()
    };
    assert!(get("/metrics").await.ends_with("blocks_total 7\n"));
    assert!(get("/ready").await.starts_with("HTTP/1.1 200"));
    assert!(get("/graphql").await.starts_with("HTTP/1.1 404"));
    server.stop().await;
}
