//! The numbers of the original, and what must hold for any weights.

use proptest::prelude::*;

use super::*;

fn row(weights: &[f64], neurons: u16, min: u16, max: f64, exclude: u16) -> (Vec<u16>, Vec<u16>) {
    let uids: Vec<u16> = (0..u16::try_from(weights.len()).unwrap()).collect();
    let limits = Limits {
        neurons,
        min_allowed: min,
        max_weight: max,
        exclude_quantile: exclude,
    };
    let processed = process(&uids, weights, limits).unwrap();
    let row = emit(&processed.uids, &processed.weights).unwrap();
    (row.uids, row.values)
}

#[test]
fn golden_rows() {
    let some = [0.0, 0.1, 0.3, 0.6];
    let all = vec![0, 1, 2, 3];
    assert_eq!(
        row(&some, 4, 1, 1.0, 0),
        (vec![1, 2, 3], vec![10922, 32768, 65535])
    );
    assert_eq!(
        row(&some, 4, 1, 0.4, 0),
        (vec![1, 2, 3], vec![32768, 65535, 65535])
    );
    assert_eq!(
        row(&[0.0, 0.0, 1.0, 0.0], 4, 2, 1.0, 0),
        (all.clone(), vec![1, 1, 65535, 1])
    );
    assert_eq!(row(&[0.0; 4], 4, 1, 1.0, 0), (all.clone(), vec![65535; 4]));
    let rising = [0.1, 0.2, 0.3, 0.4];
    assert_eq!(
        row(&rising, 4, 1, 1.0, 16384),
        (vec![1, 2, 3], vec![32768, 49151, 65535])
    );
    assert_eq!(
        row(&rising, 4, 4, 1.0, 16384),
        (all.clone(), vec![16384, 32768, 49151, 65535])
    );
    assert_eq!(
        row(&some, 4, 1, 0.3, 0),
        (vec![1, 2, 3], vec![65535, 65535, 65535])
    );
    assert_eq!(row(&some, 4, 5, 1.0, 0), (all, vec![65535; 4]));
}

#[test]
fn golden_weights_under_a_limit() {
    let limits = Limits {
        neurons: 4,
        min_allowed: 1,
        max_weight: 0.4,
        exclude_quantile: 0,
    };
    let processed = process(&[0, 1, 2, 3], &[0.0, 0.1, 0.3, 0.6], limits).unwrap();
    let singles: Vec<f32> = processed.weights.iter().map(|w| f32::of(*w)).collect();
    // As f32 the last digits are rounding; as doubles they are those of the limit.
    assert_eq!(singles, [0.200_000_39, 0.399_999_8, 0.399_999_8]);
    let shown = |weights: &[f64], digits| {
        let all = weights.iter().map(|w| format!("{w:.digits$}"));
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        shown(&processed.weights, 7),
        ["0.2000004", "0.3999998", "0.3999998"]
    );
    let doubles = normalize_max(&[0.1, 0.3, 0.6], 0.4);
    assert_eq!(shown(&doubles, 7), ["0.2000004", "0.3999998", "0.3999998"]);
    let mut weights = vec![0.5 / 19.0; 20];
    weights[0] = 0.5;
    let normalised = normalize_max(&weights, 0.1);
    assert_eq!(shown(&normalised[..1], 8), ["0.09999982"]);
    for weight in &normalised[1..] {
        assert_eq!(format!("{weight:.9}"), "0.047368431");
    }
    let singles: Vec<f32> = weights.iter().map(|w| f32::of(*w)).collect();
    for (single, double) in normalize_max(&singles, 0.1).iter().zip(&normalised) {
        assert!((f64::from(*single) - double).abs() < 5e-8);
    }
}

#[test]
fn when_not_even_the_least_fits_the_index_wraps() {
    // Shares are alike and above what the limit leaves, but for rounding: none fits, and the
    // cut comes from the last running sum. The result is finite and sums to one all the same.
    let weights = [1.0_f64, 1.0, 1.0, 1.000_001];
    let normalised = normalize_max(&weights, 0.250_000_1);
    let sum: f64 = normalised.iter().sum();
    assert!((sum - 1.0).abs() < 1e-12, "{normalised:?}");
}

#[test]
fn nan_and_what_is_not_above_zero_are_left_out() {
    assert_eq!(
        row(&[f64::NAN, -1.0, 0.5, 1.0], 4, 1, 1.0, 0),
        (vec![2, 3], vec![32768, 65535])
    );
}

#[test]
fn rounding_is_half_to_even() {
    // 65535 * 0.5 = 32767.5 becomes 32768; 1.5 of 65535 becomes 2, 2.5 becomes 2.
    let share = |of: f64| of / 65535.0;
    let row = emit(
        &[0, 1, 2, 3, 4],
        &[1.0, 0.5, share(1.5), share(2.5), share(0.5)],
    )
    .unwrap();
    assert_eq!(row.values, [65535, 32768, 2, 2]);
    assert_eq!(row.uids, [0, 1, 2, 3]);
}

#[test]
fn what_cannot_be_emitted() {
    assert_eq!(emit(&[], &[]), Err(SdkError::Empty));
    let negative = emit(&[3, 4], &[1.0, -0.5]).unwrap_err();
    assert_eq!(
        negative,
        SdkError::Negative {
            uid: 4,
            weight: -0.5
        }
    );
    assert!(matches!(
        emit(&[3], &[1.0, 2.0]),
        Err(SdkError::Lengths { .. })
    ));
    assert!(matches!(
        emit(&[3], &[f64::NAN]),
        Err(SdkError::NotANumber { uid: 3 })
    ));
    assert_eq!(emit(&[3], &[0.0]).unwrap(), Row::default());
    let limits = Limits {
        neurons: 1,
        min_allowed: 0,
        max_weight: 1.0,
        exclude_quantile: 0,
    };
    assert!(matches!(
        process(&[0], &[1e39], limits),
        Err(SdkError::Infinite { uid: 0 })
    ));
    assert!(matches!(
        process(&[0, 1], &[1.0, 1.0], limits),
        Err(SdkError::TooMany {
            weights: 2,
            neurons: 1
        })
    ));
}

#[test]
fn golden_row_read_back() {
    let row = Row {
        uids: vec![1, 2, 3],
        values: vec![10922, 32768, 65535],
    };
    let wide: Vec<f64> = read_back(&row, 4).into_iter().map(f64::from).collect();
    assert_eq!(
        wide,
        [
            0.0,
            0.099_995_419_383_049_01,
            0.300_004_571_676_254_3,
            0.600_000_023_841_857_9
        ]
    );
    assert_eq!(read_back(&Row::default(), 2), [0.0, 0.0]);
}

proptest! {
    #[test]
    fn a_row_keeps_within_the_limit(
        weights in prop::collection::vec(0.001_f64..10.0, 2..200), limit in 0.05_f64..1.0,
    ) {
        let singles: Vec<f32> = weights.iter().map(|w| f32::of(*w)).collect();
        let normalised = normalize_max(&singles, limit);
        let sum: f64 = normalised.iter().map(|w| f64::from(*w)).sum();
        prop_assert!((sum - 1.0).abs() < 1e-4);
        let count = f64::from(u16::try_from(weights.len()).unwrap());
        let most = if count * limit <= 1.0 { 1.0 / count } else { limit };
        for weight in normalised {
            prop_assert!(f64::from(weight) <= most * 1.001, "{} above {}", weight, most);
        }
    }

    #[test]
    fn more_score_is_no_less_weight(weights in prop::collection::vec(0.0_f64..10.0, 1..100)) {
        let count = u16::try_from(weights.len()).unwrap();
        let (uids, values) = row(&weights, count, 1, 1.0, 0);
        for (a, x) in uids.iter().zip(&values) {
            for (b, y) in uids.iter().zip(&values) {
                if weights[usize::from(*a)] < weights[usize::from(*b)] {
                    prop_assert!(x <= y);
                }
            }
        }
        prop_assert!(values.contains(&65535));
    }

    #[test]
    fn order_does_not_change_what_a_uid_gets(weights in prop::collection::vec(0.01_f64..10.0, 1..8)) {
        let count = u16::try_from(weights.len()).unwrap();
        let uids: Vec<u16> = (0..count).collect();
        let limits = Limits { neurons: count, min_allowed: 1, max_weight: 1.0, exclude_quantile: 0 };
        let straight = process(&uids, &weights, limits).unwrap();
        let straight = emit(&straight.uids, &straight.weights).unwrap();
        let back: Vec<u16> = uids.iter().rev().copied().collect();
        let turned: Vec<f64> = weights.iter().rev().copied().collect();
        let turned = process(&back, &turned, limits).unwrap();
        let turned = emit(&turned.uids, &turned.weights).unwrap();
        for (uid, value) in straight.uids.iter().zip(&straight.values) {
            let at = turned.uids.iter().position(|u| u == uid).unwrap();
            // The sum is taken in another order; half a unit may fall to the other side.
            prop_assert!(turned.values[at].abs_diff(*value) <= 1);
        }
    }
}
