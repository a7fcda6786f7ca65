//! How long the rest will take: from the blocks of the last minutes, in integers.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back the pace is measured.
const MEMORY: Duration = Duration::from_secs(120);
/// Samples closer together than this are one.
const APART: Duration = Duration::from_millis(500);

/// A moving rate of blocks.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Time since some beginning, and blocks filled until then.
    samples: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// Takes note of how many blocks were filled until a moment. Times do not go back.
    pub fn note(&mut self, at: Duration, filled: u64) {
        // The first one stays as it is: it is what the others are measured from.
        let close = |(last, _): &(Duration, u64)| at.saturating_sub(*last) < APART;
        if self.samples.len() > 1 && self.samples.iter().nth_back(1).is_some_and(close) {
            self.samples.pop_back();
        }
        self.samples.push_back((at, filled));
        while self.samples.len() > 2
            && let Some((second, _)) = self.samples.get(1)
            && at.saturating_sub(*second) >= MEMORY
        {
            self.samples.pop_front();
        }
    }

    /// Blocks and the time they took, of late; `None` before there are any.
    fn lately(&self) -> Option<(u64, Duration)> {
        let (first, before) = self.samples.front()?;
        let (last, filled) = self.samples.back()?;
        let (blocks, time) = (filled.saturating_sub(*before), last.saturating_sub(*first));
        (blocks > 0 && !time.is_zero()).then_some((blocks, time))
    }

    /// Thousandths of blocks a second, rounded down.
    pub fn milliblocks_a_second(&self) -> Option<u64> {
        let (blocks, time) = self.lately()?;
        let rate = u128::from(blocks) * 1_000_000_000_000 / time.as_nanos().max(1);
        u64::try_from(rate).ok()
    }

    /// How long so many more blocks will take at this pace; `None` while there is none.
    pub fn left(&self, blocks: u64) -> Option<Duration> {
        let (done, time) = self.lately()?;
        let nanos = u128::from(blocks).checked_mul(time.as_nanos())? / u128::from(done);
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }
}

/// A time as people say it: `2d 3h`, `3h 7m`, `7m 12s`, `12s`.
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_steady_pace_is_told_exactly() {
        let mut pace = Pace::default();
        assert_eq!(pace.left(10), None);
        pace.note(seconds(0), 0);
        assert_eq!((pace.left(10), pace.milliblocks_a_second()), (None, None));
        for n in 1..=50 {
            pace.note(seconds(n), n * 40);
        }
        assert_eq!(pace.milliblocks_a_second(), Some(40_000));
        assert_eq!(pace.left(4_000), Some(seconds(100)));
        assert_eq!(pace.left(0), Some(Duration::ZERO));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut pace = Pace::default();
        for n in 0..=1000 {
            pace.note(seconds(n), n * 1000);
        }
        // Ten times slower now: after the memory has passed only that counts.
        for n in 1..=120 {
            pace.note(seconds(1000 + n), 1_000_000 + n * 100);
        }
        assert_eq!(pace.left(100_000), Some(seconds(1000)));
        assert!(pace.samples.len() <= 122, "{}", pace.samples.len());
    }

    #[test]
    fn a_road_that_stands_still_has_no_end() {
        let mut pace = Pace::default();
        for n in 0..=300 {
            pace.note(seconds(n), 7);
        }
        assert_eq!(pace.left(1), None);
    }

    #[test]
    fn many_notes_are_few_samples() {
        let mut pace = Pace::default();
        for n in 0..10_000_u64 {
            pace.note(Duration::from_millis(n), n);
        }
        assert!(pace.samples.len() < 25, "{}", pace.samples.len());
        assert_eq!(pace.milliblocks_a_second(), Some(1_000_000));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let mut pace = Pace::default();
        pace.note(seconds(0), 0);
        pace.note(seconds(100), 1);
        assert_eq!(pace.left(u64::MAX), None);
        assert_eq!(
            pace.left(u64::from(u32::MAX)),
            Some(seconds(429_496_729_500)).filter(|t| t.as_nanos() <= u128::from(u64::MAX))
        );
        pace.note(seconds(100), u64::MAX);
        // More than 2^64 thousandths a second is no pace.
        assert_eq!(pace.milliblocks_a_second(), None);
    }

    #[test]
    fn times_are_spoken_in_two_words() {
        let spoken = |s| super::spoken(seconds(s));
        assert_eq!(spoken(59), "59s");
        assert_eq!(spoken(432), "7m 12s");
        assert_eq!(spoken(11_240), "3h 7m");
        assert_eq!(spoken(183_700), "2d 3h");
    }
}
