//! The chain's state at a stored block, decoded with the runtime that executed it.
//!
//! Every function takes an [`At`]: a block and its runtime. A value is one of
//! three things and never confused: the runtime has no such item, nothing is
//! stored and the metadata's default holds, or a value is stored.

mod bodies;
pub mod causes;
pub mod changes;
pub mod commits;
pub mod epochs;
pub mod find;
mod matrix;
mod metagraph;
pub mod series;
pub mod sets;
pub mod stake;
pub mod steps;
pub mod subnets;
pub mod tenancy;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use chain_metadata::{
    AccountId, BlockNumber, KeyPart, MechId, NetUid, StorageEntry, Value, storage_index,
};

use crate::items::{Item, Layout, MANIFEST, Refresh, Scope};
use crate::store::memo::{Cell, Since, Stretch};
use crate::store::pulse::{Pulse, Slot};
use crate::store::{BlockRow, Store, StoreError};

pub use bodies::{Body, events, extrinsics};
use matrix::pairs;
pub use matrix::{Row, rows};
pub use metagraph::{Neuron, metagraph};

/// A stored block and the runtime whose metadata its state is read with.
#[derive(Debug, Clone)]
pub struct At {
    /// Its number.
    pub number: BlockNumber,
    /// Its row.
    pub row: BlockRow,
    /// The manifest bound to its runtime.
    pub layout: Arc<Layout>,
    /// Whether it is final.
    pub finalized: bool,
    /// Values that every block reads, once they were needed, and when that was.
    pulse: OnceLock<(Since, Arc<Pulse>)>,
}

impl At {
    fn pulse(&self, store: &Store) -> Result<&Pulse, StoreError> {
        Ok(self.pulse_since(store)?.1)
    }

    fn pulse_since(&self, store: &Store) -> Result<(Since, &Pulse), StoreError> {
        let since = store.reading();
        if self.pulse.get().is_none() {
            let pulse = Arc::new(store.pulse(self.number)?);
            let _ = self.pulse.set((since, pulse));
        }
        // Set just above, by this thread or another one.
        let (since, pulse) = self.pulse.get_or_init(|| (since, Arc::default()));
        Ok((*since, pulse))
    }
}

/// What is at a storage key.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// The runtime has no such item.
    Gone,
    /// Nothing is stored; the metadata's default, if the item has one.
    Default(Option<Value>),
    /// A stored value and the block at whose end it first held.
    Stored(Value, BlockNumber),
}

impl Held {
    /// The value that a runtime reading the item would get.
    pub fn value(self) -> Option<Value> {
        match self {
            Held::Gone => None,
            Held::Default(value) => value,
            Held::Stored(value, _) => Some(value),
        }
    }

    /// The value that is stored, without a default.
    pub fn stored(self) -> Option<Value> {
        match self {
            Held::Stored(value, _) => Some(value),
            _ => None,
        }
    }
}

/// The block at `number`, if it is stored.
pub fn at(store: &Store, number: BlockNumber) -> Result<Option<At>, StoreError> {
    let Some(row) = store.block(number)? else {
        return Ok(None);
    };
    let layout = store.layout(row.spec)?;
    Ok(Some(At {
        number,
        row,
        layout,
        finalized: store.is_final(number),
        pulse: OnceLock::new(),
    }))
}

fn damaged(at: &At, key: &[u8], what: impl Into<String>) -> StoreError {
    StoreError::Row {
        table: "state",
        key: hex::encode(key),
        what: format!(
            "{} at block {} (spec {})",
            what.into(),
            at.number,
            at.row.spec
        ),
    }
}

/// What is under a key of an item, and the blocks at whose end it is known to be so.
fn told(
    store: &Store,
    at: &At,
    line: &Item,
    entry: &StorageEntry,
    key: &[u8],
) -> Result<Stretch<Cell>, StoreError> {
    if line.refresh != Refresh::EveryBlock {
        return store.told_at(line.id, key.get(32..).unwrap_or_default(), at.number);
    }
    let subnet = match line.scope {
        Scope::Global => 0,
        _ => netuid_in(at, entry, key)?,
    };
    let slot = Slot {
        item: line.id,
        subnet,
    };
    let kept = match at.pulse.get() {
        Some(_) => None,
        None => store.pulse_kept(slot, at.number),
    };
    let held = match kept {
        Some(held) => held,
        None => store.keep_pulse(slot, at.number, at.pulse_since(store)?)?,
    };
    Ok(Stretch::only(at.number, held))
}

/// The raw bytes under a key of an item at the end of a block; `None` when
/// nothing is stored. `key` is the whole storage key.
pub fn bytes(
    store: &Store,
    at: &At,
    line: &Item,
    entry: &StorageEntry,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let held = told(store, at, line, entry, key)?.held;
    Ok(held.map(|(_, kept)| kept.bytes().to_vec()))
}

fn netuid_in(at: &At, entry: &StorageEntry, key: &[u8]) -> Result<u16, StoreError> {
    let parts = entry
        .decode_keys(at.layout.metadata.types(), key)
        .map_err(|e| damaged(at, key, e.to_string()))?;
    match parts
        .first()
        .and_then(KeyPart::value)
        .and_then(Value::as_u16)
    {
        Some(netuid) => Ok(netuid),
        None => Err(damaged(at, key, "the key names no subnet")),
    }
}

/// What is at an item's key; `keys` are SCALE-encoded key parts.
pub fn held(store: &Store, at: &At, entry: &str, keys: &[&[u8]]) -> Result<Held, StoreError> {
    let Some((line, entry)) = at.layout.find(entry) else {
        return Ok(Held::Gone);
    };
    let key = entry.key_of_encoded(keys);
    let types = at.layout.metadata.types();
    let broken = |e: chain_metadata::DecodeError| damaged(at, &key, e.to_string());
    match told(store, at, line, entry, &key)?.held {
        Some((changed_at, kept)) => {
            let decode = |bytes: &[u8]| entry.decode_value(types, bytes);
            let value = kept.with(at.row.spec, decode, Value::clone);
            Ok(Held::Stored(value.map_err(broken)?, changed_at))
        }
        None => Ok(Held::Default(entry.default_value(types).map_err(broken)?)),
    }
}

fn read(store: &Store, at: &At, entry: &str, keys: &[&[u8]]) -> Result<Option<Value>, StoreError> {
    Ok(held(store, at, entry, keys)?.value())
}

/// A value as `T`; one that is none is an error, never a default.
fn as_kind<T>(
    at: &At,
    entry: &str,
    value: Option<Value>,
    kind: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    match value {
        None => Ok(None),
        Some(value) => match kind(&value) {
            Some(inner) => Ok(Some(inner)),
            None => Err(damaged(
                at,
                entry.as_bytes(),
                format!("{entry} is another kind of value"),
            )),
        },
    }
}

/// Subnet and account of every key with a value under an item that is keyed by
/// both; empty when the runtime has no such item.
pub fn accounts_under(
    store: &Store,
    at: &At,
    entry: &str,
) -> Result<Vec<(NetUid, AccountId)>, StoreError> {
    let mut found = Vec::new();
    let Some((line, entry)) = at.layout.find(entry) else {
        return Ok(found);
    };
    for rest in store.state_keys(line.id)? {
        let row = store.state(line.id, &rest, at.number)?;
        if row.is_none_or(|row| row.value.is_none()) {
            continue;
        }
        let mut key = entry.prefix.to_vec();
        key.extend_from_slice(&rest);
        let parts = entry
            .decode_keys(at.layout.metadata.types(), &key)
            .map_err(|e| damaged(at, &key, e.to_string()))?;
        let values: Vec<_> = parts.iter().filter_map(KeyPart::value).collect();
        let netuid = values.iter().find_map(|v| v.as_u16());
        let account = values.iter().find_map(|v| v.as_account());
        if let (Some(netuid), Some(account)) = (netuid, account) {
            found.push((NetUid(netuid), account));
        }
    }
    Ok(found)
}

/// Netuids that exist, ascending.
pub fn subnets(store: &Store, at: &At) -> Result<Vec<NetUid>, StoreError> {
    let Some((line, entry)) = at.layout.find("NetworksAdded") else {
        return Ok(Vec::new());
    };
    let types = at.layout.metadata.types();
    let mut netuids = BTreeSet::new();
    for (slot, value, _) in at.pulse(store)?.iter() {
        if slot.item != line.id {
            continue;
        }
        let added = entry
            .decode_value(types, value)
            .map_err(|e| damaged(at, value, e.to_string()))?;
        if added.as_bool() == Some(true) {
            netuids.insert(NetUid(slot.subnet));
        }
    }
    Ok(netuids.into_iter().collect())
}

/// Whether a subnet exists.
pub fn exists(store: &Store, at: &At, netuid: NetUid) -> Result<bool, StoreError> {
    let added = read(store, at, "NetworksAdded", &[&netuid.0.to_le_bytes()])?;
    Ok(added.and_then(|v| v.as_bool()) == Some(true))
}

/// `SubnetworkN` of a subnet that exists.
pub(crate) fn count(store: &Store, at: &At, netuid: NetUid) -> Result<u16, StoreError> {
    let value = read(store, at, "SubnetworkN", &[&netuid.0.to_le_bytes()])?;
    Ok(as_kind(at, "SubnetworkN", value, Value::as_u16)?.unwrap_or(0))
}

/// Every item of a subnet that the runtime has, in the order of the manifest.
pub fn subnet_items(
    store: &Store,
    at: &At,
    netuid: NetUid,
) -> Result<Vec<(&'static str, Held)>, StoreError> {
    let mut items = Vec::new();
    for line in MANIFEST.iter().filter(|l| l.scope == Scope::Subnet) {
        match held(store, at, line.entry, &[&netuid.0.to_le_bytes()])? {
            Held::Gone => {}
            found => items.push((line.entry, found)),
        }
    }
    Ok(items)
}

/// Storage index of a mechanism that exists.
fn index_of(
    store: &Store,
    at: &At,
    netuid: NetUid,
    mechanism: MechId,
) -> Result<Option<u16>, StoreError> {
    if !exists(store, at, netuid)? {
        return Ok(None);
    }
    let count = read(
        store,
        at,
        "MechanismCountCurrent",
        &[&netuid.0.to_le_bytes()],
    )?
    .and_then(|v| v.as_u128())
    .unwrap_or(1)
    .max(1);
    if u128::from(mechanism.0) >= count {
        return Ok(None);
    }
    Ok(storage_index(netuid, mechanism))
}
