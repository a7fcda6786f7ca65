//! What became of an extrinsic, as its events tell.

use crate::{DispatchError, Event, Extrinsic, Metadata, dispatch_error};

/// What became of an extrinsic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtrinsicOutcome {
    /// Whether its call succeeded; `None` when its events do not say.
    pub success: Option<bool>,
    /// Why it failed.
    pub error: Option<DispatchError>,
    /// Fee paid in rao, tip included, where the runtime emits `TransactionFeePaid`. Not known is
    /// `None`, which is not the same as a fee of 0.
    pub fee: Option<u128>,
    /// Tip paid in rao: from the same event, else what the extrinsic itself offers.
    pub tip: Option<u128>,
}

/// Reads the outcome of an extrinsic from its own events, given in order.
pub fn extrinsic_outcome(meta: &Metadata, xt: &Extrinsic, events: &[&Event]) -> ExtrinsicOutcome {
    let mut outcome = ExtrinsicOutcome {
        tip: xt.tip(),
        ..ExtrinsicOutcome::default()
    };
    for event in events {
        if event.is("System", "ExtrinsicSuccess") {
            outcome.success = Some(true);
            outcome.error = None;
        } else if event.is("System", "ExtrinsicFailed") {
            outcome.success = Some(false);
            let error = event.field_or("dispatch_error", 0);
            outcome.error = error.map(|error| dispatch_error(meta, error));
        } else if event.is("TransactionPayment", "TransactionFeePaid") {
            outcome.fee = event
                .field_or("actual_fee", 1)
                .and_then(|fee| fee.as_u128());
            let tip = event.field_or("tip", 2).and_then(|tip| tip.as_u128());
            outcome.tip = tip.or(outcome.tip);
        }
    }
    outcome
}
