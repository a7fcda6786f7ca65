//! Which block a subtree is about.

use async_graphql::{Context, OneofObject};
use chain_metadata::BlockNumber;

use super::error::{ApiError, Res};
use super::scalars::Hash;
use crate::loaders::{Loaders, loaders};
use crate::ports::Status;

/// The block at whose end a subtree's values are read. Give exactly one field. Without it the
/// highest stored block is meant. It holds for the field it is given to and all below, and for
/// nothing beside it.
#[derive(OneofObject, Debug, Clone, Copy)]
pub(crate) enum AsOf {
    /// A height in the stored range (query availableRange).
    Block(u32),
    /// The hash of a stored block.
    Hash(Hash),
    /// So many blocks below the highest stored block; 0 is that block itself.
    BlocksBehindHead(u32),
}

/// Turns the argument into a height, once; parents hand it to their children.
pub(crate) async fn resolve(ctx: &Context<'_>, as_of: Option<AsOf>) -> Res<BlockNumber> {
    let loaders = loaders(ctx)?;
    match as_of {
        Some(AsOf::Block(number)) => stored(loaders, number).await,
        Some(AsOf::Hash(Hash(hash))) => match loaders.numbers.load(hash).await? {
            Some(number) => Ok(number),
            None => Err(ApiError::NotFound(format!(
                "no stored block has the hash {hash}; query availableRange for what is stored"
            ))),
        },
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

/// The same height when it is stored, else the error that names the range.
pub(crate) async fn stored(loaders: &Loaders, number: BlockNumber) -> Res<BlockNumber> {
    let status = loaders.status.load(()).await?;
    match (status.first, status.last) {
        (Some(first), Some(last)) if (first..=last).contains(&number) => Ok(number),
        (first, last) => Err(ApiError::out_of_range(number, first, last)),
    }
}

fn behind_head(status: &Status, behind: u32) -> Res<BlockNumber> {
    let (first, last) = (status.first, status.last);
    let asked = || match behind {
        0 => "head".to_owned(),
        _ => format!("head-{behind}"),
    };
    let (Some(low), Some(high)) = (first, last) else {
        return Err(ApiError::out_of_range(asked(), first, last));
    };
    match high.checked_sub(behind) {
        Some(number) if number >= low => Ok(number),
        _ => Err(ApiError::out_of_range(asked(), first, last)),
    }
}
