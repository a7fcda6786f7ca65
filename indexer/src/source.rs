//! The port to the chain: raw bytes at a block hash, nothing decoded.
//!
//! Three adapters: [`rpc::RpcSource`] asks subtensor nodes, [`stored::StoreSource`]
//! reads what is indexed already, and
//! [`recording::RecordingSource`] plays a recorded chain without a socket.

pub mod recording;
pub mod remember;
pub mod rpc;
pub mod stored;

use std::future::Future;

use chain_metadata::{BlockNumber, H256, SpecVersion};

/// A storage key or value as the chain has it.
pub type Bytes = Vec<u8>;

/// Storage keys wanted at the end of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The block.
    pub at: H256,
    /// Full storage keys.
    pub keys: Vec<Bytes>,
}

/// The next page of the storage keys under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// At the end of which block.
    pub at: H256,
    /// How the keys begin.
    pub prefix: Bytes,
    /// The last key of the page before; `None` for the first page.
    pub after: Option<Bytes>,
}

/// Values, a list a [`Want`], and keys, a list a [`KeyPage`].
pub type Answers = (Vec<Vec<Option<Bytes>>>, Vec<Vec<Bytes>>);

/// A block as the node gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBlock {
    /// Number asked for.
    pub number: BlockNumber,
    /// Hash it was asked by.
    pub hash: H256,
    /// SCALE-encoded header.
    pub header: Bytes,
    /// Parent hash from the header.
    pub parent: H256,
    /// Raw extrinsics with their length prefix, in order.
    pub extrinsics: Vec<Bytes>,
    /// Values of the keys wanted with it, in the same order; `None` is "nothing stored".
    pub values: Vec<Option<Bytes>>,
}

/// The end of a node's best chain: a block that may still lose against another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BestHead {
    /// Its number, from its header.
    pub number: BlockNumber,
    /// Hash of its header.
    pub hash: H256,
    /// Hash of the block before.
    pub parent: H256,
}

/// A runtime as the node names it, with its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRuntime {
    /// `specVersion`.
    pub spec: SpecVersion,
    /// Metadata bytes.
    pub metadata: Bytes,
}

/// Why the chain could not be read.
///
/// Endpoints are named by scheme, host and port only: what else a URL holds may
/// be secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// A `--url` that cannot be used.
    #[error("{url} is not a node address: {why}; give ws://host:port or wss://host")]
    Url {
        /// Scheme and host as given.
        url: String,
        /// Reason.
        why: String,
    },
    /// No endpoint answers.
    #[error("no node answers ({tried}): check the address and that the node is running")]
    Unreachable {
        /// Endpoints and their last errors.
        tried: String,
    },
    /// Every endpoint that answers serves another chain.
    #[error(
        "{served}, expected the chain with genesis {expected}: it is another network; correct or remove this --url"
    )]
    Genesis {
        /// Endpoints and the genesis hashes they serve.
        served: String,
        /// Genesis wanted.
        expected: H256,
    },
    /// A block that no endpoint gives, or not yet.
    #[error(
        "no endpoint gives block {number} although it is finalized ({why}): the nodes lag behind or have pruned it; use an archive node or start later with --from"
    )]
    Missing {
        /// Block.
        number: BlockNumber,
        /// What was answered.
        why: String,
    },
    /// A block or its state that the nodes have thrown away.
    #[error(
        "the state of block {at} is not kept by the node ({why}): use an archive node, or start later with --from"
    )]
    Pruned {
        /// Number, where known, and hash.
        at: String,
        /// What was answered.
        why: String,
    },
    /// One call whose question or answer passes a limit, and that cannot be cut smaller.
    #[error(
        "{endpoint}: question or answer of {method} is too large ({why}): raise --rpc-max-response-size and --rpc-max-request-size of the node, or use another"
    )]
    TooLarge {
        /// Endpoint.
        endpoint: String,
        /// JSON-RPC method.
        method: String,
        /// Code and message, or which limit was passed.
        why: String,
    },
    /// A JSON-RPC error.
    #[error(
        "{endpoint} refuses {method} with error {code}: {message}; use a subtensor node that offers this method"
    )]
    Refused {
        /// Endpoint.
        endpoint: String,
        /// JSON-RPC method.
        method: String,
        /// JSON-RPC error code.
        code: i32,
        /// Message, and data where given.
        message: String,
    },
    /// An answer that breaks the protocol, or is not about what was asked.
    #[error("{endpoint}: the answer to {method} cannot be used: {why}")]
    Answer {
        /// Endpoint.
        endpoint: String,
        /// JSON-RPC method.
        method: String,
        /// Reason.
        why: String,
    },
    /// A question that no node can answer.
    #[error("{0}")]
    Question(String),
    /// A recording that cannot be played.
    #[error("{0}")]
    Recording(String),
}

impl SourceError {
    /// Whether asking again cannot help unless somebody changes the node.
    pub fn is_lasting(&self) -> bool {
        match self {
            SourceError::Unreachable { .. } | SourceError::Missing { .. } => false,
            // Method not found, bad parameters.
            SourceError::Refused { code, .. } => matches!(code, -32601 | -32602),
            _ => true,
        }
    }
}

/// As many things to read as blocks, or an error that says so.
fn same_length(numbers: usize, want: usize) -> Result<(), SourceError> {
    if numbers == want {
        return Ok(());
    }
    Err(SourceError::Question(format!(
        "{numbers} blocks are asked for with the keys of {want}: this is a mistake in the program, please report it"
    )))
}

/// Where blocks come from.
///
/// Every method retries and changes endpoints by itself; an error is final. A
/// list in an answer has exactly as many entries as the one asked with.
pub trait ChainSource: Send + Sync + 'static {
    /// Hash of block 0.
    fn genesis(&self) -> impl Future<Output = Result<H256, SourceError>> + Send;

    /// Height of the finalized head at the moment.
    fn finalized(&self) -> impl Future<Output = Result<BlockNumber, SourceError>> + Send;

    /// Waits until the finalized head is above `height`; returns its height.
    fn finalized_above(
        &self,
        height: BlockNumber,
    ) -> impl Future<Output = Result<BlockNumber, SourceError>> + Send;

    /// Waits until the best head of the endpoint that is followed is another
    /// block than `known`. A source whose every block is final never answers.
    fn best(
        &self,
        known: Option<H256>,
    ) -> impl Future<Output = Result<BestHead, SourceError>> + Send {
        let _ = known;
        std::future::pending()
    }

    /// Hashes of blocks that are final: the node that answers knows them to be.
    fn hashes(
        &self,
        numbers: &[BlockNumber],
    ) -> impl Future<Output = Result<Vec<H256>, SourceError>> + Send;

    /// Blocks with the values of the keys wanted at each; as many wants as numbers.
    fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> impl Future<Output = Result<Vec<RawBlock>, SourceError>> + Send;

    /// Values of storage keys, block by block.
    fn storage(
        &self,
        want: &[Want],
    ) -> impl Future<Output = Result<Vec<Vec<Option<Bytes>>>, SourceError>> + Send;

    /// All storage keys under `prefix` at a block, in order.
    fn keys(
        &self,
        at: H256,
        prefix: &[u8],
    ) -> impl Future<Output = Result<Vec<Bytes>, SourceError>> + Send;

    /// Values of storage keys, and pages of keys, together where the source can. A
    /// page may be short; only an empty one is the end.
    fn read(
        &self,
        want: &[Want],
        pages: &[KeyPage],
    ) -> impl Future<Output = Result<Answers, SourceError>> + Send {
        async move {
            let values = self.storage(want).await?;
            let mut lists = Vec::with_capacity(pages.len());
            for page in pages {
                let mut keys = self.keys(page.at, &page.prefix).await?;
                keys.retain(|key| page.after.as_ref().is_none_or(|after| key > after));
                lists.push(keys);
            }
            Ok((values, lists))
        }
    }

    /// The runtime in the *state* of a block: the one that executes its child.
    fn runtime(&self, at: H256) -> impl Future<Output = Result<RawRuntime, SourceError>> + Send;

    /// Spec version in the state of a block, without its metadata.
    fn spec(&self, at: H256) -> impl Future<Output = Result<SpecVersion, SourceError>> + Send;
}
