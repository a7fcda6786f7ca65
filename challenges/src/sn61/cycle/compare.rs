//! Comparing a commit with others.

use serde_json::json;

use super::{Context, Writer, keep};
use crate::ledger::{Ledger, LedgerError};
use crate::python::Json;
use crate::record::{Comparison, Record};
use crate::sn61::config::Challenge;
use crate::sn61::format::{ComparisonLog, ScoringLog};
use crate::sn61::select::Revealed;
use crate::sn61::state::{Judged, State, logs};

/// A commit and one it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sn61) struct Pair {
    /// The commit's ciphertext.
    pub(in crate::sn61) token: String,
    /// The other's ciphertext.
    pub(in crate::sn61) with: String,
    /// The other's image.
    pub(in crate::sn61) docker: String,
    /// The other's hotkey.
    pub(in crate::sn61) hotkey: String,
    /// The other's greatest similarity.
    pub(in crate::sn61) penalty: f64,
    /// sha256 of the other's logs.
    pub(in crate::sn61) payload: String,
    /// Whether both are the same miner's.
    pub(in crate::sn61) own: bool,
    /// Whether only answers to equal inputs are compared.
    pub(in crate::sn61) equal_inputs: bool,
}

/// Comparison logs, and how many of them failed.
pub(in crate::sn61) struct Compared {
    logs: Vec<ComparisonLog>,
    own: bool,
    least_own: f64,
    /// The first reason for which a service gave no answer.
    pub(in crate::sn61) failed: Option<String>,
}

impl Compared {
    pub(super) fn into_logs(self) -> (Vec<ComparisonLog>, bool) {
        let greatest = self.logs.iter().filter_map(|log| log.similarity_score);
        let greatest = greatest.fold(0.0, f64::max);
        let counts = !self.own || greatest >= self.least_own;
        (self.logs, counts)
    }

    /// The logs with similarities from 0 to 1.
    pub(in crate::sn61) fn clamped(mut self) -> (Vec<ComparisonLog>, bool) {
        for log in &mut self.logs {
            log.similarity_score = log.similarity_score.map(|s| s.clamp(0.0, 1.0));
        }
        self.into_logs()
    }
}

/// The commits that one is compared with and was not yet: by the rules of 2025 the unique set,
/// since then the accepted ones and those of other miners scored on the same day, in the order of scoring.
pub(super) fn pool(
    state: &State,
    context: Context<'_>,
    challenge: &Challenge,
    one: &Revealed,
) -> Vec<Pair> {
    let Some(known) = state.challenges.get(&challenge.name) else {
        return Vec::new();
    };
    let day = |ms: u64| ms / 86_400_000;
    let wanted = |token: &str, judged: &Judged| {
        if context.config.rules.all_accepted {
            let today = day(judged.scored_ms) == day(context.now_ms);
            judged.accepted || (today && judged.uid != one.candidate.uid)
        } else {
            known.unique.holds(token)
        }
    };
    known
        .order
        .iter()
        .filter_map(|token| Some((token, known.judged.get(token)?)))
        .filter(|(token, judged)| {
            **token != one.candidate.token && judged.docker != one.docker && wanted(token, judged)
        })
        .filter_map(|(token, judged)| {
            pair(state, &challenge.name, &one.candidate.token, token, judged)
        })
        .map(|pair| Pair {
            own: pair.hotkey == one.candidate.miner.to_string(),
            ..pair
        })
        .collect()
}

/// A pair that was not compared yet and whose other has logs.
pub(in crate::sn61) fn pair(
    state: &State,
    challenge: &str,
    token: &str,
    with: &str,
    judged: &Judged,
) -> Option<Pair> {
    let known = state.challenges.get(challenge)?;
    let done = known.comparisons.get(token);
    if done.is_some_and(|done| done.iter().any(|compared| compared.with == with)) {
        return None;
    }
    Some(Pair {
        token: token.to_owned(),
        with: with.to_owned(),
        docker: judged.docker.clone(),
        hotkey: judged.miner.to_string(),
        penalty: judged.penalty,
        payload: known.runs.get(&judged.docker)?.clone(),
        own: false,
        equal_inputs: false,
    })
}

/// Compares answers to equal inputs; where no inputs are equal, the first answers of both, unless the
/// pair wants equal ones. `None` when there is nothing to compare.
pub(in crate::sn61) fn with(
    ledger: &Ledger,
    context: Context<'_>,
    challenge: &Challenge,
    pair: &Pair,
    own: &[ScoringLog],
) -> Result<Option<Compared>, LedgerError> {
    let others = logs(ledger, &pair.payload)?;
    let answered = |logs: &[ScoringLog]| -> Vec<(Option<String>, Json, Json)> {
        let answers = logs.iter().filter_map(|log| {
            let (input, output) = (log.miner_input.clone()?, log.miner_output.clone()?);
            Some((log.input_hash(), input, output))
        });
        answers.collect()
    };
    let (own, others) = (answered(own), answered(&others));
    let mut both = Vec::new();
    for mine in &own {
        for other in others.iter().filter(|o| o.0.is_some() && o.0 == mine.0) {
            both.push((mine, other));
        }
    }
    if let (Some(mine), Some(other), true, false) = (
        own.first(),
        others.first(),
        both.is_empty(),
        pair.equal_inputs,
    ) {
        both.push((mine, other));
    }
    if both.is_empty() {
        return Ok(None);
    }
    let mut compared = Compared {
        logs: Vec::new(),
        own: pair.own,
        least_own: challenge
            .self_comparison
            .unwrap_or(context.config.rules.self_comparison),
        failed: None,
    };
    for (mine, other) in both {
        let (name, input) = (&challenge.name, &other.1);
        let outcome = context.controller.compare(name, input, &mine.2, &other.2);
        let mut log = ComparisonLog {
            miner_input: Some(input.clone()),
            reference_hotkey: Some(pair.hotkey.clone()),
            reference_similarity_score: Some(pair.penalty),
            ..ComparisonLog::default()
        };
        match outcome {
            Ok(likeness) if likeness.similarity.is_finite() => {
                log.similarity_score = Some(likeness.similarity);
                log.reason = Some(likeness.reason);
            }
            // 0 means that the comparison failed.
            Ok(_) => {
                log.similarity_score = Some(0.0);
                log.error = Some("the service gave a similarity that is not a number".into());
            }
            Err(error) => {
                let error: String = error.to_string().chars().take(4096).collect();
                compared.failed.get_or_insert_with(|| error.clone());
                log.similarity_score = Some(0.0);
                log.error = Some(error);
            }
        }
        compared.logs.push(log);
    }
    Ok(Some(compared))
}

/// Writes a comparison down.
pub(in crate::sn61) fn record(
    writer: &Writer<'_>,
    pair: &Pair,
    (logs, counts): (Vec<ComparisonLog>, bool),
    stage: &str,
) -> Result<(), LedgerError> {
    let logs = keep::comparison(logs, keep::MAX_LOGS);
    let similarities: Vec<Option<f64>> = logs.iter().map(|log| log.similarity_score).collect();
    let greatest = similarities.iter().flatten().copied().reduce(f64::max);
    let said = logs
        .iter()
        .find_map(|log| log.error.clone().or(log.reason.clone()));
    let text = Json::List(logs.iter().map(ComparisonLog::json).collect());
    let record = Record::Comparison(Comparison {
        of: pair.token.clone(),
        with: pair.with.clone(),
        similarity: greatest.filter(|_| logs.iter().any(|log| log.error.is_none())),
        reason: said,
        details: json!({
            "reference": pair.docker,
            "reference_hotkey": pair.hotkey,
            "similarities": similarities,
            "counts": counts,
            "stage": stage,
        }),
    });
    writer.append(record, Some(&text))
}
