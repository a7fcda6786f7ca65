//! Inputs of the profile, as JSON.
//!
//! ```
//! use serde_json::json;
//! let input = json!({
//!     // Times are texts as ISO 8601 has them, or milliseconds since 1970.
//!     "now": "2025-10-10T12:00:00Z",
//!     // Those that the hub overrides; the rest is as published.
//!     "parameters": { "challenge_interval_s": 3600, "participation_threshold": 1.0 },
//!     // The miners of the metagraph with all their workers.
//!     "miners": [
//!         { "hotkey": "5A", "online": true, "workers": [{ "id": "w", "lease_score": 0.0 }] },
//!         { "hotkey": "5B", "online": true, "workers": [{ "id": "w", "lease_score": 0.8 }] },
//!     ],
//!     "challenges": [{
//!         "id": "c1", "hotkey": "5A", "worker": "w", "created": "2025-10-10T11:00:00Z",
//!         // Only `verified` counts; others are left out and counted in the notes.
//!         "status": "verified", "success": true,
//!         "computation_ms": 900.0, "success_count": 2, "gpus": ["GPU-1", "GPU-2"],
//!     }],
//!     // Whom the inventory says GPUs belong to.
//!     "gpu_owners": { "GPU-1": "5A", "GPU-2": "5A" },
//!     // Where availability comes from: this, or `availability` of each worker, or
//!     // `availability_failed` with the reason, which makes everyone available.
//!     "heartbeats": [{
//!         "hotkey": "5A", "worker": "w", "at": "2025-10-10T11:58:00Z",
//!         "ip": "192.0.2.1", "gpus": ["GPU-1", "GPU-2"],
//!     }],
//! });
//! let scored = challenges::profiles::score("sn128-2025", input.to_string().as_bytes())?;
//! assert_eq!(scored.rows[0].score, Some(0.3));
//! // The leased one has the mean of the challenges: 0.3 * 0.5 + 0.7 * 0.8.
//! assert_eq!(scored.rows[1].score, Some(0.71));
//! assert_eq!(scored.notes["workers"][0]["availability"], 1.0 / 2028.0);
//! # Ok::<(), challenges::profiles::InputError>(())
//! ```
//!
//! Rows come in the order of the miners. Their score is the composite; the weight and the
//! weight that is submitted are among the parts. Every worker's factors are in the notes.

use std::collections::BTreeMap;

use scoring::local::Profile;
use scoring::local::sn128::availability::{Heartbeat, Rule};
use scoring::local::sn128::cycle::{self, Availabilities, Cycle, Miner, Scores};
use scoring::local::sn128::worker::{Attempt, WorkerScore};
use scoring::local::sn128::{DEFAULT, MinerScore, Parameters};
use serde_json::{Map, Value, json};

use crate::fields::{Object, number, object, refuse, text, time};
use crate::profiles::{InputError, Row, Scored, inputs_hash};

/// States that a challenge may be in.
const STATES: [&str; 6] = [
    "created",
    "sent",
    "committed",
    "verifying",
    "verified",
    "failed",
];

/// Lease scores by hotkey and worker.
type Leases<'a> = BTreeMap<(&'a str, &'a str), f64>;

/// Scores an input by the profile.
///
/// # Errors
///
/// When the input is not what the profile wants.
pub fn score(profile: &'static Profile, input: &Value) -> Result<Scored, InputError> {
    let (parameters, cycle, _) = read(input)?;
    let scores = scores(&parameters, &cycle)?;
    let by_hotkey: BTreeMap<&str, &MinerScore<'_>> = scores
        .miners
        .iter()
        .map(|miner| (miner.hotkey, miner))
        .collect();
    let rows = cycle
        .miners
        .iter()
        .filter_map(|miner| by_hotkey.get(miner.hotkey))
        .map(|miner| row(&parameters, miner))
        .collect();
    Ok(Scored {
        profile: profile.name,
        inputs_hash: inputs_hash(input),
        rows,
        notes: notes(&parameters, &scores),
    })
}

/// What a hub would be told of the cycle of an input.
///
/// # Errors
///
/// When the input is not what the profile wants.
pub fn report(input: &Value) -> Result<Value, InputError> {
    let (parameters, cycle, leases) = read(input)?;
    let scores = scores(&parameters, &cycle)?;
    Ok(super::report::report(
        &parameters,
        &scores,
        &leases,
        cycle.now_ms,
    ))
}

fn scores<'a>(parameters: &Parameters, cycle: &Cycle<'a>) -> Result<Scores<'a>, InputError> {
    cycle::score(parameters, cycle).map_err(|why| refuse("the input", why))
}

fn read(input: &Value) -> Result<(Parameters, Cycle<'_>, Leases<'_>), InputError> {
    let input = object(
        input,
        "",
        &[
            "now",
            "parameters",
            "miners",
            "challenges",
            "gpu_owners",
            "heartbeats",
            "availability_failed",
        ],
    )?;
    let parameters = input.maybe("parameters", parameters)?.unwrap_or(DEFAULT);
    parameters
        .check()
        .map_err(|why| input.refuse("parameters", why))?;
    let now_ms = input.must("now", time)?.div_euclid(1000);
    let mut leases = Leases::new();
    let mut given = Leases::new();
    let mut miners = Vec::new();
    for (at, item) in input.items("miners")? {
        let item = object(item, at, &["hotkey", "online", "workers"])?;
        let hotkey = item.must("hotkey", text)?;
        let mut own = Vec::new();
        for (at, worker) in item.items("workers")? {
            let worker = object(worker, at, &["id", "lease_score", "availability"])?;
            let id = worker.must("id", text)?;
            let lease = worker.maybe("lease_score", number)?.unwrap_or(0.0);
            if leases.insert((hotkey, id), lease).is_some() {
                return Err(
                    worker.refuse("id", format!("{id} comes twice; give every worker once"))
                );
            }
            own.push(lease);
            if let Some(share) = worker.maybe("availability", number)? {
                if !(0.0..=1.0).contains(&share) {
                    let what = format!("is {share}; give a number from 0 to 1");
                    return Err(worker.refuse("availability", what));
                }
                given.insert((hotkey, id), share);
            }
        }
        miners.push(Miner {
            hotkey,
            online: item.flag("online", None)?,
            leases: own,
        });
    }
    let challenges = input.items("challenges")?;
    let attempts: Result<Vec<_>, _> = challenges.into_iter().map(attempt).collect();
    let mut owners = BTreeMap::new();
    for (at, gpu, owner) in input.entries("gpu_owners")? {
        owners.insert(gpu, text(owner, &at)?);
    }
    let cycle = Cycle {
        now_ms,
        miners,
        attempts: attempts?,
        owners,
        availabilities: availabilities(&input, given)?,
    };
    Ok((parameters, cycle, leases))
}

fn parameters(value: &Value, at: &str) -> Result<Parameters, InputError> {
    let given = object(
        value,
        at,
        &[
            "window_minutes",
            "challenge_interval_s",
            "participation_threshold",
            "availability_hours",
            "worker_cap",
            "lease_weight",
            "challenge_weight",
        ],
    )?;
    let whole = |name, default: u32| -> Result<u32, InputError> {
        Ok(given.fits(name)?.unwrap_or(default))
    };
    let share = |name, default: f64| -> Result<f64, InputError> {
        Ok(given.maybe(name, number)?.unwrap_or(default))
    };
    Ok(Parameters {
        window_minutes: whole("window_minutes", DEFAULT.window_minutes)?,
        challenge_interval_s: whole("challenge_interval_s", DEFAULT.challenge_interval_s)?,
        participation_threshold: share("participation_threshold", DEFAULT.participation_threshold)?,
        availability_hours: whole("availability_hours", DEFAULT.availability_hours)?,
        worker_cap: given.fits("worker_cap")?.unwrap_or(DEFAULT.worker_cap),
        lease_weight: share("lease_weight", DEFAULT.lease_weight)?,
        challenge_weight: share("challenge_weight", DEFAULT.challenge_weight)?,
    })
}

fn attempt<'a>((at, item): (String, &'a Value)) -> Result<Attempt<'a>, InputError> {
    let item = object(
        item,
        at,
        &[
            "id",
            "hotkey",
            "worker",
            "created",
            "status",
            "success",
            "computation_ms",
            "success_count",
            "gpus",
        ],
    )?;
    let status = item.must("status", text)?;
    if !STATES.contains(&status) {
        let what = format!("is {status:?}; give one of {}", STATES.join(", "));
        return Err(item.refuse("status", what));
    }
    Ok(Attempt {
        id: item.must("id", text)?,
        created_ms: item.must("created", time)?.div_euclid(1000),
        hotkey: item.must("hotkey", text)?,
        worker: item.must("worker", text)?,
        verified: status == "verified",
        success: item.flag("success", None)?,
        computation_ms: item.maybe("computation_ms", number)?,
        success_count: item.fits("success_count")?,
        gpus: gpus(&item)?,
    })
}

/// GPUs by uuid; the name that stands for the CPU is none of them.
fn gpus<'a>(item: &Object<'a>) -> Result<Vec<&'a str>, InputError> {
    let mut gpus = Vec::new();
    for (at, gpu) in item.items("gpus")? {
        let gpu = text(gpu, &at)?;
        if gpu != super::wire::CPU {
            gpus.push(gpu);
        }
    }
    Ok(gpus)
}

fn availabilities<'a>(
    input: &Object<'a>,
    given: Leases<'a>,
) -> Result<Availabilities<'a>, InputError> {
    let failed = input.maybe("availability_failed", text)?;
    let beats = input.get("heartbeats").is_some();
    match (failed, beats, given.is_empty()) {
        (Some(why), false, true) => Ok(Availabilities::Failed(why)),
        (None, false, false) => Ok(Availabilities::Given(given)),
        (None, true, true) => heartbeats(input),
        (None, false, true) => Err(input.refuse(
            "heartbeats",
            "is missing; give it, or `availability` of workers, or `availability_failed`",
        )),
        _ => Err(input.refuse(
            "heartbeats",
            "is not the only source of availability; give one of `heartbeats`, `availability` of workers and `availability_failed`",
        )),
    }
}

fn heartbeats<'a>(input: &Object<'a>) -> Result<Availabilities<'a>, InputError> {
    let mut by_hotkey: BTreeMap<&str, Vec<Heartbeat<'a>>> = BTreeMap::new();
    for (number, (at, item)) in (0..).zip(input.items("heartbeats")?) {
        let item = object(item, at, &["id", "hotkey", "worker", "at", "ip", "gpus"])?;
        let beat = Heartbeat {
            // Without a number the place in the list orders those of the same moment.
            id: item.fits("id")?.unwrap_or(number),
            at_ms: item.must("at", time)?.div_euclid(1000),
            worker: item.maybe("worker", text)?.unwrap_or(""),
            address: item.maybe("ip", text)?,
            gpus: gpus(&item)?,
        };
        by_hotkey
            .entry(item.must("hotkey", text)?)
            .or_default()
            .push(beat);
    }
    Ok(Availabilities::Heartbeats(by_hotkey))
}

/// A number of things, as a part of a score.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn row(parameters: &Parameters, miner: &MinerScore<'_>) -> Row {
    let parts = [
        ("challenge_raw", miner.raw_challenge),
        ("challenge_workers", count(miner.challenge_workers)),
        ("challenge_norm", miner.challenge_norm),
        ("challenge", miner.challenge),
        ("challenge_replaced", if miner.replaced { 1.0 } else { 0.0 }),
        ("challenge_weight", parameters.challenge_weight),
        ("lease", miner.lease),
        ("lease_weight", parameters.lease_weight),
        ("workers", count(miner.workers)),
        ("weight", miner.weight),
        ("submitted", miner.submitted),
    ];
    Row {
        subject: miner.hotkey.to_owned(),
        score: Some(miner.composite),
        parts: parts.map(|(name, value)| (name.to_owned(), value)).into(),
        reason: miner.zero.map(|zero| zero.to_string()),
    }
}

fn notes(parameters: &Parameters, scores: &Scores<'_>) -> Map<String, Value> {
    let told: Vec<String> = scores.notes.iter().map(ToString::to_string).collect();
    let workers: Vec<Value> = scores.workers.iter().map(worker).collect();
    let all = json!({
        "baseline": scores.baseline,
        "best_raw": scores.best_raw,
        "average_norm": scores.average_norm,
        "submit": scores.submit,
        "notes": told,
        "workers": workers,
        "parameters": {
            "window_minutes": parameters.window_minutes,
            "challenge_interval_s": parameters.challenge_interval_s,
            "participation_threshold": parameters.participation_threshold,
            "availability_hours": parameters.availability_hours,
            "worker_cap": parameters.worker_cap,
            "lease_weight": parameters.lease_weight,
            "challenge_weight": parameters.challenge_weight,
        },
    });
    match all {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn worker(worker: &WorkerScore<'_>) -> Value {
    let presence = worker.presence.map(|presence| {
        json!({
            "rule": match presence.rule {
                Rule::Own => "own",
                Rule::Gpus => "gpus",
                Rule::Off => "off",
            },
            "heartbeats": presence.heartbeats,
            "buckets": presence.buckets,
            "expected": presence.expected,
            "ratio": presence.ratio,
            "address_changes": presence.address_changes,
            "address_factor": presence.address_factor,
        })
    });
    json!({
        "hotkey": worker.hotkey,
        "worker": worker.worker,
        "score": worker.score,
        "rank": worker.rank,
        "attempts": worker.attempts,
        "successes": worker.successes,
        "foreign": worker.foreign,
        "participation": worker.participation,
        "mean_ms": worker.mean_ms,
        "mean_gpus": worker.mean_gpus,
        "speed": worker.speed,
        "availability": worker.availability,
        "presence": presence,
        "reason": worker.score.is_none().then_some("no right answer counts in the window"),
    })
}
