//! Bytes to values.

use std::sync::Arc;

use super::compact::{read_compact, read_length};
use super::input::{take, take_array, take_bool, take_byte, take_char, take_int, take_uint};
use super::{MAX_DEPTH, bits, check_count};
use crate::types::{Field, Shape, Types, Unsupported};
use crate::{ScaleError, Value};

/// Items reserved at once; more are added only as they are really read.
const RESERVE: usize = 1024;

/// Decodes a value of a type that is no newtype.
pub(super) fn value(
    types: &Types,
    ty: u32,
    input: &mut &[u8],
    depth: u32,
) -> Result<Value, ScaleError> {
    if depth > MAX_DEPTH {
        return Err(ScaleError::TooDeep { limit: MAX_DEPTH });
    }
    match &types.at(ty)?.shape {
        Shape::Uint(bits) => Ok(Value::Uint {
            width: *bits,
            value: take_uint(input, *bits)?,
        }),
        Shape::Compact(bits) => Ok(Value::Uint {
            width: *bits,
            value: read_compact(input, *bits)?,
        }),
        Shape::Variant(_) => variant(types, ty, input, depth),
        Shape::Composite(fields) => Ok(Value::Composite(fields_of(types, fields, input, depth)?)),
        Shape::Tuple(items) => tuple(types, items, input, depth),
        Shape::Sequence(item) => sequence(types, None, *item, input, depth),
        Shape::Array { len, item } => sequence(types, Some(*len), *item, input, depth),
        Shape::Newtype(inner) => value(types, *inner, input, depth + 1),
        leaf => leaf_value(ty, leaf, input),
    }
}

// The recursion passes through small functions only: each keeps few variables on the stack, so
// that the deepest value allowed fits the stack of a worker thread.

#[inline(never)]
fn leaf_value(ty: u32, shape: &Shape, input: &mut &[u8]) -> Result<Value, ScaleError> {
    Ok(match shape {
        Shape::Bool => Value::Bool(take_bool(input)?),
        Shape::Char => Value::Char(take_char(input)?),
        Shape::Str => Value::Str(text(input)?.to_owned()),
        Shape::Int(bits) => Value::Int {
            width: *bits,
            value: take_int(input, *bits)?,
        },
        Shape::U256 => Value::U256(take_array(input)?),
        Shape::I256 => Value::I256(take_array(input)?),
        Shape::Account => Value::Account(take_array(input)?),
        Shape::Bytes => {
            let count = check_count(read_length(input)?, 1, input.len())?;
            Value::Bytes(take(input, count)?.to_vec())
        }
        Shape::ByteArray(len) => {
            let count = usize::try_from(*len).unwrap_or(usize::MAX);
            Value::Bytes(take(input, count)?.to_vec())
        }
        Shape::BitSequence { width, msb0 } => {
            let (words, count) = bits::read_words(input, *width, *msb0)?;
            let bit = |at| bits::bit(words, at, *width, *msb0);
            Value::Bits((0..count).map(bit).collect())
        }
        Shape::Unsupported(kind) => return Err(unsupported(ty, *kind)),
        _ => Value::Unit,
    })
}

pub(super) fn unsupported(ty: u32, kind: Unsupported) -> ScaleError {
    match kind {
        Unsupported::Compact => ScaleError::NotCompactable(ty),
        Unsupported::BitSequence => ScaleError::UnknownBitSequence(ty),
    }
}

pub(super) fn text<'a>(input: &mut &'a [u8]) -> Result<&'a str, ScaleError> {
    let count = check_count(read_length(input)?, 1, input.len())?;
    std::str::from_utf8(take(input, count)?).map_err(|_| ScaleError::InvalidUtf8)
}

#[inline(never)]
fn variant(types: &Types, ty: u32, input: &mut &[u8], depth: u32) -> Result<Value, ScaleError> {
    let info = types.at(ty)?;
    let Shape::Variant(variants) = &info.shape else {
        return Err(ScaleError::UnknownType(ty));
    };
    let index = take_byte(input)?;
    let chosen = variants
        .by_index(index)
        .ok_or_else(|| unknown_variant(types, ty, index))?;
    Ok(Value::Variant {
        name: chosen.name.clone(),
        index,
        fields: fields_of(types, &chosen.fields, input, depth)?,
    })
}

#[cold]
pub(super) fn unknown_variant(types: &Types, ty: u32, index: u8) -> ScaleError {
    ScaleError::UnknownVariant {
        ty: types
            .at(ty)
            .map_or_else(|_| ty.to_string(), |info| info.path.clone()),
        index,
    }
}

/// Fields with their names, as values hold them.
pub(crate) type NamedValues = Vec<(Option<Arc<str>>, Value)>;

/// Fields in order, with their names.
#[inline(never)]
pub(crate) fn fields_of(
    types: &Types,
    fields: &[Field],
    input: &mut &[u8],
    depth: u32,
) -> Result<NamedValues, ScaleError> {
    let mut values = Vec::with_capacity(fields.len());
    for field in fields {
        values.push((
            field.name.clone(),
            value(types, field.ty, input, depth + 1)?,
        ));
    }
    Ok(values)
}

#[inline(never)]
fn tuple(types: &Types, items: &[u32], input: &mut &[u8], depth: u32) -> Result<Value, ScaleError> {
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        values.push(value(types, *item, input, depth + 1)?);
    }
    Ok(Value::Tuple(values))
}

/// A sequence behind its length, or an array of a known one.
#[inline(never)]
fn sequence(
    types: &Types,
    len: Option<u32>,
    item: u32,
    input: &mut &[u8],
    depth: u32,
) -> Result<Value, ScaleError> {
    let len = match len {
        Some(len) => len,
        None => read_length(input)?,
    };
    let count = check_count(len, types.at(item)?.min_size, input.len())?;
    let mut values = Vec::with_capacity(count.min(RESERVE));
    for _ in 0..count {
        values.push(value(types, item, input, depth + 1)?);
    }
    Ok(Value::Seq(values))
}
