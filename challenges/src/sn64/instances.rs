//! What miners did, by the instances in the reports of validators.

use std::collections::{BTreeMap, BTreeSet};

use scoring::local::sn64::units::{self, HOUR, Part, WINDOW, seconds};

use super::report::{HistoryPart, Instance};

/// Instances by their ids: of each the latest record, and its history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Instances {
    latest: BTreeMap<u128, Instance>,
    history: BTreeMap<u128, BTreeMap<i64, Part>>,
}

impl Instances {
    /// Takes a record; of several of an instance the one with the greatest
    /// [`Instance::recency`] is kept, of equal ones the last.
    pub fn take(&mut self, instance: Instance) {
        match self.latest.entry(instance.id) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(instance);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                if instance.recency() >= place.get().recency() {
                    place.insert(instance);
                }
            }
        }
    }

    /// Takes a part of a history. Of one that is told again, an end is kept, the later one
    /// of two.
    pub fn take_history(&mut self, part: HistoryPart) {
        let held = self.history.entry(part.instance).or_default();
        let held = held.entry(part.from).or_insert(Part {
            from: part.from,
            to: None,
            multiplier: part.multiplier,
        });
        held.multiplier = part.multiplier;
        held.to = held.to.max(part.to);
    }

    /// Takes a time of deletion from the feed, for an instance that has none.
    pub fn take_deletion(&mut self, instance: u128, at: i64) {
        if let Some(instance) = self.latest.get_mut(&instance) {
            instance.deleted_at = instance.deleted_at.or(Some(at));
        }
    }

    /// The latest records, by id.
    pub fn latest(&self) -> impl Iterator<Item = &Instance> {
        self.latest.values()
    }

    /// The latest record of an instance.
    pub fn get(&self, id: u128) -> Option<&Instance> {
        self.latest.get(&id)
    }

    /// Compute units by hotkey, as P3 counts them.
    pub fn units(&self, now: i64) -> BTreeMap<String, f64> {
        let mut found: BTreeMap<String, f64> = BTreeMap::new();
        for instance in self.latest.values() {
            let rules = instance.rules();
            if !rules.eligible(now) {
                continue;
            }
            let history: Vec<Part> = self
                .history
                .get(&instance.id)
                .into_iter()
                .flat_map(|parts| parts.values().copied())
                .collect();
            *found.entry(instance.hotkey.clone()).or_default() += rules.units(&history, now);
        }
        found
    }

    /// What private instances add in P1b and P2, by hotkey.
    pub fn private(&self, now: i64) -> BTreeMap<String, Private> {
        let mut found: BTreeMap<String, Private> = BTreeMap::new();
        let from = now.saturating_sub(WINDOW);
        for instance in self.latest.values() {
            let (true, Some(activated)) = (instance.billed, instance.activated_at) else {
                continue;
            };
            let end = instance
                .stop_billing_at
                .unwrap_or(now)
                .min(instance.deleted_at.unwrap_or(now))
                .min(now);
            let start = activated.max(from);
            if start >= end {
                continue;
            }
            let private = found.entry(instance.hotkey.clone()).or_default();
            let time = seconds(end - start);
            private.instances += 1;
            private.seconds += time;
            private.units += time * instance.multiplier.unwrap_or(1.0);
        }
        found
    }

    /// GPUs of the distinct chutes that a miner ran, on average over the full hours of the
    /// last seven days in which it ran any; cut to a whole number. A chute that is not in
    /// `gpus` has one.
    pub fn unique(&self, gpus: &BTreeMap<u128, u64>, now: i64) -> BTreeMap<String, u64> {
        let first = now.saturating_sub(WINDOW).div_euclid(HOUR);
        let last = now.div_euclid(HOUR);
        let mut active: BTreeMap<&str, BTreeMap<i64, BTreeSet<u128>>> = BTreeMap::new();
        for instance in self.latest.values() {
            let (Some(activated), Some(chute)) = (instance.activated_at, instance.chute) else {
                continue;
            };
            let until = instance.deleted_at.unwrap_or(now).min(now);
            if !instance.billed && until.saturating_sub(activated) < HOUR {
                continue;
            }
            // Full hours at which it ran.
            let from =
                first.max(activated.div_euclid(HOUR) + i64::from(activated.rem_euclid(HOUR) > 0));
            let to = last.min(until.div_euclid(HOUR));
            let hours = active.entry(&instance.hotkey).or_default();
            for hour in from..=to {
                hours.entry(hour).or_default().insert(chute);
            }
        }
        let count = |chutes: &BTreeSet<u128>| -> u64 {
            chutes
                .iter()
                .map(|chute| gpus.get(chute).copied().unwrap_or(1))
                .fold(0, u64::saturating_add)
        };
        active
            .into_iter()
            .filter(|(_, hours)| !hours.is_empty())
            .map(|(hotkey, hours)| {
                let sum = hours.values().map(count).fold(0, u64::saturating_add);
                let hours = u64::try_from(hours.len()).unwrap_or(u64::MAX).max(1);
                (hotkey.to_owned(), sum / hours)
            })
            .collect()
    }
}

impl Instance {
    /// As the rules take it.
    pub fn rules(&self) -> units::Instance<'_> {
        units::Instance {
            created_at: self.created_at,
            activated_at: self.activated_at,
            stop_billing_at: self.stop_billing_at,
            deleted_at: self.deleted_at,
            billed: self.billed,
            valid_termination: self.valid_termination,
            deletion_reason: self.deletion_reason.as_deref(),
            multiplier: self.multiplier,
        }
    }
}

/// What private instances add.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Private {
    /// Instances: added to the bounties.
    pub instances: u64,
    /// Seconds: their whole number is added to the invocations.
    pub seconds: f64,
    /// Compute units.
    pub units: f64,
}
