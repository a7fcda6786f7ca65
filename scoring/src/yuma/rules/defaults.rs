//! What the runtime takes for hyperparameters that are not stored.

use super::switches;

/// Hyperparameters of a subnet that the epoch reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hyperparameters {
    /// `Tempo`, blocks.
    pub tempo: u16,
    /// `ActivityCutoff`, blocks. Read before spec 423.
    pub activity_cutoff: u16,
    /// `ActivityCutoffFactorMilli`, thousandths of a tempo. Read from spec 423 on.
    pub activity_cutoff_factor_milli: u32,
    /// `MaxAllowedValidators`.
    pub max_validators: u16,
    /// `StakeThreshold`, rao. Read from spec 273 on.
    pub stake_threshold: u64,
    /// `Kappa`, of 65535.
    pub kappa: u16,
    /// `BondsMovingAverage`, of 1,000,000.
    pub bonds_moving_average: u64,
    /// `BondsPenalty`, of 65535. Read from spec 233 on.
    pub bonds_penalty: u16,
    /// `Yuma3On`. Read from spec 273 on.
    pub yuma3: bool,
    /// `LiquidAlphaOn`. Read from spec 154 on; from 273 on only with Yuma3.
    pub liquid_alpha: bool,
    /// First of `AlphaValues`, of 65535.
    pub alpha_low: u16,
    /// Second of `AlphaValues`, of 65535.
    pub alpha_high: u16,
    /// `AlphaSigmoidSteepness`: a u16 before spec 283, an i16 from then on. Read from spec 273 on.
    pub alpha_sigmoid_steepness: i32,
    /// `CommitRevealWeightsEnabled`. Read from spec 297 on.
    pub commit_reveal: bool,
}

/// Hyperparameters and the other items with a silent default, as they are when nothing is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Defaults {
    /// What the epoch itself reads.
    pub params: Hyperparameters,
    /// `NetworkMaxStake`, rao.
    pub network_max_stake: u64,
    /// `TaoWeight`, of `2^64 - 1`.
    pub tao_weight: u64,
    /// `RevealPeriodEpochs`.
    pub reveal_period_epochs: u64,
    /// `MaxEpochsPerBlock`.
    pub max_epochs_per_block: u8,
}

impl Defaults {
    pub(super) fn of(spec: u32) -> Self {
        Self {
            params: Hyperparameters {
                tempo: 99,
                activity_cutoff: 5000,
                activity_cutoff_factor_milli: 13_889,
                max_validators: 128,
                stake_threshold: 0,
                kappa: 32_767,
                bonds_moving_average: 900_000,
                bonds_penalty: if switches::DEFAULT_BONDS_PENALTY_FULL.is_on(spec) {
                    65_535
                } else {
                    0
                },
                yuma3: false,
                liquid_alpha: false,
                alpha_low: 45_875,
                alpha_high: 58_982,
                alpha_sigmoid_steepness: 1000,
                commit_reveal: switches::DEFAULT_COMMIT_REVEAL.is_on(spec),
            },
            network_max_stake: u64::MAX,
            tao_weight: 971_718_665_099_567_868,
            reveal_period_epochs: 1,
            max_epochs_per_block: 2,
        }
    }
}
