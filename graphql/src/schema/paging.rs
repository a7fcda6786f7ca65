//! Cursors, and which items a page holds.
//!
//! A cursor names the item it points at (its height, and its index within the block), not its
//! place in a list. New blocks therefore never shift a page.

use chain_metadata::BlockNumber;

use super::error::{ApiError, Res};

/// Most blocks on one page.
pub(crate) const MAX_BLOCKS: u32 = 100;
/// Blocks on a page when no size is given.
pub(crate) const DEFAULT_BLOCKS: u32 = 20;
/// Most extrinsics or events on one page.
pub(crate) const MAX_ITEMS: u32 = 1000;
/// Extrinsics or events on a page when no size is given.
pub(crate) const DEFAULT_ITEMS: u32 = 100;

/// What a cursor points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Block,
    Extrinsic,
    Event,
    Commit,
    StakeMovement,
    Stake,
    Verification,
    Tenancy,
    Version,
    Point,
    Change,
    Epoch,
    StateChange,
    SubnetEvent,
    Result,
    BondsVersion,
    Account,
}

impl Kind {
    const ALL: [Self; 17] = [
        Self::Block,
        Self::Extrinsic,
        Self::Event,
        Self::Commit,
        Self::StakeMovement,
        Self::Stake,
        Self::Verification,
        Self::Tenancy,
        Self::Version,
        Self::Point,
        Self::Change,
        Self::Epoch,
        Self::StateChange,
        Self::SubnetEvent,
        Self::Result,
        Self::BondsVersion,
        Self::Account,
    ];

    fn tag(self) -> u8 {
        match self {
            Self::Block => b'b',
            Self::Extrinsic => b'x',
            Self::Event => b'e',
            Self::Commit => b'c',
            Self::StakeMovement => b's',
            Self::Stake => b'k',
            Self::Verification => b'v',
            Self::Tenancy => b't',
            Self::Version => b'w',
            Self::Point => b'y',
            Self::Change => b'h',
            Self::Epoch => b'p',
            Self::StateChange => b'z',
            Self::SubnetEvent => b'n',
            Self::Result => b'r',
            Self::BondsVersion => b'd',
            Self::Account => b'a',
        }
    }
}

/// Most items on one page of most other lists.
pub(crate) const MAX_LISTED: u32 = 100;
/// Items on a page of most other lists when no size is given.
pub(crate) const DEFAULT_LISTED: u32 = 20;

/// An opaque cursor: one byte for the kind, then height and index, big-endian, as hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) kind: Kind,
    pub(crate) block: BlockNumber,
    pub(crate) index: u32,
}

impl Cursor {
    pub(crate) fn decode_cursor(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 9];
        hex::decode_to_slice(text, &mut bytes).map_err(|error| error.to_string())?;
        let [tag, b0, b1, b2, b3, i0, i1, i2, i3] = bytes;
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.tag() == tag)
            .ok_or("unknown kind")?;
        Ok(Self {
            kind,
            block: u32::from_be_bytes([b0, b1, b2, b3]),
            index: u32::from_be_bytes([i0, i1, i2, i3]),
        })
    }

    pub(crate) fn encode_cursor(&self) -> String {
        let mut bytes = Vec::with_capacity(9);
        bytes.push(self.kind.tag());
        bytes.extend(self.block.to_be_bytes());
        bytes.extend(self.index.to_be_bytes());
        hex::encode(bytes)
    }
}

/// The four arguments of a page as given.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageArgs {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i32>,
    pub(crate) before: Option<String>,
}

/// From which end of what the cursors leave a page is cut, and how many items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Front(usize),
    Back(usize),
}

impl PageArgs {
    pub(crate) fn cut(&self, default: u32, max: u32) -> Res<Cut> {
        let size = |name: &str, given: i32| match u32::try_from(given) {
            Ok(size) if size <= max => Ok(usize::try_from(size).unwrap_or(usize::MAX)),
            _ => Err(ApiError::bad_input(format!(
                "`{name}` is {given}, but must be from 0 to {max}; take further pages with a cursor"
            ))),
        };
        match (self.first, self.last) {
            (Some(_), Some(_)) => Err(ApiError::bad_input(
                "`first` and `last` exclude each other; give one",
            )),
            (Some(first), None) => size("first", first).map(Cut::Front),
            (None, Some(last)) => size("last", last).map(Cut::Back),
            (None, None) => Ok(Cut::Front(usize::try_from(default).unwrap_or(usize::MAX))),
        }
    }

    /// The two cursors, which must be of this kind.
    pub(crate) fn cursors(&self, kind: Kind) -> Res<(Option<Cursor>, Option<Cursor>)> {
        let decode = |name: &str, text: &Option<String>| {
            text.as_deref()
                .map(|text| match Cursor::decode_cursor(text) {
                    Ok(cursor) if cursor.kind == kind => Ok(cursor),
                    _ => Err(ApiError::bad_input(format!(
                        "`{name}` is not a cursor of this list; take one from its `pageInfo` (`endCursor`, `startCursor`) or `edges`"
                    ))),
                })
                .transpose()
        };
        Ok((
            decode("after", &self.after)?,
            decode("before", &self.before)?,
        ))
    }
}

/// One page and what lies beyond it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) has_previous: bool,
    pub(crate) has_next: bool,
    /// Items on all pages; 0 where they are not counted.
    pub(crate) total: u32,
    /// Where to go on towards the front; `None` for the first item's place.
    pub(crate) start: Option<Cursor>,
    /// Where to go on towards the back; `None` for the last item's place.
    pub(crate) end: Option<Cursor>,
}

impl<T> Page<(Cursor, T)> {
    /// The same page of what `shown` makes of its items.
    pub(crate) fn map<U>(self, shown: impl Fn(T) -> U) -> Page<(Cursor, U)> {
        let items = self.items.into_iter();
        Page {
            items: items.map(|(cursor, item)| (cursor, shown(item))).collect(),
            has_previous: self.has_previous,
            has_next: self.has_next,
            total: self.total,
            start: self.start,
            end: self.end,
        }
    }
}

/// Cuts a page out of the items of one block, which are in the order of their index.
pub(crate) fn page_in_block<T>(
    items: Vec<T>,
    index: impl Fn(&T) -> u32,
    block: BlockNumber,
    kind: Kind,
    args: &PageArgs,
) -> Res<Page<(Cursor, T)>> {
    let cut = args.cut(DEFAULT_ITEMS, MAX_ITEMS)?;
    let (after, before) = args.cursors(kind)?;
    for cursor in [after, before].into_iter().flatten() {
        if cursor.block != block {
            return Err(ApiError::bad_input(format!(
                "the cursor belongs to block {}, not to block {block}; give all pages the same block (`asOf`)",
                cursor.block
            )));
        }
    }
    let start = after.map_or(0, |cursor| {
        items.partition_point(|item| index(item) <= cursor.index)
    });
    let end = before.map_or(items.len(), |cursor| {
        items.partition_point(|item| index(item) < cursor.index)
    });
    let end = end.max(start);
    let (from, to) = match cut {
        Cut::Front(size) => (start, end.min(start.saturating_add(size))),
        Cut::Back(size) => (start.max(end.saturating_sub(size)), end),
    };
    Ok(Page {
        has_previous: from > 0,
        has_next: to < items.len(),
        total: u32::try_from(items.len()).unwrap_or(u32::MAX),
        start: None,
        end: None,
        items: items
            .into_iter()
            .skip(from)
            .take(to.saturating_sub(from))
            .map(|item| {
                let index = index(&item);
                (Cursor { kind, block, index }, item)
            })
            .collect(),
    })
}

/// The heights of one page of the stored ranges, which are in order.
pub(crate) fn page_of_heights(
    spans: &[(BlockNumber, BlockNumber)],
    newest_first: bool,
    args: &PageArgs,
) -> Res<Page<BlockNumber>> {
    let cut = args.cut(DEFAULT_BLOCKS, MAX_BLOCKS)?;
    let (after, before) = args.cursors(Kind::Block)?;
    // Work on places among the stored heights, ascending and half-open in 64 bits, so that neither
    // a hole nor a bound needs a special case.
    let (lower, upper) = if newest_first {
        (before, after)
    } else {
        (after, before)
    };
    let (first, stop) = (0, place(spans, u64::MAX));
    let low = lower.map_or(first, |cursor| place(spans, u64::from(cursor.block) + 1));
    let high = upper.map_or(stop, |cursor| place(spans, u64::from(cursor.block)));
    let high = high.max(low);
    let (from_low_end, size) = match cut {
        Cut::Front(size) => (!newest_first, size),
        Cut::Back(size) => (newest_first, size),
    };
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let (low, high) = if from_low_end {
        (low, high.min(low.saturating_add(size)))
    } else {
        (low.max(high.saturating_sub(size)), high)
    };
    let mut items: Vec<BlockNumber> = (low..high)
        .filter_map(|place| height(spans, place))
        .collect();
    let (below, above) = (low > first, high < stop);
    if newest_first {
        items.reverse();
    }
    let (has_previous, has_next) = if newest_first {
        (above, below)
    } else {
        (below, above)
    };
    Ok(Page {
        items,
        has_previous,
        has_next,
        total: u32::try_from(stop.saturating_sub(first)).unwrap_or(u32::MAX),
        start: None,
        end: None,
    })
}

/// How many stored heights lie below one.
fn place(spans: &[(BlockNumber, BlockNumber)], below: u64) -> u64 {
    let lengths = spans.iter().map(|(first, last)| {
        let end = (u64::from(*last) + 1).min(below);
        end.saturating_sub(u64::from(*first))
    });
    lengths.sum()
}

/// The stored height at a place.
fn height(spans: &[(BlockNumber, BlockNumber)], place: u64) -> Option<BlockNumber> {
    let mut place = place;
    for (first, last) in spans {
        let length = u64::from(*last).saturating_sub(u64::from(*first)) + 1;
        if place < length {
            return BlockNumber::try_from(u64::from(*first) + place).ok();
        }
        place -= length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(block: u32) -> Option<String> {
        Some(
            Cursor {
                kind: Kind::Block,
                block,
                index: 0,
            }
            .encode_cursor(),
        )
    }

    #[test]
    fn cursors_round_trip_and_refuse_rubbish() {
        for kind in Kind::ALL {
            let cursor = Cursor {
                kind,
                block: u32::MAX,
                index: 7,
            };
            assert_eq!(Cursor::decode_cursor(&cursor.encode_cursor()), Ok(cursor));
        }
        for text in ["", "00", "zz", "ff0000000000000000", "é"] {
            assert!(Cursor::decode_cursor(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn pages_walk_the_range_in_both_orders() {
        for newest_first in [true, false] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let args = PageArgs {
                    first: Some(3),
                    after: after.clone(),
                    ..PageArgs::default()
                };
                let page = page_of_heights(&[(10, 20)], newest_first, &args).unwrap();
                assert_eq!(page.has_previous, !seen.is_empty());
                seen.extend(&page.items);
                after = cursor(*seen.last().unwrap());
                if !page.has_next {
                    break;
                }
            }
            let mut all: Vec<u32> = (10..=20).collect();
            if newest_first {
                all.reverse();
            }
            assert_eq!(seen, all);
        }
    }

    #[test]
    fn last_takes_the_far_end() {
        let args = PageArgs {
            last: Some(2),
            ..PageArgs::default()
        };
        let page = page_of_heights(&[(0, 9)], true, &args).unwrap();
        assert_eq!(
            (page.items, page.has_previous, page.has_next),
            (vec![1, 0], true, false)
        );
        let args = PageArgs {
            last: Some(2),
            before: cursor(5),
            ..PageArgs::default()
        };
        let page = page_of_heights(&[(0, 9)], true, &args).unwrap();
        assert_eq!(page.items, [7, 6]);
    }

    #[test]
    fn the_ends_of_the_number_range_do_not_overflow() {
        let args = PageArgs {
            first: Some(5),
            after: cursor(u32::MAX),
            ..PageArgs::default()
        };
        for newest_first in [true, false] {
            page_of_heights(&[(0, u32::MAX)], newest_first, &args).unwrap();
        }
        let page = page_of_heights(&[], true, &PageArgs::default()).unwrap();
        assert!(page.items.is_empty());
    }

    #[test]
    fn a_page_in_a_block_keeps_filtered_indices() {
        let items = vec![2, 5, 9, 11];
        let at = |index| {
            Some(
                Cursor {
                    kind: Kind::Event,
                    block: 4,
                    index,
                }
                .encode_cursor(),
            )
        };
        let cut = |args: PageArgs| {
            let page = page_in_block(items.clone(), |item| *item, 4, Kind::Event, &args).unwrap();
            let indices: Vec<u32> = page.items.iter().map(|(_, item)| *item).collect();
            (indices, page.has_previous, page.has_next)
        };
        let page = cut(PageArgs {
            first: Some(2),
            after: at(3),
            ..PageArgs::default()
        });
        assert_eq!(page, (vec![5, 9], true, true));
        let page = cut(PageArgs {
            after: at(9),
            before: at(5),
            ..PageArgs::default()
        });
        assert!(page.0.is_empty());
        let args = PageArgs {
            after: at(1),
            ..PageArgs::default()
        };
        assert!(page_in_block(items.clone(), |item| *item, 5, Kind::Event, &args).is_err());
    }

    #[test]
    fn pages_step_over_holes() {
        let spans = [(3, 5), (9, 9), (20, 22)];
        for newest_first in [true, false] {
            let (mut seen, mut after) = (Vec::<u32>::new(), None);
            loop {
                let args = PageArgs {
                    first: Some(2),
                    after: after.clone(),
                    ..PageArgs::default()
                };
                let page = page_of_heights(&spans, newest_first, &args).unwrap();
                assert_eq!(page.total, 7);
                after = page.items.last().and_then(|block| cursor(*block));
                seen.extend(&page.items);
                if !page.has_next {
                    break;
                }
            }
            if newest_first {
                seen.reverse();
            }
            assert_eq!(seen, [3, 4, 5, 9, 20, 21, 22]);
        }
        // A cursor whose block is not stored still has its place.
        let args = PageArgs {
            first: Some(9),
            after: cursor(12),
            ..PageArgs::default()
        };
        assert_eq!(
            page_of_heights(&spans, false, &args).unwrap().items,
            [20, 21, 22]
        );
        assert_eq!(
            page_of_heights(&spans, true, &args).unwrap().items,
            [9, 5, 4, 3]
        );
    }

    #[test]
    fn sizes_out_of_bounds_are_refused() {
        for first in [-1, 101, i32::MAX] {
            let args = PageArgs {
                first: Some(first),
                ..PageArgs::default()
            };
            assert!(args.cut(DEFAULT_BLOCKS, MAX_BLOCKS).is_err());
        }
        let args = PageArgs {
            first: Some(1),
            last: Some(1),
            ..PageArgs::default()
        };
        assert!(args.cut(DEFAULT_BLOCKS, MAX_BLOCKS).is_err());
    }
}
