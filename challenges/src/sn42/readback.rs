//! What became of a validator's weights, out of our own index, with the evidence.
//!
//! `LastUpdate` alone proves nothing: where a subnet has commits it moves when the commit is
//! made, not when the row is revealed. What is looked at is the row itself, what set it, and the
//! commits of the hotkey.

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, Uid, Value, storage_index};
use indexer::commits::{Entry, Kind, State};
use indexer::store::commits::Among;
use indexer::store::{Store, StoreError};
use indexer::view::sets::{SetBy, cause};
use indexer::view::{At, Held, held, tenancy};
use scoring::local::sn42::chain::{Row, Scaling};

mod judge;

use judge::judge;

/// Commits of a hotkey that are looked through, newest first.
const COMMITS: usize = 500;

/// What became of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The row stands, and was set lately.
    Set,
    /// A commit waits for its reveal; the row is still the one before.
    Committed,
    /// Nothing was set for long, or since the block that was asked about.
    Stale,
    /// There is no row and never was one.
    Never,
    /// Another row stands than the one expected.
    ChangedOnChain,
    /// The last commit was never revealed, and its time is over.
    Expired,
}

impl Verdict {
    /// Its name, as it is written in answers.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Set => "set",
            Verdict::Committed => "committed",
            Verdict::Stale => "stale",
            Verdict::Never => "never",
            Verdict::ChangedOnChain => "changed-on-chain",
            Verdict::Expired => "expired",
        }
    }
}

/// Whose weights are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Whoever holds a uid.
    Uid(Uid),
    /// A hotkey, at the uid it holds.
    Hotkey(AccountId),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The subnet.
    pub netuid: NetUid,
    /// The mechanism.
    pub mechanism: MechId,
    /// Whose weights.
    pub who: Who,
    /// The row as it was sent, if one was.
    pub expected: Option<Row>,
    /// The block after which it was sent.
    pub since: Option<BlockNumber>,
    /// Weights older than so many tempos are stale.
    pub stale_tempos: u32,
}

/// How the row that stands differs from the one expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// By a unit of 65535 at most, in the same uids: rounding.
    Quantisation,
    /// Really; so many uids have another weight.
    Real(usize),
}

/// The last commit of the hotkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSeen {
    /// Block of the commit.
    pub block: BlockNumber,
    /// Its place in the ledger among those of the block.
    pub place: u32,
    /// The extrinsic; `None` when a contract made it or it was before the stored blocks.
    pub extrinsic: Option<u32>,
    /// Under a hash or under a time lock.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Since which block.
    pub since: BlockNumber,
    /// Block in which it was revealed.
    pub revealed_at: Option<BlockNumber>,
    /// Why it ended, where there is more to say.
    pub reason: Option<String>,
}

/// What the verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The block whose state was read.
    pub block: BlockNumber,
    /// `Tempo` of the subnet.
    pub tempo: u16,
    /// `LastUpdate` of the uid.
    pub last_update: Option<u64>,
    /// The subnet takes commits, so that `LastUpdate` is that of the last commit.
    pub commit_reveal: bool,
    /// The row that stands.
    pub row: Option<Row>,
    /// The block in which it first stood so.
    pub row_since: Option<BlockNumber>,
    /// How the runtime of that block scaled it.
    pub scaling: Scaling,
    /// The last `WeightsSet` of the uid with the extrinsic and call behind it.
    pub set: Option<SetBy>,
    /// The last commit of the hotkey.
    pub commit: Option<CommitSeen>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBack {
    /// The uid.
    pub uid: Uid,
    /// Who holds it.
    pub hotkey: AccountId,
    /// What became of the weights.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub reason: String,
    /// How the row differs from the one expected; `None` when it does not or none was.
    pub difference: Option<Difference>,
    /// What it rests on.
    pub evidence: Evidence,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such subnet or mechanism.
    #[error("there is no mechanism {mechanism} of subnet {netuid} at block {block}")]
    NoSubnet {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechanism: MechId,
        /// The block.
        block: BlockNumber,
    },
    /// Nobody holds the uid, or the hotkey holds none.
    #[error("{who} is not registered in subnet {netuid} at block {block}")]
    NotRegistered {
        /// The uid or hotkey.
        who: String,
        /// The subnet.
        netuid: NetUid,
        /// The block.
        block: BlockNumber,
    },
}

/// Reads back what a validator set, at a block.
///
/// # Errors
///
/// See [`ReadBackError`].
pub fn read_back(store: &Store, at: &At, question: &Question) -> Result<ReadBack, ReadBackError> {
    let Question {
        netuid, mechanism, ..
    } = *question;
    let none = || ReadBackError::NoSubnet {
        netuid,
        mechanism,
        block: at.number,
    };
    let index = storage_index(netuid, mechanism).ok_or_else(none)?;
    let net: &[u8] = &netuid.0.to_le_bytes();
    let count = held(store, at, "MechanismCountCurrent", &[net])?.value();
    let count = count.and_then(|v| v.as_u8()).unwrap_or(1).max(1);
    if !indexer::view::exists(store, at, netuid)? || mechanism.0 >= count {
        return Err(none());
    }
    let (uid, hotkey) = neuron(store, at, question)?;
    let evidence = evidence(store, at, netuid, index, uid, &hotkey)?;
    let (verdict, difference, reason) = judge(question, &evidence);
    Ok(ReadBack {
        uid,
        hotkey,
        verdict,
        reason,
        difference,
        evidence,
    })
}

/// The validators of a subnet (those with a permit) by uid, without an expected row.
///
/// # Errors
///
/// See [`ReadBackError`].
pub fn read_back_all(
    store: &Store,
    at: &At,
    netuid: NetUid,
    mechanism: MechId,
    stale_tempos: u32,
) -> Result<Vec<ReadBack>, ReadBackError> {
    let neurons = indexer::view::metagraph(store, at, netuid, mechanism)?;
    let neurons = neurons.ok_or(ReadBackError::NoSubnet {
        netuid,
        mechanism,
        block: at.number,
    })?;
    let validators = neurons
        .into_iter()
        .filter(|n| n.validator_permit == Some(true));
    let one = |neuron: indexer::view::Neuron| {
        let question = Question {
            netuid,
            mechanism,
            who: Who::Uid(neuron.uid),
            expected: None,
            since: None,
            stale_tempos,
        };
        read_back(store, at, &question)
    };
    validators.map(one).collect()
}

/// Uid and hotkey of whom is meant.
fn neuron(store: &Store, at: &At, question: &Question) -> Result<(Uid, AccountId), ReadBackError> {
    let net: &[u8] = &question.netuid.0.to_le_bytes();
    let found = match question.who {
        Who::Uid(uid) => {
            let key = held(store, at, "Keys", &[net, &uid.0.to_le_bytes()])?.stored();
            key.and_then(|key| key.as_account()).map(|key| (uid, key))
        }
        Who::Hotkey(hotkey) => {
            let uid = held(store, at, "Uids", &[net, &hotkey.0])?.stored();
            uid.and_then(|uid| uid.as_u16())
                .map(|uid| (Uid(uid), hotkey))
        }
    };
    found.ok_or_else(|| ReadBackError::NotRegistered {
        who: match question.who {
            Who::Uid(uid) => format!("uid {uid}"),
            Who::Hotkey(hotkey) => format!("hotkey {hotkey}"),
        },
        netuid: question.netuid,
        block: at.number,
    })
}

fn evidence(
    store: &Store,
    at: &At,
    netuid: NetUid,
    index: u16,
    uid: Uid,
    hotkey: &AccountId,
) -> Result<Evidence, StoreError> {
    let net: &[u8] = &netuid.0.to_le_bytes();
    let updates = held(store, at, "LastUpdate", &[&index.to_le_bytes()])?.value();
    let of_uid = updates
        .as_ref()
        .and_then(|v| v.items().get(usize::from(uid.0)));
    let last_update = of_uid.and_then(Value::as_u64).filter(|block| *block > 0);
    let commit_reveal = held(store, at, "CommitRevealWeightsEnabled", &[net])?.value();
    let tempo = held(store, at, "Tempo", &[net])?.value();
    let keys: [&[u8]; 2] = [&index.to_le_bytes(), &uid.0.to_le_bytes()];
    let (row, row_since) = match held(store, at, "Weights", &keys)? {
        Held::Stored(value, since) => (Some(row_of(&value)), Some(since)),
        _ => (None, None),
    };
    let row = row.filter(|row| !row.uids.is_empty());
    // What somebody else set at this uid before is not this neuron's; a swap of keys goes on.
    let began = began(store, at, netuid, uid)?;
    let commits = commits(store, at, index, hotkey)?;
    let revealed = commits.iter().flat_map(|entry| &entry.reveals);
    let revealed = revealed
        .filter(|(_, reveal)| reveal.row == Some((index, uid.0)))
        .map(|(block, _)| *block);
    // A row that is set again as it was does not change; then the block is in `LastUpdate`, or
    // in the reveal.
    let mut blocks: Vec<BlockNumber> = revealed.collect();
    blocks.extend(row_since);
    blocks.extend(last_update.and_then(|block| BlockNumber::try_from(block).ok()));
    blocks.retain(|block| *block >= began && *block <= at.number);
    blocks.sort_unstable_by(|a, b| b.cmp(a));
    let mut set = None;
    for block in blocks {
        set = cause(store, index, uid.0, block)?;
        if set.is_some() {
            break;
        }
    }
    let spec = match row_since {
        Some(since) => indexer::view::at(store, since)?.map(|at| at.row.spec),
        None => None,
    };
    Ok(Evidence {
        scaling: Scaling::of_spec(spec.unwrap_or(at.row.spec)),
        block: at.number,
        tempo: tempo.and_then(|v| v.as_u16()).unwrap_or(0),
        last_update,
        commit_reveal: commit_reveal.and_then(|v| v.as_bool()) == Some(true),
        row,
        row_since,
        set,
        commit: commits.first().map(seen),
    })
}

fn row_of(value: &Value) -> Row {
    let pair = |pair: &Value| match pair.items() {
        [uid, value] => uid.as_u16().zip(value.as_u16()),
        _ => None,
    };
    let (uids, values) = value.items().iter().filter_map(pair).unzip();
    Row { uids, values }
}

/// The block in which the neuron came to its uid, keys swapped since then included.
fn began(store: &Store, at: &At, netuid: NetUid, uid: Uid) -> Result<BlockNumber, StoreError> {
    let mut mark = (at.number, uid);
    let mut began = 0;
    // Keys are swapped now and then; more often than this nobody does.
    for _ in 0..64 {
        let Some(found) = tenancy::at(store, mark.0, netuid, mark.1)? else {
            break;
        };
        began = found.from;
        match found.previous {
            Some(previous) if previous.1 == uid => mark = previous,
            _ => break,
        }
    }
    Ok(began)
}

/// Commits of weights of a hotkey under an index, newest first.
fn commits(
    store: &Store,
    at: &At,
    index: u16,
    hotkey: &AccountId,
) -> Result<Vec<Entry>, StoreError> {
    let mut found = Vec::new();
    for id in store.commit_ids(Among::Hotkey(*hotkey), at.number, None, COMMITS)? {
        if let Some(entry) = store.commit_entry(id, at.number)?
            && entry.row.kind != Kind::Commitment
            && entry.row.index == index
        {
            found.push(entry);
        }
    }
    Ok(found)
}

fn seen(entry: &Entry) -> CommitSeen {
    CommitSeen {
        block: entry.id.block,
        place: entry.id.index,
        extrinsic: entry.row.made_by.as_ref().map(|call| call.extrinsic),
        kind: entry.row.kind,
        state: entry.state,
        since: entry.since,
        revealed_at: entry.reveals.first().map(|(block, _)| *block),
        reason: entry.reason.clone(),
    }
}

#[cfg(test)]
mod tests;
