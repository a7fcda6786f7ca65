//! Members of a JSON input, each refused with the place where it stands.
//!
//! A member that is `null` counts as absent. Members that nobody asks for are refused, so
//! that a misspelt name is not silently a default.

use serde_json::{Map, Value};

use crate::date;
use crate::profiles::InputError;

/// An object of an input and the place where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Object<'a> {
    at: String,
    members: &'a Map<String, Value>,
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Refuses what stands at a place.
pub(crate) fn refuse(at: impl Into<String>, what: impl std::fmt::Display) -> InputError {
    InputError::Field {
        at: at.into(),
        what: what.to_string(),
    }
}

fn wrong(at: &str, value: &Value, wanted: &str) -> InputError {
    refuse(at, format!("is {}; give {wanted}", kind(value)))
}

/// An object with no other members than `known`.
pub(crate) fn object<'a>(
    value: &'a Value,
    at: impl Into<String>,
    known: &[&str],
) -> Result<Object<'a>, InputError> {
    let at = at.into();
    let Value::Object(members) = value else {
        return Err(wrong(&at, value, "an object"));
    };
    let object = Object { at, members };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(object),
        Some(name) => Err(object.refuse(
            name,
            format!("is not known here; known are {}", known.join(", ")),
        )),
    }
}

/// A text that is not empty.
pub(crate) fn text<'a>(value: &'a Value, at: &str) -> Result<&'a str, InputError> {
    match value {
        Value::String(text) if text.is_empty() => Err(refuse(at, "is empty; give a text")),
        Value::String(text) => Ok(text),
        _ => Err(wrong(at, value, "a text")),
    }
}

/// A number.
pub(crate) fn number(value: &Value, at: &str) -> Result<f64, InputError> {
    let number = value.as_f64().filter(|number| number.is_finite());
    number.ok_or_else(|| wrong(at, value, "a number"))
}

/// A whole number from 0 on.
pub(crate) fn whole(value: &Value, at: &str) -> Result<u64, InputError> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .ok_or_else(|| refuse(at, format!("is {number}; give a whole number from 0 on"))),
        _ => Err(wrong(at, value, "a whole number from 0 on")),
    }
}

/// A time, in microseconds since 1970: a text as ISO 8601 has it, or milliseconds.
pub(crate) fn time(value: &Value, at: &str) -> Result<i64, InputError> {
    const WANTED: &str = "a time as 2025-10-10T12:00:00Z or in milliseconds since 1970";
    let found = match value {
        Value::String(text) => date::parse(text),
        Value::Number(number) => number.as_i64().and_then(|ms| ms.checked_mul(1000)),
        _ => return Err(wrong(at, value, WANTED)),
    };
    found.ok_or_else(|| refuse(at, format!("is {value}; give {WANTED}")))
}

impl<'a> Object<'a> {
    /// Place of a member.
    pub(crate) fn place(&self, name: &str) -> String {
        if self.at.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.at)
        }
    }

    /// Refuses a member.
    pub(crate) fn refuse(&self, name: &str, what: impl std::fmt::Display) -> InputError {
        refuse(self.place(name), what)
    }

    /// A member if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A member if it is there, read by `read`.
    pub(crate) fn maybe<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'a Value, &str) -> Result<T, InputError>,
    ) -> Result<Option<T>, InputError> {
        self.get(name)
            .map(|value| read(value, &self.place(name)))
            .transpose()
    }

    /// A member that must be there, read by `read`.
    pub(crate) fn must<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'a Value, &str) -> Result<T, InputError>,
    ) -> Result<T, InputError> {
        self.maybe(name, read)?
            .ok_or_else(|| self.refuse(name, "is missing; give it"))
    }

    /// A whole number that fits.
    pub(crate) fn fits<T: TryFrom<u64>>(&self, name: &str) -> Result<Option<T>, InputError> {
        let Some(number) = self.maybe(name, whole)? else {
            return Ok(None);
        };
        let fits = T::try_from(number);
        fits.map(Some)
            .map_err(|_| self.refuse(name, format!("is {number}; that is too great")))
    }

    /// True or false; `default` when it is absent.
    pub(crate) fn flag(&self, name: &str, default: Option<bool>) -> Result<bool, InputError> {
        match self.get(name) {
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong(&self.place(name), other, "true or false")),
            None => default.ok_or_else(|| self.refuse(name, "is missing; give true or false")),
        }
    }

    /// Items of a list with their places; none when it is absent.
    pub(crate) fn items(&self, name: &str) -> Result<Vec<(String, &'a Value)>, InputError> {
        let at = self.place(name);
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, item)| (format!("{at}[{index}]"), item))
                .collect()),
            Some(other) => Err(wrong(&at, other, "a list")),
        }
    }

    /// Members of an object whose names are free, with their places; none when it is absent.
    pub(crate) fn entries(
        &self,
        name: &str,
    ) -> Result<Vec<(String, &'a str, &'a Value)>, InputError> {
        let at = self.place(name);
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Object(members)) => Ok(members
                .iter()
                .map(|(name, value)| (format!("{at}.{name}"), name.as_str(), value))
                .collect()),
            Some(other) => Err(wrong(&at, other, "an object")),
        }
    }
}
