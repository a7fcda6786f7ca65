//! What one operation may cost, and the extension that holds it to that.
//!
//! Every refusal says which limit, what was measured and what is allowed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextPrepareRequest, NextRequest,
    NextSubscribe, NextValidation,
};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{
    Context, Data, ErrorExtensionValues, Request, Response, ServerError, ServerResult,
    SimpleObject, ValidationResult, async_trait,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::error::{ApiError, INTERNAL_TEXT, Res, code};
use super::measure;
use super::operation;
use super::paging::{MAX_BLOCKS, MAX_ITEMS};
use super::persisted::Persisted;
use super::scalars::U64;
use super::shape::shape;
use crate::loaders::Loaders;
use crate::reads::Reads;
use crate::server::access;

/// The bounds of the window. All are enforced, and published by the query `limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most levels of fields below each other. Tools' introspection needs 15.
    pub depth: usize,
    /// Highest cost of one operation. One is about one value in the answer.
    pub complexity: usize,
    /// Most fields selected in one request, counted after fragments are put in their places; each
    /// fragment so put counts as one too.
    pub fields: usize,
    /// Largest request body and largest WebSocket message, in bytes.
    pub body_bytes: usize,
    /// Largest answer, in bytes before compression.
    pub response_bytes: usize,
    /// Longest time one operation (of a subscription: one message) may take, in milliseconds.
    pub query_timeout_ms: u64,
    /// Most reads of the store at the same time.
    pub concurrent_reads: usize,
    /// Most HTTP queries answered at the same time; more wait for their turn.
    pub concurrent_queries: usize,
    /// Most open WebSockets.
    pub websockets: usize,
    /// Most operations (subscriptions among them) open on one WebSocket.
    pub operations_per_websocket: usize,
    /// Most fields of one request that stand in no other field.
    pub root_fields: usize,
    /// Most aliases in one request.
    pub aliases: usize,
    /// Most directives in one request.
    pub directives: usize,
    /// Most names, numbers, strings and punctuation marks in one document.
    pub tokens: usize,
    /// Most values in the variables of one request.
    pub variable_values: usize,
    /// Most lists and objects below each other in a variable, the value itself counted.
    pub variable_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 16,
            complexity: 200_000,
            fields: 2_000,
            body_bytes: 64 << 10,
            response_bytes: 64 << 20,
            query_timeout_ms: 20_000,
            concurrent_reads: 16,
            concurrent_queries: 64,
            websockets: 1_024,
            operations_per_websocket: 16,
            root_fields: 128,
            aliases: 256,
            directives: 64,
            tokens: 15_000,
            variable_values: 10_000,
            variable_depth: 16,
        }
    }
}

impl Limits {
    /// The time one operation may take.
    pub(crate) fn query_timeout(&self) -> Duration {
        Duration::from_millis(self.query_timeout_ms)
    }
}

/// The limits that hold for every request. A refused request says which limit it met, what was
/// measured and what is allowed.
#[derive(SimpleObject)]
#[graphql(name = "Limits")]
pub(crate) struct LimitsNode {
    /// Most levels of fields below each other.
    depth: U64,
    /// Highest cost of one operation. A plain value costs 1; a list costs its page size times its
    /// children; a subnet list counts as 128 subnets, a metagraph as 256 neurons and a matrix as
    /// 256 rows of 256 entries where the arguments ask for no fewer. A filter that a ledger is not in
    /// the order of costs 2,000 more, and all stake of an account too; a filter of verification
    /// records 5,000, a badge 10,000, a summary of all subnets 50,000. The neurons of a simulation are
    /// counted when it is computed, and held to the same limit once more.
    complexity: U64,
    /// Most fields selected in one request, counted after fragments are put in their places; each
    /// fragment so put counts as one too.
    fields: U64,
    /// Largest request body and largest WebSocket message, in bytes.
    body_bytes: U64,
    /// Largest answer, in bytes before compression.
    response_bytes: U64,
    /// Longest time one operation (of a subscription: one message) may take, in milliseconds.
    query_timeout_ms: U64,
    /// Most HTTP queries answered at the same time; more wait for their turn.
    concurrent_queries: U64,
    /// Most open WebSockets.
    websockets: U64,
    /// Most operations (subscriptions among them) open on one WebSocket.
    operations_per_websocket: U64,
    /// Most fields of one request that stand in no other field, counted after fragments are put in
    /// their places.
    root_fields: U64,
    /// Most aliases in one request, counted after fragments are put in their places.
    aliases: U64,
    /// Most directives in one request, counted after fragments are put in their places.
    directives: U64,
    /// Most names, numbers, strings and punctuation marks in one document.
    tokens: U64,
    /// Most brackets of any kind below each other in one document.
    nesting: u32,
    /// Most selections below each other, fragments among them.
    levels: u32,
    /// Most fragments that one request may define.
    fragments: u32,
    /// Most questions about the schema (`__schema`, `__type`) in one request.
    schemas: u32,
    /// Most values in the variables of one request, those inside lists and objects too.
    variable_values: U64,
    /// Most lists and objects below each other in a variable, the value itself counted.
    variable_depth: U64,
    /// Most reads of the store at the same time; more wait for their turn.
    concurrent_reads: U64,
    /// Whether only documents of the operator's list are answered (code PERSISTED_QUERY_ONLY).
    only_persisted: bool,
    /// Most blocks on one page of a connection.
    blocks_per_page: u32,
    /// Most extrinsics or events on one page of a connection.
    items_per_page: u32,
}

impl LimitsNode {
    pub(crate) fn new(limits: &Limits, only_persisted: bool) -> Self {
        let narrow = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        let wide = |size: usize| U64(u64::try_from(size).unwrap_or(u64::MAX));
        Self {
            depth: wide(limits.depth),
            complexity: wide(limits.complexity),
            fields: wide(limits.fields),
            body_bytes: wide(limits.body_bytes),
            response_bytes: wide(limits.response_bytes),
            query_timeout_ms: U64(limits.query_timeout_ms),
            concurrent_queries: wide(limits.concurrent_queries),
            websockets: wide(limits.websockets),
            operations_per_websocket: wide(limits.operations_per_websocket),
            root_fields: wide(limits.root_fields),
            aliases: wide(limits.aliases),
            directives: wide(limits.directives),
            tokens: wide(limits.tokens),
            nesting: narrow(measure::MAX_NESTING),
            levels: narrow(measure::MAX_LEVELS),
            fragments: narrow(measure::MAX_FRAGMENTS),
            schemas: narrow(measure::MAX_SCHEMAS),
            variable_values: wide(limits.variable_values),
            variable_depth: wide(limits.variable_depth),
            concurrent_reads: wide(limits.concurrent_reads),
            only_persisted,
            blocks_per_page: MAX_BLOCKS,
            items_per_page: MAX_ITEMS,
        }
    }
}

/// An error of the whole operation with its code.
pub(crate) fn refusal(code: &'static str, text: impl Into<String>) -> ServerError {
    let mut error = ServerError::new(text, None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    if matches!(code, code::INTERNAL | code::BUSY)
        && let Some(id) = crate::server::request_id::current()
    {
        extensions.set("requestId", id);
    }
    error.extensions = Some(extensions);
    error
}

/// The refusal of a limit.
pub(crate) fn over_limit(
    limit: &'static str,
    measured: usize,
    allowed: usize,
    advice: &str,
) -> ServerError {
    let mut error = refusal(
        code::LIMIT,
        format!("the request's {limit} is {measured}, but at most {allowed} is allowed; {advice}"),
    );
    if let Some(extensions) = &mut error.extensions {
        extensions.set("limit", limit);
        extensions.set("measured", measured);
        extensions.set("allowed", allowed);
    }
    metrics::counter!("graphql_refused_total", "limit" => limit).increment(1);
    error
}

/// Values in the answer of one operation whose number was not known before it ran. They are held
/// to the limit on complexity by themselves: what was counted before does not take from them.
pub(crate) struct Tally {
    values: AtomicU64,
    allowed: u64,
}

impl Tally {
    fn new(limits: &Limits) -> Self {
        Self {
            values: AtomicU64::new(0),
            allowed: u64::try_from(limits.complexity).unwrap_or(u64::MAX),
        }
    }

    /// That of the operation.
    pub(crate) fn of<'a>(ctx: &Context<'a>) -> Res<&'a Tally> {
        ctx.data_opt::<Tally>()
            .ok_or_else(|| ApiError::internal("the operation has no tally"))
    }

    /// Counts so many values more, before they are made.
    pub(crate) fn add(&self, values: usize, advice: &str) -> Res<()> {
        let values = u64::try_from(values).unwrap_or(u64::MAX);
        let before = self.values.fetch_add(values, Ordering::Relaxed);
        let (measured, allowed) = (before.saturating_add(values), self.allowed);
        if measured <= allowed {
            return Ok(());
        }
        Err(ApiError::Limit {
            limit: "complexity",
            measured,
            allowed,
            text: format!(
                "the request's complexity is {measured} by the number of values in its answer, but at most {allowed} is allowed; {advice}"
            ),
        })
    }
}

/// Gives every operation its loaders, its deadline and its measure.
pub(crate) struct Guard {
    pub(crate) limits: Arc<Limits>,
    pub(crate) reads: Reads,
    persisted: Arc<Persisted>,
    /// The request as parsed, once it is. The engine makes one guard for each request.
    document: OnceLock<ExecutableDocument>,
    /// The document and its hash, to be remembered if it turns out to be one that can be asked.
    unknown: OnceLock<(String, String)>,
}

impl Guard {
    pub(crate) fn new(limits: Arc<Limits>, reads: Reads, persisted: Arc<Persisted>) -> Self {
        Self {
            limits,
            reads,
            persisted,
            document: OnceLock::new(),
            unknown: OnceLock::new(),
        }
    }
}

impl ExtensionFactory for Guard {
    fn create(&self) -> Arc<dyn Extension> {
        let persisted = self.persisted.clone();
        Arc::new(Guard::new(
            self.limits.clone(),
            self.reads.clone(),
            persisted,
        ))
    }
}

#[async_trait::async_trait]
impl Extension for Guard {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        with_codes(next.run(ctx).await)
    }

    fn subscribe<'s>(
        &self,
        ctx: &ExtensionContext<'_>,
        stream: BoxStream<'s, Response>,
        next: NextSubscribe<'_>,
    ) -> BoxStream<'s, Response> {
        let most = self.limits.response_bytes;
        let answers = next.run(ctx, stream).map(with_codes);
        answers
            .map(move |answer| small_enough(answer, most))
            .boxed()
    }

    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        mut request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        // Before anything is read: reading costs too.
        access::may_begin()?;
        let unknown = self.persisted.resolve(&mut request)?;
        measure::document_text(&request.query, &self.limits)?;
        measure::variables(&request.variables, &self.limits)?;
        let document = request.parsed_query()?;
        measure::selections(document, &self.limits)?;
        self.document.get_or_init(|| document.clone());
        if let Some(hash) = unknown {
            self.unknown.get_or_init(|| (hash, request.query.clone()));
        }
        next.run(ctx, request).await
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        if result.depth > self.limits.depth {
            return Err(vec![over_limit(
                "depth",
                result.depth,
                self.limits.depth,
                "nest fewer fields, or ask in two requests",
            )]);
        }
        if result.complexity > self.limits.complexity {
            return Err(vec![over_limit(
                "complexity",
                result.complexity,
                self.limits.complexity,
                "ask for fewer items (first, uids, names) or fewer fields of each",
            )]);
        }
        metrics::histogram!("graphql_complexity").record(result.complexity as f64);
        access::measured(result.complexity);
        if let Some((hash, document)) = self.unknown.get() {
            self.persisted.remember(hash.clone(), document);
        }
        Ok(result)
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut data = Data::default();
        data.insert(Loaders::new(&self.reads.pinned()));
        data.insert(Tally::new(&self.limits));
        let document = self.document.get();
        let label = document.map_or("other", |document| {
            operation::label(document, operation_name)
        });
        let _timed = operation::Timed::start(label);
        let run = next.run_with_data(ctx, operation_name, data);
        match tokio::time::timeout(self.limits.query_timeout(), run).await {
            Ok(mut response) => {
                if let Some(document) = self.document.get() {
                    let registry = &ctx.schema_env.registry;
                    shape(&mut response, document, operation_name, registry);
                }
                response
            }
            Err(_) => Response::from_errors(vec![timed_out(&self.limits)]),
        }
    }
}

/// The answer to an operation on a stream, or the refusal of one that is too large. Those over HTTP
/// are measured as they are written.
fn small_enough(answer: Response, most: usize) -> Response {
    struct Size(usize);
    impl std::io::Write for Size {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut size = Size(0);
    if let Err(error) = serde_json::to_writer(&mut size, &answer) {
        tracing::error!(%error, "an answer could not be written as JSON");
        return Response::from_errors(vec![refusal(code::INTERNAL, INTERNAL_TEXT)]);
    }
    match size.0 > most {
        true => Response::from_errors(vec![too_large(size.0, most)]),
        false => answer,
    }
}

/// The refusal of an answer that is too large.
pub(crate) fn too_large(bytes: usize, most: usize) -> ServerError {
    let advice = "ask for fewer items or fields";
    over_limit("answer in bytes", bytes, most, advice)
}

pub(crate) fn timed_out(limits: &Limits) -> ServerError {
    metrics::counter!("graphql_refused_total", "limit" => "time").increment(1);
    let most = limits.query_timeout_ms;
    let mut error = refusal(
        code::TIMEOUT,
        format!("the request took longer than {most} ms; ask for less at once"),
    );
    if let Some(extensions) = &mut error.extensions {
        extensions.set("limit", "time in milliseconds");
        // It was given up at that moment.
        extensions.set("measured", most);
        extensions.set("allowed", most);
    }
    error
}

/// Most errors in one answer.
const MAX_ERRORS: usize = 100;
/// Longest message of an error, in bytes. The engine repeats what it could not read, whole.
const MAX_MESSAGE: usize = 1_000;

/// Errors that the GraphQL engine itself makes are all about the request: syntax, types, arguments.
fn with_codes(mut response: Response) -> Response {
    // A document that is wrong in every line would be told so line by line.
    let told = response.errors.len();
    response.errors.truncate(MAX_ERRORS);
    if told > MAX_ERRORS {
        let text = format!("{} more errors are not shown", told - MAX_ERRORS);
        response.errors.push(refusal(code::BAD_INPUT, text));
    }
    for error in &mut response.errors {
        if error.message.len() > MAX_MESSAGE {
            let ends = (0..=MAX_MESSAGE).rev();
            let mut ends = ends.filter(|end| error.message.is_char_boundary(*end));
            let cut = ends.next().unwrap_or(0);
            error.message.truncate(cut);
            error.message.push('…');
        }
        let extensions = error.extensions.get_or_insert_with(Default::default);
        if extensions.get("code").is_none() {
            extensions.set("code", code::BAD_INPUT);
        }
    }
    response
}
