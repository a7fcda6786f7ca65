//! Records of a subnet's state at the end of one block.

use super::*;

/// Which state a group of values was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The block asked for; the values are those at its end.
    pub block: BlockNumber,
    /// Hash of that block.
    pub hash: H256,
    /// Spec version of the runtime whose metadata the values were decoded with.
    pub spec_version: SpecVersion,
    /// Whether the block is finalized.
    pub finalized: bool,
}

/// The last epoch of a subnet at the end of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastEpoch {
    /// `LastMechansimStepBlock` (the chain's spelling): height of the block in which it ran.
    pub block: u64,
    /// `SubnetEpochIndex` at the end of that block; `None` when the runtime has no such item, or the
    /// block is not stored.
    pub index: Option<u64>,
}

/// A subnet at the end of a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Subnet {
    /// Which state this is.
    pub stamp: Stamp,
    /// Number of the subnet; 0 is the root network.
    pub netuid: NetUid,
    /// `SubnetworkN`: neurons registered; `None` when the runtime has no such item.
    pub neuron_count: Option<u16>,
    /// `Tempo`, in blocks; `None` when the runtime has no such item.
    pub tempo: Option<u16>,
    /// `LastMechansimStepBlock` (the chain's spelling): height of the last epoch that ran; `None`
    /// when none ran or the runtime has no such item.
    pub last_epoch_block: Option<u64>,
    /// `BlocksSinceLastStep`, in blocks; `None` when the runtime has no such item.
    pub blocks_since_last_step: Option<u64>,
    /// `MechanismCountCurrent`, 1 or more; `None` when the runtime knows no mechanisms.
    pub mechanism_count: Option<u8>,
    /// `SubnetOwner`: the owner's coldkey; `None` when none is stored (the root network).
    pub owner: Option<AccountId>,
    /// `SubnetOwnerHotkey`; `None` when none is stored.
    pub owner_hotkey: Option<AccountId>,
    /// `NetworkRegisteredAt`: height of its registration; `None` when none is stored.
    pub registered_at: Option<u64>,
    /// `TokenSymbol` as text; `None` when the runtime has no such item or it is not UTF-8.
    pub token_symbol: Option<String>,
    /// The subnet's other storage items, by name.
    pub items: Vec<Item>,
}

/// One storage item of a subnet.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Name of the storage item in pallet `SubtensorModule` or `Swap`.
    pub name: String,
    /// Its value; `None` when the runtime has the item but nothing is stored and it has no default.
    pub value: Option<serde_json::Value>,
    /// Whether the value is stored; false when the metadata's default applies.
    pub stored: bool,
    /// Height at which the value last changed; `None` when it has not changed in the stored range.
    pub changed_at: Option<BlockNumber>,
}

/// The neurons of one mechanism of a subnet at the end of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metagraph {
    /// Which state this is.
    pub stamp: Stamp,
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism; 0 where the runtime knows no mechanisms.
    pub mechanism: MechId,
    /// Neurons in ascending uid.
    pub neurons: Vec<Neuron>,
}

/// A neuron at the end of a block.
///
/// The vector values are those of the last epoch that ran. `None` means that the runtime does not
/// compute the value or that its vector has no entry for this uid; it never stands for 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neuron {
    /// Number of the neuron in its subnet.
    pub uid: Uid,
    /// `Keys`: the hotkey that holds the uid.
    pub hotkey: AccountId,
    /// `Owner`: the coldkey that owns the hotkey; `None` when none is stored.
    pub coldkey: Option<AccountId>,
    /// `BlockAtRegistration`: height; `None` when none is stored.
    pub block_at_registration: Option<u64>,
    /// `Axons`: the served endpoint; `None` when the neuron serves none.
    pub axon: Option<Axon>,
    /// `Prometheus`: the served metrics endpoint; `None` when the neuron serves none.
    pub prometheus: Option<Prometheus>,
    /// `Active`.
    pub active: Option<bool>,
    /// `Rank`, 0 to 65535 for 0 to 1.
    pub rank: Option<u16>,
    /// `Trust`, 0 to 65535 for 0 to 1.
    pub trust: Option<u16>,
    /// `Consensus`, 0 to 65535 for 0 to 1.
    pub consensus: Option<u16>,
    /// `Incentive` of this mechanism, 0 to 65535 for 0 to 1.
    pub incentive: Option<u16>,
    /// `Dividends`, 0 to 65535 for 0 to 1.
    pub dividends: Option<u16>,
    /// `Emission` of the last epoch, in rao of the subnet's token.
    pub emission: Option<u64>,
    /// `ValidatorTrust`, 0 to 65535 for 0 to 1.
    pub validator_trust: Option<u16>,
    /// `ValidatorPermit`.
    pub validator_permit: Option<bool>,
    /// `StakeWeight`, 0 to 65535 for 0 to 1.
    pub stake_weight: Option<u16>,
    /// `PruningScores`, 0 to 65535 for 0 to 1.
    pub pruning_score: Option<u16>,
    /// `LastUpdate` of this mechanism: height at which the neuron last set or committed weights.
    pub last_update: Option<u64>,
}

/// Where a neuron serves requests (`Axons`), as it said itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axon {
    /// Height at which it was announced.
    pub block: u64,
    /// Version of the serving software, in its own counting.
    pub version: u32,
    /// The address as the chain stores it: a 128 bit integer in decimal.
    pub ip: String,
    /// The address in dotted or colon form.
    pub ip_text: String,
    /// TCP port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
    /// Protocol number, in the serving software's own counting.
    pub protocol: u8,
    /// First spare byte.
    pub placeholder1: u8,
    /// Second spare byte.
    pub placeholder2: u8,
}

/// Where a neuron serves metrics (`Prometheus`), as it said itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// Height at which it was announced.
    pub block: u64,
    /// Version of the serving software, in its own counting.
    pub version: u32,
    /// The address as the chain stores it: a 128 bit integer in decimal.
    pub ip: String,
    /// The address in dotted or colon form.
    pub ip_text: String,
    /// TCP port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
}

/// One row of the weight or bond matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixRow {
    /// The neuron whose row this is.
    pub uid: Uid,
    /// Height at which the row last changed; `None` when it has not changed in the stored range.
    pub changed_at: Option<BlockNumber>,
    /// Pairs of target uid and value (0 to 65535), in the stored order, which is not always sorted.
    pub entries: Vec<(u16, u16)>,
}
