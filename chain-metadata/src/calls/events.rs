//! The reports of wrappers among the events of an extrinsic.

use super::wrapper::Report;
use crate::dispatch_error::dispatch_result;
use crate::{AccountId, DispatchError, Event, Metadata, Value, dispatch_error};

/// What a wrapper reports by an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marker {
    ItemCompleted,
    ItemFailed(DispatchError),
    BatchCompleted,
    BatchCompletedWithErrors,
    BatchInterrupted(u32, DispatchError),
    Result(Report, Result<(), DispatchError>),
    /// The multisig account, where the event names its fields, and the result.
    MultisigExecuted(Option<AccountId>, Result<(), DispatchError>),
    MultisigPending,
    IfElseMain,
    IfElseFallback(DispatchError),
    /// The event of a wrapper, but not of the form it should have.
    Unreadable,
}

/// The reports among the events, in order, with the position of each event.
pub(super) struct Markers<'a> {
    meta: &'a Metadata,
    events: &'a [&'a Event],
    /// Positions of events that are reports.
    positions: Vec<usize>,
}

impl<'a> Markers<'a> {
    pub(super) fn new(meta: &'a Metadata, events: &'a [&'a Event]) -> Self {
        let all = events.iter().enumerate();
        let positions = all.filter(|(_, event)| is_marker(event)).map(|(at, _)| at);
        Markers {
            meta,
            events,
            positions: positions.collect(),
        }
    }

    /// Number of reports that stand before a position.
    pub(super) fn count_before(&self, end: usize) -> usize {
        self.positions.partition_point(|at| *at < end)
    }

    /// The last report before a position, and where it is.
    pub(super) fn last_before(&self, end: usize) -> Option<(usize, Marker)> {
        let last = self.count_before(end).checked_sub(1)?;
        let at = *self.positions.get(last)?;
        Some((at, self.read(self.events.get(at)?)))
    }

    fn read(&self, event: &Event) -> Marker {
        let error = |name: &str, position: usize| {
            let value = event.field_or(name, position)?;
            Some(dispatch_error(self.meta, value))
        };
        let result = || {
            let mut values = event.fields.iter().map(|(_, value)| value);
            values.find_map(|value| dispatch_result(self.meta, value))
        };
        let report = |report| Some(Marker::Result(report, result()?));
        let marker = match (&*event.pallet, &*event.name) {
            ("Utility", "ItemCompleted") => Some(Marker::ItemCompleted),
            ("Utility", "BatchCompleted") => Some(Marker::BatchCompleted),
            ("Utility", "BatchCompletedWithErrors") => Some(Marker::BatchCompletedWithErrors),
            ("Utility", "ItemFailed") => error("error", 0).map(Marker::ItemFailed),
            ("Utility", "BatchInterrupted") => event
                .field_or("index", 0)
                .and_then(Value::as_u32)
                .zip(error("error", 1))
                .map(|(index, error)| Marker::BatchInterrupted(index, error)),
            ("Utility", "DispatchedAs") => report(Report::DispatchAs),
            ("Utility", "IfElseMainSuccess") => Some(Marker::IfElseMain),
            ("Utility", "IfElseFallbackCalled") => {
                error("main_error", 0).map(Marker::IfElseFallback)
            }
            ("Proxy", "ProxyExecuted") => report(Report::Proxy),
            ("Sudo", "Sudid") => report(Report::Sudo),
            ("Sudo", "SudoAsDone") => report(Report::SudoAs),
            ("SubtensorModule", "Sudid") => report(Report::SubtensorSudo),
            ("Multisig", "MultisigExecuted") => {
                let account = event.field("multisig").and_then(Value::as_account);
                result().map(|result| Marker::MultisigExecuted(account, result))
            }
            ("Multisig", "NewMultisig" | "MultisigApproval") => Some(Marker::MultisigPending),
            _ => None,
        };
        marker.unwrap_or(Marker::Unreadable)
    }
}

fn is_marker(event: &Event) -> bool {
    match &*event.pallet {
        "Utility" => matches!(
            &*event.name,
            "ItemCompleted"
                | "ItemFailed"
                | "BatchCompleted"
                | "BatchCompletedWithErrors"
                | "BatchInterrupted"
                | "DispatchedAs"
                | "IfElseMainSuccess"
                | "IfElseFallbackCalled"
        ),
        "Proxy" => &*event.name == "ProxyExecuted",
        "Sudo" => matches!(&*event.name, "Sudid" | "SudoAsDone"),
        "SubtensorModule" => &*event.name == "Sudid",
        "Multisig" => matches!(
            &*event.name,
            "MultisigExecuted" | "NewMultisig" | "MultisigApproval"
        ),
        _ => false,
    }
}
