//! Blocks, extrinsics and events, newest first.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chain_metadata::{AccountId, BlockNumber, H256};

use super::shape::{BlockRow, ErrorRow, EventRow, ExtrinsicRow, Listed, Window, hex_of, time};
use crate::ports::{self, EventFilter, ExtrinsicFilter, Found, Phase, Reader};
use crate::rest::Problem;
use crate::rest::reads::value::{Any, Hash};
use crate::schema::error::code;
use crate::server::reads::params::account;
use crate::server::reads::{No, nothing, out_of_range, stamp};
use crate::server::rest::{Parameters, bad};

/// Deepest row of a list over all blocks. Pages by number are read from the start.
const DEEPEST: usize = 10_000;
/// Stored ranges that one answer searches at most. Each search has a bound of its own.
const RANGES: usize = 4;
/// Tokens that a search costs where topics lead it, and where block after block is read.
const LED: usize = 1;
const READ: usize = 10;

/// Which events or extrinsics.
#[derive(Debug)]
pub(super) struct Wanted {
    block: Option<BlockNumber>,
    /// Lowest and highest block that is searched.
    start: Option<BlockNumber>,
    end: Option<BlockNumber>,
    pallet: Option<String>,
    name: Option<String>,
    account: Option<AccountId>,
    success: Option<bool>,
    /// When whoever asks is told that it took too long.
    until: Instant,
}

impl Wanted {
    pub(super) fn of(parameters: &Parameters<'_>, time: Duration) -> Result<Self, Problem> {
        let (mut pallet, mut name) = (parameters.text("pallet")?, parameters.text("name")?);
        if let Some(full) = parameters.text("full_name")? {
            let both = full.split_once('.').ok_or_else(|| {
                bad("`full_name` is a pallet and a name with a point between".to_owned())
            })?;
            if pallet.is_some() || name.is_some() {
                let text = "`full_name` excludes `pallet` and `name`; give it alone";
                return Err(bad(text.to_owned()));
            }
            pallet = Some(both.0.to_owned());
            name = Some(both.1.to_owned());
        }
        let success = match parameters.get("success") {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(bad("`success` must be true or false".to_owned())),
        };
        let block = parameters.number("block_number")?;
        let (start, end) = (
            parameters.number("block_start")?,
            parameters.number("block_end")?,
        );
        if block.is_some() && (start.is_some() || end.is_some()) {
            let text = "`block_number` excludes `block_start` and `block_end`; give it alone";
            return Err(bad(text.to_owned()));
        }
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            return Err(bad(format!(
                "`block_start` is {start} and `block_end` is {end}; give the lower height as `block_start`"
            )));
        }
        let now = Instant::now();
        Ok(Self {
            block,
            start,
            end,
            until: now.checked_add(time).unwrap_or(now),
            pallet,
            name,
            account: account(parameters, "signer_address")?,
            success,
        })
    }

    /// Tokens that the search costs beyond that of the request.
    pub(super) fn cost(&self) -> usize {
        let is_led = self.account.is_some() || (self.pallet.is_some() && self.name.is_some());
        match (self.block, is_led) {
            (Some(_), _) => 0,
            (None, true) => LED,
            (None, false) => READ,
        }
    }

    /// The ranges that are searched, the newest first: one block, which must be there, or what is
    /// stored.
    fn ranges(&self, reader: &dyn Reader) -> Result<Vec<(BlockNumber, BlockNumber)>, No> {
        if let Some(block) = self.block {
            stamp(reader, block)?;
            return Ok(vec![(block, block)]);
        }
        let spans = reader.status()?.spans;
        if spans.is_empty() {
            return Err(out_of_range(reader, "head"));
        }
        let (start, end) = (
            self.start.unwrap_or(0),
            self.end.unwrap_or(BlockNumber::MAX),
        );
        let spans = spans.into_iter().rev();
        let spans = spans.map(|(first, last)| (first.max(start), last.min(end)));
        Ok(spans.filter(|(first, last)| first <= last).collect())
    }
}

/// What a search gave.
struct Gathered<T> {
    items: Vec<T>,
    /// The highest block that was not looked at, when the search came to its bound.
    rest: Option<BlockNumber>,
}

/// Searches ranges for so many rows: once each, and no further after a moment, so that no answer
/// holds its place for long.
fn search<T>(
    ranges: &[(BlockNumber, BlockNumber)],
    needed: usize,
    until: Instant,
    mut find: impl FnMut((BlockNumber, BlockNumber), usize) -> Result<Found<T>, No>,
) -> Result<Gathered<T>, No> {
    let mut items = Vec::new();
    for (place, range) in ranges.iter().enumerate() {
        if items.len() >= needed {
            break;
        }
        if place >= RANGES || (place > 0 && Instant::now() >= until) {
            let rest = Some(range.1);
            return Ok(Gathered { items, rest });
        }
        let found = find(*range, needed - items.len())?;
        items.extend(found.items);
        if let Some((block, _)) = found.next.filter(|_| items.len() < needed) {
            let rest = Some(block);
            return Ok(Gathered { items, rest });
        }
    }
    Ok(Gathered { items, rest: None })
}

/// A page of what a search finds: all of it when it is about one block, so that it can be counted.
fn gathered<T>(
    reader: &dyn Reader,
    wanted: &Wanted,
    window: Window,
    find: impl FnMut((BlockNumber, BlockNumber), usize) -> Result<Found<T>, No>,
) -> Result<Listed<T>, No> {
    let ranges = wanted.ranges(reader)?;
    if wanted.block.is_some() {
        let found = search(&ranges, usize::MAX, wanted.until, find)?;
        return Ok(window.cut(found.items));
    }
    let end = window.skip().saturating_add(window.limit());
    // One more tells whether a next page follows.
    let needed = end.saturating_add(1);
    if needed > DEEPEST {
        return Err(No::Problem(Problem::new(
            code::LIMIT,
            format!(
                "rows beyond {DEEPEST} are not given by pages; give `block_end`, the lowest block that you have, and begin with page 1"
            ),
        )));
    }
    let found = search(&ranges, needed, wanted.until, find)?;
    match found.rest {
        // Nothing more can come on this page, however often it is asked for.
        Some(rest) if found.items.len() <= window.skip() => {
            return Err(No::Problem(Problem::new(
                code::LIMIT,
                format!(
                    "the search came to its bound above block {rest}, before this page began; give block_end={rest} and page=1 to go on below"
                ),
            )));
        }
        _ => {}
    }
    let more = found.items.len() > end || found.rest.is_some();
    let page = found.items.into_iter();
    let page = page.skip(window.skip()).take(window.limit());
    Ok(window.page(page.collect(), None, more))
}

/// Times of blocks.
fn times(
    reader: &dyn Reader,
    mut blocks: Vec<BlockNumber>,
) -> Result<HashMap<BlockNumber, String>, No> {
    blocks.sort_unstable();
    blocks.dedup();
    let found = reader.blocks(&blocks)?.into_iter().flatten();
    Ok(found
        .filter_map(|block| Some((block.number, time(block.timestamp_ms?))))
        .collect())
}

fn id(block: BlockNumber, index: u32) -> String {
    format!("{block}-{index:04}")
}

pub(super) fn events(
    reader: &dyn Reader,
    wanted: &Wanted,
    window: Window,
) -> Result<Listed<EventRow>, No> {
    let page = gathered(reader, wanted, window, |(from, to), first| {
        let filter = EventFilter {
            account: wanted.account,
            pallet: wanted.pallet.clone(),
            name: wanted.name.clone(),
            from: Some(from),
            to: Some(to),
        };
        Ok(reader.find_events(&filter, None, first)?)
    })?;
    let times = times(reader, page.data.iter().map(|event| event.block).collect())?;
    Ok(page.map(|event| {
        let (phase, extrinsic) = match event.phase {
            Phase::ApplyExtrinsic(index) => ("ApplyExtrinsic", Some(index)),
            Phase::Initialization => ("Initialization", None),
            Phase::Finalization => ("Finalization", None),
        };
        EventRow {
            id: id(event.block, event.index),
            extrinsic_index: extrinsic,
            index: event.index,
            phase,
            full_name: format!("{}.{}", event.pallet, event.name),
            pallet: event.pallet,
            name: event.name,
            args: Any(event.fields),
            block_number: event.block,
            extrinsic_id: extrinsic.map(|index| id(event.block, index)),
            call_id: None,
            timestamp: times.get(&event.block).cloned(),
        }
    }))
}

pub(super) fn extrinsics(
    reader: &dyn Reader,
    wanted: &Wanted,
    window: Window,
) -> Result<Listed<ExtrinsicRow>, No> {
    let page = gathered(reader, wanted, window, |(from, to), first| {
        let filter = ExtrinsicFilter {
            account: wanted.account,
            pallet: wanted.pallet.clone(),
            call: wanted.name.clone(),
            error: None,
            success: wanted.success,
            from: Some(from),
            to: Some(to),
        };
        let found = reader.find_extrinsics(&filter, None, first)?;
        Ok(Found {
            items: found.items.into_iter().map(|one| one.extrinsic).collect(),
            next: found.next,
        })
    })?;
    let blocks = page.data.iter().map(|one: &ports::Extrinsic| one.block);
    let times = times(reader, blocks.collect())?;
    Ok(page.map(|one| {
        let id = id(one.block, one.index);
        ExtrinsicRow {
            timestamp: times.get(&one.block).cloned(),
            block_number: one.block,
            hash: Hash(one.hash),
            id: id.clone(),
            index: one.index,
            version: one.version,
            signature: None,
            signer_address: one.signer.as_ref().map(hex_of),
            tip: one.tip.map(|tip| tip.to_string()),
            fee: one.fee.map(|fee| fee.to_string()),
            success: one.success,
            error: one.error.map(|error| ErrorRow {
                extra_info: error.docs,
                name: error.name,
                pallet: error.pallet.map(small),
            }),
            call_id: id,
            full_name: format!("{}.{}", one.call.pallet, one.call.name),
            call_args: Any(one.call.args),
        }
    }))
}

/// The same with a small first letter.
fn small(name: String) -> String {
    let mut chars = name.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => name,
    }
}

pub(super) fn blocks(
    reader: &dyn Reader,
    number: Option<BlockNumber>,
    hash: Option<H256>,
    window: Window,
) -> Result<Listed<BlockRow>, No> {
    let number = match (number, hash) {
        (None, Some(hash)) => {
            let found = reader.block_numbers(&[hash])?.into_iter().next().flatten();
            let found =
                found.ok_or_else(|| nothing(format!("no stored block has the hash {hash}")))?;
            Some(found)
        }
        (number, None) => number,
        (Some(_), Some(_)) => {
            let text = "`block_number` and `hash` exclude each other; give one";
            return Err(No::Problem(bad(text.to_owned())));
        }
    };
    if let Some(number) = number {
        let block = reader.blocks(&[number])?.into_iter().next().flatten();
        let block = match block {
            Some(block) => block,
            None => return Err(out_of_range(reader, number)),
        };
        return Ok(window.cut(vec![block]).map(row));
    }
    let spans = reader.status()?.spans;
    let stored: u64 = spans
        .iter()
        .map(|(first, last)| u64::from(*last).saturating_sub(u64::from(*first)) + 1)
        .sum();
    let total = usize::try_from(stored).unwrap_or(usize::MAX);
    let skip = u64::try_from(window.skip()).unwrap_or(u64::MAX);
    let heights = newest(&spans, skip, window.limit());
    let found = reader.blocks(&heights)?.into_iter().flatten();
    let more = window.skip().saturating_add(window.limit()) < total;
    Ok(window.page(found.map(row).collect(), Some(total), more))
}

/// So many heights from the top down, after some.
fn newest(spans: &[(BlockNumber, BlockNumber)], mut skip: u64, limit: usize) -> Vec<BlockNumber> {
    let mut heights = Vec::with_capacity(limit);
    for (first, last) in spans.iter().rev().copied() {
        let length = u64::from(last).saturating_sub(u64::from(first)) + 1;
        if skip >= length {
            skip -= length;
            continue;
        }
        // Less than the length, which a height holds.
        let cut = u32::try_from(skip).unwrap_or(u32::MAX);
        let left = limit - heights.len();
        heights.extend((first..=last.saturating_sub(cut)).rev().take(left));
        skip = 0;
    }
    heights
}

fn row(block: ports::Block) -> BlockRow {
    BlockRow {
        block_number: block.number,
        hash: Hash(block.hash),
        parent_hash: Hash(block.parent_hash),
        state_root: Hash(block.state_root),
        extrinsics_root: Hash(block.extrinsics_root),
        spec_name: None,
        spec_version: block.spec_version,
        impl_name: None,
        impl_version: None,
        timestamp: block.timestamp_ms.map(time),
        validator: None,
        events_count: block.event_count,
        extrinsics_count: block.extrinsic_count,
        calls_count: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A search of ranges that each hold some rows; what was asked, and what came.
    fn searched(
        ranges: &[(BlockNumber, BlockNumber)],
        rows: usize,
        needed: usize,
        bound: Option<BlockNumber>,
    ) -> (Vec<BlockNumber>, usize, Option<BlockNumber>) {
        let mut asked = Vec::new();
        let until = Instant::now() + Duration::from_secs(600);
        let found = search(ranges, needed, until, |(_, to), first| {
            asked.push(to);
            let items = vec![(); rows.min(first)];
            let next = bound.or((rows > first).then_some(to));
            Ok(Found {
                items,
                next: next.map(|block| (block, 0)),
            })
        });
        let found = found.unwrap();
        (asked, found.items.len(), found.rest)
    }

    #[test]
    fn a_search_goes_down_and_ends_at_its_bound() {
        let ranges = [(80, 90), (40, 50), (1, 10)];
        assert_eq!(searched(&ranges, 2, 3, None), (vec![90, 50], 3, None));
        assert_eq!(searched(&ranges, 2, 9, None), (vec![90, 50, 10], 6, None));
        // One port's bound ends it: another search would hold the place for as long again.
        assert_eq!(searched(&ranges, 2, 9, Some(85)), (vec![90], 2, Some(85)));
        assert_eq!(searched(&ranges, 2, 2, Some(85)), (vec![90], 2, None));
        let many: Vec<_> = (1..=9).rev().map(|n| (n * 10, n * 10 + 5)).collect();
        let (asked, rows, rest) = searched(&many, 0, 1, None);
        assert_eq!((asked.len(), rows, rest), (RANGES, 0, Some(55)));
    }

    #[test]
    fn a_search_ends_when_nobody_waits_for_it() {
        let ranges = [(80, 90), (40, 50)];
        let mut asked = 0;
        let found = search(&ranges, 9, Instant::now(), |_, _| {
            asked += 1;
            Ok(Found::<()> {
                items: Vec::new(),
                next: None,
            })
        });
        assert_eq!((asked, found.unwrap().rest), (1, Some(50)));
    }

    #[test]
    fn heights_go_down_over_holes() {
        let spans = [(3, 5), (9, 9), (20, 22)];
        assert_eq!(newest(&spans, 0, 5), [22, 21, 20, 9, 5]);
        assert_eq!(newest(&spans, 2, 3), [20, 9, 5]);
        assert_eq!(newest(&spans, 4, 9), [5, 4, 3]);
        assert!(newest(&spans, 7, 9).is_empty());
        assert_eq!(newest(&[(0, u32::MAX)], u64::from(u32::MAX), 2), [0]);
    }
}
