//! What happened in a block, as the streams ask for it.

use chain_metadata::{BlockNumber, MechId, NetUid, Uid, split_storage_index};
use graphql::ports::{self, CommitStep, Happening, Happenings, ReadError, Topic};
use indexer::commits::{Id, State, Transition};
use indexer::store::Store;
use indexer::store::stakes::Among;
use indexer::view::steps::{self, Did};
use indexer::view::{self, At, sets};

use super::results::{ledger_error, record};
use super::{StoreReader, commits, history, read_error, stake};

impl Happenings for StoreReader {
    fn happenings(
        &self,
        topic: Topic,
        blocks: &[BlockNumber],
    ) -> Result<Vec<Vec<Happening>>, ReadError> {
        match topic {
            Topic::Blocks => self.each(blocks, |at| self.block_itself(at)),
            Topic::Epochs => self.each(blocks, |at| self.epochs_of(at)),
            Topic::Weights => self.each(blocks, |at| self.weights_of(at)),
            Topic::Stake => self.each(blocks, |at| self.stake_of(at)),
            Topic::Commits => self.commit_steps(blocks),
            Topic::Scores => Ok(vec![Vec::new(); blocks.len()]),
        }
    }

    fn result_records(
        &self,
        from: u64,
        first: usize,
    ) -> Result<Vec<ports::ResultRecord>, ReadError> {
        let found = self.ledger()?.from(from, first).map_err(ledger_error)?;
        Ok(found.into_iter().map(record).collect())
    }

    fn result_count(&self) -> Result<u64, ReadError> {
        Ok(self.ledger()?.len())
    }
}

impl StoreReader {
    fn each(
        &self,
        blocks: &[BlockNumber],
        read: impl Fn(&At) -> Result<Vec<Happening>, ReadError>,
    ) -> Result<Vec<Vec<Happening>>, ReadError> {
        blocks
            .iter()
            .map(|number| read(&self.at(*number)?))
            .collect()
    }

    /// Epochs that ran in a block: of subnets that exist at its end, or did at its beginning.
    fn ran(&self, at: &At) -> Result<Vec<(NetUid, ports::Epoch)>, ReadError> {
        let store = self.over(at.number);
        let mut netuids = view::subnets(store, at).map_err(read_error)?;
        if let Some(before) = at.number.checked_sub(1)
            && before >= store.floor(at.number)
            && let Some(before) = view::at(store, before).map_err(read_error)?
        {
            netuids.extend(view::subnets(store, &before).map_err(read_error)?);
            netuids.sort();
            netuids.dedup();
        }
        let mut ran = Vec::new();
        for netuid in netuids {
            if let Some(row) = store.epoch(netuid.0, at.number).map_err(read_error)? {
                let epoch = ports::Epoch {
                    netuid,
                    block: at.number,
                    mechanisms: row.mechanisms,
                    index: row.index,
                };
                ran.push((netuid, epoch));
            }
        }
        Ok(ran)
    }

    fn block_itself(&self, at: &At) -> Result<Vec<Happening>, ReadError> {
        let block = ports::Reader::blocks(self, &[at.number])?.pop().flatten();
        let block = block.ok_or(ReadError::Dropped(at.number))?;
        let epochs = self.ran(at)?.into_iter().map(|(netuid, _)| netuid);
        Ok(vec![Happening::Block(block, epochs.collect())])
    }

    fn epochs_of(&self, at: &At) -> Result<Vec<Happening>, ReadError> {
        let ran = self.ran(at)?.into_iter();
        let each = ran.flat_map(|(netuid, epoch)| {
            (0..epoch.mechanisms).map(move |mechanism| {
                Happening::Epoch(ports::EpochHappening {
                    netuid,
                    mechanism: MechId(mechanism),
                    index: epoch.index,
                })
            })
        });
        Ok(each.collect())
    }

    fn weights_of(&self, at: &At) -> Result<Vec<Happening>, ReadError> {
        // The commit behind a reveal is looked up in the ledger.
        self.settled(at.number)?;
        let store = self.over(at.number);
        let mut found = Vec::new();
        for (index, uid) in sets::rows_set(store, at).map_err(read_error)? {
            let cause = sets::cause(store, index, uid, at.number).map_err(read_error)?;
            let Some(cause) = cause else {
                continue;
            };
            let (netuid, mechanism) = split_storage_index(index);
            found.push(Happening::Weights(ports::WeightsHappening {
                netuid,
                mechanism,
                uid: Uid(uid),
                set: history::set_by(cause),
            }));
        }
        Ok(found)
    }

    fn stake_of(&self, at: &At) -> Result<Vec<Happening>, ReadError> {
        let store = self.over(at.number);
        let (mut ids, mut before) = (Vec::new(), None);
        loop {
            let page = store.stake_ids(Among::All, at.number, before, 256);
            let page = page.map_err(read_error)?;
            let read = page.len();
            ids.extend(page.into_iter().take_while(|id| id.block == at.number));
            before = ids.last().copied();
            if read < 256 || before.is_none_or(|id| id.index == 0) {
                break;
            }
        }
        ids.reverse();
        let movement = |id| match store.stake_movement(id).map_err(read_error)? {
            Some(moved) => Ok(Happening::Stake(stake::movement((id, moved)))),
            None => Err(ReadError::Dropped(at.number)),
        };
        ids.into_iter().map(movement).collect()
    }

    fn commit_steps(&self, blocks: &[BlockNumber]) -> Result<Vec<Vec<Happening>>, ReadError> {
        for number in blocks {
            self.settled(*number)?;
        }
        let mut lists = Vec::with_capacity(blocks.len());
        // Blocks behind each other, all final or none, are looked for at once.
        let runs = blocks.chunk_by(|a, b| {
            a.checked_add(1) == Some(*b) && self.above.is_final(*a) == self.above.is_final(*b)
        });
        for run in runs {
            let (Some(first), Some(last)) = (run.first(), run.last()) else {
                continue;
            };
            let store = self.over(*last);
            let found = steps::steps(store, *first..=*last);
            // A join since then may have begun to make the rows again while they were read.
            for number in run {
                self.settled(*number)?;
            }
            let mut found = found.map_err(read_error)?.into_iter().peekable();
            for number in run {
                let at = self.at(*number)?;
                let mut list = Vec::new();
                while let Some((_, id, did)) = found.next_if(|(block, ..)| block == number) {
                    list.push(stepped(store, &at, id, &did)?);
                }
                lists.push(list);
            }
        }
        Ok(lists)
    }
}

fn stepped(store: &Store, at: &At, id: Id, did: &Did) -> Result<Happening, ReadError> {
    let found = view::commits::one(store, at, id).map_err(read_error)?;
    let found = found.ok_or(ReadError::Dropped(at.number))?;
    Ok(Happening::Commit(ports::CommitHappening {
        step: step(did),
        commit: commits::commit(at, found),
    }))
}

fn step(did: &Did) -> CommitStep {
    let Did::Took(step) = did else {
        return CommitStep::Made;
    };
    match &step.what {
        Transition::State(State::Committed, _) => CommitStep::Made,
        Transition::State(State::Due, _) => CommitStep::Due,
        Transition::State(State::Revealed, _) | Transition::Revealed(_) => CommitStep::Revealed,
        Transition::State(State::Failed, _) => CommitStep::Failed,
        Transition::State(State::Expired, _) => CommitStep::Expired,
        Transition::State(State::Superseded, _) => CommitStep::Superseded,
        Transition::State(State::Orphaned, _) => CommitStep::Orphaned,
        Transition::Attempt(_) => CommitStep::Attempted,
        Transition::Holder(_) => CommitStep::Moved,
        Transition::Released => CommitStep::Released,
    }
}
