//! Which block a subtree is about.

use async_graphql::{Context, OneofObject};
use chain_metadata::BlockNumber;

use super::error::{ApiError, Res};
use super::scalars::Hash;
use crate::loaders::{Loaders, loaders};
use crate::ports::Status;

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
    /// So many blocks below the highest stored block; 0 is that block itself.
    BlocksBehindHead(u32),
    /// True: the best block, final or not.
    Best(bool),
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
