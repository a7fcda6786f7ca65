//! What happened to commits in a block.

use std::ops::RangeInclusive;

use chain_metadata::BlockNumber;

use crate::commits::{Id, Step};
use crate::store::{Store, StoreError};

/// Something that happened to a commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Did {
    /// It was made.
    Made,
    /// It took a step.
    Took(Step),
}

/// What happened to commits in the blocks of a range: the block, the entry, what. By block, then
/// by entry, then in the order in which it happened to it. Blocks that are not stored have
/// nothing; of those above a restage the rows are not right yet.
pub fn steps(
    store: &Store,
    range: RangeInclusive<BlockNumber>,
) -> Result<Vec<(BlockNumber, Id, Did)>, StoreError> {
    store.at_once(|| {
        let made = store.commits_made(&range)?.into_iter();
        let mut all: Vec<_> = made.map(|id| (id.block, id, Did::Made)).collect();
        let taken = store.commit_steps(&range)?.into_iter();
        all.extend(taken.map(|(id, step)| (step.block, id, Did::Took(step))));
        // An entry is made before it takes a step; the order of its steps stays.
        all.sort_by_key(|(block, id, _)| (*block, *id));
        Ok(all)
    })
}
