//! The window's port over the store.

mod commits;
mod records;
mod runtimes;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chain_metadata::{BlockNumber, H256, MechId, NetUid, Phase};
use graphql::ports::{self, ReadError, Reader};
use indexer::notify::Notify;
use indexer::pipeline::Progress;
use indexer::store::tables::FORMAT_VERSION;
use indexer::store::{Store, StoreError};
use indexer::view::{self, At};
use records::{extrinsic, neuron, stamp, subnet};
use tokio::sync::{broadcast, watch};

/// Silence after which a source's trouble is told: a request that another node
/// answers a moment later is none.
const QUIET: Duration = Duration::from_secs(5);

/// What the source of blocks says is wrong, if anything is.
type Trouble = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// What is known of the road besides the store.
#[derive(Debug, Default)]
struct Road {
    started: Option<Instant>,
    finalized: Option<(BlockNumber, Instant)>,
    committed: Option<Instant>,
    following: bool,
    stopped: Option<String>,
}

impl Road {
    /// Why nothing is added: the end of the road, or a source in trouble.
    fn standing(&self, trouble: &Trouble) -> Option<String> {
        let told = self.finalized.map(|(_, at)| at);
        let news = [self.started, told, self.committed].into_iter().flatten();
        let quiet = news.max().is_some_and(|last| last.elapsed() >= QUIET);
        self.stopped.clone().or_else(|| {
            let trouble = (self.following && quiet).then(trouble).flatten()?;
            Some(format!(
                "nothing new comes from the node, which is asked again: {trouble}"
            ))
        })
    }
}

/// Answers the window from a store.
pub(crate) struct StoreReader {
    store: Store,
    chain: Option<String>,
    road: Arc<Mutex<Road>>,
    trouble: Trouble,
    committed: broadcast::Sender<ports::Committed>,
}

impl StoreReader {
    /// Over a store that nobody writes.
    pub(crate) fn at_rest(store: Store, chain: Option<String>) -> StoreReader {
        StoreReader {
            store,
            chain,
            road: Arc::default(),
            trouble: Box::new(|| None),
            committed: broadcast::channel(1).0,
        }
    }

    /// Over a store that the road writes; must be called inside a tokio runtime.
    /// `trouble` is asked for what is wrong with the source of blocks.
    pub(crate) fn following(
        store: Store,
        chain: Option<String>,
        notify: &Notify,
        mut progress: watch::Receiver<Progress>,
        trouble: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> StoreReader {
        let road = Arc::new(Mutex::new(Road {
            started: Some(Instant::now()),
            following: true,
            ..Road::default()
        }));
        let committed = broadcast::channel(4096).0;
        let (sender, heard) = (committed.clone(), road.clone());
        let mut commits = notify.subscribe();
        tokio::spawn(async move {
            loop {
                match commits.recv().await {
                    Ok(block) => {
                        if let Ok(mut road) = heard.lock() {
                            road.committed = Some(Instant::now());
                        }
                        let _ = sender.send(ports::Committed {
                            number: block.number,
                            hash: block.hash,
                            epochs: block.epochs,
                        });
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        let heard = road.clone();
        tokio::spawn(async move {
            while progress.changed().await.is_ok() {
                let finalized = progress.borrow_and_update().finalized;
                if let (Some(height), Ok(mut road)) = (finalized, heard.lock())
                    && road.finalized.is_none_or(|(known, _)| known != height)
                {
                    road.finalized = Some((height, Instant::now()));
                }
            }
        });
        StoreReader {
            store,
            chain,
            road,
            trouble: Box::new(trouble),
            committed,
        }
    }

    /// Remembers why the road ended, for `/ready` and `status`.
    pub(crate) fn stopped(&self, why: Option<String>) {
        if let Ok(mut road) = self.road.lock() {
            road.following = false;
            road.stopped = why;
        }
    }

    fn at(&self, number: BlockNumber) -> Result<At, ReadError> {
        match view::at(&self.store, number).map_err(read_error)? {
            Some(at) => Ok(at),
            None => {
                let tip = self.store.checkpoint().map_err(read_error)?;
                Err(ReadError::OutOfRange {
                    asked: number,
                    first: tip.map(|t| t.first),
                    last: tip.map(|t| t.last),
                })
            }
        }
    }

    fn matrix(
        &self,
        entry: &str,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<Vec<ports::MatrixRow>>>, ReadError> {
        keys.iter()
            .map(|(number, netuid, mechanism)| {
                let at = self.at(*number)?;
                let rows =
                    view::rows(&self.store, &at, entry, *netuid, *mechanism).map_err(read_error)?;
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
        let bodies = view::extrinsics(&self.store, at).map_err(read_error)?;
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

fn age_ms(since: Option<Instant>) -> Option<u64> {
    let age: Duration = since?.elapsed();
    u64::try_from(age.as_millis()).ok()
}

impl Reader for StoreReader {
    fn status(&self) -> Result<ports::Status, ReadError> {
        let tip = self.store.checkpoint().map_err(read_error)?;
        let genesis = self.store.genesis().map_err(read_error)?;
        let genesis_hash = genesis.ok_or_else(|| read_error(StoreError::Empty))?;
        let last = match tip {
            Some(tip) => self.store.block(tip.last).map_err(read_error)?,
            None => None,
        };
        let road = self.road.lock().map_err(|_| {
            ReadError::Store("the status is locked by a thread that stopped".into())
        })?;
        Ok(ports::Status {
            genesis_hash,
            chain: self.chain.clone(),
            first: tip.map(|t| t.first),
            last: tip.map(|t| t.last),
            last_hash: tip.map(|t| H256(t.hash)),
            last_timestamp_ms: last.and_then(|b| b.timestamp_ms),
            last_spec: tip.map(|t| t.spec),
            node_finalized: road.finalized.map(|(height, _)| height),
            node_finalized_age_ms: age_ms(road.finalized.map(|(_, at)| at)),
            committed_age_ms: age_ms(road.committed),
            following: road.following,
            stopped: road.standing(&self.trouble),
            format_version: FORMAT_VERSION,
        })
    }

    fn blocks(&self, numbers: &[BlockNumber]) -> Result<Vec<Option<ports::Block>>, ReadError> {
        numbers
            .iter()
            .map(|number| {
                let Some(row) = self.store.block(*number).map_err(read_error)? else {
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
                }))
            })
            .collect()
    }

    fn block_numbers(&self, hashes: &[H256]) -> Result<Vec<Option<BlockNumber>>, ReadError> {
        hashes
            .iter()
            .map(|hash| self.store.block_number(hash).map_err(read_error))
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
                let ss58 = at.layout.metadata.ss58_prefix();
                let events = view::events(&self.store, &at).map_err(read_error)?;
                Ok(events
                    .into_iter()
                    .map(|event| ports::Event {
                        block: *number,
                        index: event.index,
                        phase: match event.phase {
                            Phase::ApplyExtrinsic(index) => ports::Phase::ApplyExtrinsic(index),
                            Phase::Finalization => ports::Phase::Finalization,
                            Phase::Initialization => ports::Phase::Initialization,
                        },
                        fields: chain_metadata::fields_json(&event.fields, ss58),
                        pallet: event.pallet.to_string(),
                        name: event.name.to_string(),
                        spec_version: at.row.spec,
                    })
                    .collect())
            })
            .collect()
    }

    fn subnets(&self, at: &[BlockNumber]) -> Result<Vec<Vec<NetUid>>, ReadError> {
        at.iter()
            .map(|number| view::subnets(&self.store, &self.at(*number)?).map_err(read_error))
            .collect()
    }

    fn subnet(
        &self,
        keys: &[(BlockNumber, NetUid)],
    ) -> Result<Vec<Option<ports::Subnet>>, ReadError> {
        keys.iter()
            .map(|(number, netuid)| {
                let at = self.at(*number)?;
                if !view::exists(&self.store, &at, *netuid).map_err(read_error)? {
                    return Ok(None);
                }
                let held = view::subnet_items(&self.store, &at, *netuid).map_err(read_error)?;
                Ok(Some(subnet(&at, *netuid, held)?))
            })
            .collect()
    }

    fn metagraphs(
        &self,
        keys: &[(BlockNumber, NetUid, MechId)],
    ) -> Result<Vec<Option<ports::Metagraph>>, ReadError> {
        keys.iter()
            .map(|(number, netuid, mechanism)| {
                let at = self.at(*number)?;
                let found =
                    view::metagraph(&self.store, &at, *netuid, *mechanism).map_err(read_error)?;
                let Some(neurons) = found else {
                    return Ok(None);
                };
                let neurons = neurons.into_iter().map(|n| neuron(&at, *netuid, n));
                Ok(Some(ports::Metagraph {
                    stamp: stamp(&at),
                    netuid: *netuid,
                    mechanism: *mechanism,
                    neurons: neurons.collect::<Result<_, _>>()?,
                }))
            })
            .collect()
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
        let filter = commits::filter(filter);
        let before = before.map(commits::id);
        let page = view::commits::page(&self.store, &at, &filter, before, first);
        let page = page.map_err(read_error)?;
        let found = page.commits.into_iter();
        Ok(ports::CommitPage {
            commits: found.map(|c| commits::commit(&at, c)).collect(),
            next: page.next.map(commits::name),
        })
    }

    fn runtimes(&self) -> Result<Vec<ports::Runtime>, ReadError> {
        let mut rows = self.store.runtimes().map_err(read_error)?;
        rows.sort_by_key(|(_, row)| row.first_block);
        let last = self.store.last().map_err(read_error)?;
        let ends: Vec<_> = rows
            .iter()
            .skip(1)
            .map(|(_, row)| row.first_block.checked_sub(1))
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
        runtimes::manifest(&self.store, spec)
    }

    fn runtime_diff(
        &self,
        from: u32,
        to: u32,
    ) -> Result<Option<Vec<ports::RuntimeDiffLine>>, ReadError> {
        runtimes::difference(&self.store, from, to)
    }

    fn subscribe(&self) -> broadcast::Receiver<ports::Committed> {
        self.committed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_after_a_silence_and_never_over_the_end() {
        let trouble: Trouble = Box::new(|| Some("refused".into()));
        let none: Trouble = Box::new(|| None);
        let now = Instant::now();
        let quiet = now.checked_sub(QUIET).unwrap();
        let road = |committed| Road {
            started: Some(quiet),
            committed: Some(committed),
            following: true,
            ..Road::default()
        };
        assert_eq!(road(now).standing(&trouble), None);
        assert_eq!(road(quiet).standing(&none), None);
        let told = road(quiet).standing(&trouble).unwrap();
        assert!(told.contains("refused"), "{told}");
        let ended = Road {
            stopped: Some("bad block 7".into()),
            ..road(quiet)
        };
        assert_eq!(ended.standing(&trouble).as_deref(), Some("bad block 7"));
        let done = Road {
            following: false,
            ..road(quiet)
        };
        assert_eq!(done.standing(&trouble), None);
    }

    #[test]
    fn a_store_without_a_chain_has_no_status() {
        let store = Store::in_memory().unwrap();
        let error = StoreReader::at_rest(store, None).status().unwrap_err();
        assert!(error.to_string().contains("the store is empty"), "{error}");
    }
}
