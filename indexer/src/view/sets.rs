//! What set the rows of W: the cause of a version, and the versions of a row.

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, Uid, storage_index};

use crate::commits::Id;
use crate::items::item;
use crate::store::commits::Among;
use crate::store::history::{SetKind, SetRow};
use crate::store::read::StateRow;
use crate::store::{Store, StoreError};

use super::{At, at, pairs};

/// Commits of a hotkey that are looked through for the one that a reveal opened:
/// a commit is over a few epochs after it was made.
const COMMITS: usize = 500;

/// What set a row of W in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetBy {
    /// The block.
    pub block: BlockNumber,
    /// The cause.
    pub row: SetRow,
    /// The commit that was revealed by it; `None` when it was no reveal, or the
    /// ledger does not have the commit.
    pub commit: Option<Id>,
}

/// What set a row of W in a block; `None` when nothing did: it was written past
/// the pallet, or taken away with its neuron.
pub fn cause(
    store: &Store,
    index: u16,
    uid: u16,
    block: BlockNumber,
) -> Result<Option<SetBy>, StoreError> {
    let Some(row) = store.set_row(index, uid, block)? else {
        return Ok(None);
    };
    let commit = match row.kind {
        SetKind::HashReveal | SetKind::TimelockReveal => commit_of(store, index, uid, block, &row)?,
        _ => None,
    };
    Ok(Some(SetBy { block, row, commit }))
}

/// Rows of W that were set in a block, by storage index and uid, in the order in which its events
/// tell of them first.
pub fn rows_set(store: &Store, at: &At) -> Result<Vec<(u16, u16)>, StoreError> {
    let mut rows = Vec::new();
    for row in super::events(store, at)?
        .iter()
        .filter_map(crate::sets::row_of)
    {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The commit whose reveal set a row. Several may have set it in one block: they
/// are opened oldest first, so it was the youngest of them.
fn commit_of(
    store: &Store,
    index: u16,
    uid: u16,
    block: BlockNumber,
    row: &SetRow,
) -> Result<Option<Id>, StoreError> {
    let (netuid, _) = chain_metadata::split_storage_index(index);
    let among = match row.hotkey {
        Some(hotkey) => Among::Hotkey(AccountId(hotkey)),
        None => Among::Subnet(netuid.0),
    };
    for id in store.commit_ids(among, block, None, COMMITS)? {
        let Some(entry) = store.commit_entry(id, block)? else {
            continue;
        };
        let set = entry.reveals.iter().any(|(at, reveal)| {
            *at == block && reveal.row == Some((index, uid)) && {
                let by = reveal.made_by.as_ref();
                by.map(|call| call.extrinsic) == row.extrinsic
                    && by.is_none_or(|call| call.path == row.path)
            }
        });
        if set {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// A version of a row of W.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Block at whose end the row first was so (or the first stored block).
    pub block: BlockNumber,
    /// Pairs of uid and value, in the chain's order; `None` when the row was taken away.
    pub entries: Option<Vec<(u16, u16)>>,
    /// What set it.
    pub set_by: Option<SetBy>,
}

/// Versions of a row of W that begin in the blocks of a range, oldest first, at
/// most `max`.
pub fn versions(
    store: &Store,
    netuid: NetUid,
    mechanism: MechId,
    uid: Uid,
    range: std::ops::RangeInclusive<BlockNumber>,
    max: usize,
) -> Result<Vec<Version>, StoreError> {
    let row = RowOf {
        entry: "Weights",
        netuid,
        mechanism,
        uid,
    };
    row_versions(store, row, range, false, max)
}

/// Which row of which matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowOf {
    /// `Weights` or `Bonds`.
    pub entry: &'static str,
    /// Subnet.
    pub netuid: NetUid,
    /// Mechanism.
    pub mechanism: MechId,
    /// The neuron whose row it is.
    pub uid: Uid,
}

/// Versions of a row of a matrix that begin in the blocks of a range, oldest or newest first, at
/// most `max`. What set it is told of W alone: epochs compute B.
pub fn row_versions(
    store: &Store,
    row: RowOf,
    range: std::ops::RangeInclusive<BlockNumber>,
    newest_first: bool,
    max: usize,
) -> Result<Vec<Version>, StoreError> {
    let (Some(index), Some(line)) = (storage_index(row.netuid, row.mechanism), item(row.entry))
    else {
        return Ok(Vec::new());
    };
    let start = at(store, *range.start())?;
    let Some(key) = start.and_then(|at| key_of(&at, row.entry, index, row.uid.0)) else {
        return Ok(Vec::new());
    };
    let rest = key.get(32..).unwrap_or_default();
    let rows = match newest_first {
        true => store.state_changes_down(line.id, rest, range, max)?,
        false => store.state_changes_in(line.id, rest, range, max)?,
    };
    let version = |found: StateRow| {
        let block = found.changed_at;
        let entries = match (found.value, at(store, block)?) {
            (Some(bytes), Some(at)) => Some(pairs(&at, row.entry, &bytes)?),
            _ => None,
        };
        let set_by = match row.entry {
            "Weights" => cause(store, index, row.uid.0, block)?,
            _ => None,
        };
        Ok(Version {
            block,
            entries,
            set_by,
        })
    };
    rows.into_iter().map(version).collect()
}

/// The storage key of a row. Hashers are those of the runtime at a block: a change
/// of them would make other keys, and with them other rows.
fn key_of(at: &At, entry: &str, index: u16, uid: u16) -> Option<Vec<u8>> {
    let (_, entry) = at.layout.find(entry)?;
    Some(entry.key_of_encoded(&[&index.to_le_bytes(), &uid.to_le_bytes()]))
}
