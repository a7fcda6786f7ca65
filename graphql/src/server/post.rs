//! POST `/graphql`: one JSON request, one JSON answer.

use async_graphql::ServerError;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::{App, rest};
use crate::schema::error::{INTERNAL_TEXT, code};
use crate::schema::limits::{over_limit, refusal, timed_out};

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
    let request = match parse(&body) {
        Ok(request) => request,
        Err(error) => return failed(StatusCode::BAD_REQUEST, *error),
    };
    let turn = tokio::time::timeout(app.limits.query_timeout(), app.queries.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        let text = "too many queries are being answered; try again in a moment";
        return failed(StatusCode::SERVICE_UNAVAILABLE, refusal(code::BUSY, text));
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
        let advice = "ask for fewer items or fields";
        let error = over_limit(
            "answer in bytes",
            text.len(),
            app.limits.response_bytes,
            advice,
        );
        return failed(StatusCode::OK, error);
    }
    json(StatusCode::OK, text)
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
    if request.query.trim().is_empty() {
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
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
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
