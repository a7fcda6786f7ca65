//! What is told of scored commits.

use serde::Serialize;

use super::{ChallengeState, Compared, State};
use crate::ledger::{Ledger, LedgerError};
use crate::python::{At, Json, JsonError, Wrong, dumps, parse_slice};
use crate::sn61::format::{Commit, ComparisonLog, MAX_TOKEN, ScoringLog, View};

/// Most ciphertexts that can be asked for at a time.
pub const MAX_ASKED: usize = 1024;
/// Most bytes of the commits of an answer.
pub const MAX_ANSWER: usize = 16 << 20;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No active challenge has this name: a 404.
    #[error("there is no active challenge `{0}`")]
    UnknownChallenge(String),
    /// Too many at a time: a 422.
    #[error("{0} commits are asked for, and at most {MAX_ASKED} may be: ask for fewer")]
    TooMany(usize),
    /// Too much to be told at a time: a 422.
    #[error("the answer has more than {max} bytes: ask for fewer commits at a time")]
    Long {
        /// How many it may have.
        max: usize,
    },
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

/// What `POST /get_scoring_result` answers. Where the state is shared, [`asked`] and
/// [`Asked::answer`] do the same in two steps: logs are read without it.
///
/// # Errors
///
/// As [`asked`] and [`Asked::answer`].
pub fn get_scoring_result(
    state: &State,
    ledger: &Ledger,
    challenge_name: &str,
    encrypted_commits: &[String],
) -> Result<Answer, AskError> {
    asked(state, challenge_name, encrypted_commits)?.answer(ledger)
}

/// Commits that were asked for, without their logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    commits: Vec<(String, Option<Outline>)>,
    is_done: bool,
}

/// What the state knows of every ciphertext asked for; nothing is read.
///
/// # Errors
///
/// [`AskError::UnknownChallenge`] when the challenge is not active, [`AskError::TooMany`] when
/// more than [`MAX_ASKED`] are asked for.
pub fn asked(
    state: &State,
    challenge_name: &str,
    encrypted_commits: &[String],
) -> Result<Asked, AskError> {
    let challenge = state
        .challenges
        .get(challenge_name)
        .ok_or_else(|| AskError::UnknownChallenge(challenge_name.chars().take(255).collect()))?;
    if encrypted_commits.len() > MAX_ASKED {
        return Err(AskError::TooMany(encrypted_commits.len()));
    }
    let mut seen = std::collections::BTreeSet::new();
    let different = encrypted_commits
        .iter()
        .filter(|token| seen.insert(token.as_str()));
    let outline = |token: &String| (token.clone(), outline(challenge, challenge_name, token));
    Ok(Asked {
        commits: different.map(outline).collect(),
        is_done: challenge.is_done,
    })
}

impl Asked {
    /// With the logs.
    ///
    /// # Errors
    ///
    /// When the ledger cannot be read; [`AskError::Long`] when the answer has more than
    /// [`MAX_ANSWER`] bytes. A single commit is always answered.
    pub fn answer(self, ledger: &Ledger) -> Result<Answer, AskError> {
        self.within(ledger, MAX_ANSWER)
    }

    fn within(self, ledger: &Ledger, max: usize) -> Result<Answer, AskError> {
        let (mut commits, mut bytes) = (Vec::new(), 0_usize);
        let many = self.commits.len() > 1;
        for (token, outline) in self.commits {
            let commit = outline.map(|outline| outline.filled(ledger)).transpose()?;
            let public = commit.map(|commit| commit.view(View::Public));
            if let Some(public) = &public {
                bytes = bytes.saturating_add(dumps(&public.json()).len());
            }
            if many && bytes > max {
                return Err(AskError::Long { max });
            }
            commits.push((token, public));
        }
        Ok(Answer {
            commits,
            is_done: Some(self.is_done),
        })
    }
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

/// A scored commit without its logs, and where these are.
#[derive(Debug, Clone, PartialEq)]
struct Outline {
    commit: Commit,
    run: Option<String>,
    /// Image and logs of what it was compared with.
    compared: Vec<(String, String)>,
}

impl Outline {
    fn filled(self, ledger: &Ledger) -> Result<Commit, LedgerError> {
        let mut commit = self.commit;
        if let Some(payload) = self.run {
            commit.scoring_logs = logs(ledger, &payload)?;
        }
        for (of, payload) in self.compared {
            let logs = read(ledger, &payload, ComparisonLog::read)?;
            let list = &mut commit.comparison_logs;
            match list.iter_mut().find(|(docker, _)| *docker == of) {
                Some((_, there)) => there.extend(logs),
                None => list.push((of, logs)),
            }
        }
        Ok(commit)
    }
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
    let outline = outline(challenge, name, token);
    outline.map(|outline| outline.filled(ledger)).transpose()
}

fn outline(challenge: &ChallengeState, name: &str, token: &str) -> Option<Outline> {
    let judged = challenge.judged.get(token)?;
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
    let compared = challenge.comparisons.get(token).into_iter().flatten();
    let compared = compared.filter(|compared| compared.counts);
    let place = |compared: &Compared| (compared.docker.clone(), compared.payload.clone());
    Some(Outline {
        run: challenge.runs.get(&judged.docker).cloned(),
        compared: compared.map(place).collect(),
        commit,
    })
}

/// Milliseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "times of our age are far below 2^53"
)]
pub(in crate::sn61) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sn61_answers_are_bounded() {
        use indexer::store::Store;
        let ledger = Ledger::open(Store::in_memory().unwrap()).unwrap();
        let outline = Outline {
            commit: Commit {
                encrypted_commit: "t".repeat(1000),
                ..Commit::default()
            },
            run: None,
            compared: Vec::new(),
        };
        let of = |count: usize| Asked {
            commits: (0..count)
                .map(|n| (n.to_string(), Some(outline.clone())))
                .collect(),
            is_done: true,
        };
        assert_eq!(of(1).within(&ledger, 10).unwrap().commits.len(), 1);
        assert_eq!(of(2).within(&ledger, 10_000).unwrap().commits.len(), 2);
        let error = of(2).within(&ledger, 2000).unwrap_err().to_string();
        assert!(error.contains("2000 bytes: ask for fewer"), "{error}");
    }
}
