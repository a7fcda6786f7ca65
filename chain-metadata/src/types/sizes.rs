//! How many bytes the values of a type have at least, or always.

use super::{Shape, TypeInfo};

/// Rounds over all types. Sizes only grow from a safe start, so stopping early merely leaves a
/// bound that is lower than it could be; no runtime nests types deeper than a few dozen levels.
const ROUNDS: usize = 24;

/// Larger sizes are not told apart.
const LARGEST: usize = 1 << 40;

pub(super) fn fill(infos: &mut [TypeInfo]) {
    for _ in 0..ROUNDS {
        let mut changed = false;
        // Types stand mostly before the types they are made of.
        for at in (0..infos.len()).rev() {
            let Some(info) = infos.get(at) else { continue };
            let min = min_size(infos, &info.shape).min(LARGEST);
            let plain = plain_size(infos, &info.shape).filter(|size| *size <= LARGEST);
            if let Some(info) = infos.get_mut(at)
                && (info.min_size, info.plain_size) != (min, plain)
            {
                (info.min_size, info.plain_size) = (min, plain);
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

fn get(infos: &[TypeInfo], ty: u32) -> Option<&TypeInfo> {
    infos.get(usize::try_from(ty).ok()?)
}

fn times(size: usize, count: u32) -> usize {
    size.saturating_mul(usize::try_from(count).unwrap_or(usize::MAX))
}

fn min_size(infos: &[TypeInfo], shape: &Shape) -> usize {
    let of = |ty: u32| get(infos, ty).map_or(0, |info| info.min_size);
    match shape {
        Shape::Bool | Shape::Str | Shape::Bytes | Shape::Sequence(_) => 1,
        Shape::Compact(_) | Shape::BitSequence { .. } => 1,
        Shape::Char => 4,
        Shape::Unit | Shape::Unsupported(_) => 0,
        Shape::Newtype(inner) => of(*inner),
        Shape::Array { len, item } => times(of(*item), *len),
        Shape::Tuple(items) => items
            .iter()
            .fold(0, |sum: usize, ty| sum.saturating_add(of(*ty))),
        Shape::Composite(fields) => fields
            .iter()
            .fold(0, |sum: usize, field| sum.saturating_add(of(field.ty))),
        Shape::Variant(variants) => {
            let smallest = variants.all().iter().map(|variant| {
                variant
                    .fields
                    .iter()
                    .fold(1, |sum: usize, field| sum.saturating_add(of(field.ty)))
            });
            smallest.min().unwrap_or(1)
        }
        fixed => leaf_size(fixed).unwrap_or(0),
    }
}

fn plain_size(infos: &[TypeInfo], shape: &Shape) -> Option<usize> {
    let of = |ty: u32| get(infos, ty).and_then(|info| info.plain_size);
    match shape {
        Shape::Unit => Some(0),
        Shape::Newtype(inner) => of(*inner),
        Shape::Array { len, item } => Some(times(of(*item)?, *len)),
        Shape::Tuple(items) => items
            .iter()
            .try_fold(0, |sum: usize, ty| Some(sum.saturating_add(of(*ty)?))),
        Shape::Composite(fields) => fields.iter().try_fold(0, |sum: usize, field| {
            Some(sum.saturating_add(of(field.ty)?))
        }),
        leaf => leaf_size(leaf),
    }
}

/// Size of a leaf for which any bytes are a value.
fn leaf_size(shape: &Shape) -> Option<usize> {
    match shape {
        Shape::Uint(bits) | Shape::Int(bits) => Some(usize::from(*bits) / 8),
        Shape::U256 | Shape::I256 | Shape::Account => Some(32),
        Shape::ByteArray(len) => usize::try_from(*len).ok(),
        _ => None,
    }
}
