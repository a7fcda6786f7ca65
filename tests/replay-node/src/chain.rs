//! The chain that is served, laid over the recording: which recorded block stands for which block.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use chain_metadata::H256;
use chain_metadata::{Header, Recording};
use serde_json::value::RawValue;

use crate::answer::hex;
use crate::options::StartError;

/// One block of the served chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) number: u32,
    pub(crate) hash: H256,
    pub(crate) parent: H256,
    /// The recorded block that gives extrinsics and state.
    pub(crate) source: u32,
    /// Which fork it belongs to; 0 is the final branch.
    fork: u32,
}

/// The final branch, complete from the start; how much of it clients see is not decided here.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) recording: Arc<Recording>,
    hashes: Vec<H256>,
    by_hash: HashMap<H256, u32>,
    end: u32,
    /// Extrinsics of each recorded block as JSON, made when first asked for.
    bodies: Vec<OnceLock<Arc<RawValue>>>,
}

impl Chain {
    pub(crate) fn new(recording: Arc<Recording>, repeat: u32) -> Result<Chain, StartError> {
        let head = recording.head;
        let specs: Vec<u32> = recording.specs().collect();
        if repeat > 1 && specs.len() > 1 {
            let name = recording.name.clone();
            return Err(StartError::Repeat { name, specs });
        }
        let end = match head.checked_mul(repeat) {
            Some(end) if repeat > 0 => end,
            _ => return Err(StartError::Length { head, repeat }),
        };
        let mut hashes: Vec<H256> = recording.blocks().iter().map(|block| block.hash).collect();
        for number in head.saturating_add(1)..=end {
            let source = source_of(number, head);
            let parent = hashes.last().copied().unwrap_or_default();
            if let Some(header) = header_at(&recording, source, number, parent) {
                hashes.push(header.hash());
            }
        }
        let by_hash = (0..).zip(&hashes).map(|(number, hash)| (*hash, number));
        let by_hash = by_hash.collect();
        let bodies = recording.blocks().iter().map(|_| OnceLock::new()).collect();
        Ok(Chain {
            recording,
            hashes,
            by_hash,
            end,
            bodies,
        })
    }

    /// Height of the last block.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// A block of the final branch.
    pub(crate) fn block(&self, number: u32) -> Option<Block> {
        let at = usize::try_from(number).ok()?;
        let hash = *self.hashes.get(at)?;
        let parent = match at.checked_sub(1) {
            Some(before) => *self.hashes.get(before)?,
            None => self.recording.block(0)?.parent,
        };
        Some(Block {
            number,
            hash,
            parent,
            source: source_of(number, self.recording.head),
            fork: 0,
        })
    }

    /// A block of the final branch.
    pub(crate) fn find(&self, hash: &H256) -> Option<Block> {
        self.block(*self.by_hash.get(hash)?)
    }

    /// A block on `parent` that is not the one of the final branch: extrinsics and state of a recorded
    /// neighbour under the same runtimes, and a digest item that names the fork.
    pub(crate) fn fork_block(&self, parent: &Block, fork: u32) -> Option<Block> {
        let number = parent.number.checked_add(1)?;
        let head = self.recording.head;
        // Above the end of the chain there is no block to differ from but the parent.
        let own = if number > self.end {
            parent.source
        } else {
            source_of(number, head)
        };
        let runtimes = |source: u32| {
            let before = self.recording.spec_of_state(source.checked_sub(1)?)?;
            Some((before, self.recording.spec_of_state(source)?))
        };
        let spec = self.recording.spec_of_state(parent.source)?;
        let source = (1..=head)
            .filter(|source| *source != own && runtimes(*source) == Some((spec, spec)))
            .min_by_key(|source| (source.abs_diff(own), *source < own))?;
        let mut block = Block {
            number,
            hash: H256::ZERO,
            parent: parent.hash,
            source,
            fork,
        };
        block.hash = self.header(&block)?.hash();
        Some(block)
    }

    /// The header of a block.
    pub(crate) fn header(&self, block: &Block) -> Option<Header> {
        let mut header = header_at(&self.recording, block.source, block.number, block.parent)?;
        if block.fork > 0 {
            // DigestItem::Other (0) with a text; its length is below 64, so one compact byte.
            let text = format!("fork {}", block.fork);
            let mut log = vec![0, u8::try_from(text.len() * 4).unwrap_or(0)];
            log.extend_from_slice(text.as_bytes());
            header.logs.push(log);
        }
        Some(header)
    }

    /// The extrinsics of a block as a JSON list of hex strings.
    pub(crate) fn body(&self, block: &Block) -> Option<Arc<RawValue>> {
        let cell = self.bodies.get(usize::try_from(block.source).ok()?)?;
        if let Some(body) = cell.get() {
            return Some(Arc::clone(body));
        }
        let recorded = self.recording.block(block.source)?;
        let list: Vec<String> = recorded.extrinsics.iter().map(|xt| hex(xt)).collect();
        let body: Arc<RawValue> = serde_json::value::to_raw_value(&list).ok()?.into();
        Some(Arc::clone(cell.get_or_init(|| body)))
    }

    /// The runtime of the state after a block.
    pub(crate) fn spec(&self, block: &Block) -> Option<u32> {
        self.recording.spec_of_state(block.source)
    }

    /// The value under a key at the end of a block.
    pub(crate) fn storage(&self, block: &Block, key: &[u8]) -> Option<&[u8]> {
        self.recording.storage(block.source, key)
    }
}

/// The recorded block behind block `number` of a chain that repeats blocks 1 to `head`.
fn source_of(number: u32, head: u32) -> u32 {
    match number.checked_sub(1) {
        None => 0,
        Some(index) => index.checked_rem(head).map_or(0, |index| index + 1),
    }
}

fn header_at(recording: &Recording, source: u32, number: u32, parent: H256) -> Option<Header> {
    let mut header = recording.block(source)?.header.clone();
    header.number = number;
    header.parent_hash = parent;
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn numbers_map_to_recorded_blocks() {
        let map: Vec<u32> = (0..8).map(|number| source_of(number, 3)).collect();
        assert_eq!(map, [0, 1, 2, 3, 1, 2, 3, 1]);
        assert_eq!(source_of(5, 0), 0);
    }

    #[test]
    fn one_lap_is_the_recording() {
        let recording = fixture("mini-300").unwrap();
        let chain = Chain::new(Arc::clone(&recording), 1).unwrap();
        assert_eq!(chain.end(), recording.head);
        for recorded in recording.blocks() {
            let block = chain.block(recorded.number).unwrap();
            assert_eq!((block.hash, block.parent), (recorded.hash, recorded.parent));
            assert_eq!(chain.header(&block).unwrap(), recorded.header);
        }
        assert!(chain.block(recording.head + 1).is_none());
    }

    #[test]
    fn later_laps_are_a_valid_chain() {
        let recording = fixture("mini-300").unwrap();
        let chain = Chain::new(Arc::clone(&recording), 3).unwrap();
        assert_eq!(chain.end(), 3 * 329);
        for number in 1..=chain.end() {
            let block = chain.block(number).unwrap();
            let header = chain.header(&block).unwrap();
            assert_eq!(header.number, number);
            assert_eq!(header.hash(), block.hash);
            assert_eq!(header.parent_hash, chain.block(number - 1).unwrap().hash);
            assert_eq!(chain.find(&block.hash), Some(block));
        }
    }

    #[test]
    fn a_chain_of_several_runtimes_is_not_repeated() {
        let recording = fixture("upgrades").unwrap();
        let error = Chain::new(Arc::clone(&recording), 2)
            .unwrap_err()
            .to_string();
        assert!(error.contains("[103, 119, 143]"), "{error}");
        let error = Chain::new(fixture("mini-300").unwrap(), 0).unwrap_err();
        assert!(matches!(error, StartError::Length { .. }), "{error}");
        let error = Chain::new(fixture("mini-300").unwrap(), u32::MAX).unwrap_err();
        assert!(error.to_string().contains("13054"), "{error}");
    }

    #[test]
    fn fork_blocks_keep_the_runtime() {
        let recording = fixture("upgrades").unwrap();
        let chain = Chain::new(Arc::clone(&recording), 1).unwrap();
        for number in 0..=recording.head {
            let parent = chain.block(number).unwrap();
            let block = chain.fork_block(&parent, 1).unwrap();
            assert_eq!(chain.spec(&block), chain.spec(&parent));
            assert_eq!(
                chain.spec(&chain.block(block.source - 1).unwrap()),
                chain.spec(&parent)
            );
            let header = chain.header(&block).unwrap();
            assert_eq!(
                (header.hash(), header.parent_hash),
                (block.hash, parent.hash)
            );
            assert!(chain.find(&block.hash).is_none());
        }
    }
}
