//! sled 0.34 behind the [`Engine`] port.
//!
//! One tree holds all tables (sled grows with the number of trees), so a block
//! is one `apply_batch`, which sled recovers wholly or not at all.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Batch, Engine, EngineError, Range, Rows};

/// A sled database in a folder of its own.
#[derive(Debug)]
pub struct SledEngine {
    db: ::sled::Db,
    dir: PathBuf,
    /// sled's log file, to be synced.
    log: Option<std::fs::File>,
}

impl SledEngine {
    /// Opens the database in `dir`; with `create` an absent folder is made.
    ///
    /// `cache_bytes` bounds sled's page cache.
    pub fn open(dir: &Path, create: bool, cache_bytes: u64) -> Result<SledEngine, EngineError> {
        let refuse = |why: String| EngineError::Open {
            dir: dir.display().to_string(),
            why,
        };
        if !create && !dir.join("conf").exists() {
            return Err(refuse(
                "there is no store in it; run `yumascope index` or `yumascope run` first, or give another --data-dir".into(),
            ));
        }
        std::fs::create_dir_all(dir)
            .map_err(|e| refuse(format!("{e}; choose a --data-dir that can be written")))?;
        // sled reports a read-only folder late and vaguely; ask the file system first.
        let probe = dir.join(".writable");
        std::fs::write(&probe, b"")
            .and_then(|()| std::fs::remove_file(&probe))
            .map_err(|e| {
                refuse(format!(
                    "{e}; make the folder writable or choose another --data-dir"
                ))
            })?;
        let config = ::sled::Config::new()
            .path(dir)
            .mode(::sled::Mode::HighThroughput)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        // A database that was just closed keeps its lock until its last
        // background write is done.
        let patience = Instant::now() + LOCK_PATIENCE;
        let db = loop {
            match config.open() {
                Ok(db) => break db,
                Err(e) if is_lock(&e) && Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(e) if is_lock(&e) => {
                    return Err(refuse(
                        "another yumascope has it open; stop that one or give another --data-dir"
                            .into(),
                    ));
                }
                Err(e @ ::sled::Error::Corruption { .. }) => return Err(corrupt(&e)),
                Err(e) => return Err(refuse(e.to_string())),
            }
        };
        Ok(SledEngine {
            log: std::fs::File::open(dir.join("db")).ok(),
            db,
            dir: dir.to_path_buf(),
        })
    }
}

/// How long a lock of another is waited for.
const LOCK_PATIENCE: Duration = Duration::from_millis(1500);

fn is_lock(error: &::sled::Error) -> bool {
    match error {
        ::sled::Error::Io(io) => {
            io.kind() == std::io::ErrorKind::WouldBlock
                || io.to_string().contains("could not acquire lock")
        }
        _ => false,
    }
}

fn corrupt(error: &::sled::Error) -> EngineError {
    EngineError::Corrupt {
        why: error.to_string(),
    }
}

fn failed(doing: &'static str) -> impl Fn(::sled::Error) -> EngineError {
    move |e| match e {
        ::sled::Error::Corruption { .. } => corrupt(&e),
        other => EngineError::Io {
            doing,
            why: other.to_string(),
        },
    }
}

impl Engine for SledEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let found = self.db.get(key).map_err(failed("reading a row"))?;
        Ok(found.map(|v| v.to_vec()))
    }

    fn scan(&self, range: Range) -> Rows<'_> {
        if range
            .below
            .as_ref()
            .is_some_and(|below| *below <= range.from)
        {
            return Box::new(std::iter::empty());
        }
        let rows = match range.below {
            Some(below) => self.db.range(range.from..below),
            None => self.db.range(range.from..),
        };
        let row = |r: ::sled::Result<(::sled::IVec, ::sled::IVec)>| {
            r.map(|(k, v)| (k.to_vec(), v.to_vec()))
                .map_err(failed("scanning rows"))
        };
        if range.reverse {
            Box::new(rows.rev().map(row))
        } else {
            Box::new(rows.map(row))
        }
    }

    fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError> {
        for batch in batches {
            let mut out = ::sled::Batch::default();
            for (key, value) in batch.ops {
                match value {
                    Some(value) => out.insert(key, value),
                    None => out.remove(key),
                }
            }
            self.db
                .apply_batch(out)
                .map_err(failed("writing a block"))?;
        }
        self.db.flush().map_err(failed("flushing to disk"))?;
        // sled hands its log to the kernel; this makes the kernel write it, so
        // that a power cut takes nothing that was told.
        if let Some(log) = &self.log {
            log.sync_data().map_err(|e| EngineError::Io {
                doing: "syncing the log to disk",
                why: e.to_string(),
            })?;
        }
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, EngineError> {
        fn walk(dir: &Path) -> std::io::Result<u64> {
            let mut sum = 0;
            for entry in std::fs::read_dir(dir)? {
                let entry = entry?;
                let data = entry.metadata()?;
                sum += if data.is_dir() {
                    walk(&entry.path())?
                } else {
                    data.len()
                };
            }
            Ok(sum)
        }
        walk(&self.dir).map_err(|e| EngineError::Io {
            doing: "measuring the data folder",
            why: e.to_string(),
        })
    }

    fn verify(&self) -> Result<u64, EngineError> {
        let mut rows = 0;
        for row in self.db.iter() {
            row.map_err(failed("verifying rows"))?;
            rows += 1;
        }
        Ok(rows)
    }
}
