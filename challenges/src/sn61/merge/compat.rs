//! Reports put together as the original does: in the order in which they come, which it
//! makes the order of validators' uids.
//!
//! Of equal ciphertexts the older time stays, and a key or text only when there is none
//! yet: the first validator wins. Another ciphertext replaces the one there only when both
//! have a time and its is later.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::AccountId;

use crate::sn61::config::Metagraph;
use crate::sn61::format::Commit;
use crate::sn61::merge::History;
use crate::sn61::report::Report;

/// The picture that one pass makes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Picture {
    /// The commit of each miner (by uid, as the original sorts) and challenge.
    pub commits: BTreeMap<(u16, AccountId), BTreeMap<String, Commit>>,
    /// The time of every ciphertext told, current or not, by challenge and ciphertext.
    pub lookup: BTreeMap<(String, String), Option<f64>>,
}

/// What each registered validator said, as reports in the order of uids. Of several keys or texts
/// that one validator gave for a ciphertext the first by name is taken.
pub fn reports(history: &History, neurons: &Metagraph) -> Vec<Report> {
    let mut by_uid: BTreeMap<u16, Report> = BTreeMap::new();
    for (challenge, miners) in &history.challenges {
        for (miner, versions) in miners {
            for (token, version) in versions {
                for (validator, word) in &version.words {
                    let Some(uid) = neurons.uid(validator) else {
                        continue;
                    };
                    let report = by_uid.entry(uid).or_insert_with(|| Report {
                        validator: *validator,
                        uid,
                        commits: Vec::new(),
                    });
                    let first = |texts: &BTreeSet<String>| texts.first().cloned();
                    let commit = Commit {
                        miner_hotkey: miner.to_string(),
                        challenge_name: challenge.clone(),
                        encrypted_commit: token.clone(),
                        commit_timestamp: word.timestamp,
                        key: first(&word.keys),
                        commit: first(&word.commits),
                        ..Commit::default()
                    };
                    report.commits.push((*miner, commit));
                }
            }
        }
    }
    by_uid.into_values().collect()
}

impl Picture {
    /// A miner's commit of a challenge, as ciphertext and time.
    pub fn current(
        &self,
        uid: u16,
        miner: AccountId,
        challenge: &str,
    ) -> Option<(&str, Option<f64>)> {
        let commit = self.commits.get(&(uid, miner))?.get(challenge)?;
        Some((&commit.encrypted_commit, commit.commit_timestamp))
    }

    /// The time of a ciphertext, as told first and then by older times.
    pub fn time(&self, challenge: &str, token: &str) -> Option<f64> {
        let key = (challenge.to_owned(), token.to_owned());
        self.lookup.get(&key).copied().flatten()
    }
}

fn older(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, _) => a,
    }
}

/// Reports in the order given, without miners that are not registered. What the commits of
/// `previous` came to is carried over where the ciphertext is the same.
pub fn merge(reports: &[Report], miners: &Metagraph, previous: Option<&Picture>) -> Picture {
    let mut picture = Picture::default();
    for report in reports {
        for (uid, miner, commit) in of_one(report, miners, &mut picture.lookup) {
            let kept = picture.commits.entry((uid, miner)).or_default();
            match kept.get_mut(&commit.challenge_name) {
                None => {
                    kept.insert(commit.challenge_name.clone(), bare(uid, commit));
                }
                Some(kept) => one_more(kept, uid, commit),
            }
        }
    }
    if let Some(previous) = previous {
        for (miner, commits) in &mut picture.commits {
            for (challenge, commit) in commits {
                let before = previous.commits.get(miner).and_then(|c| c.get(challenge));
                if let Some(before) = before {
                    carry_over(commit, before);
                }
            }
        }
    }
    picture
}

/// One validator's commits, of each miner and challenge the latest; all go into the lookup.
fn of_one<'a>(
    report: &'a Report,
    miners: &Metagraph,
    lookup: &mut BTreeMap<(String, String), Option<f64>>,
) -> Vec<(u16, AccountId, &'a Commit)> {
    let mut own: Vec<(u16, AccountId, &Commit)> = Vec::new();
    let mut places: BTreeMap<(AccountId, &str), usize> = BTreeMap::new();
    for (miner, commit) in &report.commits {
        let Some(uid) = miners.uid(miner) else {
            continue;
        };
        let key = (
            commit.challenge_name.clone(),
            commit.encrypted_commit.clone(),
        );
        let time = lookup.entry(key).or_insert(commit.commit_timestamp);
        *time = older(*time, commit.commit_timestamp);
        let place = places.get(&(*miner, commit.challenge_name.as_str()));
        match place.and_then(|at| own.get_mut(*at)) {
            Some(kept) => {
                let time = |c: &Commit| c.commit_timestamp.unwrap_or(f64::NEG_INFINITY);
                if time(commit) > time(kept.2) {
                    kept.2 = commit;
                }
            }
            None => {
                places.insert((*miner, &commit.challenge_name), own.len());
                own.push((uid, *miner, commit));
            }
        }
    }
    own
}

/// A commit as told, without what it came to elsewhere.
fn bare(uid: u16, commit: &Commit) -> Commit {
    Commit {
        miner_uid: Some(uid),
        miner_hotkey: commit.miner_hotkey.clone(),
        challenge_name: commit.challenge_name.clone(),
        docker_hub_id: commit.docker_hub_id.clone(),
        commit_timestamp: commit.commit_timestamp,
        encrypted_commit: commit.encrypted_commit.clone(),
        key: commit.key.clone(),
        commit: commit.commit.clone(),
        ..Commit::default()
    }
}

fn one_more(kept: &mut Commit, uid: u16, told: &Commit) {
    if kept.encrypted_commit == told.encrypted_commit {
        kept.commit_timestamp = older(kept.commit_timestamp, told.commit_timestamp);
        if kept.key.is_none() {
            kept.key.clone_from(&told.key);
        }
        if kept.commit.is_none() {
            kept.commit.clone_from(&told.commit);
        }
    } else if let (Some(new), Some(current)) = (told.commit_timestamp, kept.commit_timestamp)
        && new > current
    {
        *kept = bare(uid, told);
    }
}

/// What a commit came to before, while its ciphertext is the same.
pub fn carry_over(commit: &mut Commit, before: &Commit) {
    if commit.encrypted_commit != before.encrypted_commit {
        return;
    }
    commit.scoring_logs.clone_from(&before.scoring_logs);
    commit.comparison_logs.clone_from(&before.comparison_logs);
    commit.score = before.score;
    commit.penalty = before.penalty;
    commit.accepted = before.accepted;
    commit.scored_timestamp = before.scored_timestamp;
}
