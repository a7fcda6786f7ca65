use proptest::prelude::*;

use super::difficulty::{RANGE, next};
use super::pow::{MeasureError, Measured, R1, R2, R2B, R3, Rules, Zero, score};
use super::weights::weights;
use super::{PROFILES, gpu, pow};

/// The first example of the README: allocated, difficulty 7, 2.6 % failures.
const FIRST: Measured = Measured {
    attempts: 100.0,
    successes: 92.0,
    failed_of_last: 0.026 * 20.0,
    elapsed: 16.0,
    difficulty: 7.0,
    has_docker: true,
    allocated: true,
    best: 1.0,
};

/// The second one: not allocated, difficulty 9, 3.1 % failures.
const SECOND: Measured = Measured {
    failed_of_last: 0.031 * 20.0,
    difficulty: 9.0,
    allocated: false,
    ..FIRST
};

#[test]
fn what_the_code_makes_of_the_examples() {
    let table: [(&Rules, f64, f64, f64, f64); 4] = [
        (
            &R1,
            256.6666666666667,
            0.8850574712643678,
            153.39376100531095,
            0.5289440034665894,
        ),
        (
            &R2,
            193.95,
            0.7727091633466135,
            180.78167547091542,
            0.7202457190076312,
        ),
        (
            &R2B,
            201.33333333333334,
            0.7895424836601308,
            197.14229937038434,
            0.7731070563544484,
        ),
        (
            &R3,
            279.4,
            1.0583333333333333,
            185.47563270371765,
            0.7025592147868093,
        ),
    ];
    for (rules, raw1, score1, raw2, score2) in table {
        let first = score(rules, &FIRST).unwrap();
        let second = score(rules, &SECOND).unwrap();
        assert_eq!(first.raw, raw1, "{rules:?}");
        assert_eq!(first.score, score1, "{rules:?}");
        assert_eq!(second.raw, raw2, "{rules:?}");
        assert_eq!(second.score, score2, "{rules:?}");
    }
}

#[test]
fn the_digits_of_the_table() {
    let digits = |rules, measured| format!("{:.3}", score(rules, measured).unwrap().raw);
    assert_eq!(digits(&R1, &FIRST), "256.667");
    assert_eq!(digits(&R1, &SECOND), "153.394");
    assert_eq!(digits(&R2, &FIRST), "193.950");
    assert_eq!(digits(&R2, &SECOND), "180.782");
    assert_eq!(digits(&R2B, &FIRST), "201.333");
    assert_eq!(digits(&R2B, &SECOND), "197.142");
    assert_eq!(digits(&R3, &FIRST), "279.400");
    assert_eq!(digits(&R3, &SECOND), "185.476");
    let norm = |measured| format!("{:.5}", score(&R1, measured).unwrap().score);
    assert_eq!(
        (norm(&FIRST), norm(&SECOND)),
        ("0.88506".into(), "0.52894".into())
    );
}

#[test]
fn the_parts_of_the_second_example() {
    let parts = score(&R1, &SECOND).unwrap();
    assert_eq!(parts.difficulty, 50.0);
    assert_eq!(parts.successes, 92.0);
    assert_eq!(format!("{:.3}", parts.time_elapsed), "11.667");
    assert_eq!(format!("{:.4}", parts.failed_penalty), "0.2729");
    assert_eq!(
        (parts.max_score, score(&R2, &SECOND).unwrap().max_score),
        (290.0, 250.99999999999997)
    );
    assert!(!parts.difficulty_clamped && parts.zero.is_none());
    let easy = score(
        &R2,
        &Measured {
            difficulty: 3.0,
            ..SECOND
        },
    )
    .unwrap();
    assert!(easy.difficulty_clamped);
    assert_eq!(easy.difficulty, 7.0 / 12.0 * 100.0);
}

#[test]
fn when_a_score_is_zero() {
    let zero = |rules, measured: Measured| score(rules, &measured).unwrap().zero;
    let failing = |failed_of_last, allocated| Measured {
        failed_of_last,
        allocated,
        ..SECOND
    };
    let idle = |allocated| Measured {
        successes: 0.0,
        allocated,
        ..SECOND
    };
    let too_many = |failed, limit| Some(Zero::Failures { failed, limit });
    // The first revision knows no mercy with allocated miners, the second knows it always,
    // the third only for those that solved nothing.
    assert_eq!(zero(&R1, failing(10.0, true)), too_many(10.0, 10.0));
    assert_eq!(zero(&R1, failing(9.0, true)), None);
    assert_eq!(zero(&R1, idle(true)), Some(Zero::NoSuccess));
    assert_eq!(zero(&R2, failing(18.0, false)), None);
    assert_eq!(zero(&R2, failing(19.0, false)), too_many(19.0, 19.0));
    assert_eq!(zero(&R2, failing(19.0, true)), None);
    assert_eq!(zero(&R2, idle(false)), Some(Zero::NoSuccess));
    assert_eq!(zero(&R2, idle(true)), None);
    assert_eq!(zero(&R3, failing(19.0, true)), too_many(19.0, 19.0));
    assert_eq!(zero(&R3, idle(true)), None);
    assert_eq!(zero(&R3, idle(false)), Some(Zero::NoSuccess));
    let slow = Measured {
        elapsed: 3000.0,
        ..SECOND
    };
    assert!(matches!(zero(&R2, slow), Some(Zero::Negative(sum)) if sum < 0.0));
    assert_eq!(score(&R2, &slow).unwrap().score, 0.0);
}

#[test]
fn without_containers_half_is_left() {
    for rules in [&R1, &R2, &R2B, &R3] {
        let whole = score(rules, &SECOND).unwrap();
        let half = score(
            rules,
            &Measured {
                has_docker: false,
                ..SECOND
            },
        )
        .unwrap();
        assert_eq!(half.raw, whole.raw / 2.0);
        let allocated = score(
            rules,
            &Measured {
                has_docker: false,
                ..FIRST
            },
        )
        .unwrap();
        assert_eq!(allocated, score(rules, &FIRST).unwrap());
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |measured: Measured| score(&R1, &measured).unwrap_err();
    let nan = refused(Measured {
        elapsed: f64::NAN,
        ..FIRST
    });
    assert_eq!(
        nan.to_string(),
        "the mean time is NaN; give a number from 0 to 1000000000000"
    );
    assert!(matches!(
        refused(Measured {
            attempts: -1.0,
            ..FIRST
        }),
        MeasureError::Number { .. }
    ));
    assert_eq!(
        refused(Measured {
            successes: 101.0,
            ..FIRST
        }),
        MeasureError::Successes {
            successes: 101.0,
            attempts: 100.0
        }
    );
    assert_eq!(
        refused(Measured {
            failed_of_last: 21.0,
            ..FIRST
        }),
        MeasureError::Failed(21.0)
    );
}

#[test]
fn the_vectors_of_the_difficulty() {
    for (mean, failed, successes, wanted) in [
        (8.2, 0, 10, 11),
        (8.2, 2, 10, 10),
        (8.2, 5, 10, 9),
        (8.2, 6, 10, 8),
        (8.2, 0, 4, 7),
        (11.5, 1, 30, 12),
    ] {
        assert_eq!(
            next(Some(mean), failed, successes, RANGE),
            wanted,
            "{mean} {failed}"
        );
    }
    assert_eq!(next(Some(f64::NAN), 0, 10, RANGE), 2);
}

#[test]
fn scores_of_hardware() {
    let of = |model: &str, gpus| gpu::score(gpu::SCORES, model, gpus).unwrap().score;
    assert_eq!(of("NVIDIA B200", 8), 1.0);
    assert_eq!(of("NVIDIA H100 80GB HBM3", 8), 0.66);
    assert_eq!(of("NVIDIA GeForce RTX 5090", 1), 0.023000000000000003);
    assert_eq!(of("NVIDIA H200", 0), 0.0);
    let none: [(&str, f64); 0] = [];
    assert_eq!(gpu::check(&none), Err(gpu::TableError::Empty));
    assert!(matches!(
        gpu::check(&[("a", f64::NAN)]),
        Err(gpu::TableError::Score { .. })
    ));
    assert_eq!(
        gpu::check(&[("a", 1.0), ("a", 2.0)]),
        Err(gpu::TableError::Twice("a".into()))
    );
}

#[test]
fn every_profile_has_rules() {
    for profile in PROFILES {
        assert_eq!(profile.netuid, 27);
        assert_eq!(
            pow::rules(profile.name).is_none(),
            profile.name == "sn27-r4"
        );
        assert_eq!(super::super::find(profile.name), Some(profile));
    }
}

fn measured() -> impl Strategy<Value = Measured> {
    (
        (0_u32..500, 0_u32..500, 0_u32..=20, 0.0..200.0_f64),
        (0.0..20.0_f64, any::<bool>(), any::<bool>(), 0.0..=1.0_f64),
    )
        .prop_map(
            |((a, b, failed, elapsed), (difficulty, has_docker, allocated, best))| Measured {
                attempts: f64::from(a.max(b)),
                successes: f64::from(a.min(b)),
                failed_of_last: f64::from(failed),
                elapsed,
                difficulty,
                has_docker,
                allocated,
                best,
            },
        )
}

fn rules() -> impl Strategy<Value = &'static Rules> {
    prop::sample::select(vec![&R1, &R2, &R2B, &R3])
}

proptest! {
    #[test]
    fn scores_are_shares(rules in rules(), measured in measured()) {
        let scored = score(rules, &measured).unwrap();
        let most = if rules.shape == pow::Shape::Best && measured.allocated { 1.1 } else { 1.0 };
        prop_assert!((0.0..=most + 1e-12).contains(&scored.score), "{scored:?}");
        prop_assert_eq!(scored.zero.is_some(), scored.score == 0.0);
    }

    #[test]
    fn more_successes_are_never_worse(rules in rules(), measured in measured(), more in 1_u32..50) {
        let better = Measured {
            successes: (measured.successes + f64::from(more)).min(measured.attempts),
            ..measured
        };
        prop_assert!(score(rules, &better).unwrap().score >= score(rules, &measured).unwrap().score);
    }

    #[test]
    fn longer_is_never_better(rules in rules(), measured in measured(), more in 0.0..100.0_f64) {
        let slower = Measured { elapsed: measured.elapsed + more, ..measured };
        prop_assert!(score(rules, &slower).unwrap().score <= score(rules, &measured).unwrap().score);
    }

    #[test]
    fn more_failures_are_never_better(rules in rules(), measured in measured(), more in 0_u32..20) {
        let worse = Measured {
            failed_of_last: (measured.failed_of_last + f64::from(more)).min(20.0),
            ..measured
        };
        prop_assert!(score(rules, &worse).unwrap().score <= score(rules, &measured).unwrap().score);
    }

    #[test]
    fn harder_is_never_worse_within_the_time(
        rules in rules(), measured in measured(), more in 0.0..5.0_f64,
    ) {
        // Beyond the time limit speed is negative, and the first revision counts it more
        // the harder the challenge.
        let measured = Measured { elapsed: measured.elapsed.min(rules.timeout), ..measured };
        let harder = Measured { difficulty: measured.difficulty + more, ..measured };
        prop_assert!(
            score(rules, &harder).unwrap().score >= score(rules, &measured).unwrap().score - 1e-12
        );
    }

    #[test]
    fn weights_are_shares_in_any_order(
        mut scores in prop::collection::vec(-1.0..2.0_f64, 1..20), turn in 0_usize..20,
    ) {
        let before = weights(&scores);
        let sum: f64 = before.iter().sum();
        prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9);
        let turn = turn % scores.len();
        scores.rotate_left(turn);
        let mut turned = before;
        turned.rotate_left(turn);
        prop_assert_eq!(weights(&scores), turned);
    }

    #[test]
    fn the_difficulty_stays_in_its_range(
        mean in 0.0..12.0_f64, failed in 0_u32..=20, successes in 0_u32..50,
    ) {
        let (min, max) = RANGE;
        let next = next(Some(mean.max(f64::from(min))), failed, successes, RANGE);
        prop_assert!((min..=max).contains(&next));
    }

    #[test]
    fn more_hardware_is_never_worse(row in 0..gpu::SCORES.len(), gpus in 0_u32..20) {
        let model = gpu::SCORES[row].0;
        let of = |gpus| gpu::score(gpu::SCORES, model, gpus).unwrap().score;
        prop_assert!(of(gpus) <= of(gpus + 1) && (0.0..=1.0).contains(&of(gpus)));
    }
}
