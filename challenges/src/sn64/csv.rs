//! Records of CSV, strictly: a quote where none may be, or one that is never closed, is an
//! error with its line rather than a guess.
//!
//! Fields are looked for in a buffer that is filled again and again; nothing is allocated
//! for a record but what a doubled quote makes necessary.

use std::io::Read;

use memchr::{memchr, memchr_iter, memchr3};
use sha2::{Digest, Sha256};

/// Bytes read at once.
const CHUNK: usize = 1 << 18;
/// The longest record.
pub const MAX_RECORD: usize = 8 << 20;

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Quotes are not where they may be.
    #[error("{0}")]
    Quotes(&'static str),
    /// It is too long.
    #[error("a record is longer than {MAX_RECORD} bytes; a quote is probably not closed")]
    Long,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
    /// Whether it lies in the scratch buffer, its doubled quotes made single.
    scratch: bool,
}

/// Reads records from bytes, and hashes the bytes meanwhile.
#[derive(Debug)]
pub struct Records<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
    line: u64,
    next_line: u64,
    spans: Vec<Span>,
    scratch: Vec<u8>,
    hash: Option<Sha256>,
}

/// The fields of one record.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    data: &'a [u8],
    scratch: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Record<'a> {
    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A field without its quotes; empty when there is none.
    pub fn get(&self, at: usize) -> &'a [u8] {
        let Some(span) = self.spans.get(at) else {
            return &[];
        };
        let from = if span.scratch {
            self.scratch
        } else {
            self.data
        };
        from.get(span.from..span.to).unwrap_or_default()
    }
}

enum Step {
    Record,
    More,
    End,
}

impl<R: Read> Records<R> {
    /// Records of a source. With `hash`, [`Records::finish`] tells the sha256 of it.
    pub fn new(source: R, hash: bool) -> Records<R> {
        Records {
            source,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            eof: false,
            line: 0,
            next_line: 1,
            spans: Vec::new(),
            scratch: Vec::new(),
            hash: hash.then(Sha256::new),
        }
    }

    /// The line on which the last record began, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next record; `None` at the end. Empty lines are passed over.
    ///
    /// # Errors
    ///
    /// See [`RecordError`].
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        loop {
            self.line = self.next_line;
            match self.parse()? {
                Step::Record => break,
                Step::End => return Ok(None),
                Step::More => self.fill()?,
            }
        }
        Ok(Some(Record {
            data: &self.buffer,
            scratch: &self.scratch,
            spans: &self.spans,
        }))
    }

    /// The sha256 of everything, once the end was reached; zeros when it was not asked for.
    pub fn finish(self) -> [u8; 32] {
        self.hash.map_or([0; 32], |hash| hash.finalize().into())
    }

    fn fill(&mut self) -> Result<(), RecordError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            if self.end >= MAX_RECORD {
                return Err(RecordError::Long);
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let read = loop {
            match self.source.read(room) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if let Some(hash) = &mut self.hash {
            hash.update(room.get(..read).unwrap_or_default());
        }
        self.eof = read == 0;
        self.end += read;
        Ok(())
    }

    /// Looks for one record in what is in the buffer.
    fn parse(&mut self) -> Result<Step, RecordError> {
        while self.start < self.end && matches!(self.buffer.get(self.start), Some(b'\n' | b'\r')) {
            if self.buffer.get(self.start) == Some(&b'\n') {
                self.next_line += 1;
                self.line += 1;
            }
            self.start += 1;
        }
        if self.start == self.end {
            return Ok(if self.eof { Step::End } else { Step::More });
        }
        self.spans.clear();
        self.scratch.clear();
        let data = self.buffer.get(..self.end).unwrap_or_default();
        let mut lines = 1;
        let mut at = self.start;
        loop {
            // `after` is where the separator stands, or the end of everything.
            let after = if data.get(at) == Some(&b'"') {
                let Some((close, doubled)) = closing(data, at + 1, self.eof)? else {
                    return Ok(Step::More);
                };
                let inside = data.get(at + 1..close).unwrap_or_default();
                lines += u64::try_from(memchr_iter(b'\n', inside).count()).unwrap_or(0);
                self.spans.push(if doubled {
                    let from = self.scratch.len();
                    single(inside, &mut self.scratch);
                    let to = self.scratch.len();
                    Span {
                        from,
                        to,
                        scratch: true,
                    }
                } else {
                    Span {
                        from: at + 1,
                        to: close,
                        scratch: false,
                    }
                });
                let mut after = close + 1;
                if data.get(after) == Some(&b'\r') {
                    after += 1;
                    if after == data.len() && !self.eof {
                        return Ok(Step::More);
                    }
                    if !matches!(data.get(after), Some(b'\n') | None) {
                        return Err(RecordError::Quotes("text follows a closing quote"));
                    }
                }
                after
            } else {
                let rest = data.get(at..).unwrap_or_default();
                let length = memchr3(b',', b'\n', b'"', rest);
                let after = match length {
                    Some(length) => at + length,
                    None if self.eof => data.len(),
                    None => return Ok(Step::More),
                };
                if data.get(after) == Some(&b'"') {
                    return Err(RecordError::Quotes(
                        "a quote stands inside of a field that does not begin with one",
                    ));
                }
                let mut to = after;
                if data.get(after) != Some(&b',') && to > at && data.get(to - 1) == Some(&b'\r') {
                    to -= 1;
                }
                self.spans.push(Span {
                    from: at,
                    to,
                    scratch: false,
                });
                after
            };
            match data.get(after) {
                Some(b',') => at = after + 1,
                Some(b'\n') => {
                    self.start = after + 1;
                    break;
                }
                None => {
                    self.start = data.len();
                    break;
                }
                Some(_) => return Err(RecordError::Quotes("text follows a closing quote")),
            }
            if at == data.len() && !self.eof {
                return Ok(Step::More);
            }
        }
        self.next_line += lines;
        Ok(Step::Record)
    }
}

/// Where the quote that closes a field stands, and whether there are doubled ones before;
/// `None` when more must be read.
fn closing(data: &[u8], from: usize, eof: bool) -> Result<Option<(usize, bool)>, RecordError> {
    let mut at = from;
    let mut doubled = false;
    loop {
        let Some(found) = memchr(b'"', data.get(at..).unwrap_or_default()) else {
            return if eof {
                Err(RecordError::Quotes("a quote is never closed"))
            } else {
                Ok(None)
            };
        };
        let quote = at + found;
        match data.get(quote + 1) {
            Some(b'"') => {
                doubled = true;
                at = quote + 2;
            }
            None if !eof => return Ok(None),
            _ => return Ok(Some((quote, doubled))),
        }
    }
}

/// Doubled quotes made single.
fn single(inside: &[u8], out: &mut Vec<u8>) {
    let mut quotes = 0_usize;
    for byte in inside {
        if *byte == b'"' {
            quotes += 1;
            if quotes.is_multiple_of(2) {
                continue;
            }
        }
        out.push(*byte);
    }
}

#[cfg(test)]
mod tests;
