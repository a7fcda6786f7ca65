//! One stretch of blocks, from below upwards: fetch ahead, prepare in order.

use std::collections::VecDeque;
use std::sync::Arc;

use chain_metadata::{BlockNumber, H256};
use crossbeam_channel::Sender;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Progress, Work};
use crate::IndexError;
use crate::plan::{Ahead, Planner, Prepared, executed_in, layout_of};
use crate::source::{ChainSource, RawBlock, SourceError, Want};
use crate::store::{Store, StoreError};
use crate::view;
use crate::world::World;

/// Blocks that one walker goes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// First block that is not stored.
    pub(super) from: BlockNumber,
    /// Last block; `None` follows the head.
    pub(super) to: Option<BlockNumber>,
}

impl Stretch {
    /// The highest block that may be reached.
    pub(super) fn end(&self) -> BlockNumber {
        self.to.unwrap_or(BlockNumber::MAX)
    }
}

/// How far ahead is fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Most blocks fetched in one batch.
    pub(super) window: u32,
    /// Windows fetched ahead.
    pub(super) ahead: usize,
}

/// A walker: everything it needs.
pub(super) struct Walker<S> {
    pub(super) source: Arc<S>,
    pub(super) store: Store,
    pub(super) reach: Reach,
    pub(super) blocks: Sender<Work>,
    pub(super) progress: watch::Sender<Progress>,
}

/// Where a walker stopped, and why if not at its end: `next` was not handed over.
pub(super) struct Stopped {
    pub(super) next: BlockNumber,
    pub(super) error: Option<IndexError>,
}

impl<S: ChainSource> Walker<S> {
    /// Walks up a stretch by number: no height is ever taken from a notification.
    /// Where it comes up to a span, it goes on by that one's first block, which
    /// joins the two.
    pub(super) async fn walk(self, stretch: Stretch) -> Stopped {
        let mut next = stretch.from;
        // Where another span begins: the stretch may be nothing but that block.
        let alone = stretch.to == Some(stretch.from) && self.store.span_from(next).is_some();
        let mut joint = alone.then_some(next);
        let error = self.up(stretch, &mut next, &mut joint).await.err();
        if let Some(last) = next.checked_sub(1).filter(|last| *last >= stretch.from) {
            self.settled(last, joint).await;
        }
        Stopped { next, error }
    }

    /// Waits until the last block that was handed over is written.
    async fn settled(&self, last: BlockNumber, joint: Option<BlockNumber>) {
        let mut heard = self.progress.subscribe();
        let written = |_: &Progress| match joint {
            // It was there before; now it is the first block of a span no more.
            Some(joint) if joint == last => self.store.span_from(joint).is_none(),
            _ => self.store.span_of(last).is_some(),
        };
        // The sender is in this very walker: the wait ends by a commit alone.
        let _ = heard.wait_for(written).await;
    }

    async fn up(
        &self,
        stretch: Stretch,
        next: &mut BlockNumber,
        joint: &mut Option<BlockNumber>,
    ) -> Result<(), IndexError> {
        let mut planner = self.begin(*next).await?;
        let mut to = stretch.to;
        let mut asked = *next;
        let mut fetching: VecDeque<Fetching> = VecDeque::new();
        let told = self.progress.borrow().finalized;
        let mut finalized = match told {
            Some(known) if to.is_some_and(|to| to <= known) => known,
            _ => self.source.finalized().await?,
        };
        self.heard(finalized);
        loop {
            let top = to.map_or(finalized, |to| to.min(finalized));
            while asked <= top && fetching.len() < self.reach.ahead.max(1) {
                let last = top.min(asked.saturating_add(self.reach.window.max(1) - 1));
                let numbers: Vec<_> = (asked..=last).collect();
                let ahead = planner.ahead();
                fetching.push_back(Fetching(tokio::spawn(fetch(
                    self.source.clone(),
                    numbers,
                    ahead,
                ))));
                asked = last.saturating_add(1);
            }
            let Some(mut window) = fetching.pop_front() else {
                if to.is_some_and(|to| *next > to) {
                    if self.store.span_from(*next).is_none() {
                        return Ok(());
                    }
                    // The block in which the two spans meet.
                    to = Some(*next);
                    *joint = to;
                    continue;
                }
                finalized = self.source.finalized_above(next.saturating_sub(1)).await?;
                self.heard(finalized);
                continue;
            };
            let fetched = (&mut window.0).await;
            let (window, ahead) =
                fetched.map_err(|e| IndexError::Thread("fetch", e.to_string()))??;
            let (prepared, error) = planner.prepare(window, &ahead).await;
            *next += u32::try_from(prepared.len()).unwrap_or(0);
            if !prepared.is_empty() {
                hand_over(&self.blocks, Work::Blocks(prepared)).await?;
            }
            if let Some(error) = error {
                return Err(error);
            }
        }
    }

    fn heard(&self, finalized: BlockNumber) {
        self.progress.send_if_modified(|p| {
            let news = p.finalized != Some(finalized);
            p.finalized = Some(finalized);
            news
        });
    }

    /// The planner that knows what was before a block: from the store when it
    /// continues a span, else nothing, and the block is read whole.
    async fn begin(&self, first: BlockNumber) -> Result<Planner<S>, IndexError> {
        let below = first.checked_sub(1).and_then(|n| self.store.span_to(n));
        if let Some(tip) = below {
            return resumed(&self.source, &self.store, tip.last, tip.upgraded_to);
        }
        let [hash] = hashes(&*self.source, &[first]).await?;
        let want = Want {
            at: hash,
            keys: Vec::new(),
        };
        let raw = self.source.blocks(&[first], &[want]).await?;
        let at = raw.first().map_or(hash, executed_in);
        let layout = layout_of(self.source.runtime(at).await?, first)?;
        Ok(Planner::fresh(self.source.clone(), layout))
    }
}

/// A planner that goes on behind a stored block.
pub(super) fn resumed<S: ChainSource>(
    source: &Arc<S>,
    store: &Store,
    last: BlockNumber,
    upgraded_to: Option<u32>,
) -> Result<Planner<S>, IndexError> {
    let at = view::at(store, last)?.ok_or(StoreError::Empty)?;
    let world = World::load(store, &at)?;
    Ok(Planner::resumed(
        source.clone(),
        at.layout,
        world,
        upgraded_to,
    ))
}

async fn hashes<S: ChainSource, const N: usize>(
    source: &S,
    numbers: &[BlockNumber; N],
) -> Result<[H256; N], SourceError> {
    let found = source.hashes(numbers).await?;
    found
        .try_into()
        .map_err(|found: Vec<H256>| SourceError::Missing {
            number: numbers[0],
            why: format!("{} hashes for {N} numbers", found.len()),
        })
}

type Window = Result<(Vec<RawBlock>, Arc<Ahead>), SourceError>;

/// A window under way; dropping it ends the asking.
struct Fetching(JoinHandle<Window>);

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A window of blocks with the values that every block needs.
pub(super) async fn fetch<S: ChainSource>(
    source: Arc<S>,
    numbers: Vec<BlockNumber>,
    ahead: Arc<Ahead>,
) -> Window {
    let hashes = source.hashes(&numbers).await?;
    let want: Vec<Want> = hashes
        .into_iter()
        .map(|at| Want {
            at,
            keys: ahead.keys.clone(),
        })
        .collect();
    Ok((source.blocks(&numbers, &want).await?, ahead))
}

/// Gives a window to the writer without blocking the runtime's thread.
pub(super) async fn hand_over(blocks: &Sender<Work>, work: Work) -> Result<(), IndexError> {
    let mut work = work;
    loop {
        match blocks.try_send(work) {
            Ok(()) => return Ok(()),
            Err(crossbeam_channel::TrySendError::Full(back)) => {
                work = back;
                tokio::time::sleep(std::time::Duration::from_micros(200)).await;
            }
            Err(crossbeam_channel::TrySendError::Disconnected(_)) => {
                // The writer has told why; whoever waits for it returns that.
                return std::future::pending().await;
            }
        }
    }
}

/// The first block of a stretch whose state a node still has, with that of its
/// parent: nodes throw away from below. `None` when it has none of them.
pub(super) async fn first_kept<S: ChainSource>(
    source: &S,
    stretch: (BlockNumber, BlockNumber),
) -> Result<Option<BlockNumber>, SourceError> {
    let kept = async |number: BlockNumber| -> Result<bool, SourceError> {
        let [parent] = hashes(source, &[number.saturating_sub(1)]).await?;
        match source.spec(parent).await {
            Ok(_) => Ok(true),
            Err(SourceError::Pruned { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    };
    let (mut gone, mut there) = stretch;
    if !kept(there).await? {
        return Ok(None);
    }
    // `there` is kept; the first one that is lies from `gone` on.
    while gone < there {
        let middle = gone + (there - gone) / 2;
        if kept(middle).await? {
            there = middle;
        } else {
            gone = middle + 1;
        }
    }
    Ok(Some(there))
}

/// The blocks of a window, at least one.
pub(super) fn first_of(window: &[Prepared]) -> Option<BlockNumber> {
    window.first().map(|block| block.raw.number)
}
