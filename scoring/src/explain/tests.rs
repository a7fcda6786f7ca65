//! Explanations against the epochs they explain.

use proptest::prelude::*;

use super::*;
use crate::yuma::tests::case::{fixture, inputs as case_inputs};
use crate::yuma::tests::properties::{any_subnet, garbage};
use crate::yuma::tests::subnet::{stakes, subnet};
use crate::yuma::{Row, epoch};

/// Everything adds up to what the epoch made.
fn assert_adds_up(name: &str, inputs: &EpochInputs<'_>) {
    let mut trace = Trace::default();
    let outputs = epoch_observed(inputs, &mut Scratch::default(), &mut trace).unwrap();
    let uids: Vec<u16> = (0..inputs.n).collect();
    let all = explain_all(inputs, &uids).unwrap();
    assert_eq!(all.len(), uids.len());
    for (uid, explained) in uids.iter().zip(&all) {
        let at = usize::from(*uid);
        let label = format!("{name}: uid {uid}");
        let sum = |part: fn(&WeightOn) -> I32F32| -> i64 {
            explained
                .weights
                .iter()
                .map(|weight| part(weight).to_bits())
                .sum()
        };
        assert_eq!(
            sum(|w| w.contribution),
            trace.ranks[at].to_bits(),
            "{label}"
        );
        assert_eq!(
            sum(|w| w.before_clipping),
            trace.preranks[at].to_bits(),
            "{label}"
        );
        let mut incentive = explained.rank;
        if explained.rank_sum != I32F32::ZERO {
            incentive = incentive.safe_div(explained.rank_sum);
        }
        assert_eq!(incentive, trace.incentive[at], "{label}");
        assert_eq!(explained.stored_incentive, outputs.incentive[at], "{label}");
        for weight in &explained.weights {
            let left = weight.after_masks().last().map(|(_, left)| left);
            assert_eq!(
                left == Some(0),
                weight.raw.unwrap_or(0) == 0 || weight.removed_by.is_some()
            );
            if inputs.rules.raw_u16_inputs && left != Some(0) {
                let raw = u128::from(weight.raw.unwrap());
                let share = (raw << 32) / u128::from(weight.row_sum);
                assert_eq!(
                    u128::try_from(weight.normalised.to_bits()).unwrap(),
                    share,
                    "{label}"
                );
            }
            assert!(
                left != Some(0) || weight.normalised == I32F32::ZERO,
                "{label}"
            );
            let voice = &weight.voice;
            let is_silent = voice.active_stake == I32F32::ZERO;
            // Stake that is not lost can only be rounded away.
            let explained = voice.lost.is_some() || voice.stake.to_bits() <= 1;
            assert!(
                if is_silent {
                    explained
                } else {
                    voice.lost.is_none()
                },
                "{label}"
            );
        }
        let median = &explained.median;
        let decisive = median
            .votes
            .iter()
            .find(|vote| Some(vote.validator) == median.decided_by);
        assert_eq!(
            decisive.map_or(I32F32::ZERO, |vote| vote.score),
            trace.consensus[at],
            "{label}"
        );
        assert_eq!(
            median.votes.is_empty(),
            median.decided_by.is_none(),
            "{label}"
        );
        assert_eq!(median.stored, outputs.consensus[at], "{label}");

        let dividends = &explained.dividends;
        let held: i64 = dividends
            .bonds
            .iter()
            .map(|bond| bond.contribution.to_bits())
            .sum();
        assert_eq!(held, dividends.held.to_bits(), "{label}");
        let mut divided = dividends.unnormalised;
        if dividends.sum != I32F32::ZERO {
            divided = divided.safe_div(dividends.sum);
        }
        assert_eq!(divided, trace.dividends[at], "{label}");
        assert_eq!(dividends.dividends, trace.dividends[at], "{label}");
        assert_eq!(dividends.stored, outputs.dividends[at], "{label}");
        // The moving average cell by cell, as the epoch had it.
        let traced = &trace.bonds[at];
        for (miner, value) in traced {
            let bond = dividends.bonds.iter().find(|bond| bond.miner == *miner);
            let bond = bond.unwrap_or_else(|| panic!("{label}: no bond of {miner}"));
            let got = if dividends.yuma3 {
                bond.average
            } else {
                bond.share
            };
            assert_eq!(got, *value, "{label}: bond of {miner}");
        }
        let held = dividends
            .bonds
            .iter()
            .filter(|bond| bond.average != I32F32::ZERO);
        assert_eq!(held.count(), traced.len(), "{label}");
    }
}

#[test]
fn all_vectors_add_up() {
    let vectors = fixture("yuma_vectors");
    let mut checked = 0;
    for case in vectors["epoch"].as_array().unwrap() {
        if case["kind"] != "epoch_generator" {
            assert_adds_up(case["name"].as_str().unwrap(), &case_inputs(&case["input"]));
            checked += 1;
        }
    }
    assert_eq!(checked, 105);
}

#[test]
fn random_and_recorded_subnets_add_up() {
    for name in ["fuzz", "recorded"] {
        for case in fixture(name).as_array().unwrap() {
            assert_adds_up(case["name"].as_str().unwrap(), &case_inputs(&case["input"]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_epoch_adds_up(inputs in any_subnet()) {
        assert_adds_up("random", &inputs);
    }

    #[test]
    fn garbage_gives_an_error_or_an_explanation(inputs in garbage(), uid in 0u16..9) {
        match (explain(&inputs, uid), epoch(&inputs)) {
            (Ok(explained), Ok(outputs)) => prop_assert_eq!(explained.stored_incentive, outputs.incentive[usize::from(uid)]),
            (Err(ExplainError::UnknownUid { .. }), _) => prop_assert!(uid >= inputs.n),
            (Err(ExplainError::Epoch(error)), outputs) => prop_assert_eq!(Err(error), outputs),
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn whoever_decides_moves_the_consensus(inputs in any_subnet(), miner in 0u16..14) {
        prop_assume!(miner < inputs.n);
        let explained = explain(&inputs, miner).unwrap();
        // Without the stake above the decisive vote, and with all of it, the score stays between its neighbours.
        let median = explained.median;
        for pair in median.votes.windows(2) {
            prop_assert!(pair[0].score <= pair[1].score && pair[0].up_to < pair[1].up_to);
        }
        if let Some(place) = median.votes.iter().position(|vote| Some(vote.validator) == median.decided_by) {
            prop_assert!(median.votes[..place].iter().all(|vote| vote.up_to <= median.minority));
        }
    }
}

#[test]
fn a_hand_made_epoch() {
    let mut inputs = subnet(425);
    inputs.params.commit_reveal = false;
    let explained = explain(&inputs, 4).unwrap();
    // Stakes 1/2, 3/10 and 1/5; kappa a little below one half: the vote of validator 0, the least, has 1/2, which does not pass 1 - kappa. Validator 2's does.
    assert_eq!(explained.median.decided_by, Some(2));
    let votes: Vec<u16> = explained
        .median
        .votes
        .iter()
        .map(|vote| vote.validator)
        .collect();
    assert_eq!(votes, [0, 2, 1]);
    assert_eq!(explained.median.consensus.to_bits(), (1i64 << 32) / 3);
    let raws: Vec<Option<u16>> = explained.weights.iter().map(|weight| weight.raw).collect();
    assert_eq!(raws, [Some(32768), Some(65535), Some(65535)]);
    assert_eq!(explained.weights[0].row_sum, 65535 + 32768 + 100);
    assert_eq!(explained.weights[1].clipped, explained.median.consensus);
    assert!(explained.weights[1].normalised > explained.weights[1].clipped);
    assert!(
        explained
            .weights
            .iter()
            .all(|weight| weight.removed_by.is_none())
    );
    assert_eq!(
        explained.stored_incentive,
        epoch(&inputs).unwrap().incentive[4]
    );
    assert!(explained.dividends.bonds.is_empty());
    assert_eq!(explain(&inputs, 0).unwrap().dividends.bonds.len(), 3);
}

#[test]
fn masks_and_losses_are_named() {
    let mut inputs = subnet(425);
    inputs.params.stake_threshold = 250;
    inputs.last_update.to_mut()[1] = 10;
    inputs.params.activity_cutoff_factor_milli = 1000;
    inputs.block_at_registration = vec![0, 0, 0, 990, 0, 0].into();
    inputs.weights.push(Row::owned(3, vec![(3, 7)]));
    let explained = explain(&inputs, 3).unwrap();
    let loss = |validator: usize| explained.weights[validator].voice.lost;
    assert_eq!(loss(0), None);
    assert_eq!(loss(1), Some(StakeLoss::Inactive));
    assert_eq!(loss(2), Some(StakeLoss::BelowThreshold));
    let masks: Vec<Option<Mask>> = explained
        .weights
        .iter()
        .map(|weight| weight.removed_by)
        .collect();
    assert_eq!(
        masks,
        [
            Some(Mask::Outdated),
            Some(Mask::Outdated),
            Some(Mask::Outdated),
            Some(Mask::NoPermit)
        ]
    );
    let steps: Vec<u16> = explained.weights[0]
        .after_masks()
        .map(|(_, left)| left)
        .collect();
    assert_eq!(steps, [65535, 65535, 65535, 0, 0]);

    inputs.validator_permit.to_mut()[0] = false;
    inputs.total_stake = stakes(&[500, 300, 200, 0, 0, 0]).into();
    let explained = explain(&inputs, 4).unwrap();
    assert_eq!(explained.weights[0].voice.lost, Some(StakeLoss::NoPermit));
    assert_eq!(explained.weights[0].removed_by, Some(Mask::NoPermit));
    // Nobody is left to vote.
    assert_eq!(explained.median.decided_by, None);
}

#[test]
fn unknown_uids_are_refused() {
    let inputs = subnet(425);
    let error = explain(&inputs, 6).unwrap_err();
    assert_eq!(error, ExplainError::UnknownUid { uid: 6, n: 6 });
    assert_eq!(
        error.to_string(),
        "uid 6 is not in the subnet, which has 6 neurons; ask for a uid below 6"
    );
    let mut wrong = subnet(425);
    wrong.total_stake = vec![].into();
    assert!(matches!(
        explain(&wrong, 0),
        Err(ExplainError::Epoch(EpochError::Length { .. }))
    ));
}
