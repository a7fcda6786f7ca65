//! An outbox on a disk that fails as a test wants it to.

use std::sync::{Mutex, PoisonError};

use super::{Memory, Outbox, OutboxError};

/// What is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Get,
    Put,
    Rename,
    Remove,
}

type Then = Box<dyn FnMut(&Memory) + Send>;

/// Bytes in memory, some of which cannot be reached.
#[derive(Default)]
pub(crate) struct Trouble {
    pub(crate) inner: Memory,
    refused: Mutex<Vec<(Does, &'static str)>>,
    then: Mutex<Option<Then>>,
}

impl Trouble {
    /// From here on, names that begin so cannot be used so; in place of what was refused before.
    pub(crate) fn refuse(&self, refused: &[(Does, &'static str)]) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused.to_vec();
    }

    /// What somebody else does right after something was put or moved.
    pub(crate) fn then(&self, then: impl FnMut(&Memory) + Send + 'static) {
        *self.then.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(then));
    }

    fn asked(&self, does: Does, name: &str) -> Result<(), OutboxError> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_refused = |(what, prefix): &(Does, &str)| *what == does && name.starts_with(prefix);
        match refused.iter().any(is_refused) {
            false => Ok(()),
            true => Err(OutboxError::Io {
                doing: "reaching",
                name: name.to_owned(),
                why: "the disk fails".into(),
            }),
        }
    }

    fn others(&self) {
        let mut then = self.then.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(then) = then.as_mut() {
            then(&self.inner);
        }
    }
}

impl Outbox for Trouble {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, OutboxError> {
        self.asked(Does::Get, name)?;
        self.inner.get(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), OutboxError> {
        self.asked(Does::Put, name)?;
        self.inner.put(name, bytes)?;
        self.others();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<bool, OutboxError> {
        self.asked(Does::Rename, from)?;
        let is_moved = self.inner.rename(from, to)?;
        self.others();
        Ok(is_moved)
    }

    fn remove(&self, name: &str) -> Result<(), OutboxError> {
        self.asked(Does::Remove, name)?;
        self.inner.remove(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, OutboxError> {
        self.inner.list(prefix)
    }
}
