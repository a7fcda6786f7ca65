//! `/api`: routes in the shape of a well-known explorer's, so that a client can change one URL.
//!
//! Names, types and pages are those of its answers; what the stored chain does not tell is null.
//! Where a field differs, docs/rest.md says how.

mod activity;
mod shape;
mod state;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{any, get};
use chain_metadata::{H256, NetUid};
use serde::Serialize;

use super::App;
use super::access::owes;
use super::openapi::Refusals;
use super::reads::{No, internal, run, too_long, weighed};
use super::rest::{Parameters, bad, failed, unknown};
use crate::ports::Reader;
use crate::rest::Problem;
use shape::{
    BlockRow, EventRow, ExtrinsicRow, Listed, NeuronRow, RuntimeRow, SubnetRow, WeightsRow, Window,
};

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/metagraph/latest/v1", get(metagraph))
        .route("/api/validator/weights/latest/v2", get(weights))
        .route("/api/subnet/latest/v1", get(subnets))
        .route("/api/runtime_version/history/v1", get(runtimes))
        .route("/api/event/v1", get(events))
        .route("/api/extrinsic/v1", get(extrinsics))
        .route("/api/block/v1", get(blocks))
        .route("/api/{*rest}", any(unknown))
}

/// Answers with a page of rows.
async fn listed<T, R>(
    app: &App,
    parts: &Parts,
    name: &'static str,
    known: &[&str],
    question: impl FnOnce(&Parameters<'_>, Window) -> Result<R, Problem>,
) -> Response
where
    T: Serialize,
    R: FnOnce(&dyn Reader) -> Result<Listed<T>, No> + Send + 'static,
{
    let read = || {
        let known: Vec<&str> = known.iter().copied().chain(["page", "limit"]).collect();
        let parameters = Parameters::new(parts.uri.query(), &known)?;
        let window = Window::of(&parameters)?;
        question(&parameters, window)
    };
    let bytes = match read() {
        Ok(read) => {
            let bytes = run(app, name, move |reader| {
                serde_json::to_vec(&read(reader)?).map_err(internal)
            });
            bytes.await
        }
        Err(problem) => Err(problem),
    };
    if let Ok(bytes) = &bytes {
        weighed(bytes.len());
    }
    match bytes {
        Ok(bytes) if bytes.len() > app.limits.response_bytes => {
            failed(&too_long(bytes.len(), app.limits.response_bytes))
        }
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            let headers = response.headers_mut();
            let kind = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, kind);
            let cache = HeaderValue::from_static("no-cache");
            headers.insert(header::CACHE_CONTROL, cache);
            response
        }
        Err(problem) => failed(&problem),
    }
}

fn netuid(parameters: &Parameters<'_>) -> Result<NetUid, Problem> {
    let netuid = parameters.number("netuid")?;
    netuid.map(NetUid).ok_or_else(|| {
        bad("the parameter `netuid` is missing; give the number of a subnet".to_owned())
    })
}

/// The neurons of a subnet at the highest stored block, by uid.
#[utoipa::path(
    get,
    path = "/api/metagraph/latest/v1",
    tag = "explorer",
    params(
        ("netuid" = i32, Query, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("uid" = Option<i32>, Query, minimum = 0, maximum = 65535, description = "Only this neuron."),
        Window,
    ),
    responses((status = 200, description = "A page of neurons.", body = Listed<NeuronRow>), Refusals),
)]
pub(super) async fn metagraph(State(app): State<App>, parts: Parts) -> Response {
    let known = ["netuid", "uid"];
    listed(&app, &parts, "metagraph", &known, |parameters, window| {
        let (netuid, uid) = (netuid(parameters)?, parameters.number("uid")?);
        Ok(move |reader: &dyn Reader| state::metagraph(reader, netuid, uid, window))
    })
    .await
}

/// The rows of the weight matrix at the highest stored block, by uid.
#[utoipa::path(
    get,
    path = "/api/validator/weights/latest/v2",
    tag = "explorer",
    params(
        ("netuid" = i32, Query, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("uid" = Option<i32>, Query, minimum = 0, maximum = 65535, description = "Only this neuron's row."),
        Window,
    ),
    responses((status = 200, description = "A page of rows.", body = Listed<WeightsRow>), Refusals),
)]
pub(super) async fn weights(State(app): State<App>, parts: Parts) -> Response {
    let known = ["netuid", "uid"];
    listed(&app, &parts, "weights", &known, |parameters, window| {
        let (netuid, uid) = (netuid(parameters)?, parameters.number("uid")?);
        Ok(move |reader: &dyn Reader| state::weights(reader, netuid, uid, window))
    })
    .await
}

/// The subnets at the highest stored block.
#[utoipa::path(
    get,
    path = "/api/subnet/latest/v1",
    tag = "explorer",
    params(
        ("netuid" = Option<i32>, Query, minimum = 0, maximum = 65535, description = "Only this subnet."),
        Window,
    ),
    responses((status = 200, description = "A page of subnets.", body = Listed<SubnetRow>), Refusals),
)]
pub(super) async fn subnets(State(app): State<App>, parts: Parts) -> Response {
    listed(
        &app,
        &parts,
        "subnets",
        &["netuid"],
        |parameters, window| {
            let netuid = parameters.number("netuid")?.map(NetUid);
            Ok(move |reader: &dyn Reader| state::subnets(reader, netuid, window))
        },
    )
    .await
}

/// Runtimes that executed stored blocks, newest first.
#[utoipa::path(
    get,
    path = "/api/runtime_version/history/v1",
    tag = "explorer",
    params(Window),
    responses((status = 200, description = "A page of runtimes.", body = Listed<RuntimeRow>), Refusals),
)]
pub(super) async fn runtimes(State(app): State<App>, parts: Parts) -> Response {
    listed(&app, &parts, "runtimes", &[], |_, window| {
        Ok(move |reader: &dyn Reader| state::runtimes(reader, window))
    })
    .await
}

/// Events, newest first.
#[utoipa::path(
    get,
    path = "/api/event/v1",
    tag = "explorer",
    params(
        ("block_number" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64, description = "Only those of this block."),
        ("block_start" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64, description = "Only those of this block and later ones."),
        ("block_end" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64, description = "Only those of this block and earlier ones; how to go on where a search came to its bound."),
        ("pallet" = Option<String>, Query, description = "Only those of this pallet."),
        ("name" = Option<String>, Query, description = "Only those with this name."),
        ("full_name" = Option<String>, Query, description = "Pallet and name in one, such as System.ExtrinsicFailed."),
        Window,
    ),
    responses((status = 200, description = "A page of events.", body = Listed<EventRow>), Refusals),
)]
pub(super) async fn events(State(app): State<App>, parts: Parts) -> Response {
    let time = app.limits.query_timeout();
    let known = [
        "block_number",
        "block_start",
        "block_end",
        "pallet",
        "name",
        "full_name",
    ];
    listed(&app, &parts, "find_events", &known, |parameters, window| {
        let wanted = activity::Wanted::of(parameters, time)?;
        owes(wanted.cost());
        Ok(move |reader: &dyn Reader| activity::events(reader, &wanted, window))
    })
    .await
}

/// Extrinsics, newest first.
#[utoipa::path(
    get,
    path = "/api/extrinsic/v1",
    tag = "explorer",
    params(
        ("block_number" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64, description = "Only those of this block."),
        ("block_start" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64, description = "Only those of this block and later ones."),
        ("block_end" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64, description = "Only those of this block and earlier ones; how to go on where a search came to its bound."),
        ("signer_address" = Option<String>, Query, description = "Only those that this account signed or is an argument of."),
        ("full_name" = Option<String>, Query, description = "Pallet and call, such as SubtensorModule.set_weights."),
        ("success" = Option<bool>, Query, description = "Only those that succeeded (true) or failed (false)."),
        Window,
    ),
    responses((status = 200, description = "A page of extrinsics.", body = Listed<ExtrinsicRow>), Refusals),
)]
pub(super) async fn extrinsics(State(app): State<App>, parts: Parts) -> Response {
    let time = app.limits.query_timeout();
    let known = [
        "block_number",
        "block_start",
        "block_end",
        "signer_address",
        "full_name",
        "success",
    ];
    listed(
        &app,
        &parts,
        "find_extrinsics",
        &known,
        |parameters, window| {
            let wanted = activity::Wanted::of(parameters, time)?;
            owes(wanted.cost());
            Ok(move |reader: &dyn Reader| activity::extrinsics(reader, &wanted, window))
        },
    )
    .await
}

/// Blocks, newest first.
#[utoipa::path(
    get,
    path = "/api/block/v1",
    tag = "explorer",
    params(
        ("block_number" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64, description = "Only this block."),
        ("hash" = Option<String>, Query, pattern = "^0x[0-9a-fA-F]{64}$", description = "Only the block with this hash."),
        Window,
    ),
    responses((status = 200, description = "A page of blocks.", body = Listed<BlockRow>), Refusals),
)]
pub(super) async fn blocks(State(app): State<App>, parts: Parts) -> Response {
    let known = ["block_number", "hash"];
    listed(&app, &parts, "blocks", &known, |parameters, window| {
        let number = parameters.number("block_number")?;
        let hash = parameters.get("hash").map(|text| {
            let hash: Result<H256, _> = text.parse();
            hash.map_err(|_| bad("`hash` must be 0x and 64 hex digits".to_owned()))
        });
        let hash = hash.transpose()?;
        Ok(move |reader: &dyn Reader| activity::blocks(reader, number, hash, window))
    })
    .await
}
