//! Inputs that cannot be, and corners that can.

use super::subnet::{outputs, stakes, subnet};
use crate::fixed::I64F64;
use crate::yuma::rules::Pruning;
use crate::yuma::schedule::{EpochState, SafetyNet, is_due, is_due_by_block};
use crate::yuma::{EpochError, EpochInputs, Mask, Row, epoch};

fn error(change: impl Fn(&mut EpochInputs<'static>)) -> EpochError {
    let mut inputs = subnet(425);
    change(&mut inputs);
    epoch(&inputs).unwrap_err()
}

#[test]
fn lengths_must_fit() {
    let length = |what, got| EpochError::Length {
        what,
        got,
        expected: 6,
    };
    assert_eq!(
        error(|i| i.last_update = vec![0; 7].into()),
        length("last_update", 7)
    );
    assert_eq!(
        error(|i| i.block_at_registration = vec![].into()),
        length("block_at_registration", 0)
    );
    assert_eq!(
        error(|i| i.total_stake = vec![].into()),
        length("total_stake", 0)
    );
    assert_eq!(
        error(|i| i.validator_permit = vec![true].into()),
        length("validator_permit", 1)
    );
    assert_eq!(
        error(|i| i.commit_blocks = vec![1].into()),
        length("commit_blocks", 1)
    );
    assert_eq!(
        length("total_stake", 0).to_string(),
        "total_stake has 0 entries, but the subnet has 6 neurons; give one entry per uid"
    );
}

#[test]
fn impossible_values_are_refused() {
    assert_eq!(
        error(|i| i.owner_uid = Some(6)),
        EpochError::OwnerOutOfRange { uid: 6, n: 6 }
    );
    assert_eq!(
        error(|i| i.total_stake = stakes(&[u64::MAX; 6]).into()),
        EpochError::StakeOverflow
    );
    assert_eq!(
        error(|i| i.total_stake.to_mut()[3] = I64F64::from_bits(-5)),
        EpochError::NegativeStake { uid: 3, bits: -5 }
    );
    assert_eq!(
        error(|i| i.params.bonds_moving_average = 1_000_001),
        EpochError::MovingAverage { value: 1_000_001 }
    );
    let twice = |i: &mut EpochInputs<'static>| i.weights[0].entries.to_mut().push((3, 1));
    assert_eq!(
        error(twice),
        EpochError::DuplicateEntry {
            what: "weights",
            row: 0,
            uid: 3
        }
    );
    let twice = |i: &mut EpochInputs<'static>| i.bonds[2].entries.to_mut().push((4, 1));
    assert_eq!(
        error(twice),
        EpochError::DuplicateEntry {
            what: "bonds",
            row: 2,
            uid: 4
        }
    );
    let again = |i: &mut EpochInputs<'static>| i.bonds.push(Row::owned(1, vec![]));
    assert_eq!(
        error(again),
        EpochError::DuplicateRow {
            what: "bonds",
            uid: 1
        }
    );
}

#[test]
fn the_same_uid_in_two_unsorted_rows_is_fine() {
    let mut inputs = subnet(425);
    inputs
        .weights
        .iter_mut()
        .for_each(|row| row.entries.to_mut().reverse());
    assert_eq!(outputs(&inputs), outputs(&subnet(425)));
}

#[test]
fn an_empty_subnet_has_empty_results() {
    for spec in [101, 120, 218, 300, 425] {
        let mut inputs = subnet(spec);
        inputs.n = 0;
        inputs.last_update = vec![].into();
        inputs.block_at_registration = vec![].into();
        inputs.total_stake = vec![].into();
        inputs.validator_permit = vec![].into();
        inputs.weights = vec![];
        inputs.bonds = vec![];
        let outputs = outputs(&inputs);
        assert!(outputs.incentive.is_empty() && outputs.bonds.is_empty());
        assert_eq!(outputs.emission.unwrap().combined, Vec::<u64>::new());
    }
}

#[test]
fn without_an_emission_nothing_else_changes() {
    let mut inputs = subnet(425);
    let with = outputs(&inputs);
    inputs.emission = None;
    let without = outputs(&inputs);
    assert_eq!(without.emission, None);
    assert_eq!(with.emission.clone().unwrap().combined.len(), 6);
    let amounts = with.emission.clone();
    assert_eq!(
        crate::yuma::EpochOutputs {
            emission: amounts,
            ..without
        },
        with
    );
}

#[test]
fn the_greatest_stakes_and_emissions_work() {
    let mut inputs = subnet(425);
    inputs.total_stake = stakes(&[i64::MAX as u64, 0, 0, 0, 0, 0]).into();
    inputs.emission = Some(u64::MAX);
    let outputs = outputs(&inputs);
    assert_eq!(outputs.stake_weight.unwrap(), [65535, 0, 0, 0, 0, 0]);
    assert!(
        outputs
            .emission
            .unwrap()
            .combined
            .iter()
            .map(|amount| u128::from(*amount))
            .sum::<u128>()
            <= u128::from(u64::MAX)
    );
}

#[test]
fn too_many_weights_for_the_number() {
    // 32769 full weights: their sum passes 2^31.
    let n = 40_000u16;
    let row = |count: u16| Row::owned(0, (1..=count).map(|uid| (uid, 65535)).collect());
    let mut inputs = EpochInputs {
        n,
        last_update: vec![990; n.into()].into(),
        block_at_registration: vec![0; n.into()].into(),
        total_stake: (0..n)
            .map(|uid| I64F64::saturating_from_u64(u64::from(uid == 0)))
            .collect::<Vec<_>>()
            .into(),
        validator_permit: (0..n).map(|uid| uid == 0).collect::<Vec<_>>().into(),
        bonds: vec![],
        weights: vec![row(32_768)],
        ..subnet(425)
    };
    assert_eq!(epoch(&inputs).unwrap().incentive[1], 1);
    inputs.weights = vec![row(32_769)];
    let sum = 32_769 * 65_535;
    assert_eq!(
        epoch(&inputs),
        Err(EpochError::SumOverflow {
            what: "row of weights",
            uid: 0,
            sum
        })
    );
}

#[test]
fn masks_explain_what_does_not_count() {
    let mut inputs = subnet(425);
    inputs.params.commit_reveal = true;
    inputs.commit_blocks = vec![949, u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX].into();
    inputs.block_at_registration = vec![0, 0, 0, 990, 950, 0].into();
    inputs.owner_uid = Some(5);
    let mask = |validator, miner| Mask::of(&inputs, validator, miner);
    assert_eq!(mask(6, 3), Some(Mask::ForeignUid));
    assert_eq!(mask(0, 6), Some(Mask::ForeignUid));
    assert_eq!(mask(3, 4), Some(Mask::NoPermit));
    assert_eq!(mask(0, 0), Some(Mask::OwnWeight));
    assert_eq!(mask(5, 5), None);
    assert_eq!(mask(0, 3), Some(Mask::Outdated));
    assert_eq!(mask(0, 4), Some(Mask::CommittedBefore));
    assert_eq!(mask(1, 4), None);
    assert_eq!(mask(0, 5), None);
}

#[test]
fn pruning_scores_of_nothing_are_zero() {
    let mut inputs = subnet(300);
    inputs.total_stake = stakes(&[0; 6]).into();
    assert_eq!(inputs.rules.pruning, Pruning::MaxUpscale);
    assert_eq!(outputs(&inputs).pruning_scores, Some(vec![0; 6]));
}

#[test]
fn slots_by_block_number() {
    // Tempo 360, netuid 1: block 358 of every 361.
    let due: Vec<u64> = (0..1000)
        .filter(|block| is_due_by_block(1, 360, *block))
        .collect();
    assert_eq!(due, [358, 719]);
    assert!((0..1000).all(|block| !is_due_by_block(1, 0, block)));
    // The next netuid comes one block earlier.
    assert!(is_due_by_block(2, 360, 357));
}

#[test]
fn slots_by_what_is_stored() {
    let state = EpochState {
        tempo: 360,
        pending_epoch_at: 0,
        blocks_since_last_step: 10,
        last_epoch_block: 1000,
    };
    assert!(!is_due(&state, SafetyNet::Week, 1359));
    assert!(is_due(&state, SafetyNet::Week, 1360));
    let pending = EpochState {
        pending_epoch_at: 1100,
        ..state
    };
    assert!(!is_due(&pending, SafetyNet::Week, 1099));
    assert!(is_due(&pending, SafetyNet::Week, 1100));
    let late = EpochState {
        blocks_since_last_step: 361,
        ..state
    };
    assert_eq!(
        [SafetyNet::Week, SafetyNet::Tempo].map(|net| is_due(&late, net, 1001)),
        [false, true]
    );
    let stuck = EpochState {
        blocks_since_last_step: 50_401,
        ..state
    };
    assert!(is_due(&stuck, SafetyNet::Week, 1001));
    assert!(!is_due(
        &EpochState { tempo: 0, ..stuck },
        SafetyNet::Week,
        9999
    ));
}
