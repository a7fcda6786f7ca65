//! Errors as a client sees them: a stable code, a sentence, and nothing of the inside.

use async_graphql::{Error, ErrorExtensions, Value};
use chain_metadata::BlockNumber;

use crate::ports::ReadError;

/// What resolvers return.
pub(crate) type Res<T> = Result<T, ApiError>;

/// Text of every internal error; its cause goes to the log.
pub(crate) const INTERNAL_TEXT: &str =
    "the server could not answer this field; its log has the cause";

/// Codes of `extensions.code`. They are part of the interface.
pub(crate) mod code {
    /// A block outside the stored range; `extensions.asked`, `first` and `last` say more.
    pub(crate) const OUT_OF_RANGE: &str = "OUT_OF_RANGE";
    /// A key that a subtree needs does not exist.
    pub(crate) const NOT_FOUND: &str = "NOT_FOUND";
    /// The request is not valid: syntax, types or arguments.
    pub(crate) const BAD_INPUT: &str = "BAD_INPUT";
    /// A limit refused the request; `extensions.limit`, `measured` and `allowed` say which.
    pub(crate) const LIMIT: &str = "LIMIT_EXCEEDED";
    /// The request took too long.
    pub(crate) const TIMEOUT: &str = "TIMEOUT";
    /// Too many requests are being answered.
    pub(crate) const BUSY: &str = "BUSY";
    /// Something failed inside.
    pub(crate) const INTERNAL: &str = "INTERNAL";
}

/// Why a field has no answer.
///
/// It has no `Display` on purpose: the only way out is the conversion below, which sets the code.
#[derive(Debug, Clone)]
pub(crate) enum ApiError {
    OutOfRange {
        asked: String,
        first: Option<BlockNumber>,
        last: Option<BlockNumber>,
    },
    NotFound(String),
    BadInput(String),
    Internal,
}

impl ApiError {
    /// An internal error. The cause is logged here and goes no further.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a field could not be answered");
        Self::Internal
    }

    pub(crate) fn bad_input(text: impl Into<String>) -> Self {
        Self::BadInput(text.into())
    }

    pub(crate) fn out_of_range(
        asked: impl std::fmt::Display,
        first: Option<BlockNumber>,
        last: Option<BlockNumber>,
    ) -> Self {
        Self::OutOfRange {
            asked: asked.to_string(),
            first,
            last,
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { asked, first, last } => Self::out_of_range(asked, first, last),
            // The read that failed has logged its cause once, for all fields that wait for it.
            ReadError::Store(_) | ReadError::Decode(_) => Self::Internal,
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::OutOfRange { asked, first, last } => {
                let text = match (first, last) {
                    (Some(first), Some(last)) => format!(
                        "block {asked} is outside the stored range {first}..={last}; \
                         ask for a block in it (query availableRange)"
                    ),
                    _ => format!("block {asked} cannot be answered: nothing is stored yet"),
                };
                Error::new(text).extend_with(|_, extensions| {
                    extensions.set("code", code::OUT_OF_RANGE);
                    extensions.set("asked", asked.as_str());
                    extensions.set("first", optional(first));
                    extensions.set("last", optional(last));
                })
            }
            ApiError::NotFound(text) => coded(text, code::NOT_FOUND),
            ApiError::BadInput(text) => coded(text, code::BAD_INPUT),
            ApiError::Internal => coded(INTERNAL_TEXT, code::INTERNAL),
        }
    }
}

fn coded(text: impl Into<String>, code: &'static str) -> Error {
    Error::new(text).extend_with(|_, extensions| extensions.set("code", code))
}

fn optional(number: Option<BlockNumber>) -> Value {
    number.map_or(Value::Null, Value::from)
}
