//! Who holds which uid, and from when on.
//!
//! That a uid changed hands is told by `Keys`; the block's events say why. A swap
//! of the hotkey joins what was before and after, a registration cuts it. What
//! the events leave out is told by the values: a hotkey that held another uid of
//! the subnet was moved, one whose `BlockAtRegistration` is the block registered.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chain_metadata::{AccountId, Event, Value};

use super::commits::leading;
use crate::IndexError;
use crate::items::MANIFEST;
use crate::plan::{Key, Prepared};
use crate::stages::Tip;
use crate::store::history::{How, TenancyRow, put_tenancy};
use crate::store::{Batch, Store, StoreError};

/// A uid: netuid and number.
type Place = (u16, u16);

/// Holders as of the last block, as far as they were needed.
#[derive(Debug, Default)]
pub struct Holders {
    known: HashMap<Place, Option<AccountId>>,
    registered: HashMap<Place, Option<u64>>,
    /// Uids of subnets in which one was asked about that the store does not have yet.
    begun: BTreeSet<Place>,
}

impl Holders {
    /// Who holds a uid before the block at hand.
    fn of(
        &mut self,
        store: &Store,
        tip: &Tip,
        place: Place,
    ) -> Result<Option<AccountId>, IndexError> {
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        let below = tip.checkpoint.and_then(|c| c.last.checked_add(1));
        let row = match tip.checkpoint {
            Some(_) => store.tenancy_rows(place.0, place.1, below, 1)?,
            None => Vec::new(),
        };
        let holder = row.into_iter().next().and_then(|(_, row)| row.hotkey);
        let holder = holder.map(AccountId);
        self.known.insert(place, holder);
        Ok(holder)
    }

    /// Every uid of a subnet that somebody holds before the block at hand.
    fn in_subnet(
        &mut self,
        store: &Store,
        tip: &Tip,
        netuid: u16,
    ) -> Result<Vec<(Place, AccountId)>, IndexError> {
        let stored = match tip.checkpoint {
            Some(_) => store.tenancy_uids(netuid)?,
            None => Vec::new(),
        };
        let begun = self.begun.range((netuid, 0)..=(netuid, u16::MAX));
        let mut uids: BTreeSet<u16> = begun.map(|(_, uid)| *uid).collect();
        uids.extend(stored);
        let mut held = Vec::new();
        for uid in uids {
            if let Some(holder) = self.of(store, tip, (netuid, uid))? {
                held.push(((netuid, uid), holder));
            }
        }
        Ok(held)
    }

    fn registered_at(
        &mut self,
        store: &Store,
        tip: &Tip,
        block: &Prepared,
        place: Place,
    ) -> Result<Option<u64>, IndexError> {
        if let Some(known) = self.registered.get(&place) {
            return Ok(*known);
        }
        let Some((line, entry)) = block.layout.find("BlockAtRegistration") else {
            return Ok(None);
        };
        let Some(last) = tip.checkpoint else {
            return Ok(None);
        };
        let key = entry.key_of_encoded(&[&place.0.to_le_bytes(), &place.1.to_le_bytes()]);
        let rest = key.get(32..).unwrap_or_default();
        let stored = store.state(line.id, rest, last.last)?;
        let Some(bytes) = stored.and_then(|row| row.value) else {
            return Ok(None);
        };
        let value = entry.decode_value(block.layout.metadata.types(), &bytes);
        Ok(value.map_err(|e| undecodable(block, e))?.as_u64())
    }
}

fn undecodable(block: &Prepared, e: chain_metadata::DecodeError) -> IndexError {
    IndexError::Decode {
        block: block.raw.number,
        spec: block.layout.spec,
        what: e.to_string(),
    }
}

/// The value that was read under a key; `None` when nothing is stored there.
fn value(block: &Prepared, key: &Key, bytes: Option<&[u8]>) -> Result<Option<Value>, IndexError> {
    let (Some(bytes), Some(entry)) = (bytes, block.layout.entry(key.line)) else {
        return Ok(None);
    };
    let value = entry.decode_value(block.layout.metadata.types(), bytes);
    value.map(Some).map_err(|e| undecodable(block, e))
}

/// What the events of a block say of one uid and its holder.
struct Told {
    holder: Option<AccountId>,
    /// No registration since: the same neuron.
    same: bool,
    registered: bool,
}

/// Follows a uid through the events of a block.
fn told(events: &[Event], place: Place, before: Option<AccountId>) -> Told {
    let mut told = Told {
        holder: before,
        same: before.is_some(),
        registered: false,
    };
    for event in events {
        let (numbers, accounts) = leading(event);
        match (&*event.name, numbers.as_slice(), accounts.as_slice()) {
            ("NeuronRegistered", [netuid, uid, ..], [who, ..]) if (*netuid, *uid) == place => {
                told = Told {
                    holder: Some(*who),
                    same: false,
                    registered: true,
                };
            }
            ("NetworkRemoved", [netuid, ..], _) if *netuid == place.0 => {
                told = Told {
                    holder: None,
                    same: false,
                    registered: false,
                };
            }
            ("HotkeySwapped" | "HotkeySwappedOnSubnet", netuid, accounts) => {
                let here = netuid.first().is_none_or(|netuid| *netuid == place.0);
                let swap = swapped(event, accounts);
                if let Some((old, new)) = swap
                    && here
                    && told.holder == Some(old)
                {
                    told.holder = Some(new);
                }
            }
            _ => {}
        }
    }
    told
}

/// Old and new hotkey: by name, or the second and third account.
fn swapped(event: &Event, accounts: &[AccountId]) -> Option<(AccountId, AccountId)> {
    let named = |name| event.field(name).and_then(Value::as_account);
    match (named("old_hotkey"), named("new_hotkey"), accounts) {
        (Some(old), Some(new), _) => Some((old, new)),
        (None, None, [_, old, new]) => Some((*old, *new)),
        _ => None,
    }
}

/// Rows of tables tenancy and tenancy-of.
///
/// Depends on the block, and on the store up to the last block of `tip`.
pub fn rows(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    batch: &mut Batch,
) -> Result<(), IndexError> {
    let mut holders = tip.holders.take().unwrap_or_default();
    let done = changes(store, tip, block, batch, &mut holders);
    tip.holders = Some(holders);
    done
}

/// Removes the rows that begin in a block and are not written again.
pub fn forget(store: &Store, block: u32, batch: &mut Batch) -> Result<(), StoreError> {
    store.forget_tenancies(block, batch)
}

fn changes(
    store: &Store,
    tip: &Tip,
    block: &Prepared,
    batch: &mut Batch,
    holders: &mut Holders,
) -> Result<(), IndexError> {
    let mut now: BTreeMap<Place, Option<AccountId>> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for (key, bytes) in &block.values {
        match MANIFEST.get(key.line).map(|line| line.entry) {
            Some("Keys") => {
                let holder = value(block, key, bytes.as_deref())?.and_then(|v| v.as_account());
                now.insert((key.subnet, key.uid), holder);
            }
            Some("BlockAtRegistration") => {
                let at = value(block, key, bytes.as_deref())?.and_then(|v| v.as_u64());
                holders.registered.insert((key.subnet, key.uid), at);
            }
            _ => {}
        }
    }
    let every = block.every.iter().flat_map(|(a, v)| a.every.iter().zip(v));
    for (key, bytes) in every.chain(block.values.iter().map(|(key, value)| (key, value))) {
        let is_added = MANIFEST
            .get(key.line)
            .is_some_and(|l| l.entry == "NetworksAdded");
        if is_added {
            let added = value(block, key, bytes.as_deref())?.and_then(|v| v.as_bool());
            if added != Some(true) {
                gone.insert(key.subnet);
            }
        }
    }
    let events = &block.decoded.commits.events;
    let mut dissolved = gone.clone();
    for event in events.iter().filter(|e| &*e.name == "NetworkRemoved") {
        dissolved.extend(leading(event).0.first());
    }
    for netuid in &dissolved {
        // Nobody of it goes on, not even who holds the same uid of a subnet that
        // took its number in the same block.
        for (place, _) in holders.in_subnet(store, tip, *netuid)? {
            let holder = now.entry(place).or_insert(None);
            if gone.contains(netuid) {
                *holder = None;
            }
        }
    }
    let mut before = BTreeMap::new();
    for place in now.keys() {
        before.insert(*place, holders.of(store, tip, *place)?);
    }
    for (place, holder) in &now {
        let was = before.get(place).copied().flatten();
        let told = told(events, *place, was);
        let again = told.registered || (was.is_some() && dissolved.contains(&place.0));
        if was == *holder && (holder.is_none() || !again) {
            continue;
        }
        let row = row(
            store, tip, block, holders, *place, was, *holder, &told, &before, &dissolved,
        )?;
        put_tenancy(batch, place.0, place.1, block.raw.number, &row);
        holders.known.insert(*place, *holder);
        holders.begun.insert(*place);
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one private step of `changes`")]
fn row(
    store: &Store,
    tip: &Tip,
    block: &Prepared,
    holders: &mut Holders,
    place: Place,
    was: Option<AccountId>,
    holder: Option<AccountId>,
    told: &Told,
    before: &BTreeMap<Place, Option<AccountId>>,
    dissolved: &BTreeSet<u16>,
) -> Result<TenancyRow, IndexError> {
    let mut row = TenancyRow {
        hotkey: holder.map(|h| h.0),
        how: How::Written,
        from_hotkey: None,
        from_uid: None,
        registered_at: None,
    };
    let Some(holder) = holder else {
        row.how = match dissolved.contains(&place.0) {
            true => How::Dissolved,
            false => How::Removed,
        };
        return Ok(row);
    };
    row.registered_at = holders.registered_at(store, tip, block, place)?;
    let number = block.raw.number;
    let moved = before.iter().find(|((netuid, uid), held)| {
        *netuid == place.0 && *uid != place.1 && **held == Some(holder)
    });
    row.how = if tip.checkpoint.is_none() {
        How::FoundAtStart
    } else if told.registered {
        How::Registered
    } else if told.same && told.holder == Some(holder) {
        row.from_hotkey = was.map(|h| h.0);
        How::Swapped
    } else if dissolved.contains(&place.0) || row.registered_at == Some(u64::from(number)) {
        How::Registered
    } else if let Some(((_, uid), _)) = moved {
        row.from_uid = Some(*uid);
        How::Moved
    } else {
        How::Written
    };
    Ok(row)
}
