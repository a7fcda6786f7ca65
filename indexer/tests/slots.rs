//! Slots without an epoch under runtimes that put epochs off and say so (spec 423 on), of which
//! there is no recording: blocks are made here, their events are bytes of the real types.

use std::path::Path;
use std::sync::Arc;

use chain_metadata::{
    Event, H256, MechId, Metadata, NetUid, Phase, Value, decode_events, encode_events,
};
use indexer::activity::Activity;
use indexer::items::{Layout, PALLET};
use indexer::plan::{Decoded, Prepared};
use indexer::source::RawBlock;
use indexer::stages::{Tip, block_batch};
use indexer::store::Store;
use indexer::verify::{Record, Verdict, follow};

/// A runtime with the events.
const SPEC: u32 = 424;

fn layout() -> Arc<Layout> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain-metadata/fixtures/metadata");
    let packed = std::fs::read(folder.join("subtensor_spec424_v16.scale.zst")).unwrap();
    let bytes = zstd::stream::decode_all(packed.as_slice()).unwrap();
    let metadata = Metadata::from_bytes(&bytes).unwrap();
    Arc::new(Layout::new(SPEC, Arc::new(metadata), Arc::new(bytes)).unwrap())
}

/// An event of the pallet with a number in each field, as this runtime has it.
fn event(metadata: &Metadata, phase: Phase, name: &str, netuid: u16) -> Event {
    let pallet = metadata.pallet(PALLET).unwrap();
    let variants = metadata.types().variants(pallet.events.unwrap()).unwrap();
    let variant = variants.by_name(name).unwrap();
    let fields = variant.fields.iter().map(|field| {
        let (width, value) = match field.name.as_deref() {
            None | Some("netuid") => (16, u128::from(netuid)),
            Some(_) => (64, 77),
        };
        (field.name.clone(), Value::Uint { width, value })
    });
    Event {
        index: 0,
        phase,
        pallet: PALLET.into(),
        name: name.into(),
        pallet_index: pallet.index,
        variant_index: variant.index,
        fields: fields.collect(),
        topics: Vec::new(),
    }
}

/// A chain of one block a list of events, from block 100 on.
fn chain(blocks: &[&[(Phase, &str, u16)]]) -> Store {
    let layout = layout();
    let store = Store::in_memory().unwrap();
    let (mut tip, mut parent) = (Tip::default(), H256::ZERO);
    for (number, said) in (100_u32..).zip(blocks) {
        let said = said.iter();
        let said = said.map(|(phase, name, net)| event(&layout.metadata, *phase, name, *net));
        let said: Vec<Event> = said.collect();
        let bytes = encode_events(&layout.metadata, &said).unwrap();
        let mut activity = Activity::default();
        for event in decode_events(&layout.metadata, &bytes).unwrap() {
            activity.event(&event);
        }
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&(number + 1).to_be_bytes());
        let prepared = Prepared {
            raw: RawBlock {
                number,
                hash: H256(hash),
                header: Vec::new(),
                parent,
                extrinsics: Vec::new(),
                values: Vec::new(),
            },
            decoded: Decoded {
                event_count: u32::try_from(said.len()).unwrap(),
                events: bytes,
                activity,
                ..Decoded::default()
            },
            layout: layout.clone(),
            every: None,
            values: Vec::new(),
            inputs: Vec::new(),
            swept: false,
            epochs: Vec::new(),
            upgraded_to: None,
        };
        let batch = block_batch(&store, &mut tip, &prepared).unwrap();
        store.commit(vec![batch]).unwrap();
        parent = H256(hash);
    }
    store
}

const BEGIN: Phase = Phase::Initialization;

/// Subnet, block and reason of each.
fn told(records: &[Record]) -> Vec<(u16, u32, &str)> {
    let why = |record: &Record| match &record.verdict {
        Verdict::NotRun(why) if why.contains("put off") => "put off",
        Verdict::NotRun(why) if why.contains("skipped") => "skipped",
        other => panic!("{other:?}"),
    };
    records
        .iter()
        .map(|record| (record.netuid.0, record.block, why(record)))
        .collect()
}

#[test]
fn slots_that_the_runtime_puts_off_or_skips_are_recorded() {
    let store = chain(&[
        &[(BEGIN, "EpochDeferred", 3), (BEGIN, "EpochDeferred", 2)],
        &[],
        &[(BEGIN, "EpochSkipped", 2)],
        // What an extrinsic says is no slot.
        &[(Phase::ApplyExtrinsic(0), "EpochDeferred", 5)],
        &[(BEGIN, "EpochDeferred", 3)],
    ]);
    let slots =
        |netuid: Option<u16>, blocks| follow::slots(&store, netuid.map(NetUid), blocks).unwrap();
    let all = slots(None, 0..=200);
    assert_eq!(
        told(&all),
        [
            (2, 100, "put off"),
            (3, 100, "put off"),
            (2, 102, "skipped"),
            (3, 104, "put off"),
        ]
    );
    for record in &all {
        assert_eq!((record.spec, record.mechanism), (SPEC, MechId(0)));
        assert!(record.fields.is_empty() && record.inputs.is_none());
    }
    // By subnet and by range, ends included.
    assert_eq!(
        told(&slots(Some(3), 0..=200)),
        [(3, 100, "put off"), (3, 104, "put off")]
    );
    assert_eq!(told(&slots(None, 101..=103)), [(2, 102, "skipped")]);
    assert_eq!(
        told(&slots(None, 102..=104)),
        [(2, 102, "skipped"), (3, 104, "put off")]
    );
    assert_eq!(slots(Some(5), 0..=200), []);

    // Following keeps them, each once, and what was looked at is not looked at again.
    for _ in 0..2 {
        follow::catch_up(&store, &follow::Stop::default()).unwrap();
        for (netuid, blocks) in [(2, [100, 102].as_slice()), (3, &[100, 104]), (5, &[])] {
            let kept = store.verdicts(NetUid(netuid), MechId(0), (0, 200), false, 100);
            let kept = kept.unwrap();
            let heights: Vec<u32> = kept.iter().map(|record| record.block).collect();
            assert_eq!(heights, blocks, "{netuid}");
            assert!(kept.iter().all(|r| matches!(r.verdict, Verdict::NotRun(_))));
        }
    }
}

#[test]
fn more_slots_than_one_page_of_the_index_are_all_found() {
    let one: &[(Phase, &str, u16)] = &[(BEGIN, "EpochDeferred", 7), (BEGIN, "EpochDeferred", 9)];
    let store = chain(&vec![one; 100]);
    let all = follow::slots(&store, None, 0..=1000).unwrap();
    let wanted = (100..200).flat_map(|block| [(7, block, "put off"), (9, block, "put off")]);
    assert_eq!(told(&all), wanted.collect::<Vec<_>>());
}
