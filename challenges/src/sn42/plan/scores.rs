//! Scores by uid, out of a file or out of what a profile computed.

use std::collections::BTreeMap;

use chain_metadata::AccountId;
use serde_json::Value;

use super::PlanError;
use crate::profiles::{InputError, Scored};

/// Scores by uid.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// A score for every uid; NaN for those without.
    pub by_uid: Vec<f64>,
    /// Subjects that hold no uid of the subnet; their scores are left out.
    pub left_out: Vec<String>,
}

/// Reads scores out of JSON: a list by uid, or an object by uid or hotkey. `null` is no score.
/// `hotkeys` are those of the subnet by uid.
///
/// # Errors
///
/// [`PlanError::Scores`] with the place, [`PlanError::NoScores`].
pub fn of_file(value: &Value, hotkeys: &[AccountId]) -> Result<Scores, PlanError> {
    let number = |at: String, value: &Value| match value {
        Value::Null => Ok(None),
        _ => match value.as_f64() {
            Some(score) if score >= 0.0 => Ok(Some(score)),
            Some(score) => Err(field(at, format!("is {score}: a score is zero or more"))),
            None => Err(field(at, "give a number or null".to_owned())),
        },
    };
    let pairs: Result<Vec<_>, _> = match value {
        Value::Array(list) => {
            let one = |(uid, value): (usize, &Value)| {
                Ok((uid.to_string(), number(format!("scores[{uid}]"), value)?))
            };
            list.iter().enumerate().map(one).collect()
        }
        Value::Object(members) => {
            let one = |(name, value): (&String, &Value)| {
                Ok((name.clone(), number(format!("scores.{name}"), value)?))
            };
            members.iter().map(one).collect()
        }
        _ => Err(field(
            "scores".to_owned(),
            "give a list by uid, or an object by uid or hotkey".to_owned(),
        )),
    };
    placed(pairs?, hotkeys, "the file has none")
}

/// Takes the scores of a profile whose subjects are uids or hotkeys.
///
/// # Errors
///
/// [`PlanError::Scores`] for another subject, [`PlanError::NoScores`].
pub fn of_profile(scored: &Scored, hotkeys: &[AccountId]) -> Result<Scores, PlanError> {
    let pairs = scored
        .rows
        .iter()
        .map(|row| (row.subject.clone(), row.score));
    let why = scored.rows.iter().find_map(|row| row.reason.as_deref());
    placed(
        pairs.collect(),
        hotkeys,
        why.unwrap_or("the profile gives none"),
    )
}

fn field(at: String, what: String) -> PlanError {
    PlanError::Scores(InputError::Field { at, what })
}

fn placed(
    pairs: Vec<(String, Option<f64>)>,
    hotkeys: &[AccountId],
    why: &str,
) -> Result<Scores, PlanError> {
    let by_hotkey: BTreeMap<&AccountId, usize> = hotkeys.iter().zip(0..).collect();
    let mut scores = Scores {
        by_uid: vec![f64::NAN; hotkeys.len()],
        left_out: Vec::new(),
    };
    for (subject, score) in pairs {
        let uid = match subject.parse::<u16>() {
            Ok(uid) => Some(usize::from(uid)),
            Err(_) => match subject.parse::<AccountId>() {
                Ok(hotkey) => by_hotkey.get(&hotkey).copied(),
                Err(_) => {
                    let what = "is neither a uid nor a hotkey".to_owned();
                    return Err(field(format!("scores.{subject}"), what));
                }
            },
        };
        let place = uid.and_then(|uid| scores.by_uid.get_mut(uid));
        match (place, score) {
            (None, Some(_)) => scores.left_out.push(subject),
            (Some(place), Some(score)) => {
                if !place.is_nan() {
                    let what = "a uid has two scores".to_owned();
                    return Err(field(format!("scores.{subject}"), what));
                }
                *place = score;
            }
            (_, None) => {}
        }
    }
    if scores.by_uid.iter().all(|score| score.is_nan()) {
        return Err(PlanError::NoScores(why.to_owned()));
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hotkeys() -> Vec<AccountId> {
        (1..=3).map(|n| AccountId([n; 32])).collect()
    }

    #[test]
    fn lists_and_objects() {
        let found = of_file(&json!([1.0, null, 2]), &hotkeys()).unwrap();
        assert!(found.by_uid[1].is_nan());
        assert_eq!((found.by_uid[0], found.by_uid[2]), (1.0, 2.0));
        let second = AccountId([2; 32]).to_ss58(42);
        let stranger = AccountId([9; 32]).to_ss58(42);
        let value = json!({"0": 0.5, second: 0.25, stranger.clone(): 1.0, "7": 1.0});
        let found = of_file(&value, &hotkeys()).unwrap();
        assert_eq!(found.by_uid[..2], [0.5, 0.25]);
        assert!(found.left_out.contains(&stranger) && found.left_out.contains(&"7".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let second = AccountId([2; 32]).to_ss58(42);
        for (value, wanted) in [
            (json!(7), "scores: give a list"),
            (json!([1, "2"]), "scores[1]: give a number or null"),
            (json!([1, -2]), "scores[1]: is -2: a score is zero or more"),
            (json!({"uid 1": 1}), "scores.uid 1: is neither"),
            (json!({"1": 1, second: 2}), "a uid has two scores"),
            (json!([null]), "no uid of the subnet has a score"),
            (json!({"3": 1}), "no uid of the subnet has a score"),
        ] {
            let error = of_file(&value, &hotkeys()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
