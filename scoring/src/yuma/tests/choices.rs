//! The choices of [`YumaRules`] that are not numbers of the epoch, and the rules as a whole.

use crate::yuma::YumaRules;
use crate::yuma::rules::{
    ActivityRule, BlockOrder, BondMask, BondWeights, CommitMask, EmissionPool, Knowledge,
    LiquidAlpha, LoadedEmission, PendingChildren, Pruning, RegistrationGate, Reveals, RootEpoch,
    Schedule, StakeSource, switches,
};

fn rules(spec: u32) -> YumaRules {
    YumaRules::for_spec(spec).unwrap()
}

/// A choice on both sides of every switch that moves it.
fn assert_steps<T: PartialEq + std::fmt::Debug>(
    choice: impl Fn(&YumaRules) -> T,
    steps: Vec<(u32, T)>,
) {
    for (i, (since, expected)) in steps.iter().enumerate() {
        assert_eq!(choice(&rules(*since)), *expected, "at {since}");
        let until = steps.get(i + 1).map_or(u32::MAX, |(next, _)| next - 1);
        assert_eq!(choice(&rules(until)), *expected, "until {until}");
    }
}

#[test]
fn choices_between_kinds() {
    use LiquidAlpha::{None as NoLiquid, Quantiles, Sigmoid};
    assert_steps(
        |rules| rules.stake_source,
        vec![
            (101, StakeSource::TotalHotkey),
            (195, StakeSource::InheritedCapped),
            (233, StakeSource::AlphaTao),
        ],
    );
    assert_steps(
        |rules| rules.bond_weights,
        vec![(101, BondWeights::Clipped), (233, BondWeights::Penalty)],
    );
    assert_steps(
        |rules| rules.bond_mask,
        vec![
            (101, BondMask::LastUpdate),
            (257, BondMask::BlockMinusTempo),
            (423, BondMask::LastStep),
        ],
    );
    assert_steps(
        |rules| rules.commit_mask,
        vec![
            (101, CommitMask::None),
            (297, CommitMask::ByBlock),
            (423, CommitMask::ByEpoch),
        ],
    );
    assert_steps(
        |rules| rules.liquid_alpha,
        vec![
            (101, NoLiquid),
            (
                154,
                Quantiles {
                    safe_division: false,
                },
            ),
            (
                233,
                Quantiles {
                    safe_division: true,
                },
            ),
            (
                273,
                Sigmoid {
                    percent: false,
                    bounded: false,
                },
            ),
            (
                283,
                Sigmoid {
                    percent: true,
                    bounded: false,
                },
            ),
            (
                365,
                Sigmoid {
                    percent: true,
                    bounded: true,
                },
            ),
        ],
    );
    assert_steps(
        |rules| rules.pruning,
        vec![
            (101, Pruning::Floor),
            (116, Pruning::MaxUpscale),
            (365, Pruning::None),
        ],
    );
    assert_steps(
        |rules| rules.activity,
        vec![
            (101, ActivityRule::Blocks),
            (423, ActivityRule::FactorMilli),
        ],
    );
}

#[test]
fn choices_outside_the_epoch() {
    assert_steps(
        |rules| rules.upscales_weights,
        vec![(101, false), (117, true)],
    );
    assert_steps(|rules| rules.mechanisms, vec![(101, false), (320, true)]);
    assert_steps(
        |rules| rules.needs_unique_hotkeys,
        vec![(101, false), (334, true)],
    );
    assert_steps(
        |rules| rules.owner_may_change,
        vec![(101, false), (423, true)],
    );
    assert_steps(
        |rules| rules.schedule,
        vec![(101, Schedule::Modulo), (423, Schedule::Stateful)],
    );
    assert_steps(
        |rules| rules.root,
        vec![
            (101, RootEpoch::Subnet),
            (133, RootEpoch::Separate),
            (195, RootEpoch::Subnet),
            (210, RootEpoch::Skipped),
        ],
    );
    assert_steps(
        |rules| rules.registration_gate,
        vec![
            (101, RegistrationGate::None),
            (151, RegistrationGate::NoEpoch),
            (153, RegistrationGate::NoNewEmission),
            (212, RegistrationGate::SlotConsumed),
            (233, RegistrationGate::None),
        ],
    );
    assert_steps(
        |rules| rules.reveals,
        vec![
            (101, Reveals::Never),
            (216, Reveals::BeforeEpoch),
            (301, Reveals::EveryBlock),
        ],
    );
    assert_steps(
        |rules| rules.pending_children,
        vec![
            (101, PendingChildren::None),
            (216, PendingChildren::AfterEpoch),
            (218, PendingChildren::BeforeEpoch),
            (233, PendingChildren::AfterDistribution),
        ],
    );
    assert_steps(
        |rules| rules.loaded_emission,
        vec![
            (101, LoadedEmission::PerNominator),
            (121, LoadedEmission::Full),
            (195, LoadedEmission::None),
        ],
    );
    assert_steps(
        |rules| rules.block_order,
        vec![
            (101, BlockOrder::EpochsFirst),
            (233, BlockOrder::PerSubnet),
            (334, BlockOrder::PerSubnetRootClaims),
            (361, BlockOrder::DrainedFirst),
        ],
    );
    assert_steps(
        |rules| rules.emission_pool,
        vec![
            (101, EmissionPool::EmissionValues),
            (133, EmissionPool::EmissionValuesAfterCut),
            (195, EmissionPool::PendingAfterCut),
            (233, EmissionPool::PendingAndSwapped),
            (334, EmissionPool::PendingAndRootAlpha),
            (345, EmissionPool::ServerValidatorRootAlpha),
        ],
    );
}

#[test]
fn every_switch_changes_exactly_its_spec() {
    // Rules differ at a spec version exactly if a switch or a changed default stands there.
    let defaults_only = [
        switches::DEFAULT_BONDS_PENALTY_FULL.since,
        switches::DEFAULT_COMMIT_REVEAL.since,
    ];
    for spec in 102..=500 {
        let change = |spec| {
            (
                YumaRules {
                    spec: 0,
                    ..rules(spec)
                },
                rules(spec).defaults(),
            )
        };
        let changes = change(spec - 1) != change(spec);
        assert_eq!(
            changes,
            switches::ALL.iter().any(|switch| switch.since == spec),
            "{spec}"
        );
        let rules_change = change(spec - 1).0 != change(spec).0;
        assert_eq!(changes, rules_change || defaults_only.contains(&spec));
    }
    assert!(
        switches::ALL
            .iter()
            .all(|switch| switch.what.ends_with('.') && switch.what.len() > 20)
    );
    assert_eq!(switches::ALL.len(), 57);
}

#[test]
fn knowledge_of_rules() {
    assert_eq!(YumaRules::for_spec(100), None);
    assert_eq!(YumaRules::is_known(100), None);
    assert_eq!(YumaRules::is_known(101), Some(Knowledge::Fully));
    assert_eq!(YumaRules::is_known(425), Some(Knowledge::Fully));
    assert_eq!(YumaRules::is_known(426), Some(Knowledge::Partly));
    assert_eq!(YumaRules::is_known(459), Some(Knowledge::Partly));
    assert_eq!(YumaRules::is_known(460), Some(Knowledge::Unchecked));
    // Newer runtimes get the newest rules.
    let newest = YumaRules {
        spec: 425,
        ..rules(u32::MAX)
    };
    assert_eq!(newest, rules(425));
    assert_eq!(
        YumaRules {
            spec: 103,
            ..rules(101)
        },
        rules(103)
    );
}
