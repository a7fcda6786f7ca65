//! Sums in the order in which numpy adds.

/// How many terms are added without halving.
const BLOCK: usize = 128;

/// The sum of doubles as `numpy.sum` makes it of a contiguous array: one after another up
/// to 7, eight running sums up to 128, halves (a multiple of 8 first) above.
///
/// ```
/// use scoring::local::sn61::sum::pairwise;
/// assert_eq!(pairwise(&[0.1, 0.2, 0.3]), 0.1 + 0.2 + 0.3);
/// assert_eq!(pairwise(&[]), 0.0);
/// ```
pub fn pairwise(terms: &[f64]) -> f64 {
    if terms.len() < 8 {
        return terms.iter().fold(0.0, |sum, term| sum + term);
    }
    if terms.len() > BLOCK {
        let half = terms.len() / 2;
        let (low, high) = terms.split_at(half - half % 8);
        return pairwise(low) + pairwise(high);
    }
    let (eights, rest) = terms.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for (at, eight) in eights.iter().enumerate() {
        for (sum, term) in sums.iter_mut().zip(eight) {
            // The first terms are taken, not added to 0: -0 stays what it is.
            *sum = if at == 0 { *term } else { *sum + term };
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.iter().fold(sum, |sum, term| sum + term)
}
