//! REST under `/v1`: the common reads, straight from the port, in the form that was asked for.

pub(super) mod chain;
mod form;
pub(super) mod ledgers;
pub(super) mod params;
pub(super) mod store;
pub(super) mod subnets;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use chain_metadata::BlockNumber;

use super::App;
use super::access::owes;
use super::rest::{Parameters, failed};
use crate::ports::{ReadError, Reader};
use crate::rest::Problem;
use crate::rest::reads::{Body, EpochStamp, Stamp};
use crate::schema::error::{ApiError, INTERNAL_TEXT, code};
pub(super) use form::Form;

/// History does not change.
const FOR_GOOD: &str = "max-age=31536000, immutable";
/// What may be another answer at the next question. The `ETag` makes asking again cheap.
const ASK_AGAIN: &str = "no-cache";
/// Bytes of an answer, or of a question's body, that a token pays for.
const BYTES_PER_TOKEN: usize = 64 << 10;

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/status", get(store::status))
        .route("/v1/coverage", get(store::coverage))
        .route("/v1/runtimes", get(store::runtimes))
        .route("/v1/blocks", get(chain::blocks))
        .route("/v1/blocks/{block}", get(chain::block))
        .route("/v1/blocks/{block}/extrinsics", get(chain::extrinsics))
        .route("/v1/blocks/{block}/events", get(chain::events))
        .route("/v1/subnets", get(subnets::list))
        .route("/v1/subnets/{netuid}", get(subnets::one))
        .route("/v1/metagraph/{netuid}", get(subnets::metagraph))
        .route("/v1/weights/{netuid}", get(subnets::weights))
        .route("/v1/bonds/{netuid}", get(subnets::bonds))
        .route("/v1/stake", get(ledgers::stake))
        .route("/v1/stake/movements", get(ledgers::movements))
        .route("/v1/epochs/{netuid}", get(ledgers::epochs))
        .route("/v1/commits", get(ledgers::commits))
        .route("/v1/scores/{netuid}", get(ledgers::scores))
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum No {
    /// The port failed.
    Read(ReadError),
    /// The question is at fault.
    Problem(Problem),
}

impl From<ReadError> for No {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// An answer and how long it holds.
#[derive(Debug)]
pub(super) struct Answer<B> {
    pub(super) body: B,
    /// The state it is from.
    pub(super) stamp: Option<Stamp>,
    /// Whether the same question can never have another answer.
    pub(super) for_good: bool,
}

/// An answer as it is sent.
struct Sent {
    bytes: Vec<u8>,
    stamp: Option<Stamp>,
    epoch: Option<EpochStamp>,
    next: Option<String>,
    for_good: bool,
}

/// Answers a question in the form asked for: reads and renders off the event loop, in a place among
/// the queries, within the time and size that the limits allow.
///
/// `known` names the parameters; `question` reads them and gives the read.
pub(super) async fn told<B, R>(
    app: &App,
    parts: &Parts,
    name: &'static str,
    known: &[&str],
    question: impl FnOnce(&Parameters<'_>) -> Result<R, Problem>,
) -> Response
where
    B: Body,
    R: FnOnce(&dyn Reader) -> Result<Answer<B>, No> + Send + 'static,
{
    match asked(app, parts, name, known, question).await {
        Ok(response) => response,
        Err(problem) => failed(&problem),
    }
}

async fn asked<B, R>(
    app: &App,
    parts: &Parts,
    name: &'static str,
    known: &[&str],
    question: impl FnOnce(&Parameters<'_>) -> Result<R, Problem>,
) -> Result<Response, Problem>
where
    B: Body,
    R: FnOnce(&dyn Reader) -> Result<Answer<B>, No> + Send + 'static,
{
    let known: Vec<&str> = known.iter().copied().chain(["format"]).collect();
    let parameters = Parameters::new(parts.uri.query(), &known)?;
    let form = Form::of(parameters.get("format"), &parts.headers)?;
    let read = question(&parameters)?;
    let sent = run(app, name, move |reader| {
        let answer = read(reader)?;
        let epoch = answer.body.epoch();
        Ok(Sent {
            bytes: form.render(&answer.body, answer.stamp, epoch)?,
            epoch,
            next: answer.body.next().map(str::to_owned),
            stamp: answer.stamp,
            for_good: answer.for_good,
        })
    });
    let sent = sent.await?;
    weighed(sent.bytes.len());
    if sent.bytes.len() > app.limits.response_bytes {
        return Err(too_long(sent.bytes.len(), app.limits.response_bytes));
    }
    let is_private = is_private(app, &parts.headers);
    Ok(respond(parts, form, sent, is_private))
}

/// Charges for so many bytes: what they cost is owed when they are there, as with GraphQL.
pub(super) fn weighed(bytes: usize) {
    owes(bytes / BYTES_PER_TOKEN);
}

/// Whether an answer is only for who asked: a cache between must not give it to whom the door
/// would not.
fn is_private(app: &App, headers: &HeaderMap) -> bool {
    let shown = [header::AUTHORIZATION, HeaderName::from_static("x-api-key")];
    app.door.options.require_key || shown.iter().any(|name| headers.contains_key(name))
}

/// Runs a read of one snapshot as a query: in its turn, and not for longer than allowed.
pub(super) async fn run<T: Send + 'static>(
    app: &App,
    name: &'static str,
    read: impl FnOnce(&dyn Reader) -> Result<T, No> + Send + 'static,
) -> Result<T, Problem> {
    let time = app.limits.query_timeout();
    let turn = app.turn().await;
    let _turn = turn.map_err(|busy| Problem::new(code::BUSY, busy.text()))?;
    let reads = app.reads.pinned();
    let read = reads.run(name, move |reader| match read(reader) {
        Ok(value) => Ok(Ok(value)),
        Err(No::Problem(problem)) => Ok(Err(problem)),
        Err(No::Read(error)) => Err(error),
    });
    match tokio::time::timeout(time, read).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Err(problem(error)),
        Err(_) => Err(Problem::new(
            code::TIMEOUT,
            format!(
                "the request took longer than {} ms; ask for less at once",
                app.limits.query_timeout_ms
            ),
        )),
    }
}

pub(super) fn too_long(measured: usize, allowed: usize) -> Problem {
    metrics::counter!("graphql_refused_total", "limit" => "answer in bytes").increment(1);
    let text =
        format!("the answer has {measured} bytes, but at most {allowed} are allowed; ask for less");
    Problem::new(code::LIMIT, text)
}

/// A failed read in the words of the schema, with REST's names for where to look.
pub(super) fn problem(error: ReadError) -> Problem {
    problem_of(ApiError::from(error))
}

pub(super) fn problem_of(error: ApiError) -> Problem {
    let error = async_graphql::Error::from(error).into_server_error(async_graphql::Pos::default());
    let mut problem = Problem::of(error);
    problem.detail = problem
        .detail
        .replace("query availableRange", "see /v1/status")
        .replace("query coverage", "see /v1/coverage");
    problem
}

/// What failed inside; the cause goes to the log only.
pub(super) fn internal(cause: impl std::fmt::Display) -> No {
    tracing::error!(%cause, "an answer could not be written");
    No::Problem(Problem::new(code::INTERNAL, INTERNAL_TEXT))
}

/// That there is nothing at a place.
pub(super) fn nothing(text: String) -> No {
    No::Problem(Problem::new(code::NOT_FOUND, text))
}

/// A block that is outside what is stored.
pub(super) fn out_of_range(reader: &dyn Reader, asked: impl std::fmt::Display) -> No {
    match reader.status() {
        Ok(status) => No::Problem(problem_of(ApiError::out_of_range(asked, status.spans))),
        Err(error) => No::Read(error),
    }
}

/// The stamp of the highest stored block; `None` while nothing is stored.
pub(super) fn head(reader: &dyn Reader) -> Result<Option<Stamp>, No> {
    match reader.status()?.last {
        Some(last) => stamp(reader, last).map(Some),
        None => Ok(None),
    }
}

/// The stamp of a block that must be there.
pub(super) fn stamp(reader: &dyn Reader, number: BlockNumber) -> Result<Stamp, No> {
    match reader.blocks(&[number])?.into_iter().next().flatten() {
        Some(block) => Ok(Stamp::from(&block)),
        None => Err(out_of_range(reader, number)),
    }
}

fn respond(parts: &Parts, form: Form, sent: Sent, is_private: bool) -> Response {
    let tag = tag(&sent.bytes);
    let unchanged = matches(&parts.headers, &tag);
    let mut response = Response::new(match unchanged {
        true => HttpBody::empty(),
        false => HttpBody::from(sent.bytes),
    });
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, text: &str| {
        // Texts of our own: digits, words and hex.
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    if !unchanged {
        put(header::CONTENT_TYPE, form.kind());
    }
    put(header::ETAG, &tag);
    put(header::VARY, "accept");
    let whose = if is_private { "private" } else { "public" };
    let cache = match (sent.for_good, is_private) {
        (true, _) => format!("{whose}, {FOR_GOOD}"),
        (false, true) => format!("{whose}, {ASK_AGAIN}"),
        (false, false) => ASK_AGAIN.to_owned(),
    };
    put(header::CACHE_CONTROL, &cache);
    if let Some(stamp) = sent.stamp {
        let named = HeaderName::from_static;
        put(named("x-block"), &stamp.block.to_string());
        put(named("x-block-hash"), &stamp.hash.0.to_string());
        put(named("x-spec-version"), &stamp.spec_version.to_string());
        put(named("x-finalized"), &stamp.finalized.to_string());
    }
    if let Some(epoch) = sent.epoch {
        put(
            HeaderName::from_static("x-epoch-block"),
            &epoch.block.0.to_string(),
        );
    }
    if let Some(next) = sent.next {
        put(header::LINK, &link(parts, &next));
    }
    response
}

/// The next page, as RFC 8288 names it.
fn link(parts: &Parts, next: &str) -> String {
    let query = parts.uri.query().unwrap_or_default().split('&');
    let query = query.filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
    let query: Vec<String> = query
        .map(str::to_owned)
        .chain([format!("after={next}")])
        .collect();
    format!("<{}?{}>; rel=\"next\"", parts.uri.path(), query.join("&"))
}

/// A validator of the bytes; weak, because packing on the way changes what is sent.
fn tag(bytes: &[u8]) -> String {
    let hash = twox_hash::XxHash64::oneshot(0, bytes);
    format!("W/\"{hash:016x}-{:x}\"", bytes.len())
}

/// Whether the client has this already; tags are compared weakly, as RFC 9110 has it here.
fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let mut given = given
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let plain = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    given.any(|given| given == "*" || plain(given) == plain(tag))
}
