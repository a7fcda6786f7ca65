//! A 32 byte hash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::IdError;

/// A 32 byte hash; text form is `0x` and 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct H256(pub [u8; 32]);

impl H256 {
    /// Thirty-two zero bytes: what some nodes answer for a block they do not have.
    pub const ZERO: H256 = H256([0; 32]);

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for H256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for H256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; 32]> for H256 {
    fn from(bytes: [u8; 32]) -> Self {
        H256(bytes)
    }
}

impl AsRef<[u8]> for H256 {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for H256 {
    type Err = IdError;

    /// Reads `0x` and 64 hex digits of either case.
    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_hex32(text).map(H256)
    }
}

pub(super) fn parse_hex32(text: &str) -> Result<[u8; 32], IdError> {
    let digits = text
        .strip_prefix("0x")
        .ok_or_else(|| IdError::NotHex(text.to_owned()))?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| IdError::NotHex(text.to_owned()))?;
    Ok(bytes)
}

impl Serialize for H256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for H256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let text = format!("0x{}", "ab".repeat(32));
        let hash: H256 = text.parse().unwrap();
        assert_eq!(hash, H256([0xab; 32]));
        assert_eq!(hash.to_string(), text);
        assert_eq!(format!("{hash:?}"), text);
        assert_eq!(serde_json::to_value(hash).unwrap(), text);
        assert!("ab".repeat(32).parse::<H256>().is_err());
        assert!("0xab".parse::<H256>().is_err());
        assert!(format!("0x{}", "zz".repeat(32)).parse::<H256>().is_err());
    }
}
