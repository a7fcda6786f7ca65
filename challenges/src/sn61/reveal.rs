//! When a commit may be opened, and opening it.

use super::fernet::{self, FernetError};
use super::format::{Plain, PlainError, plain};

/// Milliseconds in a day.
const DAY_MS: u64 = 86_400_000;

/// When a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTime {
    /// Rule of 2025: committed before this hour (UTC, 0 to 23) of the day before.
    DayBefore {
        /// The hour.
        hour: u8,
    },
    /// Rule of 2026: committed at least so many milliseconds ago.
    After {
        /// The time between, a day in the main network.
        ms: u64,
    },
    /// At once, as in test networks.
    Always,
}

impl OnTime {
    /// Whether a commit made at `timestamp` (seconds since 1970) may be opened at `now_ms`. A
    /// commit without a time may not, except under [`OnTime::Always`].
    ///
    /// ```
    /// use challenges::sn61::reveal::OnTime;
    /// let day = OnTime::After { ms: 86_400_000 };
    /// assert!(day.allows(Some(100.0), 86_500_000));
    /// assert!(!day.allows(Some(100.001), 86_500_000));
    /// // 1970-01-03 15:00: before 14:00 of 1970-01-02.
    /// let hour = OnTime::DayBefore { hour: 14 };
    /// assert!(hour.allows(Some(136_799.9), 226_800_000));
    /// assert!(!hour.allows(Some(136_800.0), 226_800_000));
    /// ```
    #[expect(
        clippy::cast_precision_loss,
        reason = "times of our age are far below 2^53"
    )]
    pub fn allows(self, timestamp: Option<f64>, now_ms: u64) -> bool {
        match (self, timestamp) {
            (OnTime::Always, _) => true,
            (_, None) => false,
            (OnTime::DayBefore { hour }, Some(timestamp)) => {
                let hour_ms = u64::from(hour) * 3_600_000;
                let bound = (now_ms / DAY_MS * DAY_MS + hour_ms) as f64 - DAY_MS as f64;
                timestamp < bound / 1000.0
            }
            (OnTime::After { ms }, Some(timestamp)) => {
                timestamp <= (now_ms as f64 - ms as f64) / 1000.0
            }
        }
    }
}

/// Why a commit cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevealError {
    /// Key and token.
    #[error(transparent)]
    Fernet(#[from] FernetError),
    /// What was in it.
    #[error("what was encrypted is no commit: {0}")]
    Plain(#[from] PlainError),
    /// It is not text.
    #[error("what was encrypted is not UTF-8")]
    Text,
    /// It is about another challenge.
    #[error("the commit was made for the challenge {found}, and told of {wanted}")]
    Challenge {
        /// In the commit.
        found: String,
        /// As it was reported.
        wanted: String,
    },
}

/// Opens a commit of a challenge.
///
/// # Errors
///
/// See [`RevealError`].
pub fn open(challenge: &str, token: &str, key: &str) -> Result<Plain, RevealError> {
    let opened = fernet::open(key, token)?;
    let text = String::from_utf8(opened.plain).map_err(|_| RevealError::Text)?;
    let plain = plain(&text)?;
    if plain.challenge != challenge {
        return Err(RevealError::Challenge {
            found: plain.challenge,
            wanted: challenge.to_owned(),
        });
    }
    Ok(plain)
}
