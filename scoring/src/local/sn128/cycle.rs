//! A whole cycle of scoring.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::availability::{Availability, Heartbeat, presence};
use super::miner::{self, MinerScore};
use super::parameters::{ParameterError, Parameters};
use super::worker::{self, Attempt, WorkerScore};

/// A miner of the metagraph.
#[derive(Clone, Debug, PartialEq)]
pub struct Miner<'a> {
    /// Its hotkey.
    pub hotkey: &'a str,
    /// Whether it was heard of within the last half hour.
    pub online: bool,
    /// Lease score of every worker that it has.
    pub leases: Vec<f64>,
}

/// Where the availability of workers is taken from.
#[derive(Clone, Debug, PartialEq)]
pub enum Availabilities<'a> {
    /// Computed from heartbeats, by hotkey.
    Heartbeats(BTreeMap<&'a str, Vec<Heartbeat<'a>>>),
    /// Given by hotkey and worker; a worker without one has 0.
    Given(BTreeMap<(&'a str, &'a str), f64>),
    /// It could not be computed, and why: then everyone has 1, as in the original.
    Failed(&'a str),
}

/// What a cycle is computed of.
#[derive(Clone, Debug, PartialEq)]
pub struct Cycle<'a> {
    /// The moment of the computation, in milliseconds since 1970.
    pub now_ms: i64,
    /// The miners of the metagraph, in any order.
    pub miners: Vec<Miner<'a>>,
    /// Challenges, in any order.
    pub attempts: Vec<Attempt<'a>>,
    /// Which hotkey a GPU belongs to.
    pub owners: BTreeMap<&'a str, &'a str>,
    /// Availability of workers.
    pub availabilities: Availabilities<'a>,
}

/// Cycles that cannot be scored.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CycleError {
    /// The parameters are wrong.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// A miner that is named twice.
    #[error("the miner {0} is named twice; give every hotkey once")]
    Miner(String),
    /// A challenge that is named twice.
    #[error("the challenge {0} is named twice; give every challenge once")]
    Attempt(String),
    /// A number that is not one, below zero or too great.
    #[error("{what} of {who} is {value}; give a number from 0 to {MOST}")]
    Number {
        /// Which number.
        what: &'static str,
        /// Of whom.
        who: String,
        /// Its value.
        value: f64,
    },
    /// A time that nothing takes.
    #[error(
        "the computation time of {who} is {value} ms; nothing is that fast, give the time as measured"
    )]
    Fast {
        /// The challenge.
        who: String,
        /// Its time.
        value: f64,
    },
}

/// Greatest number that is taken of a time or a score.
pub const MOST: f64 = 1e12;
/// Least time in milliseconds, but for 0, which is no time at all.
pub const LEAST_MS: f64 = 1e-6;

/// Something that a reader of the scores should know.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Note {
    /// Availability failed open.
    #[error(
        "availability could not be computed ({0}), so every worker has 1, as the original does"
    )]
    FailOpen(String),
    /// Challenges outside of the window.
    #[error("{0} challenges are outside of the window and do not count")]
    OutsideWindow(usize),
    /// Challenges that are not verified.
    #[error("{0} challenges of the window are not verified and do not count")]
    Unverified(usize),
    /// Challenges with a GPU of another hotkey.
    #[error(
        "{0} challenges used a GPU that belongs to another hotkey or to nobody and do not count"
    )]
    Foreign(u32),
    /// Heartbeats outside of the window.
    #[error("{0} heartbeats are outside of the window and do not count")]
    Heartbeats(usize),
    /// Workers of hotkeys that are no miners.
    #[error(
        "{0} scored workers belong to hotkeys that are not among the miners; they still count for the best score"
    )]
    Strangers(usize),
    /// All scores are zero.
    #[error("all scores are zero: all weights are the same, and none is submitted")]
    Uniform,
    /// Nothing to submit.
    #[error("all weights to submit are zero: the original submits nothing")]
    NotSubmitted,
}

/// Scores of a cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores<'a> {
    /// Successes that are a full participation.
    pub baseline: f64,
    /// Workers that answered, in the order of hotkey and worker.
    pub workers: Vec<WorkerScore<'a>>,
    /// Miners in the order of their hotkeys.
    pub miners: Vec<MinerScore<'a>>,
    /// The greatest sum of a miner's workers.
    pub best_raw: f64,
    /// Mean share of the best over all miners.
    pub average_norm: f64,
    /// Whether the original would submit the weights.
    pub submit: bool,
    /// What a reader should know.
    pub notes: Vec<Note>,
}

fn check(parameters: &Parameters, cycle: &Cycle<'_>) -> Result<(), CycleError> {
    parameters.check()?;
    let number = |what, who: &str, value: f64| {
        if (0.0..=MOST).contains(&value) {
            Ok(())
        } else {
            Err(CycleError::Number {
                what,
                who: who.to_owned(),
                value,
            })
        }
    };
    let mut names = BTreeSet::new();
    for miner in &cycle.miners {
        if !names.insert(miner.hotkey) {
            return Err(CycleError::Miner(miner.hotkey.to_owned()));
        }
        for lease in &miner.leases {
            number("a lease score", miner.hotkey, *lease)?;
        }
    }
    let mut ids = BTreeSet::new();
    for attempt in &cycle.attempts {
        if !ids.insert(attempt.id) {
            return Err(CycleError::Attempt(attempt.id.to_owned()));
        }
        if let Some(time) = attempt.computation_ms {
            number("the computation time", attempt.id, time)?;
            if time > 0.0 && time < LEAST_MS {
                return Err(CycleError::Fast {
                    who: attempt.id.to_owned(),
                    value: time,
                });
            }
        }
    }
    if let Availabilities::Given(given) = &cycle.availabilities {
        for ((hotkey, worker), value) in given {
            number("the availability", &format!("{hotkey}:{worker}"), *value)?;
        }
    }
    Ok(())
}

/// The challenges that count, newest first, and what was left out.
fn counting<'c, 'a>(
    parameters: &Parameters,
    cycle: &'c Cycle<'a>,
    notes: &mut Vec<Note>,
) -> Vec<&'c Attempt<'a>> {
    let from = cycle.now_ms.saturating_sub(parameters.window_ms());
    let (inside, outside): (Vec<_>, Vec<_>) = cycle
        .attempts
        .iter()
        .partition(|attempt| (from..=cycle.now_ms).contains(&attempt.created_ms));
    let (mut counting, open): (Vec<_>, Vec<_>) =
        inside.into_iter().partition(|attempt| attempt.verified);
    if !outside.is_empty() {
        notes.push(Note::OutsideWindow(outside.len()));
    }
    if !open.is_empty() {
        notes.push(Note::Unverified(open.len()));
    }
    counting.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then(a.id.cmp(b.id)));
    counting
}

/// GPUs of every worker's right answers, whomever they belong to.
fn used<'a>(attempts: &[&Attempt<'a>]) -> BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>> {
    let mut used: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for attempt in attempts.iter().filter(|attempt| attempt.success) {
        let gpus = used.entry((attempt.hotkey, attempt.worker)).or_default();
        gpus.extend(attempt.gpus.iter().copied());
    }
    used
}

fn workers<'a>(
    parameters: &Parameters,
    cycle: &Cycle<'a>,
    notes: &mut Vec<Note>,
) -> Vec<WorkerScore<'a>> {
    let attempts = counting(parameters, cycle, notes);
    let used = used(&attempts);
    let none = BTreeSet::new();
    let presences: BTreeMap<&str, _> = match &cycle.availabilities {
        Availabilities::Heartbeats(beats) => beats
            .iter()
            .map(|(hotkey, beats)| (*hotkey, presence(parameters, cycle.now_ms, beats)))
            .collect(),
        _ => BTreeMap::new(),
    };
    let outside = presences.values().map(|presence| presence.outside).sum();
    if outside > 0 {
        notes.push(Note::Heartbeats(outside));
    }
    let empty = presence(parameters, cycle.now_ms, &[]);
    let available = |key: (&str, &str)| -> (f64, Option<Availability>) {
        match &cycle.availabilities {
            Availabilities::Failed(_) => (1.0, None),
            Availabilities::Given(given) => (given.get(&key).copied().unwrap_or(0.0), None),
            Availabilities::Heartbeats(_) => {
                let presence = presences.get(key.0).unwrap_or(&empty);
                let gpus = used.get(&key).unwrap_or(&none);
                let found = presence.availability(parameters, key.1, gpus);
                (found.value, Some(found))
            }
        }
    };
    let counted = worker::count(&attempts, &cycle.owners);
    let mut scored: Vec<_> = counted
        .iter()
        .map(|(key, counted)| {
            let (availability, presence) = available(*key);
            worker::score(parameters, *key, counted, availability, presence)
        })
        .collect();
    worker::rank(&mut scored);
    scored
}

/// Scores a cycle.
///
/// # Errors
///
/// When the parameters are wrong, a miner or challenge is named twice, a number is negative or
/// above [`MOST`], or a time is above zero and below [`LEAST_MS`].
pub fn score<'a>(parameters: &Parameters, cycle: &Cycle<'a>) -> Result<Scores<'a>, CycleError> {
    check(parameters, cycle)?;
    let mut notes = Vec::new();
    if let Availabilities::Failed(why) = cycle.availabilities {
        notes.push(Note::FailOpen(why.to_owned()));
    }
    let workers = workers(parameters, cycle, &mut notes);
    let foreign = workers.iter().map(|worker| worker.foreign).sum();
    if foreign > 0 {
        notes.push(Note::Foreign(foreign));
    }

    let mut by_miner: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for worker in &workers {
        if let Some(score) = worker.score {
            by_miner.entry(worker.hotkey).or_default().push(score);
        }
    }
    let raw: BTreeMap<&str, (f64, usize)> = by_miner
        .iter()
        .map(|(hotkey, scores)| {
            (
                *hotkey,
                miner::top(scores.iter().copied(), parameters.worker_cap),
            )
        })
        .collect();
    let best_raw = raw.values().map(|(sum, _)| *sum).fold(0.0, f64::max);

    let mut sorted: Vec<&Miner<'a>> = cycle.miners.iter().collect();
    sorted.sort_by_key(|miner| miner.hotkey);
    let known: BTreeSet<&str> = sorted.iter().map(|miner| miner.hotkey).collect();
    let strangers = by_miner
        .iter()
        .filter(|(hotkey, _)| !known.contains(*hotkey))
        .map(|(_, scores)| scores.len())
        .sum();
    if strangers > 0 {
        notes.push(Note::Strangers(strangers));
    }
    let mut miners: Vec<MinerScore<'a>> = sorted
        .iter()
        .map(|miner| {
            let (raw_challenge, counted) = raw.get(miner.hotkey).copied().unwrap_or((0.0, 0));
            MinerScore {
                hotkey: miner.hotkey,
                composite: 0.0,
                raw_challenge,
                challenge_workers: counted,
                challenge_norm: if best_raw > 0.0 {
                    (raw_challenge / best_raw).clamp(0.0, 1.0)
                } else {
                    0.0
                },
                challenge: 0.0,
                replaced: false,
                lease: miner::lease(parameters, &miner.leases),
                workers: miner.leases.len(),
                weight: 0.0,
                submitted: 0.0,
                zero: None,
            }
        })
        .collect();
    let average_norm = if miners.is_empty() {
        0.0
    } else {
        let sum: f64 = miners.iter().map(|miner| miner.challenge_norm).sum();
        sum / miner::count(miners.len())
    };
    for (score, miner) in miners.iter_mut().zip(&sorted) {
        miner::compose(parameters, score, miner.online, average_norm);
    }
    miner::weigh(&mut miners);
    let submit = miners.iter().any(|miner| miner.submitted > 0.0);
    if !miners.is_empty() && miners.iter().all(|miner| miner.composite <= 0.0) {
        notes.push(Note::Uniform);
    }
    if !submit {
        notes.push(Note::NotSubmitted);
    }
    Ok(Scores {
        baseline: parameters.baseline(),
        workers,
        miners,
        best_raw,
        average_norm,
        submit,
        notes,
    })
}
