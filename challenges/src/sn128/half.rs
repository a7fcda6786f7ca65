//! Floats of 16 bits, which GPUs compute with.

/// The 16 bits of a number, rounded to the nearest, of two as near to the even one; `None`
/// for what is no number or too great.
///
/// ```
/// use challenges::sn128::half::bits;
/// assert_eq!([0.0, 1.0, -1.0, 0.5].map(bits), [0, 0x3c00, 0xbc00, 0x3800].map(Some));
/// assert_eq!(bits(65_520.0), None);
/// ```
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole numbers of at most 11 bits, and an exponent from 1 to 30"
)]
pub fn bits(value: f64) -> Option<u16> {
    // From here on the nearest would be infinite.
    const TOO_GREAT: f64 = 65_520.0;
    const LEAST_NORMAL: i32 = -14;
    let size = value.abs();
    if size.is_nan() || size >= TOO_GREAT {
        return None;
    }
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    let exponent = ((size.to_bits() >> 52) as i32 - 1023).max(LEAST_NORMAL);
    // A power of two: the product is exact.
    let whole = (size * f64::from(10 - exponent).exp2()).round_ties_even() as u16;
    // Below the least normal number the exponent's bits are 0; a carry out of the fraction
    // goes into them by itself.
    let above = (exponent - LEAST_NORMAL) as u16;
    Some(sign | ((above << 10) + whole))
}

/// The number that 16 bits are; infinite and no numbers too.
pub fn value(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x03ff);
    let exponent = i32::from((bits >> 10) & 0x1f);
    sign * match exponent {
        0 => fraction * f64::from(-24).exp2(),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * f64::from(exponent - 25).exp2(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_of_them_comes_back() {
        for all in 0..=u16::MAX {
            let number = value(all);
            let wanted = number.is_finite().then_some(all);
            assert_eq!(bits(number), wanted, "{all:#06x} {number}");
        }
    }

    #[test]
    fn the_middle_goes_to_the_even_one() {
        for low in 0..0x7bff_u16 {
            let (a, b) = (value(low), value(low + 1));
            let middle = f64::midpoint(a, b);
            let even = if low % 2 == 0 { low } else { low + 1 };
            assert_eq!(bits(middle), Some(even));
            assert_eq!(bits(middle.next_down()), Some(low));
            assert_eq!(bits(middle.next_up()), Some(low + 1));
            assert_eq!(bits(-middle), Some(0x8000 | even));
        }
        assert_eq!(bits(65_519.999), Some(0x7bff));
        assert_eq!(
            [f64::NAN, f64::INFINITY, 1e300, -65_520.0].map(bits),
            [None; 4]
        );
        assert_eq!(bits(f64::MIN_POSITIVE / 2.0), Some(0));
    }
}
