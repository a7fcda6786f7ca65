//! Wrong inputs, wrong rules, damaged rows.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chain_metadata::NetUid;
use indexer::items::item;
use indexer::store::Store;
use indexer::store::engine::Batch;
use indexer::store::tables::{pack, state_prefix};
use indexer::verify::compare::Field;
use indexer::verify::locate::parting;
use indexer::verify::{Assembled, Verdict, follow, inputs, judge, verify};
use scoring::fixed::I64F64;
use scoring::yuma::EpochInputs;
use scoring::yuma::rules::{BondWeights, Pruning};

use crate::context::{RECORDINGS, indexed};

/// Changes the stored values of an item whose rows begin in a range of blocks; how many.
pub(super) fn change_state(
    store: &Store,
    entry: &str,
    blocks: RangeInclusive<u32>,
    change: impl Fn(&mut Vec<u8>),
) -> usize {
    let mut batch = Batch::default();
    let mut changed = 0;
    let id = item(entry).unwrap().id;
    for rest in store.state_keys(id).unwrap() {
        // Rows are told behind others: all of a key are written as they are.
        for row in store.state_changes(id, &rest).unwrap() {
            let Some(mut bytes) = row.value else {
                continue;
            };
            if blocks.contains(&row.changed_at) {
                change(&mut bytes);
                changed += 1;
            }
            let mut key = state_prefix(id, &rest);
            key.extend_from_slice(&row.changed_at.to_be_bytes());
            batch.put(key, [vec![1], pack(&bytes)].concat());
        }
    }
    store.commit(vec![batch]).unwrap();
    changed
}

/// The epochs of a recording, ready to be made wrong.
async fn epochs(name: &str) -> (Store, Vec<Assembled>) {
    let store = indexed(name).await;
    let mut epochs = Vec::new();
    for netuid in store.epoch_netuids().unwrap() {
        for block in store.epochs_between(netuid, 0, 1000).unwrap() {
            epochs.push(inputs(&store, netuid, block).unwrap());
        }
    }
    (store, epochs)
}

fn changed(epoch: &Assembled, change: impl FnOnce(&mut EpochInputs<'static>)) -> Assembled {
    let mut changed = epoch.clone();
    changed.doubts.clear();
    change(&mut changed.mechanisms[0]);
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn one_weight_off_by_one_is_found_at_its_row() {
    let (store, epochs) = epochs("mini-300").await;
    let (mut tried, mut differing) = (0, 0);
    for epoch in &epochs {
        let right = &epoch.mechanisms[0];
        for (place, row) in right.weights.iter().enumerate() {
            let Some((to, value)) = row.entries.first().copied() else {
                continue;
            };
            let wrong = changed(epoch, |inputs| {
                let value = value.checked_sub(1).unwrap_or(1);
                inputs.weights[place].entries.to_mut()[0] = (to, value);
            });
            let found = parting(right, &wrong.mechanisms[0]).unwrap();
            // A masked row does not count, and a row of one entry is all of itself.
            let Some(found) = found else { continue };
            tried += 1;
            assert_eq!((found.stage, found.uid), ("weights", row.uid), "{found:?}");
            let judged = judge(&store, &wrong).unwrap();
            let record = &judged[0].record;
            if record.verdict == Verdict::Differs {
                differing += 1;
                let (field, _) = record.first.unwrap();
                let before = ["activity", "stake", "permits"];
                assert!(!before.contains(&field.stage()), "{field:?}");
            } else {
                assert_eq!(record.verdict, Verdict::Exact);
            }
        }
    }
    assert!(
        tried > 100 && differing > tried / 2,
        "{differing} of {tried}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_stake_activity_and_consensus_are_found_at_their_stage() {
    let (store, epochs) = epochs("mini-300").await;
    type Change = fn(&mut EpochInputs<'static>);
    let stake: Change = |inputs| {
        let stakes = inputs.total_stake.to_mut();
        if let Some(last) = stakes.iter_mut().find(|s| **s != I64F64::ZERO) {
            *last = I64F64::from_bits(last.to_bits() + last.to_bits() / 50);
        }
    };
    let active: Change = |inputs| {
        inputs.params.activity_cutoff = 0;
        inputs.last_update.to_mut().fill(inputs.block - 1);
    };
    let kappa: Change = |inputs| inputs.params.kappa = 3000;
    let permit: Change = |inputs| inputs.params.max_validators = 1;
    let cases = [
        ("stake", "stake", Field::StakeWeight, stake),
        ("activity", "activity", Field::Active, active),
        ("kappa", "consensus", Field::Consensus, kappa),
        ("permits", "permits", Field::Permits, permit),
    ];
    for (name, stage, field, change) in cases {
        let mut found = 0;
        for epoch in &epochs {
            let wrong = changed(epoch, change);
            let right = &epoch.mechanisms[0];
            let Some(parts) = parting(right, &wrong.mechanisms[0]).unwrap() else {
                continue;
            };
            assert_eq!(parts.stage, stage, "{name}");
            let record = &judge(&store, &wrong).unwrap()[0].record;
            if let Some((first, uid)) = record.first {
                assert_eq!(record.verdict, Verdict::Differs, "{name}");
                if first == field {
                    found += 1;
                    assert!(parts.uid <= uid, "{name}: {parts:?} {uid}");
                    assert!(record.field(field).unwrap().differing > 0);
                }
            }
        }
        assert!(found > 5, "{name}: found in {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switched_rule_is_found_at_its_field() {
    type Change = fn(&mut EpochInputs<'static>);
    let cases: [(&str, Field, Change); 8] = [
        ("mini-300", Field::Bonds, |i| i.rules.upscales_bonds = false),
        ("mini-300", Field::Pruning, |i| {
            i.rules.pruning = Pruning::Floor
        }),
        ("mini-300", Field::Bonds, |i| i.rules.yuma3 = false),
        ("mini-300", Field::Bonds, |i| {
            i.rules.bond_weights = BondWeights::Clipped
        }),
        ("mini-300", Field::Permits, |i| {
            i.rules.permits_need_stake = false
        }),
        ("upgrades", Field::Pruning, |i| {
            i.rules.pruning = match i.rules.pruning {
                Pruning::Floor => Pruning::MaxUpscale,
                _ => Pruning::Floor,
            };
        }),
        ("upgrades", Field::Bonds, |i| {
            i.rules.raw_u16_inputs ^= true;
            i.rules.upscales_bonds ^= true;
        }),
        ("upgrades", Field::Permits, |i| {
            i.rules.permits_need_stake = true
        }),
    ];
    let mut recordings = BTreeMap::new();
    for name in RECORDINGS {
        recordings.insert(name, epochs(name).await);
    }
    for (case, (name, field, change)) in cases.into_iter().enumerate() {
        let (store, epochs) = &recordings[name];
        let mut firsts = BTreeMap::new();
        for epoch in epochs {
            let record = &judge(store, &changed(epoch, change)).unwrap()[0].record;
            if let Some((first, _)) = record.first {
                *firsts.entry(first).or_insert(0) += 1;
            }
        }
        assert!(
            firsts.get(&field).is_some_and(|n| *n > 0),
            "{case} {name}: {firsts:?}"
        );
        let earliest = firsts.keys().next();
        assert_eq!(earliest, Some(&field), "{case} {name}: {firsts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_result_that_is_wrong_differs_by_as_much() {
    let store = indexed("mini-300").await;
    let of = |netuid| store.epochs_between(NetUid(netuid), 1, 400).unwrap();
    let alone = |block: &u32| ![of(2), of(3)].concat().contains(block);
    // The lowest byte of the last incentive, where a row begins with the epoch.
    let wrong = |block: &u32| {
        change_state(&store, "Incentive", *block..=*block, |bytes| {
            let place = bytes.len() - 2;
            bytes[place] ^= 5;
        })
    };
    let block = of(1)
        .into_iter()
        .filter(alone)
        .find(|block| wrong(block) > 0);
    let block = block.unwrap();
    let record = &verify(&store, NetUid(1), block).unwrap()[0].record;
    assert_eq!(record.verdict, Verdict::Differs);
    let d = record.field(Field::Incentive).unwrap();
    assert_eq!(d.differing, 1);
    assert!((1..=5).contains(&d.max_abs_diff), "{d:?}");
    let (field, uid) = record.first.unwrap();
    assert_eq!((field, Some(uid)), (Field::Incentive, d.first_uid));
    assert_eq!(uid + 1, u16::try_from(d.compared).unwrap());
}

/// Any bytes in any row that an epoch reads: a verdict, never a panic.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_rows_get_a_verdict() {
    let entries = [
        "Weights",
        "Bonds",
        "Keys",
        "Tempo",
        "Kappa",
        "LastUpdate",
        "ValidatorPermit",
        "BlockAtRegistration",
        "TotalHotkeyAlpha",
        "TotalHotkeyStake",
        "ParentKeys",
        "ChildKeys",
        "AlphaValues",
        "BondsMovingAverage",
        "MaxAllowedValidators",
        "Emission",
        "Active",
        "Uids",
        "Incentive",
        "SubnetOwnerHotkey",
        "TaoWeight",
        "ActivityCutoff",
        "SubnetOwnerCut",
    ];
    let mut random: u64 = 7;
    let mut next = move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u32::try_from(random >> 33).unwrap()
    };
    let mut verdicts = BTreeMap::new();
    for name in RECORDINGS {
        let store = indexed(name).await;
        let last = store.last().unwrap().unwrap();
        for round in 0..3 {
            for entry in entries {
                let seed = std::cell::Cell::new(next());
                let step = || {
                    seed.set(
                        seed.get()
                            .wrapping_mul(1_664_525)
                            .wrapping_add(1_013_904_223),
                    );
                    usize::try_from(seed.get() >> 8).unwrap()
                };
                let damage = |bytes: &mut Vec<u8>| {
                    if step() % 3 != 0 {
                        return;
                    }
                    match round {
                        // Of the right length, so that it decodes; other lengths do not.
                        0 => bytes.iter_mut().for_each(|b| *b = step().to_le_bytes()[0]),
                        1 => bytes.truncate(step() % (bytes.len() + 1)),
                        _ => bytes.extend((0..step() % 40).map(|_| step().to_le_bytes()[1])),
                    }
                };
                change_state(&store, entry, 0..=last, damage);
            }
            for one in follow::epochs(&store, None, 0..=last).unwrap() {
                *verdicts.entry(one.record.verdict.word()).or_insert(0) += 1;
            }
            follow::slots(&store, None, 0..=last).unwrap_or_default();
        }
    }
    assert!(verdicts["INPUT_INCOMPLETE"] > 100, "{verdicts:?}");
}
