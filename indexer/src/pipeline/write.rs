//! The only thread that writes.

use std::collections::HashMap;

use chain_metadata::{BlockNumber, NetUid};
use crossbeam_channel::{Receiver, TryRecvError, never, select};
use tokio::sync::watch;

use super::walk::first_of;
use super::{Progress, Work};
use crate::IndexError;
use crate::notify::{Committed, Notify};
use crate::plan::Prepared;
use crate::stages::{Tip, block_batch, join_batch, restage_batch};
use crate::store::{Restage, Store};

/// Keys that are swept behind a window, and while there is none.
const SWEPT: (usize, usize) = (200, 2_000);

/// Writes what walkers hand over.
pub(super) struct Writer {
    store: Store,
    notify: Notify,
    progress: watch::Sender<Progress>,
    /// Ends of spans that are being written, by their first block.
    tips: HashMap<BlockNumber, Tip>,
    /// Up to where derived rows are made again, and for which run.
    restaging: Option<(Restage, Tip)>,
}

impl Writer {
    pub(super) fn new(store: Store, notify: Notify, progress: watch::Sender<Progress>) -> Writer {
        Writer {
            store,
            notify,
            progress,
            tips: HashMap::new(),
            restaging: None,
        }
    }

    /// Works until both senders are gone. Windows of the head go first.
    pub(super) fn run(
        mut self,
        mut live: Receiver<Work>,
        mut rest: Receiver<Work>,
    ) -> Result<(), IndexError> {
        let (mut live_gone, mut rest_gone) = (false, false);
        let mut sweeping = !self.store.joints().is_empty();
        while !(live_gone && rest_gone) {
            let mut work = None;
            match live.try_recv() {
                Ok(window) => work = Some(window),
                Err(TryRecvError::Disconnected) => (live_gone, live) = (true, never()),
                Err(TryRecvError::Empty) => {}
            }
            if work.is_none() {
                let wait = match sweeping {
                    true => crossbeam_channel::after(std::time::Duration::ZERO),
                    false => never(),
                };
                if live_gone && rest_gone {
                    break;
                }
                select! {
                    recv(live) -> got => match got {
                        Ok(window) => work = Some(window),
                        Err(_) => (live_gone, live) = (true, never()),
                    },
                    recv(rest) -> got => match got {
                        Ok(window) => work = Some(window),
                        Err(_) => (rest_gone, rest) = (true, never()),
                    },
                    recv(wait) -> _ => sweeping = self.sweep(SWEPT.1)?,
                }
            }
            match work {
                Some(Work::Blocks(window)) => self.blocks(window)?,
                Some(Work::Restage(restage, window)) => self.restage(restage, &window)?,
                Some(Work::Missing(Some(missing))) => self.store.set_missing(&missing)?,
                Some(Work::Missing(None)) => self.store.tidy_missing()?,
                None => continue,
            }
            if !self.store.joints().is_empty() {
                sweeping = self.sweep(SWEPT.0)?;
            }
        }
        Ok(())
    }

    /// Clears up behind joints; tells whether there is more to do.
    fn sweep(&mut self, most: usize) -> Result<bool, IndexError> {
        let more = self.store.sweep(most)?;
        if more {
            // A row that was the first of its frame may be gone.
            self.tips.values_mut().for_each(Tip::forget_firsts);
        } else {
            self.store.drop_joints()?;
            // Whoever waits for the end of it looks again.
            self.progress.send_modify(|_| {});
        }
        Ok(more)
    }

    /// Commits a window in one go, a batch a block; listeners hear of it when it
    /// is on disk.
    fn blocks(&mut self, window: Vec<Prepared>) -> Result<(), IndexError> {
        let Some(number) = first_of(&window) else {
            return Ok(());
        };
        let started = std::time::Instant::now();
        let below = number.checked_sub(1).and_then(|n| self.store.span_to(n));
        if below.is_none() && self.store.span_of(number).is_some() {
            return Err(IndexError::Range(format!(
                "block {number} is stored already and was read again: this is a mistake in the program, please report it"
            )));
        }
        let first = below.map_or(number, |span| span.first);
        let known = self.tips.remove(&first);
        let mut tip = known.unwrap_or_else(|| Tip::of(&self.store, first));
        let mut batches = Vec::with_capacity(window.len());
        let (mut failed, mut joined) = (None, None);
        let mut good = 0;
        for block in &window {
            let above = self.store.span_from(block.raw.number);
            let above = above.filter(|_| tip.checkpoint.is_some());
            let batch = match &above {
                Some(above) => join_batch(&self.store, &mut tip, block, above),
                None => block_batch(&self.store, &mut tip, block),
            };
            match batch {
                Ok(batch) => batches.push(batch),
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
            good += 1;
            if above.is_some() {
                joined = above;
                break;
            }
        }
        self.store.commit(batches)?;
        metrics::histogram!("indexer_commit_seconds").record(started.elapsed().as_secs_f64());
        if let Some(above) = joined {
            // What the two tips knew is of two spans; the one of both is read anew.
            self.tips.remove(&above.first);
            tracing::info!(
                first,
                block = above.first,
                last = above.last,
                "two ranges of blocks are one"
            );
        } else {
            tip.trim();
            self.tips.insert(first, tip);
        }
        let new = good - usize::from(joined.is_some());
        self.tell(first, window.iter().take(new));
        failed.map_or(Ok(()), Err)
    }

    fn tell<'a>(&self, first: BlockNumber, window: impl Iterator<Item = &'a Prepared>) {
        let top = self.store.spans().last().copied();
        let highest = top.is_some_and(|top| top.first == first);
        let mut stored = 0;
        for block in window {
            stored += 1;
            metrics::counter!("indexer_blocks_total").increment(1);
            // Listeners hear of blocks in order; those that fill a gap are history.
            if highest {
                self.notify.committed(Committed {
                    number: block.raw.number,
                    hash: block.raw.hash,
                    epochs: block.epochs.iter().map(|n| NetUid(*n)).collect(),
                });
            }
        }
        let last = top.map(|top| top.last);
        if let Some(last) = last {
            metrics::gauge!("indexer_height").set(f64::from(last));
        }
        self.progress.send_modify(|p| {
            p.committed = last;
            p.stored += stored;
        });
        tracing::debug!(first, blocks = stored, last, "committed");
    }

    /// Commits derived rows that were made again. What belongs to a run that was
    /// overtaken by another join is thrown away.
    fn restage(&mut self, run: Restage, window: &[Prepared]) -> Result<(), IndexError> {
        let current = self.store.restage_of(run.span);
        let Some(current) = current.filter(|now| now.from == run.from) else {
            self.restaging = None;
            return Ok(());
        };
        if first_of(window) != current.done.checked_add(1) {
            return Ok(());
        }
        let same = |(known, _): &(Restage, Tip)| *known == current;
        let mut tip = match self.restaging.take().filter(same) {
            Some((_, tip)) => tip,
            None => Tip::at(&self.store, current.span, current.done)?,
        };
        let end = self.store.span_from(current.span).map_or(0, |s| s.last);
        let mut batches = Vec::with_capacity(window.len());
        let mut done = current;
        for block in window {
            batches.push(restage_batch(&self.store, &mut tip, block, &done, end)?);
            done.done = block.raw.number;
        }
        self.store.commit(batches)?;
        tip.trim();
        if done.done == end {
            // From here on the rows follow from each other again.
            if let Some(tip) = self.tips.get_mut(&current.span) {
                tip.forget_derived();
            }
            self.store.drop_joints()?;
            tracing::info!(from = current.from, last = end, "the ledger is whole again");
        } else {
            self.restaging = Some((done, tip));
        }
        self.progress.send_modify(|_| {});
        Ok(())
    }
}
