//! Storage entries: their keys and their values.

use crate::scale::{decode_all, decode_type, encode_type, end, skip_type, take};
use crate::types::Types;
use crate::{DecodeCause, DecodeError, Hasher, Value};

/// One item, map or multi-map of a pallet's storage.
#[derive(Debug, Clone)]
pub struct StorageEntry {
    /// Name of the pallet.
    pub pallet: String,
    /// Name of the entry.
    pub name: String,
    /// First 32 bytes of all its keys. Made from the pallet's storage prefix, which may differ
    /// from the pallet's name.
    pub prefix: [u8; 32],
    /// One hasher per key part; none for a plain item.
    pub hashers: Vec<Hasher>,
    /// Type of each key part.
    pub keys: Vec<u32>,
    /// Type of the value.
    pub value: u32,
    /// Whether an absent key means "nothing" rather than the default.
    pub optional: bool,
    /// Encoded value that stands for an absent key when the entry is not optional.
    pub default: Vec<u8>,
    /// Documentation lines.
    pub docs: Vec<String>,
}

/// A part of a storage key, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// The plain key.
    Value(Value),
    /// Only its hash is in the storage key.
    Hashed(Vec<u8>),
}

impl KeyPart {
    /// The plain key, if it is there.
    pub fn value(&self) -> Option<&Value> {
        match self {
            KeyPart::Value(value) => Some(value),
            KeyPart::Hashed(_) => None,
        }
    }
}

impl StorageEntry {
    /// The storage key for key parts; with fewer parts than the entry has, the common beginning of
    /// all keys under them.
    ///
    /// # Errors
    /// When there are too many parts, or one does not fit its type.
    pub fn key(&self, types: &Types, keys: &[Value]) -> Result<Vec<u8>, DecodeError> {
        if keys.len() > self.keys.len() {
            return Err(self.error(DecodeCause::TooManyKeys {
                given: keys.len(),
                wanted: self.keys.len(),
            }));
        }
        let mut out = self.prefix.to_vec();
        let mut encoded = Vec::new();
        for ((value, ty), hasher) in keys.iter().zip(&self.keys).zip(&self.hashers) {
            encoded.clear();
            encode_type(types, *ty, value, &mut encoded).map_err(|cause| self.error(cause))?;
            hasher.hash_into(&encoded, &mut out);
        }
        Ok(out)
    }

    /// The storage key for key parts that are already encoded; parts beyond those of the entry are
    /// left out.
    pub fn key_of_encoded(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = self.prefix.to_vec();
        for (part, hasher) in parts.iter().zip(&self.hashers) {
            hasher.hash_into(part, &mut out);
        }
        out
    }

    /// Reads the parts of a whole storage key back.
    ///
    /// # Errors
    /// When the key belongs to another entry, a hash does not match the plain key behind it, or
    /// bytes are left over.
    pub fn decode_keys(&self, types: &Types, key: &[u8]) -> Result<Vec<KeyPart>, DecodeError> {
        let Some(mut rest) = key.strip_prefix(&self.prefix) else {
            return Err(self.error(DecodeCause::WrongPrefix));
        };
        let mut parts = Vec::with_capacity(self.keys.len());
        let mut digest = Vec::new();
        for (part, (ty, hasher)) in self.keys.iter().zip(&self.hashers).enumerate() {
            let hash = take(&mut rest, hasher.hash_len()).map_err(|cause| self.error(cause))?;
            if !hasher.is_reversible() {
                parts.push(KeyPart::Hashed(hash.to_vec()));
                continue;
            }
            let plain = rest;
            let value = decode_type(types, *ty, &mut rest).map_err(|cause| self.error(cause))?;
            let length = plain.len() - rest.len();
            digest.clear();
            hasher.digest_into(plain.get(..length).unwrap_or_default(), &mut digest);
            if digest != hash {
                return Err(self.error(DecodeCause::WrongKeyHash { part }));
            }
            parts.push(KeyPart::Value(value));
        }
        end(rest).map_err(|cause| self.error(cause))?;
        Ok(parts)
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// When the bytes do not fit the type, or some are left over.
    pub fn decode_value(&self, types: &Types, bytes: &[u8]) -> Result<Value, DecodeError> {
        decode_all(types, self.value, bytes).map_err(|cause| self.error(cause))
    }

    /// Whether [`decode_value`](Self::decode_value) would succeed, without making the value.
    ///
    /// # Errors
    /// As there.
    pub fn check_value(&self, types: &Types, mut bytes: &[u8]) -> Result<(), DecodeError> {
        skip_type(types, self.value, &mut bytes)
            .and_then(|()| end(bytes))
            .map_err(|cause| self.error(cause))
    }

    /// What an absent key stands for; `None` when the entry is optional.
    ///
    /// # Errors
    /// When the default in the metadata does not fit the type.
    pub fn default_value(&self, types: &Types) -> Result<Option<Value>, DecodeError> {
        if self.optional {
            return Ok(None);
        }
        self.decode_value(types, &self.default).map(Some)
    }

    /// An error at this entry.
    pub(crate) fn error(&self, cause: impl Into<DecodeCause>) -> DecodeError {
        DecodeError::new(&*self.pallet, &*self.name, cause)
    }
}
