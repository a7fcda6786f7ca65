//! Past values without making them.

use super::compact::{read_compact, read_length};
use super::decode::{text, unknown_variant, unsupported};
use super::input::{take, take_bool, take_byte, take_char};
use super::{MAX_DEPTH, bits, check_count};
use crate::ScaleError;
use crate::types::{Field, Shape, Types};

/// Goes past a value of a type that is no newtype.
pub(super) fn value(
    types: &Types,
    ty: u32,
    input: &mut &[u8],
    depth: u32,
) -> Result<(), ScaleError> {
    if depth > MAX_DEPTH {
        return Err(ScaleError::TooDeep { limit: MAX_DEPTH });
    }
    let info = types.at(ty)?;
    if let Some(size) = info.plain_size {
        // Any bytes of this size are a value.
        return take(input, size).map(drop);
    }
    match &info.shape {
        Shape::Variant(variants) => {
            let index = take_byte(input)?;
            let chosen = variants
                .by_index(index)
                .ok_or_else(|| unknown_variant(types, ty, index))?;
            fields(types, &chosen.fields, input, depth)
        }
        Shape::Composite(list) => fields(types, list, input, depth),
        Shape::Tuple(items) => items
            .iter()
            .try_for_each(|item| value(types, *item, input, depth + 1)),
        Shape::Sequence(item) => {
            let len = read_length(input)?;
            items(types, len, *item, input, depth)
        }
        Shape::Array { len, item } => items(types, *len, *item, input, depth),
        Shape::Newtype(inner) => value(types, *inner, input, depth + 1),
        leaf => skip_leaf(ty, leaf, input),
    }
}

#[inline(never)]
fn skip_leaf(ty: u32, shape: &Shape, input: &mut &[u8]) -> Result<(), ScaleError> {
    match shape {
        Shape::Bool => take_bool(input).map(drop),
        Shape::Char => take_char(input).map(drop),
        Shape::Str => text(input).map(drop),
        Shape::Bytes => {
            let count = check_count(read_length(input)?, 1, input.len())?;
            take(input, count).map(drop)
        }
        Shape::Compact(bits) => read_compact(input, *bits).map(drop),
        Shape::BitSequence { width, msb0 } => bits::read_words(input, *width, *msb0).map(drop),
        Shape::Unsupported(kind) => Err(unsupported(ty, *kind)),
        // The other leaves have a plain size, except one too large to hold.
        _ => Err(ScaleError::UnexpectedEnd {
            needed: usize::MAX,
            left: input.len(),
        }),
    }
}

fn fields(
    types: &Types,
    fields: &[Field],
    input: &mut &[u8],
    depth: u32,
) -> Result<(), ScaleError> {
    fields
        .iter()
        .try_for_each(|field| value(types, field.ty, input, depth + 1))
}

fn items(
    types: &Types,
    len: u32,
    item: u32,
    input: &mut &[u8],
    depth: u32,
) -> Result<(), ScaleError> {
    let info = types.at(item)?;
    let count = check_count(len, info.min_size, input.len())?;
    if let Some(size) = info.plain_size {
        return take(input, count.saturating_mul(size)).map(drop);
    }
    (0..count).try_for_each(|_| value(types, item, input, depth + 1))
}
