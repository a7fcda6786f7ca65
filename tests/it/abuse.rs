//! Hostile requests against the real program over real sockets: while they run, others
//! are answered; each of them is refused in words or its socket is closed; and in the end
//! the program has neither grown nor stumbled.
//!
//! | file | what it sends |
//! |---|---|
//! | `queries` | GraphQL that is deep, wide, circular, huge, broken |
//! | `bodies` | bodies and heads that are too large, too slow, or contradict themselves |
//! | `routes` | hostile paths, parameters and cursors on every route |
//! | `sockets` | floods of WebSocket messages, sockets that do nothing, half-closed ones |

mod bodies;
mod queries;
mod routes;
mod sockets;
mod wire;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::context::program;
use crate::served::{query, wait_until_ready};
use wire::{Said, Wire};

/// How much the program may have grown by whatever was sent.
const GROWTH_KIB: u64 = 200 << 10;
/// Where those come from who behave.
const GOOD: &str = "127.0.0.1";
/// Where those come from who do not: limits that hold for an address do not hit others.
const EVIL: &str = "127.0.0.66";
/// How long one answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program under attack, and somebody who goes on asking it.
struct Besieged {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<String>>>,
    before_kib: u64,
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    bystander: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Besieged {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A demo, indexed, that somebody asks all the time.
fn besieged() -> Besieged {
    let mut child = program(&["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("it ended without an address").unwrap();
        if let Some((_, rest)) = line.split_once("serves on http://") {
            break rest.split('/').next().unwrap().to_owned();
        }
    };
    let kept = log.clone();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            kept.lock().unwrap().push(line);
        }
    });
    wait_until_ready(&address);
    let started = Instant::now();
    while query(&address, "{ availableRange { last } }")["data"]["availableRange"]["last"] != 329 {
        assert!(started.elapsed() < 2 * PATIENCE, "the demo is not indexed");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut besieged = Besieged {
        child,
        address,
        log,
        before_kib: 0,
        over: Arc::default(),
        answered: Arc::default(),
        bystander: None,
    };
    // What an honest client makes the program load does not count as growth.
    for _ in 0..3 {
        assert!(ask(&besieged.address));
    }
    besieged.before_kib = besieged.resident_kib();
    let (address, over) = (besieged.address.clone(), besieged.over.clone());
    let answered = besieged.answered.clone();
    besieged.bystander = Some(std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            // Told to come back later, an honest client does.
            let started = Instant::now();
            while !ask(&address) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                assert!(
                    started.elapsed() < PATIENCE,
                    "an honest client was not answered"
                );
                std::thread::sleep(Duration::from_millis(100));
            }
            answered.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(20));
        }
    }));
    besieged
}

/// What an honest client asks; whether it was answered well.
fn ask(address: &str) -> bool {
    let query =
        "{ availableRange { last } metagraph(netuid: 1) { neurons { uid hotkey emission } } }";
    let body = serde_json::json!({ "query": query }).to_string();
    let Ok(mut wire) = Wire::open(address, GOOD) else {
        return false;
    };
    let said = wire.post("/graphql", body.as_bytes());
    let Said::Answer { status: 200, body } = said else {
        return false;
    };
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer.get("errors"), None, "{answer}");
    !answer["data"]["metagraph"]["neurons"]
        .as_array()
        .unwrap()
        .is_empty()
}

impl Besieged {
    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        line.unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// A new connection of somebody who does not behave.
    fn evil(&self) -> Wire {
        Wire::open(&self.address, EVIL).unwrap()
    }

    /// The bystander is answered so many times more.
    fn still_answers(&self, times: u64) {
        let (before, started) = (self.answered.load(Ordering::Relaxed), Instant::now());
        while self.answered.load(Ordering::Relaxed) < before + times {
            let ended = self.bystander.as_ref().is_none_or(|b| b.is_finished());
            assert!(!ended, "the honest client gave up");
            assert!(started.elapsed() < 2 * PATIENCE, "no answer any more");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The siege is over: the program stands as before.
    fn stands(mut self) {
        self.still_answers(3);
        self.over.store(true, Ordering::Relaxed);
        let bystander = self.bystander.take().unwrap().join();
        assert!(bystander.is_ok(), "the honest client was not answered");
        // What was held for the last of them may be given back a little later.
        let started = Instant::now();
        let grown = loop {
            let grown = self.resident_kib().saturating_sub(self.before_kib);
            if grown < GROWTH_KIB || started.elapsed() > PATIENCE {
                break grown;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        assert!(grown < GROWTH_KIB, "it grew by {grown} KiB");
        assert!(self.child.try_wait().unwrap().is_none(), "it has ended");
        let log = self.log.lock().unwrap();
        for line in log.iter() {
            assert!(!line.contains("panicked"), "{line}");
        }
    }
}

/// A refusal: 4xx or "not now" with a sentence, or a closed socket.
#[track_caller]
fn refused(name: &str, said: &Said) {
    match said {
        Said::Closed => {}
        Said::Answer { status, body } => {
            let allowed = matches!(status, 400..=499 | 503 | 504);
            let text = String::from_utf8_lossy(body);
            assert!(allowed, "{name}: {status} {text:.300}");
        }
    }
}

/// As [`refused`]; GraphQL may also answer 200 with errors, each with a sentence and a code
/// that is not "internal".
#[track_caller]
fn refused_in_words(name: &str, said: &Said) {
    let Said::Answer { status, body } = said else {
        return;
    };
    let text = String::from_utf8_lossy(body);
    let answer: Value = serde_json::from_slice(body)
        .unwrap_or_else(|error| panic!("{name}: {status} {error}: {text:.300}"));
    let errors = answer["errors"].as_array();
    if *status != 200 {
        refused(name, said);
        let detail = answer["detail"].as_str().map(str::len);
        let told = errors.is_some_and(|e| !e.is_empty()) || detail > Some(10);
        assert!(told, "{name}: {status} without a sentence: {text:.300}");
    }
    for error in errors.unwrap_or_else(|| panic!("{name}: it was answered: {text:.300}")) {
        let message = error["message"].as_str().unwrap();
        assert!(
            message.len() > 10 && message.len() < 2_000,
            "{name}: {message:.300}"
        );
        let code = error["extensions"]["code"].as_str();
        assert!(
            code.is_some() && code != Some("INTERNAL"),
            "{name}: {error}"
        );
    }
}
