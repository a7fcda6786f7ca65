//! A small subnet for tests: validators 0, 1 and 2, miners 3, 4 and 5.

use crate::fixed::I64F64;
use crate::yuma::{EpochInputs, EpochOutputs, Row, YumaRules, epoch, plain};

/// The subnet by the rules and the defaults of a spec version, at block 1000 with a tempo of 99.
pub(crate) fn subnet(spec: u32) -> EpochInputs<'static> {
    let rules = YumaRules::for_spec(spec).unwrap();
    let row = |uid, weights: [u16; 3]| Row::owned(uid, (3..).zip(weights).collect());
    EpochInputs {
        rules,
        params: rules.defaults().params,
        block: 1000,
        n: 6,
        last_update: vec![990; 6].into(),
        block_at_registration: vec![0; 6].into(),
        last_step_block: 900,
        total_stake: stakes(&[500, 300, 200, 0, 0, 0]).into(),
        owner_uid: None,
        validator_permit: vec![true, true, true, false, false, false].into(),
        weights: vec![
            row(0, [65535, 32768, 100]),
            row(1, [30000, 65535, 5000]),
            row(2, [65535, 65535, 65535]),
        ],
        bonds: vec![
            row(0, [65535, 40000, 1]),
            row(1, [20000, 65535, 30000]),
            row(2, [0, 9000, 65535]),
        ],
        commit_blocks: vec![].into(),
        emission: Some(1_000_000_000),
    }
}

pub(crate) fn stakes(stakes: &[u64]) -> Vec<I64F64> {
    stakes
        .iter()
        .map(|stake| I64F64::saturating_from_u64(*stake))
        .collect()
}

/// The outputs, which the plain transcription must confirm.
pub(crate) fn outputs(inputs: &EpochInputs<'_>) -> EpochOutputs {
    let outputs = epoch(inputs).unwrap();
    assert_eq!(
        plain::epoch(inputs).unwrap(),
        outputs,
        "the plain transcription differs"
    );
    outputs
}
