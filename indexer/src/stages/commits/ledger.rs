//! The entries that can still take a step, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chain_metadata::{AccountId, BlockNumber};

use super::clock::Clocks;
use crate::commits::{CommitRow, Entry, Id, Kind, State, Step, Transition};
use crate::store::{Batch, Store, StoreError, commits};

/// The open end of the ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What tells the time in each subnet.
    pub(super) clocks: Clocks,
    block: BlockNumber,
    next: u32,
    entries: BTreeMap<Id, Entry>,
    /// Entries that time may move.
    ticking: BTreeSet<Id>,
    /// The commitment that an account has in a subnet.
    standing: HashMap<(u16, AccountId), Id>,
    /// The weights of a hotkey that the chain keeps, by storage index.
    queues: HashMap<(u16, AccountId), BTreeSet<Id>>,
}

impl Ledger {
    /// What is open at the end of a stored block, of its span.
    pub(super) fn load(store: &Store, at: BlockNumber) -> Result<Ledger, StoreError> {
        let mut ledger = Ledger::default();
        for id in store.open_commits()? {
            // Another span has entries of its own; `commit_entry` knows.
            if let Some(entry) = store.commit_entry(id, at)? {
                ledger.keep(entry);
            }
        }
        Ok(ledger)
    }

    /// The next block begins.
    pub(super) fn begin(&mut self, block: BlockNumber) {
        self.block = block;
        self.next = 0;
    }

    /// Whether time may move anything.
    pub(super) fn is_ticking(&self) -> bool {
        !self.ticking.is_empty()
    }

    /// The entries that time may move, in order.
    pub(super) fn ticking(&self) -> Vec<Id> {
        self.ticking.iter().copied().collect()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// The entries that the chain's storage holds and that are meant, in order.
    pub(super) fn held(&self, meant: impl Fn(&Entry) -> bool) -> Vec<Id> {
        let held = self.entries.values().filter(|e| e.held && meant(e));
        held.map(|e| e.id).collect()
    }

    /// The commitment that an account has in a subnet.
    pub(super) fn standing(&self, netuid: u16, who: AccountId) -> Option<Id> {
        self.standing.get(&(netuid, who)).copied()
    }

    /// Commits of one kind that the chain keeps for a hotkey, oldest first.
    pub(super) fn queue(&self, kind: Kind, index: u16, who: AccountId) -> Vec<Id> {
        let ids = self.queues.get(&(index, who)).into_iter().flatten();
        ids.filter(|id| self.get(**id).is_some_and(|e| e.row.kind == kind))
            .copied()
            .collect()
    }

    /// A new entry, beginning in this block.
    pub(super) fn open(&mut self, batch: &mut Batch, row: CommitRow) -> Id {
        let id = Id {
            block: self.block,
            index: self.next,
        };
        self.next = self.next.saturating_add(1);
        let entry = Entry::new(id, row);
        commits::put(batch, &entry);
        self.keep(entry);
        id
    }

    fn keep(&mut self, entry: Entry) {
        let id = entry.id;
        if ticks(&entry) {
            self.ticking.insert(id);
        }
        let key = (entry.row.index, entry.holder);
        if entry.row.kind == Kind::Commitment {
            self.standing.insert(key, id);
        } else {
            self.queues.entry(key).or_default().insert(id);
        }
        self.entries.insert(id, entry);
    }

    /// An entry takes a step in this block.
    pub(super) fn step(&mut self, batch: &mut Batch, id: Id, what: Transition) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let step = Step {
            block: self.block,
            what,
        };
        commits::put_step(batch, entry, &step);
        let before = entry.holder;
        entry.take(step);
        let (index, after) = (entry.row.index, entry.holder);
        if !ticks(entry) {
            self.ticking.remove(&id);
        }
        let over = !entry.held && !entry.state.is_open();
        if before != after {
            self.leave(index, before, id);
            self.queues.entry((index, after)).or_default().insert(id);
        }
        if over {
            self.entries.remove(&id);
            self.ticking.remove(&id);
            self.leave(index, after, id);
            if self.standing.get(&(index, after)) == Some(&id) {
                self.standing.remove(&(index, after));
            }
            commits::close(batch, id);
        }
    }

    fn leave(&mut self, index: u16, holder: AccountId, id: Id) {
        if let Some(queue) = self.queues.get_mut(&(index, holder)) {
            queue.remove(&id);
            if queue.is_empty() {
                self.queues.remove(&(index, holder));
            }
        }
    }
}

/// Whether time may move an entry.
fn ticks(entry: &Entry) -> bool {
    match entry.row.kind {
        Kind::Commitment => entry.state == State::Committed && entry.row.round.is_some(),
        Kind::Hash | Kind::Timelocked => entry.state.is_open(),
    }
}
