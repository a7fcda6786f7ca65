//! The chain as the road reads it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chain_metadata::{BlockNumber, H256, SpecVersion};
use indexer::source::{Bytes, ChainSource, RawBlock, RawRuntime, SourceError, Want};

use crate::{Chain, SyntheticError};

/// Keys asked for and bytes given, by pallet and entry.
type Asked = HashMap<[u8; 32], (u64, u64)>;

/// A synthetic chain as a source; its head is final and never moves.
#[derive(Debug, Clone)]
pub struct SyntheticSource {
    chain: Arc<Chain>,
    /// Nanoseconds spent on making blocks and values.
    spent: Arc<AtomicU64>,
    /// Bytes of the blocks and values given.
    given: Arc<AtomicU64>,
    /// Keys asked for and bytes given, by the first 32 bytes of the key.
    asked: Arc<Mutex<Asked>>,
}

impl SyntheticSource {
    /// A source over a chain.
    pub fn new(chain: Arc<Chain>) -> SyntheticSource {
        SyntheticSource {
            chain,
            spent: Arc::default(),
            given: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// Time spent on making what was asked for: what a node would have spent.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// Bytes of headers, extrinsics and values that were given.
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// What was asked for so far, by pallet and entry: keys, and bytes given.
    pub fn asked(&self) -> Vec<(String, u64, u64)> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = self.chain.metadata();
        let name = |prefix: &[u8; 32]| match metadata.storage_by_key(prefix) {
            Some(entry) => format!("{}.{}", entry.pallet, entry.name),
            None => "others".to_owned(),
        };
        let rows = asked
            .iter()
            .map(|(p, (keys, bytes))| (name(p), *keys, *bytes));
        rows.collect()
    }

    fn note(&self, keys: &[Bytes], values: &[Option<Bytes>]) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in keys.iter().zip(values) {
            let Some(prefix) = key.first_chunk::<32>() else {
                continue;
            };
            let (keys, bytes) = asked.entry(*prefix).or_default();
            *keys += 1;
            *bytes += value.as_ref().map_or(0, |v| v.len()) as u64;
        }
    }

    fn timed<T>(
        &self,
        make: impl FnOnce() -> Result<T, SourceError>,
        size: impl FnOnce(&T) -> usize,
    ) -> Result<T, SourceError> {
        let started = Instant::now();
        let made = make();
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(nanos, Ordering::Relaxed);
        if let Ok(made) = &made {
            let size = u64::try_from(size(made)).unwrap_or(u64::MAX);
            self.given.fetch_add(size, Ordering::Relaxed);
        }
        made
    }

    fn at(&self, hash: &H256) -> Result<BlockNumber, SourceError> {
        self.chain
            .number(hash)
            .ok_or_else(|| SourceError::Recording(format!("the chain has no block {hash}")))
    }

    fn values(&self, want: &Want) -> Result<Vec<Option<Bytes>>, SourceError> {
        let number = self.at(&want.at)?;
        let one = |key: &Bytes| self.chain.storage(number, key).map_err(broken);
        let values: Vec<_> = want.keys.iter().map(one).collect::<Result<_, _>>()?;
        self.note(&want.keys, &values);
        Ok(values)
    }

    fn block(&self, number: BlockNumber, want: &Want) -> Result<RawBlock, SourceError> {
        let hash = self.hash(number)?;
        let (header, parent) = self.chain.header(number);
        let (extrinsics, values) = self.chain.block(number, &want.keys).map_err(broken)?;
        self.note(&want.keys, &values);
        Ok(RawBlock {
            number,
            hash,
            header,
            parent,
            extrinsics,
            values,
        })
    }

    fn hash(&self, number: BlockNumber) -> Result<H256, SourceError> {
        self.chain.hash(number).ok_or_else(|| SourceError::Missing {
            number,
            why: format!("the chain ends at {}", self.chain.config().head),
        })
    }
}

fn broken(error: SyntheticError) -> SourceError {
    SourceError::Recording(error.to_string())
}

fn size(values: &[Option<Bytes>]) -> usize {
    values.iter().flatten().map(Vec::len).sum()
}

fn size_of(block: &RawBlock) -> usize {
    let extrinsics: usize = block.extrinsics.iter().map(Vec::len).sum();
    block.header.len() + extrinsics + size(&block.values)
}

impl ChainSource for SyntheticSource {
    async fn genesis(&self) -> Result<H256, SourceError> {
        self.hash(0)
    }

    async fn finalized(&self) -> Result<BlockNumber, SourceError> {
        Ok(self.chain.config().head)
    }

    async fn finalized_above(&self, height: BlockNumber) -> Result<BlockNumber, SourceError> {
        if self.chain.config().head > height {
            return Ok(self.chain.config().head);
        }
        std::future::pending().await
    }

    async fn hashes(&self, numbers: &[BlockNumber]) -> Result<Vec<H256>, SourceError> {
        numbers.iter().map(|n| self.hash(*n)).collect()
    }

    async fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        self.timed(
            || {
                let both = numbers.iter().zip(want);
                both.map(|(number, want)| self.block(*number, want))
                    .collect()
            },
            |blocks: &Vec<RawBlock>| blocks.iter().map(size_of).sum(),
        )
    }

    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        self.timed(
            || want.iter().map(|w| self.values(w)).collect(),
            |lists: &Vec<Vec<Option<Bytes>>>| lists.iter().map(|l| size(l)).sum(),
        )
    }

    async fn keys(&self, at: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        let number = self.at(&at)?;
        self.chain.keys(number, prefix).map_err(broken)
    }

    async fn runtime(&self, at: H256) -> Result<RawRuntime, SourceError> {
        self.at(&at)?;
        Ok(RawRuntime {
            spec: self.chain.spec(),
            metadata: self.chain.metadata_bytes().to_vec(),
        })
    }

    async fn spec(&self, at: H256) -> Result<SpecVersion, SourceError> {
        self.at(&at)?;
        Ok(self.chain.spec())
    }
}
