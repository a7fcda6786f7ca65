//! The commit ledger under runtimes of which there is no recording: blocks are
//! made here, the metadata is that of the real runtimes.

use std::path::Path;
use std::sync::Arc;

use chain_metadata::{AccountId, Call, Event, H256, Metadata, Phase, Value, blake2_256};
use indexer::commits::{CommitCall, Entry, Id, Said, State, revealed_hashes};
use indexer::items::{Layout, PALLET, Scope, item, position};
use indexer::plan::{Decoded, Key, Prepared};
use indexer::source::RawBlock;
use indexer::stages::{Tip, block_batch};
use indexer::store::Store;

const ALICE: AccountId = AccountId([0xa1; 32]);
const BOB: AccountId = AccountId([0xb0; 32]);
const EVE: AccountId = AccountId([0xee; 32]);

fn layout(spec: u32, file: &str) -> Arc<Layout> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain-metadata/fixtures/metadata");
    let packed = std::fs::read(folder.join(file)).unwrap();
    let bytes = zstd::stream::decode_all(packed.as_slice()).unwrap();
    let metadata = Metadata::from_bytes(&bytes).unwrap();
    Arc::new(Layout::new(spec, Arc::new(metadata), Arc::new(bytes)).unwrap())
}

fn number(width: u8, value: u64) -> Value {
    let value = u128::from(value);
    Value::Uint { width, value }
}

fn account(who: AccountId) -> Value {
    Value::Account(who.0)
}

fn bytes(hash: H256) -> Value {
    Value::Bytes(hash.0.to_vec())
}

/// A chain made by hand, one subnet 2.
struct Chain {
    layout: Arc<Layout>,
    store: Store,
    tip: Tip,
    hash: H256,
}

/// What one block says.
#[derive(Default)]
struct Block {
    number: u32,
    events: Vec<Event>,
    calls: Vec<CommitCall>,
    values: Vec<(&'static str, Option<AccountId>, Vec<u8>)>,
    epochs: Vec<u16>,
}

impl Block {
    fn at(number: u32) -> Block {
        Block {
            number,
            ..Block::default()
        }
    }

    /// An event at the beginning of the block, or of an extrinsic.
    fn event(mut self, extrinsic: Option<u32>, name: &str, fields: Vec<Value>) -> Block {
        let index = u32::try_from(self.events.len()).unwrap();
        self.events.push(Event {
            index,
            phase: extrinsic.map_or(Phase::Initialization, Phase::ApplyExtrinsic),
            pallet: PALLET.into(),
            name: name.into(),
            pallet_index: 7,
            variant_index: 0,
            fields: fields.into_iter().map(|value| (None, value)).collect(),
            topics: Vec::new(),
        });
        self
    }

    fn named(mut self, names: &[&str]) -> Block {
        let event = self.events.last_mut().unwrap();
        for (field, name) in event.fields.iter_mut().zip(names) {
            field.0 = Some((*name).into());
        }
        self
    }

    fn call(
        mut self,
        extrinsic: u32,
        who: AccountId,
        name: &str,
        args: Vec<(&str, Value)>,
    ) -> Block {
        self.calls.push(CommitCall {
            extrinsic,
            path: Vec::new(),
            who,
            call: call(name, args),
            failed: None,
        });
        self
    }

    fn failed(mut self, error: &str) -> Block {
        self.calls.last_mut().unwrap().failed = Some(error.into());
        self
    }

    /// A value of subnet 2 that was read.
    fn value(mut self, entry: &'static str, value: &[u8]) -> Block {
        self.values.push((entry, None, value.to_vec()));
        self
    }

    fn uid(mut self, who: AccountId, uid: u16) -> Block {
        let uid = uid.to_le_bytes().to_vec();
        self.values.push(("Uids", Some(who), uid));
        self
    }

    fn epoch(mut self) -> Block {
        self.epochs = vec![2];
        self
    }
}

fn call(name: &str, args: Vec<(&str, Value)>) -> Call {
    Call {
        pallet: PALLET.into(),
        name: name.into(),
        pallet_index: 7,
        call_index: 0,
        args: args.into_iter().map(|(n, v)| (n.into(), v)).collect(),
    }
}

impl Chain {
    fn new(spec: u32, file: &str) -> Chain {
        Chain {
            layout: layout(spec, file),
            store: Store::in_memory().unwrap(),
            tip: Tip::default(),
            hash: H256::ZERO,
        }
    }

    /// Adds a block, and empty ones between the last and it. Every block is
    /// committed, and every other one read back by a writer that begins anew.
    fn add(&mut self, block: Block) {
        let next = self.tip.checkpoint.map_or(block.number, |c| c.last + 1);
        for number in next..block.number {
            self.one(Block::at(number));
        }
        self.one(block);
    }

    fn one(&mut self, block: Block) {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&(block.number + 1).to_be_bytes());
        let values = block.values.into_iter().map(|(entry, who, value)| {
            let (_, found) = self.layout.find(entry).unwrap();
            let net = 2_u16.to_le_bytes();
            let parts: Vec<&[u8]> = match &who {
                Some(who) => vec![&net, &who.0],
                None => vec![&net],
            };
            assert!(matches!(
                item(entry).unwrap().scope,
                Scope::Subnet | Scope::SubnetAccount
            ));
            let key = Key {
                line: position(entry).unwrap(),
                full: found.key_of_encoded(&parts),
                subnet: 2,
                uid: 0,
            };
            (key, Some(value))
        });
        let prepared = Prepared {
            raw: RawBlock {
                number: block.number,
                hash: H256(hash),
                header: Vec::new(),
                parent: self.hash,
                extrinsics: Vec::new(),
                values: Vec::new(),
            },
            decoded: Decoded {
                commits: Said {
                    calls: block.calls,
                    events: block.events,
                },
                ..Decoded::default()
            },
            layout: self.layout.clone(),
            every: None,
            values: values.collect(),
            inputs: Vec::new(),
            swept: false,
            epochs: block.epochs,
            upgraded_to: None,
        };
        let batch = block_batch(&self.store, &mut self.tip, &prepared).unwrap();
        self.store.commit(vec![batch]).unwrap();
        self.hash = H256(hash);
        if block.number.is_multiple_of(2) {
            self.tip = Tip::load(&self.store).unwrap();
        }
    }

    fn entry(&self, block: u32, index: u32) -> Entry {
        let id = Id { block, index };
        let found = self.store.commit_entry(id, u32::MAX).unwrap();
        found.unwrap_or_else(|| panic!("no entry {id:?}"))
    }

    fn states(&self, block: u32, index: u32) -> Vec<(u32, State)> {
        self.entry(block, index).states
    }
}

use State::{Committed, Due, Expired, Failed, Orphaned, Revealed, Superseded};

/// Spec 424: epochs are counted in storage, mechanisms, events with the round.
fn counting() -> Chain {
    let mut chain = Chain::new(424, "subtensor_spec424_v16.scale.zst");
    chain.add(
        Block::at(100)
            .value("RevealPeriodEpochs", &1_u64.to_le_bytes())
            .value("Tempo", &360_u16.to_le_bytes())
            .value("SubnetEpochIndex", &5_u64.to_le_bytes())
            .uid(ALICE, 3)
            .uid(BOB, 4),
    );
    chain
}

fn epoch(number: u32, index: u64) -> Block {
    Block::at(number).value("SubnetEpochIndex", &index.to_le_bytes())
}

#[test]
fn timelocked_commits_are_linked_to_reveals_in_the_order_of_their_queue() {
    let mut chain = counting();
    let locked = |text: &[u8]| Value::Bytes(text.to_vec());
    let event = |who, text: &[u8], round| {
        vec![
            account(who),
            number(16, 4098),
            bytes(blake2_256(text)),
            number(64, round),
        ]
    };
    let name = "TimelockedWeightsCommitted";
    chain.add(
        Block::at(101)
            .event(Some(1), name, event(ALICE, b"one", 77))
            .event(Some(2), name, event(BOB, b"two", 78))
            .event(Some(3), name, event(BOB, b"three", 79))
            .call(
                1,
                ALICE,
                "commit_timelocked_mechanism_weights",
                vec![
                    ("netuid", number(16, 2)),
                    ("mecid", number(8, 1)),
                    ("commit", locked(b"one")),
                    ("reveal_round", number(64, 77)),
                ],
            ),
    );
    let one = chain.entry(101, 0);
    assert_eq!((one.row.index, one.row.uid), (4098, Some(3)));
    assert_eq!((one.row.epoch, one.row.round), (Some(5), Some(77)));
    assert_eq!(one.row.made_by.unwrap().path, Some(vec![]));
    // A contract made this one.
    assert_eq!(chain.entry(101, 1).row.made_by.unwrap().path, None);
    let reveal = |who| vec![number(16, 4098), account(who)];
    chain.add(
        epoch(110, 6)
            .event(None, "WeightsSet", vec![number(16, 4098), number(16, 3)])
            .event(None, "TimelockedWeightsRevealed", reveal(ALICE)),
    );
    chain.add(
        Block::at(112)
            .event(None, "WeightsSet", vec![number(16, 4098), number(16, 4)])
            .event(None, "TimelockedWeightsRevealed", reveal(BOB)),
    );
    chain.add(epoch(120, 7));
    assert_eq!(
        chain.states(101, 0),
        [(101, Committed), (110, Due), (110, Revealed)]
    );
    let one = &chain.entry(101, 0).reveals[0].1;
    assert_eq!((one.row, one.ambiguous), (Some((4098, 3)), false));
    assert!(one.made_by.is_none());
    assert_eq!(
        chain.states(101, 1),
        [(101, Committed), (110, Due), (112, Revealed)]
    );
    // Bob had two of them due, and the event says nothing of which it was.
    assert!(chain.entry(101, 1).reveals[0].1.ambiguous);
    assert_eq!(
        chain.states(101, 2),
        [(101, Committed), (110, Due), (120, Expired)]
    );
    assert!(chain.store.open_commits().unwrap().is_empty());
}

#[test]
fn revealing_a_commit_takes_the_place_of_those_before_it() {
    let mut chain = counting();
    let hash = |n: u8| H256([n; 32]);
    let event = |n| vec![account(ALICE), number(16, 2), bytes(hash(n))];
    for (block, n) in [(101, 1), (102, 2), (103, 3)] {
        chain.add(Block::at(block).event(Some(1), "WeightsCommitted", event(n)));
    }
    chain.add(epoch(110, 6));
    chain.add(
        Block::at(111)
            .event(Some(1), "WeightsSet", vec![number(16, 2), number(16, 3)])
            .event(Some(1), "WeightsRevealed", event(2)),
    );
    assert_eq!(
        chain.states(101, 0),
        [(101, Committed), (110, Due), (111, Superseded)]
    );
    assert_eq!(
        chain.states(102, 0),
        [(102, Committed), (110, Due), (111, Revealed)]
    );
    assert_eq!(chain.entry(102, 0).reveals[0].1.row, Some((2, 3)));
    assert_eq!(chain.states(103, 0), [(103, Committed), (110, Due)]);
    assert!(!chain.entry(101, 0).held && chain.entry(103, 0).held);
    let all = vec![
        account(ALICE),
        number(16, 2),
        Value::Seq(vec![bytes(hash(3))]),
    ];
    chain.add(Block::at(112).event(Some(1), "WeightsBatchRevealed", all));
    assert_eq!(chain.entry(103, 0).state, Revealed);
    // One that was made before the index began has only an end.
    chain.add(Block::at(113).event(Some(4), "WeightsRevealed", event(9)));
    let unseen = chain.entry(113, 0);
    assert_eq!((unseen.state, unseen.held), (Revealed, false));
    assert!(unseen.row.made_by.is_none());
    assert!(chain.store.open_commits().unwrap().is_empty());
}

#[test]
fn an_expired_commit_is_cleared_when_the_hotkey_commits_again() {
    let mut chain = counting();
    let event = |n| vec![account(ALICE), number(16, 2), bytes(H256([n; 32]))];
    chain.add(Block::at(101).event(Some(1), "WeightsCommitted", event(1)));
    chain.add(epoch(110, 6));
    chain.add(
        epoch(120, 7)
            .call(0, ALICE, "reveal_weights", vec![("netuid", number(16, 2))])
            .failed("SubtensorModule.ExpiredWeightCommit"),
    );
    assert_eq!(
        chain.states(101, 0),
        [(101, Committed), (110, Due), (120, Expired)]
    );
    // Tried after its time was over: it is not what ended it.
    assert_eq!(chain.entry(101, 0).attempts.len(), 1);
    assert!(chain.entry(101, 0).held);
    chain.add(Block::at(121).event(Some(1), "WeightsCommitted", event(2)));
    assert!(!chain.entry(101, 0).held);
    assert_eq!(chain.entry(121, 0).row.epoch, Some(7));
    // An epoch that was due and put off counts already.
    let later = Block::at(122).event(None, "EpochDeferred", vec![number(16, 2)]);
    chain.add(later.event(Some(1), "WeightsCommitted", event(3)));
    assert_eq!(chain.entry(122, 0).row.epoch, Some(8));
    chain.add(
        epoch(130, 8)
            .call(0, ALICE, "reveal_weights", vec![("netuid", number(16, 2))])
            .failed("SubtensorModule.InvalidRevealCommitHashNotMatch"),
    );
    chain.add(epoch(140, 9));
    assert_eq!(
        chain.states(121, 0),
        [(121, Committed), (130, Due), (140, Failed)]
    );
    let reason = chain.entry(121, 0).reason;
    assert_eq!(
        reason.as_deref(),
        Some("SubtensorModule.InvalidRevealCommitHashNotMatch")
    );
}

#[test]
fn commits_without_their_hotkey_are_orphans() {
    let mut chain = counting();
    let event = |who, n| vec![account(who), number(16, 2), bytes(H256([n; 32]))];
    chain.add(
        Block::at(101)
            .event(Some(1), "WeightsCommitted", event(ALICE, 1))
            .event(Some(2), "WeightsCommitted", event(BOB, 2)),
    );
    let swap = vec![account(EVE), account(ALICE), account(EVE), number(16, 2)];
    chain.add(
        Block::at(102)
            .event(Some(1), "HotkeySwappedOnSubnet", swap)
            .named(&["coldkey", "old_hotkey", "new_hotkey", "netuid"]),
    );
    let given = vec![number(16, 2), number(16, 4), account(EVE)];
    chain.add(Block::at(103).event(Some(1), "NeuronRegistered", given));
    assert_eq!(chain.states(101, 0), [(101, Committed), (102, Orphaned)]);
    assert_eq!(chain.entry(101, 0).holder, EVE);
    assert_eq!(chain.states(101, 1), [(101, Committed), (103, Orphaned)]);
    assert!(chain.entry(101, 0).held && chain.entry(101, 1).held);
    chain.add(Block::at(104).event(Some(1), "NetworkRemoved", vec![number(16, 2)]));
    assert!(!chain.entry(101, 0).held && !chain.entry(101, 1).held);
    assert!(chain.store.open_commits().unwrap().is_empty());
}

#[test]
fn early_runtimes_without_events_keep_one_commit_and_count_by_interval() {
    let mut chain = Chain::new(165, "subtensor_spec165_v15.scale.zst");
    let reveal = vec![
        ("netuid", number(16, 2)),
        ("uids", Value::Seq(vec![number(16, 1)])),
        ("values", Value::Seq(vec![number(16, 9)])),
        ("salt", Value::Seq(vec![number(16, 5)])),
        ("version_key", number(64, 0)),
    ];
    let hash = revealed_hashes(&ALICE, &call("reveal_weights", reveal.clone()))[0];
    let commit = |hash| vec![("netuid", number(16, 2)), ("commit_hash", bytes(hash))];
    chain.add(
        Block::at(100)
            .value("WeightCommitRevealInterval", &20_u64.to_le_bytes())
            .uid(ALICE, 3),
    );
    chain.add(Block::at(101).call(1, ALICE, "commit_weights", commit(H256([1; 32]))));
    chain.add(Block::at(125).call(1, ALICE, "commit_weights", commit(hash)));
    assert_eq!(
        chain.states(101, 0),
        [(101, Committed), (120, Due), (125, Superseded)]
    );
    chain.add(
        Block::at(141)
            .event(Some(2), "WeightsSet", vec![number(16, 2), number(16, 3)])
            .call(2, ALICE, "reveal_weights", reveal),
    );
    assert_eq!(
        chain.states(125, 0),
        [(125, Committed), (140, Due), (141, Revealed)]
    );
    let revealed = &chain.entry(125, 0).reveals[0].1;
    assert_eq!(
        (revealed.verified, revealed.row),
        (Some(true), Some((2, 3)))
    );
}

#[test]
fn reveals_without_an_event_are_told_by_the_row_that_an_epoch_set() {
    let mut chain = Chain::new(233, "subtensor_spec233_v15.scale.zst");
    chain.add(
        Block::at(100)
            .value("RevealPeriodEpochs", &1_u64.to_le_bytes())
            .value("Tempo", &9_u16.to_le_bytes())
            .uid(ALICE, 3)
            .uid(BOB, 4),
    );
    let event = |who, text: &[u8]| vec![account(who), number(16, 2), bytes(blake2_256(text))];
    // Epochs end with blocks 106, 116, …
    chain.add(
        Block::at(103)
            .event(Some(1), "CRV3WeightsCommitted", event(ALICE, b"one"))
            .event(Some(2), "CRV3WeightsCommitted", event(BOB, b"two")),
    );
    assert_eq!(chain.entry(103, 0).row.epoch, Some(10));
    let set = vec![number(16, 2), number(16, 3)];
    chain.add(Block::at(106).epoch().event(None, "WeightsSet", set));
    assert_eq!(
        chain.states(103, 0),
        [(103, Committed), (106, Due), (106, Revealed)]
    );
    assert_eq!(chain.entry(103, 0).reveals[0].1.row, Some((2, 3)));
    assert_eq!(
        chain.states(103, 1),
        [(103, Committed), (106, Due), (106, Expired)]
    );
    assert!(!chain.entry(103, 1).held);
}
