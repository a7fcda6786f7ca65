//! Shares: how many places of a kind one caller may take, so that others find some too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::connections::Party;
use super::{App, access};

/// Parties that are remembered before those without a place are forgotten.
const SWEEP_AT: usize = 64;

/// Places of one kind, counted for each caller.
pub(super) struct Shares {
    most: usize,
    parties: Mutex<Parties>,
}

struct Parties {
    places: HashMap<Party, Weak<Semaphore>>,
    sweep_at: usize,
}

impl Shares {
    /// So many places for each.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            parties: Mutex::new(Parties {
                places: HashMap::new(),
                sweep_at: SWEEP_AT,
            }),
        }
    }

    /// How many places each has.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// The places of a caller. They are known as long as somebody holds or awaits one.
    fn of(&self, who: Party) -> Arc<Semaphore> {
        let mut parties = self.parties.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = parties.places.get(&who).and_then(Weak::upgrade) {
            return found;
        }
        if parties.places.len() >= parties.sweep_at {
            parties.places.retain(|_, places| places.strong_count() > 0);
            parties.sweep_at = SWEEP_AT.max(parties.places.len().saturating_mul(2));
        }
        let places = Arc::new(Semaphore::new(self.most));
        parties.places.insert(who, Arc::downgrade(&places));
        places
    }

    /// A place, if there is one. Whoever is not counted (`None`) needs none.
    pub(super) fn try_take(&self, who: Option<Party>) -> Result<Option<OwnedSemaphorePermit>, ()> {
        let Some(who) = who else {
            return Ok(None);
        };
        self.of(who).try_acquire_owned().map(Some).map_err(|_| ())
    }

    /// A place, as soon as there is one. Whoever is not counted needs none.
    pub(super) async fn take(&self, who: Option<Party>) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so that there is always a place in the end.
        self.of(who?).acquire_owned().await.ok()
    }
}

/// A place among the queries, and one in its caller's share of them.
pub(super) type Turn<'a> = (Option<OwnedSemaphorePermit>, SemaphorePermit<'a>);

/// No place among the queries came free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// Of all.
    All(usize),
    /// Of the caller's share.
    Own(usize),
}

impl Busy {
    /// How many places there are.
    pub(super) fn most(self) -> usize {
        match self {
            Self::All(most) | Self::Own(most) => most,
        }
    }

    /// The name of the bound.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Self::All(_) => "queries at the same time",
            Self::Own(_) => "queries of one caller at the same time",
        }
    }

    /// A sentence for the caller.
    pub(super) fn text(self) -> String {
        let (whose, so_many) = match self {
            Self::All(_) => ("", "so many"),
            Self::Own(_) => (" of this caller", "so many of one key or address"),
        };
        format!(
            "{} queries{whose} are being answered, and none ended in time; at most {so_many} are at once; try again in a moment",
            self.most()
        )
    }
}

impl App {
    /// A place among the queries for the request that is answered, as soon as there is one and
    /// within the time of a query.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, Busy> {
        let end = Instant::now() + self.limits.query_timeout();
        // One's own share first: whoever waits for that stands in nobody else's way.
        let own = &self.shares.queries;
        let taken = timeout_at(end, own.take(access::party())).await;
        let taken = taken.map_err(|_| Busy::Own(own.most()))?;
        match timeout_at(end, self.queries.acquire()).await {
            Ok(Ok(place)) => Ok((taken, place)),
            _ => Err(Busy::All(self.limits.concurrent_queries)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(name: usize) -> Option<Party> {
        Some(Party::Key(name.to_string()))
    }

    #[test]
    fn everybody_has_so_many_places_and_gets_them_back() {
        let shares = Shares::new(2);
        let one = shares.try_take(party(1)).unwrap();
        let two = shares.try_take(party(1)).unwrap();
        assert!(shares.try_take(party(1)).is_err());
        assert!(shares.try_take(party(2)).unwrap().is_some());
        for _ in 0..10 {
            assert!(shares.try_take(None).unwrap().is_none());
        }
        drop(one);
        assert!(shares.try_take(party(1)).is_ok());
        drop(two);
    }

    #[test]
    fn those_without_a_place_are_forgotten() {
        let shares = Shares::new(1);
        let held: Vec<_> = (0..40).map(|name| shares.try_take(party(name))).collect();
        for name in 0..10_000 {
            let _ = shares.try_take(party(name));
            let known = shares.parties.lock().unwrap().places.len();
            assert!(known <= 100, "{known}");
        }
        assert!(shares.try_take(party(7)).is_err(), "a place was forgotten");
        drop(held);
    }
}
