//! The three 128-bit numbers: [`I64F64`], [`I96F32`] and [`U64F64`].

use super::I32F32;

/// A signed number with 64 fraction bits in an `i128`: total stake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct I64F64(i128);

/// A signed number with 32 fraction bits in an `i128`: emission and proportions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct I96F32(i128);

/// A number from zero up with 64 fraction bits in a `u128`: weight of a mechanism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct U64F64(u128);

impl I64F64 {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// The number with these raw bits.
    pub const fn from_bits(bits: i128) -> Self {
        Self(bits)
    }

    /// The raw bits, `value * 2^64`.
    pub const fn to_bits(self) -> i128 {
        self.0
    }

    /// An integer; from `2^63` on it is the greatest number.
    pub fn saturating_from_u64(value: u64) -> Self {
        match i64::try_from(value) {
            Ok(value) => Self(i128::from(value) << 64),
            Err(_) => Self(i128::MAX),
        }
    }

    /// `floor(self)`; zero below zero.
    pub fn floor_to_u64(self) -> u64 {
        u64::try_from((self.0 >> 64).max(0)).unwrap_or(u64::MAX)
    }

    /// The low 32 fraction bits dropped, stopped at the ends of the narrower type.
    pub fn to_i32f32(self) -> I32F32 {
        let bits = self.0 >> 32;
        I32F32::from_bits(i64::try_from(bits).unwrap_or(if bits < 0 { i64::MIN } else { i64::MAX }))
    }

    /// `self / divisor` as the narrower number: the same as [`I64F64::safe_div`] and then [`I64F64::to_i32f32`] for a quotient of at most one.
    pub(crate) fn share_of(self, divisor: Self) -> I32F32 {
        let share = || {
            let dividend = u128::try_from(self.0).ok()?;
            let share = shifted_div(dividend, 32, u128::try_from(divisor.0).ok()?)?;
            i64::try_from(share).ok()
        };
        I32F32::from_bits(share().unwrap_or(0))
    }

    /// The quotient of two numbers that are not negative, truncated; zero for a zero divisor or if it does not fit.
    pub fn safe_div(self, divisor: Self) -> Self {
        let quotient = || {
            let dividend = u128::try_from(self.0).ok()?;
            let quotient = shifted_div(dividend, 64, u128::try_from(divisor.0).ok()?)?;
            i128::try_from(quotient).ok()
        };
        Self(quotient().unwrap_or(0))
    }
}

impl I96F32 {
    /// The number with these raw bits.
    pub const fn from_bits(bits: i128) -> Self {
        Self(bits)
    }

    /// The raw bits, `value * 2^32`.
    pub const fn to_bits(self) -> i128 {
        self.0
    }

    /// An integer.
    pub fn from_u64(value: u64) -> Self {
        Self(i128::from(value) << 32)
    }

    /// The same number, wider.
    pub fn from_i32f32(value: I32F32) -> Self {
        Self(i128::from(value.to_bits()))
    }

    /// The product of two numbers that are not negative, rounded down and stopped at the end of the type.
    pub fn saturating_mul(self, other: Self) -> Self {
        let product = || {
            let product = shifted_mul(
                u128::try_from(self.0).ok()?,
                u128::try_from(other.0).ok()?,
                32,
            )?;
            i128::try_from(product).ok()
        };
        Self(product().unwrap_or(i128::MAX))
    }

    /// The quotient of two numbers that are not negative, truncated; zero for a zero divisor or if it does not fit.
    pub fn safe_div(self, divisor: Self) -> Self {
        let quotient = || {
            let dividend = u128::try_from(self.0).ok()?;
            let quotient = shifted_div(dividend, 32, u128::try_from(divisor.0).ok()?)?;
            i128::try_from(quotient).ok()
        };
        Self(quotient().unwrap_or(0))
    }

    /// The sum, stopped at the ends of the type.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, but not below zero: what the unsigned twin of this type gives. Stake never goes below zero with either.
    pub fn saturating_sub_to_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// `floor(self)`, stopped at zero and `u64::MAX`.
    pub fn floor_to_u64(self) -> u64 {
        u64::try_from((self.0 >> 32).max(0)).unwrap_or(u64::MAX)
    }
}

impl U64F64 {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(1 << 64);

    /// The raw bits, `value * 2^64`.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// The number with these raw bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// An integer.
    pub fn from_u64(value: u64) -> Self {
        Self(u128::from(value) << 64)
    }

    /// The product, rounded down and stopped at the end of the type.
    pub fn saturating_mul(self, other: Self) -> Self {
        Self(shifted_mul(self.0, other.0, 64).unwrap_or(u128::MAX))
    }

    /// The quotient, truncated, or nothing for a zero divisor or if it does not fit.
    pub fn checked_div(self, divisor: Self) -> Option<Self> {
        shifted_div(self.0, 64, divisor.0).map(Self)
    }

    /// The sum, stopped at the end of the type.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `floor(self)`.
    pub fn floor_to_u64(self) -> u64 {
        u64::try_from(self.0 >> 64).unwrap_or(u64::MAX)
    }
}

/// `(a * b) >> shift`, or nothing if it does not fit; `shift` is below 128.
fn shifted_mul(a: u128, b: u128, shift: u32) -> Option<u128> {
    if let Some(product) = a.checked_mul(b) {
        return Some(product >> shift);
    }
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a0 * b0;
    let (middle, carry) = (a1 * b0).overflowing_add(a0 * b1);
    let (low, carry_low) = low.overflowing_add((middle & LOW) << 64);
    let high = a1 * b1 + (middle >> 64) + (u128::from(carry) << 64) + u128::from(carry_low);
    if shift == 0 || high >> shift != 0 {
        return None;
    }
    Some((high << (128 - shift)) | (low >> shift))
}

/// `floor((dividend << shift) / divisor)`, or nothing for a zero divisor or if it does not fit.
fn shifted_div(dividend: u128, shift: u32, divisor: u128) -> Option<u128> {
    // Zero bits at the end of both do not matter, and whole numbers have many.
    let common = (dividend | divisor).trailing_zeros().min(127);
    let (dividend, divisor) = (dividend >> common, divisor >> common);
    if dividend.leading_zeros() >= shift {
        return (dividend << shift).checked_div(divisor);
    }
    let mut quotient = dividend.checked_div(divisor)?;
    let mut rest = dividend % divisor;
    for _ in 0..shift {
        if quotient.leading_zeros() == 0 {
            return None;
        }
        // With the top bit set, doubling the rest passes 2^128 and thereby the divisor.
        let passes = rest.leading_zeros() == 0;
        rest = rest.wrapping_shl(1);
        quotient <<= 1;
        if passes || rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            quotient |= 1;
        }
    }
    Some(quotient)
}
