//! A store in memory whose every value follows from its key, and which counts its reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chain_metadata::{BlockNumber, H256, MechId, NetUid, Uid};
use graphql::ports::*;
use graphql::{ReadError, Reader};
use tokio::sync::broadcast;

mod changes;
mod history;
mod lists;
mod records;
pub(crate) mod results;
pub(crate) mod streams;
mod verdicts;
mod whatif;

pub(crate) use records::*;

/// Above 2^53: a float would round it.
pub(crate) const WIDE: u64 = 9_007_199_254_740_993;

/// What the store holds; tests change it as they go.
pub(crate) struct Held {
    pub(crate) first: Option<BlockNumber>,
    pub(crate) last: Option<BlockNumber>,
    /// Unfinalized blocks above `last`; `None` when they are not followed.
    pub(crate) unfinalized: Option<u32>,
    /// This block's branch has lost, says whoever asks.
    pub(crate) dropped: Option<BlockNumber>,
    /// From these heights on blocks are of another branch, with other hashes.
    pub(crate) branches: BTreeMap<BlockNumber, u8>,
    /// Blocks within the range that are not stored.
    pub(crate) holes: Vec<(BlockNumber, BlockNumber)>,
    /// Subnets whose epoch ran, by block.
    pub(crate) epochs: BTreeMap<BlockNumber, Vec<u16>>,
    /// Blocks whose commits are being made again are above this one.
    pub(crate) restaged: Option<BlockNumber>,
    /// How many records of results there are.
    pub(crate) records: u64,
    pub(crate) subnets: u16,
    pub(crate) neurons: u16,
    pub(crate) node_finalized: Option<BlockNumber>,
    pub(crate) following: bool,
    /// Metagraphs of this block cannot be decoded.
    pub(crate) broken: Option<BlockNumber>,
    /// Stake is rao by hotkey and coldkey, and uid 3 has none.
    pub(crate) keeps_rao: bool,
    /// A search ends when it has come to this block.
    pub(crate) search_to: Option<BlockNumber>,
    /// How long every read takes.
    pub(crate) slow: Duration,
}

impl Held {
    fn best(&self) -> Option<BlockNumber> {
        self.last.map(|last| last + self.unfinalized.unwrap_or(0))
    }
}

pub(crate) struct Fake {
    held: Mutex<Held>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
    sender: broadcast::Sender<Committed>,
    heads: broadcast::Sender<HeadNews>,
    /// What the next operations read instead of this.
    pub(crate) snapshot: Mutex<Option<std::sync::Arc<Fake>>>,
    running: AtomicUsize,
    pub(crate) most_running: AtomicUsize,
}

impl Fake {
    /// Blocks 10 to 20, three subnets of four neurons.
    pub(crate) fn new() -> Self {
        Self {
            held: Mutex::new(Held {
                first: Some(10),
                last: Some(20),
                unfinalized: None,
                dropped: None,
                branches: BTreeMap::new(),
                holes: Vec::new(),
                epochs: BTreeMap::new(),
                restaged: None,
                records: 300,
                subnets: 3,
                neurons: 4,
                node_finalized: None,
                following: false,
                broken: None,
                keeps_rao: false,
                search_to: None,
                slow: Duration::ZERO,
            }),
            counts: Mutex::default(),
            sender: broadcast::channel(4).0,
            heads: broadcast::channel(4).0,
            snapshot: Mutex::default(),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
        }
    }

    pub(crate) fn with(change: impl FnOnce(&mut Held)) -> Self {
        let fake = Self::new();
        change(&mut fake.held());
        fake
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    /// Stores one more block and tells the listeners.
    pub(crate) fn commit(&self, epochs: &[u16]) -> BlockNumber {
        let number = {
            let mut held = self.held();
            let number = held.last.map_or(0, |last| last + 1);
            held.last = Some(number);
            held.first.get_or_insert(number);
            held.epochs.insert(number, epochs.to_vec());
            // The highest unfinalized one became final.
            held.unfinalized = held.unfinalized.map(|above| above.saturating_sub(1));
            number
        };
        let hash = self.held().hash(number);
        // An error only says that nobody listens.
        let _ = self.sender.send(Committed {
            number,
            hash,
            epochs: epochs.iter().map(|netuid| NetUid(*netuid)).collect(),
        });
        number
    }

    pub(crate) fn listeners(&self) -> usize {
        self.sender.receiver_count() + self.heads.receiver_count()
    }

    fn other(&self) -> Option<std::sync::Arc<Fake>> {
        self.snapshot.lock().unwrap().clone()
    }

    /// Tells the listeners of heads.
    pub(crate) fn tell(&self, news: HeadNews) {
        // An error only says that nobody listens.
        let _ = self.heads.send(news);
    }

    pub(crate) fn take_counts(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.counts.lock().unwrap())
    }

    pub(super) fn count(&self, name: &'static str) {
        *self.counts.lock().unwrap().entry(name).or_default() += 1;
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        let slow = self.held().slow;
        std::thread::sleep(slow);
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    fn check(&self, asked: BlockNumber) -> Result<(), ReadError> {
        let held = self.held();
        let (first, last) = (held.first, held.last);
        if held
            .holes
            .iter()
            .any(|hole| (hole.0..=hole.1).contains(&asked))
        {
            return Err(ReadError::OutOfRange { asked, first, last });
        }
        match (held.first, held.best()) {
            (Some(first), Some(best)) if (first..=best).contains(&asked) => Ok(()),
            (first, last) => Err(ReadError::OutOfRange { asked, first, last }),
        }
    }

    fn matrix(
        &self,
        key: &(BlockNumber, NetUid, MechId),
    ) -> Result<Option<Vec<MatrixRow>>, ReadError> {
        let (block, netuid, mechanism) = *key;
        self.check(block)?;
        let held = self.held();
        if netuid.0 >= held.subnets || mechanism.0 > 1 {
            return Ok(None);
        }
        // Neuron 1 has set nothing; the entries are not sorted.
        Ok(Some(
            (0..held.neurons)
                .filter(|uid| *uid != 1)
                .map(|uid| MatrixRow {
                    uid: Uid(uid),
                    changed_at: (uid == 0).then_some(block),
                    entries: vec![(3, 65535), (0, uid), (2, 0)],
                })
                .collect(),
        ))
    }
}

impl Reader for Fake {
    fn status(&self) -> Result<Status, ReadError> {
        self.count("status");
        let held = self.held();
        Ok(Status {
            genesis_hash: H256([0xaa; 32]),
            chain: Some("<Fake> chain".into()),
            first: held.first,
            last: held.last,
            spans: held.spans(),
            last_hash: held.last.map(|last| held.hash(last)),
            last_timestamp_ms: held.last.map(|_| WIDE),
            last_spec: held.last.map(spec_of),
            node_finalized: held.node_finalized,
            node_finalized_age_ms: held.node_finalized.map(|_| 5),
            committed_age_ms: None,
            following: held.following,
            verified: held.first.zip(held.last),
            stopped: None,
            format_version: 1,
            heads: Heads {
                followed: held.unfinalized.is_some(),
                best: held.best().map(|best| (best, held.hash(best))),
                unfinalized: held.unfinalized.unwrap_or(0),
                trouble: held.unfinalized.map(|_| "the node is tired".into()),
            },
        })
    }

    fn blocks(&self, numbers: &[BlockNumber]) -> Result<Vec<Option<Block>>, ReadError> {
        self.count("blocks");
        let last = self.held().last;
        let each = numbers.iter();
        Ok(each
            .map(|n| {
                let finalized = Some(*n) <= last;
                let block = block(*n);
                let hash = self.held().hash(*n);
                let parent_hash = n.checked_sub(1).map_or(H256::ZERO, |n| self.held().hash(n));
                self.check(*n).ok().map(|()| Block {
                    finalized,
                    hash,
                    parent_hash,
                    ..block
                })
            })
            .collect())
    }

    fn block_numbers(&self, hashes: &[H256]) -> Result<Vec<Option<BlockNumber>>, ReadError> {
        self.count("block_numbers");
        let held = self.held();
        let (Some(first), Some(last)) = (held.first, held.best()) else {
            return Ok(vec![None; hashes.len()]);
        };
        let each = hashes.iter();
        Ok(each
            .map(|hash| (first..=last).find(|n| held.hash(*n) == *hash))
            .collect())
    }

    fn extrinsics(&self, blocks: &[BlockNumber]) -> Result<Vec<Vec<Extrinsic>>, ReadError> {
        self.count("extrinsics");
        let each = blocks.iter();
        each.map(|block| {
            self.check(*block)?;
            Ok((0..3).map(|index| extrinsic(*block, index)).collect())
        })
        .collect()
    }

    fn extrinsics_by_hash(&self, hashes: &[H256]) -> Result<Vec<Vec<Extrinsic>>, ReadError> {
        self.count("extrinsics_by_hash");
        let range = {
            let held = self.held();
            held.first.unwrap_or(1)..=held.last.unwrap_or(0)
        };
        let each = hashes.iter();
        Ok(each
            .map(|hash| {
                range
                    .clone()
                    .flat_map(|block| (0..3).map(move |index| extrinsic(block, index)))
                    .filter(|extrinsic| extrinsic.hash == *hash)
                    .collect()
            })
            .collect())
    }

    fn events(&self, blocks: &[BlockNumber]) -> Result<Vec<Vec<Event>>, ReadError> {
        self.count("events");
        let each = blocks.iter();
        each.map(|block| {
            self.check(*block)?;
            Ok((0..5).map(|index| event(*block, index)).collect())
        })
        .collect()
    }

    fn subnets(&self, at: &[BlockNumber]) -> Result<Vec<Vec<NetUid>>, ReadError> {
        self.count("subnets");
        at.iter()
            .map(|block| {
                self.check(*block)?;
                Ok((0..self.held().subnets).map(NetUid).collect())
            })
            .collect()
    }

    fn subnet(&self, keys: &[(BlockNumber, NetUid)]) -> Result<Vec<Option<Subnet>>, ReadError> {
        self.count("subnet_items");
        keys.iter()
            .map(|(block, netuid)| {
                self.check(*block)?;
                let held = self.held();
                Ok((netuid.0 < held.subnets).then(|| subnet(*block, *netuid, held.neurons)))
            })
            .collect()
    }

    fn subnet_without_items(
        &self,
        keys: &[(BlockNumber, NetUid)],
    ) -> Result<Vec<Option<Subnet>>, ReadError> {
        self.count("subnet");
        let one = |(block, netuid): &(BlockNumber, NetUid)| {
            self.check(*block)?;
            let held = self.held();
            Ok((netuid.0 < held.subnets).then(|| Subnet {
                items: Vec::new(),
                ..subnet(*block, *netuid, held.neurons)
            }))
        };
        keys.iter().map(one).collect()
    }

    fn metagraphs(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Metagraph>>, ReadError> {
        self.count("metagraphs");
        keys.iter()
            .map(|(block, netuid, mechanism)| {
                self.check(*block)?;
                let held = self.held();
                if held.broken == Some(*block) {
                    return Err(ReadError::Decode("SECRET path /srv/store".into()));
                }
                let exists = netuid.0 < held.subnets && mechanism.0 <= 1;
                Ok(exists.then(|| Metagraph {
                    stamp: stamp(*block),
                    netuid: *netuid,
                    mechanism: *mechanism,
                    neurons: (0..held.neurons).map(|uid| neuron(uid, *block)).collect(),
                }))
            })
            .collect()
    }

    fn weights(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Vec<MatrixRow>>>, ReadError> {
        self.count("weights");
        keys.iter().map(|key| self.matrix(key)).collect()
    }

    fn bonds(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Vec<MatrixRow>>>, ReadError> {
        self.count("bonds");
        let each = keys.iter();
        each.map(|key| {
            Ok(self
                .matrix(key)?
                .map(|rows| rows.into_iter().take(1).collect()))
        })
        .collect()
    }

    fn runtimes(&self) -> Result<Vec<Runtime>, ReadError> {
        self.count("runtimes");
        let runtime = |spec_version, first_block, last_block| Runtime {
            spec_version,
            first_block,
            last_block,
            metadata_hash: H256([5; 32]),
            metadata_version: 15,
            metadata_bytes: WIDE,
        };
        Ok(vec![runtime(300, 10, Some(14)), runtime(301, 15, None)])
    }

    fn commits(
        &self,
        at: BlockNumber,
        filter: &CommitFilter,
        before: Option<CommitId>,
        first: usize,
    ) -> Result<CommitPage, ReadError> {
        self.count("commits");
        self.check(at)?;
        let oldest = self.held().first.unwrap_or_default();
        // A block has one commit, of index 0.
        let first_not = |id: CommitId| id.block + id.index.min(1);
        let below = before.map_or(at + 1, first_not).min(at + 1);
        let netuid = filter.netuid.unwrap_or(NetUid(1));
        let commits: Vec<_> = (oldest..below)
            .rev()
            .take(first)
            .map(|block| commit(block, at, netuid))
            .collect();
        let last = commits.last().map(|c| c.id);
        Ok(CommitPage {
            next: last.filter(|id| id.block > oldest),
            commits,
        })
    }

    fn stake_movements(
        &self,
        at: BlockNumber,
        filter: &StakeFilter,
        before: Option<StakeMovementId>,
        first: usize,
    ) -> Result<StakeMovementPage, ReadError> {
        self.count("stake_movements");
        self.check(at)?;
        let oldest = self.held().first.unwrap_or_default();
        let below = before.map_or(at + 1, |id| id.block).min(at + 1);
        let movements: Vec<_> = (oldest..below)
            .rev()
            .take(first)
            .map(|block| movement(block, filter))
            .collect();
        let last = movements.last().map(|m| m.id);
        Ok(StakeMovementPage {
            next: last.filter(|id| id.block > oldest),
            movements,
        })
    }

    fn stake(
        &self,
        at: BlockNumber,
        of: StakeOf,
        netuid: Option<NetUid>,
    ) -> Result<Vec<StakeShare>, ReadError> {
        self.count("stake");
        self.check(at)?;
        if self.held().keeps_rao {
            let none = of == StakeOf::Hotkey(account(3));
            let rao = |n: u8| StakeShare {
                entry: "Stake".into(),
                value: Some(serde_json::json!(n.to_string())),
                ..share(n, of, netuid)
            };
            return Ok((1..=4).filter(|_| !none).map(rao).collect());
        }
        Ok((1..=5).map(|n| share(n, of, netuid)).collect())
    }

    fn stakes(&self, keys: &[StakeKey]) -> Result<Vec<Vec<StakeShare>>, ReadError> {
        self.count("stakes");
        keys.iter()
            .map(|(at, of, netuid)| {
                self.check(*at)?;
                Ok((1..=5).map(|n| share(n, *of, *netuid)).collect())
            })
            .collect()
    }

    fn commits_named(
        &self,
        keys: &[(CommitId, BlockNumber)],
    ) -> Result<Vec<Option<Commit>>, ReadError> {
        self.count("commits_named");
        keys.iter()
            .map(|(id, at)| {
                self.check(*at)?;
                Ok((id.index == 0).then(|| commit(id.block, *at, NetUid(1))))
            })
            .collect()
    }

    fn verification(
        &self,
        block: BlockNumber,
        netuid: NetUid,
        mechanism: MechId,
    ) -> Result<Option<Verification>, ReadError> {
        self.count("verification");
        self.check(block)?;
        Ok((mechanism.0 == 0).then(|| verdicts::record(block, netuid)))
    }

    fn verification_values(
        &self,
        block: BlockNumber,
        _: NetUid,
        _: MechId,
    ) -> Result<Option<Vec<ComparedNeuron>>, ReadError> {
        self.count("verification_values");
        self.check(block)?;
        Ok(Some(verdicts::values()))
    }

    fn verifications(
        &self,
        wanted: &VerificationFilter,
        before: Option<VerificationId>,
        first: usize,
    ) -> Result<VerificationPage, ReadError> {
        self.count("verifications");
        Ok(verdicts::page(wanted, before, first))
    }

    fn verification_summary(
        &self,
        netuid: Option<NetUid>,
        (from, to): (BlockNumber, BlockNumber),
    ) -> Result<VerificationSummary, ReadError> {
        self.count("verification_summary");
        Ok(verdicts::summary(netuid, u64::from(to - from) + 1))
    }

    fn manifest(&self, spec: u32) -> Result<Option<Vec<ManifestLine>>, ReadError> {
        self.count("manifest");
        let line = |entry: &str, fit, why: Option<&str>| ManifestLine {
            pallet: "SubtensorModule".into(),
            entry: entry.into(),
            essential: entry == "Keys",
            fit,
            why: why.map(Into::into),
        };
        Ok((spec <= 301).then(|| {
            vec![
                line("Keys", ManifestFit::Same, None),
                line("Rank", ManifestFit::Gone, Some("the runtime before had it")),
            ]
            .into_iter()
            .chain(
                self.held()
                    .keeps_rao
                    .then(|| line("Stake", ManifestFit::Same, None)),
            )
            .collect()
        }))
    }

    fn runtime_diff(&self, from: u32, to: u32) -> Result<Option<Vec<RuntimeDiffLine>>, ReadError> {
        self.count("runtime_diff");
        Ok(((from, to) == (300, 301)).then(|| {
            vec![RuntimeDiffLine {
                part: RuntimePart::Storage,
                pallet: "SubtensorModule".into(),
                name: "Tempo".into(),
                change: RuntimeChange::Changed,
                what: "value: u16 → u32".into(),
            }]
        }))
    }

    fn subscribe(&self) -> broadcast::Receiver<Committed> {
        self.sender.subscribe()
    }

    fn subscribe_heads(&self) -> broadcast::Receiver<HeadNews> {
        self.heads.subscribe()
    }

    fn snapshot(&self) -> Result<Option<std::sync::Arc<dyn Reader>>, ReadError> {
        let Some(snapshot) = self.other() else {
            return Ok(None);
        };
        self.count("snapshot");
        Ok(Some(snapshot))
    }

    fn confirm(&self) -> Result<(), ReadError> {
        self.held()
            .dropped
            .map_or(Ok(()), |block| Err(ReadError::Dropped(block)))
    }
}
