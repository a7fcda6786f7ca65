//! Account ids and their ss58 text form.

use std::fmt;
use std::str::FromStr;

use blake2::digest::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::bytes32::parse_hex32;

mod written;

/// The ss58 prefix that Bittensor (and generic Substrate) uses.
const DEFAULT_PREFIX: u16 = 42;

/// A 32 byte account: a public key, or an address derived by a pallet.
///
/// Its text form is ss58 with prefix 42.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AccountId(pub [u8; 32]);

/// Why a text is not an account or a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Neither ss58 characters nor `0x`.
    #[error("`{0}` is not an ss58 address: it has characters outside base 58")]
    NotBase58(String),
    /// The decoded address has another length than prefix, account and checksum.
    #[error("`{text}` holds {length} bytes, an ss58 account has 35 or 36")]
    WrongLength {
        /// The text as given.
        text: String,
        /// Bytes after base 58 decoding.
        length: usize,
    },
    /// The first byte announces a form of ss58 that does not exist.
    #[error("`{text}` begins with the reserved ss58 prefix byte {first}")]
    ReservedPrefix {
        /// The text as given.
        text: String,
        /// The first byte.
        first: u8,
    },
    /// A character was mistyped.
    #[error("the checksum of `{0}` is wrong: check the address for a typing error")]
    WrongChecksum(String),
    /// Not `0x` and 64 hex digits.
    #[error("`{0}` is not 0x followed by 64 hex digits")]
    NotHex(String),
}

impl AccountId {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The ss58 text for a network prefix (0..=16383, of which 42 is Bittensor's; bits above are
    /// not part of an ss58 prefix and are left out).
    pub fn to_ss58(&self, prefix: u16) -> String {
        if prefix != DEFAULT_PREFIX {
            return self.written(prefix);
        }
        if let Some(text) = written::find(self) {
            return text;
        }
        let text = self.written(prefix);
        written::keep(self, &text);
        text
    }

    fn written(&self, prefix: u16) -> String {
        let mut bytes = [0; 36];
        let length = write_prefix(prefix, &mut bytes);
        let checked = length + 32;
        bytes[length..checked].copy_from_slice(&self.0);
        let [first, second] = checksum(&bytes[..checked]);
        bytes[checked] = first;
        bytes[checked + 1] = second;
        bs58::encode(&bytes[..checked + 2]).into_string()
    }

    /// Reads an ss58 text of any network and says which prefix it has.
    ///
    /// # Errors
    /// When the text is not base 58, has another length than a 32 byte account, or its checksum
    /// is wrong.
    pub fn from_ss58(text: &str) -> Result<(AccountId, u16), IdError> {
        // Longest text of 36 bytes in base 58 is 50 characters: refuse before decoding.
        if text.len() > 64 {
            return Err(IdError::WrongLength {
                text: text.chars().take(64).collect::<String>() + "…",
                length: text.len(),
            });
        }
        let bytes = bs58::decode(text)
            .into_vec()
            .map_err(|_| IdError::NotBase58(text.to_owned()))?;
        let (prefix, rest) = read_prefix(text, &bytes)?;
        let wrong_length = || IdError::WrongLength {
            text: text.to_owned(),
            length: bytes.len(),
        };
        let (account, given) = rest.split_first_chunk::<32>().ok_or_else(wrong_length)?;
        let given = <[u8; 2]>::try_from(given).map_err(|_| wrong_length())?;
        let checked = bytes.split_last_chunk::<2>().ok_or_else(wrong_length)?.0;
        if checksum(checked) != given {
            return Err(IdError::WrongChecksum(text.to_owned()));
        }
        Ok((AccountId(*account), prefix))
    }
}

/// Puts the prefix at the start of the buffer and says how many bytes it takes.
fn write_prefix(prefix: u16, out: &mut [u8; 36]) -> usize {
    let [low, high] = (prefix & 0x3fff).to_le_bytes();
    if high == 0 && low < 64 {
        out[0] = low;
        return 1;
    }
    // The fourteen bits are spread so that the first byte lies in 64..128.
    out[0] = (low >> 2) | 0x40;
    out[1] = high | (low << 6);
    2
}

fn read_prefix<'a>(text: &str, bytes: &'a [u8]) -> Result<(u16, &'a [u8]), IdError> {
    match bytes {
        [first @ 0..=63, rest @ ..] => Ok((u16::from(*first), rest)),
        [first @ 64..=127, second, rest @ ..] => {
            let low = (first << 2) | (second >> 6);
            let high = second & 0x3f;
            Ok((u16::from_le_bytes([low, high]), rest))
        }
        [first @ 128..=255, ..] => Err(IdError::ReservedPrefix {
            text: text.to_owned(),
            first: *first,
        }),
        _ => Err(IdError::WrongLength {
            text: text.to_owned(),
            length: bytes.len(),
        }),
    }
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let digest = blake2::Blake2b512::new()
        .chain_update(b"SS58PRE")
        .chain_update(bytes)
        .finalize();
    [digest[0], digest[1]]
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_ss58(DEFAULT_PREFIX))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; 32]> for AccountId {
    fn from(bytes: [u8; 32]) -> Self {
        AccountId(bytes)
    }
}

impl AsRef<[u8]> for AccountId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = IdError;

    /// Reads ss58 of any prefix, or `0x` and 64 hex digits.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.starts_with("0x") {
            return parse_hex32(text).map(AccountId);
        }
        AccountId::from_ss58(text).map(|(account, _)| account)
    }
}

impl Serialize for AccountId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const ALICE_HEX: &str = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

    #[test]
    fn alice_in_two_forms() {
        let alice: AccountId = ALICE.parse().unwrap();
        assert_eq!(ALICE_HEX.parse::<AccountId>().unwrap(), alice);
        assert_eq!(alice.to_string(), ALICE);
        // The same key on the relay chains, as published there.
        assert_eq!(
            alice.to_ss58(0),
            "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"
        );
        assert_eq!(serde_json::to_value(alice).unwrap(), ALICE);
        assert_eq!(
            serde_json::from_value::<AccountId>(ALICE_HEX.into()).unwrap(),
            alice
        );
    }

    #[test]
    fn a_text_that_was_written_before_is_the_same() {
        // More than are remembered, and each twice.
        for number in (0..40_000_u32).chain(0..40_000) {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            bytes[28..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_le_bytes());
            let account = AccountId(bytes);
            assert_eq!(account.to_ss58(42), account.written(42));
        }
        // The same place, another account.
        let (mut a, mut b) = ([1; 32], [1; 32]);
        (a[31], b[31]) = (5, 6);
        for account in [a, b, a].map(AccountId) {
            assert_eq!(account.to_ss58(42), account.written(42));
        }
    }

    #[test]
    fn every_prefix_survives() {
        let account = AccountId([7; 32]);
        for prefix in 0..16384 {
            let text = account.to_ss58(prefix);
            assert_eq!(AccountId::from_ss58(&text), Ok((account, prefix)));
        }
    }

    #[test]
    fn every_single_wrong_character_is_noticed() {
        for at in 0..ALICE.len() {
            for with in ['1', 'x', 'Z', '0', 'l', 'é'] {
                let mut text: Vec<char> = ALICE.chars().collect();
                if text[at] == with {
                    continue;
                }
                text[at] = with;
                let text: String = text.into_iter().collect();
                assert!(text.parse::<AccountId>().is_err(), "{text}");
            }
        }
        assert!("".parse::<AccountId>().is_err());
        assert!("5Grw".parse::<AccountId>().is_err());
        assert!("5".repeat(100_000).parse::<AccountId>().is_err());
    }
}
