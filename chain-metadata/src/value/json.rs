//! Values as JSON.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Value, wide};
use crate::AccountId;

impl Value {
    /// The value as JSON.
    ///
    /// Integers of up to 32 bits are numbers; wider ones are decimal strings, so that no reader
    /// rounds them. Bytes are `0x` hex, accounts ss58 of the given prefix. An absent optional
    /// value is null and a present one stands for itself. A variant without fields is its name;
    /// one with fields is an object of one member, the name, holding an object (named fields), an
    /// array (several unnamed ones) or the only field.
    pub fn to_json(&self, ss58_prefix: u16) -> Json {
        match self {
            Value::Bool(value) => Json::Bool(*value),
            Value::Char(value) => Json::String(value.to_string()),
            Value::Uint { width, value } => match u32::try_from(*value) {
                Ok(small) if *width <= 32 => Json::from(small),
                _ => Json::String(value.to_string()),
            },
            Value::Int { width, value } => match i32::try_from(*value) {
                Ok(small) if *width <= 32 => Json::from(small),
                _ => Json::String(value.to_string()),
            },
            Value::U256(bytes) => Json::String(wide::unsigned(bytes)),
            Value::I256(bytes) => Json::String(wide::signed(bytes)),
            Value::Str(text) => Json::String(text.clone()),
            Value::Bytes(bytes) => Json::String(format!("0x{}", hex::encode(bytes))),
            Value::Account(bytes) => Json::String(AccountId(*bytes).to_ss58(ss58_prefix)),
            Value::Seq(items) | Value::Tuple(items) => {
                items.iter().map(|item| item.to_json(ss58_prefix)).collect()
            }
            Value::Unit => Json::Null,
            Value::Composite(fields) => fields_json(fields, ss58_prefix),
            Value::Variant { name, fields, .. } => {
                if let Some(option) = self.as_option() {
                    return option.map_or(Json::Null, |inner| inner.to_json(ss58_prefix));
                }
                let inner = match fields.as_slice() {
                    [] => return Json::String(name.to_string()),
                    [(None, only)] => only.to_json(ss58_prefix),
                    several => fields_json(several, ss58_prefix),
                };
                Json::Object(Map::from_iter([(name.to_string(), inner)]))
            }
            Value::Bits(bits) => bits.iter().map(|bit| Json::Bool(*bit)).collect(),
        }
    }
}

/// Named fields as an object, unnamed ones as an array.
pub fn fields_json(fields: &[(Option<Arc<str>>, Value)], ss58_prefix: u16) -> Json {
    if fields.iter().any(|(name, _)| name.is_some()) {
        let members = fields.iter().enumerate().map(|(at, (name, value))| {
            let name = name
                .as_deref()
                .map_or_else(|| at.to_string(), str::to_owned);
            (name, value.to_json(ss58_prefix))
        });
        Json::Object(members.collect())
    } else {
        fields
            .iter()
            .map(|(_, value)| value.to_json(ss58_prefix))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn uint(width: u8, value: u128) -> Value {
        Value::Uint { width, value }
    }

    #[test]
    fn wide_numbers_are_strings() {
        assert_eq!(uint(32, 4_294_967_295).to_json(42), json!(4_294_967_295u32));
        assert_eq!(uint(64, 1).to_json(42), json!("1"));
        assert_eq!(
            uint(128, u128::MAX).to_json(42),
            json!("340282366920938463463374607431768211455")
        );
        let low = Value::Int {
            width: 32,
            value: i32::MIN.into(),
        };
        assert_eq!(low.to_json(42), json!(-2_147_483_648));
    }

    #[test]
    fn variants_by_their_fields() {
        let variant = |name: &str, index, fields| Value::Variant {
            name: name.into(),
            index,
            fields,
        };
        assert_eq!(variant("Normal", 0, vec![]).to_json(42), json!("Normal"));
        assert_eq!(variant("None", 0, vec![]).to_json(42), json!(null));
        assert_eq!(
            variant("Some", 1, vec![(None, uint(8, 3))]).to_json(42),
            json!(3)
        );
        assert_eq!(
            variant("Id", 0, vec![(None, Value::Bytes(vec![1, 255]))]).to_json(42),
            json!({"Id": "0x01ff"})
        );
        let named = vec![(Some("netuid".into()), uint(16, 3)), (None, Value::Unit)];
        assert_eq!(
            variant("Set", 4, named.clone()).to_json(42),
            json!({"Set": {"netuid": 3, "1": null}})
        );
        let unnamed = vec![(None, uint(16, 3)), (None, Value::Bool(true))];
        assert_eq!(
            variant("Pair", 4, unnamed.clone()).to_json(42),
            json!({"Pair": [3, true]})
        );
        assert_eq!(Value::Composite(unnamed).to_json(42), json!([3, true]));
    }
}
