//! Questions with one answer each, as JSON: what REST serves and the program prints.
//!
//! A question is a GraphQL document of our own with variables, so that its answer has the same
//! fields, exact integers, limits and errors as the schema's.

mod documents;
mod problem;
pub(crate) mod reads;
mod results;

use std::sync::Arc;

use async_graphql::{Request, Variables};
use chain_metadata::BlockNumber;
use serde_json::{Value, json};

use crate::ports::Reader;
use crate::reads::Reads;
use crate::schema::error::{INTERNAL_TEXT, code};
use crate::schema::results::{DEFAULT_RESULTS, cursor};
use crate::schema::whatif::{DEFAULT_LAG, DEFAULT_RELATIONS};
use crate::schema::{self, Api, Limits};
pub use problem::Problem;
pub use results::scores;

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
    /// The profiles by which can be scored.
    Profiles,
    /// Records of a subnet.
    Results {
        /// Number of the subnet.
        netuid: u16,
        /// Only those of this challenge.
        challenge: Option<String>,
        /// Only those of this kind, as in the schema's `ResultKind`.
        kind: Option<String>,
        /// Only those about this subject.
        subject: Option<String>,
        /// Which page.
        page: Paged,
    },
    /// The newest scores of a subnet.
    Scores {
        /// Number of the subnet.
        netuid: u16,
        /// Whose scores.
        of: ScoresOf,
        /// Which page.
        page: Paged,
    },
    /// Scores beside an epoch.
    ScoreJoin {
        /// The epoch.
        epoch: EpochAt,
        /// Whose scores.
        of: ScoresOf,
    },
}

/// A page of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paged {
    /// How many; the schema's default when `None`.
    pub first: Option<u32>,
    /// Only records with a number above this one.
    pub after: Option<u64>,
}

/// Which scores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScoresOf {
    /// By this profile; by whichever was last when `None`.
    pub profile: Option<String>,
    /// Of this challenge.
    pub challenge: Option<String>,
    /// As this hotkey reported them, an address or hex digits; our own when `None`.
    pub reporter: Option<String>,
}

impl Question {
    /// Its document and variables.
    #[cfg_attr(
        not(test),
        expect(
            clippy::indexing_slicing,
            reason = "setting members of objects that are made here"
        )
    )]
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
            Self::Profiles => (documents::PROFILES, json!({})),
            Self::Results {
                netuid,
                challenge,
                kind,
                subject,
                page,
            } => {
                let mut variables = page.variables();
                variables["netuid"] = json!(netuid);
                variables["challenge"] = json!(challenge);
                variables["kind"] = json!(kind);
                variables["subject"] = json!(subject);
                (documents::RESULTS, variables)
            }
            Self::Scores { netuid, of, page } => {
                let mut variables = page.variables();
                variables["netuid"] = json!(netuid);
                of.put(&mut variables);
                (documents::SCORES, variables)
            }
            Self::ScoreJoin {
                epoch: at,
                of: scores,
            } => {
                let mut variables = of(at);
                scores.put(&mut variables);
                (documents::SCORE_JOIN, variables)
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
        | Self::Simulate { epoch, .. }
        | Self::ScoreJoin { epoch, .. }) = self
        else {
            return "there is nothing".to_owned();
        };
        format!(
            "no epoch of subnet {} ran in block {}, and none was due",
            epoch.netuid, epoch.block
        )
    }
}

impl Paged {
    fn variables(self) -> Value {
        let after = self.after.map(|number| cursor(number).encode_cursor());
        json!({ "first": self.first.unwrap_or(DEFAULT_RESULTS.unsigned_abs()), "after": after })
    }
}

impl ScoresOf {
    fn put(&self, variables: &mut Value) {
        variables["profile"] = json!(self.profile);
        variables["challenge"] = json!(self.challenge);
        variables["reporter"] = json!(self.reporter);
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
    let mut data = data?;
    match data.get_mut("answer").map(Value::take) {
        None | Some(Value::Null) => Err(Problem::new(code::NOT_FOUND, question.nothing())),
        Some(answer) => Ok(answer),
    }
}
