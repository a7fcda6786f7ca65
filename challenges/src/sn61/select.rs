//! Which revealed commits are scored, and in which order.

use std::collections::{BTreeSet, HashSet};

use chain_metadata::AccountId;

use super::config::{Config, Metagraph};
use super::format::{ScoringLog, input_hash};
use super::merge::{History, Versions, compat};
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

/// Ciphertexts of active challenges and registered miners that may be opened now: the current
/// one of each miner, or by rules that say so its newest ones (without a time is newest).
/// In the order of challenges, uids and age.
pub fn candidates(
    history: &History,
    config: &Config,
    miners: &Metagraph,
    now_ms: u64,
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
                (picture, newest) => newest_of(versions, config, newest, |token, time| {
                    picture
                        .as_ref()
                        .map_or(time, |picture| picture.time(name, token))
                }),
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

/// The current ciphertext, or so many of the newest, with their times.
fn newest_of<'a>(
    versions: &'a Versions,
    config: &Config,
    newest: Option<usize>,
    time: impl Fn(&str, Option<f64>) -> Option<f64>,
) -> Vec<(&'a str, Option<f64>)> {
    let mut ranked = History::ranked(versions, config.merging);
    for (token, timestamp) in &mut ranked {
        *timestamp = time(token, *timestamp);
    }
    if let Some(newest) = newest {
        // Stable: of equal times the order is that of the ranks.
        let age = |time: Option<f64>| time.unwrap_or(f64::INFINITY);
        ranked.sort_by(|a, b| age(b.1).total_cmp(&age(a.1)));
        ranked.truncate(newest);
    } else {
        ranked.truncate(1);
    }
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
