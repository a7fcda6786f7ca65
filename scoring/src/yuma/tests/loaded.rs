//! Amounts that become stake.

use proptest::prelude::*;
use substrate_fixed::types::I64F64;

use crate::yuma::YumaRules;
use crate::yuma::loaded::{Delegate, Split, split, stake_growth};

/// The chain's formula with the library that the chain uses.
fn oracle(emission: u64, take: u16, total: u64, nominators: &[u64]) -> (u64, Vec<u64>) {
    let fixed = |value: u64| I64F64::from_num(value);
    let taken: u64 = (fixed(take.into()) / fixed(65535) * fixed(emission)).to_num();
    let rest = fixed(emission - taken);
    let part = |stake: &u64| match total {
        0 => 0,
        total => (rest * (fixed(*stake) / fixed(total))).to_num(),
    };
    (taken, nominators.iter().map(part).collect())
}

proptest! {
    #[test]
    fn parts_are_those_of_the_library(
        emission in prop_oneof![0..1000u64, 0..(1u64 << 40), 0..(1u64 << 62)],
        take: u16,
        nominators in prop::collection::vec(prop_oneof![Just(0u64), 1..1000u64, 0..(1u64 << 54)], 0..8),
    ) {
        let total = nominators.iter().sum();
        let (taken, parts) = oracle(emission, take, total, &nominators);
        let delegate = Delegate { take, total, nominators: &nominators };
        let found = split(emission, &delegate);
        prop_assert_eq!((found.take, &found.parts), (taken, &parts));
        let given = taken + parts.iter().sum::<u64>();
        prop_assert_eq!(found.lost, emission - given);
        let growth = |spec| stake_growth(YumaRules::for_spec(spec).unwrap().loaded_emission, emission, Some(&delegate));
        prop_assert_eq!([120, 121, 194, 195].map(growth), [given, emission, emission, 0]);
        let alone = |spec| stake_growth(YumaRules::for_spec(spec).unwrap().loaded_emission, emission, None);
        prop_assert_eq!([120, 121, 194, 195].map(alone), [emission, emission, emission, 0]);
    }

    #[test]
    fn no_amount_panics(emission: u64, take: u16, total: u64, nominators in prop::collection::vec(any::<u64>(), 0..4)) {
        let delegate = Delegate { take, total, nominators: &nominators };
        prop_assert_eq!(split(emission, &delegate).parts.len(), nominators.len());
    }
}

#[test]
fn a_split_by_hand() {
    // 11796 of 65535 of a thousand are 179.99; of the other 821 a third each is 273.66.
    let delegate = Delegate {
        take: 11_796,
        total: 9,
        nominators: &[3, 3, 3],
    };
    let expected = Split {
        take: 179,
        parts: vec![273, 273, 273],
        lost: 2,
    };
    assert_eq!(split(1000, &delegate), expected);
    // As a recorded chain of spec 103 did it: the only nominator gets all that the take leaves.
    let delegate = Delegate {
        take: 11_796,
        total: 2_686_107_718,
        nominators: &[2_686_107_718],
    };
    let rules = YumaRules::for_spec(103).unwrap();
    let growth = stake_growth(rules.loaded_emission, 41_939_591, Some(&delegate));
    assert_eq!(2_686_107_718 + growth, 2_728_047_309);
    assert_eq!(split(41_939_591, &delegate).take, 7_548_934);
}
