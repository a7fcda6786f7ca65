//! Lists of changes: of settings, of any kept key, and of subnets as such.

use super::*;

/// Reads of changes, newest first. A page may be shorter than asked for and still be followed by
/// others, when the bound on what one request reads was met first. The inner error is what is wrong
/// with the question, in one sentence.
///
/// Ranges lie in one run of stored blocks; the caller sees to that.
pub trait Changes: Send + Sync {
    /// Changes of items of a subnet, those before `before`, at most `first`. Without `items`, of
    /// all that are read when something touched them: not of what every block or an epoch writes.
    fn subnet_changes(
        &self,
        wanted: &SubnetChangesWanted,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Result<Found<StateChange>, String>, ReadError>;

    /// Values of one key, those before `before`, at most `first`; the one that the first stored
    /// block had is among them.
    fn state_changes(
        &self,
        wanted: &StateChangesWanted,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Result<Found<StateChange>, String>, ReadError>;

    /// What became of a subnet, or of any, before `before`, at most `first`.
    fn subnet_history(
        &self,
        netuid: Option<NetUid>,
        range: (BlockNumber, BlockNumber),
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Found<SubnetEvent>, ReadError>;
}

/// Which changes of a subnet are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetChangesWanted {
    /// Subnet.
    pub netuid: NetUid,
    /// Names of the items; `None` for all that are settings.
    pub items: Option<Vec<String>>,
    /// Lowest block.
    pub from: BlockNumber,
    /// Highest block.
    pub to: BlockNumber,
}

/// Which key is wanted: an item and what its scope is keyed by, no more and no less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChangesWanted {
    /// Name of the item.
    pub entry: String,
    /// Subnet.
    pub netuid: Option<NetUid>,
    /// Mechanism; `None` is 0.
    pub mechanism: Option<MechId>,
    /// Neuron.
    pub uid: Option<Uid>,
    /// Hotkey, or the only account.
    pub hotkey: Option<AccountId>,
    /// Coldkey, or the only account.
    pub coldkey: Option<AccountId>,
    /// Lowest block.
    pub from: BlockNumber,
    /// Highest block.
    pub to: BlockNumber,
}

/// A value of a storage item at the end of a block.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateValue {
    /// As JSON; `None` when nothing is stored and there is no default, or no such item.
    pub value: Option<serde_json::Value>,
    /// Whether it is stored.
    pub stored: bool,
}

/// A change of a storage item.
#[derive(Debug, Clone, PartialEq)]
pub struct StateChange {
    /// Block at whose end the new value first held.
    pub block: BlockNumber,
    /// Its place among the changes of the block, as pages go on after it: newest first means
    /// highest first.
    pub place: u32,
    /// Spec version of the runtime that executed the block.
    pub spec_version: SpecVersion,
    /// Name of the item.
    pub item: String,
    /// Mechanism that the key names; `None` when it names none.
    pub mechanism: Option<MechId>,
    /// It is what the first stored block held, and no change.
    pub found_at_start: bool,
    /// Value at the end of the block before; `None` when it is not known.
    pub old: Option<StateValue>,
    /// Value at the end of the block.
    pub new: StateValue,
    /// The call that did it; `None` when that cannot be told.
    pub made_by: Option<CallPlace>,
    /// Who signed the extrinsic of that call.
    pub signer: Option<AccountId>,
}

/// What happened to a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubnetEventKind {
    /// It was made.
    Created,
    /// It was dissolved.
    Dissolved,
    /// It was dissolved, and another one took its number in the same block.
    Replaced,
    /// `SubnetOwner` changed.
    Owner,
    /// `SubnetOwnerHotkey` changed.
    OwnerHotkey,
    /// `MechanismCountCurrent` changed.
    MechanismCount,
    /// `SubnetName` changed.
    Name,
    /// `TokenSymbol` changed.
    Symbol,
    /// An identity of any version changed.
    Identity,
}

/// Something that happened to a subnet.
#[derive(Debug, Clone, PartialEq)]
pub struct SubnetEvent {
    /// Subnet.
    pub netuid: NetUid,
    /// What it was.
    pub kind: SubnetEventKind,
    /// `NetworkRegisteredAt` of the subnet it happened to; of the one that was, when dissolved.
    pub registered_at: Option<u64>,
    /// The change of the item that tells of it.
    pub change: StateChange,
}
