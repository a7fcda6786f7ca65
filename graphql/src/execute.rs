//! GraphQL without a server: documents of whoever composes the program, such as alert rules.

use std::sync::Arc;

use async_graphql::{Request, Variables};
use serde_json::Value;

use crate::ports::Reader;
use crate::reads::Reads;
use crate::rest::Problem;
use crate::schema::error::{INTERNAL_TEXT, code};
use crate::schema::{self, Api, Limits};

/// Executes documents over a store, with the same limits and errors as the server; cheap to clone.
#[derive(Clone)]
pub struct Executor {
    api: Api,
}

impl Executor {
    /// Over a store. The schema is built once.
    pub fn new(reader: Arc<dyn Reader>, limits: Limits) -> Self {
        let limits = Arc::new(limits);
        let reads = Reads::new(reader, limits.concurrent_reads);
        Self {
            api: schema::build(reads, limits, false),
        }
    }

    /// The `data` of the answer to a document.
    ///
    /// # Errors
    /// The first error of the answer; what was answered beside it is dropped.
    pub async fn execute(&self, document: &str, variables: Value) -> Result<Value, Problem> {
        let request = Request::new(document).variables(Variables::from_json(variables));
        let response = self.api.execute(request).await;
        if let Some(error) = response.errors.into_iter().next() {
            return Err(Problem::of(error));
        }
        response.data.into_json().map_err(|error| {
            tracing::error!(%error, "an answer could not be written as JSON");
            Problem::new(code::INTERNAL, INTERNAL_TEXT)
        })
    }
}
