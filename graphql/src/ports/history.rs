//! What changed, when and by what: tenancies, causes of weights, places of activity.

use super::*;

/// Reads over time. Every list is bounded: a page may be shorter than asked for and still be
/// followed by others, when the bound on rows read was met first.
///
/// Blocks given must be stored, or [`ReadError::OutOfRange`] answers; ranges are cut to what is
/// stored by the caller.
pub trait Histories: Send + Sync {
    /// Who holds each uid at the end of a block, with what is known up to the highest stored one;
    /// `None` where nobody does.
    fn tenancy(
        &self,
        keys: &[(BlockNumber, NetUid, Uid)],
    ) -> Result<Vec<Option<Tenancy>>, ReadError>;

    /// Tenancies in a subnet, newest first, those that begin before `before` (block and uid), at
    /// most `first`.
    fn tenancies(
        &self,
        netuid: NetUid,
        whose: Whose,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Vec<Tenancy>, ReadError>;

    /// What set a row of the weight matrix in a block; `None` where nothing did.
    fn weights_set_by(&self, keys: &[RowKey]) -> Result<Vec<Option<WeightsSet>>, ReadError>;

    /// Versions of a row of the weight matrix that begin in the blocks from `from` to `to`, oldest
    /// first, at most `first`.
    fn weight_changes(
        &self,
        row: (NetUid, MechId, Uid),
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<WeightsVersion>, ReadError>;

    /// Values of a neuron over time, in segments of one tenancy each; at most `first` points in all,
    /// in the order of block and uid, those after `after`.
    fn series(
        &self,
        wanted: &SeriesWanted,
        after: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Series, ReadError>;

    /// Epochs of a subnet that ran in the blocks from `from` to `to`, oldest first, at most `first`.
    fn epochs(
        &self,
        netuid: NetUid,
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<Epoch>, ReadError>;

    /// Extrinsics that pass a filter, newest first, those before `before` (block and index), at
    /// most `first`.
    fn find_extrinsics(
        &self,
        wanted: &ExtrinsicFilter,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Found<FoundExtrinsic>, ReadError>;

    /// Events that pass a filter, newest first, under the rules of
    /// [`Histories::find_extrinsics`].
    fn find_events(
        &self,
        wanted: &EventFilter,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Found<Event>, ReadError>;
}

/// A row of the weight matrix at a block.
pub type RowKey = (BlockNumber, NetUid, MechId, Uid);

/// Whose tenancies are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Whoever held a uid.
    Uid(Uid),
    /// Those of a hotkey, at any uid.
    Hotkey(AccountId),
}

/// How a tenancy began, or what ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenancyChange {
    /// It was so in the first stored block.
    FoundAtStart,
    /// A neuron registered: it begins, and ends the one that held the uid.
    Registered,
    /// The neuron goes on under another hotkey.
    Swapped,
    /// The neuron goes on under another uid.
    Moved,
    /// Storage was written, and nothing in the block tells why.
    Written,
    /// The subnet was dissolved.
    Dissolved,
    /// The subnet was made smaller.
    Removed,
}

/// A hotkey's time at a uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenancy {
    /// Subnet.
    pub netuid: NetUid,
    /// The uid.
    pub uid: Uid,
    /// Who holds it.
    pub hotkey: AccountId,
    /// First block at whose end it is held.
    pub from: BlockNumber,
    /// How it began.
    pub began: TenancyChange,
    /// First block at whose end it is no longer held; `None` while it lasts.
    pub until: Option<BlockNumber>,
    /// What ended it; `None` while it lasts.
    pub ended: Option<TenancyChange>,
    /// `BlockAtRegistration` when it began; `None` when none is stored.
    pub registered_at: Option<u64>,
    /// A block and a uid that name the tenancy which this one continues.
    pub previous: Option<(BlockNumber, Uid)>,
    /// The same of the tenancy that continues this one.
    pub next: Option<(BlockNumber, Uid)>,
}

/// What set a row of the weight matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsSetKind {
    /// A call that sets the weights of one subnet.
    Direct,
    /// A call that sets the weights of several subnets.
    Batch,
    /// A call that reveals what was committed to by a hash.
    HashReveal,
    /// The chain itself, opening what was under a time lock.
    TimelockReveal,
    /// A contract, in an extrinsic that holds no such call.
    Contract,
    /// A call that the chain ran as scheduled before.
    Scheduled,
}

/// What set a row of the weight matrix, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsSet {
    /// Height.
    pub block: BlockNumber,
    /// What it was.
    pub kind: WeightsSetKind,
    /// Whose weights they are; `None` when neither a call nor an event names the hotkey.
    pub hotkey: Option<AccountId>,
    /// The call; `None` when the chain did it without an extrinsic.
    pub made_by: Option<CallPlace>,
    /// Place in the lists of a call that sets or reveals several, from 0.
    pub item: Option<u32>,
    /// Version key among the arguments; `None` without a call.
    pub version_key: Option<u64>,
    /// The commit that it revealed; `None` when it was no reveal.
    pub commit: Option<CommitId>,
}

/// A version of a row of the weight matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsVersion {
    /// First block at whose end the row was so.
    pub block: BlockNumber,
    /// Its entries, in the stored order; `None` when the row was taken away.
    pub entries: Option<Vec<(u16, u16)>>,
    /// What set it; `None` when it was taken away with its neuron, or written past the pallet.
    pub set_by: Option<WeightsSet>,
}

/// A value of a neuron that an epoch computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesField {
    /// `Incentive` of the mechanism, of 65535.
    Incentive,
    /// `Dividends`, of 65535.
    Dividends,
    /// `Consensus`, of 65535.
    Consensus,
    /// `Trust`, of 65535.
    Trust,
    /// `Rank`, of 65535.
    Rank,
    /// `Emission`, rao of the subnet's token.
    Emission,
    /// `StakeWeight`, of 65535.
    StakeWeight,
    /// `ValidatorTrust`, of 65535.
    ValidatorTrust,
    /// `Active`, 0 or 1.
    Active,
    /// `ValidatorPermit`, 0 or 1.
    ValidatorPermit,
}

/// Which series is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesWanted {
    /// Subnet.
    pub netuid: NetUid,
    /// Mechanism.
    pub mechanism: MechId,
    /// A uid, or a hotkey with what it was swapped from and to.
    pub whose: Whose,
    /// The values.
    pub fields: Vec<SeriesField>,
    /// Lowest block.
    pub from: BlockNumber,
    /// Highest block.
    pub to: BlockNumber,
    /// Points where a value changed; else at epochs that ran.
    pub changes: bool,
}

/// Some points of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Tenancies with their points, oldest first.
    pub segments: Vec<(Tenancy, Vec<SeriesPoint>)>,
    /// Where to go on, when there may be more.
    pub next: Option<(BlockNumber, u32)>,
}

/// Values of a neuron at the end of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesPoint {
    /// Height.
    pub block: BlockNumber,
    /// `SubnetEpochIndex` of the epoch in it; `None` without one.
    pub epoch: Option<u64>,
    /// As many as fields were asked for; `None` where the chain has none.
    pub values: Vec<Option<u64>>,
}

/// An epoch that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// Subnet.
    pub netuid: NetUid,
    /// Block in which it ran.
    pub block: BlockNumber,
    /// Mechanisms whose consensus ran, 1 or more.
    pub mechanisms: u8,
    /// `SubnetEpochIndex` at the end of the block; `None` in runtimes without it.
    pub index: Option<u64>,
}

/// Which extrinsics are wanted; what is `None` does not matter, everything else must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtrinsicFilter {
    /// It signed, or is among the arguments of a call.
    pub account: Option<AccountId>,
    /// Pallet of a call, nested ones too.
    pub pallet: Option<String>,
    /// Name of that call.
    pub call: Option<String>,
    /// The dispatch error, as `Pallet.Name`.
    pub error: Option<String>,
    /// Whether the outer call succeeded.
    pub success: Option<bool>,
    /// Lowest block.
    pub from: Option<BlockNumber>,
    /// Highest block.
    pub to: Option<BlockNumber>,
}

/// Which events are wanted, under the rules of [`ExtrinsicFilter`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// It is among the fields.
    pub account: Option<AccountId>,
    /// Pallet.
    pub pallet: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Lowest block.
    pub from: Option<BlockNumber>,
    /// Highest block.
    pub to: Option<BlockNumber>,
}

/// Some of what a search finds, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Where to go on (block and position), when there may be more.
    pub next: Option<(BlockNumber, u32)>,
}

/// An extrinsic that passes a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundExtrinsic {
    /// The extrinsic.
    pub extrinsic: Extrinsic,
    /// Where the calls stand that pass what is asked of calls and accounts; empty for the outer
    /// call, as in [`NestedCall::path`].
    pub paths: Vec<Vec<u32>>,
}
