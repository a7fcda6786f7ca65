//! Steps as records: one append each.

use chain_metadata::AccountId;
use indexer::store::engine::Batch;
use scoring::local::sn61::judge::judge;
use serde_json::json;

use super::Context;
use crate::ledger::{Ledger, LedgerError, put_payload};
use crate::profiles::inputs_hash;
use crate::python::{Json, dumps};
use crate::record::{ChallengeRun, Entry, Provenance, Record, Reporter, Score};
use crate::sn61::config::Challenge;
use crate::sn61::format::{Plain, ScoringLog};
use crate::sn61::reveal::RevealError;
use crate::sn61::select::Revealed;
use crate::sn61::state::{State, reveal_id, run_id};

/// Writes records about one miner in one challenge.
pub(in crate::sn61) struct Writer<'a> {
    ledger: &'a Ledger,
    netuid: u16,
    challenge: String,
    subject: String,
    now_ms: u64,
}

/// Of a pass.
pub(in crate::sn61) fn writer<'a>(
    ledger: &'a Ledger,
    context: Context<'_>,
    challenge: &str,
    miner: AccountId,
) -> Writer<'a> {
    Writer {
        ledger,
        netuid: context.config.netuid,
        challenge: challenge.to_owned(),
        subject: miner.to_string(),
        now_ms: context.now_ms,
    }
}

impl<'a> Writer<'a> {
    /// About the challenge as a whole.
    pub(in crate::sn61) fn whole(mut self) -> Writer<'a> {
        self.subject.clear();
        self
    }

    /// Appends one record; its payload is the text given, or that of the record.
    pub(in crate::sn61) fn append(
        &self,
        record: Record,
        text: Option<&Json>,
    ) -> Result<(), LedgerError> {
        let mut batch = Batch::default();
        let payload = match text {
            Some(text) => put_payload(&mut batch, dumps(text).as_bytes()),
            // What was computed here is its own payload, and not kept twice.
            None => {
                let bytes = serde_json::to_vec(&record).unwrap_or_default();
                put_payload(&mut Batch::default(), &bytes)
            }
        };
        let entry = Entry {
            netuid: self.netuid,
            challenge: self.challenge.clone(),
            subject: self.subject.clone(),
            provenance: Provenance {
                reporter: Reporter::Computed,
                received_ms: self.now_ms,
                checked_at: None,
                signature: None,
                payload,
            },
            record,
        };
        self.ledger.append(&[entry], batch)?;
        Ok(())
    }

    /// A ciphertext was opened, or not.
    pub(super) fn opened(
        &self,
        token: &str,
        key: &str,
        told_by: &[AccountId],
        outcome: &Result<Plain, RevealError>,
    ) -> Result<(), LedgerError> {
        let commit = |plain: &Plain| format!("{}---{}", plain.challenge, plain.docker);
        let run = ChallengeRun {
            id: reveal_id(token, key),
            started_ms: self.now_ms,
            ended_ms: Some(self.now_ms),
            success: Some(outcome.is_ok()),
            error: outcome.as_ref().err().map(ToString::to_string),
            details: json!({
                "miner": self.subject,
                "token": token,
                "key": key,
                "told_by": told_by,
                "commit": outcome.as_ref().ok().map(commit),
            }),
        };
        self.append(Record::Run(run), None)
    }

    /// An image was run.
    pub(super) fn ran(
        &self,
        docker: &str,
        token: &str,
        logs: &[ScoringLog],
    ) -> Result<(), LedgerError> {
        let errors = logs.iter().filter_map(|log| log.error.as_deref());
        let scores: Vec<Option<f64>> = logs.iter().map(|log| log.score).collect();
        let hashes: Vec<Option<String>> = logs.iter().map(ScoringLog::input_hash).collect();
        let run = ChallengeRun {
            id: run_id(docker),
            started_ms: self.now_ms,
            ended_ms: Some(self.now_ms),
            success: Some(logs.iter().all(|log| log.error.is_none())),
            error: errors.clone().next().map(str::to_owned),
            details: json!({
                "docker_hub_id": docker,
                "token": token,
                "scores": scores,
                "input_hashes": hashes,
                "errors": errors.count(),
            }),
        };
        let text = Json::List(logs.iter().map(ScoringLog::json).collect());
        self.append(Record::Run(run), Some(&text))
    }
}

/// Judges a commit by its logs and the comparisons known, and writes that down unless it was
/// judged by the same before; tells whether it did.
pub(in crate::sn61) fn judge_commit(
    writer: &Writer<'_>,
    state: &State,
    context: Context<'_>,
    challenge: &Challenge,
    one: &Revealed,
    logs: &[ScoringLog],
    stage: &str,
) -> Result<bool, LedgerError> {
    let Some(known) = state.challenges.get(&challenge.name) else {
        return Ok(false);
    };
    let token = &one.candidate.token;
    let compared = known.comparisons.get(token).into_iter().flatten();
    let compared = compared.filter(|compared| compared.counts);
    let similarities: Vec<Vec<Option<f64>>> = compared.map(|c| c.similarities.clone()).collect();
    let scores: Vec<Option<f64>> = logs.iter().map(|log| log.score).collect();
    let inputs = inputs_hash(&json!({
        "profile": context.config.rules.name,
        "challenge": challenge.name,
        "min_score": challenge.min_score,
        "max_similarity": challenge.max_similarity,
        "token": token,
        "uid": one.candidate.uid,
        "scores": scores,
        "similarities": similarities,
    }));
    let before = known.judged.get(token);
    if before.is_some_and(|judged| judged.inputs == inputs) {
        return Ok(false);
    }
    let verdict = judge(
        challenge.judging(&context.config.rules),
        &scores,
        &similarities,
    );
    let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.text()).collect();
    let marks = verdict.accepted || context.config.rules.marks_rejected;
    let record = Record::Score(Score {
        of: token.clone(),
        profile: context.config.rules.name.to_owned(),
        inputs,
        score: verdict.score,
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        details: json!({
            "uid": one.candidate.uid,
            "docker": one.docker,
            "timestamp": one.candidate.timestamp,
            "scored_ms": before.map_or(context.now_ms, |judged| judged.scored_ms),
            "raw": verdict.raw,
            "penalty": verdict.penalty,
            "accepted": verdict.accepted,
            "done": verdict.score.is_some() && marks,
            "stage": stage,
        }),
    });
    writer.append(record, None)?;
    Ok(true)
}
