//! How a node is to play a recording, and why it may not start.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How the chain grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All blocks are there from the beginning.
    Whole,
    /// The head is at `start`, and one block is added every `every`, up to the end of the chain.
    Live {
        /// Height of the first head.
        start: u32,
        /// Time between two blocks; at least a millisecond.
        every: Duration,
    },
    /// The head is at `start` and moves only by [`ReplayNode::advance`](crate::ReplayNode::advance).
    Stepped {
        /// Height of the first head.
        start: u32,
    },
}

/// How to play a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How the chain grows.
    pub mode: Mode,
    /// How many times the recorded blocks are played, one after another, as one long chain: after the
    /// recorded head H follow the recorded blocks 1 to H again as H + 1 to 2 H, with parents and hashes
    /// that fit. Storage of block k H + i is that of recorded block i. 1 plays the chain as recorded.
    pub repeat: u32,
    /// How many blocks finality is behind the best block. With 0 each block is final at once.
    pub finality_lag: u32,
    /// Most bytes in one answer, and in the answers of one batch together, as `--rpc-max-response-size`
    /// sets it for a node; `None` is 128 MiB.
    pub max_response: Option<u32>,
    /// Most calls in one batch; 0 takes no batches, `None` takes all.
    pub max_batch: Option<u32>,
}

impl Default for Options {
    /// The whole chain as recorded, on a free port of the loopback interface.
    fn default() -> Self {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            mode: Mode::Whole,
            repeat: 1,
            finality_lag: 0,
            max_response: None,
            max_batch: None,
        }
    }
}

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; choose another address or stop what uses it")]
    Listen {
        /// The wanted address.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A recording of several runtimes cannot follow itself.
    #[error(
        "recording {name} has the runtimes {specs:?} and cannot be repeated: its first blocks do not belong to its last runtime; set repeat to 1"
    )]
    Repeat {
        /// Name of the recording.
        name: String,
        /// Its runtimes.
        specs: Vec<u32>,
    },
    /// The repeated chain has more blocks than a block number counts, or none.
    #[error(
        "{head} blocks played {repeat} times is no chain; choose a repeat from 1 to {}",
        u32::MAX.checked_div(*head).unwrap_or(u32::MAX)
    )]
    Length {
        /// Head of the recording.
        head: u32,
        /// The wanted number of times.
        repeat: u32,
    },
    /// The first head lies behind the end of the chain.
    #[error("the chain ends at block {end} and cannot start at {start}; choose a lower start")]
    StartHeight {
        /// The wanted height.
        start: u32,
        /// The last block.
        end: u32,
    },
    /// A live chain needs time between blocks.
    #[error(
        "a live chain needs at least a millisecond between blocks; use Mode::Stepped to add them by hand"
    )]
    Interval,
    /// Two methods have one name: a mistake in this crate.
    #[error("method table: {0}")]
    Methods(#[from] jsonrpsee::core::RegisterMethodError),
}
