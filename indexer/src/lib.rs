//! The road: raw blocks of a subtensor node in, rows of the store out.
//!
//! ```text
//! source ──window──► plan (decode, touched keys, fetch) ──bounded──► commit thread ──► notify
//! ```
//!
//! * [`source`] is the port to the chain: a node over RPC or a recorded chain.
//! * [`items`] lists every storage item that is kept; [`touch`] says which of them a block may have changed.
//! * [`pipeline`] is the whole road in one screen.
//! * [`store`] is what stays on disk: tables over an [`store::Engine`] of five methods.
//!
//! Nothing in here serves anything, and nothing but the commit thread writes.

pub mod activity;
pub mod against;
pub mod check;
pub mod commits;
pub mod compact;
pub mod error;
pub mod items;
pub mod notify;
pub mod pipeline;
pub mod plan;
pub mod source;
pub mod stages;
pub mod store;
pub mod touch;
pub mod view;
pub mod world;

pub use error::IndexError;
