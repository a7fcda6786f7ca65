//! What is told after a commit, never before.

use chain_metadata::{BlockNumber, H256, NetUid};
use tokio::sync::broadcast;

/// A block that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: H256,
    /// Subnets whose epoch ran in it.
    pub epochs: Vec<NetUid>,
}

/// Sends [`Committed`] to whoever listens; slow listeners miss the oldest.
#[derive(Debug, Clone)]
pub struct Notify(broadcast::Sender<Committed>);

impl Default for Notify {
    fn default() -> Self {
        Notify(broadcast::channel(4096).0)
    }
}

impl Notify {
    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Committed> {
        self.0.subscribe()
    }

    /// Tells all listeners; having none is fine.
    pub fn committed(&self, block: Committed) {
        let _ = self.0.send(block);
    }
}
