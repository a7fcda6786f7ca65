//! What each validator had decided and shown, step by step.

use std::collections::{BTreeMap, BTreeSet};

use super::{CopyingError, MIN_DISTINCT, Publication};

/// A row and when it counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) decided: u64,
    pub(super) visible: u64,
    /// Sorted by uid, without zeros.
    pub(super) row: Vec<(u16, u16)>,
    pub(super) sum: u64,
    pub(super) squares: u64,
    /// True if an equal row is no accident.
    pub(super) is_telling: bool,
}

/// A validator's decision at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) step: usize,
    /// Place in the rows.
    pub(super) row: usize,
}

/// All rows of a validator.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) validator: u32,
    /// In the order of decisions.
    pub(super) rows: Vec<Decided>,
    /// Places of the rows in the order in which they were shown.
    shown: Vec<usize>,
    /// For each step, the row in force by decision and the one shown.
    decided_at: Vec<Option<usize>>,
    shown_at: Vec<Option<usize>>,
    /// Steps at which the row in force became another one.
    pub(super) changes: Vec<Change>,
}

/// The series of all validators, in the order of their numbers.
pub(super) fn all(
    publications: &[Publication<'_>],
    steps: &[u64],
) -> Result<Vec<Series>, CopyingError> {
    if let Some(index) = steps.windows(2).position(|pair| pair[0] >= pair[1]) {
        let index = index + 1;
        let block = steps.get(index).copied().unwrap_or(0);
        return Err(CopyingError::Steps { index, block });
    }
    let mut rows = BTreeMap::<u32, Vec<Decided>>::new();
    for publication in publications {
        let own = rows.entry(publication.validator).or_default();
        own.push(decided(publication)?);
    }
    let series = rows.into_iter();
    Ok(series
        .map(|(validator, rows)| Series::new(validator, rows, steps))
        .collect())
}

fn decided(publication: &Publication<'_>) -> Result<Decided, CopyingError> {
    let Publication {
        validator,
        decided,
        visible,
        row,
    } = *publication;
    if visible < decided {
        return Err(CopyingError::Visible {
            validator,
            decided,
            visible,
        });
    }
    let mut row = row.to_vec();
    row.sort_unstable();
    if let Some(pair) = row.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(CopyingError::DuplicateWeight {
            validator,
            decided,
            uid: pair[0].0,
        });
    }
    row.retain(|(_, weight)| *weight != 0);
    let weights = || row.iter().map(|(_, weight)| u64::from(*weight));
    let distinct: BTreeSet<u64> = weights().collect();
    let (sum, squares) = (
        weights().sum(),
        weights().map(|weight| weight * weight).sum(),
    );
    Ok(Decided {
        decided,
        visible,
        row,
        sum,
        squares,
        is_telling: distinct.len() >= MIN_DISTINCT,
    })
}

impl Series {
    fn new(validator: u32, mut rows: Vec<Decided>, steps: &[u64]) -> Self {
        // Stable: of several in a block the last given counts.
        rows.sort_by_key(|row| row.decided);
        let mut shown: Vec<usize> = (0..rows.len()).collect();
        shown.sort_by_key(|place| rows.get(*place).map(|row| row.visible));
        let mut series = Self {
            validator,
            rows,
            shown,
            decided_at: vec![],
            shown_at: vec![],
            changes: vec![],
        };
        let by_decision = |block: &u64| {
            let count = series.rows.partition_point(|row| row.decided <= *block);
            count.checked_sub(1)
        };
        series.decided_at = steps.iter().map(by_decision).collect();
        series.shown_at = steps
            .iter()
            .map(|block| series.last_shown(|visible| visible <= *block))
            .collect();
        series.changes = series.find_changes();
        series
    }

    /// The first step at which there is a row is no change: when it was decided is not known to be after the step before.
    fn find_changes(&self) -> Vec<Change> {
        let row = |place: Option<usize>| self.rows.get(place?).map(|row| &row.row);
        let pairs = (1..).zip(self.decided_at.windows(2));
        let changed = pairs.filter(|(_, pair)| pair[1].is_some() && row(pair[0]) != row(pair[1]));
        let changes = changed.filter_map(|(step, pair)| {
            Some(Change {
                step,
                row: pair[1]?,
            })
        });
        changes.collect()
    }

    fn last_shown(&self, in_time: impl Fn(u64) -> bool) -> Option<usize> {
        let is_shown = |place: &usize| {
            self.rows
                .get(*place)
                .is_some_and(|row| in_time(row.visible))
        };
        let count = self.shown.partition_point(is_shown);
        self.shown.get(count.checked_sub(1)?).copied()
    }

    /// The row that anybody could read before a block.
    pub(super) fn shown_before(&self, block: u64) -> Option<&Decided> {
        self.rows.get(self.last_shown(|visible| visible < block)?)
    }

    /// The row that anybody could read at a step.
    pub(super) fn shown_at(&self, step: usize) -> Option<&Decided> {
        self.rows.get((*self.shown_at.get(step)?)?)
    }

    /// The row that the validator had decided on by a step.
    pub(super) fn decided_at(&self, step: usize) -> Option<&Decided> {
        self.rows.get((*self.decided_at.get(step)?)?)
    }
}
