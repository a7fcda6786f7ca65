//! What changed, when and by what: tenancies of uids and causes of rows of W, in
//! both recordings at every block.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{MechId, NetUid, Uid, split_storage_index};
use indexer::items::item;
use indexer::store::history::{How, SetKind};
use indexer::view::tenancy::{self, Whose};
use indexer::view::{self, sets};

use crate::context::{RECORDINGS, indexed};

#[tokio::test(flavor = "multi_thread")]
async fn tenancies_say_who_holds_every_uid_at_every_block() {
    for name in RECORDINGS {
        let store = indexed(name).await;
        let mut began: BTreeMap<String, usize> = BTreeMap::new();
        let mut swapped = Vec::new();
        for number in 0..=store.last().unwrap().unwrap() {
            let at = view::at(&store, number).unwrap().unwrap();
            let events = view::events(&store, &at).unwrap();
            for netuid in view::subnets(&store, &at).unwrap() {
                let neurons = view::metagraph(&store, &at, netuid, MechId(0)).unwrap();
                let neurons = neurons.unwrap();
                for neuron in &neurons {
                    let held = tenancy::at(&store, number, netuid, neuron.uid).unwrap();
                    let held = held.unwrap_or_else(|| panic!("{name} {number} {netuid}"));
                    assert_eq!(held.hotkey, neuron.hotkey, "{name} block {number}");
                    assert!(held.from <= number && held.until.is_none_or(|b| b > number));
                    assert_eq!(held.registered_at, neuron.block_at_registration);
                    if held.from < number {
                        continue;
                    }
                    *began.entry(format!("{:?}", held.began)).or_default() += 1;
                    if number == 0 {
                        assert_eq!(held.began, How::FoundAtStart);
                    } else if held.began == How::Swapped {
                        swapped.push((number, netuid.0, held));
                        continue;
                    } else {
                        assert_eq!(held.began, How::Registered, "{name} block {number}");
                        assert_eq!(held.previous, None);
                        let told = events.iter().any(|e| &*e.name == "NeuronRegistered");
                        assert!(told || held.registered_at == Some(u64::from(number)));
                    }
                    let whose = Whose::Hotkey(held.hotkey);
                    let listed = tenancy::list(&store, netuid, whose, None, 100).unwrap();
                    assert!(listed.contains(&held));
                }
                let after = Uid(u16::try_from(neurons.len()).unwrap());
                assert_eq!(tenancy::at(&store, number, netuid, after).unwrap(), None);
            }
        }
        assert!(began["Registered"] >= 30, "{name} {began:?}");
        // One hotkey is swapped in the recordings: the neuron goes on.
        let blocks: Vec<u32> = swapped.iter().map(|(block, ..)| *block).collect();
        assert_eq!(
            blocks,
            if name == "mini-300" {
                vec![254]
            } else {
                vec![]
            }
        );
        for (block, netuid, after) in swapped {
            let at = view::at(&store, block).unwrap().unwrap();
            let events = view::events(&store, &at).unwrap();
            let event = events.iter().find(|e| &*e.name == "HotkeySwapped").unwrap();
            let account = |field| event.field(field).and_then(|v| v.as_account()).unwrap();
            let before = tenancy::at(&store, block - 1, NetUid(netuid), after.uid).unwrap();
            let before = before.unwrap();
            assert_eq!(before.hotkey, account("old_hotkey"));
            assert_eq!(after.hotkey, account("new_hotkey"));
            assert_eq!(
                (before.until, before.ended),
                (Some(block), Some(How::Swapped))
            );
            assert_eq!(before.next, Some((block, after.uid)));
            assert_eq!(after.previous, Some((block - 1, after.uid)));
            assert_eq!(before.registered_at, after.registered_at);
        }
    }
}

/// Every version of every row of W has a cause, and the cause is the call whose
/// arguments the row holds.
#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_row_of_w_has_its_cause() {
    for name in RECORDINGS {
        let store = indexed(name).await;
        let last = store.last().unwrap().unwrap();
        let line = item("Weights").unwrap();
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for rest in store.state_keys(line.id).unwrap() {
            let at = view::at(&store, last).unwrap().unwrap();
            let (_, entry) = at.layout.find("Weights").unwrap();
            let mut key = entry.prefix.to_vec();
            key.extend_from_slice(&rest);
            let parts = entry.decode_keys(at.layout.metadata.types(), &key).unwrap();
            let part = |i: usize| parts[i].value().unwrap().as_u16().unwrap();
            let (index, uid) = (part(0), part(1));
            let (netuid, mechanism) = split_storage_index(index);
            let all = sets::versions(&store, netuid, mechanism, Uid(uid), 0..=last, 10_000);
            for version in all.unwrap() {
                let place = format!("{name} block {} row {index}/{uid}", version.block);
                let Some(entries) = version.entries else {
                    let cut = tenancy_ends(&store, netuid, uid, version.block);
                    assert!(cut, "{place}: taken away without an end");
                    *kinds.entry("taken away".into()).or_default() += 1;
                    continue;
                };
                let Some(set) = version.set_by else {
                    // Block 0 is what the recording begins with.
                    let cut = tenancy_ends(&store, netuid, uid, version.block);
                    assert!(version.block == 0 || cut, "{place}: no cause, {entries:?}");
                    *kinds.entry("without".into()).or_default() += 1;
                    continue;
                };
                *kinds.entry(format!("{:?}", set.row.kind)).or_default() += 1;
                checked(&store, &place, index, uid, &entries, &set);
            }
        }
        let kinds: Vec<_> = kinds.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
        match name {
            "mini-300" => assert_eq!(kinds, [("Direct", 121), ("HashReveal", 2)]),
            _ => assert_eq!(kinds, [("Direct", 63)]),
        }
    }
}

fn tenancy_ends(store: &indexer::store::Store, netuid: NetUid, uid: u16, block: u32) -> bool {
    let rows = store.tenancy_rows(netuid.0, uid, None, 1000).unwrap();
    rows.iter().any(|(at, _)| *at == block)
}

fn checked(
    store: &indexer::store::Store,
    place: &str,
    index: u16,
    uid: u16,
    entries: &[(u16, u16)],
    set: &sets::SetBy,
) {
    let (netuid, _) = split_storage_index(index);
    let at = view::at(store, set.block).unwrap().unwrap();
    let holder = tenancy::at(store, set.block, netuid, Uid(uid)).unwrap();
    let holder = holder.unwrap().hotkey;
    assert_eq!(set.row.hotkey, Some(holder.0), "{place}: whose");
    let reveal = matches!(set.row.kind, SetKind::HashReveal | SetKind::TimelockReveal);
    assert_eq!(set.commit.is_some(), reveal, "{place}: commit");
    if set.row.kind == SetKind::TimelockReveal {
        return;
    }
    let extrinsic = usize::try_from(set.row.extrinsic.unwrap()).unwrap();
    let bodies = view::extrinsics(store, &at).unwrap();
    let path = set.row.path.as_ref().unwrap();
    let nested = &bodies[extrinsic].nested;
    let call = &nested.iter().find(|n| n.path == *path).unwrap().call;
    let item = set.row.item.map(|i| usize::try_from(i).unwrap());
    let uids: Vec<u16> = match (set.row.kind, item) {
        (SetKind::Batch, Some(item)) => {
            let pairs = call.arg("weights").unwrap().items()[item].items();
            pairs
                .iter()
                .map(|pair| u16::try_from(pair.items()[0].as_u64().unwrap()).unwrap())
                .collect()
        }
        (SetKind::HashReveal, Some(item)) => {
            let list = &call.arg("uids_list").unwrap().items()[item];
            list.items().iter().map(|v| v.as_u16().unwrap()).collect()
        }
        _ => {
            let list = call.arg("dests").or(call.arg("uids")).unwrap();
            list.items().iter().map(|v| v.as_u16().unwrap()).collect()
        }
    };
    let stored: Vec<u16> = entries.iter().map(|(to, _)| *to).collect();
    assert_eq!(stored, uids, "{place}: {}", call.name);
    let key = call.arg("version_key").and_then(|v| v.as_u64());
    if item.is_none() {
        assert!(key.is_some());
        assert_eq!(set.row.version_key, key, "{place}");
    } else {
        assert!(set.row.version_key.is_some(), "{place}");
    }
}

/// What every `WeightsSet` event names has a row, and nothing else has.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_set_where_the_chain_says_so_and_nowhere_else() {
    for name in RECORDINGS {
        let store = indexed(name).await;
        let (mut said, mut found) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..=store.last().unwrap().unwrap() {
            let at = view::at(&store, number).unwrap().unwrap();
            for event in view::events(&store, &at).unwrap() {
                if &*event.name == "WeightsSet" {
                    let number_at = |i: usize| event.fields[i].1.as_u16().unwrap();
                    said.insert((number_at(0), number_at(1), number));
                }
            }
        }
        for index in 0..8 {
            for uid in 0..64 {
                for number in 0..=store.last().unwrap().unwrap() {
                    if store.set_row(index, uid, number).unwrap().is_some() {
                        found.insert((index, uid, number));
                    }
                }
            }
        }
        assert!(said.len() > 20, "{name}");
        assert_eq!(said, found, "{name}");
    }
}
