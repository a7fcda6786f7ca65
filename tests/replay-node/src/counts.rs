//! Counting what clients ask for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Distinct method names counted by name; a client that invents more is counted under `(other)`.
const MAX_NAMES: usize = 256;

/// What clients asked for since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Requests; a batch is one.
    pub requests: u64,
    /// Requests that were batches.
    pub batches: u64,
    /// Connections opened.
    pub connections: u64,
    /// Calls by the name the client used; each entry of a batch is one.
    pub methods: BTreeMap<String, u64>,
}

impl CallCounts {
    /// How often a method was called.
    pub fn of(&self, method: &str) -> u64 {
        self.methods.get(method).copied().unwrap_or(0)
    }

    /// How many calls there were, of all methods.
    pub fn calls(&self) -> u64 {
        self.methods.values().sum()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(Mutex<CallCounts>);

impl Counter {
    pub(crate) fn connection(&self) {
        self.with(|counts| counts.connections += 1);
    }

    pub(crate) fn request(&self, batch: bool) {
        self.with(|counts| {
            counts.requests += 1;
            counts.batches += u64::from(batch);
        });
    }

    pub(crate) fn call(&self, method: &str) {
        self.with(|counts| {
            if let Some(count) = counts.methods.get_mut(method) {
                *count += 1;
                return;
            }
            let room = counts.methods.len() < MAX_NAMES;
            let name = if room { method } else { "(other)" };
            *counts.methods.entry(name.to_owned()).or_default() += 1;
        });
    }

    pub(crate) fn snapshot(&self) -> CallCounts {
        self.with(|counts| counts.clone())
    }

    pub(crate) fn reset(&self) {
        self.with(|counts| *counts = CallCounts::default());
    }

    fn with<T>(&self, f: impl FnOnce(&mut CallCounts) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_names_do_not_fill_memory() {
        let counter = Counter::default();
        for name in 0..1000 {
            counter.call(&name.to_string());
        }
        let counts = counter.snapshot();
        assert!(counts.methods.len() <= MAX_NAMES + 1);
        assert_eq!(counts.calls(), 1000);
        assert_eq!(counts.of("(other)"), 744);
        counter.reset();
        assert_eq!(counter.snapshot(), CallCounts::default());
    }
}
