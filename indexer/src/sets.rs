//! What set the rows of W in a block: every `WeightsSet` event with the call that
//! brought it about.
//!
//! The chain emits the event for every row that it sets, whatever asked for it.
//! Calls run in the order in which they stand in their extrinsic, so the events of
//! an extrinsic are given to its calls in order; those that a list makes are given
//! to its items, and an item that failed says so by an event of its own.

use std::collections::BTreeMap;

use chain_metadata::{AccountId, Call, Event, MechId, NestedCall, NetUid, Origin, Outcome, Phase};
use chain_metadata::{Value, storage_index};

use crate::commits::{index_of, reveals};
use crate::items::PALLET;
use crate::store::history::{SetKind, SetRow};

/// The last cause of every row that was set: by storage index and uid.
pub type Sets = BTreeMap<(u16, u16), SetRow>;

/// One row that a call may set.
struct Slot<'a> {
    index: u16,
    call: &'a NestedCall,
    item: Option<u32>,
    version_key: Option<u64>,
    used: bool,
}

/// Whether a call sets weights of its own.
fn sets(call: &Call) -> bool {
    let name = &*call.name;
    &*call.pallet == PALLET
        && name.ends_with("weights")
        && (name.starts_with("set_") || name.starts_with("batch_set_"))
}

fn is_list(call: &Call) -> bool {
    call.name.starts_with("batch_")
}

/// The rows that a call may set, in the order in which it does.
fn slots(nested: &NestedCall) -> Vec<Slot<'_>> {
    let call = &nested.call;
    if matches!(nested.outcome, Outcome::Failed(_) | Outcome::NotRun)
        || !(sets(call) || reveals(call))
    {
        return Vec::new();
    }
    let slot = |index, item, version_key: Option<&Value>| Slot {
        index,
        call: nested,
        item,
        version_key: version_key.and_then(Value::as_u64),
        used: false,
    };
    if !is_list(call) {
        let index = index_of(call);
        let one = index.map(|index| slot(index, None, call.arg("version_key")));
        return one.into_iter().collect();
    }
    let keys = call.arg("version_keys").map_or(&[][..], Value::items);
    if let Some(netuids) = call.arg("netuids") {
        let items = (0_u32..).zip(netuids.items()).zip(keys_of(keys));
        let one = |((item, netuid), key): ((u32, &Value), Option<&'_ Value>)| {
            let index = storage_index(NetUid(netuid.as_u16()?), MechId(0))?;
            Some((index, item, key.and_then(Value::as_u64)))
        };
        return items
            .filter_map(one)
            .map(|(index, item, version_key)| Slot {
                version_key,
                ..slot(index, Some(item), None)
            })
            .collect();
    }
    let (Some(index), Some(lists)) = (index_of(call), call.arg("uids_list")) else {
        return Vec::new();
    };
    let items = (0_u32..).zip(lists.items()).zip(keys_of(keys));
    items
        .map(|((item, _), key)| slot(index, Some(item), key))
        .collect()
}

/// As many keys as are asked for.
fn keys_of(keys: &[Value]) -> impl Iterator<Item = Option<&Value>> {
    keys.iter().map(Some).chain(std::iter::repeat(None))
}

/// Whose weights a call sets: the hotkey among its arguments, or whom it acts for.
fn who(nested: &NestedCall) -> Option<[u8; 32]> {
    let named = nested.call.arg("hotkey").and_then(Value::as_account);
    let origin = match nested.origin {
        Origin::Signed(account) => Some(account),
        _ => None,
    };
    named.or(origin).map(|account| account.0)
}

/// Storage index and uid of an event `WeightsSet`.
pub(crate) fn row_of(event: &Event) -> Option<(u16, u16)> {
    if &*event.name != "WeightsSet" || &*event.pallet != PALLET {
        return None;
    }
    let mut numbers = event.fields.iter().filter_map(|(_, v)| match v {
        Value::Uint { width: 16, .. } => v.as_u16(),
        _ => None,
    });
    Some((numbers.next()?, numbers.next()?))
}

/// Adds what an extrinsic set: its calls and its events, in order.
pub fn extrinsic(found: &mut Sets, index: u32, calls: &[NestedCall], events: &[&Event]) {
    if !events.iter().any(|e| row_of(e).is_some()) {
        return;
    }
    let mut slots: Vec<_> = calls.iter().flat_map(slots).collect();
    for event in events {
        if &*event.name == "BatchWeightItemFailed" && &*event.pallet == PALLET {
            let next = slots.iter_mut().find(|slot| !slot.used);
            if let Some(next) = next.filter(|slot| is_list(&slot.call.call)) {
                next.used = true;
            }
            continue;
        }
        let Some(row) = row_of(event) else {
            continue;
        };
        let slot = slots.iter_mut().find(|s| !s.used && s.index == row.0);
        let cause = match slot {
            Some(slot) => {
                slot.used = true;
                let call = &slot.call.call;
                SetRow {
                    kind: match (reveals(call), is_list(call)) {
                        (true, _) => SetKind::HashReveal,
                        (false, true) => SetKind::Batch,
                        (false, false) => SetKind::Direct,
                    },
                    hotkey: who(slot.call),
                    extrinsic: Some(index),
                    path: Some(slot.call.path.clone()),
                    item: slot.item,
                    version_key: slot.version_key,
                }
            }
            None => SetRow {
                kind: SetKind::Contract,
                hotkey: None,
                extrinsic: Some(index),
                path: None,
                item: None,
                version_key: None,
            },
        };
        found.insert(row, cause);
    }
}

/// Adds what was set outside extrinsics. `tells` says whether the runtime has an
/// event for the reveal of what was under a time lock; where it has none, nothing
/// else sets weights there.
pub fn outside(found: &mut Sets, events: &[Event], tells: bool) {
    let outside = |e: &&Event| !matches!(e.phase, Phase::ApplyExtrinsic(_));
    let mut events = events.iter().filter(outside).peekable();
    while let Some(event) = events.next() {
        let Some(row) = row_of(event) else {
            continue;
        };
        let revealed = events.peek().and_then(|next| revealed(next, row.0));
        let kind = match (tells, revealed) {
            (true, None) => SetKind::Scheduled,
            _ => SetKind::TimelockReveal,
        };
        let cause = SetRow {
            kind,
            hotkey: revealed.map(|who| who.0),
            extrinsic: None,
            path: None,
            item: None,
            version_key: None,
        };
        found.insert(row, cause);
    }
}

/// Whose weights of a storage index an event says to be revealed.
fn revealed(event: &Event, index: u16) -> Option<AccountId> {
    let ours = &*event.pallet == PALLET && event.name.ends_with("WeightsRevealed");
    let fields = || event.fields.iter().map(|(_, value)| value);
    let names =
        fields().any(|v| matches!(v, Value::Uint { width: 16, .. }) && v.as_u16() == Some(index));
    let mut accounts = fields().filter(|v| matches!(v, Value::Account(_)));
    accounts
        .find_map(Value::as_account)
        .filter(|_| ours && names)
}

/// Whether a runtime has an event for the reveal of weights under a time lock.
pub fn tells(metadata: &chain_metadata::Metadata) -> bool {
    let events = metadata.pallet(PALLET).and_then(|p| p.events);
    let variants = events.and_then(|ty| metadata.types().variants(ty));
    variants.is_some_and(|v| {
        ["CRV3WeightsRevealed", "TimelockedWeightsRevealed"]
            .iter()
            .any(|name| v.by_name(name).is_some())
    })
}
