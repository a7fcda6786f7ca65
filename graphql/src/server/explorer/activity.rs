//! Blocks, extrinsics and events, newest first.

use std::collections::HashMap;

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
/// Rows asked of the port at a time.
const STEP: usize = 100;
/// Most questions to the port for one page.
const STEPS: usize = 200;

/// Which events or extrinsics.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    block: Option<BlockNumber>,
    pallet: Option<String>,
    name: Option<String>,
    account: Option<AccountId>,
    success: Option<bool>,
}

impl Wanted {
    pub(super) fn of(parameters: &Parameters<'_>) -> Result<Self, Problem> {
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
        Ok(Self {
            block: parameters.number("block_number")?,
            pallet,
            name,
            account: account(parameters, "signer_address")?,
            success,
        })
    }

    /// The blocks that are searched: one, which must be there, or all.
    fn blocks(&self, reader: &dyn Reader) -> Result<(BlockNumber, BlockNumber), No> {
        if let Some(block) = self.block {
            stamp(reader, block)?;
            return Ok((block, block));
        }
        let status = reader.status()?;
        let all = status.first.zip(status.last);
        all.ok_or_else(|| out_of_range(reader, "head"))
    }
}

/// A page of what a search finds: all of it when it is about one block, so that it can be counted.
fn gathered<T>(
    wanted: &Wanted,
    window: Window,
    mut find: impl FnMut(Option<(BlockNumber, u32)>, usize) -> Result<Found<T>, No>,
) -> Result<Listed<T>, No> {
    let counted = wanted.block.is_some();
    let needed = match counted {
        true => usize::MAX,
        // One more tells whether a next page follows.
        false => window
            .skip()
            .saturating_add(window.limit())
            .saturating_add(1),
    };
    if !counted && needed > DEEPEST {
        return Err(No::Problem(Problem::new(
            code::LIMIT,
            format!(
                "rows beyond {DEEPEST} are not given by pages; name a block, or ask GraphQL, whose cursors go on from anywhere"
            ),
        )));
    }
    let (mut all, mut before) = (Vec::new(), None);
    for _ in 0..STEPS {
        let found = find(before, STEP)?;
        all.extend(found.items);
        match found.next {
            Some(next) if all.len() < needed => before = Some(next),
            _ => {
                before = None;
                break;
            }
        }
    }
    if counted && before.is_none() {
        return Ok(window.cut(all));
    }
    let more = all.len() > window.skip().saturating_add(window.limit()) || before.is_some();
    let page = all.into_iter().skip(window.skip()).take(window.limit());
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
    let (from, to) = wanted.blocks(reader)?;
    let filter = EventFilter {
        account: wanted.account,
        pallet: wanted.pallet.clone(),
        name: wanted.name.clone(),
        from: Some(from),
        to: Some(to),
    };
    let page = gathered(wanted, window, |before, first| {
        Ok(reader.find_events(&filter, before, first)?)
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
    let (from, to) = wanted.blocks(reader)?;
    let filter = ExtrinsicFilter {
        account: wanted.account,
        pallet: wanted.pallet.clone(),
        call: wanted.name.clone(),
        error: None,
        success: wanted.success,
        from: Some(from),
        to: Some(to),
    };
    let page = gathered(wanted, window, |before, first| {
        let found = reader.find_extrinsics(&filter, before, first)?;
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
