//! `/v1/subnets`, `/v1/metagraph`, `/v1/weights`, `/v1/bonds`.

use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use chain_metadata::{BlockNumber, MechId, NetUid};

use super::params::{AT, At, Formed, Found, uids};
use super::{Answer, No, nothing, told};
use crate::ports::{self, Reader};
use crate::rest::Problem;
use crate::rest::reads::subnets::{Matrix, Metagraph, Subnet, SubnetWithItems};
use crate::rest::reads::{EpochStamp, Page};
use crate::server::App;
use crate::server::openapi::{ArrowStream, Refusals};
use crate::server::rest::{Parameters, number};

/// The subnets that exist at a block, ascending.
#[utoipa::path(
    get,
    path = "/v1/subnets",
    tag = "subnets",
    params(
        ("block" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "Height; without it the highest stored block."),
        ("hash" = Option<String>, Query, pattern = "^0x[0-9a-fA-F]{64}$",
            description = "Hash of the block, instead of its height."),
        ("blocksBehindHead" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "So many blocks below the highest stored block."),
        Formed,
    ),
    responses((status = 200, description = "The subnets.", content(
        (Page<Subnet> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn list(State(app): State<App>, parts: Parts) -> Response {
    let known = ["block", "hash", "blocksBehindHead"];
    told(&app, &parts, "subnets", &known, |parameters| {
        let at = At::of(parameters)?;
        Ok(move |reader: &dyn Reader| {
            let found = at.find(reader, None)?;
            let block = found.stamp.block;
            let netuids = reader.subnets(&[block])?.into_iter().flatten();
            let keys: Vec<_> = netuids.map(|netuid| (block, netuid)).collect();
            let subnets = reader.subnet(&keys)?;
            let items = subnets.iter().flatten().map(Subnet::from).collect();
            Ok(Answer {
                body: Page {
                    stamp: Some(found.stamp),
                    items,
                    next: None,
                },
                stamp: Some(found.stamp),
                for_good: found.fixed && all_told(reader, block, None)?,
            })
        })
    })
    .await
}

/// One subnet at a block, with all its settings and counters.
#[utoipa::path(
    get,
    path = "/v1/subnets/{netuid}",
    tag = "subnets",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet; 0 is the root network."),
        At, Formed,
    ),
    responses((status = 200, description = "The subnet. As a table: its items.", content(
        (SubnetWithItems = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn one(
    State(app): State<App>,
    Path(netuid): Path<String>,
    parts: Parts,
) -> Response {
    told(&app, &parts, "subnet", &AT, |parameters| {
        let netuid = NetUid(number("netuid", &netuid)?);
        let at = At::of(parameters)?;
        Ok(move |reader: &dyn Reader| {
            let found = at.find(reader, Some(netuid))?;
            let subnet = reader.subnet(&[(found.stamp.block, netuid)])?;
            let subnet = subnet.into_iter().next().flatten();
            let subnet = subnet.ok_or_else(|| no_subnet(netuid, None, found))?;
            Ok(Answer {
                body: SubnetWithItems::new(found.stamp, subnet),
                stamp: Some(found.stamp),
                for_good: found.fixed
                    && whole_history(reader, found.stamp.block)?
                    && all_told(reader, found.stamp.block, Some(netuid))?,
            })
        })
    })
    .await
}

/// Whether a block's whole history is stored, so that what is told of earlier blocks, such as when
/// a value last changed, cannot become better.
pub(in crate::server) fn whole_history(
    reader: &dyn Reader,
    block: BlockNumber,
) -> Result<bool, No> {
    let spans = reader.status()?.spans;
    Ok(spans
        .iter()
        .any(|(first, last)| *first == 0 && block <= *last))
}

/// Whether the state of a subnet, or of all of them, at a block is known as well as it ever will
/// be. What changed without a trace is learned when an epoch reads it, for the block before the
/// epoch's; so an epoch above the block must have run, and no block between may be missing. The
/// root network, whose stake the others' epochs read, is left out of all.
pub(in crate::server) fn all_told(
    reader: &dyn Reader,
    block: BlockNumber,
    netuid: Option<NetUid>,
) -> Result<bool, No> {
    let spans = reader.status()?.spans;
    let span = spans
        .iter()
        .find(|(first, last)| *first <= block && block <= *last);
    let (Some((_, last)), Some(above)) = (span, block.checked_add(1)) else {
        return Ok(false);
    };
    let netuids = match netuid {
        Some(netuid) => vec![netuid],
        None => {
            let all = reader.subnets(&[block])?.into_iter().flatten();
            all.filter(|netuid| netuid.0 > 0).collect()
        }
    };
    for netuid in netuids {
        if above > *last || reader.epochs(netuid, above, *last, 1)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn no_subnet(netuid: NetUid, mechanism: Option<MechId>, found: Found) -> No {
    let block = found.stamp.block;
    nothing(match mechanism {
        Some(MechId(mechanism)) if mechanism > 0 => format!(
            "there is no mechanism {mechanism} of subnet {netuid} at block {block}; see /v1/subnets/{netuid}?block={block}"
        ),
        _ => format!("there is no subnet {netuid} at block {block}; see /v1/subnets?block={block}"),
    })
}

/// Which mechanism of which subnet at which block, and which neurons of it.
struct Wanted {
    netuid: NetUid,
    mechanism: MechId,
    at: At,
    uids: Option<Vec<u16>>,
}

const KNOWN: [&str; 6] = [
    "block",
    "hash",
    "epoch",
    "blocksBehindHead",
    "mechanism",
    "uids",
];

impl Wanted {
    fn of(netuid: &str, parameters: &Parameters<'_>) -> Result<Self, Problem> {
        Ok(Self {
            netuid: NetUid(number("netuid", netuid)?),
            mechanism: MechId(parameters.number("mechanism")?.unwrap_or(0)),
            at: At::of(parameters)?,
            uids: uids(parameters)?,
        })
    }

    fn takes(&self, uid: u16) -> bool {
        let uids = self.uids.as_ref();
        uids.is_none_or(|uids| uids.binary_search(&uid).is_ok())
    }

    fn epoch(&self, reader: &dyn Reader, block: BlockNumber) -> Result<Option<EpochStamp>, No> {
        let epochs = reader.last_epochs(&[(block, self.netuid)])?;
        Ok(epochs.into_iter().next().flatten().map(Into::into))
    }

    fn matrix(&self, reader: &dyn Reader, rows: ReadRows) -> Result<Answer<Matrix>, No> {
        let found = self.at.find(reader, Some(self.netuid))?;
        let block = found.stamp.block;
        let rows = rows(reader, &[(block, self.netuid, self.mechanism)])?;
        let rows = rows.into_iter().next().flatten();
        let rows = rows.ok_or_else(|| no_subnet(self.netuid, Some(self.mechanism), found))?;
        let rows = rows.into_iter().filter(|row| self.takes(row.uid.0));
        Ok(Answer {
            body: Matrix {
                stamp: found.stamp,
                epoch: self.epoch(reader, block)?,
                netuid: self.netuid.0,
                mechanism: self.mechanism.0,
                rows: rows.map(Into::into).collect(),
            },
            stamp: Some(found.stamp),
            for_good: found.fixed
                && whole_history(reader, block)?
                && all_told(reader, block, Some(self.netuid))?,
        })
    }
}

type Key = (BlockNumber, NetUid, MechId);
type Rows = Option<Vec<ports::MatrixRow>>;
/// The method of the port that reads one of the matrices.
type ReadRows = fn(&dyn Reader, &[Key]) -> Result<Vec<Rows>, ports::ReadError>;

/// The neurons of a subnet at a block: the whole metagraph.
#[utoipa::path(
    get,
    path = "/v1/metagraph/{netuid}",
    tag = "subnets",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        At,
        ("mechanism" = Option<i32>, Query, minimum = 0, maximum = 255, description = "Number of the mechanism; 0 without it."),
        ("uids" = Option<String>, Query, pattern = "^[0-9]{1,5}(,[0-9]{1,5})*$",
            description = "Only these neurons, separated by commas; a uid that does not exist is left out."),
        Formed,
    ),
    responses((status = 200, description = "The neurons.", content(
        (Metagraph = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn metagraph(
    State(app): State<App>,
    Path(netuid): Path<String>,
    parts: Parts,
) -> Response {
    told(&app, &parts, "metagraph", &KNOWN, |parameters| {
        let wanted = Wanted::of(&netuid, parameters)?;
        Ok(move |reader: &dyn Reader| {
            let found = wanted.at.find(reader, Some(wanted.netuid))?;
            let block = found.stamp.block;
            let (netuid, mechanism) = (wanted.netuid, wanted.mechanism);
            let metagraph = reader.metagraphs(&[(block, netuid, mechanism)])?;
            let metagraph = metagraph.into_iter().next().flatten();
            let metagraph = metagraph.ok_or_else(|| no_subnet(netuid, Some(mechanism), found))?;
            let neurons = metagraph.neurons.into_iter();
            let neurons = neurons.filter(|neuron| wanted.takes(neuron.uid.0));
            Ok(Answer {
                body: Metagraph {
                    stamp: found.stamp,
                    epoch: wanted.epoch(reader, block)?,
                    netuid: netuid.0,
                    mechanism: mechanism.0,
                    neurons: neurons.map(Into::into).collect(),
                },
                stamp: Some(found.stamp),
                for_good: found.fixed && all_told(reader, block, Some(netuid))?,
            })
        })
    })
    .await
}

/// The weight matrix W of a subnet at a block: what each validator says of each neuron.
#[utoipa::path(
    get,
    path = "/v1/weights/{netuid}",
    tag = "subnets",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        At,
        ("mechanism" = Option<i32>, Query, minimum = 0, maximum = 255, description = "Number of the mechanism; 0 without it."),
        ("uids" = Option<String>, Query, pattern = "^[0-9]{1,5}(,[0-9]{1,5})*$",
            description = "Only the rows of these neurons, separated by commas."),
        Formed,
    ),
    responses((status = 200, description = "The rows. As a table: uid, dest, value, changedAt; a row without entries has null as dest and value.", content(
        (Matrix = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn weights(
    State(app): State<App>,
    Path(netuid): Path<String>,
    parts: Parts,
) -> Response {
    told(&app, &parts, "weights", &KNOWN, |parameters| {
        let wanted = Wanted::of(&netuid, parameters)?;
        Ok(move |reader: &dyn Reader| wanted.matrix(reader, |reader, keys| reader.weights(keys)))
    })
    .await
}

/// The bond matrix B of a subnet at a block: what each validator is bonded to.
#[utoipa::path(
    get,
    path = "/v1/bonds/{netuid}",
    tag = "subnets",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        At,
        ("mechanism" = Option<i32>, Query, minimum = 0, maximum = 255, description = "Number of the mechanism; 0 without it."),
        ("uids" = Option<String>, Query, pattern = "^[0-9]{1,5}(,[0-9]{1,5})*$",
            description = "Only the rows of these neurons, separated by commas."),
        Formed,
    ),
    responses((status = 200, description = "The rows. As a table: uid, dest, value, changedAt; a row without entries has null as dest and value.", content(
        (Matrix = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn bonds(
    State(app): State<App>,
    Path(netuid): Path<String>,
    parts: Parts,
) -> Response {
    told(&app, &parts, "bonds", &KNOWN, |parameters| {
        let wanted = Wanted::of(&netuid, parameters)?;
        Ok(move |reader: &dyn Reader| wanted.matrix(reader, |reader, keys| reader.bonds(keys)))
    })
    .await
}
