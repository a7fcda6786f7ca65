//! How much of a window reports cover. Times are microseconds since 1970.

use super::units::HOUR;

/// Reports must cover so much: seven days less an hour.
pub const WANTED: i64 = 7 * 24 * HOUR - HOUR;
/// Only reports that begin so long before now or later count.
pub const REACH: i64 = 169 * HOUR;

/// What reports cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Time that at least one report covers.
    pub covered: i64,
    /// Lengths of all reports together, overlaps counted twice: what the original takes.
    pub summed: i64,
    /// Holes between the first and the last report.
    pub gaps: Vec<(i64, i64)>,
    /// Where the first begins and the last ends; `None` without reports.
    pub span: Option<(i64, i64)>,
    /// Reports that end before they begin; they count nowhere.
    pub backwards: usize,
}

impl Coverage {
    /// Whether the time covered is enough.
    pub fn full(&self) -> bool {
        self.covered >= WANTED
    }

    /// Whether the original would say so: the sum is exactly what is wanted.
    pub fn full_by_the_original(&self) -> bool {
        self.summed == WANTED
    }
}

/// Coverage by reports from start to end, in any order; those that begin before
/// `now` less [`REACH`] are left out.
///
/// ```
/// use scoring::local::sn64::{coverage::coverage, units::HOUR};
/// let twice = [(0, HOUR), (HOUR / 2, HOUR), (3 * HOUR, 4 * HOUR)];
/// let found = coverage(&twice, 5 * HOUR);
/// assert_eq!(found.covered, 2 * HOUR);
/// assert_eq!(found.gaps, [(HOUR, 3 * HOUR)]);
/// ```
pub fn coverage(reports: &[(i64, i64)], now: i64) -> Coverage {
    let from = now.saturating_sub(REACH);
    let mut reports: Vec<_> = reports.iter().copied().filter(|r| r.0 >= from).collect();
    let all = reports.len();
    reports.retain(|(start, end)| start <= end);
    let backwards = all - reports.len();
    reports.sort_unstable();
    let mut found = Coverage {
        covered: 0,
        summed: 0,
        gaps: Vec::new(),
        span: None,
        backwards,
    };
    for (start, end) in reports {
        found.summed = found.summed.saturating_add(end.saturating_sub(start));
        let (first, reached) = found.span.unwrap_or((start, start));
        if start > reached {
            found.gaps.push((reached, start));
        }
        let new = end.saturating_sub(start.max(reached)).max(0);
        found.covered = found.covered.saturating_add(new);
        found.span = Some((first, reached.max(end)));
    }
    found
}
