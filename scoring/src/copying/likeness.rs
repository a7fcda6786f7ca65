//! The likeness of two rows.

use super::Likeness;
use super::series::Decided;

/// A mean over compared rows, as it grows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    count: u32,
    identical: u32,
    correlations: f64,
    cosines: f64,
}

impl Mean {
    pub(super) fn add(&mut self, a: &Decided, b: &Decided, miners: u64) {
        let product = product(&a.row, &b.row);
        self.count = self.count.saturating_add(1);
        self.identical = self
            .identical
            .saturating_add(u32::from(a.is_telling && a.row == b.row));
        self.correlations += correlation(a, b, product, miners);
        self.cosines += ratio(
            i128::from(product),
            i128::from(a.squares),
            i128::from(b.squares),
        );
    }

    pub(super) fn likeness(&self) -> Likeness {
        let count = f64::from(self.count.max(1));
        Likeness {
            count: self.count,
            identical: self.identical,
            correlation: self.correlations / count,
            cosine: self.cosines / count,
        }
    }
}

/// Sum of the products of two rows that are sorted by uid. At most `2^16 * (2^16)^2`.
fn product(a: &[(u16, u16)], b: &[(u16, u16)]) -> u64 {
    let mut sum = 0u64;
    let mut b = b.iter().peekable();
    for (uid, weight) in a {
        while b.next_if(|(other, _)| other < uid).is_some() {}
        if let Some((_, other)) = b.next_if(|(other, _)| other == uid) {
            sum += u64::from(*weight) * u64::from(*other);
        }
    }
    sum
}

/// Pearson's correlation over so many miners, from exact sums.
fn correlation(a: &Decided, b: &Decided, product: u64, miners: u64) -> f64 {
    let n = i128::from(miners);
    let spread =
        |squares: u64, s: u64, t: u64| n * i128::from(squares) - i128::from(s) * i128::from(t);
    ratio(
        spread(product, a.sum, b.sum),
        spread(a.squares, a.sum, a.sum),
        spread(b.squares, b.sum, b.sum),
    )
}

/// `part / sqrt(a * b)`, in `-1..=1`; zero if one of them is zero.
#[expect(
    clippy::cast_precision_loss,
    reason = "a statistic: the last digits do not matter"
)]
fn ratio(part: i128, a: i128, b: i128) -> f64 {
    if a <= 0 || b <= 0 {
        return 0.0;
    }
    // The roots of the same number twice multiply to it only nearly.
    let whole = if a == b {
        a as f64
    } else {
        (a as f64).sqrt() * (b as f64).sqrt()
    };
    (part as f64 / whole).clamp(-1.0, 1.0)
}
