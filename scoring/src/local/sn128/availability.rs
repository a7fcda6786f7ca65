//! How much of the last 169 hours a worker was there.
//!
//! Time is cut into buckets of five minutes, counted from 1970. A worker without GPUs is there
//! in a bucket with a heartbeat of its own. A worker whose challenges were answered by GPUs is
//! there in a bucket in which the heartbeats of its hotkey, all together, name every GPU that
//! it used. Every change of the public address halves the result, and the fourth takes it all.

use std::collections::{BTreeMap, BTreeSet};

use super::parameters::{ADDRESS_CHANGE, ADDRESS_FLOOR, BUCKET_MS, Parameters};

/// A heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat<'a> {
    /// Number that orders heartbeats of the same moment.
    pub id: u64,
    /// When it came in, in milliseconds since 1970.
    pub at_ms: i64,
    /// The worker; empty when the heartbeat names none.
    pub worker: &'a str,
    /// Public address; `None` when it is not told.
    pub address: Option<&'a str>,
    /// GPUs that were there.
    pub gpus: Vec<&'a str>,
}

/// Which buckets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Those with a heartbeat of the worker.
    Own,
    /// Those in which the hotkey's heartbeats name all GPUs that the worker used.
    Gpus,
    /// None: the window has no length.
    Off,
}

/// Availability of a worker with what it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Availability {
    /// The factor, 0 to 1.
    pub value: f64,
    /// Which buckets count.
    pub rule: Rule,
    /// Heartbeats of the worker in the window.
    pub heartbeats: usize,
    /// Buckets in which it was there.
    pub buckets: usize,
    /// Buckets of the whole window.
    pub expected: u32,
    /// Share of buckets, at most 1.
    pub ratio: f64,
    /// Changes of the public address.
    pub address_changes: usize,
    /// Factor for the changes.
    pub address_factor: f64,
}

/// The heartbeats of one hotkey within the window, in order.
#[derive(Clone, Debug, Default)]
pub struct Presence<'a> {
    by_worker: BTreeMap<&'a str, Vec<&'a Heartbeat<'a>>>,
    gpus: BTreeMap<i64, BTreeSet<&'a str>>,
    /// Heartbeats that are outside of the window and do not count.
    pub outside: usize,
}

fn bucket(at_ms: i64) -> i64 {
    at_ms.div_euclid(BUCKET_MS)
}

/// Sorts the heartbeats of a hotkey. Those before the window or after `now_ms` are left out.
pub fn presence<'a>(
    parameters: &Parameters,
    now_ms: i64,
    heartbeats: &'a [Heartbeat<'a>],
) -> Presence<'a> {
    let from = now_ms.saturating_sub(parameters.availability_ms());
    let mut presence = Presence::default();
    for beat in heartbeats {
        if beat.at_ms < from || beat.at_ms > now_ms {
            presence.outside += 1;
            continue;
        }
        if !beat.worker.is_empty() {
            presence
                .by_worker
                .entry(beat.worker)
                .or_default()
                .push(beat);
        }
        if !beat.gpus.is_empty() {
            let gpus = presence.gpus.entry(bucket(beat.at_ms)).or_default();
            gpus.extend(beat.gpus.iter().copied());
        }
    }
    for beats in presence.by_worker.values_mut() {
        beats.sort_by_key(|beat| (beat.at_ms, beat.id));
    }
    presence
}

/// The factor for a number of changes of the public address.
///
/// ```
/// use scoring::local::sn128::availability::address_factor;
/// assert_eq!([0, 1, 3, 4].map(address_factor), [1.0, 0.5, 0.125, 0.0]);
/// ```
pub fn address_factor(changes: usize) -> f64 {
    let changes = i32::try_from(changes).unwrap_or(i32::MAX);
    let factor = ADDRESS_CHANGE.powi(changes);
    if factor < ADDRESS_FLOOR { 0.0 } else { factor }
}

fn address_changes(beats: &[&Heartbeat<'_>]) -> usize {
    let mut told = beats
        .iter()
        .filter_map(|beat| beat.address.filter(|address| !address.is_empty()));
    let Some(mut last) = told.next() else {
        return 0;
    };
    told.filter(|address| std::mem::replace(&mut last, address) != *address)
        .count()
}

impl Presence<'_> {
    /// Availability of a worker that used these GPUs in its challenges; none for a worker
    /// without GPUs. Without a heartbeat of its own it is 0, whatever the hotkey's others say.
    pub fn availability(
        &self,
        parameters: &Parameters,
        worker: &str,
        used: &BTreeSet<&str>,
    ) -> Availability {
        let expected = parameters.expected_buckets();
        let beats = self.by_worker.get(worker).map_or(&[][..], Vec::as_slice);
        let mut availability = Availability {
            value: 0.0,
            rule: if used.is_empty() {
                Rule::Own
            } else {
                Rule::Gpus
            },
            heartbeats: beats.len(),
            buckets: 0,
            expected,
            ratio: 0.0,
            address_changes: address_changes(beats),
            address_factor: 1.0,
        };
        if parameters.availability_hours == 0 {
            availability.rule = Rule::Off;
            availability.ratio = 1.0;
            availability.value = 1.0;
            return availability;
        }
        availability.address_factor = address_factor(availability.address_changes);
        if beats.is_empty() {
            return availability;
        }
        availability.buckets = if used.is_empty() {
            let buckets: BTreeSet<i64> = beats.iter().map(|beat| bucket(beat.at_ms)).collect();
            buckets.len()
        } else {
            let all = |present: &&BTreeSet<&str>| used.iter().all(|gpu| present.contains(gpu));
            self.gpus.values().filter(all).count()
        };
        // There are at most a few million buckets: a u32 holds their number.
        let buckets = u32::try_from(availability.buckets).unwrap_or(u32::MAX);
        availability.ratio = (f64::from(buckets) / f64::from(expected)).min(1.0);
        availability.value = (availability.ratio * availability.address_factor).clamp(0.0, 1.0);
        availability
    }
}
