//! The enums over all pallets: calls and events.

use super::{Metadata, Pallet};
use crate::types::{Shape, Types};

/// The types of an event record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventShape {
    pub(crate) phase: u32,
    /// Enum over the pallets.
    pub(crate) event: u32,
    pub(crate) topics: u32,
}

impl EventShape {
    /// From the value of `System.Events`: a sequence of phase, event and topics.
    pub(super) fn find(meta: &Metadata) -> Option<EventShape> {
        let entry = meta.storage("System", "Events")?;
        let Shape::Sequence(record) = meta.types.get(entry.value)?.shape else {
            return None;
        };
        match &meta.types.get(record)?.shape {
            Shape::Composite(fields) => match &**fields {
                [phase, event, topics] => Some(EventShape {
                    phase: phase.ty,
                    event: event.ty,
                    topics: topics.ty,
                }),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The enum whose variants hold the calls of the pallets, one for each pallet that has calls.
pub(super) fn find_call_type(types: &Types, pallets: &[Pallet]) -> Option<u32> {
    let count = u32::try_from(types.len()).ok()?;
    let with_calls = pallets
        .iter()
        .filter(|pallet| pallet.calls.is_some())
        .count();
    (0..count).find(|ty| {
        let Some(variants) = types.variants(*ty) else {
            return false;
        };
        let fits = variants.all().iter().all(|variant| {
            let calls = pallets
                .iter()
                .find(|pallet| pallet.index == variant.index)
                .and_then(|pallet| pallet.calls);
            match (&*variant.fields, calls) {
                ([only], Some(calls)) => only.ty == types.resolve(calls),
                _ => false,
            }
        });
        fits && with_calls > 0 && variants.all().len() == with_calls
    })
}
