//! Costs of fields, for the limit on complexity. One is about one value in the answer.

use super::paging::{DEFAULT_BLOCKS, DEFAULT_ITEMS};

/// Items that a page of most lists has when no size is given, and of long ones.
const LISTED: usize = 20;
const LONG: usize = 100;

/// Subnets that a list is reckoned to have.
const SUBNETS: usize = 128;
/// Neurons that a metagraph is reckoned to have.
const NEURONS: usize = 256;
/// Rows, and entries of a row, that a matrix is reckoned to have.
const MATRIX: usize = 256;
/// Storage items that a subnet is reckoned to have.
const ITEMS: usize = 128;
/// What decoding a whole block's extrinsics or events costs before any is given out.
const DECODE: usize = 20;
/// What putting a metagraph together costs.
const METAGRAPH: usize = 50;
/// What reading a matrix costs.
const READ_MATRIX: usize = 100;
/// What a walk costs that may look through thousands of rows for a single item of a page: 20,000 of
/// a ledger, or all stake of an account.
const WALK: usize = 2_000;
/// What a walk over records of verification costs, which looks through 50,000 of them.
const WALK_RECORDS: usize = 5_000;
/// What the records of a few blocks cost that are read for any page of them, if of all subnets.
const READ_RECORDS: usize = 500;
/// What it costs to read every record of a subnet, and to compute the worst epochs again.
const SUM_SUBNET: usize = 10_000;
/// The same for all subnets.
const SUM_ALL: usize = 50_000;
/// Keeps sums of costs from overflowing.
const CEILING: usize = 1 << 40;

fn times(count: usize, child: usize, base: usize) -> usize {
    count
        .saturating_mul(child)
        .saturating_add(base)
        .min(CEILING)
}

fn given(count: Option<i32>, otherwise: usize) -> usize {
    count.map_or(otherwise, |count| usize::try_from(count).unwrap_or(0))
}

fn listed<T>(list: &Option<Vec<T>>, otherwise: usize) -> usize {
    list.as_ref().map_or(otherwise, Vec::len)
}

fn page(first: Option<i32>, last: Option<i32>, default: u32, child: usize, base: usize) -> usize {
    let default = usize::try_from(default).unwrap_or(CEILING);
    times(given(first.or(last), default), child, base)
}

pub(crate) fn blocks(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    page(first, last, DEFAULT_BLOCKS, child, 1)
}

pub(crate) fn in_block(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    page(first, last, DEFAULT_ITEMS, child, DECODE)
}

/// A page of commits, each of which is put together from several rows. `filters` says which were
/// given, in the order hotkey, netuid, kind, state: the ledger is in the order of one of the first
/// two, and is looked through for the others.
pub(crate) fn commits(first: Option<i32>, filters: [bool; 4], child: usize) -> usize {
    let base = match filters {
        [true, false, false, false] | [false, _, false, false] => DECODE,
        _ => WALK,
    };
    times(given(first, LISTED), child.saturating_add(10), base)
}

/// A page of movements of stake. `filters` says which were given, in the order coldkey, hotkey,
/// netuid, kind: the ledger is in the order of one of the first three, and is looked through for
/// the others.
pub(crate) fn stake(first: Option<i32>, filters: [bool; 4], child: usize) -> usize {
    let given_filters = filters.iter().filter(|given| **given).count();
    let base = match filters {
        [_, _, _, false] if given_filters <= 1 => DECODE,
        _ => WALK,
    };
    times(given(first, LISTED), child, base)
}

/// A page of rows of stake at a block: all of them are read and sorted for any page.
pub(crate) fn shares(first: Option<i32>, child: usize) -> usize {
    times(given(first, LONG), child, WALK)
}

/// A page of verification records, of one subnet or all, of one outcome or any.
pub(crate) fn verifications(
    first: Option<i32>,
    one_subnet: bool,
    one_verdict: bool,
    child: usize,
) -> usize {
    let base = match (one_verdict, one_subnet) {
        (true, _) => WALK_RECORDS,
        (false, true) => METAGRAPH,
        (false, false) => READ_RECORDS,
    };
    times(given(first, LISTED), child, base)
}

/// What all records of a range say together, of one subnet or all.
pub(crate) fn summary(one_subnet: bool, child: usize) -> usize {
    let base = match one_subnet {
        true => SUM_SUBNET,
        false => SUM_ALL,
    };
    times(10, child, base)
}

/// A subnet's records in a line.
pub(crate) fn badge(child: usize) -> usize {
    times(1, child, SUM_SUBNET)
}

/// A page of records of challenges.
pub(crate) fn results(first: Option<i32>, child: usize) -> usize {
    times(given(first, LONG), child.saturating_add(2), DECODE)
}

/// A list with so many items as are named, or otherwise so many.
pub(crate) fn listed_or(list: &Option<Vec<u16>>, otherwise: usize, child: usize) -> usize {
    times(listed(list, otherwise), child, 1)
}

/// An epoch that is computed again, with something for every neuron.
pub(crate) fn epoch(child: usize) -> usize {
    times(NEURONS, child, 20 * METAGRAPH)
}

/// What computing many epochs costs before anything is given out.
pub(crate) const WHAT_IF: usize = 100 * METAGRAPH;

/// A simulation: so many epochs. What is said of neurons is counted when their number is known.
pub(crate) fn simulation(horizon: u32, child: usize) -> usize {
    times(usize::try_from(horizon).unwrap_or(CEILING), child, WHAT_IF)
}

/// A list whose length is counted when it is known: here it is one item.
pub(crate) fn counted_later(child: usize) -> usize {
    times(1, child, 1)
}

/// So many others that a validator is compared with.
pub(crate) fn relations(first: u16, child: usize) -> usize {
    times(usize::from(first).min(NEURONS), child, 1)
}

/// A page of a history, each item of which is a few rows.
pub(crate) fn history(first: Option<i32>, child: usize) -> usize {
    times(given(first, LISTED), child.saturating_add(2), DECODE)
}

/// A page of a series, each point of which has so many values.
pub(crate) fn series(first: Option<i32>, fields: usize, child: usize) -> usize {
    let point = fields.saturating_mul(child.saturating_add(1));
    times(given(first, LONG), point, 10 * DECODE)
}

/// A page of a search, each item of which may be a block decoded, and the blocks that are decoded
/// in vain.
pub(crate) fn search(first: Option<i32>, child: usize) -> usize {
    times(given(first, LISTED), child.saturating_add(10), 10 * DECODE)
}

pub(crate) fn decode(child: usize) -> usize {
    times(1, child, DECODE)
}

pub(crate) fn subnets(child: usize) -> usize {
    times(SUBNETS, child, 1)
}

pub(crate) fn items(names: &Option<Vec<String>>, child: usize) -> usize {
    times(listed(names, ITEMS), child, 1)
}

pub(crate) fn metagraph(child: usize) -> usize {
    times(1, child, METAGRAPH)
}

pub(crate) fn neurons(first: Option<i32>, uids: &Option<Vec<u16>>, child: usize) -> usize {
    times(given(first, NEURONS).min(listed(uids, NEURONS)), child, 1)
}

/// A matrix whose rows are reckoned below as all of them; `uids` scales that down.
pub(crate) fn matrix(uids: &Option<Vec<u16>>, child: usize) -> usize {
    let rows = listed(uids, MATRIX);
    times(rows, child, 0)
        .div_ceil(MATRIX)
        .saturating_add(READ_MATRIX)
}

pub(crate) fn rows(first: Option<i32>, child: usize) -> usize {
    times(given(first, MATRIX), child, 1)
}

pub(crate) fn entries(child: usize) -> usize {
    times(MATRIX, child, 1)
}

/// One row of a matrix that all neurons of a metagraph share.
pub(crate) fn row(child: usize) -> usize {
    times(1, child, 5)
}

/// A row's bare list of numbers, which is written in one go.
pub(crate) fn numbers() -> usize {
    MATRIX / 2
}

/// The same of some neurons, each of which is looked up.
pub(crate) fn numbers_of(of: &Option<Vec<u16>>) -> usize {
    numbers().saturating_add(listed(of, 0))
}

/// Subnets in which a hotkey is reckoned to have been.
const MEMBERSHIPS: usize = 16;

/// The subnets of a hotkey.
pub(crate) fn memberships(child: usize) -> usize {
    times(MEMBERSHIPS, child, DECODE)
}

/// A list of accounts.
pub(crate) fn accounts(first: Option<i32>, child: usize) -> usize {
    times(given(first, LONG), child, 1)
}

/// A page of a list of one account, each of which is a read of its own.
pub(crate) fn of_account(first: Option<i32>, child: usize) -> usize {
    times(given(first, LISTED), child.saturating_add(10), WALK)
}

/// Columns of a matrix.
pub(crate) fn columns(uids: &Option<Vec<u16>>, child: usize) -> usize {
    times(listed(uids, MATRIX), child, MATRIX)
}
