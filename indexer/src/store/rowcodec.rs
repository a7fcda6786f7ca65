//! Rows of matrices and vectors as differences from the value before.
//!
//! A value that is a list of numbers, or of pairs of a uid and a number, is taken
//! apart into columns; each number is predicted from the value that the same key
//! had before, and what is left of it costs about as many bits as it moved. Where
//! that does not pay, or the bytes are no such list, they are packed as
//! [`super::tables::pack`] does it: the methods 0 and 1 are the same there and here.
//!
//! | first byte | what follows |
//! |---|---|
//! | 0, 1 | as in [`super::tables::pack`] |
//! | 2 + 2 × shape | number of items, columns; stands by itself |
//! | 3 + 2 × shape | the same, predicted from the value before |
//!
//! The shape is 0 to 3 for a list of numbers of 1, 2, 4, 8 bytes, and 4 + 4 × uid +
//! number, both 0 to 3 in the same way, for a list of pairs: a row is read without
//! the metadata that it was written with.
//!
//! Whatever the bytes are, they come back as they were:
//!
//! ```
//! use indexer::store::rowcodec::{RowShape, decode, encode};
//! let shape = Some(RowShape::Pairs(2, 2));
//! // Two pairs behind their number: uids 0 and 1 with 1000 and 2000, then 1003 and 1998.
//! let before = [8, 0, 0, 0xe8, 3, 1, 0, 0xd0, 7];
//! let now = [8, 0, 0, 0xeb, 3, 1, 0, 0xce, 7];
//! let small = encode(Some(&before), &now, shape);
//! assert!(small.len() < now.len());
//! assert_eq!(decode(Some(&before), &small).as_deref(), Some(&now[..]));
//! ```

mod bits;
mod column;

use chain_metadata::{Shape, Types};

use super::tables;

const WIDTHS: [u8; 4] = [1, 2, 4, 8];

/// Longer lists are packed instead; a damaged row must not allocate much.
const MOST: usize = 65_536;

/// How the bytes of a value fall apart. Widths are bytes: 1, 2, 4 or 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowShape {
    /// A list of numbers or booleans.
    Numbers(u8),
    /// A list of pairs; the first number of each says what the second is about.
    Pairs(u8, u8),
}

impl RowShape {
    /// The shape of a type; `None` when it is another kind of value.
    pub fn of(types: &Types, ty: u32) -> Option<RowShape> {
        let width = |ty: u32| match &types.get(ty)?.shape {
            Shape::Bool => Some(1),
            Shape::Uint(bits @ (8 | 16 | 32 | 64)) => Some(bits / 8),
            _ => None,
        };
        match &types.get(ty)?.shape {
            Shape::Bytes => Some(RowShape::Numbers(1)),
            Shape::Sequence(item) => match &types.get(*item)?.shape {
                Shape::Tuple(parts) => match **parts {
                    [a, b] => Some(RowShape::Pairs(width(a)?, width(b)?)),
                    _ => None,
                },
                _ => width(*item).map(RowShape::Numbers),
            },
            _ => None,
        }
    }

    /// Its number in the first byte of a row; `None` for a width that is none.
    fn number(self) -> Option<u8> {
        let place = |width: u8| WIDTHS.iter().zip(0..).find(|(w, _)| **w == width);
        match self {
            RowShape::Numbers(width) => place(width).map(|(_, at)| at),
            RowShape::Pairs(uid, number) => Some(4 + 4 * place(uid)?.1 + place(number)?.1),
        }
    }

    fn of_number(number: u8) -> Option<RowShape> {
        let width = |at: u8| WIDTHS.get(usize::from(at)).copied();
        match number.checked_sub(4) {
            None => width(number).map(RowShape::Numbers),
            Some(pair) => Some(RowShape::Pairs(width(pair / 4)?, width(pair % 4)?)),
        }
    }

    /// Widths in bytes of uid (0 where there is none) and number.
    fn widths(self) -> (usize, usize) {
        match self {
            RowShape::Numbers(width) => (0, width.into()),
            RowShape::Pairs(uid, number) => (uid.into(), number.into()),
        }
    }
}

/// A value taken apart; `about` is empty for a list of numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Columns {
    about: Vec<u64>,
    numbers: Vec<u64>,
}

/// The bytes of a value behind the one that its key had before.
///
/// Every so many rows `previous` should be `None`, so that reading one does not
/// need all before it.
pub fn encode(previous: Option<&[u8]>, value: &[u8], shape: Option<RowShape>) -> Vec<u8> {
    let mut best = tables::pack(value);
    let Some((shape, kind)) = shape.and_then(|shape| Some((shape, shape.number()?))) else {
        return best;
    };
    let Some(now) = take_apart(value, shape) else {
        return best;
    };
    let before = previous.and_then(|bytes| take_apart(bytes, shape));
    let mut offer = |before: Option<&Columns>| {
        let mut out = vec![2 + 2 * kind + u8::from(before.is_some())];
        bits::varint(&mut out, now.numbers.len() as u64);
        let (uid, number) = shape.widths();
        if uid > 0 {
            column::write_about(&mut out, &now.about, before.map(|b| &*b.about), uid);
        }
        let guess = before.map(|before| column::aligned(before, &now.about, now.numbers.len()));
        column::write(&mut out, &now.numbers, guess.as_deref(), number);
        if out.len() < best.len() {
            best = out;
        }
    };
    offer(None);
    if before.is_some() {
        offer(before.as_ref());
    }
    best
}

/// Undoes [`encode`]. `None` when the bytes are damaged, or the value before is
/// needed and not the one they were written behind.
pub fn decode(previous: Option<&[u8]>, bytes: &[u8]) -> Option<Vec<u8>> {
    let (first, mut input) = bytes.split_first()?;
    let Some(kind) = first.checked_sub(2) else {
        return tables::unpack(bytes);
    };
    let shape = RowShape::of_number(kind / 2)?;
    let before = match kind % 2 {
        0 => None,
        _ => Some(take_apart(previous?, shape)?),
    };
    let (uid, number) = shape.widths();
    let count = usize::try_from(bits::take_varint(&mut input)?).ok()?;
    if count > MOST {
        return None;
    }
    let mut now = Columns::default();
    if uid > 0 {
        let before = before.as_ref().map(|b| &*b.about);
        now.about = column::read_about(&mut input, count, before, uid)?;
    }
    let guess = before
        .as_ref()
        .map(|b| column::aligned(b, &now.about, count));
    now.numbers = column::read(&mut input, count, guess.as_deref(), number)?;
    input.is_empty().then(|| put_together(&now, uid, number))
}

/// Whether a row can only be read behind the one before it.
pub fn needs_previous(bytes: &[u8]) -> bool {
    bytes
        .first()
        .is_some_and(|first| *first > 1 && first % 2 == 1)
}

/// Columns of a value, if it is exactly a list of the shape: a length in its
/// shortest form and so many items.
fn take_apart(value: &[u8], shape: RowShape) -> Option<Columns> {
    let (count, items) = length(value)?;
    let (uid, number) = shape.widths();
    if count > MOST || items.len() != count * (uid + number) || number > 8 || uid > 8 {
        return None;
    }
    let mut columns = Columns::default();
    columns.numbers.reserve(count);
    for item in items.chunks_exact(uid + number) {
        let (about, value) = item.split_at_checked(uid)?;
        if uid > 0 {
            columns.about.push(le(about)?);
        }
        columns.numbers.push(le(value)?);
    }
    Some(columns)
}

fn put_together(columns: &Columns, uid: usize, number: usize) -> Vec<u8> {
    let count = columns.numbers.len();
    let mut out = Vec::with_capacity(4 + count * (uid + number));
    write_length(count as u64, &mut out);
    for (at, value) in columns.numbers.iter().enumerate() {
        let about = columns.about.get(at).copied().unwrap_or_default();
        out.extend(about.to_le_bytes().iter().take(uid));
        out.extend(value.to_le_bytes().iter().take(number));
    }
    out
}

fn le(bytes: &[u8]) -> Option<u64> {
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(wide))
}

/// A SCALE length of up to 2^30 in its shortest form, and the bytes behind it.
fn length(value: &[u8]) -> Option<(usize, &[u8])> {
    let taken = match value.first()? & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return None,
    };
    let (head, rest) = value.split_at_checked(taken)?;
    let number = le(head)? >> 2;
    let mut again = Vec::with_capacity(4);
    write_length(number, &mut again);
    (again == head).then_some((usize::try_from(number).ok()?, rest))
}

fn write_length(number: u64, out: &mut Vec<u8>) {
    let (mode, len) = match number {
        0..0x40 => (0, 1),
        0x40..0x4000 => (1, 2),
        _ => (2, 4),
    };
    out.extend((number << 2 | mode).to_le_bytes().iter().take(len));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape() -> impl Strategy<Value = Option<RowShape>> {
        let width = prop_oneof![Just(1_u8), Just(2), Just(4), Just(8)];
        prop_oneof![
            Just(None),
            width.clone().prop_map(|w| Some(RowShape::Numbers(w))),
            (width.clone(), width).prop_map(|(a, b)| Some(RowShape::Pairs(a, b))),
        ]
    }

    /// Lists of the shape, near each other or not, and bytes that are none.
    fn value(shape: Option<RowShape>) -> impl Strategy<Value = Vec<u8>> {
        let (uid, number) = shape.map_or((0, 1), RowShape::widths);
        let item = (
            any::<u64>(),
            prop_oneof![0_u64..40, Just(65_000_u64), any::<u64>()],
        );
        let list = proptest::collection::vec(item, 0..300).prop_map(move |items| {
            let (about, numbers) = items.into_iter().unzip();
            let about = if uid > 0 { about } else { Vec::new() };
            put_together(&Columns { about, numbers }, uid, number)
        });
        let near = proptest::collection::vec((0_u64..3, 0_u64..5), 0..300).prop_map(move |items| {
            let mut columns = Columns::default();
            for (at, (skip, add)) in (0_u64..).zip(items) {
                if uid > 0 {
                    columns.about.push((at * 2 + skip) % 256);
                }
                columns.numbers.push((40_000 + at * 17 + add) % 60_000);
            }
            put_together(&columns, uid, number)
        });
        prop_oneof![list, near, proptest::collection::vec(any::<u8>(), 0..80)]
    }

    fn two() -> impl Strategy<Value = (Option<RowShape>, Option<Vec<u8>>, Vec<u8>)> {
        shape().prop_flat_map(|shape| {
            (
                Just(shape),
                proptest::option::of(value(shape)),
                value(shape),
            )
        })
    }

    proptest! {
        #[test]
        fn any_bytes_come_back((shape, previous, value) in two()) {
            let row = encode(previous.as_deref(), &value, shape);
            prop_assert!(row.len() <= value.len() + 1);
            prop_assert_eq!(decode(previous.as_deref(), &row), Some(value.clone()));
            if !needs_previous(&row) {
                prop_assert_eq!(decode(None, &row), Some(value));
            }
        }

        #[test]
        fn damaged_rows_do_not_panic(
            (_, previous, _) in two(),
            method in 0_u8..44,
            mut row in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            row.insert(0, method);
            let _ = decode(previous.as_deref(), &row);
        }

        #[test]
        fn cut_rows_are_not_taken_for_whole_ones((shape, previous, value) in two(), cut in 0.0..1.0_f64) {
            let row = encode(previous.as_deref(), &value, shape);
            let keep = (0..row.len()).take_while(|at| (*at as f64) < cut * row.len() as f64).count();
            if keep < row.len() {
                prop_assert_ne!(decode(previous.as_deref(), &row[..keep]), Some(value));
            }
        }
    }

    fn row(cells: impl IntoIterator<Item = (u16, u16)>) -> Vec<u8> {
        let (about, numbers) = cells
            .into_iter()
            .map(|(a, n)| (u64::from(a), u64::from(n)))
            .unzip();
        put_together(&Columns { about, numbers }, 2, 2)
    }

    #[test]
    fn small_steps_cost_few_bits() {
        let shape = Some(RowShape::Pairs(2, 2));
        let cell = |at: u16| (at, 30_000 + at.wrapping_mul(2_654) % 9_000);
        let before = row((0..256).map(cell));
        // Steps of up to 15 in both directions: five bits of information.
        let after = row((0..256).map(|at| (at, cell(at).1 + at.wrapping_mul(7_919) % 31 - 15)));
        let small = encode(Some(&before), &after, shape);
        assert!(small.len() < 200, "{} bytes", small.len());
        assert_eq!(encode(Some(&after), &after, shape).len(), 5);
    }

    #[test]
    fn one_new_uid_does_not_shift_the_others() {
        let shape = Some(RowShape::Pairs(2, 2));
        let cell = |at: u16| (at, 1_000 + at.wrapping_mul(40_503) % 60_000);
        let before = row((0..200).filter(|at| at % 5 != 0).map(cell));
        let after = row((0..200).filter(|at| at % 5 != 0 || *at == 60).map(cell));
        let small = encode(Some(&before), &after, shape);
        assert!(small.len() < 50, "{} bytes", small.len());
        assert_eq!(decode(Some(&before), &small), Some(after));
    }

    #[test]
    fn one_of_many_numbers_costs_a_few_bytes() {
        let shape = Some(RowShape::Numbers(8));
        let list = |changed: u64| Columns {
            about: vec![],
            numbers: (0..256)
                .map(|at| {
                    if at == 9 {
                        changed
                    } else {
                        8_000_000 + at * 31
                    }
                })
                .collect(),
        };
        let before = put_together(&list(7_000_000), 0, 8);
        let after = put_together(&list(7_000_360), 0, 8);
        let small = encode(Some(&before), &after, shape);
        assert!(small.len() <= 9, "{} bytes", small.len());
    }
}
