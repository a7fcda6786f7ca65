//! What is kept of challenges. Records are only ever added; a later one may say that an
//! earlier one is superseded, and scores can be made again from the same submissions.
//!
//! Times are milliseconds since 1970 unless a field says otherwise; scores are the floats
//! of the systems they come from, kept to the last bit.

use chain_metadata::{AccountId, BlockNumber};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A record and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Subnet it belongs to.
    pub netuid: u16,
    /// Name of the challenge within the subnet: `ab_sniffer_v5`, `pow`, `audit`.
    pub challenge: String,
    /// Who it is about: a hotkey, or another name where the system has one.
    pub subject: String,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The record.
    pub record: Record,
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Who told it.
    pub reporter: Reporter,
    /// When it came in.
    pub received_ms: u64,
    /// The block at which the reporter's registration was checked; `None` when it was not.
    pub checked_at: Option<BlockNumber>,
    /// sr25519 signature over the payload, in hex; `None` for what was not signed.
    pub signature: Option<String>,
    /// sha256 of the payload as it came, in hex.
    pub payload: String,
}

/// Who told something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reporter {
    /// A hotkey that signed it, and its uid in the subnet.
    Hotkey {
        /// The hotkey.
        hotkey: AccountId,
        /// Its uid.
        uid: u16,
    },
    /// A file given on the command line.
    File(String),
    /// A service that was asked, by its address without secrets.
    Service(String),
    /// Computed here from other records.
    Computed,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A challenge was put to somebody, and what came of it.
    Run(ChallengeRun),
    /// Something was handed in: a commit, an answer, a report.
    Submission(Submission),
    /// A score by a profile.
    Score(Score),
    /// Two submissions were compared.
    Comparison(Comparison),
    /// A day, a window or an epoch was closed.
    Finalization(Finalization),
}

/// A challenge was put to somebody, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRun {
    /// Name of the run, unique in its challenge.
    pub id: String,
    /// When it began.
    pub started_ms: u64,
    /// When it ended; `None` when it never did.
    pub ended_ms: Option<u64>,
    /// Whether it was solved; `None` while that is open.
    pub success: Option<bool>,
    /// Why it failed.
    pub error: Option<String>,
    /// The rest, in the system's own words.
    #[serde(default)]
    pub details: Value,
}

/// Something was handed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Name of the submission, unique in its challenge: a ciphertext, an entry id.
    pub id: String,
    /// When it was handed in, as the reporter says; `None` when it does not.
    pub at_ms: Option<u64>,
    /// What was handed in, in the system's own words.
    #[serde(default)]
    pub details: Value,
}

/// A score by a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The submission or run that was scored.
    pub of: String,
    /// Name of the profile.
    pub profile: String,
    /// Hash of the inputs, in hex.
    pub inputs: String,
    /// The score; `None` when there is none, see `reason`.
    pub score: Option<f64>,
    /// Why there is none, or why it is zero.
    pub reason: Option<String>,
    /// The parts it is made of.
    #[serde(default)]
    pub details: Value,
}

/// Two submissions were compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The submission that was compared.
    pub of: String,
    /// The one it was compared with.
    pub with: String,
    /// How alike they are, from 0 to 1; `None` when the comparison failed.
    pub similarity: Option<f64>,
    /// Why, or why it failed.
    pub reason: Option<String>,
    /// The rest, in the system's own words.
    #[serde(default)]
    pub details: Value,
}

/// A day, a window or an epoch was closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finalization {
    /// What was closed: `2025-10-15`. Unique in its challenge: there is one finalization of it.
    pub period: String,
    /// Name of the profile.
    pub profile: String,
    /// Hash of the inputs, in hex.
    pub inputs: String,
    /// The final scores by subject, and the rest.
    #[serde(default)]
    pub details: Value,
}

impl Record {
    /// The floats of the record, by the name of their member.
    pub(crate) fn floats(&self) -> Option<(&'static str, f64)> {
        match self {
            Record::Score(score) => score.score.map(|score| ("score", score)),
            Record::Comparison(with) => with.similarity.map(|alike| ("similarity", alike)),
            Record::Run(_) | Record::Submission(_) | Record::Finalization(_) => None,
        }
    }

    /// Its kind in one word.
    pub fn kind(&self) -> Kind {
        match self {
            Record::Run(_) => Kind::Run,
            Record::Submission(_) => Kind::Submission,
            Record::Score(_) => Kind::Score,
            Record::Comparison(_) => Kind::Comparison,
            Record::Finalization(_) => Kind::Finalization,
        }
    }
}

/// Kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kind {
    /// [`ChallengeRun`].
    Run = 1,
    /// [`Submission`].
    Submission = 2,
    /// [`Score`].
    Score = 3,
    /// [`Comparison`].
    Comparison = 4,
    /// [`Finalization`].
    Finalization = 5,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [
        Kind::Run,
        Kind::Submission,
        Kind::Score,
        Kind::Comparison,
        Kind::Finalization,
    ];

    /// Its name, as in the JSON of a record.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Submission => "submission",
            Kind::Score => "score",
            Kind::Comparison => "comparison",
            Kind::Finalization => "finalization",
        }
    }

    /// The kind of this name.
    ///
    /// ```
    /// use challenges::record::Kind;
    /// assert_eq!(Kind::of("score"), Some(Kind::Score));
    /// assert_eq!(Kind::of("Score"), None);
    /// ```
    pub fn of(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
