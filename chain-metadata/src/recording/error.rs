//! What can be wrong with a recording.

use crate::ids::{BlockNumber, H256, SpecVersion};

/// Why a recording cannot be used. Lines count from 1 in the decompressed file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// A file could not be had.
    #[error(
        "the recording's file {file} cannot be read ({cause}); copy the whole recording folder again"
    )]
    Unreadable {
        /// Name relative to the recording's folder.
        file: String,
        /// What the reader said.
        cause: String,
    },
    /// A compressed file is damaged or cut off.
    #[error("{file} is not a whole zstandard file ({cause}); copy it again")]
    Compressed {
        /// Name relative to the recording's folder.
        file: String,
        /// What the decompressor said.
        cause: String,
    },
    /// A file is larger than a recording may be.
    #[error("{file} holds more than {limit} bytes; record fewer blocks")]
    TooLarge {
        /// Name relative to the recording's folder.
        file: String,
        /// The limit in bytes, after decompression.
        limit: u64,
    },
    /// JSON that cannot be read, lacks a field or holds bad hex.
    #[error("{file} line {line}: {cause}; copy the file again")]
    Json {
        /// Name relative to the recording's folder.
        file: String,
        /// Line of the file.
        line: usize,
        /// What is wrong and in which column.
        cause: String,
    },
    /// A block is missing, doubled or out of order.
    #[error("{file} line {line}: block {found} where block {expected} is due; copy the file again")]
    OutOfOrder {
        /// Name relative to the recording's folder.
        file: String,
        /// Line of the file.
        line: usize,
        /// The height that has to come here.
        expected: BlockNumber,
        /// The height that stands here.
        found: BlockNumber,
    },
    /// A block does not name the block before it as its parent.
    #[error(
        "{file} line {line}: block {number} names {parent} as its parent but block {} is {previous}; copy the file again",
        .number.saturating_sub(1)
    )]
    Parent {
        /// Name relative to the recording's folder.
        file: String,
        /// Line of the file.
        line: usize,
        /// Height of the block.
        number: BlockNumber,
        /// The parent that its header names.
        parent: H256,
        /// The hash of the block before it.
        previous: H256,
    },
    /// A header does not hash to the recorded hash.
    #[error(
        "{file} line {line}: the header of block {number} hashes to {computed}, not to the recorded {recorded}; copy the file again"
    )]
    Hash {
        /// Name relative to the recording's folder.
        file: String,
        /// Line of the file.
        line: usize,
        /// Height of the block.
        number: BlockNumber,
        /// The hash that stands in the file.
        recorded: H256,
        /// blake2b-256 of the encoded header.
        computed: H256,
    },
    /// Blocks are missing at the end, or `chain.json` belongs to another recording.
    #[error(
        "{file} ends after {found} blocks but chain.json promises {expected} (head {} and the genesis block); copy the file again",
        .expected.saturating_sub(1)
    )]
    Truncated {
        /// Name relative to the recording's folder.
        file: String,
        /// Number of blocks that the head asks for.
        expected: u64,
        /// Number of blocks in the file.
        found: u64,
    },
    /// A runtime appears at another block than `chain.json` says, or is not listed there.
    #[error(
        "{file} line {line}: the state of block {number} has runtime {spec}, which does not agree with the runtimes listed in chain.json ({problem}); use files of one recording"
    )]
    Runtime {
        /// Name relative to the recording's folder.
        file: String,
        /// Line of the file.
        line: usize,
        /// Height of the block.
        number: BlockNumber,
        /// The runtime that the block names.
        spec: SpecVersion,
        /// What does not agree.
        problem: String,
    },
    /// `chain.json` can be read but contradicts itself.
    #[error("chain.json: {problem}; copy the file again")]
    Chain {
        /// What is wrong.
        problem: String,
    },
    /// A metadata file is not what its name says.
    #[error("{file}: {problem}; copy the file again")]
    Metadata {
        /// Name relative to the recording's folder.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A recorded call names a block that is not in the recording.
    #[error(
        "{file} line {line}: {method} was called at block {number} ({hash}), which is not a block of this recording; use files of one recording"
    )]
    Call {
        /// Name relative to the recording's folder.
        file: String,
        /// Line of the file.
        line: usize,
        /// The called method.
        method: String,
        /// Height as recorded.
        number: BlockNumber,
        /// Hash as recorded.
        hash: H256,
    },
}
