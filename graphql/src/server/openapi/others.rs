//! Descriptions of the routes that are answered elsewhere. The functions are never called: each
//! carries what the document says of a route.

#![expect(
    dead_code,
    reason = "they carry the descriptions of routes that are answered elsewhere"
)]

use serde_json::Value;
use utoipa::ToSchema;

use super::{ProblemDocument, Refusals};

/// The record of one mechanism's epoch: whether what was computed again is what the chain stored,
/// field by field. The fields are those of the type Verification in the GraphQL schema.
#[utoipa::path(get, path = "/v1/epochs/{netuid}/{block}", tag = "epochs",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("block" = i64, Path, minimum = 0, maximum = 4294967295i64, description = "Height of the block in which it ran."),
        ("mechanism" = Option<i32>, Query, minimum = 0, maximum = 255, description = "Number of the mechanism; 0 without it."),
    ),
    responses((status = 200, description = "The record.", body = Value), Refusals))]
pub(super) fn record() {}

/// How the numbers of one neuron came about in an epoch, as the type Explanation in the GraphQL
/// schema.
#[utoipa::path(get, path = "/v1/epochs/{netuid}/{block}/explain", tag = "epochs",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("block" = i64, Path, minimum = 0, maximum = 4294967295i64, description = "Height of the block in which it ran."),
        ("uid" = i32, Query, minimum = 0, maximum = 65535, description = "Number of the neuron."),
        ("mechanism" = Option<i32>, Query, minimum = 0, maximum = 255, description = "Number of the mechanism; 0 without it."),
    ),
    responses((status = 200, description = "The explanation.", body = Value), Refusals))]
pub(super) fn explain() {}

/// Scores of challenges beside an epoch: score, weights, consensus and incentive of every neuron.
#[utoipa::path(get, path = "/v1/epochs/{netuid}/{block}/scores", tag = "epochs",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("block" = i64, Path, minimum = 0, maximum = 4294967295i64, description = "Height of the block in which it ran."),
        ("mechanism" = Option<i32>, Query, minimum = 0, maximum = 255, description = "Number of the mechanism; 0 without it."),
        ("profile" = Option<String>, Query, description = "Only scores by this profile."),
        ("challenge" = Option<String>, Query, description = "Only those of this challenge."),
        ("reporter" = Option<String>, Query, description = "As this hotkey reported them; without it our own."),
    ),
    responses((status = 200, description = "The scores beside the epoch.", body = Value), Refusals))]
pub(super) fn epoch_scores() {}

/// What changed a neuron's incentive or dividends between two epochs, by cause.
#[utoipa::path(get, path = "/v1/epochs/{netuid}/diff", tag = "epochs",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("from" = i64, Query, minimum = 0, maximum = 4294967295i64, description = "Block of the first epoch."),
        ("to" = i64, Query, minimum = 0, maximum = 4294967295i64, description = "Block of the second epoch."),
        ("hotkey" = String, Query, description = "The neuron's hotkey: an ss58 address, or 0x and 64 hex digits."),
        ("field" = Option<String>, Query, pattern = "^(incentive|dividends)$", description = "incentive, or dividends."),
        ("detail" = Option<i64>, Query, minimum = 0, maximum = 2147483647, description = "So many of the largest terms are told one by one."),
        ("mechanism" = Option<i32>, Query, minimum = 0, maximum = 255, description = "Number of the mechanism; 0 without it."),
    ),
    responses((status = 200, description = "The difference and its terms.", body = Value), Refusals))]
pub(super) fn diff() {}

/// What to simulate.
#[derive(ToSchema)]
pub(super) struct Simulation {
    /// Number of the mechanism; 0 without it.
    #[schema(minimum = 0, maximum = 255)]
    mechanism: Option<i32>,
    /// How many epochs; 1 without it.
    #[schema(minimum = 0, maximum = 2147483647)]
    horizon: Option<i32>,
    /// What is other than it was: the input type SimulationPatch of the GraphQL schema. An empty
    /// object for nothing.
    patch: std::collections::BTreeMap<String, Value>,
    /// Only these neurons in the answer.
    uids: Option<Vec<u16>>,
}

/// An epoch with and without a patch.
#[utoipa::path(post, path = "/v1/epochs/{netuid}/{block}/simulate", tag = "epochs",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("block" = i64, Path, minimum = 0, maximum = 4294967295i64, description = "Height of the block in which it ran."),
    ),
    request_body = Simulation,
    responses((status = 200, description = "The epochs with and without the patch.", body = Value),
        (status = 413, description = "The body is too large.", content_type = "application/problem+json", body = ProblemDocument),
        Refusals))]
pub(super) fn simulate() {}

/// Who sets weights that others had before: a statistic, in floats.
#[utoipa::path(get, path = "/v1/weights/{netuid}/copying", tag = "epochs",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("from" = i64, Query, minimum = 0, maximum = 4294967295i64, description = "Lowest height."),
        ("to" = i64, Query, minimum = 0, maximum = 4294967295i64, description = "Highest height."),
        ("lag" = Option<i64>, Query, minimum = 0, maximum = 2147483647, description = "Most changes of weights that a follower may be behind."),
        ("relations" = Option<i64>, Query, minimum = 0, maximum = 2147483647, description = "Most relations told of a validator."),
        ("mechanism" = Option<i32>, Query, minimum = 0, maximum = 255, description = "Number of the mechanism; 0 without it."),
    ),
    responses((status = 200, description = "The validators and whom they follow.", body = Value), Refusals))]
pub(super) fn copying() {}

/// The profiles by which can be scored.
#[utoipa::path(get, path = "/v1/profiles", tag = "results",
    responses((status = 200, description = "The profiles.", body = Value), Refusals))]
pub(super) fn profiles() {}

/// Scores an input by a profile; nothing is kept.
#[utoipa::path(post, path = "/v1/profiles/{name}/score", tag = "results",
    params(("name" = String, Path, description = "Name of the profile.")),
    request_body(content = Value, description = "The input, in the profile's own form."),
    responses((status = 200, description = "The scores.", body = Value),
        (status = 413, description = "The body is too large.", content_type = "application/problem+json", body = ProblemDocument),
        Refusals))]
pub(super) fn score() {}

/// Records of challenges in the order in which they came in.
#[utoipa::path(get, path = "/v1/results/{netuid}", tag = "results",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("challenge" = Option<String>, Query, description = "Only those of this challenge."),
        ("kind" = Option<String>, Query, pattern = "^(run|submission|score|comparison|finalization)$", description = "Only those of this kind."),
        ("subject" = Option<String>, Query, description = "Only those about this subject."),
        ("first" = Option<i32>, Query, minimum = 0, maximum = 500, description = "Size of the page."),
        ("after" = Option<i64>, Query, minimum = 0, description = "Only records with a higher number."),
    ),
    responses((status = 200, description = "A page of records.", body = Value), Refusals))]
pub(super) fn results() {}

/// Takes in a signed report of results (docs/challenges.md says how it is signed).
#[utoipa::path(post, path = "/v1/results/{netuid}", tag = "results",
    params(("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet.")),
    request_body(content = String, content_type = "application/x-ndjson", description = "A record a line."),
    responses((status = 200, description = "It had been taken in before.", body = Value),
        (status = 201, description = "It was taken in.", body = Value),
        (status = "4XX", description = "It was not taken in.", content_type = "application/problem+json", body = ProblemDocument),
        (status = "5XX", description = "It was not taken in, by our fault.", content_type = "application/problem+json", body = ProblemDocument)))]
pub(super) fn give_results() {}

/// The newest score of every challenge and subject.
#[utoipa::path(get, path = "/v1/results/{netuid}/scores", tag = "results",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("profile" = Option<String>, Query, description = "Only scores by this profile."),
        ("challenge" = Option<String>, Query, description = "Only those of this challenge."),
        ("reporter" = Option<String>, Query, description = "As this hotkey reported them; without it our own."),
        ("first" = Option<i32>, Query, minimum = 0, maximum = 500, description = "Size of the page."),
        ("after" = Option<i64>, Query, minimum = 0, description = "Only records with a higher number."),
    ),
    responses((status = 200, description = "A page of records.", body = Value), Refusals))]
pub(super) fn result_scores() {}

/// Takes in what a validator tells a central scorer of miners' commits, signed.
#[utoipa::path(post, path = "/v1/scoring/{netuid}/reports", tag = "results",
    params(("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet.")),
    request_body(content = Value, description = "The report."),
    responses((status = 200, description = "What came of it.", body = Value),
        (status = "4XX", description = "It was not taken in.", content_type = "application/problem+json", body = ProblemDocument),
        (status = "5XX", description = "It was not taken in, by our fault.", content_type = "application/problem+json", body = ProblemDocument)))]
pub(super) fn report() {}

/// A question about commits.
#[derive(ToSchema)]
pub(super) struct CommitsAsked {
    /// Name of the challenge.
    challenge_name: String,
    /// The encrypted commits as they stand on the chain.
    #[schema(max_items = 1024)]
    encrypted_commits: Vec<String>,
}

/// What a central scoring service of subnet 61 is asked by its validators.
#[utoipa::path(post, path = "/get_scoring_result", tag = "results",
    request_body = CommitsAsked,
    responses((status = 200, description = "What is public of each commit.", body = Value),
        (status = 413, description = "The body is too large.", content_type = "application/problem+json", body = ProblemDocument),
        Refusals))]
pub(super) fn scoring_result() {}

/// A GraphQL request.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct GraphqlRequest {
    /// The document.
    query: String,
    /// Which of its operations; may be left out when there is one.
    operation_name: Option<String>,
    /// Its variables.
    variables: Option<std::collections::BTreeMap<String, Value>>,
}

/// One GraphQL request; the schema is in graphql/schema.graphql. Errors are in the answer.
#[utoipa::path(post, path = "/graphql", tag = "graphql",
    params(("X-Min-Block" = Option<i64>, Header, minimum = 0, maximum = 4294967295i64, description = "Wait up to 30 seconds until this block is stored.")),
    request_body = GraphqlRequest,
    responses((status = 200, description = "Data, or errors with codes.", body = Value),
        (status = "4XX", description = "The request is not valid.", body = Value),
        (status = "5XX", description = "It was not answered in time, or by our fault.", body = Value)))]
pub(super) fn graphql() {}

/// The page to query with, where it is switched on.
#[utoipa::path(get, path = "/graphql", tag = "graphql",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String),
        (status = 405, description = "It is switched off.")))]
pub(super) fn query_page() {}

/// GraphQL subscriptions over a WebSocket (graphql-transport-ws).
#[utoipa::path(get, path = "/graphql/ws", tag = "graphql",
    responses((status = 101, description = "The WebSocket."),
        (status = 400, description = "The request opens no WebSocket of this sub-protocol.", content_type = "text/plain", body = String),
        (status = 426, description = "The connection cannot become a WebSocket.", content_type = "text/plain", body = String),
        (status = 503, description = "All places are taken.", content_type = "text/plain", body = String)))]
pub(super) fn socket() {}

/// A stream as Server-Sent Events, which goes on until the client ends it; `docs/streams.md`.
#[utoipa::path(get, path = "/v1/streams/{topic}", tag = "streams",
    params(("topic" = String, Path, description = "blocks, epochs, weights, commits, stake or scores."),
        ("netuid" = Option<String>, Query, description = "Only these subnets, with commas."),
        ("hotkey" = Option<String>, Query, description = "Only these hotkeys, with commas."),
        ("kind" = Option<String>, Query, description = "Only these kinds, with commas; a refusal names those of the topic."),
        ("after" = Option<String>, Query, description = "A cursor: what comes behind it. `first` stands for everything stored; without it what is new."),
        ("unfinalized" = Option<bool>, Query, description = "Whether blocks that are not final yet are told of too; not for scores."),
        ("Last-Event-ID" = Option<String>, Header, description = "A cursor, as browsers send it when they connect again; it wins over `after`.")),
    responses((status = 200, description = "Events item, lagged, retracted and heartbeat; their ids are cursors.", content_type = "text/event-stream", body = String),
        (status = "4XX", description = "A topic, cursor or filter is no good, or too much is asked.", content_type = "application/problem+json", body = Value),
        (status = 503, description = "All places are taken.", content_type = "application/problem+json", body = Value)))]
pub(super) fn stream() {}

/// Whether the process lives.
#[utoipa::path(get, path = "/health", tag = "operation",
    responses((status = 200, description = "It lives.", body = Value)))]
pub(super) fn live() {}

/// Whether what is served is fresh.
#[utoipa::path(get, path = "/ready", tag = "operation",
    responses((status = 200, description = "It is fresh.", body = Value),
        (status = 503, description = "It is not; `reason` says why.", body = Value)))]
pub(super) fn ready() {}

/// Metrics in the text format of Prometheus, where they are switched on.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "The metrics.", content_type = "text/plain", body = String),
        (status = 404, description = "They are switched off.")))]
pub(super) fn metrics() {}

/// A page that says what this is and how it stands.
#[utoipa::path(get, path = "/", tag = "operation",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String)))]
pub(super) fn landing() {}

/// The style of the pages.
#[utoipa::path(get, path = "/assets/style.css", tag = "operation",
    responses((status = 200, description = "The style.", content_type = "text/css", body = String)))]
pub(super) fn style() {}

/// The script of the page to query with, where it is switched on.
#[utoipa::path(get, path = "/assets/query.js", tag = "operation",
    responses((status = 200, description = "The script.", content_type = "text/javascript", body = String),
        (status = 404, description = "The page is switched off.")))]
pub(super) fn script() {}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operation",
    responses((status = 200, description = "The document.", body = Value)))]
pub(super) fn document() {}

/// To the page that shows this document.
#[utoipa::path(get, path = "/docs", tag = "operation",
    responses((status = 308, description = "It is at /docs/.")))]
pub(super) fn docs() {}

/// The page that shows this document.
#[utoipa::path(get, path = "/docs/", tag = "operation",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String)))]
pub(super) fn docs_page() {}

/// A file of that page.
#[utoipa::path(get, path = "/docs/{file}", tag = "operation",
    params(("file" = String, Path, description = "Name of the file.")),
    responses((status = 200, description = "The file.", content_type = "application/octet-stream", body = Vec<u8>),
        (status = "4XX", description = "There is no such file.")))]
pub(super) fn docs_part() {}
