//! What was read of a block, remembered: the road does not ask again for what
//! was read while the block was not final yet.
//!
//! A block and its state never change under a hash, so that a hash is all that
//! is needed to find an answer. Two that ask for the same at once ask once: the
//! second waits a moment for the first.
//!
//! Remembering is off until [`Remembering::remember`] turns it on, near the
//! head; a road that catches up passes through untouched.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chain_metadata::{BlockNumber, H256, SpecVersion};
use tokio::sync::Notify;

use super::{
    Answers, BestHead, Bytes, ChainSource, KeyPage, RawBlock, RawRuntime, SourceError, Want,
    same_length,
};

/// Longest wait for an answer that somebody else waits for already.
const WAIT: Duration = Duration::from_secs(1);
/// Most bytes remembered, about; the longest known blocks are forgotten first.
const MOST_BYTES: usize = 64 << 20;

/// A source that remembers; share it between those who read the same blocks.
#[derive(Debug)]
pub struct Remembering<S> {
    source: Arc<S>,
    on: AtomicBool,
    memory: Mutex<Memory>,
    /// Something that was under way has come.
    landed: Notify,
}

#[derive(Debug, Default)]
struct Memory {
    known: HashMap<H256, Known>,
    /// Hashes by age.
    ages: BTreeMap<u64, H256>,
    next_age: u64,
    bytes: usize,
    /// Blocks that somebody asks about now, and how many do.
    flying: HashMap<H256, usize>,
}

/// What is known at one block.
#[derive(Debug, Default)]
struct Known {
    age: u64,
    bytes: usize,
    number: Option<BlockNumber>,
    /// Without values.
    block: Option<RawBlock>,
    values: HashMap<Bytes, Option<Bytes>>,
    keys: HashMap<Bytes, Vec<Bytes>>,
    pages: HashMap<(Bytes, Option<Bytes>), Vec<Bytes>>,
    runtime: Option<RawRuntime>,
    spec: Option<SpecVersion>,
}

impl Known {
    fn values(&self, keys: &[Bytes]) -> Option<Vec<Option<Bytes>>> {
        keys.iter()
            .map(|key| self.values.get(key).cloned())
            .collect()
    }
}

impl Memory {
    fn learn(&mut self, at: H256, bytes: usize, learn: impl FnOnce(&mut Known)) {
        let age = self.next_age;
        let known = self.known.entry(at).or_insert_with(|| Known {
            age,
            ..Known::default()
        });
        if known.age == age {
            self.next_age += 1;
            self.ages.insert(age, at);
        }
        learn(known);
        known.bytes = known.bytes.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        while self.bytes > MOST_BYTES && self.known.len() > 1 {
            let Some((_, oldest)) = self.ages.pop_first() else {
                break;
            };
            if let Some(gone) = self.known.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(gone.bytes);
            }
        }
    }

    fn learn_values(&mut self, at: H256, keys: &[Bytes], values: &[Option<Bytes>]) {
        let size = |(key, value): (&Bytes, &Option<Bytes>)| {
            64 + key.len() + value.as_ref().map_or(0, Vec::len)
        };
        let bytes = keys.iter().zip(values).map(size).sum();
        let pairs = keys.iter().cloned().zip(values.iter().cloned());
        self.learn(at, bytes, |known| known.values.extend(pairs));
    }

    fn learn_block(&mut self, block: &RawBlock, keys: &[Bytes]) {
        let bytes = block.header.len() + block.extrinsics.iter().map(Vec::len).sum::<usize>();
        let bare = RawBlock {
            values: Vec::new(),
            ..block.clone()
        };
        self.learn(block.hash, bytes, |known| {
            known.number = Some(bare.number);
            known.block = Some(bare);
        });
        self.learn_values(block.hash, keys, &block.values);
    }

    fn block(&self, number: BlockNumber, want: &Want) -> Option<RawBlock> {
        let known = self.known.get(&want.at)?;
        let block = known.block.as_ref().filter(|b| b.number == number)?;
        let values = known.values(&want.keys)?;
        Some(RawBlock {
            values,
            ..block.clone()
        })
    }

    /// Values and pages, when all of them are known.
    fn answers(&self, want: &[Want], pages: &[KeyPage]) -> Option<Answers> {
        let values = |want: &Want| self.known.get(&want.at)?.values(&want.keys);
        let list = |page: &KeyPage| {
            let name = (page.prefix.clone(), page.after.clone());
            self.known.get(&page.at)?.pages.get(&name).cloned()
        };
        let values = want.iter().map(values).collect::<Option<_>>()?;
        Some((values, pages.iter().map(list).collect::<Option<_>>()?))
    }

    fn forget_below(&mut self, number: BlockNumber) {
        let old = |known: &Known| known.number.is_none_or(|n| n < number);
        let gone = self.known.iter().filter(|(_, known)| old(known));
        let gone: Vec<_> = gone.map(|(hash, k)| (*hash, k.age, k.bytes)).collect();
        for (hash, age, bytes) in gone {
            self.known.remove(&hash);
            self.ages.remove(&age);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

/// Blocks that are asked about, until the answer is here or given up.
struct Flight<'a> {
    memory: &'a Mutex<Memory>,
    landed: &'a Notify,
    hashes: Vec<H256>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut memory = lock(self.memory);
        for hash in &self.hashes {
            if let Some(count) = memory.flying.get_mut(hash) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    memory.flying.remove(hash);
                }
            }
        }
        drop(memory);
        self.landed.notify_waiters();
    }
}

/// The lock, whatever happened to its last holder: at worst something is asked again.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Remembering<S> {
    /// Over a source; nothing is remembered yet.
    pub fn new(source: Arc<S>) -> Remembering<S> {
        Remembering {
            source,
            on: AtomicBool::new(false),
            memory: Mutex::default(),
            landed: Notify::new(),
        }
    }

    /// The source below.
    pub fn source(&self) -> &Arc<S> {
        &self.source
    }

    /// Turns remembering on or off; off forgets everything.
    pub fn remember(&self, on: bool) {
        if self.on.swap(on, Ordering::AcqRel) && !on {
            let mut memory = lock(&self.memory);
            let flying = std::mem::take(&mut memory.flying);
            *memory = Memory {
                flying,
                ..Memory::default()
            };
        }
    }

    /// Forgets blocks below `number`; nobody asks for them any more.
    pub fn forget_below(&self, number: BlockNumber) {
        if self.is_on() {
            lock(&self.memory).forget_below(number);
        }
    }

    /// Blocks of which something is remembered, and about how many bytes.
    pub fn remembered(&self) -> (usize, usize) {
        let memory = lock(&self.memory);
        (memory.known.len(), memory.bytes)
    }

    fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// Looks something up when nobody asks about these blocks any more, at the
    /// latest after a moment. `find` says what it found, and which blocks must
    /// be asked about; those are under way until the flight is dropped.
    async fn look_up<T>(&self, find: impl Fn(&Memory) -> (T, Vec<H256>)) -> (T, Flight<'_>) {
        let deadline = tokio::time::Instant::now() + WAIT;
        loop {
            let landed = self.landed.notified();
            tokio::pin!(landed);
            landed.as_mut().enable();
            {
                let mut memory = lock(&self.memory);
                let (found, missing) = find(&memory);
                let wait = missing.iter().any(|hash| memory.flying.contains_key(hash))
                    && tokio::time::Instant::now() < deadline;
                if !wait {
                    for hash in &missing {
                        *memory.flying.entry(*hash).or_default() += 1;
                    }
                    let flight = Flight {
                        memory: &self.memory,
                        landed: &self.landed,
                        hashes: missing,
                    };
                    return (found, flight);
                }
            }
            let _ = tokio::time::timeout_at(deadline, landed).await;
        }
    }
}

fn left_out() -> SourceError {
    SourceError::Question(
        "fewer answers came than questions were asked: this is a mistake in the program, please report it"
            .into(),
    )
}

impl<S: ChainSource> ChainSource for Remembering<S> {
    async fn genesis(&self) -> Result<H256, SourceError> {
        self.source.genesis().await
    }

    async fn finalized(&self) -> Result<BlockNumber, SourceError> {
        self.source.finalized().await
    }

    async fn finalized_above(&self, height: BlockNumber) -> Result<BlockNumber, SourceError> {
        self.source.finalized_above(height).await
    }

    async fn best(&self, known: Option<H256>) -> Result<BestHead, SourceError> {
        self.source.best(known).await
    }

    async fn hashes(&self, numbers: &[BlockNumber]) -> Result<Vec<H256>, SourceError> {
        self.source.hashes(numbers).await
    }

    async fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        if !self.is_on() {
            return self.source.blocks(numbers, want).await;
        }
        same_length(numbers.len(), want.len())?;
        let find = |memory: &Memory| {
            let pairs = numbers.iter().zip(want);
            let found: Vec<_> = pairs
                .map(|(number, want)| memory.block(*number, want))
                .collect();
            let missing = found.iter().zip(want).filter(|(found, _)| found.is_none());
            let missing = missing.map(|(_, want)| want.at).collect();
            (found, missing)
        };
        let (found, _flight) = self.look_up(find).await;
        let missing = || {
            let all = found.iter().zip(numbers.iter().zip(want));
            all.filter(|(found, _)| found.is_none())
                .map(|(_, asked)| asked)
        };
        let (numbers, want): (Vec<_>, Vec<_>) = missing()
            .map(|(number, want)| (*number, want.clone()))
            .unzip();
        let mut asked = Vec::new();
        if !numbers.is_empty() {
            asked = self.source.blocks(&numbers, &want).await?;
            let mut memory = lock(&self.memory);
            for (block, want) in asked.iter().zip(&want) {
                memory.learn_block(block, &want.keys);
            }
        }
        let mut asked = asked.into_iter();
        let all = found
            .into_iter()
            .map(|block| block.or_else(|| asked.next()));
        all.collect::<Option<_>>().ok_or_else(left_out)
    }

    async fn read(&self, want: &[Want], pages: &[KeyPage]) -> Result<Answers, SourceError> {
        if !self.is_on() {
            return self.source.read(want, pages).await;
        }
        // All of it, or all is asked for: whole maps are read once in a while.
        let find = |memory: &Memory| {
            let answers = memory.answers(want, pages);
            let all = want.iter().map(|w| w.at).chain(pages.iter().map(|p| p.at));
            let missing = match answers {
                Some(_) => Vec::new(),
                None => all.collect(),
            };
            (answers, missing)
        };
        let (found, _flight) = self.look_up(find).await;
        if let Some(answers) = found {
            return Ok(answers);
        }
        let (values, lists) = self.source.read(want, pages).await?;
        same_length(want.len(), values.len())?;
        same_length(pages.len(), lists.len())?;
        let mut memory = lock(&self.memory);
        for (want, values) in want.iter().zip(&values) {
            memory.learn_values(want.at, &want.keys, values);
        }
        for (page, list) in pages.iter().zip(&lists) {
            let bytes = list.iter().map(Vec::len).sum();
            let name = (page.prefix.clone(), page.after.clone());
            memory.learn(page.at, bytes, |known| {
                known.pages.insert(name, list.clone());
            });
        }
        drop(memory);
        Ok((values, lists))
    }

    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        if !self.is_on() {
            return self.source.storage(want).await;
        }
        // Of each block only what is not known.
        let find = |memory: &Memory| {
            let open: Vec<Want> = want
                .iter()
                .map(|want| {
                    let known = memory.known.get(&want.at);
                    let is_new = |key: &&Bytes| known.is_none_or(|k| !k.values.contains_key(*key));
                    Want {
                        at: want.at,
                        keys: want.keys.iter().filter(is_new).cloned().collect(),
                    }
                })
                .filter(|want| !want.keys.is_empty())
                .collect();
            let missing = open.iter().map(|want| want.at).collect();
            // Taken now: what is known may be forgotten while the rest is asked.
            let known: Vec<HashMap<Bytes, Option<Bytes>>> = want
                .iter()
                .map(|want| {
                    let known = memory.known.get(&want.at);
                    let value = |key: &Bytes| Some((key.clone(), known?.values.get(key)?.clone()));
                    want.keys.iter().filter_map(value).collect()
                })
                .collect();
            ((open, known), missing)
        };
        let ((open, mut known), _flight) = self.look_up(find).await;
        if !open.is_empty() {
            let told = self.source.storage(&open).await?;
            same_length(open.len(), told.len())?;
            let mut memory = lock(&self.memory);
            for (asked, values) in open.iter().zip(&told) {
                memory.learn_values(asked.at, &asked.keys, values);
            }
            drop(memory);
            for (asked, values) in open.into_iter().zip(told) {
                for (want, known) in want.iter().zip(&mut known) {
                    if want.at == asked.at {
                        let pairs = asked.keys.iter().cloned().zip(values.iter().cloned());
                        known.extend(pairs);
                    }
                }
            }
        }
        let one = |(want, known): (&Want, &HashMap<Bytes, Option<Bytes>>)| {
            let values = want.keys.iter().map(|key| known.get(key).cloned());
            values.collect::<Option<Vec<_>>>()
        };
        let all = want.iter().zip(&known).map(one);
        all.collect::<Option<_>>().ok_or_else(left_out)
    }

    async fn keys(&self, at: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        if self.is_on() {
            let memory = lock(&self.memory);
            let known = memory
                .known
                .get(&at)
                .and_then(|known| known.keys.get(prefix));
            if let Some(keys) = known {
                return Ok(keys.clone());
            }
        }
        let keys = self.source.keys(at, prefix).await?;
        if self.is_on() {
            let bytes = keys.iter().map(Vec::len).sum();
            lock(&self.memory).learn(at, bytes, |known| {
                known.keys.insert(prefix.to_vec(), keys.clone());
            });
        }
        Ok(keys)
    }

    async fn runtime(&self, at: H256) -> Result<RawRuntime, SourceError> {
        if self.is_on() {
            let memory = lock(&self.memory);
            let known = memory
                .known
                .get(&at)
                .and_then(|known| known.runtime.clone());
            if let Some(runtime) = known {
                return Ok(runtime);
            }
        }
        let runtime = self.source.runtime(at).await?;
        if self.is_on() {
            let bytes = runtime.metadata.len();
            lock(&self.memory).learn(at, bytes, |known| known.runtime = Some(runtime.clone()));
        }
        Ok(runtime)
    }

    async fn spec(&self, at: H256) -> Result<SpecVersion, SourceError> {
        if self.is_on() {
            let memory = lock(&self.memory);
            if let Some(spec) = memory.known.get(&at).and_then(|known| known.spec) {
                return Ok(spec);
            }
        }
        let spec = self.source.spec(at).await?;
        if self.is_on() {
            lock(&self.memory).learn(at, 0, |known| known.spec = Some(spec));
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests;
