//! Calls and events: an enum over the pallets around an enum of each pallet.

use std::sync::Arc;

use crate::scale::{NamedValues, encode_fields, fields_of, take_array};
use crate::types::{Types, VariantInfo};
use crate::{DecodeCause, ScaleError, Value};

/// A variant of a pallet's enum, found inside the enum over the pallets.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) pallet: &'a VariantInfo,
    pub(crate) item: &'a VariantInfo,
    /// Type of the pallet's enum.
    inner: u32,
}

/// What went wrong, and how far the names were known.
pub(crate) struct PairError<'a> {
    pub(crate) pallet: Option<&'a str>,
    pub(crate) item: Option<&'a str>,
    pub(crate) cause: DecodeCause,
}

impl From<ScaleError> for PairError<'_> {
    fn from(cause: ScaleError) -> Self {
        PairError {
            pallet: None,
            item: None,
            cause: cause.into(),
        }
    }
}

/// Finds what two index bytes select.
pub(crate) fn find(
    types: &Types,
    outer: u32,
    [pallet_index, item_index]: [u8; 2],
) -> Result<Pair<'_>, PairError<'_>> {
    let unknown = |ty: u32, index| ScaleError::UnknownVariant {
        ty: types
            .get(ty)
            .map_or_else(|| ty.to_string(), |info| info.path.clone()),
        index,
    };
    let pallet = types
        .variants(outer)
        .and_then(|variants| variants.by_index(pallet_index))
        .ok_or_else(|| unknown(outer, pallet_index))?;
    let in_pallet = |cause: DecodeCause| PairError {
        pallet: Some(&pallet.name),
        item: None,
        cause,
    };
    let [only] = &*pallet.fields else {
        let reason = format!(
            "the variant has {} fields instead of one",
            pallet.fields.len()
        );
        return Err(in_pallet(DecodeCause::UnexpectedShape(reason)));
    };
    let item = types
        .variants(only.ty)
        .and_then(|variants| variants.by_index(item_index))
        .ok_or_else(|| in_pallet(unknown(only.ty, item_index).into()))?;
    Ok(Pair {
        pallet,
        item,
        inner: only.ty,
    })
}

/// Reads two index bytes and the fields behind them.
pub(crate) fn read<'a>(
    types: &'a Types,
    outer: u32,
    input: &mut &[u8],
) -> Result<(Pair<'a>, NamedValues), PairError<'a>> {
    let pair = find(types, outer, take_array(input)?)?;
    let fields = fields_of(types, &pair.item.fields, input, 2);
    let fields = fields.map_err(|cause| PairError {
        pallet: Some(&pair.pallet.name),
        item: Some(&pair.item.name),
        cause: cause.into(),
    })?;
    Ok((pair, fields))
}

/// Appends two index bytes and fields.
pub(crate) fn write<'a>(
    types: &'a Types,
    outer: u32,
    indices: [u8; 2],
    fields: &[(Option<Arc<str>>, Value)],
    out: &mut Vec<u8>,
) -> Result<(), PairError<'a>> {
    let pair = find(types, outer, indices)?;
    out.extend(indices);
    encode_fields(types, pair.inner, &pair.item.fields, fields, out, 2).map_err(|cause| PairError {
        pallet: Some(&pair.pallet.name),
        item: Some(&pair.item.name),
        cause: cause.into(),
    })
}
