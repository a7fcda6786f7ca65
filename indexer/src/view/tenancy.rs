//! Tenancies: who held a uid from which block to which, and who goes on under
//! another hotkey or uid.

use chain_metadata::{AccountId, BlockNumber, NetUid, Uid};

use crate::store::history::{How, TenancyRow};
use crate::store::{Store, StoreError};

/// A block and a uid that name a tenancy: it is held at the end of that block.
pub type Mark = (BlockNumber, Uid);

/// A hotkey's time at a uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenancy {
    /// Subnet.
    pub netuid: NetUid,
    /// The uid.
    pub uid: Uid,
    /// Who holds it.
    pub hotkey: AccountId,
    /// First block at whose end it is held.
    pub from: BlockNumber,
    /// How it began.
    pub began: How,
    /// First block at whose end it is no longer held; `None` when there is none.
    pub until: Option<BlockNumber>,
    /// What ended it; [`How::Registered`] when another neuron took the uid.
    pub ended: Option<How>,
    /// `BlockAtRegistration` when it began.
    pub registered_at: Option<u64>,
    /// The tenancy that this one continues: same neuron, other hotkey or uid.
    pub previous: Option<Mark>,
    /// The tenancy that continues this one.
    pub next: Option<Mark>,
}

/// The tenancy that a row begins; `None` when the row leaves the uid to nobody.
fn of_row(
    store: &Store,
    netuid: NetUid,
    uid: Uid,
    from: BlockNumber,
    row: TenancyRow,
) -> Result<Option<Tenancy>, StoreError> {
    let Some(hotkey) = row.hotkey.map(AccountId) else {
        return Ok(None);
    };
    let end = store.tenancy_after(netuid.0, uid.0, from)?;
    let mut next = None;
    if let Some((until, end)) = &end {
        if end.how == How::Swapped {
            next = Some((*until, uid));
        } else if let Some(to) = moved_to(store, netuid, uid, &hotkey, *until)? {
            next = Some((*until, to));
        }
    }
    let before = from.checked_sub(1);
    let previous = match row.how {
        How::Swapped => before.map(|block| (block, uid)),
        How::Moved => before.zip(row.from_uid.map(Uid)),
        _ => None,
    };
    Ok(Some(Tenancy {
        netuid,
        uid,
        hotkey,
        from,
        began: row.how,
        until: end.as_ref().map(|(block, _)| *block),
        ended: end.map(|(_, row)| row.how),
        registered_at: row.registered_at,
        previous,
        next,
    }))
}

/// The uid to which a hotkey was moved in a block.
fn moved_to(
    store: &Store,
    netuid: NetUid,
    uid: Uid,
    hotkey: &AccountId,
    block: BlockNumber,
) -> Result<Option<Uid>, StoreError> {
    let below = block.checked_add(1).map(|next| (next, 0));
    for (began, to) in store.tenancies_of(hotkey, netuid.0, below, 4)? {
        let rows = store.tenancy_rows(netuid.0, to, block.checked_add(1), 1)?;
        let moved = |(_, row): &(BlockNumber, TenancyRow)| {
            row.how == How::Moved && row.from_uid == Some(uid.0)
        };
        if began == block && rows.first().is_some_and(moved) {
            return Ok(Some(Uid(to)));
        }
    }
    Ok(None)
}

/// Who holds a uid at the end of a block, with what is known of it up to the last
/// stored one; `None` when nobody does.
pub fn at(
    store: &Store,
    block: BlockNumber,
    netuid: NetUid,
    uid: Uid,
) -> Result<Option<Tenancy>, StoreError> {
    let rows = store.tenancy_rows(netuid.0, uid.0, block.checked_add(1), 1)?;
    match rows.into_iter().next() {
        Some((from, row)) => of_row(store, netuid, uid, from, row),
        None => Ok(None),
    }
}

/// Whose tenancies are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Whoever held a uid.
    Uid(Uid),
    /// Those of a hotkey, at any uid.
    Hotkey(AccountId),
}

/// Tenancies in a subnet, newest first: those that begin before `before` (block
/// and uid), at most `max`.
pub fn list(
    store: &Store,
    netuid: NetUid,
    whose: Whose,
    before: Option<Mark>,
    max: usize,
) -> Result<Vec<Tenancy>, StoreError> {
    let mut found = Vec::new();
    match whose {
        Whose::Uid(uid) => {
            // Rows that leave the uid to nobody are no tenancies.
            let mut below = before.map(|(block, _)| block);
            while found.len() < max {
                let rows = store.tenancy_rows(netuid.0, uid.0, below, 64)?;
                let Some((oldest, _)) = rows.last() else {
                    break;
                };
                below = Some(*oldest);
                for (from, row) in rows {
                    found.extend(of_row(store, netuid, uid, from, row)?);
                }
            }
            found.truncate(max);
        }
        Whose::Hotkey(hotkey) => {
            let before = before.map(|(block, uid)| (block, uid.0));
            for (from, uid) in store.tenancies_of(&hotkey, netuid.0, before, max)? {
                found.extend(at(store, from, netuid, Uid(uid))?);
            }
        }
    }
    Ok(found)
}

/// Tenancies in a subnet, oldest first: those that begin after `after` (block and
/// uid), at most `max`.
pub fn list_up(
    store: &Store,
    netuid: NetUid,
    whose: Whose,
    after: Option<Mark>,
    max: usize,
) -> Result<Vec<Tenancy>, StoreError> {
    let mut found = Vec::new();
    match whose {
        Whose::Uid(uid) => {
            // Rows that leave the uid to nobody are no tenancies.
            let mut above = after.map(|(block, _)| block);
            while found.len() < max {
                let rows = store.tenancy_rows_up(netuid.0, uid.0, above, 64)?;
                let Some((newest, _)) = rows.last() else {
                    break;
                };
                above = Some(*newest);
                for (from, row) in rows {
                    found.extend(of_row(store, netuid, uid, from, row)?);
                }
            }
            found.truncate(max);
        }
        Whose::Hotkey(hotkey) => {
            let after = after.map(|(block, uid)| (block, uid.0));
            for (from, uid) in store.tenancies_of_up(&hotkey, netuid.0, after, max)? {
                found.extend(at(store, from, netuid, Uid(uid))?);
            }
        }
    }
    Ok(found)
}

/// The subnets in which a hotkey ever held a uid up to a block, ascending, each with the uid that
/// it holds at the end of that block; `None` where it holds none any more.
pub fn memberships(
    store: &Store,
    block: BlockNumber,
    hotkey: AccountId,
) -> Result<Vec<(NetUid, Option<Uid>)>, StoreError> {
    let below = block.checked_add(1).map(|next| (next, 0));
    let mut found = Vec::new();
    for netuid in store.tenancy_netuids(&hotkey)? {
        // The newest that began by then: a hotkey has one uid in a subnet at a time.
        let newest = store.tenancies_of(&hotkey, netuid, below, 1)?;
        let Some((_, uid)) = newest.first().copied() else {
            continue;
        };
        let held = at(store, block, NetUid(netuid), Uid(uid))?;
        let holds = held.is_some_and(|tenancy| tenancy.hotkey == hotkey);
        found.push((NetUid(netuid), holds.then_some(Uid(uid))));
    }
    Ok(found)
}
