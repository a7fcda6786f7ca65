//! Simulations against epochs computed one by one.

mod refused;

use proptest::prelude::*;

use super::*;
use crate::yuma::tests::case::{fixture, inputs as case_inputs};
use crate::yuma::tests::properties::{any_subnet, garbage};
use crate::yuma::tests::subnet::{stakes, subnet};
use crate::yuma::{YumaRules, epoch};

fn one<'a>(inputs: &'a EpochInputs<'a>) -> Timeline<'a> {
    Timeline {
        past_weights: &[],
        epochs: std::slice::from_ref(inputs),
    }
}

/// Patches that fit any subnet of these rules with two neurons or more.
fn some_patch(inputs: &EpochInputs<'_>, seed: (u16, u16, u32)) -> Patch {
    let (a, b, delay) = (seed.0 % inputs.n, seed.1 % inputs.n, seed.2 % 4);
    let mut patch = Patch {
        stakes: vec![(a, 1_000_000)],
        kappa: Some(seed.1),
        bonds_moving_average: Some(u64::from(seed.0) * 10),
        ..Patch::default()
    };
    if a != b {
        patch.copies.push(CopyWeights {
            copier: a,
            source: b,
            delay,
        });
    }
    if inputs.rules.yuma3 {
        patch.yuma3 = Some(seed.2.is_multiple_of(2));
        patch.bonds_penalty = Some(seed.1);
        patch.liquid_alpha = Some(seed.2.is_multiple_of(3));
    }
    patch
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn without_a_patch_nothing_differs(inputs in any_subnet(), horizon in 1u32..6) {
        prop_assume!(inputs.n > 0);
        let epochs = simulate(&one(&inputs), horizon, &Patch::default()).unwrap();
        prop_assert_eq!(epochs.len(), usize::try_from(horizon).unwrap());
        let mut state = inputs.clone();
        for simulated in &epochs {
            prop_assert!(simulated.delta.is_zero());
            prop_assert_eq!(&simulated.base, &simulated.patched);
            prop_assert_eq!(&simulated.base, &epoch(&state).unwrap());
            prop_assert_eq!(simulated.block, state.block);
            prop_assert_eq!(simulated.is_given, simulated.index == 0);
            state = following(&state, &simulated.base);
        }
    }

    #[test]
    fn both_runs_are_epochs_one_by_one(inputs in any_subnet(), seed: (u16, u16, u32)) {
        prop_assume!(inputs.n > 0);
        let patch = some_patch(&inputs, seed);
        let epochs = simulate(&one(&inputs), 5, &patch).unwrap();
        prop_assert_eq!(&simulate(&one(&inputs), 5, &patch).unwrap(), &epochs);
        // By hand: the patched state is patched again in each epoch, and both states move on by what they stored.
        let (mut base, mut state) = (inputs.clone(), inputs.clone());
        let mut history = apply::History::new(&one(&inputs), &patch);
        for simulated in &epochs {
            apply::apply(&patch, &mut state, &mut history);
            prop_assert_eq!(&simulated.base, &epoch(&base).unwrap());
            let patched = epoch(&state).unwrap();
            prop_assert_eq!(&simulated.patched, &patched);
            for (uid, delta) in simulated.delta.incentive.iter().enumerate() {
                let [with, without] = [&simulated.patched, &simulated.base].map(|run| i32::from(run.incentive[uid]));
                prop_assert_eq!(*delta, with - without);
            }
            base = following(&base, &simulated.base);
            let (bonds, permits) = {
                let next = following(&state, &patched);
                (next.bonds, next.validator_permit)
            };
            state = EpochInputs { bonds, validator_permit: permits, ..base.clone() };
        }
    }

    #[test]
    fn garbage_gives_an_error_or_epochs(first in garbage(), second in garbage(), seed: (u16, u16, u32), horizon in 0u32..6) {
        let mut patch = Patch {
            weights: second.weights.clone(),
            stakes: vec![(seed.0 % 9, u64::from(seed.2))],
            removed: vec![seed.1 % 9],
            ..Patch::default()
        };
        patch.copies.push(CopyWeights { copier: seed.1 % 8, source: seed.0 % 8, delay: seed.2 % 3 });
        let past = [first.weights.clone()];
        let epochs = [first, second];
        let timeline = Timeline { past_weights: &past, epochs: &epochs };
        for patch in [patch, Patch::default()] {
            if let Ok(simulated) = simulate(&timeline, horizon, &patch) {
                prop_assert_eq!(simulated.len(), usize::try_from(horizon).unwrap());
            }
            let _ = cost(&timeline, horizon, &patch);
        }
    }

    #[test]
    fn bytes_name_a_patch(inputs in any_subnet(), seeds: ((u16, u16, u32), (u16, u16, u32))) {
        prop_assume!(inputs.n > 0);
        let (a, b) = (some_patch(&inputs, seeds.0), some_patch(&inputs, seeds.1));
        prop_assert_eq!(a == b, a.canonical_bytes() == b.canonical_bytes());
    }
}

#[test]
fn a_recorded_chain_carries_what_a_simulation_carries() {
    let cases = fixture("recorded");
    let (mut rows, mut permits, mut other) = (0, 0, 0);
    for netuid in ["1", "2", "3"] {
        let cases = cases.as_array().unwrap().iter();
        let own = cases.filter(|case| {
            let name: Vec<&str> = case["name"].as_str().unwrap().split(' ').collect();
            name[0] == "mini-300" && name[2] == netuid
        });
        let given: Vec<EpochInputs<'_>> = own.map(|case| case_inputs(&case["input"])).collect();
        assert!(given.len() > 10 && given.is_sorted_by_key(|inputs| inputs.block));
        let timeline = Timeline {
            past_weights: &[],
            epochs: &given,
        };
        let horizon = u32::try_from(given.len()).unwrap();
        let epochs = simulate(&timeline, horizon, &Patch::default()).unwrap();
        for ((inputs, next), simulated) in given.iter().zip(&given[1..]).zip(&epochs) {
            assert!(simulated.is_given && simulated.delta.is_zero());
            let carried = following(inputs, &simulated.base);
            let (carried, real) = (
                following::by_uid(&carried.bonds),
                following::by_uid(&next.bonds),
            );
            for uid in 0..inputs.n {
                let row = |rows: &std::collections::BTreeMap<u16, &[(u16, u16)]>| {
                    rows.get(&uid).map(|row| row.to_vec()).unwrap_or_default()
                };
                let is_same = row(&carried) == row(&real);
                rows += usize::from(is_same && !row(&real).is_empty());
                other += usize::from(!is_same);
                let permit = simulated.base.validator_permit[usize::from(uid)];
                permits += usize::from(permit == next.validator_permit[usize::from(uid)]);
            }
        }
    }
    assert_eq!((rows, permits, other), (270, 1070, 0));
}

#[test]
fn a_patch_lasts_and_its_bonds_are_carried() {
    let inputs = subnet(425);
    let patch = Patch {
        weights: vec![Row::owned(0, vec![(5, 65535)])],
        ..Patch::default()
    };
    let epochs = simulate(&one(&inputs), 4, &patch).unwrap();
    let bond = |index: usize| epochs[index].patched.bonds.row(0).unwrap().to_vec();
    // The old bonds fade and the new one grows.
    let old: Vec<u16> = (0..4)
        .map(|index| bond(index).iter().find(|(uid, _)| *uid == 4).unwrap().1)
        .collect();
    assert!(old.windows(2).all(|pair| pair[0] > pair[1]), "{old:?}");
    assert!(epochs.iter().all(|epoch| epoch.delta.incentive[5] > 0));
    assert!(epochs[3].delta.dividends[0] != epochs[0].delta.dividends[0]);
    let blocks: Vec<u64> = epochs.iter().map(|epoch| epoch.block).collect();
    assert_eq!(blocks, [1000, 1099, 1198, 1297]);
    let blocks = |spec| -> Vec<u64> {
        let inputs = subnet(spec);
        let epochs = simulate(&one(&inputs), 2, &Patch::default()).unwrap();
        epochs.iter().map(|epoch| epoch.block).collect()
    };
    // Before spec 423 a period has a block more than the tempo.
    assert_eq!(blocks(422), [1000, 1100]);
}

#[test]
fn removed_validators_are_gone() {
    let inputs = subnet(425);
    let patch = Patch {
        removed: vec![0],
        ..Patch::default()
    };
    let epochs = simulate(&one(&inputs), 2, &patch).unwrap();
    for simulated in &epochs {
        let patched = &simulated.patched;
        assert_eq!(
            (patched.dividends[0], patched.validator_permit[0]),
            (0, false)
        );
        assert_eq!(patched.bonds.row(0), Some(&[][..]));
        assert_eq!(simulated.delta.permits_lost, [0]);
    }
    let mut by_hand = inputs.clone();
    by_hand.total_stake = stakes(&[0, 300, 200, 0, 0, 0]).into();
    by_hand.validator_permit.to_mut()[0] = false;
    by_hand.weights.remove(0);
    by_hand.bonds.remove(0);
    assert_eq!(epochs[0].patched, epoch(&by_hand).unwrap());
}

#[test]
fn copiers_are_behind_by_their_delay() {
    let row = |uid, weight| Row::owned(uid, vec![(3, weight), (4, 20_000), (5, 9)]);
    let start = subnet(425);
    let past: Vec<Vec<Row<'static>>> = vec![vec![row(0, 1)], vec![row(0, 2)], vec![row(0, 3)]];
    // In each epoch validator 0 gives another weight.
    let given: Vec<EpochInputs<'_>> = (0..4u16)
        .map(|index| {
            let mut inputs = start.clone();
            inputs.block += u64::from(index) * 99;
            inputs.last_update = vec![inputs.block - 9; 6].into();
            inputs.weights[0] = row(0, 10 + index);
            inputs
        })
        .collect();
    for (delay, rows) in [
        (0, [Some(10), Some(11), Some(12), Some(13), Some(13)]),
        (1, [Some(3), Some(10), Some(11), Some(12), Some(13)]),
        (3, [Some(1), Some(2), Some(3), Some(10), Some(11)]),
        // Nothing is known of the first ones.
        (5, [None, None, Some(1), Some(2), Some(3)]),
    ] {
        let patch = Patch {
            copies: vec![CopyWeights {
                copier: 2,
                source: 0,
                delay,
            }],
            ..Patch::default()
        };
        let timeline = Timeline {
            past_weights: &past,
            epochs: &given,
        };
        let mut history = apply::History::new(&timeline, &patch);
        for (index, expected) in rows.into_iter().enumerate() {
            let mut inputs = given.get(index).unwrap_or(&given[3]).clone();
            let own = inputs.weights[2].clone();
            apply::apply(&patch, &mut inputs, &mut history);
            let copied = inputs.weights.iter().find(|row| row.uid == 2).unwrap();
            let expected = expected.map_or(own, |weight| row(2, weight));
            assert_eq!(*copied, expected, "delay {delay}, epoch {index}");
        }
        let epochs = simulate(&timeline, 5, &patch).unwrap();
        assert!(epochs.iter().skip(2).all(|epoch| !epoch.delta.is_zero()));
    }
}

#[test]
fn what_happens_outside_of_epochs_happens_in_both_runs() {
    let first = subnet(425);
    let mut second = following(&first, &epoch(&first).unwrap());
    // Someone resets all bonds of validator 1 between the epochs.
    second.bonds.retain(|row| row.uid != 1);
    let given = [first, second];
    let timeline = Timeline {
        past_weights: &[],
        epochs: &given,
    };
    let patch = Patch {
        stakes: vec![(2, 5000)],
        ..Patch::default()
    };
    let epochs = simulate(&timeline, 2, &patch).unwrap();
    let bonds = |run: &EpochOutputs| run.bonds.row(1).unwrap().to_vec();
    assert_eq!(epochs[1].base, epoch(&given[1]).unwrap());
    // One epoch after a reset a bond is small, in both.
    for run in [&epochs[1].base, &epochs[1].patched] {
        assert!(
            bonds(run).iter().all(|(_, bond)| *bond < 10_000),
            "{:?}",
            bonds(run)
        );
    }
    assert!(
        bonds(&epochs[0].patched)
            .iter()
            .any(|(_, bond)| *bond > 10_000)
    );
}

#[test]
fn a_uid_that_changes_hands_inherits_nothing() {
    // Validator 2 has no permit without the patch, and one with it.
    let mut first = subnet(425);
    first.params.max_validators = 2;
    first.validator_permit.to_mut()[2] = false;
    first.bonds.retain(|row| row.uid != 2);
    let base = epoch(&first).unwrap();
    let same = following(&first, &base);
    let mut other = same.clone();
    other.block_at_registration.to_mut()[2] = 1050;
    let patch = Patch {
        stakes: vec![(2, 900)],
        ..Patch::default()
    };
    let second = |second: &EpochInputs<'static>| {
        let epochs = [first.clone(), second.clone()];
        let timeline = Timeline {
            past_weights: &[],
            epochs: &epochs,
        };
        let mut simulated = simulate(&timeline, 2, &patch).unwrap();
        assert!(simulated[0].patched.validator_permit[2]);
        simulated.remove(1)
    };
    assert_ne!(second(&same).patched.validator_trust[2], 0);
    // The new one has no permit yet, whatever the old one had.
    assert_eq!(second(&other).patched.validator_trust[2], 0);
}

#[test]
fn the_order_of_parts_does_not_matter_but_that_of_entries_does() {
    let patch = Patch {
        weights: vec![Row::owned(2, vec![(4, 1), (3, 2)]), Row::owned(1, vec![])],
        stakes: vec![(5, 1), (4, 2)],
        removed: vec![3, 0],
        alpha_low: Some(7),
        ..Patch::default()
    };
    let mut turned = patch.clone();
    turned.weights.reverse();
    turned.stakes.reverse();
    turned.removed.reverse();
    assert_eq!(turned.canonical_bytes(), patch.canonical_bytes());
    turned.weights[1].entries.to_mut().reverse();
    assert_ne!(turned.canonical_bytes(), patch.canonical_bytes());
    let mut other = patch.clone();
    (other.alpha_low, other.alpha_high) = (None, Some(7));
    assert_ne!(other.canonical_bytes(), patch.canonical_bytes());
    assert_eq!(Patch::default().canonical_bytes(), [1]);
    let kappa = Patch {
        kappa: Some(0x1234),
        ..Patch::default()
    };
    assert_eq!(kappa.canonical_bytes(), [1, 3, 0x34, 0x12]);
}

#[test]
fn the_cost_grows_with_the_horizon_and_the_subnet() {
    let inputs = subnet(425);
    let none = Patch::default();
    // 9 weights, at most 18 bonds, 48 entries of vectors; twice.
    assert_eq!(cost(&one(&inputs), 1, &none), 150);
    assert_eq!(cost(&one(&inputs), 10, &none), 1500);
    let copies = Patch {
        copies: vec![CopyWeights {
            copier: 1,
            source: 0,
            delay: 1,
        }],
        ..Patch::default()
    };
    assert!(cost(&one(&inputs), 1, &copies) > 150);
    assert_eq!(cost(&Timeline::default(), 5, &none), 0);
}
