//! Reports of challenge results, taken in when a registered hotkey signed them.
//!
//! A request is taken in whole or not at all, and once: what is refused leaves nothing
//! behind. `docs/challenges.md` describes headers, bodies and every refusal.
//!
//! ```text
//! size ─► headers ─► time, signature ─► registered? ─► answered before? ─► unpack ─► JSON ─► one batch
//! ```
//!
//! Finalizations are not taken in: they are made here.

mod admit;
mod body;
mod error;
mod headers;
mod seen;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chain_metadata::{AccountId, BlockNumber, NetUid, Uid, Value as ChainValue};
use indexer::store::engine::Batch;
use indexer::store::{Store, StoreError};
use indexer::view;
use serde::Deserialize;
use serde_json::Value;

use crate::ledger::{Ledger, LedgerError, MAX_NAME, Seq, put_payload};
use crate::record::{Entry, Kind, Provenance, Record, Reporter};
use headers::Signed;

pub use admit::Admitted;
pub use error::IngestError;
pub use headers::MAX_KEY;
pub use seen::KEY_LIFE_MS;

/// A member of details that only records made here have: requests with it are refused.
pub const RESERVED: &str = "taken_by_scorer";

/// Bounds of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body as it is sent.
    pub body_bytes: usize,
    /// Bytes of the body when it is unpacked.
    pub unpacked_bytes: usize,
    /// Records of a request.
    pub records: usize,
    /// Objects and lists inside each other, the list of records among them.
    pub depth: usize,
    /// Bytes of a text, or of the name of a member.
    pub text_bytes: usize,
    /// How far the time of signing may be from now, in milliseconds, either way.
    pub window_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 1 << 20,
            unpacked_bytes: 8 << 20,
            records: 1000,
            depth: 32,
            text_bytes: 64 << 10,
            window_ms: 60_000,
        }
    }
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The subnet that it is about.
    pub netuid: u16,
    /// Its headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// Its body, as it was sent.
    pub body: &'a [u8],
}

/// What was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Number of the first record.
    pub first: Seq,
    /// How many there are; their numbers follow each other.
    pub count: u32,
    /// sha256 of the body as it was sent, in hex.
    pub payload: String,
    /// Whether this is the answer to an earlier request with the same idempotency key.
    pub repeated: bool,
}

/// What is known of a hotkey in a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The block that was looked at.
    pub block: BlockNumber,
    /// Its uid; `None` when it is not registered.
    pub uid: Option<Uid>,
}

/// Tells who is registered.
pub trait Registry: Send + Sync {
    /// The hotkey in a subnet at the newest block that is known; `None` while none is.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn seat(&self, netuid: u16, hotkey: &AccountId) -> Result<Option<Seat>, StoreError>;
}

/// The chain that a store holds, at its highest block.
impl Registry for Store {
    fn seat(&self, netuid: u16, hotkey: &AccountId) -> Result<Option<Seat>, StoreError> {
        let Some(block) = self.last()? else {
            return Ok(None);
        };
        let Some(at) = view::at(self, block)? else {
            return Ok(None);
        };
        let seat = |uid| Some(Seat { block, uid });
        let net = netuid.to_le_bytes();
        if !view::exists(self, &at, NetUid(netuid))? {
            return Ok(seat(None));
        }
        let uid = view::held(self, &at, "Uids", &[&net, &hotkey.0])?.stored();
        let uid = uid.and_then(|value| match value.as_option() {
            Some(inner) => inner.and_then(ChainValue::as_u16),
            None => value.as_u16(),
        });
        let Some(uid) = uid else {
            return Ok(seat(None));
        };
        // Who holds the uid is said by Keys.
        let holder = view::held(self, &at, "Keys", &[&net, &uid.to_le_bytes()])?.stored();
        let holds = holder.and_then(|value| value.as_account()) == Some(*hotkey);
        Ok(seat(holds.then_some(Uid(uid))))
    }
}

/// Takes requests into a ledger.
pub struct Ingest {
    ledger: Arc<Ledger>,
    registry: Arc<dyn Registry>,
    limits: Limits,
    /// Held from the look at what was seen to the commit, so that of two equal requests at
    /// the same time one is the second.
    gate: Mutex<()>,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let limits = &self.limits;
        f.debug_struct("Ingest").field("limits", limits).finish()
    }
}

impl Ingest {
    /// Into a ledger, of hotkeys that the registry knows.
    pub fn new(ledger: Arc<Ledger>, registry: Arc<dyn Registry>, limits: Limits) -> Ingest {
        Ingest {
            ledger,
            registry,
            limits,
            gate: Mutex::new(()),
        }
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes in a request that came at `now_ms`, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`IngestError`]; nothing of the request is kept then.
    pub fn take(&self, request: Request<'_>, now_ms: u64) -> Result<Accepted, IngestError> {
        let Limits {
            body_bytes,
            unpacked_bytes,
            window_ms,
            ..
        } = self.limits;
        let Request {
            netuid,
            headers,
            body,
        } = request;
        if body.len() > body_bytes {
            return Err(IngestError::BodyTooLarge { max: body_bytes });
        }
        let signed = Signed::read(headers, body)?;
        signed.check(now_ms, window_ms)?;
        let (block, uid) = self.registered(netuid, &signed)?;

        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let store = self.ledger.store();
        let key = signed
            .key
            .map(|key| seen::name(&signed.hotkey, netuid, key));
        if let Some(name) = &key
            && let Some(first) = seen::first_answer(store, name, now_ms, &signed.hash)?
        {
            return Ok(first);
        }
        let seen = seen::request(&signed.hotkey, signed.at_ms, signed.time, &signed.hash);
        if seen::has(store, &seen)? {
            return Err(IngestError::Replayed);
        }
        let unpacked = match signed.gzip {
            true => Some(body::unpacked(body, unpacked_bytes)?),
            false => None,
        };
        let values = body::records(
            unpacked.as_deref().unwrap_or(body),
            signed.lines,
            &self.limits,
        )?;
        let provenance = Provenance {
            reporter: Reporter::Hotkey {
                hotkey: signed.hotkey,
                uid: uid.0,
            },
            received_ms: now_ms,
            checked_at: Some(block),
            signature: Some(hex::encode(&signed.signature)),
            payload: signed.hash.clone(),
        };
        let entries = entries(netuid, &provenance, values)?;
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);

        let mut batch = Batch::default();
        seen::prune(store, &mut batch, now_ms, window_ms)?;
        put_payload(&mut batch, body);
        batch.put(seen, Vec::new());
        let first = self.ledger.append_with(&entries, batch, |first, batch| {
            if let Some(name) = &key {
                seen::put_answer(batch, name, now_ms, &signed.hash, (first, count));
            }
        })?;
        Ok(Accepted {
            first,
            count,
            payload: signed.hash,
            repeated: false,
        })
    }

    /// Block and uid of a registered hotkey.
    fn registered(
        &self,
        netuid: u16,
        signed: &Signed<'_>,
    ) -> Result<(BlockNumber, Uid), IngestError> {
        let seat = self.registry.seat(netuid, &signed.hotkey);
        let seat = seat.map_err(LedgerError::from)?;
        let Seat { block, uid } = seat.ok_or(IngestError::NoChain)?;
        let uid = uid.ok_or(IngestError::NotRegistered {
            hotkey: signed.hotkey,
            netuid,
            block,
        })?;
        match signed.uid {
            Some(given) if given != uid.0 => Err(IngestError::WrongUid {
                given,
                uid: uid.0,
                netuid,
                block,
            }),
            _ => Ok((block, uid)),
        }
    }
}

/// What a record of a request looks like.
#[derive(Deserialize)]
struct Reported {
    /// For which subnet it was signed; the address is not signed.
    #[serde(default)]
    netuid: Option<u16>,
    challenge: String,
    subject: String,
    record: Record,
}

fn entries(
    netuid: u16,
    provenance: &Provenance,
    values: Vec<Value>,
) -> Result<Vec<Entry>, IngestError> {
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(values.len());
    let mut entries = Vec::with_capacity(values.len());
    for (record, value) in values.into_iter().enumerate() {
        // Objects are sorted by name, so equal records have equal texts.
        if let Some(earlier) = seen.insert(value.to_string(), record) {
            return Err(IngestError::DuplicateRecord { record, earlier });
        }
        let bad = |what: String| IngestError::BadRecord { record, what };
        known(record, &value)?;
        let reported: Reported = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
        if let Some(meant) = reported.netuid.filter(|meant| *meant != netuid) {
            return Err(bad(format!(
                "it is for subnet {meant} and was sent to subnet {netuid}"
            )));
        }
        for (what, name) in [
            ("challenge", &reported.challenge),
            ("subject", &reported.subject),
        ] {
            if name.is_empty() || name.len() > MAX_NAME {
                let len = name.len();
                return Err(bad(format!(
                    "`{what}` is {len} bytes long, and must be 1 to {MAX_NAME}"
                )));
            }
            if name.chars().any(char::is_control) {
                return Err(bad(format!("`{what}` has a control character")));
            }
        }
        if let Record::Comparison(with) = &reported.record
            && let Some(alike) = with.similarity
            && !(0.0..=1.0).contains(&alike)
        {
            return Err(bad(format!("`similarity` is {alike}, and must be 0 to 1")));
        }
        entries.push(Entry {
            netuid,
            challenge: reported.challenge,
            subject: reported.subject,
            provenance: provenance.clone(),
            record: reported.record,
        });
    }
    Ok(entries)
}

/// Refuses members that are not known, and kinds that are not taken in.
fn known(record: usize, value: &Value) -> Result<(), IngestError> {
    let bad = |what: String| IngestError::BadRecord { record, what };
    let Value::Object(members) = value else {
        return Err(bad(
            "it is no object; send {\"challenge\", \"subject\", \"record\"}".into(),
        ));
    };
    let only = |members: &serde_json::Map<String, Value>, known: &[&str]| match members
        .keys()
        .find(|name| !known.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(name) => Err(IngestError::UnknownMember {
            record,
            name: name.chars().take(64).collect(),
            known: known.join(", "),
        }),
    };
    only(members, &["challenge", "netuid", "subject", "record"])?;
    let Some(Value::Object(inner)) = members.get("record") else {
        return Err(bad("`record` is missing or no object".into()));
    };
    let taken = "run, submission, score or comparison";
    let kind = inner.get("kind").and_then(Value::as_str);
    let Some(kind) = kind.and_then(Kind::of) else {
        return Err(bad(format!("`record.kind` must be {taken}")));
    };
    let known: &[&str] = match kind {
        Kind::Run => &[
            "kind",
            "id",
            "started_ms",
            "ended_ms",
            "success",
            "error",
            "details",
        ],
        Kind::Submission => &["kind", "id", "at_ms", "details"],
        Kind::Score => &[
            "kind", "of", "profile", "inputs", "score", "reason", "details",
        ],
        Kind::Comparison => &["kind", "of", "with", "similarity", "reason", "details"],
        Kind::Finalization => {
            return Err(bad(format!(
                "finalizations are made here and not taken in; `record.kind` must be {taken}"
            )));
        }
    };
    only(inner, known)?;
    let details = inner.get("details").and_then(Value::as_object);
    match details.is_some_and(|details| details.contains_key(RESERVED)) {
        false => Ok(()),
        true => Err(bad(format!(
            "`record.details.{RESERVED}` marks what a scorer here took from a report; leave it out, or send the report to the scorer"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{RESERVED, known};

    #[test]
    fn sn61_submissions_of_a_scorer_cannot_be_handed_in() {
        let of = |details: serde_json::Value| {
            let record = json!({"kind": "submission", "id": "t", "at_ms": 1, "details": details});
            known(
                0,
                &json!({"challenge": "c", "subject": "s", "record": record}),
            )
        };
        assert!(of(json!({"other": true})).is_ok());
        assert!(of(json!(null)).is_ok());
        for value in [json!(true), json!(false), json!(null)] {
            let error = of(json!({ RESERVED: value })).unwrap_err().to_string();
            assert!(error.contains("leave it out"), "{error}");
        }
    }
}
