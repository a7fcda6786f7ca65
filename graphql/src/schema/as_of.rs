//! Which block a subtree is about.

use async_graphql::{Context, OneofObject};
use chain_metadata::{BlockNumber, NetUid};

use super::error::{ApiError, Res};
use super::scalars::{Hash, U64};
use crate::loaders::{Loaders, loaders};
use crate::ports::{EpochPlace, Status};

/// Most epochs that can be counted back from the last one.
const MAX_EPOCHS_BACK: u32 = 10_000;

/// The block at whose end a subtree's values are read. Give exactly one field. Without it the
/// highest stored block is meant, which is final; blocks above it are not, and are read only when
/// they are asked for. It holds for the field it is given to and all below, and for
/// nothing beside it.
#[derive(OneofObject, Debug, Clone, Copy)]
pub(crate) enum AsOf {
    /// The height of a stored block (query availableRange, or coverage for all of them), or an
    /// unfinalized one up to the best block.
    Block(u32),
    /// The hash of a stored block, or of an unfinalized one of the best chain.
    Hash(Hash),
    /// The block in which an epoch of the field's own subnet ran: its results stand in the state at
    /// the end of that block. Only for fields that are about one subnet, by their `netuid`.
    Epoch(AsOfEpoch),
    /// So many blocks below the highest stored block; 0 is that block itself.
    BlocksBehindHead(u32),
    /// True: the best block, final or not.
    Best(bool),
}

/// An epoch of a subnet that ran in a stored, final block. Give exactly one field.
#[derive(OneofObject, Debug, Clone, Copy)]
pub(crate) enum AsOfEpoch {
    /// The epoch's index as the chain counts (SubnetEpochIndex at the end of its block), 0 or more.
    /// Slots that were skipped advance it too, so not every index is an epoch that ran. Runtimes
    /// before that counter have no indices: use `behindLast` there.
    Index(U64),
    /// So many epochs before the last one that ran, 0 to 10000; 0 is that one itself.
    BehindLast(u32),
}

/// Turns the argument into a height, once; parents hand it to their children. `netuid` is the subnet
/// that the field is about, if it is about one.
pub(crate) async fn resolve(
    ctx: &Context<'_>,
    as_of: Option<AsOf>,
    netuid: Option<NetUid>,
) -> Res<BlockNumber> {
    let loaders = loaders(ctx)?;
    match as_of {
        Some(AsOf::Block(number)) => stored(loaders, number).await,
        Some(AsOf::Hash(Hash(hash))) => match loaders.numbers.load(hash).await? {
            Some(number) => Ok(number),
            None => Err(ApiError::NotFound(format!(
                "no stored block has the hash {hash}; query availableRange for what is stored"
            ))),
        },
        Some(AsOf::Epoch(epoch)) => match netuid {
            Some(netuid) => of_epoch(loaders, netuid, epoch).await,
            None => Err(ApiError::bad_input(
                "`asOf: {epoch}` needs a field that is about one subnet, since every subnet has epochs of its own; give `netuid`, or ask by `block`",
            )),
        },
        Some(AsOf::Best(true)) => {
            let status = loaders.status.load(()).await?;
            match status.heads.best {
                Some((number, _)) => Ok(number),
                None => behind_head(&status, 0),
            }
        }
        Some(AsOf::Best(false)) => Err(ApiError::bad_input(
            "`best` is true or left out; without it the highest stored block is meant",
        )),
        Some(AsOf::BlocksBehindHead(behind)) => {
            let status = loaders.status.load(()).await?;
            behind_head(&status, behind)
        }
        None => {
            let status = loaders.status.load(()).await?;
            behind_head(&status, 0)
        }
    }
}

async fn of_epoch(loaders: &Loaders, netuid: NetUid, epoch: AsOfEpoch) -> Res<BlockNumber> {
    let (place, asked) = match epoch {
        AsOfEpoch::Index(U64(index)) => (
            EpochPlace::Index(index),
            format!("epoch {index} of subnet {netuid}"),
        ),
        AsOfEpoch::BehindLast(behind) if behind > MAX_EPOCHS_BACK => {
            return Err(ApiError::bad_input(format!(
                "`behindLast` is {behind}, but must be from 0 to {MAX_EPOCHS_BACK}; ask by `block` (query epochs)"
            )));
        }
        AsOfEpoch::BehindLast(behind) => (
            EpochPlace::Behind(behind),
            format!("epoch last-{behind} of subnet {netuid}"),
        ),
    };
    match loaders.epoch_blocks.load((netuid, place)).await? {
        Some(block) => Ok(block),
        None => {
            let status = loaders.status.load(()).await?;
            Err(ApiError::out_of_range(asked, status.spans.clone()))
        }
    }
}

/// The same height when it is stored, or unfinalized and held, else the error that names the range.
pub(crate) async fn stored(loaders: &Loaders, number: BlockNumber) -> Res<BlockNumber> {
    let status = loaders.status.load(()).await?;
    if holds(&status, number) {
        return Ok(number);
    }
    Err(ApiError::out_of_range(number, status.spans.clone()))
}

fn holds(status: &Status, number: BlockNumber) -> bool {
    let best = status.heads.best.map(|(number, _)| number);
    let unfinalized = |last| last < number && best.is_some_and(|best| number <= best);
    let mut spans = status.spans.iter();
    spans.any(|(first, last)| (*first..=*last).contains(&number))
        || status.last.is_some_and(unfinalized)
}

fn behind_head(status: &Status, behind: u32) -> Res<BlockNumber> {
    let asked = || match behind {
        0 => "head".to_owned(),
        _ => format!("head-{behind}"),
    };
    match status.last.and_then(|high| high.checked_sub(behind)) {
        Some(number) if holds(status, number) => Ok(number),
        _ => Err(ApiError::out_of_range(asked(), status.spans.clone())),
    }
}
