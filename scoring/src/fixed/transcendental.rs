//! `exp` and `ln` with the roundings of the chain's library: they are part of the consensus, inaccuracies included.

use super::I32F32;

const ONE: u64 = 1 << 32;
/// e with 23 fraction bits: the library's constant, returned for exactly one.
const E_23: i64 = 22_802_600 << 9;
/// log2(e) with 23 fraction bits.
const LOG2_E_23: I32F32 = I32F32::from_bits(12_102_203 << 9);
/// The series stops after the term of this order.
const LAST_TERM: u64 = 31;

/// e to the power of `x`, or nothing where the chain's library overflows (from about 21 on).
///
/// A Taylor series of 31 terms; each term is the last one times `x` (rounded down) over its order (truncated). Below zero it is `1 / exp(-x)`.
pub fn exp(x: I32F32) -> Option<I32F32> {
    if x == I32F32::ZERO {
        return Some(I32F32::ONE);
    }
    if x == I32F32::ONE {
        return Some(I32F32::from_bits(E_23));
    }
    let power = u64::try_from(x.to_bits().checked_abs()?).ok()?;
    let value = exp_series(power)?;
    if x < I32F32::ZERO {
        I32F32::ONE.checked_div(value)
    } else {
        Some(value)
    }
}

fn exp_series(power: u64) -> Option<I32F32> {
    let mut sum = i64::try_from(power.checked_add(ONE)?).ok()?;
    let mut term = power;
    for order in 2..=LAST_TERM {
        let product = (u128::from(term) * u128::from(power)) >> 32;
        // A term that no longer fits is an error even if dividing it by its order would make it fit again.
        let product = u64::try_from(i64::try_from(product).ok()?).ok()?;
        term = product / order;
        if term == 0 {
            break;
        }
        sum = sum.checked_add(i64::try_from(term).ok()?)?;
    }
    Some(I32F32::from_bits(sum))
}

/// [`exp`] of several numbers in `0..=20` at once: the lanes are independent, so the processor works on all of them at the same time.
///
/// Below 20 nothing overflows. The special cases zero and one are the caller's.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "exp(20) needs 61 bits, and a term times its power over 2^32 is below 2^64 as well"
)]
pub(crate) fn exp_positive_lanes<const LANES: usize>(powers: [u64; LANES]) -> [u64; LANES] {
    let mut sums = powers.map(|power| power + ONE);
    let mut terms = powers;
    macro_rules! add_terms {
        ($($order:literal)*) => {$(
            let mut left = 0;
            for lane in 0..LANES {
                let product = ((u128::from(terms[lane]) * u128::from(powers[lane])) >> 32) as u64;
                terms[lane] = product / $order;
                sums[lane] += terms[lane];
                left |= terms[lane];
            }
            if left == 0 {
                return sums;
            }
        )*};
    }
    // Written out so that every division is by a constant.
    add_terms!(2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    sums
}

/// [`exp`] of `x` stopped at -20 and 20; on an error 0 for `x <= 0`, else the greatest number. Used by the sigmoid from spec 365.
pub fn exp_safe(x: I32F32) -> I32F32 {
    let bound = I32F32::from_u16(20);
    let stopped = x.clamped(I32F32::ZERO.saturating_sub(bound), bound);
    exp(stopped).unwrap_or(if stopped <= I32F32::ZERO {
        I32F32::ZERO
    } else {
        I32F32::MAX
    })
}

/// [`exp`], or zero on an error. Used by liquid alpha before spec 365.
pub fn safe_exp(x: I32F32) -> I32F32 {
    exp(x).unwrap_or(I32F32::ZERO)
}

/// The natural logarithm, or nothing for numbers up to zero and for the two smallest positive ones, whose inverse does not fit.
pub fn ln(x: I32F32) -> Option<I32F32> {
    if x <= I32F32::ZERO {
        return None;
    }
    let log2 = if x < I32F32::ONE {
        let inverse = I32F32::ONE.checked_div(x)?;
        -log2_of_at_least_one(inverse)
    } else {
        log2_of_at_least_one(x)
    };
    I32F32::from_bits(log2).checked_div(LOG2_E_23)
}

/// [`ln`], or zero on an error.
pub fn safe_ln(x: I32F32) -> I32F32 {
    ln(x).unwrap_or(I32F32::ZERO)
}

/// Binary logarithm by repeated squaring, one bit a step. The halvings round up, as the library's do.
fn log2_of_at_least_one(x: I32F32) -> i64 {
    const TWO: i64 = 1 << 33;
    let halve = |bits: i64| (bits >> 1) + (bits & 1);
    let mut x = x.to_bits();
    let mut whole: i64 = 0;
    while x >= TWO {
        whole += 1;
        x = halve(x);
    }
    if x == I32F32::ONE.to_bits() {
        return whole << 32;
    }
    let mut result = whole;
    for _ in 0..32 {
        x = I32F32::from_bits(x)
            .saturating_mul(I32F32::from_bits(x))
            .to_bits();
        result <<= 1;
        if x >= TWO {
            result |= 1;
            x = halve(x);
        }
    }
    result
}
