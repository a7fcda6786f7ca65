//! What can go wrong between bytes and values.

use std::fmt;

use crate::{BlockNumber, SpecVersion};

/// Why metadata bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The first four bytes are not `meta`, with or without a length in front.
    #[error(
        "these {length} bytes are not runtime metadata: they do not begin with `meta`; give the answer of state_getMetadata as bytes"
    )]
    NotMetadata {
        /// Length of the input.
        length: usize,
    },
    /// The answer of the runtime API was `None`.
    #[error("the runtime has no metadata of the version asked for")]
    Absent,
    /// A version other than 14, 15 or 16.
    #[error("metadata version {0} is not supported, only 14, 15 and 16 are")]
    UnsupportedVersion(u8),
    /// The bytes end early or break the format.
    #[error("metadata version {version} of {length} bytes is damaged: {reason}")]
    Damaged {
        /// Metadata version as announced by the fifth byte.
        version: u8,
        /// Length of the input.
        length: usize,
        /// What the parser said.
        reason: String,
    },
    /// Bytes after the end of the metadata.
    #[error("{0} bytes are left after the end of the metadata")]
    TrailingBytes(usize),
    /// The metadata refers to a type that its registry does not have.
    #[error("{place} refers to type {ty}, which the registry does not have")]
    MissingType {
        /// Where the reference stands.
        place: String,
        /// The type's number.
        ty: u32,
    },
    /// The metadata belongs to another runtime than was asked for.
    #[error("the metadata is that of spec {found}, not of spec {wanted}")]
    WrongSpec {
        /// Spec version asked for.
        wanted: SpecVersion,
        /// Spec version in the constant `System.Version`.
        found: SpecVersion,
    },
    /// A part has another shape than every Substrate runtime gives it.
    #[error("{place} has an unexpected shape: {reason}")]
    UnexpectedShape {
        /// Where.
        place: String,
        /// What was expected or found.
        reason: String,
    },
}

/// Why bytes and a type of the registry do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// The input is shorter than the type.
    #[error("{needed} bytes are needed but only {left} are left")]
    UnexpectedEnd {
        /// Bytes the next item takes.
        needed: usize,
        /// Bytes there are.
        left: usize,
    },
    /// Bytes after the end of the value.
    #[error("{left} bytes are left after the value")]
    TrailingBytes {
        /// How many.
        left: usize,
    },
    /// A type number outside the registry.
    #[error("type {0} is not in the registry")]
    UnknownType(u32),
    /// An index that no variant of the enum has.
    #[error("the enum `{ty}` has no variant {index}")]
    UnknownVariant {
        /// Path of the enum.
        ty: String,
        /// The byte found.
        index: u8,
    },
    /// A length that the rest of the input cannot hold.
    #[error("a length of {length} items is announced but only {left} bytes are left")]
    LengthTooLarge {
        /// Items announced.
        length: u128,
        /// Bytes there are.
        left: usize,
    },
    /// A sequence of items that take no bytes, too long to be meant.
    #[error("a sequence of {length} items without bytes is longer than the limit of {limit}")]
    TooManyEmptyItems {
        /// Items announced.
        length: u128,
        /// Items allowed.
        limit: usize,
    },
    /// More nesting than any runtime type has.
    #[error("values are nested deeper than {limit} levels")]
    TooDeep {
        /// Levels allowed.
        limit: u32,
    },
    /// A compact number not in its shortest form, or larger than its type.
    #[error("a compact number is not in its shortest form or does not fit {bits} bits")]
    InvalidCompact {
        /// Width of the type.
        bits: u16,
    },
    /// A boolean other than 0 or 1.
    #[error("{0} is not a boolean")]
    InvalidBool(u8),
    /// A number that is no Unicode scalar value.
    #[error("{0:#x} is not a character")]
    InvalidChar(u32),
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    InvalidUtf8,
    /// A compact of something that is not a number.
    #[error("type {0} cannot be compact")]
    NotCompactable(u32),
    /// A bit sequence over something else than u8..u64 with Lsb0 or Msb0.
    #[error("type {0} is not a known kind of bit sequence")]
    UnknownBitSequence(u32),
    /// A bit sequence whose unused last bits are set, so that it would not encode back.
    #[error("a bit sequence has bits set after its end")]
    BitsAfterEnd,
    /// While encoding: the value has another shape than the type.
    #[error("{found} does not fit the type `{expected}`")]
    Mismatch {
        /// The type.
        expected: String,
        /// The value's kind.
        found: String,
    },
}

/// A value that could not be decoded (or encoded), and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// Pallet, or `extrinsic`, `events` and the like when no pallet is known yet.
    pub pallet: String,
    /// Storage entry, call, event or part.
    pub entry: String,
    /// Runtime whose metadata was used, where the caller told.
    pub spec: Option<SpecVersion>,
    /// Block, where the caller told.
    pub block: Option<BlockNumber>,
    /// What is wrong.
    pub cause: DecodeCause,
}

/// The reason inside a [`DecodeError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeCause {
    /// The bytes do not fit the type.
    #[error(transparent)]
    Scale(#[from] ScaleError),
    /// The metadata has no such pallet, entry, call, event or runtime API.
    #[error("the metadata does not have it")]
    NotInMetadata,
    /// A storage key that does not begin with the entry's prefix.
    #[error("the key does not begin with the prefix of the entry")]
    WrongPrefix,
    /// The hash part of a storage key is not the hash of the key behind it.
    #[error("the hash in part {part} of the key is not the hash of the key that follows it")]
    WrongKeyHash {
        /// Position of the key part, from 0.
        part: usize,
    },
    /// More key parts than the entry has.
    #[error("{given} keys are given but the entry has {wanted}")]
    TooManyKeys {
        /// Parts given.
        given: usize,
        /// Parts of the entry.
        wanted: usize,
    },
    /// An extrinsic version other than 4 signed, 4 bare, 5 bare or 5 general.
    #[error(
        "the version byte {0:#04x} is none of 0x04 and 0x05 (bare), 0x84 (signed), 0x45 (general)"
    )]
    UnsupportedExtrinsic(u8),
    /// A value read from the chain has a shape that was not expected.
    #[error("unexpected shape: {0}")]
    UnexpectedShape(String),
}

impl DecodeError {
    /// An error at a place that has no block yet.
    pub fn new(
        pallet: impl Into<String>,
        entry: impl Into<String>,
        cause: impl Into<DecodeCause>,
    ) -> Self {
        DecodeError {
            pallet: pallet.into(),
            entry: entry.into(),
            spec: None,
            block: None,
            cause: cause.into(),
        }
    }

    /// The same error, naming the block.
    #[must_use]
    pub fn at_block(mut self, block: BlockNumber) -> Self {
        self.block = Some(block);
        self
    }

    /// The same error, naming the runtime.
    #[must_use]
    pub fn in_spec(mut self, spec: SpecVersion) -> Self {
        self.spec = Some(spec);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot decode {}.{}", self.pallet, self.entry)?;
        if let Some(spec) = self.spec {
            write!(f, " with the runtime of spec {spec}")?;
        }
        if let Some(block) = self.block {
            write!(f, " at block {block}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_place() {
        let error = DecodeError::new(
            "SubtensorModule",
            "Tempo",
            ScaleError::TrailingBytes { left: 2 },
        )
        .in_spec(143)
        .at_block(99);
        assert_eq!(
            error.to_string(),
            "cannot decode SubtensorModule.Tempo with the runtime of spec 143 at block 99: 2 bytes are left after the value"
        );
        assert_eq!((error.spec, error.block), (Some(143), Some(99)));
    }
}
