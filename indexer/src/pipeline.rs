//! The road: fetch ahead, prepare in order, commit on one thread, then tell.
//!
//! ```text
//! schedule ─┬─ walk (the head)    ──windows──┐
//!           ├─ walk (a range)     ──windows──┼─bounded──► write (ONE thread) ──► notify
//!           └─ again (the ledger) ──windows──┘
//! ```

pub mod pace;
pub mod ranges;
mod restage;
mod schedule;
mod walk;
mod write;

use std::sync::Arc;

use chain_metadata::BlockNumber;
use crossbeam_channel::bounded;
use tokio::sync::watch;

use crate::IndexError;
use crate::notify::Notify;
use crate::plan::Prepared;
use crate::source::ChainSource;
use crate::store::{Missing, Restage, Store};
use schedule::Schedule;
use write::Writer;

/// What to index.
#[derive(Debug, Clone)]
pub struct Plan {
    /// First block, if told. What is missing between it and the highest stored
    /// block is filled.
    pub from: Option<BlockNumber>,
    /// Where an empty store begins when neither `from` nor `ranges` are told: at
    /// the finalized head (nodes that keep little state) or at block 0.
    pub at_head: bool,
    /// Last block; `None` follows the chain until told to stop.
    pub until: Option<BlockNumber>,
    /// Ranges to fill besides, first and last block of each.
    pub ranges: Vec<(BlockNumber, BlockNumber)>,
    /// Into how many pieces what is missing is cut, to be filled side by side.
    pub split: u32,
    /// Most ranges filled at once, besides the head.
    pub ranges_at_once: usize,
    /// Leave out blocks whose state no node has any more, and say so.
    pub allow_partial: bool,
    /// Most blocks fetched in one batch.
    pub window: u32,
    /// Windows fetched ahead.
    pub ahead: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            from: None,
            at_head: false,
            until: None,
            ranges: Vec::new(),
            split: 1,
            ranges_at_once: 2,
            allow_partial: false,
            window: 32,
            ahead: 2,
        }
    }
}

/// How far the road is, for progress bars and readiness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Highest committed block.
    pub committed: Option<BlockNumber>,
    /// Finalized head of the node when last heard.
    pub finalized: Option<BlockNumber>,
    /// Blocks committed since the start, in all spans.
    pub stored: u64,
    /// Blocks of the wanted ranges that were missing at the start; `None` before
    /// that is known.
    pub wanted: Option<u64>,
    /// Blocks of the wanted ranges that are still missing; what the head adds is
    /// not among them.
    pub left: u64,
}

/// What the writer is given.
enum Work {
    /// Blocks one after the other.
    Blocks(Vec<Prepared>),
    /// Stored blocks whose derived rows are made again.
    Restage(Restage, Vec<Prepared>),
    /// Blocks that no node has; `None` when some may be there since.
    Missing(Option<Missing>),
}

/// Indexes what the plan wants, or until `stop` becomes true; returns the highest
/// committed block. Blocks that were committed stay, whatever the error.
pub async fn run<S: ChainSource>(
    source: Arc<S>,
    store: Store,
    plan: Plan,
    notify: Notify,
    progress: watch::Sender<Progress>,
    mut stop: watch::Receiver<bool>,
) -> Result<Option<BlockNumber>, IndexError> {
    store.bind_genesis(source.genesis().await?)?;
    let (live, live_work) = bounded::<Work>(2);
    let (rest, rest_work) = bounded::<Work>(2);
    let (ended, mut end_of_writer) = tokio::sync::oneshot::channel();
    {
        let (store, progress) = (store.clone(), progress.clone());
        std::thread::Builder::new()
            .name("commit".into())
            .spawn(move || {
                let writer = Writer::new(store, notify, progress);
                // Whoever hears of the end may open the store again at once.
                let work = || writer.run(live_work, rest_work);
                let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                let _ = ended.send(done.unwrap_or_else(|panic| Err(panicked(&*panic))));
            })
            .map_err(|e| IndexError::Thread("commit", e.to_string()))?;
    }
    let mut schedule = Schedule::new(source, store.clone(), plan, live, rest, progress);
    let outcome = tokio::select! {
        walked = schedule.run() => Ok(walked),
        _ = stop.wait_for(|stop| *stop) => Ok(Ok(())),
        // The writer goes first only when it failed.
        ended = &mut end_of_writer => Err(ended.unwrap_or_else(gone)),
    };
    schedule.end().await;
    match outcome {
        Ok(walked) => {
            // The writer finishes what it was given.
            end_of_writer.await.unwrap_or_else(gone)?;
            walked?;
        }
        Err(ended) => ended?,
    }
    Ok(store.last()?)
}

fn gone<E: std::fmt::Display>(error: E) -> Result<(), IndexError> {
    Err(IndexError::Thread("commit", error.to_string()))
}

/// What a thread said when it panicked.
fn panicked(panic: &(dyn std::any::Any + Send)) -> IndexError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    IndexError::Thread("commit", text.unwrap_or("no reason was given").to_owned())
}
