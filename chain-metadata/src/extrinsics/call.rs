//! Calls: the function of a pallet and its arguments.

use std::sync::Arc;

use crate::pair::{self, PairError};
use crate::scale::end;
use crate::{DecodeError, Metadata, Value};

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Name of the pallet.
    pub pallet: Arc<str>,
    /// Name of the function.
    pub name: Arc<str>,
    /// Index byte of the pallet.
    pub pallet_index: u8,
    /// Index byte of the function in its pallet.
    pub call_index: u8,
    /// Arguments in order.
    pub args: Vec<(Arc<str>, Value)>,
}

impl Call {
    /// Whether it is the function of a pallet and a name.
    pub fn is(&self, pallet: &str, name: &str) -> bool {
        &*self.name == name && &*self.pallet == pallet
    }

    /// The argument of a name.
    pub fn arg(&self, name: &str) -> Option<&Value> {
        let found = self.args.iter().find(|(known, _)| &**known == name);
        found.map(|(_, value)| value)
    }

    /// `Pallet.function`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.pallet, self.name)
    }

    /// The call in a value of the runtime's call type, such as an argument that is a call.
    pub fn from_value(value: &Value) -> Option<Call> {
        let (pallet, pallet_index, name, call_index, fields) = parts(value)?;
        Some(Call {
            pallet: pallet.clone(),
            name: name.clone(),
            pallet_index,
            call_index,
            args: named(fields.iter().cloned()),
        })
    }

    /// The call as a value of the runtime's call type.
    pub fn to_value(&self) -> Value {
        let fields = self.args.iter().cloned();
        Value::Variant {
            name: self.pallet.clone(),
            index: self.pallet_index,
            fields: vec![(
                None,
                Value::Variant {
                    name: self.name.clone(),
                    index: self.call_index,
                    fields: fields.map(|(name, value)| (Some(name), value)).collect(),
                },
            )],
        }
    }
}

type Parts<'a> = (
    &'a Arc<str>,
    u8,
    &'a Arc<str>,
    u8,
    &'a [(Option<Arc<str>>, Value)],
);

/// Pallet, its index, function, its index and arguments of a value of the call type.
pub(crate) fn parts(value: &Value) -> Option<Parts<'_>> {
    let Value::Variant {
        name: pallet,
        index: pallet_index,
        fields,
    } = value
    else {
        return None;
    };
    let [
        (
            _,
            Value::Variant {
                name,
                index: call_index,
                fields,
            },
        ),
    ] = fields.as_slice()
    else {
        return None;
    };
    Some((pallet, *pallet_index, name, *call_index, fields))
}

/// Arguments by name; by position where the runtime has no name for one.
fn named(fields: impl Iterator<Item = (Option<Arc<str>>, Value)>) -> Vec<(Arc<str>, Value)> {
    fields
        .enumerate()
        .map(|(at, (name, value))| (name.unwrap_or_else(|| at.to_string().into()), value))
        .collect()
}

/// Decodes a call that must take all bytes.
///
/// # Errors
/// When the bytes do not fit, or some are left over.
pub fn decode_call(meta: &Metadata, bytes: &[u8]) -> Result<Call, DecodeError> {
    let mut input = bytes;
    let call = read_call(meta, &mut input)?;
    end(input).map_err(|cause| DecodeError::new(&*call.pallet, &*call.name, cause))?;
    Ok(call)
}

/// The bytes of a call; exact inverse of [`decode_call`]. The index bytes decide which function
/// it is.
///
/// # Errors
/// When the runtime has no such function, or an argument does not fit.
pub fn encode_call(meta: &Metadata, call: &Call) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    write_call(meta, call, &mut out)?;
    Ok(out)
}

pub(super) fn read_call(meta: &Metadata, input: &mut &[u8]) -> Result<Call, DecodeError> {
    let indices = [0, 1].map(|at| input.get(at).copied().unwrap_or_default());
    let (pair, fields) = pair::read(meta.types(), meta.extrinsic().call, input).map_err(in_call)?;
    let [pallet_index, call_index] = indices;
    Ok(Call {
        pallet: pair.pallet.name.clone(),
        name: pair.item.name.clone(),
        pallet_index,
        call_index,
        args: named(fields.into_iter()),
    })
}

pub(super) fn write_call(
    meta: &Metadata,
    call: &Call,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let args = call.args.iter().cloned();
    let fields: Vec<_> = args.map(|(name, value)| (Some(name), value)).collect();
    let indices = [call.pallet_index, call.call_index];
    pair::write(meta.types(), meta.extrinsic().call, indices, &fields, out).map_err(in_call)
}

fn in_call(error: PairError<'_>) -> DecodeError {
    let pallet = error.pallet.unwrap_or("extrinsic");
    DecodeError::new(pallet, error.item.unwrap_or("call"), error.cause)
}
