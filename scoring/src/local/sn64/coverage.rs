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
    /// Holes of the window, those before the first report and after the last included.
    pub gaps: Vec<(i64, i64)>,
    /// Where the first begins and the last ends, at most `now`; `None` without reports.
    pub span: Option<(i64, i64)>,
    /// Reports that end before they begin; they count nowhere.
    pub backwards: usize,
    /// Reports that begin after `now`; only the original's sum has them.
    pub future: usize,
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

/// Coverage of the window from `now` less [`REACH`] to `now` by reports from start to end,
/// in any order. Those that begin before it are left out, and what is said of the time
/// after `now` is not believed.
///
/// ```
/// use scoring::local::sn64::{coverage::coverage, units::HOUR};
/// let twice = [(0, HOUR), (HOUR / 2, HOUR), (3 * HOUR, 4 * HOUR)];
/// let found = coverage(&twice, 5 * HOUR);
/// assert_eq!(found.covered, 2 * HOUR);
/// assert_eq!(found.gaps, [(-164 * HOUR, 0), (HOUR, 3 * HOUR), (4 * HOUR, 5 * HOUR)]);
/// ```
pub fn coverage(reports: &[(i64, i64)], now: i64) -> Coverage {
    let from = now.saturating_sub(REACH);
    let mut reports: Vec<_> = reports.iter().copied().filter(|r| r.0 >= from).collect();
    let all = reports.len();
    reports.retain(|(start, end)| start <= end);
    let backwards = all - reports.len();
    // The original believes everything.
    let summed = reports.iter().fold(0_i64, |sum, (start, end)| {
        sum.saturating_add(end.saturating_sub(*start))
    });
    let known = reports.len();
    reports.retain(|(start, _)| *start <= now);
    let future = known - reports.len();
    reports.sort_unstable();
    let mut found = Coverage {
        covered: 0,
        summed,
        gaps: Vec::new(),
        span: None,
        backwards,
        future,
    };
    for (start, end) in reports {
        let end = end.min(now);
        let (first, reached) = found.span.unwrap_or((start, start));
        let hole = found.span.map_or(from, |(_, reached)| reached);
        if start > hole {
            found.gaps.push((hole, start));
        }
        let new = end.saturating_sub(start.max(reached)).max(0);
        found.covered = found.covered.saturating_add(new);
        found.span = Some((first, reached.max(end)));
    }
    let reached = found.span.map_or(from, |(_, reached)| reached);
    if reached < now {
        found.gaps.push((reached, now));
    }
    found
}
