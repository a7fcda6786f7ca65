//! Compute-Subnet: proof of work, later proof of GPU.
//!
//! The formula changed several times; every revision that was in force for long enough to
//! matter is a profile. [`pow`] scores solved hash challenges (`sn27-r1` to `sn27-r3`),
//! [`gpu`] scores the hardware that was proven (`sn27-r4`), [`difficulty`] tells how hard the
//! next challenge is, [`weights`] makes weights of scores.
//!
//! Why the two worked examples of the subnet's README are not goldens is in `docs/sn27.md`.

use super::Profile;

pub mod difficulty;
pub mod gpu;
pub mod pow;
pub mod weights;

#[cfg(test)]
mod tests;

/// The profiles.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "sn27-r1",
        netuid: 27,
        from: Some("2024-03"),
        until: Some("2024-04"),
        summary: "Proof of work: difficulty above 6, success ratio, time weighted by difficulty, an allocated miner has 250 and more of 290.",
        source: "neuralinternet/compute-subnet 51d3dca to 7748b54",
    },
    Profile {
        name: "sn27-r2",
        netuid: 27,
        from: Some("2024-04"),
        until: Some("2024-11"),
        summary: "Proof of work: difficulty from 7 as a share of 12, success ratio, time, an allocated miner has 181.7 and more of 251.",
        source: "neuralinternet/compute-subnet 70866d3, bb0411c, ef778d5, f7a66b6",
    },
    Profile {
        name: "sn27-r2b",
        netuid: 27,
        from: Some("2024-05"),
        until: Some("2024-06"),
        summary: "As sn27-r2 with difficulty from 8, 120 seconds and other weights; reverted after four days.",
        source: "neuralinternet/compute-subnet 1e9c8d8",
    },
    Profile {
        name: "sn27-r3",
        netuid: 27,
        from: Some("2024-06"),
        until: Some("2024-08-08"),
        summary: "As sn27-r2 with other weights; an allocated miner has the best score of all and up to a tenth more.",
        source: "neuralinternet/compute-subnet 02cd012",
    },
    Profile {
        name: "sn27-r4",
        netuid: 27,
        from: Some("2024-12"),
        until: None,
        summary: "Proof of GPU: a score for the model times the number of GPUs, at most 8, as a share of 8 of the best.",
        source: "neuralinternet/SN27 4595ebf",
    },
];
