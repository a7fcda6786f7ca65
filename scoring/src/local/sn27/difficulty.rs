//! How hard the next challenge is.

/// Least and greatest difficulty of today.
pub const RANGE: (u32, u32) = (7, 12);
/// Successes that are needed before the difficulty moves.
pub const ENOUGH: u32 = 4;

/// Difficulty of the next challenge, from the mean difficulty of the last twenty solved ones
/// (`None` when there is none), the failures among the last twenty challenges and the
/// successes of the window. A challenge of difficulty `d` has a search space of 10^d.
///
/// With at most [`ENOUGH`] successes it is the least; otherwise the mean rounded up, two
/// more below one failure in ten, one more below two, one less above two and a half.
///
/// ```
/// use scoring::local::sn27::difficulty::{RANGE, next};
/// assert_eq!(next(Some(8.2), 0, 10, RANGE), 11);
/// assert_eq!(next(Some(8.2), 6, 10, RANGE), 8);
/// assert_eq!(next(None, 0, 0, RANGE), 7);
/// ```
pub fn next(mean: Option<f64>, failed: u32, successes: u32, range: (u32, u32)) -> u32 {
    let (min, max) = range;
    if successes <= ENOUGH {
        return min;
    }
    let current = mean.map_or(min, whole_up);
    let rate = f64::from(failed) / 20.0;
    if rate < 0.1 {
        current.saturating_add(2).min(max)
    } else if rate < 0.2 {
        current.saturating_add(1).min(max)
    } else if rate > 0.25 {
        current.saturating_sub(1).max(min)
    } else {
        current
    }
}

/// Rounded up; what is no number or below zero is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast of a float saturates, and nothing is left behind the point"
)]
fn whole_up(mean: f64) -> u32 {
    mean.ceil() as u32
}
