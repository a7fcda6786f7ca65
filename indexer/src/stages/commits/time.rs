//! What time does to the entries of the ledger.

use std::collections::BTreeMap;

use super::clock::{Clock, reveals_at_epochs};
use super::{Work, subnet};
use crate::IndexError;
use crate::commits::{Id, Kind, State, Transition};

/// The first round of the drand chain whose rounds the locks name (quicknet), in
/// milliseconds since 1970, and the milliseconds between two rounds.
const DRAND: (u64, u64) = (1_692_803_367_000, 3_000);

/// Why a timelocked commit ended without a reveal, as far as it can be known.
const SILENT: &str = "its epoch passed without a reveal; the chain does not say whether the round was missing, the bytes could not be decrypted, or the weights were refused";

impl Work<'_> {
    /// Moves every entry to where it stands when this block begins.
    pub(super) fn time(&mut self) -> Result<(), IndexError> {
        let at_epochs = reveals_at_epochs(self.block);
        let mut clocks: BTreeMap<u16, Option<Clock>> = BTreeMap::new();
        for id in self.ledger.ticking() {
            let Some(entry) = self.ledger.get(id) else {
                continue;
            };
            let (kind, state, netuid) = (entry.row.kind, entry.state, subnet(entry.row.index));
            if kind == Kind::Commitment {
                let come = entry.row.round.map(round_time);
                let now = self.block.decoded.timestamp_ms;
                if come.zip(now).is_some_and(|(come, now)| come <= now) {
                    self.step(id, Transition::State(State::Due, None));
                }
                continue;
            }
            let clock = match clocks.get(&netuid) {
                Some(clock) => *clock,
                None => {
                    let clock = self.clock(netuid)?;
                    clocks.insert(netuid, clock);
                    clock
                }
            };
            let (Some(clock), Some(entry)) = (clock, self.ledger.get(id)) else {
                continue;
            };
            let locked = kind == Kind::Timelocked;
            let epoch = if locked {
                entry.row.epoch
            } else {
                clock.epoch_of(entry)
            };
            let Some(mut due) = epoch.map(|e| e.saturating_add(clock.period)) else {
                continue;
            };
            if locked && at_epochs {
                // Taken by the epoch that ends the one before.
                due = due.saturating_sub(1);
                let ran = self.block.epochs.contains(&netuid);
                if ran && clock.now >= due && state == State::Committed {
                    self.step(id, Transition::State(State::Due, None));
                }
                continue;
            }
            if clock.now >= due && state == State::Committed {
                self.step(id, Transition::State(State::Due, None));
            }
            if clock.now > due {
                self.over(id);
            }
        }
        Ok(())
    }

    /// The time of an entry is over.
    fn over(&mut self, id: Id) {
        let Some(entry) = self.ledger.get(id) else {
            return;
        };
        if entry.row.kind == Kind::Timelocked {
            let reason = Some(SILENT.to_owned());
            self.step(id, Transition::State(State::Expired, reason));
            self.step(id, Transition::Released);
            return;
        }
        // A queue under a hash is only cleared when its hotkey comes again.
        let failed = entry.attempts.last().map(|(_, tried)| tried.error.clone());
        let state = match failed {
            Some(_) => State::Failed,
            None => State::Expired,
        };
        self.step(id, Transition::State(state, failed));
    }

    /// After the reveals of the block's beginning: what an epoch took without
    /// revealing it is gone.
    pub(super) fn close_epochs(&mut self) -> Result<(), IndexError> {
        if !self.ledger.is_ticking() || !reveals_at_epochs(self.block) {
            return Ok(());
        }
        for id in self.ledger.ticking() {
            let over = self.ledger.get(id).is_some_and(|e| {
                e.row.kind == Kind::Timelocked
                    && e.state == State::Due
                    && self.block.epochs.contains(&subnet(e.row.index))
            });
            if over {
                self.over(id);
            }
        }
        Ok(())
    }
}

/// When a drand round comes out, in milliseconds since 1970.
fn round_time(round: u64) -> u64 {
    let (genesis, between) = DRAND;
    genesis.saturating_add(round.saturating_sub(1).saturating_mul(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_come_every_three_seconds() {
        assert_eq!(round_time(1), DRAND.0);
        assert_eq!(round_time(2), DRAND.0 + 3_000);
        assert_eq!(round_time(u64::MAX), u64::MAX);
    }
}
