//! What became of subnets: made, dissolved, handed on, named anew.

use std::collections::BTreeSet;

use chain_metadata::{NetUid, Value};

use super::causes::{Cause, Causes};
use super::changes::{Change, Stretch, Track, of_subnet, sides, walk};
use super::find::Found;
use super::{At, Held, at, exists, held};
use crate::items::{Item, item};
use crate::store::{Store, StoreError};

/// What happened to a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// It was made.
    Created,
    /// It was dissolved.
    Dissolved,
    /// It was dissolved, and another one took its number in the same block.
    Replaced,
    /// Another coldkey owns it, or none.
    Owner,
    /// Another hotkey is its owner's, or none.
    OwnerHotkey,
    /// It has another number of mechanisms.
    MechanismCount,
    /// It has another name.
    Name,
    /// Its token has another symbol.
    Symbol,
    /// It says something else of itself.
    Identity,
}

/// The items that tell of it.
const ITEMS: [(&str, Happening); 10] = [
    ("NetworksAdded", Happening::Created),
    ("NetworkRegisteredAt", Happening::Replaced),
    ("SubnetOwner", Happening::Owner),
    ("SubnetOwnerHotkey", Happening::OwnerHotkey),
    ("MechanismCountCurrent", Happening::MechanismCount),
    ("SubnetName", Happening::Name),
    ("TokenSymbol", Happening::Symbol),
    ("SubnetIdentities", Happening::Identity),
    ("SubnetIdentitiesV2", Happening::Identity),
    ("SubnetIdentitiesV3", Happening::Identity),
];

/// Something that happened to a subnet.
#[derive(Debug)]
pub struct Event {
    /// The block and its runtime.
    pub at: At,
    /// Place of the change in the block.
    pub place: u32,
    /// The subnet.
    pub netuid: NetUid,
    /// What it was.
    pub what: Happening,
    /// `NetworkRegisteredAt` of the subnet it happened to: of the one that was, when it was
    /// dissolved. `None` when none is stored.
    pub registered_at: Option<u64>,
    /// The item that tells of it.
    pub line: &'static Item,
    /// Its value before.
    pub old: Held,
    /// Its value now.
    pub new: Held,
    /// The call that did it, where that can be told.
    pub cause: Option<Cause>,
}

/// Subnets of which the store ever saw a value.
fn ever(store: &Store) -> Result<BTreeSet<NetUid>, StoreError> {
    let mut found = BTreeSet::new();
    for (entry, _) in ITEMS {
        let Some(line) = item(entry) else {
            continue;
        };
        for rest in store.state_keys(line.id)? {
            // Keyed by netuid, which stands at the end of the key.
            found.extend(rest.last_chunk().map(|le| NetUid(u16::from_le_bytes(*le))));
        }
    }
    Ok(found)
}

/// What happened to a subnet, or to any of them, newest first.
///
/// # Errors
///
/// When a row is missing or damaged.
pub fn history(
    store: &Store,
    netuid: Option<NetUid>,
    stretch: Stretch,
    first: usize,
) -> Result<Found<Event>, StoreError> {
    let netuids = match netuid {
        Some(netuid) => BTreeSet::from([netuid]),
        None => {
            let mut all = ever(store)?;
            if let Some(at) = at(store, stretch.to)? {
                all.extend(super::subnets(store, &at)?);
            }
            all
        }
    };
    let mut tracks: Vec<Track> = Vec::new();
    for netuid in netuids {
        let lines = ITEMS.iter().filter_map(|(entry, _)| item(entry));
        tracks.extend(of_subnet(store, lines, netuid, stretch.to)?);
    }
    let found = walk(store, &tracks, stretch, first)?;
    let mut causes = Causes::new(store);
    let mut items = Vec::with_capacity(found.items.len());
    for change in found.items {
        if let Some(track) = tracks.get(change.track) {
            items.extend(event(store, &mut causes, track, &change)?);
        }
    }
    Ok(Found {
        items,
        next: found.next,
    })
}

fn registered(store: &Store, at: &At, netuid: NetUid) -> Result<Option<u64>, StoreError> {
    let found = held(store, at, "NetworkRegisteredAt", &[&netuid.0.to_le_bytes()])?;
    Ok(found.stored().as_ref().and_then(Value::as_u64))
}

/// A change as something that happened; `None` when it says nothing of its own.
fn event(
    store: &Store,
    causes: &mut Causes<'_>,
    track: &Track,
    change: &Change,
) -> Result<Option<Event>, StoreError> {
    let (line, Some(netuid)) = (track.line, track.netuid) else {
        return Ok(None);
    };
    let (now, Some(old), new) = sides(store, line, change)? else {
        return Ok(None);
    };
    let parent = change.block.checked_sub(1).map(|parent| at(store, parent));
    let Some(before) = parent.transpose()?.flatten() else {
        return Ok(None);
    };
    let told = ITEMS.iter().find(|(entry, _)| *entry == line.entry);
    let is_there = |held: &Held| matches!(held, Held::Stored(v, _) if v.as_bool() == Some(true));
    let what = match told {
        Some((_, Happening::Created)) => match (is_there(&old), is_there(&new)) {
            (false, true) => Happening::Created,
            (true, false) => Happening::Dissolved,
            _ => return Ok(None),
        },
        // Otherwise the subnet came or went, and that is told already.
        Some((_, Happening::Replaced)) => {
            let both = matches!((&old, &new), (Held::Stored(..), Held::Stored(..)))
                && exists(store, &before, netuid)?
                && exists(store, &now, netuid)?;
            match both {
                true => Happening::Replaced,
                false => return Ok(None),
            }
        }
        Some((_, what)) => *what,
        None => return Ok(None),
    };
    let side = match what {
        Happening::Dissolved => &before,
        _ => &now,
    };
    Ok(Some(Event {
        netuid,
        what,
        registered_at: registered(store, side, netuid)?,
        line,
        old,
        new,
        cause: causes.of(line, netuid, change.block)?,
        place: change.place,
        at: now,
    }))
}
