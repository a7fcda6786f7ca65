//! `audit sn64`: reports against commitments in a real store, and the program's answers.

use std::path::Path;
use std::sync::Arc;

use chain_metadata::{AccountId, MechId, NetUid};
use challenges::sn64::commitment::{Verdict, check};
use challenges::sn64::ids::{entry_id, show};
use challenges::sn64::index::{Entry, Whose};
use challenges::sn64::trust::Trust;
use indexer::items::item;
use indexer::source::recording::RecordingSource;
use indexer::store::tables::{pack, state_prefix};
use indexer::store::{Batch, Store};
use indexer::view;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::context::{index, indexed, outcome, recording, text};

/// The hotkey that commits `0x11…11` as a sha256 in block 285, and other bytes before.
const HASHED: &str = "5HZGPzrzV8VYAjRFqaJEkTMrcy6E5aHRJdMGxG4bmcV34AS6";
/// One that only ever commits other bytes.
const RAW: &str = "5E4beNCz1pkfapSi5ddfVHpBEWqzB7RuQyuJ91HRVNfGjcyK";
const BLOCK: u32 = 300;

fn account(ss58: &str) -> AccountId {
    ss58.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commitments_are_read_at_the_block_of_the_entry() {
    let store = indexed("mini-300").await;
    let verdict = |hotkey: &str, netuid, block, hash: u8| {
        check(
            Some(&store),
            NetUid(netuid),
            &account(hotkey),
            block,
            &[hash; 32],
        )
        .unwrap()
    };
    assert_eq!(verdict(HASHED, 3, 285, 0x11), Verdict::Verified);
    assert_eq!(verdict(HASHED, 3, 329, 0x11), Verdict::Verified);
    let chain = "11".repeat(32);
    assert_eq!(verdict(HASHED, 3, 285, 0x12), Verdict::Mismatch { chain });
    // A block earlier something else was committed; others never commit a hash; on another
    // subnet there is nothing.
    assert_eq!(verdict(HASHED, 3, 284, 0x11), Verdict::Missing);
    assert_eq!(verdict(RAW, 3, 292, 0x11), Verdict::Missing);
    assert_eq!(verdict(HASHED, 1, 285, 0x11), Verdict::Missing);
    let Verdict::Unverifiable { why } = verdict(HASHED, 3, 5000, 0x11) else {
        panic!("block 5000 is not there");
    };
    assert_eq!(why, "block 5000 is not in the store, which holds 0 to 329");
    // Of a runtime that has no commitments nothing can be told.
    let old = indexed("upgrades").await;
    let verdict = check(Some(&old), NetUid(1), &account(RAW), 1, &[0; 32]).unwrap();
    let Verdict::Unverifiable { why } = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(why, "the runtime of block 1 has no commitments");
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_are_those_with_a_permit_at_the_block() {
    let store = indexed("mini-300").await;
    let refusal = |hotkey: AccountId, netuid, block, whose| {
        let trust = Trust {
            named: &[],
            store: Some(&store),
            netuid: NetUid(netuid),
        };
        let entry = Entry {
            id: 0,
            hotkey,
            block,
            path: String::new(),
            whose,
            created_at: None,
            start: 0,
            end: 0,
        };
        trust.refusal(&entry).unwrap()
    };
    // Of every neuron of every subnet, the same as in its metagraph.
    let at = view::at(&store, BLOCK).unwrap().unwrap();
    let (mut with, mut without) = (0, 0);
    for netuid in view::subnets(&store, &at).unwrap() {
        let neurons = view::metagraph(&store, &at, netuid, MechId(0)).unwrap();
        for neuron in neurons.unwrap_or_default() {
            let why = refusal(neuron.hotkey, netuid.0, BLOCK, Whose::Validator);
            if neuron.validator_permit == Some(true) {
                assert_eq!(why, None);
                with += 1;
            } else {
                let why = why.unwrap();
                assert!(why.contains("has no validator permit"), "{why}");
                assert_eq!(refusal(neuron.hotkey, netuid.0, BLOCK, Whose::Miner), None);
                without += 1;
            }
        }
    }
    assert!(with > 0 && without > 0, "{with} {without}");
    let stranger = AccountId([7; 32]);
    assert!(refusal(stranger, 3, BLOCK, Whose::Validator).is_some());
    assert!(refusal(account(HASHED), 999, BLOCK, Whose::Validator).is_some());
    let why = refusal(account(HASHED), 3, 5000, Whose::Validator).unwrap();
    assert!(why.contains("block 5000 is not in the store"), "{why}");
}

/// A folder with one report of a validator; the sha256 of the report.
fn folder(dir: &Path, block: u32) -> [u8; 32] {
    let header = "parent_invocation_id,invocation_id,chute_id,instance_id,miner_uid,miner_hotkey,started_at,completed_at,error_message,compute_multiplier,bounty,metrics\n";
    let id = |n: u128| show(n);
    let row = format!(
        "{0},{0},{0},{0},1,{RAW},2025-10-15 11:00:00,2025-10-15 11:00:05,,1.0,0,{{'nc': 2.5}}\n",
        id(1)
    );
    let export = format!("{header}{row}");
    let place = dir.join("invocations/2025/10/15/12.csv");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, &export).unwrap();
    let report = json!({
        "instance_audit": [{
            "instance_id": id(2), "chute_id": id(1), "miner_hotkey": RAW, "compute_multiplier": 2.0,
            "created_at": "2025-10-15T10:00:00", "activated_at": "2025-10-15T10:00:00",
        }],
        "csv_exports": {"invocations": {
            "path": "invocations/2025/10/15/12.csv", "sha256": hex::encode(Sha256::digest(&export)),
        }},
    })
    .to_string();
    let path = format!("audit/validator/{HASHED}/{block}.json");
    std::fs::create_dir_all(dir.join(&path).parent().unwrap()).unwrap();
    std::fs::write(dir.join(&path), &report).unwrap();
    let index = json!([{
        "entry_id": show(entry_id(HASHED, block)), "hotkey": HASHED, "block": block, "path": path,
        "start_time": "2025-10-15T11:00:00Z", "end_time": "2025-10-15T12:00:00Z",
    }]);
    std::fs::write(dir.join("index.json"), index.to_string()).unwrap();
    Sha256::digest(&report).into()
}

/// Writes another hash where the chain has `0x11…11`.
fn commit(store: &Store, hash: [u8; 32]) {
    let id = item("CommitmentOf").unwrap().id;
    let mut batch = Batch::default();
    let mut changed = 0;
    for rest in store.state_keys(id).unwrap() {
        for row in store.state_changes(id, &rest).unwrap() {
            let Some(mut bytes) = row.value else {
                continue;
            };
            if let Some(at) = bytes.windows(32).position(|part| part == [0x11; 32]) {
                bytes[at..at + 32].copy_from_slice(&hash);
                changed += 1;
            }
            let mut key = state_prefix(id, &rest);
            key.extend_from_slice(&row.changed_at.to_be_bytes());
            batch.put(key, [vec![1], pack(&bytes)].concat());
        }
    }
    store.commit(vec![batch]).unwrap();
    assert_eq!(changed, 1);
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_audits_a_folder_against_a_store() {
    let root = tempfile::tempdir().unwrap();
    let (dir, data) = (root.path().join("audit"), root.path().join("store"));
    std::fs::create_dir(&dir).unwrap();
    let hash = folder(&dir, BLOCK);
    let store = Store::open_sled(&data, true, 16 << 20).unwrap();
    let source = Arc::new(RecordingSource(recording("mini-300")));
    index(source, &store, 329).await.unwrap();
    drop(store);

    let base = ["audit", "sn64", "--dir", text(&dir)];
    let bare = [&base[..], &["--data-dir", text(&data), "--netuid", "3"]].concat();
    let with_store = [&bare[..], &["--validator", HASHED]].concat();
    // When another one is named, nothing counts.
    let output = outcome(&[&bare[..], &["--validator", RAW]].concat());
    assert!(!output.status.success());
    let error = said(&output.stderr);
    assert!(error.contains("is not among the validators"), "{error}");
    let json = [&with_store[..], &["--json"]].concat();

    // The chain has another hash than that of the report: told, and an exit that is not 0.
    let output = outcome(&json);
    assert!(!output.status.success());
    let error = said(&output.stderr);
    assert!(
        error.contains("1 files are not what was committed"),
        "{error}"
    );
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["reports"][0]["commitment"]["verdict"], "mismatch");
    assert_eq!(found["violations"].as_array().unwrap().len(), 1);

    let store = Store::open_sled(&data, false, 16 << 20).unwrap();
    commit(&store, hash);
    drop(store);
    let output = outcome(&json);
    assert!(output.status.success(), "{}", said(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["reports"][0]["commitment"]["verdict"], "verified");
    assert_eq!(found["exports"][0]["verdict"], "verified");
    assert_eq!(
        (&found["incentiveBlock"], &found["profile"]),
        (&json!(BLOCK), &json!("sn64-p3"))
    );
    assert_eq!(found["invocations"]["rows"], 1);
    // Everyone registered on the subnet is there, and the one that worked has all.
    let miners = found["miners"].as_array().unwrap();
    assert!(miners.len() > 1);
    for row in miners {
        let worked = row["hotkey"] == RAW;
        assert_eq!(
            row["share"],
            if worked { json!(1.0) } else { json!(0.0) },
            "{row}"
        );
        assert!(
            row["coldkey"].is_string() && row["incentive"].is_u64(),
            "{row}"
        );
        if worked {
            assert_eq!(row["features"]["compute_units"], 2.0 * 7200.0);
            assert_eq!(row["weight"], 65535);
        }
    }

    // At a block before, the hotkey had committed no sha256.
    let early = root.path().join("early");
    std::fs::create_dir(&early).unwrap();
    folder(&early, 284);
    let rest = ["--data-dir", text(&data), "--netuid", "3", "--json"];
    let args = [
        "audit",
        "sn64",
        "--dir",
        text(&early),
        "--validator",
        HASHED,
    ];
    let output = outcome(&[&args[..], &rest].concat());
    assert!(!output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["reports"][0]["commitment"]["verdict"], "missing");
    let told = found["violations"][0].as_str().unwrap();
    assert!(told.contains("committed no sha256 at block 284"), "{told}");

    // For people, by other rules, with own requests.
    let own = root.path().join("own.jsonl");
    let lines = format!(
        "{{\"invocation_id\": \"{}\", \"created_at\": \"2025-10-15T11:00:00Z\", \"miner_hotkey\": \"{RAW}\"}}\n\
         {{\"invocation_id\": \"{}\", \"created_at\": \"2025-10-15T11:30:00Z\"}}\n",
        show(1),
        show(9)
    );
    std::fs::write(&own, lines).unwrap();
    let rest = ["--profile", "sn64-p2", "--synthetics", text(&own)];
    let output = outcome(&[&with_store[..], &rest].concat());
    assert!(output.status.success(), "{}", said(&output.stderr));
    let shown = said(&output.stdout);
    for wanted in [
        "profile   sn64-p2 over 2025-10-08T12:00:00Z to 2025-10-15T12:00:00Z",
        "incentives of subnet 3 at block 300",
        "verified      block      300",
        "own requests: 1 of 2 are in the exports",
        &format!("{} of 2025-10-15T11:30:00Z is missing", show(9)),
        "3600 s not full",
        " compute_units=2.5 ",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("audit");
    std::fs::create_dir(&dir).unwrap();
    let error = |args: &[&str]| {
        let output = outcome(&[&["audit", "sn64", "--dir", text(&dir)], args].concat());
        assert!(!output.status.success());
        let error = said(&output.stderr);
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(output.stdout.is_empty());
        error
    };
    let found = error(&[]);
    assert!(
        found.contains("index.json: there is no such file"),
        "{found}"
    );
    folder(&dir, BLOCK);
    let found = error(&["--profile", "sn27-r1"]);
    assert!(found.contains("sn27-r1 is no profile of audits"), "{found}");
    let found = error(&["--validator", "me"]);
    assert!(found.contains("--validator me is no hotkey"), "{found}");
    let found = error(&["--now", "noon"]);
    assert!(found.contains("--now noon is no time"), "{found}");
    let found = error(&["--fetch", "file:///etc"]);
    assert!(found.contains("is no address of a service"), "{found}");
    let bad = root.path().join("own");
    std::fs::write(&bad, "{}").unwrap();
    let found = error(&["--synthetics", text(&bad)]);
    assert!(found.contains("line 1"), "{found}");
    std::fs::write(dir.join("invocations/2025/10/15/12.csv"), "\"").unwrap();
    let found = error(&[]);
    assert!(
        found.contains("12.csv, line 1: a quote is never closed"),
        "{found}"
    );
}
