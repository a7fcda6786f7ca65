//! What one validator tells of miners' commits.
//!
//! `{"validator_uid": 3, "validator_hotkey": "5F…", "miner_commits": {"<hotkey>": {"<challenge>":
//! <commit> | [<commit>, …]}}}`. Uid and hotkey may be missing where the request's signature
//! names them, and must be the same where both do.

use std::collections::BTreeMap;

use chain_metadata::AccountId;
use indexer::store::engine::Batch;
use serde_json::json;

use super::format::Commit;
use super::merge::{History, Word};
use crate::ledger::{Ledger, LedgerError, MAX_NAME, Seq, put_payload};
use crate::python::{At, Json, JsonError, Wrong, parse_slice};
use crate::record::{Entry, Provenance, Record, Reporter, Submission};

/// Longest report, in bytes.
pub const MAX_BODY: usize = 8 << 20;
/// Most commits of one challenge that a report may list for a miner.
pub const MAX_VERSIONS: usize = 64;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many commits it told of.
    pub told: usize,
    /// How many of them said something that this validator had not said before.
    pub new: usize,
    /// Number of the first new record; `None` when there is none.
    pub first: Option<Seq>,
}

/// Takes a report into the ledger, with its text: one record for every commit of which it says
/// something new. A report told twice is taken once. `more` are rows to be written with it.
/// Commits of challenges that are not active, or of hotkeys that are not miners, are kept too, since
/// both may change; a pass leaves them aside.
///
/// # Errors
///
/// When the ledger cannot be read or written; then nothing is taken.
pub fn take(
    ledger: &Ledger,
    netuid: u16,
    known: &History,
    report: &Report,
    body: &[u8],
    provenance: &Provenance,
    more: Batch,
) -> Result<Taken, LedgerError> {
    let mut batch = more;
    let provenance = Provenance {
        payload: put_payload(&mut batch, body),
        ..provenance.clone()
    };
    let mut merged = known.clone();
    let mut entries = Vec::new();
    for (miner, commit) in &report.commits {
        let word = Word::of(commit);
        let token = &commit.encrypted_commit;
        if !merged.add(
            &commit.challenge_name,
            *miner,
            token,
            report.validator,
            word,
        ) {
            continue;
        }
        entries.push(Entry {
            netuid,
            challenge: commit.challenge_name.clone(),
            subject: miner.to_string(),
            provenance: provenance.clone(),
            record: Record::Submission(submission(report, *miner, commit)),
        });
    }
    let new = entries.len();
    let first = match new {
        0 => None,
        _ => Some(ledger.append(&entries, batch)?),
    };
    Ok(Taken {
        told: report.commits.len(),
        new,
        first,
    })
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
            "validator": report.validator,
            "validator_uid": report.uid,
            "miner": miner,
            "commit_timestamp": commit.commit_timestamp,
            "key": commit.key,
            "commit": commit.commit,
        }),
    }
}

/// What a record of a report says; `None` when it is none.
pub(super) fn word(submission: &Submission) -> Option<(AccountId, AccountId, Word)> {
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
