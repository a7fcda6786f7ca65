//! From the events of an extrinsic to the outcome of every call in it.

use super::events::{Marker, Markers};
use super::tree::Node;
use super::wrapper::{Report, Wrapper};
use super::{Origin, Outcome};
use crate::{AccountId, DispatchError, Event, Metadata, dispatch_error};

/// Fills in the outcomes of a tree of calls.
pub(super) fn settle(meta: &Metadata, root: &mut Node, events: &[&Event]) {
    let last = events.iter().enumerate().rev().find_map(|(at, event)| {
        let verdict = if event.is("System", "ExtrinsicSuccess") {
            None
        } else if event.is("System", "ExtrinsicFailed") {
            Some(event.field_or("dispatch_error", 0))
        } else {
            return None;
        };
        Some((at, verdict))
    });
    match last {
        None => unknown(root),
        Some((_, Some(Some(error)))) => failed(root, &dispatch_error(meta, error)),
        Some((_, Some(None))) => unknown(root),
        Some((end, None)) => {
            let mut walk = Walk {
                markers: Markers::new(meta, events),
                cautious: false,
                conflict: false,
            };
            let start = walk.succeeded(root, End::Last(end));
            // A report that belongs to no wrapper may have been taken for one that does.
            if walk.markers.count_before(start) > 0 {
                walk.conflict = true;
            }
            if walk.conflict {
                unknown(root);
                walk.cautious = true;
                walk.succeeded(root, End::Last(end));
            }
        }
    }
}

/// Where the events of a call end.
#[derive(Clone, Copy)]
enum End {
    /// Right before this position.
    At(usize),
    /// Before this position, with nothing but events that are no reports in between: behind the
    /// outer call come the events of the fee.
    Last(usize),
}

impl End {
    fn position(self) -> usize {
        match self {
            End::At(position) | End::Last(position) => position,
        }
    }
}

struct Walk<'a> {
    markers: Markers<'a>,
    /// Whether some reports are not from the wrappers in the tree. Then only those are trusted
    /// that directly follow from the end.
    cautious: bool,
    conflict: bool,
}

impl Walk<'_> {
    /// Settles a call that is known to have succeeded. Gives the position from which on all its
    /// reports stand.
    fn succeeded(&mut self, node: &mut Node, end: End) -> usize {
        node.outcome = Outcome::Succeeded;
        match node.wrapper {
            Wrapper::Leaf => end.position(),
            Wrapper::Unknown => {
                node.children.iter_mut().for_each(unknown);
                end.position()
            }
            Wrapper::Schedule => {
                node.children.iter_mut().for_each(not_run);
                end.position()
            }
            Wrapper::PassThrough => self.only_child(node, end),
            Wrapper::Batch | Wrapper::BatchAll | Wrapper::ForceBatch => self.batch(node, end),
            Wrapper::IfElse => self.if_else(node, end),
            Wrapper::AsMultiThreshold1 => match self.report(end) {
                // Only later runtimes report here, and only successes: a failure is passed on.
                Some((at, Marker::MultisigExecuted(account, Ok(()))))
                    if account.is_some_and(|account| acts_for(&node.children, account)) =>
                {
                    self.only_child(node, End::At(at))
                }
                _ => self.only_child(node, end),
            },
            _ => self.reporting(node, end),
        }
    }

    fn only_child(&mut self, node: &mut Node, end: End) -> usize {
        match node.children.as_mut_slice() {
            [only] => self.succeeded(only, end),
            _ => self.contradiction(node, end),
        }
    }

    /// The report a call ends with.
    fn report(&self, end: End) -> Option<(usize, Marker)> {
        let (at, marker) = self.markers.last_before(end.position())?;
        match end {
            End::At(position) if at + 1 != position => None,
            _ => Some((at, marker)),
        }
    }

    /// The events are not what the call should have left.
    fn contradiction(&mut self, node: &mut Node, end: End) -> usize {
        self.conflict = true;
        node.children.iter_mut().for_each(unknown);
        end.position()
    }

    fn reporting(&mut self, node: &mut Node, end: End) -> usize {
        let Some((at, marker)) = self.report(end) else {
            return self.contradiction(node, end);
        };
        match (node.wrapper, marker) {
            (Wrapper::Approval, Marker::MultisigPending) => at,
            (Wrapper::AsMulti, Marker::MultisigPending) => {
                node.children.iter_mut().for_each(not_run);
                at
            }
            (Wrapper::AsMulti, Marker::MultisigExecuted(_, result)) => {
                self.result(node, at, result)
            }
            (Wrapper::Reporting(wanted), Marker::Result(found, result)) if wanted == found => {
                self.result(node, at, result)
            }
            (Wrapper::DispatchAsFallible, Marker::Result(Report::DispatchAs, result)) => {
                self.result(node, at, result)
            }
            _ => self.contradiction(node, end),
        }
    }

    fn result(&mut self, node: &mut Node, at: usize, result: Result<(), DispatchError>) -> usize {
        match result {
            Ok(()) => self.only_child(node, End::At(at)),
            Err(error) => {
                node.children
                    .iter_mut()
                    .for_each(|child| failed(child, &error));
                at
            }
        }
    }

    fn if_else(&mut self, node: &mut Node, end: End) -> usize {
        match (self.report(end), node.children.as_mut_slice()) {
            (Some((at, Marker::IfElseMain)), [main, fallback]) => {
                not_run(fallback);
                self.succeeded(main, End::At(at))
            }
            (Some((at, Marker::IfElseFallback(error))), [main, fallback]) => {
                failed(main, &error);
                self.succeeded(fallback, End::At(at))
            }
            _ => self.contradiction(node, end),
        }
    }

    fn batch(&mut self, node: &mut Node, end: End) -> usize {
        let Some((at, marker)) = self.report(end) else {
            return self.contradiction(node, end);
        };
        let (done, mixed) = match (node.wrapper, marker) {
            (_, Marker::BatchCompleted) => (node.children.len(), false),
            (Wrapper::ForceBatch, Marker::BatchCompletedWithErrors) => (node.children.len(), true),
            (Wrapper::Batch, Marker::BatchInterrupted(index, error)) => {
                let failing = usize::try_from(index).unwrap_or(usize::MAX);
                let Some((done, [first, rest @ ..])) = node.children.split_at_mut_checked(failing)
                else {
                    return self.contradiction(node, end);
                };
                failed(first, &error);
                rest.iter_mut().for_each(not_run);
                (done.len(), false)
            }
            _ => return self.contradiction(node, end),
        };
        let items = node.children.get_mut(..done).unwrap_or_default();
        self.items(items, mixed, at)
    }

    /// Settles the items of a batch that were executed, last first. `mixed` is whether some of
    /// them may have failed.
    fn items(&mut self, items: &mut [Node], mixed: bool, end: usize) -> usize {
        // An item's report stands right before the batch's own, and right before that of a failed
        // item; but where the events of an item that succeeded begin, only the report before them
        // tells.
        let mut position = Some(End::At(end));
        let mut lowest = end;
        for item in items.iter_mut().rev() {
            match position.and_then(|end| self.report(end)) {
                Some((at, Marker::ItemCompleted)) => {
                    lowest = self.succeeded(item, End::At(at));
                    position = (!self.cautious).then_some(End::Last(lowest));
                }
                Some((at, Marker::ItemFailed(error))) if mixed => {
                    failed(item, &error);
                    (lowest, position) = (at, Some(End::At(at)));
                }
                _ => {
                    self.conflict |= position.is_some();
                    position = None;
                    unknown(item);
                    if !mixed {
                        item.outcome = Outcome::Succeeded;
                    }
                }
            }
        }
        lowest
    }
}

/// Whether the calls are made in the name of an account.
fn acts_for(calls: &[Node], account: AccountId) -> bool {
    calls
        .iter()
        .all(|call| call.origin == Origin::Signed(account))
}

/// A call that failed, and with it everything inside.
fn failed(node: &mut Node, error: &DispatchError) {
    node.outcome = Outcome::Failed(error.clone());
    let signed = matches!(node.origin, Origin::Signed(_));
    let root = node.origin == Origin::Root;
    let of_multisig =
        matches!(error, DispatchError::Module { pallet, .. } if &**pallet == "Multisig");
    let passes_on = match node.wrapper {
        Wrapper::PassThrough if &*node.call.name == "with_weight" => root,
        Wrapper::PassThrough => signed,
        Wrapper::AsMultiThreshold1 => signed && !of_multisig,
        Wrapper::DispatchAsFallible => root,
        // The error is that of the last call, the fallback.
        Wrapper::IfElse => true,
        _ => false,
    };
    if let Some((last, others)) = node.children.split_last_mut() {
        others.iter_mut().for_each(not_run);
        if passes_on {
            failed(last, error);
        } else {
            not_run(last);
        }
    }
}

fn not_run(node: &mut Node) {
    node.outcome = Outcome::NotRun;
    node.children.iter_mut().for_each(not_run);
}

fn unknown(node: &mut Node) {
    node.outcome = Outcome::Unknown;
    node.children.iter_mut().for_each(unknown);
}
