//! An entry of the ledger: the commit as it was made, and every step it took.

#[expect(
    clippy::cast_possible_truncation,
    reason = "the derived codec casts the number of a variant"
)]
mod transition;

use chain_metadata::{AccountId, BlockNumber, H256};
use parity_scale_codec::{Decode, Encode};

pub use transition::Transition;

/// Names an entry: the block of the commit, and its place among the commits that
/// the block added to the ledger, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Block in which the entry begins.
    pub block: BlockNumber,
    /// Its place among the entries that begin there.
    pub index: u32,
}

/// Kinds of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// The hash of weights, revealed by a call (`WeightCommits`).
    Hash,
    /// Encrypted weights that the chain reveals itself once the drand round is
    /// known (`CRV3WeightCommits`, `TimelockedWeightCommits`).
    Timelocked,
    /// A commitment of pallet `Commitments`.
    Commitment,
}

/// Where a commit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum State {
    /// Made, and not yet to be revealed.
    Committed,
    /// May be revealed now: its reveal epoch began, or its round has come.
    Due,
    /// Revealed.
    Revealed,
    /// Its time passed, and what was tried within it failed.
    Failed,
    /// Its time passed without a reveal.
    Expired,
    /// Another commit took its place before it was revealed.
    Superseded,
    /// Nobody is left to reveal it: the committer lost its uid or its hotkey, or
    /// the subnet is gone.
    Orphaned,
}

impl State {
    /// Whether time may still move it.
    pub fn is_open(self) -> bool {
        matches!(self, State::Committed | State::Due)
    }
}

/// A call inside an extrinsic.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CallAt {
    /// Position of the extrinsic in its block.
    pub extrinsic: u32,
    /// Where the call stands in it, as in [`chain_metadata::NestedCall::path`];
    /// `None` when the extrinsic holds no such call: a contract made it.
    pub path: Option<Vec<u32>>,
}

/// A commit as it was made. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CommitRow {
    /// Its kind.
    pub kind: Kind,
    /// Storage index (`mechanism * 4096 + netuid`); the netuid for commitments.
    pub index: u16,
    /// Who committed.
    pub hotkey: [u8; 32],
    /// Uid of the committer at that block, where it had one.
    pub uid: Option<u16>,
    /// What made it; `None` when that was before the first stored block: then
    /// only the reveal was seen.
    pub made_by: Option<CallAt>,
    /// The hash committed to; of timelocked commits that of the encrypted bytes.
    pub hash: Option<[u8; 32]>,
    /// The drand round after which it can be decrypted; of a commitment with
    /// several locked fields the first.
    pub round: Option<u64>,
    /// The subnet's epoch in which it was made, by the clock of the runtime.
    pub epoch: Option<u64>,
}

/// How a commit was revealed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Reveal {
    /// The call; `None` when the chain revealed it at the beginning of the block.
    pub made_by: Option<CallAt>,
    /// Whether the hash of the call's arguments is the hash committed to; `None`
    /// when there is no hash or no call to compute it from.
    pub verified: Option<bool>,
    /// The row of W that it set: storage index and uid.
    pub row: Option<(u16, u16)>,
    /// The chain does not say which of several commits of the hotkey it was.
    pub ambiguous: bool,
}

/// A revealing call that failed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Attempt {
    /// The call.
    pub made_by: CallAt,
    /// The dispatch error, as `Pallet.Name`.
    pub error: String,
    /// Whether the hash of its arguments is the hash committed to.
    pub hash_matches: bool,
}

/// A transition and its block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Step {
    /// Block of the transition.
    pub block: BlockNumber,
    /// What happened.
    pub what: Transition,
}

/// An entry at some block: the commit with all steps up to there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: Id,
    /// The commit.
    pub row: CommitRow,
    /// Where it stands.
    pub state: State,
    /// Block since which it stands there.
    pub since: BlockNumber,
    /// Why, where there is more to say.
    pub reason: Option<String>,
    /// Under which hotkey the chain keeps it.
    pub holder: AccountId,
    /// Whether the chain's storage still holds it.
    pub held: bool,
    /// Reveals, with their blocks: one, but for commitments with several rounds.
    pub reveals: Vec<(BlockNumber, Reveal)>,
    /// Failed reveals, with their blocks.
    pub attempts: Vec<(BlockNumber, Attempt)>,
    /// Every state it was in, and since when.
    pub states: Vec<(BlockNumber, State)>,
    /// Number of steps taken.
    pub steps: u32,
}

impl Entry {
    /// A commit that was just made.
    pub fn new(id: Id, row: CommitRow) -> Entry {
        Entry {
            id,
            state: State::Committed,
            since: id.block,
            reason: None,
            holder: AccountId(row.hotkey),
            held: row.made_by.is_some(),
            reveals: Vec::new(),
            attempts: Vec::new(),
            states: vec![(id.block, State::Committed)],
            steps: 0,
            row,
        }
    }

    /// The hash committed to.
    pub fn hash(&self) -> Option<H256> {
        self.row.hash.map(H256)
    }

    /// Takes a step.
    pub fn take(&mut self, step: Step) {
        let Step { block, what } = step;
        self.steps = self.steps.saturating_add(1);
        match what {
            Transition::State(state, reason) => self.enter(block, state, reason),
            Transition::Revealed(reveal) => {
                self.reveals.push((block, reveal));
                if self.state != State::Revealed {
                    self.enter(block, State::Revealed, None);
                }
            }
            Transition::Attempt(attempt) => self.attempts.push((block, attempt)),
            Transition::Holder(holder) => self.holder = AccountId(holder),
            Transition::Released => self.held = false,
        }
    }

    fn enter(&mut self, block: BlockNumber, state: State, reason: Option<String>) {
        self.state = state;
        self.since = block;
        self.reason = reason;
        self.states.push((block, state));
    }
}
