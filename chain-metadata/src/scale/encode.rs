//! Values to bytes.

use std::sync::Arc;

use super::compact::{write_compact, write_length};
use super::decode::unsupported;
use super::{MAX_DEPTH, bits};
use crate::types::{Field, Shape, Types, VariantInfo, Variants};
use crate::{ScaleError, Value};

type NamedValues = [(Option<Arc<str>>, Value)];

/// Appends a value of a type that is no newtype.
pub(super) fn value(
    types: &Types,
    ty: u32,
    value: &Value,
    out: &mut Vec<u8>,
    depth: u32,
) -> Result<(), ScaleError> {
    if depth > MAX_DEPTH {
        return Err(ScaleError::TooDeep { limit: MAX_DEPTH });
    }
    match &types.at(ty)?.shape {
        Shape::Variant(variants) => variant(types, ty, variants, value, out, depth),
        Shape::Composite(list) => match value {
            Value::Composite(values) => fields(types, ty, list, values, out, depth),
            Value::Tuple(values) => tuple(types, ty, list.iter().map(|f| f.ty), values, out, depth),
            other => mismatch(types, ty, other),
        },
        Shape::Tuple(items) => match value {
            Value::Tuple(values) | Value::Seq(values) => {
                tuple(types, ty, items.iter().copied(), values, out, depth)
            }
            other => mismatch(types, ty, other),
        },
        Shape::Sequence(item) => match value {
            Value::Seq(values) => {
                write_length(values.len(), out);
                items(types, *item, values, out, depth)
            }
            other => mismatch(types, ty, other),
        },
        Shape::Array { len, item } => match value {
            Value::Seq(values) if u32::try_from(values.len()) == Ok(*len) => {
                items(types, *item, values, out, depth)
            }
            other => mismatch(types, ty, other),
        },
        Shape::Newtype(inner) => self::value(types, *inner, value, out, depth + 1),
        leaf => leaf_value(types, ty, leaf, value, out),
    }
}

#[cold]
fn mismatch<T>(types: &Types, ty: u32, value: &Value) -> Result<T, ScaleError> {
    Err(ScaleError::Mismatch {
        expected: types.at(ty)?.label(),
        found: value.kind(),
    })
}

#[inline(never)]
fn leaf_value(
    types: &Types,
    ty: u32,
    shape: &Shape,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), ScaleError> {
    match (shape, value) {
        (Shape::Bool, Value::Bool(value)) => out.push(u8::from(*value)),
        (Shape::Char, Value::Char(value)) => out.extend(u32::from(*value).to_le_bytes()),
        (Shape::Str, Value::Str(text)) => byte_string(text.as_bytes(), out),
        (Shape::Bytes, Value::Bytes(bytes)) => byte_string(bytes, out),
        (Shape::Bytes, Value::Account(bytes)) => byte_string(bytes, out),
        (Shape::ByteArray(len), Value::Bytes(bytes)) if u32::try_from(bytes.len()) == Ok(*len) => {
            out.extend(bytes);
        }
        (Shape::ByteArray(32) | Shape::Account, Value::Account(bytes)) => out.extend(bytes),
        (Shape::Account, Value::Bytes(bytes)) if bytes.len() == 32 => out.extend(bytes),
        (Shape::U256, Value::U256(bytes)) | (Shape::I256, Value::I256(bytes)) => out.extend(bytes),
        (Shape::Uint(bits), number) => match number.as_u128() {
            Some(number) if fits(number, *bits) => {
                out.extend(number.to_le_bytes().iter().take(usize::from(bits / 8)));
            }
            _ => return mismatch(types, ty, value),
        },
        (Shape::Compact(bits), number) => match number.as_u128() {
            Some(number) if fits(number, *bits) => write_compact(number, out),
            _ => return mismatch(types, ty, value),
        },
        (Shape::Int(bits), number) => match number.as_i128() {
            Some(number) if fits_signed(number, *bits) => {
                out.extend(number.to_le_bytes().iter().take(usize::from(bits / 8)));
            }
            _ => return mismatch(types, ty, value),
        },
        (Shape::BitSequence { width, msb0 }, Value::Bits(list)) => {
            bits::write(list, *width, *msb0, out);
        }
        (Shape::Unit, Value::Unit) => {}
        (Shape::Unit, Value::Tuple(values)) if values.is_empty() => {}
        (Shape::Unit, Value::Composite(values)) if values.is_empty() => {}
        (Shape::Unsupported(kind), _) => return Err(unsupported(ty, *kind)),
        _ => return mismatch(types, ty, value),
    }
    Ok(())
}

fn byte_string(bytes: &[u8], out: &mut Vec<u8>) {
    write_length(bytes.len(), out);
    out.extend(bytes);
}

fn fits(number: u128, bits: u8) -> bool {
    bits >= 128 || number >> bits == 0
}

fn fits_signed(number: i128, bits: u8) -> bool {
    let sign = number >> (bits.clamp(1, 128) - 1);
    sign == 0 || sign == -1
}

fn variant(
    types: &Types,
    ty: u32,
    variants: &Variants,
    value: &Value,
    out: &mut Vec<u8>,
    depth: u32,
) -> Result<(), ScaleError> {
    let Value::Variant {
        name,
        index,
        fields: values,
    } = value
    else {
        return mismatch(types, ty, value);
    };
    // The name decides; the index only chooses between variants of the same name.
    let named = |variant: &&VariantInfo| variant.name == *name;
    let chosen = variants
        .by_index(*index)
        .filter(named)
        .or_else(|| variants.by_name(name));
    let Some(chosen) = chosen else {
        return mismatch(types, ty, value);
    };
    out.push(chosen.index);
    fields(types, ty, &chosen.fields, values, out, depth)
}

/// Fields by name where both sides have one, else by position.
pub(crate) fn fields(
    types: &Types,
    ty: u32,
    fields: &[Field],
    values: &NamedValues,
    out: &mut Vec<u8>,
    depth: u32,
) -> Result<(), ScaleError> {
    if fields.len() != values.len() {
        return Err(ScaleError::Mismatch {
            expected: format!("{} of {} fields", types.at(ty)?.label(), fields.len()),
            found: format!("a value of {} fields", values.len()),
        });
    }
    for (at, field) in fields.iter().enumerate() {
        let here = values.get(at);
        let found = match (&field.name, here) {
            (Some(name), Some((Some(given), _))) if name != given => values
                .iter()
                .find(|(given, _)| given.as_ref() == Some(name)),
            _ => here,
        };
        let Some((_, found)) = found else {
            return Err(ScaleError::Mismatch {
                expected: types.at(ty)?.label(),
                found: format!(
                    "a value without the field {}",
                    field.name.as_deref().unwrap_or("in this place")
                ),
            });
        };
        value(types, field.ty, found, out, depth + 1)?;
    }
    Ok(())
}

fn tuple(
    types: &Types,
    ty: u32,
    items: impl ExactSizeIterator<Item = u32>,
    values: &[Value],
    out: &mut Vec<u8>,
    depth: u32,
) -> Result<(), ScaleError> {
    if items.len() != values.len() {
        return Err(ScaleError::Mismatch {
            expected: types.at(ty)?.label(),
            found: format!("{} items", values.len()),
        });
    }
    for (item, found) in items.zip(values) {
        value(types, item, found, out, depth + 1)?;
    }
    Ok(())
}

fn items(
    types: &Types,
    item: u32,
    values: &[Value],
    out: &mut Vec<u8>,
    depth: u32,
) -> Result<(), ScaleError> {
    for found in values {
        value(types, item, found, out, depth + 1)?;
    }
    Ok(())
}
