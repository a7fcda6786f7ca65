//! What a centralised scorer is told: challenges, rules, hours, miners.

use std::collections::BTreeMap;

use chain_metadata::AccountId;
use scoring::local::sn61::judge::Judging;
use scoring::local::sn61::{MAX_UNIQUE, Rules, rules};
use serde::Deserialize;

use super::merge::Merging;
use super::reveal::OnTime;
use crate::ledger::MAX_NAME;

/// Hour (UTC) at which a day is finalised when nothing else is configured.
pub const SCORING_HOUR: u8 = 14;
/// Least stake of a validator whose reports count when nothing else is configured.
pub const MIN_VALIDATOR_STAKE: f64 = 10_000.0;
/// Milliseconds between commit and reveal when nothing else is configured: a day.
pub const COMMIT_COOLDOWN_MS: u64 = 86_400_000;

/// A challenge that is active.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// Its name, as commits have it.
    pub name: String,
    /// Its part of the incentive, 0 to 1.
    pub weight: f64,
    /// How many tasks every commit is given.
    #[serde(default = "one")]
    pub tasks: usize,
    /// An image whose score is taken away from every commit's.
    #[serde(default)]
    pub baseline: Option<String>,
    /// How many commits the unique set holds.
    #[serde(default = "max_unique")]
    pub max_unique: usize,
    /// Instead of the profile's least score.
    #[serde(default)]
    pub min_score: Option<f64>,
    /// Instead of the profile's greatest similarity (or threshold of the penalty).
    #[serde(default)]
    pub max_similarity: Option<f64>,
    /// Instead of the profile's least similarity to an own commit.
    #[serde(default)]
    pub self_comparison: Option<f64>,
}

fn one() -> usize {
    1
}

fn max_unique() -> usize {
    MAX_UNIQUE
}

impl Challenge {
    /// A challenge with the profile's rules.
    pub fn new(name: &str, weight: f64) -> Challenge {
        Challenge {
            name: name.to_owned(),
            weight,
            tasks: 1,
            baseline: None,
            max_unique: MAX_UNIQUE,
            min_score: None,
            max_similarity: None,
            self_comparison: None,
        }
    }

    /// How its commits are judged.
    pub fn judging(&self, rules: &Rules) -> Judging {
        match rules.judging {
            Judging::Base { threshold } => Judging::Base {
                threshold: self.max_similarity.unwrap_or(threshold),
            },
            Judging::Challenge {
                max_similarity,
                min_score,
            } => Judging::Challenge {
                max_similarity: self.max_similarity.unwrap_or(max_similarity),
                min_score: self.min_score.unwrap_or(min_score),
            },
        }
    }
}

/// A scorer's configuration; make it with [`Config::new`], which checks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The subnet.
    pub netuid: u16,
    /// The rules of the profile.
    pub rules: Rules,
    /// The active challenges.
    pub challenges: Vec<Challenge>,
    /// Hour (UTC) from which on a day can be finalised, 0 to 23; moved by
    /// [`Config::set_scoring_hour`].
    pub scoring_hour: u8,
    /// When a commit may be opened.
    pub on_time: OnTime,
    /// How reports are put together.
    pub merging: Merging,
    /// Least stake of a validator whose reports count; `None` to count everybody's, registered
    /// or not. Keys count whoever tells them: a wrong one does not open.
    pub min_stake: Option<f64>,
    /// How often a day's finalisation may fail before failed comparisons count as 0.
    pub max_attempts: u32,
}

/// A configuration that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The profile is none of this system.
    #[error("{0} is no profile of this system; `yumascope profiles` lists them")]
    Profile(String),
    /// A name that cannot be.
    #[error("the challenge `{0}` has a name that is empty, longer than 255 bytes, or given twice")]
    Name(String),
    /// A number that cannot be.
    #[error("{what} of the challenge {name} is {value}; it must be from {low} to {high}")]
    Number {
        /// The challenge.
        name: String,
        /// Which number.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
    },
    /// No such hour.
    #[error("the scoring hour is {0}; it must be from 0 to 23")]
    Hour(u8),
    /// No such support.
    #[error("the support is {0}; it must be from 1 to 65536 validators")]
    Support(usize),
}

impl Config {
    /// A configuration with the published defaults for a profile.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    ///
    /// ```
    /// use challenges::sn61::config::{Challenge, Config};
    /// let config = Config::new("sn61-abs-2026", vec![Challenge::new("ab_sniffer_v6", 0.4)]).unwrap();
    /// assert_eq!((config.netuid, config.scoring_hour), (61, 14));
    /// ```
    pub fn new(profile: &str, challenges: Vec<Challenge>) -> Result<Config, ConfigError> {
        let rules = rules(profile).ok_or_else(|| ConfigError::Profile(profile.to_owned()))?;
        let on_time = if rules.newest.is_some() {
            OnTime::After {
                ms: COMMIT_COOLDOWN_MS,
            }
        } else {
            OnTime::DayBefore { hour: SCORING_HOUR }
        };
        let config = Config {
            netuid: 61,
            rules,
            challenges,
            scoring_hour: SCORING_HOUR,
            on_time,
            merging: Merging::default(),
            min_stake: Some(MIN_VALIDATOR_STAKE),
            max_attempts: 5,
        };
        config.check()?;
        Ok(config)
    }

    /// Moves the hour at which days are closed, and with it the one before which a commit must
    /// have been made by the rule of 2025. [`Config::check`] tells whether there is such an hour.
    ///
    /// ```
    /// use challenges::sn61::config::Config;
    /// use challenges::sn61::reveal::OnTime;
    /// let mut config = Config::new("sn61-base", vec![]).unwrap();
    /// config.set_scoring_hour(9);
    /// assert_eq!(config.on_time, OnTime::DayBefore { hour: 9 });
    /// ```
    pub fn set_scoring_hour(&mut self, to: u8) {
        self.scoring_hour = to;
        if let OnTime::DayBefore { hour } = &mut self.on_time {
            *hour = to;
        }
    }

    /// Checks it again after fields were changed.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.scoring_hour > 23 {
            return Err(ConfigError::Hour(self.scoring_hour));
        }
        if !(1..=65_536).contains(&self.merging.support) {
            return Err(ConfigError::Support(self.merging.support));
        }
        for (at, challenge) in self.challenges.iter().enumerate() {
            let name = &challenge.name;
            let before = self.challenges.iter().take(at);
            if name.is_empty()
                || name.len() > MAX_NAME
                || before.into_iter().any(|c| c.name == *name)
            {
                return Err(ConfigError::Name(name.chars().take(64).collect()));
            }
            #[expect(clippy::cast_precision_loss, reason = "only the range is checked")]
            let numbers = [
                ("the weight", Some(challenge.weight), 0.0, 1.0),
                (
                    "the number of tasks",
                    Some(challenge.tasks as f64),
                    1.0,
                    256.0,
                ),
                (
                    "the unique set",
                    Some(challenge.max_unique as f64),
                    1.0,
                    4096.0,
                ),
                ("the least score", challenge.min_score, -1e9, 1e9),
                (
                    "the greatest similarity",
                    challenge.max_similarity,
                    0.0,
                    1.0,
                ),
                (
                    "the likeness of own commits",
                    challenge.self_comparison,
                    0.0,
                    1.0,
                ),
            ];
            for (what, value, low, high) in numbers {
                let Some(value) = value else { continue };
                if !(low..=high).contains(&value) {
                    let name = name.clone();
                    return Err(ConfigError::Number {
                        name,
                        what,
                        value,
                        low,
                        high,
                    });
                }
            }
        }
        Ok(())
    }

    /// An active challenge by its name.
    pub fn challenge(&self, name: &str) -> Option<&Challenge> {
        self.challenges
            .iter()
            .find(|challenge| challenge.name == name)
    }
}

/// A neuron as the chain has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Neuron {
    /// Its hotkey.
    pub hotkey: AccountId,
    /// Its coldkey.
    pub coldkey: AccountId,
    /// Address of its axon, `0.0.0.0` when it serves none.
    pub ip: String,
    /// Its stake, as the metagraph's `S`.
    pub stake: f64,
}

/// The subnet's neurons at the time of a pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metagraph {
    neurons: Vec<Neuron>,
    uids: BTreeMap<AccountId, u16>,
    /// Uid of the subnet's owner, when its hotkey is registered.
    pub owner: Option<u16>,
}

impl Metagraph {
    /// Of neurons in the order of their uids, 65,536 at most (further ones are left out).
    pub fn new(neurons: Vec<Neuron>, owner: Option<u16>) -> Metagraph {
        let uids = (0..=u16::MAX).zip(&neurons).map(|(uid, n)| (n.hotkey, uid));
        Metagraph {
            uids: uids.collect(),
            neurons,
            owner,
        }
    }

    /// The uid of a hotkey.
    pub fn uid(&self, hotkey: &AccountId) -> Option<u16> {
        self.uids.get(hotkey).copied()
    }

    /// Whether a validator's reports count: it is registered and has at least this stake.
    pub fn counts(&self, validator: &AccountId, min_stake: Option<f64>) -> bool {
        let Some(least) = min_stake else { return true };
        let uid = self.uid(validator).map(usize::from);
        let neuron = uid.and_then(|uid| self.neurons.get(uid));
        neuron.is_some_and(|neuron| neuron.stake >= least)
    }

    /// The neurons by uid.
    pub fn neurons(&self) -> &[Neuron] {
        &self.neurons
    }
}
