//! The neurons of a subnet at a block.
//!
//! A metagraph is read by columns, an item of all uids at a time: who holds the uids
//! and where they serve changes rarely, and the store keeps what it has read of it
//! (`store/memo.rs`). Vectors are taken out of the chain's own bytes.

use std::sync::Arc;

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, Shape, StorageEntry, Uid, Value};
use parity_scale_codec::{Compact, Decode};

use super::{At, as_kind, count, damaged, index_of, told};
use crate::store::memo::{Cells, Kept, Since, UidKey};
use crate::store::{Store, StoreError};

/// A neuron at a block. `None` is "this runtime does not compute it", or, for
/// vectors shorter than the subnet, "the chain has no entry for this uid".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Neuron {
    /// Position in the subnet.
    pub uid: Uid,
    /// `Keys`.
    pub hotkey: AccountId,
    /// `Owner` of the hotkey; `None` also when none is stored.
    pub coldkey: Option<AccountId>,
    /// `BlockAtRegistration`; `None` also when none is stored.
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
    let reading = Reading {
        store,
        at,
        netuid,
        count,
        since: store.reading(),
    };
    let active = reading.vector("Active", &net)?;
    let rank = reading.vector("Rank", &net)?;
    let trust = reading.vector("Trust", &net)?;
    let consensus = reading.vector("Consensus", &net)?;
    let incentive = reading.vector("Incentive", &idx)?;
    let dividends = reading.vector("Dividends", &net)?;
    let emission = reading.vector("Emission", &net)?;
    let validator_trust = reading.vector("ValidatorTrust", &net)?;
    let validator_permit = reading.vector("ValidatorPermit", &net)?;
    let stake_weight = reading.vector("StakeWeight", &net)?;
    let pruning_score = reading.vector("PruningScores", &net)?;
    let last_update = reading.vector("LastUpdate", &idx)?;

    let keys = reading.column("Keys", |entry, uid| {
        let key = entry.key_of_encoded(&[&net, &uid.to_le_bytes()]);
        Some((key, WHOLE))
    })?;
    let mut hotkeys = Vec::with_capacity(usize::from(count));
    for uid in 0..count {
        let hotkey = keys.stored(at, uid, Value::as_account)?;
        hotkeys.push(hotkey.ok_or_else(|| {
            let what = format!("uid {uid} of subnet {netuid} has no hotkey");
            damaged(at, &net, what)
        })?);
    }
    // What is kept under a hotkey is that of a uid as long as the uid's hotkey stays.
    let hotkey = |uid: u16| {
        let held = keys.cells.get(usize::from(uid))?;
        Some((hotkeys.get(usize::from(uid))?, (held.from, held.to)))
    };
    let owner = reading.column("Owner", |entry, uid| {
        let (hotkey, held) = hotkey(uid)?;
        Some((entry.key_of_encoded(&[&hotkey.0]), held))
    })?;
    let registered = reading.column("BlockAtRegistration", |entry, uid| {
        let key = entry.key_of_encoded(&[&net, &uid.to_le_bytes()]);
        Some((key, WHOLE))
    })?;
    let served = |entry: &StorageEntry, uid: u16| {
        let (hotkey, held) = hotkey(uid)?;
        Some((entry.key_of_encoded(&[&net, &hotkey.0]), held))
    };
    let axons = reading.column("Axons", served)?;
    let prometheus = reading.column("Prometheus", served)?;

    let mut neurons = Vec::with_capacity(usize::from(count));
    for (uid, hotkey) in (0..count).zip(&hotkeys) {
        neurons.push(Neuron {
            uid: Uid(uid),
            hotkey: *hotkey,
            // Where nothing is stored the metadata would give an account of zeros and block 0.
            coldkey: owner.stored(at, uid, Value::as_account)?,
            block_at_registration: registered.stored(at, uid, Value::as_u64)?,
            axon: axons.value(at, uid, some)?,
            prometheus: prometheus.value(at, uid, some)?,
            active: active.bool(uid),
            rank: rank.u16(uid),
            trust: trust.u16(uid),
            consensus: consensus.u16(uid),
            incentive: incentive.u16(uid),
            dividends: dividends.u16(uid),
            emission: emission.u64(uid),
            validator_trust: validator_trust.u16(uid),
            validator_permit: validator_permit.bool(uid),
            stake_weight: stake_weight.u16(uid),
            pruning_score: pruning_score.u16(uid),
            last_update: last_update.u64(uid),
        });
    }
    Ok(Some(neurons))
}

/// An option's content; storage that is optional is decoded without one.
fn some(value: &Value) -> Option<Value> {
    match value.as_option() {
        Some(inner) => inner.cloned(),
        None => Some(value.clone()),
    }
}

/// Whose neurons are read, and when.
struct Reading<'a> {
    store: &'a Store,
    at: &'a At,
    netuid: NetUid,
    count: u16,
    /// Keys and bounds of columns follow from columns that were read before them.
    since: Since,
}

/// Keys of uids stay the same in all blocks.
const WHOLE: (BlockNumber, BlockNumber) = (0, BlockNumber::MAX);

/// An item of every uid.
struct Column<'a> {
    /// `None` when the runtime has no such item.
    item: Option<&'a StorageEntry>,
    /// What a runtime reads where nothing is stored.
    default: Option<Value>,
    cells: Cells,
}

impl<'a> Reading<'a> {
    /// An item of all uids, under the whole storage keys that `key` makes; each is that
    /// of the uid from the first to the last block that `key` gives with it.
    fn column(
        &self,
        name: &str,
        key: impl Fn(&StorageEntry, u16) -> UidKey,
    ) -> Result<Column<'a>, StoreError> {
        let at = self.at;
        let Some((line, entry)) = at.layout.find(name) else {
            return Ok(Column {
                item: None,
                default: None,
                cells: Arc::from([]),
            });
        };
        let key = |uid| {
            let (key, held) = key(entry, uid)?;
            Some((key.get(32..).unwrap_or_default().to_vec(), held))
        };
        let of = (line.id, self.netuid.0);
        let cells = self
            .store
            .column(of, self.count, at.number, self.since, key)?;
        let default = entry.default_value(at.layout.metadata.types());
        Ok(Column {
            item: Some(entry),
            default: default.map_err(|e| damaged(at, name.as_bytes(), e.to_string()))?,
            cells,
        })
    }

    /// A vector with an entry for every uid; empty when the runtime has no such item.
    fn vector(&self, name: &str, key: &[u8; 2]) -> Result<Vector, StoreError> {
        let at = self.at;
        let Some((line, entry)) = at.layout.find(name) else {
            return Ok(Vector::Values(Vec::new()));
        };
        let key = entry.key_of_encoded(&[key]);
        let types = at.layout.metadata.types();
        let broken = |e: chain_metadata::DecodeError| damaged(at, &key, e.to_string());
        let value = match told(self.store, at, line, entry, &key)?.held {
            Some((_, kept)) => match Plain::of(at, entry, &kept) {
                Some(plain) => return Ok(Vector::Plain(plain)),
                None => Some(entry.decode_value(types, kept.bytes()).map_err(broken)?),
            },
            None => entry.default_value(types).map_err(broken)?,
        };
        let items = as_kind(at, name, value, |v| match v {
            Value::Seq(items) => Some(items.clone()),
            _ => None,
        })?;
        Ok(Vector::Values(items.unwrap_or_default()))
    }
}

impl Column<'_> {
    /// A value that is stored, as `kind` takes it.
    fn stored<T>(
        &self,
        at: &At,
        uid: u16,
        kind: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let cell = self.cells.get(usize::from(uid)).map(|cell| &cell.held);
        let (Some(entry), Some(Some((_, kept)))) = (self.item, cell) else {
            return Ok(None);
        };
        let decode = |bytes: &[u8]| entry.decode_value(at.layout.metadata.types(), bytes);
        let taken = kept.with(at.row.spec, decode, kind);
        taken.map_err(|e| {
            damaged(
                at,
                kept.bytes(),
                format!("{} of uid {uid}: {e}", entry.name),
            )
        })
    }

    /// The value that a runtime reading the item would get, as `kind` takes it.
    fn value<T>(
        &self,
        at: &At,
        uid: u16,
        kind: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.cells.get(usize::from(uid)).map(|cell| &cell.held) {
            Some(Some(_)) => self.stored(at, uid, kind),
            _ => Ok(self.default.as_ref().and_then(kind)),
        }
    }
}

/// Values by uid.
enum Vector {
    Plain(Plain),
    Values(Vec<Value>),
}

/// A list of numbers or booleans as the chain stores it.
struct Plain {
    kept: Arc<Kept>,
    /// Where the first item begins.
    start: usize,
    /// Bytes of an item.
    width: usize,
    booleans: bool,
}

impl Plain {
    /// `None` when the bytes are not exactly a list of the entry's kind.
    fn of(at: &At, entry: &StorageEntry, kept: &Arc<Kept>) -> Option<Plain> {
        let types = at.layout.metadata.types();
        let Shape::Sequence(item) = &types.get(entry.value)?.shape else {
            return None;
        };
        let (width, booleans) = match &types.get(*item)?.shape {
            Shape::Bool => (1, true),
            Shape::Uint(bits @ (16 | 32 | 64)) => (usize::from(*bits / 8), false),
            _ => return None,
        };
        let mut items = kept.bytes();
        let Compact(len) = Compact::<u32>::decode(&mut items).ok()?;
        let bytes = usize::try_from(len).ok()?.checked_mul(width)?;
        let wrong = booleans && items.iter().any(|byte| *byte > 1);
        (bytes == items.len() && !wrong).then(|| Plain {
            start: kept.bytes().len() - bytes,
            kept: kept.clone(),
            width,
            booleans,
        })
    }

    fn number(&self, uid: u16) -> Option<u64> {
        let from = self.start + usize::from(uid) * self.width;
        let bytes = self.kept.bytes().get(from..from + self.width)?;
        let mut wide = [0; 8];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(wide))
    }
}

impl Vector {
    fn u64(&self, uid: u16) -> Option<u64> {
        match self {
            Vector::Plain(plain) if plain.booleans => None,
            Vector::Plain(plain) => plain.number(uid),
            Vector::Values(values) => values.get(usize::from(uid))?.as_u64(),
        }
    }

    fn u16(&self, uid: u16) -> Option<u16> {
        u16::try_from(self.u64(uid)?).ok()
    }

    fn bool(&self, uid: u16) -> Option<bool> {
        match self {
            Vector::Plain(plain) if plain.booleans => Some(plain.number(uid)? == 1),
            Vector::Plain(_) => None,
            Vector::Values(values) => values.get(usize::from(uid))?.as_bool(),
        }
    }
}
