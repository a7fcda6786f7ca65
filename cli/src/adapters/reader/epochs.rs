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
