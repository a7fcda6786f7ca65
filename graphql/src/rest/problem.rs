//! What went wrong, as a problem document (RFC 9457).

use async_graphql::ServerError;
use serde_json::{Map, Value, json};

use crate::schema::error::code;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, as in GraphQL's `extensions.code`.
    pub code: String,
    /// A sentence that says what to do.
    pub detail: String,
    /// More about it, such as `limit`, `measured` and `allowed`.
    pub more: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(code: &str, detail: impl Into<String>) -> Self {
        Self {
            status: status(code),
            code: code.to_owned(),
            detail: detail.into(),
            more: Map::new(),
        }
    }

    /// A problem with its own status, where HTTP has a closer one than the code.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Out of a GraphQL error.
    pub(crate) fn of(error: ServerError) -> Self {
        let extensions = serde_json::to_value(&error.extensions).unwrap_or(Value::Null);
        let mut more = match extensions {
            Value::Object(more) => more,
            _ => Map::new(),
        };
        let told = more.remove("code");
        let code = told.as_ref().and_then(Value::as_str);
        Self {
            more,
            ..Self::new(code.unwrap_or(code::BAD_INPUT), error.message)
        }
    }

    /// The document.
    pub fn document(&self) -> Value {
        let mut document = self.more.clone();
        document.insert("type".into(), json!("about:blank"));
        document.insert("title".into(), json!(title(self.status)));
        document.insert("status".into(), json!(self.status));
        document.insert("code".into(), json!(self.code));
        document.insert("detail".into(), json!(self.detail));
        if self.status >= 500
            && let Some(id) = crate::server::request_id::current()
        {
            document.insert("requestId".into(), json!(id));
        }
        Value::Object(document)
    }
}

fn status(code: &str) -> u16 {
    match code {
        code::NOT_FOUND | code::OUT_OF_RANGE => 404,
        code::LIMIT => 422,
        code::TIMEOUT => 408,
        code::BUSY | code::RESTAGING => 503,
        code::INTERNAL => 500,
        _ => 400,
    }
}

/// HTTP's own words for a status.
fn title(status: u16) -> &'static str {
    match axum::http::StatusCode::from_u16(status) {
        Ok(status) => status.canonical_reason().unwrap_or("Error"),
        Err(_) => "Error",
    }
}
