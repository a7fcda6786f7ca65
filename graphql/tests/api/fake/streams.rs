//! What happened in the store in memory: two rows set in a block that is no multiple of three, a
//! commit and a movement a block, epochs where a test puts them.

use std::time::Duration;

use chain_metadata::{BlockNumber, H256, MechId, NetUid, Uid};
use graphql::ReadError;
use graphql::ports::*;

use super::{Fake, Held, account, block, commit, hash_of, movement, results};

impl Held {
    /// The hash of a block on its branch.
    pub(crate) fn hash(&self, number: BlockNumber) -> H256 {
        let mut hash = hash_of(number);
        if let Some((_, branch)) = self.branches.range(..=number).next_back() {
            hash.0[7] ^= branch;
        }
        hash
    }

    pub(super) fn spans(&self) -> Vec<(BlockNumber, BlockNumber)> {
        let (Some(mut first), Some(last)) = (self.first, self.last) else {
            return Vec::new();
        };
        let mut spans = Vec::new();
        for (from, to) in &self.holes {
            if *from > first {
                spans.push((first, from - 1));
            }
            first = to + 1;
        }
        spans.push((first, last));
        spans
    }

    /// What a row that was set says of its branch.
    fn branch(&self, number: BlockNumber) -> u16 {
        let found = self.branches.range(..=number).next_back();
        found.map_or(0, |(_, branch)| u16::from(*branch))
    }
}

impl Fake {
    /// One more unfinalized block.
    pub(crate) fn add(&self) -> BlockNumber {
        let (number, hash) = {
            let mut held = self.held();
            held.unfinalized = Some(held.unfinalized.unwrap_or(0) + 1);
            let number = held.best().unwrap_or_default();
            (number, held.hash(number))
        };
        let epochs = Vec::new();
        self.tell(HeadNews::Added {
            number,
            hash,
            epochs,
        });
        number
    }

    /// The unfinalized blocks from `from` on are of another branch, which has so many blocks.
    pub(crate) fn fork(&self, from: BlockNumber, branch: u8, length: u32) {
        let lost = {
            let mut held = self.held();
            let last = held.last.unwrap_or_default();
            assert!(from > last, "block {from} is final");
            let lost = held.hash(from);
            held.branches.split_off(&from);
            held.branches.insert(from, branch);
            held.unfinalized = Some(from - 1 - last + length);
            lost
        };
        self.tell(HeadNews::Retracted {
            number: from,
            hash: lost,
        });
    }

    fn happened(&self, topic: Topic, number: BlockNumber) -> Vec<Happening> {
        let held = self.held();
        let epochs = held.epochs.get(&number).cloned().unwrap_or_default();
        let epochs = epochs.into_iter().map(NetUid);
        match topic {
            Topic::Blocks => {
                let hash = held.hash(number);
                let finalized = Some(number) <= held.last;
                let block = Block {
                    hash,
                    finalized,
                    ..block(number)
                };
                vec![Happening::Block(block, epochs.collect())]
            }
            Topic::Epochs => epochs
                .map(|netuid| {
                    Happening::Epoch(EpochHappening {
                        netuid,
                        mechanism: MechId(0),
                        index: Some(7),
                    })
                })
                .collect(),
            Topic::Weights if number.is_multiple_of(3) => Vec::new(),
            Topic::Weights => (1..=2_u8)
                .map(|netuid| {
                    Happening::Weights(WeightsHappening {
                        netuid: NetUid(u16::from(netuid)),
                        mechanism: MechId(0),
                        uid: Uid(held.branch(number)),
                        set: WeightsSet {
                            block: number,
                            kind: match netuid {
                                1 => WeightsSetKind::Direct,
                                _ => WeightsSetKind::HashReveal,
                            },
                            hotkey: Some(account(netuid)),
                            made_by: None,
                            item: None,
                            version_key: Some(super::WIDE),
                            commit: None,
                        },
                    })
                })
                .collect(),
            Topic::Commits => [CommitStep::Made, CommitStep::Attempted]
                .into_iter()
                .map(|step| {
                    Happening::Commit(CommitHappening {
                        step,
                        commit: commit(number, number, NetUid(1)),
                    })
                })
                .collect(),
            Topic::Stake => vec![Happening::Stake(movement(number, &StakeFilter::default()))],
            Topic::Scores => Vec::new(),
        }
    }
}

impl Happenings for Fake {
    fn happenings(
        &self,
        topic: Topic,
        blocks: &[BlockNumber],
    ) -> Result<Vec<Vec<Happening>>, ReadError> {
        self.count("happenings");
        let each = blocks.iter();
        each.map(|number| {
            self.check(*number)?;
            let done = self.held().restaged;
            if let Some(done) = done.filter(|done| topic == Topic::Commits && number > done) {
                let asked = *number;
                return Err(ReadError::Restaging { asked, done });
            }
            Ok(self.happened(topic, *number))
        })
        .collect()
    }

    fn result_records(&self, from: u64, first: usize) -> Result<Vec<ResultRecord>, ReadError> {
        self.count("result_records");
        let records = self.held().records;
        Ok((from..records).take(first).map(results::record).collect())
    }

    fn result_count(&self) -> Result<u64, ReadError> {
        Ok(self.held().records)
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to this: {what}");
}
