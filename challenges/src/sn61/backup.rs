//! A scorer's state as one JSON document, out and in.
//!
//! `{validator_uid, validator_hotkey, challenge_managers: {name: {unique_commits: [{score, commit,
//! docker_hub_id}], unique_scored_docker_hub_ids: [], miner_states: {"uid": {miner_uid, miner_hotkey,
//! challenge_name, latest_commit, best_commit, daily_scores}}}}, scoring_dates: ["YYYY-MM-DD"]}`.
//!
//! Commits in it are in the view [`View::State`]: without inputs and outputs. What the ledger has
//! besides (who said what, images' answers) is not in this document; a copy of the whole is an export of
//! the ledger.

mod manager;

pub use manager::Manager;

use std::collections::BTreeSet;

use chain_metadata::AccountId;
use indexer::store::engine::Batch;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::config::Config;
use super::format::{Commit, View};
use super::state::{self, ChallengeState, MinerState, State, import_id};
use crate::date;
use crate::ledger::{Filter, Ledger, LedgerError, put_payload};
use crate::python::{At, Json, JsonError, Wrong, dumps, parse_slice};
use crate::record::{ChallengeRun, Entry, Kind, Provenance, Record, Reporter};

/// Longest backup, in bytes.
pub const MAX_BACKUP: usize = 256 << 20;
/// Longest part of one challenge, in bytes: an export of the ledger has it in one line.
pub const MAX_PART: usize = 44 << 20;

/// Why a backup is refused; nothing of it is taken.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Too long.
    #[error("the backup has {0} bytes, and may have {MAX_BACKUP}")]
    Long(usize),
    /// The part of a challenge is too long.
    #[error("the part of the challenge {name} has {len} bytes, and may have {MAX_PART}")]
    Part {
        /// The challenge.
        name: String,
        /// Its length.
        len: usize,
    },
    /// It is no JSON.
    #[error("the backup is not JSON: {0}")]
    Json(#[from] JsonError),
    /// Something in it is not what it should be.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The state of all active challenges as a document.
///
/// # Errors
///
/// When the ledger cannot be read.
pub fn export(
    state: &State,
    ledger: &Ledger,
    validator: (u16, AccountId),
) -> Result<Json, LedgerError> {
    let (uid, hotkey) = validator;
    let mut managers = Vec::new();
    let mut dates: BTreeSet<&str> = BTreeSet::new();
    for (name, challenge) in &state.challenges {
        managers.push((name.clone(), one(challenge, ledger, name)?));
        dates.extend(challenge.days.iter().map(String::as_str));
    }
    let dates = dates.into_iter().map(|date| Json::Str(date.to_owned()));
    Ok(Json::dict([
        ("validator_uid", Json::Int(uid.to_string())),
        ("validator_hotkey", Json::Str(hotkey.to_string())),
        ("challenge_managers", Json::Dict(managers)),
        ("scoring_dates", Json::List(dates.collect())),
    ]))
}

fn one(challenge: &ChallengeState, ledger: &Ledger, name: &str) -> Result<Json, LedgerError> {
    let text = |text: &str| Json::Str(text.to_owned());
    let unique = challenge.unique.members().iter().map(|member| {
        Json::dict([
            ("score", Json::Float(member.score)),
            ("commit", text(&member.commit)),
            ("docker_hub_id", text(&member.docker)),
        ])
    });
    let mut miners = Vec::new();
    for (uid, miner) in &challenge.miners {
        miners.push((
            uid.to_string(),
            one_miner(challenge, ledger, name, *uid, miner)?,
        ));
    }
    Ok(Json::dict([
        ("unique_commits", Json::List(unique.collect())),
        (
            "unique_scored_docker_hub_ids",
            Json::List(challenge.done.iter().map(|docker| text(docker)).collect()),
        ),
        ("miner_states", Json::Dict(miners)),
    ]))
}

fn one_miner(
    challenge: &ChallengeState,
    ledger: &Ledger,
    name: &str,
    uid: u16,
    miner: &MinerState,
) -> Result<Json, LedgerError> {
    let told = |token: Option<&String>| -> Result<Json, LedgerError> {
        let commit = match token {
            Some(token) => state::commit(challenge, ledger, name, token)?,
            None => None,
        };
        Ok(commit.map_or(Json::Null, |commit: Commit| commit.view(View::State).json()))
    };
    let daily = miner.daily.iter();
    let daily = daily.map(|(date, score)| (date.clone(), Json::Float(*score)));
    Ok(Json::dict([
        ("miner_uid", Json::Int(uid.to_string())),
        ("miner_hotkey", Json::Str(miner.hotkey.to_string())),
        ("challenge_name", Json::Str(name.to_owned())),
        ("latest_commit", told(miner.latest.as_ref())?),
        (
            "best_commit",
            told(miner.best.as_ref().map(|(token, ..)| token))?,
        ),
        ("daily_scores", Json::Dict(daily.collect())),
    ]))
}

/// What an import did, by challenge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Challenges taken in.
    pub taken: Vec<String>,
    /// Challenges that are not active here.
    pub inactive: Vec<String>,
    /// Challenges whose part was taken in before.
    pub already: Vec<String>,
}

/// Takes a document in: all of its active challenges or none. A part taken in twice counts
/// once.
///
/// # Errors
///
/// See [`BackupError`].
pub fn import(
    ledger: &Ledger,
    config: &Config,
    body: &[u8],
    from: &str,
    now_ms: u64,
) -> Result<Imported, BackupError> {
    if body.len() > MAX_BACKUP {
        return Err(BackupError::Long(body.len()));
    }
    let json = parse_slice(body)?;
    let root = At::root(&json, "backup");
    root.only(&[
        "validator_uid",
        "validator_hotkey",
        "challenge_managers",
        "scoring_dates",
    ])?;
    let mut dates = Vec::new();
    if let Some(list) = root.get("scoring_dates")? {
        for at in list.items(100_000)? {
            let text = at.text(10)?;
            if text.len() != 10 || date::parse(text).is_none() {
                return Err(at.wrong("a date is wanted: YYYY-MM-DD").into());
            }
            dates.push(Json::Str(text.to_owned()));
        }
    }
    let (mut imported, mut entries, mut batch) =
        (Imported::default(), Vec::new(), Batch::default());
    for (name, manager) in root.need("challenge_managers")?.members()? {
        Manager::read(&manager)?;
        if config.challenge(name).is_none() {
            imported.inactive.push(name.to_owned());
            continue;
        }
        let mut kept = manager.json.clone();
        if let Json::Dict(members) = &mut kept {
            members.retain(|(name, _)| name != "scoring_dates");
            members.push(("scoring_dates".to_owned(), Json::List(dates.clone())));
        }
        let text = dumps(&kept);
        if text.len() > MAX_PART {
            let (name, len) = (name.to_owned(), text.len());
            return Err(BackupError::Part { name, len });
        }
        let id = import_id(&hex::encode(Sha256::digest(text.as_bytes())));
        if exists(ledger, config.netuid, name, &id)? {
            imported.already.push(name.to_owned());
            continue;
        }
        entries.push(Entry {
            netuid: config.netuid,
            challenge: name.to_owned(),
            subject: String::new(),
            provenance: Provenance {
                reporter: Reporter::File(from.to_owned()),
                received_ms: now_ms,
                checked_at: None,
                signature: None,
                payload: put_payload(&mut batch, text.as_bytes()),
            },
            record: Record::Run(ChallengeRun {
                id,
                started_ms: now_ms,
                ended_ms: Some(now_ms),
                success: Some(true),
                error: None,
                details: json!({}),
            }),
        });
        imported.taken.push(name.to_owned());
    }
    if !entries.is_empty() {
        ledger.append(&entries, batch)?;
    }
    Ok(imported)
}

fn exists(ledger: &Ledger, netuid: u16, challenge: &str, id: &str) -> Result<bool, LedgerError> {
    let filter = Filter {
        netuid,
        challenge: Some(challenge.to_owned()),
        kind: Some(Kind::Run),
        subject: Some(String::new()),
        after: None,
    };
    let runs = ledger.find(&filter, usize::MAX)?;
    Ok(runs
        .iter()
        .any(|(_, entry)| matches!(&entry.record, Record::Run(run) if run.id == id)))
}
