//! Weights written and read back: what a validator of SN42 makes of its scores, what the
//! SDK sends of that, and what the chain stores or refuses.
//!
//! * [`ema`]: moving averages of rewards, in `f32`.
//! * [`gates`]: when the later validator writes nothing at all.
//! * [`numpy`]: sums and quantiles of `f32` in numpy's order of operations.
//! * [`sdk`]: the SDK's `process_weights` and its conversion to `u16`.
//! * [`chain`]: the chain's checks of a row, in its order, and the row it stores.
//! * [`commit`]: the bytes whose hash a commit puts on the chain.

use super::Profile;

pub mod chain;
pub mod commit;
pub mod ema;
pub mod gates;
pub mod numpy;
pub mod sdk;

/// The profiles.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "sn42-2024",
        netuid: 42,
        from: Some("2024-07"),
        until: None,
        summary: "Moving average of rewards with alpha 0.1, then L1 normalised.",
        source: "masa-finance/masa-bittensor 526fbd7",
    },
    Profile {
        name: "sn42-2025",
        netuid: 42,
        from: Some("2025-02"),
        until: None,
        summary: "Moving average of rewards, written raw and only when all gates are open: \
                  not disabled, more than 100 blocks since the last time, on mainnet 150 uids above zero.",
        source: "masa-finance/masa-bittensor 2025-02",
    },
];
