//! The numbers of the rules; a hub may override them while a validator runs.

use thiserror::Error;

/// The numbers of the rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Minutes of challenges that are scored.
    pub window_minutes: u32,
    /// Seconds between two challenges of a worker.
    pub challenge_interval_s: u32,
    /// Share of the possible challenges that is a full participation, 0 to 1.
    pub participation_threshold: f64,
    /// Hours over which availability is measured; 0 makes everyone available.
    pub availability_hours: u32,
    /// How many workers of a miner count.
    pub worker_cap: usize,
    /// Weight of the lease part.
    pub lease_weight: f64,
    /// Weight of the challenge part.
    pub challenge_weight: f64,
}

/// What the published configuration says.
pub const DEFAULT: Parameters = Parameters {
    window_minutes: 180,
    challenge_interval_s: 240,
    participation_threshold: 0.8,
    availability_hours: 169,
    worker_cap: 100,
    lease_weight: 0.70,
    challenge_weight: 0.30,
};

/// Availability is halved by every change of the public address.
pub const ADDRESS_CHANGE: f64 = 0.5;
/// Below this factor nothing is left.
pub const ADDRESS_FLOOR: f64 = 0.1;
/// Length of a bucket of heartbeats.
pub const BUCKET_MS: i64 = 300_000;
/// Buckets of an hour.
pub const BUCKETS_AN_HOUR: u32 = 12;

/// Parameters that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum ParameterError {
    /// A number that must be above zero.
    #[error("{0} is 0; give a number above zero")]
    Zero(&'static str),
    /// A share that is none.
    #[error("{what} is {value}; give a number from 0 to 1")]
    Share {
        /// Which.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// Too long a time.
    #[error("{what} is {value}; give at most {max}")]
    Long {
        /// Which.
        what: &'static str,
        /// Its value.
        value: u32,
        /// The most.
        max: u32,
    },
}

/// Most minutes or hours that a window may have: ten years.
const MOST: u32 = 10 * 366 * 24 * 60;

impl Parameters {
    /// Checks them.
    ///
    /// # Errors
    ///
    /// When a time or the number of workers is zero, a time is longer than ten years, or a
    /// share is not between 0 and 1.
    pub fn check(&self) -> Result<(), ParameterError> {
        for (what, value) in [
            ("window_minutes", self.window_minutes),
            ("challenge_interval_s", self.challenge_interval_s),
        ] {
            if value == 0 {
                return Err(ParameterError::Zero(what));
            }
        }
        if self.worker_cap == 0 {
            return Err(ParameterError::Zero("worker_cap"));
        }
        for (what, value, max) in [
            ("window_minutes", self.window_minutes, MOST),
            ("availability_hours", self.availability_hours, MOST / 60),
        ] {
            if value > max {
                return Err(ParameterError::Long { what, value, max });
            }
        }
        for (what, value) in [
            ("participation_threshold", self.participation_threshold),
            ("lease_weight", self.lease_weight),
            ("challenge_weight", self.challenge_weight),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(ParameterError::Share { what, value });
            }
        }
        Ok(())
    }

    /// Successes that are a full participation: those of the window that are possible times
    /// the threshold; a number with a fraction.
    ///
    /// ```
    /// assert_eq!(scoring::local::sn128::DEFAULT.baseline(), 36.0);
    /// ```
    pub fn baseline(&self) -> f64 {
        f64::from(self.window_minutes) * 60.0 / f64::from(self.challenge_interval_s)
            * self.participation_threshold
    }

    /// Buckets of the whole window of availability, at least one: 2028 of 169 hours.
    pub fn expected_buckets(&self) -> u32 {
        self.availability_hours
            .saturating_mul(BUCKETS_AN_HOUR)
            .max(1)
    }

    /// Milliseconds of the window of challenges.
    pub fn window_ms(&self) -> i64 {
        i64::from(self.window_minutes) * 60_000
    }

    /// Milliseconds of the window of availability.
    pub fn availability_ms(&self) -> i64 {
        i64::from(self.availability_hours) * 3_600_000
    }
}
