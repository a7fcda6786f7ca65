//! Rows of table state: a value as it is, or as what differs from an earlier one.
//!
//! Blocks are cut into frames of [`FRAME`]. The first row that a key has in a
//! frame stands by itself; a later one may be told behind that one, when this is
//! shorter, and names its block. So a value is never more than two rows away, and
//! the bytes of a row follow from the values of its frame alone, in whatever order
//! blocks were indexed.
//!
//! | first byte | what follows |
//! |---|---|
//! | 0 | nothing: no value |
//! | 1 | a row of [`super::rowcodec`] that stands by itself |
//! | 2 | how many blocks before the first row of the frame is, SCALE `Compact<u32>`; a row of [`super::rowcodec`] behind its value |

use chain_metadata::BlockNumber;
use parity_scale_codec::{Compact, Decode, Encode};

use super::engine::{Batch, Range, Row};
use super::read::{StateRow, row_error};
use super::rowcodec::{self, RowShape};
use super::tables::Table;
use super::{Store, StoreError};
use crate::items::MANIFEST;

/// Blocks of a frame: some ten epochs of a subnet of tempo 360.
pub const FRAME: u32 = 4096;

/// A row that is found behind another one that is behind another: more is damage.
const DEPTH: u8 = 4;

/// The first block of the frame of a block.
pub fn frame_of(number: BlockNumber) -> BlockNumber {
    number - number % FRAME
}

/// The first row of a key in a frame.
pub(crate) type First<'a> = (BlockNumber, &'a [u8]);

/// Bytes of a row at block `number`. `first` is the first row of the key in the
/// frame, when that is an earlier one and has a value.
pub(crate) fn row_bytes(
    number: BlockNumber,
    value: Option<&[u8]>,
    shape: Option<RowShape>,
    first: Option<First<'_>>,
) -> Vec<u8> {
    let Some(value) = value else {
        return vec![0];
    };
    let row = rowcodec::encode(first.map(|(_, value)| value), value, shape);
    let mut out = Vec::with_capacity(row.len() + 4);
    match first {
        Some((at, _)) if rowcodec::needs_previous(&row) => {
            out.push(2);
            Compact(number.saturating_sub(at)).encode_to(&mut out);
        }
        _ => out.push(1),
    }
    out.extend(row);
    out
}

impl Store {
    /// A row of table state, whose key is `prefix` and a block.
    pub(crate) fn state_row(
        &self,
        prefix: &[u8],
        (key, bytes): Row,
    ) -> Result<StateRow, StoreError> {
        let changed_at = super::read::block_of(prefix, &key)?;
        let value = self.told(prefix, changed_at, bytes, 0)?;
        Ok(StateRow { changed_at, value })
    }

    fn told(
        &self,
        prefix: &[u8],
        number: BlockNumber,
        bytes: Vec<u8>,
        depth: u8,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let key = || row_key(prefix, number);
        let damaged = |what: &str| row_error(Table::State, &key(), what);
        let (kind, mut rest) = bytes.split_first().ok_or_else(|| damaged("an empty row"))?;
        let before = match kind {
            0 if rest.is_empty() => return Ok(None),
            1 => None,
            2 if depth < DEPTH => {
                let back = Compact::<u32>::decode(&mut rest).ok();
                let at = back.and_then(|Compact(back)| number.checked_sub(back));
                let at = at.filter(|at| *at < number);
                let at = at.ok_or_else(|| damaged("is behind no earlier row"))?;
                let Some(first) = self.engine().get(&row_key(prefix, at))? else {
                    // Where two spans were joined, rows are told anew; then this
                    // one is another by now.
                    return match self.engine().get(&key())? {
                        Some(now) if now != bytes => self.told(prefix, number, now, depth + 1),
                        _ => Err(damaged("the row that it is behind is missing")),
                    };
                };
                self.told(prefix, at, first, depth + 1)?
            }
            _ => return Err(damaged("neither absent nor a value")),
        };
        match rowcodec::decode(before.as_deref(), rest) {
            Some(value) => Ok(Some(value)),
            None => Err(damaged("cannot be unpacked")),
        }
    }

    /// The first row of a key in the frame of `number`, from block `floor` on and
    /// before `number`.
    pub(crate) fn first_in_frame(
        &self,
        prefix: &[u8],
        floor: BlockNumber,
        number: BlockNumber,
    ) -> Result<Option<StateRow>, StoreError> {
        let first = self.first_row(prefix, frame_of(number).max(floor))?;
        Ok(first.filter(|row| row.changed_at < number))
    }

    /// Tells the rows of a key in the frame of `number` anew, as they are told when
    /// all blocks from `floor` on are indexed in order, without those at the blocks
    /// `gone`.
    pub(super) fn tell_again(
        &self,
        prefix: &[u8],
        floor: BlockNumber,
        number: BlockNumber,
        gone: Option<BlockNumber>,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let mut range = Range::prefix(prefix);
        let from = frame_of(number).max(floor);
        range.from.extend_from_slice(&from.to_be_bytes());
        if let Some(end) = frame_of(number).checked_add(FRAME) {
            range.below = Some(row_key(prefix, end));
        }
        let mut first: Option<StateRow> = None;
        for row in self.engine().scan(range) {
            let (key, bytes) = row?;
            let row = self.state_row(prefix, (key.clone(), bytes.clone()))?;
            if Some(row.changed_at) == gone {
                continue;
            }
            let before = first
                .as_ref()
                .and_then(|f| Some((f.changed_at, f.value.as_deref()?)));
            let shape = self.shape_of(prefix, row.changed_at)?;
            let told = row_bytes(row.changed_at, row.value.as_deref(), shape, before);
            if told != bytes {
                batch.put(key, told);
            }
            first.get_or_insert(row);
        }
        Ok(())
    }

    /// How the values of a key fall apart in the runtime that executed a block.
    fn shape_of(&self, prefix: &[u8], number: BlockNumber) -> Result<Option<RowShape>, StoreError> {
        let id = prefix.get(1..3).and_then(|id| <[u8; 2]>::try_from(id).ok());
        let id = id.map(u16::from_be_bytes);
        let line = MANIFEST.iter().position(|line| Some(line.id) == id);
        let (Some(line), Some(block)) = (line, self.block(number)?) else {
            return Ok(None);
        };
        Ok(self.layout(block.spec)?.shape(line))
    }
}

fn row_key(prefix: &[u8], number: BlockNumber) -> Vec<u8> {
    [prefix, &number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::tables::state_prefix;

    type Changes = std::collections::BTreeMap<BlockNumber, Option<Vec<u8>>>;

    /// Lists of u16 that hardly differ, removals, and bytes that are no list.
    fn changes() -> impl Strategy<Value = Changes> {
        let list = proptest::collection::vec(0_u16..4, 40).prop_map(|steps| {
            let items = steps
                .iter()
                .zip(1_000_u16..)
                .map(|(step, at)| at * 50 + step);
            let bytes = items.flat_map(u16::to_le_bytes);
            Some([40 << 2].into_iter().chain(bytes).collect::<Vec<u8>>())
        });
        let value = prop_oneof![
            6 => list,
            1 => Just(None),
            1 => proptest::collection::vec(any::<u8>(), 0..9).prop_map(Some),
        ];
        proptest::collection::btree_map(0..3 * FRAME, value, 1..30)
    }

    /// Writes the rows that blocks in order lead to; their bytes.
    fn written(store: &Store, prefix: &[u8], changes: &Changes) -> Vec<Vec<u8>> {
        let shape = Some(RowShape::Numbers(2));
        let mut all = Vec::new();
        for (number, value) in changes {
            let first = store.first_in_frame(prefix, 0, *number).unwrap();
            let first = first
                .as_ref()
                .and_then(|f| Some((f.changed_at, f.value.as_deref()?)));
            let row = row_bytes(*number, value.as_deref(), shape, first);
            let mut batch = Batch::default();
            batch.put(row_key(prefix, *number), row.clone());
            store.commit(vec![batch]).unwrap();
            all.push(row);
        }
        all
    }

    proptest! {
        #[test]
        fn values_come_back(changes in changes()) {
            let store = Store::in_memory().unwrap();
            let prefix = state_prefix(270, b"key");
            written(&store, &prefix, &changes);
            for at in changes.keys() {
                let row = store.last_row(&prefix, 0, *at).unwrap().unwrap();
                prop_assert_eq!(row.changed_at, *at);
                prop_assert_eq!(&row.value, &changes[at]);
            }
        }

        #[test]
        fn damaged_rows_are_errors(changes in changes(), at in any::<prop::sample::Index>(), bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            let store = Store::in_memory().unwrap();
            let prefix = state_prefix(270, b"key");
            written(&store, &prefix, &changes);
            let number = at.get(&changes.keys().copied().collect::<Vec<_>>()).to_owned();
            let mut batch = Batch::default();
            batch.put(row_key(&prefix, number), bytes);
            store.commit(vec![batch]).unwrap();
            for number in changes.keys() {
                let _ = store.last_row(&prefix, 0, *number);
            }
        }
    }

    #[test]
    fn most_rows_of_a_frame_are_short() {
        let store = Store::in_memory().unwrap();
        let prefix = state_prefix(270, b"key");
        let list = |step: u16| {
            let items = (0..200_u16)
                .flat_map(|at| (at.wrapping_mul(40_503) / 2 + at * step % 7).to_le_bytes());
            Some([0x21, 3].into_iter().chain(items).collect::<Vec<u8>>())
        };
        let changes: Changes = (0..10)
            .map(|n| (FRAME + u32::from(n) * 360, list(n)))
            .collect();
        let rows = written(&store, &prefix, &changes);
        let told: Vec<(u8, usize)> = rows.iter().map(|row| (row[0], row.len())).collect();
        assert!(told[0].0 == 1 && told[0].1 > 380, "{told:?}");
        assert!(
            told[1..].iter().all(|row| row.0 == 2 && row.1 < 200),
            "{told:?}"
        );
    }
}
