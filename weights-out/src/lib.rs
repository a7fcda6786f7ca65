//! Sends a planned row of weights to the chain: checks, signs, submits, and follows it until
//! the chain's state proves it.
//!
//! ```text
//! plan (row, state) ──► call ──► unsigned ──signer──► extrinsic ──► node ──► follow: state
//!        checks         metadata   nonce, era           bytes
//! ```
//!
//! * [`key`] reads the signing key out of a file that nobody else can read.
//! * [`order`] is what is to be sent, refused when the chain would refuse it.
//! * [`build`] makes the extrinsic from the chain's own metadata.
//! * [`salt`] keeps what a commit needs for its reveal, on disk before anything is sent.
//! * [`window`] refuses a reveal outside of its epoch, before the row is shown.
//! * [`node`] speaks to a node, [`follow`] watches the chain, [`submit`] is the whole road.
//!
//! Nothing is sent without [`submit::send`]; everything before it is a dry run.

pub mod build;
pub mod follow;
pub mod key;
pub mod node;
pub mod order;
pub mod salt;
pub mod submit;
pub mod window;
