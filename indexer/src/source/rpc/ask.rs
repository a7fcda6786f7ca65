//! The questions that are asked in batches, and their answers.

use chain_metadata::{BlockNumber, H256, SpecVersion};
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::rpc_params;

use super::answer::{self, Answer, Bad};
use crate::source::{Bytes, RawBlock};

/// One call to make. The number of a block is there where it is known.
#[derive(Debug, Clone)]
pub(super) enum Ask<'a> {
    /// Hash of a block that must be final.
    Hash(BlockNumber),
    /// A block.
    Block { number: BlockNumber, at: H256 },
    /// Values of keys, no key twice.
    Storage {
        number: Option<BlockNumber>,
        at: H256,
        keys: &'a [Bytes],
    },
    /// A page of keys.
    Keys {
        number: Option<BlockNumber>,
        at: H256,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        page: u32,
    },
    /// Metadata of the runtime in a block's state.
    Metadata {
        number: Option<BlockNumber>,
        at: H256,
    },
    /// Spec version of it.
    Spec {
        number: Option<BlockNumber>,
        at: H256,
    },
}

/// The answer to an [`Ask`].
#[derive(Debug)]
pub(super) enum Told {
    Hash(H256),
    Block(RawBlock),
    Values(Vec<Option<Bytes>>),
    Keys(Vec<Bytes>),
    Metadata(Bytes),
    Spec(SpecVersion),
}

impl Ask<'_> {
    pub(super) fn method(&self) -> &'static str {
        match self {
            Ask::Hash(_) => "chain_getBlockHash",
            Ask::Block { .. } => "chain_getBlock",
            Ask::Storage { .. } => "state_queryStorageAt",
            Ask::Keys { .. } => "state_getKeysPaged",
            Ask::Metadata { .. } => "state_getMetadata",
            Ask::Spec { .. } => "state_getRuntimeVersion",
        }
    }

    pub(super) fn params(&self) -> ArrayParams {
        match self {
            Ask::Hash(number) => rpc_params![number],
            Ask::Storage { at, keys, .. } => {
                let keys: Vec<String> = keys.iter().map(|k| answer::to_hex(k)).collect();
                rpc_params![keys, at]
            }
            Ask::Keys {
                at,
                prefix,
                after,
                page,
                ..
            } => {
                let after = after.map(answer::to_hex);
                rpc_params![answer::to_hex(prefix), page, after, at]
            }
            Ask::Block { at, .. } | Ask::Metadata { at, .. } | Ask::Spec { at, .. } => {
                rpc_params![at]
            }
        }
    }

    /// The block it is about.
    pub(super) fn number(&self) -> Option<BlockNumber> {
        match self {
            Ask::Hash(number) | Ask::Block { number, .. } => Some(*number),
            Ask::Storage { number, .. }
            | Ask::Keys { number, .. }
            | Ask::Metadata { number, .. }
            | Ask::Spec { number, .. } => *number,
        }
    }

    /// The block it is about, for a message.
    pub(super) fn shown(&self) -> String {
        let at = match self {
            Ask::Hash(number) => return number.to_string(),
            Ask::Block { at, .. }
            | Ask::Storage { at, .. }
            | Ask::Keys { at, .. }
            | Ask::Metadata { at, .. }
            | Ask::Spec { at, .. } => at,
        };
        match self.number() {
            Some(number) => format!("{number} ({at})"),
            None => at.to_string(),
        }
    }

    /// Storage keys in the question.
    pub(super) fn keys(&self) -> usize {
        match self {
            Ask::Storage { keys, .. } => keys.len(),
            _ => 0,
        }
    }

    /// Two questions, or one for less, with the same answers one after the
    /// other; `None` when it cannot be smaller.
    pub(super) fn smaller(&self) -> Option<Vec<Self>> {
        match self {
            Ask::Storage { number, at, keys } if keys.len() > 1 => {
                let (first, second) = keys.split_at(keys.len() / 2);
                let part = |keys| Ask::Storage {
                    number: *number,
                    at: *at,
                    keys,
                };
                Some(vec![part(first), part(second)])
            }
            Ask::Keys { page, .. } if *page > 1 => {
                let mut less = self.clone();
                if let Ask::Keys { page, .. } = &mut less {
                    *page /= 2;
                }
                Some(vec![less])
            }
            _ => None,
        }
    }

    /// What the node said.
    pub(super) fn read(&self, answer: &Answer) -> Result<Told, Bad> {
        match self {
            Ask::Hash(_) => answer::hash(answer).map(Told::Hash),
            Ask::Block { number, at } => answer::block(answer, *number, *at).map(Told::Block),
            Ask::Storage { at, keys, .. } => answer::storage(answer, *at, keys).map(Told::Values),
            Ask::Keys {
                prefix,
                after,
                page,
                ..
            } => answer::keys(answer, prefix, *after, *page).map(Told::Keys),
            Ask::Metadata { .. } => answer::bytes(answer).map(Told::Metadata),
            Ask::Spec { .. } => answer::spec(answer).map(Told::Spec),
        }
    }
}
