//! Moving averages of rewards, in `f32` as the validator keeps them.

use super::numpy::pairwise_sum;

/// Share of a new reward in the average.
pub const ALPHA: f64 = 0.1;

/// Why rewards cannot be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmaError {
    /// A reward belongs to no uid, or a uid has none.
    #[error("{uids} uids but {rewards} rewards: every reward needs its uid")]
    Lengths {
        /// Number of uids.
        uids: usize,
        /// Number of rewards.
        rewards: usize,
    },
    /// A uid is there twice; the validator takes for granted that it is not.
    #[error("uid {0} is there twice: leave one of its rewards out")]
    Twice(u16),
}

/// Takes rewards into the averages: `alpha * reward + (1 - alpha) * score` for the uids that
/// were asked, and the same with their own score for the others, which leaves those as they
/// are but for rounding. NaN rewards count as zero. Scores grow with zeros up to the highest uid.
///
/// # Errors
///
/// See [`EmaError`].
///
/// ```
/// use scoring::local::sn42::ema::{ALPHA, update};
/// let mut scores = vec![0.5, 0.0, 0.2];
/// update(&mut scores, &[0, 1], &[1.0, 0.4], ALPHA)?;
/// assert_eq!(scores, [0.55, 0.040_000_003, 0.199_999_99]);
/// # Ok::<(), scoring::local::sn42::ema::EmaError>(())
/// ```
pub fn update(
    scores: &mut Vec<f32>,
    uids: &[u16],
    rewards: &[f32],
    alpha: f64,
) -> Result<(), EmaError> {
    if uids.len() != rewards.len() {
        return Err(EmaError::Lengths {
            uids: uids.len(),
            rewards: rewards.len(),
        });
    }
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = uids.iter().find(|uid| !seen.insert(**uid)) {
        return Err(EmaError::Twice(*twice));
    }
    if let Some(highest) = uids.iter().max() {
        let needed = usize::from(*highest) + 1;
        if scores.len() < needed {
            scores.resize(needed, 0.0);
        }
    }
    let mut scattered = scores.clone();
    for (uid, reward) in uids.iter().zip(rewards) {
        if let Some(place) = scattered.get_mut(usize::from(*uid)) {
            *place = if reward.is_nan() { 0.0 } else { *reward };
        }
    }
    let (new, old) = (single(alpha), single(1.0 - alpha));
    for (score, scattered) in scores.iter_mut().zip(scattered) {
        *score = new * scattered + old * *score;
    }
    Ok(())
}

/// A double as the nearest single, which is how the original's tensors take a number.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is meant")]
pub(super) fn single(value: f64) -> f32 {
    value as f32
}

/// The averages after the metagraph changed: zero where another hotkey holds the uid, and
/// zeros added when there are more uids. Fewer uids leave the length as it is.
pub fn resync(scores: &mut Vec<f32>, before: &[String], now: &[String]) {
    for (uid, hotkey) in before.iter().enumerate() {
        if now.get(uid).is_some_and(|held| held != hotkey)
            && let Some(score) = scores.get_mut(uid)
        {
            *score = 0.0;
        }
    }
    if before.len() < now.len() {
        // Scores beyond the uids that were known are dropped, as the original copies only those.
        scores.truncate(before.len());
        scores.resize(now.len(), 0.0);
    }
}

/// The scores over the sum of their absolute values, which counts as 1e-12 when it is less.
/// NaN makes everything NaN. The sum is taken in pairs as numpy takes it; that of the original's
/// tensors depends on the machine in its last bit.
pub fn l1_normalised(scores: &[f32]) -> Vec<f32> {
    let absolute: Vec<f32> = scores.iter().map(|score| score.abs()).collect();
    let sum = pairwise_sum(&absolute);
    let divisor = if sum < 1e-12 { 1e-12 } else { sum };
    scores.iter().map(|score| score / divisor).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_golden_average() {
        let mut scores = vec![0.5, 0.0, 0.2];
        update(&mut scores, &[0, 1], &[1.0, 0.4], ALPHA).unwrap();
        // 0.55, 0.04 and 0.2 with the rounding of f32, of which a uid that was not asked has its
        // share as well.
        assert_eq!(scores, [0.55, 0.040_000_003, 0.199_999_99]);
        let shown: Vec<String> = scores.iter().map(|score| format!("{score:.7}")).collect();
        assert_eq!(shown, ["0.5500000", "0.0400000", "0.2000000"]);
    }

    #[test]
    fn nan_counts_as_zero_and_scores_grow() {
        let mut scores = vec![1.0];
        update(&mut scores, &[0, 3], &[f32::NAN, 1.0], ALPHA).unwrap();
        assert_eq!(scores, [0.9, 0.0, 0.0, 0.1]);
    }

    #[test]
    fn what_cannot_be_taken_in() {
        let mut scores = vec![1.0];
        let error = update(&mut scores, &[0, 1], &[1.0], ALPHA).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 uids but 1 rewards: every reward needs its uid"
        );
        let error = update(&mut scores, &[1, 1], &[1.0, 2.0], ALPHA).unwrap_err();
        assert_eq!(error, EmaError::Twice(1));
        assert_eq!(scores, [1.0]);
    }

    #[test]
    fn another_hotkey_begins_at_zero() {
        let mut scores = vec![0.5, 0.25];
        resync(&mut scores, &names(&["a", "b"]), &names(&["a", "c", "d"]));
        assert_eq!(scores, [0.5, 0.0, 0.0]);
        resync(&mut scores, &names(&["a", "c", "d"]), &names(&["a"]));
        assert_eq!(scores, [0.5, 0.0, 0.0]);
    }

    #[test]
    fn nothing_is_normalised_to_nothing() {
        assert_eq!(l1_normalised(&[0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(l1_normalised(&[1.0, 3.0]), [0.25, 0.75]);
    }

    proptest! {
        #[test]
        fn an_average_stays_between(score in 0.0_f32..1e6, reward in 0.0_f32..1e6) {
            let mut scores = vec![score];
            update(&mut scores, &[0], &[reward], ALPHA).unwrap();
            let slack = score.max(reward) * 1e-6;
            prop_assert!(scores[0] >= score.min(reward) - slack && scores[0] <= score.max(reward) + slack);
        }

        #[test]
        fn a_greater_reward_is_no_worse(score in 0.0_f32..1e6, low in 0.0_f32..1e6, more in 0.0_f32..1e6) {
            let after = |reward| {
                let mut scores = vec![score];
                update(&mut scores, &[0], &[reward], ALPHA).unwrap();
                scores[0]
            };
            prop_assert!(after(low) <= after(low + more));
        }

        #[test]
        fn order_of_uids_does_not_matter(rewards in prop::collection::vec(0.0_f32..10.0, 1..40)) {
            let uids: Vec<u16> = (0..u16::try_from(rewards.len()).unwrap()).collect();
            let back: Vec<u16> = uids.iter().rev().copied().collect();
            let turned: Vec<f32> = rewards.iter().rev().copied().collect();
            let (mut a, mut b) = (vec![0.3; 10], vec![0.3; 10]);
            update(&mut a, &uids, &rewards, ALPHA).unwrap();
            update(&mut b, &back, &turned, ALPHA).unwrap();
            prop_assert_eq!(a, b);
        }

        #[test]
        fn normalised_scores_sum_to_one(scores in prop::collection::vec(0.001_f32..10.0, 1..300)) {
            let sum: f64 = l1_normalised(&scores).iter().map(|w| f64::from(*w)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-4, "{}", sum);
        }
    }
}
