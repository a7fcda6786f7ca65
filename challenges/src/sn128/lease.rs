//! Leases as a hub broadcasts them.
//!
//! What sets 70 % of a score must come from somebody known: whoever calls this has checked
//! who sent the message.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fields::{number, object, text};
use crate::profiles::InputError;

/// A smaller difference is none.
pub const SAME: f64 = 1e-12;

/// What became of a broadcast.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Applied {
    /// Workers whose score changed.
    pub changed: Vec<(String, String)>,
    /// How many kept theirs.
    pub same: usize,
    /// Workers that nobody knows, as they were named.
    pub unknown: Vec<String>,
}

/// Takes over `workerScores` of a broadcast into the known workers' scores, by hotkey and
/// worker. Either all of it or nothing.
///
/// ```
/// use serde_json::json;
/// let worker = ("5F...".to_owned(), "w1".to_owned());
/// let mut leases = [(worker.clone(), 0.0)].into();
/// let broadcast = json!({ "workerScores": [
///     { "workerKey": "5F...:w1", "score": 0.5 },
///     { "workerKey": "5F...:w2", "score": 0.9 },
/// ] });
/// let applied = challenges::sn128::lease::apply(&mut leases, &broadcast)?;
/// assert_eq!(leases[&worker], 0.5);
/// assert_eq!((applied.changed, applied.unknown), (vec![worker], vec!["5F...:w2".to_owned()]));
/// # Ok::<(), challenges::profiles::InputError>(())
/// ```
///
/// # Errors
///
/// When the broadcast has another form, a key has no colon, or a score is negative.
pub fn apply(
    leases: &mut BTreeMap<(String, String), f64>,
    broadcast: &Value,
) -> Result<Applied, InputError> {
    let broadcast = object(broadcast, "", &["workerScores"])?;
    let mut new = Vec::new();
    for (at, item) in broadcast.items("workerScores")? {
        let item = object(item, at, &["workerKey", "score"])?;
        let key = item.must("workerKey", text)?;
        let Some((hotkey, worker)) = key.split_once(':') else {
            return Err(item.refuse("workerKey", format!("is {key:?}; give `<hotkey>:<worker>`")));
        };
        let score = item.must("score", number)?;
        if score < 0.0 {
            return Err(item.refuse("score", format!("is {score}; give a number from 0 on")));
        }
        new.push(((hotkey.to_owned(), worker.to_owned()), key, score));
    }
    let mut applied = Applied::default();
    for (worker, key, score) in new {
        match leases.get_mut(&worker) {
            None => applied.unknown.push(key.to_owned()),
            Some(known) if (*known - score).abs() > SAME => {
                *known = score;
                applied.changed.push(worker);
            }
            Some(_) => applied.same += 1,
        }
    }
    Ok(applied)
}
