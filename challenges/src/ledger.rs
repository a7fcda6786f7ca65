//! The ledger of results: records in the store's engine, in tables of their own.
//!
//! A record has a number, counted from 0, and never changes. What the chain gave can be
//! read again from a node; this cannot, so [`Ledger::export`] writes all of it as lines of
//! JSON and [`Ledger::import`] takes such lines in again.

mod backup;
mod latest;

use std::sync::{Mutex, PoisonError};

use indexer::store::engine::{Batch, EngineError, Range};
use indexer::store::tables::{Table, pack, unpack};
use indexer::store::{Store, StoreError};
use sha2::{Digest, Sha256};

use crate::record::{Entry, Kind, Reporter};

pub use backup::Imported;
pub use latest::{Latest, Whose};

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
    /// A number that is none, or endless: JSON has no such number.
    #[error("{what} of {subject} is {number}; a score is a number or absent")]
    NotFinite {
        /// Which member.
        what: &'static str,
        /// Whose record.
        subject: String,
        /// The number.
        number: f64,
    },
    /// A line of a backup is none.
    #[error("line {line} of the backup: {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// A backup cannot be read or written.
    #[error("the backup cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
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
    next: Mutex<Next>,
}

#[derive(Debug, Clone, Copy)]
struct Next {
    seq: Seq,
    /// A commit failed: whether its rows are there is not known.
    unsure: bool,
}

/// The number after the highest that a store has.
fn after_last(store: &Store) -> Result<Seq, LedgerError> {
    let range = Range::prefix(&Table::Result.key(&[])).reversed();
    let last = store.engine().scan(range).next().transpose()?;
    last.map_or(Ok(0), |(key, _)| Ok(seq_of(&key)?.saturating_add(1)))
}

/// Most records that a page looks at.
const LOOKED: usize = 10_000;

/// Which records are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this subnet.
    pub netuid: u16,
    /// Of this challenge; of all when `None`.
    pub challenge: Option<String>,
    /// Of this kind; of all when `None`.
    pub kind: Option<Kind>,
    /// About this subject; about all when `None`.
    pub subject: Option<String>,
    /// Only records with a number above this one.
    pub after: Option<Seq>,
}

impl Filter {
    fn wants(&self, entry: &Entry) -> bool {
        entry.netuid == self.netuid
            && self.kind.is_none_or(|kind| kind == entry.record.kind())
            && self
                .challenge
                .as_ref()
                .is_none_or(|c| *c == entry.challenge)
            && self.subject.as_ref().is_none_or(|s| *s == entry.subject)
    }
}

/// Some records in the order of their numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<(Seq, Entry)>,
    /// To give as [`Filter::after`] for those that follow; `None` when none do.
    pub next: Option<Seq>,
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

/// What the keys of the records of one kind about one subject begin with.
fn of_prefix(
    netuid: u16,
    challenge: &str,
    kind: Kind,
    subject: &str,
) -> Result<Vec<u8>, LedgerError> {
    let mut key = Table::ResultOf.key(&netuid.to_be_bytes());
    name(&mut key, "the name of the challenge", challenge)?;
    key.push(kind as u8);
    name(&mut key, "the subject", subject)?;
    Ok(key)
}

/// netuid, challenge, kind, subject, number: each part may be the end of a prefix.
fn index_key(entry: &Entry, seq: Seq) -> Result<Vec<u8>, LedgerError> {
    let kind = entry.record.kind();
    let mut key = of_prefix(entry.netuid, &entry.challenge, kind, &entry.subject)?;
    key.extend_from_slice(&seq.to_be_bytes());
    Ok(key)
}

/// Who told a record, as its row in the index has it: 1 for a hotkey, 0 for all others.
fn class(entry: &Entry) -> u8 {
    u8::from(matches!(entry.provenance.reporter, Reporter::Hotkey { .. }))
}

impl Ledger {
    /// Over a store.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn open(store: Store) -> Result<Ledger, LedgerError> {
        let seq = after_last(&store)?;
        Ok(Ledger {
            store,
            next: Mutex::new(Next { seq, unsure: false }),
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
    /// When a name is too long, a number is not finite, or the store cannot be written.
    /// Nothing is kept then.
    pub fn append(&self, entries: &[Entry], more: Batch) -> Result<Seq, LedgerError> {
        self.append_with(entries, more, |_, _| {})
    }

    /// As [`Ledger::append`], where rows beside the records need the number of the first.
    pub(crate) fn append_with(
        &self,
        entries: &[Entry],
        more: Batch,
        also: impl FnOnce(Seq, &mut Batch),
    ) -> Result<Seq, LedgerError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // A failed flush may have left its rows: their numbers are not given again.
        if next.unsure {
            let seq = after_last(&self.store)?;
            *next = Next { seq, unsure: false };
        }
        let first = next.seq;
        let mut batch = more;
        for (seq, entry) in (first..).zip(entries) {
            if let Some((what, number)) = entry.record.floats().filter(|(_, n)| !n.is_finite()) {
                let subject = entry.subject.clone();
                return Err(LedgerError::NotFinite {
                    what,
                    subject,
                    number,
                });
            }
            let json = serde_json::to_vec(entry).map_err(|e| LedgerError::Damaged {
                seq,
                what: e.to_string(),
            })?;
            batch.put(index_key(entry, seq)?, vec![class(entry)]);
            batch.put(Table::Result.key(&seq.to_be_bytes()), pack(&json));
        }
        also(first, &mut batch);
        if let Err(error) = self.store.commit(vec![batch]) {
            next.unsure = true;
            return Err(error.into());
        }
        next.seq = first.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
        Ok(first)
    }

    /// How many records there are.
    pub fn len(&self) -> u64 {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.seq
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

    /// Records that the filter wants in the order of their numbers, at most `max`. To go on, give
    /// [`Page::next`] as [`Filter::after`].
    ///
    /// Without a subject the records themselves are looked through, at most 10,000 of them a page:
    /// a page may then be short, even empty, and still be followed by others.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or a row is damaged.
    pub fn page(&self, filter: &Filter, max: usize) -> Result<Page, LedgerError> {
        match (&filter.challenge, filter.kind, &filter.subject) {
            (Some(challenge), Some(kind), Some(subject)) => {
                let prefix = of_prefix(filter.netuid, challenge, kind, subject)?;
                self.listed(&prefix, filter.after, max)
            }
            _ => self.searched(filter, max),
        }
    }

    /// Records that the filter wants in the order of their numbers, at most `max`.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or a row is damaged.
    pub fn find(&self, filter: &Filter, max: usize) -> Result<Vec<(Seq, Entry)>, LedgerError> {
        let mut filter = filter.clone();
        let mut found = Vec::new();
        while found.len() < max {
            let page = self.page(&filter, max - found.len())?;
            found.extend(page.records);
            filter.after = match page.next {
                Some(next) => Some(next),
                None => break,
            };
        }
        Ok(found)
    }

    /// Records under one subject, by its list.
    fn listed(&self, prefix: &[u8], after: Option<Seq>, max: usize) -> Result<Page, LedgerError> {
        let mut range = Range::prefix(prefix);
        let Some(from) = after.map_or(Some(0), |after| after.checked_add(1)) else {
            return Ok(Page::default());
        };
        range.from.extend_from_slice(&from.to_be_bytes());
        let mut page = Page::default();
        for row in self.store.engine().scan(range) {
            let seq = seq_of(&row?.0)?;
            if page.records.len() == max {
                page.next = page.records.last().map(|(seq, _)| *seq).or(after);
                break;
            }
            let missing = || LedgerError::Damaged {
                seq,
                what: "it is listed and not there".into(),
            };
            page.records
                .push((seq, self.get(seq)?.ok_or_else(missing)?));
        }
        Ok(page)
    }

    /// Records by looking at one after the other.
    fn searched(&self, filter: &Filter, max: usize) -> Result<Page, LedgerError> {
        let mut page = Page::default();
        let Some(from) = filter.after.map_or(Some(0), |after| after.checked_add(1)) else {
            return Ok(page);
        };
        let mut range = Range::prefix(&Table::Result.key(&[]));
        range.from = Table::Result.key(&from.to_be_bytes());
        let mut before = filter.after;
        for (looked, row) in self.store.engine().scan(range).enumerate() {
            let (key, bytes) = row?;
            let seq = seq_of(&key)?;
            if page.records.len() == max || looked == LOOKED {
                page.next = before;
                break;
            }
            let entry = entry_of(seq, &bytes)?;
            if filter.wants(&entry) {
                page.records.push((seq, entry));
            }
            before = Some(seq);
        }
        Ok(page)
    }

    /// A page of the records that the filter wants, highest number first, those below `before`; the
    /// filter's own `after` does not matter. [`Page::next`] is to be given as `before`.
    ///
    /// # Errors
    ///
    /// As [`Ledger::page`].
    pub fn page_down(
        &self,
        filter: &Filter,
        before: Option<Seq>,
        max: usize,
    ) -> Result<Page, LedgerError> {
        let list = match (&filter.challenge, filter.kind, &filter.subject) {
            (Some(challenge), Some(kind), Some(subject)) => {
                of_prefix(filter.netuid, challenge, kind, subject)?
            }
            _ => Table::Result.key(&[]),
        };
        let mut range = Range::prefix(&list).reversed();
        if let Some(before) = before {
            range.below = Some([&list[..], &before.to_be_bytes()].concat());
        }
        let (mut page, mut last) = (Page::default(), before);
        for (looked, row) in self.store.engine().scan(range).enumerate() {
            let seq = seq_of(&row?.0)?;
            if page.records.len() == max || looked == LOOKED {
                page.next = last;
                break;
            }
            let missing = || LedgerError::Damaged {
                seq,
                what: "it is listed and not there".into(),
            };
            let entry = self.get(seq)?.ok_or_else(missing)?;
            if filter.wants(&entry) {
                page.records.push((seq, entry));
            }
            last = Some(seq);
        }
        Ok(page)
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
