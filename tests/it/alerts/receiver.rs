//! A receiver of webhooks on loopback: it writes down what comes and answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alerts::sign;
use serde_json::Value;

/// Signs in all tests.
pub(super) const SECRET: &str = "a secret for receivers of tests";

/// What a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// A status without more.
    Status(u16),
    /// A redirect to a place that must not be visited.
    Redirect,
    /// Nothing for a while, then 200.
    Slow,
    /// The connection is closed.
    Close,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) key: String,
    pub(super) event: String,
    pub(super) body: String,
    /// Whether it was answered with 200 in time.
    pub(super) taken: bool,
}

impl Received {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Script = Box<dyn Fn(usize) -> Answer + Send + Sync>;

pub(super) struct Receiver {
    pub(super) port: u16,
    got: Arc<Mutex<Vec<Received>>>,
    script: Arc<Mutex<Script>>,
    stop: Arc<AtomicBool>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Receiver {
    /// Answers by the number of the request.
    pub(super) fn new(script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver {
            port: listener.local_addr().unwrap().port(),
            got: Arc::default(),
            script: Arc::new(Mutex::new(Box::new(script))),
            stop: Arc::default(),
        };
        let (got, script, stop) = (
            receiver.got.clone(),
            receiver.script.clone(),
            receiver.stop.clone(),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (got, script) = (got.clone(), script.clone());
                std::thread::spawn(move || take(stream.unwrap(), &got, &script));
            }
        });
        receiver
    }

    pub(super) fn answer(&self, script: impl Fn(usize) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    pub(super) fn got(&self) -> Vec<Received> {
        self.got.lock().unwrap().clone()
    }
}

/// One request. A program that is killed in the middle of it sends half of one: that is none.
fn take(stream: TcpStream, got: &Mutex<Vec<Received>>, script: &Mutex<Script>) {
    let mut reader = BufReader::new(&stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let found = head.iter().filter_map(|line| line.split_once(": "));
        let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned())
    };
    let length: usize = header("content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let now = alerts::worker::now_ms() / 1_000;
    let signature = header(sign::SIGNATURE).expect("a signature");
    sign::verify(SECRET.as_bytes(), &signature, &body, now, 120).expect("the signature holds");
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    let answer = {
        let mut got = got.lock().unwrap();
        let answer = (script.lock().unwrap())(got.len());
        got.push(Received {
            path: head[0].split(' ').nth(1).unwrap().to_owned(),
            key: header(sign::KEY).unwrap(),
            event: header(sign::EVENT).unwrap(),
            body: String::from_utf8(body).unwrap(),
            taken: answer == Answer::Status(200),
        });
        answer
    };
    let mut stream = &stream;
    let status = |status: u16, more: &str| {
        format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n")
    };
    let _ = match answer {
        Answer::Status(code) => stream.write_all(status(code, "").as_bytes()),
        Answer::Redirect => stream.write_all(status(307, "Location: /elsewhere\r\n").as_bytes()),
        Answer::Slow => {
            std::thread::sleep(Duration::from_secs(3));
            stream.write_all(status(200, "").as_bytes())
        }
        Answer::Close => Ok(()),
    };
}
