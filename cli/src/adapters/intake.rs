//! The window's writing port over the ledger of results.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use challenges::ingest::{Admitted, Ingest, IngestError, Limits, Request};
use challenges::ledger::Ledger;
use challenges::sn61::report::Report;
use graphql::ports::{Delivery, Intake, NotTaken, Taken};
use serde_json::Value;

use crate::scorer::Scorer;

/// Takes reports into a store.
pub(crate) struct StoreIntake {
    ingest: Ingest,
    scorer: Option<Arc<Scorer>>,
}

impl StoreIntake {
    /// Into the ledger of a store, whose own chain says who is registered. Whatever else in this
    /// process writes records must share the ledger.
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        limits: Limits,
        scorer: Option<Arc<Scorer>>,
    ) -> StoreIntake {
        let registry = Arc::new(ledger.store().clone());
        StoreIntake {
            ingest: Ingest::new(ledger, registry, limits),
            scorer,
        }
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
        self.ingest.limits().body_bytes
    }

    fn take(&self, delivery: &Delivery<'_>) -> Result<Taken, NotTaken> {
        match self.ingest.take(request(delivery), now_ms()) {
            Ok(taken) => Ok(Taken {
                first: taken.first,
                count: taken.count,
                payload: taken.payload,
                repeated: taken.repeated,
            }),
            Err(error) => Err(refused(&error)),
        }
    }

    fn report(&self, delivery: &Delivery<'_>) -> Result<Value, NotTaken> {
        let netuid = delivery.netuid.0;
        let scorer = self.scorer.as_ref().filter(|s| s.netuid() == netuid);
        let Some(scorer) = scorer else {
            return Err(NotTaken {
                status: 404,
                code: "NO_SCORER".into(),
                detail: format!("nothing is scored centrally for subnet {netuid} here"),
            });
        };
        let taken = self.ingest.admit(request(delivery), now_ms(), |admitted| {
            let Admitted {
                hotkey,
                uid,
                body,
                provenance,
                seen,
            } = admitted;
            let report = Report::read(&body, Some((hotkey, uid))).map_err(|error| {
                Unfit(NotTaken {
                    status: 422,
                    code: "BAD_REPORT".into(),
                    detail: error.to_string(),
                })
            })?;
            let taken = scorer.take(&report, delivery.body, &provenance, seen);
            taken.map_err(|error| broken(&format!("{error:#}")))
        });
        let taken = taken.map_err(|Unfit(why)| why)?;
        serde_json::to_value(taken).map_err(|error| broken(&error.to_string()).0)
    }
}

/// Why a report is not taken in.
struct Unfit(NotTaken);

impl From<IngestError> for Unfit {
    fn from(error: IngestError) -> Unfit {
        Unfit(refused(&error))
    }
}

fn broken(why: &str) -> Unfit {
    Unfit(NotTaken {
        status: 500,
        code: "INTERNAL".into(),
        detail: why.to_owned(),
    })
}

fn request<'a>(delivery: &Delivery<'a>) -> Request<'a> {
    Request {
        netuid: delivery.netuid.0,
        headers: delivery.headers,
        body: delivery.body,
    }
}

fn refused(error: &IngestError) -> NotTaken {
    NotTaken {
        status: error.status(),
        code: error.code().to_owned(),
        detail: error.to_string(),
    }
}
