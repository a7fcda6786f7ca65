//! The verdict, out of the evidence alone.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::BlockNumber;
use indexer::commits::State;
use indexer::store::history::SetKind;
use scoring::local::sn42::chain::{Row, Scaling};

use super::{Difference, Evidence, Question, Verdict};

/// The verdict out of the evidence alone.
pub(super) fn judge(
    question: &Question,
    evidence: &Evidence,
) -> (Verdict, Option<Difference>, String) {
    let set_at = evidence.set.as_ref().map(|set| set.block);
    // A commit says something only while it is younger than what was set, and no older than
    // what is asked about.
    let commit = evidence
        .commit
        .as_ref()
        .filter(|commit| set_at.is_none_or(|set| commit.block > set))
        .filter(|commit| question.since.is_none_or(|since| commit.block > since));
    let landed = match (question.since, set_at) {
        (Some(since), Some(set)) => set > since,
        (Some(_), None) => false,
        (None, _) => true,
    };
    let difference = match (&question.expected, &evidence.row) {
        (Some(expected), Some(row)) => difference(expected, row, evidence.scaling),
        _ => None,
    };
    let matches = question.expected.is_some() && evidence.row.is_some() && difference.is_none();
    if let Some(commit) = commit
        && !(matches && landed)
    {
        if commit.state.is_open() {
            let reason = format!(
                "committed at block {}, not revealed by block {}; LastUpdate is that of the commit",
                commit.block, evidence.block
            );
            return (Verdict::Committed, difference, reason);
        }
        if matches!(
            commit.state,
            State::Expired | State::Failed | State::Orphaned | State::Superseded
        ) {
            let why = commit
                .reason
                .as_deref()
                .unwrap_or("it was not revealed in time");
            let reason = format!(
                "committed at block {}, over since block {}: {why}",
                commit.block, commit.since
            );
            return (Verdict::Expired, difference, reason);
        }
    }
    let Some(row_since) = evidence.row_since.filter(|_| evidence.row.is_some()) else {
        let reason = format!("no row was stored up to block {}", evidence.block);
        return (Verdict::Never, None, reason);
    };
    // What was set before the stored blocks is as old as LastUpdate says where that tells of
    // rows, and as old as the row otherwise.
    let told = evidence.last_update.filter(|_| !evidence.commit_reveal);
    let told = told.and_then(|block| BlockNumber::try_from(block).ok());
    let last = set_at.or(told).unwrap_or(row_since);
    if !landed {
        let since = question.since.unwrap_or(0);
        let reason = format!("nothing was set after block {since}; the row is of block {last}");
        return (Verdict::Stale, difference, reason);
    }
    if let Some(difference) = difference {
        let reason = match difference {
            Difference::Quantisation => {
                format!("the row of block {last} differs from the expected one by rounding only")
            }
            Difference::Real(uids) => {
                format!("the row of block {last} differs from the expected one in {uids} uids")
            }
        };
        return (Verdict::ChangedOnChain, Some(difference), reason);
    }
    let age = evidence.block.saturating_sub(last);
    let limit = u32::from(evidence.tempo).saturating_mul(question.stale_tempos);
    if age > limit {
        let reason = format!("set at block {last}, {age} blocks ago; {limit} are the most");
        return (Verdict::Stale, None, reason);
    }
    let how = evidence
        .set
        .as_ref()
        .map_or("before the stored blocks", |set| match set.row.kind {
            SetKind::Direct => "by a call",
            SetKind::Batch => "by a call for several subnets",
            SetKind::HashReveal => "by the reveal of a hash",
            SetKind::TimelockReveal => "by the chain, out of a time lock",
            SetKind::Contract => "by a contract",
            SetKind::Scheduled => "by a scheduled call",
        });
    (Verdict::Set, None, format!("set at block {last} {how}"))
}

/// How a stored row differs from what should be stored of the one that was sent.
fn difference(sent: &Row, stored: &Row, scaling: Scaling) -> Option<Difference> {
    let by_uid = |uids: &[u16], values: &[u16]| -> BTreeMap<u16, u16> {
        uids.iter().copied().zip(values.iter().copied()).collect()
    };
    let wanted = by_uid(&sent.uids, &scaling.stored(&sent.values));
    let found = by_uid(&stored.uids, &stored.values);
    if wanted == found {
        return None;
    }
    let all: BTreeSet<u16> = wanted.keys().chain(found.keys()).copied().collect();
    let mut other = 0;
    let mut rounding = true;
    for uid in all {
        match (wanted.get(&uid), found.get(&uid)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) if a.abs_diff(*b) == 1 => other += 1,
            _ => {
                other += 1;
                rounding = false;
            }
        }
    }
    Some(if rounding {
        Difference::Quantisation
    } else {
        Difference::Real(other)
    })
}
