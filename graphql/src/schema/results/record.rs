//! A record as shown.

use async_graphql::{Enum, SimpleObject, Union};

use crate::ports::{self, ResultBody, ResultReporter};
use crate::schema::scalars::{Account, Json, U64};

/// A record of the ledger of results. Records are only ever added.
#[derive(SimpleObject, Clone)]
pub(crate) struct ChallengeResult {
    /// Its number in the ledger, from 0, whatever the subnet.
    number: U64,
    /// Number of the subnet.
    netuid: u16,
    /// Name of the challenge within the subnet.
    challenge: String,
    /// Who it is about: a hotkey's address, or another name where the system has one.
    subject: String,
    /// Who told it.
    reporter: ReporterNode,
    /// When it came in, in milliseconds since 1970.
    received_ms: U64,
    /// The block at which the reporter's registration was checked; null when it was not.
    checked_at: Option<u32>,
    /// The reporter's sr25519 signature in hex; null for what was not signed.
    signature: Option<String>,
    /// sha256 of the payload as it came, in hex.
    payload: String,
    /// What it says.
    record: RecordNode,
}

/// Kinds of reporters.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
enum ReporterKind {
    /// A hotkey that signed it.
    Hotkey,
    /// A file given on the command line.
    File,
    /// A service that was asked.
    Service,
    /// Computed here from other records.
    Computed,
}

/// Who told something.
#[derive(SimpleObject, Clone)]
#[graphql(name = "ResultReporter")]
struct ReporterNode {
    /// The kind of reporter.
    kind: ReporterKind,
    /// The hotkey; null when it was none.
    hotkey: Option<Account>,
    /// Uid of the hotkey when it reported; null when it was none.
    uid: Option<u16>,
    /// Name of the file, or address of the service; null for others.
    name: Option<String>,
}

/// What a record says.
#[derive(Union, Clone)]
#[graphql(name = "ResultRecord")]
enum RecordNode {
    /// A challenge was put to somebody.
    Run(ResultRun),
    /// Something was handed in.
    Submission(ResultSubmission),
    /// A score by a profile.
    Score(ResultScore),
    /// Two submissions were compared.
    Comparison(ResultComparison),
    /// A period was closed.
    Finalization(ResultFinalization),
}

/// A challenge was put to somebody, and what came of it.
#[derive(SimpleObject, Clone)]
struct ResultRun {
    /// Name of the run, unique in its challenge.
    id: String,
    /// When it began, in milliseconds since 1970.
    started_ms: U64,
    /// When it ended, in milliseconds since 1970; null when it never did.
    ended_ms: Option<U64>,
    /// Whether it was solved; null while that is open.
    success: Option<bool>,
    /// Why it failed; null when it did not.
    error: Option<String>,
    /// The rest, in the system's own words; null when there is none.
    details: Option<Json>,
}

/// Something was handed in: a commit, an answer, a report.
#[derive(SimpleObject, Clone)]
struct ResultSubmission {
    /// Name of the submission, unique in its challenge.
    id: String,
    /// When it was handed in, in milliseconds since 1970, as the reporter says; null when it does not.
    at_ms: Option<U64>,
    /// What was handed in, in the system's own words; null when there is nothing more.
    details: Option<Json>,
}

/// A score by a profile.
#[derive(SimpleObject, Clone)]
struct ResultScore {
    /// The submission or run that was scored.
    of: String,
    /// Name of the profile.
    profile: String,
    /// Hash of the inputs, in hex.
    inputs: String,
    /// The score, in the profile's own measure; null when there is none.
    score: Option<f64>,
    /// Why there is none, or why it is zero; null when there is nothing to say.
    reason: Option<String>,
    /// The parts it is made of; null when they are not told.
    details: Option<Json>,
}

/// Two submissions were compared.
#[derive(SimpleObject, Clone)]
struct ResultComparison {
    /// The submission that was compared.
    of: String,
    /// The one it was compared with.
    with: String,
    /// How alike they are, 0 to 1; null when the comparison failed.
    similarity: Option<f64>,
    /// Why, or why it failed; null when there is nothing to say.
    reason: Option<String>,
    /// The rest, in the system's own words; null when there is none.
    details: Option<Json>,
}

/// A day, a window or an epoch was closed.
#[derive(SimpleObject, Clone)]
struct ResultFinalization {
    /// What was closed, unique in its challenge, such as 2025-10-15.
    period: String,
    /// Name of the profile.
    profile: String,
    /// Hash of the inputs, in hex.
    inputs: String,
    /// The final scores by subject, and the rest; null when they are not told.
    details: Option<Json>,
}

fn json(value: serde_json::Value) -> Option<Json> {
    (!value.is_null()).then_some(Json(value))
}

impl From<ports::ResultRecord> for ChallengeResult {
    fn from(record: ports::ResultRecord) -> Self {
        Self {
            number: U64(record.number),
            netuid: record.netuid.0,
            challenge: record.challenge,
            subject: record.subject,
            reporter: record.reporter.into(),
            received_ms: U64(record.received_ms),
            checked_at: record.checked_at,
            signature: record.signature,
            payload: record.payload,
            record: record.body.into(),
        }
    }
}

impl From<ResultReporter> for ReporterNode {
    fn from(reporter: ResultReporter) -> Self {
        let node = |kind, name| Self {
            kind,
            hotkey: None,
            uid: None,
            name,
        };
        match reporter {
            ResultReporter::Hotkey(hotkey, uid) => Self {
                hotkey: Some(Account(hotkey)),
                uid: Some(uid.0),
                ..node(ReporterKind::Hotkey, None)
            },
            ResultReporter::File(name) => node(ReporterKind::File, Some(name)),
            ResultReporter::Service(name) => node(ReporterKind::Service, Some(name)),
            ResultReporter::Computed => node(ReporterKind::Computed, None),
        }
    }
}

impl From<ResultBody> for RecordNode {
    fn from(body: ResultBody) -> Self {
        match body {
            ResultBody::Run {
                id,
                started_ms,
                ended_ms,
                success,
                error,
                details,
            } => Self::Run(ResultRun {
                id,
                started_ms: U64(started_ms),
                ended_ms: ended_ms.map(U64),
                success,
                error,
                details: json(details),
            }),
            ResultBody::Submission { id, at_ms, details } => Self::Submission(ResultSubmission {
                id,
                at_ms: at_ms.map(U64),
                details: json(details),
            }),
            ResultBody::Score {
                of,
                profile,
                inputs,
                score,
                reason,
                details,
            } => Self::Score(ResultScore {
                of,
                profile,
                inputs,
                score,
                reason,
                details: json(details),
            }),
            ResultBody::Comparison {
                of,
                with,
                similarity,
                reason,
                details,
            } => Self::Comparison(ResultComparison {
                of,
                with,
                similarity,
                reason,
                details: json(details),
            }),
            ResultBody::Finalization {
                period,
                profile,
                inputs,
                details,
            } => Self::Finalization(ResultFinalization {
                period,
                profile,
                inputs,
                details: json(details),
            }),
        }
    }
}
