//! A recorded chain as a source, without a socket.

use std::sync::Arc;

use chain_metadata::{BlockNumber, H256, Recording, SpecVersion, encode_header};

use super::{Bytes, ChainSource, RawBlock, RawRuntime, SourceError, Want, same_length};

/// Plays a [`Recording`]; its head is final and never moves.
#[derive(Debug, Clone)]
pub struct RecordingSource(pub Arc<Recording>);

impl RecordingSource {
    fn number(&self, at: &H256) -> Result<BlockNumber, SourceError> {
        self.0.number_of(at).ok_or_else(|| {
            SourceError::Recording(format!(
                "the recording {} has no block {at}; it ends at {}",
                self.0.name, self.0.head
            ))
        })
    }

    fn values(&self, number: BlockNumber, keys: &[Bytes]) -> Vec<Option<Bytes>> {
        keys.iter()
            .map(|key| self.0.storage(number, key).map(<[u8]>::to_vec))
            .collect()
    }
}

impl ChainSource for RecordingSource {
    async fn genesis(&self) -> Result<H256, SourceError> {
        Ok(self.0.genesis_hash)
    }

    async fn finalized(&self) -> Result<BlockNumber, SourceError> {
        Ok(self.0.head)
    }

    async fn finalized_above(&self, height: BlockNumber) -> Result<BlockNumber, SourceError> {
        if self.0.head > height {
            return Ok(self.0.head);
        }
        std::future::pending().await
    }

    async fn hashes(&self, numbers: &[BlockNumber]) -> Result<Vec<H256>, SourceError> {
        numbers
            .iter()
            .map(|n| {
                let block = self.0.block(*n).ok_or_else(|| SourceError::Missing {
                    number: *n,
                    why: format!("the recording ends at {}", self.0.head),
                })?;
                Ok(block.hash)
            })
            .collect()
    }

    async fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        same_length(numbers.len(), want.len())?;
        numbers
            .iter()
            .zip(want)
            .map(|(number, want)| {
                let block = self.0.block(*number).ok_or_else(|| SourceError::Missing {
                    number: *number,
                    why: format!("the recording ends at {}", self.0.head),
                })?;
                Ok(RawBlock {
                    number: *number,
                    hash: block.hash,
                    header: encode_header(&block.header),
                    parent: block.parent,
                    extrinsics: block.extrinsics.clone(),
                    values: self.values(*number, &want.keys),
                })
            })
            .collect()
    }

    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        want.iter()
            .map(|w| Ok(self.values(self.number(&w.at)?, &w.keys)))
            .collect()
    }

    async fn keys(&self, at: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        let number = self.number(&at)?;
        let found = self.0.keys(number, prefix, None, usize::MAX);
        Ok(found.into_iter().map(<[u8]>::to_vec).collect())
    }

    async fn runtime(&self, at: H256) -> Result<RawRuntime, SourceError> {
        let spec = self.spec(at).await?;
        let metadata = self
            .0
            .metadata(spec, 14)
            .or_else(|| self.0.metadata(spec, 15))
            .ok_or_else(|| {
                SourceError::Recording(format!(
                    "the recording {} has no metadata of spec {spec}",
                    self.0.name
                ))
            })?;
        Ok(RawRuntime {
            spec,
            metadata: metadata.to_vec(),
        })
    }

    async fn spec(&self, at: H256) -> Result<SpecVersion, SourceError> {
        let number = self.number(&at)?;
        self.0.spec_of_state(number).ok_or_else(|| {
            SourceError::Recording(format!(
                "the recording {} does not say which runtime is in the state of block {number}",
                self.0.name
            ))
        })
    }
}
