use super::*;
use crate::store::Checkpoint;
use crate::store::frames::row_bytes;
use crate::store::spans;
use crate::store::tables::state_prefix;

const ITEM: u16 = 270;

fn checkpoint(first: u32, last: u32) -> Checkpoint {
    Checkpoint {
        first,
        last,
        hash: [0; 32],
        spec: 1,
        upgraded_to: None,
    }
}

fn row(batch: &mut Batch, key: &[u8], number: u32, value: Option<&[u8]>) {
    let mut at = state_prefix(ITEM, key);
    at.extend_from_slice(&number.to_be_bytes());
    batch.put(at, row_bytes(number, value, None, None));
}

/// Blocks 0 to 20; the value is 1 from block 3, 2 from block 10, nothing from 15 on.
fn store() -> Store {
    let store = Store::in_memory().unwrap();
    let mut batch = Batch::default();
    row(&mut batch, b"key", 3, Some(&[1]));
    row(&mut batch, b"key", 10, Some(&[2]));
    row(&mut batch, b"key", 15, None);
    spans::put_span(&mut batch, &checkpoint(0, 20));
    store.commit(vec![batch]).unwrap();
    store
}

fn value(store: &Store, at: u32) -> Option<u8> {
    let told = store.told_at(ITEM, b"key", at).unwrap();
    assert!(told.from <= at && at <= told.to);
    told.held.map(|(_, kept)| kept.bytes()[0])
}

fn kept(store: &Store) -> usize {
    let shards = store.memo.as_ref().unwrap().shards.iter();
    let young = shards.map(|shard| {
        let shard = shard.lock().unwrap();
        shard.young.values().map(Vec::len).sum::<usize>()
    });
    young.sum()
}

#[test]
fn one_read_answers_for_all_blocks_between_two_changes() {
    let store = store();
    for at in [12, 5, 2, 18] {
        store.told_at(ITEM, b"key", at).unwrap();
    }
    assert_eq!(kept(&store), 4);
    for at in 0..=20 {
        let plain = store.state(ITEM, b"key", at).unwrap();
        let plain = plain.and_then(|row| Some(row.value?[0]));
        assert_eq!(value(&store, at), plain, "{at}");
    }
    assert_eq!(kept(&store), 4, "nothing was read again");
    let told = store.told_at(ITEM, b"key", 5).unwrap();
    assert_eq!((told.from, told.to), (3, 9));
    let told = store.told_at(ITEM, b"key", 1).unwrap();
    assert_eq!((told.from, told.to, told.held.is_none()), (0, 2, true));
}

#[test]
fn new_blocks_are_read_and_old_answers_stay() {
    let store = store();
    assert_eq!(value(&store, 20), None);
    let mut batch = Batch::default();
    row(&mut batch, b"key", 22, Some(&[3]));
    spans::put_span(&mut batch, &checkpoint(0, 24));
    store.commit(vec![batch]).unwrap();
    assert_eq!(value(&store, 21), None);
    assert_eq!(value(&store, 22), Some(3));
    assert_eq!(value(&store, 24), Some(3));
    assert_eq!(value(&store, 12), Some(2));
    // Beyond what a span holds nothing is kept.
    let before = kept(&store);
    assert_eq!(value(&store, 30), Some(3));
    assert_eq!(kept(&store), before);
}

#[test]
fn rows_that_are_written_again_are_read_again() {
    let store = store();
    assert_eq!(value(&store, 12), Some(2));
    let mut batch = Batch::default();
    row(&mut batch, b"key", 11, Some(&[9]));
    store.commit(vec![batch]).unwrap();
    assert_eq!(kept(&store), 0);
    assert_eq!(value(&store, 12), Some(9));
    assert_eq!(value(&store, 10), Some(2));
}

#[test]
fn a_join_of_spans_empties_it_and_is_not_answered_from_it() {
    let store = Store::in_memory().unwrap();
    let mut batch = Batch::default();
    row(&mut batch, b"key", 3, Some(&[1]));
    row(&mut batch, b"key", 10, Some(&[1]));
    spans::put_span(&mut batch, &checkpoint(0, 9));
    spans::put_span(&mut batch, &checkpoint(10, 20));
    store.commit(vec![batch]).unwrap();
    let told = store.told_at(ITEM, b"key", 12).unwrap();
    assert_eq!((told.from, told.held.unwrap().0), (10, 10));
    let mut batch = Batch::default();
    spans::delete_span(&mut batch, 10);
    spans::put_span(&mut batch, &checkpoint(0, 20));
    let joint = spans::Joint {
        at: 10,
        to: 20,
        cursor: Vec::new(),
        swept: false,
    };
    spans::put_joint(&mut batch, &joint);
    store.commit(vec![batch]).unwrap();
    let told = store.told_at(ITEM, b"key", 12).unwrap();
    assert_eq!(told.held.unwrap().0, 3, "the value is older than the joint");
    assert_eq!(kept(&store), 0, "nothing is kept while a joint stands");
    let mut batch = Batch::default();
    spans::delete_joint(&mut batch, 10);
    let mut gone = state_prefix(ITEM, b"key");
    gone.extend_from_slice(&10_u32.to_be_bytes());
    batch.delete(gone);
    store.commit(vec![batch]).unwrap();
    let told = store.told_at(ITEM, b"key", 12).unwrap();
    assert_eq!((told.from, told.to, told.held.unwrap().0), (3, 20, 3));
    assert_eq!(kept(&store), 1);
}

#[test]
fn what_began_before_it_was_emptied_is_not_put_in() {
    let store = store();
    let memo = store.memo.as_ref().unwrap();
    let seen = memo.dropped.load(Ordering::SeqCst);
    memo.clear();
    memo.put(b"late", Stretch::only(5, Entry::One(None)), seen);
    assert_eq!(kept(&store), 0);
    memo.put(b"late", Stretch::only(5, Entry::One(None)), seen + 1);
    assert_eq!(kept(&store), 0);
    memo.put(b"late", Stretch::only(5, Entry::One(None)), seen + 2);
    assert_eq!(kept(&store), 1);
}

#[test]
fn it_is_bounded_and_keeps_what_is_asked_for() {
    let memo = Memo::new(1 << 20);
    let put = |key: u32| {
        let held = Some((0, Arc::new(Kept::new(vec![0; 100]))));
        memo.put(&key.to_be_bytes(), Stretch::only(7, Entry::One(held)), 0);
    };
    put(0);
    for key in 1..50_000 {
        put(key);
        assert!(memo.get(&0_u32.to_be_bytes(), 7).is_some(), "{key}");
    }
    let mut bytes = 0;
    for shard in &memo.shards {
        let shard = shard.lock().unwrap();
        let all = shard.young.values().chain(shard.old.values()).flatten();
        bytes += all.map(|s| ENTRY + s.held.weight(u64::MAX)).sum::<usize>();
    }
    assert!(bytes > 1 << 18 && bytes <= 1 << 20, "{bytes}");
    assert!(memo.get(&1_u32.to_be_bytes(), 7).is_none());
    // What is larger than all of it is not kept.
    let held = Some((0, Arc::new(Kept::new(vec![0; 2 << 20]))));
    memo.put(b"huge", Stretch::only(7, Entry::One(held)), 0);
    assert!(memo.get(b"huge", 7).is_none());
}

#[test]
fn layers_above_a_store_have_none() {
    let store = store();
    let above = store.under(20, Vec::new(), &[]).unwrap();
    assert!(above.memo.is_none());
    let told = above.told_at(ITEM, b"key", 12).unwrap();
    assert_eq!((told.from, told.to), (12, 12));
}

/// Two uids; the value of uid 0 is 1 from block 0 and 2 from block 8, that of uid 1 is 7
/// under one key up to block 11, and under another one 8 from block 12 on.
#[test]
fn columns_are_made_of_those_near_by() {
    let store = Store::in_memory().unwrap();
    let mut batch = Batch::default();
    row(&mut batch, b"a", 0, Some(&[1]));
    row(&mut batch, b"a", 8, Some(&[2]));
    row(&mut batch, b"b", 0, Some(&[7]));
    row(&mut batch, b"c", 12, Some(&[8]));
    spans::put_span(&mut batch, &checkpoint(0, 20));
    store.commit(vec![batch]).unwrap();
    let reads = std::cell::RefCell::new(Vec::new());
    let column = |at: u32| {
        let key = |uid: u16| {
            reads.borrow_mut().push(uid);
            Some(match (uid, at) {
                (0, _) => (b"a".to_vec(), (0, u32::MAX)),
                (_, ..12) => (b"b".to_vec(), (0, 11)),
                _ => (b"c".to_vec(), (12, 20)),
            })
        };
        let cells = store.column((ITEM, 1), 2, at, store.reading(), key);
        let cells = cells.unwrap();
        let values = cells
            .iter()
            .map(|cell| cell.held.as_ref().unwrap().1.bytes()[0]);
        (
            values.collect::<Vec<_>>(),
            std::mem::take(&mut *reads.borrow_mut()),
        )
    };
    assert_eq!(column(2), (vec![1, 7], vec![0, 1]));
    assert_eq!(column(7), (vec![1, 7], vec![]));
    assert_eq!(column(9), (vec![2, 7], vec![0]), "uid 1 is as at block 2");
    assert_eq!(column(20), (vec![2, 8], vec![1]));
    assert_eq!(column(11), (vec![2, 7], vec![]));
    assert_eq!(column(12), (vec![2, 8], vec![]));
    // A uid more: what is known of the others goes on.
    let key = |uid: u16| {
        assert_eq!(uid, 2);
        Some((b"d".to_vec(), (0, u32::MAX)))
    };
    let cells = store.column((ITEM, 1), 3, 12, store.reading(), key);
    let cells = cells.unwrap();
    assert!(cells[2].held.is_none());
}

/// Two uids whose values at block 5 are 1 and 7, which a later commit makes 9 and 8.
fn two_uids() -> (Store, Batch) {
    let store = Store::in_memory().unwrap();
    let mut batch = Batch::default();
    row(&mut batch, b"a", 0, Some(&[1]));
    row(&mut batch, b"b", 0, Some(&[7]));
    spans::put_span(&mut batch, &checkpoint(0, 20));
    store.commit(vec![batch]).unwrap();
    let mut late = Batch::default();
    row(&mut late, b"a", 0, Some(&[9]));
    row(&mut late, b"b", 0, Some(&[8]));
    (store, late)
}

fn uid_key(uid: u16) -> UidKey {
    let key: &[u8] = if uid == 0 { b"a" } else { b"b" };
    Some((key.to_vec(), (0, u32::MAX)))
}

fn bytes_of(cells: &Cells) -> Vec<u8> {
    let cells = cells.iter().filter_map(|cell| cell.held.as_ref());
    cells.map(|(_, kept)| kept.bytes()[0]).collect()
}

/// A reader that takes old cells out of a shard before it is emptied, and comes back
/// with them after.
#[test]
fn what_is_read_while_it_is_emptied_leaves_nothing_old() {
    let (store, late) = two_uids();
    let column = |count| {
        let cells = store.column((ITEM, 1), count, 5, store.reading(), uid_key);
        bytes_of(&cells.unwrap())
    };
    assert_eq!(column(1), [1]);
    // What a commit does, with a reader in between.
    store.engine.commit(vec![late]).unwrap();
    let memo = store.memo.clone().unwrap();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (emptied, is_emptied) = std::sync::mpsc::channel::<()>();
    let is_emptied = Mutex::new(is_emptied);
    std::thread::scope(|scope| {
        let mut reader = None;
        memo.clear_with(|place| {
            if place > 0 {
                return;
            }
            let (store, begun, is_emptied) = (&store, begun.clone(), &is_emptied);
            reader = Some(scope.spawn(move || {
                let key = |uid| {
                    // The last uid is not in the old column: all old cells are taken by now.
                    if uid == 1 {
                        begun.send(()).unwrap();
                        is_emptied.lock().unwrap().recv().unwrap();
                    }
                    uid_key(uid)
                };
                let cells = store.column((ITEM, 1), 2, 5, store.reading(), key);
                cells.unwrap().len()
            }));
            has_begun.recv().unwrap();
        });
        emptied.send(()).unwrap();
        assert_eq!(reader.unwrap().join().unwrap(), 2);
    });
    assert_eq!(kept(&store), 0, "what began meanwhile is not kept");
    assert_eq!(column(2), [9, 8]);
    assert_eq!(kept(&store), 1, "it is used again");
    assert_eq!(column(2), [9, 8]);
}

/// Bounds out of a column that was read before all was dropped.
#[test]
fn what_follows_from_something_dropped_is_not_kept() {
    let (store, late) = two_uids();
    let since = store.reading();
    store.commit(vec![late]).unwrap();
    let column = |since| store.column((ITEM, 1), 2, 5, since, uid_key).unwrap();
    assert_eq!(bytes_of(&column(since)), [9, 8]);
    assert_eq!(kept(&store), 0);
    column(store.reading());
    assert_eq!(kept(&store), 1);

    // And a value out of those that were unpacked before.
    let slot = Slot { item: 9, subnet: 1 };
    let mut pulse = Pulse::default();
    pulse.advance(0, [(slot, Some(vec![4]))]);
    let keep = |since| store.keep_pulse(slot, 20, (since, &pulse)).unwrap();
    assert_eq!(keep(since).unwrap().0, 0);
    assert!(store.pulse_kept(slot, 20).is_none());
    keep(store.reading());
    assert_eq!(store.pulse_kept(slot, 20).unwrap().unwrap().0, 0);
}

#[test]
fn decoded_forms_are_kept_only_where_they_were_counted() {
    let decoded = |bytes: usize, value: Value| {
        let kept = Kept::new(vec![0; bytes]);
        let read = |_: &[u8]| Ok::<_, StoreError>(value.clone());
        let taken = kept.with(1, read, Value::clone).unwrap();
        assert_eq!(taken, value);
        let weight = kept.weight(1);
        let held = kept.decoded.get().map_or(0, |(_, value)| heap(value));
        assert!(size_of::<Kept>() + bytes + held <= weight, "{bytes}");
        kept.decoded.get().is_some()
    };
    let number = Value::Uint {
        width: 64,
        value: 5,
    };
    let fields = |count| {
        let field = |_| (None, number.clone());
        Value::Composite((0..count).map(field).collect())
    };
    let bools = |count| Value::Seq(vec![Value::Bool(true); count]);
    assert!(decoded(8, number.clone()));
    assert!(decoded(32, Value::Account([3; 32])));
    // As long as what the chain keeps of a served address.
    assert!(decoded(34, fields(8)) && decoded(31, fields(5)));
    assert!(!decoded(258, bools(256)) && !decoded(63, bools(62)) && !decoded(9, bools(8)));
    assert!(!decoded(100, Value::Bytes(vec![0; 99])));
}
