//! The commit ledger: an entry a commit, a step a thing that happened to it.
//!
//! What a block says (its events, and calls for what events leave out) moves the
//! entries, and so does time: a commit is due in the epoch that its subnet's
//! reveal period names, and its time is over when that epoch is.
//!
//! The order inside a block is the chain's: time first, then what happened at the
//! block's beginning (timelocked reveals), then the extrinsics.

mod clock;
mod ledger;
mod time;
mod weights;

use chain_metadata::{AccountId, Event, Phase, Value, split_storage_index};

use crate::IndexError;
use crate::commits::{
    self, COMMITMENTS, CallAt, CommitCall, CommitRow, Entry, Kind, Reveal, State, Transition,
};
use crate::items::PALLET;
use crate::plan::Prepared;
use crate::stages::Tip;
use crate::store::{Batch, Store, StoreError};

use clock::Clock;
pub use ledger::Ledger;
use weights::hashes;

/// Rows of the tables of the ledger.
pub fn rows(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    batch: &mut Batch,
) -> Result<(), IndexError> {
    let mut ledger = match (tip.commits.take(), tip.checkpoint) {
        (Some(ledger), _) => ledger,
        (None, Some(last)) => Ledger::load(store, last.last)?,
        (None, None) => Ledger::default(),
    };
    ledger.clocks.learn(block);
    ledger.begin(block.raw.number);
    let mut work = Work {
        store,
        tip,
        block,
        batch,
        ledger: &mut ledger,
        used: Vec::new(),
    };
    work.run()?;
    tip.commits = Some(ledger);
    Ok(())
}

/// Removes the entries that begin in a block.
pub fn forget(store: &Store, block: u32, batch: &mut Batch) -> Result<(), StoreError> {
    store.forget_commits(block, batch)
}

/// One block's work on the ledger.
struct Work<'a> {
    store: &'a Store,
    tip: &'a Tip,
    block: &'a Prepared,
    batch: &'a mut Batch,
    ledger: &'a mut Ledger,
    /// Calls that an entry already claims, by their place in the list.
    used: Vec<usize>,
}

impl<'a> Work<'a> {
    fn run(&mut self) -> Result<(), IndexError> {
        if self.ledger.is_ticking() {
            self.time()?;
        }
        let block: &'a Prepared = self.block;
        let said = &block.decoded.commits;
        if said.calls.is_empty() && said.events.is_empty() {
            return self.close_epochs();
        }
        let initial = |e: &&Event| e.phase == Phase::Initialization;
        for event in said.events.iter().filter(initial) {
            self.event(event)?;
        }
        self.close_epochs()?;
        // Old runtimes tell of a commit by no event; then the calls are asked.
        let told = self.has_event("WeightsCommitted");
        let mut calls = said.calls.iter().enumerate().peekable();
        let later = said.events.iter().filter(|e| !initial(e));
        for event in later {
            let at = event.extrinsic_index().unwrap_or(u32::MAX);
            while let Some((place, call)) = calls.next_if(|(_, c)| c.extrinsic < at) {
                self.call(place, call, told)?;
            }
            self.event(event)?;
        }
        for (place, call) in calls {
            self.call(place, call, told)?;
        }
        Ok(())
    }

    /// Whether the runtime has an event of this name.
    fn has_event(&self, name: &str) -> bool {
        let metadata = &self.block.layout.metadata;
        let events = metadata.pallet(PALLET).and_then(|p| p.events);
        let variants = events.and_then(|ty| metadata.types().variants(ty));
        variants.is_some_and(|v| v.by_name(name).is_some())
    }

    fn clock(&mut self, netuid: u16) -> Result<Option<Clock>, IndexError> {
        self.ledger
            .clocks
            .of(self.store, self.tip, self.block, netuid)
    }

    fn event(&mut self, event: &Event) -> Result<(), IndexError> {
        if &*event.pallet == COMMITMENTS {
            return self.commitment(event);
        }
        let (numbers, accounts) = leading(event);
        match (&*event.name, numbers.first(), accounts.first()) {
            ("WeightsCommitted", Some(index), Some(who)) => self.hash_commit(event, *index, *who),
            ("WeightsRevealed" | "WeightsBatchRevealed", Some(index), Some(who)) => {
                for hash in hashes(event) {
                    self.hash_reveal(event, *index, *who, hash)?;
                }
                Ok(())
            }
            ("NetworkRemoved", Some(netuid), _) => {
                let gone = |e: &Entry| subnet(e.row.index) == *netuid;
                for id in self.ledger.held(gone) {
                    let reason = Some(format!("subnet {netuid} was dissolved"));
                    self.orphan(id, reason);
                    self.step(id, Transition::Released);
                }
                Ok(())
            }
            ("NeuronRegistered", Some(netuid), Some(who)) => {
                let Some(uid) = numbers.get(1) else {
                    return Ok(());
                };
                let lost = |e: &Entry| {
                    e.row.kind != Kind::Commitment
                        && subnet(e.row.index) == *netuid
                        && e.row.uid == Some(*uid)
                        && e.holder != *who
                };
                for id in self.ledger.held(lost) {
                    self.orphan(id, Some(format!("uid {uid} was given to {who}")));
                }
                Ok(())
            }
            ("HotkeySwapped" | "HotkeySwappedOnSubnet", netuid, _) => {
                let account = |name| event.field(name).and_then(Value::as_account);
                if let (Some(old), Some(new)) = (account("old_hotkey"), account("new_hotkey")) {
                    self.swapped(netuid.copied(), old, new);
                }
                Ok(())
            }
            ("WeightsSet", Some(index), _) => match numbers.get(1) {
                Some(uid) => self.weights_set(event, *index, *uid),
                None => Ok(()),
            },
            (name, Some(index), Some(who)) if name.ends_with("WeightsCommitted") => {
                self.timelocked_commit(event, *index, *who)
            }
            (name, Some(index), Some(who)) if name.ends_with("WeightsRevealed") => {
                self.timelocked_reveal(event, *index, *who);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A hash names the hotkey that may reveal it: kept under another one it can
    /// never be revealed.
    fn swapped(&mut self, netuid: Option<u16>, old: AccountId, new: AccountId) {
        let moved = |e: &Entry| {
            e.row.kind == Kind::Hash
                && e.holder == old
                && netuid.is_none_or(|netuid| subnet(e.row.index) == netuid)
        };
        for id in self.ledger.held(moved) {
            self.step(id, Transition::Holder(new.0));
            self.orphan(id, Some(format!("the hotkey was swapped for {new}")));
        }
    }

    fn orphan(&mut self, id: commits::Id, reason: Option<String>) {
        if self.ledger.get(id).is_some_and(|e| e.state.is_open()) {
            self.step(id, Transition::State(State::Orphaned, reason));
        }
    }

    /// An event of pallet `Commitments`.
    fn commitment(&mut self, event: &Event) -> Result<(), IndexError> {
        let (numbers, accounts) = leading(event);
        let (Some(netuid), Some(who)) = (numbers.first(), accounts.first()) else {
            return Ok(());
        };
        let standing = self.ledger.standing(*netuid, *who);
        if &*event.name == "CommitmentRevealed" {
            let Some(id) = standing else {
                return Ok(());
            };
            let reveal = Reveal {
                made_by: None,
                verified: None,
                row: None,
                ambiguous: false,
            };
            self.step(id, Transition::Revealed(reveal));
            return Ok(());
        }
        if !matches!(&*event.name, "Commitment" | "TimelockCommitment") {
            return Ok(());
        }
        let extrinsic = event.extrinsic_index();
        let call = self.claim(extrinsic, |c| {
            let subnet = c.call.arg("netuid").and_then(Value::as_u16);
            commits::fields(&c.call).is_some() && c.who == *who && subnet == Some(*netuid)
        });
        let rounds = call.iter().flat_map(|c| commits::fields(&c.call));
        let round = rounds.flatten().filter_map(commits::field_round).min();
        let row = CommitRow {
            kind: Kind::Commitment,
            index: *netuid,
            hotkey: who.0,
            uid: self.uid(*netuid, *who)?,
            made_by: made_by(extrinsic, call),
            hash: None,
            round,
            epoch: None,
        };
        if let Some(id) = standing {
            let replaced = self.ledger.get(id).is_some_and(|e| e.state.is_open());
            if replaced {
                let reason = format!("another commitment at block {}", self.block.raw.number);
                self.step(id, Transition::State(State::Superseded, Some(reason)));
            }
            self.step(id, Transition::Released);
        }
        self.ledger.open(self.batch, row);
        Ok(())
    }

    /// A call, after the events of its extrinsic.
    fn call(&mut self, place: usize, call: &CommitCall, told: bool) -> Result<(), IndexError> {
        let made_by = CallAt {
            extrinsic: call.extrinsic,
            path: Some(call.path.clone()),
        };
        match &call.failed {
            Some(error) if commits::reveals(&call.call) => {
                self.attempt(call, made_by, error.clone());
                Ok(())
            }
            None if !told && !self.used.contains(&place) => self.untold(call, made_by),
            _ => Ok(()),
        }
    }

    /// The first call of the extrinsic that no entry claims and that fits.
    fn claim(
        &mut self,
        extrinsic: Option<u32>,
        fits: impl Fn(&CommitCall) -> bool,
    ) -> Option<&'a CommitCall> {
        let block: &'a Prepared = self.block;
        let calls = block.decoded.commits.calls.iter().enumerate();
        let (place, call) = calls
            .filter(|(_, c)| Some(c.extrinsic) == extrinsic && c.failed.is_none())
            .find(|(place, c)| !self.used.contains(place) && fits(c))?;
        self.used.push(place);
        Some(call)
    }

    fn uid(&mut self, netuid: u16, who: AccountId) -> Result<Option<u16>, IndexError> {
        self.ledger
            .clocks
            .uid(self.store, self.tip, self.block, netuid, who)
    }

    fn step(&mut self, id: commits::Id, what: Transition) {
        self.ledger.step(self.batch, id, what);
    }
}

/// The netuid in a storage index.
fn subnet(index: u16) -> u16 {
    split_storage_index(index).0.0
}

/// The u16 and the accounts among an event's fields, in order.
pub(super) fn leading(event: &Event) -> (Vec<u16>, Vec<AccountId>) {
    let fields = || event.fields.iter().map(|(_, value)| value);
    let numbers = fields().filter_map(|value| match value {
        Value::Uint { width: 16, .. } => value.as_u16(),
        _ => None,
    });
    let accounts = fields().filter(|value| matches!(value, Value::Account(_)));
    (
        numbers.collect(),
        accounts.filter_map(Value::as_account).collect(),
    )
}

/// Where a commit was made: in an extrinsic, by a call or, without one, by a contract.
fn made_by(extrinsic: Option<u32>, call: Option<&CommitCall>) -> Option<CallAt> {
    extrinsic.map(|extrinsic| CallAt {
        extrinsic,
        path: call.map(|c| c.path.clone()),
    })
}
