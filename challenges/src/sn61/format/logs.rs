//! Logs of scores and comparisons.

use sha2::{Digest, Sha256};

use super::{MAX_ID, MAX_TEXT};
use crate::python::{At, Json, Wrong, dumps};

/// sha256 of the input as Python writes it, in hex; `None` when there is none or it is empty.
///
/// ```
/// use challenges::python::parse;
/// use challenges::sn61::format::input_hash;
/// let input = parse(r#"{"b":1,"a":"é"}"#).unwrap();
/// assert_eq!(
///     input_hash(Some(&input)).as_deref(),
///     Some("9d5df31df2744dd5bc3b99a72ee2c1679cf1a7108cac98ab091d70d17c84b07f")
/// );
/// ```
pub fn input_hash(input: Option<&Json>) -> Option<String> {
    let input = input.filter(|input| !input.is_falsy())?;
    Some(hex::encode(Sha256::digest(dumps(input))))
}

/// What came of one task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoringLog {
    /// The score, when there is one.
    pub score: Option<f64>,
    /// What the miner's program was given.
    pub miner_input: Option<Json>,
    /// What it answered.
    pub miner_output: Option<Json>,
    /// What the challenge says of the answer.
    pub validation_output: Option<Json>,
    /// Why it failed.
    pub error: Option<String>,
    /// Score of the baseline image, taken away already.
    pub baseline_score: Option<f64>,
}

/// What came of one comparison.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ComparisonLog {
    /// How alike the answers are, 0 to 1.
    pub similarity_score: Option<f64>,
    /// What both were given.
    pub miner_input: Option<Json>,
    /// The answer.
    pub miner_output: Option<Json>,
    /// The answer of the other.
    pub reference_output: Option<Json>,
    /// Why it failed.
    pub error: Option<String>,
    /// Why they are alike, in the service's words.
    pub reason: Option<String>,
    /// The other's hotkey.
    pub reference_hotkey: Option<String>,
    /// The other's own greatest similarity.
    pub reference_similarity_score: Option<f64>,
}

fn object(at: &At<'_>, name: &str) -> Result<Option<Json>, Wrong> {
    match at.get(name)? {
        None => Ok(None),
        Some(member) => {
            member.members()?;
            Ok(Some(member.json.clone()))
        }
    }
}

fn number(at: &At<'_>, name: &str) -> Result<Option<f64>, Wrong> {
    at.get(name)?.map(|member| member.number()).transpose()
}

fn text(at: &At<'_>, name: &str, max: usize) -> Result<Option<String>, Wrong> {
    let member = at.get(name)?;
    member
        .map(|member| member.text(max).map(str::to_owned))
        .transpose()
}

pub(super) fn of_text(text: Option<&str>) -> Json {
    text.map_or(Json::Null, |text| Json::Str(text.to_owned()))
}

pub(super) fn of_float(float: Option<f64>) -> Json {
    float.map_or(Json::Null, Json::Float)
}

fn of_json(json: Option<&Json>) -> Json {
    json.cloned().unwrap_or(Json::Null)
}

impl ScoringLog {
    /// Members that are read; the hash of the input is never believed but computed.
    pub const MEMBERS: [&str; 7] = [
        "score",
        "miner_input",
        "miner_output",
        "validation_output",
        "error",
        "baseline_score",
        "input_hash",
    ];

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When a member has another type.
    pub fn read(at: &At<'_>) -> Result<ScoringLog, Wrong> {
        Ok(ScoringLog {
            score: number(at, "score")?,
            miner_input: object(at, "miner_input")?,
            miner_output: object(at, "miner_output")?,
            validation_output: object(at, "validation_output")?,
            error: text(at, "error", MAX_TEXT)?,
            baseline_score: number(at, "baseline_score")?,
        })
    }

    /// The hash of its input.
    pub fn input_hash(&self) -> Option<String> {
        input_hash(self.miner_input.as_ref())
    }

    /// As it is told, members in the order of the original.
    pub fn json(&self) -> Json {
        Json::dict([
            ("score", of_float(self.score)),
            ("miner_input", of_json(self.miner_input.as_ref())),
            ("miner_output", of_json(self.miner_output.as_ref())),
            (
                "validation_output",
                of_json(self.validation_output.as_ref()),
            ),
            ("error", of_text(self.error.as_deref())),
            ("baseline_score", of_float(self.baseline_score)),
            ("input_hash", of_text(self.input_hash().as_deref())),
        ])
    }
}

impl ComparisonLog {
    /// Members that are read.
    pub const MEMBERS: [&str; 9] = [
        "similarity_score",
        "miner_input",
        "miner_output",
        "reference_output",
        "error",
        "input_hash",
        "reason",
        "reference_hotkey",
        "reference_similarity_score",
    ];

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When a member has another type.
    pub fn read(at: &At<'_>) -> Result<ComparisonLog, Wrong> {
        Ok(ComparisonLog {
            similarity_score: number(at, "similarity_score")?,
            miner_input: object(at, "miner_input")?,
            miner_output: object(at, "miner_output")?,
            reference_output: object(at, "reference_output")?,
            error: text(at, "error", MAX_TEXT)?,
            reason: text(at, "reason", MAX_TEXT)?,
            reference_hotkey: text(at, "reference_hotkey", MAX_ID)?,
            reference_similarity_score: number(at, "reference_similarity_score")?,
        })
    }

    /// As it is told, members in the order of the original.
    pub fn json(&self) -> Json {
        let hash = input_hash(self.miner_input.as_ref());
        Json::dict([
            ("similarity_score", of_float(self.similarity_score)),
            ("miner_input", of_json(self.miner_input.as_ref())),
            ("miner_output", of_json(self.miner_output.as_ref())),
            ("reference_output", of_json(self.reference_output.as_ref())),
            ("error", of_text(self.error.as_deref())),
            ("input_hash", of_text(hash.as_deref())),
            ("reason", of_text(self.reason.as_deref())),
            (
                "reference_hotkey",
                of_text(self.reference_hotkey.as_deref()),
            ),
            (
                "reference_similarity_score",
                of_float(self.reference_similarity_score),
            ),
        ])
    }
}
