//! The ledger of results: records in the store's engine, in tables of their own.
//!
//! A record has a number, counted from 0, and never changes. What the chain gave can be
//! read again from a node; this cannot, so [`Ledger::export`] writes all of it as lines of
//! JSON and [`Ledger::import`] takes such lines in again.

use std::sync::{Mutex, PoisonError};

use indexer::store::engine::{Batch, EngineError, Range};
use indexer::store::tables::{Table, pack, unpack};
use indexer::store::{Store, StoreError};
use sha2::{Digest, Sha256};

use crate::record::{Entry, Kind};

/// Number of a record.
pub type Seq = u64;

/// Why the ledger failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is damaged.
    #[error("record {seq} of the ledger of results is damaged ({what}): restore it from a backup")]
    Damaged {
        /// Number of the record.
        seq: Seq,
        /// What is wrong.
        what: String,
    },
    /// A name is too long to be kept.
    #[error("{what} is {len} bytes long, and may be {max}")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// Its length.
        len: usize,
        /// The longest allowed.
        max: usize,
    },
}

impl From<EngineError> for LedgerError {
    fn from(error: EngineError) -> LedgerError {
        LedgerError::Store(StoreError::Engine(error))
    }
}

/// Longest name of a challenge or subject.
pub const MAX_NAME: usize = 255;

/// The ledger of one store; share it, since it counts the records.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    /// Number of the next record; held while records are written.
    next: Mutex<Seq>,
}

/// Which records are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this subnet.
    pub netuid: u16,
    /// Of this challenge; of all when `None`.
    pub challenge: Option<String>,
    /// Of this kind; of all when `None`. Needs a challenge.
    pub kind: Option<Kind>,
    /// About this subject; about all when `None`. Needs a kind.
    pub subject: Option<String>,
    /// Only records with a number above this one.
    pub after: Option<Seq>,
}

fn name(key: &mut Vec<u8>, what: &'static str, name: &str) -> Result<(), LedgerError> {
    let len = u8::try_from(name.len()).map_err(|_| LedgerError::TooLong {
        what,
        len: name.len(),
        max: MAX_NAME,
    })?;
    key.push(len);
    key.extend_from_slice(name.as_bytes());
    Ok(())
}

/// netuid, challenge, kind, subject, number: each part may be the end of a prefix.
fn index_key(entry: &Entry, seq: Seq) -> Result<Vec<u8>, LedgerError> {
    let mut key = Table::ResultOf.key(&entry.netuid.to_be_bytes());
    name(&mut key, "the name of the challenge", &entry.challenge)?;
    key.push(entry.record.kind() as u8);
    name(&mut key, "the subject", &entry.subject)?;
    key.extend_from_slice(&seq.to_be_bytes());
    Ok(key)
}

impl Ledger {
    /// Over a store.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn open(store: Store) -> Result<Ledger, LedgerError> {
        let range = Range::prefix(&Table::Result.key(&[])).reversed();
        let last = store.engine().scan(range).next().transpose()?;
        let next = match last {
            None => 0,
            Some((key, _)) => seq_of(&key)?.saturating_add(1),
        };
        Ok(Ledger {
            store,
            next: Mutex::new(next),
        })
    }

    /// The store below.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Adds records, all or none; tells the number of the first. `more` are rows that must
    /// be written with them (what was seen, payloads).
    ///
    /// # Errors
    ///
    /// When a name is too long or the store cannot be written.
    pub fn append(&self, entries: &[Entry], more: Batch) -> Result<Seq, LedgerError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *next;
        let mut batch = more;
        for (seq, entry) in (first..).zip(entries) {
            let json = serde_json::to_vec(entry).map_err(|e| LedgerError::Damaged {
                seq,
                what: e.to_string(),
            })?;
            batch.put(index_key(entry, seq)?, Vec::new());
            batch.put(Table::Result.key(&seq.to_be_bytes()), pack(&json));
        }
        self.store.commit(vec![batch])?;
        *next = first.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
        Ok(first)
    }

    /// How many records there are.
    pub fn len(&self) -> u64 {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A record by its number.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or the row is damaged.
    pub fn get(&self, seq: Seq) -> Result<Option<Entry>, LedgerError> {
        let row = self
            .store
            .engine()
            .get(&Table::Result.key(&seq.to_be_bytes()))?;
        row.map(|bytes| entry_of(seq, &bytes)).transpose()
    }

    /// Records with a number from `from` on, at most `max`, ascending.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or a row is damaged.
    pub fn from(&self, from: Seq, max: usize) -> Result<Vec<(Seq, Entry)>, LedgerError> {
        let mut range = Range::prefix(&Table::Result.key(&[]));
        range.from = Table::Result.key(&from.to_be_bytes());
        let rows = self.store.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, bytes) = row?;
            let seq = seq_of(&key)?;
            Ok((seq, entry_of(seq, &bytes)?))
        })
        .collect()
    }

    /// Records that the filter wants, at most `max`. With a subject they come in the order
    /// of their numbers; otherwise by challenge, kind and subject first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or a row is damaged.
    pub fn find(&self, filter: &Filter, max: usize) -> Result<Vec<(Seq, Entry)>, LedgerError> {
        let mut prefix = Table::ResultOf.key(&filter.netuid.to_be_bytes());
        if let Some(challenge) = &filter.challenge {
            name(&mut prefix, "the name of the challenge", challenge)?;
            if let Some(kind) = filter.kind {
                prefix.push(kind as u8);
                if let Some(subject) = &filter.subject {
                    name(&mut prefix, "the subject", subject)?;
                }
            }
        }
        let wanted = |seq: &Seq| filter.after.is_none_or(|after| *seq > after);
        let rows = self.store.engine().scan(Range::prefix(&prefix));
        let seqs = rows.map(|row| {
            row.map_err(LedgerError::from)
                .and_then(|(key, _)| seq_of(&key))
        });
        seqs.filter(|seq| seq.as_ref().is_ok_and(wanted) || seq.is_err())
            .take(max)
            .map(|seq| {
                let seq = seq?;
                let missing = || LedgerError::Damaged {
                    seq,
                    what: "it is listed and not there".into(),
                };
                Ok((seq, self.get(seq)?.ok_or_else(missing)?))
            })
            .collect()
    }

    /// A payload as it came, by its sha256.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or the row is damaged.
    pub fn payload(&self, hash: &[u8; 32]) -> Result<Option<Vec<u8>>, LedgerError> {
        let row = self.store.engine().get(&Table::ResultPayload.key(hash))?;
        row.map(|bytes| {
            unpack(&bytes).ok_or_else(|| LedgerError::Damaged {
                seq: 0,
                what: format!("the payload {} cannot be unpacked", hex::encode(hash)),
            })
        })
        .transpose()
    }
}

/// Adds a payload to a batch; tells its sha256 in hex, as [`crate::record::Provenance`] has it.
pub fn put_payload(batch: &mut Batch, payload: &[u8]) -> String {
    let hash = Sha256::digest(payload);
    batch.put(Table::ResultPayload.key(&hash), pack(payload));
    hex::encode(hash)
}

fn seq_of(key: &[u8]) -> Result<Seq, LedgerError> {
    let tail = key.len().checked_sub(8).and_then(|at| key.get(at..));
    let bytes = tail.and_then(|tail| tail.try_into().ok());
    bytes.map(u64::from_be_bytes).ok_or(LedgerError::Damaged {
        seq: 0,
        what: "a key has no number".into(),
    })
}

fn entry_of(seq: Seq, bytes: &[u8]) -> Result<Entry, LedgerError> {
    let damaged = |what: String| LedgerError::Damaged { seq, what };
    let json = unpack(bytes).ok_or_else(|| damaged("it cannot be unpacked".into()))?;
    serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))
}
