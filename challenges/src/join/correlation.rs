//! Correlation of two lists of numbers.

/// Pearson's correlation, -1 to 1; `None` when the lists differ in length, have fewer than two
/// numbers, or one of them has no spread.
///
/// ```
/// use challenges::join::pearson;
/// assert_eq!(pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), Some(1.0));
/// assert_eq!(pearson(&[1.0, 2.0], &[5.0, 5.0]), None);
/// ```
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.len() < 2 {
        return None;
    }
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut both, mut of_x, mut of_y) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        let (a, b) = (a - mean_x, b - mean_y);
        both += a * b;
        of_x += a * a;
        of_y += b * b;
    }
    let spread = (of_x * of_y).sqrt();
    let found = both / spread;
    (spread > 0.0 && found.is_finite()).then(|| found.clamp(-1.0, 1.0))
}

/// Spearman's correlation: Pearson's of the ranks.
///
/// ```
/// use challenges::join::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 3.0], &[1.0, 10.0, 100.0]), Some(1.0));
/// ```
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    pearson(&ranks(x), &ranks(y))
}

/// Ranks from 1, ascending; equal numbers share the mean of their places.
///
/// ```
/// assert_eq!(challenges::join::ranks(&[7.0, 1.0, 7.0]), [2.5, 1.0, 2.5]);
/// ```
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = |value: &f64| {
        let below = sorted.partition_point(|other| other < value);
        let up_to = sorted.partition_point(|other| other <= value);
        (count(below) + 1.0 + count(up_to)) / 2.0
    };
    values.iter().map(place).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

#[expect(clippy::cast_precision_loss, reason = "lists are short")]
fn count(len: usize) -> f64 {
    len as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn correlations_stay_within_bounds_and_do_not_depend_on_the_order(
            pairs in proptest::collection::vec((-1e6..1e6_f64, -1e6..1e6_f64), 0..40),
            turn in 0_usize..40,
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let mut turned = pairs.clone();
            turned.rotate_left(turn % pairs.len().max(1));
            let (a, b): (Vec<f64>, Vec<f64>) = turned.into_iter().unzip();
            for (told, again) in [(pearson(&x, &y), pearson(&a, &b)), (spearman(&x, &y), spearman(&a, &b))] {
                prop_assert_eq!(told.is_some(), again.is_some());
                if let (Some(told), Some(again)) = (told, again) {
                    prop_assert!((-1.0..=1.0).contains(&told));
                    prop_assert!((told - again).abs() < 1e-9);
                }
            }
            prop_assert_eq!(pearson(&x, &y), pearson(&y, &x));
        }

        #[test]
        fn spearman_sees_only_the_order(x in proptest::collection::vec(-50_i32..50, 2..30)) {
            let x: Vec<f64> = x.into_iter().map(f64::from).collect();
            let grown: Vec<f64> = x.iter().map(|v| v * v * v + v).collect();
            if let Some(same) = spearman(&x, &grown) {
                prop_assert!((same - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn known_numbers() {
        // By hand: products 8.5, squares 5 and 18.75; the ranks are 1 2 3 4 and 1 3 2 4.
        let (x, y) = ([1.0, 2.0, 3.0, 4.0], [1.0, 5.0, 4.0, 7.0]);
        let wanted = 8.5 / (5.0_f64.sqrt() * 18.75_f64.sqrt());
        assert!((pearson(&x, &y).unwrap() - wanted).abs() < 1e-12);
        assert!((spearman(&x, &y).unwrap() - 0.8).abs() < 1e-12);
        for (x, y) in [(&[1.0][..], &[2.0][..]), (&[], &[]), (&[1.0, 2.0], &[1.0])] {
            assert_eq!(pearson(x, y), None);
        }
        assert_eq!(pearson(&[f64::NAN, 1.0], &[1.0, 2.0]), None);
    }
}
