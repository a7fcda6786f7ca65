//! Blocks, extrinsics, events and runtimes.

use serde::Serialize;
use utoipa::ToSchema;

use super::value::{Account, Any, Bytes, Hash, Huge, Wide, record};
use super::words;
use crate::ports;

record! {
    /// A block: stored, or unfinalized and in memory.
    Block {
        /// Height; 0 is the genesis block.
        number: u32,
        /// Hash of the header.
        hash: Hash,
        /// Whether the block is finalized; if not, it may still lose against another.
        finalized: bool,
        /// Hash of the block before; all zero for the genesis block.
        parent_hash: Hash,
        /// Root of the state after this block.
        state_root: Hash,
        /// Root of the extrinsics.
        extrinsics_root: Hash,
        /// Time of the block as it says itself (Timestamp.Now), in milliseconds since 1970; null
        /// when it sets none (the genesis block).
        timestamp_ms: Option<Wide>,
        /// Spec version of the runtime that executed the block, which is the one in its parent's
        /// state.
        spec_version: u32,
        /// Number of extrinsics, inherents among them.
        extrinsic_count: u32,
        /// Number of events.
        event_count: u32,
        /// SCALE bytes of each digest log of the header, in order.
        digest_logs: Vec<Bytes>,
    }
}

impl From<ports::Block> for Block {
    fn from(block: ports::Block) -> Self {
        Self {
            number: block.number,
            hash: Hash(block.hash),
            finalized: block.finalized,
            parent_hash: Hash(block.parent_hash),
            state_root: Hash(block.state_root),
            extrinsics_root: Hash(block.extrinsics_root),
            timestamp_ms: block.timestamp_ms.map(Wide),
            spec_version: block.spec_version,
            extrinsic_count: block.extrinsic_count,
            event_count: block.event_count,
            digest_logs: block.digest_logs.into_iter().map(Bytes).collect(),
        }
    }
}

record! {
    /// A dispatch error in words.
    DispatchError {
        /// Pallet of a module error; null for an error that belongs to no pallet.
        pallet: Option<String>,
        /// Name of the error, such as NotEnoughStake.
        name: String,
        /// The metadata's text for it; empty when it has none.
        docs: String,
    }
}

impl From<ports::DispatchError> for DispatchError {
    fn from(error: ports::DispatchError) -> Self {
        Self {
            pallet: error.pallet,
            name: error.name,
            docs: error.docs,
        }
    }
}

record! {
    /// A decoded call.
    Call {
        /// Name of the pallet, such as SubtensorModule.
        pallet: String,
        /// Name of the call, such as set_weights.
        name: String,
        /// Arguments by name.
        args: Any,
    }
}

impl From<ports::Call> for Call {
    fn from(call: ports::Call) -> Self {
        Self {
            pallet: call.pallet,
            name: call.name,
            args: Any(call.args),
        }
    }
}

words! {
    /// What became of a nested call, as far as the block's events say.
    Outcome of ports::CallOutcome {
        /// It ran and its effects hold.
        Succeeded = "SUCCEEDED",
        /// It ran and failed, or was rolled back with what holds it.
        Failed = "FAILED",
        /// It was never reached.
        NotRun = "NOT_RUN",
        /// The events do not say.
        Unknown = "UNKNOWN",
    }
}

/// A call inside another call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NestedCall {
    /// Position below the outer call: [1, 0] is the first call inside its second.
    path: Vec<u32>,
    /// On whose behalf it runs: an ss58 address, or Root, None or another origin's name.
    origin: String,
    /// What became of it.
    outcome: Outcome,
    /// Why it failed; null when it did not fail or the events do not say.
    error: Option<DispatchError>,
    /// The call.
    call: Call,
}

record! {
    /// An extrinsic, decoded with the runtime that executed it.
    Extrinsic {
        /// Height of its block.
        block_number: u32,
        /// Position in its block, from 0.
        index: u32,
        /// BLAKE2-256 of the raw bytes. Not unique: the same bytes may occur again.
        hash: Hash,
        /// Version of its format: 4 or 5.
        version: u8,
        /// Account that signed it; null for inherents and other unsigned extrinsics.
        signer: Option<Account>,
        /// The signer's nonce; null when the extrinsic carries none.
        nonce: Option<Wide>,
        /// Tip, in rao (10^-9 TAO); null when the extrinsic carries none.
        tip: Option<Huge>,
        /// Fee paid, in rao; null when the runtime emitted no event about it.
        fee: Option<Huge>,
        /// Whether the outer call succeeded; null when the events do not say.
        success: Option<bool>,
        /// Why it failed; null when it did not fail or the events do not say.
        error: Option<DispatchError>,
        /// The outer call.
        call: Call,
        /// Calls inside the outer call, depth first; empty when it holds none.
        nested_calls: Vec<NestedCall>,
        /// Spec version of the runtime it was decoded with.
        spec_version: u32,
    }
}

impl From<ports::Extrinsic> for Extrinsic {
    fn from(extrinsic: ports::Extrinsic) -> Self {
        let nested = extrinsic.nested.into_iter().map(|nested| NestedCall {
            path: nested.path,
            origin: nested.origin,
            outcome: nested.outcome.into(),
            error: nested.error.map(Into::into),
            call: nested.call.into(),
        });
        Self {
            block_number: extrinsic.block,
            index: extrinsic.index,
            hash: Hash(extrinsic.hash),
            version: extrinsic.version,
            signer: extrinsic.signer.map(Account),
            nonce: extrinsic.nonce.map(Wide),
            tip: extrinsic.tip.map(Huge::from),
            fee: extrinsic.fee.map(Huge::from),
            success: extrinsic.success,
            error: extrinsic.error.map(Into::into),
            call: extrinsic.call.into(),
            nested_calls: nested.collect(),
            spec_version: extrinsic.spec_version,
        }
    }
}

/// When in its block an event was emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PhaseKind {
    Initialization,
    ApplyExtrinsic,
    Finalization,
}

words! {
    /// When in its block an event was emitted.
    Phase of PhaseKind {
        /// Before the first extrinsic; epochs run here.
        Initialization = "INITIALIZATION",
        /// While an extrinsic ran.
        ApplyExtrinsic = "APPLY_EXTRINSIC",
        /// After the last extrinsic.
        Finalization = "FINALIZATION",
    }
}

record! {
    /// An event, decoded with the runtime that executed it.
    Event {
        /// Height of its block.
        block_number: u32,
        /// Position among the block's events, from 0.
        index: u32,
        /// When in the block it was emitted.
        phase: Phase,
        /// Position in the block of the extrinsic that emitted it; null outside extrinsics.
        extrinsic_index: Option<u32>,
        /// Name of the pallet, such as SubtensorModule.
        pallet: String,
        /// Name of the event, such as WeightsSet.
        name: String,
        /// Its fields: an object where the metadata names them, else an array.
        fields: Any,
        /// Spec version of the runtime it was decoded with.
        spec_version: u32,
    }
}

impl From<ports::Event> for Event {
    fn from(event: ports::Event) -> Self {
        let (phase, extrinsic_index) = match event.phase {
            ports::Phase::Initialization => (Phase::Initialization, None),
            ports::Phase::ApplyExtrinsic(index) => (Phase::ApplyExtrinsic, Some(index)),
            ports::Phase::Finalization => (Phase::Finalization, None),
        };
        Self {
            block_number: event.block,
            index: event.index,
            phase,
            extrinsic_index,
            pallet: event.pallet,
            name: event.name,
            fields: Any(event.fields),
            spec_version: event.spec_version,
        }
    }
}

record! {
    /// A runtime that executed stored blocks.
    Runtime {
        /// Its spec version.
        spec_version: u32,
        /// First stored block that it executed.
        first_block: u32,
        /// Last stored block that it executed; null when none is known.
        last_block: Option<u32>,
        /// BLAKE2-256 of its raw metadata.
        metadata_hash: Hash,
        /// Version of the metadata's format: 14, 15 or 16.
        metadata_version: u8,
        /// Length of its raw metadata, in bytes.
        metadata_bytes: Wide,
    }
}

impl From<ports::Runtime> for Runtime {
    fn from(runtime: ports::Runtime) -> Self {
        Self {
            spec_version: runtime.spec_version,
            first_block: runtime.first_block,
            last_block: runtime.last_block,
            metadata_hash: Hash(runtime.metadata_hash),
            metadata_version: runtime.metadata_version,
            metadata_bytes: Wide(runtime.metadata_bytes),
        }
    }
}
