//! The ledger of stake in the store: movements, and ways to find them.

use chain_metadata::{AccountId, BlockNumber};
use parity_scale_codec::{DecodeAll, Encode};

use super::engine::{Batch, Range};
use super::read::row_error;
use super::tables::{self, Table};
use super::{Store, StoreError};
use crate::stakes::{Id, Movement};

/// First byte of a key of table `stake-of`.
const BY_SUBNET: u8 = 0;
const BY_HOTKEY: u8 = 1;
const BY_COLDKEY: u8 = 2;

/// Which movements are looked through, in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Among {
    /// All of them.
    All,
    /// Those from or to a subnet.
    Subnet(u16),
    /// Those from or to a hotkey.
    Hotkey(AccountId),
    /// Those from or to a coldkey.
    Coldkey(AccountId),
}

pub(super) fn id_bytes(id: Id) -> [u8; 8] {
    tables::place_bytes(id.block, id.index)
}

pub(super) fn id_of(tail: &[u8]) -> Option<Id> {
    let (block, index) = tables::place_of(tail)?;
    Some(Id { block, index })
}

pub(super) fn prefix(among: Among) -> Vec<u8> {
    let of = |kind: u8, rest: &[u8]| {
        let mut key = Table::StakeOf.key(&[kind]);
        key.extend_from_slice(rest);
        key
    };
    match among {
        Among::All => Table::StakeMove.key(&[]),
        Among::Subnet(netuid) => of(BY_SUBNET, &netuid.to_be_bytes()),
        Among::Hotkey(hotkey) => of(BY_HOTKEY, &hotkey.0),
        Among::Coldkey(coldkey) => of(BY_COLDKEY, &coldkey.0),
    }
}

/// Adds a movement and the ways to find it.
pub fn put(batch: &mut Batch, id: Id, movement: &Movement) {
    let id = id_bytes(id);
    batch.put(Table::StakeMove.key(&id), movement.encode());
    for side in movement.sides() {
        let ways = [
            side.netuid.map(Among::Subnet),
            side.hotkey.map(|h| Among::Hotkey(AccountId(h))),
            side.coldkey.map(|c| Among::Coldkey(AccountId(c))),
        ];
        for among in ways.into_iter().flatten() {
            let mut key = prefix(among);
            key.extend_from_slice(&id);
            batch.put(key, Vec::new());
        }
    }
}

impl Store {
    /// A movement by its name; `None` when there is none.
    pub fn stake_movement(&self, id: Id) -> Result<Option<Movement>, StoreError> {
        let key = Table::StakeMove.key(&id_bytes(id));
        let Some(bytes) = self.engine().get(&key)? else {
            return Ok(None);
        };
        let row = Movement::decode_all(&mut bytes.as_slice());
        row.map(Some)
            .map_err(|e| row_error(Table::StakeMove, &key, e.to_string()))
    }

    /// Names of movements at or before block `at`, newest first, from below
    /// `before` on, at most `max`.
    pub fn stake_ids(
        &self,
        among: Among,
        at: BlockNumber,
        before: Option<Id>,
        max: usize,
    ) -> Result<Vec<Id>, StoreError> {
        let prefix = prefix(among);
        let mut range = Range::prefix(&prefix).reversed();
        let next = at.checked_add(1).map(|block| Id { block, index: 0 });
        let below = match (before, next) {
            (Some(before), Some(next)) => Some(before.min(next)),
            (before, next) => before.or(next),
        };
        if let Some(below) = below {
            let mut key = prefix.clone();
            key.extend_from_slice(&id_bytes(below));
            range.below = Some(key);
        }
        let rows = self.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, _) = row?;
            let id = key.get(prefix.len()..).and_then(id_of);
            id.ok_or_else(|| row_error(Table::StakeOf, &key, "ends in no name of a movement"))
        })
        .collect()
    }
}
