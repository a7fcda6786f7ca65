//! A recorded chain, parsed: every block, the storage it changed and what the runtime answered.
//!
//! Nothing here reads a file; [`Recording::load`] asks its caller for the bytes of each one.
//!
//! A recording is a folder of
//!
//! | file | holds |
//! |---|---|
//! | `chain.json` | name, head, properties, the runtimes and the first state that has each |
//! | `genesis.json.zst` | the state of block 0 as pairs of key and value |
//! | `blocks.jsonl.zst` | one block a line: header, extrinsics, storage changes |
//! | `calls.jsonl.zst` | answers of runtime APIs, with block, method and arguments |
//! | `metadata/<spec>.v14.scale`, `.v15.scale` | the metadata of each runtime |

use std::collections::{BTreeMap, HashMap};

use crate::ids::{BlockNumber, H256, SpecVersion};

mod error;
mod header;
mod history;
mod load;
#[cfg(test)]
mod tests;

pub use error::RecordingError;
pub use header::{Header, decode_header, encode_header};
use history::History;

/// The first eight bytes of blake2b-64 of `Metadata`: how a `RuntimeVersion` names that API.
const METADATA_API: &str = "0x37e397fc7c91f5e4";

/// One recorded chain, held in memory and complete.
///
/// Storage is kept as changes: a key's history has one entry for each time its value really changed.
pub struct Recording {
    /// What the recording calls itself.
    pub name: String,
    /// What happens in it, in a sentence; empty when the recording does not say.
    pub description: String,
    /// Hash of block 0. It need not be the hash of that block's header.
    pub genesis_hash: H256,
    /// Number of the last block.
    pub head: BlockNumber,
    /// Answer of `system_properties`: ss58 format, token symbol and decimals.
    pub properties: serde_json::Value,
    /// Extrinsics that failed while the chain was made: block, what was tried, dispatch error.
    pub failures: Vec<(BlockNumber, String, String)>,
    blocks: Vec<RecordedBlock>,
    by_hash: HashMap<H256, BlockNumber>,
    history: History,
    runtimes: BTreeMap<SpecVersion, Runtime>,
    calls: Vec<RecordedCall>,
    calls_at: HashMap<H256, Vec<usize>>,
}

impl std::fmt::Debug for Recording {
    /// Name and head; all of it would be megabytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("name", &self.name)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// One block of a [`Recording`], without its storage changes ([`Recording::diff`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedBlock {
    /// Height.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: H256,
    /// Hash of the block before it; block 0 names itself.
    pub parent: H256,
    /// Its header.
    pub header: Header,
    /// Raw extrinsics in order, each with its length prefix.
    pub extrinsics: Vec<Vec<u8>>,
    /// Runtime of the state *after* this block. The block itself was executed by the runtime of its
    /// parent's state.
    pub spec_version: SpecVersion,
}

/// What a runtime API answered at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// Height of the block at whose state the call ran.
    pub block: BlockNumber,
    /// Hash of that block.
    pub hash: H256,
    /// Name as `state_call` takes it, e.g. `NeuronInfoRuntimeApi_get_neurons`.
    pub method: String,
    /// SCALE-encoded arguments, one after another.
    pub params: Vec<u8>,
    /// SCALE-encoded answer.
    pub result: Vec<u8>,
}

#[derive(Debug)]
struct Runtime {
    version: serde_json::Value,
    metadata: BTreeMap<u8, Vec<u8>>,
}

impl Recording {
    /// Reads a whole recording.
    ///
    /// `read` gives the bytes of a file by its name relative to the recording's folder, as it lies
    /// there; files that end in `.zst` are decompressed here.
    ///
    /// # Errors
    ///
    /// The first fault found, with file and line: a file that `read` refuses, a damaged or truncated
    /// one, hex that is none, blocks that do not follow each other, a header that does not hash to the
    /// recorded hash, a runtime without metadata, a call at a block that is not there.
    pub fn load<E: std::fmt::Display>(
        read: impl Fn(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Recording, RecordingError> {
        load::load(&|file| read(file).map_err(|cause| cause.to_string()))
    }

    /// The block of that height.
    pub fn block(&self, number: BlockNumber) -> Option<&RecordedBlock> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// All blocks, from 0 on.
    pub fn blocks(&self) -> &[RecordedBlock] {
        &self.blocks
    }

    /// The height of the block with that hash.
    pub fn number_of(&self, hash: &H256) -> Option<BlockNumber> {
        self.by_hash.get(hash).copied()
    }

    /// The value under `key` at the end of block `at`; `None` when there is none or no such block.
    pub fn storage(&self, at: BlockNumber, key: &[u8]) -> Option<&[u8]> {
        self.block(at)?;
        self.history.value(at, key)
    }

    /// Up to `max` keys that begin with `prefix` and have a value at the end of block `at`, in byte
    /// order, after `start_after` when given. Empty when there is no such block.
    pub fn keys(
        &self,
        at: BlockNumber,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        max: usize,
    ) -> Vec<&[u8]> {
        match self.block(at) {
            Some(_) => self.history.keys(at, prefix, start_after, max),
            None => Vec::new(),
        }
    }

    /// What block `number` wrote, in the order recorded: keys and values, `None` for a removal.
    ///
    /// Recordings list writes that leave the value as it was, and removals of keys that did not exist;
    /// they are given here too. Block 0 gives the genesis state.
    pub fn diff(&self, number: BlockNumber) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.history.diff(number)
    }

    /// The blocks in which the value under `key` really changed, ascending, with the new value.
    pub fn changes(
        &self,
        key: &[u8],
    ) -> impl Iterator<Item = (BlockNumber, Option<&[u8]>)> + use<'_> {
        self.history.changes(key)
    }

    /// The runtime of the state after block `at`, which executes block `at + 1`; `None` when there is
    /// no such block.
    pub fn spec_of_state(&self, at: BlockNumber) -> Option<SpecVersion> {
        self.block(at).map(|block| block.spec_version)
    }

    /// The runtimes of the chain, ascending.
    pub fn specs(&self) -> impl Iterator<Item = SpecVersion> {
        self.runtimes.keys().copied()
    }

    /// The `RuntimeVersion` of a runtime in the form of `state_getRuntimeVersion`.
    pub fn runtime_version(&self, spec: SpecVersion) -> Option<&serde_json::Value> {
        self.runtimes.get(&spec).map(|runtime| &runtime.version)
    }

    /// The metadata of a runtime in the given format (14 or 15), beginning with `meta`.
    pub fn metadata(&self, spec: SpecVersion, version: u8) -> Option<&[u8]> {
        self.runtimes
            .get(&spec)?
            .metadata
            .get(&version)
            .map(Vec::as_slice)
    }

    /// The metadata formats stored for a runtime, ascending.
    pub fn metadata_versions(&self, spec: SpecVersion) -> Vec<u8> {
        self.runtimes
            .get(&spec)
            .map(|runtime| runtime.metadata.keys().copied().collect())
            .unwrap_or_default()
    }

    /// The version of a runtime's API, which is named as in `RuntimeVersion.apis` (`0x…`, eight bytes);
    /// `None` when the runtime does not have it.
    pub fn api_version(&self, spec: SpecVersion, api: &str) -> Option<u32> {
        api_version(self.runtime_version(spec)?, api)
    }

    /// Every recorded runtime-API answer, in the order recorded.
    pub fn calls(&self) -> &[RecordedCall] {
        &self.calls
    }

    /// What the runtime answered to `method` with `params` at the block with hash `at`, if recorded.
    pub fn call(&self, at: &H256, method: &str, params: &[u8]) -> Option<&[u8]> {
        self.calls_at
            .get(at)?
            .iter()
            .filter_map(|position| self.calls.get(*position))
            .find(|call| call.method == method && call.params == params)
            .map(|call| call.result.as_slice())
    }
}

fn api_version(runtime_version: &serde_json::Value, api: &str) -> Option<u32> {
    runtime_version
        .get("apis")?
        .as_array()?
        .iter()
        .find(|entry| entry.get(0).and_then(serde_json::Value::as_str) == Some(api))?
        .get(1)?
        .as_u64()?
        .try_into()
        .ok()
}
