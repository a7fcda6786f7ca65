//! Canonical bytes of what goes into an epoch and what comes out, to be hashed.
//!
//! SCALE, in the order of the fields below; rows sorted by uid, each in its stored order. The bytes
//! depend on nothing but the chain and the rules.

use parity_scale_codec::Encode;
use scoring::yuma::{EpochInputs, EpochOutputs, Row};

/// blake2-256 of the inputs of one epoch, the amount to distribute included where it is known.
pub fn inputs(inputs: &EpochInputs<'_>) -> [u8; 32] {
    let p = &inputs.params;
    let mut bytes = Vec::new();
    (inputs.rules.spec, inputs.block, inputs.n).encode_to(&mut bytes);
    (p.tempo, p.activity_cutoff, p.activity_cutoff_factor_milli).encode_to(&mut bytes);
    (p.max_validators, p.stake_threshold, p.kappa).encode_to(&mut bytes);
    (p.bonds_moving_average, p.bonds_penalty).encode_to(&mut bytes);
    (p.yuma3, p.liquid_alpha, p.alpha_low, p.alpha_high).encode_to(&mut bytes);
    (p.alpha_sigmoid_steepness, p.commit_reveal).encode_to(&mut bytes);
    inputs.last_update.encode_to(&mut bytes);
    inputs.block_at_registration.encode_to(&mut bytes);
    inputs.last_step_block.encode_to(&mut bytes);
    let stake: Vec<i128> = inputs.total_stake.iter().map(|s| s.to_bits()).collect();
    stake.encode_to(&mut bytes);
    inputs.owner_uid.encode_to(&mut bytes);
    inputs.validator_permit.encode_to(&mut bytes);
    rows(&inputs.weights, &mut bytes);
    rows(&inputs.bonds, &mut bytes);
    inputs.commit_blocks.encode_to(&mut bytes);
    inputs.emission.encode_to(&mut bytes);
    chain_metadata::blake2_256(&bytes).0
}

/// blake2-256 of the results of one epoch.
pub fn results(outputs: &EpochOutputs) -> [u8; 32] {
    let mut bytes = Vec::new();
    outputs.stake_weight.encode_to(&mut bytes);
    outputs.active.encode_to(&mut bytes);
    (&outputs.consensus, &outputs.incentive, &outputs.dividends).encode_to(&mut bytes);
    (&outputs.validator_trust, &outputs.rank, &outputs.trust).encode_to(&mut bytes);
    outputs.pruning_scores.encode_to(&mut bytes);
    outputs.validator_permit.encode_to(&mut bytes);
    let bonds: Vec<Option<Vec<(u16, u16)>>> = outputs
        .bonds
        .iter()
        .map(|row| row.map(<[_]>::to_vec))
        .collect();
    bonds.encode_to(&mut bytes);
    let emission = outputs.emission.as_ref();
    emission.map(|e| &e.combined).encode_to(&mut bytes);
    chain_metadata::blake2_256(&bytes).0
}

fn rows(rows: &[Row<'_>], bytes: &mut Vec<u8>) {
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by_key(|row| row.uid);
    let plain: Vec<(u16, &[(u16, u16)])> =
        sorted.iter().map(|row| (row.uid, &*row.entries)).collect();
    plain.encode_to(bytes);
}
