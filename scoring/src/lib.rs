//! Arithmetic of the chain, as pure functions: no I/O, no clock, no floating point.
//!
//! * [`fixed`]: the chain's fixed-point numbers as small integer types.
//! * [`yuma`]: the consensus epoch of a subnet, with the rules of the runtime that ran it.
//!
//! Everything here gives the same bits on every machine and with any number of threads.

pub mod fixed;
pub mod yuma;
