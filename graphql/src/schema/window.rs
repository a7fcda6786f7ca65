//! Pages of lists that are read from the store piece by piece, from either end.

use chain_metadata::BlockNumber;

use super::error::Res;
use super::paging::{Cursor, Cut, Kind, Page, PageArgs};
use crate::loaders::loaders;
use crate::ports::{ReadError, Reader};

/// A block and a place in it: what a cursor names.
pub(crate) type Place = (BlockNumber, u32);

/// In which order a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    NewestFirst,
    OldestFirst,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    kind: Kind,
    /// Items on the page at most.
    pub(crate) size: usize,
    after: Option<Place>,
    before: Option<Place>,
    /// The page is cut from the back of what the cursors leave.
    pub(crate) back: bool,
}

impl PageArgs {
    /// The arguments of a list that is only read from its front.
    pub(crate) fn forward(first: Option<i32>, after: Option<String>) -> Self {
        Self {
            first,
            after,
            ..Self::default()
        }
    }

    /// The part that is wanted of a list with cursors of this kind.
    pub(crate) fn window(&self, kind: Kind, default: u32, max: u32) -> Res<Window> {
        let (size, back) = match self.cut(default, max)? {
            Cut::Front(size) => (size, false),
            Cut::Back(size) => (size, true),
        };
        let (after, before) = self.cursors(kind)?;
        let place = |cursor: Cursor| (cursor.block, cursor.index);
        Ok(Window {
            kind,
            size,
            after: after.map(place),
            before: before.map(place),
            back,
        })
    }
}

impl Window {
    /// The place behind which reading begins, in the direction of reading.
    pub(crate) fn start(&self) -> Option<Place> {
        if self.back { self.before } else { self.after }
    }

    /// How many to read of a list that does not say itself whether it goes on: one more.
    pub(crate) fn one_more(&self) -> usize {
        self.size.saturating_add(1)
    }

    /// The page, made of what was read in the direction of reading, and where reading would go on.
    /// Of a list that does not say so, `next` is `None` and one more item was read.
    pub(crate) fn page<T>(
        &self,
        order: Order,
        mut items: Vec<(Place, T)>,
        next: Option<Place>,
    ) -> Page<(Cursor, T)> {
        let descending = (order == Order::NewestFirst) != self.back;
        let stop = if self.back { self.after } else { self.before };
        let (mut next, mut more) = (next, next.is_some());
        let stopped = stop.and_then(|stop| {
            items.iter().position(|(place, _)| match descending {
                true => *place <= stop,
                false => *place >= stop,
            })
        });
        if let Some(end) = stopped {
            items.truncate(end);
            (next, more) = (None, false);
        }
        if items.len() > self.size {
            items.truncate(self.size);
            next = items.last().map(|(place, _)| *place).or(self.start());
            more = true;
        }
        if self.back {
            items.reverse();
        }
        let cursor = |(block, index): Place| Cursor {
            kind: self.kind,
            block,
            index,
        };
        let beyond = next.map(cursor);
        Page {
            has_next: self.before.is_some() || (!self.back && more),
            has_previous: self.after.is_some() || (self.back && more),
            total: 0,
            start: beyond.filter(|_| self.back),
            end: beyond.filter(|_| !self.back),
            items: items
                .into_iter()
                .map(|(place, item)| (cursor(place), item))
                .collect(),
        }
    }

    /// The blocks of a range in which the items of this part can lie, for a list by blocks, oldest
    /// first; `None` when there are none.
    fn within(&self, (from, to): (BlockNumber, BlockNumber)) -> Option<(BlockNumber, BlockNumber)> {
        let from = match self.after {
            Some((after, _)) => from.max(after.checked_add(1)?),
            None => from,
        };
        let to = match self.before {
            Some((before, _)) => to.min(before.checked_sub(1)?),
            None => to,
        };
        (from <= to).then_some((from, to))
    }
}

/// A page of what belongs to blocks one by one, oldest first. `read` is given the range, whether
/// to read newest first, and how many.
pub(crate) async fn by_block<T: Send + 'static>(
    ctx: &async_graphql::Context<'_>,
    name: &'static str,
    range: (BlockNumber, BlockNumber),
    window: Window,
    read: impl FnOnce(&dyn Reader, (BlockNumber, BlockNumber), bool, usize) -> Result<Vec<T>, ReadError>
    + Send
    + 'static,
    block_of: impl Fn(&T) -> BlockNumber,
) -> Res<Page<(Cursor, T)>> {
    let mut found = Vec::new();
    if let Some(range) = window.within(range) {
        let (back, size) = (window.back, window.one_more());
        let reads = &loaders(ctx)?.reads;
        found = reads
            .run(name, move |reader| read(reader, range, back, size))
            .await?;
    }
    let items = found.into_iter().map(|item| ((block_of(&item), 0), item));
    Ok(window.page(Order::OldestFirst, items.collect(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of places 9 down to 0, read as a store would.
    fn listed(order: Order, args: &PageArgs) -> (Vec<u32>, bool, bool) {
        let window = args.window(Kind::Epoch, 20, 100).unwrap();
        let descending = (order == Order::NewestFirst) != window.back;
        let mut all: Vec<u32> = (0..10).collect();
        if descending {
            all.reverse();
        }
        let past = |block: &u32| match window.start() {
            None => true,
            Some(start) if descending => (*block, 0) < start,
            Some(start) => (*block, 0) > start,
        };
        let found = all.into_iter().filter(past).take(window.one_more());
        let found = found.map(|block| ((block, 0), block)).collect();
        let page = window.page(order, found, None);
        let items = page.items.iter().map(|(_, block)| *block).collect();
        (items, page.has_previous, page.has_next)
    }

    fn at(block: u32) -> Option<String> {
        let cursor = Cursor {
            kind: Kind::Epoch,
            block,
            index: 0,
        };
        Some(cursor.encode_cursor())
    }

    #[test]
    fn a_list_read_from_either_end_is_cut_as_if_it_were_whole() {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let mut whole: Vec<u32> = (0..10).collect();
            if order == Order::NewestFirst {
                whole.reverse();
            }
            for size in [0, 1, 3, 10, 20] {
                for after in [None, Some(2), Some(6)] {
                    for before in [None, Some(2), Some(7)] {
                        let place = |block: Option<u32>| {
                            block.map(|b| whole.iter().position(|x| *x == b).unwrap())
                        };
                        let start = place(after).map_or(0, |at| at + 1);
                        let end = place(before).unwrap_or(10).max(start);
                        let left = &whole[start..end];
                        for back in [false, true] {
                            let args = PageArgs {
                                first: (!back).then_some(size),
                                last: back.then_some(size),
                                after: after.and_then(at),
                                before: before.and_then(at),
                            };
                            let (items, previous, next) = listed(order, &args);
                            let kept = left.len().min(usize::try_from(size).unwrap());
                            let wanted = match back {
                                false => &left[..kept],
                                true => &left[left.len() - kept..],
                            };
                            assert_eq!(items, wanted, "{order:?} {args:?}");
                            let more = kept < left.len();
                            assert_eq!(next, before.is_some() || (!back && more), "{args:?}");
                            assert_eq!(previous, after.is_some() || (back && more), "{args:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_page_that_holds_less_than_was_looked_at_goes_on_where_looking_ended() {
        let window = PageArgs::forward(Some(5), None);
        let window = window.window(Kind::Commit, 20, 100).unwrap();
        let page = window.page(Order::NewestFirst, vec![((9, 1), ())], Some((4, 0)));
        assert!(page.has_next);
        assert_eq!(page.end.map(|cursor| cursor.block), Some(4));
    }
}
