//! How far the chain has come: head, finality and a fork above them.

use std::collections::HashMap;

use chain_metadata::H256;
use tokio::sync::broadcast;

use crate::chain::{Block, Chain};

/// What subscribers are told. A subscriber that is this many events late misses the oldest.
const EVENTS: usize = 1024;

/// Something happened to the chain.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// A block arrived, on whichever branch.
    Imported(Block),
    /// A block became the best one.
    Best(Block),
    /// A block, and with it all before it, became final.
    Finalized(Block),
}

/// Blocks above the final branch that will lose.
#[derive(Debug)]
struct Fork {
    parent: u32,
    blocks: Vec<Block>,
}

#[derive(Debug)]
pub(crate) struct Heads {
    /// Height of the final branch that has been imported.
    main: u32,
    finality_lag: u32,
    /// The fork that is best at present.
    fork: Option<Fork>,
    /// All fork blocks there ever were; clients may still ask for them.
    losers: HashMap<H256, Block>,
    forks: u32,
    events: broadcast::Sender<Event>,
}

impl Heads {
    pub(crate) fn new(start: u32, finality_lag: u32) -> Heads {
        Heads {
            main: start,
            finality_lag,
            fork: None,
            losers: HashMap::new(),
            forks: 0,
            events: broadcast::channel(EVENTS).0,
        }
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Height of the imported final branch.
    pub(crate) fn main(&self) -> u32 {
        self.main
    }

    /// Height of the best block as seen `lag` blocks late.
    pub(crate) fn best(&self, lag: u32) -> u32 {
        let tip = self.fork.as_ref().and_then(|fork| fork.blocks.last());
        tip.map_or(self.main, |block| block.number)
            .saturating_sub(lag)
    }

    /// Height of the last final block as seen `lag` blocks late.
    pub(crate) fn finalized(&self, lag: u32) -> u32 {
        self.main
            .saturating_sub(self.finality_lag)
            .saturating_sub(lag)
    }

    /// The block of that height on the best chain.
    pub(crate) fn at(&self, chain: &Chain, number: u32, lag: u32) -> Option<Block> {
        if number > self.best(lag) {
            return None;
        }
        match &self.fork {
            Some(fork) if number > fork.parent => {
                let index = number.checked_sub(fork.parent)?.checked_sub(1)?;
                fork.blocks.get(usize::try_from(index).ok()?).copied()
            }
            _ => chain.block(number),
        }
    }

    /// The block with that hash on any branch.
    pub(crate) fn find(&self, chain: &Chain, hash: &H256, lag: u32) -> Option<Block> {
        match chain.find(hash) {
            Some(block) => (block.number <= self.main.saturating_sub(lag)).then_some(block),
            None => {
                let block = self.losers.get(hash).copied()?;
                (block.number <= self.best(0).max(self.main).saturating_sub(lag)).then_some(block)
            }
        }
    }

    /// Adds up to `count` blocks of the final branch; how many there were.
    pub(crate) fn advance(&mut self, chain: &Chain, count: u32) -> u32 {
        for done in 0..count {
            let next = self.main.checked_add(1);
            let Some(block) = next.and_then(|next| chain.block(next)) else {
                return done;
            };
            let was_final = self.finalized(0);
            self.main = block.number;
            self.send(Event::Imported(block));
            let lost = self.fork.as_ref().is_some_and(|fork| {
                let tip = fork.blocks.last().map_or(0, |tip| tip.number);
                self.finalized(0) > fork.parent || self.main > tip
            });
            if lost {
                self.fork = None;
            }
            if self.fork.is_none() {
                self.send(Event::Best(block));
            }
            if self.finalized(0) > was_final {
                self.announce_finalized(chain);
            }
        }
        count
    }

    /// Takes `count` blocks back, final or not; the genesis block stays.
    pub(crate) fn go_back(&mut self, chain: &Chain, count: u32) {
        self.fork = None;
        self.main = self.main.saturating_sub(count);
        if let Some(block) = chain.block(self.main) {
            self.send(Event::Best(block));
        }
        self.announce_finalized(chain);
    }

    /// Puts `depth` blocks on the best block that are not those of the final branch.
    pub(crate) fn fork(&mut self, chain: &Chain, depth: u32) -> Vec<H256> {
        self.forks += 1;
        let mut parent = match self.at(chain, self.best(0), 0) {
            Some(best) => best,
            None => return Vec::new(),
        };
        let mut added = Vec::new();
        for _ in 0..depth {
            let Some(block) = chain.fork_block(&parent, self.forks) else {
                break;
            };
            self.losers.insert(block.hash, block);
            let parent_number = parent.number;
            let fork = self.fork.get_or_insert_with(|| Fork {
                parent: parent_number,
                blocks: Vec::new(),
            });
            fork.blocks.push(block);
            self.send(Event::Imported(block));
            self.send(Event::Best(block));
            added.push(block.hash);
            parent = block;
        }
        added
    }

    /// Makes the fork that ends with this block the best chain again; false when
    /// there is no such fork, or finality has passed its parent.
    pub(crate) fn switch_to(&mut self, chain: &Chain, tip: &H256) -> bool {
        let mut blocks = Vec::new();
        let mut hash = *tip;
        while let Some(block) = self.losers.get(&hash).copied() {
            blocks.push(block);
            hash = block.parent;
        }
        blocks.reverse();
        let Some(parent) = chain.find(&hash).map(|block| block.number) else {
            return false;
        };
        let Some(best) = blocks.last().copied() else {
            return false;
        };
        if self.finalized(0) > parent {
            return false;
        }
        self.fork = Some(Fork { parent, blocks });
        self.send(Event::Best(best));
        true
    }

    fn announce_finalized(&self, chain: &Chain) {
        if let Some(block) = chain.block(self.finalized(0)) {
            self.send(Event::Finalized(block));
        }
    }

    fn send(&self, event: Event) {
        // An error only means that nobody listens.
        let _ = self.events.send(event);
    }
}
