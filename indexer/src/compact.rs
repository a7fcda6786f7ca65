//! A store written anew: all rows into a fresh folder, which then takes the
//! place of the old one.
//!
//! ```text
//! DIR ──rows──► DIR.compacting      verified by digest after it was closed and opened again
//! DIR ──rename─► DIR.before-compact
//! DIR.compacting ──rename─► DIR     then DIR.before-compact is removed, unless it is to be kept
//! ```
//!
//! A crash between the two renames leaves no `DIR`; [`interrupted`] tells, and
//! [`compact`] puts the old folder back before it begins again.

use std::path::{Path, PathBuf};

use crate::check::{Digest, digest};
use crate::store::engine::{Batch, Range};
use crate::store::{Store, StoreError};

/// Bytes written between two flushes.
const FLUSH: usize = 8 << 20;
/// Rows put in one batch: sled's file grows a good deal more with larger ones
/// (3.1 times the rows with 160, 5.2 times with 20,000).
const BATCH: usize = 160;

/// Why a store was not compacted. The store in its folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// A store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder cannot be renamed or removed.
    #[error("{doing} failed: {why}")]
    Folder {
        /// What was being done.
        doing: String,
        /// Reason.
        why: String,
    },
    /// The new store does not hold what the old one does.
    #[error(
        "the new store in {dir} has digest {new}, the old one {old}: the old one stays in use; check the disk, and remove the new one"
    )]
    Differs {
        /// Folder of the new store.
        dir: String,
        /// Digest and rows of the new store.
        new: String,
        /// Digest and rows of the old store.
        old: String,
    },
    /// The old store was written while it was copied.
    #[error("{0} was written by another program during the compaction: stop that and try again")]
    Written(String),
    /// A folder that would be overwritten.
    #[error("{0} is in the way: move it away or remove it")]
    InTheWay(String),
}

/// What became of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes on disk before.
    pub before: u64,
    /// Bytes on disk after.
    pub after: u64,
    /// Rows and digest, the same before and after.
    pub digest: Digest,
    /// Where the old store was left, when it was to be kept.
    pub kept: Option<PathBuf>,
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn old_of(dir: &Path) -> PathBuf {
    beside(dir, ".before-compact")
}

/// Whether a compaction of `dir` was cut off between its two renames: the
/// store is whole, under another name.
pub fn interrupted(dir: &Path) -> bool {
    !dir.exists() && old_of(dir).join("conf").exists()
}

fn folder<T>(doing: impl Into<String>, result: std::io::Result<T>) -> Result<T, CompactError> {
    result.map_err(|e| CompactError::Folder {
        doing: doing.into(),
        why: e.to_string(),
    })
}

fn rename(from: &Path, to: &Path) -> Result<(), CompactError> {
    let doing = format!("renaming {} to {}", from.display(), to.display());
    folder(doing, std::fs::rename(from, to))
}

fn remove(dir: &Path) -> Result<(), CompactError> {
    folder(
        format!("removing {}", dir.display()),
        std::fs::remove_dir_all(dir),
    )
}

/// Writes the store in `dir` anew and puts it in its place. `cache_bytes`
/// bounds the page cache of each of the two stores.
pub fn compact(dir: &Path, cache_bytes: u64, keep: bool) -> Result<Compacted, CompactError> {
    if interrupted(dir) {
        rename(&old_of(dir), dir)?;
    }
    // A trailing slash or a link must not change what the folders beside it are called.
    let dir = &dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let (new, old) = (beside(dir, ".compacting"), old_of(dir));
    if old.exists() {
        return Err(CompactError::InTheWay(old.display().to_string()));
    }
    let source = Store::open_sled(dir, false, cache_bytes)?;
    source.checkpoint()?.ok_or(StoreError::Empty)?;
    if new.exists() {
        // Of an earlier compaction that did not come to its end; the store's
        // lock says that no other one is at work.
        remove(&new)?;
    }
    let before = source.engine().size_on_disk().map_err(StoreError::from)?;
    let wanted = digest(&source)?;
    let spans = source.spans();
    copy(&source, &new, cache_bytes)?;
    // What counts is what is read back from the disk.
    let copied = Store::open_sled(&new, false, cache_bytes)?;
    let found = digest(&copied)?;
    let after = copied.engine().size_on_disk().map_err(StoreError::from)?;
    drop(copied);
    if found != wanted {
        let told = |d: &Digest| format!("{} over {} rows", d.hash, d.rows);
        return Err(CompactError::Differs {
            dir: new.display().to_string(),
            new: told(&found),
            old: told(&wanted),
        });
    }
    beside_rows(dir, &new)?;
    drop(source);
    rename(dir, &old)?;
    // Under its new name nobody writes it; what was written since the copy shows now.
    let undisturbed = Store::open_sled(&old, false, cache_bytes)
        .map(|store| store.spans() == spans)
        .unwrap_or(false);
    if !undisturbed {
        rename(&old, dir)?;
        return Err(CompactError::Written(dir.display().to_string()));
    }
    if let Err(error) = carry(&old, &new).and_then(|()| rename(&new, dir)) {
        rename(&old, dir)?;
        return Err(error);
    }
    if !keep {
        remove(&old)?;
    }
    Ok(Compacted {
        before,
        after,
        digest: wanted,
        kept: keep.then_some(old),
    })
}

/// What the program keeps beside the rows: where its webhooks stand.
fn beside_rows(from: &Path, to: &Path) -> Result<(), CompactError> {
    const FOLDER: &str = "alerts";
    fn tree(from: &Path, to: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let (path, target) = (entry.path(), to.join(entry.file_name()));
            if entry.file_type()?.is_dir() {
                tree(&path, &target)?;
            } else {
                std::fs::copy(&path, &target)?;
                std::fs::File::open(&target)?.sync_all()?;
            }
        }
        Ok(())
    }
    let (from, to) = (from.join(FOLDER), to.join(FOLDER));
    if !from.is_dir() {
        return Ok(());
    }
    folder(format!("copying {}", from.display()), tree(&from, &to))
}

/// Takes along what lies beside the store in its folder and is not the engine's: keys, settings.
fn carry(old: &Path, new: &Path) -> Result<(), CompactError> {
    let doing = |file: &Path| format!("copying {} to {}", file.display(), new.display());
    for entry in folder(doing(old), std::fs::read_dir(old))? {
        let path = folder(doing(old), entry)?.path();
        let is_ours = path
            .extension()
            .is_some_and(|kind| kind == "json" || kind == "toml");
        if let (true, Some(name)) = (is_ours && path.is_file(), path.file_name()) {
            folder(doing(&path), std::fs::copy(&path, new.join(name)))?;
        }
    }
    Ok(())
}

/// All rows in key order, tables of other programs among them.
fn copy(source: &Store, dir: &Path, cache_bytes: u64) -> Result<(), CompactError> {
    let target = crate::store::engine::sled::SledEngine::open(dir, true, cache_bytes)
        .map_err(StoreError::from)?;
    let target: &dyn crate::store::Engine = &target;
    let (mut batches, mut size) = (vec![Batch::default()], 0);
    for row in source.engine().scan(everything()) {
        let (key, value) = row.map_err(StoreError::from)?;
        size += key.len() + value.len();
        match batches.last_mut().filter(|batch| batch.ops.len() < BATCH) {
            Some(batch) => batch.put(key, value),
            None => {
                let mut batch = Batch::default();
                batch.put(key, value);
                batches.push(batch);
            }
        }
        if size >= FLUSH {
            target
                .commit(std::mem::take(&mut batches))
                .map_err(StoreError::from)?;
            size = 0;
        }
    }
    target.commit(batches).map_err(StoreError::from)?;
    Ok(())
}

/// The range of all rows.
pub(crate) fn everything() -> Range {
    Range {
        from: Vec::new(),
        below: None,
        reverse: false,
    }
}
