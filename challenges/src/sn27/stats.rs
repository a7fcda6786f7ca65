//! What results of challenges say of a miner.
//!
//! Counted by uid *and* hotkey, so that who takes over a uid does not inherit its results.
//! The original groups in the same way, but then keeps one hotkey a uid, whichever comes last.

use std::collections::BTreeMap;

use crate::date;

/// The newest results in which failures and difficulty are counted.
pub const LAST: usize = 20;

/// A result of one challenge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome<'a> {
    /// uid of the miner.
    pub uid: u16,
    /// Its hotkey.
    pub hotkey: &'a str,
    /// Whether it was solved.
    pub success: bool,
    /// Seconds it took.
    pub elapsed: f64,
    /// Its difficulty.
    pub difficulty: f64,
    /// When it was, in microseconds since 1970.
    pub at: i64,
}

/// Which results are in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// As the original does: those of the day on which the window begins and of all days
    /// after. With 12 hours these are between 12 and 36 hours.
    Calendar {
        /// Hours before now.
        hours: u32,
    },
    /// Exactly the last hours, including the moment at which they begin.
    Rolling {
        /// Hours before now.
        hours: u32,
    },
}

/// The original's window.
pub const COMPAT: Window = Window::Calendar { hours: 12 };

/// What was counted of a uid and hotkey.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Results in the window.
    pub attempts: u32,
    /// Those that were solved.
    pub successes: u32,
    /// Mean seconds of the solved ones in the window.
    pub elapsed: Option<f64>,
    /// Mean difficulty of the solved ones in the window.
    pub difficulty: Option<f64>,
    /// Failures among the last twenty results, in the window or before it.
    pub failed_of_last: u32,
    /// Mean difficulty of the last twenty solved ones, in the window or before it.
    pub last_difficulty: Option<f64>,
}

impl Window {
    /// Whether a moment is in the window that ends now; both in microseconds since 1970.
    ///
    /// ```
    /// use challenges::date::parse;
    /// use challenges::sn27::stats::Window;
    /// let (now, then) = (parse("2024-03-26T13:00:00"), parse("2024-03-26T00:30:00"));
    /// let (now, then) = (now.unwrap(), then.unwrap());
    /// assert!(Window::Calendar { hours: 12 }.has(now, then));
    /// assert!(!Window::Rolling { hours: 12 }.has(now, then));
    /// ```
    pub fn has(self, now: i64, at: i64) -> bool {
        const HOUR: i64 = 3_600_000_000;
        match self {
            Window::Calendar { hours } => {
                let from = now.saturating_sub(i64::from(hours).saturating_mul(HOUR));
                at.div_euclid(date::DAY) >= from.div_euclid(date::DAY)
            }
            Window::Rolling { hours } => {
                at >= now.saturating_sub(i64::from(hours).saturating_mul(HOUR))
            }
        }
    }
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for number in numbers {
        sum += number;
        count += 1.0;
    }
    (count > 0.0).then(|| sum / count)
}

/// A number of results: at most as many as fit in memory.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Counts results; those after `now` are left out. Of results at the same moment the failed
/// ones count as newer, then the harder and the slower ones, so that the order in which they
/// come does not matter.
pub fn stats<'a>(
    outcomes: &[Outcome<'a>],
    now: i64,
    window: Window,
) -> BTreeMap<(u16, &'a str), Stats> {
    let mut groups: BTreeMap<_, Vec<&Outcome<'a>>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.at <= now) {
        groups
            .entry((outcome.uid, outcome.hotkey))
            .or_default()
            .push(outcome);
    }
    let of = |mut group: Vec<&Outcome<'a>>| {
        group.sort_by(|a, b| {
            b.at.cmp(&a.at)
                .then(a.success.cmp(&b.success))
                .then(b.difficulty.total_cmp(&a.difficulty))
                .then(b.elapsed.total_cmp(&a.elapsed))
        });
        let inside = || group.iter().filter(|outcome| window.has(now, outcome.at));
        let solved = || inside().filter(|outcome| outcome.success);
        let last = group.iter().take(LAST);
        let last_solved = group.iter().filter(|outcome| outcome.success).take(LAST);
        Stats {
            attempts: count(inside().count()),
            successes: count(solved().count()),
            elapsed: mean(solved().map(|outcome| outcome.elapsed)),
            difficulty: mean(solved().map(|outcome| outcome.difficulty)),
            failed_of_last: count(last.filter(|outcome| !outcome.success).count()),
            last_difficulty: mean(last_solved.map(|outcome| outcome.difficulty)),
        }
    };
    groups
        .into_iter()
        .map(|(key, group)| (key, of(group)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn outcome(at: i64, success: bool, difficulty: f64) -> Outcome<'static> {
        Outcome {
            uid: 1,
            hotkey: "a",
            success,
            elapsed: difficulty * 2.0,
            difficulty,
            at,
        }
    }

    #[test]
    fn windows_by_day_and_by_hour() {
        let now = date::parse("2024-03-26T11:00:00Z").unwrap();
        let ago = |hours| now - hours * HOUR;
        // Twelve hours before eleven is yesterday: all of it counts.
        let has = |window: Window, hours| window.has(now, ago(hours));
        assert!(has(COMPAT, 35) && !has(COMPAT, 36));
        assert!(has(Window::Rolling { hours: 12 }, 12) && !has(Window::Rolling { hours: 12 }, 13));
        assert!(has(Window::Rolling { hours: 24 }, 24) && !has(Window::Rolling { hours: 24 }, 25));
        assert!(Window::Rolling { hours: u32::MAX }.has(now, 0));
        let noon = date::parse("2024-03-26T12:00:00Z").unwrap();
        assert!(COMPAT.has(noon, noon - 12 * HOUR) && !COMPAT.has(noon, noon - 12 * HOUR - 1));
    }

    #[test]
    fn the_last_twenty_are_of_all_times() {
        let now = 1_000_000 * HOUR;
        let mut outcomes: Vec<_> = (0..30)
            .map(|n| {
                outcome(
                    now - n * 10 * HOUR,
                    n % 3 != 0,
                    if n < 15 { 9.0 } else { 7.0 },
                )
            })
            .collect();
        outcomes.push(outcome(now + 1, false, 12.0));
        let found = stats(&outcomes, now, Window::Rolling { hours: 24 });
        let found = found[&(1, "a")];
        assert_eq!((found.attempts, found.successes), (3, 2));
        assert_eq!((found.elapsed, found.difficulty), (Some(18.0), Some(9.0)));
        assert_eq!(found.failed_of_last, 7);
        assert_eq!(
            found.last_difficulty,
            Some((10.0 * 9.0 + 10.0 * 7.0) / 20.0)
        );
    }

    #[test]
    fn a_new_hotkey_begins_anew() {
        let old = outcome(5 * HOUR, false, 7.0);
        let new = Outcome {
            hotkey: "b",
            success: true,
            ..old
        };
        let found = stats(&[old, new], 6 * HOUR, COMPAT);
        assert_eq!(found[&(1, "a")].failed_of_last, 1);
        assert_eq!(found[&(1, "b")].failed_of_last, 0);
        assert_eq!(found[&(1, "a")].elapsed, None);
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter(
            rows in prop::collection::vec((0_i64..40, any::<bool>(), 6_u32..12), 1..50),
            turn in 0_usize..50,
        ) {
            let row = |(hour, success, difficulty): &(i64, bool, u32)| {
                outcome(hour * HOUR, *success, f64::from(*difficulty) * 1.1)
            };
            let mut outcomes: Vec<_> = rows.iter().map(row).collect();
            let before = stats(&outcomes, 40 * HOUR, COMPAT);
            outcomes.rotate_left(turn % rows.len());
            outcomes.reverse();
            prop_assert_eq!(&stats(&outcomes, 40 * HOUR, COMPAT), &before);
            let found = before[&(1, "a")];
            prop_assert!(found.successes <= found.attempts && found.failed_of_last <= 20);
        }
    }
}
