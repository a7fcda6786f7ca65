//! One miner's commit of one challenge, with all that came of it.

use serde::{Serialize, Serializer};

use super::logs::{of_float, of_text};
use super::{ComparisonLog, MAX_ID, MAX_LOGS, MAX_TOKEN, ScoringLog, digest};
use crate::ledger::MAX_NAME;
use crate::python::{At, Json, Wrong};

/// A commit as it is told between services.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// The miner's uid.
    pub miner_uid: Option<u16>,
    /// The miner's hotkey.
    pub miner_hotkey: String,
    /// The challenge.
    pub challenge_name: String,
    /// The image, once it is revealed.
    pub docker_hub_id: Option<String>,
    /// When it was first seen, in seconds since 1970.
    pub commit_timestamp: Option<f64>,
    /// The ciphertext.
    pub encrypted_commit: String,
    /// Its key, once the miner published it.
    pub key: Option<String>,
    /// The plain text, once it is revealed.
    pub commit: Option<String>,
    /// What came of its tasks.
    pub scoring_logs: Vec<ScoringLog>,
    /// What came of comparisons, by the other's image.
    pub comparison_logs: Vec<(String, Vec<ComparisonLog>)>,
    /// When it was scored, in seconds since 1970.
    pub scored_timestamp: Option<f64>,
    /// Its score.
    pub score: Option<f64>,
    /// Its greatest similarity.
    pub penalty: Option<f64>,
    /// Whether it was accepted.
    pub accepted: Option<bool>,
}

/// What of a commit is told to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// To everybody: without inputs and outputs.
    Public,
    /// To be kept: without inputs, outputs, what the challenge says, and the key.
    State,
    /// To everybody, with images named by uid and digest only.
    Anonymised,
}

impl Commit {
    /// Reads a commit. Members that are not known are left aside, as the original does; the
    /// hotkey and the challenge may be missing where `place` gives them.
    ///
    /// # Errors
    ///
    /// When a member has another type or is too long, or a time is negative.
    pub fn read(at: &At<'_>, place: Option<(&str, &str)>) -> Result<Commit, Wrong> {
        let text = |name: &str, max: usize| -> Result<Option<String>, Wrong> {
            let member = at.get(name)?;
            member
                .map(|member| member.text(max).map(str::to_owned))
                .transpose()
        };
        let time = |name: &str| -> Result<Option<f64>, Wrong> {
            at.get(name)?
                .map(|member| member.between(0.0, 1e12))
                .transpose()
        };
        let number = |name: &str| -> Result<Option<f64>, Wrong> {
            at.get(name)?.map(|member| member.number()).transpose()
        };
        let named = |name: &str, given: Option<&str>| -> Result<String, Wrong> {
            match (text(name, MAX_NAME)?, given) {
                (Some(text), Some(given)) if text != given => Err(Wrong {
                    at: format!("{}.{name}", at.at),
                    what: format!("it is told under {given} and says otherwise"),
                }),
                (Some(text), _) => Ok(text),
                (None, Some(given)) => Ok(given.to_owned()),
                (None, None) => Err(at
                    .need(name)
                    .err()
                    .unwrap_or_else(|| at.wrong("it is missing"))),
            }
        };
        let token = at.need("encrypted_commit")?;
        if token.json == &Json::Str(String::new()) {
            return Err(token.wrong("the ciphertext is empty"));
        }
        let mut scoring_logs = Vec::new();
        if let Some(logs) = at.get("scoring_logs")? {
            for log in logs.items(MAX_LOGS)? {
                scoring_logs.push(ScoringLog::read(&log)?);
            }
        }
        let mut comparison_logs = Vec::new();
        if let Some(logs) = at.get("comparison_logs")? {
            let members = logs.members()?;
            if members.len() > MAX_LOGS {
                return Err(logs.wrong(format!("at most {MAX_LOGS} references are taken")));
            }
            for (name, logs) in members {
                let logs = logs.items(MAX_LOGS)?;
                let logs = logs.iter().map(ComparisonLog::read);
                comparison_logs.push((name.to_owned(), logs.collect::<Result<_, _>>()?));
            }
        }
        Ok(Commit {
            miner_uid: at.get("miner_uid")?.map(|uid| uid.uid()).transpose()?,
            miner_hotkey: named("miner_hotkey", place.map(|(hotkey, _)| hotkey))?,
            challenge_name: named("challenge_name", place.map(|(_, name)| name))?,
            docker_hub_id: text("docker_hub_id", MAX_ID)?,
            commit_timestamp: time("commit_timestamp")?,
            encrypted_commit: token.text(MAX_TOKEN)?.to_owned(),
            key: text("key", MAX_ID)?,
            commit: text("commit", 2 * MAX_ID)?,
            scoring_logs,
            comparison_logs,
            scored_timestamp: time("scored_timestamp")?,
            score: number("score")?,
            penalty: number("penalty")?,
            accepted: at.get("accepted")?.map(|flag| flag.flag()).transpose()?,
        })
    }

    /// As it is told, members in the order of the original.
    pub fn json(&self) -> Json {
        let logs = self.scoring_logs.iter().map(ScoringLog::json).collect();
        let reference = |(name, logs): &(String, Vec<ComparisonLog>)| {
            let logs = logs.iter().map(ComparisonLog::json).collect();
            (name.clone(), Json::List(logs))
        };
        let uid = |uid: u16| Json::Int(uid.to_string());
        Json::dict([
            ("miner_uid", self.miner_uid.map_or(Json::Null, uid)),
            ("miner_hotkey", Json::Str(self.miner_hotkey.clone())),
            ("challenge_name", Json::Str(self.challenge_name.clone())),
            ("docker_hub_id", of_text(self.docker_hub_id.as_deref())),
            ("commit_timestamp", of_float(self.commit_timestamp)),
            ("encrypted_commit", Json::Str(self.encrypted_commit.clone())),
            ("key", of_text(self.key.as_deref())),
            ("commit", of_text(self.commit.as_deref())),
            ("scoring_logs", Json::List(logs)),
            (
                "comparison_logs",
                Json::Dict(self.comparison_logs.iter().map(reference).collect()),
            ),
            ("scored_timestamp", of_float(self.scored_timestamp)),
            ("score", of_float(self.score)),
            ("penalty", of_float(self.penalty)),
            ("accepted", self.accepted.map_or(Json::Null, Json::Bool)),
        ])
    }

    /// The part of it that a view shows; what it hides is null there.
    pub fn view(&self, view: View) -> Commit {
        let mut shown = self.clone();
        for log in &mut shown.scoring_logs {
            log.miner_input = None;
            log.miner_output = None;
            if view == View::State {
                log.validation_output = None;
            }
        }
        for log in shown.comparison_logs.iter_mut().flat_map(|(_, logs)| logs) {
            log.miner_input = None;
            log.miner_output = None;
            log.reference_output = None;
        }
        match view {
            View::Public => {}
            View::State => shown.key = None,
            View::Anonymised => {
                let uid = self
                    .miner_uid
                    .map_or("None".to_owned(), |uid| uid.to_string());
                let named = |docker: String| format!("{uid}---{}", digest(&docker));
                shown.docker_hub_id = shown.docker_hub_id.map(named);
                // The plain text and what opens the ciphertext name the image too.
                shown.key = None;
                shown.commit = None;
                for (name, _) in &mut shown.comparison_logs {
                    *name = format!("ref---{}", digest(name));
                }
            }
        }
        shown
    }
}

impl Serialize for Commit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}
