//! The events of a block.

use std::sync::Arc;

use crate::pair::{self, PairError};
use crate::scale::{check_count, decode_type, encode_type, end, read_length, write_length};
use crate::{DecodeCause, DecodeError, H256, Metadata, Value};

/// Fewest bytes of an event: phase, two index bytes, number of topics.
const SMALLEST: usize = 4;

/// An event of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Position among the events of its block.
    pub index: u32,
    /// When it was deposited.
    pub phase: Phase,
    /// Name of its pallet.
    pub pallet: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Index byte of its pallet.
    pub pallet_index: u8,
    /// Index byte of the event in its pallet.
    pub variant_index: u8,
    /// Its fields; early runtimes do not name them.
    pub fields: Vec<(Option<Arc<str>>, Value)>,
    /// Hashes under which light clients may look for it.
    pub topics: Vec<H256>,
}

/// The part of a block's execution in which an event was deposited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// While the extrinsic of this position was applied.
    ApplyExtrinsic(u32),
    /// After the extrinsics.
    Finalization,
    /// Before the extrinsics.
    Initialization,
}

impl Event {
    /// Whether it is the event of a pallet and a name.
    pub fn is(&self, pallet: &str, name: &str) -> bool {
        &*self.name == name && &*self.pallet == pallet
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let found = self
            .fields
            .iter()
            .find(|(field, _)| field.as_deref() == Some(name));
        found.map(|(_, value)| value)
    }

    /// The field of a name or, where the runtime does not name the fields, of a position.
    pub fn field_or(&self, name: &str, position: usize) -> Option<&Value> {
        match self.fields.get(position) {
            Some((None, value)) => Some(value),
            _ => self.field(name),
        }
    }

    /// Position of the extrinsic it belongs to.
    pub fn extrinsic_index(&self) -> Option<u32> {
        match self.phase {
            Phase::ApplyExtrinsic(index) => Some(index),
            Phase::Finalization | Phase::Initialization => None,
        }
    }
}

/// Decodes the value of `System.Events`.
///
/// # Errors
/// When the bytes do not fit, or some are left over; names the event where it is known.
pub fn decode_events(meta: &Metadata, bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
    let mut input = bytes;
    let whole = |cause: DecodeCause| DecodeError::new("System", "Events", cause);
    let count = read_length(&mut input)
        .and_then(|length| check_count(length, SMALLEST, input.len()).map(|_| length))
        .map_err(|cause| whole(cause.into()))?;
    let mut events = Vec::new();
    for index in 0..count {
        events.push(read_event(meta, index, &mut input)?);
    }
    end(input).map_err(|cause| whole(cause.into()))?;
    Ok(events)
}

/// The events as the value of `System.Events`; exact inverse of [`decode_events`].
///
/// # Errors
/// When an event has fields that do not fit its type.
pub fn encode_events(meta: &Metadata, events: &[Event]) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    write_length(events.len(), &mut out);
    for event in events {
        write_event(meta, event, &mut out)?;
    }
    Ok(out)
}

fn read_event(meta: &Metadata, index: u32, input: &mut &[u8]) -> Result<Event, DecodeError> {
    let shape = meta
        .event_shape()
        .ok_or_else(|| at_event(index, DecodeCause::NotInMetadata))?;
    let types = meta.types();
    let phase =
        decode_type(types, shape.phase, input).map_err(|cause| at_event(index, cause.into()))?;
    let phase = read_phase(&phase).ok_or_else(|| {
        at_event(
            index,
            DecodeCause::UnexpectedShape(format!("{} is no phase", phase.kind())),
        )
    })?;
    let indices = [0, 1].map(|at| input.get(at).copied().unwrap_or_default());
    let (pair, fields) =
        pair::read(types, shape.event, input).map_err(|error| in_event(index, error))?;
    let topics = read_topics(meta, shape.topics, input).map_err(|cause| {
        DecodeError::new(&*pair.pallet.name, entry(index, &pair.item.name), cause)
    })?;
    let [pallet_index, variant_index] = indices;
    Ok(Event {
        index,
        phase,
        pallet: pair.pallet.name.clone(),
        name: pair.item.name.clone(),
        pallet_index,
        variant_index,
        fields,
        topics,
    })
}

fn read_phase(phase: &Value) -> Option<Phase> {
    match (phase.variant_name()?, phase.fields()) {
        ("ApplyExtrinsic", [(_, index)]) => Some(Phase::ApplyExtrinsic(index.as_u32()?)),
        ("Finalization", []) => Some(Phase::Finalization),
        ("Initialization", []) => Some(Phase::Initialization),
        _ => None,
    }
}

fn read_topics(meta: &Metadata, ty: u32, input: &mut &[u8]) -> Result<Vec<H256>, DecodeCause> {
    if let Some(rest) = input.strip_prefix(&[0]) {
        *input = rest;
        return Ok(Vec::new());
    }
    let topics = decode_type(meta.types(), ty, input)?;
    let topic = |value: &Value| value.as_account().map(|account| H256(account.0));
    let topics: Option<Vec<H256>> = match &topics {
        Value::Seq(items) => items.iter().map(topic).collect(),
        _ => None,
    };
    topics.ok_or_else(|| DecodeCause::UnexpectedShape("topics are not 32 bytes each".into()))
}

fn write_event(meta: &Metadata, event: &Event, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let shape = meta
        .event_shape()
        .ok_or_else(|| at_event(event.index, DecodeCause::NotInMetadata))?;
    let types = meta.types();
    let error = |cause: crate::ScaleError| {
        DecodeError::new(&*event.pallet, entry(event.index, &event.name), cause)
    };
    encode_type(types, shape.phase, &phase_value(event.phase), out).map_err(error)?;
    let indices = [event.pallet_index, event.variant_index];
    pair::write(types, shape.event, indices, &event.fields, out)
        .map_err(|error| in_event(event.index, error))?;
    let topics = event
        .topics
        .iter()
        .map(|topic| Value::Bytes(topic.0.to_vec()));
    encode_type(types, shape.topics, &Value::Seq(topics.collect()), out).map_err(error)
}

fn phase_value(phase: Phase) -> Value {
    let (name, fields) = match phase {
        Phase::ApplyExtrinsic(index) => {
            let index = Value::Uint {
                width: 32,
                value: index.into(),
            };
            ("ApplyExtrinsic", vec![(None, index)])
        }
        Phase::Finalization => ("Finalization", vec![]),
        Phase::Initialization => ("Initialization", vec![]),
    };
    Value::Variant {
        name: name.into(),
        index: 0,
        fields,
    }
}

fn entry(index: u32, name: &str) -> String {
    format!("{name} (event {index})")
}

fn at_event(index: u32, cause: DecodeCause) -> DecodeError {
    DecodeError::new("System", entry(index, "Events"), cause)
}

fn in_event(index: u32, error: PairError<'_>) -> DecodeError {
    let name = error.item.unwrap_or("Events");
    DecodeError::new(
        error.pallet.unwrap_or("System"),
        entry(index, name),
        error.cause,
    )
}
