//! Compute-Subnet: proof of work.

pub mod input;
