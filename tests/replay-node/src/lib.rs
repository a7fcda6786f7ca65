//! A JSON-RPC node that plays a recorded chain over WebSocket and HTTP on one port.
//!
//! Unmodified clients work against it: it has the methods, subscriptions, aliases and error answers of
//! a Substrate node, as far as a reader of the chain needs them. What it answers comes from a
//! [`Recording`](chain_metadata::Recording), so every byte of storage, every extrinsic and
//! every runtime-API result is a real runtime's.
//!
//! [`start`] gives a [`ReplayNode`]; [`fixture`] gives the recordings that are part of the crate.
//!
//! Three things are not as on a live chain, and only these:
//!
//! - blocks beyond the recording ([`Options::repeat`]) and blocks of a fork ([`Faults::fork`]) have
//!   headers of their own, but extrinsics and state of a recorded block: items that repeat the header,
//!   such as `System.Number` and `System.ParentHash`, stay as recorded;
//! - of the runtime APIs only `Core_version`, the metadata and what was recorded can be called;
//! - a submitted extrinsic is kept ([`ReplayNode::submitted`]) and never executed.

mod answer;
mod chain;
mod connection;
mod counts;
mod faults;
mod fixtures;
mod heads;
mod meter;
mod node;
mod options;
mod rpc;
mod shared;

pub use counts::CallCounts;
pub use faults::{Faults, HashFault};
pub use fixtures::{FIXTURES, LoadError, fixture, load_dir};
pub use node::{ReplayNode, start};
pub use options::{Mode, Options, StartError};
