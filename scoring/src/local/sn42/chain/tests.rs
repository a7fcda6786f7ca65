//! Golden rows, every refusal at its edge, and the order in which they come.

use proptest::prelude::*;

use super::*;

fn fine() -> ChainState {
    ChainState {
        netuid: 2,
        mechanism: 0,
        mechanisms: 1,
        block: 1000,
        commit_reveal: false,
        neurons: 8,
        uid: Some(1),
        stake: Some(1000),
        stake_threshold: 1000,
        version_key: 5,
        last_update: 900,
        rate_limit: 100,
        permit: true,
        owner: false,
        min_allowed: 2,
        max_weight: u16::MAX,
        unrevealed: 0,
        scaling: Scaling::Greatest,
    }
}

fn row(uids: &[u16], values: &[u16]) -> Row {
    Row {
        uids: uids.to_vec(),
        values: values.to_vec(),
    }
}

fn name(state: &ChainState, row: &Row, key: u64) -> &'static str {
    accept(state, Route::Direct, row, key).map_or_else(|refusal| refusal.name(), |_| "")
}

#[test]
fn golden_rows_as_they_are_stored() {
    for (given, stored) in [
        (vec![10, 20, 40], vec![16384, 32768, 65535]),
        (vec![1, 3], vec![21845, 65535]),
        (vec![30000, 40000], vec![49151, 65535]),
        (vec![0, 0], vec![0, 0]),
    ] {
        let uids: Vec<u16> = (0..u16::try_from(given.len()).unwrap()).collect();
        let given = row(&uids, &given);
        let found = accept(&fine(), Route::Direct, &given, 5).unwrap();
        assert_eq!(found, row(&uids, &stored));
    }
}

#[test]
fn every_check_at_its_edge() {
    let good = row(&[0, 2], &[1, 2]);
    assert_eq!(name(&fine(), &good, 5), "");
    let with = |change: fn(&mut ChainState)| {
        let mut state = fine();
        change(&mut state);
        state
    };
    for (state, expected) in [
        (with(|s| s.commit_reveal = true), "CommitRevealEnabled"),
        (with(|s| s.netuid = 0), "CanNotSetRootNetworkWeights"),
        (with(|s| s.mechanism = 1), "MechanismDoesNotExist"),
        (with(|s| s.mechanisms = 0), "MechanismDoesNotExist"),
        (with(|s| s.neurons = 1), "UidsLengthExceedUidsInSubNet"),
        (with(|s| s.uid = None), "HotKeyNotRegisteredInSubNet"),
        (with(|s| s.stake = Some(999)), "NotEnoughStakeToSetWeights"),
        (with(|s| s.version_key = 6), "IncorrectWeightVersionKey"),
        (with(|s| s.version_key = 0), ""),
        (with(|s| s.block = 999), "SettingWeightsTooFast"),
        (with(|s| (s.block, s.last_update) = (1, 0)), ""),
        (with(|s| s.permit = false), "NeuronNoValidatorPermit"),
        (with(|s| (s.permit, s.owner) = (false, true)), ""),
        (with(|s| s.neurons = 2), "UidVecContainInvalidOne"),
        (with(|s| s.min_allowed = 3), "WeightVecLengthIsLow"),
        (with(|s| s.max_weight = 43_690), ""),
        (with(|s| s.max_weight = 43_680), "MaxWeightExceeded"),
    ] {
        assert_eq!(name(&state, &good, 5), expected, "{state:?}");
    }
    assert_eq!(
        name(&fine(), &row(&[0, 2], &[1]), 5),
        "WeightVecNotEqualSize"
    );
    assert_eq!(name(&fine(), &row(&[2, 2], &[1, 1]), 5), "DuplicateUids");
    assert_eq!(
        name(&fine(), &row(&[0, 8], &[1, 1]), 5),
        "UidVecContainInvalidOne"
    );
    // The least number of weights is never more than there are neurons.
    let small = with(|s| (s.neurons, s.min_allowed) = (2, 200));
    assert_eq!(name(&small, &row(&[0, 1], &[1, 1]), 5), "");
}

#[test]
fn who_weighs_itself_needs_neither_permit_nor_length_nor_limit() {
    let mut state = fine();
    (state.permit, state.min_allowed, state.max_weight) = (false, 5, 1);
    assert_eq!(name(&state, &row(&[1], &[7]), 5), "");
    assert_eq!(name(&state, &row(&[2], &[7]), 5), "NeuronNoValidatorPermit");
}

#[test]
fn the_first_of_several_is_given_and_all_are_told() {
    let mut state = fine();
    (state.stake, state.permit, state.min_allowed) = (Some(1), false, 4);
    let checked = check(&state, Route::Direct, &row(&[9, 9], &[1, 1]), 0);
    let names: Vec<_> = checked.refusals.iter().map(Refusal::name).collect();
    assert_eq!(
        names,
        [
            "NotEnoughStakeToSetWeights",
            "IncorrectWeightVersionKey",
            "NeuronNoValidatorPermit",
            "DuplicateUids",
            "UidVecContainInvalidOne",
            "WeightVecLengthIsLow",
        ]
    );
}

#[test]
fn commits_have_checks_of_their_own() {
    let good = row(&[0, 2], &[1, 2]);
    let of = |state: &ChainState, route| {
        accept(state, route, &good, 5).map_or_else(|refusal| refusal.name(), |_| "")
    };
    let mut state = fine();
    assert_eq!(of(&state, Route::Commit), "CommitRevealDisabled");
    assert_eq!(of(&state, Route::Reveal), "CommitRevealDisabled");
    state.commit_reveal = true;
    assert_eq!(of(&state, Route::Commit), "");
    state.block = 950;
    assert_eq!(of(&state, Route::Commit), "CommittingWeightsTooFast");
    assert_eq!(of(&state, Route::Reveal), "");
    (state.block, state.unrevealed) = (1000, 10);
    assert_eq!(of(&state, Route::Commit), "TooManyUnrevealedCommits");
}

#[test]
fn a_stake_that_is_not_known_is_said_to_be_so() {
    let mut state = fine();
    state.stake = None;
    let checked = check(&state, Route::Direct, &row(&[0, 2], &[1, 2]), 5);
    assert!(checked.stake_unknown && checked.refusals.is_empty());
    state.stake_threshold = 0;
    assert!(!check(&state, Route::Direct, &row(&[0, 2], &[1, 2]), 5).stake_unknown);
}

proptest! {
    #[test]
    fn what_is_stored_keeps_the_order(values in prop::collection::vec(0_u16.., 2..64)) {
        let uids: Vec<u16> = (0..u16::try_from(values.len()).unwrap()).collect();
        let mut state = fine();
        state.neurons = 64;
        let stored = accept(&state, Route::Direct, &row(&uids, &values), 5).unwrap();
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate() {
                if a <= b {
                    prop_assert!(stored.values[i] <= stored.values[j]);
                }
            }
        }
        let greatest = stored.values.iter().max();
        prop_assert!(greatest == Some(&u16::MAX) || values.iter().all(|v| *v == 0));
        // Storing what is stored changes nothing.
        let again = accept(&state, Route::Direct, &stored, 5).unwrap();
        prop_assert_eq!(&again, &stored);
    }
}
