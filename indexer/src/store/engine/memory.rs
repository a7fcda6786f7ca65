//! An engine in memory: a sorted map behind a lock.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::RwLock;

use super::{Batch, Engine, EngineError, Range, Rows};

/// A `BTreeMap` that passes for a disk. Nothing survives the process.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

fn poisoned<T>(_: T) -> EngineError {
    EngineError::Io {
        doing: "locking memory",
        why: "another thread stopped while writing".into(),
    }
}

impl Engine for MemoryEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.rows.read().map_err(poisoned)?.get(key).cloned())
    }

    fn scan(&self, range: Range) -> Rows<'_> {
        let rows = match self.rows.read() {
            Ok(rows) => rows,
            Err(e) => return Box::new(std::iter::once(Err(poisoned(e)))),
        };
        if range
            .below
            .as_ref()
            .is_some_and(|below| *below <= range.from)
        {
            return Box::new(std::iter::empty());
        }
        let upper = match range.below {
            Some(below) => Bound::Excluded(below),
            None => Bound::Unbounded,
        };
        // The lock cannot be held by the iterator without self-reference; a
        // chunk at a time keeps memory bounded and lets the writer in between.
        let reverse = range.reverse;
        let mut lower = Bound::Included(range.from);
        let mut upper = upper;
        let mut chunk: std::vec::IntoIter<(Vec<u8>, Vec<u8>)> = Vec::new().into_iter();
        drop(rows);
        Box::new(std::iter::from_fn(move || {
            if let Some(row) = chunk.next() {
                return Some(Ok(row));
            }
            if let (Bound::Included(a) | Bound::Excluded(a), Bound::Excluded(b)) = (&lower, &upper)
                && a >= b
            {
                return None;
            }
            let rows = match self.rows.read() {
                Ok(rows) => rows,
                Err(e) => return Some(Err(poisoned(e))),
            };
            let found = rows.range((lower.clone(), upper.clone()));
            let next: Vec<_> = if reverse {
                found
                    .rev()
                    .take(256)
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect()
            } else {
                found
                    .take(256)
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect()
            };
            let last = next.last()?.0.clone();
            if reverse {
                upper = Bound::Excluded(last);
            } else {
                lower = Bound::Excluded(last);
            }
            chunk = next.into_iter();
            chunk.next().map(Ok)
        }))
    }

    fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError> {
        let mut rows = self.rows.write().map_err(poisoned)?;
        for batch in batches {
            for (key, value) in batch.ops {
                match value {
                    Some(value) => rows.insert(key, value),
                    None => rows.remove(&key),
                };
            }
        }
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, EngineError> {
        Ok(0)
    }

    fn verify(&self) -> Result<u64, EngineError> {
        let rows = self.rows.read().map_err(poisoned)?.len();
        Ok(u64::try_from(rows).unwrap_or(u64::MAX))
    }
}
