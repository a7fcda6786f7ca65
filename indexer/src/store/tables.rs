//! Every table: its byte, its key, its value. Change a byte here and
//! [`FORMAT_VERSION`] must change with it; the snapshot tests will say so.
//!
//! | table | key after the table byte | value |
//! |---|---|---|
//! | meta | a short ASCII name; some with a block number behind it | see [`meta`] |
//! | block | number `u32` | SCALE of [`super::BlockRow`] |
//! | hash | block hash, 32 bytes | number `u32` |
//! | body | number `u32` | packed SCALE `Vec<Vec<u8>>`: raw extrinsics, in order |
//! | events | number `u32` | packed raw `System.Events` |
//! | extrinsic | first 16 bytes of the hash, number `u32`, index `u32` | empty |
//! | runtime | spec version `u32` | SCALE of [`super::RuntimeRow`] |
//! | metadata | blake2-256 of the bytes | packed metadata, as the node gave it |
//! | state | item `u16`, length of the rest `u8`, rest of the storage key, block `u32` | a row of [`super::frames`]: the raw value, alone or behind an earlier one |
//! | pulse | number `u32` | packed row of [`super::pulse`]: items that are read in every block |
//! | epoch | netuid `u16`, block `u32` | SCALE of [`super::history::EpochRow`]: an epoch of the subnet ran in this block |
//! | activity | 17 bytes of [`crate::activity::Topic::tag`], block `u32` | SCALE `Vec<Compact<u32>>`: positions in the block |
//! | commit | block `u32`, place `u32` among the commits of the block | SCALE of [`crate::commits::CommitRow`] |
//! | commit-step | key of the commit, step `u32` from 0 | SCALE of [`crate::commits::Step`] |
//! | commit-of | 0, netuid `u16`, or 1, hotkey, 32 bytes; then key of the commit | empty |
//! | commit-open | key of a commit that can still take a step | empty |
//! | commit-step-at | block `u32` in which the step was taken, then the key of the step | empty |
//! | stake-move | block `u32`, place `u32` among the movements of the block | SCALE of [`crate::stakes::Movement`] |
//! | stake-of | 0, netuid `u16`, or 1, hotkey, or 2, coldkey, 32 bytes; then key of the movement | empty |
//! | verdict | netuid `u16`, mechanism `u8`, block `u32` | SCALE of what [`crate::verify::Record`] holds |
//! | verify | first block `u32` of a span | SCALE of the last block `u32` of [`super::verdicts::LookedAt`] |
//! | tenancy | netuid `u16`, uid `u16`, block `u32` | SCALE of [`super::history::TenancyRow`]: who holds the uid from that block on |
//! | tenancy-of | hotkey, 32 bytes, netuid `u16`, block `u32`, uid `u16` | empty: a tenancy of the hotkey begins |
//! | weights-set | storage index `u16`, uid `u16`, block `u32` | SCALE of [`super::history::SetRow`]: what set the row of W in that block |
//! | result | number `u64` of the record | packed JSON of a record of challenges (crate `challenges`) |
//! | result-of | netuid `u16`, challenge, kind `u8`, subject, number `u64`; names with a length `u8` before them | 1 where a hotkey reported it, otherwise 0 |
//! | result-payload | sha256 of the payload, 32 bytes | packed payload, as it came |
//! | result-seen | kind `u8`, time `u64` in milliseconds, hash of the name, 32 bytes | what was taken in already: see crate `challenges` |
//!
//! All numbers in keys are big-endian, so that a scan is in order. *Packed* is
//! one byte and the rest: 0 = as is, 1 = zstandard.
//!
//! The *rest of the storage key* is what follows the 32 bytes of the pallet's
//! and the entry's hash: the hashed keys of the map, exactly as in the chain.

use chain_metadata::BlockNumber;

/// Version of every byte described in this file.
pub const FORMAT_VERSION: u32 = 4;

/// A table of the store, by its first key byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Table {
    /// Facts about the store itself.
    Meta = 1,
    /// Blocks by number.
    Block = 2,
    /// Block numbers by hash.
    Hash = 3,
    /// Raw extrinsics by block.
    Body = 4,
    /// Raw events by block.
    Events = 5,
    /// Where an extrinsic hash occurs.
    Extrinsic = 6,
    /// Runtimes by spec version.
    Runtime = 7,
    /// Metadata bytes by their hash.
    Metadata = 8,
    /// Chain state as changes.
    State = 9,
    /// Epochs that ran.
    Epoch = 10,
    /// Values that are read in every block.
    Pulse = 11,
    /// Where accounts, calls, events and errors occur.
    Activity = 12,
    /// The commit ledger.
    Commit = 40,
    /// What became of the commits.
    CommitStep = 41,
    /// Commits by subnet and by hotkey.
    CommitOf = 42,
    /// Commits that can still take a step.
    CommitOpen = 43,
    /// Steps of commits by the block in which they were taken.
    CommitStepAt = 44,
    /// Movements of stake.
    StakeMove = 50,
    /// Movements of stake by subnet, hotkey and coldkey.
    StakeOf = 51,
    /// Verdicts on epochs.
    Verdict = 70,
    /// How far the verdicts go.
    Verify = 71,
    /// Who held a uid, and from when on.
    Tenancy = 60,
    /// Tenancies by hotkey.
    TenancyOf = 61,
    /// What set the rows of W.
    WeightsSet = 62,
    /// Records of challenges.
    Result = 80,
    /// Records of challenges by subnet, challenge, kind and subject.
    ResultOf = 81,
    /// What came in, byte by byte.
    ResultPayload = 82,
    /// Requests that were taken in already.
    ResultSeen = 83,
}

/// Keys of [`Table::Meta`].
pub mod meta {
    /// [`super::FORMAT_VERSION`] as `u32`.
    pub const FORMAT: &[u8] = b"format";
    /// Genesis hash, 32 bytes.
    pub const GENESIS: &[u8] = b"genesis";
    /// Before the first block of a span: SCALE of [`crate::store::Checkpoint`].
    pub const SPAN: &[u8] = b"span";
    /// Before the first block of a span that was joined to the one below it, as
    /// long as that matters: SCALE of [`crate::store::Joint`].
    pub const JOINT: &[u8] = b"joint";
    /// Before the first block of a span whose derived rows are made again: SCALE
    /// of [`crate::store::Restage`].
    pub const RESTAGE: &[u8] = b"restage";
    /// Before the first of some blocks that no node gave: SCALE of
    /// [`crate::store::Missing`].
    pub const MISSING: &[u8] = b"missing";
}

/// A block and a place in it, as part of a key.
pub(super) fn place_bytes(block: BlockNumber, index: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&block.to_be_bytes());
    bytes[4..].copy_from_slice(&index.to_be_bytes());
    bytes
}

/// The block and the place at the end of a key; `None` when it has another length.
pub(super) fn place_of(tail: &[u8]) -> Option<(BlockNumber, u32)> {
    let (block, index) = tail.split_first_chunk::<4>()?;
    let index = u32::from_be_bytes(index.try_into().ok()?);
    Some((u32::from_be_bytes(*block), index))
}

/// All tables, in key order.
pub const ALL: [Table; 28] = [
    Table::Meta,
    Table::Block,
    Table::Hash,
    Table::Body,
    Table::Events,
    Table::Extrinsic,
    Table::Runtime,
    Table::Metadata,
    Table::State,
    Table::Epoch,
    Table::Pulse,
    Table::Activity,
    Table::Commit,
    Table::CommitStep,
    Table::CommitOf,
    Table::CommitOpen,
    Table::CommitStepAt,
    Table::StakeMove,
    Table::StakeOf,
    Table::Verdict,
    Table::Verify,
    Table::Tenancy,
    Table::TenancyOf,
    Table::WeightsSet,
    Table::Result,
    Table::ResultOf,
    Table::ResultPayload,
    Table::ResultSeen,
];

impl Table {
    /// Its name in messages and reports.
    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Block => "block",
            Table::Hash => "hash",
            Table::Body => "body",
            Table::Events => "events",
            Table::Extrinsic => "extrinsic",
            Table::Runtime => "runtime",
            Table::Metadata => "metadata",
            Table::State => "state",
            Table::Epoch => "epoch",
            Table::Pulse => "pulse",
            Table::Activity => "activity",
            Table::Commit => "commit",
            Table::CommitStep => "commit-step",
            Table::CommitOf => "commit-of",
            Table::CommitOpen => "commit-open",
            Table::CommitStepAt => "commit-step-at",
            Table::StakeMove => "stake-move",
            Table::StakeOf => "stake-of",
            Table::Verdict => "verdict",
            Table::Verify => "verify",
            Table::Tenancy => "tenancy",
            Table::TenancyOf => "tenancy-of",
            Table::WeightsSet => "weights-set",
            Table::Result => "result",
            Table::ResultOf => "result-of",
            Table::ResultPayload => "result-payload",
            Table::ResultSeen => "result-seen",
        }
    }

    /// `rest` under this table.
    pub fn key(self, rest: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + rest.len());
        key.push(self as u8);
        key.extend_from_slice(rest);
        key
    }

    /// The key of a table that is keyed by block number.
    pub fn at(self, number: BlockNumber) -> Vec<u8> {
        self.key(&number.to_be_bytes())
    }
}

/// The part of a state key before the block number.
///
/// `rest` is at most 255 bytes for every item that is kept; longer ones are
/// refused when the manifest is resolved.
pub fn state_prefix(item: u16, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + rest.len());
    key.push(Table::State as u8);
    key.extend_from_slice(&item.to_be_bytes());
    key.push(u8::try_from(rest.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(rest);
    key
}

/// Where `hash` occurs at (`number`, `index`).
pub fn extrinsic_key(hash: &[u8; 32], number: BlockNumber, index: u32) -> Vec<u8> {
    let mut key = Table::Extrinsic.key(&hash[..16]);
    key.extend_from_slice(&number.to_be_bytes());
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// Where the topic of `tag` occurs in block `number`.
pub fn activity_key(tag: &[u8; 17], number: BlockNumber) -> Vec<u8> {
    let mut key = Table::Activity.key(tag);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The key that says an epoch of `netuid` ran in `number`.
pub fn epoch_key(netuid: u16, number: BlockNumber) -> Vec<u8> {
    let mut key = Table::Epoch.key(&netuid.to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Values from this size on are compressed when that makes them smaller.
const PACK_FROM: usize = 192;

/// Packs a value: one byte of method, then the bytes.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() >= PACK_FROM
        && let Ok(small) = zstd::bulk::compress(bytes, 1)
        && small.len() + 8 < bytes.len()
        && let Ok(len) = u32::try_from(bytes.len())
    {
        let mut out = Vec::with_capacity(5 + small.len());
        out.push(1);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&small);
        return out;
    }
    let mut out = Vec::with_capacity(1 + bytes.len());
    out.push(0);
    out.extend_from_slice(bytes);
    out
}

/// Undoes [`pack`]; `None` when the bytes are damaged.
pub fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    match packed.split_first()? {
        (0, rest) => Some(rest.to_vec()),
        (1, rest) => {
            let (len, small) = rest.split_first_chunk::<4>()?;
            let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
            // No value of a chain is larger; a damaged length must not allocate.
            if len > 256 << 20 {
                return None;
            }
            let bytes = zstd::bulk::decompress(small, len).ok()?;
            (bytes.len() == len).then_some(bytes)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packing_is_undone(bytes in proptest::collection::vec(any::<u8>(), 0..2000), zeros in 0_usize..5000) {
            let mut bytes = bytes;
            bytes.extend(std::iter::repeat_n(0, zeros));
            prop_assert_eq!(unpack(&pack(&bytes)), Some(bytes));
        }

        #[test]
        fn damaged_packs_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = unpack(&bytes);
        }

        #[test]
        fn keys_keep_the_order_of_blocks(a in any::<u32>(), b in any::<u32>()) {
            prop_assert_eq!(a.cmp(&b), Table::Block.at(a).cmp(&Table::Block.at(b)));
            prop_assert_eq!(a.cmp(&b), epoch_key(7, a).cmp(&epoch_key(7, b)));
        }

        #[test]
        fn no_state_prefix_is_a_prefix_of_another(a in proptest::collection::vec(any::<u8>(), 0..40), b in proptest::collection::vec(any::<u8>(), 0..40), i in any::<u16>()) {
            let (x, y) = (state_prefix(i, &a), state_prefix(i, &b));
            prop_assert_eq!(y.starts_with(&x), a == b);
        }
    }
}
