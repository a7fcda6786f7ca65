//! How it ends: recorded blocks hold rows, commits and reveals of real validators, and what is
//! followed here is that they come.

use std::time::Duration;

use chain_metadata::{AccountId, H256};
use scoring::local::sn42::chain::{Route, Row};
use weights_out::follow::{Expected, Following, Outcome, follow};
use weights_out::order::Order;
use weights_out::submit::{prepare, send};

use super::{extrinsics, meta, node_at, numbers, recording, signer, state, stored, stored_row};

fn following(expected: Expected, after: u64) -> Following {
    Following {
        extrinsic: H256::ZERO,
        expected,
        after,
        last: after + 63,
        every: Duration::from_millis(5),
        patience: Duration::from_secs(20),
    }
}

/// Follows while the chain grows.
async fn grown(start: u32, blocks: u32, what: Following) -> Outcome {
    let (played, node) = node_at(start).await;
    let meta = meta(&recording(), 300);
    let followed = tokio::spawn(async move { follow(&node, &meta, &what).await.unwrap() });
    for _ in 0..blocks {
        tokio::time::sleep(Duration::from_millis(10)).await;
        played.advance(1);
    }
    followed.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_proved_by_the_block_that_has_it() {
    // Block 83: validators of subnet 2 set rows. The same row is sent by another key, and the
    // recorded block shows it.
    let recording = recording();
    let (hash, recorded) = extrinsics(&recording, 83)
        .into_iter()
        .find(|(_, found)| &*found.call.name == "set_weights")
        .unwrap();
    let netuid = recorded.call.arg("netuid").unwrap().as_u16().unwrap();
    let who = recorded.signer().unwrap();
    let keys: [&[u8]; 2] = [&netuid.to_le_bytes(), &who.0];
    let uid = stored(&recording, 83, "Uids", &keys)
        .unwrap()
        .as_u16()
        .unwrap();
    let (played, node) = node_at(80).await;
    let (folder, _, signer) = signer();
    let mut state = state(uid, false);
    state.netuid = netuid;
    let row = Row {
        uids: numbers(&recorded.call, "dests"),
        values: numbers(&recorded.call, "weights"),
    };
    let order = Order::new(signer.account(), state, Route::Direct, row, 0).unwrap();
    // What the chain was foretold to store is what it stored.
    assert_eq!(order.stored, stored_row(&recording, 83, netuid, uid));
    let prepared = prepare(&node, order, None, recording.genesis_hash)
        .await
        .unwrap();
    let sent = send(&node, &prepared, &signer, folder.path())
        .await
        .unwrap();
    let mut what = sent.following.clone();
    what.every = Duration::from_millis(5);
    let meta = meta(&recording, 300);
    let seen = tokio::spawn(async move { follow(&node, &meta, &what).await.unwrap() });
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        played.advance(1);
    }
    let proved = Outcome::Proved {
        block: 83,
        included: None,
    };
    assert_eq!(seen.await.unwrap(), proved);

    // With the hash of the recorded extrinsic its block is found as well.
    let what = Following {
        extrinsic: hash,
        ..sent.following
    };
    let included = Outcome::Proved {
        block: 83,
        included: Some(83),
    };
    assert_eq!(grown(81, 4, what).await, included);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_row_is_foretold() {
    let recording = recording();
    let mut seen = 0;
    for number in 1..=recording.head {
        let mut last = std::collections::BTreeMap::new();
        for (_, found) in extrinsics(&recording, number) {
            if &*found.call.name != "set_weights" {
                continue;
            }
            let netuid = found.call.arg("netuid").unwrap().as_u16().unwrap();
            let who = found.signer().unwrap();
            let keys: [&[u8]; 2] = [&netuid.to_le_bytes(), &who.0];
            let Some(uid) = stored(&recording, number, "Uids", &keys) else {
                continue;
            };
            let update = stored(&recording, number, "LastUpdate", &[&netuid.to_le_bytes()]);
            let uid = uid.as_u16().unwrap();
            let update = update.unwrap().items()[usize::from(uid)].as_u64();
            if update == Some(u64::from(number)) {
                last.insert((netuid, uid), found.call);
            }
        }
        for ((netuid, uid), call) in last {
            let mut state = state(uid, false);
            state.netuid = netuid;
            let row = Row {
                uids: numbers(&call, "dests"),
                values: numbers(&call, "weights"),
            };
            let order = Order::new(AccountId([0; 32]), state, Route::Direct, row, 0).unwrap();
            assert_eq!(
                order.stored,
                stored_row(&recording, number, netuid, uid),
                "{number}"
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

pub(crate) fn committer() -> (AccountId, H256) {
    let hotkey = "5E5DF52BUfTKqaQLCZXeKv9W7RYMgS9drCBpqgvQUAs9F8ug";
    let hash = "0x4b1ff8056bdc1d1b9e0a39a7e8109ca7b2f84085475e1846eb3d59016e8f6c44";
    (hotkey.parse().unwrap(), hash.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_and_reveals_are_proved() {
    let (hotkey, hash) = committer();
    let expected = Expected::Committed {
        index: 2,
        hotkey,
        hash,
    };
    let proved = |block| Outcome::Proved {
        block,
        included: None,
    };
    assert_eq!(grown(109, 5, following(expected, 109)).await, proved(112));
    let row = stored_row(&recording(), 126, 2, 1);
    let expected = Expected::Revealed {
        index: 2,
        uid: 1,
        row,
        hotkey,
        hash,
    };
    assert_eq!(grown(123, 5, following(expected, 123)).await, proved(126));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reveal_that_never_landed_is_not_proved() {
    let recording = recording();
    let (hotkey, hash) = committer();
    // The row stands already and no commit has the hash; nothing was revealed from here on.
    for (after, hash) in [(126, hash), (90, H256([7; 32]))] {
        let expected = Expected::Revealed {
            index: 2,
            uid: 1,
            row: stored_row(&recording, after, 2, 1),
            hotkey,
            hash,
        };
        let mut what = following(expected, u64::from(after));
        what.last = u64::from(after) + 2;
        let expired = Outcome::Expired { last: what.last };
        assert_eq!(grown(after + 3, 0, what).await, expired);
    }
    // With the recorded reveal itself, its block is found.
    let (reveal, _) = extrinsics(&recording, 126)
        .into_iter()
        .find(|(_, found)| found.signer() == Some(hotkey))
        .unwrap();
    let expected = Expected::Revealed {
        index: 2,
        uid: 1,
        row: stored_row(&recording, 126, 2, 1),
        hotkey,
        hash,
    };
    let mut what = following(expected, 124);
    what.extrinsic = reveal;
    let included = Outcome::Proved {
        block: 126,
        included: Some(126),
    };
    assert_eq!(grown(128, 0, what).await, included);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_chain_is_told_by_its_name() {
    // Block 126: a reveal with the wrong salt.
    let who: AccountId = "5DZb72TPkeWzVUsNukk5Yo7pCapkHc7BMLqRnSKWJcpJmpSQ"
        .parse()
        .unwrap();
    let (hash, _) = extrinsics(&recording(), 126)
        .into_iter()
        .find(|(_, found)| found.signer() == Some(who))
        .unwrap();
    let (hotkey, of_commit) = committer();
    let mut what = following(
        Expected::Committed {
            index: 2,
            hotkey,
            hash: of_commit,
        },
        125,
    );
    what.extrinsic = hash;
    let failed = Outcome::Failed {
        block: 126,
        error: "SubtensorModule.InvalidRevealCommitHashNotMatch".to_owned(),
    };
    assert_eq!(grown(125, 2, what).await, failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_runs_out_and_chains_stand_still() {
    let never = Expected::Row {
        index: 2,
        uid: 1,
        row: Row {
            uids: vec![1],
            values: vec![7],
        },
    };
    let mut what = following(never.clone(), 50);
    what.last = 52;
    assert_eq!(grown(50, 4, what).await, Outcome::Expired { last: 52 });
    let mut what = following(never, 50);
    what.patience = Duration::from_millis(50);
    assert_eq!(grown(51, 0, what).await, Outcome::Waiting { head: 51 });
    // A row that is there already proves nothing: it was not set since.
    let row = stored_row(&recording(), 90, 2, 1);
    let mut what = following(
        Expected::Row {
            index: 2,
            uid: 1,
            row,
        },
        90,
    );
    what.last = 92;
    assert_eq!(grown(93, 0, what).await, Outcome::Expired { last: 92 });
}
