//! What changed between runtimes.
//!
//! [`YumaRules::for_spec`] takes the newest known behaviour that is not newer than the asked spec version. Every change is a [`Switch`] in
//! [`switches`] with its first spec and its reason; [`YumaRules`] is the resulting set of choices. Its fields are public so that a what-if can change
//! one; nothing else in the crate looks at the spec number.

use std::fmt;

pub mod switches;

mod choices;
mod defaults;

pub use choices::{
    ActivityRule, BlockOrder, BondMask, BondWeights, CommitMask, EmissionPool, LiquidAlpha,
    LoadedEmission, PendingChildren, Pruning, RegistrationGate, Reveals, RootEpoch, Schedule,
    StakeSource,
};
pub use defaults::{Defaults, Hyperparameters};
pub use switches::Switch;

/// How well the rules for a spec version are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knowledge {
    /// Newer than anything read: the rules are those of the newest known runtime and may be wrong.
    Unchecked,
    /// The epoch's own files were read and found equal to the last rules, the runtime's constants were not.
    Partly,
    /// Every change up to this spec is in the rules.
    Fully,
}

/// The rules of one runtime. See [`switches`] for the reason of each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct YumaRules {
    /// The spec version these rules were made for.
    pub spec: u32,

    /// [`switches::RAW_U16_INPUTS`].
    pub raw_u16_inputs: bool,
    /// [`switches::WEIGHT_UID_FILTER`].
    pub filters_weight_uids: bool,
    /// [`switches::BOND_ROW_FILTER`].
    pub filters_bond_rows: bool,
    /// [`switches::MECHANISMS`]: a short `LastUpdate` is filled up with zeros.
    pub pads_last_update: bool,
    /// [`switches::STAKE_INHERITED`], [`switches::STAKE_ALPHA_TAO`].
    pub stake_source: StakeSource,
    /// [`switches::STAKE_THRESHOLD`].
    pub stake_threshold: bool,
    /// [`switches::PERMIT_MASKS_STAKE`].
    pub permit_masks_stake: bool,
    /// [`switches::PERMITS_NEED_STAKE`].
    pub permits_need_stake: bool,
    /// [`switches::OWNER_KEEPS_SELF_WEIGHT`].
    pub owner_keeps_self_weight: bool,
    /// [`switches::OWNER_PRIVILEGE`].
    pub owner_privilege: bool,
    /// [`switches::COMMIT_MASK`], [`switches::COMMIT_MASK_BY_EPOCH`].
    pub commit_mask: CommitMask,
    /// [`switches::ACTIVITY_FACTOR`].
    pub activity: ActivityRule,

    /// [`switches::BONDS_PENALTY`].
    pub bond_weights: BondWeights,
    /// [`switches::BOND_MASK_TEMPO`], [`switches::BOND_MASK_LAST_STEP`].
    pub bond_mask: BondMask,
    /// [`switches::UPSCALED_BONDS`].
    pub upscales_bonds: bool,
    /// [`switches::YUMA3`].
    pub yuma3: bool,
    /// [`switches::LIQUID_ALPHA_1`] and the four after it.
    pub liquid_alpha: LiquidAlpha,
    /// [`switches::ALL_BOND_ROWS`].
    pub rewrites_all_bonds: bool,

    /// [`switches::SPLIT_EMISSION`].
    pub splits_emission: bool,
    /// [`switches::PRUNING_UPSCALED`], [`switches::NO_RANK_TRUST_PRUNING`].
    pub pruning: Pruning,
    /// [`switches::NO_RANK_TRUST_PRUNING`].
    pub stores_rank_trust: bool,
    /// [`switches::STAKE_WEIGHT`] and the two after it.
    pub stores_stake_weight: bool,

    /// [`switches::MECHANISMS`].
    pub mechanisms: bool,
    /// [`switches::UPSCALED_WEIGHTS`].
    pub upscales_weights: bool,
    /// [`switches::UNIQUE_HOTKEYS`].
    pub needs_unique_hotkeys: bool,
    /// [`switches::DYNAMIC_TEMPO`].
    pub schedule: Schedule,
    /// [`switches::ROOT_SEPARATE`] and the two after it.
    pub root: RootEpoch,
    /// [`switches::REGISTRATION_NO_EPOCH`] and the three after it.
    pub registration_gate: RegistrationGate,
    /// [`switches::REVEALS_BEFORE_EPOCH`], [`switches::REVEALS_EVERY_BLOCK`].
    pub reveals: Reveals,
    /// [`switches::CHILDREN_AFTER_EPOCH`] and the two after it.
    pub pending_children: PendingChildren,
    /// [`switches::LOADED_EMISSION_FULL`], [`switches::STAKE_INHERITED`].
    pub loaded_emission: LoadedEmission,
    /// [`switches::PER_SUBNET_ORDER`] and the two after it.
    pub block_order: BlockOrder,
    /// [`switches::OWNER_CUT`] and the four after it.
    pub emission_pool: EmissionPool,
    /// [`switches::DYNAMIC_TEMPO`]: the owner may change right before the epoch.
    pub owner_may_change: bool,
}

impl YumaRules {
    /// The first spec version of the chain.
    pub const FIRST_SPEC: u32 = 101;
    /// The newest spec version up to which every change is in the rules.
    pub const CHECKED_FULLY: u32 = 425;
    /// The newest spec version of which the epoch's own files were found equal.
    pub const CHECKED_PARTLY: u32 = 459;

    /// The rules of a runtime: those of the newest known change that is not newer. None below spec 101, which no live chain had.
    ///
    /// A spec version that was used twice gets the rules of its later build. That matters only for 120, whose build of 2023-05-03 had no
    /// [`switches::RAW_U16_INPUTS`]: there, if no stored column of bonds reaches 65535, clear `raw_u16_inputs` and `upscales_bonds`.
    pub fn for_spec(spec: u32) -> Option<Self> {
        use switches::*;
        if spec < Self::FIRST_SPEC {
            return None;
        }
        let at = |switch: Switch| switch.is_on(spec);
        Some(Self {
            spec,
            raw_u16_inputs: at(RAW_U16_INPUTS),
            filters_weight_uids: at(WEIGHT_UID_FILTER),
            filters_bond_rows: at(BOND_ROW_FILTER),
            pads_last_update: at(MECHANISMS),
            stake_source: newest(
                spec,
                StakeSource::TotalHotkey,
                &[
                    (STAKE_INHERITED, StakeSource::InheritedCapped),
                    (STAKE_ALPHA_TAO, StakeSource::AlphaTao),
                ],
            ),
            stake_threshold: at(STAKE_THRESHOLD),
            permit_masks_stake: at(PERMIT_MASKS_STAKE),
            permits_need_stake: at(PERMITS_NEED_STAKE),
            owner_keeps_self_weight: at(OWNER_KEEPS_SELF_WEIGHT),
            owner_privilege: at(OWNER_PRIVILEGE),
            commit_mask: newest(
                spec,
                CommitMask::None,
                &[
                    (COMMIT_MASK, CommitMask::ByBlock),
                    (COMMIT_MASK_BY_EPOCH, CommitMask::ByEpoch),
                ],
            ),
            activity: newest(
                spec,
                ActivityRule::Blocks,
                &[(ACTIVITY_FACTOR, ActivityRule::FactorMilli)],
            ),
            bond_weights: newest(
                spec,
                BondWeights::Clipped,
                &[(BONDS_PENALTY, BondWeights::Penalty)],
            ),
            bond_mask: newest(
                spec,
                BondMask::LastUpdate,
                &[
                    (BOND_MASK_TEMPO, BondMask::BlockMinusTempo),
                    (BOND_MASK_LAST_STEP, BondMask::LastStep),
                ],
            ),
            upscales_bonds: at(UPSCALED_BONDS),
            yuma3: at(YUMA3),
            liquid_alpha: newest(
                spec,
                LiquidAlpha::None,
                &[
                    (
                        LIQUID_ALPHA_1,
                        LiquidAlpha::Quantiles {
                            safe_division: false,
                        },
                    ),
                    (
                        LIQUID_ALPHA_1_SAFE,
                        LiquidAlpha::Quantiles {
                            safe_division: true,
                        },
                    ),
                    (
                        LIQUID_ALPHA_2,
                        LiquidAlpha::Sigmoid {
                            percent: false,
                            bounded: false,
                        },
                    ),
                    (
                        STEEPNESS_PERCENT,
                        LiquidAlpha::Sigmoid {
                            percent: true,
                            bounded: false,
                        },
                    ),
                    (
                        BOUNDED_EXPONENT,
                        LiquidAlpha::Sigmoid {
                            percent: true,
                            bounded: true,
                        },
                    ),
                ],
            ),
            rewrites_all_bonds: at(ALL_BOND_ROWS),
            splits_emission: at(SPLIT_EMISSION),
            pruning: newest(
                spec,
                Pruning::Floor,
                &[
                    (PRUNING_UPSCALED, Pruning::MaxUpscale),
                    (NO_RANK_TRUST_PRUNING, Pruning::None),
                ],
            ),
            stores_rank_trust: !at(NO_RANK_TRUST_PRUNING),
            stores_stake_weight: newest(
                spec,
                false,
                &[
                    (STAKE_WEIGHT, true),
                    (STAKE_WEIGHT_MISSING, false),
                    (STAKE_WEIGHT_AGAIN, true),
                ],
            ),
            mechanisms: at(MECHANISMS),
            upscales_weights: at(UPSCALED_WEIGHTS),
            needs_unique_hotkeys: at(UNIQUE_HOTKEYS),
            schedule: newest(
                spec,
                Schedule::Modulo,
                &[(DYNAMIC_TEMPO, Schedule::Stateful)],
            ),
            root: newest(
                spec,
                RootEpoch::Subnet,
                &[
                    (ROOT_SEPARATE, RootEpoch::Separate),
                    (ROOT_AS_SUBNET, RootEpoch::Subnet),
                    (ROOT_SKIPPED, RootEpoch::Skipped),
                ],
            ),
            registration_gate: newest(
                spec,
                RegistrationGate::None,
                &[
                    (REGISTRATION_NO_EPOCH, RegistrationGate::NoEpoch),
                    (REGISTRATION_NO_EMISSION, RegistrationGate::NoNewEmission),
                    (REGISTRATION_SLOT, RegistrationGate::SlotConsumed),
                    (REGISTRATION_FREE, RegistrationGate::None),
                ],
            ),
            reveals: newest(
                spec,
                Reveals::Never,
                &[
                    (REVEALS_BEFORE_EPOCH, Reveals::BeforeEpoch),
                    (REVEALS_EVERY_BLOCK, Reveals::EveryBlock),
                ],
            ),
            pending_children: newest(
                spec,
                PendingChildren::None,
                &[
                    (CHILDREN_AFTER_EPOCH, PendingChildren::AfterEpoch),
                    (CHILDREN_BEFORE_EPOCH, PendingChildren::BeforeEpoch),
                    (
                        CHILDREN_AFTER_DISTRIBUTION,
                        PendingChildren::AfterDistribution,
                    ),
                ],
            ),
            loaded_emission: newest(
                spec,
                LoadedEmission::PerNominator,
                &[
                    (LOADED_EMISSION_FULL, LoadedEmission::Full),
                    (STAKE_INHERITED, LoadedEmission::None),
                ],
            ),
            block_order: newest(
                spec,
                BlockOrder::EpochsFirst,
                &[
                    (PER_SUBNET_ORDER, BlockOrder::PerSubnet),
                    (ROOT_CLAIMS, BlockOrder::PerSubnetRootClaims),
                    (DRAINED_FIRST, BlockOrder::DrainedFirst),
                ],
            ),
            emission_pool: newest(
                spec,
                EmissionPool::EmissionValues,
                &[
                    (OWNER_CUT, EmissionPool::EmissionValuesAfterCut),
                    (POOL_PENDING, EmissionPool::PendingAfterCut),
                    (POOL_SWAPPED, EmissionPool::PendingAndSwapped),
                    (POOL_ROOT_ALPHA, EmissionPool::PendingAndRootAlpha),
                    (
                        POOL_SERVER_VALIDATOR,
                        EmissionPool::ServerValidatorRootAlpha,
                    ),
                ],
            ),
            owner_may_change: at(DYNAMIC_TEMPO),
        })
    }

    /// How well the rules that [`YumaRules::for_spec`] gives for a spec version are known; none below spec 101.
    pub fn is_known(spec: u32) -> Option<Knowledge> {
        match spec {
            0..Self::FIRST_SPEC => None,
            Self::FIRST_SPEC..=Self::CHECKED_FULLY => Some(Knowledge::Fully),
            spec if spec <= Self::CHECKED_PARTLY => Some(Knowledge::Partly),
            _ => Some(Knowledge::Unchecked),
        }
    }

    /// What the runtime takes for hyperparameters that are not stored.
    pub fn defaults(&self) -> Defaults {
        Defaults::of(self.spec)
    }
}

/// The choice of the last switch that is on; `steps` are in ascending order.
fn newest<T: Copy>(spec: u32, first: T, steps: &[(Switch, T)]) -> T {
    steps
        .iter()
        .rev()
        .find(|(switch, _)| switch.is_on(spec))
        .map_or(first, |(_, choice)| *choice)
}

impl fmt::Display for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fully => "checked in full",
            Self::Partly => "checked in part",
            Self::Unchecked => "not checked",
        })
    }
}
