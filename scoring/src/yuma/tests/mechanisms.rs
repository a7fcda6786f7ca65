//! Joining mechanisms.

use serde_json::Value;

use super::case::{int, ints};
use crate::yuma::mechanism::{join, split_emission, weight};
use crate::yuma::{Emission, EpochError, EpochOutputs};

pub(crate) fn assert_vector(case: &Value, expected: &Value) {
    let emission: u64 = int(&case["emission"]);
    let parts: Vec<u64> = ints(&expected["sub_emissions"]);
    let weights: Vec<u128> = parts
        .iter()
        .enumerate()
        .map(|(i, part)| weight(*part, emission, i == 0).to_bits())
        .collect();
    let expected_weights = expected["sub_weight_u64f64_bits"]
        .as_array()
        .unwrap()
        .iter();
    let expected_weights: Vec<u128> = expected_weights
        .map(|bits| bits.as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(weights, expected_weights);
    let outputs: Vec<EpochOutputs> = case["values_per_mech"]
        .as_array()
        .unwrap()
        .iter()
        .map(|values| mechanism(ints(values)))
        .collect();
    let joined = join(&outputs, &parts, emission).unwrap();
    let values: Vec<u16> = ints(&expected["acc_u16"]);
    assert_eq!(joined.dividends, values);
    assert_eq!(joined.consensus, values);
    assert_eq!(joined.validator_trust, values);
    assert_eq!(joined.stake_weight, Some(values));
    assert_eq!(joined.rank, None);
}

fn mechanism(values: Vec<u16>) -> EpochOutputs {
    EpochOutputs {
        stake_weight: Some(values.clone()),
        active: vec![false; values.len()],
        consensus: values.clone(),
        dividends: values.clone(),
        validator_permit: vec![false; values.len()],
        validator_trust: values,
        ..EpochOutputs::default()
    }
}

#[test]
fn one_mechanism_stays_as_it_is() {
    let mut one = mechanism(vec![1, 65535, 0]);
    one.active = vec![true, false, true];
    one.validator_permit = vec![false, true, true];
    let amounts = |a, b, c| Some(vec![a, b, c]);
    one.emission = Some(Emission {
        server: amounts(1, 2, 3),
        validator: amounts(4, 5, 6),
        combined: vec![u64::MAX, 7, 9],
    });
    for emission in [0, 1, 12345, u64::MAX] {
        let joined = join(std::slice::from_ref(&one), &[emission], emission).unwrap();
        assert_eq!(joined.dividends, one.dividends);
        assert_eq!(joined.active, one.active);
        assert_eq!(joined.validator_permit, one.validator_permit);
        assert_eq!(joined.server_emission, amounts(1, 2, 3));
        assert_eq!(joined.validator_emission, amounts(4, 5, 6));
        assert_eq!(joined.emission, Some(vec![u64::MAX, 7, 9]));
    }
}

#[test]
fn two_mechanisms_are_weighted_and_flags_joined() {
    let (mut a, mut b) = (mechanism(vec![1000, 3]), mechanism(vec![2000, 0]));
    a.active = vec![true, false];
    b.validator_permit = vec![false, true];
    a.emission = Some(Emission {
        server: Some(vec![3, 4]),
        validator: Some(vec![1, 0]),
        combined: vec![4, 5],
    });
    b.emission = Some(Emission {
        server: Some(vec![7, 0]),
        validator: Some(vec![2, 0]),
        combined: vec![9, 1],
    });
    let joined = join(&[a, b], &[30, 10], 40).unwrap();
    // 1000 * 3/4 + 2000 / 4; floor(3 * 3/4).
    assert_eq!(joined.dividends, [1250, 2]);
    assert_eq!(joined.active, [true, false]);
    assert_eq!(joined.validator_permit, [false, true]);
    assert_eq!(joined.server_emission, Some(vec![10, 4]));
    assert_eq!(joined.validator_emission, Some(vec![3, 0]));
    // floor(floor(4 * 3/4) + 9/4), floor(floor(5 * 3/4) + 1/4).
    assert_eq!(joined.emission, Some(vec![5, 3]));
}

#[test]
fn an_unknown_emission_of_one_makes_the_whole_unknown() {
    let mut a = mechanism(vec![1]);
    a.emission = Some(Emission {
        server: Some(vec![1]),
        validator: None,
        combined: vec![1],
    });
    let joined = join(&[a, mechanism(vec![1])], &[1, 1], 2).unwrap();
    assert_eq!(
        (
            joined.server_emission,
            joined.validator_emission,
            joined.emission
        ),
        (None, None, None)
    );
}

#[test]
fn mechanisms_must_agree_in_length() {
    let outputs = [mechanism(vec![1, 2]), mechanism(vec![1])];
    assert!(matches!(
        join(&outputs, &[1, 1], 2),
        Err(EpochError::Length {
            got: 1,
            expected: 2,
            ..
        })
    ));
    assert!(matches!(
        join(&outputs, &[2], 2),
        Err(EpochError::Length { what: "parts", .. })
    ));
    assert_eq!(join(&[], &[], 5).unwrap().dividends, Vec::<u16>::new());
}

#[test]
fn emission_is_split_without_a_loss() {
    assert_eq!(split_emission(10, 3, None), [4, 3, 3]);
    assert_eq!(split_emission(10, 0, None), Vec::<u64>::new());
    assert_eq!(split_emission(u64::MAX, 1, Some(&[])), [u64::MAX]);
    // A split for more mechanisms than there are is cut off, and what is missing goes to the first.
    assert_eq!(split_emission(65535, 1, Some(&[1, 65534])), [65535]);
    // Shares that pass the whole are kept as they are.
    assert_eq!(
        split_emission(65535, 2, Some(&[65535, 65535])),
        [65535, 65535]
    );
    assert_eq!(split_emission(65535, 4, Some(&[1, 2])), [65533, 2, 0, 0]);
}
