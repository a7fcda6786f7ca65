//! Calls inside calls: who they act for and what became of them.

use std::fmt;

use crate::{AccountId, Call, DispatchError, Event, Extrinsic, ExtrinsicKind, Metadata};

mod accounts;
mod events;
mod settle;
mod tree;
mod wrapper;

pub use accounts::{derivative_account, multisig_account};

/// A call of an extrinsic: the outer one, or one inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedCall {
    /// Where it stands: empty for the outer call, `[1]` for the second call inside it, `[1, 0]`
    /// for the first call inside that, and so on.
    pub path: Vec<u32>,
    /// The call. Where an argument holds calls, each of them is left out (`Value::Unit` stands in
    /// its place), because it is an entry of its own: so the entries of an extrinsic together
    /// are never larger than the extrinsic. The outer call with everything in it is
    /// [`Extrinsic::call`].
    pub call: Call,
    /// Whom it acts for.
    pub origin: Origin,
    /// What became of it.
    pub outcome: Outcome,
}

/// Whom a call acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An account: the signer, the account it is proxy for, a multisig, a derived account.
    Signed(AccountId),
    /// The chain itself.
    Root,
    /// Nobody: inherents and unsigned transactions.
    None,
    /// Anything else, in words: a pallet's own origin, or `Pallet.function` for calls inside a
    /// call that is not known to be a wrapper.
    Other(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Signed(account) => account.fmt(f),
            Origin::Root => f.write_str("Root"),
            Origin::None => f.write_str("None"),
            Origin::Other(text) => f.write_str(text),
        }
    }
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was executed, and what it did holds.
    Succeeded,
    /// It was executed and failed, for this reason; it has changed nothing.
    Failed(DispatchError),
    /// It has changed nothing in this extrinsic. It was not reached (after the failing call of a
    /// batch, the fallback that was not needed, a multisig that waits for approvals), it was only
    /// scheduled for later, or it was executed and rolled back because a call around it failed:
    /// of the calls in a failed `batch_all` the events do not say which one it was.
    NotRun,
    /// The events do not say:
    ///
    /// - there is neither `ExtrinsicSuccess` nor `ExtrinsicFailed` among the events;
    /// - the call is inside a call that is not known to be a wrapper, such as a proposal that is
    ///   voted on first;
    /// - some call that is no known wrapper emitted the events by which wrappers report (for
    ///   example by executing a stored batch), so that reports cannot be told apart. Calls whose
    ///   report is certain all the same still have it;
    /// - the reports are not those that the call's structure leads to.
    Unknown,
}

/// Lists the outer call and all calls inside it, depth first, outer first.
///
/// `events` are those of this extrinsic in order. Wrappers are `Utility.batch`, `batch_all`,
/// `force_batch`, `as_derivative`, `dispatch_as`, `dispatch_as_fallible`, `with_weight`,
/// `if_else`; `Proxy.proxy`, `proxy_announced`; `Multisig.as_multi`, `as_multi_threshold_1`;
/// `Sudo.sudo`, `sudo_unchecked_weight`, `sudo_as` and the `sudo` calls of early
/// `SubtensorModule`; `Scheduler.schedule*`. In any other call, an argument that holds calls of
/// the runtime, in whatever structure, has them listed with [`Origin::Other`] and
/// [`Outcome::Unknown`].
///
/// # How outcomes are found
///
/// A wrapper deposits its report after everything its inner calls deposited, and a failing call
/// leaves no events. So the reports are read backwards from the end: the last one belongs to the
/// outer call; a batch's last item ended just before it; and so on inwards.
pub fn nested_calls(meta: &Metadata, xt: &Extrinsic, events: &[&Event]) -> Vec<NestedCall> {
    let mut root = tree::build(meta, &xt.call, origin_of(xt));
    settle::settle(meta, &mut root, events);
    let mut list = Vec::new();
    flatten(root, &mut list);
    list
}

fn origin_of(xt: &Extrinsic) -> Origin {
    match (&xt.kind, xt.signer()) {
        (_, Some(account)) => Origin::Signed(account),
        (ExtrinsicKind::Bare, None) => Origin::None,
        (ExtrinsicKind::Signed { .. }, None) => Origin::Other("address without account".into()),
        (ExtrinsicKind::General { .. }, None) => Origin::Other("transaction extensions".into()),
    }
}

fn flatten(node: tree::Node, list: &mut Vec<NestedCall>) {
    list.push(NestedCall {
        path: node.path,
        call: node.call,
        origin: node.origin,
        outcome: node.outcome,
    });
    for child in node.children {
        flatten(child, list);
    }
}
