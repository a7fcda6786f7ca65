//! Results of challenges, as the window asks for them.

use chain_metadata::Uid;
use challenges::join::{self, JoinError, Wanted};
use challenges::ledger::{Filter, Latest, Ledger, LedgerError, Whose};
use challenges::profiles::{self, InputError, Scored};
use challenges::record::{Entry, Kind, Record, Reporter};
use challenges::sn61::state::AskError;
use graphql::ports::{self, Asked, ReadError, Refused, ResultBody, ResultReporter, Results};
use scoring::local::Profile;

use super::whatif::asked;
use super::{StoreReader, read_error};

impl StoreReader {
    pub(super) fn ledger(&self) -> Result<Ledger, ReadError> {
        Ledger::open(self.base().clone()).map_err(ledger_error)
    }
}

pub(super) fn ledger_error(error: LedgerError) -> ReadError {
    match error {
        LedgerError::Store(error) => read_error(error),
        LedgerError::Damaged { .. } => ReadError::Decode(error.to_string()),
        other => ReadError::Store(other.to_string()),
    }
}

/// Scores of an input, as the window shows them.
pub(crate) fn scored(scored: Scored) -> ports::LocalScores {
    let row = |row: profiles::Row| ports::LocalScore {
        subject: row.subject,
        score: row.score,
        parts: row.parts,
        reason: row.reason,
    };
    ports::LocalScores {
        profile: scored.profile.to_owned(),
        inputs_hash: scored.inputs_hash,
        rows: scored.rows.into_iter().map(row).collect(),
        notes: scored.notes,
    }
}

pub(super) fn kind(kind: ports::ResultKind) -> Kind {
    match kind {
        ports::ResultKind::Run => Kind::Run,
        ports::ResultKind::Submission => Kind::Submission,
        ports::ResultKind::Score => Kind::Score,
        ports::ResultKind::Comparison => Kind::Comparison,
        ports::ResultKind::Finalization => Kind::Finalization,
    }
}

fn body(record: Record) -> ResultBody {
    match record {
        Record::Run(run) => ResultBody::Run {
            id: run.id,
            started_ms: run.started_ms,
            ended_ms: run.ended_ms,
            success: run.success,
            error: run.error,
            details: run.details,
        },
        Record::Submission(submission) => ResultBody::Submission {
            id: submission.id,
            at_ms: submission.at_ms,
            details: submission.details,
        },
        Record::Score(score) => ResultBody::Score {
            of: score.of,
            profile: score.profile,
            inputs: score.inputs,
            score: score.score,
            reason: score.reason,
            details: score.details,
        },
        Record::Comparison(comparison) => ResultBody::Comparison {
            of: comparison.of,
            with: comparison.with,
            similarity: comparison.similarity,
            reason: comparison.reason,
            details: comparison.details,
        },
        Record::Finalization(closed) => ResultBody::Finalization {
            period: closed.period,
            profile: closed.profile,
            inputs: closed.inputs,
            details: closed.details,
        },
    }
}

pub(super) fn record((number, entry): (u64, Entry)) -> ports::ResultRecord {
    let from = entry.provenance;
    ports::ResultRecord {
        number,
        netuid: chain_metadata::NetUid(entry.netuid),
        challenge: entry.challenge,
        subject: entry.subject,
        reporter: match from.reporter {
            Reporter::Hotkey { hotkey, uid } => ResultReporter::Hotkey(hotkey, Uid(uid)),
            Reporter::File(name) => ResultReporter::File(name),
            Reporter::Service(address) => ResultReporter::Service(address),
            Reporter::Computed => ResultReporter::Computed,
        },
        received_ms: from.received_ms,
        checked_at: from.checked_at,
        signature: from.signature,
        payload: from.payload,
        body: body(entry.record),
    }
}

fn whose(wanted: &ports::ScoreFilter) -> Whose {
    wanted.reporter.map_or(Whose::Ours, Whose::Hotkey)
}

impl Results for StoreReader {
    fn profiles(&self) -> Vec<Profile> {
        scoring::local::profiles().copied().collect()
    }

    fn score_input(&self, profile: &str, input: &[u8]) -> Asked<ports::LocalScores> {
        Ok(match profiles::score(profile, input) {
            Ok(found) => Ok(scored(found)),
            Err(error @ InputError::Unknown(_)) => Err(Refused::NotFound(error.to_string())),
            Err(error) => Err(Refused::BadInput(error.to_string())),
        })
    }

    fn results(
        &self,
        wanted: &ports::ResultFilter,
        after: Option<u64>,
        first: usize,
    ) -> Result<ports::ResultPage, ReadError> {
        let filter = Filter {
            netuid: wanted.netuid.0,
            challenge: wanted.challenge.clone(),
            kind: wanted.kind.map(kind),
            subject: wanted.subject.clone(),
            after,
        };
        let page = self.ledger()?.page(&filter, first).map_err(ledger_error)?;
        Ok(ports::ResultPage {
            records: page.records.into_iter().map(record).collect(),
            next: page.next,
        })
    }

    fn scores(&self, wanted: &ports::ScoreFilter) -> Result<Vec<ports::ResultRecord>, ReadError> {
        let latest = Latest {
            netuid: wanted.netuid.0,
            challenge: wanted.challenge.clone(),
            profile: wanted.profile.clone(),
            whose: whose(wanted),
            until_ms: None,
        };
        let found = self
            .ledger()?
            .latest_scores(&latest)
            .map_err(ledger_error)?;
        Ok(found.into_iter().map(record).collect())
    }

    fn score_join(
        &self,
        epoch: ports::EpochKey,
        wanted: &ports::ScoreFilter,
    ) -> Asked<ports::ScoreJoin> {
        let wanted = Wanted {
            netuid: epoch.netuid,
            mechanism: epoch.mechanism,
            block: epoch.block,
            challenge: wanted.challenge.clone(),
            profile: wanted.profile.clone(),
            whose: whose(wanted),
        };
        match join::join(&self.ledger()?, &wanted) {
            Ok(found) => Ok(Ok(joined(found))),
            Err(JoinError::Epoch(error)) => asked(Err(error), joined),
            Err(JoinError::Ledger(error)) => Err(ledger_error(error)),
        }
    }

    fn scoring_result(
        &self,
        challenge: &str,
        tokens: &[String],
    ) -> Result<Result<ports::ScoringResult, ports::NotTold>, ReadError> {
        let Some(scorer) = &self.scorer else {
            return Ok(Err(ports::NotTold::UnknownChallenge));
        };
        let answer = match scorer.answer(challenge, tokens) {
            Ok(answer) => answer,
            Err(AskError::UnknownChallenge(_)) => {
                return Ok(Err(ports::NotTold::UnknownChallenge));
            }
            Err(error @ (AskError::TooMany(_) | AskError::Long { .. })) => {
                return Ok(Err(ports::NotTold::TooMuch(error.to_string())));
            }
            Err(AskError::Ledger(error)) => return Err(ledger_error(error)),
            Err(other) => return Err(ReadError::Store(other.to_string())),
        };
        let commits = answer.commits.into_iter().map(|(token, commit)| {
            let commit = commit.map(serde_json::to_value);
            let commit = commit.transpose();
            let commit = commit.map_err(|error| ReadError::Decode(error.to_string()));
            Ok((token, commit?))
        });
        Ok(Ok(ports::ScoringResult {
            commits: commits.collect::<Result<_, ReadError>>()?,
            is_done: answer.is_done,
        }))
    }
}

fn joined(join: join::Join) -> ports::ScoreJoin {
    ports::ScoreJoin {
        spec_version: join.spec,
        rows: join.rows.into_iter().map(row).collect(),
        validators: join.validators.into_iter().map(validator).collect(),
        doubts: join.doubts,
        forecast: join.forecast.map(|forecast| ports::ScoreForecast {
            block: forecast.block,
            validators: forecast
                .validators
                .into_iter()
                .map(|validator| ports::ForeseenValidator {
                    uid: validator.uid,
                    hotkey: validator.hotkey,
                    trust: validator.trust,
                    wasted: validator.wasted,
                })
                .collect(),
            doubts: forecast.doubts,
        }),
    }
}

fn row(row: join::Row) -> ports::ScoreRow {
    let weights = row.weights.into_iter().map(|weight| ports::ScoreWeight {
        validator: weight.validator,
        raw: weight.raw,
        normalised: weight.normalised,
        clipped: weight.clipped,
    });
    let of = row.scored.as_ref();
    ports::ScoreRow {
        uid: row.uid,
        hotkey: row.hotkey,
        score_number: of.map(|scored| scored.seq),
        score: of.and_then(|scored| scored.score),
        rank: of.and_then(|scored| scored.rank),
        challenge: of.map(|scored| scored.challenge.clone()),
        profile: of.map(|scored| scored.profile.clone()),
        weights: weights.collect(),
        consensus: row.consensus,
        before_clipping: row.before_clipping,
        after_clipping: row.after_clipping,
        clipped_share: row.clipped_share,
        incentive: row.incentive,
        stored_incentive: row.stored_incentive,
    }
}

fn validator(validator: join::Validator) -> ports::ScoreValidator {
    ports::ScoreValidator {
        uid: validator.uid,
        hotkey: validator.hotkey,
        active_stake: validator.active_stake,
        compared: validator.compared,
        pearson: validator.pearson,
        spearman: validator.spearman,
        wasted: validator.wasted,
        trust: validator.trust,
        stored_trust: validator.stored_trust,
    }
}
