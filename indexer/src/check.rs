//! Looks over a whole store: engine, parent hashes, gaps, what joins left behind,
//! and a digest of every row that comes from the chain.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use chain_metadata::{BlockNumber, H256};

use crate::store::commits::found_at;
use crate::store::engine::Range;
use crate::store::read::StateRow;
use crate::store::tables::{ALL, Table};
use crate::store::{Checkpoint, Store, StoreError};

/// Why a store did not pass.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block inside the range is not there.
    #[error(
        "block {0} is missing between the first and the last block of its range: index again from a new --data-dir"
    )]
    Missing(BlockNumber),
    /// A block does not continue the one before.
    #[error("block {number} has parent {parent}, but block {} has hash {before}", number - 1)]
    Parent {
        /// Block.
        number: BlockNumber,
        /// Its parent hash.
        parent: H256,
        /// Hash of the block before it.
        before: H256,
    },
    /// A block that belongs to no span.
    #[error(
        "{stored} blocks are stored, the ranges have {told}: index again from a new --data-dir"
    )]
    Stray {
        /// Rows of table block.
        stored: u64,
        /// Blocks of all spans.
        told: u64,
    },
    /// A change that is none.
    #[error(
        "table state, key 0x{key}: the value is the one before: index again from a new --data-dir"
    )]
    Repeated {
        /// Key in hex.
        key: String,
    },
    /// Table commit-step-at is not that of table commit-step.
    #[error(
        "table commit-step-at has {stored} rows, of the {told} steps in table commit-step {found} are found by it: index again from a new --data-dir"
    )]
    Steps {
        /// Rows of commit-step-at.
        stored: u64,
        /// Rows of commit-step.
        told: u64,
        /// Those of them that commit-step-at names, by their blocks.
        found: u64,
    },
    /// A block's rows contradict each other.
    #[error("block {number}: {what}")]
    Block {
        /// Block.
        number: BlockNumber,
        /// What is wrong.
        what: String,
    },
}

/// Tables of what came in from elsewhere than the chain: no node can tell whether two
/// stores should agree on them.
pub const RESULTS: [Table; 4] = [
    Table::Result,
    Table::ResultOf,
    Table::ResultPayload,
    Table::ResultSeen,
];

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Lowest block.
    pub first: BlockNumber,
    /// Highest block.
    pub last: BlockNumber,
    /// First and last block of every span.
    pub spans: Vec<(BlockNumber, BlockNumber)>,
    /// Places where spans were joined and that are not cleared up yet.
    pub unfinished: u64,
    /// Rows and bytes (keys and values) of each table.
    pub tables: Vec<(&'static str, u64, u64)>,
    /// blake2-256 over every key and value, in order, of every table that can be
    /// built again from the chain: equal for two stores exactly when they have the
    /// same of it. Results of challenges ([`RESULTS`]) are counted and not in it.
    pub digest: H256,
}

/// Checks everything; reads the whole store once.
pub fn check(store: &Store) -> Result<Report, CheckError> {
    let spans = store.spans();
    let (Some(lowest), Some(highest)) = (spans.first(), spans.last()) else {
        return Err(StoreError::Empty.into());
    };
    for tip in &spans {
        span(store, tip)?;
    }
    let joints = store.joints();
    for joint in &joints {
        if store.span_of(joint.at).is_none_or(|s| s.first == joint.at) {
            return Err(CheckError::Block {
                number: joint.at,
                what: "two ranges were joined here, but it is in none, or its first".into(),
            });
        }
    }
    let mut hasher = Blake2b::<U32>::new();
    let mut tables = Vec::new();
    let (mut steps, mut steps_found) = (0, 0);
    for table in ALL {
        let (mut rows, mut bytes) = (0, 0);
        let mut before: Option<(Vec<u8>, StateRow)> = None;
        for row in store.engine().scan(Range::prefix(&table.key(&[]))) {
            let (key, value) = row.map_err(StoreError::from)?;
            for part in [&key, &value] {
                let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
                if !RESULTS.contains(&table) {
                    hasher.update(len.to_le_bytes());
                    hasher.update(part);
                }
                bytes += len;
            }
            rows += 1;
            if table == Table::CommitStep {
                let name = found_at(&key, &value)?;
                let found = store.engine().get(&name).map_err(StoreError::from)?;
                steps_found += u64::from(found.is_some());
            }
            if table == Table::State {
                let prefix = key.get(..key.len().saturating_sub(4)).unwrap_or_default();
                let prefix = prefix.to_vec();
                let row = store.state_row(&prefix, (key.clone(), value))?;
                let again = before.filter(|_| joints.is_empty());
                if again.is_some_and(|before| repeats(store, &before, (&prefix, &row))) {
                    let key = hex::encode(key);
                    return Err(CheckError::Repeated { key });
                }
                before = Some((prefix, row));
            }
        }
        if table == Table::Block {
            let told = spans.iter().map(|s| u64::from(s.last - s.first) + 1).sum();
            if rows != told {
                return Err(CheckError::Stray { stored: rows, told });
            }
        }
        match table {
            Table::CommitStep => steps = rows,
            Table::CommitStepAt if (rows, steps) != (steps, steps_found) => {
                return Err(CheckError::Steps {
                    stored: rows,
                    told: steps,
                    found: steps_found,
                });
            }
            _ => {}
        }
        tables.push((table.name(), rows, bytes));
    }
    Ok(Report {
        first: lowest.first,
        last: highest.last,
        spans: spans.iter().map(|s| (s.first, s.last)).collect(),
        unfinished: u64::try_from(joints.len()).unwrap_or(u64::MAX),
        tables,
        digest: H256(hasher.finalize().into()),
    })
}

/// The blocks of one span.
fn span(store: &Store, tip: &Checkpoint) -> Result<(), CheckError> {
    let mut before: Option<[u8; 32]> = None;
    for number in tip.first..=tip.last {
        let block = store.block(number)?.ok_or(CheckError::Missing(number))?;
        let wrong = |what: String| CheckError::Block { number, what };
        let parent = block
            .header
            .first_chunk::<32>()
            .ok_or_else(|| wrong("its header is shorter than a hash".into()))?;
        if let Some(before) = before
            && *parent != before
        {
            return Err(CheckError::Parent {
                number,
                parent: H256(*parent),
                before: H256(before),
            });
        }
        if number > 0 && chain_metadata::blake2_256(&block.header).0 != block.hash {
            return Err(wrong("its header does not hash to its hash".into()));
        }
        if store.block_number(&H256(block.hash))? != Some(number) {
            return Err(wrong("its hash does not lead back to it".into()));
        }
        let body = store
            .body(number)?
            .ok_or_else(|| wrong("its body is missing".into()))?;
        if u32::try_from(body.len()) != Ok(block.extrinsics) {
            return Err(wrong(format!(
                "{} extrinsics are stored, its row says {}",
                body.len(),
                block.extrinsics
            )));
        }
        if store.events(number)?.is_none() {
            return Err(wrong("its events are missing".into()));
        }
        before = Some(block.hash);
    }
    if before != Some(tip.hash) {
        return Err(CheckError::Block {
            number: tip.last,
            what: "the checkpoint names another hash".into(),
        });
    }
    Ok(())
}

/// Whether a row of table state is of the same key and span as the one before it,
/// and has the same value.
fn repeats(store: &Store, before: &(Vec<u8>, StateRow), row: (&[u8], &StateRow)) -> bool {
    let ((key_before, before), (key, row)) = (before, row);
    key_before == key
        && before.value == row.value
        && before.changed_at >= store.floor(row.changed_at)
}

/// Every row of a store in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// How many rows there are.
    pub rows: u64,
    /// blake2-256 over every key and value in key order, with their lengths.
    pub hash: H256,
}

/// Reads every row once, those of unknown tables too.
pub fn digest(store: &Store) -> Result<Digest, StoreError> {
    let mut hasher = Blake2b::<U32>::new();
    let mut rows = 0;
    for row in store.engine().scan(crate::compact::everything()) {
        let (key, value) = row?;
        for part in [&key, &value] {
            let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
            hasher.update(len.to_le_bytes());
            hasher.update(part);
        }
        rows += 1;
    }
    Ok(Digest {
        rows,
        hash: H256(hasher.finalize().into()),
    })
}
