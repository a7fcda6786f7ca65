//! The window's port over the store.

mod accounts;
mod ats;
mod backwards;
mod changes;
mod commits;
mod coverage;
mod epochs;
mod heads;
mod history;
pub(crate) mod records;
mod results;
mod road;
mod runtimes;
mod stake;
mod streams;
mod verdicts;
mod whatif;

use std::sync::{Arc, Mutex};

use chain_metadata::{BlockNumber, H256, MechId, NetUid};
use graphql::ports::{self, ReadError, Reader};
use indexer::store::tables::FORMAT_VERSION;
use indexer::store::{Store, StoreError};
use indexer::view::{self, At};
use records::{extrinsic, neuron, plain_subnet, stamp, subnet};
pub(crate) use results::scored;
use road::{Road, Trouble, age_ms};
use tokio::sync::broadcast;

use crate::scorer::Scorer;

/// Answers the window from a store.
pub(crate) struct StoreReader {
    store: Store,
    chain: Option<String>,
    road: Arc<Mutex<Road>>,
    trouble: Trouble,
    committed: broadcast::Sender<ports::Committed>,
    above: heads::Above,
    scorer: Option<Arc<Scorer>>,
}

impl StoreReader {
    /// The same reader beside a scorer, which answers for what it scores.
    pub(crate) fn with_scorer(self, scorer: Option<Arc<Scorer>>) -> StoreReader {
        StoreReader { scorer, ..self }
    }

    fn at(&self, number: BlockNumber) -> Result<At, ReadError> {
        let found = match self.above.sees(number) {
            true => view::at(self.over(number), number).map_err(read_error)?,
            false => None,
        };
        match found {
            Some(at) => Ok(at),
            None => {
                let spans = self.spans()?;
                Err(ReadError::OutOfRange {
                    asked: number,
                    first: spans.first().map(|s| s.0),
                    last: spans.last().map(|s| s.1),
                })
            }
        }
    }

    /// The stored ranges, as far as they are final.
    fn spans(&self) -> Result<Vec<(BlockNumber, BlockNumber)>, ReadError> {
        let spans = self.store.spans();
        let mut spans: Vec<_> = spans.iter().map(|s| (s.first, s.last)).collect();
        if let (Some(tip), Some(highest)) = (self.tip()?, spans.last_mut()) {
            highest.1 = tip.last;
        }
        Ok(spans)
    }

    fn matrix(
        &self,
        entry: &str,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Vec<ports::MatrixRow>>>, ReadError> {
        let mut ats = self.ats();
        keys.iter()
            .map(|(number, netuid, mechanism)| {
                let at = ats.at(*number)?;
                let rows = view::rows(self.over(*number), at, entry, *netuid, *mechanism)
                    .map_err(read_error)?;
                Ok(rows.map(|rows| {
                    rows.into_iter()
                        .map(|(uid, changed_at, entries)| ports::MatrixRow {
                            uid,
                            changed_at: Some(changed_at),
                            entries,
                        })
                        .collect()
                }))
            })
            .collect()
    }

    fn bodies(&self, at: &At) -> Result<Vec<ports::Extrinsic>, ReadError> {
        let ss58 = at.layout.metadata.ss58_prefix();
        let bodies = view::extrinsics(self.over(at.number), at).map_err(read_error)?;
        Ok(bodies
            .into_iter()
            .map(|body| extrinsic(at, ss58, body))
            .collect())
    }
}

fn read_error(error: StoreError) -> ReadError {
    match error {
        StoreError::Row { .. } | StoreError::Metadata { .. } => {
            ReadError::Decode(error.to_string())
        }
        other => ReadError::Store(other.to_string()),
    }
}

impl Reader for StoreReader {
    fn status(&self) -> Result<ports::Status, ReadError> {
        if let Some(now) = self.now()? {
            return now.status();
        }
        let tip = self.tip()?;
        let spans = self.spans()?;
        let genesis = self.store.genesis().map_err(read_error)?;
        let genesis_hash = genesis.ok_or_else(|| read_error(StoreError::Empty))?;
        let last = match tip {
            Some(tip) => self.over(tip.last).block(tip.last).map_err(read_error)?,
            None => None,
        };
        let verified = self.base().looked_at().map_err(read_error)?;
        let road = self.road.lock().map_err(|_| {
            ReadError::Store("the status is locked by a thread that stopped".into())
        })?;
        Ok(ports::Status {
            genesis_hash,
            chain: self.chain.clone(),
            first: spans.first().map(|s| s.0),
            last: tip.map(|t| t.last),
            spans,
            last_hash: tip.map(|t| H256(t.hash)),
            last_timestamp_ms: last.and_then(|b| b.timestamp_ms),
            last_spec: tip.map(|t| t.spec),
            node_finalized: road.finalized.map(|(height, _)| height),
            node_finalized_age_ms: age_ms(road.finalized.map(|(_, at)| at)),
            committed_age_ms: age_ms(road.committed),
            following: road.following,
            verified: verified.map(|seen| (seen.first, seen.last)),
            stopped: road.standing(&self.trouble),
            format_version: FORMAT_VERSION,
            heads: self.above.status(tip),
        })
    }

    fn coverage(&self) -> Result<ports::Coverage, ReadError> {
        let road = self.road.lock().map_err(|_| {
            ReadError::Store("the status is locked by a thread that stopped".into())
        })?;
        let mut coverage = coverage::of(self.base());
        coverage.blocks_left = road.left;
        coverage.eta_ms = road
            .left
            .and_then(|left| road.pace.left(left))
            .and_then(|time| u64::try_from(time.as_millis()).ok());
        Ok(coverage)
    }

    fn blocks(&self, numbers: &[BlockNumber]) -> Result<Vec<Option<ports::Block>>, ReadError> {
        numbers
            .iter()
            .map(|number| {
                let row = match self.above.sees(*number) {
                    true => self.over(*number).block(*number).map_err(read_error)?,
                    false => None,
                };
                let Some(row) = row else {
                    return Ok(None);
                };
                let header = chain_metadata::decode_header(&row.header).ok_or_else(|| {
                    ReadError::Decode(format!("the header of block {number} is damaged"))
                })?;
                Ok(Some(ports::Block {
                    number: *number,
                    hash: H256(row.hash),
                    parent_hash: header.parent_hash,
                    state_root: header.state_root,
                    extrinsics_root: header.extrinsics_root,
                    timestamp_ms: row.timestamp_ms,
                    spec_version: row.spec,
                    extrinsic_count: row.extrinsics,
                    event_count: row.events,
                    digest_logs: header.logs,
                    finalized: self.above.is_final(*number),
                }))
            })
            .collect()
    }

    fn block_numbers(&self, hashes: &[H256]) -> Result<Vec<Option<BlockNumber>>, ReadError> {
        hashes
            .iter()
            .map(|hash| {
                let number = self.store.block_number(hash).map_err(read_error)?;
                Ok(number.filter(|number| self.above.sees(*number)))
            })
            .collect()
    }

    fn extrinsics(&self, blocks: &[BlockNumber]) -> Result<Vec<Vec<ports::Extrinsic>>, ReadError> {
        blocks
            .iter()
            .map(|number| self.bodies(&self.at(*number)?))
            .collect()
    }

    fn extrinsics_by_hash(&self, hashes: &[H256]) -> Result<Vec<Vec<ports::Extrinsic>>, ReadError> {
        hashes
            .iter()
            .map(|hash| {
                let mut found = Vec::new();
                for (number, index) in self.store.extrinsic_places(hash).map_err(read_error)? {
                    // Unfinalized blocks are read only when they are asked for.
                    if !self.above.is_final(number) {
                        continue;
                    }
                    let bodies = self.bodies(&self.at(number)?)?;
                    found.extend(
                        bodies
                            .into_iter()
                            .filter(|xt| xt.index == index && xt.hash == *hash),
                    );
                }
                Ok(found)
            })
            .collect()
    }

    fn events(&self, blocks: &[BlockNumber]) -> Result<Vec<Vec<ports::Event>>, ReadError> {
        blocks
            .iter()
            .map(|number| {
                let at = self.at(*number)?;
                let events = view::events(self.over(*number), &at).map_err(read_error)?;
                Ok(events.iter().map(|e| history::event(&at, e)).collect())
            })
            .collect()
    }

    fn subnets(&self, at: &[BlockNumber]) -> Result<Vec<Vec<NetUid>>, ReadError> {
        at.iter()
            .map(|number| view::subnets(self.over(*number), &self.at(*number)?).map_err(read_error))
            .collect()
    }

    fn subnet(
        &self,
        keys: &[(BlockNumber, NetUid)],
    ) -> Result<Vec<Option<ports::Subnet>>, ReadError> {
        let mut ats = self.ats();
        keys.iter()
            .map(|(number, netuid)| {
                let at = ats.at(*number)?;
                if !view::exists(self.over(*number), at, *netuid).map_err(read_error)? {
                    return Ok(None);
                }
                let held =
                    view::subnet_items(self.over(*number), at, *netuid).map_err(read_error)?;
                Ok(Some(subnet(at, *netuid, held)?))
            })
            .collect()
    }

    fn subnet_without_items(
        &self,
        keys: &[(BlockNumber, NetUid)],
    ) -> Result<Vec<Option<ports::Subnet>>, ReadError> {
        let one = |(number, netuid): &(BlockNumber, NetUid)| {
            let at = self.at(*number)?;
            plain_subnet(self.over(*number), &at, *netuid)
        };
        keys.iter().map(one).collect()
    }

    fn metagraphs(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<ports::Metagraph>>, ReadError> {
        let mut ats = self.ats();
        keys.iter()
            .map(|(number, netuid, mechanism)| {
                let at = ats.at(*number)?;
                let found = view::metagraph(self.over(*number), at, *netuid, *mechanism)
                    .map_err(read_error)?;
                let Some(neurons) = found else {
                    return Ok(None);
                };
                let neurons = neurons.into_iter().map(|n| neuron(at, *netuid, n));
                Ok(Some(ports::Metagraph {
                    stamp: stamp(at),
                    netuid: *netuid,
                    mechanism: *mechanism,
                    neurons: neurons.collect::<Result<_, _>>()?,
                }))
            })
            .collect()
    }

    fn last_epochs(
        &self,
        keys: &[(BlockNumber, NetUid)],
    ) -> Result<Vec<Option<ports::LastEpoch>>, ReadError> {
        // The epoch's own row has its index: the chain's counter goes on at skipped slots too.
        let applied = ports::Epochs::applied(self, keys)?.into_iter();
        let last = |epoch: ports::Applied| ports::LastEpoch {
            block: epoch.block.into(),
            index: epoch.index,
        };
        Ok(applied.map(|epoch| epoch.map(last)).collect())
    }

    fn weights(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Vec<ports::MatrixRow>>>, ReadError> {
        self.matrix("Weights", keys)
    }

    fn bonds(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Vec<ports::MatrixRow>>>, ReadError> {
        self.matrix("Bonds", keys)
    }

    fn commits(
        &self,
        at: BlockNumber,
        filter: &ports::CommitFilter,
        before: Option<ports::CommitId>,
        first: usize,
    ) -> Result<ports::CommitPage, ReadError> {
        let at = self.at(at)?;
        if let Some(done) = coverage::restaged_to(&self.store, at.number) {
            let asked = at.number;
            return Err(ReadError::Restaging { asked, done });
        }
        let filter = commits::filter(filter);
        let before = before.map(commits::id);
        let page = view::commits::page(self.over(at.number), &at, &filter, before, first);
        let page = page.map_err(read_error)?;
        let found = page.commits.into_iter();
        Ok(ports::CommitPage {
            commits: found.map(|c| commits::commit(&at, c)).collect(),
            next: page.next.map(commits::name),
        })
    }

    fn stake_movements(
        &self,
        at: BlockNumber,
        filter: &ports::StakeFilter,
        before: Option<ports::StakeMovementId>,
        first: usize,
    ) -> Result<ports::StakeMovementPage, ReadError> {
        let at = self.at(at)?;
        let before = before.map(stake::id);
        let filter = stake::filter(filter);
        let page = view::stake::page(self.over(at.number), at.number, &filter, before, first);
        let page = page.map_err(read_error)?;
        Ok(ports::StakeMovementPage {
            movements: page.movements.into_iter().map(stake::movement).collect(),
            next: page.next.map(stake::name),
        })
    }

    fn stake(
        &self,
        at: BlockNumber,
        of: ports::StakeOf,
        netuid: Option<NetUid>,
    ) -> Result<Vec<ports::StakeShare>, ReadError> {
        let at = self.at(at)?;
        let found = view::stake::shares(self.over(at.number), &at, stake::of(of), netuid);
        let found = found.map_err(read_error)?;
        Ok(found.into_iter().map(|s| stake::share(&at, s)).collect())
    }

    fn commits_named(
        &self,
        keys: &[(ports::CommitId, BlockNumber)],
    ) -> Result<Vec<Option<ports::Commit>>, ReadError> {
        keys.iter()
            .map(|(id, at)| {
                let at = self.at(*at)?;
                if let Some(done) = coverage::restaged_to(&self.store, at.number) {
                    let asked = at.number;
                    return Err(ReadError::Restaging { asked, done });
                }
                let found = view::commits::one(self.over(at.number), &at, commits::id(*id));
                let found = found.map_err(read_error)?;
                Ok(found.map(|c| commits::commit(&at, c)))
            })
            .collect()
    }

    fn verification(
        &self,
        block: BlockNumber,
        netuid: NetUid,
        mechanism: MechId,
    ) -> Result<Option<ports::Verification>, ReadError> {
        verdicts::one(self.base(), (block, netuid, mechanism))
    }

    fn verification_values(
        &self,
        block: BlockNumber,
        netuid: NetUid,
        mechanism: MechId,
    ) -> Result<Option<Vec<ports::ComparedNeuron>>, ReadError> {
        verdicts::values(self.base(), (block, netuid, mechanism))
    }

    fn verifications(
        &self,
        wanted: &ports::VerificationFilter,
        before: Option<ports::VerificationId>,
        first: usize,
    ) -> Result<ports::VerificationPage, ReadError> {
        verdicts::page(self.base(), wanted, before, first)
    }

    fn verification_summary(
        &self,
        netuid: Option<NetUid>,
        range: (BlockNumber, BlockNumber),
    ) -> Result<ports::VerificationSummary, ReadError> {
        verdicts::summary(self.base(), netuid, range)
    }

    fn runtimes(&self) -> Result<Vec<ports::Runtime>, ReadError> {
        let mut rows = self.base().runtimes().map_err(read_error)?;
        rows.sort_by_key(|(_, row)| row.first_block);
        rows.retain(|(_, row)| self.above.is_final(row.first_block));
        let last = self.tip()?.map(|tip| tip.last);
        let ends: Vec<_> = rows
            .iter()
            .skip(1)
            .map(|(_, row)| coverage::stored_below(&self.store, row.first_block))
            .chain([last])
            .collect();
        Ok(rows
            .into_iter()
            .zip(ends)
            .map(|((spec_version, row), last_block)| ports::Runtime {
                spec_version,
                first_block: row.first_block,
                last_block,
                metadata_hash: H256(row.metadata_hash),
                metadata_version: row.metadata_version,
                metadata_bytes: u64::from(row.metadata_len),
            })
            .collect())
    }

    fn manifest(&self, spec: u32) -> Result<Option<Vec<ports::ManifestLine>>, ReadError> {
        runtimes::manifest(self.base(), spec)
    }

    fn runtime_diff(
        &self,
        from: u32,
        to: u32,
    ) -> Result<Option<Vec<ports::RuntimeDiffLine>>, ReadError> {
        runtimes::difference(self.base(), from, to)
    }

    fn subscribe(&self) -> broadcast::Receiver<ports::Committed> {
        self.committed.subscribe()
    }

    fn subscribe_heads(&self) -> broadcast::Receiver<ports::HeadNews> {
        self.above.subscribe()
    }

    fn snapshot(&self) -> Result<Option<Arc<dyn Reader>>, ReadError> {
        Ok(self.now()?.map(|now| Arc::new(now) as Arc<dyn Reader>))
    }

    fn confirm(&self) -> Result<(), ReadError> {
        self.above.confirm().map_err(read_error)?
    }
}
