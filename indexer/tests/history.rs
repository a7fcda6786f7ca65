//! Tenancies and causes of weights under what no recording has: swaps, subnets
//! that take the number of another one, trims, lists with items that fail. Blocks
//! are made here, the metadata is that of a real runtime.

use std::path::Path;
use std::sync::Arc;

use chain_metadata::{
    AccountId, Call, Event, H256, MechId, Metadata, NestedCall, NetUid, Origin, Outcome, Phase,
    Uid, Value,
};
use indexer::commits::Said;
use indexer::items::{Layout, PALLET, position};
use indexer::plan::{Decoded, Key, Prepared};
use indexer::sets::{self, Sets};
use indexer::source::RawBlock;
use indexer::stages::{Tip, block_batch};
use indexer::store::Store;
use indexer::store::history::{How, SetKind};
use indexer::view;
use indexer::view::tenancy::{self, Tenancy, Whose};

const ALICE: AccountId = AccountId([0xa1; 32]);
const BOB: AccountId = AccountId([0xb0; 32]);
const EVE: AccountId = AccountId([0xee; 32]);
const COLD: AccountId = AccountId([0xcc; 32]);

fn layout() -> Arc<Layout> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain-metadata/fixtures/metadata");
    let packed = std::fs::read(folder.join("subtensor_spec424_v16.scale.zst")).unwrap();
    let bytes = zstd::stream::decode_all(packed.as_slice()).unwrap();
    let metadata = Metadata::from_bytes(&bytes).unwrap();
    Arc::new(Layout::new(424, Arc::new(metadata), Arc::new(bytes)).unwrap())
}

fn number(value: u16) -> Value {
    Value::Uint {
        width: 16,
        value: u128::from(value),
    }
}

fn event(extrinsic: u32, name: &str, fields: Vec<(&str, Value)>) -> Event {
    Event {
        index: 0,
        phase: Phase::ApplyExtrinsic(extrinsic),
        pallet: PALLET.into(),
        name: name.into(),
        pallet_index: 7,
        variant_index: 0,
        fields: fields
            .into_iter()
            .map(|(name, value)| ((!name.is_empty()).then(|| name.into()), value))
            .collect(),
        topics: Vec::new(),
    }
}

fn swap(netuid: Option<u16>, old: AccountId, new: AccountId) -> Event {
    let mut fields = vec![
        ("coldkey", Value::Account(COLD.0)),
        ("old_hotkey", Value::Account(old.0)),
        ("new_hotkey", Value::Account(new.0)),
    ];
    fields.extend(netuid.map(|netuid| ("netuid", number(netuid))));
    let name = match netuid {
        Some(_) => "HotkeySwappedOnSubnet",
        None => "HotkeySwapped",
    };
    event(1, name, fields)
}

fn registered(netuid: u16, uid: u16, who: AccountId) -> Event {
    let fields = vec![
        ("", number(netuid)),
        ("", number(uid)),
        ("", Value::Account(who.0)),
    ];
    event(1, "NeuronRegistered", fields)
}

struct Chain {
    layout: Arc<Layout>,
    store: Store,
    tip: Tip,
    hash: H256,
    /// Every batch is committed, or all are kept for the end.
    late: Option<Vec<indexer::store::Batch>>,
    /// Values of subnet 2 that the next block reads, and whether its epoch ran.
    read: Vec<(&'static str, Vec<u8>)>,
    epochs: Vec<u16>,
}

type Holders<'a> = &'a [(u16, u16, Option<AccountId>)];

impl Chain {
    fn new(late: bool) -> Chain {
        Chain {
            layout: layout(),
            store: Store::in_memory().unwrap(),
            tip: Tip::default(),
            hash: H256::ZERO,
            late: late.then(Vec::new),
            read: Vec::new(),
            epochs: Vec::new(),
        }
    }

    /// A block with what it says, who holds which uid after it, and subnets that
    /// are there or gone.
    fn block(
        &mut self,
        number: u32,
        events: Vec<Event>,
        holders: Holders<'_>,
        subnets: &[(u16, bool)],
    ) {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&(number + 1).to_be_bytes());
        let key = |entry: &str, parts: &[&[u8]], subnet, uid| {
            let (_, found) = self.layout.find(entry).unwrap();
            Key {
                line: position(entry).unwrap(),
                full: found.key_of_encoded(parts),
                subnet,
                uid,
            }
        };
        let mut values = Vec::new();
        for (netuid, uid, holder) in holders {
            let parts: [&[u8]; 2] = [&netuid.to_le_bytes(), &uid.to_le_bytes()];
            let value = holder.map(|h| h.0.to_vec());
            values.push((key("Keys", &parts, *netuid, *uid), value));
            if events.iter().any(|e| &*e.name == "NeuronRegistered") && holder.is_some() {
                let at = u64::from(number).to_le_bytes().to_vec();
                let key = key("BlockAtRegistration", &parts, *netuid, *uid);
                values.push((key, Some(at)));
            }
        }
        for (netuid, there) in subnets {
            let key = key("NetworksAdded", &[&netuid.to_le_bytes()], *netuid, 0);
            values.push((key, there.then(|| vec![1])));
        }
        for (entry, value) in std::mem::take(&mut self.read) {
            let key = key(entry, &[&2_u16.to_le_bytes()], 2, 0);
            values.push((key, Some(value)));
        }
        let prepared = Prepared {
            raw: RawBlock {
                number,
                hash: H256(hash),
                header: Vec::new(),
                parent: self.hash,
                extrinsics: Vec::new(),
                values: Vec::new(),
            },
            decoded: Decoded {
                commits: Said {
                    calls: Vec::new(),
                    events,
                },
                ..Decoded::default()
            },
            layout: self.layout.clone(),
            every: None,
            values,
            inputs: Vec::new(),
            swept: false,
            epochs: std::mem::take(&mut self.epochs),
            upgraded_to: None,
        };
        let batch = block_batch(&self.store, &mut self.tip, &prepared).unwrap();
        self.hash = H256(hash);
        match &mut self.late {
            Some(late) => late.push(batch),
            None => {
                self.store.commit(vec![batch]).unwrap();
                self.tip = Tip::load(&self.store).unwrap();
            }
        }
    }

    fn done(&mut self) {
        if let Some(late) = self.late.take() {
            self.store.commit(late).unwrap();
        }
    }

    fn at(&self, block: u32, netuid: u16, uid: u16) -> Option<Tenancy> {
        tenancy::at(&self.store, block, NetUid(netuid), Uid(uid)).unwrap()
    }

    fn of(&self, hotkey: AccountId) -> Vec<(u32, Option<u32>)> {
        let whose = Whose::Hotkey(hotkey);
        let list = tenancy::list(&self.store, NetUid(2), whose, None, 10).unwrap();
        list.iter().map(|t| (t.from, t.until)).collect()
    }
}

/// Written block by block by a writer that begins anew, and all at once.
fn both(story: impl Fn(&mut Chain)) -> [Chain; 2] {
    [false, true].map(|late| {
        let mut chain = Chain::new(late);
        chain.block(
            10,
            Vec::new(),
            &[(2, 0, Some(ALICE)), (2, 1, Some(BOB))],
            &[(2, true)],
        );
        story(&mut chain);
        chain.done();
        chain
    })
}

#[test]
fn a_swap_joins_and_a_registration_cuts() {
    for chain in both(|chain| {
        // Twice in one block, once for all subnets and once for this one.
        let events = vec![swap(None, ALICE, COLD), swap(Some(2), COLD, EVE)];
        chain.block(11, events, &[(2, 0, Some(EVE)), (2, 1, Some(BOB))], &[]);
        chain.block(
            12,
            vec![registered(2, 0, ALICE)],
            &[(2, 0, Some(ALICE))],
            &[],
        );
        // A swap elsewhere, and one of somebody who holds nothing here.
        let events = vec![swap(Some(3), BOB, EVE), swap(None, EVE, COLD)];
        chain.block(13, events, &[(2, 1, Some(BOB))], &[]);
    }) {
        let first = chain.at(10, 2, 0).unwrap();
        assert_eq!((first.hotkey, first.began), (ALICE, How::FoundAtStart));
        assert_eq!((first.until, first.ended), (Some(11), Some(How::Swapped)));
        assert_eq!(first.next, Some((11, Uid(0))));
        let second = chain.at(11, 2, 0).unwrap();
        assert_eq!((second.hotkey, second.began), (EVE, How::Swapped));
        assert_eq!(second.previous, Some((10, Uid(0))));
        assert_eq!((second.until, second.next), (Some(12), None));
        let third = chain.at(13, 2, 0).unwrap();
        assert_eq!((third.hotkey, third.began), (ALICE, How::Registered));
        assert_eq!((third.previous, third.registered_at), (None, Some(12)));
        assert_eq!(chain.of(ALICE), [(12, None), (10, Some(11))]);
        assert_eq!(chain.of(BOB), [(10, None)]);
    }
}

#[test]
fn the_same_hotkey_that_registers_again_is_another_neuron() {
    for chain in both(|chain| {
        chain.block(
            11,
            vec![registered(2, 0, ALICE)],
            &[(2, 0, Some(ALICE))],
            &[],
        );
        // A swap in the block in which its new owner registers over it.
        let events = vec![swap(None, BOB, EVE), registered(2, 1, COLD)];
        chain.block(12, events, &[(2, 1, Some(COLD))], &[]);
    }) {
        assert_eq!(chain.of(ALICE), [(11, None), (10, Some(11))]);
        let cold = chain.at(12, 2, 1).unwrap();
        assert_eq!((cold.began, cold.previous), (How::Registered, None));
        assert_eq!(chain.at(11, 2, 1).unwrap().next, None);
    }
}

#[test]
fn a_dissolved_subnet_ends_all_and_its_number_may_be_taken_at_once() {
    let removed = || event(1, "NetworkRemoved", vec![("", number(2))]);
    for chain in both(|chain| {
        // The new owner of number 2 happens to be who held uid 0.
        let events = vec![removed()];
        chain.block(
            11,
            events,
            &[(2, 0, Some(ALICE)), (2, 1, None)],
            &[(2, true)],
        );
        chain.block(12, vec![removed()], &[(2, 0, None)], &[(2, false)]);
    }) {
        assert_eq!(chain.at(10, 2, 0).unwrap().ended, Some(How::Registered));
        assert_eq!(chain.at(10, 2, 1).unwrap().ended, Some(How::Dissolved));
        assert_eq!(chain.at(11, 2, 1), None);
        assert_eq!(chain.of(ALICE), [(11, Some(12)), (10, Some(11))]);
        assert_eq!(chain.at(11, 2, 0).unwrap().ended, Some(How::Dissolved));
        assert_eq!(chain.at(12, 2, 0), None);
    }
    // Nothing but the subnet's absence was read.
    for chain in both(|chain| chain.block(11, Vec::new(), &[], &[(2, false)])) {
        assert_eq!((chain.at(11, 2, 0), chain.at(11, 2, 1)), (None, None));
        assert_eq!(chain.of(BOB), [(10, Some(11))]);
    }
}

#[test]
fn a_trim_moves_neurons_and_a_write_past_the_pallet_is_called_so() {
    for chain in both(|chain| {
        let events = vec![event(1, "SubnetTrimmed", Vec::new())];
        chain.block(11, events, &[(2, 0, Some(BOB)), (2, 1, None)], &[]);
        chain.block(12, Vec::new(), &[(2, 0, Some(EVE))], &[]);
    }) {
        let before = chain.at(10, 2, 1).unwrap();
        assert_eq!(
            (before.ended, before.next),
            (Some(How::Removed), Some((11, Uid(0))))
        );
        let after = chain.at(11, 2, 0).unwrap();
        assert_eq!(
            (after.began, after.previous),
            (How::Moved, Some((10, Uid(1))))
        );
        assert_eq!(chain.at(10, 2, 0).unwrap().next, None);
        assert_eq!(chain.at(12, 2, 0).unwrap().began, How::Written);
        assert_eq!(after.next, None);
    }
}

#[test]
fn an_epoch_has_its_index_and_its_mechanisms() {
    for chain in both(|chain| {
        chain.epochs = vec![2];
        chain.read = vec![
            ("SubnetEpochIndex", 7_u64.to_le_bytes().to_vec()),
            ("MechanismCountCurrent", vec![3]),
        ];
        chain.block(11, Vec::new(), &[], &[]);
        chain.epochs = vec![2];
        chain.block(12, Vec::new(), &[], &[]);
    }) {
        let row = |block| chain.store.epoch(2, block).unwrap();
        let first = row(11).unwrap();
        assert_eq!((first.mechanisms, first.index), (3, Some(7)));
        // Nothing is stored: the metadata's defaults hold.
        assert_eq!(
            (row(12).unwrap().mechanisms, row(12).unwrap().index),
            (1, Some(0))
        );
        assert_eq!((row(10), chain.store.epoch(3, 11).unwrap()), (None, None));
        let blocks = chain.store.epochs_in(2, 0..=11, 9).unwrap();
        assert_eq!(blocks, [(11, first)]);
    }
}

#[test]
fn a_neuron_of_whom_nothing_more_is_stored_has_no_owner_of_zeros() {
    let mut chain = Chain::new(false);
    chain.read = vec![("SubnetworkN", 2_u16.to_le_bytes().to_vec())];
    chain.block(10, Vec::new(), &[(2, 0, Some(ALICE))], &[(2, true)]);
    let events = vec![registered(2, 1, BOB)];
    chain.block(11, events, &[(2, 1, Some(BOB))], &[]);
    let at = view::at(&chain.store, 11).unwrap().unwrap();
    let neurons = view::metagraph(&chain.store, &at, NetUid(2), MechId(0));
    let neurons = neurons.unwrap().unwrap();
    let of = neurons
        .iter()
        .map(|n| (n.hotkey, n.coldkey, n.block_at_registration));
    let wanted = [(ALICE, None, None), (BOB, None, Some(11))];
    assert_eq!(of.collect::<Vec<_>>(), wanted);
}

fn call(path: &[u32], who: AccountId, name: &str, args: Vec<(&str, Value)>) -> NestedCall {
    NestedCall {
        path: path.to_vec(),
        call: Call {
            pallet: PALLET.into(),
            name: name.into(),
            pallet_index: 7,
            call_index: 0,
            args: args.into_iter().map(|(n, v)| (n.into(), v)).collect(),
        },
        origin: Origin::Signed(who),
        outcome: Outcome::Succeeded,
    }
}

fn key(value: u64) -> Value {
    Value::Uint {
        width: 64,
        value: u128::from(value),
    }
}

fn set(index: u16, uid: u16) -> Event {
    event(
        3,
        "WeightsSet",
        vec![("", number(index)), ("", number(uid))],
    )
}

#[test]
fn events_are_given_to_calls_and_items_in_order() {
    let one = |who, path: &[u32], mecid: u8, version| {
        let mecid = Value::Uint {
            width: 8,
            value: u128::from(mecid),
        };
        let args = vec![
            ("netuid", number(2)),
            ("mecid", mecid),
            ("version_key", key(version)),
        ];
        call(path, who, "set_mechanism_weights", args)
    };
    let list = call(
        &[1],
        BOB,
        "batch_set_weights",
        vec![
            ("netuids", Value::Seq(vec![number(2), number(2), number(5)])),
            ("version_keys", Value::Seq(vec![key(20), key(21), key(22)])),
        ],
    );
    let mut failed = one(EVE, &[2], 1, 30);
    failed.outcome = Outcome::NotRun;
    let calls = [
        one(ALICE, &[0], 1, 10),
        list,
        failed,
        one(COLD, &[3], 1, 40),
    ];
    let failure = event(3, "BatchWeightItemFailed", Vec::new());
    let events = [
        set(4098, 7),
        failure,
        set(2, 8),
        set(5, 9),
        set(4098, 6),
        set(4098, 7),
    ];
    let mut found = Sets::new();
    sets::extrinsic(&mut found, 3, &calls, &events.iter().collect::<Vec<_>>());
    let cause = |index, uid| found[&(index, uid)].clone();
    let batch = cause(2, 8);
    assert_eq!((batch.kind, batch.item), (SetKind::Batch, Some(1)));
    assert_eq!((batch.version_key, batch.hotkey), (Some(21), Some(BOB.0)));
    assert_eq!(cause(5, 9).version_key, Some(22));
    let cold = cause(4098, 6);
    assert_eq!((cold.kind, cold.path), (SetKind::Direct, Some(vec![3])));
    // More events than calls: a contract, and the last one counts.
    assert_eq!(
        (cause(4098, 7).kind, cause(4098, 7).path),
        (SetKind::Contract, None)
    );
}

#[test]
fn what_is_set_outside_extrinsics_was_locked_or_scheduled() {
    let begin = |mut event: Event| {
        event.phase = Phase::Initialization;
        event
    };
    let revealed = vec![("", number(4098)), ("", Value::Account(ALICE.0))];
    let events = [
        begin(set(4098, 1)),
        begin(event(0, "TimelockedWeightsRevealed", revealed)),
        begin(set(2, 2)),
        set(2, 3),
    ];
    let mut found = Sets::new();
    sets::outside(&mut found, &events, sets::tells(&layout().metadata));
    assert_eq!(found.len(), 2);
    let locked = &found[&(4098, 1)];
    assert_eq!(
        (locked.kind, locked.hotkey),
        (SetKind::TimelockReveal, Some(ALICE.0))
    );
    assert_eq!(found[&(2, 2)].kind, SetKind::Scheduled);
    // A runtime without an event for reveals sets nothing else there.
    found.clear();
    sets::outside(&mut found, &events[2..], false);
    assert_eq!(found[&(2, 2)].kind, SetKind::TimelockReveal);
}
