//! Epochs by their number, as the window asks for them.

use chain_metadata::{BlockNumber, NetUid, SpecVersion};
use graphql::ports::{Applied, EpochPlace, Epochs, ReadError};
use indexer::view::epochs;

use super::{StoreReader, read_error};

impl StoreReader {
    /// The runtime that executed a block, if it is stored.
    fn spec_of(&self, block: BlockNumber) -> Result<Option<SpecVersion>, ReadError> {
        let row = self.over(block).block(block).map_err(read_error)?;
        Ok(row.map(|row| row.spec))
    }
}

impl Epochs for StoreReader {
    fn applied(&self, keys: &[(BlockNumber, NetUid)]) -> Result<Vec<Option<Applied>>, ReadError> {
        let mut ats = self.ats();
        let one = |(number, netuid): &(BlockNumber, NetUid)| {
            let (at, store) = (ats.at(*number)?, self.over(*number));
            let Some(block) = epochs::last(store, at, *netuid).map_err(read_error)? else {
                return Ok(None);
            };
            let row = store.epoch(netuid.0, block).map_err(read_error)?;
            let before = block.checked_sub(1);
            let input = before.map(|before| self.spec_of(before)).transpose()?;
            Ok(Some(Applied {
                block,
                index: row.and_then(|row| row.index),
                spec_version: self.spec_of(block)?,
                input_spec_version: input.flatten(),
                finalized: self.above.is_final(block),
            }))
        };
        keys.iter().map(one).collect()
    }

    fn epoch_blocks(
        &self,
        keys: &[(NetUid, EpochPlace)],
    ) -> Result<Vec<Option<BlockNumber>>, ReadError> {
        let Some(tip) = self.tip()?.map(|tip| tip.last) else {
            return Ok(vec![None; keys.len()]);
        };
        let store = self.base();
        let one = |(netuid, place): &(NetUid, EpochPlace)| match *place {
            EpochPlace::Index(index) => epochs::with_index(store, tip, *netuid, index),
            EpochPlace::Behind(behind) => {
                let behind = usize::try_from(behind).unwrap_or(usize::MAX);
                epochs::behind(store, tip, *netuid, behind)
            }
        };
        let found: Result<Vec<_>, _> = keys.iter().map(one).collect();
        found.map_err(read_error)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use chain_metadata::{H256, Metadata};
    use graphql::Reader;
    use graphql::ports::{EventFilter, Histories, LastEpoch};
    use indexer::items::{Layout, position};
    use indexer::plan::{Decoded, Key, Prepared};
    use indexer::source::RawBlock;
    use indexer::stages::{Tip, block_batch};
    use indexer::store::Store;

    use super::*;

    fn layout() -> Arc<Layout> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain-metadata/fixtures");
        let packed = std::fs::read(folder.join("metadata/subtensor_spec424_v16.scale.zst"));
        let bytes = zstd::stream::decode_all(packed.unwrap().as_slice()).unwrap();
        let metadata = Metadata::from_bytes(&bytes).unwrap();
        Arc::new(Layout::new(424, Arc::new(metadata), Arc::new(bytes)).unwrap())
    }

    /// Adds a block that reads values of subnet 2 and in which epochs ran.
    fn add(
        store: &Store,
        tip: &mut Tip,
        layout: &Arc<Layout>,
        number: BlockNumber,
        read: &[(&str, Vec<u8>)],
        epochs: &[u16],
    ) {
        let hash = |number: BlockNumber| {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_be_bytes());
            H256(hash)
        };
        let values = read.iter().map(|(entry, value)| {
            let (_, found) = layout.find(entry).unwrap();
            let key = Key {
                line: position(entry).unwrap(),
                full: found.key_of_encoded(&[&2_u16.to_le_bytes()]),
                subnet: 2,
                uid: 0,
            };
            (key, Some(value.clone()))
        });
        let prepared = Prepared {
            raw: RawBlock {
                number,
                hash: hash(number),
                header: Vec::new(),
                parent: hash(number - 1),
                extrinsics: Vec::new(),
                values: Vec::new(),
            },
            decoded: Decoded::default(),
            layout: layout.clone(),
            every: None,
            values: values.collect(),
            inputs: Vec::new(),
            swept: false,
            epochs: epochs.to_vec(),
            upgraded_to: None,
        };
        let batch = block_batch(store, tip, &prepared).unwrap();
        store.commit(vec![batch]).unwrap();
    }

    fn wide(value: u64) -> Vec<u8> {
        value.to_le_bytes().to_vec()
    }

    #[test]
    fn a_skipped_slot_is_no_epoch_and_block_0_is_none() {
        let (store, layout) = (Store::in_memory().unwrap(), layout());
        let tip = &mut Tip::default();
        let there = ("NetworksAdded", vec![1]);
        let none = ("LastMechansimStepBlock", wide(0));
        add(&store, tip, &layout, 10, &[there, none], &[]);
        let ran = ("LastMechansimStepBlock", wide(11));
        let read = [("SubnetEpochIndex", wide(7)), ran.clone()];
        add(&store, tip, &layout, 11, &read, &[2]);
        let skipped = [("SubnetEpochIndex", wide(8)), ran];
        add(&store, tip, &layout, 12, &skipped, &[]);
        let reader = StoreReader::at_rest(store, None);
        let netuid = NetUid(2);
        let keys = [(10, netuid), (11, netuid), (12, netuid)];
        let last = LastEpoch {
            block: 11,
            index: Some(7),
        };
        let told = reader.last_epochs(&keys).unwrap();
        assert_eq!(told, [None, Some(last), Some(last)]);
        let subnets = reader.subnet(&keys).unwrap().into_iter();
        let blocks: Vec<_> = subnets.map(|s| s.unwrap().last_epoch_block).collect();
        assert_eq!(blocks, [None, Some(11), Some(11)]);
    }

    #[test]
    fn a_search_does_not_pass_over_a_hole_without_a_word() {
        let (store, layout) = (Store::in_memory().unwrap(), layout());
        for first in [10, 50] {
            let tip = &mut Tip::default();
            for number in [first, first + 1] {
                add(&store, tip, &layout, number, &[], &[]);
            }
        }
        let reader = StoreReader::at_rest(store, None);
        let search = |from, to| {
            let wanted = EventFilter {
                from,
                to,
                ..EventFilter::default()
            };
            match reader.find_events(&wanted, None, 9) {
                Ok(found) => Ok(found.items.len()),
                Err(ReadError::OutOfRange { asked, first, last }) => Err((asked, first, last)),
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(search(None, None), Ok(0));
        assert_eq!(search(Some(10), Some(11)), Ok(0));
        assert_eq!(search(None, Some(50)), Ok(0));
        for (from, to, missing) in [
            (Some(10), Some(51), 12),
            (Some(50), Some(52), 52),
            (Some(30), None, 30),
            (None, Some(12), 12),
        ] {
            assert_eq!(search(from, to), Err((missing, Some(10), Some(51))));
        }
    }
}
