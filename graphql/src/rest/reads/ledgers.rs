//! Ledgers: stake and its movements, commits, epochs with their verdicts, scores.

use serde::Serialize;
use utoipa::ToSchema;

use super::value::{Account, Any, Bytes, Hash, Wide, record};
use super::words;
use crate::ports;

record! {
    /// What a coldkey has on a hotkey in a subnet at the end of a block, as the chain stores it.
    StakeRow {
        /// Storage entry: Alpha, AlphaV2 or Stake.
        entry: String,
        /// The hotkey.
        hotkey: Account,
        /// The coldkey.
        coldkey: Account,
        /// Number of the subnet; null in runtimes without subnet tokens.
        netuid: Option<u16>,
        /// The decoded value: shares of the hotkey's pool (Alpha), or rao (Stake); null when its
        /// bytes are none of its type.
        value: Option<Any>,
        /// The chain's own bytes.
        bytes: Bytes,
        /// Height at which it last changed, as far as stored.
        changed_at: u32,
        /// Alpha in the hotkey's pool, 10^-9; null where there is no pool.
        pool_alpha: Option<Wide>,
        /// All shares of the pool; null where there is no pool.
        pool_shares: Option<Any>,
    }
}

impl From<ports::StakeShare> for StakeRow {
    fn from(share: ports::StakeShare) -> Self {
        Self {
            entry: share.entry,
            hotkey: Account(share.hotkey),
            coldkey: Account(share.coldkey),
            netuid: share.netuid.map(|netuid| netuid.0),
            value: share.value.map(Any),
            bytes: Bytes(share.bytes),
            changed_at: share.changed_at,
            pool_alpha: share.pool_alpha.map(Wide),
            pool_shares: share.pool_shares.map(Any),
        }
    }
}

words! {
    /// Kinds of movements of stake, each told by an event of its own.
    MovementKind of ports::StakeMovementKind {
        /// TAO became stake.
        Added = "ADDED",
        /// Stake became TAO.
        Removed = "REMOVED",
        /// From hotkey to hotkey.
        Moved = "MOVED",
        /// From coldkey to coldkey.
        Transferred = "TRANSFERRED",
        /// To another coldkey and hotkey.
        MovedAndTransferred = "MOVED_AND_TRANSFERRED",
        /// From subnet to subnet.
        Swapped = "SWAPPED",
        /// What stake on root earned was paid out.
        RootClaimed = "ROOT_CLAIMED",
        /// An incentive went to the hotkey that its owner chose.
        AutoStaked = "AUTO_STAKED",
        /// Alpha was given back to what may be emitted.
        Recycled = "RECYCLED",
        /// Alpha was destroyed.
        Burned = "BURNED",
        /// TAO became alpha, which was destroyed.
        BoughtAndBurned = "BOUGHT_AND_BURNED",
        /// A transaction fee was taken from stake.
        FeePaid = "FEE_PAID",
        /// Dividends of a leased subnet went to a contributor.
        LeaseDividends = "LEASE_DIVIDENDS",
    }
}

record! {
    /// One end of a movement of stake. Null is what the event does not say.
    StakeSide {
        /// The hotkey.
        hotkey: Option<Account>,
        /// The coldkey.
        coldkey: Option<Account>,
        /// Number of the subnet.
        netuid: Option<u16>,
    }
}

record! {
    /// A call inside an extrinsic of a stored block.
    CallPlace {
        /// Height of the block.
        block: u32,
        /// Position of the extrinsic in its block, from 0.
        extrinsic: u32,
        /// Where the call stands in the extrinsic (empty: the outer call); null when a contract
        /// made it.
        path: Option<Vec<u32>>,
    }
}

impl From<ports::CallPlace> for CallPlace {
    fn from(place: ports::CallPlace) -> Self {
        Self {
            block: place.block,
            extrinsic: place.extrinsic,
            path: place.path,
        }
    }
}

record! {
    /// A movement of stake, as an event tells of it. Amounts are the event's own integers.
    StakeMovement {
        /// Names the movement: height and place among the movements of that block, such as 112-0.
        id: String,
        /// Height of the block.
        block_number: u32,
        /// Position of the event in the block, from 0.
        event_index: u32,
        /// Its kind.
        kind: MovementKind,
        /// Where stake came from; null when it came from no stake.
        from: Option<StakeSide>,
        /// Where it went to; null when it went to no stake.
        to: Option<StakeSide>,
        /// Rao of TAO; null when the event says none.
        tao: Option<Wide>,
        /// Alpha of the subnet in units of 10^-9; null when the event says none.
        alpha: Option<Wide>,
        /// Fee in rao; null when the event says none.
        fee: Option<Wide>,
        /// The call that did it; null when the chain did it itself.
        made_by: Option<CallPlace>,
    }
}

impl From<ports::StakeMovement> for StakeMovement {
    fn from(moved: ports::StakeMovement) -> Self {
        let side = |side: ports::StakeSide| StakeSide {
            hotkey: side.hotkey.map(Account),
            coldkey: side.coldkey.map(Account),
            netuid: side.netuid.map(|netuid| netuid.0),
        };
        Self {
            id: format!("{}-{}", moved.id.block, moved.id.index),
            block_number: moved.id.block,
            event_index: moved.event,
            kind: moved.kind.into(),
            from: moved.from.map(side),
            to: moved.to.map(side),
            tao: moved.tao.map(Wide),
            alpha: moved.alpha.map(Wide),
            fee: moved.fee.map(Wide),
            made_by: moved.made_by.map(Into::into),
        }
    }
}

words! {
    /// Kinds of commits.
    CommitKind of ports::CommitKind {
        /// The hash of weights, revealed by a call of the committer.
        Hash = "HASH",
        /// Weights encrypted until a drand round, revealed by the chain itself.
        Timelocked = "TIMELOCKED",
        /// A commitment of the pallet Commitments.
        Commitment = "COMMITMENT",
    }
}

words! {
    /// Where a commit stands.
    CommitState of ports::CommitState {
        /// Made, and not yet to be revealed.
        Committed = "COMMITTED",
        /// To be revealed now.
        Due = "DUE",
        /// Revealed.
        Revealed = "REVEALED",
        /// Its time passed and every reveal that was tried within it failed.
        Failed = "FAILED",
        /// Its time passed without a reveal.
        Expired = "EXPIRED",
        /// Another commit took its place before it was revealed.
        Superseded = "SUPERSEDED",
        /// Nobody is left to reveal it.
        Orphaned = "ORPHANED",
    }
}

/// A state of a commit and the block from which on it held.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StateAt {
    /// Height from which on it held.
    block: u32,
    /// The state.
    state: CommitState,
}

/// A row of W that a reveal set.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RevealedRow {
    /// Number of the subnet.
    netuid: u16,
    /// Number of the mechanism.
    mechanism: u8,
    /// The neuron whose row it is.
    uid: u16,
    /// First epoch that read the row, up to the block asked about; null when there was none yet or
    /// the row was set again before.
    first_epoch: Option<u32>,
}

/// A reveal of a commit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reveal {
    /// Height of the block.
    block: u32,
    /// The call that revealed; null when the chain did it itself.
    made_by: Option<CallPlace>,
    /// Whether the hash of the call's arguments is the hash committed to; null when there is none
    /// to compare.
    verified: Option<bool>,
    /// The chain does not say which of several commits of the hotkey it was.
    ambiguous: bool,
    /// What came out of a commitment's locks, as the chain keeps it; empty for weights.
    revealed: Vec<Bytes>,
    /// The row of W it set; null when it set none.
    row: Option<RevealedRow>,
}

/// A reveal that failed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    /// The call.
    made_by: CallPlace,
    /// Its dispatch error, such as SubtensorModule.InvalidRevealCommitHashNotMatch.
    error: String,
    /// Whether the hash of its arguments is the hash committed to.
    hash_matches: bool,
}

record! {
    /// A commit as it stood at the end of a block.
    Commit {
        /// Names the commit: height and place among the commits of that block, such as 112-0.
        id: String,
        /// Its kind.
        kind: CommitKind,
        /// Number of the subnet.
        netuid: u16,
        /// Number of the mechanism; 0 for commitments.
        mechanism: u8,
        /// Who committed.
        hotkey: Account,
        /// Uid of the committer when it committed; null when it had none.
        uid: Option<u16>,
        /// The call that made it; null when that was before the first stored block.
        made_by: Option<CallPlace>,
        /// The hash committed to; of a timelocked commit that of its encrypted bytes; null for
        /// commitments.
        hash: Option<Hash>,
        /// The drand round until which it is locked; null without a lock.
        reveal_round: Option<Wide>,
        /// The subnet's epoch in which it was made, as the runtime counts; null for commitments.
        epoch: Option<Wide>,
        /// The encrypted bytes of a timelocked commit; null for other kinds.
        bytes: Option<Bytes>,
        /// The fields of a commitment, decoded; empty for other kinds.
        fields: Vec<Any>,
        /// Where it stands.
        state: CommitState,
        /// Height since which it stands there.
        state_since: u32,
        /// Why it stands there; null when the state says it all.
        reason: Option<String>,
        /// The hotkey under which the chain keeps it: another one than `hotkey` after a swap.
        holder: Account,
        /// Whether the chain's storage still holds it.
        in_storage: bool,
        /// Every state it was in, oldest first.
        states: Vec<StateAt>,
        /// Its reveals, oldest first.
        reveals: Vec<Reveal>,
        /// Reveals that failed, oldest first.
        attempts: Vec<Attempt>,
    }
}

impl From<ports::Commit> for Commit {
    fn from(commit: ports::Commit) -> Self {
        let states = commit.states.into_iter().map(|(block, state)| StateAt {
            block,
            state: state.into(),
        });
        let attempts = commit.attempts.into_iter().map(|attempt| Attempt {
            made_by: attempt.made_by.into(),
            error: attempt.error,
            hash_matches: attempt.hash_matches,
        });
        Self {
            id: format!("{}-{}", commit.id.block, commit.id.index),
            kind: commit.kind.into(),
            netuid: commit.netuid.0,
            mechanism: commit.mechanism.0,
            hotkey: Account(commit.hotkey),
            uid: commit.uid.map(|uid| uid.0),
            made_by: commit.made_by.map(Into::into),
            hash: commit.hash.map(Hash),
            reveal_round: commit.round.map(Wide),
            epoch: commit.epoch.map(Wide),
            bytes: commit.bytes.map(Bytes),
            fields: commit.fields.into_iter().map(Any).collect(),
            state: commit.state.into(),
            state_since: commit.since,
            reason: commit.reason,
            holder: Account(commit.holder),
            in_storage: commit.held,
            states: states.collect(),
            reveals: commit.reveals.into_iter().map(Into::into).collect(),
            attempts: attempts.collect(),
        }
    }
}

impl From<ports::CommitReveal> for Reveal {
    fn from(reveal: ports::CommitReveal) -> Self {
        Self {
            block: reveal.block,
            made_by: reveal.made_by.map(Into::into),
            verified: reveal.verified,
            ambiguous: reveal.ambiguous,
            revealed: reveal.revealed.into_iter().map(Bytes).collect(),
            row: reveal.row.map(|row| RevealedRow {
                netuid: row.netuid.0,
                mechanism: row.mechanism.0,
                uid: row.uid.0,
                first_epoch: row.first_epoch,
            }),
        }
    }
}

words! {
    /// What came of computing an epoch again.
    Verdict of ports::VerdictKind {
        /// Every integer that was compared is the chain's.
        Exact = "EXACT",
        /// Some integer is another one.
        Differs = "DIFFERS",
        /// Something that the epoch read is not known.
        InputIncomplete = "INPUT_INCOMPLETE",
        /// The runtime's rules are not known.
        RulesUnknown = "RULES_UNKNOWN",
        /// A slot was due, and no epoch ran.
        NotRun = "NOT_RUN",
    }
}

record! {
    /// One mechanism's part of an epoch that ran, with its verdict.
    Epoch {
        /// Number of the subnet.
        netuid: u16,
        /// Height of the block in which it ran.
        block_number: u32,
        /// Number of the mechanism.
        mechanism: u8,
        /// Its number as the chain counts (SubnetEpochIndex); null in runtimes that do not count.
        index: Option<Wide>,
        /// The outcome of computing it again; null while that was not done.
        verdict: Option<Verdict>,
        /// What is missing or unknown; null for other outcomes.
        what: Option<String>,
        /// Spec version of the runtime that executed it; null without a verdict.
        spec_version: Option<u32>,
        /// BLAKE2-256 of the canonical inputs; null when they were not complete.
        inputs_hash: Option<Hash>,
        /// BLAKE2-256 of the canonical results; null together with `inputsHash`.
        results_hash: Option<Hash>,
    }
}

impl Epoch {
    pub(crate) fn new(
        epoch: &ports::Epoch,
        mechanism: u8,
        record: Option<ports::Verification>,
    ) -> Self {
        let record = record.as_ref();
        Self {
            netuid: epoch.netuid.0,
            block_number: epoch.block,
            mechanism,
            index: epoch.index.map(Wide),
            verdict: record.map(|record| record.verdict.into()),
            what: record.and_then(|record| record.what.clone()),
            spec_version: record.map(|record| record.spec_version),
            inputs_hash: record.and_then(|record| record.inputs_hash.map(Hash)),
            results_hash: record.and_then(|record| record.results_hash.map(Hash)),
        }
    }
}

record! {
    /// The newest score of a subject in a challenge.
    Score {
        /// Number of the record in the ledger of results, from 0.
        number: Wide,
        /// Name of the challenge.
        challenge: String,
        /// Who it is about: a hotkey's address, or another name where the system has one.
        subject: String,
        /// Name of the profile by which it was scored.
        profile: String,
        /// The score, in the profile's own measure; null when there is none.
        score: Option<f64>,
        /// Why there is none, or why it is zero; null when there is nothing to say.
        reason: Option<String>,
        /// The submission or run that was scored.
        of: String,
        /// Hash of the inputs, in hex.
        inputs: String,
        /// The hotkey that reported it; null when it was computed here or read from elsewhere.
        reporter: Option<Account>,
        /// When it came in, in milliseconds since 1970.
        received_ms: Wide,
    }
}

impl Score {
    /// `None` for a record that is no score.
    pub(crate) fn of(record: ports::ResultRecord) -> Option<Self> {
        let ports::ResultBody::Score {
            of,
            profile,
            inputs,
            score,
            reason,
            ..
        } = record.body
        else {
            return None;
        };
        let reporter = match record.reporter {
            ports::ResultReporter::Hotkey(hotkey, _) => Some(Account(hotkey)),
            _ => None,
        };
        Some(Self {
            number: Wide(record.number),
            challenge: record.challenge,
            subject: record.subject,
            profile,
            score,
            reason,
            of,
            inputs,
            reporter,
            received_ms: Wide(record.received_ms),
        })
    }
}
