//! The whole ledger as lines of JSON, and back.
//!
//! The first line says what it is; then come the payloads, then the records in the order of
//! their numbers. What was seen of requests (table result-seen) is not in it: it means
//! nothing a day later.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexer::store::engine::{Batch, Range};
use indexer::store::tables::{Table, unpack};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Ledger, LedgerError, Seq, put_payload};
use crate::record::Entry;

/// Version of the lines.
const VERSION: u32 = 1;
/// Records and payloads of one batch.
const AT_ONCE: usize = 500;
/// Longest line.
const MAX_LINE: u64 = 64 << 20;

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Line {
    Head { yumascope_results: u32 },
    Payload { sha256: String, payload: String },
    Record { seq: Seq, entry: Box<Entry> },
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Records that were added.
    pub added: u64,
    /// Records that were there already.
    pub known: u64,
    /// Payloads of the file.
    pub payloads: u64,
}

impl Ledger {
    /// Writes everything as lines of JSON; tells how many records.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, a row is damaged, a line would be longer than an import
    /// takes, or `out` cannot be written.
    pub fn export(&self, out: &mut dyn Write) -> Result<u64, LedgerError> {
        // The end first: the payloads of records below it are stored by now.
        let end = self.len();
        write(
            out,
            &Line::Head {
                yumascope_results: VERSION,
            },
        )?;
        let prefix = Table::ResultPayload.key(&[]);
        for row in self.store.engine().scan(Range::prefix(&prefix)) {
            let (key, bytes) = row?;
            let sha256 = hex::encode(key.get(prefix.len()..).unwrap_or_default());
            let payload =
                unpack(&bytes).filter(|bytes| hex::encode(Sha256::digest(bytes)) == sha256);
            let payload = payload.ok_or_else(|| LedgerError::Damaged {
                seq: 0,
                what: format!("the payload {sha256} is not what its hash says"),
            })?;
            let payload = STANDARD.encode(payload);
            write(out, &Line::Payload { sha256, payload })?;
        }
        let mut from = 0;
        while from < end {
            let some = self.from(from, AT_ONCE)?;
            let Some((last, _)) = some.last() else {
                break;
            };
            from = last.saturating_add(1);
            for (seq, entry) in some.into_iter().filter(|(seq, _)| *seq < end) {
                let entry = Box::new(entry);
                write(out, &Line::Record { seq, entry })?;
            }
        }
        out.flush()?;
        Ok(end)
    }

    /// Takes in what [`Ledger::export`] wrote. Records that are there already are not added
    /// again, so that an import may be repeated, and one that was cut off be run once more.
    /// Added records get the next numbers, in the order of the file.
    ///
    /// # Errors
    ///
    /// When a line is none of a backup (what came before it is kept), or the store cannot be
    /// read or written.
    pub fn import(&self, from: &mut dyn BufRead) -> Result<Imported, LedgerError> {
        let mut known = self.known()?;
        let mut done = Imported::default();
        let (mut batch, mut entries) = (Batch::default(), Vec::new());
        let mut number = 0_u64;
        let mut text = Vec::new();
        loop {
            text.clear();
            number = number.saturating_add(1);
            let wrong = |what: String| LedgerError::Line { line: number, what };
            let read = std::io::Read::take(&mut *from, MAX_LINE).read_until(b'\n', &mut text)?;
            if read == 0 {
                break;
            }
            if u64::try_from(read).is_ok_and(|read| read == MAX_LINE) {
                return Err(wrong(format!("it is longer than {MAX_LINE} bytes")));
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_slice(&text).map_err(|e| match number {
                1 => wrong(format!("this is no export of results ({e})")),
                _ => wrong(format!("it is no payload and no record ({e})")),
            })?;
            match line {
                Line::Head { yumascope_results } if number == 1 => {
                    if yumascope_results != VERSION {
                        return Err(wrong(format!(
                            "this is an export of version {yumascope_results}; this program reads version {VERSION}"
                        )));
                    }
                }
                Line::Head { .. } => return Err(wrong("a second head".into())),
                _ if number == 1 => return Err(wrong("this is no export of results".into())),
                Line::Payload { sha256, payload } => {
                    let bytes = STANDARD.decode(payload).map_err(|e| wrong(e.to_string()))?;
                    if put_payload(&mut batch, &bytes) != sha256 {
                        return Err(wrong("the payload is not what its sha256 says".into()));
                    }
                    done.payloads += 1;
                }
                Line::Record { entry, .. } => match known.get_mut(&hash(&entry)?) {
                    Some(left) if *left > 0 => {
                        *left -= 1;
                        done.known += 1;
                    }
                    _ => {
                        entries.push(*entry);
                        done.added += 1;
                    }
                },
            }
            if batch.ops.len() + entries.len() >= AT_ONCE {
                self.append(&entries, std::mem::take(&mut batch))?;
                entries.clear();
            }
        }
        if number == 1 {
            return Err(LedgerError::Line {
                line: 1,
                what: "the file is empty, and so no export of results".into(),
            });
        }
        if !(entries.is_empty() && batch.ops.is_empty()) {
            self.append(&entries, batch)?;
        }
        Ok(done)
    }

    /// How often each record is there, by its hash.
    fn known(&self) -> Result<HashMap<[u8; 32], u32>, LedgerError> {
        let mut known: HashMap<[u8; 32], u32> = HashMap::new();
        let mut from = 0;
        loop {
            let some = self.from(from, AT_ONCE)?;
            let Some((last, _)) = some.last() else {
                return Ok(known);
            };
            from = last.saturating_add(1);
            for (_, entry) in &some {
                let count = known.entry(hash(entry)?).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
}

fn write(out: &mut dyn Write, line: &Line) -> Result<(), LedgerError> {
    write_within(out, line, MAX_LINE)
}

/// Writes a line of less than `max` bytes: an import refuses longer ones.
fn write_within(out: &mut dyn Write, line: &Line, max: u64) -> Result<(), LedgerError> {
    let mut text = serde_json::to_vec(line).map_err(std::io::Error::from)?;
    text.push(b'\n');
    if u64::try_from(text.len()).is_ok_and(|len| len >= max) {
        return Err(LedgerError::TooLong {
            what: match line {
                Line::Record { .. } => "a record, as a line of an export that can be imported,",
                _ => "a payload, as a line of an export that can be imported,",
            },
            len: text.len(),
            max: usize::try_from(max.saturating_sub(1)).unwrap_or(usize::MAX),
        });
    }
    Ok(out.write_all(&text)?)
}

fn hash(entry: &Entry) -> Result<[u8; 32], LedgerError> {
    let text = serde_json::to_vec(entry).map_err(std::io::Error::from)?;
    Ok(Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sn61::cycle::MAX_LOGS;

    #[test]
    fn sn61_logs_fit_into_a_line_and_longer_ones_are_refused() {
        let payload = |bytes: usize| Line::Payload {
            sha256: "0".repeat(64),
            payload: "A".repeat(bytes),
        };
        // In base64 three bytes are four.
        let logs = u64::try_from(MAX_LOGS).unwrap();
        assert!(logs.div_ceil(3) * 4 + 1000 < MAX_LINE);
        let mut out = Vec::new();
        write_within(&mut out, &payload(100), 1000).unwrap();
        let len = u64::try_from(out.len()).unwrap();
        write_within(&mut Vec::new(), &payload(100), len + 1).unwrap();
        let mut out = Vec::new();
        let error = write_within(&mut out, &payload(100), len).unwrap_err();
        assert!(out.is_empty());
        assert_eq!(
            error.to_string(),
            format!(
                "a payload, as a line of an export that can be imported, is {len} bytes long, and may be {}",
                len - 1
            )
        );
    }
}
