//! What can go wrong.

use chain_metadata::{DecodeError, MetadataError};

/// Why a chain could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SyntheticError {
    /// Numbers that make no chain.
    #[error("this chain cannot be made: {0}")]
    Config(String),
    /// The metadata in the crate cannot be read.
    #[error("the metadata cannot be unpacked: {0}")]
    Unpack(#[from] std::io::Error),
    /// The metadata in the crate cannot be read.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A call or an event that the runtime does not have.
    #[error("the runtime has no {kind} {pallet}.{name}")]
    Unknown {
        /// Call or event.
        kind: &'static str,
        /// Pallet.
        pallet: &'static str,
        /// Its name.
        name: &'static str,
    },
    /// A value that does not fit its type.
    #[error(transparent)]
    Encode(#[from] DecodeError),
}
