//! API keys: how one looks, how it is kept, and how a request shows one.
//!
//! A key is `ysk_`, twelve hex digits that name it, `_`, and 64 hex digits, which are 256 random
//! bits. Only SHA-256 of it is kept. A slow hash is there to make guessing of weak secrets
//! expensive; there is nothing to guess here: 2^256 possibilities are out of reach at any price of
//! a try, and a fast hash leaves no way to occupy the server with wrong keys.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::rate::Rate;

/// What every key begins with.
const PREFIX: &str = "ysk_";
/// Hex digits of the part that names a key.
pub const ID_DIGITS: usize = 12;
/// Random bytes of a key.
pub const SECRET_BYTES: usize = 32;

/// What a key may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Ask: GraphQL, REST, streams.
    pub read: bool,
    /// Deliver reports of challenge results. They must be signed all the same.
    pub ingest: bool,
}

/// A key as it is kept: nothing of it opens the door.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// The part that names it, hex digits.
    pub id: String,
    /// What its holder is called in logs.
    pub name: String,
    /// SHA-256, see [`key_hash`].
    pub hash: [u8; 32],
    /// What it may do.
    pub scopes: Scopes,
    /// Its own rate; that of the settings when `None`.
    pub rate: Option<Rate>,
    /// Milliseconds since 1970 from which on it is worth nothing; never when `None`.
    pub expires_ms: Option<u64>,
}

/// Writes a key out of its parts.
pub fn key_text(id: &str, secret: &[u8; SECRET_BYTES]) -> String {
    format!("{PREFIX}{id}_{}", hex::encode(secret))
}

/// What is kept of a key: SHA-256 of a word of ours, the naming part and the secret.
pub fn key_hash(id: &str, secret: &[u8; SECRET_BYTES]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"yumascope api key 1\0");
    hash.update(id.as_bytes());
    hash.update([0]);
    hash.update(secret);
    hash.finalize().into()
}

/// The naming part and the secret of a key; `None` when the text is no key.
fn parts(text: &str) -> Option<(&str, [u8; SECRET_BYTES])> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    if id.len() != ID_DIGITS || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; SECRET_BYTES];
    hex::decode_to_slice(secret, &mut bytes).ok()?;
    Some((id, bytes))
}

/// The keys in force. They can be replaced while the server runs.
#[derive(Default)]
pub struct Keys {
    table: RwLock<Arc<HashMap<String, Arc<ApiKey>>>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("count", &self.now().len())
            .finish()
    }
}

impl Keys {
    /// A table of keys.
    pub fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        let table = Self::default();
        table.replace(keys);
        table
    }

    /// Puts other keys in the place of all. Open streams of keys that are gone are cut within
    /// seconds.
    pub fn replace(&self, keys: impl IntoIterator<Item = ApiKey>) {
        let keys = keys.into_iter().map(|key| (key.id.clone(), Arc::new(key)));
        let table = Arc::new(keys.collect());
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
    }

    fn now(&self) -> Arc<HashMap<String, Arc<ApiKey>>> {
        self.table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The key whose text this is.
    pub(super) fn verify(&self, text: &str, now_ms: u64) -> Result<Arc<ApiKey>, WrongKey> {
        let (id, secret) = parts(text).ok_or(WrongKey::Malformed)?;
        let table = self.now();
        let found = table.get(id);
        let hash = key_hash(id, &secret);
        // An unknown name costs the same comparison as a wrong secret.
        let kept = found.map_or([0; 32], |key| key.hash);
        let is_right = bool::from(hash.ct_eq(&kept));
        match found {
            Some(key) if is_right && !expired(key, now_ms) => Ok(key.clone()),
            Some(_) if is_right => Err(WrongKey::Expired),
            _ => Err(WrongKey::Unknown),
        }
    }

    /// Whether a key that was let in is still worth the same.
    pub(super) fn holds(&self, key: &ApiKey, now_ms: u64) -> bool {
        let table = self.now();
        let same = table.get(&key.id).is_some_and(|now| {
            bool::from(now.hash.ct_eq(&key.hash))
                && now.scopes == key.scopes
                && now.expires_ms == key.expires_ms
        });
        same && !expired(key, now_ms)
    }
}

fn expired(key: &ApiKey, now_ms: u64) -> bool {
    key.expires_ms.is_some_and(|end| end <= now_ms)
}

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WrongKey {
    /// It does not look like one.
    #[error(
        "this is no API key; a key is `ysk_`, 12 hex digits, `_` and 64 hex digits, sent as `Authorization: Bearer …` or `X-Api-Key: …`"
    )]
    Malformed,
    /// No such key, or it was revoked.
    #[error("this API key is not known here, or was revoked; ask the operator for another one")]
    Unknown,
    /// Its time is over.
    #[error("this API key has expired; ask the operator for another one")]
    Expired,
    /// Two different ones.
    #[error("the request shows two API keys; send one, as `Authorization: Bearer …`")]
    Two,
}

/// The key that a request shows, in `Authorization: Bearer` or `X-Api-Key`.
pub(super) fn shown(headers: &HeaderMap) -> Result<Option<&str>, WrongKey> {
    let mut found = None;
    let bearer = headers.get_all(header::AUTHORIZATION).iter().map(bearer);
    let plain = headers.get_all("x-api-key").iter().map(text);
    for key in bearer.chain(plain) {
        let key = key?;
        if found.is_some_and(|other| other != key) {
            return Err(WrongKey::Two);
        }
        found = Some(key);
    }
    Ok(found)
}

fn bearer(value: &HeaderValue) -> Result<&str, WrongKey> {
    let (scheme, key) = text(value)?.split_once(' ').ok_or(WrongKey::Malformed)?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(key.trim()),
        false => Err(WrongKey::Malformed),
    }
}

fn text(value: &HeaderValue) -> Result<&str, WrongKey> {
    Ok(value.to_str().map_err(|_| WrongKey::Malformed)?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    fn key(id: &str, expires_ms: Option<u64>) -> ApiKey {
        ApiKey {
            id: id.to_owned(),
            name: "someone".to_owned(),
            hash: key_hash(id, &SECRET),
            scopes: Scopes {
                read: true,
                ingest: false,
            },
            rate: None,
            expires_ms,
        }
    }

    #[test]
    fn only_the_whole_key_opens() {
        let keys = Keys::new([key("00000000000a", Some(50))]);
        let text = key_text("00000000000a", &SECRET);
        assert_eq!(keys.verify(&text, 49).unwrap().name, "someone");
        assert_eq!(keys.verify(&text, 50), Err(WrongKey::Expired));
        // Every single digit counts, and so does the name that it belongs to.
        for place in PREFIX.len()..text.len() {
            let mut other = text.clone().into_bytes();
            other[place] = if other[place] == b'1' { b'2' } else { b'1' };
            let other = String::from_utf8(other).unwrap();
            assert!(keys.verify(&other, 0).is_err(), "{other}");
        }
        keys.replace([key("00000000000b", None)]);
        assert_eq!(keys.verify(&text, 0), Err(WrongKey::Unknown));
        let other = key_text("00000000000b", &SECRET);
        assert!(keys.verify(&other, u64::MAX).is_ok());
    }

    #[test]
    fn hostile_texts_are_no_keys() {
        let keys = Keys::new([key("00000000000a", None)]);
        let long = "ysk_00000000000a_".to_owned() + &"0".repeat(1 << 20);
        let right = key_text("00000000000a", &SECRET);
        for text in [
            "",
            "ysk_",
            "ysk__",
            "ysk_é0000000000a_00",
            &long,
            &right[1..],
            &format!("{right}0"),
        ] {
            assert_eq!(keys.verify(text, 0), Err(WrongKey::Malformed));
        }
    }

    #[test]
    fn a_key_is_shown_in_one_of_two_headers() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                map.append(*name, HeaderValue::from_static(value));
            }
            shown(&map).map(|key| key.map(str::to_owned))
        };
        assert_eq!(headers(&[]), Ok(None));
        let one = Ok(Some("k".to_owned()));
        assert_eq!(headers(&[("authorization", "Bearer k")]), one);
        assert_eq!(headers(&[("authorization", "bEARER  k ")]), one);
        assert_eq!(headers(&[("x-api-key", "k")]), one);
        assert_eq!(
            headers(&[("x-api-key", "k"), ("authorization", "Bearer k")]),
            one
        );
        let two = [("x-api-key", "k"), ("authorization", "Bearer l")];
        assert_eq!(headers(&two), Err(WrongKey::Two));
        for wrong in ["Basic abc", "Bearer"] {
            assert_eq!(
                headers(&[("authorization", wrong)]),
                Err(WrongKey::Malformed)
            );
        }
    }

    #[test]
    fn what_a_key_may_do_is_looked_up_again() {
        let keys = Keys::new([key("00000000000a", Some(50))]);
        let mine = key("00000000000a", Some(50));
        assert!(keys.holds(&mine, 49) && !keys.holds(&mine, 50));
        keys.replace([ApiKey {
            scopes: Scopes::default(),
            ..mine.clone()
        }]);
        assert!(!keys.holds(&mine, 0));
        keys.replace([]);
        assert!(!keys.holds(&mine, 0));
    }
}
