//! What methods answer, made to be written out without intermediate copies.

use std::sync::Arc;

use chain_metadata::H256;
use chain_metadata::Header;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Result of a method.
pub(crate) type Reply = Result<Answer, ErrorObjectOwned>;

/// The `result` of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Null,
    Text(String),
    List(Vec<Answer>),
    Json(serde_json::Value),
    Header(Header),
    Block(Header, Arc<RawValue>),
    /// A block's hash and values by key, both as hex.
    Changes(H256, Vec<(String, Option<String>)>),
}

impl Answer {
    pub(crate) fn bytes(bytes: &[u8]) -> Answer {
        Answer::Text(hex(bytes))
    }

    pub(crate) fn hash(hash: H256) -> Answer {
        Answer::Text(hex(&hash.0))
    }

    pub(crate) fn maybe_bytes(bytes: Option<&[u8]>) -> Answer {
        bytes.map_or(Answer::Null, Answer::bytes)
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Answer::Null => serializer.serialize_unit(),
            Answer::Text(text) => serializer.serialize_str(text),
            Answer::List(list) => list.serialize(serializer),
            Answer::Json(value) => value.serialize(serializer),
            Answer::Header(header) => header.serialize(serializer),
            Answer::Block(header, extrinsics) => {
                #[derive(Serialize)]
                struct Body<'a> {
                    header: &'a Header,
                    extrinsics: &'a RawValue,
                }
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("block", &Body { header, extrinsics })?;
                map.serialize_entry("justifications", &())?;
                map.end()
            }
            Answer::Changes(block, changes) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("block", block)?;
                map.serialize_entry("changes", changes)?;
                map.end()
            }
        }
    }
}

/// `0x` and the bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", faster_hex::hex_string(bytes))
}

/// Bytes given as hex text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HexVisitor;
        impl serde::de::Visitor<'_> for HexVisitor {
            type Value = Hex;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string of hex digits")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hex, E> {
                // Nodes take hex without 0x too, and some clients rely on it.
                let digits = text.strip_prefix("0x").unwrap_or(text);
                hex::decode(digits).map(Hex).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(HexVisitor)
    }
}

/// The error of a Substrate node's client: code -32000.
pub(crate) fn client_error(message: String) -> ErrorObjectOwned {
    ErrorObject::owned(-32000, message, None::<()>)
}

/// Arguments that are no arguments: code -32602.
pub(crate) fn invalid_params(message: String) -> ErrorObjectOwned {
    ErrorObject::owned(-32602, message, None::<()>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = hex(&bytes);
        assert_eq!(text, format!("0x{}", hex::encode(&bytes)));
        assert_eq!(
            serde_json::from_str::<Hex>(&format!("{text:?}")).unwrap().0,
            bytes
        );
        assert_eq!(hex(&[]), "0x");
        assert_eq!(
            serde_json::from_str::<Hex>("\"0aff\"").unwrap().0,
            [10, 255]
        );
        for bad in ["\"0x0\"", "\"0xzz\"", "3", "null"] {
            assert!(serde_json::from_str::<Hex>(bad).is_err(), "{bad}");
        }
    }
}
