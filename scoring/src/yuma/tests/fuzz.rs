//! Random subnets over all rules, computed by an independent reference.

use std::collections::BTreeMap;

use super::case::{assert_outputs, fixture, inputs};
use crate::yuma::{EpochInputs, Scratch, Silent, epoch_observed, epochs, plain};

#[test]
fn random_subnets_agree_with_the_reference() {
    let cases = fixture("fuzz");
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 300, "only {}", cases.len());
    let mut scratch = Scratch::default();
    let mut per_spec = BTreeMap::<u32, u32>::new();
    for case in cases {
        let inputs = inputs(&case["input"]);
        let name = case["name"].as_str().unwrap();
        *per_spec.entry(inputs.rules.spec).or_default() += 1;
        let outputs = epoch_observed(&inputs, &mut scratch, &mut Silent).unwrap();
        assert_outputs(name, &case["expected"], &outputs);
        assert_eq!(
            plain::epoch(&inputs).unwrap(),
            outputs,
            "{name}: the plain transcription differs"
        );
    }
    assert!(
        per_spec.len() >= 60 && per_spec.values().all(|count| *count >= 6),
        "{per_spec:?}"
    );
}

#[test]
fn one_thread_and_many_give_the_same() {
    let cases = fixture("fuzz");
    let inputs: Vec<EpochInputs<'_>> = cases
        .as_array()
        .unwrap()
        .iter()
        .map(|case| inputs(&case["input"]))
        .collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| epochs(&inputs))
    };
    let one = run(1);
    assert_eq!(one.len(), inputs.len());
    assert_eq!(one, run(7));
    let each: Vec<_> = inputs.iter().map(crate::yuma::epoch).collect();
    assert_eq!(one, each);
}
