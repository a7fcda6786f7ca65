use proptest::prelude::*;

use super::agreement::{self, Counts, Instances, Life, counts};
use super::compare::{Compared, Outcome, compare};
use super::coverage::{REACH, WANTED, coverage};
use super::units::{HOUR, Instance, Part, Work, p3, quantise};
use super::weighted::{self, Bend, middle, p1, p2};
use super::*;

fn miner(coldkey: Option<u32>, invocations: f64, unique: f64, bounties: f64, units: f64) -> Miner {
    Miner {
        coldkey,
        features: Features {
            units,
            invocations,
            unique,
            bounties,
            ..Features::default()
        },
    }
}

/// A, B, C and D of the published example; A and C have the same coldkey.
fn four() -> [Miner; 4] {
    [
        miner(Some(1), 100.0, 4.0, 2.0, 5000.0),
        miner(Some(2), 300.0, 8.0, 0.0, 12000.0),
        miner(Some(1), 50.0, 2.0, 3.0, 3000.0),
        miner(Some(3), 10.0, 1.0, 0.0, 100.0),
    ]
}

#[test]
fn p1_golden() {
    let found = p1(&four()[..3]);
    assert_eq!(
        found.shares,
        [
            0.265_595_238_095_238_1,
            0.552_857_142_857_142_8,
            0.181_547_619_047_619_04
        ]
    );
    assert!(found.notes.is_empty());
}

#[test]
fn p2_golden() {
    let miners = four();
    assert_eq!(middle(&miners, Bend::Median), Some(3.0));
    let found = p2(&miners, weighted::P2, Bend::Median);
    assert_eq!(
        found.before,
        [
            0.260_320_758_496_153_44,
            0.577_513_138_048_226_8,
            0.153_822_734_957_979_66,
            0.008_343_368_497_640_159
        ]
    );
    assert_eq!(
        found.shares,
        [
            0.307_643_290_892_749_44,
            0.682_496_637_415_031_5,
            0.0,
            0.009_860_071_692_219_046
        ]
    );
    assert_eq!(found.beaten_by, [None, None, Some(0), None]);
}

#[test]
fn p1b_by_hand() {
    let miners = [
        miner(None, 1.0, 1.0, 1.0, 1.0),
        miner(None, 1.0, 3.0, 1.0, 3.0),
    ];
    assert_eq!(middle(&miners, Bend::Mean), Some(2.0));
    let found = p2(&miners, weighted::P1B, Bend::Mean);
    // (1/3)^2 and 1 are a tenth and nine tenths of their sum.
    let wanted = [
        0.5 * 0.25 + 0.25 * 0.5 + 0.15 * 0.1 + 0.1 * 0.5,
        0.5 * 0.75 + 0.25 * 0.5 + 0.15 * 0.9 + 0.1 * 0.5,
    ];
    for (found, wanted) in found.shares.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-15, "{found} {wanted}");
    }
}

#[test]
fn p2b_golden() {
    let of = |coldkey, units, breadth, demand, bounty| Miner {
        coldkey: Some(coldkey),
        features: Features {
            units,
            breadth,
            demand,
            bounty,
            ..Features::default()
        },
    };
    let miners = [
        of(1, 5000.0, 4.0, 10.0, 2.0),
        of(2, 12000.0, 8.0, 10.0, 0.0),
        of(1, 4000.0, 100.0, 100.0, 100.0),
        of(3, 3000.0, 2.0, 10.0, 1.0),
    ];
    let found = bonus::p2b(&miners);
    // The published number of the first is one unit in the last place away from what any
    // order of these operations gives; the others are exact.
    assert_eq!(
        found.shares[0].to_bits() + 1,
        0.267_353_217_881_919_24_f64.to_bits()
    );
    assert_eq!(found.shares[1], 0.576_362_130_337_754_3);
    assert_eq!(found.shares[2], 0.0);
    assert_eq!(found.shares[3], 0.156_284_651_780_326_52);
    assert_eq!(found.notes, [Note::AllEqual("demand")]);
}

#[test]
fn p3_golden() {
    let miners = [
        miner(Some(1), 0.0, 0.0, 0.0, 5000.0),
        miner(Some(2), 0.0, 0.0, 0.0, 12000.0),
        miner(Some(3), 0.0, 0.0, 0.0, 100.0),
        miner(Some(2), 0.0, 0.0, 0.0, 11999.0),
    ];
    let found = p3(&miners);
    let wanted = [
        0.292_397_660_818_713_43,
        0.701_754_385_964_912_2,
        0.005_847_953_216_374_269,
        0.0,
    ];
    assert_eq!(found.shares, wanted);
    assert_eq!(quantise(&found.shares), [(0, 19162), (1, 45989), (2, 383)]);
    assert_eq!(found.beaten_by, [None, None, None, Some(1)]);
}

#[test]
fn history_golden() {
    let instance = Instance {
        activated_at: Some(HOUR),
        multiplier: Some(9.0),
        ..Instance::default()
    };
    let history = [
        Part {
            from: 0,
            to: Some(HOUR),
            multiplier: 0.6,
        },
        Part {
            from: HOUR,
            to: None,
            multiplier: 2.0,
        },
    ];
    assert_eq!(instance.units(&history, 3 * HOUR), 16560.0);
    assert_eq!(instance.units(&[], 3 * HOUR), 9.0 * 10800.0);
    // What lies outside of its time does not count.
    let shorter = Instance {
        created_at: HOUR / 2,
        deleted_at: Some(2 * HOUR),
        ..instance
    };
    assert_eq!(
        shorter.units(&history, 3 * HOUR),
        1800.0 * 0.6 + 3600.0 * 2.0
    );
    let none = Instance {
        created_at: 5 * HOUR,
        ..instance
    };
    assert_eq!(none.units(&history, 3 * HOUR), 0.0);
}

#[test]
fn which_instances_count() {
    let now = 10 * units::WINDOW;
    let alive = Instance {
        created_at: now - 3 * HOUR,
        activated_at: Some(now - 2 * HOUR),
        ..Instance::default()
    };
    assert!(alive.eligible(now));
    assert!(
        !Instance {
            activated_at: None,
            ..alive
        }
        .eligible(now)
    );
    let lived = Instance {
        deleted_at: Some(now - HOUR),
        ..alive
    };
    assert!(lived.eligible(now));
    assert!(
        !Instance {
            billed: true,
            ..lived
        }
        .eligible(now)
    );
    assert!(
        Instance {
            billed: true,
            valid_termination: true,
            ..lived
        }
        .eligible(now)
    );
    let short = Instance {
        deleted_at: Some(now - HOUR - 1),
        ..alive
    };
    assert!(!short.eligible(now));
    for reason in [
        "job has been terminated due to insufficient user balance",
        "not used since shutdown_after_seconds",
        "user has zero/negative balance (private chute)",
        "chute abc has an old version",
    ] {
        assert!(
            Instance {
                deletion_reason: Some(reason),
                ..short
            }
            .eligible(now),
            "{reason}"
        );
    }
    assert!(
        !Instance {
            deletion_reason: Some("gone"),
            ..short
        }
        .eligible(now)
    );
    let old = Instance {
        deleted_at: Some(now - units::WINDOW - 1),
        valid_termination: true,
        ..alive
    };
    assert!(!old.eligible(now));
    assert!(
        Instance {
            deleted_at: Some(now - units::WINDOW),
            ..old
        }
        .eligible(now)
    );
}

#[test]
fn seconds_of_an_invocation() {
    let steps = Work {
        steps: Some(10.0),
        tokens: Some(100.0),
        ..Work::default()
    };
    assert_eq!(steps.by_medians(9.0, Some(0.5), Some(0.01)), 5.0);
    // Not slower than its steps: tokens are looked at next.
    assert_eq!(steps.by_medians(4.0, Some(0.5), Some(0.01)), 1.0);
    assert_eq!(steps.by_medians(0.5, Some(0.5), Some(0.01)), 0.5);
    assert_eq!(steps.by_medians(9.0, None, None), 9.0);
    let mut work = Work {
        steps: Some(10.0),
        per_step: Some(0.25),
        input_tokens: Some(10.0),
        output_tokens: Some(30.0),
        per_token: Some(0.5),
        normalised: Some(7.0),
        ..Work::default()
    };
    assert_eq!(work.by_averages(1.0), 7.0);
    work.normalised = Some(0.0);
    assert_eq!(work.by_averages(1.0), 2.5);
    work.per_step = None;
    assert_eq!(work.by_averages(1.0), 20.0);
    work.output_tokens = Some(0.0);
    assert_eq!(work.by_averages(1.0), 1.0);
}

#[test]
fn the_line_of_a_comparison() {
    let line = |expected, actual| {
        Compared {
            expected,
            actual,
            outcome: Outcome::Close,
        }
        .text()
    };
    assert_eq!(
        line(0.08938, 0.08960),
        "0.08938 vs actual 0.08960, delta 0.00022"
    );
    // The delta is of the numbers before they are rounded, as in the published line.
    assert_eq!(
        line(0.089_384, 0.089_596),
        "0.08938 vs actual 0.08960, delta 0.00021"
    );
    // Halves go to the even digit, as Python rounds: 1/64 and 3/64 end in a half.
    assert_eq!(
        line(0.015_625, 0.046_875),
        "0.01562 vs actual 0.04688, delta 0.03125"
    );
    assert!(compare(&[0.5, 0.5], &[0, 0]).is_none());
    let rows = compare(&[0.0, 0.28], &[0, 5]).unwrap();
    assert_eq!(rows[0].outcome, Outcome::Neither);
    assert_eq!(rows[1].outcome, Outcome::Far);
}

#[test]
fn agreement_golden() {
    let line = |a, b| match counts(Some(a), Some(b)) {
        Counts::Agree(ratio) => format!("{ratio:.4}"),
        other => format!("{other:?}"),
    };
    assert_eq!(line(103_655, 108_817), "0.9526");
    assert_eq!(line(63_950, 65_077), "0.9827");
    assert_eq!(line(100_763, 108_142), "0.9318");
    assert_eq!(line(108_142, 100_763), "0.9318");
    assert_eq!(counts(Some(1), Some(2)), Counts::Differ(0.5));
    assert_eq!(counts(Some(1), Some(0)), Counts::NothingReported);
    assert_eq!(counts(Some(0), Some(1)), Counts::NothingAudited);
}

#[test]
fn instances_of_both_sides() {
    let life = Life {
        created_at: Some(0),
        activated_at: Some(HOUR),
        deleted_at: None,
        multiplier: Some(2.0),
    };
    assert!(agreement::quarrels(&life, &life).is_empty());
    let other = Life {
        created_at: Some(agreement::APART + 1),
        activated_at: None,
        multiplier: Some(2.02),
        ..life
    };
    assert_eq!(
        agreement::quarrels(&life, &other),
        ["created_at", "activated_at", "compute_multiplier"]
    );
    let near = Life {
        created_at: Some(agreement::APART),
        ..life
    };
    assert!(agreement::quarrels(&life, &near).is_empty());
    assert_eq!(life.seconds(3 * HOUR), 7200.0);
    let good = Instances {
        both: 9,
        validator_only: 1,
        validator_seconds: 100.0,
        miner_seconds: 80.0,
        ..Instances::default()
    };
    assert!(good.warnings().is_empty());
    let bad = Instances {
        both: 8,
        miner_only: 1,
        validator_only: 1,
        miner_seconds: 79.0,
        ..good
    };
    assert_eq!(bad.warnings().len(), 3);
    assert!(Instances::default().warnings().is_empty());
}

#[test]
fn coverage_is_of_the_union() {
    let hours = |n: i64| (n * HOUR, (n + 1) * HOUR);
    let mut reports: Vec<_> = (0..167).map(hours).collect();
    let found = coverage(&reports, 168 * HOUR);
    // Of 169 hours 167 are covered.
    let ends = [(-HOUR, 0), (167 * HOUR, 168 * HOUR)];
    assert_eq!((found.covered, &found.gaps[..]), (WANTED, &ends[..]));
    assert_eq!(WANTED, 601_200 * 1_000_000);
    assert!(found.full() && found.full_by_the_original());
    // An hour twice: covered as before, but the original's sum is another.
    reports.push(hours(5));
    let found = coverage(&reports, 168 * HOUR);
    assert!(found.full() && !found.full_by_the_original());
    // An hour missing and another twice: the original is content.
    reports.remove(9);
    let found = coverage(&reports, 168 * HOUR);
    assert!(!found.full() && found.full_by_the_original());
    assert_eq!(found.gaps, [ends[0], (9 * HOUR, 10 * HOUR), ends[1]]);
    let none = coverage(&[(HOUR, 0), (-200 * HOUR, 0)], HOUR);
    assert_eq!((none.covered, none.backwards, none.span), (0, 1, None));
    assert_eq!(none.gaps, [(-168 * HOUR, HOUR)]);
}

#[test]
fn the_time_after_now_is_not_covered() {
    let years = 10 * 365 * 24 * HOUR;
    let found = coverage(&[(0, years), (6 * HOUR, years)], 5 * HOUR);
    // The original's sum is as it says.
    assert_eq!(
        (found.covered, found.summed),
        (5 * HOUR, 2 * years - 6 * HOUR)
    );
    assert!(!found.full());
    assert_eq!((found.span, found.future), (Some((0, 5 * HOUR)), 1));
    assert_eq!(found.gaps, [(-164 * HOUR, 0)]);
    // A window that is covered altogether has no gaps.
    let found = coverage(&[(-164 * HOUR, years)], 5 * HOUR);
    assert_eq!((found.covered, found.gaps.len()), (REACH, 0));
    assert!(found.full());
}

#[test]
fn nothing_divides_by_zero() {
    let zeros = [
        Miner::default(),
        Miner {
            coldkey: Some(1),
            ..Miner::default()
        },
    ];
    assert_eq!(p1(&zeros).shares, [0.0, 0.0]);
    assert_eq!(p1(&zeros).notes.len(), 4);
    let found = p2(&zeros, weighted::P2, Bend::Median);
    assert_eq!(found.shares, [0.0, 0.0]);
    assert!(found.notes.contains(&Note::AllZero) && found.notes.contains(&Note::NoneHas("chutes")));
    assert_eq!(p3(&zeros).shares, [0.5, 0.5]);
    assert_eq!(p3(&zeros).notes, [Note::Uniform]);
    assert_eq!(bonus::p2b(&zeros).shares, [0.5, 0.5]);
    for none in [
        p1(&[]),
        p2(&[], weighted::P1B, Bend::Mean),
        bonus::p2b(&[]),
        p3(&[]),
    ] {
        assert_eq!((none.shares, none.notes), (vec![], vec![Note::NoMiners]));
    }
    assert_eq!(bonus::bounty(0, 0), 0.0);
}

fn miners() -> impl Strategy<Value = Vec<Miner>> {
    let number = || prop_oneof![Just(0.0), 0.0..1e6];
    let one = (
        proptest::option::of(0_u32..5),
        proptest::array::uniform7(number()),
    );
    let one = one.prop_map(
        |(
            coldkey,
            [
                units,
                invocations,
                unique,
                bounties,
                breadth,
                demand,
                bounty,
            ],
        )| Miner {
            coldkey,
            features: Features {
                units,
                invocations,
                unique,
                bounties,
                breadth,
                demand,
                bounty,
            },
        },
    );
    proptest::collection::vec(one, 1..20)
}

fn by_all(miners: &[Miner]) -> [Shares; 5] {
    [
        p1(miners),
        p2(miners, weighted::P1B, Bend::Mean),
        p2(miners, weighted::P2, Bend::Median),
        bonus::p2b(miners),
        p3(miners),
    ]
}

proptest! {
    #[test]
    fn shares_are_shares(miners in miners()) {
        for (rules, found) in by_all(&miners).into_iter().enumerate() {
            prop_assert_eq!(found.shares.len(), miners.len());
            let total = sum(found.shares.iter().copied());
            prop_assert!(found.shares.iter().all(|s| (0.0..=1.0 + 1e-9).contains(s)), "{found:?}");
            if found.notes.is_empty() {
                prop_assert!((total - 1.0).abs() < 1e-9, "{rules} {total}");
            }
            prop_assert!(total < 1.0 + 1e-9);
            let weights = quantise(&found.shares);
            prop_assert!(weights.iter().map(|(_, w)| u32::from(*w)).sum::<u32>() <= 65535);
        }
    }

    #[test]
    fn order_does_not_matter(miners in miners(), turn in 0_usize..20) {
        // Distinct units, so that the best hotkey of a coldkey is no matter of order.
        let mut miners = miners;
        for (i, miner) in miners.iter_mut().enumerate() {
            miner.features.units += float(i) * 1e7;
        }
        let turn = turn % miners.len();
        let mut turned = miners.clone();
        turned.rotate_left(turn);
        for (a, b) in by_all(&miners).into_iter().zip(by_all(&turned)) {
            let mut a = a.shares;
            a.rotate_left(turn);
            for (a, b) in a.iter().zip(&b.shares) {
                prop_assert!((a - b).abs() < 1e-9, "{a} {b}");
            }
        }
    }

    #[test]
    fn more_units_are_never_worth_less(miners in miners(), more in 0.0..1e6_f64, at in 0_usize..20) {
        let at = at % miners.len();
        let mut miners = miners;
        for miner in &mut miners {
            miner.coldkey = None;
        }
        let before = by_all(&miners);
        miners[at].features.units += more;
        for (rules, (before, after)) in before.into_iter().zip(by_all(&miners)).enumerate() {
            // When a feature that nobody had appears, what is divided changes altogether.
            if before.notes.is_empty() {
                prop_assert!(after.shares[at] >= before.shares[at] - 1e-9, "{rules}");
            }
        }
    }

    #[test]
    fn a_median_splits(mut values in proptest::collection::vec(-1e9..1e9_f64, 1..40)) {
        let median = weighted::median(&mut values).unwrap();
        let below = values.iter().filter(|v| **v < median).count();
        let above = values.iter().filter(|v| **v > median).count();
        prop_assert!(below * 2 <= values.len() && above * 2 <= values.len());
    }

    #[test]
    fn coverage_is_within_its_span(reports in proptest::collection::vec((0_i64..200, 0_i64..5), 0..30)) {
        let reports: Vec<_> = reports.into_iter().map(|(at, long)| (at * HOUR, (at + long) * HOUR)).collect();
        let found = coverage(&reports, 150 * HOUR);
        let gaps: i64 = found.gaps.iter().map(|(a, b)| b - a).sum();
        prop_assert_eq!(found.covered + gaps, REACH);
        prop_assert!(found.covered <= found.summed);
    }
}
