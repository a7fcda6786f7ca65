//! Typed values of a stored state for the epoch, and what to do when one is missing.

use chain_metadata::{AccountId, BlockNumber, Value};

use crate::store::{Store, StoreError};
use crate::view::{self, At, Held};

/// Why an epoch's inputs or results cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Gap {
    /// The engine failed: nothing can be said about the epoch.
    #[error(transparent)]
    Store(StoreError),
    /// Something the epoch read is not known; the text names it.
    #[error("{0}")]
    Missing(String),
    /// No rules are known for what this runtime ran; the text says what.
    #[error("{0}")]
    Rules(String),
    /// The slot was used up, but no epoch ran; the text says why.
    #[error("{0}")]
    NotRun(String),
}

impl From<StoreError> for Gap {
    /// Damaged rows are missing inputs, by name; an engine that fails is an error.
    fn from(error: StoreError) -> Gap {
        match error {
            StoreError::Row { .. } | StoreError::Metadata { .. } => Gap::Missing(error.to_string()),
            other => Gap::Store(other),
        }
    }
}

/// Something that is not known.
pub(super) fn missing<T>(what: impl Into<String>) -> Result<T, Gap> {
    Err(Gap::Missing(what.into()))
}

/// A state to read from.
#[derive(Clone, Copy)]
pub(super) struct State<'a> {
    pub(super) store: &'a Store,
    pub(super) at: &'a At,
}

impl<'a> State<'a> {
    pub(super) fn block(self) -> BlockNumber {
        self.at.number
    }

    fn other_kind<T>(self, entry: &str) -> Result<T, Gap> {
        missing(format!(
            "{entry} at block {} is another kind of value than the rules of spec {} take",
            self.at.number, self.at.row.spec
        ))
    }

    /// What is at a key.
    pub(super) fn held(self, entry: &str, keys: &[&[u8]]) -> Result<Held, Gap> {
        Ok(view::held(self.store, self.at, entry, keys)?)
    }

    /// The value that a runtime reading the item gets: what is stored, or the default that the
    /// runtime's metadata names. `None` when the runtime has no such item, or the item is optional
    /// and nothing is stored.
    pub(super) fn read<T>(
        self,
        entry: &str,
        keys: &[&[u8]],
        kind: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Gap> {
        match self.held(entry, keys)?.value() {
            None => Ok(None),
            Some(value) => match kind(&value) {
                Some(found) => Ok(Some(found)),
                None => self.other_kind(entry),
            },
        }
    }

    /// As [`State::read`], for what the rules cannot do without.
    pub(super) fn need<T>(
        self,
        entry: &str,
        keys: &[&[u8]],
        kind: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, Gap> {
        match self.read(entry, keys, kind)? {
            Some(found) => Ok(found),
            None => missing(format!(
                "{entry} is not in the runtime that executed block {} (spec {}), but its rules read it",
                self.at.number, self.at.row.spec
            )),
        }
    }

    /// What is stored, without a default.
    pub(super) fn stored<T>(
        self,
        entry: &str,
        keys: &[&[u8]],
        kind: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Gap> {
        match self.held(entry, keys)?.stored() {
            None => Ok(None),
            Some(value) => match kind(&value) {
                Some(found) => Ok(Some(found)),
                None => self.other_kind(entry),
            },
        }
    }

    /// A number of an item keyed by subnet; zero stands for nothing stored only where the metadata says so.
    pub(super) fn number(self, entry: &str, netuid: u16) -> Result<Option<u64>, Gap> {
        self.read(entry, &[&netuid.to_le_bytes()], Value::as_u64)
    }

    /// A vector; `None` when the runtime has no such item.
    pub(super) fn vector<T>(
        self,
        entry: &str,
        key: u16,
        kind: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Gap> {
        self.read(entry, &[&key.to_le_bytes()], |value| match value {
            Value::Seq(items) => items.iter().map(&kind).collect(),
            _ => None,
        })
    }

    /// Proportions and accounts of `ChildKeys` or `ParentKeys`.
    pub(super) fn kin(
        self,
        entry: &str,
        hotkey: &AccountId,
        netuid: u16,
    ) -> Result<Vec<(u64, AccountId)>, Gap> {
        let pair = |value: &Value| match value.items() {
            [proportion, account] => Some((proportion.as_u64()?, account.as_account()?)),
            _ => None,
        };
        let list = |value: &Value| value.items().iter().map(pair).collect();
        self.need(entry, &[&hotkey.0, &netuid.to_le_bytes()], list)
    }

    /// Hotkeys by uid; `None` where a uid has no key.
    pub(super) fn hotkeys(self, netuid: u16, n: u16) -> Result<Vec<Option<AccountId>>, Gap> {
        (0..n)
            .map(|uid| {
                let keys: [&[u8]; 2] = [&netuid.to_le_bytes(), &uid.to_le_bytes()];
                self.stored("Keys", &keys, Value::as_account)
            })
            .collect()
    }
}
