//! Scores of workers: speed times participation times availability.

use std::collections::BTreeMap;

use super::availability::Availability;
use super::parameters::Parameters;

/// A challenge that was put to a worker and has an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt<'a> {
    /// Name of the challenge, unique.
    pub id: &'a str,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// Hotkey of the miner.
    pub hotkey: &'a str,
    /// The worker.
    pub worker: &'a str,
    /// Whether its state is `verified`; others do not count at all.
    pub verified: bool,
    /// Whether the answer was right.
    pub success: bool,
    /// Milliseconds from sending to the commitment, as the validator measured; an answer
    /// without it is an attempt but no success.
    pub computation_ms: Option<f64>,
    /// How many GPUs answered rightly; `None` and 0 count as one.
    pub success_count: Option<u32>,
    /// GPUs that committed; empty for a CPU.
    pub gpus: Vec<&'a str>,
}

/// What was counted of a worker in the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// Challenges that count.
    pub attempts: u32,
    /// Right answers.
    pub successes: u32,
    /// Challenges that do not count, since a GPU belongs to another hotkey.
    pub foreign: u32,
    /// Milliseconds for each right answer, over the number of GPUs, newest first.
    pub times: Vec<f64>,
    /// GPUs of all right answers together.
    pub gpus: u64,
}

/// Score of a worker with what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerScore<'a> {
    /// Hotkey of the miner.
    pub hotkey: &'a str,
    /// The worker.
    pub worker: &'a str,
    /// The score: `speed * participation * availability`; `None` without a right answer,
    /// then the worker counts nowhere.
    pub score: Option<f64>,
    /// Place among all workers from 0 on; for information only, nothing is computed of it.
    pub rank: Option<usize>,
    /// Challenges that count.
    pub attempts: u32,
    /// Right answers.
    pub successes: u32,
    /// Challenges that do not count, since a GPU belongs to another hotkey.
    pub foreign: u32,
    /// Successes that are a full participation.
    pub baseline: f64,
    /// Successes as a share of the baseline, at most 1.
    pub participation: f64,
    /// Mean milliseconds of a right answer and GPU; `None` without one.
    pub mean_ms: Option<f64>,
    /// Mean number of GPUs of a right answer.
    pub mean_gpus: f64,
    /// One over the mean time; 0 when that is not above zero.
    pub speed: f64,
    /// The factor availability, 0 to 1.
    pub availability: f64,
    /// What availability is made of; `None` when it was given or could not be computed.
    pub presence: Option<Availability>,
}

/// One over a time; 0 for a time that is not above zero or not finite.
///
/// ```
/// use scoring::local::sn128::worker::speed;
/// assert_eq!([500.0, 0.0, -1.0, f64::INFINITY].map(speed), [0.002, 0.0, 0.0, 0.0]);
/// ```
pub fn speed(mean_ms: f64) -> f64 {
    if mean_ms > 0.0 && mean_ms.is_finite() {
        1.0 / mean_ms
    } else {
        0.0
    }
}

/// Successes as a share of the baseline, at most 1; 1 when the baseline is zero.
pub fn participation(successes: u32, baseline: f64) -> f64 {
    if baseline > 0.0 {
        (f64::from(successes) / baseline).min(1.0)
    } else {
        1.0
    }
}

/// Counts challenges by hotkey and worker. `attempts` must be of the window and verified, and
/// newest first; `owners` tells which hotkey a GPU belongs to. A challenge with a GPU of
/// another hotkey, or of nobody, counts neither as an attempt nor as a success.
pub fn count<'a>(
    attempts: &[&Attempt<'a>],
    owners: &BTreeMap<&str, &str>,
) -> BTreeMap<(&'a str, &'a str), Counted> {
    let mut counted: BTreeMap<_, Counted> = BTreeMap::new();
    for attempt in attempts {
        let worker = counted.entry((attempt.hotkey, attempt.worker)).or_default();
        let own = |gpu: &&str| owners.get(*gpu) == Some(&attempt.hotkey);
        if !attempt.gpus.iter().all(own) {
            worker.foreign += 1;
            continue;
        }
        worker.attempts += 1;
        let Some(time) = attempt.computation_ms.filter(|_| attempt.success) else {
            continue;
        };
        let gpus = attempt.success_count.unwrap_or(1).max(1);
        worker.successes += 1;
        worker.times.push(time / f64::from(gpus));
        worker.gpus += u64::from(gpus);
    }
    counted
}

/// Scores a worker.
pub fn score<'a>(
    parameters: &Parameters,
    (hotkey, worker): (&'a str, &'a str),
    counted: &Counted,
    availability: f64,
    presence: Option<Availability>,
) -> WorkerScore<'a> {
    let baseline = parameters.baseline();
    let successes = f64::from(counted.successes);
    let mean_ms = (counted.successes > 0).then(|| counted.times.iter().sum::<f64>() / successes);
    let speed = mean_ms.map_or(0.0, speed);
    let participation = participation(counted.successes, baseline);
    let availability = availability.clamp(0.0, 1.0);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number of GPUs is far below 2^53"
    )]
    let gpus = counted.gpus as f64;
    WorkerScore {
        hotkey,
        worker,
        score: mean_ms.map(|_| speed * participation * availability),
        rank: None,
        attempts: counted.attempts,
        successes: counted.successes,
        foreign: counted.foreign,
        baseline,
        participation,
        mean_ms,
        mean_gpus: if counted.successes > 0 {
            gpus / successes
        } else {
            0.0
        },
        speed,
        availability,
        presence,
    }
}

/// Gives every worker with a score its place: more participation first (successes up to the
/// baseline), then the shorter time, then by hotkey and worker.
pub fn rank(workers: &mut [WorkerScore<'_>]) {
    let mut places: Vec<(f64, f64, usize)> = workers
        .iter()
        .enumerate()
        .filter_map(|(index, worker)| {
            let counted = f64::from(worker.successes).min(worker.baseline);
            worker.mean_ms.map(|time| (counted, time, index))
        })
        .collect();
    // The workers are in the order of their names already, and the sort is stable.
    places.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)));
    for (rank, (_, _, index)) in places.into_iter().enumerate() {
        if let Some(worker) = workers.get_mut(index) {
            worker.rank = Some(rank);
        }
    }
}
