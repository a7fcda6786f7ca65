//! ByteLeap: leased workers and matrix challenges, two factors of one score.
//!
//! ```text
//! verified challenges ─► time, participation ─┐
//! heartbeats ──────────► availability ────────┴► worker ─top 100─► miner, share of the best ─┐
//! leases of workers ───────────────────────────────────────────► miner, mean of the best 100 ─┴► weight
//! ```
//!
//! [`cycle::score`] does a whole cycle and keeps every factor. Availability is a factor of a
//! worker's challenges only: neither the lease nor the composite is multiplied by it.
//!
//! Sums are taken in the order of hotkeys, ids and times rather than in the order in which
//! things came in, so that a score does not depend on it. They are plain sums, one number
//! after the other, as Python before 3.12 has them.

use super::Profile;

pub mod availability;
pub mod cycle;
pub mod parameters;
pub mod worker;

mod miner;

#[cfg(test)]
mod tests;

pub use miner::{MinerScore, Zero};
pub use parameters::{DEFAULT, ParameterError, Parameters};

/// The profiles.
pub const PROFILES: &[Profile] = &[Profile {
    name: "sn128-2025",
    netuid: 128,
    from: Some("2025-10"),
    until: None,
    summary: "Leases count 70 %, challenges 30 %: speed times participation times availability over 169 hours, best 100 workers a miner.",
    source: "byteleapai/byteleap-Validator 87f9bce",
}];
