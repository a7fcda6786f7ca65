//! Rows of W and B at a block.

use chain_metadata::{BlockNumber, MechId, NetUid, Uid, Value};
use parity_scale_codec::{Compact, Decode};

use super::{At, as_kind, count, damaged, index_of};
use crate::store::rowcodec::RowShape;
use crate::store::{Store, StoreError};

/// A row of W or B: the uid, the block of its last change, and (uid, u16 of
/// 65535) in the order in which the chain stores them.
pub type Row = (Uid, BlockNumber, Vec<(u16, u16)>);

/// The rows of `Weights` or `Bonds` that are stored, by uid; `None` when the
/// subnet or the mechanism does not exist.
pub fn rows(
    store: &Store,
    at: &At,
    entry: &str,
    netuid: NetUid,
    mechanism: MechId,
) -> Result<Option<Vec<Row>>, StoreError> {
    let Some(index) = index_of(store, at, netuid, mechanism)? else {
        return Ok(None);
    };
    let Some((line, found)) = at.layout.find(entry) else {
        return Ok(Some(Vec::new()));
    };
    let key = |uid: u16| {
        let key = found.key_of_encoded(&[&index.to_le_bytes(), &uid.to_le_bytes()]);
        let rest = key.get(32..).unwrap_or_default().to_vec();
        Some((rest, (0, BlockNumber::MAX)))
    };
    let count = count(store, at, netuid)?;
    let cells = store.column((line.id, index), count, at.number, store.reading(), key)?;
    let mut rows = Vec::new();
    for (uid, cell) in (0..count).zip(cells.iter()) {
        if let Some((changed_at, kept)) = &cell.held {
            rows.push((Uid(uid), *changed_at, pairs(at, entry, kept.bytes())?));
        }
    }
    Ok(Some(rows))
}

/// Pairs of uid and value of a row of W or B, out of the bytes that are stored.
pub(super) fn pairs(at: &At, entry: &str, bytes: &[u8]) -> Result<Vec<(u16, u16)>, StoreError> {
    let Some((_, found)) = at.layout.find(entry) else {
        return Err(damaged(at, bytes, format!("the runtime has no {entry}")));
    };
    let types = at.layout.metadata.types();
    if RowShape::of(types, found.value) == Some(RowShape::Pairs(2, 2))
        && let Some(pairs) = plain_pairs(bytes)
    {
        return Ok(pairs);
    }
    let value = found.decode_value(types, bytes);
    let value = value.map_err(|e| damaged(at, bytes, e.to_string()))?;
    let pair = |pair: &Value| match pair.items() {
        [to, value] => Some((to.as_u16()?, value.as_u16()?)),
        _ => None,
    };
    let entries = as_kind(at, entry, Some(value), |v| {
        v.items().iter().map(pair).collect::<Option<Vec<_>>>()
    })?;
    Ok(entries.unwrap_or_default())
}

/// A list of pairs of two bytes each; `None` when the bytes are not exactly that.
fn plain_pairs(mut bytes: &[u8]) -> Option<Vec<(u16, u16)>> {
    let Compact(len) = Compact::<u32>::decode(&mut bytes).ok()?;
    let (pairs, []) = bytes.as_chunks::<4>() else {
        return None;
    };
    let pair =
        |[a, b, c, d]: &[u8; 4]| (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
    (usize::try_from(len).ok()? == pairs.len()).then(|| pairs.iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_whole_or_not_at_all() {
        let row = [8, 0, 0, 0xe8, 3, 1, 0, 0xd0, 7];
        assert_eq!(plain_pairs(&row), Some(vec![(0, 1000), (1, 2000)]));
        assert_eq!(plain_pairs(&[0]), Some(vec![]));
        assert_eq!(plain_pairs(&row[..8]), None);
        assert_eq!(plain_pairs(&[&row[..], &[0]].concat()), None);
        assert_eq!(plain_pairs(&[4, 0, 0, 0xe8, 3, 1, 0, 0xd0, 7]), None);
        assert_eq!(plain_pairs(&[]), None);
    }
}
