//! Arithmetic of the chain, as pure functions: no I/O, no clock, and no floating point but in a statistic that says so.
//!
//! * [`fixed`]: the chain's fixed-point numbers as small integer types.
//! * [`yuma`]: the consensus epoch of a subnet, with the rules of the runtime that ran it.
//! * [`explain`]: the numbers behind one uid's incentive or dividends.
//! * [`diff`]: what changed an incentive from one epoch to another, cause by cause.
//! * [`simulate`]: the epochs that follow if something were different.
//! * [`copying`]: who sets weights that others had before; the only floating point here.
//!
//! Everything here gives the same bits on every machine and with any number of threads.

pub mod copying;
pub mod diff;
pub mod explain;
pub mod fixed;
pub mod local;
pub mod simulate;
pub mod yuma;
