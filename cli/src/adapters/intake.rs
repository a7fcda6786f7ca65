//! The window's writing port over the ledger of results.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use challenges::ingest::{Ingest, Limits, Request};
use challenges::ledger::Ledger;
use graphql::ports::{Delivery, Intake, NotTaken, Taken};

/// Takes reports into a store.
pub(crate) struct StoreIntake(Ingest);

impl StoreIntake {
    /// Into the ledger of a store, whose own chain says who is registered. Whatever else in this
    /// process writes records must share the ledger.
    pub(crate) fn new(ledger: Arc<Ledger>, limits: Limits) -> StoreIntake {
        let registry = Arc::new(ledger.store().clone());
        StoreIntake(Ingest::new(ledger, registry, limits))
    }
}

/// Milliseconds since 1970 by this machine's clock.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

impl Intake for StoreIntake {
    fn body_bytes(&self) -> usize {
        self.0.limits().body_bytes
    }

    fn take(&self, delivery: &Delivery<'_>) -> Result<Taken, NotTaken> {
        let request = Request {
            netuid: delivery.netuid.0,
            headers: delivery.headers,
            body: delivery.body,
        };
        match self.0.take(request, now_ms()) {
            Ok(taken) => Ok(Taken {
                first: taken.first,
                count: taken.count,
                payload: taken.payload,
                repeated: taken.repeated,
            }),
            Err(error) => Err(NotTaken {
                status: error.status(),
                code: error.code().to_owned(),
                detail: error.to_string(),
            }),
        }
    }
}
