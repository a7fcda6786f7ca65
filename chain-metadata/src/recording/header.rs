//! Block headers: JSON-RPC form, SCALE form and hash.

use std::fmt;

use parity_scale_codec::{Compact, Decode, Encode};
use serde::de::{self, Deserializer, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use crate::ids::{BlockNumber, H256, blake2_256};

/// A block header with 32 bit numbers and blake2b-256 hashes, as subtensor has it.
///
/// Serde reads and writes the form of `chain_getHeader`: hex number, `digest.logs` as hex strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Hash of the block before.
    pub parent_hash: H256,
    /// Height.
    pub number: BlockNumber,
    /// Root of the state after the block.
    pub state_root: H256,
    /// Root of the block's extrinsics.
    pub extrinsics_root: H256,
    /// Digest items, each SCALE-encoded.
    pub logs: Vec<Vec<u8>>,
}

impl Header {
    /// blake2b-256 of the SCALE form: the hash of the block.
    pub fn hash(&self) -> H256 {
        blake2_256(&encode_header(self))
    }
}

/// The SCALE form of a header, which is what the chain hashes.
pub fn encode_header(header: &Header) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(&header.parent_hash.0);
    Compact(header.number).encode_to(&mut out);
    out.extend_from_slice(&header.state_root.0);
    out.extend_from_slice(&header.extrinsics_root.0);
    // A block with more than u32::MAX digest items cannot exist in memory next to its header.
    Compact(u32::try_from(header.logs.len()).unwrap_or(u32::MAX)).encode_to(&mut out);
    for log in &header.logs {
        out.extend_from_slice(log);
    }
    out
}

/// Undoes [`encode_header`]; `None` when the bytes are not exactly a header.
pub fn decode_header(bytes: &[u8]) -> Option<Header> {
    let mut input = bytes;
    let parent_hash = H256(<[u8; 32]>::decode(&mut input).ok()?);
    let number = Compact::<u32>::decode(&mut input).ok()?.0;
    let state_root = H256(<[u8; 32]>::decode(&mut input).ok()?);
    let extrinsics_root = H256(<[u8; 32]>::decode(&mut input).ok()?);
    let count = Compact::<u32>::decode(&mut input).ok()?.0;
    let mut logs = Vec::new();
    for _ in 0..count {
        // A digest item is a kind, an engine of four bytes for three of the
        // kinds, and bytes for all but the last, which marks a new runtime.
        let log = input;
        match u8::decode(&mut input).ok()? {
            0 => {}
            4..=6 => drop(<[u8; 4]>::decode(&mut input).ok()?),
            8 => {
                logs.push(log.get(..1)?.to_vec());
                continue;
            }
            _ => return None,
        }
        Vec::<u8>::decode(&mut input).ok()?;
        logs.push(log.get(..log.len() - input.len())?.to_vec());
    }
    input.is_empty().then_some(Header {
        parent_hash,
        number,
        state_root,
        extrinsics_root,
        logs,
    })
}

/// Bytes as `0x` and hex digits, decoded straight from the JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HexBytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HexVisitor;
        impl Visitor<'_> for HexVisitor {
            type Value = HexBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string of 0x and hex digits")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<HexBytes, E> {
                let digits = text
                    .strip_prefix("0x")
                    .ok_or_else(|| E::custom(format!("{:?} lacks 0x", shortened(text))))?;
                hex::decode(digits).map(HexBytes).map_err(|cause| {
                    E::custom(format!("{:?} is not hex: {cause}", shortened(text)))
                })
            }
        }
        deserializer.deserialize_str(HexVisitor)
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(24).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[derive(Deserialize)]
struct Digest {
    logs: Vec<HexBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeaderJson {
    parent_hash: H256,
    number: String,
    state_root: H256,
    extrinsics_root: H256,
    digest: Digest,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = HeaderJson::deserialize(deserializer)?;
        let number = json
            .number
            .strip_prefix("0x")
            .and_then(|digits| BlockNumber::from_str_radix(digits, 16).ok())
            .ok_or_else(|| {
                de::Error::custom(format!(
                    "{:?} is not a block number",
                    shortened(&json.number)
                ))
            })?;
        Ok(Header {
            parent_hash: json.parent_hash,
            number,
            state_root: json.state_root,
            extrinsics_root: json.extrinsics_root,
            logs: json.digest.logs.into_iter().map(|log| log.0).collect(),
        })
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Logs {
            logs: Vec<String>,
        }
        let logs = self
            .logs
            .iter()
            .map(|log| format!("0x{}", hex::encode(log)))
            .collect();
        let mut out = serializer.serialize_struct("Header", 5)?;
        out.serialize_field("parentHash", &self.parent_hash)?;
        out.serialize_field("number", &format!("{:#x}", self.number))?;
        out.serialize_field("stateRoot", &self.state_root)?;
        out.serialize_field("extrinsicsRoot", &self.extrinsics_root)?;
        out.serialize_field("digest", &Logs { logs })?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_undoes_encoding() {
        let header = Header {
            parent_hash: H256([1; 32]),
            number: 70_000,
            state_root: H256([2; 32]),
            extrinsics_root: H256([3; 32]),
            logs: vec![
                vec![6, b'a', b'u', b'r', b'a', 8, 9, 9],
                vec![8],
                vec![0, 4, 7],
            ],
        };
        let bytes = encode_header(&header);
        assert_eq!(decode_header(&bytes), Some(header));
        for cut in 0..bytes.len() {
            assert_eq!(decode_header(&bytes[..cut]), None);
        }
    }
}
