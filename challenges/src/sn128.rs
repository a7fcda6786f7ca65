//! ByteLeap: matrix challenges in two phases.
//!
//! ```text
//! validator                              miner
//!   create ── task (seed, size) ────────►  multiplies
//!          ◄── commitment: merkle root ──  of all rows' hashes, signed by each GPU
//!   targets ── rows, coordinates ───────►
//!          ◄── proof: hashes, paths, values
//!   verify
//! ```
//!
//! * [`create`] makes tasks and targets, [`session`] is the state of a challenge between them.
//! * [`cpu`] and [`gpu`] are the two kinds of matrices, [`merkle`] the tree over their rows,
//!   [`commitment`] the signature.
//! * [`verify`] judges a payload by the original's rules and tells apart what these let pass.
//! * [`input`] scores an input of JSON; the formulas are in `scoring::local::sn128`.
//!   [`lease`] takes over broadcast leases, [`report`] is what a hub is told.

pub mod commitment;
pub mod cpu;
pub mod create;
pub mod gpu;
pub mod half;
pub mod input;
pub mod lease;
pub mod merkle;
pub mod report;
pub mod session;
pub mod twister;
pub mod verify;
pub mod wire;

#[cfg(test)]
mod tests;
