//! Many exact divisions by the same number.

use super::I32F32;

/// A divisor with its precomputed inverse: a quotient costs two multiplications instead of a division, and is exact.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reciprocal {
    divisor: u64,
    /// `floor((2^64 - 1) / divisor)`.
    inverse: u64,
}

impl Reciprocal {
    /// Division by zero gives zero.
    #[inline]
    pub(crate) fn new(divisor: u64) -> Self {
        // The divisor 1 then takes the place of zero: only zero is not greater than it.
        Self {
            divisor: divisor.max(1),
            inverse: u64::MAX.checked_div(divisor).unwrap_or(0),
        }
    }

    /// Of a number that is not negative.
    #[inline]
    pub(crate) fn of(divisor: I32F32) -> Self {
        Self::new(u64::try_from(divisor.to_bits()).unwrap_or(0))
    }

    /// `floor(part * 2^32 / divisor)`, for a part that is greater than neither the divisor nor `2^32`.
    ///
    /// The product with the inverse then fits 64 bits. The inverse lacks at most one of `2^64 / divisor`, so the product over `2^32` lacks at most one
    /// of the true ratio, and the estimate is right or too small by one.
    #[inline]
    pub(crate) fn share(self, part: u64) -> u64 {
        debug_assert!(part <= self.divisor && part <= 1 << 32);
        let estimate = part.wrapping_mul(self.inverse) >> 32;
        // With part and divisor both 2^32 the first term wraps to zero, and the difference is right all the same.
        let rest = (part << 32).wrapping_sub(estimate.wrapping_mul(self.divisor));
        estimate + u64::from(rest >= self.divisor)
    }

    /// [`Reciprocal::share`] of a number in `0..=1` that is not greater than the divisor.
    #[inline]
    pub(crate) fn share_of_unit(self, part: I32F32) -> I32F32 {
        I32F32::from_unsigned_bits(self.share(part.unsigned_bits()))
    }

    /// The same bits as [`I32F32::safe_div`] for a dividend that is not negative.
    #[inline]
    pub(crate) fn divide(self, dividend: I32F32) -> I32F32 {
        let bits = dividend.unsigned_bits();
        if bits <= self.divisor && bits <= 1 << 32 && self.inverse != 0 {
            return I32F32::from_unsigned_bits(self.share(bits));
        }
        if self.inverse == 0 {
            return I32F32::ZERO;
        }
        dividend.safe_div(I32F32::from_unsigned_bits(self.divisor))
    }
}
