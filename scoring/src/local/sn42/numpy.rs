//! Sums and quantiles of floats with the order of operations of numpy 2, on which the last
//! bits depend.

use std::ops::{Add, Div, Mul, Sub};

/// A float of 32 or 64 bits.
pub trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The nearest number of this type.
    fn of(value: f64) -> Self;
    /// The same number as a double.
    fn wide(self) -> f64;
}

impl Real for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;

    fn of(value: f64) -> f32 {
        super::ema::single(value)
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;

    fn of(value: f64) -> f64 {
        value
    }

    fn wide(self) -> f64 {
        self
    }
}

/// Numbers added one after the other up to this many; above, halves are added.
const BLOCK: usize = 128;

/// The sum of a contiguous array: eight running sums up to 128 numbers, halves above.
///
/// ```
/// use scoring::local::sn42::numpy::pairwise_sum;
/// assert_eq!(pairwise_sum(&[1.0_f32, 2.0, 3.5]), 6.5);
/// ```
pub fn pairwise_sum<R: Real>(values: &[R]) -> R {
    let plain = |values: &[R], start: R| values.iter().fold(start, |sum, value| sum + *value);
    if values.len() < 8 {
        return plain(values, R::ZERO);
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (low, high) = values.split_at(half - half % 8);
        return pairwise_sum(low) + pairwise_sum(high);
    }
    let mut sums = [R::ZERO; 8];
    let mut chunks = values.chunks_exact(8);
    for (at, chunk) in chunks.by_ref().enumerate() {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum = if at == 0 { *value } else { *sum + *value };
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let all = ((a + b) + (c + d)) + ((e + f) + (g + h));
    plain(chunks.remainder(), all)
}

/// Sums of the numbers up to each place, one after the other.
pub fn cumulative<R: Real>(values: &[R]) -> Vec<R> {
    let mut sums = Vec::with_capacity(values.len());
    for value in values {
        let sum = sums.last().map_or(*value, |sum| *sum + *value);
        sums.push(sum);
    }
    sums
}

/// The numbers in ascending order; there must be no NaN among them.
pub fn sorted<R: Real>(values: &[R]) -> Vec<R> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.wide().total_cmp(&b.wide()));
    sorted
}

/// The linear quantile of an array of `f32`: place, share and interpolation are all `f32`.
/// `None` for an empty array. `q` is from 0 to 1, and nothing is NaN.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the place in the array is computed in f32, as numpy does"
)]
pub fn quantile(values: &[f32], q: f64) -> Option<f32> {
    let values = sorted(values);
    let last = values.len().checked_sub(1)?;
    let place = last as f32 * f32::of(q);
    let below = (place.floor().max(0.0) as usize).min(last);
    let above = if place >= last as f32 {
        last
    } else {
        below + 1
    };
    let (low, high) = (*values.get(below)?, *values.get(above.min(last))?);
    let share = place - place.floor();
    let difference = high - low;
    Some(if share >= 0.5 {
        high - difference * (1.0 - share)
    } else {
        low + difference * share
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_are_taken_in_eights_and_halves() {
        // One after the other, 2^24 + 1 stays 2^24; in eight sums the ones are kept.
        let mut values = vec![1.0_f32; 16];
        values[0] = 16_777_216.0;
        let plain = values.iter().fold(0.0_f32, |sum, value| sum + value);
        assert_eq!(plain, 16_777_216.0);
        assert_eq!(pairwise_sum(&values), 16_777_230.0);
        let long = vec![0.1_f32; 1000];
        let plain = long.iter().fold(0.0_f32, |sum, value| sum + value);
        let (near, far) = (pairwise_sum(&long) - 100.0, plain - 100.0);
        assert!(near.abs() * 10.0 < far.abs(), "{near} {far}");
    }

    #[test]
    fn quantiles_of_known_arrays() {
        let values = [0.4_f32, 0.1, 0.3, 0.2];
        assert_eq!(quantile(&values, 0.0), Some(0.1));
        assert_eq!(quantile(&values, 1.0), Some(0.4));
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.25), Some(1.25));
        assert_eq!(quantile(&[], 0.5), None);
    }

    proptest! {
        #[test]
        fn a_quantile_lies_within(values in prop::collection::vec(0.0_f32..1e3, 1..50), q in 0.0_f64..=1.0) {
            let found = quantile(&values, q).unwrap();
            let sorted = sorted(&values);
            prop_assert!(found >= sorted[0] && found <= sorted[sorted.len() - 1]);
        }

        #[test]
        fn a_quantile_does_not_depend_on_order(mut values in prop::collection::vec(0.0_f32..1e3, 1..50), q in 0.0_f64..=1.0) {
            let before = quantile(&values, q);
            values.reverse();
            prop_assert_eq!(before, quantile(&values, q));
        }
    }
}
