//! Values that change in every block, packed: one row a block for all subnets.
//!
//! A row holds what changed since the block before, numbers as differences; every
//! [`FRAME`]th row holds everything with the block of its last change, so that a
//! value at any block is found in at most [`FRAME`] rows. Values are the chain's
//! own bytes, and come back as such.
//!
//! ```
//! use indexer::store::pulse::{Pulse, Slot};
//! let slot = Slot { item: 22, subnet: 1 };
//! let mut pulse = Pulse::default();
//! let frame = pulse.advance(64, [(slot, Some(vec![9, 0]))]);
//! let change = pulse.advance(65, [(slot, Some(vec![10, 0]))]);
//! let mut read = Pulse::default();
//! read.apply(64, &frame).unwrap();
//! read.apply(65, &change).unwrap();
//! assert_eq!(read.get(slot), Some((&[10, 0][..], 65)));
//! ```

use std::collections::BTreeMap;

use chain_metadata::BlockNumber;

/// Rows from one full row to the next.
pub const FRAME: u32 = 64;

/// Which value: the manifest's number and the netuid (0 for a global one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Number of the item in the manifest.
    pub item: u16,
    /// Netuid.
    pub subnet: u16,
}

/// All values at one block, with the block of their last change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    values: BTreeMap<Slot, (Vec<u8>, BlockNumber)>,
    /// A full row has been written or read.
    framed: bool,
}

/// Number of `NetworksAdded` in the manifest.
const ADDED: u16 = 80;

/// How an entry of a row is written.
const GONE: u8 = 0;
const RAW: u8 = 1;
const UP: u8 = 2;
const DOWN: u8 = 3;

impl Pulse {
    /// A value and the block of its last change.
    pub fn get(&self, slot: Slot) -> Option<(&[u8], BlockNumber)> {
        self.values.get(&slot).map(|(v, at)| (v.as_slice(), *at))
    }

    /// All values, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &[u8], BlockNumber)> {
        self.values
            .iter()
            .map(|(slot, (value, at))| (*slot, value.as_slice(), *at))
    }

    /// Takes over what was read at a block; returns its row.
    pub fn advance(
        &mut self,
        number: BlockNumber,
        read: impl IntoIterator<Item = (Slot, Option<Vec<u8>>)>,
    ) -> Vec<u8> {
        let mut changes = Vec::new();
        for (slot, value) in read {
            let before = self.values.get(&slot).map(|(v, _)| v.as_slice());
            if before == value.as_deref() {
                continue;
            }
            entry(&mut changes, slot, before, value.as_deref());
            match value {
                Some(value) => self.values.insert(slot, (value, number)),
                None => self.values.remove(&slot),
            };
        }
        if self.framed && !number.is_multiple_of(FRAME) {
            let mut row = vec![0];
            row.extend(changes);
            return row;
        }
        self.framed = true;
        self.frame(number)
    }

    /// The full row of a block, after everything that happened in it.
    pub fn frame(&self, number: BlockNumber) -> Vec<u8> {
        let mut row = vec![1];
        for (slot, (value, changed_at)) in &self.values {
            varint(&mut row, u128::from(number.saturating_sub(*changed_at)));
            entry(&mut row, *slot, None, Some(value));
        }
        row
    }

    /// What a span that began with block `joint` could not know, from `then`, the
    /// values at that block: of values that were so since, when they changed; and what
    /// is left of subnets that neither exist then nor now, which nobody reads.
    pub fn age(&mut self, joint: BlockNumber, then: &Pulse) {
        for (slot, (value, changed_at)) in &mut self.values {
            if *changed_at <= joint
                && let Some((before, at)) = then.get(*slot)
                && before == value.as_slice()
            {
                *changed_at = at;
            }
        }
        for (slot, left) in &then.values {
            let left_over = slot.subnet != 0 && !then.exists(slot.subnet);
            if left_over && !self.exists(slot.subnet) && !self.values.contains_key(slot) {
                self.values.insert(*slot, left.clone());
            }
        }
    }

    /// Whether a subnet is there, by `NetworksAdded`.
    fn exists(&self, subnet: u16) -> bool {
        let slot = Slot {
            item: ADDED,
            subnet,
        };
        self.get(slot).is_some_and(|(value, _)| value == [1])
    }

    /// Reads a row on top of the rows before it; `None` when it is damaged.
    pub fn apply(&mut self, number: BlockNumber, row: &[u8]) -> Option<()> {
        let (kind, mut input) = row.split_first()?;
        match kind {
            0 if self.framed => {}
            1 => {
                self.values.clear();
                self.framed = true;
            }
            _ => return None,
        }
        while !input.is_empty() {
            let age = if *kind == 1 {
                u32::try_from(take_varint(&mut input)?).ok()?
            } else {
                0
            };
            let slot = Slot {
                item: u16::try_from(take_varint(&mut input)?).ok()?,
                subnet: u16::try_from(take_varint(&mut input)?).ok()?,
            };
            let (how, rest) = input.split_first()?;
            input = rest;
            let value = match *how {
                GONE => {
                    self.values.remove(&slot);
                    continue;
                }
                RAW => {
                    let len = usize::try_from(take_varint(&mut input)?).ok()?;
                    let (bytes, rest) = input.split_at_checked(len)?;
                    input = rest;
                    bytes.to_vec()
                }
                UP | DOWN => {
                    let before = &self.values.get(&slot)?.0;
                    let old = number_of(before)?;
                    let by = take_varint(&mut input)?;
                    let new = if *how == UP {
                        old.checked_add(by)?
                    } else {
                        old.checked_sub(by)?
                    };
                    new.to_le_bytes().get(..before.len())?.to_vec()
                }
                _ => return None,
            };
            self.values.insert(slot, (value, number.checked_sub(age)?));
        }
        Some(())
    }
}

/// Little-endian bytes as a number, where they fit one.
fn number_of(bytes: &[u8]) -> Option<u128> {
    let mut wide = [0_u8; 16];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u128::from_le_bytes(wide))
}

fn entry(out: &mut Vec<u8>, slot: Slot, before: Option<&[u8]>, value: Option<&[u8]>) {
    varint(out, u128::from(slot.item));
    varint(out, u128::from(slot.subnet));
    let Some(value) = value else {
        out.push(GONE);
        return;
    };
    if let Some(before) = before
        && before.len() == value.len()
        && let (Some(old), Some(new)) = (number_of(before), number_of(value))
    {
        out.push(if new >= old { UP } else { DOWN });
        varint(out, new.abs_diff(old));
        return;
    }
    out.push(RAW);
    varint(out, value.len() as u128);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut number: u128) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_varint(input: &mut &[u8]) -> Option<u128> {
    let mut number = 0_u128;
    for shift in (0..128).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u128::from(byte & 0x7f);
        if bits.leading_zeros() < shift {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop_oneof![
            Just(None),
            any::<u64>().prop_map(|n| Some(n.to_le_bytes().to_vec())),
            any::<u128>().prop_map(|n| Some(n.to_le_bytes().to_vec())),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Some),
        ]
    }

    proptest! {
        #[test]
        fn reading_any_block_gives_what_was_written(
            blocks in proptest::collection::vec(proptest::collection::vec((0_u16..4, 0_u16..300, value()), 0..6), 1..150),
            start in 0_u32..200,
        ) {
            let mut writer = Pulse::default();
            let mut rows = Vec::new();
            let mut states = Vec::new();
            for (number, block) in (start..).zip(blocks) {
                let read = block.into_iter().map(|(item, subnet, v)| (Slot { item, subnet }, v));
                rows.push((number, writer.advance(number, read)));
                states.push(writer.clone());
            }
            for (i, state) in states.iter().enumerate() {
                let from = rows[..=i].iter().rposition(|(_, row)| row[0] == 1).unwrap();
                prop_assert!(i - from < 64);
                let mut read = Pulse::default();
                for (number, row) in &rows[from..=i] {
                    prop_assert_eq!(read.apply(*number, row), Some(()));
                }
                prop_assert_eq!(&read, state);
            }
        }

        #[test]
        fn damaged_rows_do_not_panic(row in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut pulse = Pulse::default();
            pulse.advance(5, [(Slot { item: 1, subnet: 1 }, Some(vec![1; 8]))]);
            let _ = pulse.apply(6, &row);
        }

        #[test]
        fn numbers_round_trip(n in any::<u128>()) {
            let mut out = Vec::new();
            varint(&mut out, n);
            prop_assert_eq!(take_varint(&mut out.as_slice()), Some(n));
        }
    }
}
