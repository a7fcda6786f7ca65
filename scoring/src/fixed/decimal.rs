//! Exact decimal fractions of fixed-point numbers.

use super::{I32F32, I64F64};

impl I32F32 {
    /// The number as an exact decimal fraction, without zeros at the end: 32 binary digits need at most 32 decimal ones.
    pub fn to_decimal(self) -> String {
        let magnitude = u128::from(self.to_bits().unsigned_abs());
        decimal(self.to_bits() < 0, magnitude >> 32, magnitude << 96)
    }
}

impl I64F64 {
    /// The number as an exact decimal fraction, without zeros at the end: at most 64 digits behind the point.
    pub fn to_decimal(self) -> String {
        let magnitude = self.to_bits().unsigned_abs();
        decimal(self.to_bits() < 0, magnitude >> 64, magnitude << 64)
    }
}

/// `fraction` has 128 fraction bits, of which the last 64 are zero.
fn decimal(negative: bool, whole: u128, fraction: u128) -> String {
    let mut text = String::new();
    if negative {
        text.push('-');
    }
    text.push_str(&whole.to_string());
    let mut rest = fraction >> 64;
    if rest != 0 {
        text.push('.');
    }
    while rest != 0 {
        rest *= 10;
        let digit = u32::try_from(rest >> 64).unwrap_or(0);
        text.extend(char::from_digit(digit, 10));
        rest &= u128::from(u64::MAX);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let text = |bits| I32F32::from_bits(bits).to_decimal();
        assert_eq!(text(0), "0");
        assert_eq!(text(1 << 32), "1");
        assert_eq!(text(3 << 31), "1.5");
        assert_eq!(text(-(3 << 31)), "-1.5");
        assert_eq!(text(1), "0.00000000023283064365386962890625");
        assert_eq!(text(-1), "-0.00000000023283064365386962890625");
        assert_eq!(text(i64::MIN), "-2147483648");
        assert_eq!(
            text(i64::MAX),
            "2147483647.99999999976716935634613037109375"
        );
        let wide = |bits| I64F64::from_bits(bits).to_decimal();
        assert_eq!(wide(5 << 62), "1.25");
        assert_eq!(
            wide(1),
            "0.0000000000000000000542101086242752217003726400434970855712890625"
        );
        assert_eq!(wide(i128::MIN), "-9223372036854775808");
    }
}
