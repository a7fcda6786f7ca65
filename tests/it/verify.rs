//! Every epoch of the recordings computed again, to the last bit; wrong inputs found at the right
//! stage and uid; the thread behind the commits.

mod program;
mod served;
mod spans;
mod wrong;

use std::collections::BTreeMap;
use std::sync::Arc;

use chain_metadata::{MechId, NetUid};
use indexer::pipeline::Plan;
use indexer::source::recording::RecordingSource;
use indexer::store::Store;
use indexer::store::engine::{Batch, Range};
use indexer::store::tables::{self, Table};
use indexer::verify::compare::Field;
use indexer::verify::{Verdict, Verified, chained, follow, limits};

use crate::context::{index_with, indexed, recording};

/// All epochs of a store.
fn all(store: &Store) -> Vec<Verified> {
    follow::epochs(store, None, 0..=store.last().unwrap().unwrap()).unwrap()
}

/// All rows of the two tables of verdicts.
fn rows(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tables = [Table::Verdict, Table::Verify];
    let rows = tables.iter().flat_map(|table| {
        let rows = store.engine().scan(Range::prefix(&table.key(&[])));
        rows.map(Result::unwrap).collect::<Vec<_>>()
    });
    rows.collect()
}

fn caught_up(store: &Store) {
    follow::catch_up(store, &follow::Stop::default()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_epoch_is_exact_in_every_stored_field() {
    for (name, epochs, specs) in [
        ("mini-300", 73, vec![(300, 73)]),
        ("upgrades", 23, vec![(103, 11), (119, 7), (143, 5)]),
    ] {
        let store = indexed(name).await;
        let verified = all(&store);
        let (mut seen, mut paid) = (BTreeMap::new(), 0);
        for one in &verified {
            let record = &one.record;
            let label = format!("{name} {} subnet {}", record.block, record.netuid);
            assert_eq!(record.verdict, Verdict::Exact, "{label}: {record:?}");
            assert_eq!(
                (record.first, record.mechanism),
                (None, MechId(0)),
                "{label}"
            );
            assert!(
                record.unknown.is_empty() && record.replaced.is_empty(),
                "{label}"
            );
            let fields: Vec<_> = record.fields.iter().map(|d| d.field).collect();
            let stores = |f: &&Field| **f != Field::StakeWeight || record.spec >= 195;
            let wanted: Vec<_> = Field::ALL.iter().filter(stores).map(|f| f.byte()).collect();
            assert_eq!(fields, wanted, "{label}");
            let n = one.computed.vectors[&Field::Incentive].len();
            for d in &record.fields {
                let nothing = (d.differing, d.max_abs_diff, d.first_uid);
                assert_eq!(nothing, (0, 0, None), "{label}");
                let all = d.field == Field::Bonds.byte() || usize::try_from(d.compared) == Ok(n);
                assert!(all, "{label}: {d:?}");
            }
            for (field, stored) in &one.stored.vectors {
                assert_eq!(&one.computed.vectors[field], stored, "{label}");
            }
            paid += u32::from(record.drained.unwrap() > 0);
            *seen.entry(record.spec).or_insert(0) += 1;
        }
        assert_eq!(verified.len(), epochs, "{name}");
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), specs, "{name}");
        assert!(paid >= 10, "{name}: emission in {paid} epochs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn catching_up_following_and_doing_it_again_give_the_same_rows() {
    let whole = indexed("mini-300").await;
    assert!(rows(&whole).is_empty());
    caught_up(&whole);
    let wanted = rows(&whole);
    assert!(wanted.len() > 73, "{}", wanted.len());

    // In parts, as the road would: each end of what is stored is an end of what is looked at.
    let parts = Store::in_memory().unwrap();
    for until in [3, 90, 91, 165, 166, recording("mini-300").head] {
        let source = Arc::new(RecordingSource(recording("mini-300")));
        let plan = Plan {
            until: Some(until),
            ..Plan::default()
        };
        index_with(source, &parts, plan).await.unwrap();
        caught_up(&parts);
        assert_eq!(
            parts.looked_at().unwrap().map(|seen| seen.last),
            Some(until)
        );
    }
    assert_eq!(rows(&parts), wanted);

    // Records that were taken away come back; those that are there stay.
    let mut batch = Batch::default();
    for (key, _) in wanted.iter().take(30) {
        batch.delete(key.clone());
    }
    parts.commit(vec![batch]).unwrap();
    follow::again(&parts, (0, 400), &follow::Stop::default()).unwrap();
    assert_eq!(rows(&parts), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_begins_with_an_epoch_says_what_it_lacks() {
    let store = Store::in_memory().unwrap();
    let source = Arc::new(RecordingSource(recording("mini-300")));
    let plan = Plan {
        from: Some(165),
        until: Some(180),
        ..Plan::default()
    };
    index_with(source, &store, plan).await.unwrap();
    caught_up(&store);
    let verdict = |netuid, block| {
        let record = store.verdict(NetUid(netuid), MechId(0), block).unwrap();
        record.map(|r| r.verdict)
    };
    let lacking = Verdict::InputIncomplete("block 164 is not stored".into());
    for netuid in [1, 2, 3] {
        assert_eq!(verdict(netuid, 165), Some(lacking.clone()));
    }
    assert_eq!(verdict(3, 175), Some(Verdict::Exact));
    assert_eq!(verdict(2, 178), Some(Verdict::Exact));
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_without_an_epoch_are_recorded() {
    // Every slot of the recorded chains had its epoch.
    for name in ["mini-300", "upgrades"] {
        let store = indexed(name).await;
        let last = store.last().unwrap().unwrap();
        assert_eq!(follow::slots(&store, None, 0..=last).unwrap(), []);
    }
    // One that had none.
    let store = indexed("mini-300").await;
    let mut batch = Batch::default();
    batch.delete(tables::epoch_key(3, 175));
    store.commit(vec![batch]).unwrap();
    caught_up(&store);
    let verdict = |block| {
        let record = store.verdict(NetUid(3), MechId(0), block).unwrap();
        record.unwrap()
    };
    let slot = verdict(175);
    let why = "the slot was due and no epoch ran";
    assert_eq!(slot.verdict, Verdict::NotRun(why.into()));
    assert_eq!((slot.spec, slot.fields.len(), slot.inputs), (300, 0, None));
    assert_eq!(verdict(165).verdict, Verdict::Exact);
    assert_eq!(verdict(185).verdict, Verdict::Exact);
    let all = store.verdicts(NetUid(3), MechId(0), (0, 400), false, 1000);
    let slots = all
        .unwrap()
        .into_iter()
        .filter(|r| matches!(r.verdict, Verdict::NotRun(_)));
    assert_eq!(slots.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hash_for_a_range_finds_the_half_that_differs() {
    let good = indexed("mini-300").await;
    let bad = indexed("mini-300").await;
    // A weight is another one from block 200 on.
    wrong::change_state(&bad, "Weights", 195..=329, |bytes| {
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
    });
    caught_up(&good);
    caught_up(&bad);
    let hash = |store: &Store, range| {
        let mut hashes = Vec::new();
        for netuid in [1, 2, 3] {
            let records = store.verdicts(NetUid(netuid), MechId(0), range, false, 1000);
            hashes.push(chained(&records.unwrap()));
        }
        hashes
    };
    assert_eq!(hash(&good, (0, 190)), hash(&bad, (0, 190)));
    assert_ne!(hash(&good, (191, 400)), hash(&bad, (191, 400)));
    assert_ne!(hash(&good, (0, 400)), hash(&bad, (0, 400)));
}

#[test]
fn the_document_has_the_codes_list() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/verification.md");
    let text = std::fs::read_to_string(path).unwrap();
    for limit in limits::LIMITS {
        let row = format!(
            "| {} | {} | {} | {} |",
            limit.specs, limit.what, limit.why, limit.then
        );
        assert!(text.lines().any(|line| line == row), "no row {row}");
    }
    let (_, after) = text.split_once("| specs | what | why | then |").unwrap();
    let rows = after
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    assert_eq!(rows.count(), limits::LIMITS.len());
}
