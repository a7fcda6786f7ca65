//! What all methods, connections and handles of one node share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chain_metadata::H256;
use jsonrpsee::types::ErrorObjectOwned;

use crate::answer::client_error;
use crate::chain::{Block, Chain};
use crate::connection::Connections;
use crate::counts::Counter;
use crate::faults::{MethodFaults, Settings};
use crate::heads::Heads;

pub(crate) struct Shared {
    pub(crate) chain: Chain,
    heads: Mutex<Heads>,
    settings: Mutex<Settings>,
    pub(crate) method_faults: MethodFaults,
    pub(crate) counter: Counter,
    pub(crate) connections: Arc<Connections>,
    submitted: Mutex<Vec<Vec<u8>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("recording", &self.chain.recording)
            .field("settings", &self.settings())
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(chain: Chain, heads: Heads) -> Shared {
        Shared {
            chain,
            heads: Mutex::new(heads),
            settings: Mutex::default(),
            method_faults: MethodFaults::default(),
            counter: Counter::default(),
            connections: Arc::default(),
            submitted: Mutex::default(),
        }
    }

    pub(crate) fn heads(&self) -> MutexGuard<'_, Heads> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults in force.
    pub(crate) fn settings(&self) -> Settings {
        *self.settings_mut()
    }

    pub(crate) fn settings_mut(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn submitted(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.submitted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The block with that hash, as far as clients may know it.
    pub(crate) fn find(&self, hash: &H256) -> Option<Block> {
        let settings = self.settings();
        if settings.genesis == Some(*hash) {
            return self.chain.block(0);
        }
        self.heads().find(&self.chain, hash, settings.lag)
    }

    /// The block of that height on the best chain, as far as clients may know it.
    pub(crate) fn at(&self, number: u32) -> Option<Block> {
        let lag = self.settings().lag;
        self.heads().at(&self.chain, number, lag)
    }

    /// The best block.
    pub(crate) fn best(&self) -> Option<Block> {
        let lag = self.settings().lag;
        let heads = self.heads();
        heads.at(&self.chain, heads.best(lag), lag)
    }

    /// The last final block.
    pub(crate) fn finalized(&self) -> Option<Block> {
        let lag = self.settings().lag;
        self.chain.block(self.heads().finalized(lag))
    }

    /// The block whose state a method is to read; without a hash the best one.
    pub(crate) fn state_at(&self, hash: Option<H256>) -> Result<Block, ErrorObjectOwned> {
        let block = match hash {
            Some(hash) => self.find(&hash).ok_or_else(|| {
                client_error(format!(
                    "Client error: UnknownBlock: Header was not found in the database: {hash}"
                ))
            }),
            None => self
                .best()
                .ok_or_else(|| client_error("UnknownBlock: this node has no blocks".into())),
        }?;
        if block.number < self.settings().pruned_below {
            // Word for word what a node says.
            return Err(client_error(format!(
                "Client error: UnknownBlock: State already discarded for {}",
                block.hash
            )));
        }
        Ok(block)
    }

    /// Adds up to `count` blocks of the final branch; how many there were.
    pub(crate) fn advance(&self, count: u32) -> u32 {
        self.heads().advance(&self.chain, count)
    }
}
