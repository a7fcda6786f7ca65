//! Signed requests in a form of their own, such as the reports of [`crate::sn61`]: checked as
//! reports of results are, and taken in by whoever knows the form.

use std::borrow::Cow;
use std::sync::PoisonError;

use chain_metadata::AccountId;
use indexer::store::engine::Batch;

use super::headers::Signed;
use super::{Ingest, IngestError, Request, body, seen};
use crate::record::{Provenance, Reporter};

/// A request of a registered hotkey that did not come before.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// Who signed it.
    pub hotkey: AccountId,
    /// Its uid in the subnet.
    pub uid: u16,
    /// The body, unpacked.
    pub body: Cow<'a, [u8]>,
    /// Where what comes of it comes from; the payload is the body as it was signed.
    pub provenance: Provenance,
    /// Rows to be written in the same batch as what comes of it, so that it comes once.
    pub seen: Batch,
}

impl Ingest {
    /// Checks size, headers, time, signature, registration and that the request is new, and
    /// gives it to `then`. Requests wait for each other, so that of two equal ones at the same
    /// time one is the second.
    ///
    /// # Errors
    ///
    /// [`IngestError`] when it is not admitted, and what `then` fails with.
    pub fn admit<T, E: From<IngestError>>(
        &self,
        request: Request<'_>,
        now_ms: u64,
        then: impl FnOnce(Admitted<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let limits = self.limits;
        if request.body.len() > limits.body_bytes {
            let max = limits.body_bytes;
            return Err(IngestError::BodyTooLarge { max }.into());
        }
        let mut signed = Signed::read(request.headers, request.body)?;
        let payload = signed.hash.clone();
        signed.check_python(request.body, now_ms, limits.window_ms)?;
        let (block, uid) = self.registered(request.netuid, &signed)?;

        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let store = self.ledger.store();
        let key = seen::request(&signed.hotkey, signed.at_ms, signed.time, &signed.hash);
        if seen::has(store, &key)? {
            return Err(IngestError::Replayed.into());
        }
        let body = match signed.gzip {
            true => Cow::Owned(body::unpacked(request.body, limits.unpacked_bytes)?),
            false => Cow::Borrowed(request.body),
        };
        let mut rows = Batch::default();
        seen::prune(store, &mut rows, now_ms, limits.window_ms)?;
        rows.put(key, Vec::new());
        then(Admitted {
            hotkey: signed.hotkey,
            uid: uid.0,
            body,
            provenance: Provenance {
                reporter: Reporter::Hotkey {
                    hotkey: signed.hotkey,
                    uid: uid.0,
                },
                received_ms: now_ms,
                checked_at: Some(block),
                signature: Some(hex::encode(&signed.signature)),
                payload,
            },
            seen: rows,
        })
    }
}
