//! The made-up chain is a chain, and the road reads it without a mistake.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use chain_metadata::{
    Event, H256, KeyPart, Phase, Value, blake2_256, decode_events, decode_extrinsic, decode_header,
    encode_extrinsic,
};
use indexer::items::{Item, MANIFEST, PALLET, Refresh};
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::store::Store;
use indexer::store::pulse::{Pulse, Slot};
use synthetic::{Chain, Config, SyntheticSource};
use tokio::sync::watch;

fn small() -> Arc<Chain> {
    static CHAIN: OnceLock<Arc<Chain>> = OnceLock::new();
    CHAIN
        .get_or_init(|| Arc::new(Chain::new(Config::small()).unwrap()))
        .clone()
}

fn events(chain: &Chain, number: u32) -> Vec<Event> {
    match chain.body(number).unwrap().1 {
        none if none.is_empty() => Vec::new(),
        bytes => decode_events(chain.metadata(), &bytes).unwrap(),
    }
}

/// A value of the pallet, decoded.
fn value(chain: &Chain, at: u32, entry: &str, keys: &[&[u8]]) -> Option<Value> {
    let entry = chain.metadata().storage(PALLET, entry)?;
    let bytes = chain.storage(at, &entry.key_of_encoded(keys)).unwrap()?;
    Some(
        entry
            .decode_value(chain.metadata().types(), &bytes)
            .unwrap(),
    )
}

#[test]
fn blocks_hang_together_and_decode() {
    let chain = small();
    let meta = chain.metadata();
    let mut parent = H256::ZERO;
    for number in 0..=chain.config().head {
        let (header, said) = chain.header(number);
        assert_eq!(said, parent);
        let header_of = decode_header(&header).unwrap();
        assert_eq!((header_of.number, header_of.parent_hash), (number, parent));
        parent = blake2_256(&header);
        assert_eq!(chain.hash(number), Some(parent));
        assert_eq!(chain.number(&parent), Some(number));

        let (extrinsics, _) = chain.body(number).unwrap();
        assert_eq!(extrinsics.is_empty(), number == 0);
        for (index, raw) in (0..).zip(&extrinsics) {
            let extrinsic = decode_extrinsic(meta, raw).unwrap();
            assert_eq!(&encode_extrinsic(meta, &extrinsic).unwrap(), raw);
            assert_eq!(extrinsic.signer().is_none(), index == 0);
        }
        let last = events(&chain, number).pop();
        let index = last.and_then(|e| e.extrinsic_index());
        assert_eq!(
            index.map(|i| i as usize + 1),
            (number > 0).then_some(extrinsics.len())
        );
    }
    assert_eq!(chain.hash(chain.config().head + 1), None);
}

#[test]
fn every_value_decodes() {
    let chain = small();
    let types = chain.metadata().types();
    let (mut values, mut entries) = (0, 0);
    for entry in chain.metadata().pallets().iter().flat_map(|p| &p.storage) {
        let mut used = false;
        for at in [0, 1, 31, chain.config().head] {
            for key in chain.keys(at, &entry.prefix).unwrap() {
                let bytes = chain.storage(at, &key).unwrap().unwrap();
                entry.check_value(types, &bytes).unwrap();
                let parts = entry.decode_keys(types, &key).unwrap();
                assert!(parts.iter().all(|p| matches!(p, KeyPart::Value(_))));
                values += 1;
                used = true;
            }
        }
        entries += usize::from(used);
    }
    assert!(
        values > 2_000 && entries > 80,
        "{values} values of {entries} entries"
    );
}

#[test]
fn everything_happens_on_a_small_chain() {
    let chain = small();
    let mut names = BTreeSet::new();
    for number in 1..=chain.config().head {
        names.extend(events(&chain, number).iter().map(|e| e.name.to_string()));
    }
    for name in [
        "WeightsSet",
        "TimelockedWeightsCommitted",
        "TimelockedWeightsRevealed",
        "NeuronRegistered",
        "StakeAdded",
        "StakeRemoved",
        "AxonServed",
        "IncentiveAlphaEmittedToMiners",
        "TransactionFeePaid",
        "ExtrinsicSuccess",
    ] {
        assert!(names.contains(name), "no {name} in {names:?}");
    }
}

/// Numbers of an event's fields.
fn number(event: &Event, at: usize) -> u16 {
    event.fields[at].1.as_u16().unwrap()
}

#[test]
fn events_say_what_the_state_says() {
    let chain = small();
    let config = *chain.config();
    for block in 1..=config.head {
        let all = events(&chain, block);
        let of = |name: &str| {
            let name = name.to_owned();
            all.iter().filter(move |e| *e.name == *name)
        };
        let ran: BTreeSet<u16> = of("IncentiveAlphaEmittedToMiners")
            .map(|e| {
                assert_eq!(e.phase, Phase::Initialization);
                number(e, 0)
            })
            .collect();
        let registered: BTreeSet<(u16, u16)> = of("NeuronRegistered")
            .map(|e| (number(e, 0), number(e, 1)))
            .collect();
        for netuid in config.netuids() {
            let net = netuid.to_le_bytes();
            let last = value(&chain, block, "LastMechansimStepBlock", &[&net]).unwrap();
            assert_eq!(last.as_u64() == Some(block.into()), ran.contains(&netuid));
            for uid in 0..config.neurons {
                let keys: [&[u8]; 2] = [&net, &uid.to_le_bytes()];
                let now = value(&chain, block, "Keys", &keys);
                let before = value(&chain, block - 1, "Keys", &keys);
                assert_eq!(now != before, registered.contains(&(netuid, uid)));
                let bonds = |at| value(&chain, at, "Bonds", &keys);
                if !ran.contains(&netuid) {
                    assert_eq!(bonds(block), bonds(block - 1));
                } else if uid < config.validators {
                    assert_ne!(bonds(block), bonds(block - 1));
                }
            }
        }
        let extrinsics = chain.body(block).unwrap().0;
        for event in of("WeightsSet") {
            let index = event.extrinsic_index().unwrap() as usize;
            let extrinsic = decode_extrinsic(chain.metadata(), &extrinsics[index]).unwrap();
            let list = |name: &str| extrinsic.call.arg(name).unwrap().items().to_vec();
            let set: Vec<Value> = list("dests")
                .into_iter()
                .zip(list("weights"))
                .map(|(uid, weight)| Value::Tuple(vec![uid, weight]))
                .collect();
            let keys: [&[u8]; 2] = [
                &number(event, 0).to_le_bytes(),
                &number(event, 1).to_le_bytes(),
            ];
            let row = value(&chain, block, "Weights", &keys);
            assert_eq!(row, Some(Value::Seq(set)));
            let before = value(&chain, block - 1, "Weights", &keys);
            assert_ne!(before, row, "weights were set and did not move");
        }
    }
}

#[test]
fn weights_and_bonds_move_a_little() {
    let chain = Chain::new(Config {
        subnets: 3,
        neurons: 64,
        validators: 8,
        tempo: 10,
        registration_every: 0,
        head: 200,
        commit_reveal_every: 0,
        ..Config::default()
    })
    .unwrap();
    for (entry, most) in [("Weights", 0.03), ("Bonds", 0.012)] {
        let (mut sum, mut cells) = (0.0, 0.0);
        for netuid in 1..=3_u16 {
            for uid in 0..8_u16 {
                let row = |at| {
                    let keys: [&[u8]; 2] = [&netuid.to_le_bytes(), &uid.to_le_bytes()];
                    let row = value(&chain, at, entry, &keys).unwrap();
                    let cell = |pair: &Value| f64::from(pair.items()[1].as_u16().unwrap());
                    row.items().iter().map(cell).collect::<Vec<_>>()
                };
                for (before, after) in row(100).into_iter().zip(row(110)) {
                    if before > 1_000.0 {
                        sum += (after - before).abs() / before;
                        cells += 1.0;
                    }
                }
            }
        }
        let mean = sum / cells;
        assert!(mean > 0.0005 && mean < most, "{entry}: {mean}");
    }
}

#[test]
fn a_chain_follows_from_its_seed() {
    let again = Chain::new(Config::small()).unwrap();
    let other = Chain::new(Config {
        seed: 1,
        ..Config::small()
    })
    .unwrap();
    for number in [1, 17, 60] {
        assert_eq!(again.hash(number), small().hash(number));
        assert_eq!(again.body(number).unwrap(), small().body(number).unwrap());
        assert_ne!(other.hash(number), again.hash(number));
        assert_ne!(other.body(number).unwrap(), again.body(number).unwrap());
    }
    for bad in [
        Config {
            subnets: 0,
            ..Config::small()
        },
        Config {
            validators: 13,
            ..Config::small()
        },
    ] {
        let error = Chain::new(bad).unwrap_err().to_string();
        assert!(error.contains("cannot be made"), "{error}");
    }
}

/// What the store holds under a key at a block.
fn stored(store: &Store, pulse: &Pulse, line: &Item, rest: &[u8], at: u32) -> Option<Vec<u8>> {
    if line.refresh != Refresh::EveryBlock {
        return store.state(line.id, rest, at).unwrap()?.value;
    }
    let slot = Slot {
        item: line.id,
        subnet: netuid(rest),
    };
    pulse.get(slot).map(|(value, _)| value.to_vec())
}

/// Netuid at the end of the hashed keys of a map over subnets.
fn netuid(rest: &[u8]) -> u16 {
    rest.last_chunk().map_or(0, |le| u16::from_le_bytes(*le))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_equals_the_chain() {
    let chain = small();
    let store = Store::in_memory().unwrap();
    let (progress, _) = watch::channel(Progress::default());
    let (_stop, stop) = watch::channel(false);
    let plan = Plan {
        until: Some(chain.config().head),
        window: 16,
        ..Plan::default()
    };
    let source = Arc::new(SyntheticSource::new(chain.clone()));
    let last = pipeline::run(
        source.clone(),
        store.clone(),
        plan,
        Notify::default(),
        progress,
        stop,
    );
    assert_eq!(last.await.unwrap(), Some(chain.config().head));
    assert!(source.given() > 100_000 && !source.spent().is_zero());
    indexer::check::check(&store).unwrap();

    let (mut compared, mut items) = (0, BTreeSet::new());
    for at in (0..=chain.config().head).step_by(3) {
        let pulse = store.pulse(at).unwrap();
        for line in MANIFEST {
            let Some(entry) = chain.metadata().storage(line.pallet, line.entry) else {
                continue;
            };
            let there = chain.keys(at, &entry.prefix).unwrap();
            for key in &there {
                let kept = stored(&store, &pulse, line, &key[32..], at);
                let made = chain.storage(at, key).unwrap();
                assert_eq!(kept, made, "{} 0x{:02x?} at {at}", line.entry, &key[32..]);
                compared += 1;
                items.insert(line.entry);
            }
            // Nothing is kept that is not there.
            if line.refresh != Refresh::EveryBlock {
                for rest in store.state_keys(line.id).unwrap() {
                    let mut key = entry.prefix.to_vec();
                    key.extend_from_slice(&rest);
                    let kept = stored(&store, &pulse, line, &rest, at);
                    let made = chain.storage(at, &key).unwrap();
                    // A hotkey that comes later has its owner from the beginning here.
                    if kept.is_some() || line.entry != "Owner" {
                        assert_eq!(kept, made, "{} 0x{rest:02x?} at {at}", line.entry);
                    }
                }
            }
        }
    }
    assert!(compared > 15_000, "{compared} values compared");
    assert!(
        items.len() > 70,
        "{} items compared: {items:?}",
        items.len()
    );
    for netuid in chain.config().netuids() {
        let epochs = store.epochs(netuid, chain.config().head, 100).unwrap();
        assert!(epochs.len() >= 4, "subnet {netuid}: {epochs:?}");
    }
}
