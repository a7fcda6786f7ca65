//! Stamps: which state a group of values is from.

use async_graphql::{Context, Object, SimpleObject};
use chain_metadata::{BlockNumber, NetUid};

use super::cost;
use super::error::Res;
use super::scalars::{Hash, U64};
use crate::loaders::loaders;
use crate::ports;

/// A stamp as shown.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    at: ports::Stamp,
    netuid: Option<NetUid>,
}

impl Stamp {
    /// That of a subnet's values.
    pub(crate) fn of(at: ports::Stamp, netuid: NetUid) -> Self {
        Self {
            at,
            netuid: Some(netuid),
        }
    }

    /// That of values at the end of a block, of a subnet if they are of one.
    pub(crate) async fn at(
        ctx: &Context<'_>,
        number: BlockNumber,
        netuid: Option<NetUid>,
    ) -> Res<Option<Self>> {
        let block = loaders(ctx)?.block(number).await?;
        let at = ports::Stamp {
            block: block.number,
            hash: block.hash,
            spec_version: block.spec_version,
            finalized: block.finalized,
        };
        Ok(Some(Self { at, netuid }))
    }
}

/// Which state a group of values was read from.
#[Object]
impl Stamp {
    /// The block asked for; the values are those at its end.
    async fn block(&self) -> u32 {
        self.at.block
    }

    /// Hash of that block.
    async fn hash(&self) -> Hash {
        Hash(self.at.hash)
    }

    /// Spec version of the runtime whose metadata the values were decoded with.
    async fn spec_version(&self) -> u32 {
        self.at.spec_version
    }

    /// Whether the block is finalized.
    async fn finalized(&self) -> bool {
        self.at.finalized
    }

    /// The epoch whose results the vectors of the subnet hold at the end of the block (incentive,
    /// dividends, consensus, trust, emission and the like); null when no epoch of the subnet ran
    /// by then, when the runtime does not say, and for values that are of no subnet.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn epoch(&self, ctx: &Context<'_>) -> Res<Option<EpochStamp>> {
        let Some(netuid) = self.netuid else {
            return Ok(None);
        };
        let found = loaders(ctx)?.applied.load((self.at.block, netuid)).await?;
        Ok(found.map(EpochStamp::from))
    }
}

/// The epoch whose results a state holds.
#[derive(SimpleObject)]
pub(crate) struct EpochStamp {
    /// Height of the block in which it ran, at whose end its results stand (LastMechansimStepBlock,
    /// the chain's spelling).
    applied_block: u32,
    /// Height of the block whose state it read, together with what was revealed at the beginning of
    /// its own block; null for an epoch of block 0.
    input_block: Option<u32>,
    /// The epoch's index as the chain counts (SubnetEpochIndex at the end of the applied block),
    /// which skipped slots advance too; null in runtimes that do not count, and when that block is
    /// not stored.
    index: Option<U64>,
    /// Spec version of the runtime that executed the applied block, whose rules made the values;
    /// null when that block is not stored.
    spec_version: Option<u32>,
    /// Spec version of the runtime that executed the input block; null when that block is not
    /// stored.
    input_spec_version: Option<u32>,
    /// Whether the applied block is finalized.
    finalized: bool,
}

impl From<ports::Applied> for EpochStamp {
    fn from(applied: ports::Applied) -> Self {
        Self {
            applied_block: applied.block,
            input_block: applied.block.checked_sub(1),
            index: applied.index.map(U64),
            spec_version: applied.spec_version,
            input_spec_version: applied.input_spec_version,
            finalized: applied.finalized,
        }
    }
}
