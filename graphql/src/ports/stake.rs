//! Stake and its movements.

use chain_metadata::{AccountId, BlockNumber, NetUid};

use super::CallPlace;

/// Names a movement: its block, and its place among the movements of that block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StakeMovementId {
    /// Height of the block.
    pub block: BlockNumber,
    /// Place among the movements of the block, from 0.
    pub index: u32,
}

/// Kinds of movements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StakeMovementKind {
    /// Added.
    Added,
    /// Removed.
    Removed,
    /// From hotkey to hotkey.
    Moved,
    /// From coldkey to coldkey.
    Transferred,
    /// To another coldkey and hotkey.
    MovedAndTransferred,
    /// From subnet to subnet.
    Swapped,
    /// What stake on root earned.
    RootClaimed,
    /// An incentive, to the hotkey its owner chose.
    AutoStaked,
    /// Given back to what may be emitted.
    Recycled,
    /// Destroyed.
    Burned,
    /// Bought and destroyed.
    BoughtAndBurned,
    /// A transaction fee.
    FeePaid,
    /// To a contributor of a lease.
    LeaseDividends,
}

/// One end of a movement; `None` is what the event does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StakeSide {
    /// Hotkey.
    pub hotkey: Option<AccountId>,
    /// Coldkey.
    pub coldkey: Option<AccountId>,
    /// Subnet.
    pub netuid: Option<NetUid>,
}

/// A movement of stake.
#[derive(Debug, Clone, PartialEq)]
pub struct StakeMovement {
    /// Its name.
    pub id: StakeMovementId,
    /// Kind.
    pub kind: StakeMovementKind,
    /// Where stake came from; `None` when it came from no stake.
    pub from: Option<StakeSide>,
    /// Where it went to; `None` when it went to no stake.
    pub to: Option<StakeSide>,
    /// rao of TAO; `None` when the event says none.
    pub tao: Option<u64>,
    /// Alpha, 10^-9; `None` when the event says none.
    pub alpha: Option<u64>,
    /// Fee, rao; `None` when the event says none.
    pub fee: Option<u64>,
    /// Position of the event in the block.
    pub event: u32,
    /// The call that did it; `None` when the chain did it itself.
    pub made_by: Option<CallPlace>,
}

/// Which movements are asked for; what is `None` does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StakeFilter {
    /// Hotkey at one of the ends.
    pub hotkey: Option<AccountId>,
    /// Coldkey at one of the ends.
    pub coldkey: Option<AccountId>,
    /// Subnet at one of the ends.
    pub netuid: Option<NetUid>,
    /// Kind.
    pub kind: Option<StakeMovementKind>,
}

/// Some movements, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct StakeMovementPage {
    /// The movements.
    pub movements: Vec<StakeMovement>,
    /// Where to go on when there may be more.
    pub next: Option<StakeMovementId>,
}

/// Whose stake is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StakeOf {
    /// Everybody's on a hotkey.
    Hotkey(AccountId),
    /// A coldkey's on any hotkey.
    Coldkey(AccountId),
}

/// What a coldkey has on a hotkey at the end of a block, as the chain stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct StakeShare {
    /// Storage entry: `Alpha`, `AlphaV2` or `Stake`.
    pub entry: String,
    /// Hotkey.
    pub hotkey: AccountId,
    /// Coldkey.
    pub coldkey: AccountId,
    /// Subnet; `None` in runtimes without subnet tokens.
    pub netuid: Option<NetUid>,
    /// The decoded value; `None` when its bytes are none of its type.
    pub value: Option<serde_json::Value>,
    /// The chain's own bytes.
    pub bytes: Vec<u8>,
    /// Height at which it last changed, as far as stored.
    pub changed_at: BlockNumber,
    /// Alpha in the hotkey's pool; `None` where there is no pool.
    pub pool_alpha: Option<u64>,
    /// All shares of the pool; `None` where there is no pool.
    pub pool_shares: Option<serde_json::Value>,
}
