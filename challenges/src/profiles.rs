//! Scoring by a named profile: an input of JSON in, scores with their parts out.
//!
//! Every answer names the profile and a hash of its input, so that two people can tell
//! whether they scored the same.

mod rescore;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use scoring::local::Profile;
use serde::Serialize;
use serde_json::Value;

pub use rescore::{Rescored, rescore, rescore_with};

use crate::{sn27, sn42, sn61, sn64, sn128};

/// Scores by one profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// Name of the profile.
    pub profile: &'static str,
    /// blake2-256 of the input in canonical form, in hex; see [`inputs_hash`].
    pub inputs_hash: String,
    /// One row a hotkey, uid or other subject, in the order of the input unless the
    /// profile says otherwise.
    pub rows: Vec<Row>,
    /// What is not about one subject (totals, factors, what was left out).
    pub notes: serde_json::Map<String, Value>,
}

/// One subject's score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Hotkey, uid or name, as in the input.
    pub subject: String,
    /// The score; `None` when the profile gives none, see `reason`.
    pub score: Option<f64>,
    /// What it is made of, in the profile's own words, in order.
    pub parts: Vec<(String, f64)>,
    /// Why the score is missing or zero, when a rule made it so.
    pub reason: Option<String>,
}

/// Why an input cannot be scored.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InputError {
    /// No profile has this name.
    #[error("there is no profile {0}; `yumascope profiles` lists them")]
    Unknown(String),
    /// The profile needs more than one input file; another command runs it.
    #[error("the profile {0} does not score a single input file; see `yumascope profiles`")]
    Profile(&'static str),
    /// The input is not JSON.
    #[error("the input is not JSON: {0}")]
    Json(String),
    /// A part of the input is not what the profile wants.
    #[error("{at}: {what}")]
    Field {
        /// Where in the input: `miners[3].elapsed`.
        at: String,
        /// What is wrong and what is wanted.
        what: String,
    },
}

/// Scores bytes of JSON by the profile of this name.
///
/// # Errors
///
/// See [`InputError`].
pub fn score(name: &str, input: &[u8]) -> Result<Scored, InputError> {
    let profile = scoring::local::find(name).ok_or_else(|| InputError::Unknown(name.to_owned()))?;
    let value = serde_json::from_slice(input).map_err(|e| InputError::Json(e.to_string()))?;
    of_value(profile, &value)
}

/// Scores JSON by a profile.
///
/// # Errors
///
/// See [`InputError`].
pub fn of_value(profile: &'static Profile, input: &Value) -> Result<Scored, InputError> {
    match profile.netuid {
        27 => sn27::input::score(profile, input),
        42 => sn42::input::score(profile, input),
        61 => sn61::input::score(profile, input),
        64 => sn64::input::score(profile, input),
        128 => sn128::input::score(profile, input),
        _ => Err(InputError::Profile(profile.name)),
    }
}

/// blake2-256 of the JSON without spaces and with the members of every object in the
/// order of their names, in hex.
///
/// ```
/// use serde_json::json;
/// let a = challenges::profiles::inputs_hash(&json!({"b": 1, "a": [1.5]}));
/// let b = challenges::profiles::inputs_hash(&json!({"a": [1.5], "b": 1}));
/// assert_eq!(a, b);
/// ```
pub fn inputs_hash(input: &Value) -> String {
    // Objects of this crate's JSON values are sorted by name.
    hex::encode(Blake2b::<U32>::digest(input.to_string().as_bytes()))
}
