//! What one validator tells of miners' commits.
//!
//! `{"validator_uid": 3, "validator_hotkey": "5F…", "miner_commits": {"<hotkey>": {"<challenge>":
//! <commit> | [<commit>, …]}}}`. Uid and hotkey may be missing where the request's signature
//! names them, and must be the same where both do.

use std::collections::BTreeMap;

use chain_metadata::AccountId;
use indexer::store::engine::Batch;
use serde_json::json;

use super::config::{Config, Metagraph};
use super::format::Commit;
use super::merge::{History, Word};
use super::state::State;
use crate::ingest::RESERVED;
use crate::ledger::{Ledger, LedgerError, MAX_NAME, Seq, put_payload};
use crate::python::{At, Json, JsonError, Wrong, parse_slice};
use crate::record::{Entry, Provenance, Record, Reporter, Submission};

/// Longest report, in bytes.
pub const MAX_BODY: usize = 8 << 20;
/// Most commits of one challenge that a report may list for a miner.
pub const MAX_VERSIONS: usize = 64;

/// Most ciphertexts of a miner in a challenge that one validator may ever tell of.
pub const MAX_TOLD: usize = 1024;

/// What one validator tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Who tells it.
    pub validator: AccountId,
    /// Its uid.
    pub uid: u16,
    /// The commits, in the order told; miner and commit.
    pub commits: Vec<(AccountId, Commit)>,
}

/// Why a report is refused; nothing of it is taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Too long.
    #[error("the report has {len} bytes, and may have {MAX_BODY}: send fewer miners at a time")]
    Long {
        /// Its length.
        len: usize,
    },
    /// It is no JSON.
    #[error("the report is not JSON: {0}")]
    Json(#[from] JsonError),
    /// Something in it is not what it should be.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Report {
    /// Reads a report. `signer` is who signed the request, when it was signed.
    ///
    /// # Errors
    ///
    /// See [`ReportError`].
    pub fn read(body: &[u8], signer: Option<(AccountId, u16)>) -> Result<Report, ReportError> {
        if body.len() > MAX_BODY {
            return Err(ReportError::Long { len: body.len() });
        }
        let json = parse_slice(body)?;
        let root = At::root(&json, "report");
        root.only(&["validator_uid", "validator_hotkey", "miner_commits"])?;
        let (validator, uid) = sender(&root, signer)?;
        let mut commits = Vec::new();
        for (hotkey, challenges) in root.need("miner_commits")?.members()? {
            let miner = account(&challenges, hotkey)?;
            for (challenge, told) in challenges.members()? {
                if challenge.is_empty() || challenge.len() > MAX_NAME {
                    return Err(told.wrong("a challenge's name has 1 to 255 bytes").into());
                }
                let list = match told.json {
                    Json::List(_) => told.items(MAX_VERSIONS)?,
                    _ => vec![told],
                };
                for told in list {
                    let mut commit = Commit::read(&told, Some((hotkey, challenge)))?;
                    commit.miner_hotkey = miner.to_string();
                    commits.push((miner, commit));
                }
            }
        }
        Ok(Report {
            validator,
            uid,
            commits,
        })
    }

    /// What it tells, as history.
    pub fn history(&self) -> History {
        let mut history = History::default();
        for (miner, commit) in &self.commits {
            history.add(
                &commit.challenge_name,
                *miner,
                &commit.encrypted_commit,
                self.validator,
                Word::of(commit),
            );
        }
        history
    }
}

fn account(at: &At<'_>, text: &str) -> Result<AccountId, Wrong> {
    AccountId::from_ss58(text)
        .map(|(account, _)| account)
        .map_err(|e| at.wrong(e.to_string()))
}

fn sender(root: &At<'_>, signer: Option<(AccountId, u16)>) -> Result<(AccountId, u16), Wrong> {
    let hotkey = match (root.get("validator_hotkey")?, signer) {
        (None, Some((signer, _))) => signer,
        (told, signer) => {
            let told = match told {
                Some(told) => told,
                None => root.need("validator_hotkey")?,
            };
            let hotkey = account(&told, told.text(64)?)?;
            if signer.is_some_and(|(signer, _)| signer != hotkey) {
                return Err(told.wrong("another hotkey signed the request"));
            }
            hotkey
        }
    };
    let uid = match (root.get("validator_uid")?, signer) {
        (None, Some((_, uid))) => uid,
        (told, signer) => {
            let told = match told {
                Some(told) => told,
                None => root.need("validator_uid")?,
            };
            let uid = told.uid()?;
            if signer.is_some_and(|(_, signed)| signed != uid) {
                return Err(told.wrong("the request was signed for another uid"));
            }
            uid
        }
    };
    Ok((hotkey, uid))
}

/// What a report came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Taken {
    /// How many commits it told of.
    pub told: usize,
    /// How many of them said something that this validator had not said before.
    pub new: usize,
    /// How many are of challenges that are not active; they are not kept.
    pub inactive: usize,
    /// How many are of hotkeys that are not registered; they are not kept.
    pub unregistered: usize,
    /// How many are left out because this validator told of [`MAX_TOLD`] ciphertexts of the miner
    /// in the challenge already.
    pub too_many: usize,
    /// How many are left out because this validator has less stake than reports need
    /// ([`Config::min_stake`]): then nothing of the report is kept.
    pub without_stake: usize,
    /// Number of the first new record; `None` when there is none.
    pub first: Option<Seq>,
}

/// Takes a report into the ledger, with its text: one record for every commit of which it says
/// something new. A report told twice is taken once. `state` must be brought up to the ledger
/// and is again when this returns; `more` are rows to be written with the records, in one batch (or
/// alone when nothing is new).
///
/// # Errors
///
/// When the ledger cannot be read or written; then nothing is taken.
pub fn take(
    ledger: &Ledger,
    state: &mut State,
    (config, neurons): (&Config, &Metagraph),
    report: &Report,
    body: &[u8],
    provenance: &Provenance,
    more: Batch,
) -> Result<Taken, LedgerError> {
    let mut payload = Batch::default();
    let provenance = Provenance {
        payload: put_payload(&mut payload, body),
        ..provenance.clone()
    };
    let mut taken = Taken {
        told: report.commits.len(),
        ..Taken::default()
    };
    let counts = neurons.counts(&report.validator, config.min_stake);
    if !counts {
        taken.without_stake = taken.told;
    }
    // What this report itself adds is known too, so that a list may not say a thing twice.
    let own = |validator: &AccountId| *validator == report.validator;
    let mut said = state.history.said_by(own);
    let mut entries = Vec::new();
    for (miner, commit) in report.commits.iter().filter(|_| counts) {
        let (challenge, token) = (&commit.challenge_name, &commit.encrypted_commit);
        if config.challenge(challenge).is_none() {
            taken.inactive += 1;
            continue;
        }
        if neurons.uid(miner).is_none() {
            taken.unregistered += 1;
            continue;
        }
        let versions = said.versions(challenge, miner);
        if versions.is_some_and(|v| v.len() >= MAX_TOLD && !v.contains_key(token)) {
            taken.too_many += 1;
            continue;
        }
        if !said.add(challenge, *miner, token, report.validator, Word::of(commit)) {
            continue;
        }
        entries.push(Entry {
            netuid: config.netuid,
            challenge: challenge.clone(),
            subject: miner.to_string(),
            provenance: provenance.clone(),
            record: Record::Submission(submission(report, *miner, commit)),
        });
    }
    taken.new = entries.len();
    let mut batch = more;
    if taken.new > 0 {
        batch.ops.extend(payload.ops);
        taken.first = Some(ledger.append(&entries, batch)?);
        state.catch_up(ledger)?;
    } else if !batch.ops.is_empty() {
        ledger.append(&[], batch)?;
    }
    Ok(taken)
}

/// Provenance of a report from a signed request or a file.
pub fn provenance(reporter: Reporter, signature: Option<String>, now_ms: u64) -> Provenance {
    Provenance {
        reporter,
        received_ms: now_ms,
        checked_at: None,
        signature,
        payload: String::new(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are from 0 to 1e12 seconds when they are read"
)]
fn submission(report: &Report, miner: AccountId, commit: &Commit) -> Submission {
    Submission {
        id: commit.encrypted_commit.clone(),
        at_ms: commit.commit_timestamp.map(|at| (at * 1000.0) as u64),
        details: json!({
            RESERVED: true,
            "validator": report.validator,
            "validator_uid": report.uid,
            "miner": miner,
            "commit_timestamp": commit.commit_timestamp,
            "key": commit.key,
            "commit": commit.commit,
        }),
    }
}

/// What a record of a report says; `None` when it is none. Submissions that came by another
/// way than [`take`] have no part in the scorer: its limits would not hold for them.
pub(super) fn word(submission: &Submission) -> Option<(AccountId, AccountId, Word)> {
    if submission.details.get(RESERVED)?.as_bool() != Some(true) {
        return None;
    }
    let account =
        |name: &str| -> Option<AccountId> { submission.details.get(name)?.as_str()?.parse().ok() };
    let text =
        |name: &str| -> Option<String> { Some(submission.details.get(name)?.as_str()?.to_owned()) };
    let time = submission.details.get("commit_timestamp");
    let word = Word::new(
        time.and_then(serde_json::Value::as_f64),
        text("key"),
        text("commit"),
    );
    Some((account("validator")?, account("miner")?, word))
}

/// Reads reports of several files or requests into one history, for use without a ledger.
pub fn histories<'a>(reports: impl IntoIterator<Item = &'a Report>) -> History {
    let mut all = History::default();
    for report in reports {
        all.join(&report.history());
    }
    all
}

/// How many commits each validator told of.
pub fn counts<'a>(reports: impl IntoIterator<Item = &'a Report>) -> BTreeMap<AccountId, usize> {
    let mut counts = BTreeMap::new();
    for report in reports {
        *counts.entry(report.validator).or_default() += report.commits.len();
    }
    counts
}
