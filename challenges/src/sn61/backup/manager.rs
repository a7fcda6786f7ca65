//! One challenge's part of a backup.

use std::collections::BTreeMap;

use chain_metadata::AccountId;

use crate::date;
use crate::ledger::Seq;
use crate::python::{At, Json, Wrong};
use crate::sn61::format::{Commit, MAX_ID, MAX_TOKEN};
use crate::sn61::state::{ChallengeState, Judged, MinerState};

/// Most items of a list in a backup.
const MAX_ITEMS: usize = 1 << 20;

/// A miner of a backup.
#[derive(Debug, Clone, PartialEq)]
struct Miner {
    uid: u16,
    hotkey: AccountId,
    latest: Option<Commit>,
    best: Option<Commit>,
    daily: BTreeMap<String, f64>,
}

/// One challenge's part of a backup.
#[derive(Debug, Clone, PartialEq)]
pub struct Manager {
    unique: Vec<(f64, String, String)>,
    done: Vec<String>,
    miners: Vec<Miner>,
    days: Vec<String>,
}

fn account(at: &At<'_>) -> Result<AccountId, Wrong> {
    let account = AccountId::from_ss58(at.text(64)?);
    account
        .map(|(account, _)| account)
        .map_err(|e| at.wrong(e.to_string()))
}

fn day(at: &At<'_>, text: &str) -> Result<String, Wrong> {
    if text.len() == 10 && date::parse(text).is_some() {
        Ok(text.to_owned())
    } else {
        Err(at.wrong("a date is wanted: YYYY-MM-DD"))
    }
}

impl Manager {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// When a member is missing or of another type.
    pub fn read(at: &At<'_>) -> Result<Manager, Wrong> {
        at.only(&[
            "unique_commits",
            "unique_scored_docker_hub_ids",
            "miner_states",
            "scoring_dates",
        ])?;
        let mut unique = Vec::new();
        for item in at.need("unique_commits")?.items(MAX_ITEMS)? {
            unique.push((
                item.need("score")?.number()?,
                item.need("commit")?.text(MAX_TOKEN)?.to_owned(),
                item.need("docker_hub_id")?.text(MAX_ID)?.to_owned(),
            ));
        }
        let mut done = Vec::new();
        if let Some(list) = at.get("unique_scored_docker_hub_ids")? {
            for item in list.items(MAX_ITEMS)? {
                done.push(item.text(MAX_ID)?.to_owned());
            }
        }
        let mut miners = Vec::new();
        for (uid, miner) in at.need("miner_states")?.members()? {
            miners.push(read_miner(uid, &miner)?);
        }
        let mut days = Vec::new();
        if let Some(list) = at.get("scoring_dates")? {
            for item in list.items(MAX_ITEMS)? {
                days.push(day(&item, item.text(10)?)?);
            }
        }
        Ok(Manager {
            unique,
            done,
            miners,
            days,
        })
    }

    /// Puts what is in it into a challenge's state. What is there already stays: a ciphertext
    /// that was judged here is not judged by a backup.
    pub(in crate::sn61) fn apply(&self, challenge: &mut ChallengeState, seq: Seq) {
        for (score, commit, docker) in &self.unique {
            challenge.unique.insert(*score, commit, docker);
        }
        challenge.done.extend(self.done.iter().cloned());
        challenge.days.extend(self.days.iter().cloned());
        for miner in &self.miners {
            for commit in [&miner.latest, &miner.best].into_iter().flatten() {
                place(challenge, miner, commit, seq);
            }
            let best = miner.best.as_ref().and_then(|commit| {
                let token = commit.encrypted_commit.clone();
                let judged = challenge.judged.get(&token)?;
                Some((token, judged.score?, judged.scored_ms))
            });
            let known = challenge.miners.entry(miner.uid).or_default();
            if *known != MinerState::default() {
                continue;
            }
            *known = MinerState {
                hotkey: miner.hotkey,
                latest: miner.latest.as_ref().map(|c| c.encrypted_commit.clone()),
                best,
                daily: miner.daily.clone(),
            };
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are from 0 to 1e12 seconds when they are read"
)]
fn place(challenge: &mut ChallengeState, miner: &Miner, commit: &Commit, seq: Seq) {
    let token = &commit.encrypted_commit;
    let (Some(accepted), Some(docker)) = (commit.accepted, &commit.docker_hub_id) else {
        return;
    };
    if challenge.judged.contains_key(token) {
        return;
    }
    challenge.order.push(token.clone());
    challenge.judged.insert(
        token.clone(),
        Judged {
            seq,
            miner: miner.hotkey,
            uid: miner.uid,
            docker: docker.clone(),
            timestamp: commit.commit_timestamp,
            scored_ms: commit
                .scored_timestamp
                .map_or(0, |at| (at * 1000.0).round() as u64),
            score: commit.score,
            penalty: commit.penalty.unwrap_or(0.0),
            accepted,
            inputs: String::new(),
            closed: true,
            told: Some(Box::new(commit.clone())),
        },
    );
}

fn read_miner(uid: &str, at: &At<'_>) -> Result<Miner, Wrong> {
    let number = at.need("miner_uid")?;
    let own = number.uid()?;
    if own.to_string() != uid {
        return Err(number.wrong(format!("it is told under {uid} and says otherwise")));
    }
    let hotkey = account(&at.need("miner_hotkey")?)?;
    let commit = |name: &str| -> Result<Option<Commit>, Wrong> {
        at.get(name)?
            .map(|commit| Commit::read(&commit, None))
            .transpose()
    };
    let mut daily = BTreeMap::new();
    if let Some(scores) = at.get("daily_scores")? {
        for (date, score) in scores.members()? {
            // The original keeps null for a day without a score.
            if score.json != &Json::Null {
                daily.insert(day(&score, date)?, score.number()?);
            }
        }
    }
    Ok(Miner {
        uid: own,
        hotkey,
        latest: commit("latest_commit")?,
        best: commit("best_commit")?,
        daily,
    })
}
