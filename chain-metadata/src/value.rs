//! A decoded value: what the bytes say, without the names of types.

use std::sync::Arc;

use crate::AccountId;

mod json;
pub use json::fields_json;
mod wide;

/// A value read from the chain. Integers keep their width, nothing is ever a float.
///
/// A struct with one unnamed field does not appear: its content stands in its place. A struct or
/// tuple without content is [`Value::Unit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// A character.
    Char(char),
    /// An unsigned integer, plain or compact.
    Uint {
        /// Bits of its type: 8, 16, 32, 64 or 128.
        width: u8,
        /// The number.
        value: u128,
    },
    /// A signed integer.
    Int {
        /// Bits of its type: 8, 16, 32, 64 or 128.
        width: u8,
        /// The number.
        value: i128,
    },
    /// An unsigned integer of 256 bits, little-endian.
    U256([u8; 32]),
    /// A signed integer of 256 bits, little-endian two's complement.
    I256([u8; 32]),
    /// A text.
    Str(String),
    /// Bytes, of fixed or variable number.
    Bytes(Vec<u8>),
    /// Thirty-two bytes that the metadata calls an account.
    Account([u8; 32]),
    /// A sequence or an array.
    Seq(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// Nothing.
    Unit,
    /// A struct.
    Composite(Vec<(Option<Arc<str>>, Value)>),
    /// A variant of an enum.
    Variant {
        /// Its name.
        name: Arc<str>,
        /// Its index byte.
        index: u8,
        /// Its fields.
        fields: Vec<(Option<Arc<str>>, Value)>,
    },
    /// A bit sequence.
    Bits(Vec<bool>),
}

impl Value {
    /// The number of a non-negative integer of up to 128 bits.
    pub fn as_u128(&self) -> Option<u128> {
        match self {
            Value::Uint { value, .. } => Some(*value),
            Value::Int { value, .. } => u128::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The number of an integer of up to 127 bits and sign.
    pub fn as_i128(&self) -> Option<i128> {
        match self {
            Value::Uint { value, .. } => i128::try_from(*value).ok(),
            Value::Int { value, .. } => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is a non-negative integer and fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_u128()?.try_into().ok()
    }

    /// The number, if it is a non-negative integer and fits.
    pub fn as_u32(&self) -> Option<u32> {
        self.as_u128()?.try_into().ok()
    }

    /// The number, if it is a non-negative integer and fits.
    pub fn as_u16(&self) -> Option<u16> {
        self.as_u128()?.try_into().ok()
    }

    /// The number, if it is a non-negative integer and fits.
    pub fn as_u8(&self) -> Option<u8> {
        self.as_u128()?.try_into().ok()
    }

    /// The boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The account: one that the metadata calls so, or any 32 bytes.
    pub fn as_account(&self) -> Option<AccountId> {
        match self {
            Value::Account(bytes) => Some(AccountId(*bytes)),
            Value::Bytes(bytes) => <[u8; 32]>::try_from(bytes.as_slice()).ok().map(AccountId),
            _ => None,
        }
    }

    /// The account of an address: an account, or the enum variant `Id` or `Address32` around one.
    pub fn as_address(&self) -> Option<AccountId> {
        match self {
            Value::Variant { name, fields, .. } => match (&**name, fields.as_slice()) {
                ("Id" | "Address32", [(_, account)]) => account.as_account(),
                _ => None,
            },
            other => other.as_account(),
        }
    }

    /// The bytes of a byte string or an account.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            Value::Account(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The name of an enum variant.
    pub fn variant_name(&self) -> Option<&str> {
        match self {
            Value::Variant { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The fields of a struct or a variant; empty for anything else.
    pub fn fields(&self) -> &[(Option<Arc<str>>, Value)] {
        match self {
            Value::Composite(fields) | Value::Variant { fields, .. } => fields,
            _ => &[],
        }
    }

    /// The field of a name, of a struct or a variant.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields()
            .iter()
            .find(|(field, _)| field.as_deref() == Some(name))
            .map(|(_, value)| value)
    }

    /// The items of a sequence, an array or a tuple; empty for anything else.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Seq(items) | Value::Tuple(items) => items,
            _ => &[],
        }
    }

    /// Whether it is the empty one of an optional value.
    pub fn is_none(&self) -> bool {
        matches!(self.as_option(), Some(None))
    }

    /// An optional value as an option; `None` when it is not an optional value at all.
    ///
    /// Optional values are told by their shape: the variant `None` of index 0 without fields, and
    /// the variant `Some` of index 1 with one unnamed field.
    pub fn as_option(&self) -> Option<Option<&Value>> {
        let Value::Variant {
            name,
            index,
            fields,
        } = self
        else {
            return None;
        };
        match (&**name, index, fields.as_slice()) {
            ("None", 0, []) => Some(None),
            ("Some", 1, [(None, inner)]) => Some(Some(inner)),
            _ => None,
        }
    }

    /// A word for its kind in error messages.
    pub(crate) fn kind(&self) -> String {
        match self {
            Value::Bool(_) => "a boolean".into(),
            Value::Char(_) => "a character".into(),
            Value::Uint { width, value } => format!("the u{width} {value}"),
            Value::Int { width, value } => format!("the i{width} {value}"),
            Value::U256(_) => "a u256".into(),
            Value::I256(_) => "an i256".into(),
            Value::Str(_) => "a text".into(),
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Value::Account(_) => "an account".into(),
            Value::Seq(items) => format!("a sequence of {} items", items.len()),
            Value::Tuple(items) => format!("a tuple of {} items", items.len()),
            Value::Unit => "nothing".into(),
            Value::Composite(fields) => format!("a struct of {} fields", fields.len()),
            Value::Variant { name, fields, .. } => {
                format!("the variant {name} with {} fields", fields.len())
            }
            Value::Bits(bits) => format!("{} bits", bits.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_by_shape() {
        let none = Value::Variant {
            name: "None".into(),
            index: 0,
            fields: vec![],
        };
        let some = Value::Variant {
            name: "Some".into(),
            index: 1,
            fields: vec![(None, Value::Bool(true))],
        };
        let origin = Value::Variant {
            name: "None".into(),
            index: 2,
            fields: vec![],
        };
        assert!(none.is_none());
        assert_eq!(some.as_option(), Some(Some(&Value::Bool(true))));
        assert_eq!(origin.as_option(), None);
        assert_eq!(Value::Unit.as_option(), None);
    }

    #[test]
    fn numbers_that_do_not_fit_are_none() {
        let big = Value::Uint {
            width: 64,
            value: 65_536,
        };
        assert_eq!((big.as_u16(), big.as_u32()), (None, Some(65_536)));
        let negative = Value::Int {
            width: 16,
            value: -1,
        };
        assert_eq!((negative.as_u128(), negative.as_i128()), (None, Some(-1)));
    }
}
