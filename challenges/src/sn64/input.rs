//! Inputs of the profiles, as JSON: `{"miners": [{"hotkey": …, "coldkey": …, …}]}` with the
//! features of each miner.
//!
//! | profile | features |
//! |---|---|
//! | `sn64-p1`, `sn64-p1b`, `sn64-p2` | `compute_units`, `invocation_count`, `unique_chute_count`, `bounty_count` |
//! | `sn64-p2b` | `compute_units`, `breadth`, `demand`, `bounty` |
//! | `sn64-p3` | `compute_units` |
//!
//! All are numbers from 0 and must be there. `coldkey` may be left out; then the hotkey is
//! the only one of its coldkey.

use std::collections::{HashMap, HashSet};

use scoring::local::Profile;
use scoring::local::sn64::units::quantise;
use scoring::local::sn64::weighted::{self, Bend};
use scoring::local::sn64::{Features, Miner, Rules, Shares, bonus, units};
use serde_json::{Map, Value, json};

use crate::profiles::{InputError, Row, Scored, inputs_hash};

/// Features by name, in the order in which they are told.
pub fn features(rules: Rules) -> &'static [&'static str] {
    match rules {
        Rules::P1 | Rules::P1b | Rules::P2 => &[
            "compute_units",
            "invocation_count",
            "unique_chute_count",
            "bounty_count",
        ],
        Rules::P2b => &["compute_units", "breadth", "demand", "bounty"],
        Rules::P3 => &["compute_units"],
    }
}

/// A feature by its name.
pub fn feature(features: &Features, name: &str) -> f64 {
    match name {
        "compute_units" => features.units,
        "invocation_count" => features.invocations,
        "unique_chute_count" => features.unique,
        "bounty_count" => features.bounties,
        "breadth" => features.breadth,
        "demand" => features.demand,
        _ => features.bounty,
    }
}

fn place<'a>(features: &'a mut Features, name: &str) -> &'a mut f64 {
    match name {
        "compute_units" => &mut features.units,
        "invocation_count" => &mut features.invocations,
        "unique_chute_count" => &mut features.unique,
        "bounty_count" => &mut features.bounties,
        "breadth" => &mut features.breadth,
        "demand" => &mut features.demand,
        _ => &mut features.bounty,
    }
}

/// Shares by a profile's rules.
pub fn shares(rules: Rules, miners: &[Miner]) -> Shares {
    match rules {
        Rules::P1 => weighted::p1(miners),
        Rules::P1b => weighted::p2(miners, weighted::P1B, Bend::Mean),
        Rules::P2 => weighted::p2(miners, weighted::P2, Bend::Median),
        Rules::P2b => bonus::p2b(miners),
        Rules::P3 => units::p3(miners),
    }
}

fn wrong(at: impl Into<String>, what: impl Into<String>) -> InputError {
    InputError::Field {
        at: at.into(),
        what: what.into(),
    }
}

fn object<'a>(at: &str, value: &'a Value) -> Result<&'a Map<String, Value>, InputError> {
    value
        .as_object()
        .ok_or_else(|| wrong(at, "must be an object"))
}

/// Scores an input by one of the system's profiles. Rows are in the order of the input;
/// the notes hold the 16-bit weights and what was unusual.
///
/// # Errors
///
/// When the input is not what the profile wants.
pub fn score(profile: &'static Profile, input: &Value) -> Result<Scored, InputError> {
    let rules = Rules::named(profile.name).ok_or(InputError::Profile(profile.name))?;
    let root = object("the input", input)?;
    if let Some(name) = root.keys().find(|name| *name != "miners") {
        return Err(wrong(name, "is not known; only `miners` is"));
    }
    let miners = root.get("miners").and_then(Value::as_array);
    let miners = miners.ok_or_else(|| wrong("miners", "must be a list of miners"))?;
    let mut hotkeys: Vec<String> = Vec::new();
    let mut read = Vec::new();
    let mut seen = HashSet::new();
    let mut coldkeys: HashMap<String, u32> = HashMap::new();
    for (i, value) in miners.iter().enumerate() {
        let at = format!("miners[{i}]");
        let members = object(&at, value)?;
        let known =
            |name: &str| name == "hotkey" || name == "coldkey" || features(rules).contains(&name);
        if let Some(name) = members.keys().find(|name| !known(name)) {
            let wanted = features(rules).join(", ");
            return Err(wrong(
                format!("{at}.{name}"),
                format!("is not known; hotkey, coldkey, {wanted} are"),
            ));
        }
        let hotkey = members
            .get("hotkey")
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        let hotkey = hotkey
            .ok_or_else(|| wrong(format!("{at}.hotkey"), "must be a text that is not empty"))?;
        if !seen.insert(hotkey) {
            return Err(wrong(format!("{at}.hotkey"), "comes twice"));
        }
        let coldkey = match members.get("coldkey") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                let next = u32::try_from(coldkeys.len()).unwrap_or(u32::MAX);
                Some(*coldkeys.entry(text.clone()).or_insert(next))
            }
            Some(_) => return Err(wrong(format!("{at}.coldkey"), "must be a text")),
        };
        let mut miner = Miner {
            coldkey,
            features: Features::default(),
        };
        for name in features(rules) {
            let number = members.get(*name).and_then(Value::as_f64);
            let number = number.filter(|n| (0.0..=1e15).contains(n));
            *place(&mut miner.features, name) = number
                .ok_or_else(|| wrong(format!("{at}.{name}"), "must be a number from 0 to 1e15"))?;
        }
        hotkeys.push(hotkey.to_owned());
        read.push(miner);
    }
    let found = shares(rules, &read);
    let mut rows = Vec::new();
    for (i, (hotkey, miner)) in hotkeys.iter().zip(&read).enumerate() {
        let told = features(rules)
            .iter()
            .map(|name| ((*name).to_owned(), feature(&miner.features, name)));
        let mut parts: Vec<_> = told.collect();
        parts.extend(
            found
                .before
                .get(i)
                .map(|before| ("before".to_owned(), *before)),
        );
        let beaten = found
            .beaten_by
            .get(i)
            .copied()
            .flatten()
            .and_then(|by| hotkeys.get(by));
        rows.push(Row {
            subject: hotkey.clone(),
            score: found.shares.get(i).copied(),
            parts,
            reason: beaten.map(|by| format!("{by} of the same coldkey has more")),
        });
    }
    let mut notes = Map::new();
    let weights: Map<String, Value> = quantise(&found.shares)
        .into_iter()
        .filter_map(|(i, weight)| Some((hotkeys.get(i)?.clone(), weight.into())))
        .collect();
    notes.insert("weights".into(), Value::Object(weights));
    let said: Vec<String> = found.notes.iter().map(ToString::to_string).collect();
    notes.insert("notes".into(), json!(said));
    Ok(Scored {
        profile: profile.name,
        inputs_hash: inputs_hash(input),
        rows,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use crate::profiles;

    use super::*;

    fn scored(name: &str, input: Value) -> Result<Scored, String> {
        profiles::score(name, input.to_string().as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn goldens_by_json() {
        let of = |hotkey, coldkey, inv, uniq, bounty, units| json!({"hotkey": hotkey, "coldkey": coldkey, "invocation_count": inv, "unique_chute_count": uniq, "bounty_count": bounty, "compute_units": units});
        let (a, b, c) = (
            of("A", "c1", 100, 4, 2, 5000),
            of("B", "c2", 300, 8, 0, 12000),
            of("C", "c1", 50, 2, 3, 3000),
        );
        let d = of("D", "c3", 10, 1, 0, 100);
        let found = scored("sn64-p1", json!({"miners": [a, b, c]})).unwrap();
        assert_eq!(found.rows[0].score, Some(0.265_595_238_095_238_1));
        let found = scored("sn64-p2", json!({"miners": [a, b, c, d]})).unwrap();
        assert_eq!(found.rows[3].score, Some(0.009_860_071_692_219_046));
        assert_eq!(
            found.rows[2].reason.as_deref(),
            Some("A of the same coldkey has more")
        );
        let units = |hotkey, units| json!({"hotkey": hotkey, "compute_units": units});
        let miners = json!({"miners": [units("A", 5000), units("B", 12000), units("D", 100)]});
        let found = scored("sn64-p3", miners).unwrap();
        assert_eq!(
            found.notes["weights"],
            json!({"A": 19162, "B": 45989, "D": 383})
        );
    }

    #[test]
    fn wrong_inputs_are_refused_by_place() {
        let with = |member: &str, value: Value| {
            let mut miner = json!({"hotkey": "A", "compute_units": 1});
            miner[member] = value;
            json!({"miners": [miner]})
        };
        for (input, wanted) in [
            (json!([]), "the input: must be an object"),
            (json!({}), "miners: must be a list"),
            (json!({"miners": [], "more": 1}), "more: is not known"),
            (json!({"miners": [1]}), "miners[0]: must be an object"),
            (with("hotkey", json!(1)), "miners[0].hotkey"),
            (
                with("coldkey", json!(1)),
                "miners[0].coldkey: must be a text",
            ),
            (
                with("compute_units", json!(-1)),
                "miners[0].compute_units: must be a number",
            ),
            (with("compute_units", json!("1")), "miners[0].compute_units"),
            (
                with("compute_units", json!(1e300)),
                "miners[0].compute_units",
            ),
            (with("breadth", json!(1)), "miners[0].breadth: is not known"),
        ] {
            let error = scored("sn64-p3", input).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
        let twice = json!({"hotkey": "A", "compute_units": 1});
        let error = scored("sn64-p3", json!({"miners": [twice, twice]})).unwrap_err();
        assert_eq!(error, "miners[1].hotkey: comes twice");
        let error = scored("sn64-p2b", json!({"miners": [twice]})).unwrap_err();
        assert!(error.starts_with("miners[0].breadth: must be"), "{error}");
    }
}
