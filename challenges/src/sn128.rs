//! ByteLeap: leases and matrix challenges.

pub mod input;
