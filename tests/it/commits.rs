//! The commit ledger: the end of every commit of the recordings, one by one, and
//! at every block exactly what the chain's storage holds.

use std::collections::BTreeMap;

use chain_metadata::{AccountId, KeyPart, NetUid, Recording, Value, blake2_256};
use indexer::commits::{Entry, Id, Kind, State};
use indexer::items::PALLET;
use indexer::store::Store;
use indexer::store::commits::Among;
use indexer::view::commits::{Commit, Filter, Page, one, page};

use crate::context::{RECORDINGS, connect, index, index_with, indexed, node, plan, recording};

fn id(block: u32, index: u32) -> Id {
    Id { block, index }
}

fn at(store: &Store, number: u32) -> indexer::view::At {
    indexer::view::at(store, number).unwrap().unwrap()
}

fn get(store: &Store, number: u32, id: Id) -> Commit {
    one(store, &at(store, number), id).unwrap().unwrap()
}

fn account(ss58: &str) -> AccountId {
    ss58.parse().unwrap()
}

/// Every entry that was begun up to a block, as it stood then.
fn ledger(store: &Store, number: u32) -> Vec<Entry> {
    let ids = store
        .commit_ids(Among::All, number, None, usize::MAX)
        .unwrap();
    let mut entries: Vec<_> = ids
        .into_iter()
        .map(|id| store.commit_entry(id, number).unwrap().unwrap())
        .collect();
    entries.reverse();
    entries
}

/// Keys and value of every row of a map at a block.
fn rows(
    recording: &Recording,
    store: &Store,
    number: u32,
    pallet: &str,
    entry: &str,
) -> Vec<(Vec<Value>, Value)> {
    let layout = at(store, number).layout;
    let Some(entry) = layout.metadata.storage(pallet, entry) else {
        return Vec::new();
    };
    let types = layout.metadata.types();
    let keys = recording.keys(number, &entry.prefix, None, usize::MAX);
    keys.into_iter()
        .map(|key| {
            let parts = entry.decode_keys(types, key).unwrap();
            let parts = parts.iter().filter_map(KeyPart::value).cloned().collect();
            let value = recording.storage(number, key).unwrap();
            (parts, entry.decode_value(types, value).unwrap())
        })
        .collect()
}

/// Storage index, hotkey and hash of each commit, in the order of its queue.
type Held = Vec<(u16, AccountId, String)>;

fn sorted(mut held: Held) -> Held {
    // Stable: the order inside a queue stays.
    held.sort_by_key(|(index, who, _)| (*index, *who));
    held
}

fn in_storage(recording: &Recording, store: &Store, number: u32) -> [Held; 3] {
    let mut hashes = Vec::new();
    for (key, value) in rows(recording, store, number, PALLET, "WeightCommits") {
        for commit in value.items() {
            let hash = commit.items()[0].as_bytes().unwrap();
            hashes.push((
                key[0].as_u16().unwrap(),
                key[1].as_account().unwrap(),
                format!("0x{}", hex::encode(hash)),
            ));
        }
    }
    let mut locked = Vec::new();
    for (key, value) in rows(recording, store, number, PALLET, "CRV3WeightCommits") {
        for commit in value.items() {
            let [who, bytes, round] = commit.items() else {
                panic!("{commit:?}")
            };
            locked.push((
                key[0].as_u16().unwrap(),
                who.as_account().unwrap(),
                format!(
                    "{} {} {}",
                    key[1].as_u64().unwrap(),
                    blake2_256(bytes.as_bytes().unwrap()),
                    round.as_u64().unwrap()
                ),
            ));
        }
    }
    let mut commitments = Vec::new();
    for (key, value) in rows(recording, store, number, "Commitments", "CommitmentOf") {
        commitments.push((
            key[0].as_u16().unwrap(),
            key[1].as_account().unwrap(),
            value.field("block").unwrap().as_u64().unwrap().to_string(),
        ));
    }
    [sorted(hashes), sorted(locked), sorted(commitments)]
}

fn in_ledger(store: &Store, number: u32) -> [Held; 3] {
    let mut held = [Vec::new(), Vec::new(), Vec::new()];
    for entry in ledger(store, number).iter().filter(|e| e.held) {
        let hash = || entry.hash().unwrap().to_string();
        let (place, what) = match entry.row.kind {
            Kind::Hash => (0, hash()),
            Kind::Timelocked => {
                let (epoch, round) = (entry.row.epoch.unwrap(), entry.row.round.unwrap());
                (1, format!("{epoch} {} {round}", hash()))
            }
            Kind::Commitment => (2, entry.id.block.to_string()),
        };
        held[place].push((entry.row.index, entry.holder, what));
    }
    held.map(sorted)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_block_the_ledger_holds_what_storage_holds() {
    for name in RECORDINGS {
        let (store, recording) = (indexed(name).await, recording(name));
        let mut seen = [0, 0, 0];
        for number in 0..=recording.head {
            let chain = in_storage(&recording, &store, number);
            for (seen, held) in seen.iter_mut().zip(&chain) {
                *seen += held.len();
            }
            assert_eq!(in_ledger(&store, number), chain, "{name}, block {number}");
        }
        // Something was there to be compared.
        match name {
            "mini-300" => assert!(seen[0] > 400 && seen[1] == 10 && seen[2] > 500, "{seen:?}"),
            _ => assert!(seen == [0, 0, 34], "{seen:?}"),
        }
    }
}

/// States and since when.
fn states(commit: &Commit) -> Vec<(u32, State)> {
    commit.entry.states.clone()
}

fn fields(commit: &Commit) -> String {
    let fields: Vec<_> = commit.fields.iter().map(|f| f.to_json(42)).collect();
    serde_json::to_string(&fields).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_under_a_hash_that_were_revealed() {
    use State::{Committed, Due, Revealed};
    let store = indexed("mini-300").await;
    // (place of commit and reveal, hotkey, uid, hash)
    for (place, extrinsic, hotkey, uid, hash) in [
        (
            0,
            1,
            "5E5DF52BUfTKqaQLCZXeKv9W7RYMgS9drCBpqgvQUAs9F8ug",
            1,
            "0x4b1ff8056bdc1d1b9e0a39a7e8109ca7b2f84085475e1846eb3d59016e8f6c44",
        ),
        (
            2,
            3,
            "5DFbipRX7CPHdxXryRBPM8j5D36pBbBwzmfJLrr1HeYppFQk",
            3,
            "0x8e1ef7a998c61a160ebfc852e069789e295fcd5b41500f83d1345aba34b1924c",
        ),
    ] {
        let commit = get(&store, 329, id(112, place));
        let entry = &commit.entry;
        assert_eq!((commit.netuid, commit.mechanism.0), (NetUid(2), 0));
        assert_eq!(entry.row.hotkey, account(hotkey).0);
        assert_eq!(entry.row.uid, Some(uid));
        assert_eq!(entry.hash().unwrap().to_string(), hash);
        assert_eq!(entry.row.epoch, Some(8));
        let made_by = entry.row.made_by.clone().unwrap();
        assert_eq!((made_by.extrinsic, made_by.path), (extrinsic, Some(vec![])));
        assert_eq!(
            states(&commit),
            [(112, Committed), (114, Due), (126, Revealed)]
        );
        assert!(!entry.held && entry.attempts.is_empty());
        // The reveal: its call, its hash computed again, the row it set, and the
        // epoch that read the row, which is not the one of the same block.
        let [(126, reveal)] = entry.reveals.as_slice() else {
            panic!("{:?}", entry.reveals)
        };
        let call = reveal.made_by.clone().unwrap();
        assert_eq!((call.extrinsic, call.path), (extrinsic, Some(vec![])));
        assert_eq!((reveal.verified, reveal.ambiguous), (Some(true), false));
        let [row] = commit.rows.as_slice() else {
            panic!("{:?}", commit.rows)
        };
        assert_eq!(
            (row.block, row.netuid, row.mechanism.0, row.uid.0),
            (126, NetUid(2), 0, uid)
        );
        assert_eq!(row.first_epoch, Some(139));
        let at = at(&store, 126);
        let matrix =
            indexer::view::rows(&store, &at, "Weights", row.netuid, row.mechanism).unwrap();
        let set = matrix.unwrap().into_iter().find(|(u, ..)| *u == row.uid);
        let (_, changed_at, entries) = set.unwrap();
        assert_eq!(
            (
                changed_at,
                entries.iter().max_by_key(|(_, w)| *w).unwrap().1
            ),
            (126, 65_535)
        );
        // Before there was an epoch there is none.
        assert_eq!(get(&store, 138, id(112, place)).rows[0].first_epoch, None);
        assert_eq!(get(&store, 125, id(112, place)).entry.state, Due);
        assert_eq!(get(&store, 113, id(112, place)).entry.state, Committed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reveal_with_the_wrong_salt_fails_and_so_does_the_commit_in_the_end() {
    use State::{Committed, Due, Failed};
    let store = indexed("mini-300").await;
    let commit = get(&store, 329, id(112, 1));
    let entry = &commit.entry;
    assert_eq!(
        entry.row.hotkey,
        account("5DZb72TPkeWzVUsNukk5Yo7pCapkHc7BMLqRnSKWJcpJmpSQ").0
    );
    assert_eq!(
        states(&commit),
        [(112, Committed), (114, Due), (127, Failed)]
    );
    let mismatch = "SubtensorModule.InvalidRevealCommitHashNotMatch";
    assert_eq!(entry.reason.as_deref(), Some(mismatch));
    let attempts: Vec<_> = entry
        .attempts
        .iter()
        .map(|(block, a)| (*block, a.error.as_str(), a.hash_matches))
        .collect();
    assert_eq!(
        attempts,
        [
            (126, mismatch, false),
            (270, "SubtensorModule.NoWeightsCommitFound", false)
        ]
    );
    assert!(entry.reveals.is_empty() && commit.rows.is_empty());
    // The chain clears it only when the hotkey commits again, which it never does.
    assert!(entry.held);
    // An attempt does not end it: at the block of the attempt it is still due.
    let then = get(&store, 126, id(112, 1)).entry;
    assert_eq!((then.state, then.attempts.len()), (Due, 1));
    // The other two failures of block 270 have no commit that they could be about:
    // both hotkeys had revealed theirs.
    let all: usize = ledger(&store, 329).iter().map(|e| e.attempts.len()).sum();
    assert_eq!(all, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_never_revealed_expires() {
    use State::{Committed, Due, Expired};
    let store = indexed("mini-300").await;
    let commit = get(&store, 329, id(112, 3));
    let entry = &commit.entry;
    assert_eq!(
        entry.row.hotkey,
        account("5Gk71eBspfeAPFf86ekPkpHzPczdspz5oLdxAX7TueApauxJ").0
    );
    assert_eq!(
        states(&commit),
        [(112, Committed), (114, Due), (127, Expired)]
    );
    assert!(entry.attempts.is_empty() && entry.reveals.is_empty() && entry.held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timelocked_commit_without_a_reveal_expires_with_its_epoch() {
    use State::{Committed, Due, Expired};
    let store = indexed("mini-300").await;
    let commit = get(&store, 329, id(285, 0));
    let entry = &commit.entry;
    assert_eq!(entry.row.kind, Kind::Timelocked);
    assert_eq!(
        (entry.row.index, entry.row.round, entry.row.epoch),
        (2, Some(20_000_000), Some(22))
    );
    assert_eq!(
        entry.row.hotkey,
        account("5E5DF52BUfTKqaQLCZXeKv9W7RYMgS9drCBpqgvQUAs9F8ug").0
    );
    assert_eq!(commit.bytes.as_deref(), Some(&[0x5a; 120][..]));
    assert_eq!(entry.hash(), commit.bytes.as_deref().map(blake2_256));
    assert_eq!(
        states(&commit),
        [(285, Committed), (295, Due), (295, Expired)]
    );
    assert!(
        entry
            .reason
            .as_deref()
            .unwrap()
            .contains("without a reveal")
    );
    assert!(entry.reveals.is_empty() && commit.rows.is_empty() && !entry.held);
    assert!(get(&store, 294, id(285, 0)).entry.held);
}

#[tokio::test(flavor = "multi_thread")]
async fn commitments_stand_until_the_next_one() {
    use State::{Committed, Due, Superseded};
    let store = indexed("mini-300").await;
    let [a, b, c] = [
        "5E4beNCz1pkfapSi5ddfVHpBEWqzB7RuQyuJ91HRVNfGjcyK",
        "5EEvuBjtH8QR6eNS8CPNoFDvQsWVX6c2XwEG6eDqEgduMNW5",
        "5HZGPzrzV8VYAjRFqaJEkTMrcy6E5aHRJdMGxG4bmcV34AS6",
    ];
    let raw = |n: u8| {
        let text = hex::encode(format!("challenge-0{n}---miner/img"));
        format!(r#"[{{"Raw24":"0x{text}"}}]"#)
    };
    let sha = format!(r#"[{{"Sha256":"0x{}"}}]"#, "11".repeat(32));
    // (id, hotkey, fields, replaced at)
    for (name, hotkey, shown, until) in [
        (id(44, 0), a, raw(0), Some(149)),
        (id(66, 0), b, raw(1), Some(171)),
        (id(88, 0), c, raw(2), Some(238)),
        (id(149, 0), a, raw(0), Some(194)),
        (id(171, 0), b, raw(1), Some(216)),
        (id(194, 0), a, raw(0), Some(292)),
        (id(216, 0), b, raw(1), Some(285)),
        (id(238, 0), c, raw(2), Some(285)),
        (id(285, 2), c, sha, None),
        (id(292, 0), a, raw(0), None),
        (id(314, 0), b, raw(1), None),
    ] {
        let commit = get(&store, 329, name);
        assert_eq!(commit.entry.row.kind, Kind::Commitment, "{name:?}");
        assert_eq!(commit.netuid, NetUid(3), "{name:?}");
        assert_eq!(commit.entry.row.hotkey, account(hotkey).0, "{name:?}");
        assert_eq!(fields(&commit), shown, "{name:?}");
        let mut wanted = vec![(name.block, Committed)];
        wanted.extend(until.map(|block| (block, Superseded)));
        assert_eq!(states(&commit), wanted, "{name:?}");
        assert_eq!(commit.entry.held, until.is_none(), "{name:?}");
    }
    // The locked one: its round has come, the chain has no pulse of it, and
    // another one takes its place.
    let locked = get(&store, 329, id(285, 1));
    assert_eq!(locked.entry.row.hotkey, account(b).0);
    assert_eq!(locked.entry.row.round, Some(20_000_000));
    let shown = fields(&locked);
    assert!(shown.contains(r#""reveal_round":"20000000""#), "{shown}");
    assert!(shown.contains(&"ab".repeat(100)), "{shown}");
    assert_eq!(
        states(&locked),
        [(285, Committed), (286, Due), (314, Superseded)]
    );
    // 4 under a hash, 1 timelocked, 12 commitments.
    assert_eq!(ledger(&store, 329).len(), 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_runtimes_have_commitments_too() {
    let store = indexed("upgrades").await;
    let shown = format!(r#"[{{"Raw12":"0x{}"}}]"#, hex::encode("hello-commit"));
    for (block, hotkey) in [
        (106, "5F3zJ5r3nBmBRQ7Csu3d4bXehF7YF4GWr3M1HjHyG978uVck"),
        (120, "5GiqdiJVtMG4uudcBbt9xAyC2xurD5vZfhDuUDC5FFTk97Kx"),
    ] {
        let commit = get(&store, 129, id(block, 0));
        assert_eq!(commit.netuid, NetUid(5));
        assert_eq!(commit.entry.row.hotkey, account(hotkey).0);
        assert_eq!(fields(&commit), shown);
        assert_eq!(states(&commit), [(block, State::Committed)]);
        assert!(commit.entry.held && commit.entry.row.round.is_none());
    }
    assert_eq!(ledger(&store, 129).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_pages() {
    let store = indexed("mini-300").await;
    let ids = |found: &Page| -> Vec<Id> { found.commits.iter().map(|c| c.entry.id).collect() };
    let find = |number, filter: Filter, before, first| {
        page(&store, &at(&store, number), &filter, before, first).unwrap()
    };
    let hash = Filter {
        kind: Some(Kind::Hash),
        ..Filter::default()
    };
    let found = find(329, hash, None, 100);
    assert_eq!(ids(&found), [3, 2, 1, 0].map(|i| id(112, i)));
    assert_eq!(found.next, None);
    // Page by page the same.
    let first = find(329, hash, None, 3);
    assert_eq!(ids(&first), [3, 2, 1].map(|i| id(112, i)));
    let second = find(329, hash, first.next, 3);
    assert_eq!((ids(&second), second.next), (vec![id(112, 0)], None));
    // State is that at the block asked about.
    let due = Filter {
        state: Some(State::Due),
        ..hash
    };
    assert_eq!(find(329, due, None, 9).commits.len(), 0);
    assert_eq!(find(120, due, None, 9).commits.len(), 4);
    assert_eq!(find(111, hash, None, 9).commits.len(), 0);
    let of_two = Filter {
        netuid: Some(NetUid(2)),
        ..Filter::default()
    };
    assert_eq!(find(329, of_two, None, 99).commits.len(), 5);
    let hotkey = account("5E5DF52BUfTKqaQLCZXeKv9W7RYMgS9drCBpqgvQUAs9F8ug");
    let of_hotkey = Filter {
        hotkey: Some(hotkey),
        ..Filter::default()
    };
    assert_eq!(
        ids(&find(329, of_hotkey, None, 9)),
        [id(285, 0), id(112, 0)]
    );
}

/// Every row of the ledger's tables.
fn tables(store: &Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
    use indexer::store::engine::Range;
    use indexer::store::tables::Table;
    let tables = [
        Table::Commit,
        Table::CommitStep,
        Table::CommitOf,
        Table::CommitOpen,
        Table::CommitStepAt,
    ];
    let rows = tables.iter().flat_map(|table| {
        let rows = store.engine().scan(Range::prefix(&table.key(&[])));
        rows.map(|row| row.unwrap()).collect::<Vec<_>>()
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_windows_nor_stops_change_the_ledger() {
    let whole = tables(&indexed("mini-300").await);
    let node = node("mini-300").await;
    for window in [1, 128] {
        let store = Store::in_memory().unwrap();
        let plan = indexer::pipeline::Plan {
            window,
            ahead: 2,
            ..plan(329)
        };
        index_with(connect(&node).await, &store, plan)
            .await
            .unwrap();
        assert_eq!(tables(&store), whole, "window {window}");
    }
    let store = Store::in_memory().unwrap();
    for until in [111, 112, 113, 120, 126, 127, 285, 286, 294, 295, 314, 329] {
        index(connect(&node).await, &store, until).await.unwrap();
    }
    assert_eq!(tables(&store), whole);
    node.stop().await;
}
