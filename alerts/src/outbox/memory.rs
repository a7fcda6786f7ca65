//! Bytes in memory, for tests and for back-tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::{Outbox, OutboxError, files::good};

/// Keeps nothing beyond the process.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn map(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for Memory {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, OutboxError> {
        Ok(self.map().get(name).cloned())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), OutboxError> {
        good(name)?;
        self.map().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<bool, OutboxError> {
        good(to)?;
        let mut map = self.map();
        let Some(bytes) = map.remove(from) else {
            return Ok(false);
        };
        map.insert(to.to_owned(), bytes);
        Ok(true)
    }

    fn remove(&self, name: &str) -> Result<(), OutboxError> {
        self.map().remove(name);
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, OutboxError> {
        let map = self.map();
        let under = |name: &String| {
            let rest = name.strip_prefix(prefix)?.strip_prefix('/')?;
            let part = rest.split('/').next()?;
            Some(format!("{prefix}/{part}"))
        };
        let names: BTreeSet<String> = map.keys().filter_map(under).collect();
        Ok(names.into_iter().collect())
    }
}
