//! What-if across upgrades of the runtime: each epoch by the rules that ran it.

use chain_metadata::{AccountId, NetUid};
use indexer::store::Store;
use indexer::whatif::WhatIfError;
use indexer::whatif::difference::{Wanted, difference};
use indexer::whatif::simulation::simulation;
use scoring::diff::{Cause, Measure};
use scoring::simulate::Patch;
use scoring::yuma;

use super::computed::{Stored, epochs, subnets};
use crate::context::indexed;

/// Epochs of a subnet under all three runtimes.
async fn recorded() -> (Store, NetUid, Vec<Stored>) {
    let store = indexed("upgrades").await;
    let found = subnets(&store).into_iter().find_map(|netuid| {
        let epochs = epochs(&store, netuid);
        let mut specs: Vec<u32> = epochs.iter().map(|s| s.epoch.inputs.rules.spec).collect();
        specs.dedup();
        (specs == [103, 119, 143]).then_some((netuid, epochs))
    });
    let (netuid, epochs) = found.expect("a subnet with epochs of all three runtimes");
    (store, netuid, epochs)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_takes_the_rules_of_each_epoch() {
    let (store, netuid, epochs) = recorded().await;
    let first = &epochs[0].epoch;
    let horizon = u32::try_from(epochs.len()).unwrap() + 3;
    let told = simulation(&store, first.key, horizon, &Patch::default()).unwrap();
    assert_eq!(told.epochs.len(), epochs.len() + 3);
    let mut other_rules_differ = 0;
    for (told, stored) in told.epochs.iter().zip(&epochs) {
        let label = format!("{netuid} {:?}", stored.epoch.key);
        assert!(told.is_given && told.delta.is_zero(), "{label}");
        for (uid, neuron) in stored.neurons.iter().enumerate() {
            assert_eq!(neuron.incentive, Some(told.base.incentive[uid]), "{label}");
            assert_eq!(neuron.dividends, Some(told.base.dividends[uid]), "{label}");
            assert_eq!(neuron.consensus, Some(told.base.consensus[uid]), "{label}");
            let pruning = told.base.pruning_scores.as_ref().unwrap()[uid];
            assert_eq!(neuron.pruning_score, Some(pruning), "{label}");
        }
        // With the rules of the first runtime these would be other numbers.
        let mut inputs = stored.epoch.inputs.clone();
        inputs.rules = first.inputs.rules;
        let by_first = yuma::epoch(&inputs).unwrap();
        other_rules_differ += u32::from(by_first.pruning_scores != told.base.pruning_scores);
    }
    assert!(other_rules_differ > 0);
    // Beyond the last stored one the last runtime goes on: bonds on its scale.
    let beyond = &told.epochs[epochs.len()..];
    assert!(beyond.iter().all(|epoch| !epoch.is_given));
    let note = format!("3 of {horizon} epochs are not stored");
    assert!(
        told.notes.iter().any(|n| n.contains(&note)),
        "{:?}",
        told.notes
    );
    let last = &epochs.last().unwrap().epoch.inputs;
    let blocks: Vec<u64> = beyond.iter().map(|epoch| epoch.block).collect();
    let period = u64::from(last.params.tempo) + 1;
    let wanted: Vec<u64> = (1..=3).map(|n| last.block + n * period).collect();
    assert_eq!(blocks, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_must_fit_every_runtime_of_its_range() {
    let (store, _, epochs) = recorded().await;
    let horizon = u32::try_from(epochs.len()).unwrap();
    let key = epochs[0].epoch.key;
    let patch = Patch {
        yuma3: Some(true),
        ..Patch::default()
    };
    match simulation(&store, key, horizon, &patch) {
        Err(WhatIfError::BadInput(text)) => assert!(text.contains("103"), "{text}"),
        other => panic!("{other:?}"),
    }
    // One that all of them know works in all of them.
    let patch = Patch {
        kappa: Some(1),
        ..Patch::default()
    };
    let told = simulation(&store, key, horizon, &patch).unwrap();
    assert!(told.epochs.iter().all(|epoch| epoch.is_given));
    for spec in [103, 119, 143] {
        let of_spec = told.epochs.iter().zip(&epochs);
        let mut of_spec = of_spec.filter(|(_, s)| s.epoch.inputs.rules.spec == spec);
        assert!(
            of_spec.any(|(epoch, _)| !epoch.delta.is_zero()),
            "nothing changes under spec {spec}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_across_an_upgrade_has_a_term_for_the_rules() {
    let (store, netuid, epochs) = recorded().await;
    let (mut crossed, mut checked) = (0, 0);
    for (a, b) in epochs
        .iter()
        .zip(epochs.iter().skip(1))
        .chain([(epochs.first().unwrap(), epochs.last().unwrap())])
    {
        let crosses = a.epoch.inputs.rules != b.epoch.inputs.rules;
        let mut inputs = a.epoch.inputs.clone();
        inputs.rules = b.epoch.inputs.rules;
        let by_new_rules = yuma::epoch(&inputs).unwrap();
        let hotkeys: Vec<AccountId> = b.neurons.iter().map(|n| n.hotkey).collect();
        for hotkey in hotkeys {
            for measure in [Measure::Incentive, Measure::Dividends] {
                let wanted = Wanted {
                    netuid,
                    mechanism: a.epoch.key.mechanism,
                    hotkey,
                    from: a.epoch.key.block,
                    to: b.epoch.key.block,
                    measure,
                    detail: 16,
                };
                let told = difference(&store, &wanted).unwrap().diff;
                let rules: Vec<_> = told
                    .terms
                    .iter()
                    .filter(|term| term.cause == Cause::Rules)
                    .collect();
                assert_eq!(rules.len(), usize::from(crosses), "{wanted:?} {told:?}");
                // The rules are replaced before everything else.
                if crosses {
                    assert_eq!(told.terms[0].cause, Cause::Rules);
                }
                let sum: i32 = told.terms.iter().map(|term| term.change).sum();
                assert_eq!(sum, i32::from(told.to) - i32::from(told.from));
                crossed += u32::from(crosses);
                // What the new rules alone make of the old inputs.
                if let ([term], Some(uid)) = (rules.as_slice(), told.from_uid) {
                    let alone = match measure {
                        Measure::Incentive => &by_new_rules.incentive,
                        Measure::Dividends => &by_new_rules.dividends,
                    };
                    let wanted = i32::from(alone[usize::from(uid)]) - i32::from(told.from);
                    assert_eq!(term.change, wanted, "{told:?}");
                    checked += 1;
                }
            }
        }
    }
    assert!(crossed > 4, "{crossed}");
    assert!(checked > 4, "{checked}");
}
