//! Lists of changes as a client gets them, against a walk over the recorded state at
//! every block.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{NetUid, Recording};
use indexer::items::{Item, MANIFEST, Refresh, Scope};
use indexer::store::Store;
use indexer::view::causes::Causes;
use indexer::view::changes::{Change, Stretch, decoded, of_subnet, walk};
use indexer::view::{self, Held};
use serde_json::{Value, json};

use crate::context::{indexed, recording};
use crate::history_served::{pages, served};
use crate::served::query;

/// Both sides of a change in recorded bytes.
type Sides = (Option<Vec<u8>>, Option<Vec<u8>>);

fn settings() -> Vec<&'static Item> {
    let of_subnet = |line: &&Item| matches!(line.scope, Scope::Subnet | Scope::Mech);
    let lines = MANIFEST.iter().filter(of_subnet);
    lines.filter(|l| l.refresh == Refresh::Touched).collect()
}

fn packed() -> Vec<&'static Item> {
    let lines = MANIFEST.iter().filter(|l| l.scope == Scope::Subnet);
    lines.filter(|l| l.refresh == Refresh::EveryBlock).collect()
}

/// Changes of items of a subnet in the recorded state, newest first, then by number.
fn walked(
    store: &Store,
    recording: &Recording,
    lines: &[&'static Item],
    netuid: u16,
) -> Vec<(u32, &'static str, Sides)> {
    let mut found = Vec::new();
    for number in (1..=recording.head).rev() {
        let layout = view::at(store, number).unwrap().unwrap().layout;
        for line in lines {
            let Some((_, entry)) = layout.find(line.entry) else {
                continue;
            };
            let key = entry.key_of_encoded(&[&netuid.to_le_bytes()]);
            let value = |at| recording.storage(at, &key).map(<[u8]>::to_vec);
            let (old, new) = (value(number - 1), value(number));
            if old != new {
                found.push((number, line.entry, (old, new)));
            }
        }
    }
    found
}

fn shown(store: &Store, number: u32, entry: &str, bytes: Option<&[u8]>) -> (Value, bool) {
    let at = view::at(store, number).unwrap().unwrap();
    let held = decoded(&at, indexer::items::item(entry).unwrap(), bytes).unwrap();
    let stored = matches!(held, Held::Stored(..));
    let ss58 = at.layout.metadata.ss58_prefix();
    let value = held.value().map_or(Value::Null, |v| v.to_json(ss58));
    (value, stored)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_setting_is_served_and_no_other() {
    let (store, recording) = (indexed("mini-300").await, recording("mini-300"));
    let served = served();
    let nodes = "blockNumber specVersion item mechanism foundAtStart old oldStored new newStored
                 signer madeBy { blockNumber path extrinsic { signer call { name }
                 nestedCalls { path call { name args } } } }";
    let names: Vec<_> = packed().iter().map(|l| format!("{:?}", l.entry)).collect();
    let named = format!(", items: [{}]", names.join(", "));
    let (mut compared, mut causes) = (0, BTreeMap::new());
    for netuid in 0..4_u16 {
        for (lines, items) in [(settings(), ""), (packed(), named.as_str())] {
            let expected = walked(&store, &recording, &lines, netuid);
            let arguments = format!("netuid: {netuid}, first: 63{items}");
            let found = pages(&served.address, "subnetChanges", &arguments, nodes);
            let places = |c: &Value| (c["blockNumber"].clone(), c["item"].clone());
            assert_eq!(
                found.iter().map(places).collect::<Vec<_>>(),
                (expected.iter())
                    .map(|(block, entry, _)| (json!(block), json!(entry)))
                    .collect::<Vec<_>>(),
                "subnet {netuid}"
            );
            for (change, (block, entry, (old, new))) in found.iter().zip(&expected) {
                let (old, old_stored) = shown(&store, block - 1, entry, old.as_deref());
                let (new, new_stored) = shown(&store, *block, entry, new.as_deref());
                assert_eq!((&change["old"], &change["new"]), (&old, &new), "{change}");
                assert_eq!(change["oldStored"], old_stored, "{change}");
                assert_eq!(change["newStored"], new_stored, "{change}");
                assert_eq!(
                    (&change["foundAtStart"], &change["mechanism"]),
                    (&json!(false), &Value::Null)
                );
                compared += 1;
                let by = &change["madeBy"];
                if by.is_null() {
                    assert_eq!(change["signer"], Value::Null);
                    continue;
                }
                let extrinsic = &by["extrinsic"];
                assert_eq!(by["blockNumber"], *block);
                assert_eq!(change["signer"], extrinsic["signer"]);
                let nested = extrinsic["nestedCalls"].as_array().unwrap();
                let inner = nested.iter().find(|call| call["path"] == by["path"]);
                let name = match inner {
                    Some(inner) => &inner["call"]["name"],
                    None => &extrinsic["call"]["name"],
                };
                *causes
                    .entry((name.as_str().unwrap().to_owned(), *entry))
                    .or_insert(0) += 1;
            }
        }
    }
    assert!(compared > 3_000, "{compared}");
    let times = |call: &str, entry| causes.get(&(call.to_owned(), entry)).copied();
    assert_eq!(times("register_network", "ActivityCutoff"), Some(2));
    assert_eq!(
        times("burned_register", "RAORecycledForRegistration"),
        Some(1)
    );
}

/// The other recording has several runtimes, and subnets that come and go.
#[tokio::test(flavor = "multi_thread")]
async fn changes_across_runtimes_are_those_of_the_recorded_state() {
    let (store, recording) = (indexed("upgrades").await, recording("upgrades"));
    let mut lines = settings();
    lines.extend(packed());
    lines.sort_by_key(|line| line.id);
    let ever: BTreeSet<NetUid> = (0..=recording.head)
        .flat_map(|number| {
            let at = view::at(&store, number).unwrap().unwrap();
            view::subnets(&store, &at).unwrap()
        })
        .collect();
    let mut compared = 0;
    for netuid in ever {
        let expected = walked(&store, &recording, &lines, netuid.0);
        let tracks = of_subnet(&store, lines.iter().copied(), netuid, recording.head).unwrap();
        let mut found: Vec<Change> = Vec::new();
        let mut before = None;
        loop {
            let stretch = Stretch {
                from: 0,
                to: recording.head,
                before,
                starts: false,
            };
            let page = walk(&store, &tracks, stretch, 17).unwrap();
            found.extend(page.items);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let found: Vec<_> = found
            .into_iter()
            .map(|c| (c.block, tracks[c.track].line.entry, (c.old, c.new)))
            .collect();
        assert_eq!(found, expected, "subnet {netuid}");
        compared += found.len();
        let mut causes = Causes::new(&store);
        for (block, entry, _) in &found {
            let line = indexer::items::item(entry).unwrap();
            let cause = causes.of(line, netuid, *block).unwrap();
            let spec = |number: u32| store.block(number).unwrap().unwrap().spec;
            // Migrations may have done it too.
            assert!(cause.is_none() || spec(*block) == spec(block - 1));
        }
    }
    assert!(compared > 300, "{compared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_its_history_and_a_wrong_one_is_refused() {
    let (store, recording) = (indexed("mini-300").await, recording("mini-300"));
    let served = served();
    let at = view::at(&store, recording.head).unwrap().unwrap();
    let nodes = "blockNumber foundAtStart old new newStored";
    let uid = 1_u16.to_le_bytes();
    let net = 2_u16.to_le_bytes();
    let cases: [(&str, &str, Vec<&[u8]>); 5] = [
        ("TotalIssuance", "", vec![]),
        ("Tempo", ", netuid: 2", vec![&net]),
        ("LastUpdate", ", netuid: 2, mechanism: 0", vec![&net]),
        ("Keys", ", netuid: 2, uid: 1", vec![&net, &uid]),
        ("Weights", ", netuid: 2, uid: 1", vec![&net, &uid]),
    ];
    for (entry, arguments, keys) in cases {
        let key = at.layout.find(entry).unwrap().1.key_of_encoded(&keys);
        let mut expected: Vec<(u32, Value, bool)> = Vec::new();
        let mut last = None;
        for number in 0..=recording.head {
            let value = recording.storage(number, &key);
            if value != last {
                let (value, stored) = shown(&store, number, entry, value);
                expected.push((number, value, stored));
                last = recording.storage(number, &key);
            }
        }
        expected.reverse();
        let arguments = format!("entry: \"{entry}\"{arguments}, first: 50");
        let found = pages(&served.address, "stateChanges", &arguments, nodes);
        let places: Vec<_> = found
            .iter()
            .map(|c| {
                let block = u32::try_from(c["blockNumber"].as_u64().unwrap()).unwrap();
                assert_eq!(c["foundAtStart"], block == 0, "{c}");
                (block, c["new"].clone(), c["newStored"] == true)
            })
            .collect();
        assert!(!expected.is_empty(), "{entry}");
        assert_eq!(places, expected, "{entry}");
        for pair in found.windows(2) {
            assert_eq!(pair[0]["old"], pair[1]["new"], "{entry}");
        }
    }
    for (arguments, says) in [
        ("entry: \"Tempos\"", "no storage item that is kept"),
        ("entry: \"Tempo\"", "`netuid` is missing"),
        ("entry: \"Tempo\", netuid: 1, uid: 2", "not keyed by `uid`"),
        ("entry: \"Delegates\"", "either `hotkey` or `coldkey`"),
        ("entry: \"LastUpdate\", netuid: 5000", "no storage index"),
    ] {
        let text = format!("{{ stateChanges({arguments}) {{ hasNextPage }} }}");
        let answer = query(&served.address, &text);
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_INPUT", "{answer}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_come_and_go_as_the_recorded_state_says() {
    let (store, served) = (indexed("mini-300").await, served());
    let nodes = "netuid kind registeredAt change { blockNumber item old new signer
                 madeBy { extrinsic { call { name } } } }";
    let all = pages(&served.address, "subnetHistory", "first: 3", nodes);
    let mut expected = Vec::new();
    for number in 1..=329 {
        let at = |number| view::at(&store, number).unwrap().unwrap();
        let there = |number| -> BTreeSet<_> {
            let found = view::subnets(&store, &at(number)).unwrap();
            found.into_iter().map(|netuid| netuid.0).collect()
        };
        let (before, now) = (there(number - 1), there(number));
        expected.extend(now.difference(&before).map(|n| (number, *n, "CREATED")));
        expected.extend(before.difference(&now).map(|n| (number, *n, "DISSOLVED")));
    }
    let mut found: Vec<_> = all
        .iter()
        .filter(|e| e["kind"] == "CREATED" || e["kind"] == "DISSOLVED")
        .map(|e| {
            let number = |v: &Value| u32::try_from(v.as_u64().unwrap()).unwrap();
            let netuid = u16::try_from(number(&e["netuid"])).unwrap();
            let block = number(&e["change"]["blockNumber"]);
            if e["kind"] == "CREATED" {
                assert_eq!(e["registeredAt"], block.to_string(), "{e}");
            }
            (block, netuid, e["kind"].as_str().unwrap())
        })
        .collect();
    found.reverse();
    assert_eq!(found, expected);
    assert!(!expected.is_empty());
    // One subnet alone is the same list with the others left out.
    for netuid in 0..4 {
        let alone = format!("netuid: {netuid}, first: 50");
        let alone = pages(&served.address, "subnetHistory", &alone, nodes);
        let among: Vec<_> = all.iter().filter(|e| e["netuid"] == netuid).collect();
        assert_eq!(alone.iter().collect::<Vec<_>>(), among);
    }
}
