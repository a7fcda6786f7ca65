//! Results of challenges: scores beside real epochs, and reports that the real program takes in.

mod kill;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chain_metadata::{AccountId, Hasher, MechId, NetUid};
use challenges::join::{Join, JoinError, Wanted, foreseen, join};
use challenges::ledger::{Ledger, Whose};
use challenges::record::{Entry, Provenance, Record, Reporter, Score};
use indexer::check::check;
use indexer::source::recording::RecordingSource;
use indexer::store::Store;
use indexer::store::engine::Batch;
use indexer::view;
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::context::{index, indexed, outcome, program, recording, text};
use crate::served::{Served, http, query, start, wait_until_ready};

fn wanted(netuid: u16, block: u32) -> Wanted {
    Wanted {
        netuid: NetUid(netuid),
        mechanism: MechId(0),
        block,
        challenge: None,
        profile: None,
        whose: Whose::Ours,
    }
}

/// Netuid and block of every epoch of a store, by block.
fn epochs(store: &Store) -> Vec<(u16, u32)> {
    let of = |netuid: u16| {
        let blocks = store.epochs(netuid, u32::MAX, 1000).unwrap();
        blocks.into_iter().map(move |block| (netuid, block))
    };
    let mut all: Vec<_> = (1..=3).flat_map(of).collect();
    all.sort_by_key(|(_, block)| *block);
    all
}

fn score(subject: &AccountId, profile: &str, value: Option<f64>, at_ms: u64) -> Entry {
    Entry {
        netuid: 1,
        challenge: "c".into(),
        subject: subject.to_string(),
        provenance: Provenance {
            reporter: Reporter::Computed,
            received_ms: at_ms,
            checked_at: None,
            signature: None,
            payload: "00".repeat(32),
        },
        record: Record::Score(Score {
            of: "s".into(),
            profile: profile.into(),
            inputs: "00".repeat(32),
            score: value,
            reason: None,
            details: Value::Null,
        }),
    }
}

fn joined(ledger: &Ledger, wanted: &Wanted) -> Join {
    join(ledger, wanted).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_epoch_joins_to_what_the_chain_stored() {
    let store = indexed("mini-300").await;
    let ledger = Ledger::open(store.clone()).unwrap();
    let all = epochs(&store);
    assert_eq!(all.len(), 73);
    let (mut compared, mut trusted, mut cut) = (0, 0, 0);
    for (netuid, block) in all {
        let join = joined(&ledger, &wanted(netuid, block));
        for row in &join.rows {
            if let Some(stored) = row.stored_incentive {
                assert_eq!(row.incentive, Some(stored), "{netuid} {block} {row:?}");
                compared += 1;
            }
            assert!(row.before_clipping >= row.after_clipping, "{row:?}");
            for weight in &row.weights {
                assert!(weight.clipped <= weight.normalised && weight.clipped <= row.consensus);
            }
            if let Some(share) = row.clipped_share {
                assert!((0.0..=1.0).contains(&share));
                cut += u32::from(share > 0.0);
            }
            assert!(row.scored.is_none());
        }
        for validator in &join.validators {
            if let Some(stored) = validator.stored_trust {
                assert_eq!(
                    validator.trust,
                    Some(stored),
                    "{netuid} {block} {validator:?}"
                );
                trusted += u32::from(stored > 0);
            }
            assert_eq!((validator.compared, validator.pearson), (0, None));
        }
    }
    assert!(
        compared > 1000 && trusted > 50 && cut > 50,
        "{compared} {trusted} {cut}"
    );
    let error = join(&ledger, &wanted(1, 1)).unwrap_err();
    assert!(matches!(&error, JoinError::Epoch(_)), "{error}");
    assert!(error.to_string().contains("the nearest ones"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_stand_beside_weights_as_of_the_epoch() {
    let store = indexed("mini-300").await;
    let ledger = Ledger::open(store.clone()).unwrap();
    // An epoch in which a validator gives different weights to at least three others.
    let spread = |join: &Join| {
        join.validators.iter().find_map(|validator| {
            let given = |row: &challenges::join::Row| {
                let weight = row.weights.iter().find(|w| w.validator == validator.uid);
                let bits = weight.map_or(0, |w| w.normalised.to_bits());
                (row.hotkey, bits)
            };
            let given: Vec<_> = join.rows.iter().map(given).collect();
            let mut distinct: Vec<_> = given.iter().map(|(_, bits)| *bits).collect();
            distinct.sort_unstable();
            distinct.dedup();
            (distinct.len() > 3).then_some((validator.uid, given))
        })
    };
    let all = epochs(&store)
        .into_iter()
        .filter(|(netuid, _)| *netuid == 1);
    let found = all.rev().find_map(|(_, block)| {
        let join = joined(&ledger, &wanted(1, block));
        spread(&join).map(|(uid, given)| (block, uid, given))
    });
    let (block, uid, given) = found.expect("no epoch has such a validator");
    let time = |number| store.block(number).unwrap().unwrap().timestamp_ms.unwrap();
    let given: BTreeMap<AccountId, i64> = given
        .into_iter()
        .filter_map(|(hotkey, bits)| Some((hotkey?, bits)))
        .collect();
    #[expect(
        clippy::cast_precision_loss,
        reason = "any numbers in this order will do"
    )]
    let scores = |factor: f64, profile: &str, at: u64| -> Vec<Entry> {
        let each = given.iter();
        each.map(|(hotkey, bits)| score(hotkey, profile, Some(*bits as f64 * factor), at))
            .collect()
    };
    let append = |entries: &[Entry]| ledger.append(entries, Batch::default()).unwrap();
    append(&scores(1.0, "like", time(block)));
    append(&scores(-2.0, "unlike", time(block)));
    // What came later is not seen, and what a stranger says neither.
    append(&scores(0.0, "like", time(block) + 1));
    let mut foreign = scores(7.0, "like", time(block));
    for entry in &mut foreign {
        entry.provenance.reporter = Reporter::Hotkey {
            hotkey: AccountId([9; 32]),
            uid: 1,
        };
    }
    append(&foreign);
    let by = |profile: Option<&str>, whose| {
        joined(
            &ledger,
            &Wanted {
                profile: profile.map(Into::into),
                whose,
                ..wanted(1, block)
            },
        )
    };
    let of = |join: &Join| {
        join.validators
            .iter()
            .find(|v| v.uid == uid)
            .unwrap()
            .clone()
    };
    let like = by(Some("like"), Whose::Ours);
    let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-9;
    assert!(close(of(&like).pearson, 1.0) && close(of(&like).spearman, 1.0));
    assert_eq!(
        usize::try_from(of(&like).compared).unwrap(),
        given.len() - 1
    );
    let unlike = by(Some("unlike"), Whose::Ours);
    assert!(close(of(&unlike).pearson, -1.0));
    assert_eq!(by(None, Whose::Ours).rows, unlike.rows);
    let reported = by(Some("like"), Whose::Hotkey(AccountId([9; 32])));
    let nobody = by(Some("none"), Whose::Ours);
    assert!(nobody.rows.iter().all(|row| row.scored.is_none()));
    for (row, other) in like.rows.iter().zip(&reported.rows) {
        let (Some(own), Some(theirs)) = (&row.scored, &other.scored) else {
            assert_eq!(row.scored.is_none(), other.scored.is_none());
            continue;
        };
        let value = own.score.unwrap();
        assert_eq!(theirs.score.unwrap().to_bits(), (value * 7.0).to_bits());
        let better = given.values().filter(|bits| {
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            let score = **bits as f64;
            score > value
        });
        assert_eq!(own.rank, Some(u32::try_from(better.count()).unwrap() + 1));
    }
    // The epoch before does not know them.
    let before = epochs(&store)
        .into_iter()
        .rfind(|(netuid, other)| *netuid == 1 && *other < block);
    let (_, before) = before.unwrap();
    let join = joined(&ledger, &wanted(1, before));
    assert!(join.rows.iter().all(|row| row.scored.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_epoch_is_told_before_it_runs() {
    let whole = indexed("mini-300").await;
    let recorded = recording("mini-300");
    let store = Store::in_memory().unwrap();
    let (mut exact, mut other) = (0, Vec::new());
    for (netuid, block) in epochs(&whole) {
        let source = Arc::new(RecordingSource(recorded.clone()));
        if store.last().unwrap().is_none_or(|last| last < block - 1) {
            index(source, &store, block - 1).await.unwrap();
        }
        let told = foreseen(&store, NetUid(netuid), MechId(0))
            .unwrap()
            .unwrap();
        assert_eq!(told.block, store.last().unwrap().unwrap() + 1);
        if told.block != block {
            continue;
        }
        let at = view::at(&whole, block).unwrap().unwrap();
        let neurons = view::metagraph(&whole, &at, NetUid(netuid), MechId(0))
            .unwrap()
            .unwrap();
        let right = told.validators.iter().all(|validator| {
            let neuron = neurons.get(usize::from(validator.uid.0)).unwrap();
            neuron.validator_trust == Some(validator.trust)
        });
        match right {
            true => exact += 1,
            false => other.push((netuid, block)),
        }
    }
    // Where the block itself reveals weights, the state before it cannot know them.
    let revealed = |(netuid, block): &(u16, u32)| {
        let at = view::at(&whole, *block).unwrap().unwrap();
        view::events(&whole, &at).unwrap().iter().any(|event| {
            event.is("SubtensorModule", "WeightsSet")
                && matches!(event.phase, chain_metadata::Phase::Initialization)
                && event.field_or("netuid", 0).and_then(|v| v.as_u16()) == Some(*netuid)
        })
    };
    assert!(other.iter().all(revealed), "{other:?}");
    assert!(exact >= 60, "{exact}, not {other:?}");
    let error = foreseen(&store, NetUid(77), MechId(0))
        .unwrap()
        .unwrap_err();
    assert!(error.contains("77"), "{error}");
    let error = foreseen(&store, NetUid(1), MechId(9)).unwrap().unwrap_err();
    assert!(error.contains("mechanisms"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_do_not_change_what_the_chain_says() {
    let store = Store::in_memory().unwrap();
    let source = Arc::new(RecordingSource(recording("upgrades")));
    index(source, &store, 20).await.unwrap();
    let before = check(&store).unwrap();
    let ledger = Ledger::open(store.clone()).unwrap();
    let entry = score(&AccountId([1; 32]), "p", Some(1.0), 5);
    ledger.append(&[entry], Batch::default()).unwrap();
    let after = check(&store).unwrap();
    assert_eq!(before.digest, after.digest);
    let rows = after.tables.iter().find(|(name, _, _)| *name == "result");
    assert_eq!(rows.unwrap().1, 1);
}

fn pair() -> Keypair {
    let secret = MiniSecretKey::from_bytes(&[42; 32]).unwrap();
    secret.expand_to_keypair(ExpansionMode::Ed25519)
}

/// The recording with a hotkey of subnet 1 replaced by one whose secret is known here: who signs
/// in the recorded chain is not known to anybody.
pub(crate) fn known_hotkey(to: &Path) -> (PathBuf, AccountId, u16) {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/replay-node/fixtures/mini-300");
    let unpacked = |name: &str| {
        let packed = std::fs::read(folder.join(name)).unwrap();
        String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(indexed("mini-300"));
    let at = view::at(&store, 329).unwrap().unwrap();
    let neurons = view::metagraph(&store, &at, NetUid(1), MechId(0)).unwrap();
    let uid = 7_u16;
    let old = neurons.unwrap()[usize::from(uid)].hotkey;
    let new = AccountId(pair().public.to_bytes());
    let hashed = |hasher: Hasher, account: &AccountId| {
        let mut key = Vec::new();
        hasher.hash_into(&account.0, &mut key);
        hex::encode(key)
    };
    let plain = |account: &AccountId| hex::encode(account.0);
    let dir = to.join("recording");
    std::fs::create_dir_all(dir.join("metadata")).unwrap();
    for name in ["genesis.json.zst", "blocks.jsonl.zst", "calls.jsonl.zst"] {
        let changed = unpacked(name)
            .replace(
                &hashed(Hasher::Blake2_128Concat, &old),
                &hashed(Hasher::Blake2_128Concat, &new),
            )
            .replace(
                &hashed(Hasher::Twox64Concat, &old),
                &hashed(Hasher::Twox64Concat, &new),
            )
            .replace(&plain(&old), &plain(&new));
        let packed = zstd::encode_all(changed.as_bytes(), 1).unwrap();
        std::fs::write(dir.join(name), packed).unwrap();
    }
    for entry in [
        "chain.json",
        "metadata/300.v14.scale",
        "metadata/300.v15.scale",
    ] {
        std::fs::copy(folder.join(entry), dir.join(entry)).unwrap();
    }
    (dir, new, uid)
}

pub(crate) fn signed(body: &[u8], now_ns: u128) -> Vec<(&'static str, String)> {
    let hash = hex::encode(Sha256::digest(body));
    let message = format!("{hash}.{now_ns}");
    let signature = pair().sign_simple(b"substrate", message.as_bytes());
    vec![
        (
            "validator-hotkey",
            AccountId(pair().public.to_bytes()).to_string(),
        ),
        ("timestamp", now_ns.to_string()),
        (
            "signature",
            format!("0x{}", hex::encode(signature.to_bytes())),
        ),
    ]
}

pub(crate) fn now_ns() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_nanos()
}

fn deliver(served: &Served, netuid: u16, headers: &[(&str, String)], body: &[u8]) -> (u16, Value) {
    deliver_to(served, &format!("/v1/results/{netuid}"), headers, body)
}

pub(crate) fn deliver_to(
    served: &Served,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> (u16, Value) {
    let mut stream = TcpStream::connect(&served.address).unwrap();
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // A server that refuses a large body may close before it has read all of it.
    let _ = stream.write_all(&[head.as_bytes(), b"\r\n", body].concat());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        status,
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}")),
    )
}

fn records(served: &Served) -> Vec<Value> {
    let (status, body) = http(&served.address, "GET", "/v1/results/1", "");
    assert_eq!(status, 200, "{body}");
    let told: Value = serde_json::from_str(&body).unwrap();
    told["nodes"].as_array().unwrap().clone()
}

pub(crate) fn complete(served: &Served) {
    wait_until_ready(&served.address);
    for _ in 0..600 {
        if query(&served.address, "{ status { last } }")["data"]["status"]["last"] == 329 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the demo did not end");
}

#[test]
fn the_program_takes_in_what_a_registered_hotkey_signs() {
    let folder = tempfile::tempdir().unwrap();
    let (recording, hotkey, uid) = known_hotkey(folder.path());
    let data = folder.path().join("store");
    let flags = [
        "--data-dir",
        text(&data),
        "--listen",
        "127.0.0.1:0",
        "--log",
        "warn",
        "--ingest",
    ];
    let body = json!([{ "challenge": "pow", "subject": hotkey.to_string(), "record":
        { "kind": "score", "of": "run-1", "profile": "p", "inputs": "00", "score": 0.1 } }]);
    let body = body.to_string().into_bytes();
    let headers = {
        let served = start(&[&["demo", "--recording", text(&recording)][..], &flags].concat());
        complete(&served);
        let time = now_ns();
        let mut headers = signed(&body, time);
        let refused = |netuid, headers: &[(&str, String)], body: &[u8]| {
            let (status, told) = deliver(&served, netuid, headers, body);
            assert!(records(&served).is_empty());
            (status, told["code"].as_str().unwrap().to_owned())
        };
        // Another subnet, another uid, another body, unsigned, old, large.
        assert_eq!(refused(2, &headers, &body), (403, "NOT_REGISTERED".into()));
        assert_eq!(refused(99, &headers, &body), (403, "NOT_REGISTERED".into()));
        assert_eq!(refused(1, &headers, b"[]"), (401, "BAD_SIGNATURE".into()));
        assert_eq!(refused(1, &[], &body), (401, "MISSING_HEADER".into()));
        let old = signed(&body, time - 120_000_000_000);
        assert_eq!(refused(1, &old, &body), (401, "STALE".into()));
        let large = vec![b' '; 10 << 20];
        let code = refused(1, &signed(&large, time), &large);
        assert_eq!(code, (413, "BODY_TOO_LARGE".into()));
        headers.push(("validator-uid", (uid + 1).to_string()));
        assert_eq!(refused(1, &headers, &body), (403, "WRONG_UID".into()));

        headers.last_mut().unwrap().1 = uid.to_string();
        let (status, told) = deliver(&served, 1, &headers, &body);
        assert_eq!((status, &told["first"]), (201, &json!("0")), "{told}");
        let kept = records(&served);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0]["record"]["score"], 0.1);
        assert_eq!(kept[0]["checkedAt"], 329);
        assert_eq!(kept[0]["reporter"]["uid"], uid);
        let (status, told) = deliver(&served, 1, &headers, &body);
        assert_eq!((status, &told["code"]), (409, &json!("REPLAYED")));
        let reported = format!(
            "{{ scores(netuid: 1, reporter: \"{hotkey}\") {{ nodes {{ number }} }}
            own: scores(netuid: 1) {{ nodes {{ number }} }} }}"
        );
        let told = query(&served.address, &reported);
        assert_eq!(
            told["data"]["scores"]["nodes"],
            json!([{ "number": "0" }]),
            "{told}"
        );
        assert_eq!(told["data"]["own"]["nodes"], json!([]));
        headers
    };
    // Another process over the same store remembers it; one without the flag takes nothing.
    {
        let served = start(&[&["serve"][..], &flags].concat());
        let (status, told) = deliver(&served, 1, &headers, &body);
        assert_eq!((status, &told["code"]), (409, &json!("REPLAYED")), "{told}");
        assert_eq!(records(&served).len(), 1);
    }
    {
        let served = start(&[&["serve"][..], &flags[..6]].concat());
        let (status, told) = deliver(&served, 1, &headers, &body);
        assert_eq!(
            (status, &told["code"]),
            (403, &json!("NOT_TAKEN_IN")),
            "{told}"
        );
        let (status, join) = http(
            &served.address,
            "GET",
            &format!("/v1/epochs/1/312/scores?reporter={hotkey}"),
            "",
        );
        assert_eq!(status, 200, "{join}");
        let join: Value = serde_json::from_str(&join).unwrap();
        // It came in long after that block.
        assert!(
            join["rows"]
                .as_array()
                .unwrap()
                .iter()
                .all(|row| row["score"].is_null())
        );
        assert_eq!(join["forecast"]["blockNumber"], 330);
    }
    // Out and in again, into another store.
    let file = folder.path().join("results.jsonl");
    let run = |args: &[&str]| {
        let output = outcome(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), error)
    };
    let export = [
        "results",
        "export",
        "--data-dir",
        text(&data),
        "--file",
        text(&file),
    ];
    let (fine, said) = run(&export);
    assert!(fine && said.contains("1 records written"), "{said}");
    let other = folder.path().join("other");
    drop(Store::open_sled(&other, true, 1 << 20).unwrap());
    let import = [
        "results",
        "import",
        "--data-dir",
        text(&other),
        "--file",
        text(&file),
    ];
    for wanted in ["1 records added, 0 were", "0 records added, 1 were"] {
        let (fine, said) = run(&import);
        assert!(fine && said.contains(wanted), "{said}");
    }
    let output = program(&["results", "export", "--data-dir", text(&other)])
        .output()
        .unwrap();
    assert_eq!(output.stdout, std::fs::read(&file).unwrap());
    std::fs::write(&file, "rubbish\n").unwrap();
    let (fine, said) = run(&import);
    assert!(!fine && said.contains("line 1 of the backup"), "{said}");
}

#[test]
fn profiles_and_scores_are_printed() {
    let run = |args: &[&str]| {
        let output = outcome(args);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), out, error)
    };
    let (fine, out, _) = run(&["profiles", "--json"]);
    assert!(fine);
    let told: Value = serde_json::from_str(&out).unwrap();
    let known: Vec<_> = scoring::local::profiles()
        .map(|profile| profile.name)
        .collect();
    let names: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].clone())
        .collect();
    assert_eq!(names, known);
    let (fine, out, _) = run(&["profiles"]);
    assert!(fine && known.iter().all(|name| out.contains(name)), "{out}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input.json");
    std::fs::write(&file, "{}").unwrap();
    let (fine, _, error) = run(&["score", "--profile", "no-such", "--input", text(&file)]);
    assert!(
        !fine && error.contains("there is no profile no-such"),
        "{error}"
    );
    let gone = folder.path().join("gone.json");
    let (fine, _, error) = run(&["score", "--profile", "no-such", "--input", text(&gone)]);
    assert!(!fine && error.contains("cannot read the input"), "{error}");
    let nowhere = folder.path().join("nowhere");
    let (fine, _, error) = run(&["results", "export", "--data-dir", text(&nowhere)]);
    assert!(!fine && error.contains("there is no store"), "{error}");
}
