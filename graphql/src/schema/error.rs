//! Errors as a client sees them: a stable code, a sentence, and nothing of the inside.

use async_graphql::{Error, ErrorExtensions, Value};
use chain_metadata::BlockNumber;

use crate::ports::{ReadError, Refused};

/// What resolvers return.
pub(crate) type Res<T> = Result<T, ApiError>;

/// Text of every internal error; its cause goes to the log.
pub(crate) const INTERNAL_TEXT: &str =
    "the server could not answer this field; its log has the cause";

/// Codes of `extensions.code`. They are part of the interface.
pub(crate) mod code {
    /// A block outside the stored range; `extensions.asked`, `first` and `last` say more.
    pub(crate) const OUT_OF_RANGE: &str = "OUT_OF_RANGE";
    /// What belongs to this block is being made again; `extensions.done` says up to where it is right.
    pub(crate) const RESTAGING: &str = "RESTAGING";
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
    /// No document with this hash is known; send it once together with its hash.
    pub(crate) const PERSISTED_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
    /// Only documents of the operator's list are answered, and this one is not in it.
    pub(crate) const PERSISTED_ONLY: &str = "PERSISTED_QUERY_ONLY";
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
        ranges: Vec<(BlockNumber, BlockNumber)>,
    },
    Restaging {
        asked: BlockNumber,
        done: BlockNumber,
    },
    NotFound(String),
    BadInput(String),
    Limit {
        limit: &'static str,
        measured: u64,
        allowed: u64,
        text: String,
    },
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
        ranges: Vec<(BlockNumber, BlockNumber)>,
    ) -> Self {
        Self::OutOfRange {
            asked: asked.to_string(),
            ranges,
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { asked, first, last } => {
                Self::out_of_range(asked, first.zip(last).into_iter().collect())
            }
            ReadError::Dropped(number) => Self::NotFound(format!(
                "block {number} was not final, and its branch lost while it was read; ask again"
            )),
            ReadError::Restaging { asked, done } => Self::Restaging { asked, done },
            // The read that failed has logged its cause once, for all fields that wait for it.
            ReadError::Store(_) | ReadError::Decode(_) => Self::Internal,
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound(text) => Self::NotFound(text),
            Refused::BadInput(text) => Self::BadInput(text),
            Refused::Limit {
                limit,
                measured,
                allowed,
                text,
            } => Self::Limit {
                limit,
                measured,
                allowed,
                text,
            },
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::OutOfRange { asked, ranges } => {
                let first = ranges.first().map(|(first, _)| *first);
                let last = ranges.last().map(|(_, last)| *last);
                let told: Vec<String> = ranges.iter().map(|(a, b)| format!("{a}..={b}")).collect();
                // An epoch is told as such, everything else is a block.
                let what = match asked.starts_with("epoch") {
                    true => asked.clone(),
                    false => format!("block {asked}"),
                };
                let text = match told.as_slice() {
                    [] => format!("{what} cannot be answered: nothing is stored yet"),
                    [range] => format!(
                        "{what} is outside the stored range {range}; \
                         ask for a block in it (query availableRange)"
                    ),
                    ranges => format!(
                        "{what} is outside the stored ranges {}; \
                         ask for a block in one of them (query coverage)",
                        shown(ranges)
                    ),
                };
                Error::new(text).extend_with(|_, extensions| {
                    extensions.set("code", code::OUT_OF_RANGE);
                    extensions.set("asked", asked.as_str());
                    extensions.set("first", optional(first));
                    extensions.set("last", optional(last));
                })
            }
            ApiError::Restaging { asked, done } => {
                let text = format!(
                    "the commit ledger is being made again above block {done}, so that block \
                     {asked} cannot be answered yet; ask for block {done} or below, or later \
                     (query coverage)"
                );
                Error::new(text).extend_with(|_, extensions| {
                    extensions.set("code", code::RESTAGING);
                    extensions.set("done", done);
                })
            }
            ApiError::NotFound(text) => coded(text, code::NOT_FOUND),
            ApiError::BadInput(text) => coded(text, code::BAD_INPUT),
            ApiError::Limit {
                limit,
                measured,
                allowed,
                text,
            } => {
                metrics::counter!("graphql_refused_total", "limit" => limit).increment(1);
                coded(text, code::LIMIT).extend_with(|_, extensions| {
                    extensions.set("limit", limit);
                    extensions.set("measured", measured);
                    extensions.set("allowed", allowed);
                })
            }
            ApiError::Internal => {
                coded(INTERNAL_TEXT, code::INTERNAL).extend_with(|_, extensions| {
                    if let Some(id) = crate::server::request_id::current() {
                        extensions.set("requestId", id);
                    }
                })
            }
        }
    }
}

/// Some ranges, not more than a sentence holds.
fn shown(ranges: &[String]) -> String {
    let more = match ranges.len().checked_sub(8) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    format!("{}{more}", ranges.get(..8).unwrap_or(ranges).join(", "))
}

fn coded(text: impl Into<String>, code: &'static str) -> Error {
    Error::new(text).extend_with(|_, extensions| extensions.set("code", code))
}

fn optional(number: Option<BlockNumber>) -> Value {
    number.map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The codes as they stand in this file.
    fn codes() -> BTreeSet<&'static str> {
        let source = include_str!("error.rs");
        let lines = source.lines().map(str::trim);
        let lines =
            lines.filter(|line| line.starts_with("pub(crate) const") && line.contains("&str"));
        let values = lines.filter_map(|line| line.split('"').nth(1));
        values.filter(|value| !value.contains(' ')).collect()
    }

    #[test]
    fn the_documentation_names_every_code_and_no_other() {
        let text = include_str!("../../../docs/graphql.md");
        let table = text.split("\n## Errors\n").nth(1).unwrap();
        let table = table.split("\n## ").next().unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let told: BTreeSet<_> = rows.filter_map(|row| row.split('`').next()).collect();
        assert!(told.len() >= 10, "{told:?}");
        assert_eq!(told, codes());
    }
}
