//! Our values against the JSON of other decoders.

use chain_metadata::{AccountId, Value};
use serde_json::Value as Json;

/// Whether a value is what the codec of the Python client shows: integers bare, addresses and
/// `Id` addresses as ss58, bytes as hex, unit variants by name.
pub(crate) fn same_as_python(value: &Value, theirs: &Json) -> Result<(), String> {
    let differs = || Err(format!("{value:?} is not {theirs}"));
    if let Some(option) = value.as_option() {
        return match option {
            None if theirs.is_null() => Ok(()),
            None => differs(),
            Some(inner) => same_as_python(inner, theirs),
        };
    }
    match value {
        Value::Bool(ours) => check(theirs == ours, differs),
        Value::Uint { value: ours, .. } => check(number(theirs) == ours.to_string(), differs),
        Value::Int { value: ours, .. } => check(number(theirs) == ours.to_string(), differs),
        Value::Account(bytes) => check(theirs == &AccountId(*bytes).to_ss58(42), differs),
        Value::Str(ours) => check(theirs == ours, differs),
        Value::Bytes(bytes) => check(
            theirs == &format!("0x{}", hex::encode(bytes)) || bytes_as_numbers(bytes, theirs),
            differs,
        ),
        Value::Unit => check(theirs.is_null() || theirs == &Json::Array(vec![]), differs),
        Value::Seq(items) | Value::Tuple(items) => match theirs {
            Json::Array(list) => all(items, list),
            _ => differs(),
        },
        Value::Composite(fields) => same_fields(fields, theirs),
        Value::Variant { name, fields, .. } => match (fields.as_slice(), theirs) {
            ([], theirs) => check(theirs == &**name, differs),
            ([(_, only)], Json::String(_)) if &**name == "Id" => same_as_python(only, theirs),
            (fields, Json::Object(map)) if map.len() == 1 && map.contains_key(&**name) => {
                let inner = &map[&**name];
                match fields {
                    [(None, only)] => same_as_python(only, inner),
                    several => same_fields(several, inner),
                }
            }
            _ => differs(),
        },
        _ => differs(),
    }
}

/// Whether fields are the same, by name or by position.
pub(crate) fn same_fields<N: AsRef<str>>(
    fields: &[(Option<N>, Value)],
    theirs: &Json,
) -> Result<(), String> {
    match theirs {
        Json::Object(map) => {
            if map.len() != fields.len() {
                return Err(format!("{} fields instead of {}", fields.len(), map.len()));
            }
            for (name, value) in fields {
                let name = name.as_ref().map_or("", AsRef::as_ref);
                let theirs = map.get(name).ok_or_else(|| format!("no field {name}"))?;
                same_as_python(value, theirs).map_err(|e| format!("{name}: {e}"))?;
            }
            Ok(())
        }
        Json::Array(list) => {
            let values: Vec<Value> = fields.iter().map(|(_, value)| value.clone()).collect();
            all(&values, list)
        }
        other => Err(format!("fields against {other}")),
    }
}

fn all(ours: &[Value], theirs: &[Json]) -> Result<(), String> {
    if ours.len() != theirs.len() {
        return Err(format!("{} items instead of {}", ours.len(), theirs.len()));
    }
    ours.iter()
        .zip(theirs)
        .try_for_each(|(ours, theirs)| same_as_python(ours, theirs))
}

/// Whether a value is what the Subsquid codec of the explorer shows: integers of 64 bits as
/// strings, accounts as hex, variants with `__kind`, camelCase names.
pub(crate) fn same_as_explorer(value: &Value, theirs: &Json) -> Result<(), String> {
    let differs = || Err(format!("{value:?} is not {theirs}"));
    if let Some(Some(inner)) = value.as_option() {
        return same_as_explorer(inner, theirs);
    }
    match value {
        Value::Bool(ours) => check(theirs == ours, differs),
        Value::Uint { width, value: ours } => {
            let form = if *width > 32 {
                theirs.is_string()
            } else {
                theirs.is_number()
            };
            check(form && number(theirs) == ours.to_string(), differs)
        }
        Value::Account(bytes) => check(theirs == &format!("0x{}", hex::encode(bytes)), differs),
        Value::Bytes(bytes) => check(theirs == &format!("0x{}", hex::encode(bytes)), differs),
        Value::Seq(items) | Value::Tuple(items) => match theirs {
            Json::Array(list) if list.len() == items.len() => {
                let mut pairs = items.iter().zip(list);
                pairs.try_for_each(|(ours, theirs)| same_as_explorer(ours, theirs))
            }
            _ => differs(),
        },
        Value::Composite(fields) => {
            let named = fields
                .iter()
                .map(|(name, value)| (name.as_deref().unwrap_or(""), value));
            same_members(named.collect(), theirs, 0)
        }
        Value::Variant { name, fields, .. } => {
            check(theirs["__kind"] == **name, differs)?;
            match fields.as_slice() {
                [(None, only)] => same_as_explorer(only, &theirs["value"]),
                fields => {
                    let named = fields
                        .iter()
                        .map(|(name, value)| (name.as_deref().unwrap_or(""), value));
                    same_members(named.collect(), theirs, 1)
                }
            }
        }
        _ => differs(),
    }
}

/// Members by camelCase name; `others` is how many more theirs has.
pub(crate) fn same_members(
    ours: Vec<(&str, &Value)>,
    theirs: &Json,
    others: usize,
) -> Result<(), String> {
    let count = theirs.as_object().map_or(0, |map| map.len());
    if count != ours.len() + others {
        return Err(format!("{} members instead of {count}", ours.len()));
    }
    for (name, value) in ours {
        let theirs = &theirs[camel_case(name)];
        same_as_explorer(value, theirs).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

fn camel_case(name: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn check(holds: bool, differs: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    if holds { Ok(()) } else { differs() }
}

fn number(json: &Json) -> String {
    match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => String::new(),
    }
}

fn bytes_as_numbers(bytes: &[u8], theirs: &Json) -> bool {
    theirs.as_array().is_some_and(|list| {
        list.len() == bytes.len() && list.iter().zip(bytes).all(|(theirs, ours)| theirs == ours)
    })
}
