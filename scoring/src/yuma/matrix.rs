//! Sparse matrices in flat arrays, row by row as they are stored.

use std::ops::Range;

use super::{EpochError, Row};
use crate::fixed::I32F32;

/// The entries of all rows: where each uid's row starts, and the uid of each entry. Values are in arrays beside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    /// One more than there are rows.
    pub(crate) starts: Vec<u32>,
    pub(crate) columns: Vec<u16>,
}

impl Pattern {
    pub(crate) fn clear(&mut self) {
        self.starts.clear();
        self.starts.push(0);
        self.columns.clear();
    }

    /// The places of a row's entries.
    #[inline]
    pub(crate) fn row(&self, uid: usize) -> Range<usize> {
        self.starts[uid] as usize..self.starts[uid + 1] as usize
    }

    /// Ends the row that was being filled.
    #[inline]
    pub(crate) fn end_row(&mut self) {
        // At most as many entries as were read, which was checked to fit.
        self.starts
            .push(u32::try_from(self.columns.len()).unwrap_or(u32::MAX));
    }

    /// All rows that have entries, with their uids.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let ranges = self
            .starts
            .windows(2)
            .map(|pair| pair[0] as usize..pair[1] as usize);
        ranges.enumerate().filter(|(_, range)| !range.is_empty())
    }
}

/// A matrix as an [`super::Observer`] sees it: the values of one stage, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    pub(crate) pattern: &'a Pattern,
    pub(crate) values: &'a [I32F32],
}

impl<'a> Matrix<'a> {
    /// Number of rows, one per uid.
    pub fn len(&self) -> usize {
        self.pattern.starts.len().saturating_sub(1)
    }

    /// True for a subnet without neurons.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries of a row as pairs of a uid and a value, in the order in which the epoch has them. Empty for a row that does not exist.
    pub fn row(&self, uid: u16) -> impl Iterator<Item = (u16, I32F32)> + use<'a> {
        let uid = usize::from(uid);
        let range = if uid < self.len() {
            self.pattern.row(uid)
        } else {
            0..0
        };
        let columns = self.pattern.columns.get(range.clone()).unwrap_or_default();
        columns
            .iter()
            .copied()
            .zip(self.values.get(range).unwrap_or_default().iter().copied())
    }

    /// A copy of all rows.
    pub fn to_rows(&self) -> RowMatrix {
        (0..=u16::MAX)
            .take(self.len())
            .map(|uid| self.row(uid).collect())
            .collect()
    }
}

/// A matrix as a vector of rows of pairs of a uid and a value.
pub type RowMatrix = Vec<Vec<(u16, I32F32)>>;

/// How a stored matrix is read.
pub(crate) struct Reading<'a> {
    /// `weights` or `bonds`, for messages.
    pub(crate) what: &'static str,
    pub(crate) n: u16,
    pub(crate) spec: u32,
    /// Block at which each column's miner registered.
    pub(crate) registered: &'a [u64],
    /// True to skip rows of uids that do not exist, false for an error.
    pub(crate) skips_foreign_rows: bool,
    /// True to skip entries of uids that do not exist, false for an error.
    pub(crate) skips_foreign_entries: bool,
}

/// What to keep of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Only entries whose miner registered before this block.
    pub(crate) registered_before: u64,
    /// Also the entry on the diagonal.
    pub(crate) own: bool,
}

/// The entries of a stored matrix that its masks left, each row in its stored order.
#[derive(Debug, Default)]
pub(crate) struct KeptRows {
    pub(crate) pattern: Pattern,
    /// Values as they are stored.
    pub(crate) raw: Vec<u16>,
    /// Uids of rows whose entries do not ascend.
    pub(crate) unsorted: Vec<u16>,
    /// The last row that named a uid.
    marks: Vec<u32>,
    /// The place of each uid's row among the stored ones.
    sources: Vec<Option<usize>>,
}

impl KeptRows {
    /// Reads the stored rows; `keep` says for each uid what to keep, none for nothing at all.
    pub(crate) fn read(
        &mut self,
        reading: &Reading<'_>,
        stored: &[Row<'_>],
        keep: impl Fn(u16) -> Option<Keep>,
    ) -> Result<(), EpochError> {
        let total = stored
            .iter()
            .fold(0usize, |sum, row| sum.saturating_add(row.entries.len()));
        if u32::try_from(total).is_err() {
            return Err(EpochError::TooManyEntries {
                what: reading.what,
                entries: total,
            });
        }
        self.pattern.clear();
        self.raw.clear();
        self.unsorted.clear();
        self.marks.clear();
        self.pattern.columns.reserve(total);
        self.raw.reserve(total);
        self.find_rows(reading, stored)?;
        let newest = reading.registered.iter().copied().max().unwrap_or(0);
        for uid in 0..reading.n {
            if let Some(row) = self.sources[usize::from(uid)].and_then(|source| stored.get(source))
            {
                self.check_order(reading, row)?;
                if let Some(keep) = keep(uid) {
                    self.read_row(reading, row, keep, newest)?;
                }
            }
            self.pattern.end_row();
        }
        Ok(())
    }

    /// True for a row whose entries do not ascend.
    pub(crate) fn is_unsorted(&self, uid: usize) -> bool {
        u16::try_from(uid).is_ok_and(|uid| self.unsorted.binary_search(&uid).is_ok())
    }

    /// The row of a uid as it is stored.
    pub(crate) fn stored<'a, 'b>(&self, stored: &'a [Row<'b>], uid: u16) -> Option<&'a Row<'b>> {
        self.sources
            .get(usize::from(uid))
            .copied()
            .flatten()
            .and_then(|source| stored.get(source))
    }

    fn find_rows(&mut self, reading: &Reading<'_>, stored: &[Row<'_>]) -> Result<(), EpochError> {
        let Reading { what, n, spec, .. } = *reading;
        self.sources.clear();
        self.sources.resize(usize::from(n), None);
        for (source, row) in stored.iter().enumerate() {
            match self.sources.get_mut(usize::from(row.uid)) {
                Some(place @ None) => *place = Some(source),
                Some(Some(_)) => return Err(EpochError::DuplicateRow { what, uid: row.uid }),
                None if reading.skips_foreign_rows => {}
                None => {
                    return Err(EpochError::ForeignUid {
                        what,
                        row: row.uid,
                        uid: row.uid,
                        n,
                        spec,
                    });
                }
            }
        }
        Ok(())
    }

    /// Notes a row that is not sorted, and refuses one that names a uid twice.
    fn check_order(&mut self, reading: &Reading<'_>, row: &Row<'_>) -> Result<(), EpochError> {
        if row.entries.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return Ok(());
        }
        self.unsorted.push(row.uid);
        // Each row marks the uids it names with its own, which is below 65536.
        self.marks.resize(usize::from(reading.n), u32::MAX);
        let mark = u32::from(row.uid);
        for (uid, _) in row.entries.iter() {
            match self.marks.get_mut(usize::from(*uid)) {
                Some(seen) if *seen == mark => {
                    return Err(EpochError::DuplicateEntry {
                        what: reading.what,
                        row: row.uid,
                        uid: *uid,
                    });
                }
                Some(seen) => *seen = mark,
                None => {}
            }
        }
        Ok(())
    }

    fn read_row(
        &mut self,
        reading: &Reading<'_>,
        row: &Row<'_>,
        keep: Keep,
        newest: u64,
    ) -> Result<(), EpochError> {
        let Reading { what, n, spec, .. } = *reading;
        let own = row.uid;
        if !reading.skips_foreign_entries
            && let Some((uid, _)) = row.entries.iter().find(|(uid, _)| *uid >= n)
        {
            return Err(EpochError::ForeignUid {
                what,
                row: own,
                uid: *uid,
                n,
                spec,
            });
        }
        if newest < keep.registered_before && !self.is_unsorted(usize::from(own)) {
            // The usual case: nobody is new, so that only foreign uids, at the end, and the diagonal may have to go.
            let end = row.entries.partition_point(|(uid, _)| *uid < n);
            let diagonal = row.entries.partition_point(|(uid, _)| *uid < own).min(end);
            let has_own = row
                .entries
                .get(diagonal)
                .is_some_and(|(uid, _)| *uid == own);
            let (before, after) = row.entries[..end].split_at(diagonal);
            self.push_all(before);
            self.push_all(if has_own && !keep.own {
                &after[1..]
            } else {
                after
            });
            return Ok(());
        }
        for &(uid, value) in row.entries.iter() {
            let is_kept = reading
                .registered
                .get(usize::from(uid))
                .is_some_and(|block| *block < keep.registered_before);
            if is_kept && (keep.own || uid != own) {
                self.pattern.columns.push(uid);
                self.raw.push(value);
            }
        }
        Ok(())
    }

    fn push_all(&mut self, entries: &[(u16, u16)]) {
        self.pattern
            .columns
            .extend(entries.iter().map(|(uid, _)| *uid));
        self.raw.extend(entries.iter().map(|(_, value)| *value));
    }
}

/// A row as pairs sorted by uid, in a buffer.
#[derive(Debug, Default)]
pub(crate) struct SortedRow<T> {
    pub(crate) pairs: Vec<(u16, T)>,
}

impl<T: Copy> SortedRow<T> {
    pub(crate) fn sort(&mut self, pairs: impl Iterator<Item = (u16, T)>) {
        self.pairs.clear();
        self.pairs.extend(pairs);
        // Rows are short and nearly all of them are sorted, which the sort notices first.
        self.pairs.sort_by_key(|pair| pair.0);
    }
}
