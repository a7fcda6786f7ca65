//! What the streams over one store share: word of what is new, a look at its end, recent blocks.
//!
//! However many clients follow, a new block costs one look and one read a topic. While nobody
//! follows, nothing is listened to.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use chain_metadata::{BlockNumber, H256};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OnceCell, broadcast, watch};
use tokio::task::JoinHandle;

use super::StreamOptions;
use super::json::BlockItems;
use crate::ports::{ReadError, Reader, ResultRecord, Topic};
use crate::reads::Reads;

/// Blocks at the end of the store whose hashes a look has.
const RECENT: u32 = 256;
/// Blocks, counted by topic, that are kept for the next client.
const KEPT: usize = 1024;
/// Old blocks that one read takes.
const BATCH: u32 = 8;
/// After so long a look is taken again though nothing was told.
const STALE: Duration = Duration::from_secs(1);

pub(crate) struct Hub {
    reads: Reads,
    pub(super) options: StreamOptions,
    /// Counts what was told; a look knows which word it is newer than.
    told: Arc<AtomicU64>,
    /// No older look will do.
    wanted: AtomicU64,
    pulse: Mutex<Weak<Pulse>>,
    look: Mutex<Option<Arc<Look>>>,
    looking: tokio::sync::Mutex<()>,
    recent: Mutex<Recent>,
    records: tokio::sync::Mutex<Option<(Instant, u64)>>,
}

/// Listens as long as somebody holds it.
pub(super) struct Pulse {
    word: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The end of the store at one moment, of one branch.
#[derive(Debug)]
pub(super) struct Look {
    /// Newer than this word.
    told: u64,
    taken: Instant,
    /// First and last block of every run of stored blocks, ascending.
    pub(super) spans: Vec<(BlockNumber, BlockNumber)>,
    /// Highest stored block.
    pub(super) indexed: Option<BlockNumber>,
    /// What the node last told.
    pub(super) finalized: Option<BlockNumber>,
    /// Highest block of all.
    best: Option<BlockNumber>,
    /// Hashes of the blocks from `lowest` to `best`.
    lowest: BlockNumber,
    hashes: Vec<H256>,
}

impl Look {
    /// The highest block that a stream tells of.
    pub(super) fn top(&self, unfinalized: bool) -> Option<BlockNumber> {
        if unfinalized { self.best } else { self.indexed }
    }

    /// Whether a block is stored for good.
    pub(super) fn is_final(&self, number: BlockNumber) -> bool {
        self.indexed.is_some_and(|indexed| number <= indexed)
    }

    /// Whether the ranges begin with the same blocks as in another look.
    fn begins_as(&self, other: &Look) -> bool {
        let firsts = |look: &Look| look.spans.iter().map(|span| span.0).collect::<Vec<_>>();
        firsts(self) == firsts(other)
    }

    /// The hash of a recent block.
    pub(super) fn hash(&self, number: BlockNumber) -> Option<H256> {
        let place = usize::try_from(number.checked_sub(self.lowest)?).ok()?;
        self.hashes.get(place).copied()
    }
}

#[derive(Default)]
struct Recent {
    slots: HashMap<(Topic, H256), Arc<Slot>>,
    order: VecDeque<(Topic, H256)>,
}

type Slot = OnceCell<Arc<BlockItems>>;

impl Recent {
    fn slot(&mut self, key: (Topic, H256)) -> Arc<Slot> {
        if let Some(slot) = self.slots.get(&key) {
            return slot.clone();
        }
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.slots.remove(&oldest);
        }
        let slot = Arc::new(Slot::new());
        self.slots.insert(key, slot.clone());
        self.order.push_back(key);
        slot
    }
}

impl Hub {
    pub(super) fn new(reads: Reads, options: StreamOptions) -> Self {
        Self {
            reads,
            options,
            told: Arc::default(),
            wanted: AtomicU64::new(0),
            pulse: Mutex::default(),
            look: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            recent: Mutex::default(),
            records: tokio::sync::Mutex::default(),
        }
    }

    /// Listens from now on; must be called inside a runtime.
    pub(super) fn listen(&self) -> (Arc<Pulse>, watch::Receiver<u64>) {
        let mut held = lock(&self.pulse);
        let pulse = match held.upgrade().filter(|pulse| !pulse.task.is_finished()) {
            Some(pulse) => pulse,
            None => {
                let (sender, word) = watch::channel(self.told.load(Ordering::SeqCst));
                // From here on nothing is missed, however late the task begins.
                // What was told before is not known: nobody listened.
                let commits = self.reads.reader().subscribe();
                let heads = self.reads.reader().subscribe_heads();
                let task = tokio::spawn(hear(commits, heads, self.told.clone(), sender));
                let pulse = Arc::new(Pulse { word, task });
                *held = Arc::downgrade(&pulse);
                self.look_again();
                pulse
            }
        };
        let word = pulse.word.clone();
        (pulse, word)
    }

    /// Makes the next look a new one.
    pub(super) fn look_again(&self) {
        let told = self.told.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        self.wanted.fetch_max(told, Ordering::SeqCst);
    }

    /// A look that is newer than a word, and not old. Who asks at the same time shares it.
    pub(super) async fn look(&self, told: u64) -> Result<Arc<Look>, ReadError> {
        let told = told.max(self.wanted.load(Ordering::SeqCst));
        let known = || {
            let held = lock(&self.look).clone();
            held.filter(|look| look.told >= told && look.taken.elapsed() < STALE)
        };
        if let Some(look) = known() {
            return Ok(look);
        }
        let _turn = self.looking.lock().await;
        if let Some(look) = known() {
            return Ok(look);
        }
        let told = self.told.load(Ordering::SeqCst);
        let before = lock(&self.look).clone();
        let taken = self.read("stream_look", move |reader| {
            take_look(reader, told, before.as_deref())
        });
        let look = Arc::new(taken.await?);
        if let Some(before) = lock(&self.look).replace(look.clone())
            && !look.begins_as(&before)
        {
            // What was read of commits before ranges were joined is not all that there is now.
            *lock(&self.recent) = Recent::default();
        }
        Ok(look)
    }

    /// The hash of a block, recent or not; `None` when it is not stored.
    pub(super) async fn hash(
        &self,
        look: &Look,
        number: BlockNumber,
    ) -> Result<Option<H256>, ReadError> {
        if let Some(hash) = look.hash(number) {
            return Ok(Some(hash));
        }
        let read = self.read("stream_hash", move |reader| reader.blocks(&[number]));
        let blocks = read.await?;
        Ok(blocks.into_iter().next().flatten().map(|block| block.hash))
    }

    /// What the block above another one calls its parent; `None` when it is not stored.
    pub(super) async fn parent_above(
        &self,
        number: BlockNumber,
    ) -> Result<Option<H256>, ReadError> {
        let Some(above) = number.checked_add(1) else {
            return Ok(None);
        };
        let read = self.read("stream_hash", move |reader| reader.blocks(&[above]));
        let blocks = read.await?;
        let block = blocks.into_iter().next().flatten();
        Ok(block.map(|block| block.parent_hash))
    }

    /// Some blocks from `from` on, up to `to` at most, with what happened in them: one if it is
    /// recent, a few if they are old.
    pub(super) async fn blocks(
        &self,
        topic: Topic,
        (from, to): (BlockNumber, BlockNumber),
        look: &Look,
    ) -> Result<Vec<Arc<BlockItems>>, ReadError> {
        let Some(hash) = look.hash(from) else {
            let below = look.lowest.checked_sub(1).filter(|last| *last >= from);
            let last = to
                .min(below.unwrap_or(from))
                .min(from.saturating_add(BATCH - 1));
            let read = self.read("stream_blocks", move |reader| {
                BlockItems::read(reader, topic, &(from..=last).collect::<Vec<_>>())
            });
            return Ok(read.await?.into_iter().map(Arc::new).collect());
        };
        let slot = lock(&self.recent).slot((topic, hash));
        let read = || async {
            let read = self.read("stream_block", move |reader| {
                let mut read = BlockItems::read(reader, topic, &[from])?;
                // The branch may have lost since the look.
                let found = read.pop().filter(|items| items.block.hash == hash);
                found.ok_or(ReadError::Dropped(from))
            });
            read.await.map(Arc::new)
        };
        Ok(vec![slot.get_or_try_init(read).await?.clone()])
    }

    /// Reads something for a stream.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        read: impl FnOnce(&dyn Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.reads.pinned().run(name, read).await
    }

    /// How many records of results there are, as of a moment ago.
    pub(super) async fn record_count(&self) -> Result<u64, ReadError> {
        let mut held = self.records.lock().await;
        if let Some((taken, count)) = *held
            && taken.elapsed() < STALE
        {
            return Ok(count);
        }
        let count = self
            .reads
            .run("stream_records", |reader| reader.result_count())
            .await?;
        *held = Some((Instant::now(), count));
        Ok(count)
    }

    /// Records of results from a number on, at most so many.
    pub(super) async fn records(
        &self,
        from: u64,
        first: usize,
    ) -> Result<Vec<ResultRecord>, ReadError> {
        let read = move |reader: &dyn Reader| reader.result_records(from, first);
        self.reads.run("stream_records", read).await
    }
}

/// Passes on that there is news. It ends when none can come any more.
async fn hear(
    mut commits: broadcast::Receiver<crate::ports::Committed>,
    mut heads: broadcast::Receiver<crate::ports::HeadNews>,
    told: Arc<AtomicU64>,
    sender: watch::Sender<u64>,
) {
    let (mut commits_open, mut heads_open) = (true, true);
    while commits_open || heads_open {
        // Being behind is news as well.
        tokio::select! {
            heard = commits.recv(), if commits_open => {
                commits_open = !matches!(heard, Err(RecvError::Closed));
            }
            heard = heads.recv(), if heads_open => {
                heads_open = !matches!(heard, Err(RecvError::Closed));
            }
        }
        sender.send_replace(told.fetch_add(1, Ordering::SeqCst).saturating_add(1));
    }
}

fn take_look(reader: &dyn Reader, told: u64, before: Option<&Look>) -> Result<Look, ReadError> {
    let status = reader.status()?;
    let best = status.heads.best.map(|(best, _)| best).or(status.last);
    let mut look = Look {
        told,
        taken: Instant::now(),
        indexed: status.last,
        finalized: status.node_finalized,
        best,
        lowest: 0,
        hashes: Vec::new(),
        spans: status.spans,
    };
    let (Some(best), Some(last)) = (best, status.last) else {
        return Ok(look);
    };
    let floor = look.spans.last().map_or(last, |span| span.0);
    look.lowest = last.saturating_sub(RECENT - 1).max(floor);
    // What was final then is so for good.
    let mut next = look.lowest;
    if let Some(before) = before {
        while before.is_final(next)
            && let Some(hash) = before.hash(next)
        {
            look.hashes.push(hash);
            next = next.saturating_add(1);
        }
    }
    let numbers: Vec<_> = (next..=best).collect();
    for (number, block) in numbers.iter().zip(reader.blocks(&numbers)?) {
        // A block of the range that is not there went away while it was read.
        let block = block.ok_or(ReadError::Dropped(*number))?;
        look.hashes.push(block.hash);
    }
    Ok(look)
}

/// A lock that a panic elsewhere does not take from us.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
