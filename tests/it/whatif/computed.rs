//! Every epoch of a recording: each number explained, each change split, emissions compared. The
//! inputs of an epoch are read once for all questions about it.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{AccountId, MechId, NetUid};
use indexer::store::Store;
use indexer::view::{self, Neuron};
use indexer::whatif::difference::{Wanted, between};
use indexer::whatif::simulation::simulation;
use indexer::whatif::{Epoch, Key, epoch, explain, explain_in};
use scoring::diff::Measure;
use scoring::simulate::Patch;

use crate::context::{RECORDINGS, indexed};

/// An epoch with what is stored after it.
pub(super) struct Stored {
    pub(super) epoch: Epoch,
    pub(super) neurons: Vec<Neuron>,
}

/// All epochs of a subnet that can be computed, in order.
pub(super) fn epochs(store: &Store, netuid: NetUid) -> Vec<Stored> {
    let last = store.last().unwrap().unwrap();
    let blocks = store.epochs_in(netuid.0, 0..=last, 1000).unwrap();
    let stored = |(block, _)| {
        let mechanism = MechId(0);
        let key = Key {
            netuid,
            mechanism,
            block,
        };
        let at = view::at(store, block).unwrap().unwrap();
        Stored {
            epoch: epoch(store, key).unwrap(),
            neurons: view::metagraph(store, &at, netuid, mechanism)
                .unwrap()
                .unwrap(),
        }
    };
    blocks.into_iter().map(stored).collect()
}

/// Subnets with epochs.
pub(super) fn subnets(store: &Store) -> Vec<NetUid> {
    let last = store.last().unwrap().unwrap();
    let all = (0..10).map(NetUid);
    all.filter(|netuid| !store.epochs_in(netuid.0, 0..=last, 1).unwrap().is_empty())
        .collect()
}

/// A stored number of a hotkey, 0 if it has no uid.
fn number(neurons: &[Neuron], hotkey: AccountId, measure: Measure) -> i64 {
    let neuron = neurons.iter().find(|neuron| neuron.hotkey == hotkey);
    let value = neuron.and_then(|neuron| match measure {
        Measure::Incentive => neuron.incentive,
        Measure::Dividends => neuron.dividends,
    });
    value.map_or(0, i64::from)
}

/// Counts of what was looked at.
#[derive(Default, Clone, Copy)]
struct Seen {
    explained: u32,
    split: u32,
    moved: u32,
}

/// Explains every uid of an epoch.
fn all_explained(stored: &Stored, seen: &mut Seen) {
    for neuron in &stored.neurons {
        let told = explain_in(&stored.epoch, neuron.uid.0).unwrap();
        let told = told.explanation;
        let label = format!("{:?} {neuron:?}", stored.epoch.key);
        assert_eq!(Some(told.stored_incentive), neuron.incentive, "{label}");
        assert_eq!(Some(told.dividends.stored), neuron.dividends, "{label}");
        assert_eq!(Some(told.median.stored), neuron.consensus, "{label}");
        seen.explained += 1;
    }
}

/// Splits the incentive and the dividends of all hotkeys of two epochs.
fn all_split(a: &Stored, b: &Stored, seen: &mut Seen) {
    let both = a.neurons.iter().chain(&b.neurons);
    let hotkeys: BTreeSet<AccountId> = both.map(|neuron| neuron.hotkey).collect();
    for hotkey in hotkeys {
        for measure in [Measure::Incentive, Measure::Dividends] {
            let wanted = Wanted {
                netuid: a.epoch.key.netuid,
                mechanism: a.epoch.key.mechanism,
                hotkey,
                from: a.epoch.key.block,
                to: b.epoch.key.block,
                measure,
                detail: 16,
            };
            let told = between(&a.epoch, &b.epoch, &wanted).unwrap().diff;
            let from = number(&a.neurons, hotkey, measure);
            let to = number(&b.neurons, hotkey, measure);
            assert_eq!((i64::from(told.from), i64::from(told.to)), (from, to));
            let change: i64 = told.terms.iter().map(|t| i64::from(t.change)).sum();
            let parts = told.terms.iter();
            let parts: i64 = parts
                .map(|t| i64::from(t.unclipped) + i64::from(t.clipping))
                .sum();
            assert_eq!((change, parts), (to - from, to - from), "{told:?}");
            seen.split += 1;
            seen.moved += u32::from(from != to);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_explained_and_every_change_is_split() {
    let store = indexed("mini-300").await;
    let subnets = subnets(&store);
    assert_eq!(subnets, [1, 2, 3].map(NetUid));
    let of_subnet = |netuid: NetUid| {
        let epochs = epochs(&store, netuid);
        assert!(epochs.len() >= 15, "{netuid}: {}", epochs.len());
        let mut seen = Seen::default();
        for stored in &epochs {
            all_explained(stored, &mut seen);
        }
        for pair in epochs.windows(2) {
            all_split(&pair[0], &pair[1], &mut seen);
        }
        seen
    };
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let threads: Vec<_> = subnets
            .iter()
            .map(|netuid| scope.spawn(|| of_subnet(*netuid)))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let sum = |of: fn(&Seen) -> u32| seen.iter().map(of).sum::<u32>();
    let (explained, split, moved) = (sum(|s| s.explained), sum(|s| s.split), sum(|s| s.moved));
    assert!(
        explained > 300 && split > 300 && moved > 50,
        "{explained} {split} {moved}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_once_explains_as_what_is_read_anew() {
    let store = indexed("upgrades").await;
    let stored = epochs(&store, NetUid(1)).pop().unwrap();
    for neuron in &stored.neurons {
        let uid = neuron.uid.0;
        let anew = explain(&store, stored.epoch.key, uid).unwrap();
        assert_eq!(explain_in(&stored.epoch, uid).unwrap(), anew);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emissions_are_compared_where_the_amount_is_known() {
    let mut known = BTreeMap::new();
    for name in RECORDINGS {
        let store = indexed(name).await;
        for netuid in subnets(&store) {
            for Stored { epoch, neurons } in epochs(&store, netuid) {
                let Some(drained) = epoch.inputs.emission else {
                    continue;
                };
                // A subnet without neurons has epochs, and nothing to compare.
                if neurons.is_empty() {
                    continue;
                }
                let spec = epoch.inputs.rules.spec;
                let one = |patch: &Patch| {
                    let mut told = simulation(&store, epoch.key, 1, patch).unwrap();
                    told.epochs.remove(0)
                };
                // As it is, it is what the chain stored, to the last rao.
                let same = one(&Patch::default());
                let amounts = &same.base.emission.as_ref().unwrap().combined;
                let stored: Vec<u64> = neurons.iter().map(|n| n.emission.unwrap()).collect();
                assert_eq!(amounts, &stored, "{name} {:?}", epoch.key);
                assert!(
                    same.delta
                        .emission
                        .iter()
                        .flatten()
                        .all(|amount| *amount == 0)
                );
                if drained == 0 {
                    continue;
                }
                // Whoever has the most dividends is taken away: what it had goes to others, and no
                // more is distributed than before.
                let top = neurons.iter().max_by_key(|n| n.dividends).unwrap();
                if top.dividends == Some(0) {
                    continue;
                }
                let patch = Patch {
                    removed: vec![top.uid.0],
                    ..Patch::default()
                };
                let other = one(&patch);
                let deltas = other.delta.emission.as_ref().unwrap();
                let with = &other.patched.emission.as_ref().unwrap().combined;
                for ((delta, with), without) in deltas.iter().zip(with).zip(&stored) {
                    assert_eq!(*delta, i128::from(*with) - i128::from(*without));
                }
                assert!(
                    with.iter().sum::<u64>() <= drained,
                    "{name} {:?}",
                    epoch.key
                );
                let at = usize::from(top.uid.0);
                if deltas[at] < 0 {
                    *known.entry(spec).or_insert(0) += 1;
                }
            }
        }
    }
    // Since subnets have a currency of their own the amount is known to a unit or two only.
    let specs: Vec<u32> = known.keys().copied().collect();
    assert_eq!(specs, [103, 119, 143], "{known:?}");
}
