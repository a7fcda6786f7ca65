//! [`I32F32`], the number of the epoch.

use std::fmt;

/// A signed number with 32 integer and 32 fraction bits, kept as `value * 2^32` in an `i64`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct I32F32(i64);

impl I32F32 {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One half.
    pub const HALF: Self = Self(1 << 31);
    /// One.
    pub const ONE: Self = Self(1 << 32);
    /// The greatest number, a little less than `2^31`.
    pub const MAX: Self = Self(i64::MAX);
    /// The least number, `-2^31`.
    pub const MIN: Self = Self(i64::MIN);

    /// The number with these raw bits.
    #[inline]
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// The raw bits, `value * 2^32`.
    #[inline]
    pub const fn to_bits(self) -> i64 {
        self.0
    }

    /// An integer from 0 to 65535.
    #[inline]
    pub const fn from_u16(value: u16) -> Self {
        Self((value as i64) << 32)
    }

    /// An integer, stopped at the ends of the type.
    #[inline]
    pub const fn saturating_from_int(value: i64) -> Self {
        if value > i32::MAX as i64 {
            Self::MAX
        } else if value < i32::MIN as i64 {
            Self::MIN
        } else {
            Self(value << 32)
        }
    }

    /// `value / 65535`, truncated; 65535 is exactly one.
    #[inline]
    pub const fn from_u16_proportion(value: u16) -> Self {
        Self(((value as i64) << 32) / 65535)
    }

    /// `floor(self * 65535)`, stopped at 0 and 65535: how the chain stores a proportion.
    #[inline]
    pub fn to_u16_proportion(self) -> u16 {
        let scaled = self.saturating_mul(Self::from_u16(u16::MAX)).0 >> 32;
        u16::try_from(scaled.max(0)).unwrap_or(u16::MAX)
    }

    /// Rounds half away from zero to an integer and stops it at 0 and 65535.
    #[inline]
    pub fn round_to_u16(self) -> u16 {
        // Below zero everything stops at 0, so only the positive side rounds.
        let rounded = self.0.max(0).saturating_add(1 << 31) >> 32;
        u16::try_from(rounded).unwrap_or(u16::MAX)
    }

    /// `floor(self)`, stopped at 0 and 65535.
    #[inline]
    pub fn floor_to_u16(self) -> u16 {
        u16::try_from((self.0 >> 32).max(0)).unwrap_or(u16::MAX)
    }

    /// The product, rounded down, or nothing if it does not fit.
    #[inline]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = (i128::from(self.0) * i128::from(other.0)) >> 32;
        i64::try_from(product).ok().map(Self)
    }

    /// The product, rounded down and stopped at the ends of the type.
    #[inline]
    pub fn saturating_mul(self, other: Self) -> Self {
        let product = (i128::from(self.0) * i128::from(other.0)) >> 32;
        match i64::try_from(product) {
            Ok(bits) => Self(bits),
            Err(_) if product < 0 => Self::MIN,
            Err(_) => Self::MAX,
        }
    }

    /// The raw bits of a number that is not negative.
    #[inline]
    #[expect(
        clippy::cast_sign_loss,
        reason = "only for numbers that are not negative"
    )]
    pub(crate) const fn unsigned_bits(self) -> u64 {
        debug_assert!(self.0 >= 0);
        self.0 as u64
    }

    /// The number with these raw bits, which are below `2^63`.
    #[inline]
    #[expect(clippy::cast_possible_wrap, reason = "only for bits below 2^63")]
    pub(crate) const fn from_unsigned_bits(bits: u64) -> Self {
        debug_assert!(bits >> 63 == 0);
        Self(bits as i64)
    }

    /// The product of two numbers in `0..=1`, rounded down: 64 bits are enough, since one times anything is known.
    #[inline]
    pub(crate) const fn unit_mul(self, other: Self) -> Self {
        debug_assert!(self.is_unit() && other.is_unit());
        if other.0 >= Self::ONE.0 {
            return self;
        }
        Self::from_unsigned_bits(self.unsigned_bits().wrapping_mul(other.unsigned_bits()) >> 32)
    }

    /// The sum, for numbers that are known to be far from the ends of the type.
    #[inline]
    pub(crate) const fn plus(self, other: Self) -> Self {
        debug_assert!(self.0.checked_add(other.0).is_some());
        Self(self.0.wrapping_add(other.0))
    }

    /// [`I32F32::to_u16_proportion`] of a number in `0..=1`.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "at most 65535")]
    pub(crate) const fn unit_to_u16(self) -> u16 {
        debug_assert!(self.is_unit());
        ((self.unsigned_bits() * 65535) >> 32) as u16
    }

    /// The quotient, truncated towards zero, or nothing for a zero divisor or if it does not fit.
    #[inline]
    pub fn checked_div(self, divisor: Self) -> Option<Self> {
        if divisor.0 == 0 {
            return None;
        }
        let quotient = (i128::from(self.0) << 32) / i128::from(divisor.0);
        i64::try_from(quotient).ok().map(Self)
    }

    /// The quotient, truncated towards zero; zero for a zero divisor or if it does not fit.
    #[inline]
    pub fn safe_div(self, divisor: Self) -> Self {
        self.checked_div(divisor).unwrap_or(Self::ZERO)
    }

    /// The quotient, truncated towards zero and stopped at the ends of the type.
    ///
    /// The chain never divides by zero this way (it would panic); here the answer is then the end on the dividend's side.
    #[inline]
    pub fn saturating_div(self, divisor: Self) -> Self {
        match self.checked_div(divisor) {
            Some(quotient) => quotient,
            None if (self.0 < 0) != (divisor.0 < 0) => Self::MIN,
            None => Self::MAX,
        }
    }

    /// The sum, stopped at the ends of the type.
    #[inline]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, stopped at the ends of the type.
    #[inline]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The number moved into `low..=high`; `low` wins if the bounds are crossed.
    #[inline]
    pub fn clamped(self, low: Self, high: Self) -> Self {
        self.min(high).max(low)
    }

    /// True for numbers in `0..=1`.
    #[inline]
    pub const fn is_unit(self) -> bool {
        self.0 >= 0 && self.0 <= Self::ONE.0
    }
}

/// The sum of a vector, stopped at the ends of the type (never reached by normalised vectors).
impl<'a> std::iter::Sum<&'a I32F32> for I32F32 {
    fn sum<I: Iterator<Item = &'a I32F32>>(values: I) -> Self {
        values.fold(Self::ZERO, |sum, value| sum.saturating_add(*value))
    }
}

/// Shown as its raw bits: a decimal fraction would hide the last ones.
impl fmt::Debug for I32F32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/2^32", self.0)
    }
}
