//! One file a concern: what of a prepared block becomes rows.
//!
//! A stage only adds to the block's batch; [`block_batch`] runs them all and
//! puts the checkpoint behind them. [`DERIVED`] are those whose rows follow from
//! all blocks before: they are run again where two spans were joined.

pub mod activity;
pub mod blocks;
pub mod commits;
pub mod epochs;
pub mod pulse;
pub mod runtimes;
pub mod sets;
pub mod stake;
pub mod state;
pub mod tenancy;

use crate::IndexError;
use crate::plan::Prepared;
use crate::store::spans::{delete_restage, delete_span, put_joint, put_restage, put_span};
use crate::store::{Batch, Checkpoint, Joint, Restage, Store, StoreError};
use chain_metadata::{BlockNumber, H256};

pub use state::Tip;

/// A stage whose rows follow from all blocks before, not from one alone.
#[derive(Debug, Clone, Copy)]
pub struct Derived {
    /// Its name in messages.
    pub name: &'static str,
    /// Adds the rows of a block to its batch. Everything it knows of the blocks
    /// before is in the tip, or is read from its own tables and, at the block
    /// before, from the others.
    pub rows: fn(&Store, &mut Tip, &Prepared, &mut Batch) -> Result<(), IndexError>,
    /// Removes every row that began with a block, those of later blocks that hang
    /// on them included.
    pub forget: fn(&Store, BlockNumber, &mut Batch) -> Result<(), StoreError>,
}

/// Stages that are run again for the blocks of a span when it is joined to the
/// one below, in order.
pub const DERIVED: &[Derived] = &[
    Derived {
        name: "commits",
        rows: commits::rows,
        forget: commits::forget,
    },
    Derived {
        name: "tenancies",
        rows: tenancy::rows,
        forget: tenancy::forget,
    },
];

/// Refuses a block that does not continue the tip.
fn continues(tip: &Checkpoint, block: &Prepared) -> Result<(), IndexError> {
    if block.raw.parent.0 == tip.hash && Some(block.raw.number) == tip.last.checked_add(1) {
        return Ok(());
    }
    Err(IndexError::Parent {
        block: block.raw.number,
        parent: block.raw.parent,
        stored: H256(tip.hash),
    })
}

/// Builds the batch of one block: all stages and the new checkpoint.
///
/// Refuses a block whose parent is not the last block of `tip`. While the derived
/// rows of the span are made again, those of its new blocks wait for their turn.
pub fn block_batch(store: &Store, tip: &mut Tip, block: &Prepared) -> Result<Batch, IndexError> {
    let first = match &tip.checkpoint {
        Some(last) => {
            continues(last, block)?;
            last.first
        }
        None => {
            store.starting(block.raw.number)?;
            block.raw.number
        }
    };
    let mut batch = Batch::default();
    facts(store, tip, block, &mut batch)?;
    if store.restage_of(first).is_none() {
        for stage in DERIVED {
            (stage.rows)(store, tip, block, &mut batch)?;
        }
    }
    let checkpoint = Checkpoint {
        first,
        last: block.raw.number,
        hash: block.raw.hash.0,
        spec: block.layout.spec,
        upgraded_to: block.upgraded_to,
    };
    put_span(&mut batch, &checkpoint);
    tip.checkpoint = Some(checkpoint);
    Ok(batch)
}

/// The stages that need nothing but the block and the state before it.
fn facts(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    batch: &mut Batch,
) -> Result<(), IndexError> {
    blocks::rows(block, batch);
    activity::rows(block, batch);
    runtimes::rows(store, tip, block, batch)?;
    state::rows(store, tip, block, batch)?;
    pulse::rows(store, tip, block, batch)?;
    epochs::rows(block, batch)?;
    sets::rows(block, batch);
    stake::rows(store, tip, block, batch)?;
    Ok(())
}

/// Builds the batch that joins the span of `tip` to the one above it: `block` is
/// the first one of that, now read as the next block of the lower span.
///
/// Refuses a block that is not the child of the lower span's last one, or not the
/// one that the upper span begins with.
pub fn join_batch(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    above: &Checkpoint,
) -> Result<Batch, IndexError> {
    let number = block.raw.number;
    let Some(below) = tip.checkpoint else {
        return Err(IndexError::Range(format!(
            "block {number} joins nothing: this is a mistake in the program, please report it"
        )));
    };
    continues(&below, block)?;
    let stored = store.block(number)?.map(|row| H256(row.hash));
    if above.first != number || stored != Some(block.raw.hash) {
        return Err(IndexError::Joint {
            block: number,
            hash: block.raw.hash,
            stored: stored.unwrap_or(H256::ZERO),
        });
    }
    let mut batch = Batch::default();
    facts(store, tip, block, &mut batch)?;
    let joined = Checkpoint {
        first: below.first,
        ..*above
    };
    put_span(&mut batch, &joined);
    delete_span(&mut batch, above.first);
    let joint = Joint {
        at: number,
        to: above.last,
        cursor: Vec::new(),
        swept: false,
    };
    put_joint(&mut batch, &joint);
    delete_restage(&mut batch, above.first);
    if store.restage_of(below.first).is_none() {
        let restage = Restage {
            span: below.first,
            from: number,
            done: below.last,
        };
        put_restage(&mut batch, &restage);
    }
    tip.checkpoint = Some(joined);
    Ok(batch)
}

/// Builds the batch that makes the derived rows of one block again. `tip` is at
/// the block before.
/// `end` is the last block of the span.
pub fn restage_batch(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    restage: &Restage,
    end: BlockNumber,
) -> Result<Batch, IndexError> {
    let number = block.raw.number;
    let mut batch = Batch::default();
    // The upper span knew neither how old its values are nor what was left of subnets
    // that were gone.
    let mut told = Batch::default();
    pulse::rows(store, tip, block, &mut told)?;
    for (key, value) in told.ops {
        // Most rows are right already.
        if store.engine().get(&key).map_err(StoreError::from)? != value {
            batch.ops.push((key, value));
        }
    }
    for stage in DERIVED {
        (stage.forget)(store, number, &mut batch)?;
        (stage.rows)(store, tip, block, &mut batch)?;
    }
    if number == end {
        delete_restage(&mut batch, restage.span);
    } else {
        let done = Restage {
            done: number,
            ..*restage
        };
        put_restage(&mut batch, &done);
    }
    tip.checkpoint = Some(Checkpoint {
        first: restage.span,
        last: number,
        hash: block.raw.hash.0,
        spec: block.layout.spec,
        upgraded_to: block.upgraded_to,
    });
    Ok(batch)
}
