//! Epochs written as JSON, as the fixtures have them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fixed::I64F64;
use crate::yuma::{EpochInputs, EpochOutputs, Hyperparameters, Row, YumaRules};

/// A fixture, decompressed.
pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/{name}.json.zst", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect(&path);
    serde_json::from_slice(&zstd::decode_all(&*bytes).unwrap()).unwrap()
}

pub(crate) fn int<T: TryFrom<i128>>(value: &Value) -> T {
    let number = match value {
        Value::Number(number) => number.to_string().parse::<i128>().unwrap(),
        Value::String(text) => text.parse().unwrap(),
        other => panic!("{other} is not an integer"),
    };
    T::try_from(number).ok().expect("the number fits")
}

pub(crate) fn ints<T: TryFrom<i128>>(value: &Value) -> Vec<T> {
    value
        .as_array()
        .expect("an array")
        .iter()
        .map(int)
        .collect()
}

pub(crate) fn bools(value: &Value) -> Vec<bool> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_bool().unwrap())
        .collect()
}

fn pairs(value: &Value) -> Vec<(u16, u16)> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (int(&pair[0]), int(&pair[1])))
        .collect()
}

pub(crate) fn row_map(value: &Value) -> BTreeMap<u16, Vec<(u16, u16)>> {
    let rows = value.as_object().unwrap();
    rows.iter()
        .map(|(uid, row)| (uid.parse().unwrap(), pairs(row)))
        .collect()
}

/// The inputs of a case. Every output is computed, whether the runtime stores it or not, so that all expectations can be compared.
pub(crate) fn inputs(case: &Value) -> EpochInputs<'static> {
    let mut inputs = stored_inputs(case);
    inputs.rules.stores_rank_trust = true;
    inputs.rules.stores_stake_weight = true;
    if inputs.rules.pruning == crate::yuma::rules::Pruning::None {
        inputs.rules.pruning = crate::yuma::rules::Pruning::MaxUpscale;
    }
    inputs
}

/// The inputs of a case by the rules of its spec.
pub(crate) fn stored_inputs(case: &Value) -> EpochInputs<'static> {
    let spec = int(&case["spec"]);
    let n: u16 = int(&case["n"]);
    let rows = |what: &str| {
        row_map(&case[what])
            .into_iter()
            .map(|(uid, row)| Row::owned(uid, row))
            .collect()
    };
    let commit_blocks = match case.get("commit_blocks") {
        None => vec![],
        Some(blocks) => {
            let blocks = blocks.as_object().unwrap();
            (0..n)
                .map(|uid| blocks.get(&uid.to_string()).map_or(u64::MAX, int))
                .collect()
        }
    };
    let stake: Vec<I64F64> = match case.get("stake_bits") {
        Some(bits) => ints(bits).into_iter().map(I64F64::from_bits).collect(),
        None => ints(&case["stake"])
            .into_iter()
            .map(I64F64::saturating_from_u64)
            .collect(),
    };
    let alpha = ints(&case["alpha_values"]);
    EpochInputs {
        rules: YumaRules::for_spec(spec).unwrap(),
        params: Hyperparameters {
            tempo: int(&case["tempo"]),
            // The reference knows blocks only; from spec 423 on a factor with a tempo of 1000 would say the same.
            activity_cutoff: int(&case["activity_cutoff"]),
            activity_cutoff_factor_milli: 0,
            max_validators: int(&case["max_validators"]),
            stake_threshold: int(&case["stake_threshold"]),
            kappa: int(&case["kappa"]),
            bonds_moving_average: int(&case["bonds_moving_average"]),
            bonds_penalty: int(&case["bonds_penalty"]),
            yuma3: case["yuma3"].as_bool().unwrap(),
            liquid_alpha: case["liquid_alpha"].as_bool().unwrap(),
            alpha_low: alpha[0],
            alpha_high: alpha[1],
            alpha_sigmoid_steepness: int(&case["alpha_sigmoid_steepness"]),
            commit_reveal: case["commit_reveal"].as_bool().unwrap(),
        },
        block: int(&case["block"]),
        n,
        last_update: ints(&case["last_update"]).into(),
        block_at_registration: ints(&case["block_at_registration"]).into(),
        last_step_block: int(&case["last_step_block"]),
        total_stake: stake.into(),
        owner_uid: case["owner_uid"]
            .as_u64()
            .map(|uid| u16::try_from(uid).unwrap()),
        validator_permit: bools(&case["validator_permit"]).into(),
        weights: rows("weights"),
        bonds: rows("bonds"),
        commit_blocks: commit_blocks.into(),
        emission: case
            .get("rao_emission")
            .filter(|rao| !rao.is_null())
            .map(int),
    }
    .with_cutoff_in_blocks()
}

impl EpochInputs<'_> {
    /// Cases give the activity cutoff in blocks for every spec.
    fn with_cutoff_in_blocks(mut self) -> Self {
        self.rules.activity = crate::yuma::rules::ActivityRule::Blocks;
        self
    }
}

/// Compares everything that `expected` names.
pub(crate) fn assert_outputs(name: &str, expected: &Value, outputs: &EpochOutputs) {
    let shares: [(&str, Option<&Vec<u16>>); 8] = [
        ("stake_weight", outputs.stake_weight.as_ref()),
        ("consensus", Some(&outputs.consensus)),
        ("incentive", Some(&outputs.incentive)),
        ("dividends", Some(&outputs.dividends)),
        ("validator_trust", Some(&outputs.validator_trust)),
        ("rank", outputs.rank.as_ref()),
        ("trust", outputs.trust.as_ref()),
        ("pruning_scores", outputs.pruning_scores.as_ref()),
    ];
    let emission = outputs.emission.clone().unwrap_or_default();
    let amounts = [
        ("emission", Some(&emission.combined)),
        ("server_emission", emission.server.as_ref()),
        ("validator_emission", emission.validator.as_ref()),
    ];
    let flags = [
        ("active", &outputs.active),
        ("validator_permit", &outputs.validator_permit),
    ];
    for (key, value) in expected.as_object().unwrap() {
        let label = format!("{name}: {key}");
        if let Some((_, got)) = shares.iter().find(|(known, _)| known == key) {
            assert_eq!(*got, Some(&ints(value)), "{label}");
        } else if let Some((_, got)) = amounts.iter().find(|(known, _)| known == key) {
            assert_eq!(*got, Some(&ints(value)), "{label}");
        } else if let Some((_, got)) = flags.iter().find(|(known, _)| known == key) {
            assert_eq!(**got, bools(value), "{label}");
        } else if key == "bonds" {
            for (uid, row) in row_map(value) {
                assert_eq!(
                    outputs.bonds.row(uid).unwrap_or_default(),
                    row,
                    "{label} of {uid}"
                );
            }
        } else {
            panic!("{label} is not an output");
        }
    }
}
