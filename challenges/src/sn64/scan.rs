//! Many exports at once, every invocation counted once, in bounded memory.
//!
//! # Why not all ids must be remembered
//!
//! The export of an hour holds what began in it, and what began up to a day before and
//! ended in it. So an invocation may come twice: in the hour of its beginning and in the
//! hour of its end, which is at most a day later; the later one is the one that counts.
//!
//! * A row that began and ended within the hour of its file cannot come again.
//! * A row of the file of its beginning that has not ended, or ended after the hour, waits
//!   ([`KEPT`]) until the one with its end comes in a later file, or until it no longer can.
//! * A row that began before its file's hour takes the place of the one that waits.
//!
//! What does not fit (a row of neither kind, an id twice in a file, an end whose beginning
//! was read and does not wait) is *suspect*: the files are read once more, and all rows of
//! such ids are set aside, put together (one that ended wins over one that has not, then
//! the later file, then the later row) and added last. One case is taken as two
//! invocations: the same id in two files with two different beginnings, each in its own.
//!
//! # Order
//!
//! Files are read side by side, a few at a time, and put together in the order of their
//! hours; sums are made row by row within a file and file by file. The result does not
//! depend on how many threads there are.

mod names;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Read;

use rayon::prelude::*;

use super::AuditError;
use super::csv::Records;
use super::row::{Columns, Row, Times};
pub use names::{Names, Numbers};
use scoring::local::sn64::units::HOUR;

/// A beginning waits so long for its end: a day, and an hour since exports are by the hour.
pub const KEPT: i64 = 25 * HOUR;
/// Most rows that may wait at once.
pub const MAX_WAITING: usize = 4_000_000;
/// Most suspect ids.
pub const MAX_SUSPECTS: usize = 1_000_000;
/// Most rows of a file: the id of each is kept while the file is read.
pub const MAX_ROWS: u64 = 5_000_000;
/// Files read before they are put together.
const AT_ONCE: usize = 4;

/// What a scan holds at most.
#[derive(Debug, Clone, Copy)]
struct Limits {
    rows: u64,
    waiting: usize,
    suspects: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            rows: MAX_ROWS,
            waiting: MAX_WAITING,
            suspects: MAX_SUSPECTS,
        }
    }
}

impl Limits {
    /// Refuses what is above a limit, `file` being the last that was read.
    fn check(
        &self,
        file: &str,
        rows: u64,
        waiting: usize,
        suspects: usize,
    ) -> Result<(), AuditError> {
        let Limits {
            rows: most,
            waiting: most_waiting,
            suspects: most_suspects,
        } = self;
        let what = if rows > *most {
            format!("has more than {most} rows, which no export of an hour has; check the file")
        } else if waiting > *most_waiting {
            format!(
                "more than {most_waiting} invocations of a day ({waiting}) have not ended in their hour; the exports are not what they should be"
            )
        } else if suspects > *most_suspects {
            format!(
                "more than {most_suspects} ids ({suspects}) come twice or do not belong to the hour that their file is named for; check the names of the exports"
            )
        } else {
            return Ok(());
        };
        Err(AuditError::Limit(format!("{file}: {what}")))
    }
}

/// An export of invocations.
pub trait Export: Sync {
    /// Its name, for errors.
    fn name(&self) -> &str;
    /// The end of its hour.
    fn end(&self) -> i64;
    /// Its bytes.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    fn open(&self) -> std::io::Result<Box<dyn Read + Send + '_>>;
}

/// What is made of the rows.
pub trait Measure: Sync {
    /// What a row comes to.
    type Value: Copy + Send;
    /// What the rows of a file come to.
    type Part: Default + Send;
    /// What a row comes to; `None` when it does not count.
    ///
    /// # Errors
    ///
    /// When there are too many hotkeys or chutes.
    fn value(
        &self,
        row: &Row<'_>,
        numbers: &mut Numbers<'_>,
    ) -> Result<Option<Self::Value>, String>;
    /// Adds a row.
    fn add(&self, part: &mut Self::Part, value: &Self::Value);
    /// Adds what a later file came to.
    fn merge(&self, into: &mut Self::Part, part: Self::Part);
}

/// What was found besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Rows read, in one reading.
    pub rows: u64,
    /// Rows whose place a later one took.
    pub superseded: u64,
    /// Ends whose beginning is in no file that was read.
    pub without_beginning: u64,
    /// Ids that needed a second reading.
    pub suspects: u64,
    /// sha256 of every file, in the order of the files.
    pub hashes: Vec<[u8; 32]>,
    /// Columns that nobody knows, with a file that has them.
    pub unknown_columns: Vec<(String, String)>,
    /// Wanted ids that were found, with the hotkeys of their rows.
    pub wanted: HashMap<u128, Vec<String>>,
}

/// What a scan came to.
#[derive(Debug)]
pub struct Scanned<P> {
    /// What the rows came to.
    pub part: P,
    /// What was found besides.
    pub found: Found,
}

type Key = (u128, i64);

/// A row of a suspect id.
struct Aside<V> {
    id: u128,
    ended: bool,
    value: Option<V>,
}

struct OneFile<M: Measure> {
    part: M::Part,
    rows: u64,
    waiting: Vec<(Key, Option<M::Value>)>,
    ends: Vec<(Key, Option<M::Value>)>,
    suspects: HashSet<u128>,
    aside: Vec<Aside<M::Value>>,
    hash: [u8; 32],
    unknown: Vec<String>,
    wanted: Vec<(u128, String)>,
}

/// Reads all exports and measures them; `wanted` are ids to look out for. The files must be
/// in the order of their hours, which must differ.
///
/// # Errors
///
/// When a file cannot be read, a row is not what it should be, or limits are exceeded.
pub fn scan<M: Measure, E: Export>(
    files: &[E],
    measure: &M,
    names: &Names,
    wanted: &HashSet<u128>,
) -> Result<Scanned<M::Part>, AuditError> {
    within(files, measure, names, wanted, Limits::default())
}

/// The same with other limits.
fn within<M: Measure, E: Export>(
    files: &[E],
    measure: &M,
    names: &Names,
    wanted: &HashSet<u128>,
    limits: Limits,
) -> Result<Scanned<M::Part>, AuditError> {
    let none = HashSet::new();
    let (scanned, suspects) = pass(files, measure, names, wanted, &none, limits)?;
    if suspects.is_empty() {
        return Ok(scanned);
    }
    drop(scanned);
    let (mut scanned, more) = pass(files, measure, names, wanted, &suspects, limits)?;
    if !more.is_empty() {
        return Err(AuditError::Limit(
            "the exports changed while they were read; try again when nothing writes to them"
                .into(),
        ));
    }
    scanned.found.suspects = u64::try_from(suspects.len()).unwrap_or(u64::MAX);
    Ok(scanned)
}

/// One reading of all files; rows of `aside` are set aside.
fn pass<M: Measure, E: Export>(
    files: &[E],
    measure: &M,
    names: &Names,
    wanted: &HashSet<u128>,
    aside: &HashSet<u128>,
    limits: Limits,
) -> Result<(Scanned<M::Part>, HashSet<u128>), AuditError> {
    let ends: HashSet<i64> = files.iter().map(Export::end).collect();
    let mut line = Line::<M> {
        measure,
        limits,
        part: M::Part::default(),
        found: Found::default(),
        open: HashMap::new(),
        hours: VecDeque::new(),
        suspects: HashSet::new(),
        aside: HashMap::new(),
        ends,
    };
    for some in files.chunks(AT_ONCE) {
        let read: Vec<_> = some
            .par_iter()
            .map(|file| one(file, measure, names, wanted, aside, limits))
            .collect();
        for (file, read) in some.iter().zip(read) {
            line.add(file, read?)?;
        }
    }
    Ok(line.finish())
}

/// A row that may come again, or whose end has been counted.
enum Open<V> {
    Waits(Option<V>),
    Counted,
}

/// What the files so far came to.
struct Line<'a, M: Measure> {
    measure: &'a M,
    limits: Limits,
    part: M::Part,
    found: Found,
    open: HashMap<Key, Open<M::Value>>,
    /// Keys of `open` by the end of the hour of their file, in order.
    hours: VecDeque<(i64, Vec<Key>)>,
    suspects: HashSet<u128>,
    aside: HashMap<u128, Aside<M::Value>>,
    ends: HashSet<i64>,
}

impl<M: Measure> Line<'_, M> {
    fn add<E: Export>(&mut self, file: &E, one: OneFile<M>) -> Result<(), AuditError> {
        let end = file.end();
        while self
            .hours
            .front()
            .is_some_and(|(hour, _)| hour.saturating_add(KEPT + HOUR) < end)
        {
            if let Some((_, keys)) = self.hours.pop_front() {
                self.close(&keys);
            }
        }
        self.measure.merge(&mut self.part, one.part);
        self.found.rows += one.rows;
        self.found.hashes.push(one.hash);
        let name = file.name();
        self.found
            .unknown_columns
            .extend(one.unknown.into_iter().map(|c| (c, name.to_owned())));
        for (id, hotkey) in one.wanted {
            self.found.wanted.entry(id).or_default().push(hotkey);
        }
        self.suspects.extend(one.suspects);
        let mut keys = Vec::with_capacity(one.ends.len() + one.waiting.len());
        for (key, value) in one.ends {
            match self.open.insert(key, Open::Counted) {
                Some(Open::Waits(_)) => self.found.superseded += 1,
                Some(Open::Counted) => {
                    self.suspects.insert(key.0);
                }
                None => {
                    self.found.without_beginning += 1;
                    if self.ends.contains(&hour_end(key.1)) {
                        self.suspects.insert(key.0);
                    }
                    keys.push(key);
                }
            }
            if let Some(value) = value {
                self.measure.add(&mut self.part, &value);
            }
        }
        for (key, value) in one.waiting {
            self.open.insert(key, Open::Waits(value));
            keys.push(key);
        }
        self.hours.push_back((end, keys));
        for set in one.aside {
            match self.aside.entry(set.id) {
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(set);
                }
                std::collections::hash_map::Entry::Occupied(mut place) => {
                    self.found.superseded += 1;
                    if set.ended || !place.get().ended {
                        place.insert(set);
                    }
                }
            }
        }
        self.limits
            .check(name, 0, self.open.len(), self.suspects.len())
    }

    /// What waited in vain counts as it is.
    fn close(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(Open::Waits(Some(value))) = self.open.remove(key) {
                self.measure.add(&mut self.part, &value);
            }
        }
    }

    fn finish(mut self) -> (Scanned<M::Part>, HashSet<u128>) {
        while let Some((_, keys)) = self.hours.pop_front() {
            self.close(&keys);
        }
        let mut aside: Vec<_> = self.aside.into_values().collect();
        aside.sort_unstable_by_key(|row| row.id);
        for row in aside {
            if let Some(value) = row.value {
                self.measure.add(&mut self.part, &value);
            }
        }
        let scanned = Scanned {
            part: self.part,
            found: self.found,
        };
        (scanned, self.suspects)
    }
}

/// The end of the hour of a time.
fn hour_end(time: i64) -> i64 {
    time.div_euclid(HOUR).saturating_add(1).saturating_mul(HOUR)
}

/// Reads one file.
fn one<M: Measure, E: Export>(
    file: &E,
    measure: &M,
    names: &Names,
    wanted: &HashSet<u128>,
    aside: &HashSet<u128>,
    limits: Limits,
) -> Result<OneFile<M>, AuditError> {
    let source = file.open().map_err(|error| AuditError::Io {
        path: file.name().to_owned(),
        why: error.to_string(),
    })?;
    let mut records = Records::new(source, true);
    let refuse = |line, what: String| AuditError::Line {
        file: file.name().to_owned(),
        line,
        what,
    };
    let mut found = OneFile::<M> {
        part: M::Part::default(),
        rows: 0,
        waiting: Vec::new(),
        ends: Vec::new(),
        suspects: HashSet::new(),
        aside: Vec::new(),
        hash: [0; 32],
        unknown: Vec::new(),
        wanted: Vec::new(),
    };
    let header = match records.next_record() {
        Ok(Some(header)) => Columns::of(header).map_err(|what| refuse(1, what))?,
        Ok(None) => {
            return Err(refuse(
                1,
                "the file is empty; the first line names the columns".into(),
            ));
        }
        Err(error) => return Err(refuse(records.line(), error.to_string())),
    };
    let (end, start) = (file.end(), file.end().saturating_sub(HOUR));
    let mut times = Times::default();
    let mut numbers = Numbers::of(names);
    let mut seen: HashSet<u128> = HashSet::new();
    loop {
        let record = match records.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(error) => return Err(refuse(records.line(), error.to_string())),
        };
        let row = Row::of(&header, record, &mut times);
        let row = row.and_then(|row| Ok((measure.value(&row, &mut numbers)?, row)));
        let (value, row) = match row {
            Ok(row) => row,
            Err(what) => return Err(refuse(records.line(), what)),
        };
        found.rows += 1;
        // Of the rows before: a file ends the scan before it fills the memory.
        let open = found.waiting.len() + found.ends.len();
        limits.check(file.name(), found.rows, open, found.suspects.len())?;
        if !wanted.is_empty() && wanted.contains(&row.id) {
            found.wanted.push((row.id, row.hotkey.to_owned()));
        }
        if !aside.is_empty() && aside.contains(&row.id) {
            let (id, ended) = (row.id, row.completed.is_some());
            found.aside.push(Aside { id, ended, value });
            continue;
        }
        if !seen.insert(row.id) {
            found.suspects.insert(row.id);
        }
        let key = (row.id, row.started);
        let began_here = (start..end).contains(&row.started);
        match row.completed {
            Some(completed) if began_here && completed < end => {
                if let Some(value) = value {
                    measure.add(&mut found.part, &value);
                }
            }
            _ if began_here => found.waiting.push((key, value)),
            Some(completed)
                if (start.saturating_sub(KEPT)..start).contains(&row.started)
                    && (start..end).contains(&completed) =>
            {
                found.ends.push((key, value));
            }
            _ => {
                found.suspects.insert(row.id);
            }
        }
    }
    found.unknown = header.unknown;
    found.hash = records.finish();
    Ok(found)
}

#[cfg(test)]
mod tests;
