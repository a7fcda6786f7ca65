//! The epoch vectors: values asserted by the chain's own tests, and those of an independent reference.

use serde_json::Value;

use super::case::{assert_outputs, fixture, inputs, int, ints, row_map};
use crate::fixed::I32F32;
use crate::yuma::{EpochInputs, EpochOutputs, Row, Scratch, Trace, epoch, epoch_observed, plain};

fn checked(inputs: &EpochInputs<'_>) -> EpochOutputs {
    let outputs = epoch(inputs).unwrap();
    assert_eq!(
        plain::epoch(inputs).unwrap(),
        outputs,
        "the plain transcription differs"
    );
    outputs
}

#[test]
fn all_epoch_vectors() {
    let vectors = fixture("yuma_vectors");
    let cases = vectors["epoch"].as_array().unwrap();
    assert_eq!(cases.len(), 106);
    let mut scratch = Scratch::default();
    let (mut asserted, mut exact, mut raw) = (0, 0, 0);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        if case["kind"] == "epoch_generator" {
            asserted += 1;
            generated_512(case);
            continue;
        }
        let inputs = inputs(&case["input"]);
        let outputs = checked(&inputs);
        let mut trace = Trace::default();
        assert_eq!(
            epoch_observed(&inputs, &mut scratch, &mut trace).unwrap(),
            outputs,
            "{name}"
        );
        assert_outputs(name, &case["expected_full_reference"], &outputs);
        exact += 1;
        raw += assert_raw(name, &case["expected_raw_fixed"], &trace);
        asserted += assert_chain(
            name,
            &case["expected_from_chain_test"],
            &case["tolerance"],
            &outputs,
            &trace,
        );
    }
    // 105 cases by the reference with seven raw vectors each; 75 of all cases carry assertions of the chain's tests.
    assert_eq!((exact, raw), (105, 105 * 7));
    assert_eq!(
        asserted,
        cases.iter().filter(|case| has_chain_values(case)).count()
    );
}

fn has_chain_values(case: &Value) -> bool {
    case["expected_from_chain_test"]
        .as_object()
        .is_some_and(|values| !values.is_empty())
}

fn assert_raw(name: &str, expected: &Value, trace: &Trace) -> usize {
    let vectors = [
        ("consensus", &trace.consensus),
        ("incentive", &trace.incentive),
        ("dividends", &trace.dividends),
        ("active_stake", &trace.active_stake),
        ("stake", &trace.stake),
        ("validator_trust", &trace.validator_trust),
        ("norm_emission", &trace.combined_emission),
    ];
    let expected = expected.as_object().unwrap();
    for (key, value) in expected {
        let (_, got) = vectors.iter().find(|(known, _)| known == key).unwrap();
        let got: Vec<i64> = got.iter().map(|value| value.to_bits()).collect();
        assert_eq!(got, ints::<i64>(value), "{name}: raw {key}");
    }
    expected.len()
}

/// What the chain's own tests assert: exact, or fractions within a tolerance.
fn assert_chain(
    name: &str,
    expected: &Value,
    tolerance: &Value,
    outputs: &EpochOutputs,
    trace: &Trace,
) -> usize {
    let Some(expected) = expected.as_object().filter(|values| !values.is_empty()) else {
        return 0;
    };
    let near = |got: f64, wanted: &Value, what: &str| {
        let (wanted, tolerance) = (wanted.as_f64().unwrap(), tolerance.as_f64().unwrap());
        assert!(
            (got - wanted).abs() <= tolerance,
            "{name}: {what} is {got}, not {wanted}"
        );
    };
    for (key, value) in expected {
        match key.as_str() {
            "bonds_fraction_servers_from_uid3" => {
                for (validator, row) in value.as_array().unwrap().iter().enumerate() {
                    let stored = outputs
                        .bonds
                        .row(u16::try_from(validator).unwrap())
                        .unwrap();
                    for (miner, wanted) in (3u16..).zip(row.as_array().unwrap()) {
                        let bond = stored
                            .iter()
                            .find(|(uid, _)| *uid == miner)
                            .map_or(0, |(_, bond)| *bond);
                        near(f64::from(bond) / 65535.0, wanted, "bond");
                    }
                }
            }
            "dividends_fraction" => {
                for (got, wanted) in outputs.dividends.iter().zip(value.as_array().unwrap()) {
                    near(f64::from(*got) / 65535.0, wanted, "dividend");
                }
            }
            "bonds" => assert_bond_cells(name, value, outputs),
            key => {
                let one = serde_json::json!({ key: value });
                match value {
                    Value::Object(some) => some.iter().for_each(|(uid, wanted)| {
                        assert_eq!(
                            field(outputs, key)[uid.parse::<usize>().unwrap()],
                            int::<u64>(wanted),
                            "{name}: {key} of {uid}"
                        );
                    }),
                    _ => assert_outputs(name, &one, outputs),
                }
            }
        }
    }
    assert_eq!(trace.incentive.len(), outputs.incentive.len());
    1
}

fn field(outputs: &EpochOutputs, key: &str) -> Vec<u64> {
    let shares = |values: &[u16]| values.iter().map(|value| u64::from(*value)).collect();
    match key {
        "consensus" => shares(&outputs.consensus),
        "incentive" => shares(&outputs.incentive),
        "dividends" => shares(&outputs.dividends),
        "rank" => shares(outputs.rank.as_ref().unwrap()),
        "trust" => shares(outputs.trust.as_ref().unwrap()),
        "emission" => outputs.emission.as_ref().unwrap().combined.clone(),
        _ => panic!("{key}"),
    }
}

fn assert_bond_cells(name: &str, value: &Value, outputs: &EpochOutputs) {
    let cell = |row: u16, column: u16| {
        let row = outputs.bonds.row(row).unwrap_or_default();
        row.iter()
            .find(|(uid, _)| *uid == column)
            .map_or(0, |(_, bond)| *bond)
    };
    match value {
        Value::Object(cells) if cells.keys().all(|key| key.contains(',')) => {
            for (key, wanted) in cells {
                let (row, column) = key.split_once(',').unwrap();
                assert_eq!(
                    cell(row.parse().unwrap(), column.parse().unwrap()),
                    int::<u16>(wanted),
                    "{name}: bond {key}"
                );
            }
        }
        Value::Object(_) => {
            for (row, entries) in row_map(value) {
                for (column, wanted) in entries {
                    assert_eq!(cell(row, column), wanted, "{name}: bond {row},{column}");
                }
            }
        }
        other => panic!("{name}: bonds {other}"),
    }
}

/// 512 neurons, of which the first 64 validate and weigh all others, for three epochs in the same block; with and without weights for themselves.
fn generated_512(case: &Value) {
    for own in [false, true] {
        let full: Vec<(u16, u16)> = (64..512).map(|uid| (uid, 65535)).collect();
        let mut rows: Vec<Row<'_>> = (0..64).map(|uid| Row::borrowed(uid, &full)).collect();
        let alone: Vec<[(u16, u16); 1]> = (64..512).map(|uid| [(uid, 65535)]).collect();
        if own {
            rows.extend((64..).zip(&alone).map(|(uid, row)| Row::borrowed(uid, row)));
        }
        let mut inputs = inputs(&serde_json::json!({
            "spec": 425, "n": 512, "block": 1, "tempo": 360, "activity_cutoff": 5000,
            "last_update": vec![1; 512], "block_at_registration": vec![0; 512],
            "stake": (0..512).map(|uid| if uid < 64 { 328_125_000_000_000u64 } else { 0 }).collect::<Vec<_>>(),
            "stake_threshold": 0, "owner_uid": null, "validator_permit": (0..512).map(|uid| uid < 64).collect::<Vec<_>>(),
            "max_validators": 64, "weights": {}, "bonds": {}, "kappa": 32767, "bonds_moving_average": 900_000,
            "bonds_penalty": 65535, "yuma3": false, "liquid_alpha": false, "alpha_values": [45875, 58982],
            "alpha_sigmoid_steepness": 1000, "commit_reveal": false, "rao_emission": 1_000_000_000, "last_step_block": 0,
        }));
        inputs.weights = rows;
        for _ in 0..3 {
            let outputs = checked(&inputs);
            assert_chain(
                "512_graph",
                &case["expected_from_chain_test"],
                &Value::Null,
                &outputs,
                &{
                    let incentive = vec![I32F32::ZERO; 512];
                    Trace {
                        incentive,
                        ..Trace::default()
                    }
                },
            );
            inputs.bonds = (0..512)
                .map(|uid| Row::owned(uid, outputs.bonds.row(uid).unwrap().to_vec()))
                .collect();
        }
    }
}
