//! Questions with one answer each, as JSON: what REST serves and the program prints.
//!
//! A question is a GraphQL document of our own with variables, so that its answer has the same
//! fields, exact integers, limits and errors as the schema's.

mod documents;
mod problem;

use std::sync::Arc;

use async_graphql::{Request, Variables};
use chain_metadata::BlockNumber;
use serde_json::{Value, json};

use crate::ports::Reader;
use crate::reads::Reads;
use crate::schema::error::{INTERNAL_TEXT, code};
use crate::schema::whatif::{DEFAULT_LAG, DEFAULT_RELATIONS};
use crate::schema::{self, Api, Limits};
pub use problem::Problem;

/// One mechanism's epoch of a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochAt {
    /// Number of the subnet.
    pub netuid: u16,
    /// Number of the mechanism.
    pub mechanism: u8,
    /// Block in which the epoch ran.
    pub block: BlockNumber,
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// The record of an epoch that was computed again.
    Verification(EpochAt),
    /// How a uid's numbers of an epoch came about.
    Explain {
        /// The epoch.
        epoch: EpochAt,
        /// The uid.
        uid: u16,
    },
    /// What changed a hotkey's number from one epoch to another.
    Diff {
        /// Epoch A.
        from: EpochAt,
        /// Block of epoch B.
        to: BlockNumber,
        /// The hotkey, an address or hex digits.
        hotkey: String,
        /// Of dividends; otherwise of the incentive.
        dividends: bool,
        /// How many hotkeys of a kind get a term of their own; the schema's default when `None`.
        detail: Option<u16>,
    },
    /// Epochs with and without a patch.
    Simulate {
        /// The first epoch.
        epoch: EpochAt,
        /// How many.
        horizon: u32,
        /// The patch: an object like the schema's `SimulationPatch`.
        patch: Value,
        /// Which neurons are told of; all that the patch changes when `None`.
        uids: Option<Vec<u16>>,
    },
    /// Who sets weights that others had before.
    Copying {
        /// Subnet, mechanism and the lowest block, in which no epoch need have run.
        from: EpochAt,
        /// Highest block.
        to: BlockNumber,
        /// The greatest lag, in epochs; the schema's default when `None`.
        lag: Option<u32>,
        /// How many others each validator is shown with; the schema's default when `None`.
        relations: Option<u16>,
    },
}

impl Question {
    /// Its document and variables.
    fn request(&self) -> Request {
        let of = |epoch: &EpochAt| {
            json!({
                "netuid": epoch.netuid, "mechanism": epoch.mechanism, "block": epoch.block,
            })
        };
        let (document, variables) = match self {
            Self::Verification(epoch) => (documents::VERIFICATION, of(epoch)),
            Self::Explain { epoch, uid } => {
                let mut variables = of(epoch);
                variables["uid"] = json!(uid);
                (documents::EXPLAIN, variables)
            }
            Self::Diff {
                from,
                to,
                hotkey,
                dividends,
                detail,
            } => {
                let mut variables = of(from);
                variables["to"] = json!(to);
                variables["hotkey"] = json!(hotkey);
                variables["field"] = json!(if *dividends { "DIVIDENDS" } else { "INCENTIVE" });
                variables["detail"] = json!(detail);
                (documents::DIFF, variables)
            }
            Self::Simulate {
                epoch,
                horizon,
                patch,
                uids,
            } => {
                let mut variables = of(epoch);
                variables["horizon"] = json!(horizon);
                variables["patch"] = patch.clone();
                variables["uids"] = json!(uids);
                (documents::SIMULATE, variables)
            }
            Self::Copying {
                from,
                to,
                lag,
                relations,
            } => {
                let mut variables = of(from);
                variables["to"] = json!(to);
                variables["lag"] = json!(lag.unwrap_or(DEFAULT_LAG));
                variables["relations"] = json!(relations.unwrap_or(DEFAULT_RELATIONS));
                (documents::COPYING, variables)
            }
        };
        Request::new(document).variables(Variables::from_json(variables))
    }

    /// What is said when there is nothing.
    fn nothing(&self) -> String {
        let (Self::Verification(epoch)
        | Self::Explain { epoch, .. }
        | Self::Diff { from: epoch, .. }
        | Self::Copying { from: epoch, .. }
        | Self::Simulate { epoch, .. }) = self;
        format!(
            "no epoch of subnet {} ran in block {}, and none was due",
            epoch.netuid, epoch.block
        )
    }
}

/// Answers a question from a store.
///
/// # Errors
/// [`Problem`], with a sentence that says what to do.
pub async fn ask(
    reader: Arc<dyn Reader>,
    limits: Limits,
    question: &Question,
) -> Result<Value, Problem> {
    let limits = Arc::new(limits);
    let reads = Reads::new(reader, limits.concurrent_reads);
    let api = schema::build(reads, limits, false);
    answer(&api, question).await
}

/// Answers a question by a schema.
pub(crate) async fn answer(api: &Api, question: &Question) -> Result<Value, Problem> {
    let response = api.execute(question.request()).await;
    if let Some(error) = response.errors.into_iter().next() {
        return Err(Problem::of(error));
    }
    let data = response.data.into_json().map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        Problem::new(code::INTERNAL, INTERNAL_TEXT)
    });
    match data?["answer"].take() {
        Value::Null => Err(Problem::new(code::NOT_FOUND, question.nothing())),
        answer => Ok(answer),
    }
}
