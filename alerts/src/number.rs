//! Numbers of any length, exact: no comparison goes through a float.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use serde_json::Value;

/// Longest text that is read as a number.
const MAX_TEXT: usize = 100;
/// Largest power of ten that is read; every float has a smaller one.
const MAX_EXPONENT: i32 = 400;

/// A decimal number: some digits and how many of them stand behind the point.
#[derive(Debug, Clone)]
pub struct Number {
    digits: BigInt,
    scale: u32,
}

impl Number {
    /// The number in a value of JSON: a number, or a text that is one, as exact integers are
    /// written. `None` for everything else; null is no number.
    pub fn of(value: &Value) -> Option<Number> {
        match value {
            // The shortest decimal that gives the float back is what the answer shows.
            Value::Number(number) => Number::parse(&number.to_string()),
            Value::String(text) => Number::parse(text),
            _ => None,
        }
    }

    /// A decimal text: sign, digits, a point, an exponent. Nothing else is taken for a number.
    ///
    /// ```
    /// use alerts::number::Number;
    /// let big = Number::parse("340282366920938463463374607431768211455").unwrap();
    /// let less = Number::parse("340282366920938463463374607431768211454").unwrap();
    /// assert!(big > less);
    /// assert_eq!(Number::parse("1.50"), Number::parse("15e-1"));
    /// assert!(Number::parse("0x10").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Number> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        if exponent.abs() > MAX_EXPONENT {
            return None;
        }
        let (negative, bare) = match mantissa.strip_prefix('-') {
            Some(bare) => (true, bare),
            None => (false, mantissa),
        };
        let (whole, part) = bare.split_once('.').unwrap_or((bare, ""));
        let digits_only = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(part) || bare.ends_with('.') {
            return None;
        }
        let joined = format!("{whole}{part}");
        let mut digits = BigInt::parse_bytes(joined.as_bytes(), 10)?;
        if negative {
            digits = -digits;
        }
        let scale = i32::try_from(part.len()).ok()? - exponent;
        Some(match u32::try_from(scale) {
            Ok(scale) => Number { digits, scale },
            Err(_) => Number {
                digits: digits * ten(scale.unsigned_abs()),
                scale: 0,
            },
        })
    }

    /// How many there are of `self` and `other` at the same scale.
    fn aligned(&self, other: &Number) -> (BigInt, BigInt, u32) {
        let scale = self.scale.max(other.scale);
        let up = |number: &Number| &number.digits * ten(scale - number.scale);
        (up(self), up(other), scale)
    }

    /// The sum.
    pub fn plus(&self, other: &Number) -> Number {
        let (a, b, scale) = self.aligned(other);
        Number {
            digits: a + b,
            scale,
        }
    }

    /// The difference.
    pub fn minus(&self, other: &Number) -> Number {
        let (a, b, scale) = self.aligned(other);
        Number {
            digits: a - b,
            scale,
        }
    }

    /// The product.
    pub fn times(&self, other: &Number) -> Number {
        Number {
            digits: &self.digits * &other.digits,
            scale: self.scale.saturating_add(other.scale),
        }
    }

    /// Without its sign.
    pub fn abs(&self) -> Number {
        Number {
            digits: BigInt::from(self.digits.magnitude().clone()),
            scale: self.scale,
        }
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.digits.sign() == Sign::Minus
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Number {
        Number {
            digits: number.into(),
            scale: 0,
        }
    }
}

fn ten(power: u32) -> BigInt {
    BigInt::from(10_u8).pow(power)
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        let (a, b, _) = self.aligned(other);
        a.cmp(&b)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_that_a_float_cannot_tell_apart_are_told_apart() {
        let of = |value: Value| Number::of(&value).unwrap();
        assert!(of(json!("9007199254740993")) > of(json!(9_007_199_254_740_992_u64)));
        assert!(of(json!(u64::MAX)) > of(json!("18446744073709551614")));
        assert_eq!(of(json!(0.25)), of(json!("0.250")));
        assert!(of(json!(-1)).is_negative());
    }

    #[test]
    fn what_is_no_number_is_none() {
        for value in [
            json!(null),
            json!(true),
            json!(""),
            json!("-"),
            json!("1."),
            json!(".5"),
            json!("0x1"),
            json!("1e999"),
            json!("1 "),
            json!("+1"),
            json!("NaN"),
            json!([1]),
            json!("1".repeat(101)),
        ] {
            assert!(Number::of(&value).is_none(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_integers(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (Number::parse(&a.to_string()).unwrap(), Number::parse(&b.to_string()).unwrap());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            let wide = |n: i128| Number::parse(&n.to_string()).unwrap();
            let (a, b) = (i128::from(a), i128::from(b));
            prop_assert_eq!(x.plus(&y), wide(a + b));
            prop_assert_eq!(x.minus(&y), wide(a - b));
            prop_assert_eq!(x.times(&y), wide(a * b));
            prop_assert_eq!(x.minus(&y).abs(), wide((a - b).abs()));
        }

        #[test]
        fn any_text_is_taken_or_not(text in "\\PC{0,40}") {
            let _ = Number::parse(&text);
        }
    }
}
