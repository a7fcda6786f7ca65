//! Records of blocks, extrinsics and events.

use super::*;

/// A block: stored, or unfinalized and in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Height; 0 is the genesis block.
    pub number: BlockNumber,
    /// Hash of the header.
    pub hash: H256,
    /// Hash of the block before; all zero for the genesis block.
    pub parent_hash: H256,
    /// Root of the state after this block.
    pub state_root: H256,
    /// Root of the extrinsics.
    pub extrinsics_root: H256,
    /// `Timestamp.Now` set in the block, in milliseconds since 1970; `None` when it set none.
    pub timestamp_ms: Option<u64>,
    /// Spec version of the runtime that executed the block, which is the one in its parent's
    /// state: a block that carries an upgrade still belongs to the old runtime.
    pub spec_version: SpecVersion,
    /// Number of extrinsics, inherents among them.
    pub extrinsic_count: u32,
    /// Number of events.
    pub event_count: u32,
    /// SCALE bytes of each digest log of the header, in order.
    pub digest_logs: Vec<Vec<u8>>,
    /// Whether the block is finalized; if not, it may still lose against another.
    pub finalized: bool,
}

/// An extrinsic with its decoded call and what the block's events say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Extrinsic {
    /// Height of its block.
    pub block: BlockNumber,
    /// Position in its block, from 0.
    pub index: u32,
    /// BLAKE2-256 of the raw bytes. Not unique: the same bytes may occur again.
    pub hash: H256,
    /// The bytes as they stand in the block, length prefix included.
    pub raw: Vec<u8>,
    /// Format version: 4 or 5.
    pub version: u8,
    /// Account that signed; `None` for inherents and other unsigned extrinsics.
    pub signer: Option<AccountId>,
    /// The signer's nonce (`CheckNonce`); `None` when the extrinsic carries none.
    pub nonce: Option<u64>,
    /// Tip, in rao; `None` when the extrinsic carries none.
    pub tip: Option<u128>,
    /// Fee paid, in rao, of the event `TransactionPayment.TransactionFeePaid`; `None` when the
    /// runtime emitted no such event.
    pub fee: Option<u128>,
    /// Whether the dispatch succeeded (`System.ExtrinsicSuccess` or `ExtrinsicFailed`); `None` when
    /// the events do not say.
    pub success: Option<bool>,
    /// The dispatch error when it failed; `None` otherwise.
    pub error: Option<DispatchError>,
    /// The outer call.
    pub call: Call,
    /// Calls inside the outer call (batches, proxies, sudo, multisig, …), depth first.
    pub nested: Vec<NestedCall>,
    /// Spec version of the runtime it was decoded with.
    pub spec_version: SpecVersion,
}

/// A decoded call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Name of the pallet.
    pub pallet: String,
    /// Name of the call.
    pub name: String,
    /// Arguments by name: integers of 64 bits and more as decimal strings, bytes as 0x-hex.
    pub args: serde_json::Value,
}

/// A call inside another call.
#[derive(Debug, Clone, PartialEq)]
pub struct NestedCall {
    /// Position below the outer call: `[1, 0]` is the first call inside its second.
    pub path: Vec<u32>,
    /// On whose behalf it runs: an ss58 address, or `Root`, `None` or another origin's name.
    pub origin: String,
    /// What became of it.
    pub outcome: CallOutcome,
    /// The dispatch error when it failed and the events tell it; `None` otherwise.
    pub error: Option<DispatchError>,
    /// The call.
    pub call: Call,
}

/// What became of a nested call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// It ran and its effects hold.
    Succeeded,
    /// It ran and failed, or was rolled back with what holds it.
    Failed,
    /// It was never reached.
    NotRun,
    /// The events do not say.
    Unknown,
}

/// A dispatch error in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchError {
    /// Pallet of a module error; `None` for an error that belongs to no pallet.
    pub pallet: Option<String>,
    /// Name of the error, such as `NotEnoughStake` or `Token.FundsUnavailable`.
    pub name: String,
    /// The metadata's text for it; empty when it has none.
    pub docs: String,
}

/// An event of `System.Events`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Height of its block.
    pub block: BlockNumber,
    /// Position among the block's events, from 0.
    pub index: u32,
    /// When in the block it was emitted.
    pub phase: Phase,
    /// Name of the pallet.
    pub pallet: String,
    /// Name of the event.
    pub name: String,
    /// Fields, by name where the metadata names them: integers of 64 bits and more as decimal
    /// strings, bytes as 0x-hex.
    pub fields: serde_json::Value,
    /// Spec version of the runtime it was decoded with.
    pub spec_version: SpecVersion,
}

/// When in a block an event was emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// While the extrinsic with this index ran.
    ApplyExtrinsic(u32),
    /// After the last extrinsic.
    Finalization,
    /// Before the first extrinsic; epochs run here.
    Initialization,
}
