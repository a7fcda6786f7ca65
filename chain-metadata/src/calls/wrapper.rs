//! Which calls execute other calls, and how.

use std::sync::Arc;

use super::Origin;
use super::accounts::{derivative_account, multisig_account};
use crate::{AccountId, Value};

/// How a call deals with the calls inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapper {
    /// There are none.
    Leaf,
    /// There are none, but it deposits a report of its own: `Multisig.approve_as_multi`.
    Approval,
    /// One after another until one fails, then stops; succeeds all the same.
    Batch,
    /// One after another; fails if one does.
    BatchAll,
    /// All of them, whatever happens.
    ForceBatch,
    /// One, without a report, passing its error on.
    PassThrough,
    /// One, reporting its result; succeeds all the same. The report is one of [`Report`]'s.
    Reporting(Report),
    /// One, reporting success; passes its error on.
    DispatchAsFallible,
    /// One when enough signatories have approved.
    AsMulti,
    /// One; passes its error on, later runtimes report success.
    AsMultiThreshold1,
    /// The second when the first fails.
    IfElse,
    /// One, later.
    Schedule,
    /// Calls are inside, but what happens to them is not known.
    Unknown,
}

/// Whose report it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    Proxy,
    Sudo,
    SudoAs,
    SubtensorSudo,
    DispatchAs,
}

/// Arguments with their names, as they stand in the value of a call.
type Args<'a> = &'a [(Arc<str>, &'a Value)];

pub(super) fn of(pallet: &str, name: &str, children: usize) -> Wrapper {
    use Wrapper::*;
    let wrapper = match (pallet, name) {
        ("Utility", "batch") => Batch,
        ("Utility", "batch_all") => BatchAll,
        ("Utility", "force_batch") => ForceBatch,
        ("Utility", "as_derivative" | "with_weight") => PassThrough,
        ("Utility", "dispatch_as") => Reporting(Report::DispatchAs),
        ("Utility", "dispatch_as_fallible") => DispatchAsFallible,
        ("Utility", "if_else") => IfElse,
        ("Proxy", "proxy" | "proxy_announced") => Reporting(Report::Proxy),
        ("Multisig", "as_multi") => AsMulti,
        ("Multisig", "as_multi_threshold_1") => AsMultiThreshold1,
        ("Multisig", "approve_as_multi") => Approval,
        ("Sudo", "sudo" | "sudo_unchecked_weight") => Reporting(Report::Sudo),
        ("Sudo", "sudo_as") => Reporting(Report::SudoAs),
        ("SubtensorModule", "sudo" | "sudo_unchecked_weight") => Reporting(Report::SubtensorSudo),
        ("Scheduler", name) if name.starts_with("schedule") => Schedule,
        _ => Unknown,
    };
    let expected = match wrapper {
        Batch | BatchAll | ForceBatch => children,
        IfElse => 2,
        Approval | Leaf => 0,
        Unknown => 1.max(children),
        _ => 1,
    };
    match (children == expected, children) {
        (true, _) => wrapper,
        // A wrapper of an unexpected form, for example one that holds its call as plain bytes.
        (false, 0) => Leaf,
        (false, _) => Unknown,
    }
}

/// Whom the calls inside a call act for.
pub(super) fn inner_origin(
    wrapper: Wrapper,
    pallet: &str,
    name: &str,
    args: Args<'_>,
    outer: &Origin,
) -> Origin {
    let arg = |wanted: &str| {
        let found = args.iter().find(|(name, _)| &**name == wanted);
        found.map(|(_, value)| *value)
    };
    let account_in = |wanted: &str| match arg(wanted).and_then(Value::as_address) {
        Some(account) => Origin::Signed(account),
        None => Origin::Other(format!("the address in `{wanted}`")),
    };
    match wrapper {
        Wrapper::Batch | Wrapper::BatchAll | Wrapper::ForceBatch | Wrapper::IfElse => outer.clone(),
        Wrapper::PassThrough if name == "with_weight" => Origin::Root,
        Wrapper::PassThrough => derived(outer, arg("index")),
        Wrapper::Reporting(Report::Proxy) => account_in("real"),
        Wrapper::Reporting(Report::SudoAs) => account_in("who"),
        Wrapper::Reporting(Report::Sudo | Report::SubtensorSudo) => Origin::Root,
        Wrapper::Reporting(Report::DispatchAs) | Wrapper::DispatchAsFallible => {
            caller(arg("as_origin"))
        }
        Wrapper::AsMulti => {
            let threshold = arg("threshold").and_then(Value::as_u16);
            multisig(outer, arg("other_signatories"), threshold)
        }
        Wrapper::AsMultiThreshold1 => multisig(outer, arg("other_signatories"), Some(1)),
        Wrapper::Schedule if *outer == Origin::Root => Origin::Root,
        Wrapper::Schedule => Origin::Other("scheduled".into()),
        Wrapper::Leaf | Wrapper::Approval | Wrapper::Unknown => {
            Origin::Other(format!("{pallet}.{name}"))
        }
    }
}

fn derived(outer: &Origin, index: Option<&Value>) -> Origin {
    match (outer, index.and_then(Value::as_u16)) {
        (Origin::Signed(who), Some(index)) => Origin::Signed(derivative_account(*who, index)),
        _ => Origin::Other(format!("an account derived from {outer}")),
    }
}

fn multisig(outer: &Origin, others: Option<&Value>, threshold: Option<u16>) -> Origin {
    let others: Option<Vec<AccountId>> =
        others.and_then(|list| list.items().iter().map(Value::as_account).collect());
    match (outer, others, threshold) {
        (Origin::Signed(who), Some(mut signatories), Some(threshold)) => {
            signatories.push(*who);
            Origin::Signed(multisig_account(&signatories, threshold))
        }
        _ => Origin::Other(format!("a multisig of {outer} and others")),
    }
}

/// An origin written out as an argument: the system's, or that of another pallet.
fn caller(value: Option<&Value>) -> Origin {
    let Some(value) = value else {
        return Origin::Other("an origin that is not given".into());
    };
    let inner = match (value.variant_name(), value.fields()) {
        (Some("system"), [(_, raw)]) => raw,
        (Some(pallet), [(_, inner)]) => {
            let name = inner.variant_name().map(|name| format!("{pallet}.{name}"));
            return Origin::Other(name.unwrap_or_else(|| pallet.to_owned()));
        }
        (Some(pallet), _) => return Origin::Other(pallet.to_owned()),
        (None, _) => return Origin::Other("an origin of unknown form".into()),
    };
    match (inner.variant_name(), inner.fields()) {
        (Some("Root"), _) => Origin::Root,
        (Some("None"), _) => Origin::None,
        (Some("Signed"), [(_, account)]) => match account.as_account() {
            Some(account) => Origin::Signed(account),
            None => Origin::Other("system.Signed".into()),
        },
        (name, _) => Origin::Other(format!("system.{}", name.unwrap_or("origin"))),
    }
}
