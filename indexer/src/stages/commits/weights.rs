//! Weights under a hash and under a time lock.

use chain_metadata::{AccountId, Event, H256, Phase, Value, blake2_256};

use super::{Work, made_by, subnet};
use crate::IndexError;
use crate::commits::{
    self, Attempt, CallAt, CommitCall, CommitRow, Entry, Id, Kind, Reveal, State, Transition,
};

impl<'a> Work<'a> {
    /// Event `WeightsCommitted`.
    pub(super) fn hash_commit(
        &mut self,
        event: &Event,
        index: u16,
        who: AccountId,
    ) -> Result<(), IndexError> {
        let Some(hash) = hashes(event).into_iter().next() else {
            return Ok(());
        };
        let extrinsic = event.extrinsic_index();
        let call = self.claim_hash(extrinsic, index, who, hash);
        // The chain clears what is over from the front of the queue.
        for id in self.ledger.queue(Kind::Hash, index, who) {
            if self.is_running(id)? {
                break;
            }
            self.step(id, Transition::Released);
        }
        let row = self.hash_row(index, who, hash, made_by(extrinsic, call))?;
        self.ledger.open(self.batch, row);
        Ok(())
    }

    /// A batch makes several commits by one call: it is claimed by each of them.
    fn claim_hash(
        &self,
        extrinsic: Option<u32>,
        index: u16,
        who: AccountId,
        hash: H256,
    ) -> Option<&'a CommitCall> {
        let mut calls = self.block.decoded.commits.calls.iter();
        calls.find(|c| {
            Some(c.extrinsic) == extrinsic
                && c.failed.is_none()
                && c.who == who
                && commits::committed_hashes(&c.call).contains(&(index, hash))
        })
    }

    fn hash_row(
        &mut self,
        index: u16,
        who: AccountId,
        hash: H256,
        made_by: Option<CallAt>,
    ) -> Result<CommitRow, IndexError> {
        Ok(CommitRow {
            kind: Kind::Hash,
            index,
            hotkey: who.0,
            uid: self.uid(subnet(index), who)?,
            made_by,
            hash: Some(hash.0),
            round: None,
            epoch: self.epoch(subnet(index))?,
        })
    }

    /// The epoch that a commit made in this block belongs to. Where epochs are
    /// counted, one that was due and put off counts already.
    fn epoch(&mut self, netuid: u16) -> Result<Option<u64>, IndexError> {
        let Some(clock) = self.clock(netuid)? else {
            return Ok(None);
        };
        let deferred = self.block.decoded.commits.events.iter().any(|e| {
            &*e.name == "EpochDeferred"
                && super::leading(e).0.first().map(|n| subnet(*n)) == Some(netuid)
        });
        let ahead = u64::from(deferred && clock.counts());
        Ok(Some(clock.now.saturating_add(ahead)))
    }

    /// Whether the time of a commit under a hash is not over, whatever its state.
    fn is_running(&mut self, id: Id) -> Result<bool, IndexError> {
        let Some(netuid) = self.ledger.get(id).map(|e| subnet(e.row.index)) else {
            return Ok(false);
        };
        let clock = self.clock(netuid)?;
        let (Some(clock), Some(entry)) = (clock, self.ledger.get(id)) else {
            return Ok(true);
        };
        let epoch = clock.epoch_of(entry);
        Ok(epoch.is_none_or(|epoch| clock.now <= epoch.saturating_add(clock.period)))
    }

    /// Events `WeightsRevealed` and, hash by hash, `WeightsBatchRevealed`.
    pub(super) fn hash_reveal(
        &mut self,
        event: &Event,
        index: u16,
        who: AccountId,
        hash: H256,
    ) -> Result<(), IndexError> {
        let extrinsic = event.extrinsic_index();
        let mut calls = self.block.decoded.commits.calls.iter();
        let call = calls.find(|c| {
            Some(c.extrinsic) == extrinsic
                && c.failed.is_none()
                && c.who == who
                && commits::revealed_hashes(&who, &c.call).contains(&hash)
        });
        let reveal = Reveal {
            made_by: made_by(extrinsic, call),
            verified: call.map(|_| true),
            row: self.row_before(event, index).map(|uid| (index, uid)),
            ambiguous: false,
        };
        self.reveal_hash(index, who, hash, reveal)
    }

    /// The uid whose row was set last before an event of the same extrinsic.
    fn row_before(&self, event: &Event, index: u16) -> Option<u16> {
        let events = self.block.decoded.commits.events.iter();
        let mut before = events.rev().filter(|e| {
            &*e.name == "WeightsSet" && e.phase == event.phase && e.index < event.index
        });
        before.find_map(|e| match super::leading(e).0.as_slice() {
            [at, uid, ..] if *at == index => Some(*uid),
            _ => None,
        })
    }

    fn reveal_hash(
        &mut self,
        index: u16,
        who: AccountId,
        hash: H256,
        reveal: Reveal,
    ) -> Result<(), IndexError> {
        let queue = self.ledger.queue(Kind::Hash, index, who);
        let is_it = |work: &Self, id: &Id| {
            let entry = work.ledger.get(*id);
            entry.and_then(Entry::hash) == Some(hash)
        };
        let mut place = None;
        for (at, id) in queue.iter().enumerate() {
            if is_it(self, id) && self.is_running(*id)? {
                place = Some(at);
                break;
            }
        }
        let Some(place) = place else {
            // Made before the first stored block: only its end was seen.
            let row = self.hash_row(index, who, hash, None)?;
            let row = CommitRow { epoch: None, ..row };
            let id = self.ledger.open(self.batch, row);
            self.step(id, Transition::Revealed(reveal));
            return Ok(());
        };
        for id in queue.iter().take(place) {
            if self.ledger.get(*id).is_some_and(|e| e.state.is_open()) {
                let reason = Some("a later commit of the hotkey was revealed before it".into());
                self.step(*id, Transition::State(State::Superseded, reason));
            }
            self.step(*id, Transition::Released);
        }
        if let Some(id) = queue.get(place) {
            self.step(*id, Transition::Revealed(reveal));
            self.step(*id, Transition::Released);
        }
        Ok(())
    }

    /// A failed reveal goes to the commit that has its hash; else to the oldest
    /// of the hotkey whose time is not over; else to the oldest there is.
    pub(super) fn attempt(&mut self, call: &CommitCall, made_by: CallAt, error: String) {
        let Some(index) = commits::index_of(&call.call) else {
            return;
        };
        let tried = commits::revealed_hashes(&call.who, &call.call);
        let queue = self.ledger.queue(Kind::Hash, index, call.who);
        let entry = |id: &Id| self.ledger.get(*id);
        let matched = queue.iter().find(|id| {
            let hash = entry(id).and_then(Entry::hash);
            hash.is_some_and(|hash| tried.contains(&hash))
        });
        let open = queue
            .iter()
            .find(|id| entry(id).is_some_and(|e| e.state.is_open()));
        let hash_matches = matched.is_some();
        if let Some(id) = matched.or(open).or(queue.first()).copied() {
            let attempt = Attempt {
                made_by,
                error,
                hash_matches,
            };
            self.step(id, Transition::Attempt(attempt));
        }
    }

    /// A call of a runtime that has no events for commits under a hash. It keeps
    /// one commit of a hotkey; another takes its place.
    pub(super) fn untold(&mut self, call: &CommitCall, made_by: CallAt) -> Result<(), IndexError> {
        for (index, hash) in commits::committed_hashes(&call.call) {
            for id in self.ledger.queue(Kind::Hash, index, call.who) {
                if self.ledger.get(id).is_some_and(|e| e.state.is_open()) {
                    let reason = Some(format!("another commit at block {}", self.number()));
                    self.step(id, Transition::State(State::Superseded, reason));
                }
                self.step(id, Transition::Released);
            }
            let row = self.hash_row(index, call.who, hash, Some(made_by.clone()))?;
            self.ledger.open(self.batch, row);
        }
        if !commits::reveals(&call.call) {
            return Ok(());
        }
        let Some(index) = commits::index_of(&call.call) else {
            return Ok(());
        };
        let events = self.block.decoded.commits.events.iter();
        let set = events
            .filter(|e| e.phase == Phase::ApplyExtrinsic(call.extrinsic))
            .filter(|e| &*e.name == "WeightsSet")
            .find_map(|e| match super::leading(e).0.as_slice() {
                [at, uid, ..] if *at == index => Some((index, *uid)),
                _ => None,
            });
        for hash in commits::revealed_hashes(&call.who, &call.call) {
            let reveal = Reveal {
                made_by: Some(made_by.clone()),
                verified: Some(true),
                row: set,
                ambiguous: false,
            };
            self.reveal_hash(index, call.who, hash, reveal)?;
        }
        Ok(())
    }

    fn number(&self) -> u32 {
        self.block.raw.number
    }

    /// Events `CRV3WeightsCommitted` and `TimelockedWeightsCommitted`.
    pub(super) fn timelocked_commit(
        &mut self,
        event: &Event,
        index: u16,
        who: AccountId,
    ) -> Result<(), IndexError> {
        let Some(hash) = hashes(event).into_iter().next() else {
            return Ok(());
        };
        let extrinsic = event.extrinsic_index();
        let call = self.claim(extrinsic, |c| {
            let bytes = commits::timelocked(&c.call).map(|(bytes, _)| bytes);
            c.who == who
                && bytes.is_some_and(|b| blake2_256(b) == hash)
                && commits::index_of(&c.call) == Some(index)
        });
        let told = event.fields.iter().find_map(|(_, value)| match value {
            Value::Uint { width: 64, .. } => value.as_u64(),
            _ => None,
        });
        let called = call.and_then(|c| commits::timelocked(&c.call));
        let row = self.hash_row(index, who, hash, made_by(extrinsic, call))?;
        let row = CommitRow {
            kind: Kind::Timelocked,
            round: told.or(called.map(|(_, round)| round)),
            ..row
        };
        self.ledger.open(self.batch, row);
        Ok(())
    }

    /// Events `CRV3WeightsRevealed` and `TimelockedWeightsRevealed`: they name no
    /// commit, so it is the first of the hotkey's queue that is due.
    pub(super) fn timelocked_reveal(&mut self, event: &Event, index: u16, who: AccountId) {
        let row = self.row_before(event, index).map(|uid| (index, uid));
        let left = self.left(event, |e| {
            let (numbers, accounts) = super::leading(e);
            numbers.first() == Some(&index) && accounts.first() == Some(&who)
        });
        self.reveal_timelocked(index, who, row, left);
    }

    /// How many events of this name, from this one on, are meant.
    fn left(&self, event: &Event, meant: impl Fn(&Event) -> bool) -> usize {
        let events = self.block.decoded.commits.events.iter();
        let same = events.filter(|e| e.index >= event.index && e.name == event.name);
        same.filter(|e| e.phase == event.phase && meant(e)).count()
    }

    fn reveal_timelocked(
        &mut self,
        index: u16,
        who: AccountId,
        row: Option<(u16, u16)>,
        left: usize,
    ) {
        let queue = self.ledger.queue(Kind::Timelocked, index, who);
        let is_due = |id: &&Id| self.ledger.get(**id).is_some_and(|e| e.state == State::Due);
        let due: Vec<Id> = queue.iter().filter(is_due).copied().collect();
        if let Some(id) = due.first().or(queue.first()).copied() {
            let reveal = Reveal {
                made_by: None,
                verified: None,
                row,
                // As many reveals as commits leave no choice.
                ambiguous: due.len() > left,
            };
            self.step(id, Transition::Revealed(reveal));
            self.step(id, Transition::Released);
        }
    }

    /// Event `WeightsSet`. Runtimes that have no event for the reveal of a
    /// timelocked commit set its weights at the beginning of the block.
    pub(super) fn weights_set(
        &mut self,
        event: &Event,
        index: u16,
        uid: u16,
    ) -> Result<(), IndexError> {
        let told =
            self.has_event("CRV3WeightsRevealed") || self.has_event("TimelockedWeightsRevealed");
        if event.phase != Phase::Initialization || told {
            return Ok(());
        }
        let meant = |e: &Entry| {
            e.row.kind == Kind::Timelocked
                && e.row.index == index
                && e.row.uid == Some(uid)
                && e.state == State::Due
        };
        let due = self.ledger.held(meant).into_iter().next();
        if let Some(who) = due.and_then(|id| self.ledger.get(id)).map(|e| e.holder) {
            let left = self.left(event, |e| super::leading(e).0 == [index, uid]);
            self.reveal_timelocked(index, who, Some((index, uid)), left);
        }
        Ok(())
    }
}

/// The hashes among an event's fields, single or in a list.
pub(super) fn hashes(event: &Event) -> Vec<H256> {
    let hash = |value: &Value| match value {
        Value::Bytes(bytes) => <[u8; 32]>::try_from(bytes.as_slice()).ok().map(H256),
        _ => None,
    };
    let fields = event.fields.iter().map(|(_, value)| value);
    fields
        .flat_map(|value| match value {
            Value::Seq(items) => items.iter().filter_map(hash).collect(),
            one => hash(one).into_iter().collect::<Vec<_>>(),
        })
        .collect()
}
