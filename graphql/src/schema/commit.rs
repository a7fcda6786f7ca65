//! The commit ledger: what was committed, what became of it, and what it led to.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject};
use chain_metadata::{BlockNumber, MechId, NetUid};

use super::account::AccountNode;
use super::connection::CommitConnection;
use super::cost;
use super::error::Res;
use super::extrinsic::ExtrinsicNode;
use super::paging::{DEFAULT_LISTED, Kind, MAX_LISTED, PageArgs};
use super::scalars::{Account, Bytes, Hash, Json, U64};
use super::stamp::Stamp;
use super::subnet::SubnetNode;
use super::window::Order;
use crate::loaders::loaders;
use crate::ports::{self, CallPlace, Commit, CommitFilter, CommitId};

/// Kinds of commits.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::CommitKind")]
pub(crate) enum CommitKind {
    /// The hash of weights, revealed by a call of the committer.
    Hash,
    /// Weights encrypted until a drand round (CRv3 and later), revealed by the chain itself.
    Timelocked,
    /// A commitment of the pallet Commitments, of any fields.
    Commitment,
}

/// Where a commit stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::CommitState")]
pub(crate) enum CommitState {
    /// Made, and not yet to be revealed. Commitments without a lock stay here.
    Committed,
    /// To be revealed now: its reveal epoch began, or the time of its drand round has come.
    Due,
    /// Revealed.
    Revealed,
    /// Its time passed and every reveal that was tried within it failed.
    Failed,
    /// Its time passed without a reveal. For timelocked commits the chain never says why.
    Expired,
    /// Another commit took its place before it was revealed.
    Superseded,
    /// Nobody is left to reveal it: the committer lost its uid or swapped its hotkey, or the subnet
    /// is gone.
    Orphaned,
}

/// Which commits are wanted; every field that is given must hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CommitWhere {
    /// Number of the subnet; all its mechanisms are meant.
    pub(crate) netuid: Option<u16>,
    /// Who committed.
    pub(crate) hotkey: Option<Account>,
    /// Kind of the commit.
    pub(crate) kind: Option<CommitKind>,
    /// State at the block asked about.
    pub(crate) state: Option<CommitState>,
}

/// A commit as shown, at some block.
#[derive(Clone)]
pub(crate) struct CommitNode {
    commit: Arc<Commit>,
    at: u32,
}

/// A commit as it stood at the end of a block, with its links: the call that made it, the reveal,
/// the row of the weight matrix which that set, and the first epoch that read the row.
#[Object(name = "Commit")]
impl CommitNode {
    /// Names the commit: height and place among the commits of that block, such as 112-0.
    async fn id(&self) -> String {
        format!("{}-{}", self.commit.id.block, self.commit.id.index)
    }

    /// Height of the block at whose end it stood as shown.
    async fn as_of_block(&self) -> u32 {
        self.at
    }

    /// The state it is shown from. Null only together with an error.
    async fn stamp(&self, ctx: &Context<'_>) -> Res<Option<Stamp>> {
        Stamp::at(ctx, self.at, Some(self.commit.netuid)).await
    }

    /// Height at which it was made; null when that was before the first stored block and only its
    /// reveal is known.
    async fn block_number(&self) -> Option<u32> {
        self.commit.made_by.as_ref().map(|place| place.block)
    }

    /// Its kind.
    async fn kind(&self) -> CommitKind {
        self.commit.kind.into()
    }

    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.commit.netuid.0
    }

    /// Number of the mechanism; 0 for commitments.
    async fn mechanism(&self) -> u8 {
        self.commit.mechanism.0
    }

    /// Who committed.
    async fn hotkey(&self) -> Account {
        Account(self.commit.hotkey)
    }

    /// Who committed, as an account at the block asked about.
    async fn account(&self) -> AccountNode {
        AccountNode::at(self.at, self.commit.hotkey)
    }

    /// Number of the committer's neuron when it committed; null when it had none in the subnet.
    async fn uid(&self) -> Option<u16> {
        self.commit.uid.map(|uid| uid.0)
    }

    /// The call that made it; null when that was before the first stored block.
    async fn made_by(&self) -> Option<CallLink> {
        self.commit.made_by.clone().map(CallLink)
    }

    /// The hash committed to; of a timelocked commit that of its encrypted bytes; null for
    /// commitments.
    async fn hash(&self) -> Option<Hash> {
        self.commit.hash.map(Hash)
    }

    /// The drand round (quicknet) until which it is locked, the first of several; null without a
    /// lock.
    async fn reveal_round(&self) -> Option<U64> {
        self.commit.round.map(U64)
    }

    /// The subnet's epoch in which it was made, as the runtime counts; null for commitments.
    async fn epoch(&self) -> Option<U64> {
        self.commit.epoch.map(U64)
    }

    /// The encrypted bytes of a timelocked commit, out of its call; null for other kinds, and when
    /// a contract made it.
    #[graphql(complexity = 10)]
    async fn bytes(&self) -> Option<Bytes> {
        self.commit.bytes.clone().map(Bytes)
    }

    /// The fields of a commitment, decoded, out of its call: a variant each, such as Raw24, Sha256
    /// or TimelockEncrypted; empty for other kinds.
    #[graphql(complexity = 5)]
    async fn fields(&self) -> Vec<Json> {
        self.commit.fields.iter().cloned().map(Json).collect()
    }

    /// Where it stands.
    async fn state(&self) -> CommitState {
        self.commit.state.into()
    }

    /// Height since which it stands there.
    async fn state_since(&self) -> u32 {
        self.commit.since
    }

    /// Why it stands there: the dispatch error of a failed one, or a sentence; null when the state
    /// says it all.
    async fn reason(&self) -> Option<&str> {
        self.commit.reason.as_deref()
    }

    /// Whether the chain's storage still holds it. Commits under a hash stay there after their time
    /// until the hotkey commits or reveals again.
    async fn in_storage(&self) -> bool {
        self.commit.held
    }

    /// The hotkey under which the chain keeps it: another one than `hotkey` after a swap.
    async fn holder(&self) -> Account {
        Account(self.commit.holder)
    }

    /// Every state it was in, oldest first.
    async fn states(&self) -> Vec<CommitStateAt> {
        let states = self.commit.states.iter();
        states
            .map(|(block, state)| CommitStateAt {
                block: *block,
                state: (*state).into(),
            })
            .collect()
    }

    /// Its reveals, oldest first: one, but for commitments with several locks; empty while there is
    /// none.
    async fn reveals(&self) -> Vec<CommitReveal> {
        self.commit
            .reveals
            .iter()
            .cloned()
            .map(|reveal| CommitReveal {
                reveal,
                at: self.at,
            })
            .collect()
    }

    /// Reveals that failed, oldest first.
    async fn attempts(&self) -> Vec<CommitAttempt> {
        let attempts = self.commit.attempts.iter().cloned();
        attempts.map(CommitAttempt).collect()
    }

    /// The subnet at the block asked about; null when it does not exist then.
    async fn subnet(&self, ctx: &Context<'_>) -> Res<Option<SubnetNode>> {
        SubnetNode::at(ctx, self.at, self.commit.netuid).await
    }
}

/// A state of a commit and the block from which on it held.
#[derive(SimpleObject)]
pub(crate) struct CommitStateAt {
    /// Height from which on it held.
    block: u32,
    /// The state.
    state: CommitState,
}

impl CommitNode {
    /// A commit as it stood at the end of a block.
    pub(crate) fn new(commit: Commit, at: u32) -> Self {
        let commit = Arc::new(commit);
        Self { commit, at }
    }

    /// The commit with a name, as it stood at the end of a block; `None` when the ledger does not
    /// have it there.
    pub(crate) async fn named(ctx: &Context<'_>, id: CommitId, at: u32) -> Res<Option<Self>> {
        let found = loaders(ctx)?.commits_named.load((id, at)).await?;
        Ok(found.map(|commit| CommitNode { commit, at }))
    }
}

/// A call as shown.
#[derive(Clone)]
pub(crate) struct CallLink(pub(crate) CallPlace);

/// A call inside an extrinsic.
#[Object]
impl CallLink {
    /// Height of the block.
    async fn block_number(&self) -> u32 {
        self.0.block
    }

    /// Position of the extrinsic in its block, from 0.
    async fn extrinsic_index(&self) -> u32 {
        self.0.extrinsic
    }

    /// Where the call stands in the extrinsic, positions from 0 as in nestedCalls; empty for the outer
    /// call; null
    /// when the extrinsic holds no such call, because a contract made it.
    async fn path(&self) -> Option<Vec<u32>> {
        self.0.path.clone()
    }

    /// The extrinsic. Null only together with an error.
    #[graphql(complexity = "ExtrinsicNode::cost(child_complexity)")]
    async fn extrinsic(&self, ctx: &Context<'_>) -> Res<Option<ExtrinsicNode>> {
        ExtrinsicNode::at(ctx, self.0.block, self.0.extrinsic).await
    }
}

/// A reveal as shown, at some block.
pub(crate) struct CommitReveal {
    reveal: ports::CommitReveal,
    at: u32,
}

/// How a commit was revealed, and what that led to.
#[Object]
impl CommitReveal {
    /// Height of the block in which it was revealed.
    async fn block_number(&self) -> u32 {
        self.reveal.block
    }

    /// The call that revealed it; null when the chain revealed it itself at the beginning of the
    /// block.
    async fn made_by(&self) -> Option<CallLink> {
        self.reveal.made_by.clone().map(CallLink)
    }

    /// Whether the hash of the call's arguments, computed again, is the hash committed to; null
    /// when there is no hash or no call to compute it from.
    async fn verified(&self) -> Option<bool> {
        self.reveal.verified
    }

    /// True when the hotkey had more commits due than the chain revealed: the event names none of
    /// them, so this may have been another one.
    async fn ambiguous(&self) -> bool {
        self.reveal.ambiguous
    }

    /// What came out of a commitment's locks, as the chain keeps it; empty for weights.
    #[graphql(complexity = 10)]
    async fn revealed(&self) -> Vec<Bytes> {
        self.reveal.revealed.iter().cloned().map(Bytes).collect()
    }

    /// Number of the subnet of the row of the weight matrix that it set; null when it set none.
    async fn row_netuid(&self) -> Option<u16> {
        self.set_row().map(|row| row.netuid.0)
    }

    /// Number of the mechanism of the row that it set; null when it set none.
    async fn row_mechanism(&self) -> Option<u8> {
        self.set_row().map(|row| row.mechanism.0)
    }

    /// Number of the neuron whose row of the weight matrix it set, in this block; null when it set none.
    async fn row_uid(&self) -> Option<u16> {
        self.set_row().map(|row| row.uid.0)
    }

    /// Height of the first epoch that read the row; null when there was none up to the block asked
    /// about, or the row was set again before.
    async fn first_epoch(&self) -> Option<u32> {
        self.set_row().and_then(|row| row.first_epoch)
    }

    /// The row as it was set: the weight matrix of this block with this row alone; null when no row
    /// was set.
    #[graphql(complexity = "cost::matrix(&Some(vec![0_u16]), child_complexity)")]
    async fn row(&self, ctx: &Context<'_>) -> Res<Option<super::matrix::MatrixNode>> {
        let Some(row) = self.set_row() else {
            return Ok(None);
        };
        // A commit of a block above the one asked about is not shown, nor is its reveal.
        let block = self.reveal.block.min(self.at);
        let key = (block, NetUid(row.netuid.0), MechId(row.mechanism.0));
        let which = super::matrix::Which::Weights;
        super::matrix::at(ctx, which, key, Some(vec![row.uid.0])).await
    }
}

impl CommitReveal {
    fn set_row(&self) -> Option<&ports::RevealedRow> {
        self.reveal.row.as_ref()
    }
}

/// A failed reveal as shown.
pub(crate) struct CommitAttempt(ports::CommitAttempt);

/// A call that should have revealed a commit and failed.
#[Object]
impl CommitAttempt {
    /// The call.
    async fn made_by(&self) -> CallLink {
        CallLink(self.0.made_by.clone())
    }

    /// Its dispatch error, such as SubtensorModule.InvalidRevealCommitHashNotMatch.
    async fn error(&self) -> &str {
        &self.0.error
    }

    /// Whether the hash of its arguments is the hash committed to. If not, it was put to the oldest
    /// commit of the hotkey whose time was not over, or else to the oldest there was.
    async fn hash_matches(&self) -> bool {
        self.0.hash_matches
    }
}

/// The page of commits at a block.
pub(crate) async fn page(
    ctx: &Context<'_>,
    wanted: CommitWhere,
    at: BlockNumber,
    args: PageArgs,
) -> Res<CommitConnection> {
    let window = args.window(Kind::Commit, DEFAULT_LISTED, MAX_LISTED)?;
    let filter = CommitFilter {
        netuid: wanted.netuid.map(NetUid),
        hotkey: wanted.hotkey.map(|account| account.0),
        kind: wanted.kind.map(Into::into),
        state: wanted.state.map(Into::into),
    };
    let start = window
        .start()
        .map(|(block, index)| CommitId { block, index });
    let (back, size) = (window.back, window.size);
    let read = loaders(ctx)?
        .reads
        .run("commits", move |reader| match back {
            true => reader.commits_up(at, &filter, start, size),
            false => reader.commits(at, &filter, start, size),
        });
    let found = read.await?;
    let place = |id: CommitId| (id.block, id.index);
    let items = found.commits.into_iter().map(|commit| {
        let node = CommitNode {
            at,
            commit: Arc::new(commit),
        };
        (place(node.commit.id), node)
    });
    let page = window.page(Order::NewestFirst, items.collect(), found.next.map(place));
    Ok(CommitConnection(page))
}
