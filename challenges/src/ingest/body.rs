//! Bytes of a request into JSON values, within bounds and without surprises: a member that
//! stands twice is refused, not overwritten.

use std::cell::RefCell;
use std::fmt;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{IngestError, Limits};

/// Unpacks gzip, at most so many bytes.
pub(super) fn unpacked(body: &[u8], max: usize) -> Result<Vec<u8>, IngestError> {
    let mut out = Vec::new();
    // One byte more than allowed tells that there is more; the rest is never unpacked.
    let most = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(body).take(most).read_to_end(&mut out);
    if out.len() > max {
        return Err(IngestError::UnpackedTooLarge { max });
    }
    match read {
        Ok(_) => Ok(out),
        Err(error) => Err(IngestError::BadGzip(error.to_string())),
    }
}

/// The records of a body: an object, a list of objects, or (`lines`) one object a line.
pub(super) fn records(
    body: &[u8],
    lines: bool,
    limits: &Limits,
) -> Result<Vec<Value>, IngestError> {
    let too_many = || IngestError::TooManyRecords {
        max: limits.records,
    };
    let mut records = Vec::new();
    if lines {
        for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            if records.len() == limits.records {
                return Err(too_many());
            }
            records.push(value(line, Some(number + 1), limits)?);
        }
    } else {
        match value(body, None, limits)? {
            Value::Array(list) if list.len() > limits.records => return Err(too_many()),
            Value::Array(list) => records = list,
            other => records.push(other),
        }
    }
    match records.is_empty() {
        true => Err(IngestError::Empty),
        false => Ok(records),
    }
}

/// One value, and nothing behind it.
fn value(bytes: &[u8], line: Option<usize>, limits: &Limits) -> Result<Value, IngestError> {
    let fault = RefCell::new(None);
    let seed = Strict {
        depth: 0,
        limits,
        fault: &fault,
    };
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let read = seed.deserialize(&mut from);
    let error = match read.and_then(|value| from.end().map(|()| value)) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let at = match line {
        Some(line) => format!("line {line}, column {}", error.column()),
        None => format!("line {}, column {}", error.line(), error.column()),
    };
    Err(match fault.into_inner() {
        Some(Fault::Deep) => IngestError::TooDeep {
            at,
            max: limits.depth,
        },
        Some(Fault::Long(len)) => IngestError::TextTooLong {
            at,
            len,
            max: limits.text_bytes,
        },
        Some(Fault::Twice(name)) => IngestError::DuplicateMember { at, name },
        None => IngestError::NotJson {
            at,
            what: reason(&error),
        },
    })
}

/// The parser's words without the place, which is told before.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

/// What JSON allows and this does not.
enum Fault {
    Deep,
    Long(usize),
    Twice(String),
}

/// Reads a value within bounds.
struct Strict<'a> {
    /// Objects and lists around it.
    depth: usize,
    limits: &'a Limits,
    /// Why it stopped, where JSON is not why.
    fault: &'a RefCell<Option<Fault>>,
}

impl Strict<'_> {
    fn stop<E: Error>(&self, fault: Fault) -> E {
        *self.fault.borrow_mut() = Some(fault);
        E::custom("refused")
    }

    fn text<E: Error>(&self, text: &str) -> Result<(), E> {
        match text.len() > self.limits.text_bytes {
            true => Err(self.stop(Fault::Long(text.len()))),
            false => Ok(()),
        }
    }

    fn inner<E: Error>(&self) -> Result<Self, E> {
        if self.depth == self.limits.depth {
            return Err(self.stop(Fault::Deep));
        }
        Ok(Strict {
            depth: self.depth + 1,
            ..*self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.text(value)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            inner.text(&name)?;
            if object.contains_key(&name) {
                return Err(inner.stop(Fault::Twice(name)));
            }
            let value = members.next_value_seed(Strict { ..inner })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}
