//! The ledger of stake: a row for every event that moves stake, amounts that are
//! the changes of the chain's own totals, and who has what at any block.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{AccountId, NetUid, Value, decode_events};
use indexer::stakes::{Id, Kind, Movement};
use indexer::store::Store;
use indexer::store::stakes::Among;
use indexer::view::stake::{Filter, Of, page, shares};
use indexer::view::{self, At};

use crate::context::{RECORDINGS, indexed, recording};

fn at(store: &Store, number: u32) -> At {
    view::at(store, number).unwrap().unwrap()
}

/// All movements, oldest first.
fn ledger(store: &Store, head: u32) -> Vec<(Id, Movement)> {
    let mut ids = store.stake_ids(Among::All, head, None, usize::MAX).unwrap();
    ids.reverse();
    ids.into_iter()
        .map(|id| (id, store.stake_movement(id).unwrap().unwrap()))
        .collect()
}

fn number(store: &Store, block: u32, entry: &str, keys: &[&[u8]]) -> i128 {
    let value = view::held(store, &at(store, block), entry, keys).unwrap();
    value.value().map_or(0, |v| v.as_i128().unwrap())
}

fn kind_of(event: &str) -> Option<Kind> {
    Some(match event {
        "StakeAdded" => Kind::Added,
        "StakeRemoved" => Kind::Removed,
        "StakeMoved" => Kind::Moved,
        "StakeTransferred" => Kind::Transferred,
        "StakeSwapped" => Kind::Swapped,
        "AlphaRecycled" => Kind::Recycled,
        "AlphaBurned" => Kind::Burned,
        _ => return None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_that_moves_stake_is_a_row_with_its_numbers() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for name in RECORDINGS {
        let recording = recording(name);
        let store = indexed(name).await;
        let mut rows = ledger(&store, recording.head).into_iter();
        for number in 0..=recording.head {
            let Some(raw) = store.events(number).unwrap().filter(|e| !e.is_empty()) else {
                continue;
            };
            let metadata = at(&store, number).layout.metadata.clone();
            let mut place = 0;
            for event in decode_events(&metadata, &raw).unwrap() {
                let Some(kind) = kind_of(&event.name) else {
                    continue;
                };
                let (id, row) = rows.next().unwrap();
                assert_eq!((id.block, id.index), (number, place), "{name}");
                assert_eq!(
                    (row.kind, row.event),
                    (kind, event.index),
                    "{name} {number}"
                );
                place += 1;
                // Nothing of the event is lost: its accounts, subnets and amounts are the row's.
                let values = || event.fields.iter().map(|(_, value)| value);
                let accounts: BTreeSet<_> = values().filter_map(Value::as_account).collect();
                let sides = || row.from.iter().chain(&row.to);
                let mut stored: BTreeSet<_> = sides()
                    .flat_map(|s| s.hotkey.into_iter().chain(s.coldkey).map(AccountId))
                    .collect();
                if accounts.len() < stored.len() {
                    // An old event names the hotkey; the coldkey is the call's.
                    assert_eq!(event.fields.len(), 2, "{name} {number}");
                    stored.retain(|account| accounts.contains(account));
                }
                assert_eq!(stored, accounts, "{name} {number}");
                let wide = |width| {
                    let fits =
                        move |v: &&Value| matches!(v, Value::Uint { width: w, .. } if *w == width);
                    values().filter(fits).map(|v| v.as_u64().unwrap())
                };
                let amounts: Vec<u64> = [row.tao, row.alpha, row.fee]
                    .into_iter()
                    .flatten()
                    .collect();
                assert_eq!(amounts, wide(64).collect::<Vec<_>>(), "{name} {number}");
                let mut netuids: Vec<u64> =
                    sides().filter_map(|s| s.netuid).map(u64::from).collect();
                let mut told: Vec<u64> = wide(16).collect();
                netuids.sort_unstable();
                netuids.dedup();
                told.sort_unstable();
                told.dedup();
                assert_eq!(netuids, told, "{name} {number}");
                let call = row.made_by.as_ref().unwrap();
                assert_eq!(
                    Some(call.extrinsic),
                    event.extrinsic_index(),
                    "{name} {number}"
                );
                let called = view::commits::called(&store, number, call).unwrap();
                let called = called.unwrap_or_else(|| panic!("{name} {number}: no call"));
                assert!(
                    called.name.contains("stake") || called.name.contains("alpha"),
                    "{}",
                    called.name
                );
                *kinds.entry(format!("{name} {kind:?}")).or_default() += 1;
            }
        }
        assert!(rows.next().is_none(), "{name}");
    }
    insta::assert_debug_snapshot!("movements", kinds);
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_are_what_the_totals_changed_by() {
    // Alpha in a hotkey's pool changes by the alpha of what was added and removed.
    let store = indexed("mini-300").await;
    let head = recording("mini-300").head;
    let mut sums: BTreeMap<(u32, [u8; 32], u16), Option<i128>> = BTreeMap::new();
    let mut linked = 0;
    for (id, row) in ledger(&store, head) {
        for side in row.from.iter().chain(&row.to) {
            let key = (id.block, side.hotkey.unwrap(), side.netuid.unwrap());
            let alpha = row.alpha.map(i128::from);
            let change = match row.kind {
                Kind::Added => alpha,
                Kind::Removed | Kind::Recycled | Kind::Burned => alpha.map(|a| -a),
                // In the same subnet it is no removal and addition, and says no alpha.
                _ if row.from.as_ref().map(|s| s.netuid) == row.to.as_ref().map(|s| s.netuid) => {
                    None
                }
                _ => Some(0),
            };
            let sum = sums.entry(key).or_insert(Some(0));
            *sum = sum.zip(change).map(|(a, b)| a + b);
            if row.kind == Kind::Added {
                let keys: [&[u8]; 3] = [&key.1, &side.coldkey.unwrap(), &key.2.to_le_bytes()];
                let share = view::held(&store, &at(&store, id.block), "Alpha", &keys).unwrap();
                let view::Held::Stored(_, changed_at) = share else {
                    panic!("block {}: no share of what was added", id.block)
                };
                assert_eq!(changed_at, id.block);
                linked += 1;
            }
        }
    }
    let mut compared = 0;
    for ((block, hotkey, netuid), sum) in sums {
        let epochs = [netuid, 0].map(|n| store.epoch_from(n, block, block).unwrap());
        let (Some(sum), [None, None]) = (sum, epochs) else {
            continue;
        };
        let keys: [&[u8]; 2] = [&hotkey, &netuid.to_le_bytes()];
        let after = number(&store, block, "TotalHotkeyAlpha", &keys);
        let before = number(&store, block - 1, "TotalHotkeyAlpha", &keys);
        assert_eq!(after - before, sum, "block {block} subnet {netuid}");
        compared += 1;
    }
    assert!(
        compared >= 8 && linked >= 8,
        "{compared} totals, {linked} shares"
    );

    // Before subnets had tokens, stake changes by the amount itself.
    let store = indexed("upgrades").await;
    let head = recording("upgrades").head;
    let mut sums: BTreeMap<(u32, [u8; 32], [u8; 32]), i128> = BTreeMap::new();
    for (id, row) in ledger(&store, head) {
        let amount = i128::from(row.tao.unwrap());
        let (side, amount) = match (&row.from, &row.to) {
            (None, Some(to)) => (to, amount),
            (Some(from), None) => (from, -amount),
            other => panic!("{other:?}"),
        };
        let key = (id.block, side.hotkey.unwrap(), side.coldkey.unwrap());
        *sums.entry(key).or_default() += amount;
    }
    let mut compared = 0;
    for ((block, hotkey, coldkey), sum) in sums {
        // What was loaded for a hotkey is paid out in the next block.
        let loaded = view::subnets(&store, &at(&store, block - 1)).unwrap();
        let loaded = loaded.iter().any(|netuid| {
            let keys: [&[u8]; 1] = [&netuid.0.to_le_bytes()];
            let held = view::held(&store, &at(&store, block - 1), "LoadedEmission", &keys).unwrap();
            let mut accounts = BTreeSet::new();
            if let Some(value) = held.stored() {
                indexer::world::accounts(&value, &mut accounts);
            }
            accounts.contains(&AccountId(hotkey))
        });
        if loaded {
            continue;
        }
        let keys: [&[u8]; 2] = [&hotkey, &coldkey];
        let after = number(&store, block, "Stake", &keys);
        let before = number(&store, block - 1, "Stake", &keys);
        assert_eq!(after - before, sum, "block {block}");
        compared += 1;
    }
    assert!(compared >= 8, "{compared} stakes");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_what_a_scan_finds() {
    for name in RECORDINGS {
        let store = indexed(name).await;
        let head = recording(name).head;
        let mut all = ledger(&store, head);
        all.reverse();
        let mut filters = vec![Filter::default()];
        for (_, row) in &all {
            for side in row.from.iter().chain(&row.to) {
                filters.push(Filter {
                    hotkey: side.hotkey.map(AccountId),
                    kind: Some(row.kind),
                    ..Filter::default()
                });
                filters.push(Filter {
                    coldkey: side.coldkey.map(AccountId),
                    netuid: side.netuid.map(NetUid),
                    ..Filter::default()
                });
                filters.push(Filter {
                    netuid: side.netuid.map(NetUid),
                    ..Filter::default()
                });
            }
        }
        for filter in filters {
            let side = |row: &Movement, fits: &dyn Fn(&indexer::stakes::Side) -> bool| {
                row.from.iter().chain(&row.to).any(fits)
            };
            let wanted: Vec<_> = all
                .iter()
                .filter(|(_, row)| filter.kind.is_none_or(|k| row.kind == k))
                .filter(|(_, row)| {
                    filter
                        .hotkey
                        .is_none_or(|h| side(row, &|s| s.hotkey == Some(h.0)))
                })
                .filter(|(_, row)| {
                    filter
                        .coldkey
                        .is_none_or(|c| side(row, &|s| s.coldkey == Some(c.0)))
                })
                .filter(|(_, row)| {
                    filter
                        .netuid
                        .is_none_or(|n| side(row, &|s| s.netuid == Some(n.0)))
                })
                .cloned()
                .collect();
            let (mut found, mut before) = (Vec::new(), None);
            loop {
                let part = page(&store, head, &filter, before, 3).unwrap();
                assert!(part.movements.len() <= 3);
                found.extend(part.movements);
                before = part.next;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(found, wanted, "{name} {filter:?}");
            assert!(!found.is_empty(), "{name} {filter:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_what_at_a_block_is_what_the_chain_stores() {
    for (name, entry, blocks) in [
        ("mini-300", "Alpha", [40, 254, 329]),
        ("upgrades", "Stake", [10, 66, 129]),
    ] {
        let recording = recording(name);
        let store = indexed(name).await;
        for block in blocks {
            let at = at(&store, block);
            let types = at.layout.metadata.types();
            let (_, found) = at.layout.find(entry).unwrap();
            let mut chain: BTreeMap<(AccountId, AccountId, Option<NetUid>), Vec<u8>> =
                BTreeMap::new();
            for key in recording.keys(block, &found.prefix, None, usize::MAX) {
                let parts = found.decode_keys(types, key).unwrap();
                let parts: Vec<&Value> = parts.iter().map(|p| p.value().unwrap()).collect();
                let account = |place: usize| parts[place].as_account().unwrap();
                let netuid = parts.get(2).and_then(|v| v.as_u16()).map(NetUid);
                let value = recording.storage(block, key).unwrap();
                chain.insert((account(0), account(1), netuid), value.to_vec());
            }
            assert!(chain.len() > 20, "{name} {block}");
            let nobody = AccountId([0; 32]);
            for of_hotkey in [true, false] {
                let accounts = chain
                    .keys()
                    .map(|(h, c, _)| if of_hotkey { *h } else { *c });
                let mut seen = BTreeMap::new();
                // Genesis gives the account of zeros a share without the list that names it.
                for account in accounts.filter(|a| *a != nobody).collect::<BTreeSet<_>>() {
                    let of = if of_hotkey {
                        Of::Hotkey(account)
                    } else {
                        Of::Coldkey(account)
                    };
                    for share in shares(&store, &at, of, None).unwrap() {
                        assert_eq!(share.entry, entry);
                        assert!(share.value.is_some());
                        if let Some(netuid) = share.netuid {
                            let keys: [&[u8]; 2] = [&share.hotkey.0, &netuid.0.to_le_bytes()];
                            let total = number(&store, block, "TotalHotkeyAlpha", &keys);
                            assert_eq!(share.pool_alpha.map(i128::from), Some(total));
                            assert!(share.pool_shares.is_some());
                            let one = shares(&store, &at, of, Some(netuid)).unwrap();
                            assert!(
                                one.contains(&share)
                                    && one.iter().all(|s| s.netuid == Some(netuid))
                            );
                        }
                        seen.insert((share.hotkey, share.coldkey, share.netuid), share.bytes);
                    }
                }
                let mut wanted = chain.clone();
                wanted.retain(|(h, c, _), _| *h != nobody && *c != nobody);
                assert_eq!(seen, wanted, "{name} {block} by hotkey: {of_hotkey}");
            }
        }
    }
    // What nobody can read is shown as bytes without a meaning.
    let store = indexed("mini-300").await;
    let zero = shares(&store, &at(&store, 5), Of::Hotkey(AccountId([0; 32])), None).unwrap();
    let [share] = zero.as_slice() else {
        panic!("{zero:?}")
    };
    assert_eq!((share.value.clone(), share.bytes.len()), (None, 8));
}
