//! What is told of scored commits.

use serde::Serialize;

use super::{ChallengeState, State};
use crate::ledger::{Ledger, LedgerError};
use crate::python::{At, Json, JsonError, Wrong, parse_slice};
use crate::sn61::format::{Commit, ComparisonLog, MAX_TOKEN, ScoringLog, View};

/// Most ciphertexts that can be asked for at a time.
pub const MAX_ASKED: usize = 1024;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No active challenge has this name: a 404.
    #[error("there is no active challenge `{0}`")]
    UnknownChallenge(String),
    /// The question is no JSON: a 422.
    #[error("the question is not JSON: {0}")]
    Json(#[from] JsonError),
    /// A part of the question is wrong: a 422.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// The ledger failed: a 500.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// `{"challenge_name": …, "encrypted_commits": […]}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The challenge.
    pub challenge_name: String,
    /// The ciphertexts.
    pub encrypted_commits: Vec<String>,
}

impl Question {
    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// When it is not JSON, a member is missing or of another type, or more than [`MAX_ASKED`]
    /// ciphertexts are asked for.
    pub fn read(body: &[u8]) -> Result<Question, AskError> {
        let json = parse_slice(body)?;
        let root = At::root(&json, "body");
        let commits = root.need("encrypted_commits")?.items(MAX_ASKED)?;
        let commits = commits
            .iter()
            .map(|at| at.text(MAX_TOKEN).map(str::to_owned));
        Ok(Question {
            challenge_name: root.need("challenge_name")?.text(255)?.to_owned(),
            encrypted_commits: commits.collect::<Result<_, _>>()?,
        })
    }
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Every ciphertext asked for, once, with the public view of its commit; `None` when
    /// it was not scored.
    pub commits: Vec<(String, Option<Commit>)>,
    /// Whether a day was closed with everything revealed so far.
    pub is_done: Option<bool>,
}

impl Answer {
    /// The document that is answered.
    pub fn json(&self) -> Json {
        let commit = |(token, commit): &(String, Option<Commit>)| {
            (
                token.clone(),
                commit.as_ref().map_or(Json::Null, Commit::json),
            )
        };
        let text = |text: &str| Json::Str(text.to_owned());
        Json::dict([
            ("status", text("success")),
            ("message", text("Scoring results retrieved successfully")),
            (
                "data",
                Json::dict([
                    (
                        "commits",
                        Json::Dict(self.commits.iter().map(commit).collect()),
                    ),
                    ("is_done", self.is_done.map_or(Json::Null, Json::Bool)),
                ]),
            ),
        ])
    }
}

impl Serialize for Answer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

/// What `POST /get_scoring_result` answers.
///
/// # Errors
///
/// [`AskError::UnknownChallenge`] when the challenge is not active, and when the ledger cannot
/// be read.
pub fn get_scoring_result(
    state: &State,
    ledger: &Ledger,
    challenge_name: &str,
    encrypted_commits: &[String],
) -> Result<Answer, AskError> {
    let challenge = state
        .challenges
        .get(challenge_name)
        .ok_or_else(|| AskError::UnknownChallenge(challenge_name.chars().take(255).collect()))?;
    let mut commits: Vec<(String, Option<Commit>)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for token in encrypted_commits
        .iter()
        .filter(|token| seen.insert(token.as_str()))
    {
        let commit = commit(challenge, ledger, challenge_name, token)?;
        let public = commit.map(|commit| commit.view(View::Public));
        commits.push((token.clone(), public));
    }
    Ok(Answer {
        commits,
        is_done: Some(challenge.is_done),
    })
}

/// Logs as they were written, by the sha256 of their text; none when they are not there or cannot
/// be read, which is told in the program's log: one image must not stop all others.
///
/// # Errors
///
/// When the store cannot be read.
pub fn logs(ledger: &Ledger, payload: &str) -> Result<Vec<ScoringLog>, LedgerError> {
    read(ledger, payload, ScoringLog::read)
}

fn read<T>(
    ledger: &Ledger,
    payload: &str,
    one: impl Fn(&At<'_>) -> Result<T, Wrong>,
) -> Result<Vec<T>, LedgerError> {
    let bytes = match stored(ledger, payload) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Vec::new()),
        Err(LedgerError::Damaged { what, .. }) => {
            tracing::warn!(payload, what, "logs cannot be read and are left out");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let read = || -> Result<Vec<T>, AskError> {
        let json = parse_slice(&bytes)?;
        let items = At::root(&json, "logs").items(usize::MAX)?;
        Ok(items.iter().map(one).collect::<Result<_, _>>()?)
    };
    Ok(read().unwrap_or_else(|error| {
        let what = error.to_string();
        tracing::warn!(payload, what, "logs cannot be read and are left out");
        Vec::new()
    }))
}

fn stored(ledger: &Ledger, payload: &str) -> Result<Option<Vec<u8>>, LedgerError> {
    let damaged = |what: String| LedgerError::Damaged { seq: 0, what };
    let mut hash = [0; 32];
    hex::decode_to_slice(payload, &mut hash).map_err(|e| damaged(e.to_string()))?;
    ledger.payload(&hash)
}

/// A scored commit with all that came of it; `None` when it was not scored.
///
/// # Errors
///
/// When the ledger cannot be read.
pub fn commit(
    challenge: &ChallengeState,
    ledger: &Ledger,
    name: &str,
    token: &str,
) -> Result<Option<Commit>, LedgerError> {
    let Some(judged) = challenge.judged.get(token) else {
        return Ok(None);
    };
    let told = judged.told.as_deref().cloned();
    let mut commit = told.unwrap_or_else(|| Commit {
        miner_hotkey: judged.miner.to_string(),
        challenge_name: name.to_owned(),
        encrypted_commit: token.to_owned(),
        ..Commit::default()
    });
    commit.miner_uid = Some(judged.uid);
    commit.docker_hub_id = Some(judged.docker.clone());
    commit.commit_timestamp = judged.timestamp;
    commit.scored_timestamp = Some(seconds(judged.scored_ms));
    commit.score = judged.score;
    commit.penalty = Some(judged.penalty);
    commit.accepted = Some(judged.accepted);
    if let Some(opening) = challenge.opened.get(token) {
        let plain = &opening.plain;
        commit.key = Some(opening.key.clone());
        commit.commit = Some(format!("{}---{}", plain.challenge, plain.docker));
    }
    if let Some(payload) = challenge.runs.get(&judged.docker) {
        commit.scoring_logs = logs(ledger, payload)?;
    }
    for compared in challenge.comparisons.get(token).into_iter().flatten() {
        if !compared.counts {
            continue;
        }
        let logs = read(ledger, &compared.payload, ComparisonLog::read)?;
        let list = &mut commit.comparison_logs;
        match list
            .iter_mut()
            .find(|(docker, _)| *docker == compared.docker)
        {
            Some((_, there)) => there.extend(logs),
            None => list.push((compared.docker.clone(), logs)),
        }
    }
    Ok(Some(commit))
}

/// Milliseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "times of our age are far below 2^53"
)]
pub(in crate::sn61) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
