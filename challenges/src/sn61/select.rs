//! Which revealed commits are scored, and in which order.

use std::collections::{BTreeSet, HashSet};

use chain_metadata::AccountId;

use super::config::{Config, Metagraph};
use super::format::{ScoringLog, input_hash};
use super::merge::{History, Version, Versions, compat};
use super::state::seconds;
use crate::python::Json;

/// A ciphertext that may be opened now, or whose key is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The challenge.
    pub challenge: String,
    /// The miner.
    pub miner: AccountId,
    /// Its uid.
    pub uid: u16,
    /// The ciphertext.
    pub token: String,
    /// When it was made, in seconds since 1970.
    pub timestamp: Option<f64>,
}

/// A revealed commit with its image.
#[derive(Debug, Clone, PartialEq)]
pub struct Revealed {
    /// The ciphertext and whose it is.
    pub candidate: Candidate,
    /// The image.
    pub docker: String,
}

/// Why a revealed commit is not scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// Its image was scored before in this challenge.
    ScoredBefore,
    /// Another commit of this pass has the same image, in whichever challenge.
    SameImage,
}

/// Ciphertexts of active challenges and registered miners that may be opened now: the newest
/// of each miner, or as many of the newest as the rules say. `opens` tells whether a miner's
/// ciphertext of a challenge is open or can be. One that cannot takes no place: it is
/// there too, since a key may have to be tried, and so are the ones behind it. Times after
/// `now_ms` are not believed; a ciphertext without a time is the oldest. In the order of
/// challenges, uids and age.
///
/// With the merging of the original its rules hold: the newest whatever can be opened, and one
/// without a time is the newest.
pub fn candidates(
    history: &History,
    config: &Config,
    miners: &Metagraph,
    now_ms: u64,
    opens: impl Fn(&str, &AccountId, &str, &Version) -> bool,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let history = &history.said_by(|validator| miners.counts(validator, config.min_stake));
    let picture = config.merging.compat.then(|| {
        let reports = compat::reports(history, miners);
        compat::merge(&reports, miners, None)
    });
    for challenge in &config.challenges {
        for (miner, versions) in history.miners(&challenge.name) {
            let Some(uid) = miners.uid(miner) else {
                continue;
            };
            let name = challenge.name.as_str();
            let ranked = match (&picture, config.rules.newest) {
                (Some(picture), None) => picture.current(uid, *miner, name).into_iter().collect(),
                (Some(picture), Some(newest)) => {
                    as_original(versions, config, newest, |token| picture.time(name, token))
                }
                (None, newest) => newest_of(
                    versions,
                    config,
                    newest.unwrap_or(1),
                    now_ms,
                    |token, version| opens(name, miner, token, version),
                ),
            };
            for (token, timestamp) in ranked {
                if !config.on_time.allows(timestamp, now_ms) {
                    continue;
                }
                found.push(Candidate {
                    challenge: challenge.name.clone(),
                    miner: *miner,
                    uid,
                    token: token.to_owned(),
                    timestamp,
                });
            }
        }
    }
    let place = |name: &str| config.challenges.iter().position(|c| c.name == name);
    found.sort_by(|a, b| {
        let order = (place(&a.challenge), a.uid).cmp(&(place(&b.challenge), b.uid));
        order.then_with(|| by_age(a, b))
    });
    found
}

/// The newest that are on time, until so many of them open.
fn newest_of<'a>(
    versions: &'a Versions,
    config: &Config,
    newest: usize,
    now_ms: u64,
    opens: impl Fn(&str, &Version) -> bool,
) -> Vec<(&'a str, Option<f64>)> {
    let ranked = History::ranked_until(versions, config.merging, seconds(now_ms));
    let (mut found, mut open) = (Vec::new(), 0);
    for (token, timestamp) in ranked {
        if open >= newest {
            break;
        }
        if !config.on_time.allows(timestamp, now_ms) {
            continue;
        }
        let version = versions.get(token);
        open += usize::from(version.is_some_and(|version| opens(token, version)));
        found.push((token, timestamp));
    }
    found
}

/// So many of the newest, with the times of the original's picture.
fn as_original<'a>(
    versions: &'a Versions,
    config: &Config,
    newest: usize,
    time: impl Fn(&str) -> Option<f64>,
) -> Vec<(&'a str, Option<f64>)> {
    let mut ranked = History::ranked(versions, config.merging);
    for (token, timestamp) in &mut ranked {
        *timestamp = time(token);
    }
    // Stable: of equal times the order is that of the ranks.
    let age = |time: Option<f64>| time.unwrap_or(f64::INFINITY);
    ranked.sort_by(|a, b| age(b.1).total_cmp(&age(a.1)));
    ranked.truncate(newest);
    ranked
}

/// By time (without one last), then uid and ciphertext.
pub(super) fn by_age(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let time = |c: &Candidate| c.timestamp.unwrap_or(f64::INFINITY);
    let order = time(a).total_cmp(&time(b));
    order.then_with(|| (a.uid, &a.token).cmp(&(b.uid, &b.token)))
}

/// Of revealed commits those that are scored, the oldest first (without a time last), and
/// those that are not, with the reason. One image is scored once a pass, in whichever challenge it is
/// met first: by the lowest uid where a miner has one commit, otherwise by the older
/// commit. `scored` tells whether a challenge has done with an image.
pub fn unscored(
    revealed: Vec<Revealed>,
    config: &Config,
    scored: impl Fn(&str, &str) -> bool,
) -> (Vec<Revealed>, Vec<(Revealed, Skipped)>) {
    let mut revealed = revealed;
    if config.rules.newest.is_some() {
        revealed.sort_by(|a, b| by_age(&a.candidate, &b.candidate));
    }
    let mut seen = HashSet::new();
    let (mut picked, mut skipped) = (Vec::new(), Vec::new());
    for one in revealed {
        if scored(&one.candidate.challenge, &one.docker) {
            skipped.push((one, Skipped::ScoredBefore));
        } else if seen.insert(one.docker.clone()) {
            picked.push(one);
        } else {
            skipped.push((one, Skipped::SameImage));
        }
    }
    picked.sort_by(|a, b| by_age(&a.candidate, &b.candidate));
    (picked, skipped)
}

/// Inputs for a new commit: every different one of the logs, in their order, at most `max`.
pub fn seeds<'a>(logs: impl IntoIterator<Item = &'a ScoringLog>, max: usize) -> Vec<Json> {
    let mut seen = BTreeSet::new();
    let inputs = logs.into_iter().filter_map(|log| log.miner_input.as_ref());
    let new = inputs.filter(|input| input_hash(Some(input)).is_some_and(|hash| seen.insert(hash)));
    new.take(max).cloned().collect()
}
