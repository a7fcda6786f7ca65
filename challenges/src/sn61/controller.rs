//! The services that run and judge miners' programs.
//!
//! [`Controller`] is what a pass needs; [`http::Http`] speaks to services over HTTP. A
//! pass records what comes of every call, errors too.

pub mod http;

use crate::python::Json;

/// Why a service gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControllerError {
    /// It could not be reached, or not in time.
    #[error("{service} did not answer ({attempts} attempts): {why}")]
    Unreachable {
        /// Which service and path.
        service: String,
        /// How often it was tried.
        attempts: u32,
        /// The last reason.
        why: String,
    },
    /// It answered with an error.
    #[error("{service} answered {status} ({attempts} attempts)")]
    Status {
        /// Which service and path.
        service: String,
        /// The HTTP status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer is too long.
    #[error("{service} answered more than {limit} bytes")]
    Long {
        /// Which service and path.
        service: String,
        /// How many are taken.
        limit: u64,
    },
    /// The answer is not what is wanted.
    #[error("{service} answered something else than {wanted}: {why}")]
    Shape {
        /// Which service and path.
        service: String,
        /// What is wanted.
        wanted: &'static str,
        /// What came.
        why: String,
    },
}

/// An answer to a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Likeness {
    /// How alike two answers are; meant to be from 0 to 1.
    pub similarity: f64,
    /// Why, in the service's words.
    pub reason: String,
}

/// What a pass asks of services.
pub trait Controller {
    /// A new task of a challenge.
    ///
    /// # Errors
    ///
    /// When there is no answer, or another than an object.
    fn task(&self, challenge: &str) -> Result<Json, ControllerError>;

    /// Runs an image with an input, and gives its answer.
    ///
    /// # Errors
    ///
    /// When there is no answer, or another than an object.
    fn solve(&self, challenge: &str, docker: &str, input: &Json) -> Result<Json, ControllerError>;

    /// The score of an answer. `reset` is set at the first task of a commit.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    fn score(
        &self,
        challenge: &str,
        reset: bool,
        input: &Json,
        output: &Json,
    ) -> Result<f64, ControllerError>;

    /// How alike an answer and a reference are.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none of the form wanted.
    fn compare(
        &self,
        challenge: &str,
        input: &Json,
        output: &Json,
        reference: &Json,
    ) -> Result<Likeness, ControllerError>;
}

/// The score that an answer to `/score` means: a number is its value, anything else 0, as in
/// the original.
///
/// ```
/// use challenges::python::parse;
/// use challenges::sn61::controller::score_of;
/// assert_eq!(score_of(&parse("1").unwrap()), 1.0);
/// assert_eq!(score_of(&parse("\"1\"").unwrap()), 0.0);
/// ```
pub fn score_of(answer: &Json) -> f64 {
    match answer {
        Json::Float(score) => *score,
        Json::Int(digits) => digits
            .parse()
            .ok()
            .filter(|score: &f64| score.is_finite())
            .unwrap_or(0.0),
        _ => 0.0,
    }
}

/// The likeness that an answer to `/compare` means: a missing one is 1, as in the original;
/// one that is no number is none.
///
/// ```
/// use challenges::python::parse;
/// use challenges::sn61::controller::likeness_of;
/// let of = |text| likeness_of(&parse(text).unwrap()).map(|likeness| likeness.similarity);
/// assert_eq!(of(r#"{"data": {"similarity_score": 0.25, "reason": "r"}}"#), Some(0.25));
/// assert_eq!(of(r#"{"data": {}}"#), Some(1.0));
/// assert_eq!(of(r#"{"data": {"similarity_score": "high"}}"#), None);
/// ```
pub fn likeness_of(answer: &Json) -> Option<Likeness> {
    let Json::Dict(_) = answer else { return None };
    let empty = Json::Dict(Vec::new());
    let data = match answer.get("data") {
        None => &empty,
        Some(data @ Json::Dict(_)) => data,
        Some(_) => return None,
    };
    let similarity = match data.get("similarity_score") {
        None => 1.0,
        Some(number @ (Json::Int(_) | Json::Float(_))) => score_of(number),
        Some(_) => return None,
    };
    let reason = match data.get("reason") {
        Some(Json::Str(reason)) => reason.chars().take(4096).collect(),
        _ => "Unknown".to_owned(),
    };
    Some(Likeness { similarity, reason })
}
