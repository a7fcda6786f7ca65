//! One structured line for every request, when its answer has left or was given up.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use http_body::{Frame, SizeHint};
use tracing::{Instrument, Span};

use super::access::Caller;
use super::refused::Refused;
use super::request_id;
use crate::schema::error::{INTERNAL_TEXT, code};

/// Status of the line where the client did not wait for its answer.
const GONE: u16 = 499;
/// Most bytes of a path in a line.
const MOST_PATH: usize = 256;

/// Names the request, measures it, and logs it. Probes are logged at debug level. The line holds
/// nothing that could break it: the path is as it was sent, in ASCII without control characters.
pub(super) async fn record(request: Request, next: Next) -> Response {
    let id = request_id::of(request.headers());
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("unmatched", MatchedPath::as_str).to_owned();
    let path = request.uri().path().to_owned();
    // Of the highest level, so that whatever is logged within tells the id.
    let span = tracing::error_span!("request", id = id.to_str().unwrap_or_default());
    let mut line = Line {
        span: span.clone(),
        started: Instant::now(),
        method: request.method().clone(),
        path: path.get(..MOST_PATH).unwrap_or(&path).to_owned(),
        status: GONE,
        caller: None,
        bytes: 0,
    };
    let answered = request_id::within(id.clone(), next.run(request)).instrument(span.clone());
    let mut response = match AssertUnwindSafe(answered).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let cause = words(panic);
            span.in_scope(|| {
                tracing::error!(cause, "answering a request panicked; please report it");
            });
            request_id::within(id.clone(), async { broken(&path) }).await
        }
    };
    response.headers_mut().insert(request_id::HEADER, id);
    line.status = response.status().as_u16();
    line.caller = response.extensions_mut().remove::<Arc<Caller>>();
    let status = line.status.to_string();
    let seconds = line.started.elapsed().as_secs_f64();
    metrics::counter!("http_requests_total", "status" => status).increment(1);
    metrics::histogram!("http_request_seconds", "route" => route).record(seconds);
    response.map(|body| Body::new(Counted { body, line }))
}

/// The answer where a handler panicked. There should be none; one must not take the connection.
fn broken(path: &str) -> Response {
    Refused::new(500, code::INTERNAL, INTERNAL_TEXT).response(path)
}

/// What a panic said.
fn words(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast::<&str>() {
            Ok(text) => (*text).to_owned(),
            Err(_) => "no message".to_owned(),
        },
    }
}

/// What is logged about a request.
struct Line {
    span: Span,
    started: Instant,
    method: Method,
    path: String,
    status: u16,
    caller: Option<Arc<Caller>>,
    bytes: u64,
}

impl Drop for Line {
    fn drop(&mut self) {
        let _in = self.span.enter();
        let (method, path, status, bytes) = (
            self.method.as_str(),
            self.path.as_str(),
            self.status,
            self.bytes,
        );
        let ms = self.started.elapsed().as_secs_f64() * 1000.0;
        let caller = self.caller.as_deref();
        let client = caller.map(|caller| caller.address.to_string());
        let key = caller.and_then(Caller::key_name);
        let operation = caller.and_then(Caller::operation);
        let cost = caller.map_or(0, Caller::cost);
        if matches!(path, "/health" | "/ready" | "/metrics") {
            tracing::debug!(target: "access", method, path, status, bytes, ms, client, key, operation, cost, "request");
        } else {
            tracing::info!(target: "access", method, path, status, bytes, ms, client, key, operation, cost, "request");
        }
    }
}

/// A body whose bytes are counted.
struct Counted {
    body: Body,
    line: Line,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
            self.line.bytes = self.line.bytes.saturating_add(bytes);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        async fn bad() -> &'static str {
            panic!("SECRET")
        }
        let routes = Router::new()
            .route("/v1/bad", get(bad))
            .route("/good", get(|| async { "fine" }))
            .layer(axum::middleware::from_fn(record));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let served = tokio::spawn(async move { axum::serve(listener, routes).await });
        // Both on one connection, which outlives the panic.
        let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        let requests = "GET /v1/bad HTTP/1.1\r\nhost: t\r\nx-request-id: mine\r\n\r\n\
                        GET /good HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        assert!(answers.starts_with("HTTP/1.1 500"), "{answers}");
        assert!(answers.contains("\"requestId\":\"mine\""), "{answers}");
        assert!(!answers.contains("SECRET"), "{answers}");
        assert!(answers.ends_with("fine"), "{answers}");
        served.abort();
    }
}
