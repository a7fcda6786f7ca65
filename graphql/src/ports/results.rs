//! Results of challenges: what is kept of them, scores beside an epoch, and the one port that
//! writes.

use scoring::fixed::I32F32;
use scoring::local::Profile;
use serde_json::{Map, Value};

use super::*;

/// Answers about results of challenges.
pub trait Results: Send + Sync {
    /// The profiles by which can be scored, by subnet.
    fn profiles(&self) -> Vec<Profile>;

    /// Scores an input by a profile; nothing is kept. [`Refused::NotFound`] for a profile that
    /// is not known, [`Refused::BadInput`] for an input that cannot be scored.
    fn score_input(&self, profile: &str, input: &[u8]) -> Asked<LocalScores>;

    /// Records in the order of their numbers: those above `after`, at most `first`. When hardly
    /// any passes the filter the list may be shorter, with `next` set.
    fn results(
        &self,
        wanted: &ResultFilter,
        after: Option<u64>,
        first: usize,
    ) -> Result<ResultPage, ReadError>;

    /// The newest score of every challenge and subject, in the order of their numbers.
    fn scores(&self, wanted: &ScoreFilter) -> Result<Vec<ResultRecord>, ReadError>;

    /// Scores beside an epoch of a subnet.
    fn score_join(&self, epoch: EpochKey, wanted: &ScoreFilter) -> Asked<ScoreJoin>;

    /// What a central scoring service knows of commits, by their tokens, in the order in which
    /// they are given.
    fn scoring_result(
        &self,
        challenge: &str,
        tokens: &[String],
    ) -> Result<Result<ScoringResult, NotTold>, ReadError>;
}

/// Why nothing is told of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTold {
    /// No challenge of this name is scored here.
    UnknownChallenge,
    /// Too much is asked for; the text says what to ask for.
    TooMuch(String),
}

/// What is known of some commits of a challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoringResult {
    /// Each token with what is public of its commit; `None` for a token that is not known.
    pub commits: Vec<(String, Option<Value>)>,
    /// Whether the challenge is finalised; `None` when that is not known.
    pub is_done: Option<bool>,
}

/// Scores of an input by a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalScores {
    /// Name of the profile.
    pub profile: String,
    /// blake2-256 of the input in canonical form, in hex.
    pub inputs_hash: String,
    /// One a subject.
    pub rows: Vec<LocalScore>,
    /// What is not about one subject.
    pub notes: Map<String, Value>,
}

/// One subject's score.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalScore {
    /// Hotkey, uid or name.
    pub subject: String,
    /// The score; `None` when there is none.
    pub score: Option<f64>,
    /// What it is made of.
    pub parts: Vec<(String, f64)>,
    /// Why it is missing or zero.
    pub reason: Option<String>,
}

/// Kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    /// A challenge was put to somebody.
    Run,
    /// Something was handed in.
    Submission,
    /// A score by a profile.
    Score,
    /// Two submissions were compared.
    Comparison,
    /// A period was closed.
    Finalization,
}

/// Which records are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultFilter {
    /// Of this subnet.
    pub netuid: NetUid,
    /// Of this challenge; of all when `None`.
    pub challenge: Option<String>,
    /// Of this kind; of all when `None`.
    pub kind: Option<ResultKind>,
    /// About this subject; about all when `None`.
    pub subject: Option<String>,
}

/// Which scores are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreFilter {
    /// Of this subnet.
    pub netuid: NetUid,
    /// By this profile; by whichever was last when `None`.
    pub profile: Option<String>,
    /// Of this challenge; of each when `None`.
    pub challenge: Option<String>,
    /// As this hotkey reported them; our own when `None`.
    pub reporter: Option<AccountId>,
}

/// Records in the order of their numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultPage {
    /// The records.
    pub records: Vec<ResultRecord>,
    /// The number after which to go on; `None` when nothing follows.
    pub next: Option<u64>,
}

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultRecord {
    /// Its number, from 0.
    pub number: u64,
    /// The subnet.
    pub netuid: NetUid,
    /// Name of the challenge.
    pub challenge: String,
    /// Who it is about.
    pub subject: String,
    /// Who told it.
    pub reporter: ResultReporter,
    /// When it came in, in milliseconds since 1970.
    pub received_ms: u64,
    /// The block at which the reporter's registration was checked.
    pub checked_at: Option<BlockNumber>,
    /// The reporter's signature, in hex.
    pub signature: Option<String>,
    /// sha256 of the payload, in hex.
    pub payload: String,
    /// What it says.
    pub body: ResultBody,
}

/// Who told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultReporter {
    /// A hotkey and its uid.
    Hotkey(AccountId, Uid),
    /// A file.
    File(String),
    /// A service.
    Service(String),
    /// Computed here.
    Computed,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "as in the schema, which describes each")]
pub enum ResultBody {
    Run {
        id: String,
        started_ms: u64,
        ended_ms: Option<u64>,
        success: Option<bool>,
        error: Option<String>,
        details: Value,
    },
    Submission {
        id: String,
        at_ms: Option<u64>,
        details: Value,
    },
    Score {
        of: String,
        profile: String,
        inputs: String,
        score: Option<f64>,
        reason: Option<String>,
        details: Value,
    },
    Comparison {
        of: String,
        with: String,
        similarity: Option<f64>,
        reason: Option<String>,
        details: Value,
    },
    Finalization {
        period: String,
        profile: String,
        inputs: String,
        details: Value,
    },
}

/// Scores beside an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreJoin {
    /// Runtime whose rules were used.
    pub spec_version: SpecVersion,
    /// All uids, ascending.
    pub rows: Vec<ScoreRow>,
    /// Validators, by uid.
    pub validators: Vec<ScoreValidator>,
    /// Inputs without a proof, in words.
    pub doubts: Vec<String>,
    /// The next epoch; why it cannot be told otherwise.
    pub forecast: Result<ScoreForecast, String>,
}

/// One uid.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// The uid.
    pub uid: Uid,
    /// Its hotkey.
    pub hotkey: Option<AccountId>,
    /// Number of the record that has its score.
    pub score_number: Option<u64>,
    /// Challenge of the score.
    pub challenge: Option<String>,
    /// Profile of the score.
    pub profile: Option<String>,
    /// The score.
    pub score: Option<f64>,
    /// Its place, from 1.
    pub rank: Option<u32>,
    /// What each validator gives it.
    pub weights: Vec<ScoreWeight>,
    /// Stake-weighted median.
    pub consensus: I32F32,
    /// Stake-weighted sum before clipping.
    pub before_clipping: I32F32,
    /// And after.
    pub after_clipping: I32F32,
    /// What clipping took of it.
    pub clipped_share: Option<f64>,
    /// As computed.
    pub incentive: Option<u16>,
    /// As stored.
    pub stored_incentive: Option<u16>,
}

/// What a validator gives a uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreWeight {
    /// The validator.
    pub validator: Uid,
    /// As stored.
    pub raw: Option<u16>,
    /// As a share of its row.
    pub normalised: I32F32,
    /// The same, clipped.
    pub clipped: I32F32,
}

/// One validator.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreValidator {
    /// Its uid.
    pub uid: Uid,
    /// Its hotkey.
    pub hotkey: Option<AccountId>,
    /// Its share of the stake that counts.
    pub active_stake: I32F32,
    /// Hotkeys with a score.
    pub compared: u32,
    /// Pearson's correlation.
    pub pearson: Option<f64>,
    /// Spearman's.
    pub spearman: Option<f64>,
    /// What clipping took of its row.
    pub wasted: I32F32,
    /// Validator trust as computed.
    pub trust: Option<u16>,
    /// And as stored.
    pub stored_trust: Option<u16>,
}

/// The next epoch, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreForecast {
    /// Block in which it would run.
    pub block: BlockNumber,
    /// Its validators, by uid.
    pub validators: Vec<ForeseenValidator>,
    /// Inputs without a proof, in words.
    pub doubts: Vec<String>,
}

/// A validator in the next epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeseenValidator {
    /// Its uid.
    pub uid: Uid,
    /// Its hotkey.
    pub hotkey: Option<AccountId>,
    /// The trust that it would get.
    pub trust: u16,
    /// What clipping would take of its row.
    pub wasted: I32F32,
}

/// Takes in signed reports: the one port of the window that writes. It cannot touch what is kept
/// of the chain.
pub trait Intake: Send + Sync + 'static {
    /// Most bytes of a body.
    fn body_bytes(&self) -> usize;

    /// Takes in a request, whole or not at all. May block on a disk.
    ///
    /// # Errors
    /// Why nothing was taken in.
    fn take(&self, delivery: &Delivery<'_>) -> Result<Taken, NotTaken>;

    /// Takes in what a validator reports of miners' commits to the scorer of the subnet, whole or
    /// not at all; answers with what came of it, in the scorer's own words. May block on a disk.
    ///
    /// # Errors
    /// Why nothing was taken in; without a word of its own about it, that there is no scorer.
    fn report(&self, delivery: &Delivery<'_>) -> Result<Value, NotTaken> {
        Err(NotTaken {
            status: 404,
            code: "NO_SCORER".into(),
            detail: format!(
                "nothing is scored centrally for subnet {} here; see --scoring",
                delivery.netuid
            ),
        })
    }
}

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The subnet that it is about.
    pub netuid: NetUid,
    /// Names in lower case and values of its headers.
    pub headers: &'a [(String, String)],
    /// Its body as it was sent, packed or not.
    pub body: &'a [u8],
}

/// What was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Number of the first record; those of the others follow.
    pub first: u64,
    /// How many there are.
    pub count: u32,
    /// sha256 of the body, in hex.
    pub payload: String,
    /// Whether it had been taken in before, under the same idempotency key.
    pub repeated: bool,
}

/// Why nothing was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// The HTTP status; 500 and above are our own fault.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// A sentence that says what to do.
    pub detail: String,
}
