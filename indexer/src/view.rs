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
pub mod series;
pub mod sets;
pub mod stake;
pub mod subnets;
pub mod tenancy;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use chain_metadata::{
    AccountId, BlockNumber, KeyPart, MechId, NetUid, StorageEntry, Uid, Value, storage_index,
};

use crate::items::{Item, Layout, MANIFEST, Refresh, Scope};
use crate::store::pulse::{Pulse, Slot};
use crate::store::{BlockRow, Store, StoreError};

pub use bodies::{Body, events, extrinsics};

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
    /// Values that every block reads, once they were needed.
    pulse: OnceLock<Arc<Pulse>>,
}

impl At {
    fn pulse(&self, store: &Store) -> Result<&Pulse, StoreError> {
        if self.pulse.get().is_none() {
            let _ = self.pulse.set(Arc::new(store.pulse(self.number)?));
        }
        // Set just above, by this thread or another one.
        Ok(self.pulse.get_or_init(Arc::default))
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

/// The raw bytes under a key of an item and the block of their last change.
fn raw(
    store: &Store,
    at: &At,
    line: &Item,
    entry: &StorageEntry,
    key: &[u8],
) -> Result<Option<(Vec<u8>, BlockNumber)>, StoreError> {
    if line.refresh == Refresh::EveryBlock {
        let subnet = match line.scope {
            Scope::Global => 0,
            _ => netuid_in(at, entry, key)?,
        };
        let slot = Slot {
            item: line.id,
            subnet,
        };
        let found = at.pulse(store)?.get(slot);
        return Ok(found.map(|(value, changed_at)| (value.to_vec(), changed_at)));
    }
    let row = store.state(line.id, key.get(32..).unwrap_or_default(), at.number)?;
    Ok(row.and_then(|row| row.value.map(|value| (value, row.changed_at))))
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
    Ok(raw(store, at, line, entry, key)?.map(|(bytes, _)| bytes))
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
    match raw(store, at, line, entry, &key)? {
        Some((bytes, changed_at)) => {
            let value = entry.decode_value(types, &bytes).map_err(broken)?;
            Ok(Held::Stored(value, changed_at))
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

/// A neuron at a block. `None` is "this runtime does not compute it", or, for
/// vectors shorter than the subnet, "the chain has no entry for this uid".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Neuron {
    /// Position in the subnet.
    pub uid: Uid,
    /// `Keys`.
    pub hotkey: AccountId,
    /// `Owner` of the hotkey.
    pub coldkey: Option<AccountId>,
    /// `BlockAtRegistration`.
    pub block_at_registration: Option<u64>,
    /// `Axons`: the decoded structure.
    pub axon: Option<Value>,
    /// `Prometheus`: the decoded structure.
    pub prometheus: Option<Value>,
    /// `Active`.
    pub active: Option<bool>,
    /// `Rank`, of 65535.
    pub rank: Option<u16>,
    /// `Trust`, of 65535.
    pub trust: Option<u16>,
    /// `Consensus`, of 65535.
    pub consensus: Option<u16>,
    /// `Incentive` of the mechanism, of 65535.
    pub incentive: Option<u16>,
    /// `Dividends`, of 65535.
    pub dividends: Option<u16>,
    /// `Emission`, rao of the last epoch.
    pub emission: Option<u64>,
    /// `ValidatorTrust`, of 65535.
    pub validator_trust: Option<u16>,
    /// `ValidatorPermit`.
    pub validator_permit: Option<bool>,
    /// `StakeWeight`, of 65535.
    pub stake_weight: Option<u16>,
    /// `PruningScores`, of 65535.
    pub pruning_score: Option<u16>,
    /// `LastUpdate` of the mechanism, block.
    pub last_update: Option<u64>,
}

/// All neurons of a subnet, by uid; `None` when it does not exist.
pub fn metagraph(
    store: &Store,
    at: &At,
    netuid: NetUid,
    mechanism: MechId,
) -> Result<Option<Vec<Neuron>>, StoreError> {
    let Some(index) = index_of(store, at, netuid, mechanism)? else {
        return Ok(None);
    };
    let net = netuid.0.to_le_bytes();
    let idx = index.to_le_bytes();
    let count = count(store, at, netuid)?;
    let vector = |entry: &str, key: &[u8; 2]| -> Result<Vec<Value>, StoreError> {
        let value = read(store, at, entry, &[key])?;
        let items = as_kind(at, entry, value, |v| match v {
            Value::Seq(items) => Some(items.clone()),
            _ => None,
        })?;
        Ok(items.unwrap_or_default())
    };
    let active = vector("Active", &net)?;
    let rank = vector("Rank", &net)?;
    let trust = vector("Trust", &net)?;
    let consensus = vector("Consensus", &net)?;
    let incentive = vector("Incentive", &idx)?;
    let dividends = vector("Dividends", &net)?;
    let emission = vector("Emission", &net)?;
    let validator_trust = vector("ValidatorTrust", &net)?;
    let validator_permit = vector("ValidatorPermit", &net)?;
    let stake_weight = vector("StakeWeight", &net)?;
    let pruning_score = vector("PruningScores", &net)?;
    let last_update = vector("LastUpdate", &idx)?;
    let mut neurons = Vec::with_capacity(usize::from(count));
    for uid in 0..count {
        let i = usize::from(uid);
        let key: [&[u8]; 2] = [&net, &uid.to_le_bytes()];
        let hotkey = held(store, at, "Keys", &key)?.stored();
        let hotkey = as_kind(at, "Keys", hotkey, Value::as_account)?.ok_or_else(|| {
            damaged(
                at,
                &net,
                format!("uid {uid} of subnet {netuid} has no hotkey"),
            )
        })?;
        neurons.push(Neuron {
            uid: Uid(uid),
            hotkey,
            coldkey: read(store, at, "Owner", &[&hotkey.0])?.and_then(|v| v.as_account()),
            block_at_registration: read(
                store,
                at,
                "BlockAtRegistration",
                &[&net, &uid.to_le_bytes()],
            )?
            .and_then(|v| v.as_u64()),
            axon: some(read(store, at, "Axons", &[&net, &hotkey.0])?),
            prometheus: some(read(store, at, "Prometheus", &[&net, &hotkey.0])?),
            active: active.get(i).and_then(Value::as_bool),
            rank: rank.get(i).and_then(Value::as_u16),
            trust: trust.get(i).and_then(Value::as_u16),
            consensus: consensus.get(i).and_then(Value::as_u16),
            incentive: incentive.get(i).and_then(Value::as_u16),
            dividends: dividends.get(i).and_then(Value::as_u16),
            emission: emission.get(i).and_then(Value::as_u64),
            validator_trust: validator_trust.get(i).and_then(Value::as_u16),
            validator_permit: validator_permit.get(i).and_then(Value::as_bool),
            stake_weight: stake_weight.get(i).and_then(Value::as_u16),
            pruning_score: pruning_score.get(i).and_then(Value::as_u16),
            last_update: last_update.get(i).and_then(Value::as_u64),
        });
    }
    Ok(Some(neurons))
}

/// A row of W or B: the uid, the block of its last change, and (uid, u16 of
/// 65535) in the order in which the chain stores them.
pub type Row = (Uid, BlockNumber, Vec<(u16, u16)>);

/// The rows of `Weights` or `Bonds` that are stored, by uid; `None` when the
/// subnet or the mechanism does not exist.
pub fn rows(
    store: &Store,
    at: &At,
    entry: &str,
    netuid: NetUid,
    mechanism: MechId,
) -> Result<Option<Vec<Row>>, StoreError> {
    let Some(index) = index_of(store, at, netuid, mechanism)? else {
        return Ok(None);
    };
    let mut rows = Vec::new();
    for uid in 0..count(store, at, netuid)? {
        let keys: [&[u8]; 2] = [&index.to_le_bytes(), &uid.to_le_bytes()];
        if let Held::Stored(value, changed_at) = held(store, at, entry, &keys)? {
            rows.push((Uid(uid), changed_at, row_entries(at, entry, value)?));
        }
    }
    Ok(Some(rows))
}

/// Pairs of uid and value in a row of W or B.
fn row_entries(at: &At, entry: &str, value: Value) -> Result<Vec<(u16, u16)>, StoreError> {
    let pair = |pair: &Value| match pair.items() {
        [to, value] => Some((to.as_u16()?, value.as_u16()?)),
        _ => None,
    };
    let entries = as_kind(at, entry, Some(value), |v| {
        v.items().iter().map(pair).collect::<Option<Vec<_>>>()
    })?;
    Ok(entries.unwrap_or_default())
}

/// The same out of the bytes that are stored.
fn pairs(at: &At, entry: &str, bytes: &[u8]) -> Result<Vec<(u16, u16)>, StoreError> {
    let Some((_, found)) = at.layout.find(entry) else {
        return Err(damaged(at, bytes, format!("the runtime has no {entry}")));
    };
    let value = found.decode_value(at.layout.metadata.types(), bytes);
    row_entries(
        at,
        entry,
        value.map_err(|e| damaged(at, bytes, e.to_string()))?,
    )
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

/// An option's content; storage that is optional is decoded without one.
fn some(value: Option<Value>) -> Option<Value> {
    let value = value?;
    match value.as_option() {
        Some(inner) => inner.cloned(),
        None => Some(value),
    }
}
