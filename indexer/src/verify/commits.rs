//! Which commits were active when the epoch ran, out of the ledger.

use chain_metadata::BlockNumber;
use scoring::yuma::YumaRules;
use scoring::yuma::commits::{Commit, EpochClock, commit_blocks};
use scoring::yuma::rules::CommitMask;

use super::reads::{Gap, State, missing};
use crate::commits::{Entry, Id, Kind};
use crate::store::commits::Among;

/// What the mask is made from.
pub(super) struct Queues<'a> {
    pub(super) rules: &'a YumaRules,
    pub(super) clock: EpochClock,
    pub(super) index: u16,
    pub(super) before: State<'a>,
    pub(super) after: State<'a>,
    pub(super) n: u16,
}

/// Earliest active commit of each uid, and reasons to doubt it.
pub(super) struct Active {
    pub(super) blocks: Vec<u64>,
    pub(super) doubts: Vec<String>,
}

impl Queues<'_> {
    /// Reads the ledger back to where no commit can still be active.
    ///
    /// `registered` are the blocks at which the uids registered: a commit that masks nothing is no
    /// reason to doubt.
    pub(super) fn active(&self, registered: &[u64]) -> Result<Active, Gap> {
        let store = self.before.store;
        let parent = self.before.block();
        let period = u64::from(self.clock.tempo) + 1;
        // Before the counter an epoch is a period; with it, at least as long ago as tempos say.
        let back = self
            .clock
            .reveal_period
            .saturating_add(2)
            .saturating_mul(period);
        let oldest = u64::from(parent).saturating_sub(back);
        let first = first_of_span(self.before, oldest)?;
        let mut known = Vec::new();
        let mut doubtful = Vec::new();
        let mut below: Option<Id> = None;
        'ledger: loop {
            let (netuid, _) = chain_metadata::split_storage_index(self.index);
            let ids = store.commit_ids(Among::Subnet(netuid.0), parent, below, 256)?;
            if ids.is_empty() {
                break;
            }
            for id in ids {
                below = Some(id);
                if self.rules.commit_mask == CommitMask::ByBlock && u64::from(id.block) < oldest {
                    break 'ledger;
                }
                let (Some(entry), Some(then)) = (
                    store.commit_entry(id, parent)?,
                    store.commit_entry(id, self.after.block())?,
                ) else {
                    continue;
                };
                if self.rules.commit_mask == CommitMask::ByEpoch
                    && entry.row.epoch.is_some_and(|epoch| {
                        epoch.saturating_add(self.clock.reveal_period) < self.clock.epoch_index
                    })
                {
                    // The counter only grows: all that are older have expired too.
                    break 'ledger;
                }
                self.sort(&entry, &then, &mut known, &mut doubtful)?;
            }
        }
        let blocks = commit_blocks(self.n, &self.clock, &known);
        let mut doubts = Vec::new();
        if let Some(first) = first {
            doubts.push(format!(
                "commits made before block {first}, the first that is stored"
            ));
        }
        known.extend(doubtful);
        let with = commit_blocks(self.n, &self.clock, &known);
        if masked(&with, registered) != masked(&blocks, registered) {
            doubts.push(
                "whether timelocked commits that were due and not revealed were still queued"
                    .into(),
            );
        }
        Ok(Active { blocks, doubts })
    }

    fn sort(
        &self,
        before: &Entry,
        after: &Entry,
        known: &mut Vec<Commit>,
        doubtful: &mut Vec<Commit>,
    ) -> Result<(), Gap> {
        if before.row.index != self.index || before.row.kind == Kind::Commitment || !before.held {
            return Ok(());
        }
        // What the chain revealed itself, it revealed before the epoch.
        let revealed = after
            .reveals
            .iter()
            .skip(before.reveals.len())
            .any(|(_, reveal)| reveal.made_by.is_none());
        if revealed {
            return Ok(());
        }
        let Some(uid) = self.uid(before)? else {
            return Ok(());
        };
        let epoch = match (self.rules.commit_mask, before.row.epoch) {
            (CommitMask::ByEpoch, None) => {
                return missing(format!(
                    "the epoch of the commit of uid {uid} in block {}",
                    before.id.block
                ));
            }
            (_, epoch) => epoch.unwrap_or(0),
        };
        let commit = Commit {
            uid,
            block: u64::from(before.id.block),
            epoch,
        };
        let tried = before.row.kind == Kind::Timelocked
            && self.rules.commit_mask == CommitMask::ByBlock
            && EpochClock::epoch_of_block(self.clock.netuid, self.clock.tempo, commit.block)
                .saturating_add(self.clock.reveal_period)
                <= EpochClock::epoch_of_block(
                    self.clock.netuid,
                    self.clock.tempo,
                    self.clock.block,
                );
        if tried {
            doubtful.push(commit);
        } else {
            known.push(commit);
        }
        Ok(())
    }

    /// The uid of whoever holds the commit at the parent.
    fn uid(&self, entry: &Entry) -> Result<Option<u16>, Gap> {
        let keys: [&[u8]; 2] = [&self.clock.netuid.to_le_bytes(), &entry.holder.0];
        self.before
            .stored("Uids", &keys, |value| match value.as_option() {
                Some(inner) => inner?.as_u16(),
                None => value.as_u16(),
            })
    }
}

/// The first stored block, when the run of stored blocks that ends at the state begins after `oldest`.
fn first_of_span(state: State<'_>, oldest: u64) -> Result<Option<BlockNumber>, Gap> {
    let mut block = state.block();
    while u64::from(block) > oldest {
        let Some(below) = block.checked_sub(1) else {
            return Ok(None);
        };
        if state.store.block(below)?.is_none() {
            return Ok(Some(block));
        }
        block = below;
    }
    Ok(None)
}

/// For each validator, how many miners its commit masks.
fn masked(blocks: &[u64], registered: &[u64]) -> Vec<usize> {
    blocks
        .iter()
        .map(|committed| registered.iter().filter(|r| *committed < **r).count())
        .collect()
}
