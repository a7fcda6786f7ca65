//! One suite that every engine must pass.
//!
//! A new engine's tests call [`check`] with a function that opens it.

use super::engine::{Batch, Engine, Range};

fn keys(engine: &dyn Engine, range: Range) -> Vec<Vec<u8>> {
    engine
        .scan(range)
        .map(|r| r.map(|(k, _)| k).unwrap_or_default())
        .collect()
}

/// Runs the suite. `open` returns the same engine again after it was dropped,
/// as a restart would, if it has a disk; `durable` says whether it has one.
///
/// # Panics
///
/// When the engine does not keep a promise of the port.
pub fn check(open: &dyn Fn() -> Box<dyn Engine>, durable: bool) {
    let engine = open();
    let get = |engine: &dyn Engine, key: &[u8]| engine.get(key).unwrap_or_default();
    assert_eq!(get(&*engine, b"nothing"), None);
    assert!(engine.commit(vec![]).is_ok(), "an empty commit is allowed");

    // Order within a batch and between batches: the last write wins.
    let mut first = Batch::default();
    first.put(b"a".to_vec(), b"1".to_vec());
    first.put(b"a".to_vec(), b"2".to_vec());
    first.put(b"gone".to_vec(), b"x".to_vec());
    first.delete(b"gone".to_vec());
    let mut second = Batch::default();
    second.put(b"b".to_vec(), vec![]);
    assert!(engine.commit(vec![first, second]).is_ok());
    assert_eq!(get(&*engine, b"a"), Some(b"2".to_vec()));
    assert_eq!(
        get(&*engine, b"b"),
        Some(vec![]),
        "an empty value is a value"
    );
    assert_eq!(get(&*engine, b"gone"), None);

    // Byte order, both directions, bounds, prefixes that end in 0xff.
    let mut many = Batch::default();
    for i in 0..=999_u16 {
        let mut key = vec![0xff, 0xff];
        key.extend(i.to_be_bytes());
        many.put(key, i.to_le_bytes().to_vec());
    }
    many.put(vec![0xff], b"short".to_vec());
    assert!(engine.commit(vec![many]).is_ok());
    let all = keys(&*engine, Range::prefix(&[0xff, 0xff]));
    assert_eq!(all.len(), 1000);
    assert!(all.is_sorted());
    let mut back = keys(&*engine, Range::prefix(&[0xff, 0xff]).reversed());
    back.reverse();
    assert_eq!(all, back);
    let some = keys(
        &*engine,
        Range {
            from: all[10].clone(),
            below: Some(all[13].clone()),
            reverse: true,
        },
    );
    assert_eq!(
        some,
        vec![all[12].clone(), all[11].clone(), all[10].clone()]
    );
    let empty = Range {
        from: all[13].clone(),
        below: Some(all[10].clone()),
        reverse: false,
    };
    assert!(
        keys(&*engine, empty).is_empty(),
        "an inverted range is empty"
    );
    assert_eq!(keys(&*engine, Range::prefix(&[])).len(), 1003);
    assert_eq!(engine.verify().unwrap_or_default(), 1003);

    // A scan may be open while the writer writes.
    let mut scan = engine.scan(Range::prefix(&[0xff, 0xff]));
    assert!(scan.next().is_some_and(|r| r.is_ok()));
    let mut more = Batch::default();
    more.put(b"c".to_vec(), b"3".to_vec());
    assert!(engine.commit(vec![more]).is_ok());
    assert_eq!(scan.count(), 999);

    if durable {
        assert!(engine.size_on_disk().unwrap_or_default() > 0);
        drop(engine);
        let engine = open();
        assert_eq!(
            get(&*engine, b"c"),
            Some(b"3".to_vec()),
            "durable on return"
        );
        assert_eq!(engine.verify().unwrap_or_default(), 1004);
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::{memory::MemoryEngine, sled::SledEngine};

    #[test]
    fn memory_conforms() {
        super::check(&|| Box::new(MemoryEngine::default()), false);
    }

    #[test]
    fn sled_conforms() {
        let dir = tempfile::tempdir().unwrap();
        super::check(
            &|| Box::new(SledEngine::open(dir.path(), true, 16 << 20).unwrap()),
            true,
        );
    }

    #[test]
    fn sled_says_who_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _held = SledEngine::open(dir.path(), true, 16 << 20).unwrap();
        let error = SledEngine::open(dir.path(), true, 16 << 20).unwrap_err();
        assert!(error.to_string().contains("another yumascope"), "{error}");
    }

    #[test]
    fn an_absent_store_is_not_created_for_reading() {
        let dir = tempfile::tempdir().unwrap();
        let error = SledEngine::open(&dir.path().join("x"), false, 16 << 20).unwrap_err();
        assert!(error.to_string().contains("there is no store"), "{error}");
        assert!(!dir.path().join("x").exists());
    }
}
