//! Webhooks and alert rules in the real program, with a receiver on loopback that answers well
//! and badly.

mod receiver;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use replay_node::{Mode, Options};
use serde_json::Value;

use crate::context::{program, recording, text};
use receiver::{Answer, Received, Receiver, SECRET};

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn with_secret(args: &[&str]) -> Command {
    let mut command = program(args);
    command.env("HOOK_SECRET", SECRET);
    command
}

fn started(args: &[&str]) -> Running {
    let mut command = with_secret(args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().unwrap())
}

fn finished(args: &[&str]) -> Output {
    with_secret(args).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(120), "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/replay-node/fixtures/mini-300")
}

/// A hook to a receiver, with short waits.
fn hook(receiver: &Receiver, name: &str, more: &str) -> String {
    let port = receiver.port;
    format!(
        r#"
[[hook]]
name = "{name}"
url = "http://127.0.0.1:{port}/{name}"
secret_env = "HOOK_SECRET"
allow_http = true
allow_networks = ["127.0.0.0/8"]
first_retry_ms = 5
longest_retry_ms = 40
timeout_ms = 1500
from = "first"
{more}
"#
    )
}

/// All presets that have a history, set so that they speak on the recorded chain.
const RULES: &str = r#"
[[rule]]
preset = "validator-silent"
variables = { tempos = 1 }
from = "first"

[[rule]]
preset = "deregistration-risk"
variables = { lowest = 5, margin = 5000 }
from = "first"

[[rule]]
preset = "incentive-fell"
variables = { percent = 10 }
from = "first"

[[rule]]
preset = "verdict-differs"
from = "first"
# The recorded chain is computed again exactly.
when = { at = "/verification/verdict", op = "==", value = "EXACT" }
for = 3

[[rule]]
name = "many-events"
on = "block"
every = 3
from = "first"
query = "query ($block: Int!) { block(number: $block) { eventCount extrinsicCount } }"
when = { any = [
  { at = "/block/eventCount", op = ">", value = 4 },
  { at = "/block/extrinsicCount", op = "rose_by_more_than", value = 1 },
] }
message = "block {$block} has {/block/eventCount} events"
severity = "info"
"#;

const NAMES: [&str; 5] = [
    "validator-silent",
    "deregistration-risk",
    "incentive-fell",
    "verdict-differs",
    "many-events",
];

/// What a back-test of the recorded chain says: alerts by rule, in their order.
fn backtest(file: &Path, chain: &[&str]) -> BTreeMap<String, Vec<Value>> {
    let mut args = vec!["alerts", "backtest", text(file), "--json"];
    args.extend(chain);
    let out = said(&finished(&args));
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut fired = BTreeMap::new();
    for line in out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(alert) = line.get("alert") {
            let rule = alert["rule"].as_str().unwrap().to_owned();
            found.entry(rule).or_default().push(alert.clone());
        } else {
            let rule = line["outcome"]["rule"].as_str().unwrap().to_owned();
            fired.insert(rule, line["outcome"]["fired"].as_u64().unwrap());
        }
    }
    for (rule, fired) in fired {
        let told = found.get(&rule).map_or(0, |alerts| {
            alerts.iter().filter(|a| a["event"] == "fired").count()
        });
        assert_eq!(u64::try_from(told).unwrap(), fired, "{rule}");
    }
    found
}

/// What arrived in the end, once each: later ones with the same key are the same message.
fn once_each(got: &[Received]) -> Vec<Received> {
    let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
    let mut kept = Vec::new();
    for one in got.iter().filter(|one| one.taken) {
        match bodies.insert(&one.key, &one.body) {
            None => kept.push(one.clone()),
            Some(body) => assert_eq!(body, one.body, "one key for two messages"),
        }
    }
    kept
}

fn blocks(got: &[Received]) -> Vec<u64> {
    let blocks = got.iter().filter(|one| one.event == "blocks");
    let number = |one: &Received| {
        let json = one.json();
        assert_eq!(json["kind"], "item", "{json}");
        json["data"]["number"].as_u64().unwrap()
    };
    blocks.map(number).collect()
}

fn alerts_by_rule(got: &[Received]) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for one in got.iter().filter(|one| one.event == "alert") {
        let alert = one.json()["data"].clone();
        let rule = alert["rule"].as_str().unwrap().to_owned();
        found.entry(rule).or_default().push(alert);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_in_order_through_failures_and_kills() {
    let options = Options {
        mode: Mode::Live {
            start: 1,
            every: Duration::from_millis(15),
        },
        ..Options::default()
    };
    let node = replay_node::start(recording("mini-300"), options)
        .await
        .unwrap();
    let (url, end) = (node.ws_url(), u64::from(node.end()));
    let work = tokio::task::spawn_blocking(move || {
        let receiver = Receiver::new(|n| match n % 23 {
            3 => Answer::Status(500),
            7 => Answer::Close,
            11 => Answer::Redirect,
            13 => Answer::Status(404),
            _ if n == 40 || n == 300 => Answer::Slow,
            _ => Answer::Status(200),
        });
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hooks.toml");
        let hooks = hook(
            &receiver,
            "all",
            "topics = [{ topic = \"blocks\" }, { topic = \"epochs\" }]\nalerts = [\"*\"]",
        );
        std::fs::write(&file, format!("{RULES}{hooks}")).unwrap();
        let data = dir.path().join("store");
        let args = [
            "run",
            "--url",
            &url,
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            text(&data),
            "--hooks",
            text(&file),
        ];
        let wanted = backtest(&file, &["--recording", text(&fixture())]);
        assert_eq!(wanted.keys().len(), NAMES.len(), "{:?}", wanted.keys());
        // Killed at moments that the receiver chooses: between two messages, and within one.
        for pause in [20, 60, 61, 150, 280] {
            let mut running = started(&args);
            wait_for("more messages", || {
                assert!(
                    running.0.try_wait().unwrap().is_none(),
                    "it ended by itself"
                );
                receiver.got().len() > pause
            });
            running.0.kill().unwrap();
            running.0.wait().unwrap();
        }
        let _running = started(&args);
        let complete = |got: &[Received]| {
            let alerts = alerts_by_rule(got);
            blocks(got).last() == Some(&end)
                && NAMES.iter().all(|name| {
                    let told = |map: &BTreeMap<String, Vec<Value>>| map.get(*name).map(Vec::len);
                    told(&alerts) >= told(&wanted)
                })
        };
        wait_for("whole history", || complete(&once_each(&receiver.got())));
        let got = receiver.got();
        assert!(
            got.iter().all(|one| one.path == "/all"),
            "a redirect was followed"
        );
        assert!(got.len() > once_each(&got).len(), "nothing ever failed");
        let arrived = once_each(&got);
        // Every block, in order, none twice.
        let first = blocks(&arrived)[0];
        assert!(first <= 1);
        assert_eq!(blocks(&arrived), (first..=end).collect::<Vec<_>>());
        let epochs = arrived.iter().filter(|one| one.event == "epochs").count();
        assert!(epochs > 10, "{epochs} epochs");
        // What the rules told is what the back-test says.
        assert_eq!(alerts_by_rule(&arrived), wanted);
        let dead = finished(&["alerts", "dead", "--data-dir", text(&data)]);
        assert_eq!(said(&dead), "");
    });
    work.await.unwrap();
    node.stop().await;
}

#[test]
fn what_was_given_up_is_listed_and_delivered_again() {
    let receiver = Receiver::new(|_| Answer::Status(503));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hooks.toml");
    let topics = "topics = [{ topic = \"epochs\", netuids = [1] }]\nmax_attempts = 2";
    std::fs::write(&file, hook(&receiver, "ops", topics)).unwrap();
    let data = dir.path().join("store");
    let args = [
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(&data),
        "--hooks",
        text(&file),
    ];
    let running = started(&args);
    let letters = || -> Vec<Value> {
        // Before the first one there is no folder yet.
        let out = finished(&["alerts", "dead", "--json", "--data-dir", text(&data)]);
        let out = String::from_utf8(out.stdout).unwrap();
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    wait_for("dead letters", || letters().len() >= 3);
    receiver.answer(|_| Answer::Status(200));
    let letter = letters().remove(0);
    assert_eq!(
        (&letter["hook"], &letter["attempts"]),
        (&"ops".into(), &2.into())
    );
    assert!(
        letter["reason"].as_str().unwrap().contains("503"),
        "{letter}"
    );
    assert_eq!(letter["body"]["id"], letter["key"]);
    // While the program runs, and its store is locked.
    let key = letter["key"].as_str().unwrap();
    let again = ["alerts", "redeliver", "--data-dir", text(&data)];
    said(&finished(&[again.as_slice(), &["--key", key]].concat()));
    let taken = |key: &str| receiver.got().iter().any(|one| one.taken && one.key == key);
    wait_for("the message again", || taken(key));
    wait_for("one letter less", || {
        letters().iter().all(|l| l["key"] != key)
    });
    // And all others, with the program at rest; the next one takes them up. `serve` delivers too.
    drop(running);
    let left = letters();
    assert!(!left.is_empty());
    said(&finished(&["compact", "--data-dir", text(&data)]));
    assert_eq!(
        letters(),
        left,
        "a store that was written anew has forgotten them"
    );
    said(&finished(&again));
    assert!(letters().is_empty());
    let _serving = started(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(&data),
        "--hooks",
        text(&file),
    ]);
    for letter in left {
        wait_for("the rest", || taken(letter["key"].as_str().unwrap()));
    }
    let nothing = finished(&again);
    assert!(!nothing.status.success());
    let elsewhere = finished(&["alerts", "dead", "--data-dir", text(dir.path())]);
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("--hooks"));
}

#[test]
fn a_store_at_rest_is_delivered_whole_and_back_tested_alike() {
    let receiver = Receiver::new(|_| Answer::Status(200));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hooks.toml");
    let hooks = hook(
        &receiver,
        "all",
        "topics = [{ topic = \"blocks\" }]\nalerts = [\"*\"]",
    );
    std::fs::write(&file, format!("{RULES}{hooks}")).unwrap();
    let data = dir.path().join("store");
    let end = u64::from(recording("mini-300").head);
    let bench = finished(&["bench", "--repeat", "1", "--data-dir", text(&data)]);
    said(&bench);
    let wanted = backtest(&file, &["--data-dir", text(&data)]);
    assert_eq!(wanted, backtest(&file, &["--recording", text(&fixture())]));
    let part = backtest(
        &file,
        &["--data-dir", text(&data), "--from", "0", "--to", "150"],
    );
    for (rule, alerts) in &part {
        assert_eq!(alerts[..], wanted[rule][..alerts.len()], "{rule}");
        assert!(
            alerts
                .iter()
                .all(|alert| alert["block"].as_u64() <= Some(150))
        );
    }
    let _serving = started(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(&data),
        "--hooks",
        text(&file),
    ]);
    wait_for("everything", || {
        let got = once_each(&receiver.got());
        blocks(&got).last() == Some(&end) && alerts_by_rule(&got) == wanted
    });
}

#[test]
fn a_file_is_checked_and_a_hook_tried() {
    let receiver = Receiver::new(|n| Answer::Status(if n == 0 { 200 } else { 500 }));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hooks.toml");
    let good = format!("{RULES}{}", hook(&receiver, "ops", "alerts = [\"*\"]"));
    std::fs::write(&file, &good).unwrap();
    let told = said(&finished(&["alerts", "check", text(&file)]));
    assert_eq!(told.lines().count(), NAMES.len() + 1, "{told}");
    let tried = said(&finished(&["alerts", "test", text(&file), "ops"]));
    let got = receiver.got();
    assert_eq!(got[0].event, "test");
    assert!(tried.contains(&got[0].key), "{tried}");
    let failed = finished(&["alerts", "test", text(&file), "ops"]);
    let error = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && error.contains("500"), "{error}");
    assert!(
        !error.contains(SECRET) && !error.contains("/ops"),
        "{error}"
    );

    for (from, to, part) in [
        ("allow_http = true", "", "allow_http"),
        ("allow_networks = [\"127.0.0.0/8\"]", "", "loopback"),
        ("http://127.0.0.1", "http://localhost", ""),
        ("alerts = [\"*\"]", "alerts = [\"x\"]", "\"x\""),
        (
            "alerts = [\"*\"]",
            "topics = [{ topic = \"bloks\" }]",
            "bloks",
        ),
        (
            "alerts = [\"*\"]",
            "topics = [{ topic = \"blocks\", netuids = [1] }]",
            "netuid",
        ),
        ("HOOK_SECRET", "NO_SUCH_SECRET", "NO_SUCH_SECRET"),
        ("{ eventCount", "{ eventCuont", "eventCuont"),
        (
            "preset = \"incentive-fell\"",
            "preset = \"incentive-rose\"",
            "incentive-rose",
        ),
        ("every = 3", "every = 0", "every"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let checked = finished(&["alerts", "check", text(&file)]);
        let error = String::from_utf8_lossy(&checked.stderr).into_owned();
        if part.is_empty() {
            assert!(checked.status.success(), "{error}");
            continue;
        }
        assert!(
            !checked.status.success() && error.contains(part),
            "{to}: {error}"
        );
        assert!(!error.contains(SECRET), "{error}");
        // The program itself says the same and does not start.
        let data = dir.path().join("store");
        let demo = finished(&[
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            text(&data),
            "--hooks",
            text(&file),
        ]);
        let error = String::from_utf8_lossy(&demo.stderr).into_owned();
        assert!(
            !demo.status.success() && error.contains(part),
            "{to}: {error}"
        );
    }
    let list = said(&finished(&["alerts", "preset"]));
    assert!(list.contains("validator-silent"), "{list}");
    let preset = said(&finished(&["alerts", "preset", "index-behind"]));
    assert!(preset.contains("on = \"time\""), "{preset}");
    let missing = finished(&["alerts", "backtest", "/nowhere", "--data-dir", "x"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere"));
}

#[test]
fn the_files_of_the_document_are_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts.md");
    let document = std::fs::read_to_string(path).unwrap();
    let files: Vec<&str> = document
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(files.len(), 2);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("alerts.toml");
    for toml in files {
        std::fs::write(&file, toml).unwrap();
        let mut check = with_secret(&["alerts", "check", text(&file)]);
        let checked = check.env("OPS_SECRET", SECRET).output().unwrap();
        assert!(said(&checked).contains("is good"));
        let told = backtest(&file, &["--recording", text(&fixture())]);
        assert!(told.len() <= 1);
    }
    for preset in alerts::rule::PRESETS {
        assert!(document.contains(&format!("| `{}` |", preset.name)));
    }
}
