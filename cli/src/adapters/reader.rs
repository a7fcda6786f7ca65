//! The window's port over the store.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chain_metadata::{
    BlockNumber, DispatchError, H256, MechId, NetUid, Origin, Outcome, Phase, Value,
};
use graphql::ports::{self, ReadError, Reader, Stamp};
use indexer::notify::Notify;
use indexer::pipeline::Progress;
use indexer::store::tables::FORMAT_VERSION;
use indexer::store::{Store, StoreError};
use indexer::view::{self, At, Held};
use tokio::sync::{broadcast, watch};

/// What is known of the road besides the store.
#[derive(Debug, Default)]
struct Road {
    finalized: Option<(BlockNumber, Instant)>,
    committed: Option<Instant>,
    following: bool,
    stopped: Option<String>,
}

/// Answers the window from a store.
#[derive(Debug)]
pub(crate) struct StoreReader {
    store: Store,
    chain: Option<String>,
    road: Arc<Mutex<Road>>,
    committed: broadcast::Sender<ports::Committed>,
}

impl StoreReader {
    /// Over a store that nobody writes.
    pub(crate) fn at_rest(store: Store, chain: Option<String>) -> StoreReader {
        StoreReader {
            store,
            chain,
            road: Arc::default(),
            committed: broadcast::channel(1).0,
        }
    }

    /// Over a store that the road writes; must be called inside a tokio runtime.
    pub(crate) fn following(
        store: Store,
        chain: Option<String>,
        notify: &Notify,
        mut progress: watch::Receiver<Progress>,
    ) -> StoreReader {
        let road = Arc::new(Mutex::new(Road {
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

fn stamp(at: &At) -> Stamp {
    Stamp {
        block: at.number,
        hash: H256(at.row.hash),
        spec_version: at.row.spec,
        finalized: true,
    }
}

fn call(ss58: u16, call: &chain_metadata::Call) -> ports::Call {
    let args = call
        .args
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_json(ss58)))
        .collect();
    ports::Call {
        pallet: call.pallet.to_string(),
        name: call.name.to_string(),
        args: serde_json::Value::Object(args),
    }
}

fn dispatch_error(error: &DispatchError) -> ports::DispatchError {
    match error {
        DispatchError::Module {
            pallet, name, docs, ..
        } => ports::DispatchError {
            pallet: Some(pallet.to_string()),
            name: name.to_string(),
            docs: docs.clone(),
        },
        DispatchError::Other(name) => ports::DispatchError {
            pallet: None,
            name: name.clone(),
            docs: String::new(),
        },
    }
}

fn origin(ss58: u16, origin: &Origin) -> String {
    match origin {
        Origin::Signed(account) => account.to_ss58(ss58),
        Origin::Root => "Root".into(),
        Origin::None => "None".into(),
        Origin::Other(name) => name.clone(),
    }
}

fn extrinsic(at: &At, ss58: u16, body: view::Body) -> ports::Extrinsic {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Succeeded => (ports::CallOutcome::Succeeded, None),
        Outcome::Failed(error) => (ports::CallOutcome::Failed, Some(dispatch_error(error))),
        Outcome::NotRun => (ports::CallOutcome::NotRun, None),
        Outcome::Unknown => (ports::CallOutcome::Unknown, None),
    };
    let xt = &body.extrinsic;
    ports::Extrinsic {
        block: at.number,
        index: xt.index,
        hash: xt.hash,
        version: xt.version,
        signer: xt.signer(),
        nonce: xt.nonce(),
        tip: body.outcome.tip,
        fee: body.outcome.fee,
        success: body.outcome.success,
        error: body.outcome.error.as_ref().map(dispatch_error),
        call: call(ss58, &xt.call),
        nested: body
            .nested
            .iter()
            .filter(|nested| !nested.path.is_empty())
            .map(|nested| {
                let (outcome, error) = outcome(&nested.outcome);
                ports::NestedCall {
                    path: nested.path.clone(),
                    origin: origin(ss58, &nested.origin),
                    outcome,
                    error,
                    call: call(ss58, &nested.call),
                }
            })
            .collect(),
        spec_version: at.row.spec,
        raw: body.raw,
    }
}

fn number_field(value: &Value, name: &str) -> u128 {
    value.field(name).and_then(Value::as_u128).unwrap_or(0)
}

/// An address as the chain keeps it: a number and 4 or 6.
fn ip_text(ip: u128, ip_type: u8) -> String {
    match ip_type {
        4 => match u32::try_from(ip) {
            Ok(v4) => std::net::Ipv4Addr::from(v4).to_string(),
            Err(_) => ip.to_string(),
        },
        6 => std::net::Ipv6Addr::from(ip).to_string(),
        _ => ip.to_string(),
    }
}

fn axon(value: &Value) -> ports::Axon {
    let small = |name: &str| u8::try_from(number_field(value, name)).unwrap_or(u8::MAX);
    let ip = number_field(value, "ip");
    ports::Axon {
        block: u64::try_from(number_field(value, "block")).unwrap_or(u64::MAX),
        version: u32::try_from(number_field(value, "version")).unwrap_or(u32::MAX),
        ip: ip.to_string(),
        ip_text: ip_text(ip, small("ip_type")),
        port: u16::try_from(number_field(value, "port")).unwrap_or(u16::MAX),
        ip_type: small("ip_type"),
        protocol: small("protocol"),
        placeholder1: small("placeholder1"),
        placeholder2: small("placeholder2"),
    }
}

fn prometheus(value: &Value) -> ports::Prometheus {
    let ip = number_field(value, "ip");
    let ip_type = u8::try_from(number_field(value, "ip_type")).unwrap_or(u8::MAX);
    ports::Prometheus {
        block: u64::try_from(number_field(value, "block")).unwrap_or(u64::MAX),
        version: u32::try_from(number_field(value, "version")).unwrap_or(u32::MAX),
        ip: ip.to_string(),
        ip_text: ip_text(ip, ip_type),
        port: u16::try_from(number_field(value, "port")).unwrap_or(u16::MAX),
        ip_type,
    }
}

fn neuron(found: view::Neuron) -> ports::Neuron {
    ports::Neuron {
        uid: found.uid,
        hotkey: found.hotkey,
        coldkey: found.coldkey,
        block_at_registration: found.block_at_registration,
        axon: found.axon.as_ref().map(axon),
        prometheus: found.prometheus.as_ref().map(prometheus),
        active: found.active,
        rank: found.rank,
        trust: found.trust,
        consensus: found.consensus,
        incentive: found.incentive,
        dividends: found.dividends,
        emission: found.emission,
        validator_trust: found.validator_trust,
        validator_permit: found.validator_permit,
        stake_weight: found.stake_weight,
        pruning_score: found.pruning_score,
        last_update: found.last_update,
    }
}

impl Reader for StoreReader {
    fn status(&self) -> Result<ports::Status, ReadError> {
        let tip = self.store.checkpoint().map_err(read_error)?;
        let genesis = self.store.genesis().map_err(read_error)?;
        let last = match tip {
            Some(tip) => self.store.block(tip.last).map_err(read_error)?,
            None => None,
        };
        let road = self.road.lock().map_err(|_| {
            ReadError::Store("the status is locked by a thread that stopped".into())
        })?;
        Ok(ports::Status {
            genesis_hash: genesis.unwrap_or_default(),
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
            stopped: road.stopped.clone(),
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
                Ok(Some(subnet(&at, *netuid, held)))
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
                Ok(found.map(|neurons| ports::Metagraph {
                    stamp: stamp(&at),
                    netuid: *netuid,
                    mechanism: *mechanism,
                    neurons: neurons.into_iter().map(neuron).collect(),
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

    fn subscribe(&self) -> broadcast::Receiver<ports::Committed> {
        self.committed.subscribe()
    }
}

fn subnet(at: &At, netuid: NetUid, held: Vec<(&'static str, Held)>) -> ports::Subnet {
    let ss58 = at.layout.metadata.ss58_prefix();
    let value = |name: &str| {
        held.iter()
            .find(|(entry, _)| *entry == name)
            .and_then(|(_, held)| held.clone().value())
    };
    let number = |name: &str| value(name).and_then(|v| v.as_u64());
    let account = |name: &str| value(name).and_then(|v| v.as_account());
    ports::Subnet {
        stamp: stamp(at),
        netuid,
        neuron_count: number("SubnetworkN").and_then(|n| u16::try_from(n).ok()),
        tempo: number("Tempo").and_then(|n| u16::try_from(n).ok()),
        last_epoch_block: number("LastMechansimStepBlock"),
        blocks_since_last_step: number("BlocksSinceLastStep"),
        mechanism_count: number("MechanismCountCurrent").and_then(|n| u8::try_from(n).ok()),
        owner: account("SubnetOwner"),
        owner_hotkey: account("SubnetOwnerHotkey"),
        registered_at: number("NetworkRegisteredAt"),
        token_symbol: value("TokenSymbol")
            .and_then(|v| String::from_utf8(v.as_bytes()?.to_vec()).ok()),
        items: held
            .into_iter()
            .map(|(name, held)| {
                let (changed_at, stored) = match &held {
                    Held::Stored(_, block) => (Some(*block), true),
                    _ => (None, false),
                };
                ports::Item {
                    name: name.into(),
                    value: held.value().map(|v| v.to_json(ss58)),
                    stored,
                    changed_at,
                }
            })
            .collect(),
    }
}
