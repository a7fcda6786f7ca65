//! What is said to whoever is not let in: GraphQL errors on GraphQL's paths, problem documents
//! elsewhere.

use async_graphql::ServerError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use super::auth::WrongKey;
use super::{post, rest};
use crate::rest::Problem;
use crate::schema::limits::refusal;

/// Codes of the door, in `extensions.code` and `code`.
pub(super) mod code {
    /// A key is missing or wrong.
    pub(in crate::server) const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    /// The key, or the origin, may not do this.
    pub(in crate::server) const FORBIDDEN: &str = "FORBIDDEN";
    /// Too often, or too many at once.
    pub(in crate::server) const RATE_LIMITED: &str = "RATE_LIMITED";
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) text: String,
    /// Seconds to wait.
    pub(super) retry: Option<u64>,
    /// More members of the answer.
    pub(super) more: Vec<(&'static str, Value)>,
}

impl Refused {
    pub(super) fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
            retry: None,
            more: Vec::new(),
        }
    }

    pub(super) fn no_key() -> Self {
        hit("no_key");
        let text = "this needs an API key, sent as `Authorization: Bearer …` or `X-Api-Key: …` (on a WebSocket also in connection_init as {\"apiKey\": \"…\"}); ask the operator for one";
        Self::new(401, code::UNAUTHENTICATED, text)
    }

    pub(super) fn unknown(wrong: WrongKey) -> Self {
        hit("wrong_key");
        Self::new(401, code::UNAUTHENTICATED, wrong.to_string())
    }

    pub(super) fn scope(name: &str, scope: &str) -> Self {
        hit("scope");
        let text = format!(
            "the key `{name}` has not the scope {scope}; ask the operator for one that has"
        );
        Self::new(403, code::FORBIDDEN, text)
    }

    pub(super) fn origin() -> Self {
        hit("origin");
        let text = "pages of this origin may not open a WebSocket here; the operator can allow it with --cors";
        Self::new(403, code::FORBIDDEN, text)
    }

    /// As an error of GraphQL.
    pub(super) fn error(&self) -> ServerError {
        let mut error = refusal(self.code, self.text.clone());
        if let Some(extensions) = &mut error.extensions {
            for (name, value) in &self.more {
                if let Ok(value) = async_graphql::Value::from_json(value.clone()) {
                    extensions.set(*name, value);
                }
            }
        }
        error
    }

    /// As an answer to a request for a path.
    pub(super) fn response(&self, path: &str) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::FORBIDDEN);
        let mut response = match path.starts_with("/graphql") {
            true => post::failed(status, self.error()),
            false => {
                let mut problem = Problem::new(self.code, self.text.clone());
                for (name, value) in &self.more {
                    problem.more.insert((*name).to_owned(), value.clone());
                }
                rest::failed(&problem.with_status(self.status))
            }
        };
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"yumascope\"");
            headers.insert(header::WWW_AUTHENTICATE, how);
        }
        if let Some(seconds) = self.retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn hit(limit: &'static str) {
    metrics::counter!("limit_hits_total", "limit" => limit).increment(1);
}
