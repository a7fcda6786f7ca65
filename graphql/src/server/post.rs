//! POST `/graphql`: one JSON request, one JSON answer. GET with a query string asks the same way,
//! and without one shows the query page.

use async_graphql::ServerError;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;

use super::places::Busy;
use super::{App, pages, rest};
use crate::schema::error::{INTERNAL_TEXT, code};
use crate::schema::limits::{self, over_limit, refusal, timed_out};

/// Executes one request.
pub(super) async fn execute(
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return too_large(app.limits.body_bytes);
        }
        Err(rejection) => {
            let error = refusal(code::BAD_INPUT, rejection.body_text());
            return failed(rejection.status(), error);
        }
    };
    match parse(&body) {
        Ok(request) => answer(&app, request).await,
        Err(error) => failed(StatusCode::BAD_REQUEST, *error),
    }
}

/// What a query string asks for. It can only read, as everything here.
#[derive(Deserialize)]
pub(super) struct Asked {
    query: Option<String>,
    variables: Option<String>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    extensions: Option<String>,
}

/// Executes the request of a query string; without one the query page, if there is one.
pub(super) async fn get(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(rejection) => {
            let error = refusal(code::BAD_INPUT, rejection.body_text());
            return failed(rejection.status(), error);
        }
    };
    if asked.query.is_none() && asked.extensions.is_none() {
        if app.options.query_page {
            return pages::query_page().await;
        }
        let text = "ask with POST, or with GET and `query` or `extensions` in the query string";
        let mut response = failed(
            StatusCode::METHOD_NOT_ALLOWED,
            refusal(code::BAD_INPUT, text),
        );
        let allow = HeaderValue::from_static("POST");
        response.headers_mut().insert(header::ALLOW, allow);
        return response;
    }
    match of_query(asked, app.limits.body_bytes) {
        Ok(request) => answer(&app, request).await,
        Err(error) => failed(StatusCode::BAD_REQUEST, *error),
    }
}

/// The same request as a body would hold.
fn of_query(asked: Asked, most: usize) -> Result<async_graphql::Request, Box<ServerError>> {
    let bad = |text: String| Box::new(refusal(code::BAD_INPUT, text));
    let parts = [&asked.query, &asked.variables, &asked.extensions];
    let size: usize = parts
        .iter()
        .flat_map(|part| part.as_deref())
        .map(str::len)
        .sum();
    if size > most {
        return Err(Box::new(over_limit(
            "query string in bytes",
            size,
            most,
            "send a smaller query",
        )));
    }
    let json = |name: &str, text: Option<String>| match text {
        None => Ok(serde_json::Value::Null),
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| bad(format!("`{name}` is not JSON ({error}); send an object"))),
    };
    let mut body = serde_json::Map::new();
    let text = asked.query.map(serde_json::Value::from);
    body.insert("query".into(), text.unwrap_or_else(|| "".into()));
    let name = asked.operation_name.map(serde_json::Value::from);
    body.extend(name.map(|name| ("operationName".into(), name)));
    for (name, text) in [
        ("variables", asked.variables),
        ("extensions", asked.extensions),
    ] {
        let value = json(name, text)?;
        if !value.is_null() {
            body.insert(name.into(), value);
        }
    }
    serde_json::from_value(body.into()).map_err(|error| {
        bad(format!(
            "the query string is not a GraphQL request ({error})"
        ))
    })
}

/// Waits for a place, executes a request and writes the answer.
async fn answer(app: &App, request: async_graphql::Request) -> Response {
    let _turn = match app.turn().await {
        Ok(turn) => turn,
        Err(full) => return busy(full),
    };
    let name = request.operation_name.clone();
    let response = app.api.execute(request).await;
    for error in &response.errors {
        tracing::debug!(
            operation = name,
            error = error.message,
            "a query met an error"
        );
    }
    let text = match serde_json::to_vec(&response) {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            let error = refusal(code::INTERNAL, INTERNAL_TEXT);
            return failed(StatusCode::INTERNAL_SERVER_ERROR, error);
        }
    };
    if text.len() > app.limits.response_bytes {
        let error = limits::too_large(text.len(), app.limits.response_bytes);
        return failed(StatusCode::OK, error);
    }
    json(StatusCode::OK, text)
}

/// No place came free.
fn busy(full: Busy) -> Response {
    let mut error = refusal(code::BUSY, full.text());
    if let Some(extensions) = &mut error.extensions {
        extensions.set("limit", full.limit());
        extensions.set("measured", full.most().saturating_add(1));
        extensions.set("allowed", full.most());
    }
    failed(StatusCode::SERVICE_UNAVAILABLE, error)
}

fn parse(body: &[u8]) -> Result<async_graphql::Request, Box<ServerError>> {
    let bad = |text: String| Box::new(refusal(code::BAD_INPUT, text));
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(bad(
            "batches are not accepted; send one request object, which may hold several fields"
                .to_owned(),
        ));
    }
    let request: async_graphql::Request = serde_json::from_slice(body).map_err(|error| {
        bad(format!(
            "the body is not a GraphQL request ({error}); send {{\"query\": \"…\", \"variables\": {{…}}}} as JSON"
        ))
    })?;
    // A document may be named by its hash instead.
    if request.query.trim().is_empty() && !request.extensions.contains_key("persistedQuery") {
        return Err(bad("the request holds no `query`".to_owned()));
    }
    Ok(request)
}

/// Gives the refusals of the layers, which are bare text, the same shape as all others.
pub(super) async fn explain_refusal(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    if let Some(problem) = rest::refusal(&app, &method, &path, &response) {
        return problem;
    }
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .is_some_and(|kind| {
            kind.starts_with(b"application/json") || kind.starts_with(b"application/problem+json")
        });
    match response.status() {
        _ if path.starts_with("/v1/") => response,
        StatusCode::PAYLOAD_TOO_LARGE if !is_json => too_large(app.limits.body_bytes),
        StatusCode::REQUEST_TIMEOUT if !is_json => {
            failed(StatusCode::REQUEST_TIMEOUT, timed_out(&app.limits))
        }
        _ => response,
    }
}

fn too_large(allowed: usize) -> Response {
    let mut error = refusal(
        code::LIMIT,
        format!("the request's body is larger than {allowed} bytes; send a smaller query"),
    );
    if let Some(extensions) = &mut error.extensions {
        extensions.set("limit", "body in bytes");
        extensions.set("allowed", allowed);
    }
    metrics::counter!("graphql_refused_total", "limit" => "body").increment(1);
    failed(StatusCode::PAYLOAD_TOO_LARGE, error)
}

/// A problem of the layers, as GraphQL tells errors.
pub(super) fn refused(problem: crate::rest::Problem) -> Response {
    let status = StatusCode::from_u16(problem.status);
    let mut extensions = async_graphql::ErrorExtensionValues::default();
    extensions.set("code", problem.code);
    for (name, value) in problem.more {
        if let Ok(value) = async_graphql::Value::from_json(value) {
            extensions.set(name, value);
        }
    }
    let mut error = ServerError::new(problem.detail, None);
    error.extensions = Some(extensions);
    failed(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), error)
}

pub(super) fn failed(status: StatusCode, error: ServerError) -> Response {
    let response = async_graphql::Response::from_errors(vec![error]);
    let text = serde_json::to_vec(&response).unwrap_or_else(|_| b"{\"data\":null}".to_vec());
    json(status, text)
}

fn json(status: StatusCode, text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, kind);
    let cache = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, cache);
    response
}
