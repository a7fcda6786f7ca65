//! Inputs of the profiles, as JSON.
//!
//! ```json
//! {
//!   "scores": [0.5, 0.0, 0.2],
//!   "hotkeys": ["5A…", "5B…", "5C…"],
//!   "hotkeys_now": ["5A…", "5D…", "5C…"],
//!   "updates": [{"uids": [0, 1], "rewards": [1.0, null]}],
//!   "alpha": 0.1
//! }
//! ```
//!
//! Scores and hotkeys are by uid; `null` is a reward that is no number. Everything may be left
//! out but one of `scores` and `updates`. `sn42-2025` also takes `network` (`finney` is mainnet),
//! `disabled`, `first_run` and `blocks_since_last_update`.

use scoring::local::Profile;
use scoring::local::sn42::ema::{ALPHA, l1_normalised, resync, update};
use scoring::local::sn42::gates::{Situation, shut};
use serde_json::{Map, Value, json};

use crate::profiles::{InputError, Row, Scored, inputs_hash};

/// More uids than any subnet has.
const MOST: usize = 65_536;

/// Scores an input by one of the system's profiles.
///
/// # Errors
///
/// When the input is not what the profile wants.
pub fn score(profile: &'static Profile, input: &Value) -> Result<Scored, InputError> {
    let later = profile.name == "sn42-2025";
    let members = Members::new(input, later)?;
    let mut scores = members.floats("scores", false)?;
    let before = members.hotkeys("hotkeys")?;
    let now = members.hotkeys("hotkeys_now")?;
    if scores.is_empty() && members.list("updates")?.is_empty() {
        return Err(field(
            "scores",
            "give scores or updates: there is nothing to score",
        ));
    }
    if let Some(now) = &now {
        let Some(before) = &before else {
            return Err(field(
                "hotkeys_now",
                "also give hotkeys, those that the scores belong to",
            ));
        };
        if before.len() != scores.len() {
            let what = format!("{} hotkeys but {} scores", before.len(), scores.len());
            return Err(field("hotkeys", &what));
        }
        resync(&mut scores, before, now);
    }
    let alpha = members.alpha()?;
    for (at, one) in members.list("updates")?.iter().enumerate() {
        let place = format!("updates[{at}]");
        let one = Members::inner(one, &place)?;
        let uids = one.uids("uids")?;
        let rewards = one.floats("rewards", true)?;
        update(&mut scores, &uids, &rewards, alpha).map_err(|e| field(&place, &e.to_string()))?;
    }
    let gate = if later {
        shut(&scores, members.situation()?).map(|gate| gate.to_string())
    } else {
        None
    };
    let final_scores = if later {
        scores.clone()
    } else {
        l1_normalised(&scores)
    };
    let names = now.or(before).unwrap_or_default();
    let rows = scores.iter().zip(&final_scores).enumerate();
    let rows = rows.map(|(uid, (average, score))| Row {
        subject: names.get(uid).cloned().unwrap_or_else(|| uid.to_string()),
        score: gate.is_none().then_some(f64::from(*score)),
        parts: vec![("average".to_owned(), f64::from(*average))],
        reason: gate
            .clone()
            .or_else(|| (*score == 0.0).then(|| "no reward was ever above zero".to_owned())),
    });
    let mut notes = Map::new();
    notes.insert("alpha".to_owned(), json!(alpha));
    notes.insert("gate".to_owned(), json!(gate));
    Ok(Scored {
        profile: profile.name,
        inputs_hash: inputs_hash(input),
        rows: rows.collect(),
        notes,
    })
}

fn field(at: &str, what: &str) -> InputError {
    InputError::Field {
        at: at.to_owned(),
        what: what.to_owned(),
    }
}

/// An object whose members are known.
struct Members<'a> {
    object: &'a Map<String, Value>,
    within: String,
}

impl<'a> Members<'a> {
    fn new(input: &'a Value, later: bool) -> Result<Members<'a>, InputError> {
        let mut known = vec!["scores", "hotkeys", "hotkeys_now", "updates", "alpha"];
        if later {
            known.extend([
                "network",
                "disabled",
                "first_run",
                "blocks_since_last_update",
            ]);
        }
        Members::of(input, "the input", String::new(), &known)
    }

    fn inner(value: &'a Value, place: &str) -> Result<Members<'a>, InputError> {
        Members::of(value, place, format!("{place}."), &["uids", "rewards"])
    }

    fn of(
        value: &'a Value,
        place: &str,
        within: String,
        known: &[&str],
    ) -> Result<Members<'a>, InputError> {
        let object = value
            .as_object()
            .ok_or_else(|| field(place, "give an object of JSON"))?;
        let unknown = object.keys().find(|name| !known.contains(&name.as_str()));
        if let Some(name) = unknown {
            let what = format!("is not known here; known are {}", known.join(", "));
            return Err(field(&format!("{within}{name}"), &what));
        }
        Ok(Members { object, within })
    }

    fn at(&self, name: &str) -> String {
        format!("{}{name}", self.within)
    }

    fn list(&self, name: &str) -> Result<&'a [Value], InputError> {
        match self.object.get(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) if list.len() <= MOST => Ok(list),
            Some(Value::Array(list)) => {
                let what = format!("has {} entries; {MOST} are the most", list.len());
                Err(field(&self.at(name), &what))
            }
            Some(_) => Err(field(&self.at(name), "give a list")),
        }
    }

    /// Numbers as `f32`; `null` is NaN where that may be.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the system computes in f32"
    )]
    fn floats(&self, name: &str, null: bool) -> Result<Vec<f32>, InputError> {
        let one = |(at, value): (usize, &Value)| match value {
            Value::Null if null => Ok(f32::NAN),
            _ => value
                .as_f64()
                .map(|number| number as f32)
                .filter(|number| number.is_finite())
                .ok_or_else(|| {
                    let place = format!("{}[{at}]", self.at(name));
                    field(&place, "give a number that fits a float of 32 bits")
                }),
        };
        self.list(name)?.iter().enumerate().map(one).collect()
    }

    fn uids(&self, name: &str) -> Result<Vec<u16>, InputError> {
        let one = |(at, value): (usize, &Value)| {
            let uid = value.as_u64().and_then(|uid| u16::try_from(uid).ok());
            let place = format!("{}[{at}]", self.at(name));
            uid.ok_or_else(|| field(&place, "give a uid, a whole number from 0 to 65535"))
        };
        self.list(name)?.iter().enumerate().map(one).collect()
    }

    fn hotkeys(&self, name: &str) -> Result<Option<Vec<String>>, InputError> {
        if !self.object.contains_key(name) {
            return Ok(None);
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut hotkeys = Vec::new();
        for (at, value) in self.list(name)?.iter().enumerate() {
            let place = format!("{}[{at}]", self.at(name));
            let hotkey = value.as_str().ok_or_else(|| field(&place, "give a text"))?;
            if !seen.insert(hotkey) {
                return Err(field(&place, "is there twice: a hotkey holds one uid"));
            }
            hotkeys.push(hotkey.to_owned());
        }
        Ok(Some(hotkeys))
    }

    fn alpha(&self) -> Result<f64, InputError> {
        match self.object.get("alpha") {
            None => Ok(ALPHA),
            Some(value) => value
                .as_f64()
                .filter(|alpha| (0.0..=1.0).contains(alpha))
                .ok_or_else(|| field("alpha", "give a number from 0 to 1")),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, InputError> {
        match self.object.get(name) {
            None => Ok(false),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| field(name, "give true or false")),
        }
    }

    fn situation(&self) -> Result<Situation, InputError> {
        let mainnet = match self.object.get("network") {
            None => true,
            Some(Value::String(name)) => name == "finney",
            Some(_) => return Err(field("network", "give a name; finney is mainnet")),
        };
        let blocks = match self.object.get("blocks_since_last_update") {
            None => 0,
            Some(value) => value.as_u64().ok_or_else(|| {
                field("blocks_since_last_update", "give a whole number of blocks")
            })?,
        };
        Ok(Situation {
            disabled: self.flag("disabled")?,
            mainnet,
            first_run: self.flag("first_run")?,
            blocks_since_last_update: blocks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(name: &str, input: &Value) -> Result<Scored, InputError> {
        score(scoring::local::find(name).unwrap(), input)
    }

    #[test]
    fn the_golden_average_normalised() {
        let input = json!({
            "scores": [0.5, 0.0, 0.2],
            "updates": [{"uids": [0, 1], "rewards": [1.0, 0.4]}],
        });
        let found = scored("sn42-2024", &input).unwrap();
        let averages: Vec<_> = found.rows.iter().map(|row| row.parts[0].1).collect();
        let singles = [0.55_f32, 0.040_000_003, 0.199_999_99];
        assert_eq!(averages, singles.map(f64::from));
        let total = singles[0] + singles[1] + singles[2];
        for (row, single) in found.rows.iter().zip(singles) {
            assert_eq!(row.score, Some(f64::from(single / total)));
        }
        assert_eq!(found.rows[2].subject, "2");
        assert_eq!(found.inputs_hash, inputs_hash(&input));
    }

    #[test]
    fn who_came_new_begins_at_zero() {
        let input = json!({
            "scores": [0.5, 0.5], "hotkeys": ["a", "b"], "hotkeys_now": ["a", "c", "d"],
        });
        let found = scored("sn42-2024", &input).unwrap();
        let rows: Vec<_> = found
            .rows
            .iter()
            .map(|r| (r.subject.as_str(), r.score))
            .collect();
        assert_eq!(rows, [("a", Some(1.0)), ("c", Some(0.0)), ("d", Some(0.0))]);
        assert!(found.rows[1].reason.is_some() && found.rows[0].reason.is_none());
    }

    #[test]
    fn a_shut_gate_leaves_no_score() {
        let input = json!({"scores": [1.0], "first_run": true});
        let found = scored("sn42-2025", &input).unwrap();
        assert_eq!(found.rows[0].score, None);
        let reason = found.rows[0].reason.clone().unwrap();
        assert!(reason.contains("1 uids have a score"), "{reason}");
        let input = json!({"scores": [2.0, 4.0], "first_run": true, "network": "test"});
        let found = scored("sn42-2025", &input).unwrap();
        // Raw scores, not normalised.
        assert_eq!(found.rows[1].score, Some(4.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (input, wanted) in [
            (json!([]), "the input: give an object"),
            (json!({}), "scores: give scores or updates"),
            (json!({"scores": [1], "more": 1}), "more: is not known here"),
            (
                json!({"scores": [1], "disabled": true}),
                "disabled: is not known here",
            ),
            (json!({"scores": ["1"]}), "scores[0]: give a number"),
            (json!({"scores": [1, 1e39]}), "scores[1]: give a number"),
            (json!({"scores": [null]}), "scores[0]: give a number"),
            (
                json!({"scores": [1], "alpha": 2}),
                "alpha: give a number from 0 to 1",
            ),
            (
                json!({"updates": [{"uids": [0], "rewards": []}]}),
                "updates[0]: 1 uids but 0",
            ),
            (
                json!({"updates": [{"uids": [0, 0], "rewards": [1, 1]}]}),
                "updates[0]: uid 0 is there twice",
            ),
            (
                json!({"updates": [{"uids": [70000], "rewards": [1]}]}),
                "updates[0].uids[0]: give a uid",
            ),
            (
                json!({"updates": [{"uids": [0], "reward": [1]}]}),
                "updates[0].reward: is not known",
            ),
            (
                json!({"scores": [1, 2], "hotkeys": ["a", "a"]}),
                "hotkeys[1]: is there twice",
            ),
            (
                json!({"scores": [1], "hotkeys_now": ["a"]}),
                "hotkeys_now: also give hotkeys",
            ),
            (
                json!({"scores": [1], "hotkeys": ["a", "b"], "hotkeys_now": ["a"]}),
                "2 hotkeys but 1 scores",
            ),
        ] {
            let error = scored("sn42-2024", &input).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
