//! Follows what was sent until the chain's state proves it.
//!
//! That a node took an extrinsic proves nothing, nor does its being in a block. Only final
//! blocks are looked at, and every one of them: whether the extrinsic is in it and what became
//! of it, and whether the state is what it was to make of it.

use std::time::Duration;

use chain_metadata::{
    AccountId, DecodeError, Event, H256, Metadata, Value, blake2_256, decode_events,
    decode_extrinsic, extrinsic_outcome,
};
use scoring::local::sn42::chain::Row;
use tokio::time::{Instant, sleep};

use crate::build::PALLET;
use crate::node::{Node, NodeError};

/// What the state is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The row of a uid is this one, and `LastUpdate` says that it was set since.
    Row {
        /// Storage index.
        index: u16,
        /// The uid.
        uid: u16,
        /// The row as it is stored.
        row: Row,
    },
    /// The hash is among the commits of a hotkey.
    Committed {
        /// Storage index.
        index: u16,
        /// The hotkey.
        hotkey: AccountId,
        /// The hash.
        hash: H256,
    },
    /// The row of a uid is this one, the hash is no longer among the commits, and it was the
    /// extrinsic that did it, or the chain's event says so.
    Revealed {
        /// Storage index.
        index: u16,
        /// The uid.
        uid: u16,
        /// The row as it is stored.
        row: Row,
        /// The hotkey.
        hotkey: AccountId,
        /// The hash.
        hash: H256,
    },
}

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// Hash of the extrinsic.
    pub extrinsic: H256,
    /// What it is to bring about.
    pub expected: Expected,
    /// The last final block before it was sent.
    pub after: u64,
    /// The last block in which it can be.
    pub last: u64,
    /// Between two looks at the node.
    pub every: Duration,
    /// The longest wait for a new final block.
    pub patience: Duration,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The state of a final block proves it.
    Proved {
        /// The block.
        block: u64,
        /// The block that holds the extrinsic itself, when it was seen.
        included: Option<u64>,
    },
    /// It is in a block, and the chain refused it.
    Failed {
        /// The block.
        block: u64,
        /// The dispatch error, `Pallet.Name`.
        error: String,
    },
    /// It is in a block, without an error, and the state is not what it should be: another
    /// extrinsic of the block changed it again.
    Changed {
        /// The block.
        block: u64,
    },
    /// The time in which it could be in a block is over, and it is in none.
    Expired {
        /// The last block in which it could have been.
        last: u64,
    },
    /// The node's chain stands still.
    Waiting {
        /// Its last final block.
        head: u64,
    },
}

/// Why it cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The chain's bytes.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The runtime has no such item.
    #[error(
        "the runtime has no storage item {PALLET}.{0}: this program is too old or too new for it"
    )]
    Missing(&'static str),
    /// The node does not have a block below its final head.
    #[error("the node has no block {0} below its final head: ask one that keeps all blocks")]
    NoBlock(u64),
}

/// Looks at every final block after [`Following::after`] until the end is known.
///
/// # Errors
///
/// See [`FollowError`]. What was sent may still come to be; follow again.
pub async fn follow(
    node: &Node,
    meta: &Metadata,
    what: &Following,
) -> Result<Outcome, FollowError> {
    let mut next = what.after.saturating_add(1);
    let mut moved = Instant::now();
    loop {
        let head = node.finalized().await?;
        while next <= head.number.min(what.last) {
            if let Some(outcome) = look(node, meta, what, next).await? {
                return Ok(outcome);
            }
            next += 1;
            moved = Instant::now();
        }
        if next > what.last {
            return Ok(Outcome::Expired { last: what.last });
        }
        if moved.elapsed() >= what.patience {
            return Ok(Outcome::Waiting { head: head.number });
        }
        sleep(what.every).await;
    }
}

/// What a block says.
async fn look(
    node: &Node,
    meta: &Metadata,
    what: &Following,
    block: u64,
) -> Result<Option<Outcome>, FollowError> {
    let hash = node.hash(block).await?.ok_or(FollowError::NoBlock(block))?;
    let extrinsics = node.extrinsics(hash).await?;
    let place = extrinsics
        .iter()
        .position(|extrinsic| blake2_256(extrinsic) == what.extrinsic);
    let mut succeeded = false;
    if let Some(place) = place
        && let Some(raw) = extrinsics.get(place)
    {
        match end_of(node, meta, hash, place, raw).await? {
            End::Failed(error) => return Ok(Some(Outcome::Failed { block, error })),
            End::Succeeded => succeeded = true,
            End::Untold => {}
        }
    }
    tracing::debug!(block, included = place.is_some(), "looked at a final block");
    let mut proved = proved(node, meta, what, hash).await?;
    // The state after a reveal is also that of a chain that never had the commit, while the row
    // is an old one that says the same.
    if let Expected::Revealed {
        hotkey, hash: of, ..
    } = &what.expected
        && proved
        && !succeeded
    {
        proved = says_revealed(&events(node, meta, hash).await?, hotkey, of);
    }
    Ok(match (proved, place) {
        (true, _) => Some(Outcome::Proved {
            block,
            included: place.map(|_| block),
        }),
        (false, Some(_)) => Some(Outcome::Changed { block }),
        (false, None) => None,
    })
}

/// What became of an extrinsic in its block.
enum End {
    Succeeded,
    Failed(String),
    /// The block's events do not say.
    Untold,
}

async fn events(node: &Node, meta: &Metadata, at: H256) -> Result<Vec<Event>, FollowError> {
    let key = meta
        .storage("System", "Events")
        .map(|entry| entry.key_of_encoded(&[]))
        .ok_or(FollowError::Missing("System.Events"))?;
    let bytes = node.storage(&key, at).await?.unwrap_or_default();
    Ok(decode_events(meta, &bytes)?)
}

/// Whether the chain says that it revealed the hash of a hotkey.
fn says_revealed(events: &[Event], hotkey: &AccountId, hash: &H256) -> bool {
    let is_it = |value: &Value| value.as_bytes() == Some(&hash.0[..]);
    events.iter().any(|event| {
        let ours = event.is(PALLET, "WeightsRevealed") || event.is(PALLET, "WeightsBatchRevealed");
        let who = event.fields.first().and_then(|(_, who)| who.as_account());
        let said = event.fields.get(2).map(|(_, said)| said);
        ours && who == Some(*hotkey)
            && said.is_some_and(|said| is_it(said) || said.items().iter().any(is_it))
    })
}

/// What became of the extrinsic at a place of a block.
async fn end_of(
    node: &Node,
    meta: &Metadata,
    at: H256,
    place: usize,
    raw: &[u8],
) -> Result<End, FollowError> {
    let events = events(node, meta, at).await?;
    let ours = |index: u32| usize::try_from(index).ok() == Some(place);
    let of_it: Vec<_> = events
        .iter()
        .filter(|event| event.extrinsic_index().is_some_and(ours))
        .collect();
    let outcome = extrinsic_outcome(meta, &decode_extrinsic(meta, raw)?, &of_it);
    Ok(match (outcome.success, outcome.error) {
        (Some(true), _) => End::Succeeded,
        (Some(false), Some(error)) => End::Failed(match error {
            chain_metadata::DispatchError::Module { pallet, name, .. } => {
                format!("{pallet}.{name}")
            }
            chain_metadata::DispatchError::Other(text) => text,
        }),
        (Some(false), None) => End::Failed("the chain does not say why".to_owned()),
        (None, _) => End::Untold,
    })
}

async fn proved(
    node: &Node,
    meta: &Metadata,
    what: &Following,
    at: H256,
) -> Result<bool, FollowError> {
    match &what.expected {
        Expected::Row { index, uid, row } => Ok(row_is(node, meta, *index, *uid, row, at).await?
            && last_update(node, meta, *index, *uid, at).await? > what.after),
        Expected::Committed {
            index,
            hotkey,
            hash,
        } => commits_have(node, meta, *index, hotkey, hash, at).await,
        Expected::Revealed {
            index,
            uid,
            row,
            hotkey,
            hash,
        } => Ok(!commits_have(node, meta, *index, hotkey, hash, at).await?
            && row_is(node, meta, *index, *uid, row, at).await?),
    }
}

/// A decoded value of the pallet; `None` when nothing is stored.
pub(crate) async fn value(
    node: &Node,
    meta: &Metadata,
    name: &'static str,
    keys: &[&[u8]],
    at: H256,
) -> Result<Option<Value>, FollowError> {
    let entry = meta
        .storage(PALLET, name)
        .ok_or(FollowError::Missing(name))?;
    let bytes = node.storage(&entry.key_of_encoded(keys), at).await?;
    let value = bytes.map(|bytes| entry.decode_value(meta.types(), &bytes));
    Ok(value.transpose()?)
}

async fn row_is(
    node: &Node,
    meta: &Metadata,
    index: u16,
    uid: u16,
    row: &Row,
    at: H256,
) -> Result<bool, FollowError> {
    let keys: [&[u8]; 2] = [&index.to_le_bytes(), &uid.to_le_bytes()];
    let Some(stored) = value(node, meta, "Weights", &keys, at).await? else {
        return Ok(false);
    };
    let pair = |pair: &Value| match pair.items() {
        [uid, value] => uid.as_u16().zip(value.as_u16()),
        _ => None,
    };
    let stored: Option<Vec<_>> = stored.items().iter().map(pair).collect();
    let wanted = row.uids.iter().copied().zip(row.values.iter().copied());
    Ok(stored == Some(wanted.collect()))
}

async fn last_update(
    node: &Node,
    meta: &Metadata,
    index: u16,
    uid: u16,
    at: H256,
) -> Result<u64, FollowError> {
    let found = value(node, meta, "LastUpdate", &[&index.to_le_bytes()], at).await?;
    let of_uid = found.as_ref().and_then(|v| v.items().get(usize::from(uid)));
    Ok(of_uid.and_then(Value::as_u64).unwrap_or(0))
}

/// Whether a hash is among the commits of a hotkey. What else stands beside it differs between
/// runtimes; the hash comes first in all of them.
async fn commits_have(
    node: &Node,
    meta: &Metadata,
    index: u16,
    hotkey: &AccountId,
    hash: &H256,
    at: H256,
) -> Result<bool, FollowError> {
    let keys: [&[u8]; 2] = [&index.to_le_bytes(), &hotkey.0];
    let Some(queue) = value(node, meta, "WeightCommits", &keys, at).await? else {
        return Ok(false);
    };
    let is_it = |commit: &Value| {
        let first = commit.items().first().and_then(Value::as_bytes);
        first == Some(&hash.0[..])
    };
    Ok(queue.items().iter().any(is_it))
}
