//! What the ledger's records come to, and what validators are told of it.

mod answer;
mod apply;

pub(super) use answer::seconds;
pub use answer::{
    Answer, AskError, Asked, MAX_ANSWER, MAX_ASKED, Question, asked, commit, get_scoring_result,
    logs,
};
pub(super) use apply::{import_id, reveal_id, run_id, try_id};

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::AccountId;
use scoring::local::sn61::best::Unique;
use scoring::local::sn61::decay::days;
use scoring::local::sn61::softmax::softmax;

use super::config::{Config, Metagraph};
use super::format::{Commit, Plain};
use super::merge::History;
use crate::ledger::{Ledger, LedgerError, Seq};

/// How many records are read at a time.
const CHUNK: usize = 1024;

/// A ciphertext that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The miner.
    pub miner: AccountId,
    /// The key that opened it.
    pub key: String,
    /// What was in it.
    pub plain: Plain,
}

/// A comparison that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Ciphertext of the other commit.
    pub with: String,
    /// Image of the other commit.
    pub docker: String,
    /// Whether it counts: comparisons with own commits do only when they are alike.
    pub counts: bool,
    /// Similarities, log by log.
    pub similarities: Vec<Option<f64>>,
    /// sha256 of the logs as they were written.
    pub payload: String,
}

/// A commit that was judged, as it was judged last.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Number of the record.
    pub seq: Seq,
    /// The miner.
    pub miner: AccountId,
    /// Its uid at that time.
    pub uid: u16,
    /// The image.
    pub docker: String,
    /// When the commit was made, in seconds since 1970.
    pub timestamp: Option<f64>,
    /// When it was scored first.
    pub scored_ms: u64,
    /// The score; `None` when the commit is left out.
    pub score: Option<f64>,
    /// Its greatest similarity.
    pub penalty: f64,
    /// Whether it was accepted.
    pub accepted: bool,
    /// Hash of what it was judged by.
    pub inputs: String,
    /// Whether a day was closed with it.
    pub closed: bool,
    /// The commit as a backup has it, when it came from one.
    pub told: Option<Box<Commit>>,
}

/// A miner in a challenge.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MinerState {
    /// Its hotkey.
    pub hotkey: AccountId,
    /// Ciphertext of the commit judged last.
    pub latest: Option<String>,
    /// Ciphertext, score and time of scoring (ms) of its best commit.
    pub best: Option<(String, f64, u64)>,
    /// Score of its best commit at the end of each day.
    pub daily: BTreeMap<String, f64>,
}

/// What is known of one challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct ChallengeState {
    /// What was opened, by ciphertext.
    pub opened: BTreeMap<String, Opening>,
    /// Ciphertext and key (by its sha256) that were tried, and why they failed.
    pub failed: BTreeMap<(String, String), String>,
    /// sha256 of the logs of every image that was run.
    pub runs: BTreeMap<String, String>,
    /// Comparisons by ciphertext.
    pub comparisons: BTreeMap<String, Vec<Compared>>,
    /// Judged commits by ciphertext.
    pub judged: BTreeMap<String, Judged>,
    /// Ciphertexts in the order in which they were judged first.
    pub order: Vec<String>,
    /// Images that are done with.
    pub done: BTreeSet<String>,
    /// The commits that others are compared with by the rules of 2025.
    pub unique: Unique,
    /// Miners by uid.
    pub miners: BTreeMap<u16, MinerState>,
    /// Days that are closed.
    pub days: BTreeSet<String>,
    /// Failed attempts to close a day.
    pub attempts: BTreeMap<String, u32>,
    /// Whether everything revealed so far is in a closed day.
    pub is_done: bool,
}

impl ChallengeState {
    fn new(room: usize) -> ChallengeState {
        ChallengeState {
            opened: BTreeMap::new(),
            failed: BTreeMap::new(),
            runs: BTreeMap::new(),
            comparisons: BTreeMap::new(),
            judged: BTreeMap::new(),
            order: Vec::new(),
            done: BTreeSet::new(),
            unique: Unique::new(room),
            miners: BTreeMap::new(),
            days: BTreeSet::new(),
            attempts: BTreeMap::new(),
            is_done: false,
        }
    }

    /// Scores of the best commits by uid at a time, aged and through the softmax.
    pub fn vector(&self, config: &Config, miners: &Metagraph, now_ms: u64) -> Vec<f64> {
        let mut scores = vec![0.0; miners.neurons().len()];
        for (uid, miner) in &self.miners {
            let Some((_, score, scored_ms)) = &miner.best else {
                continue;
            };
            if miners.uid(&miner.hotkey) != Some(*uid) {
                continue;
            }
            let aged = match config.rules.decay {
                Some(decay) => decay.apply(*score, days(*scored_ms, now_ms)),
                None => *score,
            };
            if let Some(place) = scores.get_mut(usize::from(*uid)) {
                *place = aged;
            }
        }
        softmax(&scores, config.rules.temperature, config.rules.over)
    }
}

/// What all records of a scorer come to. It follows a ledger: [`State::catch_up`] reads what is new.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    netuid: u16,
    /// Who said what of commits, of all challenges, active or not.
    pub history: History,
    /// The active challenges.
    pub challenges: BTreeMap<String, ChallengeState>,
    /// Of how many ciphertexts of a miner in a challenge each validator told.
    told: BTreeMap<(String, AccountId, AccountId), usize>,
    next: Seq,
}

impl State {
    /// Of all records in the ledger.
    ///
    /// # Errors
    ///
    /// When the ledger cannot be read.
    pub fn load(ledger: &Ledger, config: &Config) -> Result<State, LedgerError> {
        let of = |challenge: &super::config::Challenge| {
            let state = ChallengeState::new(challenge.max_unique);
            (challenge.name.clone(), state)
        };
        let mut state = State {
            netuid: config.netuid,
            history: History::default(),
            challenges: config.challenges.iter().map(of).collect(),
            told: BTreeMap::new(),
            next: 0,
        };
        state.catch_up(ledger)?;
        Ok(state)
    }

    /// Takes in the records that came since.
    ///
    /// # Errors
    ///
    /// When the ledger cannot be read; what was read until then is taken in.
    pub fn catch_up(&mut self, ledger: &Ledger) -> Result<(), LedgerError> {
        loop {
            let entries = ledger.from(self.next, CHUNK)?;
            if entries.is_empty() {
                return Ok(());
            }
            for (seq, entry) in entries {
                apply::entry(self, ledger, seq, &entry)?;
                self.next = seq.saturating_add(1);
            }
        }
    }

    /// The row of weights by uid at a time: vectors of all challenges by their weights, one miner
    /// an entity and the owner's part where the profile says so. All 0 when there is nothing.
    pub fn weights(&self, config: &Config, miners: &Metagraph, now_ms: u64) -> Vec<f64> {
        use scoring::local::sn61::{across, entities};
        let vectors: Vec<(f64, Vec<f64>)> = config
            .challenges
            .iter()
            .filter_map(|challenge| {
                let state = self.challenges.get(&challenge.name)?;
                Some((challenge.weight, state.vector(config, miners, now_ms)))
            })
            .collect();
        let borrowed: Vec<(f64, &[f64])> =
            vectors.iter().map(|(w, v)| (*w, v.as_slice())).collect();
        // Weights are checked with the configuration and all vectors have one entry a uid.
        let total = across::total(&borrowed).map(|(total, _)| total);
        let mut total = total.unwrap_or_else(|_| vec![0.0; miners.neurons().len()]);
        if config.rules.entities {
            let coldkeys: Vec<String> = miners
                .neurons()
                .iter()
                .map(|n| n.coldkey.to_string())
                .collect();
            let users = self.docker_users(miners);
            let rows: Vec<entities::Miner<'_>> = total
                .iter()
                .zip(miners.neurons())
                .zip(coldkeys.iter().zip(&users))
                .map(|((score, neuron), (coldkey, user))| entities::Miner {
                    score: *score,
                    ip: &neuron.ip,
                    coldkey,
                    docker: user.as_deref(),
                })
                .collect();
            total = entities::same_entity(&rows);
        }
        across::with_burn(&total, config.rules.burn, miners.owner.map(usize::from))
    }

    /// The docker account of every uid's best commit, the first challenge's that has one.
    fn docker_users(&self, miners: &Metagraph) -> Vec<Option<String>> {
        let user = |uid: u16| {
            self.challenges.values().find_map(|challenge| {
                let miner = challenge.miners.get(&uid)?;
                if miners.uid(&miner.hotkey) != Some(uid) {
                    return None;
                }
                let (token, ..) = miner.best.as_ref()?;
                let docker = &challenge.judged.get(token)?.docker;
                super::format::docker_user(docker).map(str::to_owned)
            })
        };
        (0..=u16::MAX)
            .zip(miners.neurons())
            .map(|(uid, _)| user(uid))
            .collect()
    }
}
