//! Weights written and read back.

pub mod input;
