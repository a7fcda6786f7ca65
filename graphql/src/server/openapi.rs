//! The document of all routes (OpenAPI 3.1), and the page that shows it.

mod others;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{IntoResponses, OpenApi, ToSchema};
use utoipa_swagger_ui::Config;

use super::rest::failed;
use super::{App, explorer, reads};
use crate::rest::Problem;
use crate::schema::error::{INTERNAL_TEXT, code};

/// Where the document is.
const DOCUMENT: &str = "/v1/openapi.json";

/// Only what this server sends may run. The page's styles stand in its elements, and its images in
/// its styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/openapi.json", get(document))
        .route("/docs", get(to_page))
        .route("/docs/", get(page))
        .route("/docs/{file}", get(part))
}

/// Why a request was refused (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemDocument {
    /// Always about:blank: the code says which problem it is.
    r#type: String,
    /// HTTP's own words for the status.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The stable code, such as OUT_OF_RANGE, NOT_FOUND, BAD_INPUT, LIMIT_EXCEEDED, TIMEOUT, BUSY,
    /// RESTAGING, NOT_ACCEPTABLE, BLOCK_NOT_REACHED or INTERNAL.
    code: String,
    /// A sentence that says what to do.
    detail: String,
}

/// A stream of Arrow record batches.
pub(super) struct ArrowStream;

impl utoipa::PartialSchema for ArrowStream {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("An Arrow IPC stream of one batch."))
            .build()
            .into()
    }
}

impl ToSchema for ArrowStream {}

/// What every read may be refused with.
#[derive(IntoResponses)]
#[expect(
    dead_code,
    reason = "it describes; the layers and problems make these answers"
)]
pub(super) enum Refusals {
    /// `If-None-Match` names the answer that would be given.
    #[response(status = 304)]
    NotModified,
    /// A parameter is not valid; the sentence says which one, and what to give.
    #[response(status = 400, content_type = "application/problem+json")]
    BadInput(ProblemDocument),
    /// What was asked for is not there, or the block is outside the stored range, which is told.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument),
    /// None of the forms in `Accept` can be had.
    #[response(status = 406, content_type = "application/problem+json")]
    NotAcceptable(ProblemDocument),
    /// It took too long; ask for less.
    #[response(status = 408, content_type = "application/problem+json")]
    Timeout(ProblemDocument),
    /// A limit, and which; or `minBlock` names a block that cannot come in time.
    #[response(status = 422, content_type = "application/problem+json")]
    Limit(ProblemDocument),
    /// Something failed inside.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemDocument),
    /// Too many requests are being answered, or what belongs to the block is being made again.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(ProblemDocument),
    /// The block of `minBlock` was not stored in time; `indexed` is the highest stored block.
    #[response(status = 504, content_type = "application/problem+json")]
    NotReached(ProblemDocument),
}

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "yumascope",
        description = "A Bittensor chain as stored and computed again. Answers under /v1 have a \
            stamp (block, hash, spec version, finality), in the answer and in the headers x-block, \
            x-block-hash, x-spec-version, x-finalized and x-epoch-block. Reads are given as JSON, \
            CSV or an Arrow stream, by `Accept` or `format`; lists are followed with `after` and \
            the header `Link`. Every read takes `minBlock` (or the header X-Min-Block) and waits \
            until that block is stored, has a strong `ETag`, and is immutable when it is about a \
            finalized block that was named by number or hash and can never be told better. \
            Integers that may pass 2^53 are strings of digits. Null is never 0.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(reads::Form, reads::chain::Order)),
    tags(
        (name = "store", description = "The store and what it covers."),
        (name = "blocks", description = "Blocks and what is in them."),
        (name = "subnets", description = "Subnets, neurons and the matrices W and B."),
        (name = "ledgers", description = "Stake, epochs and commits over time."),
        (name = "epochs", description = "Epochs computed again: verdicts, explanations, simulations."),
        (name = "results", description = "Results of challenges and their scores."),
        (name = "explorer", description = "Routes in the shape of a well-known explorer's."),
        (name = "graphql", description = "GraphQL over HTTP and WebSocket."),
        (name = "operation", description = "Probes, metrics and pages."),
    ),
    paths(
        reads::store::status, reads::store::coverage, reads::store::runtimes,
        reads::chain::blocks, reads::chain::block, reads::chain::extrinsics, reads::chain::events,
        reads::subnets::list, reads::subnets::one, reads::subnets::metagraph,
        reads::subnets::weights, reads::subnets::bonds,
        reads::ledgers::stake, reads::ledgers::movements, reads::ledgers::epochs,
        reads::ledgers::commits, reads::ledgers::scores,
        explorer::metagraph, explorer::weights, explorer::subnets, explorer::runtimes,
        explorer::events, explorer::extrinsics, explorer::blocks,
        others::record, others::explain, others::epoch_scores, others::diff, others::simulate,
        others::copying, others::profiles, others::score, others::results, others::give_results,
        others::result_scores, others::report, others::scoring_result,
        others::graphql, others::query_page, others::socket, others::stream, others::live, others::ready,
        others::metrics, others::landing, others::style, others::script,
        others::document, others::docs, others::docs_page, others::docs_part,
    ),
)]
struct Document;

/// The document of all routes, as committed in `openapi.json`.
///
/// # Errors
/// When it cannot be written as JSON, with the library's words.
pub fn openapi() -> Result<String, serde_json::Error> {
    let mut document = Document::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

async fn document() -> Response {
    static TEXT: OnceLock<Option<String>> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let text = openapi();
        text.inspect_err(|error| tracing::error!(%error, "the document of routes"))
            .ok()
    });
    match text {
        Some(text) => served("application/json", text.clone().into_bytes()),
        None => failed(&Problem::new(code::INTERNAL, INTERNAL_TEXT)),
    }
}

async fn to_page() -> Redirect {
    Redirect::permanent("/docs/")
}

async fn page() -> Response {
    file("index.html")
}

async fn part(Path(name): Path<String>) -> Response {
    file(&name)
}

/// A file of the page, all of which are in the program.
fn file(name: &str) -> Response {
    static CONFIG: OnceLock<Arc<Config<'static>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| Arc::new(Config::from(DOCUMENT)));
    match utoipa_swagger_ui::serve(name, config.clone()) {
        Ok(Some(file)) => served(&file.content_type, file.bytes.into_owned()),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, "a file of the page of routes");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn served(kind: &str, bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
