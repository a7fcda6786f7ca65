//! `yumascope verify`.

use std::path::PathBuf;

use indexer::store::Store;
use serde_json::{Value, json};

use super::wrong::change_state;
use crate::context::{node, outcome, text};

fn folder(name: &str) -> PathBuf {
    let fixtures = "../tests/replay-node/fixtures";
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(fixtures)
        .join(name)
}

fn lines(stdout: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stdout).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn a_recording_is_exact_line_by_line() {
    for (name, epochs) in [("mini-300", 73), ("upgrades", 23)] {
        let dir = folder(name);
        let output = outcome(&["verify", "--recording", text(&dir), "--json"]);
        assert!(output.status.success());
        let mut lines = lines(&output.stdout);
        let summary = json!({"summary": {
            "epochs": epochs, "exact": epochs, "differs": 0,
            "input_incomplete": 0, "rules_unknown": 0,
        }});
        assert_eq!(lines.pop(), Some(summary));
        assert_eq!(lines.len(), epochs);
        for line in lines {
            assert_eq!(line["verdict"], "EXACT", "{line}");
            for key in ["block", "netuid", "mechanism", "spec_version"] {
                assert!(line[key].is_u64(), "{line}");
            }
            let fields = line["fields"].as_object().unwrap();
            assert!(fields.len() >= 11, "{line}");
            for value in fields.values() {
                assert_eq!(*value, json!({"differing": 0, "max_abs_diff": 0}));
            }
        }
    }
}

#[test]
fn a_part_can_be_asked_for_and_read_by_people() {
    let dir = folder("mini-300");
    let part = ["--netuid", "1", "--from", "100", "--to", "200"];
    let mut args = vec!["verify", "--recording", text(&dir)];
    args.extend(part);
    let output = outcome(&args);
    assert!(output.status.success());
    let table = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<_> = table.lines().filter(|l| l.contains("EXACT")).collect();
    assert_eq!(rows.len(), 5, "{table}");
    assert!(
        rows.iter()
            .all(|row| row.split_whitespace().nth(1) == Some("1"))
    );
    assert!(table.contains("epochs                   5"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_a_wrong_number_fails() {
    let node = node("upgrades").await;
    let dir = tempfile::tempdir().unwrap();
    let url = node.ws_url();
    let index = [
        "index",
        "--url",
        &url,
        "--until",
        "129",
        "--data-dir",
        text(dir.path()),
    ];
    assert!(outcome(&index).status.success());
    node.stop().await;
    let verify = ["verify", "--data-dir", text(dir.path()), "--json"];
    let right = outcome(&verify);
    assert!(
        right.status.success(),
        "{}",
        String::from_utf8_lossy(&right.stderr)
    );
    {
        let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
        // `index` has left verdicts, all of them.
        assert_eq!(store.looked_at().unwrap().map(|seen| seen.last), Some(129));
        let changed = change_state(&store, "Dividends", 57..=57, |bytes| {
            bytes[1] ^= 1;
        });
        assert_eq!(changed, 1);
    }
    let wrong = outcome(&verify);
    assert!(!wrong.status.success());
    let stderr = String::from_utf8_lossy(&wrong.stderr);
    assert!(stderr.contains("error: 1 epochs differ"), "{stderr}");
    let mut lines = lines(&wrong.stdout);
    assert_eq!(lines.pop().unwrap()["summary"]["differs"], 1);
    let line = lines.iter().find(|l| l["verdict"] == "DIFFERS").unwrap();
    assert_eq!((&line["block"], &line["netuid"]), (&json!(57), &json!(1)));
    assert_eq!(
        line["first"],
        json!({"stage": "dividends", "field": "dividends", "uid": 0})
    );
    assert_eq!(
        line["fields"]["dividends"],
        json!({"differing": 1, "max_abs_diff": 1})
    );
}

#[test]
fn wrong_arguments_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let empty = text(dir.path());
    for (args, word) in [
        (vec!["verify"], "--recording"),
        (
            vec!["verify", "--data-dir", empty],
            "there is no store in it",
        ),
        (vec!["verify", "--recording", empty], "chain.json"),
        (
            vec!["verify", "--recording", empty, "--from", "9", "--to", "3"],
            "--to 3 is before",
        ),
        (
            vec!["verify", "--recording", empty, "--data-dir", empty],
            "cannot be used with",
        ),
    ] {
        let output = outcome(&args);
        assert!(!output.status.success(), "{args:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains(word) && !stderr.contains("panicked"),
            "{args:?}: {stderr}"
        );
    }
}
