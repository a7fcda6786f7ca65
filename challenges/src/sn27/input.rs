//! Inputs of the profiles, as JSON.
//!
//! `sn27-r1` to `sn27-r3` take results of challenges and count them, or take what was counted:
//!
//! ```
//! use serde_json::json;
//! let input = json!({
//!     // Not with `measured`. The window is the original's unless another is given.
//!     "now": "2024-03-26T12:00:00Z",
//!     "window": { "rule": "rolling", "hours": 24 },
//!     "results": [{
//!         "uid": 7, "hotkey": "5F...", "success": true,
//!         "elapsed": 16.0, "difficulty": 9, "at": "2024-03-26T11:00:00Z",
//!     }],
//!     "miners": [{ "uid": 7, "hotkey": "5F...", "allocated": false, "has_docker": true }],
//! });
//! let scored = challenges::profiles::score("sn27-r1", input.to_string().as_bytes())?;
//! assert_eq!(scored.rows[0].score, Some(0.557471264367816));
//!
//! let input = json!({
//!     "miners": [{
//!         "uid": 7, "hotkey": "5F...", "allocated": true, "has_docker": true,
//!         "measured": {
//!             "attempts": 100, "successes": 92, "failed_of_last": 0,
//!             "elapsed": 16.0, "difficulty": 7,
//!         },
//!         // Validators that reported the miner; optional, only for `sn27-r2`.
//!         "reports": 1,
//!     }],
//!     // How many validators there are; needed with reports.
//!     "validators": 8,
//! });
//! let scored = challenges::profiles::score("sn27-r2", input.to_string().as_bytes())?;
//! assert_eq!(scored.rows[0].score, Some(0.5795318725099602));
//!
//! // `sn27-r4` takes hardware. `gpu_scores` takes the place of the published table.
//! let input = json!({
//!     "miners": [{ "uid": 7, "hotkey": "5F...", "gpu": "NVIDIA H100", "gpus": 4 }],
//!     "gpu_scores": { "NVIDIA B200": 5.0, "NVIDIA H100": 2.8 },
//! });
//! let scored = challenges::profiles::score("sn27-r4", input.to_string().as_bytes())?;
//! assert_eq!(scored.rows[0].score, Some(0.28));
//! # Ok::<(), challenges::profiles::InputError>(())
//! ```
//!
//! `sn27-r3` wants `best`, the best score of all miners, when a miner is allocated. Rows come
//! in the order of the miners, by hotkey; weights of them are in the notes.

use std::collections::{BTreeMap, BTreeSet};

use scoring::local::Profile;
use scoring::local::sn27::pow::{Breakdown, Measured, Rules, Shape, reported, rules};
use scoring::local::sn27::weights::weights;
use scoring::local::sn27::{difficulty, gpu, pow};
use serde_json::{Map, Value, json};

use super::stats::{COMPAT, Outcome, Stats, Window, stats};
use crate::fields::{Object, number, object, refuse, text, time};
use crate::profiles::{InputError, Row, Scored, inputs_hash};

/// What was counted, by uid and hotkey.
type Counted<'a> = BTreeMap<(u16, &'a str), Stats>;

/// Scores an input by one of the system's profiles.
///
/// # Errors
///
/// When the input is not what the profile wants.
pub fn score(profile: &'static Profile, input: &Value) -> Result<Scored, InputError> {
    let mut notes = Map::new();
    let rows = match rules(profile.name) {
        Some(rules) => challenges(profile, rules, input, &mut notes)?,
        None => hardware(input, &mut notes)?,
    };
    let scores: Vec<f64> = rows.iter().map(|row| row.score.unwrap_or(0.0)).collect();
    notes.insert("weights".into(), json!(weights(&scores)));
    Ok(Scored {
        profile: profile.name,
        inputs_hash: inputs_hash(input),
        rows,
        notes,
    })
}

/// uid and hotkey of a miner, neither of which may come twice.
fn identity<'a>(
    miner: &Object<'a>,
    seen: &mut (BTreeSet<u16>, BTreeSet<&'a str>),
) -> Result<(u16, &'a str), InputError> {
    let uid = need_uid(miner)?;
    let hotkey = miner.must("hotkey", text)?;
    if !seen.0.insert(uid) {
        return Err(miner.refuse("uid", format!("{uid} comes twice; give every miner once")));
    }
    if !seen.1.insert(hotkey) {
        return Err(miner.refuse(
            "hotkey",
            format!("{hotkey} comes twice; give every miner once"),
        ));
    }
    Ok((uid, hotkey))
}

fn need_uid(object: &Object<'_>) -> Result<u16, InputError> {
    object
        .fits("uid")?
        .ok_or_else(|| object.refuse("uid", "is missing; give it"))
}

fn challenges(
    profile: &Profile,
    rules: &Rules,
    input: &Value,
    notes: &mut Map<String, Value>,
) -> Result<Vec<Row>, InputError> {
    let input = object(
        input,
        "",
        &["now", "window", "results", "miners", "best", "validators"],
    )?;
    let counted = counted(&input, notes)?;
    let best = input.maybe("best", number)?;
    let half = input.maybe("validators", number)?.map(|all| all / 2.0);
    let mut seen = Default::default();
    let mut rows = Vec::new();
    for (at, miner) in input.items("miners")? {
        let miner = object(
            miner,
            &at,
            &[
                "uid",
                "hotkey",
                "allocated",
                "has_docker",
                "measured",
                "reports",
            ],
        )?;
        let key = identity(&miner, &mut seen)?;
        let allocated = miner.flag("allocated", Some(false))?;
        let needs_best = allocated && rules.shape == Shape::Best;
        if needs_best && best.is_none() {
            return Err(input.refuse(
                "best",
                "is missing, and an allocated miner needs it; give the best score of all miners",
            ));
        }
        let mut measured = Measured {
            has_docker: miner.flag("has_docker", None)?,
            allocated,
            best: best.unwrap_or(0.0),
            ..measured(&miner, key, counted.as_ref(), rules.shape)?
        };
        if !needs_best {
            measured.best = 0.0;
        }
        let breakdown = pow::score(rules, &measured).map_err(|why| refuse(&at, why))?;
        let mut row = row(key.1, &breakdown, &measured);
        let mean = match &counted {
            Some(counted) => counted.get(&key).and_then(|stats| stats.last_difficulty),
            None => Some(measured.difficulty),
        };
        row.parts.push((
            "next_difficulty".into(),
            f64::from(next(rules, &measured, mean)),
        ));
        if let Some(reports) = miner.maybe("reports", number)? {
            report(profile, &miner, &mut row, reports, half)?;
        }
        rows.push(row);
    }
    Ok(rows)
}

/// What the results say; `None` when there are none and every miner brings what was counted.
fn counted<'a>(
    input: &Object<'a>,
    notes: &mut Map<String, Value>,
) -> Result<Option<Counted<'a>>, InputError> {
    if input.get("results").is_none() {
        if let Some(name) = ["now", "window"]
            .iter()
            .find(|name| input.get(name).is_some())
        {
            return Err(input.refuse(name, "is only for `results`; give these, or leave it out"));
        }
        return Ok(None);
    }
    let now = input.must("now", time)?;
    let window = input.maybe("window", window)?.unwrap_or(COMPAT);
    let mut outcomes = Vec::new();
    for (at, item) in input.items("results")? {
        let item = object(
            item,
            &at,
            &["uid", "hotkey", "success", "elapsed", "difficulty", "at"],
        )?;
        let not_negative = |name| -> Result<f64, InputError> {
            let found = item.must(name, number)?;
            if found < 0.0 {
                return Err(item.refuse(name, format!("is {found}; give a number from 0 on")));
            }
            Ok(found)
        };
        outcomes.push(Outcome {
            uid: need_uid(&item)?,
            hotkey: item.must("hotkey", text)?,
            success: item.flag("success", None)?,
            elapsed: not_negative("elapsed")?,
            difficulty: not_negative("difficulty")?,
            at: item.must("at", time)?,
        });
    }
    let late = outcomes.iter().filter(|outcome| outcome.at > now).count();
    if late > 0 {
        notes.insert("results_after_now".into(), json!(late));
    }
    let (rule, hours) = match window {
        Window::Calendar { hours } => ("calendar", hours),
        Window::Rolling { hours } => ("rolling", hours),
    };
    notes.insert("window".into(), json!({ "rule": rule, "hours": hours }));
    Ok(Some(stats(&outcomes, now, window)))
}

fn window(value: &Value, at: &str) -> Result<Window, InputError> {
    let window = object(value, at, &["rule", "hours"])?;
    let hours: u32 = window.fits("hours")?.unwrap_or(12);
    match window.must("rule", text)? {
        "calendar" => Ok(Window::Calendar { hours }),
        "rolling" => Ok(Window::Rolling { hours }),
        other => Err(window.refuse("rule", format!("is {other:?}; give calendar or rolling"))),
    }
}

/// What was measured, without what is not counted. The first revision takes the difficulty
/// of the window, the later ones that of the last twenty.
fn measured(
    miner: &Object<'_>,
    key: (u16, &str),
    counted: Option<&Counted<'_>>,
    shape: Shape,
) -> Result<Measured, InputError> {
    let none = Measured {
        attempts: 0.0,
        successes: 0.0,
        failed_of_last: 0.0,
        elapsed: 0.0,
        difficulty: 0.0,
        has_docker: false,
        allocated: false,
        best: 0.0,
    };
    let Some(counted) = counted else {
        let given = miner.must("measured", |value, at| {
            object(
                value,
                at,
                &[
                    "attempts",
                    "successes",
                    "failed_of_last",
                    "elapsed",
                    "difficulty",
                ],
            )
        })?;
        return Ok(Measured {
            attempts: given.must("attempts", number)?,
            successes: given.must("successes", number)?,
            failed_of_last: given.must("failed_of_last", number)?,
            elapsed: given.must("elapsed", number)?,
            difficulty: given.must("difficulty", number)?,
            ..none
        });
    };
    if miner.get("measured").is_some() {
        return Err(miner.refuse("measured", "comes with `results`; give one of the two"));
    }
    let stats = counted.get(&key).copied().unwrap_or_default();
    let difficulty = match shape {
        Shape::Range => stats.difficulty,
        Shape::Share | Shape::Best => stats.last_difficulty,
    };
    Ok(Measured {
        attempts: f64::from(stats.attempts),
        successes: f64::from(stats.successes),
        failed_of_last: f64::from(stats.failed_of_last),
        elapsed: stats.elapsed.unwrap_or(0.0),
        difficulty: difficulty.unwrap_or(0.0),
        ..none
    })
}

/// The difficulty that the miner should have next.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and limits were checked to be whole and small, and the cast saturates"
)]
fn next(rules: &Rules, measured: &Measured, mean: Option<f64>) -> u32 {
    let range = (rules.min_difficulty as u32, rules.max_difficulty as u32);
    let (failed, successes) = (measured.failed_of_last as u32, measured.successes as u32);
    difficulty::next(mean, failed, successes, range)
}

fn row(hotkey: &str, breakdown: &Breakdown, measured: &Measured) -> Row {
    let flag = |flag| if flag { 1.0 } else { 0.0 };
    let parts = [
        ("difficulty", breakdown.difficulty),
        ("successes", breakdown.successes),
        ("time_elapsed", breakdown.time_elapsed),
        ("failed_penalty", breakdown.failed_penalty),
        ("allocation", breakdown.allocation),
        ("allocated", flag(measured.allocated)),
        ("docker_factor", breakdown.docker_factor),
        ("difficulty_clamped", flag(breakdown.difficulty_clamped)),
        ("sum", breakdown.raw),
        ("max_score", breakdown.max_score),
    ];
    Row {
        subject: hotkey.to_owned(),
        score: Some(breakdown.score),
        parts: parts.map(|(name, value)| (name.to_owned(), value)).into(),
        reason: breakdown.zero.map(|zero| zero.to_string()),
    }
}

/// Takes away what reports of validators cost.
fn report(
    profile: &Profile,
    miner: &Object<'_>,
    row: &mut Row,
    reports: f64,
    half: Option<f64>,
) -> Result<(), InputError> {
    if profile.name != "sn27-r2" {
        return Err(miner.refuse("reports", "is only for sn27-r2; leave it out"));
    }
    let half = half.filter(|half| *half > 0.0).ok_or_else(|| {
        miner.refuse(
            "reports",
            "needs `validators`; give how many there are, above 0",
        )
    })?;
    if reports < 0.0 {
        return Err(miner.refuse("reports", format!("is {reports}; give a number from 0 on")));
    }
    let before = row.score.unwrap_or(0.0);
    let after = reported(before, reports, half);
    row.parts.push(("reports".into(), reports));
    row.parts.push(("before_reports".into(), before));
    row.score = Some(after);
    if after == 0.0 && before > 0.0 {
        row.reason = Some(format!(
            "{reports} validators reported the miner; from {half} on the score is zero"
        ));
    }
    Ok(())
}

fn hardware(input: &Value, notes: &mut Map<String, Value>) -> Result<Vec<Row>, InputError> {
    let input = object(input, "", &["miners", "gpu_scores"])?;
    let mut table: Vec<(&str, f64)> = Vec::new();
    for (at, model, value) in input.entries("gpu_scores")? {
        table.push((model, number(value, &at)?));
    }
    let published = input.get("gpu_scores").is_none();
    if published {
        table = gpu::SCORES.to_vec();
    }
    gpu::check(&table).map_err(|why| input.refuse("gpu_scores", why))?;
    let which = if published { "published" } else { "given" };
    notes.insert("gpu_scores".into(), json!(which));
    let mut seen = Default::default();
    let mut rows = Vec::new();
    for (at, miner) in input.items("miners")? {
        let miner = object(miner, &at, &["uid", "hotkey", "gpu", "gpus", "allocated"])?;
        let (_, hotkey) = identity(&miner, &mut seen)?;
        // Being allocated changes nothing in this revision, but is often told.
        miner.flag("allocated", Some(false))?;
        let model = miner.maybe("gpu", text)?;
        let gpus: u32 = miner.fits("gpus")?.unwrap_or(0);
        let row = match model {
            None => Row {
                subject: hotkey.to_owned(),
                score: Some(0.0),
                parts: Vec::new(),
                reason: Some(gpu::Zero::None.to_string()),
            },
            Some(model) => {
                let found = gpu::score(&table, model, gpus).map_err(|why| refuse(&at, why))?;
                let parts = [
                    ("gpu_score", found.model_score),
                    ("gpus_counted", f64::from(found.counted)),
                    ("factor", found.factor),
                ];
                Row {
                    subject: hotkey.to_owned(),
                    score: Some(found.score),
                    parts: parts.map(|(name, value)| (name.to_owned(), value)).into(),
                    reason: found.zero.map(|zero| zero.to_string()),
                }
            }
        };
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
