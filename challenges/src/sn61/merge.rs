//! One picture of what many validators tell.
//!
//! [`History`] keeps who said what: per challenge, miner and ciphertext the least time that
//! each validator gave, and the keys and texts. Joining two histories is the union of what was
//! said with the least of the times, so it is commutative, associative and idempotent: reports may come in
//! any order, twice, or through others.
//!
//! What follows from it is computed of the whole ([`Version::resolve`], [`History::current`]):
//!
//! * **Time** of a ciphertext: by [`Times::Median`] the lower median of the times told, so
//!   that fewer than half of the validators can neither make a commit older nor younger than honest
//!   ones saw it; by [`Times::Oldest`] the least, as in the original.
//! * **Key**: one that opens the ciphertext and gives a commit of this challenge. Of several the one told by
//!   most validators, then the one that sorts first.
//! * **Current commit** of a miner: of ciphertexts told by at least [`Merging::support`]
//!   validators the one with the latest time; of equal times the one told by more validators, then the
//!   one that sorts first. A ciphertext without a time is older than any with one.
//!
//! Support does not decide who is believed: a pass goes by times that are not ahead of it, and
//! passes over what cannot be opened ([`super::select::candidates`]), so that a made-up
//! ciphertext takes no place from a real one even where one validator's word is enough. A
//! greater support only asks that so many validators told of a commit before it is scored.
//!
//! [`compat`] is the original's way, which depends on the order.

pub mod compat;
pub mod listing;

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::AccountId;

use super::format::{Commit, Plain};
use super::reveal;

/// How the time of a ciphertext is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// The lower median of what validators told.
    #[default]
    Median,
    /// The least that any told.
    Oldest,
}

/// How a picture is made of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merging {
    /// How times are found.
    pub times: Times,
    /// How many validators must tell of a ciphertext so that it counts; at least 1.
    pub support: usize,
    /// Whether current commits and times are found as the original does ([`compat`]), with
    /// validators in the order of their uids; then the two above do not matter.
    pub compat: bool,
}

impl Default for Merging {
    fn default() -> Merging {
        Merging {
            times: Times::Median,
            support: 1,
            compat: false,
        }
    }
}

/// What one validator said of one ciphertext.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Word {
    /// The least time it gave, in seconds since 1970.
    pub timestamp: Option<f64>,
    /// The keys it gave.
    pub keys: BTreeSet<String>,
    /// The plain texts it gave.
    pub commits: BTreeSet<String>,
}

/// Keys and texts of one validator for one ciphertext that are kept: those that sort first.
const MAX_SAID: usize = 4;

impl Word {
    /// A word; a time that is not finite or negative is none.
    pub fn new(timestamp: Option<f64>, key: Option<String>, commit: Option<String>) -> Word {
        Word {
            // Adding 0 makes 0 of -0, which sorts elsewhere.
            timestamp: timestamp
                .filter(|t| t.is_finite() && *t >= 0.0)
                .map(|t| t + 0.0),
            keys: key.into_iter().collect(),
            commits: commit.into_iter().collect(),
        }
    }

    /// What a reported commit says.
    pub fn of(commit: &Commit) -> Word {
        Word::new(
            commit.commit_timestamp,
            commit.key.clone(),
            commit.commit.clone(),
        )
    }

    /// Takes in another word of the same validator; tells whether that changed anything.
    fn join(&mut self, other: &Word) -> bool {
        let before = self.clone();
        self.timestamp = match (self.timestamp, other.timestamp) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        for (own, other) in [
            (&mut self.keys, &other.keys),
            (&mut self.commits, &other.commits),
        ] {
            own.extend(other.iter().cloned());
            while own.len() > MAX_SAID {
                own.pop_last();
            }
        }
        *self != before
    }
}

/// One ciphertext, as validators tell of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Version {
    /// What each said.
    pub words: BTreeMap<AccountId, Word>,
}

/// What a ciphertext comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The ciphertext.
    pub token: String,
    /// Its time, in seconds since 1970; `None` when nobody gave one.
    pub timestamp: Option<f64>,
    /// A key that opens it, and what it opens to.
    pub opened: Option<(String, Plain)>,
    /// Keys that were told and do not open it, with the validators that told them.
    pub wrong_keys: Vec<(String, Vec<AccountId>)>,
    /// How many validators told of it.
    pub support: usize,
}

impl Version {
    /// The time by a rule, of all times told.
    pub fn timestamp(&self, times: Times) -> Option<f64> {
        self.timestamp_until(times, f64::INFINITY)
    }

    /// The time by a rule, of the times told that are not after `until` (seconds since 1970).
    pub fn timestamp_until(&self, times: Times, until: f64) -> Option<f64> {
        let told = self.words.values().filter_map(|w| w.timestamp);
        let mut told: Vec<f64> = told.filter(|time| *time <= until).collect();
        told.sort_by(f64::total_cmp);
        match times {
            Times::Oldest => told.first().copied(),
            Times::Median => told.get(told.len().saturating_sub(1) / 2).copied(),
        }
    }

    /// Every key told, with those that told it; most told first, then as they sort.
    pub fn keys(&self) -> Vec<(String, Vec<AccountId>)> {
        let mut keys: BTreeMap<&str, Vec<AccountId>> = BTreeMap::new();
        for (validator, word) in &self.words {
            for key in &word.keys {
                keys.entry(key).or_default().push(*validator);
            }
        }
        let own = |(key, by): (&str, Vec<AccountId>)| (key.to_owned(), by);
        let mut keys: Vec<_> = keys.into_iter().map(own).collect();
        keys.sort_by_key(|(_, by)| std::cmp::Reverse(by.len()));
        keys
    }

    /// What it comes to.
    pub fn resolve(&self, challenge: &str, token: &str, merging: Merging) -> Resolved {
        let (mut opened, mut wrong_keys) = (None, Vec::new());
        for (key, by) in self.keys() {
            match reveal::open(challenge, token, &key) {
                Ok(plain) if opened.is_none() => opened = Some((key, plain)),
                Ok(_) => {}
                Err(_) => wrong_keys.push((key, by)),
            }
        }
        Resolved {
            token: token.to_owned(),
            timestamp: self.timestamp(merging.times),
            opened,
            wrong_keys,
            support: self.words.len(),
        }
    }
}

/// All ciphertexts of a miner in a challenge.
pub type Versions = BTreeMap<String, Version>;

/// Who said what.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// By challenge, miner and ciphertext.
    pub challenges: BTreeMap<String, BTreeMap<AccountId, Versions>>,
}

impl History {
    /// Adds a validator's word; tells whether it says anything new.
    pub fn add(
        &mut self,
        challenge: &str,
        miner: AccountId,
        token: &str,
        validator: AccountId,
        word: Word,
    ) -> bool {
        let miners = self.challenges.entry(challenge.to_owned()).or_default();
        let version = miners.entry(miner).or_default();
        let version = version.entry(token.to_owned()).or_default();
        match version.words.get_mut(&validator) {
            Some(said) => said.join(&word),
            None => {
                version.words.insert(validator, word);
                true
            }
        }
    }

    /// Takes in another history.
    pub fn join(&mut self, other: &History) {
        for (challenge, miners) in &other.challenges {
            for (miner, versions) in miners {
                for (token, version) in versions {
                    for (validator, word) in &version.words {
                        self.add(challenge, *miner, token, *validator, word.clone());
                    }
                }
            }
        }
    }

    /// What some validators said.
    pub fn said_by(&self, wanted: impl Fn(&AccountId) -> bool) -> History {
        let mut said = History::default();
        for (challenge, miners) in &self.challenges {
            for (miner, versions) in miners {
                for (token, version) in versions {
                    for (validator, word) in version.words.iter().filter(|(v, _)| wanted(v)) {
                        said.add(challenge, *miner, token, *validator, word.clone());
                    }
                }
            }
        }
        said
    }

    /// A miner's ciphertexts in a challenge.
    pub fn versions(&self, challenge: &str, miner: &AccountId) -> Option<&Versions> {
        self.challenges.get(challenge)?.get(miner)
    }

    /// The miners of a challenge, with their ciphertexts.
    pub fn miners(&self, challenge: &str) -> impl Iterator<Item = (&AccountId, &Versions)> {
        self.challenges.get(challenge).into_iter().flatten()
    }

    /// A miner's ciphertexts that have enough support with their times, the current one first.
    pub fn ranked(versions: &Versions, merging: Merging) -> Vec<(&str, Option<f64>)> {
        History::ranked_until(versions, merging, f64::INFINITY)
    }

    /// As [`History::ranked`], at a time in seconds since 1970: what is told to be from after it is
    /// not believed, and a ciphertext of which nobody tells anything else is left out.
    pub fn ranked_until<'a>(
        versions: &'a Versions,
        merging: Merging,
        until: f64,
    ) -> Vec<(&'a str, Option<f64>)> {
        let believed = |word: &&Word| word.timestamp.is_none_or(|time| time <= until);
        let support = |version: &Version| version.words.values().filter(believed).count();
        let supported = versions
            .iter()
            .filter(|(_, v)| support(v) >= merging.support.max(1));
        let mut ranked: Vec<(&'a str, Option<f64>, usize)> = supported
            .map(|(token, version)| {
                let time = version.timestamp_until(merging.times, until);
                (token.as_str(), time, support(version))
            })
            .collect();
        // Times are not negative, so -1 is before all.
        ranked.sort_by(|a, b| {
            let times = b.1.unwrap_or(-1.0).total_cmp(&a.1.unwrap_or(-1.0));
            times.then(b.2.cmp(&a.2)).then(a.0.cmp(b.0))
        });
        ranked
            .into_iter()
            .map(|(token, time, _)| (token, time))
            .collect()
    }

    /// The current commit of every miner of every challenge.
    pub fn current(&self, merging: Merging) -> BTreeMap<(String, AccountId), Resolved> {
        let mut current = BTreeMap::new();
        for (challenge, miners) in &self.challenges {
            for (miner, versions) in miners {
                let ranked = History::ranked(versions, merging);
                let first = ranked.first().map(|(token, _)| *token);
                if let Some((token, version)) = first.and_then(|t| versions.get_key_value(t)) {
                    let resolved = version.resolve(challenge, token, merging);
                    current.insert((challenge.clone(), *miner), resolved);
                }
            }
        }
        current
    }
}
