//! What must hold for every subnet, and that nothing panics.

use std::borrow::Cow;

use proptest::prelude::*;

use super::subnet::{outputs, subnet};
use crate::fixed::I64F64;
use crate::yuma::{
    EpochInputs, Hyperparameters, Row, Scratch, Silent, Trace, YumaRules, epoch, epoch_observed,
    plain,
};

/// Spec versions of every kind of rules.
pub(crate) fn spec() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![
        101, 107, 115, 119, 120, 132, 144, 153, 166, 218, 232, 240, 256, 261, 272, 282, 296, 310,
        319, 340, 364, 396, 422, 425, 459,
    ])
}

/// Full, usual or nearly empty rows.
fn rows(n: u16) -> impl Strategy<Value = Vec<Row<'static>>> {
    let density = prop::sample::select(vec![0.1, 0.7, 0.99]);
    density.prop_flat_map(move |density| rows_of(n, density))
}

fn rows_of(n: u16, density: f64) -> impl Strategy<Value = Vec<Row<'static>>> {
    let n = usize::from(n);
    let value = prop_oneof![Just(0), Just(65535), any::<u16>(), 1..50u16];
    let row = (
        prop::collection::vec(prop::option::weighted(density, value), n),
        any::<prop::sample::Index>(),
        prop::bool::weighted(0.3),
    );
    prop::collection::vec(prop::option::weighted(0.7, row), n).prop_map(|rows| {
        let row = |(uid, row): (u16, Option<RawRow>)| {
            let (values, middle, turned) = row?;
            let mut entries: Vec<(u16, u16)> = (0..)
                .zip(values)
                .filter_map(|(uid, value)| Some((uid, value?)))
                .collect();
            if turned && !entries.is_empty() {
                let middle = middle.index(entries.len());
                entries.rotate_left(middle);
            }
            Some(Row::owned(uid, entries))
        };
        (0..).zip(rows).filter_map(row).collect()
    })
}

/// Values of a row by column, where to turn it, and whether to.
type RawRow = (Vec<Option<u16>>, prop::sample::Index, bool);

/// A subnet with everything that storage may hold.
pub(crate) fn any_subnet() -> impl Strategy<Value = EpochInputs<'static>> {
    (0u16..14, spec()).prop_flat_map(|(n, spec)| {
        let len = usize::from(n);
        let blocks =
            || prop::collection::vec(prop_oneof![Just(0u64), 900..1000u64, 0..1000u64], len);
        let stake = prop_oneof![
            Just(0),
            1..100u64,
            any::<u32>().prop_map(u64::from),
            0..(1u64 << 54)
        ];
        let vectors = (
            blocks(),
            blocks(),
            blocks(),
            prop::collection::vec(stake, len),
            prop::collection::vec(prop::bool::weighted(0.7), len),
            prop::option::of(0..n.max(1)),
        );
        let flags = (any::<bool>(), any::<bool>(), any::<bool>());
        let edge = prop_oneof![Just(0u16), Just(65535), any::<u16>()];
        let numbers = (
            edge.clone(),
            edge,
            0..=1_000_000u64,
            any::<(u16, u16)>(),
            -3000..3000i32,
            0..16u16,
            0..200u64,
        );
        (Just((n, spec)), vectors, (rows(n), rows(n)), flags, numbers).prop_map(
            |(
                (n, spec),
                (updated, registered, commits, stake, permits, owner),
                (weights, bonds),
                flags,
                numbers,
            )| {
                let (
                    kappa,
                    bonds_penalty,
                    bonds_moving_average,
                    alphas,
                    steepness,
                    max_validators,
                    threshold,
                ) = numbers;
                let base = subnet(spec);
                EpochInputs {
                    params: Hyperparameters {
                        activity_cutoff: 60,
                        max_validators,
                        stake_threshold: threshold,
                        kappa,
                        bonds_moving_average,
                        bonds_penalty,
                        yuma3: flags.0,
                        liquid_alpha: flags.1,
                        alpha_low: alphas.0.min(alphas.1),
                        alpha_high: alphas.0.max(alphas.1),
                        alpha_sigmoid_steepness: steepness,
                        commit_reveal: flags.2,
                        ..base.params
                    },
                    n,
                    last_update: updated.into(),
                    block_at_registration: registered.into(),
                    total_stake: stake
                        .into_iter()
                        .map(I64F64::saturating_from_u64)
                        .collect::<Vec<_>>()
                        .into(),
                    owner_uid: owner.filter(|_| n > 0),
                    validator_permit: permits.into(),
                    weights,
                    bonds,
                    commit_blocks: commits
                        .into_iter()
                        .map(|block| if block < 950 { u64::MAX } else { block })
                        .collect(),
                    ..base
                }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn fast_and_plain_agree(inputs in any_subnet()) {
        prop_assert_eq!(epoch(&inputs), plain::epoch(&inputs));
    }

    #[test]
    fn an_observer_changes_nothing(inputs in any_subnet()) {
        let mut trace = Trace::default();
        let mut scratch = Scratch::default();
        let seen = epoch_observed(&inputs, &mut scratch, &mut trace).unwrap();
        // The same buffers again, now used.
        prop_assert_eq!(&epoch_observed(&inputs, &mut scratch, &mut Silent).unwrap(), &seen);
        let n = inputs.len();
        for len in [trace.stake.len(), trace.weights.len(), trace.clipped.len(), trace.bonds.len(), trace.trust.len()] {
            prop_assert_eq!(len, n);
        }
        let incentive: Vec<u16> = trace.incentive.iter().map(|value| value.to_u16_proportion()).collect();
        prop_assert_eq!(incentive, seen.incentive);
    }

    #[test]
    fn scaling_all_stakes_by_a_power_of_two_changes_nothing(inputs in any_subnet(), shift in 1u32..5) {
        let mut inputs = inputs;
        inputs.params.stake_threshold = 0;
        let mut scaled = inputs.clone();
        for stake in scaled.total_stake.to_mut() {
            *stake = I64F64::from_bits(stake.to_bits() << shift);
        }
        prop_assert_eq!(epoch(&scaled), epoch(&inputs));
    }

    #[test]
    fn a_validator_without_stake_changes_nothing(inputs in any_subnet(), row in prop::collection::vec(any::<u16>(), 14)) {
        let mut inputs = inputs;
        // Before spec 108 anyone's stake counts, and an owner without stake may be permitted: neither adds stake. Permits by rank do shift.
        inputs.params.max_validators = 128;
        let before = epoch(&inputs).unwrap();
        let n = inputs.n;
        inputs.n += 1;
        inputs.last_update.to_mut().push(999);
        inputs.block_at_registration.to_mut().push(0);
        inputs.total_stake.to_mut().push(I64F64::ZERO);
        inputs.validator_permit.to_mut().push(true);
        if !inputs.commit_blocks.is_empty() {
            inputs.commit_blocks.to_mut().push(u64::MAX);
        }
        inputs.weights.push(Row::owned(n, (0..n).zip(row).collect()));
        let after = epoch(&inputs).unwrap();
        let old = usize::from(n);
        prop_assert_eq!(&after.consensus[..old], &before.consensus);
        prop_assert_eq!(&after.incentive[..old], &before.incentive);
        prop_assert_eq!(&after.validator_trust[..old], &before.validator_trust);
        prop_assert_eq!(&after.active[..old], &before.active);
        // Liquid alpha 1 looks at quantiles over all uids; else dividends and bonds stay as well. With Yuma3 the newcomer gets bonds, which share the columns.
        let quantiles = matches!(inputs.rules.liquid_alpha, crate::yuma::rules::LiquidAlpha::Quantiles { .. });
        let newcomer_has_bonds = inputs.rules.yuma3 && inputs.params.yuma3;
        if !(newcomer_has_bonds || quantiles && inputs.params.liquid_alpha) {
            prop_assert_eq!(&after.dividends[..old], &before.dividends);
            for uid in 0..n {
                prop_assert_eq!(after.bonds.row(uid), before.bonds.row(uid));
            }
        }
    }

    #[test]
    fn permuting_uids_permutes_results(inputs in any_subnet(), seed: u64) {
        let mut inputs = inputs;
        // Order matters where equal stakes compete for permits, and where liquid alpha reads rows that are not sorted.
        inputs.params.max_validators = 128;
        for rows in [&mut inputs.weights, &mut inputs.bonds] {
            rows.iter_mut().for_each(|row| row.entries.to_mut().sort());
        }
        let n = inputs.n;
        let mut order: Vec<u16> = (0..n).collect();
        let mut state = seed | 1;
        for i in (1..order.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        let (before, after) = (epoch(&inputs).unwrap(), epoch(&permuted(&inputs, &order)).unwrap());
        for uid in 0..n {
            let (old, new) = (usize::from(uid), usize::from(order[usize::from(uid)]));
            prop_assert_eq!(before.incentive[old], after.incentive[new]);
            prop_assert_eq!(before.dividends[old], after.dividends[new]);
            prop_assert_eq!(before.consensus[old], after.consensus[new]);
            prop_assert_eq!(before.validator_trust[old], after.validator_trust[new]);
            prop_assert_eq!(before.validator_permit[old], after.validator_permit[new]);
            prop_assert_eq!(before.active[old], after.active[new]);
            let combined = |outputs: &crate::yuma::EpochOutputs, uid: usize| outputs.emission.as_ref().unwrap().combined[uid];
            prop_assert_eq!(combined(&before, old), combined(&after, new));
            let mut row: Option<Vec<(u16, u16)>> = before.bonds.row(uid).map(|row| {
                row.iter().map(|(miner, bond)| (order[usize::from(*miner)], *bond)).collect()
            });
            if let Some(row) = &mut row {
                row.sort();
            }
            prop_assert_eq!(row, after.bonds.row(order[old]).map(<[_]>::to_vec));
        }
    }
}

/// The same subnet with uid `i` renamed to `order[i]`, rows sorted again.
fn permuted(inputs: &EpochInputs<'static>, order: &[u16]) -> EpochInputs<'static> {
    let uid = |uid: u16| order[usize::from(uid)];
    fn vector<T: Copy>(values: &[T], order: &[u16]) -> Cow<'static, [T]> {
        let mut moved = values.to_vec();
        order
            .iter()
            .zip(values)
            .for_each(|(to, value)| moved[usize::from(*to)] = *value);
        moved.into()
    }
    let rows = |rows: &[Row<'static>]| -> Vec<Row<'static>> {
        rows.iter()
            .map(|row| {
                let mut entries: Vec<(u16, u16)> = row
                    .entries
                    .iter()
                    .map(|(to, value)| (uid(*to), *value))
                    .collect();
                entries.sort();
                Row::owned(uid(row.uid), entries)
            })
            .collect()
    };
    EpochInputs {
        last_update: vector(&inputs.last_update, order),
        block_at_registration: vector(&inputs.block_at_registration, order),
        total_stake: vector(&inputs.total_stake, order),
        validator_permit: vector(&inputs.validator_permit, order),
        commit_blocks: vector(&inputs.commit_blocks, order),
        owner_uid: inputs.owner_uid.map(uid),
        weights: rows(&inputs.weights),
        bonds: rows(&inputs.bonds),
        ..inputs.clone()
    }
}

#[test]
fn where_order_matters() {
    // Of equal stakes the later uids keep their permit.
    let mut inputs = subnet(425);
    inputs.total_stake = vec![I64F64::saturating_from_u64(7); 6].into();
    inputs.params.max_validators = 2;
    assert_eq!(
        outputs(&inputs).validator_permit,
        [false, false, false, false, true, true]
    );

    // Liquid alpha does not find entries behind a greater uid, and stores bonds in the order of the weights.
    let mut inputs = subnet(425);
    inputs.params.yuma3 = true;
    inputs.params.liquid_alpha = true;
    inputs.params.bonds_penalty = 0;
    let sorted = outputs(&inputs);
    inputs.weights[0].entries.to_mut().reverse();
    let turned = outputs(&inputs);
    assert_eq!(turned.incentive, sorted.incentive);
    assert_ne!(turned.dividends, sorted.dividends);
    let uids: Vec<u16> = turned
        .bonds
        .row(0)
        .unwrap()
        .iter()
        .map(|(uid, _)| *uid)
        .collect();
    assert_eq!(uids, [5, 4, 3]);
    // With a penalty in between, weights are sorted first.
    inputs.params.bonds_penalty = 30000;
    let uids: Vec<u16> = outputs(&inputs)
        .bonds
        .row(0)
        .unwrap()
        .iter()
        .map(|(uid, _)| *uid)
        .collect();
    assert_eq!(uids, [3, 4, 5]);
}

/// Anything at all, right or wrong.
pub(crate) fn garbage() -> impl Strategy<Value = EpochInputs<'static>> {
    let entries =
        || prop::collection::vec((prop_oneof![0..8u16, any::<u16>()], any::<u16>()), 0..8);
    let rows = || prop::collection::vec((prop_oneof![0..8u16, any::<u16>()], entries()), 0..8);
    let blocks = || prop::collection::vec(prop_oneof![any::<u64>(), Just(u64::MAX), 0..5u64], 0..8);
    let stakes = prop::collection::vec(
        prop_oneof![
            any::<i128>(),
            Just(i128::MAX),
            Just(0),
            any::<u64>().prop_map(|stake| i128::from(stake) << 64)
        ],
        0..8,
    );
    let vectors = (
        0..8u16,
        blocks(),
        blocks(),
        blocks(),
        stakes,
        prop::collection::vec(any::<bool>(), 0..8),
    );
    let numbers = (
        any::<(u16, u16, u16, u16, u16)>(),
        any::<(u64, u64, u64, i32)>(),
        any::<(bool, bool, bool, bool)>(),
    );
    (
        spec(),
        vectors,
        rows(),
        rows(),
        numbers,
        any::<(u32, Option<u16>, Option<u64>)>(),
    )
        .prop_map(
            |(
                spec,
                (n, updated, registered, commits, stakes, permits),
                weights,
                bonds,
                numbers,
                (factor, owner, emission),
            )| {
                let (
                    (tempo, cutoff, max, kappa, penalty),
                    (block, step, average, steepness),
                    flags,
                ) = numbers;
                let row = |(uid, entries)| Row::owned(uid, entries);
                // Half of the vectors get the right length, else few cases would get beyond the first check.
                fn fit<T: Clone>(mut values: Vec<T>, n: u16, fits: bool, filler: T) -> Vec<T> {
                    if fits {
                        values.resize(usize::from(n), filler);
                    }
                    values
                }
                let fits = flags.3;
                EpochInputs {
                    rules: YumaRules::for_spec(spec).unwrap(),
                    params: Hyperparameters {
                        tempo,
                        activity_cutoff: cutoff,
                        activity_cutoff_factor_milli: factor,
                        max_validators: max,
                        stake_threshold: step,
                        kappa,
                        bonds_moving_average: if fits { average % 1_000_001 } else { average },
                        bonds_penalty: penalty,
                        yuma3: flags.0,
                        liquid_alpha: flags.1,
                        alpha_low: tempo,
                        alpha_high: cutoff,
                        alpha_sigmoid_steepness: steepness,
                        commit_reveal: flags.2,
                    },
                    block,
                    n,
                    last_update: fit(updated, n, fits, 1).into(),
                    block_at_registration: fit(registered, n, fits, 0).into(),
                    last_step_block: step,
                    total_stake: fit(stakes, n, fits, 1)
                        .into_iter()
                        .map(I64F64::from_bits)
                        .collect::<Vec<_>>()
                        .into(),
                    owner_uid: owner.map(|owner| if fits && n > 0 { owner % n } else { owner }),
                    validator_permit: fit(permits, n, fits, true).into(),
                    weights: weights.into_iter().map(row).collect(),
                    bonds: bonds.into_iter().map(row).collect(),
                    commit_blocks: fit(commits, n, fits, u64::MAX).into(),
                    emission,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn garbage_gives_an_error_or_a_result(inputs in garbage()) {
        if let Ok(outputs) = epoch(&inputs) {
            prop_assert_eq!(outputs.incentive.len(), usize::from(inputs.n));
            prop_assert_eq!(&plain::epoch(&inputs).unwrap(), &outputs);
        }
        let _ = crate::yuma::Mask::of(&inputs, inputs.params.tempo, inputs.params.kappa % 9);
    }
}
