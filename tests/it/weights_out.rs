//! Weights planned and read back over recorded chains: what the SDK and the chain would make of
//! scores, and what became of the rows of real validators.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{AccountId, MechId, NetUid, Uid, Value, storage_index};
use challenges::sn42::plan::{Whose, describe, plan};
use challenges::sn42::readback::{Question, ReadBack, Verdict, Who, read_back, read_back_all};
use indexer::commits::{Kind, State};
use indexer::store::Store;
use indexer::store::history::SetKind;
use indexer::view::At;
use scoring::local::sn42::chain::{Route, Row, check};
use serde_json::json;

use crate::context::{RECORDINGS, indexed, outcome, recording, text};

fn at(store: &Store, number: u32) -> At {
    indexer::view::at(store, number).unwrap().unwrap()
}

fn question(netuid: u16, who: Who) -> Question {
    Question {
        netuid: NetUid(netuid),
        mechanism: MechId(0),
        who,
        expected: None,
        since: None,
        stale_tempos: 3,
    }
}

fn ask(store: &Store, block: u32, question: &Question) -> ReadBack {
    read_back(store, &at(store, block), question).unwrap()
}

fn hotkey(ss58: &str) -> Who {
    Who::Hotkey(ss58.parse().unwrap())
}

fn numbers(call: &chain_metadata::Call, name: &str) -> Vec<u16> {
    let list = call.arg(name).unwrap().items();
    list.iter().map(|v| v.as_u16().unwrap()).collect()
}

/// Every `set_weights` of a block that succeeded: netuid, signer, row, version key.
fn sets(store: &Store, number: u32) -> Vec<(u16, AccountId, Row, u64)> {
    let mut found = Vec::new();
    let parent = at(store, number - 1);
    for raw in store.body(number).unwrap().unwrap() {
        let xt = chain_metadata::decode_extrinsic(&parent.layout.metadata, &raw).unwrap();
        if &*xt.call.name != "set_weights" {
            continue;
        }
        let netuid = xt.call.arg("netuid").unwrap().as_u16().unwrap();
        let who = xt.signer().unwrap();
        let key = xt.call.arg("version_key").unwrap().as_u64().unwrap();
        let row = Row {
            uids: numbers(&xt.call, "dests"),
            values: numbers(&xt.call, "weights"),
        };
        found.push((netuid, who, row, key));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_validators_set_are_read_back_as_set() {
    for name in RECORDINGS {
        let store = indexed(name).await;
        let head = recording(name).head;
        let mut seen = 0;
        for number in 1..=head {
            let events = indexer::view::events(&store, &at(&store, number)).unwrap();
            let failed = events.iter().any(|e| e.is("System", "ExtrinsicFailed"));
            let mut last = BTreeMap::new();
            for (netuid, who, row, _) in sets(&store, number) {
                last.insert((netuid, who), row);
            }
            if failed {
                continue;
            }
            for ((netuid, who), row) in last {
                let mut question = question(netuid, Who::Hotkey(who));
                question.expected = Some(row);
                question.since = Some(number - 1);
                let found = ask(&store, number, &question);
                assert_eq!(found.verdict, Verdict::Set, "{name} {number}: {found:?}");
                let set = found.evidence.set.unwrap();
                assert_eq!((set.block, set.row.kind), (number, SetKind::Direct));
                assert_eq!(set.row.hotkey, Some(who.0));
                assert!(set.row.extrinsic.is_some());
                // The block before does not have it.
                question.since = Some(number - 1);
                let before = ask(&store, number - 1, &question);
                assert!(
                    matches!(before.verdict, Verdict::Never | Verdict::Stale),
                    "{name} {number}: {before:?}"
                );
                seen += 1;
            }
        }
        assert!(seen > 50, "{name}: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_committed_until_its_reveal_sets_the_row() {
    let store = indexed("mini-300").await;
    let one = question(
        2,
        hotkey("5E5DF52BUfTKqaQLCZXeKv9W7RYMgS9drCBpqgvQUAs9F8ug"),
    );
    let committed = ask(&store, 113, &one);
    assert_eq!(committed.verdict, Verdict::Committed);
    let evidence = &committed.evidence;
    // `LastUpdate` moved with the commit, and the row is the old one.
    assert!(evidence.commit_reveal);
    assert_eq!(evidence.last_update, Some(112));
    assert!(evidence.row_since.unwrap() < 112);
    let commit = evidence.commit.as_ref().unwrap();
    assert_eq!(
        (commit.block, commit.extrinsic, commit.kind),
        (112, Some(1), Kind::Hash)
    );
    assert_eq!(ask(&store, 125, &one).verdict, Verdict::Committed);

    let revealed = ask(&store, 126, &one);
    assert_eq!(revealed.verdict, Verdict::Set);
    let set = revealed.evidence.set.as_ref().unwrap();
    assert_eq!((set.block, set.row.kind), (126, SetKind::HashReveal));
    assert_eq!(set.commit.map(|id| (id.block, id.index)), Some((112, 0)));
    assert_eq!(revealed.evidence.last_update, Some(112));
    // The row it revealed is the expected one, another one is not.
    let mut expecting = one.clone();
    expecting.expected = revealed.evidence.row.clone();
    expecting.since = Some(111);
    assert_eq!(ask(&store, 126, &expecting).verdict, Verdict::Set);
    assert_eq!(ask(&store, 125, &expecting).verdict, Verdict::Committed);
    let row = expecting.expected.as_mut().unwrap();
    row.values.reverse();
    let other = ask(&store, 126, &expecting);
    assert_eq!(other.verdict, Verdict::ChangedOnChain);
    assert!(other.difference.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_are_never_revealed_expire() {
    let store = indexed("mini-300").await;
    // One whose reveal failed, and one that nobody tried to reveal.
    for (ss58, state) in [
        (
            "5DZb72TPkeWzVUsNukk5Yo7pCapkHc7BMLqRnSKWJcpJmpSQ",
            State::Failed,
        ),
        (
            "5Gk71eBspfeAPFf86ekPkpHzPczdspz5oLdxAX7TueApauxJ",
            State::Expired,
        ),
    ] {
        let one = question(2, hotkey(ss58));
        assert_eq!(ask(&store, 120, &one).verdict, Verdict::Committed);
        let over = ask(&store, 127, &one);
        assert_eq!(over.verdict, Verdict::Expired, "{over:?}");
        assert_eq!(over.evidence.commit.unwrap().state, state);
        assert!(over.reason.contains("block 112"), "{}", over.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_never_set_and_those_who_stopped() {
    let store = indexed("mini-300").await;
    let head = recording("mini-300").head;
    let mut verdicts = BTreeSet::new();
    for netuid in 1..=3 {
        let last = at(&store, head);
        let all = read_back_all(&store, &last, NetUid(netuid), MechId(0), 3).unwrap();
        for found in &all {
            let age = found.evidence.set.as_ref().map(|set| head - set.block);
            let limit = u32::from(found.evidence.tempo) * 3;
            match found.verdict {
                Verdict::Never => assert!(found.evidence.row.is_none()),
                Verdict::Set => assert!(age.is_none_or(|age| age <= limit), "{found:?}"),
                Verdict::Stale => assert!(age.is_none_or(|age| age > limit), "{found:?}"),
                _ => {}
            }
            verdicts.insert(found.verdict.name());
        }
    }
    assert!(verdicts.contains("stale"), "{verdicts:?}");
    // Before anybody set a row nobody had.
    let first = question(1, Who::Uid(Uid(0)));
    assert_eq!(ask(&store, 30, &first).verdict, Verdict::Never);
    let error = read_back(&store, &at(&store, 30), &question(1, Who::Uid(Uid(999))));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("uid 999 is not registered")
    );
    let error = read_back(&store, &at(&store, 30), &question(99, Who::Uid(Uid(0))));
    assert!(error.unwrap_err().to_string().contains("subnet 99"));
}

/// The state of the block before says what became of every row that was sent: those that the
/// chain took pass all checks, and are stored as foretold.
#[tokio::test(flavor = "multi_thread")]
async fn the_checks_agree_with_the_recorded_chain() {
    for name in RECORDINGS {
        let store = indexed(name).await;
        let mut taken = 0;
        for number in 2..=recording(name).head {
            let before = at(&store, number - 1);
            let after = at(&store, number);
            for (netuid, who, row, key) in sets(&store, number) {
                let whose = Whose {
                    netuid: NetUid(netuid),
                    mechanism: MechId(0),
                    hotkey: who,
                };
                let state = describe(&store, &before, whose).unwrap().state;
                assert_eq!(state.block, u64::from(number));
                let Some(uid) = state.uid else { continue };
                let index = storage_index(NetUid(netuid), MechId(0)).unwrap();
                let set = store.set_row(index, uid, number).unwrap();
                if set.is_none_or(|set| set.hotkey != Some(who.0)) {
                    continue;
                }
                let checked = check(&state, Route::Direct, &row, key);
                assert_eq!(checked.refusals, [], "{name} {number} {state:?}");
                let stored =
                    indexer::view::rows(&store, &after, "Weights", NetUid(netuid), MechId(0));
                let (_, _, pairs) = stored
                    .unwrap()
                    .unwrap()
                    .into_iter()
                    .find(|(of, ..)| of.0 == uid)
                    .unwrap();
                let foretold: Vec<_> = checked
                    .stored
                    .uids
                    .iter()
                    .copied()
                    .zip(checked.stored.values)
                    .collect();
                assert_eq!(pairs, foretold, "{name} {number}");
                taken += 1;
            }
        }
        assert!(taken > 50, "{name}: {taken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_goes_by_commit_where_the_subnet_has_them() {
    let store = indexed("mini-300").await;
    let who: AccountId = "5E5DF52BUfTKqaQLCZXeKv9W7RYMgS9drCBpqgvQUAs9F8ug"
        .parse()
        .unwrap();
    let whose = Whose {
        netuid: NetUid(2),
        mechanism: MechId(0),
        hotkey: who,
    };
    let before = at(&store, 111);
    let neurons = indexer::view::metagraph(&store, &before, NetUid(2), MechId(0)).unwrap();
    let count = neurons.unwrap().len();
    let mut scores = vec![f64::NAN; count];
    (scores[0], scores[1]) = (1.0, 3.0);
    let planned = plan(&store, &before, whose, &scores, None).unwrap();
    assert_eq!(planned.route, Route::Commit);
    assert_eq!(planned.described.state.uid, Some(1));
    assert!(planned.sent.values.contains(&65535));
    // Once it has committed, the next commit comes too soon.
    let after = plan(&store, &at(&store, 112), whose, &scores, None).unwrap();
    let state = after.described.state;
    assert_eq!((state.unrevealed, state.last_update), (1, 112));
    let names: Vec<_> = after.checked.refusals.iter().map(|r| r.name()).collect();
    let soon = state.block - state.last_update < state.rate_limit;
    assert_eq!(names.contains(&"CommittingWeightsTooFast"), soon);
    // A stranger is told so.
    let stranger = Whose {
        hotkey: AccountId([7; 32]),
        ..whose
    };
    let refused = plan(&store, &before, stranger, &scores, None).unwrap();
    assert_eq!(
        refused.checked.refusals[0].name(),
        "HotKeyNotRegisteredInSubNet"
    );
}

#[test]
fn the_program_plans_and_reads_back() {
    let dir = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/replay-node/fixtures/mini-300"
    );
    let folder = tempfile::tempdir().unwrap();
    let scores = folder.path().join("scores.json");
    std::fs::write(&scores, json!({"0": 1, "1": 2.5, "2": 0}).to_string()).unwrap();
    let who = "5E5DF52BUfTKqaQLCZXeKv9W7RYMgS9drCBpqgvQUAs9F8ug";
    let common = ["--recording", dir, "--netuid", "2", "--hotkey", who];
    let run = |command: &str, more: &[&str]| {
        let mut args = vec!["weights", command];
        args.extend(common);
        args.extend(more);
        outcome(&args)
    };
    let planned = run(
        "plan",
        &["--block", "60", "--scores", text(&scores), "--json"],
    );
    assert!(planned.status.success(), "{planned:?}");
    let plan: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!((&plan["uid"], &plan["block"]), (&json!(1), &json!(60)));
    assert_eq!(plan["specVersion"], 300);
    for part in ["sent", "stored"] {
        let values = plan[part]["values"].as_array().unwrap();
        assert!(values.contains(&json!(65535)), "{plan}");
        assert_eq!(values.len(), plan[part]["uids"].as_array().unwrap().len());
    }
    let said = run("plan", &["--block", "60", "--scores", text(&scores)]);
    assert!(String::from_utf8(said.stdout).unwrap().contains("uid 1"));

    let input = folder.path().join("input.json");
    std::fs::write(&input, json!({"scores": [0.5, 0.25]}).to_string()).unwrap();
    let profiled = ["--profile", "sn42-2024", "--input", text(&input), "--json"];
    let planned = run("plan", &profiled);
    let plan: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(plan["profile"], "sn42-2024");
    // The gate of the later profile is shut, and nothing is planned.
    let profiled = ["--profile", "sn42-2025", "--input", text(&input)];
    let shut = String::from_utf8(run("plan", &profiled).stderr).unwrap();
    assert!(shut.contains("no uid of the subnet has a score"), "{shut}");
    assert_eq!(shut.lines().count(), 1, "{shut}");

    let read = run("read-back", &["--block", "113", "--json"]);
    let read: serde_json::Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(read[0]["verdict"], "committed");
    assert_eq!(read[0]["evidence"]["commit"]["block"], 112);
    let read = run("read-back", &["--block", "126"]);
    let said = String::from_utf8(read.stdout).unwrap();
    assert!(
        said.contains("set at block 126 by the reveal of a hash"),
        "{said}"
    );

    let row = folder.path().join("row.json");
    std::fs::write(&row, r#"{"uids": [1, 2], "values": [1]}"#).unwrap();
    let wrong = run("read-back", &["--expected", text(&row)]);
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(
        said.contains("2 uids but 1 values") && !wrong.status.success(),
        "{said}"
    );
}

/// Rows are values of the chain: what is read back is what storage holds.
#[tokio::test(flavor = "multi_thread")]
async fn rows_read_back_are_those_of_storage() {
    let store = indexed("mini-300").await;
    let recording = recording("mini-300");
    for number in [60, 126, 329] {
        let at = at(&store, number);
        let entry = at
            .layout
            .metadata
            .storage("SubtensorModule", "Weights")
            .unwrap();
        for found in read_back_all(&store, &at, NetUid(2), MechId(0), 3).unwrap() {
            let key = entry.key_of_encoded(&[&2_u16.to_le_bytes(), &found.uid.0.to_le_bytes()]);
            let bytes = recording.storage(number, &key);
            let value = bytes.map(|b| entry.decode_value(at.layout.metadata.types(), b).unwrap());
            let pairs = value.as_ref().map_or(&[][..], Value::items);
            let row = found.evidence.row.unwrap_or_default();
            assert_eq!(row.uids.len(), pairs.len());
            for (pair, (uid, value)) in pairs.iter().zip(row.uids.iter().zip(&row.values)) {
                assert_eq!(pair.items()[0].as_u16(), Some(*uid));
                assert_eq!(pair.items()[1].as_u16(), Some(*value));
            }
        }
    }
}
