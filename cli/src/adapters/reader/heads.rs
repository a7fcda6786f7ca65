//! Unfinalized blocks in the window: snapshots, and what is told of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chain_metadata::BlockNumber;
use graphql::ports::{self, ReadError};
use indexer::heads::{Branch, HeadEvent, Heads};
use indexer::store::{Checkpoint, Store, StoreError};
use tokio::sync::broadcast;

use super::{StoreReader, read_error};

/// What a reader knows above the stored blocks.
#[derive(Debug, Default)]
pub(super) struct Above {
    heads: Option<Heads>,
    news: Option<broadcast::Sender<ports::HeadNews>>,
    /// Set in a reader that is a snapshot.
    pin: Option<Pin>,
}

/// One moment of store and branch.
#[derive(Debug)]
struct Pin {
    base: Store,
    tip: Option<Checkpoint>,
    branch: Option<Arc<Branch>>,
    /// Highest unfinalized block that was read; 0 while none was.
    read: AtomicU32,
}

impl Pin {
    fn last(&self) -> Option<BlockNumber> {
        self.tip.map(|tip| tip.last)
    }

    fn best(&self) -> Option<BlockNumber> {
        let best = self.branch.as_ref().and_then(|branch| branch.best());
        best.map(|(number, _)| number).or(self.last())
    }
}

impl Above {
    /// Whether the snapshot has a block; remembers that one above the final
    /// blocks was asked for. A reader that is none sees all that is stored.
    pub(super) fn sees(&self, number: BlockNumber) -> bool {
        let Some(pin) = &self.pin else {
            return true;
        };
        let seen = pin.best().is_some_and(|best| number <= best);
        if seen && !self.is_final(number) {
            pin.read.fetch_max(number, Ordering::Relaxed);
        }
        seen
    }

    /// Whether a block is final in the snapshot; without one, all are.
    pub(super) fn is_final(&self, number: BlockNumber) -> bool {
        let Some(pin) = &self.pin else {
            return true;
        };
        pin.last().is_some_and(|last| number <= last)
    }

    /// Whether what was read of unfinalized blocks is of one branch.
    pub(super) fn confirm(&self) -> Result<Result<(), ReadError>, StoreError> {
        let Some(pin) = &self.pin else {
            return Ok(Ok(()));
        };
        let read = pin.read.load(Ordering::Relaxed);
        let (Some(branch), true) = (&pin.branch, read > 0) else {
            return Ok(Ok(()));
        };
        Ok(match branch.holds(&pin.base)? {
            true => Ok(()),
            false => Err(ReadError::Dropped(read)),
        })
    }

    /// What the status says of it.
    pub(super) fn status(&self, tip: Option<Checkpoint>) -> ports::Heads {
        let stored = tip.map(|tip| (tip.last, chain_metadata::H256(tip.hash)));
        let branch = self.pin.as_ref().and_then(|pin| pin.branch.as_ref());
        let best = branch.and_then(|branch| branch.best()).or(stored);
        let unfinalized = match (best, tip) {
            (Some((best, _)), Some(tip)) => best.saturating_sub(tip.last),
            _ => 0,
        };
        ports::Heads {
            followed: self.heads.is_some(),
            best,
            unfinalized,
            trouble: self.heads.as_ref().and_then(Heads::trouble),
        }
    }

    /// Listens from now on; without heads the channel is closed at once.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<ports::HeadNews> {
        match &self.news {
            Some(news) => news.subscribe(),
            None => broadcast::channel(1).1,
        }
    }
}

impl StoreReader {
    /// The same reader over unfinalized blocks too; must be called inside a
    /// tokio runtime.
    pub(crate) fn with_heads(mut self, heads: Heads) -> StoreReader {
        let news = broadcast::channel(4096).0;
        let (sender, mut events) = (news.clone(), heads.subscribe());
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    // An error only says that nobody listens.
                    Ok(event) => drop(sender.send(told(event))),
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        drop(sender.send(ports::HeadNews::Missed(missed)));
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        self.above = Above {
            heads: Some(heads),
            news: Some(news),
            pin: None,
        };
        self
    }

    /// A snapshot of this moment; `None` when it is one. Without heads it ends
    /// with the last stored block: those that come later would else be seen by
    /// one read of an operation and not by the one before it.
    pub(super) fn now(&self) -> Result<Option<StoreReader>, ReadError> {
        let (tip, branch) = match (&self.above.pin, &self.above.heads) {
            (Some(_), _) => return Ok(None),
            (None, Some(heads)) => heads.pin().map_err(read_error)?,
            (None, None) => (self.store.checkpoint().map_err(read_error)?, None),
        };
        let store = match (&branch, tip) {
            (Some(branch), Some(tip)) => branch.store().final_to(tip.last),
            _ => self.store.clone(),
        };
        Ok(Some(StoreReader {
            store,
            chain: self.chain.clone(),
            road: self.road.clone(),
            trouble: self.trouble.clone(),
            committed: self.committed.clone(),
            scorer: self.scorer.clone(),
            above: Above {
                heads: self.above.heads.clone(),
                news: self.above.news.clone(),
                pin: Some(Pin {
                    base: self.store.clone(),
                    tip,
                    branch,
                    read: AtomicU32::new(0),
                }),
            },
        }))
    }

    /// The end of what is final.
    pub(super) fn tip(&self) -> Result<Option<Checkpoint>, ReadError> {
        match &self.above.pin {
            Some(pin) => Ok(pin.tip),
            None => self.store.checkpoint().map_err(read_error),
        }
    }

    /// What a block is read from: the store, or if the block is not final the
    /// store with the branch above it. What an unfinalized block says of the
    /// time before it is no part of what is final.
    pub(super) fn over(&self, number: BlockNumber) -> &Store {
        match self.above.is_final(number) {
            true => self.base(),
            false => &self.store,
        }
    }

    /// The store without unfinalized blocks.
    pub(super) fn base(&self) -> &Store {
        self.above.pin.as_ref().map_or(&self.store, |pin| &pin.base)
    }
}

fn told(event: HeadEvent) -> ports::HeadNews {
    match event {
        HeadEvent::Added {
            number,
            hash,
            epochs,
        } => ports::HeadNews::Added {
            number,
            hash,
            epochs,
        },
        HeadEvent::Retracted { number, hash } => ports::HeadNews::Retracted { number, hash },
        HeadEvent::Finalized { number, hash } => ports::HeadNews::Finalized { number, hash },
    }
}

#[cfg(test)]
mod tests {
    use graphql::ports::Reader as _;
    use indexer::store::{Batch, spans::put_span};

    use super::*;

    fn commit(store: &Store, last: BlockNumber) {
        let mut batch = Batch::default();
        let hash = [u8::try_from(last).unwrap(); 32];
        let tip = Checkpoint {
            first: 0,
            last,
            hash,
            spec: 1,
            upgraded_to: None,
        };
        put_span(&mut batch, &tip);
        store.commit(vec![batch]).unwrap();
    }

    #[test]
    fn without_heads_an_operation_sees_one_moment_all_the_same() {
        let store = Store::in_memory().unwrap();
        commit(&store, 20);
        let reader = StoreReader::at_rest(store.clone(), None);
        let snapshot = reader.now().unwrap().unwrap();
        assert!(snapshot.now().unwrap().is_none());
        commit(&store, 21);
        let ends = |reader: &StoreReader| {
            let tip = reader.tip().unwrap().unwrap().last;
            let spans = reader.spans().unwrap();
            (tip, spans, reader.above.sees(21))
        };
        assert_eq!(ends(&snapshot), (20, vec![(0, 20)], false));
        let later = reader.now().unwrap().unwrap();
        assert_eq!(ends(&later), (21, vec![(0, 21)], true));
        assert!(snapshot.above.sees(20) && snapshot.above.is_final(20));
        assert!(matches!(
            snapshot.at(21),
            Err(ReadError::OutOfRange {
                asked: 21,
                last: Some(20),
                ..
            })
        ));
        assert_eq!(snapshot.blocks(&[21]).unwrap(), [None]);
        assert!(snapshot.confirm().is_ok());
        // There are no heads to be told of.
        let told = snapshot.above.status(snapshot.tip().unwrap());
        assert!(!told.followed);
        assert_eq!(told.unfinalized, 0);
    }
}
