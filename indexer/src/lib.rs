//! The road: raw blocks of a subtensor node in, rows of the store out.
//!
//! ```text
//! source ──window──► plan (decode, touched keys, fetch) ──bounded──► commit thread ──► notify
//! ```
//!
//! * [`source`] is the port to the chain: a node over RPC or a recorded chain.
//! * [`items`] lists every storage item that is kept; [`touch`] says which of them a block may have changed.
//! * [`pipeline`] is the whole road in one screen.
//! * [`verify`] computes every epoch again, behind the commits, and keeps the verdicts.
//! * [`heads`] holds blocks that are not final yet, in memory above the store.
//! * [`store`] is what stays on disk: tables over an [`store::Engine`] of five methods.
//!
//! Nothing in here serves anything, and nothing but the commit thread writes
//! blocks; verdicts are written by the verifying thread, in tables of their own.

pub mod activity;
pub mod against;
pub mod check;
pub mod commits;
pub mod compact;
pub mod error;
pub mod heads;
pub mod items;
pub mod notify;
pub mod pipeline;
pub mod plan;
pub mod sets;
pub mod source;
pub mod stages;
pub mod stakes;
pub mod store;
pub mod touch;
pub mod verify;
pub mod view;
pub mod whatif;
pub mod world;

pub use error::IndexError;
