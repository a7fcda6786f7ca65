//! Every epoch of two chains that real runtimes ran, with inputs from their storage and expectations from what they stored afterwards.

use serde_json::Value;

use super::case::{bools, fixture, ints, row_map, stored_inputs};
use crate::yuma::rules::ActivityRule;
use crate::yuma::{EpochInputs, EpochOutputs, epoch, plain};

#[test]
fn recorded_epochs_are_exact() {
    let cases = fixture("recorded");
    let cases = cases.as_array().unwrap();
    let (mut yuma3, mut liquid, mut penalty, mut specs) =
        (0, 0, 0, std::collections::BTreeMap::new());
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let inputs = recorded_inputs(&case["input"]);
        let outputs = epoch(&inputs).unwrap();
        assert_eq!(
            plain::epoch(&inputs).unwrap(),
            outputs,
            "{name}: the plain transcription differs"
        );
        let replaced: Vec<usize> = ints(&case["replaced"]);
        assert_stored(name, &case["expected"], &outputs, &inputs, &replaced);
        *specs.entry(inputs.rules.spec).or_insert(0) += 1;
        yuma3 += usize::from(inputs.params.yuma3);
        liquid += usize::from(inputs.params.yuma3 && inputs.params.liquid_alpha);
        penalty += usize::from(!matches!(inputs.params.bonds_penalty, 0 | 65535));
    }
    // The recording of runtime 300 is of a development build with the epoch of 283 to 296.
    assert_eq!(
        specs.into_iter().collect::<Vec<_>>(),
        [(103, 11), (119, 7), (143, 5), (296, 73)]
    );
    assert!(
        yuma3 > 0 && liquid > 0 && penalty > 0,
        "{yuma3} {liquid} {penalty}"
    );
}

fn recorded_inputs(case: &Value) -> EpochInputs<'static> {
    let mut inputs = stored_inputs(case);
    inputs.rules.activity = ActivityRule::Blocks;
    inputs
}

/// Compares with what is stored, but for uids that an extrinsic of the same block replaced afterwards.
fn assert_stored(
    name: &str,
    expected: &Value,
    outputs: &EpochOutputs,
    inputs: &EpochInputs<'_>,
    replaced: &[usize],
) {
    let shares = |values: &Option<Vec<u16>>| values.clone().unwrap();
    for (key, stored) in expected.as_object().unwrap() {
        let label = format!("{name}: {key}");
        match key.as_str() {
            "stake_weight" => compare(
                &label,
                &ints(stored),
                &shares(&outputs.stake_weight),
                replaced,
            ),
            "consensus" => compare(&label, &ints(stored), &outputs.consensus, replaced),
            "incentive" => compare(&label, &ints(stored), &outputs.incentive, replaced),
            "dividends" => compare(&label, &ints(stored), &outputs.dividends, replaced),
            "validator_trust" => compare(&label, &ints(stored), &outputs.validator_trust, replaced),
            "rank" => compare(&label, &ints(stored), &shares(&outputs.rank), replaced),
            "trust" => compare(&label, &ints(stored), &shares(&outputs.trust), replaced),
            "pruning_scores" => compare(
                &label,
                &ints(stored),
                &shares(&outputs.pruning_scores),
                replaced,
            ),
            "emission" => compare(
                &label,
                &ints(stored),
                &outputs.emission.as_ref().unwrap().combined,
                replaced,
            ),
            "active" => compare(&label, &bools(stored), &outputs.active, replaced),
            "validator_permit" => {
                compare(&label, &bools(stored), &outputs.validator_permit, replaced)
            }
            "bonds" => {
                let stored = row_map(stored);
                let row_after = |uid: u16| stored.get(&uid).cloned().unwrap_or_default();
                let row_before = |uid: u16| {
                    let row = inputs.bonds.iter().find(|row| row.uid == uid);
                    row.map_or_else(Vec::new, |row| row.entries.to_vec())
                };
                let uids = (0..inputs.n).filter(|uid| !replaced.contains(&usize::from(*uid)));
                for uid in uids {
                    // A row that the epoch leaves alone stays as it was.
                    let row = outputs
                        .bonds
                        .row(uid)
                        .map_or_else(|| row_before(uid), <[_]>::to_vec);
                    assert_eq!(row, row_after(uid), "{label} of {uid}");
                }
            }
            other => panic!("{other}"),
        }
    }
}

fn compare<T: PartialEq + std::fmt::Debug>(
    label: &str,
    stored: &[T],
    computed: &[T],
    replaced: &[usize],
) {
    assert!(stored.len() >= computed.len(), "{label}");
    for (uid, (stored, computed)) in stored.iter().zip(computed).enumerate() {
        assert!(
            stored == computed || replaced.contains(&uid),
            "{label} of {uid}: {computed:?}, stored {stored:?}"
        );
    }
}
