//! When a commit may be revealed.
//!
//! A reveal that comes too early fails and shows the row all the same, to everybody. So the
//! node's own state is asked before one is signed: whether the commit is there, and whether the
//! next block belongs to the one epoch in which the chain takes its reveal.

use chain_metadata::{AccountId, H256, Metadata, Value};

use crate::build::PALLET;
use crate::follow::{FollowError, value};
use crate::node::{Head, Node};
use crate::order::Order;

/// Why a commit is not revealed now. The row is still a secret.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// The node's state cannot be read.
    #[error(transparent)]
    State(#[from] FollowError),
    /// The commit is not on the chain.
    #[error(
        "the chain would refuse the reveal with NoWeightsCommitFound: block {block} has no commit {hash} of {hotkey}; it never came into a block, or was revealed or replaced"
    )]
    NoWeightsCommitFound {
        /// What was committed to.
        hash: H256,
        /// Who committed.
        hotkey: AccountId,
        /// The block whose state was asked.
        block: u64,
    },
    /// Its epoch is still to come.
    #[error(
        "the chain would refuse the reveal with RevealTooEarly and everybody would see the row: it opens in epoch {epoch}{}, now is epoch {now}, block {block}: reveal it then", from(*.first)
    )]
    RevealTooEarly {
        /// The epoch in which it can be revealed.
        epoch: u64,
        /// The epoch of now.
        now: u64,
        /// The first block of the epoch as things stand, where it can be told.
        first: Option<u64>,
        /// The block whose state was asked.
        block: u64,
    },
    /// Its epoch is over.
    #[error(
        "the chain would refuse the reveal with ExpiredWeightCommit: it could be revealed in epoch {epoch} only, now is epoch {now}, block {block}: commit again"
    )]
    ExpiredWeightCommit {
        /// The epoch in which it could be revealed.
        epoch: u64,
        /// The epoch of now.
        now: u64,
        /// The block whose state was asked.
        block: u64,
    },
    /// The node does not say when.
    #[error(
        "the node's state does not say when the commit may be revealed ({0}): nothing is revealed at a guess"
    )]
    Unknown(&'static str),
}

fn from(first: Option<u64>) -> String {
    first.map_or_else(String::new, |first| format!(", from block {first} on"))
}

/// How a runtime counts the epochs of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beat {
    /// `SubnetEpochIndex` counts in storage, and a commit carries its value.
    Counter { now: u64, next: Option<u64> },
    /// `(block + netuid + 1) / (tempo + 1)`, with the tempo of now; a commit carries its block.
    Tempo { length: u64, netuid: u64 },
    /// `block / interval`; a commit carries its block.
    Interval(u64),
}

impl Beat {
    /// The epoch of a block; the counter knows only now.
    fn epoch(self, block: u64) -> Option<u64> {
        match self {
            Beat::Counter { now, .. } => Some(now),
            Beat::Tempo { length, netuid } => block
                .saturating_add(netuid)
                .saturating_add(1)
                .checked_div(length),
            Beat::Interval(length) => block.checked_div(length),
        }
    }

    /// The epoch of a commit, out of the number that stands behind its hash.
    fn of_commit(self, number: u64) -> Option<u64> {
        match self {
            Beat::Counter { .. } => Some(number),
            _ => self.epoch(number),
        }
    }

    /// The first block of an epoch to come, where it can be told.
    fn first(self, epoch: u64) -> Option<u64> {
        match self {
            // Told for the next epoch only: any of them may be put off or asked for.
            Beat::Counter { now, next } => next.filter(|_| now.checked_add(1) == Some(epoch)),
            Beat::Tempo { length, netuid } => epoch
                .checked_mul(length)?
                .checked_sub(netuid.checked_add(1)?),
            Beat::Interval(length) => epoch.checked_mul(length),
        }
    }
}

/// Whether the commit of an order can be revealed in the block after `at`, by that block's
/// state. Answers the epoch in which it can.
///
/// The row must not be shown to anybody before this is so; [`crate::submit::prepare`] asks it
/// for every reveal.
///
/// # Errors
///
/// See [`WindowError`].
pub async fn check(
    node: &Node,
    meta: &Metadata,
    at: Head,
    order: &Order,
    hash: &H256,
) -> Result<u64, WindowError> {
    let keys: [&[u8]; 2] = [&order.index.to_le_bytes(), &order.hotkey.0];
    let queue = value(node, meta, "WeightCommits", &keys, at.hash).await?;
    let commit = queue.as_ref().and_then(|queue| commit_of(queue, hash));
    let commit = commit.ok_or(WindowError::NoWeightsCommitFound {
        hash: *hash,
        hotkey: order.hotkey,
        block: at.number,
    })?;
    let number = commit.items().get(1).and_then(Value::as_u64);
    let number = number.ok_or(WindowError::Unknown("the commit carries no block or epoch"))?;
    let (beat, period) = clock(node, meta, at, order.state.netuid).await?;
    decide(beat, period, number, at.number)
}

/// The commit under a hash; early runtimes keep one for a hotkey, the others a queue.
fn commit_of<'a>(queue: &'a Value, hash: &H256) -> Option<&'a Value> {
    let queue = queue.as_option().unwrap_or(Some(queue))?;
    let is_it = |commit: &&Value| {
        let first = commit.items().first().and_then(Value::as_bytes);
        first == Some(&hash.0[..])
    };
    Some(queue)
        .filter(is_it)
        .or_else(|| queue.items().iter().find(is_it))
}

/// The time of a subnet at the end of a block, and the epochs from a commit to its reveal.
async fn clock(
    node: &Node,
    meta: &Metadata,
    at: Head,
    netuid: u16,
) -> Result<(Beat, u64), WindowError> {
    let number = async |name: &'static str| -> Result<Option<u64>, FollowError> {
        let Some(entry) = meta.storage(PALLET, name) else {
            return Ok(None);
        };
        let stored = value(node, meta, name, &[&netuid.to_le_bytes()], at.hash).await?;
        let found = match stored {
            Some(stored) => Some(stored),
            None => entry.default_value(meta.types())?,
        };
        Ok(found.and_then(|value| value.as_u64()))
    };
    let Some(period) = number("RevealPeriodEpochs").await? else {
        let interval = number("WeightCommitRevealInterval").await?;
        let interval = interval.ok_or(WindowError::Unknown("it has no reveal period"))?;
        return Ok((Beat::Interval(interval), 1));
    };
    let tempo = number("Tempo").await?;
    if meta.storage(PALLET, "SubnetEpochIndex").is_some() {
        let now = number("SubnetEpochIndex").await?;
        let now = now.ok_or(WindowError::Unknown("it has no SubnetEpochIndex"))?;
        let last = number("LastEpochBlock").await?;
        let next = last.zip(tempo.filter(|tempo| *tempo > 0));
        let next = next.and_then(|(last, tempo)| last.checked_add(tempo));
        return Ok((Beat::Counter { now, next }, period));
    }
    let tempo = tempo.ok_or(WindowError::Unknown("it has no tempo"))?;
    let beat = Beat::Tempo {
        length: tempo.saturating_add(1),
        netuid: u64::from(netuid),
    };
    Ok((beat, period))
}

/// What the chain would say in the block after this one.
fn decide(beat: Beat, period: u64, number: u64, block: u64) -> Result<u64, WindowError> {
    let unknown = WindowError::Unknown("its epochs have no length");
    let times = beat
        .of_commit(number)
        .zip(beat.epoch(block.saturating_add(1)));
    let Some((committed, now)) = times else {
        return Err(unknown);
    };
    let epoch = committed.saturating_add(period);
    match now.cmp(&epoch) {
        std::cmp::Ordering::Equal => Ok(epoch),
        std::cmp::Ordering::Less => Err(WindowError::RevealTooEarly {
            epoch,
            now,
            first: beat.first(epoch),
            block,
        }),
        std::cmp::Ordering::Greater => Err(WindowError::ExpiredWeightCommit { epoch, now, block }),
    }
}

#[cfg(test)]
mod tests;
