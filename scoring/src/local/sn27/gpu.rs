//! Scores of proven hardware: the model's score times how many there are.

use thiserror::Error;

/// More GPUs than these do not count.
pub const MAX_GPUS: u32 = 8;

/// Scores of models that the published configuration named, best first; an excerpt. A
/// validator's own table may say more and can be given instead.
pub const SCORES: &[(&str, f64)] = &[
    ("NVIDIA B200", 5.0),
    ("NVIDIA H200", 4.0),
    ("NVIDIA H100 80GB HBM3", 3.30),
    ("NVIDIA H100", 2.80),
    ("NVIDIA A100-SXM4-80GB", 1.90),
    ("NVIDIA A100 80GB PCIe", 1.70),
    ("NVIDIA A100-SXM4-40GB", 1.30),
    ("NVIDIA GeForce RTX 5090", 0.92),
];

/// Tables of scores that cannot be.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TableError {
    /// No model at all.
    #[error("the table of GPU scores is empty; give at least one model")]
    Empty,
    /// A score that is not above zero, or not of a size that scores have.
    #[error("the score of {model} is {score}; give a number from 0.000001 to 1000000")]
    Score {
        /// The model.
        model: String,
        /// Its score.
        score: f64,
    },
    /// A model that is named twice.
    #[error("the table of GPU scores names {0} twice; give every model once")]
    Twice(String),
}

/// Why a score is zero.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Zero {
    /// A model that the table does not know.
    #[error("the table of GPU scores has no model {0:?}")]
    Unknown(String),
    /// Nothing was proven.
    #[error("no GPU was proven")]
    None,
}

/// A score with what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Breakdown {
    /// The score, 0 to 1.
    pub score: f64,
    /// Score of the model; 0 when it is not known.
    pub model_score: f64,
    /// GPUs that count.
    pub counted: u32,
    /// Points for one unit of model score.
    pub factor: f64,
    /// Why the score is zero.
    pub zero: Option<Zero>,
}

/// Checks a table of scores.
///
/// # Errors
///
/// When it is empty, names a model twice or has a score that is not between a millionth and
/// a million.
pub fn check<S: AsRef<str>>(table: &[(S, f64)]) -> Result<(), TableError> {
    if table.is_empty() {
        return Err(TableError::Empty);
    }
    let mut names = std::collections::BTreeSet::new();
    for (model, score) in table {
        let model = model.as_ref();
        if !(1e-6..=1e6).contains(score) {
            return Err(TableError::Score {
                model: model.to_owned(),
                score: *score,
            });
        }
        if !names.insert(model) {
            return Err(TableError::Twice(model.to_owned()));
        }
    }
    Ok(())
}

/// Scores `gpus` of a model. Being allocated changes nothing in this revision.
///
/// ```
/// use scoring::local::sn27::gpu::{SCORES, score};
/// assert_eq!(score(SCORES, "NVIDIA H100", 4)?.score, 0.28);
/// assert_eq!(score(SCORES, "NVIDIA B200", 9)?.score, 1.0);
/// assert_eq!(score(SCORES, "a toaster", 1)?.zero.unwrap().to_string(),
///     "the table of GPU scores has no model \"a toaster\"");
/// # Ok::<(), scoring::local::sn27::gpu::TableError>(())
/// ```
///
/// # Errors
///
/// See [`check`].
pub fn score<S: AsRef<str>>(
    table: &[(S, f64)],
    model: &str,
    gpus: u32,
) -> Result<Breakdown, TableError> {
    check(table)?;
    let best = table.iter().map(|(_, score)| *score).fold(0.0, f64::max);
    let factor = 100.0 / (best * f64::from(MAX_GPUS));
    let known = table.iter().find(|(name, _)| name.as_ref() == model);
    let counted = gpus.min(MAX_GPUS);
    let model_score = known.map_or(0.0, |(_, score)| *score);
    let zero = match known {
        None => Some(Zero::Unknown(model.to_owned())),
        Some(_) if gpus == 0 => Some(Zero::None),
        Some(_) => None,
    };
    Ok(Breakdown {
        score: model_score * f64::from(counted) * factor / 100.0,
        model_score,
        counted,
        factor,
        zero,
    })
}
