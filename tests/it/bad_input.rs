//! Everything wrong that a person can give: one sentence on standard error that
//! says what to do, a non-zero exit, nothing lost.

use std::process::Output;

use indexer::store::engine::{Batch, Engine, sled::SledEngine};
use indexer::store::tables::{FORMAT_VERSION, Table, meta};

use crate::context::{node, outcome, program, text};

/// The one sentence; the log lines before it are not part of it.
fn refused(output: &Output, words: &[&str]) -> String {
    assert!(!output.status.success(), "it succeeded");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
    let error = stderr
        .lines()
        .rev()
        .find(|line| line.starts_with("error: "))
        .unwrap_or_else(|| panic!("no error line in {stderr}"));
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
    error.to_owned()
}

#[test]
fn an_unreachable_node() {
    let dir = tempfile::tempdir().unwrap();
    // Port 9 on loopback has nobody.
    let args = [
        "index",
        "--url",
        "ws://127.0.0.1:9",
        "--data-dir",
        text(dir.path()),
    ];
    refused(&outcome(&args), &["127.0.0.1:9", "check the address"]);
    // An address to ask is told only when there is something to answer.
    let served = ["--listen", "127.0.0.1:0"];
    let args: Vec<_> = ["run"].iter().chain(&args[1..]).chain(&served).collect();
    let output = outcome(&args.into_iter().copied().collect::<Vec<_>>());
    refused(&output, &["127.0.0.1:9"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("serves on"), "{stderr}");
}

#[test]
fn addresses_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    for url in ["http://127.0.0.1:1", "127.0.0.1:1", "ws://"] {
        let args = ["index", "--url", url, "--data-dir", text(dir.path())];
        refused(&outcome(&args), &["ws://host:port"]);
    }
    refused(
        &outcome(&["index", "--data-dir", text(dir.path())]),
        &["--network"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_genesis_loses_nothing() {
    let node = node("mini-300").await;
    let dir = tempfile::tempdir().unwrap();
    let url = node.ws_url();
    let args = [
        "index",
        "--url",
        &url,
        "--until",
        "40",
        "--data-dir",
        text(dir.path()),
    ];
    assert!(outcome(&args).status.success());
    let before = outcome(&["check", "--data-dir", text(dir.path())]).stdout;
    node.faults().genesis(Some(chain_metadata::H256([3; 32])));
    refused(&outcome(&args), &["genesis", "another --data-dir"]);
    let after = outcome(&["check", "--data-dir", text(dir.path())]);
    assert!(after.status.success());
    let digest = |out: &[u8]| {
        let text = String::from_utf8_lossy(out).into_owned();
        text.lines()
            .find(|l| l.starts_with("digest"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(digest(&before), digest(&after.stdout));
    node.stop().await;
}

#[test]
fn a_store_of_another_format() {
    for format in [FORMAT_VERSION - 1, 99] {
        let dir = tempfile::tempdir().unwrap();
        let engine = SledEngine::open(dir.path(), true, 16 << 20).unwrap();
        let mut batch = Batch::default();
        let bytes = format.to_be_bytes().to_vec();
        batch.put(Table::Meta.key(meta::FORMAT), bytes);
        engine.commit(vec![batch]).unwrap();
        drop(engine);
        let found = format!("has format {format}");
        let needed = format!("format {FORMAT_VERSION}: move the folder away and index again");
        for command in ["check", "serve"] {
            let args = [command, "--data-dir", text(dir.path())];
            refused(&outcome(&args), &[&found, &needed]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let node = node("mini-300").await;
    let dir = tempfile::tempdir().unwrap();
    let url = node.ws_url();
    let args = [
        "run",
        "--url",
        &url,
        "--listen",
        &address,
        "--data-dir",
        text(dir.path()),
    ];
    refused(&outcome(&args), &[&address, "another --listen"]);
    refused(
        &outcome(&["demo", "--listen", &address]),
        &["another --listen"],
    );
    node.stop().await;
}

#[test]
fn hex_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("300.scale");
    let recording = crate::context::recording("mini-300");
    std::fs::write(&file, recording.metadata(300, 14).unwrap()).unwrap();
    let decode = |kind: &str, hex: &str| outcome(&["decode", kind, "--metadata", text(&file), hex]);
    for kind in ["extrinsic", "event", "storage"] {
        refused(&decode(kind, "0xzz"), &["not hex"]);
        refused(&decode(kind, "0x"), &["no bytes"]);
    }
    // One byte too many is told as such.
    let raw = format!(
        "0x{}",
        hex::encode(&recording.block(5).unwrap().extrinsics[0])
    );
    assert!(decode("extrinsic", &raw).status.success());
    refused(&decode("extrinsic", &format!("{raw}00")), &["1 byte"]);
    refused(&decode("event", "0x0000"), &["1 byte"]);
    refused(
        &outcome(&["decode", "event", "--metadata", "/nowhere/at/all", "0x00"]),
        &["/nowhere/at/all"],
    );
    std::fs::write(&file, b"a text").unwrap();
    refused(&decode("event", "0x00"), &["not runtime metadata"]);
}

#[test]
fn a_truncated_recording() {
    let dir = tempfile::tempdir().unwrap();
    refused(
        &outcome(&["demo", "--recording", text(dir.path())]),
        &["chain.json"],
    );
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/replay-node/fixtures/upgrades");
    copy(&fixtures, dir.path());
    let blocks = dir.path().join("blocks.jsonl.zst");
    let bytes = std::fs::read(&blocks).unwrap();
    std::fs::write(&blocks, &bytes[..bytes.len() / 2]).unwrap();
    refused(
        &outcome(&["demo", "--recording", text(dir.path())]),
        &["blocks.jsonl.zst"],
    );
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_cannot_be_written() {
    let node = node("mini-300").await;
    let dir = tempfile::tempdir().unwrap();
    // A file where the folder should be: refused for every user, root too.
    let file = dir.path().join("file");
    std::fs::write(&file, b"mine").unwrap();
    let url = node.ws_url();
    let args = ["index", "--url", &url, "--data-dir", text(&file)];
    refused(&outcome(&args), &["file", "--data-dir"]);
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    // A file system that is read-only for root as well, where the machine has one.
    if std::fs::create_dir("/proc/yumascope").is_err() {
        let args = ["index", "--url", &url, "--data-dir", "/proc/yumascope"];
        refused(&outcome(&args), &["/proc/yumascope", "--data-dir"]);
    }
    node.stop().await;
}

#[test]
fn settings_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("y.toml");
    std::fs::write(&file, "widnow = 3\n").unwrap();
    refused(&outcome(&["index", "--config", text(&file)]), &["widnow"]);
    refused(
        &outcome(&["index", "--config", "/no/file.toml"]),
        &["/no/file.toml"],
    );
    refused(&outcome(&["index", "--window", "0"]), &["window"]);
    let none = dir.path().join("none");
    for mib in ["0", "1048577", "17592186044416", "18446744073709551615"] {
        let args = ["index", "--cache-mib", mib, "--data-dir", text(&none)];
        refused(&outcome(&args), &["cache_mib", "1 to 1048576"]);
        assert!(!none.exists());
    }
    for seconds in ["0", "18446744073709551615"] {
        refused(&outcome(&["index", "--timeout", seconds]), &["timeout"]);
    }
    refused(
        &outcome(&["index", "--from", "9", "--until", "3"]),
        &["before"],
    );
    refused(
        &outcome(&["serve", "--data-dir", text(&dir.path().join("none"))]),
        &["no store"],
    );
    let printed = outcome(&["index", "--network", "archive", "--print-config"]);
    assert!(printed.status.success());
    assert!(String::from_utf8_lossy(&printed.stdout).contains("network = \"archive\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_in_the_environment() {
    let node = node("mini-300").await;
    let dir = tempfile::tempdir().unwrap();
    // The first has nobody; the second must be asked.
    let output = program(&["index", "--until", "3"])
        .env(
            "YUMASCOPE_URL",
            format!("ws://127.0.0.1:9,{}", node.ws_url()),
        )
        .env("YUMASCOPE_DATA_DIR", dir.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    node.stop().await;
}

#[test]
fn a_bench_that_would_measure_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let args = ["bench", "--no-socket", "--data-dir", text(&store)];
    let output = outcome(&args);
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{table}");
    let blocks = table.lines().next().unwrap();
    assert_eq!(
        blocks.split_whitespace().collect::<Vec<_>>(),
        ["blocks", "330"]
    );
    for word in ["blocks/s", "bytes on disk", "where the time goes", "commit"] {
        assert!(table.contains(word), "{word} is not in\n{table}");
    }
    // Blocks that are there already are not indexed again.
    refused(&outcome(&args), &["holds a store already", "--data-dir"]);
    refused(
        &outcome(&["bench", "--no-socket", "--repeat", "2"]),
        &["--no-socket", "--repeat"],
    );
    refused(
        &outcome(&["bench", "--in-memory", "--data-dir", text(&store)]),
        &["--in-memory", "--data-dir"],
    );
    refused(&outcome(&["bench", "--window", "0"]), &["--window"]);
}

#[test]
fn large_inputs_of_decode() {
    let dir = tempfile::tempdir().unwrap();
    let recording = crate::context::recording("mini-300");
    let metadata = hex::encode(recording.metadata(300, 14).unwrap());
    let file = dir.path().join("answer.json");
    std::fs::write(&file, format!("{{\"result\":\"0x{metadata}\"}}")).unwrap();
    let raw = hex::encode(&recording.block(5).unwrap().extrinsics[0]);
    // More than an argument of a program can hold.
    let list = serde_json::to_string(&vec![raw; 20_000]).unwrap();
    assert!(list.len() > 400_000);
    let input = dir.path().join("list.json");
    std::fs::write(&input, list).unwrap();
    let mut read = Vec::new();
    let at_file = format!("@{}", text(&input));
    for (argument, stdin) in [("-", true), (at_file.as_str(), false)] {
        let mut command = program(&["decode", "extrinsic", "--metadata", text(&file), argument]);
        if stdin {
            command.stdin(std::fs::File::open(&input).unwrap());
        }
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value.as_array().map(Vec::len), Some(20_000));
        read.push(value);
    }
    assert_eq!(read[0], read[1]);
    let args = ["decode", "event", "--metadata", text(&file), "@/no/file"];
    refused(&outcome(&args), &["/no/file"]);
}
