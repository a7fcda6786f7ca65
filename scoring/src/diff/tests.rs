//! Causes against changes made on purpose.

use proptest::prelude::*;

use super::*;
use crate::yuma::rules::LiquidAlpha;
use crate::yuma::tests::properties::{any_subnet, garbage};
use crate::yuma::tests::subnet::{stakes, subnet};
use crate::yuma::{Row, YumaRules, epoch};

const INCENTIVE: Options = Options {
    measure: Measure::Incentive,
    detail: 64,
};
const DIVIDENDS: Options = Options {
    measure: Measure::Dividends,
    detail: 64,
};

fn between(
    a: &EpochInputs<'_>,
    b: &EpochInputs<'_>,
    hotkey: u32,
    options: &Options,
) -> Result<Diff, DiffError> {
    let hotkeys: Vec<u32> = (0..u32::from(a.n.max(b.n))).collect();
    fn lend<'a>(hotkeys: &'a [u32], inputs: &'a EpochInputs<'a>) -> Epoch<'a> {
        Epoch {
            inputs,
            hotkeys: &hotkeys[..usize::from(inputs.n)],
        }
    }
    diff(&lend(&hotkeys, a), &lend(&hotkeys, b), hotkey, options)
}

fn sum(diff: &Diff) -> i32 {
    diff.terms.iter().map(|term| term.change).sum()
}

fn term(diff: &Diff, cause: Cause) -> Option<&Term> {
    diff.terms.iter().find(|term| term.cause == cause)
}

/// The hotkeys of two random epochs: some stay, some go, some come, at any uid.
fn hotkeys(n: u16, seed: u64) -> Vec<u32> {
    let mut pool: Vec<u32> = (0..20).collect();
    let mut state = seed | 1;
    for i in (1..pool.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        pool.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
    }
    pool.truncate(usize::from(n));
    pool
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn terms_add_up_for_any_two_epochs(
        a in any_subnet(),
        b in any_subnet(),
        seeds: (u64, u64),
        hotkey in 0u32..20,
        detail in 0usize..20,
        dividends: bool,
    ) {
        let (in_a, in_b) = (hotkeys(a.n, seeds.0), hotkeys(b.n, seeds.1));
        let (from, to) = (Epoch { inputs: &a, hotkeys: &in_a }, Epoch { inputs: &b, hotkeys: &in_b });
        let measure = if dividends { Measure::Dividends } else { Measure::Incentive };
        let options = Options { measure, detail };
        let found = diff(&from, &to, hotkey, &options);
        if !in_a.contains(&hotkey) && !in_b.contains(&hotkey) {
            prop_assert_eq!(found, Err(DiffError::UnknownHotkey { hotkey }));
            return Ok(());
        }
        let found = found.unwrap();
        prop_assert_eq!(&diff(&from, &to, hotkey, &options).unwrap(), &found);
        prop_assert_eq!(sum(&found), i32::from(found.to) - i32::from(found.from));
        prop_assert!(found.terms.iter().all(|term| term.unclipped + term.clipping == term.change));
        prop_assert_eq!(steps(&from, &to, &options).unwrap(), found.terms.len() + 2);
        let stored = |inputs: &EpochInputs<'_>, uid: Option<u16>| uid.map_or(0, |uid| {
            let outputs = epoch(inputs).unwrap();
            let of = if dividends { outputs.dividends } else { outputs.incentive };
            of[usize::from(uid)]
        });
        prop_assert_eq!(found.from, stored(&a, found.from_uid));
        prop_assert_eq!(found.to, stored(&b, found.to_uid));
        // Uids are looked at only by liquid alpha.
        let numbering = found.terms.last().unwrap();
        prop_assert_eq!(numbering.cause, Cause::Numbering);
        let is_liquid = |inputs: &EpochInputs<'_>| {
            inputs.params.liquid_alpha && inputs.rules.liquid_alpha != LiquidAlpha::None
        };
        if !dividends || !is_liquid(&a) && !is_liquid(&b) {
            prop_assert_eq!(numbering.change, 0);
        }
    }

    #[test]
    fn the_walk_ends_at_b(a in any_subnet(), b in any_subnet(), seeds: (u64, u64), detail in 0usize..20) {
        let (in_a, in_b) = (hotkeys(a.n, seeds.0), hotkeys(b.n, seeds.1));
        let common = common::Common::new(&Epoch { inputs: &a, hotkeys: &in_a }, &Epoch { inputs: &b, hotkeys: &in_b }).unwrap();
        let mut state = common.start();
        for step in walk::plan(&common, &Options { detail, ..DIVIDENDS }) {
            step.apply(&common, &mut state);
        }
        state.weights.sort_by_key(|row| row.uid);
        state.bonds.sort_by_key(|row| row.uid);
        prop_assert_eq!(&state, &common.b);
    }

    #[test]
    fn garbage_gives_an_error_or_terms(a in garbage(), b in garbage(), seeds: (u64, u64), hotkey in 0u32..20) {
        let (in_a, in_b) = (hotkeys(a.n, seeds.0), hotkeys(b.n, seeds.1));
        let (from, to) = (Epoch { inputs: &a, hotkeys: &in_a }, Epoch { inputs: &b, hotkeys: &in_b });
        if let Ok(found) = diff(&from, &to, hotkey, &DIVIDENDS) {
            prop_assert_eq!(sum(&found), i32::from(found.to) - i32::from(found.from));
        }
    }

    #[test]
    fn an_epoch_and_itself_differ_in_nothing(a in any_subnet(), hotkey in 0u32..14) {
        prop_assume!(hotkey < u32::from(a.n));
        let found = between(&a, &a, hotkey, &DIVIDENDS).unwrap();
        prop_assert_eq!(found.terms.len(), 1);
        prop_assert_eq!(found.terms[0].change, 0);
    }
}

#[test]
fn one_change_is_one_cause() {
    let a = subnet(425);
    let mut b = a.clone();
    b.weights[1] = Row::owned(1, vec![(3, 65535), (4, 100), (5, 5000)]);
    let found = between(&a, &b, 4, &INCENTIVE).unwrap();
    assert_eq!(found.terms.len(), 2);
    let weights = term(&found, Cause::Weights(Some(1))).unwrap();
    assert_eq!(weights.change, i32::from(found.to) - i32::from(found.from));
    assert!(weights.change < 0 && weights.unclipped < weights.change && weights.clipping > 0);

    let mut b = a.clone();
    b.params.kappa = 60_000;
    let found = between(&a, &b, 4, &INCENTIVE).unwrap();
    let kappa = term(&found, Cause::Hyperparameter("kappa")).unwrap();
    assert_eq!(kappa.change, i32::from(found.to) - i32::from(found.from));
    // Kappa is nothing but clipping.
    assert!(kappa.change != 0 && kappa.unclipped == 0);

    let mut b = a.clone();
    b.total_stake.to_mut()[2] = stakes(&[900])[0];
    let found = between(&a, &b, 4, &INCENTIVE).unwrap();
    assert_ne!(term(&found, Cause::Stake(Some(2))).unwrap().change, 0);

    let mut b = a.clone();
    b.validator_permit.to_mut()[0] = false;
    let found = between(&a, &b, 4, &INCENTIVE).unwrap();
    assert_ne!(term(&found, Cause::Permits).unwrap().change, 0);

    let mut b = a.clone();
    b.last_update.to_mut()[0] = 0;
    b.params.activity_cutoff_factor_milli = 1000;
    let found = between(&a, &b, 4, &INCENTIVE).unwrap();
    assert_eq!(
        term(
            &found,
            Cause::Hyperparameter("activity_cutoff_factor_milli")
        )
        .unwrap()
        .change,
        0
    );
    assert_ne!(term(&found, Cause::Clock).unwrap().change, 0);

    let mut b = a.clone();
    b.bonds[0] = Row::owned(0, vec![(3, 1), (5, 65535)]);
    assert_eq!(between(&a, &b, 0, &INCENTIVE).unwrap().terms.len(), 1);
    let found = between(&a, &b, 0, &DIVIDENDS).unwrap();
    assert_ne!(term(&found, Cause::Bonds(Some(0))).unwrap().change, 0);

    let mut b = a.clone();
    b.rules = YumaRules::for_spec(300).unwrap();
    let found = between(&a, &b, 0, &DIVIDENDS).unwrap();
    assert!(term(&found, Cause::Rules).is_some() && found.terms.len() == 2);
}

#[test]
fn whoever_comes_and_goes_has_a_term() {
    let a = subnet(425);
    let mut b = a.clone();
    // Uid 1 changes hands: the new one has more stake and other weights, and everyone sets weights again.
    b.total_stake.to_mut()[1] = stakes(&[700])[0];
    b.weights[1] = Row::owned(1, vec![(3, 1), (4, 9)]);
    b.block = 1100;
    b.last_step_block = 1000;
    b.last_update = vec![1090; 6].into();
    b.block_at_registration.to_mut()[1] = 1050;
    let (in_a, in_b) = ([10, 11, 12, 13, 14, 15], [10, 99, 12, 13, 14, 15]);
    let from = Epoch {
        inputs: &a,
        hotkeys: &in_a,
    };
    let to = Epoch {
        inputs: &b,
        hotkeys: &in_b,
    };
    let found = diff(&from, &to, 14, &INCENTIVE).unwrap();
    let causes: Vec<Cause> = found.terms.iter().map(|term| term.cause).collect();
    assert_eq!(
        causes,
        [
            Cause::Departure(Some(11)),
            Cause::Arrival(Some(99)),
            Cause::Clock,
            Cause::Numbering
        ]
    );
    assert_ne!(found.terms[0].change, 0);
    assert_ne!(found.terms[1].change, 0);
    assert_eq!(found.terms[3].change, 0);

    // A hotkey that is only in one of the two starts or ends at zero.
    let gone = diff(&from, &to, 11, &DIVIDENDS).unwrap();
    assert_eq!((gone.from_uid, gone.to_uid, gone.to), (Some(1), None, 0));
    assert_eq!(sum(&gone), -i32::from(gone.from));
    assert_eq!(gone.terms[0].change, -i32::from(gone.from));
    let new = diff(&from, &to, 99, &DIVIDENDS).unwrap();
    assert_eq!((new.from_uid, new.to_uid, new.from), (None, Some(1), 0));
    assert_eq!(sum(&new), i32::from(new.to));
}

#[test]
fn beyond_the_detail_terms_are_shared() {
    let a = subnet(425);
    let mut b = a.clone();
    b.total_stake = stakes(&[400, 400, 300, 1, 2, 3]).into();
    let options = Options {
        detail: 2,
        ..INCENTIVE
    };
    let found = between(&a, &b, 3, &options).unwrap();
    let causes: Vec<Cause> = found.terms.iter().map(|term| term.cause).collect();
    assert_eq!(
        causes,
        [
            Cause::Stake(Some(0)),
            Cause::Stake(Some(1)),
            Cause::Stake(None),
            Cause::Numbering
        ]
    );
    let fine = between(&a, &b, 3, &INCENTIVE).unwrap();
    assert_eq!(fine.terms.len(), 7);
    assert_eq!(sum(&fine), sum(&found));
    assert_eq!(fine.terms[0], found.terms[0]);
}

#[test]
fn hotkeys_must_fit() {
    let a = subnet(425);
    let few = Epoch {
        inputs: &a,
        hotkeys: &[1, 2],
    };
    let good = Epoch {
        inputs: &a,
        hotkeys: &[1, 2, 3, 4, 5, 6],
    };
    let twice = Epoch {
        inputs: &a,
        hotkeys: &[1, 2, 3, 4, 5, 1],
    };
    assert_eq!(
        diff(&few, &good, 1, &INCENTIVE),
        Err(DiffError::Hotkeys {
            epoch: 'A',
            got: 2,
            n: 6
        })
    );
    assert_eq!(
        diff(&good, &twice, 1, &INCENTIVE),
        Err(DiffError::TwoUids {
            epoch: 'B',
            hotkey: 1
        })
    );
    assert_eq!(
        diff(&good, &good, 7, &INCENTIVE),
        Err(DiffError::UnknownHotkey { hotkey: 7 })
    );
    let mut broken = a.clone();
    broken.params.bonds_moving_average = 1_000_001;
    let broken = Epoch {
        inputs: &broken,
        ..good
    };
    let error = diff(&good, &broken, 1, &INCENTIVE).unwrap_err().to_string();
    assert!(
        error.starts_with("an epoch cannot be computed (epoch B): BondsMovingAverage"),
        "{error}"
    );
}
