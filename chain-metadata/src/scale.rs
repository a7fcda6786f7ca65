//! Walking SCALE bytes along a type: to values, past them, and back to bytes.
//!
//! Only canonical bytes are accepted (shortest compact form, booleans 0 and 1, no stray bits), so
//! whatever decodes also encodes back to the very same bytes.

use crate::types::Types;
use crate::{ScaleError, Value};

mod bits;
mod compact;
mod decode;
mod encode;
mod input;
mod skip;

pub(crate) use compact::{read_length, write_length};
pub(crate) use decode::{NamedValues, fields_of};
pub(crate) use encode::fields as encode_fields;
pub(crate) use input::{take, take_array};

/// Deepest nesting of types in a value. A chain refuses calls nested deeper than 256 times, and a
/// call inside a batch takes three levels.
pub(crate) const MAX_DEPTH: u32 = 800;

/// Longest sequence of items that take no bytes.
pub(crate) const MAX_EMPTY_ITEMS: usize = 65_536;

/// Decodes a value of type `ty` from the front of the input, which then begins after it.
///
/// # Errors
/// When the bytes do not fit the type. The input then stands somewhere inside the value.
pub fn decode_type(types: &Types, ty: u32, input: &mut &[u8]) -> Result<Value, ScaleError> {
    decode::value(types, types.resolve(ty), input, 0)
}

/// Goes past a value of type `ty` without allocating; accepts what [`decode_type`] accepts.
///
/// # Errors
/// As [`decode_type`].
pub fn skip_type(types: &Types, ty: u32, input: &mut &[u8]) -> Result<(), ScaleError> {
    skip::value(types, types.resolve(ty), input, 0)
}

/// Appends the bytes of a value of type `ty`; exact inverse of [`decode_type`].
///
/// The value may also be made by hand: struct fields are taken by name where both sides have
/// names and by position otherwise, variants by name, integers of another width if they fit.
///
/// # Errors
/// When the value has another shape than the type. The output then ends with a part of it.
pub fn encode_type(
    types: &Types,
    ty: u32,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), ScaleError> {
    encode::value(types, types.resolve(ty), value, out, 0)
}

/// Decodes a value that must take the whole input.
///
/// # Errors
/// As [`decode_type`], and [`ScaleError::TrailingBytes`].
pub fn decode_all(types: &Types, ty: u32, mut bytes: &[u8]) -> Result<Value, ScaleError> {
    let value = decode_type(types, ty, &mut bytes)?;
    end(bytes)?;
    Ok(value)
}

/// That nothing is left.
pub(crate) fn end(rest: &[u8]) -> Result<(), ScaleError> {
    match rest.len() {
        0 => Ok(()),
        left => Err(ScaleError::TrailingBytes { left }),
    }
}

/// Refuses a number of items that the input cannot hold; gives it back as a count.
pub(crate) fn check_count(count: u32, item_size: usize, left: usize) -> Result<usize, ScaleError> {
    let too_large = || ScaleError::LengthTooLarge {
        length: count.into(),
        left,
    };
    let items = usize::try_from(count).map_err(|_| too_large())?;
    if item_size == 0 && items > MAX_EMPTY_ITEMS {
        return Err(ScaleError::TooManyEmptyItems {
            length: count.into(),
            limit: MAX_EMPTY_ITEMS,
        });
    }
    match items.checked_mul(item_size) {
        Some(size) if size <= left => Ok(items),
        _ => Err(too_large()),
    }
}
