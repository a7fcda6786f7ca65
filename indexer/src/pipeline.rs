//! The road: fetch ahead, prepare in order, commit on one thread, then tell.

use std::collections::VecDeque;
use std::sync::Arc;

use chain_metadata::{BlockNumber, H256, NetUid};
use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::IndexError;
use crate::notify::{Committed, Notify};
use crate::plan::{Ahead, Planner, Prepared, executed_in, layout_of};
use crate::source::{ChainSource, RawBlock, SourceError, Want};
use crate::stages::{Tip, block_batch};
use crate::store::Store;
use crate::view;
use crate::world::World;

/// What to index.
#[derive(Debug, Clone)]
pub struct Plan {
    /// First block, if told. A store that is not empty must have it already.
    pub from: Option<BlockNumber>,
    /// Where an empty store begins when `from` is not told: at the finalized
    /// head (nodes that keep little state) or at block 0.
    pub at_head: bool,
    /// Last block; `None` follows the chain until told to stop.
    pub until: Option<BlockNumber>,
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
            window: 32,
            ahead: 2,
        }
    }
}

/// How far the road is, for progress bars and readiness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Last committed block.
    pub committed: Option<BlockNumber>,
    /// Finalized head of the node when last heard.
    pub finalized: Option<BlockNumber>,
}

/// Indexes from the end of the store until `plan.until` or until `stop` becomes
/// true; returns the last committed block. Blocks that were committed stay,
/// whatever the error.
pub async fn run<S: ChainSource>(
    source: Arc<S>,
    store: Store,
    plan: Plan,
    notify: Notify,
    progress: watch::Sender<Progress>,
    mut stop: watch::Receiver<bool>,
) -> Result<Option<BlockNumber>, IndexError> {
    store.bind_genesis(source.genesis().await?)?;
    let (blocks, to_commit) = bounded::<Vec<Prepared>>(2);
    let (ended, mut end_of_writer) = tokio::sync::oneshot::channel();
    {
        let (store, progress) = (store.clone(), progress.clone());
        std::thread::Builder::new()
            .name("commit".into())
            .spawn(move || {
                let work = || commit(&store, &to_commit, &notify, &progress);
                let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                // Whoever hears of the end may open the store again at once.
                drop(store);
                let _ = ended.send(done.unwrap_or_else(|panic| Err(panicked(&*panic))));
            })
            .map_err(|e| IndexError::Thread("commit", e.to_string()))?;
    }
    let walked = tokio::select! {
        walked = walk(source, &store, &plan, &blocks, &progress) => walked,
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        // The writer goes first only when it failed.
        ended = &mut end_of_writer => return ended.unwrap_or_else(gone).and(Ok(store.last()?)),
    };
    // Closing the channel lets the writer finish what it was given.
    drop(blocks);
    end_of_writer.await.unwrap_or_else(gone)?;
    walked?;
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

/// Where to begin, and the planner that knows what is there.
async fn begin<S: ChainSource>(
    source: &Arc<S>,
    store: &Store,
    plan: &Plan,
) -> Result<(BlockNumber, Planner<S>), IndexError> {
    if let Some(tip) = store.checkpoint()? {
        if plan.from.is_some_and(|from| from < tip.first) {
            return Err(IndexError::Range(format!(
                "the store begins at block {}, --from asks for {}: index the earlier blocks into another --data-dir",
                tip.first,
                plan.from.unwrap_or_default()
            )));
        }
        if plan
            .from
            .is_some_and(|from| from > tip.last.saturating_add(1))
        {
            return Err(IndexError::Range(format!(
                "the store ends at block {}, --from {} would leave a gap: leave --from out, or index into another --data-dir",
                tip.last,
                plan.from.unwrap_or_default()
            )));
        }
        let at = view::at(store, tip.last)?.ok_or(crate::store::StoreError::Empty)?;
        let world = World::load(store, &at)?;
        let layout = at.layout;
        let next = tip.last.saturating_add(1);
        return Ok((
            next,
            Planner::resumed(source.clone(), layout, world, tip.upgraded_to),
        ));
    }
    let finalized = source.finalized().await?;
    let first = plan
        .from
        .unwrap_or(if plan.at_head { finalized } else { 0 });
    if first > finalized {
        return Err(IndexError::Range(format!(
            "--from {first} is above the finalized head {finalized}: choose a lower block"
        )));
    }
    let [hash] = hashes(&**source, &[first]).await?;
    let want = Want {
        at: hash,
        keys: Vec::new(),
    };
    let raw = source.blocks(&[first], &[want]).await?;
    let at = raw.first().map_or(hash, executed_in);
    let layout = layout_of(source.runtime(at).await?, first)?;
    Ok((first, Planner::fresh(source.clone(), layout)))
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

/// Walks up the chain by number: no height is ever taken from a notification.
async fn walk<S: ChainSource>(
    source: Arc<S>,
    store: &Store,
    plan: &Plan,
    blocks: &Sender<Vec<Prepared>>,
    progress: &watch::Sender<Progress>,
) -> Result<(), IndexError> {
    let (mut next, mut planner) = begin(&source, store, plan).await?;
    let mut asked = next;
    let mut fetching: VecDeque<Fetching> = VecDeque::new();
    let mut finalized = source.finalized().await?;
    let stored = store.last()?;
    progress.send_modify(|p| {
        p.finalized = Some(finalized);
        p.committed = stored;
    });
    loop {
        let top = plan.until.map_or(finalized, |until| until.min(finalized));
        while asked <= top && fetching.len() < plan.ahead.max(1) {
            let last = top.min(asked.saturating_add(plan.window.max(1) - 1));
            let numbers: Vec<_> = (asked..=last).collect();
            let ahead = planner.ahead();
            fetching.push_back(Fetching(tokio::spawn(fetch(
                source.clone(),
                numbers,
                ahead,
            ))));
            asked = last + 1;
        }
        let Some(mut window) = fetching.pop_front() else {
            if plan.until.is_some_and(|until| next > until) {
                return Ok(());
            }
            finalized = source.finalized_above(next - 1).await?;
            progress.send_modify(|p| p.finalized = Some(finalized));
            continue;
        };
        let fetched = (&mut window.0).await;
        let (window, ahead) = fetched.map_err(|e| IndexError::Thread("fetch", e.to_string()))??;
        let (prepared, error) = planner.prepare(window, &ahead).await;
        next += u32::try_from(prepared.len()).unwrap_or(0);
        if !prepared.is_empty() {
            hand_over(blocks, prepared).await?;
        }
        if let Some(error) = error {
            return Err(error);
        }
    }
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
async fn fetch<S: ChainSource>(
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
async fn hand_over(
    blocks: &Sender<Vec<Prepared>>,
    prepared: Vec<Prepared>,
) -> Result<(), IndexError> {
    let mut prepared = prepared;
    loop {
        match blocks.try_send(prepared) {
            Ok(()) => return Ok(()),
            Err(crossbeam_channel::TrySendError::Full(back)) => {
                prepared = back;
                tokio::time::sleep(std::time::Duration::from_micros(200)).await;
            }
            Err(crossbeam_channel::TrySendError::Disconnected(_)) => {
                // The writer has told why; whoever waits for it returns that.
                return std::future::pending().await;
            }
        }
    }
}

/// The only thread that writes. A window is committed in one go, a batch a
/// block; listeners hear of it when it is on disk.
fn commit(
    store: &Store,
    blocks: &Receiver<Vec<Prepared>>,
    notify: &Notify,
    progress: &watch::Sender<Progress>,
) -> Result<(), IndexError> {
    let mut tip = Tip::load(store)?;
    for window in blocks {
        let started = std::time::Instant::now();
        let mut batches = Vec::with_capacity(window.len());
        let mut failed = None;
        let mut good = 0;
        for block in &window {
            match block_batch(store, &mut tip, block) {
                Ok(batch) => batches.push(batch),
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
            good += 1;
        }
        store.commit(batches)?;
        tip.trim();
        metrics::histogram!("indexer_commit_seconds").record(started.elapsed().as_secs_f64());
        for block in window.iter().take(good) {
            metrics::counter!("indexer_blocks_total").increment(1);
            metrics::gauge!("indexer_height").set(f64::from(block.raw.number));
            notify.committed(Committed {
                number: block.raw.number,
                hash: block.raw.hash,
                epochs: block.epochs.iter().map(|n| NetUid(*n)).collect(),
            });
        }
        if let Some(last) = window.iter().take(good).next_back() {
            progress.send_modify(|p| p.committed = Some(last.raw.number));
            tracing::debug!(block = last.raw.number, blocks = good, "committed");
        }
        if let Some(e) = failed {
            return Err(e);
        }
    }
    Ok(())
}
