//! `compact`: the same rows in less space, and nothing lost when it is cut off.

use std::path::PathBuf;
use std::sync::Arc;

use indexer::check::digest;
use indexer::compact::{CompactError, compact};
use indexer::source::recording::RecordingSource;
use indexer::store::Store;

use crate::context::{index, outcome, recording, text};

const CACHE: u64 = 16 << 20;

fn beside(dir: &std::path::Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", dir.display()))
}

/// A store of some blocks in a folder, written block by block.
async fn made(dir: &std::path::Path, until: u32) -> indexer::check::Digest {
    let store = Store::open_sled(dir, true, CACHE).unwrap();
    let source = Arc::new(RecordingSource(recording("mini-300")));
    for last in (0..=until).step_by(20) {
        index(source.clone(), &store, last).await.unwrap();
    }
    digest(&store).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_stay_and_indexing_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let before = made(&dir, 80).await;
    let done = outcome(&["compact", "--data-dir", text(&dir)]);
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        out.contains("before  ") && out.contains("after   "),
        "{out}"
    );
    assert!(out.contains(&before.hash.to_string()), "{out}");
    // Nothing but the store is left.
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);

    let store = Store::open_sled(&dir, false, CACHE).unwrap();
    assert_eq!(digest(&store).unwrap(), before);
    let source = Arc::new(RecordingSource(recording("mini-300")));
    index(source.clone(), &store, 120).await.unwrap();
    let whole = Store::in_memory().unwrap();
    index(source, &whole, 120).await.unwrap();
    assert_eq!(digest(&store).unwrap(), digest(&whole).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_store_is_kept_when_asked_and_never_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let before = made(&dir, 20).await;
    let done = compact(&dir, CACHE, true).unwrap();
    assert_eq!(done.digest, before);
    assert!(done.before > 0 && done.after > 0);
    let kept = done.kept.unwrap();
    assert_eq!(
        kept,
        beside(&dir.canonicalize().unwrap(), ".before-compact")
    );
    for dir in [&dir, &kept] {
        let store = Store::open_sled(dir, false, CACHE).unwrap();
        assert_eq!(digest(&store).unwrap(), before);
    }
    let error = compact(&dir, CACHE, false).unwrap_err();
    assert!(matches!(error, CompactError::InTheWay(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_that_was_cut_off_is_finished() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let before = made(&dir, 20).await;
    // Between the two renames: a whole old store, and a new one.
    std::fs::rename(&dir, beside(&dir, ".before-compact")).unwrap();
    std::fs::create_dir(beside(&dir, ".compacting")).unwrap();
    std::fs::write(beside(&dir, ".compacting").join("db"), b"half").unwrap();
    // Nothing begins an empty store in its place.
    let error = Store::open_sled(&dir, true, CACHE).unwrap_err().to_string();
    assert!(error.contains("yumascope compact"), "{error}");
    assert!(!dir.exists());
    let done = compact(&dir, CACHE, false).unwrap();
    assert_eq!(done.digest, before);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    let store = Store::open_sled(&dir, false, CACHE).unwrap();
    assert_eq!(digest(&store).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let before = made(&dir, 20).await;
    let store = Store::open_sled(&dir, false, CACHE).unwrap();
    let done = outcome(&["compact", "--data-dir", text(&dir)]);
    assert!(!done.status.success());
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(error.contains("another yumascope has it open"), "{error}");
    assert_eq!(digest(&store).unwrap(), before);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    let none = outcome(&["compact", "--data-dir", text(&root.path().join("none"))]);
    assert!(!none.status.success());
}
