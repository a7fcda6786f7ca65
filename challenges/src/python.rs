//! JSON as Python reads and writes it.
//!
//! Hashes and signatures of some systems are over the text that Python's `json.dumps` makes,
//! so member order, number forms and escapes must survive. [`Json`] keeps them: members in the
//! order given, integers of any length, floats as Python's `repr`.
//!
//! Two things Python takes and this refuses: `NaN` and infinities, and half surrogate pairs.

mod parse;
mod path;
mod write;

pub use parse::{JsonError, MAX_DEPTH, parse, parse_slice};
pub use path::{At, Wrong};
pub use write::{dumps, float_repr};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value that Python would write again as it read it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of any length, as decimal digits with an optional `-`.
    Int(String),
    /// A finite float.
    Float(f64),
    /// A text.
    Str(String),
    /// A list.
    List(Vec<Json>),
    /// An object; members in the order in which their names came first. As in Python the last
    /// value of a name counts.
    Dict(Vec<(String, Json)>),
}

impl Json {
    /// A member of an object; `None` when it has none of this name or is no object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Dict(members) => members.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// An object of these members.
    pub fn dict<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Dict(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Whether Python takes it for false: null, false, 0, and what is empty.
    pub fn is_falsy(&self) -> bool {
        match self {
            Json::Null => true,
            Json::Bool(value) => !value,
            Json::Int(digits) => digits == "0",
            Json::Float(value) => *value == 0.0,
            Json::Str(text) => text.is_empty(),
            Json::List(items) => items.is_empty(),
            Json::Dict(members) => members.is_empty(),
        }
    }
}

impl From<&serde_json::Value> for Json {
    /// Members come in the order in which the other value holds them: sorted.
    fn from(value: &serde_json::Value) -> Json {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(value) => Json::Bool(*value),
            serde_json::Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => Json::Float(float),
                _ => Json::Int(number.to_string()),
            },
            serde_json::Value::String(text) => Json::Str(text.clone()),
            serde_json::Value::Array(items) => Json::List(items.iter().map(Json::from).collect()),
            serde_json::Value::Object(members) => {
                let pair =
                    |(name, value): (&String, &serde_json::Value)| (name.clone(), value.into());
                Json::Dict(members.iter().map(pair).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    /// Only from `serde_json`: the text itself is read, since numbers must not pass through
    /// another form.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        parse(raw.get()).map_err(D::Error::custom)
    }
}

impl Serialize for Json {
    /// Only to `serde_json`, as Python's text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let raw = RawValue::from_string(dumps(self)).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
