//! Epochs by their number, and the one whose results a state holds.

use super::*;

/// Reads about epochs, plural first as in [`Reader`].
pub trait Epochs: Send + Sync {
    /// The epoch whose results the vectors of a subnet hold at the end of a block; `None` where
    /// none ran yet.
    ///
    /// Errors with [`ReadError::OutOfRange`] when a block is not stored.
    fn applied(&self, keys: &[(BlockNumber, NetUid)]) -> Result<Vec<Option<Applied>>, ReadError>;

    /// The blocks of epochs that ran, by their place; `None` where no such epoch is stored.
    fn epoch_blocks(
        &self,
        keys: &[(NetUid, EpochPlace)],
    ) -> Result<Vec<Option<BlockNumber>>, ReadError>;
}

/// Which epoch of a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EpochPlace {
    /// The one with this `SubnetEpochIndex` at the end of its block.
    Index(u64),
    /// So many epochs before the last one that ran in a final block.
    Behind(u32),
}

/// An epoch whose results a state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Block in which it ran; its results are in the state at the end of it.
    pub block: BlockNumber,
    /// `SubnetEpochIndex` at the end of that block; `None` in runtimes without it, and when the
    /// block is not stored.
    pub index: Option<u64>,
    /// Runtime that executed the block; `None` when it is not stored.
    pub spec_version: Option<SpecVersion>,
    /// Runtime that executed the block before, whose state the epoch read; `None` when that block
    /// is not stored.
    pub input_spec_version: Option<SpecVersion>,
    /// Whether the block is finalized.
    pub finalized: bool,
}
