//! One client's way along the blocks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chain_metadata::{BlockNumber, H256};
use tokio::sync::watch;
use tokio::time::Instant;

use super::cursor::{BlockPlace, END, Place, START, StreamCursor, fork_id};
use super::filter::Sieve;
use super::hub::{Hub, Look, Pulse};
use super::json::BlockItems;
use super::{StreamError, Wanted, now_ms};
use crate::ports::{ReadError, Topic};

/// How long what changed under a read, or is being made again, is left alone.
const PAUSE: Duration = Duration::from_millis(20);
const RESTAGING: Duration = Duration::from_secs(1);

/// What a walk comes upon.
pub(crate) enum Step {
    Item(Found),
    Lagged {
        cursor: StreamCursor,
        from: BlockNumber,
        to: BlockNumber,
    },
    Retracted {
        cursor: StreamCursor,
        above: BlockNumber,
        blocks: Vec<(BlockNumber, H256)>,
    },
    Heartbeat(Beat),
}

/// An item, still beside all others of its block.
pub(crate) struct Found {
    pub(crate) cursor: StreamCursor,
    pub(crate) items: Arc<BlockItems>,
    pub(crate) index: usize,
    pub(crate) finalized: bool,
}

/// A heartbeat.
#[derive(Clone, Copy)]
pub(crate) struct Beat {
    pub(crate) cursor: StreamCursor,
    pub(crate) indexed: Option<BlockNumber>,
    pub(crate) finalized: Option<BlockNumber>,
    pub(crate) at_ms: u64,
}

/// A walk. Its memory is bounded: a few blocks that were read, and the hashes of those that it told
/// of and that are not final.
pub(crate) struct Walk {
    hub: Arc<Hub>,
    _pulse: Arc<Pulse>,
    word: watch::Receiver<u64>,
    topic: Topic,
    sieve: Sieve,
    unfinalized: bool,
    /// Everything up to here is done; `None` before the first block that is stored.
    at: Option<BlockPlace>,
    /// The block of the cursor was not compared with the chain yet.
    unsure: bool,
    /// The highest block that was passed and is final.
    base: BlockNumber,
    /// Blocks that were begun and are not known to be final, ascending.
    trail: VecDeque<(BlockNumber, H256)>,
    /// Blocks that were read and not begun.
    ready: VecDeque<Arc<BlockItems>>,
    /// The block at hand.
    open: Option<Arc<BlockItems>>,
    /// The look that the trail was last compared with.
    seen: Option<Arc<Look>>,
    next_beat: Option<Instant>,
    /// What the last heartbeat said is final.
    told_final: Option<BlockNumber>,
    ended: bool,
}

impl Walk {
    /// Begins behind a cursor, or behind what there is now. Must be called inside a runtime.
    pub(super) async fn begin(
        hub: Arc<Hub>,
        sieve: Sieve,
        wanted: &Wanted,
    ) -> Result<Self, StreamError> {
        let (pulse, word) = hub.listen();
        let mut walk = Self {
            hub,
            _pulse: pulse,
            word,
            topic: wanted.topic,
            sieve,
            unfinalized: wanted.unfinalized,
            at: None,
            unsure: false,
            base: 0,
            trail: VecDeque::new(),
            ready: VecDeque::new(),
            open: None,
            seen: None,
            next_beat: None,
            told_final: None,
            ended: false,
        };
        match wanted.after.map(|cursor| cursor.place()) {
            Some(Place::Block(START)) => {}
            Some(Place::Block(place)) => {
                walk.at = Some(place);
                walk.base = place.base;
                walk.unsure = place.fork.is_some();
            }
            // A cursor of another topic was refused before.
            Some(Place::Records(_)) | None => walk.begin_now().await?,
        }
        Ok(walk)
    }

    async fn begin_now(&mut self) -> Result<(), StreamError> {
        let look = loop {
            // A look of the moment: what is told from now on must not be missed.
            self.hub.look_again();
            match self.hub.look(0).await {
                Err(ReadError::Dropped(_)) => tokio::time::sleep(PAUSE).await,
                look => break look?,
            }
        };
        let Some(top) = look.top(self.unfinalized) else {
            return Ok(());
        };
        let hash = self.hub.hash(&look, top).await?;
        self.base = look.indexed.map_or(top, |indexed| indexed.min(top));
        self.at = Some(BlockPlace {
            base: self.base,
            ..BlockPlace::behind_final(top, hash.and_then(fork_id))
        });
        self.lay_trail(&look, top);
        Ok(())
    }

    /// The blocks that are not final up to one where the walk begins: if they lose, it goes back no
    /// further than it must.
    fn lay_trail(&mut self, look: &Look, to: BlockNumber) {
        let first = look.indexed.and_then(|indexed| indexed.checked_add(1));
        let blocks = first.into_iter().flat_map(|first| first..=to);
        self.trail
            .extend(blocks.filter_map(|number| Some((number, look.hash(number)?))));
    }

    /// The next step; `None` when nothing can come any more.
    pub(crate) async fn next(&mut self) -> Option<Result<Step, StreamError>> {
        if self.ended {
            return None;
        }
        let step = self.step().await.transpose();
        self.ended = !matches!(step, Some(Ok(_)));
        step
    }

    async fn step(&mut self) -> Result<Option<Step>, StreamError> {
        loop {
            let told = *self.word.borrow_and_update();
            let look = match self.hub.look(told).await {
                Ok(look) => look,
                Err(ReadError::Dropped(_)) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(step) = self.compare(&look).await? {
                return Ok(Some(step));
            }
            if self.next_beat.is_none_or(|due| due <= Instant::now()) {
                return Ok(Some(self.beat(&look)));
            }
            if let Some(found) = self.item(&look) {
                return Ok(Some(Step::Item(found)));
            }
            if self.open.is_some() {
                continue;
            }
            match self.take(&look).await? {
                Taken::Nothing => {}
                Taken::Block => continue,
                Taken::Back(step) => return Ok(Some(step)),
            }
            match self.gap(&look) {
                Next::Wait => {}
                Next::Lagged(step) => return Ok(Some(step)),
                Next::Read(from, to) => match self.fetch(&look, (from, to)).await? {
                    None => continue,
                    Some(pause) => {
                        if !self.pause(Some(pause)).await {
                            return Ok(None);
                        }
                        continue;
                    }
                },
            }
            if self.unfinalized && self.told_final != look.indexed {
                return Ok(Some(self.beat(&look)));
            }
            if !self.pause(None).await {
                return Ok(None);
            }
        }
    }

    /// Whether what was told of still holds.
    async fn compare(&mut self, look: &Arc<Look>) -> Result<Option<Step>, StreamError> {
        if self
            .seen
            .as_ref()
            .is_some_and(|seen| Arc::ptr_eq(seen, look))
        {
            return Ok(None);
        }
        if self.unsure
            && let Some(step) = self.compare_cursor(look).await?
        {
            return Ok(Some(step));
        }
        let mut lost = Vec::new();
        while let Some(&(number, hash)) = self.trail.back() {
            let best = look.top(true);
            let now = match best.is_some_and(|best| number <= best) {
                true => self.hub.hash(look, number).await?,
                false => None,
            };
            if now == Some(hash) {
                break;
            }
            lost.push((number, hash));
            self.trail.pop_back();
        }
        // Where the highest holds, all below it hold.
        while let Some(&(number, _)) = self.trail.front()
            && look.is_final(number)
        {
            self.base = self.base.max(number);
            self.trail.pop_front();
        }
        self.seen = Some(look.clone());
        if lost.is_empty() {
            return Ok(None);
        }
        let (above, hash) = match self.trail.back() {
            Some(&(number, hash)) => (number, Some(hash)),
            None => (self.base, self.hub.hash(look, self.base).await?),
        };
        Ok(Some(self.back_to(above, hash, lost)))
    }

    /// Compares the block of the cursor with the chain, if the chain has come so far.
    async fn compare_cursor(&mut self, look: &Look) -> Result<Option<Step>, StreamError> {
        let Some(at) = self.at else {
            return Ok(None);
        };
        if look.top(self.unfinalized).is_none_or(|top| at.block > top) {
            return Ok(None);
        }
        let hash = self.hub.hash(look, at.block).await?;
        self.unsure = false;
        let stored = match hash {
            Some(hash) => fork_id(hash),
            // Not stored; the block behind it knows which one it was.
            None => match self.hub.parent_above(at.block).await? {
                Some(parent) => fork_id(parent),
                // Nothing can be said of it, and the gap will be told.
                None => return Ok(None),
            },
        };
        if stored != at.fork {
            return self.other_branch(look, at).await.map(Some);
        }
        if hash.is_none() {
            // There are no blocks below it to hold against the chain.
        } else if look.is_final(at.block) {
            self.base = at.block;
        } else {
            self.lay_trail(look, at.block);
        }
        Ok(None)
    }

    /// The place is behind a block that is not on the chain, and never will be again: back to what
    /// was final then, or nowhere when it was final itself.
    async fn other_branch(&mut self, look: &Look, at: BlockPlace) -> Result<Step, StreamError> {
        if at.is_final() {
            return Err(StreamError::OtherChain { block: at.block });
        }
        let hash = self.hub.hash(look, self.base).await?;
        Ok(self.back_to(self.base, hash, Vec::new()))
    }

    fn back_to(
        &mut self,
        above: BlockNumber,
        hash: Option<H256>,
        blocks: Vec<(BlockNumber, H256)>,
    ) -> Step {
        self.open = None;
        self.ready.clear();
        self.at = Some(BlockPlace {
            base: self.base,
            ..BlockPlace::behind_final(above, hash.and_then(fork_id))
        });
        Step::Retracted {
            cursor: self.cursor(),
            above,
            blocks,
        }
    }

    /// The next item of the block at hand that passes the filter.
    fn item(&mut self, look: &Look) -> Option<Found> {
        let items = self.open.clone()?;
        let block = &items.block;
        let finalized = look.is_final(block.number);
        let mut at = self.at?;
        let done = usize::try_from(at.index).unwrap_or(usize::MAX);
        let rest = items.happenings.iter().enumerate().skip(done);
        let found = rest.into_iter().find(|(_, item)| self.sieve.passes(item));
        let Some((index, _)) = found else {
            at.index = END;
            self.at = Some(at);
            self.open = None;
            return None;
        };
        let done = index.saturating_add(1);
        // Behind its last item a block is done: nothing of it is needed to go on.
        at.index = match done < items.happenings.len() {
            true => u32::try_from(done).unwrap_or(END),
            false => END,
        };
        self.at = Some(at);
        if at.index == END {
            self.open = None;
        }
        if finalized {
            self.base = self.base.max(block.number);
        }
        Some(Found {
            cursor: self.cursor(),
            index,
            finalized,
            items,
        })
    }

    /// Begins the next block that was read, if one was.
    async fn take(&mut self, look: &Look) -> Result<Taken, StreamError> {
        let Some(items) = self.ready.pop_front() else {
            return Ok(Taken::Nothing);
        };
        let block = &items.block;
        let id = fork_id(block.hash);
        let follows = match self.at {
            None => true,
            Some(at) if at.index != END => at.fork.is_none() || at.fork == id,
            Some(at) => at.fork.is_none() || at.fork == fork_id(block.parent_hash),
        };
        let is_final = look.is_final(block.number);
        // It may have lost since it was read; what is too old for the look was final then.
        let holds = match look.hash(block.number) {
            Some(now) => now == block.hash,
            None => is_final,
        };
        if let (Some(at), true, false) = (self.at, holds && is_final, follows) {
            // No later look will tell anything else.
            return self.other_branch(look, at).await.map(Taken::Back);
        }
        if !follows || !holds {
            // The branch changed between the look and the read; the next look will tell.
            self.ready.clear();
            self.hub.look_again();
            tokio::time::sleep(PAUSE).await;
            return Ok(Taken::Block);
        }
        let index = match self.at {
            Some(at) if at.index != END => at.index,
            _ => 0,
        };
        if is_final {
            self.base = block.number;
        } else if self
            .trail
            .back()
            .is_none_or(|(last, _)| *last < block.number)
        {
            self.trail.push_back((block.number, block.hash));
        }
        self.at = Some(BlockPlace {
            block: block.number,
            fork: id,
            index,
            base: self.base,
        });
        self.open = Some(items);
        Ok(Taken::Block)
    }

    /// What is to be read next, if it is there.
    fn gap(&mut self, look: &Look) -> Next {
        let next = match self.at {
            None => look.spans.first().map(|span| span.0),
            Some(at) if at.index != END => Some(at.block),
            Some(at) => at.block.checked_add(1),
        };
        let (Some(next), Some(top)) = (next, look.top(self.unfinalized)) else {
            return Next::Wait;
        };
        if self.unsure || next > top {
            return Next::Wait;
        }
        if !look.is_final(next) {
            return Next::Read(next, top);
        }
        let span = look.spans.iter().find(|span| span.1 >= next);
        match span {
            Some(&(first, last)) if first <= next => Next::Read(next, last),
            Some(&(first, _)) => {
                let to = first.saturating_sub(1);
                self.base = to;
                self.trail.clear();
                self.at = Some(BlockPlace::behind_final(to, None));
                Next::Lagged(Step::Lagged {
                    cursor: self.cursor(),
                    from: next,
                    to,
                })
            }
            None => Next::Wait,
        }
    }

    /// Reads on. How long to wait when that cannot be done now.
    async fn fetch(
        &mut self,
        look: &Look,
        range: (BlockNumber, BlockNumber),
    ) -> Result<Option<Duration>, StreamError> {
        match self.hub.blocks(self.topic, range, look).await {
            Ok(read) => {
                self.ready = read.into();
                Ok(None)
            }
            Err(ReadError::Restaging { .. }) => Ok(Some(RESTAGING)),
            Err(ReadError::Dropped(_) | ReadError::OutOfRange { .. }) => {
                self.hub.look_again();
                Ok(Some(PAUSE))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for word, the next heartbeat or so long. Whether anything may come.
    async fn pause(&mut self, most: Option<Duration>) -> bool {
        let beat = self.next_beat.unwrap_or_else(Instant::now);
        let until = most.map_or(beat, |most| beat.min(Instant::now() + most));
        tokio::select! {
            word = self.word.changed() => word.is_ok(),
            () = tokio::time::sleep_until(until) => true,
        }
    }

    fn cursor(&self) -> StreamCursor {
        let place = self.at.map_or(START, |at| BlockPlace {
            base: self.base.min(at.block),
            ..at
        });
        StreamCursor::in_block(self.topic, place)
    }

    fn beat(&mut self, look: &Look) -> Step {
        self.next_beat = Some(Instant::now() + self.hub.options.heartbeat);
        self.told_final = look.indexed;
        Step::Heartbeat(Beat {
            cursor: self.cursor(),
            indexed: look.indexed,
            finalized: look.finalized,
            at_ms: now_ms(),
        })
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }
}

/// What came of the next block that was read.
enum Taken {
    /// There is none.
    Nothing,
    /// It was begun, or all that was read is of no use any more.
    Block,
    /// It does not go on from where the walk is.
    Back(Step),
}

/// What follows what is done.
enum Next {
    Wait,
    Lagged(Step),
    Read(BlockNumber, BlockNumber),
}
