//! Scalars that GraphQL lacks: exact wide integers, hashes, accounts and bytes.

use std::str::FromStr;

use async_graphql::{InputType, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chain_metadata::{AccountId, H256};

/// A 64 bit unsigned integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct U64(pub(crate) u64);

/// An unsigned integer of 64 bits, exact: given out as a decimal string, because a JSON number
/// loses digits above 2^53 in many clients. As input a decimal string or an integer.
#[Scalar(name = "U64")]
impl ScalarType for U64 {
    fn parse(value: Value) -> InputValueResult<Self> {
        decimal(value).map(Self)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A 128 bit unsigned integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct U128(pub(crate) u128);

/// An unsigned integer of 128 bits, exact: given out as a decimal string. As input a decimal
/// string or an integer.
#[Scalar(name = "U128")]
impl ScalarType for U128 {
    fn parse(value: Value) -> InputValueResult<Self> {
        decimal(value).map(Self)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A 32 bit unsigned integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct U32(pub(crate) u32);

/// An unsigned integer of 32 bits, 0 to 4294967295, as a JSON number. It stands where a value may
/// leave the 31 bits of Int.
#[Scalar(name = "U32")]
impl ScalarType for U32 {
    fn parse(value: Value) -> InputValueResult<Self> {
        decimal(value).map(Self)
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// A 64 bit signed integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct I64(pub(crate) i64);

/// A signed integer of 64 bits, exact: given out as a decimal string.
#[Scalar(name = "I64")]
impl ScalarType for I64 {
    fn parse(value: Value) -> InputValueResult<Self> {
        parsed(value, "a decimal integer as a string").map(Self)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A 128 bit signed integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct I128(pub(crate) i128);

/// A signed integer of 128 bits, exact: given out as a decimal string.
#[Scalar(name = "I128")]
impl ScalarType for I128 {
    fn parse(value: Value) -> InputValueResult<Self> {
        parsed(value, "a decimal integer as a string").map(Self)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A 32 byte hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) H256);

/// A hash of 32 bytes as 0x-hex: 0x and 64 digits. As input in either case.
#[Scalar(name = "Hash")]
impl ScalarType for Hash {
    fn parse(value: Value) -> InputValueResult<Self> {
        parsed(value, "0x and 64 hex digits").map(Self)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account(pub(crate) AccountId);

/// An account of 32 bytes (a hotkey or a coldkey), given out as an ss58 address with prefix 42. As
/// input an ss58 address of any prefix, its checksum verified, or 0x and 64 hex digits.
#[Scalar(name = "AccountId")]
impl ScalarType for Account {
    fn parse(value: Value) -> InputValueResult<Self> {
        parsed(value, "an ss58 address, or 0x and 64 hex digits").map(Self)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// Bytes as 0x-hex; 0x alone stands for no bytes.
#[Scalar(name = "Bytes")]
impl ScalarType for Bytes {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let digits = text
            .strip_prefix("0x")
            .ok_or_else(|| InputValueError::custom("expected 0x and hex digits"))?;
        hex::decode(digits).map(Self).map_err(|error| {
            InputValueError::custom(format!("expected 0x and hex digits: {error}"))
        })
    }

    fn to_value(&self) -> Value {
        Value::String(format!("0x{}", hex::encode(&self.0)))
    }
}

/// A decoded value of a shape that depends on the runtime.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Json(pub(crate) serde_json::Value);

/// A decoded chain value whose shape the runtime's metadata sets. Integers up to 32 bits are
/// numbers, wider ones decimal strings; bytes are 0x-hex; accounts are ss58 addresses; a variant is
/// its name, or an object from its name to its fields; an absent option is null.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_else(|error| {
            // Every JSON value is a GraphQL value, so this needs a change in the library.
            tracing::error!(%error, "a JSON value could not be given out");
            Value::Null
        })
    }
}

/// An unsigned integer out of a decimal string or a JSON integer. No sign, no point, no exponent.
fn decimal<S: InputType, N: FromStr>(value: Value) -> Result<N, InputValueError<S>> {
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(InputValueError::expected_type(value)),
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InputValueError::custom(
            "expected a decimal integer of 0 or more, without sign, point or exponent",
        ));
    }
    text.parse().map_err(|_| {
        InputValueError::custom(format!(
            "{text} is too large for an unsigned integer of {} bits",
            std::mem::size_of::<N>() * 8
        ))
    })
}

fn parsed<S: InputType, T: FromStr>(value: Value, wanted: &str) -> Result<T, InputValueError<S>>
where
    T::Err: std::fmt::Display,
{
    match &value {
        Value::String(text) => text
            .parse()
            .map_err(|error| InputValueError::custom(format!("expected {wanted}: {error}"))),
        _ => Err(InputValueError::expected_type(value)),
    }
}

/// A 16 bit share as a float, for display only: the raw integer is always given beside it.
pub(crate) fn normalized(raw: u16) -> f64 {
    f64::from(raw) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<S: ScalarType>(value: Value) -> InputValueResult<S> {
        S::parse(value)
    }

    fn shown(scalar: &impl ScalarType) -> Value {
        scalar.to_value()
    }

    #[test]
    fn wide_integers_are_exact_both_ways() {
        let wide = u64::MAX - 1;
        assert_eq!(shown(&U64(wide)), Value::String(wide.to_string()));
        assert_eq!(read::<U64>(Value::from(wide)).ok(), Some(U64(wide)));
        assert_eq!(
            read::<U64>(Value::String("9007199254740993".into())).ok(),
            Some(U64(9_007_199_254_740_993))
        );
        assert_eq!(
            read::<U128>(Value::String(u128::MAX.to_string())).ok(),
            Some(U128(u128::MAX))
        );
    }

    #[test]
    fn what_is_not_an_unsigned_integer_is_refused() {
        for text in [
            "",
            "-1",
            "+1",
            "1.0",
            "1e3",
            "0x10",
            "18446744073709551616",
            " 1",
        ] {
            assert!(read::<U64>(Value::String(text.into())).is_err(), "{text:?}");
        }
        assert!(read::<U64>(Value::from(1.5)).is_err());
        assert!(read::<U64>(Value::from(-1)).is_err());
        assert!(read::<U64>(Value::Boolean(true)).is_err());
        assert!(read::<U32>(Value::from(4_294_967_296_u64)).is_err());
    }

    #[test]
    fn hashes_and_bytes_are_hex() {
        let hash = H256([0xab; 32]);
        let text = format!("0x{}", "ab".repeat(32));
        assert_eq!(shown(&Hash(hash)), Value::String(text.clone()));
        assert_eq!(read::<Hash>(Value::String(text)).ok(), Some(Hash(hash)));
        assert!(read::<Hash>(Value::String("0xab".into())).is_err());
        assert_eq!(shown(&Bytes(vec![])), Value::String("0x".into()));
        assert_eq!(
            read::<Bytes>(Value::String("0x00ff".into())).ok(),
            Some(Bytes(vec![0, 255]))
        );
        assert!(read::<Bytes>(Value::String("0x0".into())).is_err());
        assert!(read::<Bytes>(Value::String("00".into())).is_err());
    }

    #[test]
    fn accounts_are_ss58_and_a_wrong_checksum_is_refused() {
        let account = AccountId([7; 32]);
        let text = account.to_ss58(42);
        assert_eq!(shown(&Account(account)), Value::String(text.clone()));
        assert_eq!(
            read::<Account>(Value::String(text.clone())).ok(),
            Some(Account(account))
        );
        let mut broken = text;
        let last = broken.pop();
        broken.push(if last == Some('1') { '2' } else { '1' });
        assert!(read::<Account>(Value::String(broken)).is_err());
    }
}
