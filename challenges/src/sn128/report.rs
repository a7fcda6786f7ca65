//! What a hub is told of a cycle.

use std::collections::BTreeMap;

use scoring::local::sn128::Parameters;
use scoring::local::sn128::cycle::Scores;
use serde_json::{Value, json};

use crate::date;

/// Rounded to six places, as text and back: the nearest such number.
fn six(number: f64) -> f64 {
    format!("{number:.6}").parse().unwrap_or(number)
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ` of a time in milliseconds since 1970.
fn iso(ms: i64) -> String {
    let of_day = ms.rem_euclid(86_400_000);
    format!(
        "{}T{:02}:{:02}:{:02}.{:03}Z",
        date::day_of(ms.saturating_mul(1000)),
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1000 % 60,
        of_day % 1000
    )
}

/// The report of a cycle that was computed at `now_ms`, milliseconds since 1970. `leases`
/// are the workers' lease scores; a worker without one has 0. Only workers with a score are
/// in it, and their score is told as a share of the best.
pub fn report(
    parameters: &Parameters,
    scores: &Scores<'_>,
    leases: &BTreeMap<(&str, &str), f64>,
    now_ms: i64,
) -> Value {
    let best = scores.workers.iter().filter_map(|worker| worker.score);
    let best = best.fold(0.0, f64::max);
    let calculated = iso(now_ms);
    let mut shares = Vec::new();
    let mut workers = Vec::new();
    for worker in &scores.workers {
        let Some(score) = worker.score else {
            continue;
        };
        let share = six(if best > 0.0 { score / best } else { 0.0 });
        let lease = leases.get(&(worker.hotkey, worker.worker));
        shares.push(share);
        workers.push(json!({
            "workerKey": format!("{}:{}", worker.hotkey, worker.worker),
            "score": share,
            "leaseScore": lease.copied().unwrap_or(0.0),
            "perfScore": share,
            "factors": {
                "availability": six(worker.availability),
                "participationBaseline": worker.baseline,
                "participationCount": worker.successes,
                "avgExecMs": worker.mean_ms,
                "avgExecGpus": worker.mean_gpus,
                "rawPerfScore": score,
            },
            "calculatedAt": calculated,
        }));
    }
    let miners: Vec<Value> = scores
        .miners
        .iter()
        .map(|miner| json!({ "hotkey": miner.hotkey, "weight": six(miner.weight) }))
        .collect();
    let count = u32::try_from(shares.len()).unwrap_or(u32::MAX);
    let average = shares.iter().sum::<f64>() / f64::from(count.max(1));
    json!({
        "workerScores": workers,
        "minerScores": miners,
        "globalStats": {
            "totalWorkers": count,
            "averageScore": six(average),
            "averageChallengeNorm": six(scores.average_norm),
            "windowStart": iso(now_ms.saturating_sub(parameters.window_ms())),
            "windowEnd": calculated,
            "participationThreshold": parameters.participation_threshold,
            "workerCap": parameters.worker_cap,
        },
    })
}
