//! Values of answers: as JSON, as a cell of a table, and as the document of routes describes them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{OnceLock, PoisonError, RwLock};

use chain_metadata::{AccountId, H256};
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    U8,
    U16,
    U32,
    U64,
    /// Up to 128 bits.
    U128,
    F64,
    Text,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// A value in a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Whole(u64),
    Wide(u128),
    Float(f64),
    Text(Cow<'a, str>),
}

/// What stands in tables: one column, or for a record one for each of its fields.
pub(crate) trait Shown {
    /// Adds its columns under a name.
    fn columns(name: &str, into: &mut Vec<Column>);

    /// Adds as many cells; `None` is null in each.
    fn cells<'a>(value: Option<&'a Self>, into: &mut Vec<Cell<'a>>);
}

/// Adds one column.
fn one(name: &str, kind: Kind, into: &mut Vec<Column>) {
    into.push(Column {
        name: name.to_owned(),
        kind,
    });
}

macro_rules! shown {
    ($($type:ty: $kind:ident, $value:ident => $cell:expr;)*) => {$(
        impl Shown for $type {
            fn columns(name: &str, into: &mut Vec<Column>) {
                one(name, Kind::$kind, into);
            }

            fn cells<'a>(value: Option<&'a Self>, into: &mut Vec<Cell<'a>>) {
                into.push(value.map_or(Cell::Null, |$value| $cell));
            }
        }
    )*};
}

shown! {
    bool: Bool, value => Cell::Bool(*value);
    u8: U8, value => Cell::Whole(u64::from(*value));
    u16: U16, value => Cell::Whole(u64::from(*value));
    u32: U32, value => Cell::Whole(u64::from(*value));
    f64: F64, value => Cell::Float(*value);
    String: Text, value => Cell::Text(Cow::Borrowed(value));
    &'static str: Text, value => Cell::Text(Cow::Borrowed(value));
    Wide: U64, value => Cell::Whole(value.0);
    Huge: U128, value => value.0.parse().map_or(Cell::Null, Cell::Wide);
    Hash: Text, value => Cell::Text(Cow::Owned(value.0.to_string()));
    Account: Text, value => Cell::Text(Cow::Owned(value.text()));
    Bytes: Text, value => Cell::Text(Cow::Owned(value.text()));
    Any: Text, value => match &value.0 {
        serde_json::Value::Null => Cell::Null,
        serde_json::Value::String(text) => Cell::Text(Cow::Borrowed(text)),
        other => Cell::Text(Cow::Owned(other.to_string())),
    };
}

impl<T: Shown> Shown for Option<T> {
    fn columns(name: &str, into: &mut Vec<Column>) {
        T::columns(name, into);
    }

    fn cells<'a>(value: Option<&'a Self>, into: &mut Vec<Cell<'a>>) {
        T::cells(value.and_then(Option::as_ref), into);
    }
}

/// Lists are one cell: their JSON.
impl<T: Serialize> Shown for Vec<T> {
    fn columns(name: &str, into: &mut Vec<Column>) {
        one(name, Kind::Text, into);
    }

    fn cells<'a>(value: Option<&'a Self>, into: &mut Vec<Cell<'a>>) {
        let text = value.and_then(|list| serde_json::to_string(list).ok());
        into.push(text.map_or(Cell::Null, |text| Cell::Text(Cow::Owned(text))));
    }
}

macro_rules! described {
    ($($type:ty, $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.build().into()
            }
        }

        impl ToSchema for $type {}
    )*};
}

fn text(description: &str, pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .description(Some(description))
}

described! {
    Wide, text(
        "An unsigned integer of 64 bits, exact, as decimal digits: a JSON number loses digits \
         above 2^53 in many clients.",
        "^[0-9]{1,20}$",
    );
    Huge, text("An unsigned integer of 128 bits, exact, as decimal digits.", "^[0-9]{1,39}$");
    Hash, text("A hash of 32 bytes: 0x and 64 hex digits.", "^0x[0-9a-f]{64}$");
    Account, text("An account of 32 bytes as an ss58 address with prefix 42.", "^[1-9A-Za-z]{40,50}$")
        .format(Some(SchemaFormat::Custom("ss58".to_owned())));
    Bytes, text("Bytes as 0x-hex; 0x alone stands for none.", "^0x([0-9a-f]{2})*$");
    Any, ObjectBuilder::new().schema_type(SchemaType::Array(vec![Type::Object, Type::Array, Type::String, Type::Number, Type::Boolean])).description(Some(
        "A decoded chain value whose shape the runtime's metadata sets. Integers up to 32 bits are \
         numbers, wider ones decimal digits in a string; bytes are 0x-hex; accounts are ss58 \
         addresses; a variant is its name, or an object from its name to its fields; an absent \
         option is null.",
    ));
}

/// An unsigned integer of 64 bits, given out as decimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide(pub(crate) u64);

impl Serialize for Wide {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// An unsigned integer of 128 bits in decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Huge(pub(crate) String);

impl From<u128> for Huge {
    fn from(value: u128) -> Self {
        Self(value.to_string())
    }
}

/// A hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) H256);

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// Bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    fn text(&self) -> String {
        format!("0x{}", hex::encode(&self.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text())
    }
}

/// A decoded chain value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Any(pub(crate) serde_json::Value);

/// An account, given out as an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account(pub(crate) AccountId);

/// Addresses that were written before. A metagraph of 256 neurons has 512 of them, and making one
/// takes a hash and a division of 280 bits.
static WRITTEN: OnceLock<RwLock<HashMap<AccountId, Box<str>>>> = OnceLock::new();
/// Most addresses that are kept: some ten megabytes.
const MOST_WRITTEN: usize = 1 << 16;

impl Account {
    fn written<T>(&self, then: impl FnOnce(&str) -> T) -> T {
        let all = WRITTEN.get_or_init(RwLock::default);
        // What is in the map is right whoever stopped while writing to it.
        let known = all.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.get(&self.0) {
            return then(text);
        }
        drop(known);
        let text = self.0.to_string();
        let mut known = all.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_WRITTEN {
            known.clear();
        }
        known.insert(self.0, text.clone().into_boxed_str());
        drop(known);
        then(&text)
    }

    /// Its address.
    pub(crate) fn text(&self) -> String {
        self.written(str::to_owned)
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.written(|text| to.serialize_str(text))
    }
}

/// The name of a field below a record: both in one, as JSON writes names.
pub(crate) fn column(above: &str, field: &str) -> String {
    let mut name = above.to_owned();
    let mut upper = !above.is_empty();
    for char in field.chars() {
        match char {
            '_' => upper = true,
            _ if upper => {
                name.extend(char.to_uppercase());
                upper = false;
            }
            _ => name.push(char),
        }
    }
    name
}

/// Defines a record: its JSON, its schema and its columns.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $kind,)*
        }

        impl $crate::rest::reads::value::Shown for $name {
            fn columns(name: &str, into: &mut Vec<$crate::rest::reads::value::Column>) {
                use $crate::rest::reads::value::{Shown, column};
                $(<$kind as Shown>::columns(&column(name, stringify!($field)), into);)*
            }

            fn cells<'a>(
                value: Option<&'a Self>,
                into: &mut Vec<$crate::rest::reads::value::Cell<'a>>,
            ) {
                use $crate::rest::reads::value::Shown;
                $(<$kind as Shown>::cells(value.map(|value| &value.$field), into);)*
            }
        }
    };
}
pub(crate) use record;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_account_once_and_again() {
        let account = Account(AccountId([7; 32]));
        for _ in 0..2 {
            assert_eq!(account.text(), account.0.to_string());
        }
    }

    #[test]
    fn names_of_columns_are_those_of_json() {
        assert_eq!(column("", "last_update"), "lastUpdate");
        assert_eq!(column("axon", "ip_text"), "axonIpText");
    }
}
