//! The steps from A to B.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::common::Common;
use super::params::{self, Take};
use super::{Cause, Measure, Options};
use crate::fixed::I64F64;
use crate::yuma::{EpochInputs, Row};

/// One step: a cause, and what to replace.
pub(super) struct Step {
    pub(super) cause: Cause,
    what: What,
}

/// What a step replaces; several uids where they share a term.
enum What {
    Rules,
    Hyperparameter(Take),
    Departures(Vec<u16>),
    Arrivals(Vec<u16>),
    Clock,
    Permits,
    Owner,
    Stakes(Vec<u16>),
    Weights(Vec<u16>),
    Bonds(Vec<u16>),
}

/// All steps whose input differs, in their order.
pub(super) fn plan(common: &Common, options: &Options) -> Vec<Step> {
    let (a, b) = (&common.a, &common.b);
    let mut plan = Plan {
        common,
        detail: options.detail,
        steps: vec![],
    };
    plan.one(a.rules != b.rules, Cause::Rules, What::Rules);
    for (name, take) in params::ALL {
        let mut changed = a.params;
        take(&mut changed, &b.params);
        plan.one(
            changed != a.params,
            Cause::Hyperparameter(name),
            What::Hyperparameter(*take),
        );
    }
    plan.each(&common.departed, Cause::Departure, What::Departures);
    plan.each(&common.arrived, Cause::Arrival, What::Arrivals);
    let times = |inputs: &EpochInputs<'_>, uid: u16| {
        let uid = usize::from(uid);
        [
            inputs.last_update.get(uid).copied(),
            inputs.block_at_registration.get(uid).copied(),
            inputs.commit_blocks.get(uid).copied(),
        ]
    };
    let clock = (a.block, a.last_step_block) != (b.block, b.last_step_block)
        || plan.differ(|uid| times(a, uid) != times(b, uid));
    plan.one(clock, Cause::Clock, What::Clock);
    let permit =
        |inputs: &EpochInputs<'_>, uid| inputs.validator_permit.get(usize::from(uid)).copied();
    let permits = plan.differ(|uid| permit(a, uid) != permit(b, uid));
    plan.one(permits, Cause::Permits, What::Permits);
    plan.one(a.owner_uid != b.owner_uid, Cause::Owner, What::Owner);

    let stakes = plan.stayed(|uid| stake(a, uid) != stake(b, uid));
    plan.each(&stakes, Cause::Stake, What::Stakes);
    let weights = plan.stayed(|uid| common.left_of(&a.weights, uid) != entries(&b.weights, uid));
    plan.each(&weights, Cause::Weights, What::Weights);
    if options.measure == Measure::Dividends {
        let bonds = plan.stayed(|uid| common.left_of(&a.bonds, uid) != entries(&b.bonds, uid));
        plan.each(&bonds, Cause::Bonds, What::Bonds);
    }
    plan.steps
}

struct Plan<'a> {
    common: &'a Common,
    detail: usize,
    steps: Vec<Step>,
}

impl Plan<'_> {
    fn one(&mut self, differs: bool, cause: Cause, what: What) {
        if differs {
            self.steps.push(Step { cause, what });
        }
    }

    /// A step for each of the uids with the greatest stakes, and one for the others together.
    fn each(&mut self, uids: &[u16], cause: fn(Option<u32>) -> Cause, what: fn(Vec<u16>) -> What) {
        let greater_stake = |uid: u16| stake(&self.common.a, uid).max(stake(&self.common.b, uid));
        let mut uids = uids.to_vec();
        uids.sort_by_key(|uid| (Reverse(greater_stake(*uid)), *uid));
        let rest = uids.split_off(uids.len().min(self.detail));
        for uid in uids {
            let hotkey = self.common.hotkey_of(uid);
            self.one(true, cause(hotkey), what(vec![uid]));
        }
        self.one(!rest.is_empty(), cause(None), what(rest));
    }

    /// True if a hotkey that is in both epochs differs.
    fn differ(&self, differs: impl Fn(u16) -> bool) -> bool {
        !self.stayed(differs).is_empty()
    }

    /// The uids of hotkeys that are in both epochs and differ.
    fn stayed(&self, differs: impl Fn(u16) -> bool) -> Vec<u16> {
        let is_new = |uid: &u16| self.common.arrived.binary_search(uid).is_ok();
        let all = (0..self.common.b.n).filter(|uid| !self.common.is_gone(*uid) && !is_new(uid));
        all.filter(|uid| differs(*uid)).collect()
    }
}

impl Common {
    fn is_gone(&self, uid: u16) -> bool {
        self.departed.binary_search(&uid).is_ok()
    }

    /// The entries of a row without those for hotkeys that left; none for no row.
    fn left_of(&self, rows: &[Row<'static>], uid: u16) -> Option<Vec<(u16, u16)>> {
        let mut left = entries(rows, uid)?;
        left.retain(|(miner, _)| !self.is_gone(*miner));
        Some(left)
    }
}

impl Step {
    /// Replaces what the step is about.
    pub(super) fn apply(&self, common: &Common, state: &mut EpochInputs<'static>) {
        let b = &common.b;
        match &self.what {
            What::Rules => state.rules = b.rules,
            What::Hyperparameter(take) => take(&mut state.params, &b.params),
            What::Departures(uids) => {
                let is_gone = |uid: u16| uids.contains(&uid);
                uids.iter().for_each(|uid| set_all(state, *uid, b));
                for rows in [&mut state.weights, &mut state.bonds] {
                    rows.retain(|row| !is_gone(row.uid));
                    for row in rows {
                        row.entries.to_mut().retain(|(uid, _)| !is_gone(*uid));
                    }
                }
            }
            What::Arrivals(uids) => {
                for uid in uids {
                    set_all(state, *uid, b);
                    set_row(&mut state.weights, *uid, &b.weights);
                    set_row(&mut state.bonds, *uid, &b.bonds);
                }
            }
            What::Clock => {
                state.block = b.block;
                state.last_step_block = b.last_step_block;
                state.last_update.clone_from(&b.last_update);
                state.commit_blocks.clone_from(&b.commit_blocks);
                let registered = &mut state.block_at_registration;
                registered.clone_from(&b.block_at_registration);
            }
            What::Permits => state.validator_permit.clone_from(&b.validator_permit),
            What::Owner => state.owner_uid = b.owner_uid,
            What::Stakes(uids) => {
                for uid in uids {
                    set(&mut state.total_stake, *uid, &b.total_stake);
                }
            }
            What::Weights(uids) => {
                for uid in uids {
                    set_row(&mut state.weights, *uid, &b.weights);
                }
            }
            What::Bonds(uids) => {
                for uid in uids {
                    set_row(&mut state.bonds, *uid, &b.bonds);
                }
            }
        }
    }
}

fn stake(inputs: &EpochInputs<'_>, uid: u16) -> I64F64 {
    let stake = inputs.total_stake.get(usize::from(uid));
    stake.copied().unwrap_or(I64F64::ZERO)
}

fn entries(rows: &[Row<'static>], uid: u16) -> Option<Vec<(u16, u16)>> {
    let row = rows.iter().find(|row| row.uid == uid)?;
    Some(row.entries.to_vec())
}

/// Takes one uid's entry of a vector.
fn set<T: Copy>(to: &mut Cow<'static, [T]>, uid: u16, from: &[T]) {
    let uid = usize::from(uid);
    if let (Some(to), Some(from)) = (to.to_mut().get_mut(uid), from.get(uid)) {
        *to = *from;
    }
}

/// Takes one uid's entry of every vector.
fn set_all(to: &mut EpochInputs<'static>, uid: u16, from: &EpochInputs<'static>) {
    set(&mut to.total_stake, uid, &from.total_stake);
    set(&mut to.validator_permit, uid, &from.validator_permit);
    set(&mut to.last_update, uid, &from.last_update);
    set(&mut to.commit_blocks, uid, &from.commit_blocks);
    let registered = &mut to.block_at_registration;
    set(registered, uid, &from.block_at_registration);
}

/// Takes one uid's row, or its absence.
fn set_row(to: &mut Vec<Row<'static>>, uid: u16, from: &[Row<'static>]) {
    to.retain(|row| row.uid != uid);
    to.extend(from.iter().find(|row| row.uid == uid).cloned());
}
