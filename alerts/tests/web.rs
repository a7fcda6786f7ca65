//! One attempt over a real socket on loopback: what counts as delivered, and what is never reached.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alerts::deliver::{Failed, Post, Web};
use alerts::guard::Names;
use alerts::hook::{Hook, Machine, RawHook};
use alerts::outbox::Pending;
use alerts::sign;
use serde_json::json;

const SECRET: &[u8] = b"0123456789abcdef";

/// Answers every connection with the same bytes; keeps what it read.
struct Server {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

fn serve(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server {
        port: listener.local_addr().unwrap().port(),
        heads: Arc::default(),
    };
    let heads = server.heads.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some((name, value)) = line.split_once(": ")
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            head.push_str(&String::from_utf8_lossy(&body));
            heads.lock().unwrap().push(head);
            answer(&mut stream);
        }
    });
    server
}

fn fixed(answer: &'static str) -> Server {
    serve(move |stream| {
        let _ = stream.write_all(answer.as_bytes());
    })
}

fn hook(url: &str, networks: &[&str]) -> Hook {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let raw: RawHook = serde_json::from_value(json!({
        "name": "h", "url": url, "secret_file": secret, "topics": [{"topic": "blocks"}],
        "allow_http": true, "allow_networks": networks, "timeout_ms": 1000,
    }))
    .unwrap();
    Hook::build(&raw, &Default::default(), &Machine).unwrap()
}

fn message() -> Pending {
    Pending {
        key: "k1".into(),
        lane: "blocks".into(),
        cursor: "c".into(),
        event: "blocks".into(),
        body: r#"{"n":1}"#.into(),
        attempts: 0,
        next_ms: 0,
        why: None,
    }
}

fn sent(server: &Server) -> Result<(), Failed> {
    let url = format!("http://127.0.0.1:{}/path/token?more=1", server.port);
    Web::new(hook(&url, &["127.0.0.0/8"])).post(&message(), 1_700_000_000)
}

#[test]
fn a_message_arrives_signed() {
    let server = fixed("HTTP/1.1 204 No Content\r\n\r\n");
    sent(&server).unwrap();
    let heads = server.heads.lock().unwrap();
    let [head] = heads.as_slice() else {
        panic!("{heads:?}");
    };
    let lower = head.to_lowercase();
    assert!(
        head.starts_with("POST /path/token?more=1 HTTP/1.1\r\n"),
        "{head}"
    );
    for part in [
        "content-type: application/json",
        "yumascope-event: blocks",
        "idempotency-key: k1",
    ] {
        assert!(lower.contains(part), "{head}");
    }
    let header = lower.split("yumascope-signature: ").nth(1).unwrap();
    let header = header.split("\r\n").next().unwrap();
    assert!(head.ends_with(r#"{"n":1}"#));
    sign::verify(SECRET, header, br#"{"n":1}"#, 1_700_000_000, 0).unwrap();
}

#[test]
fn everything_but_2xx_is_a_failure() {
    for (answer, kind, part) in [
        (
            "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
            "status",
            "500",
        ),
        (
            "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n",
            "status",
            "404",
        ),
        (
            "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "refused",
            "redirects",
        ),
        ("", "network", "connection"),
        ("nonsense\r\n\r\n", "network", "connection"),
    ] {
        let failed = sent(&fixed(answer)).unwrap_err();
        assert_eq!(failed.kind, kind, "{answer}: {failed}");
        assert!(failed.why.contains(part), "{answer}: {failed}");
        assert!(!failed.why.contains("token"), "{failed}");
    }
    let wait = fixed("HTTP/1.1 429 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(sent(&wait).unwrap_err().after, Some(Duration::from_secs(7)));
}

#[test]
fn a_slow_or_endless_answer_ends() {
    let slow = serve(|_| std::thread::sleep(Duration::from_secs(40)));
    let began = Instant::now();
    let failed = sent(&slow).unwrap_err();
    assert_eq!(failed.kind, "timeout", "{failed}");
    assert!(began.elapsed() < Duration::from_secs(30));
    // A body without an end: the status counts, and reading stops.
    let endless = serve(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    sent(&endless).unwrap();
    // A head without an end.
    let head = serve(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream
            .write_all(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")
            .is_ok()
        {}
    });
    sent(&head).unwrap_err();
}

/// A name server that says each address once, the last one for good.
#[derive(Debug)]
struct Changing(Vec<&'static str>, AtomicUsize);

impl Names for Changing {
    #[expect(clippy::unwrap_in_result, reason = "a test")]
    fn resolve(&self, _host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let asked = self.1.fetch_add(1, Ordering::SeqCst);
        let found = self.0.get(asked).or(self.0.last()).ok_or("no such name")?;
        Ok(vec![SocketAddr::new(found.parse().unwrap(), port)])
    }
}

#[test]
fn a_name_that_leads_inside_is_never_connected_to() {
    let server = fixed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let url = format!("http://hooks.example:{}/", server.port);
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let names = Arc::new(Changing(vec![address], AtomicUsize::new(0)));
        let web = Web::with_names(hook(&url, &[]), names.clone());
        let failed = web.post(&message(), 0).unwrap_err();
        assert_eq!(failed.kind, "refused", "{failed}");
        assert!(failed.why.contains("only public"), "{failed}");
    }
    assert!(server.heads.lock().unwrap().is_empty());
}

#[test]
fn a_name_is_asked_once_an_attempt_and_every_time_anew() {
    let server = fixed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let url = format!("http://hooks.example:{}/", server.port);
    // Allowed when first looked at; somewhere else when looked at again.
    let names = Arc::new(Changing(vec!["127.0.0.1", "10.0.0.1"], AtomicUsize::new(0)));
    let web = Web::with_names(hook(&url, &["127.0.0.0/8"]), names.clone());
    web.post(&message(), 0).unwrap();
    assert_eq!(names.1.load(Ordering::SeqCst), 1);
    let failed = web.post(&message(), 0).unwrap_err();
    assert_eq!(
        (failed.kind, names.1.load(Ordering::SeqCst)),
        ("refused", 2)
    );
    assert_eq!(server.heads.lock().unwrap().len(), 1);
}
