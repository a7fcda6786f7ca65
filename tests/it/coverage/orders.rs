//! Ranges that are filled side by side by a node that takes now long, now short to
//! answer: whichever is first, the end is the same.

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::{BlockNumber, H256, SpecVersion};
use indexer::pipeline::Plan;
use indexer::source::recording::RecordingSource;
use indexer::source::remember::Remembering;
use indexer::source::{Bytes, ChainSource, RawBlock, RawRuntime, SourceError, Want};
use indexer::store::Store;

use super::{play, ranges, same};
use crate::context::{connect, index_with, indexed, node, plan, recording};

/// A recording whose answers take as long as a seed says.
struct Unsteady {
    chain: RecordingSource,
    seed: u64,
}

impl Unsteady {
    async fn wait(&self, number: BlockNumber) {
        let mixed = (u64::from(number) + 1)
            .wrapping_mul(self.seed | 1)
            .wrapping_mul(6_364_136_223_846_793_005)
            >> 33;
        tokio::time::sleep(Duration::from_micros(mixed % 9 * mixed % 9 * 400)).await;
    }
}

impl ChainSource for Unsteady {
    async fn genesis(&self) -> Result<H256, SourceError> {
        self.chain.genesis().await
    }

    async fn finalized(&self) -> Result<BlockNumber, SourceError> {
        self.chain.finalized().await
    }

    async fn finalized_above(&self, height: BlockNumber) -> Result<BlockNumber, SourceError> {
        self.chain.finalized_above(height).await
    }

    async fn hashes(&self, numbers: &[BlockNumber]) -> Result<Vec<H256>, SourceError> {
        self.chain.hashes(numbers).await
    }

    async fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        self.wait(numbers[0]).await;
        self.chain.blocks(numbers, want).await
    }

    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        self.chain.storage(want).await
    }

    async fn keys(&self, at: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        self.chain.keys(at, prefix).await
    }

    async fn runtime(&self, at: H256) -> Result<RawRuntime, SourceError> {
        self.chain.runtime(at).await
    }

    async fn spec(&self, at: H256) -> Result<SpecVersion, SourceError> {
        self.chain.spec(at).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_range_is_first_the_end_is_the_same() {
    for (name, seeds) in [("upgrades", 1..=3), ("mini-300", 4..=4)] {
        let whole = indexed(name).await;
        let head = recording(name).head;
        for seed in seeds {
            let store = Store::in_memory().unwrap();
            play(&store, name, ranges(&[(0, 22)])).await;
            let source = Unsteady {
                chain: RecordingSource(recording(name)),
                seed,
            };
            let plan = Plan {
                from: Some(23),
                split: 37,
                ranges_at_once: 8,
                window: 1 + u32::try_from(seed % 8).unwrap(),
                ..plan(head)
            };
            index_with(Arc::new(source), &store, plan).await.unwrap();
            same(&whole, &store, &format!("{name} with seed {seed}"));
        }
    }
}

/// A range that begins in the middle asks for whole maps; that takes some pages, not
/// a request a key.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_block_of_a_range_takes_few_requests() {
    let node = node("mini-300").await;
    for first in [126, 228] {
        let store = Store::in_memory().unwrap();
        let source = Remembering::new(connect(&node).await);
        node.reset_counts();
        index_with(Arc::new(source), &store, ranges(&[(first, first)]))
            .await
            .unwrap();
        let counts = node.counts();
        // Pages are asked for together, one batch a round.
        assert!(counts.batches <= 6, "block {first}: {counts:?}");
        assert!(counts.requests <= 120, "block {first}: {counts:?}");
    }
    node.stop().await;
}
