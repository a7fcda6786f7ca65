//! Persisted queries: documents that are named by the sha256 of their text.
//!
//! A client may send a document once together with its hash and from then on the hash alone (the
//! protocol that Apollo's clients speak). What is remembered so is bounded, and the hash is always
//! computed here. Documents of a list that the operator gives are known from the start; with
//! `only_persisted` no others are answered.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Request, ServerError, Value};
use sha2::{Digest, Sha256};

use super::error::code;
use super::limits::refusal;

/// Documents that are remembered at most, and their bytes together.
const MAX_DOCUMENTS: usize = 1_000;
const MAX_BYTES: usize = 8 << 20;

/// The documents that are known by their hash.
#[derive(Debug, Default)]
pub(crate) struct Persisted {
    /// Those of the operator, by hash in hex.
    listed: Option<Arc<HashMap<String, String>>>,
    only_listed: bool,
    seen: Mutex<Seen>,
}

/// Documents that clients sent with their hash; the ones used longest ago go first.
#[derive(Debug, Default)]
struct Seen {
    documents: HashMap<String, (String, u64)>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

impl Seen {
    fn get(&mut self, hash: &str) -> Option<String> {
        self.clock += 1;
        let (document, used) = self.documents.get_mut(hash)?;
        *used = self.clock;
        Some(document.clone())
    }

    fn put(&mut self, hash: String, document: String) {
        if document.len() > MAX_BYTES || self.documents.contains_key(&hash) {
            return;
        }
        self.bytes += document.len();
        self.clock += 1;
        self.documents.insert(hash, (document, self.clock));
        while self.documents.len() > MAX_DOCUMENTS || self.bytes > MAX_BYTES {
            let oldest = self.documents.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(hash, _)| hash.clone()) else {
                return;
            };
            if let Some((document, _)) = self.documents.remove(&oldest) {
                self.bytes -= document.len();
            }
        }
    }
}

impl Persisted {
    /// With the operator's documents, by the sha256 of their text in hex; `only_listed` refuses all
    /// others.
    pub(crate) fn new(listed: Option<Arc<HashMap<String, String>>>, only_listed: bool) -> Self {
        Self {
            listed,
            only_listed,
            seen: Mutex::default(),
        }
    }

    /// Whether only documents of the list are answered.
    pub(crate) fn only_listed(&self) -> bool {
        self.only_listed
    }

    fn listed(&self, hash: &str) -> Option<&String> {
        self.listed.as_ref()?.get(hash)
    }

    /// Puts the document in its place when the request names it by its hash, and refuses what may
    /// not be asked. What it gives is to be handed to [`Persisted::remember`] once the document has
    /// passed validation and all limits.
    pub(crate) fn resolve(&self, request: &mut Request) -> Result<Option<String>, ServerError> {
        let named = hash_in(request)?;
        let is_empty = request.query.trim().is_empty();
        match named {
            None if is_empty => Err(refusal(code::BAD_INPUT, "the request holds no `query`")),
            None if self.only_listed => {
                let hash = hash_of(&request.query);
                self.refuse_unlisted(&hash).map(|()| None)
            }
            None => Ok(None),
            Some(hash) if is_empty => {
                request.query = self.known(&hash)?;
                Ok(None)
            }
            Some(hash) => {
                if hash_of(&request.query) != hash {
                    return Err(refusal(
                        code::BAD_INPUT,
                        "`extensions.persistedQuery.sha256Hash` is not the sha256 of `query`; compute it over the exact text that is sent",
                    ));
                }
                if self.only_listed {
                    return self.refuse_unlisted(&hash).map(|()| None);
                }
                Ok(Some(hash))
            }
        }
    }

    /// Remembers a document under the hash that [`Persisted::resolve`] gave.
    pub(crate) fn remember(&self, hash: String, document: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.put(hash, document.to_owned());
    }

    fn known(&self, hash: &str) -> Result<String, ServerError> {
        if let Some(document) = self.listed(hash) {
            return Ok(document.clone());
        }
        if self.only_listed {
            self.refuse_unlisted(hash)?;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Clients of the protocol look for exactly this text, and send the document then.
        seen.get(hash)
            .ok_or_else(|| refusal(code::PERSISTED_NOT_FOUND, "PersistedQueryNotFound"))
    }

    fn refuse_unlisted(&self, hash: &str) -> Result<(), ServerError> {
        if self.listed(hash).is_some() {
            return Ok(());
        }
        metrics::counter!("graphql_refused_total", "limit" => "persisted").increment(1);
        Err(refusal(
            code::PERSISTED_ONLY,
            format!(
                "this server answers only documents of its list, and {hash} is not in it; ask its operator to add the document"
            ),
        ))
    }
}

/// The hash that a request names its document by; `None` when it names none.
fn hash_in(request: &Request) -> Result<Option<String>, ServerError> {
    let Some(given) = request.extensions.get("persistedQuery") else {
        return Ok(None);
    };
    let wrong = || {
        refusal(
            code::BAD_INPUT,
            "`extensions.persistedQuery` must be {\"version\": 1, \"sha256Hash\": \"64 hex digits\"}",
        )
    };
    let Value::Object(given) = given else {
        return Err(wrong());
    };
    let version = given.get("version").cloned().unwrap_or(Value::Null);
    let (true, Some(Value::String(hash))) = (version == Value::from(1), given.get("sha256Hash"))
    else {
        return Err(wrong());
    };
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_hash {
        true => Ok(Some(hash.to_ascii_lowercase())),
        false => Err(wrong()),
    }
}

/// The sha256 of a document in lower-case hex.
pub(crate) fn hash_of(document: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(document.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_is_forgotten_first() {
        let mut seen = Seen::default();
        for i in 0..MAX_DOCUMENTS {
            seen.put(i.to_string(), "{a}".to_owned());
        }
        assert!(seen.get("0").is_some());
        seen.put("new".to_owned(), "{a}".to_owned());
        assert_eq!(seen.documents.len(), MAX_DOCUMENTS);
        assert!(seen.get("1").is_none());
        assert!(seen.get("0").is_some() && seen.get("new").is_some());
        let large = "x".repeat(MAX_BYTES / 2);
        seen.put("large".to_owned(), large.clone());
        seen.put("larger".to_owned(), large);
        assert!(seen.bytes <= MAX_BYTES);
        assert!(seen.get("larger").is_some());
        seen.put("too large".to_owned(), "x".repeat(MAX_BYTES + 1));
        assert!(seen.get("too large").is_none());
        let bytes: usize = seen.documents.values().map(|(d, _)| d.len()).sum();
        assert_eq!(seen.bytes, bytes);
    }

    #[test]
    fn hashes_are_those_of_everybody() {
        assert_eq!(
            hash_of("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
