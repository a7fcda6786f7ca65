use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::hook::{Machine, RawHook};
use crate::outbox::{Memory, dead_letters, redeliver};

mod trouble;

/// Numbers from 1 on, as a stream.
struct Numbers {
    last: u64,
}

struct Counted {
    at: u64,
    last: u64,
}

impl Lane for Counted {
    fn take(&mut self) -> Result<Option<Message>, String> {
        if self.at >= self.last {
            return Ok(None);
        }
        self.at += 1;
        let cursor = self.at.to_string();
        Ok(Some(match self.at % 5 {
            0 => Message::Place {
                cursor,
                block: None,
            },
            _ => Message::Item {
                cursor,
                block: u32::try_from(self.at).ok(),
                kind: "item",
                data: json!({ "n": self.at }),
            },
        }))
    }
}

impl Streams for Numbers {
    fn check(&self, _wanted: &Wanted) -> Result<(), String> {
        Ok(())
    }

    fn tip(&self) -> Option<u32> {
        None
    }

    #[expect(clippy::unwrap_in_result, reason = "a test")]
    fn follow(&self, _wanted: &Wanted, after: Option<&str>) -> Result<Box<dyn Lane>, String> {
        let at = match after {
            Some("first") => 0,
            Some(text) => text.parse().unwrap(),
            None => self.last,
        };
        Ok(Box::new(Counted {
            at,
            last: self.last,
        }))
    }
}

/// A receiver that follows a script, then takes everything.
#[derive(Clone, Default)]
struct Receiver {
    script: Arc<Mutex<VecDeque<bool>>>,
    got: Arc<Mutex<Vec<(String, u64)>>>,
}

impl Post for Receiver {
    #[expect(clippy::unwrap_in_result, reason = "a test")]
    fn post(&self, message: &Pending, _now: u64) -> Result<(), Failed> {
        let good = self.script.lock().unwrap().pop_front().unwrap_or(true);
        if !good {
            return Err(Failed {
                why: "the receiver answered 500".into(),
                kind: "status",
                after: None,
            });
        }
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(body["id"], message.key.as_str());
        let n = body["data"]["n"].as_u64().unwrap();
        self.got.lock().unwrap().push((message.key.clone(), n));
        Ok(())
    }
}

fn hook(max_attempts: u32) -> Hook {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef").unwrap();
    let raw: RawHook = serde_json::from_value(json!({
        "name": "h", "url": "https://example.com/", "secret_file": secret, "from": "first",
        "topics": [{"topic": "blocks"}], "max_attempts": max_attempts,
        "first_retry_ms": 1, "longest_retry_ms": 1, "max_body_kib": 1,
    }))
    .unwrap();
    Hook::build(&raw, &Default::default(), &Machine).unwrap()
}

fn worker(outbox: &Arc<Memory>, receiver: &Receiver, last: u64, max_attempts: u32) -> Worker {
    let around = Around {
        outbox: outbox.clone(),
        streams: Arc::new(Numbers { last }),
        board: Arc::default(),
        post: Box::new(receiver.clone()),
        stop: Stop::default(),
    };
    Worker::new(hook(max_attempts), around).unwrap()
}

/// Works until nothing is left.
fn drain(worker: &mut Worker) {
    let mut idle = 0;
    while idle < 20 {
        match worker.turn().unwrap() {
            true => idle = 0,
            false => {
                idle += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

fn numbers(receiver: &Receiver) -> Vec<u64> {
    receiver
        .got
        .lock()
        .unwrap()
        .iter()
        .map(|(_, n)| *n)
        .collect()
}

#[test]
fn everything_arrives_in_order_through_failures() {
    let (outbox, receiver) = (Arc::default(), Receiver::default());
    *receiver.script.lock().unwrap() = (0..40).map(|n| n % 3 == 0).collect();
    drain(&mut worker(&outbox, &receiver, 20, 10));
    let wanted: Vec<u64> = (1..=20).filter(|n| n % 5 != 0).collect();
    assert_eq!(numbers(&receiver), wanted);
    assert!(dead_letters(&*outbox).unwrap().is_empty());
}

#[test]
fn a_restart_at_any_turn_loses_nothing_and_keeps_the_keys() {
    let wanted: Vec<u64> = (1..=12).filter(|n| n % 5 != 0).collect();
    let mut keys: Option<Vec<String>> = None;
    for cut in 0..30 {
        let (outbox, receiver) = (Arc::default(), Receiver::default());
        *receiver.script.lock().unwrap() = (0..20).map(|n| n % 2 == 0).collect();
        let mut first = worker(&outbox, &receiver, 12, 10);
        for _ in 0..cut {
            let _ = first.turn().unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        // A kill: nothing is kept beyond what was.
        drop(first);
        drain(&mut worker(&outbox, &receiver, 12, 10));
        // Later ones with the same key are the same message.
        let mut seen = std::collections::BTreeSet::new();
        let mut got = receiver.got.lock().unwrap().clone();
        got.retain(|(key, _)| seen.insert(key.clone()));
        assert_eq!(
            got.iter().map(|(_, n)| *n).collect::<Vec<_>>(),
            wanted,
            "{cut}"
        );
        let found: Vec<String> = got.into_iter().map(|(key, _)| key).collect();
        assert_eq!(*keys.get_or_insert_with(|| found.clone()), found, "{cut}");
    }
}

#[test]
fn what_is_given_up_is_listed_and_can_be_tried_again() {
    let (outbox, receiver) = (Arc::<Memory>::default(), Receiver::default());
    // 1 arrives; 2 fails three times; 3 arrives.
    *receiver.script.lock().unwrap() = [true, false, false, false].into();
    drain(&mut worker(&outbox, &receiver, 3, 3));
    assert_eq!(numbers(&receiver), [1, 3]);
    let dead = dead_letters(&*outbox).unwrap();
    let [letter] = dead.as_slice() else {
        panic!("{dead:?}");
    };
    assert_eq!((letter.hook.as_str(), letter.message.attempts), ("h", 3));
    assert!(letter.reason.contains("3 attempts") && letter.reason.contains("500"));
    let key = letter.message.key.clone();
    assert_eq!(redeliver(&*outbox, None, Some(&key)).unwrap(), 1);
    *receiver.script.lock().unwrap() = [false].into();
    drain(&mut worker(&outbox, &receiver, 3, 3));
    // It failed once more, and is dead again.
    assert!(
        dead_letters(&*outbox).unwrap()[0]
            .reason
            .contains("once more")
    );
    redeliver(&*outbox, Some("h"), None).unwrap();
    drain(&mut worker(&outbox, &receiver, 3, 3));
    assert_eq!(receiver.got.lock().unwrap().last(), Some(&(key, 2)));
    assert!(dead_letters(&*outbox).unwrap().is_empty());
    assert!(outbox.list("again/h").unwrap().is_empty());
}

#[test]
fn a_new_hook_begins_where_the_stream_is() {
    let (outbox, receiver) = (Arc::default(), Receiver::default());
    let mut worker = worker(&outbox, &receiver, 7, 3);
    worker.hook.from_first = false;
    drain(&mut worker);
    assert!(numbers(&receiver).is_empty());
}
