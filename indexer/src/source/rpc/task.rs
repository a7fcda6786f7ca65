//! What is asked of one endpoint or another, and why it came to nothing.

use std::future::Future;

use chain_metadata::BlockNumber;

use super::answer::Bad;
use super::ask::Ask;
use super::link::{Ended, HeadError, Link};
use crate::source::SourceError;

/// Something to be asked of one endpoint or another.
pub(super) trait Task: Send {
    /// What comes of it.
    type Out: Send;
    /// Method to name in messages.
    fn method(&self) -> &'static str;
    /// Lowest block whose state is needed.
    fn block(&self) -> Option<BlockNumber>;
    /// Questions without an answer.
    fn left(&self) -> usize;
    /// Asks one endpoint. What it answered before it failed may be kept.
    fn attempt(&mut self, link: &Link) -> impl Future<Output = Result<Self::Out, Fault>> + Send;
}

/// Why an attempt came to nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// Ask the same endpoint again, on a new connection: it was asked for less since.
    Again,
    /// The connection is of no use any more.
    Lost(String),
    /// The endpoint is not so far yet; nothing is wrong with it.
    Behind(SourceError),
    /// It answered, but not what was asked for.
    Said(SourceError),
}

/// The finalized height of an endpoint, asked for now.
#[derive(Debug)]
pub(super) struct Head;

impl Task for Head {
    type Out = BlockNumber;

    fn method(&self) -> &'static str {
        "chain_getFinalizedHead"
    }

    fn block(&self) -> Option<BlockNumber> {
        None
    }

    fn left(&self) -> usize {
        1
    }

    async fn attempt(&mut self, link: &Link) -> Result<BlockNumber, Fault> {
        link.head().await.map_err(|error| head_fault(link, error))
    }
}

/// What it means that there is no finalized height.
pub(super) fn head_fault(link: &Link, error: HeadError) -> Fault {
    let (method, bad) = match error {
        HeadError::Ended(Ended::Lost(why)) => return Fault::Lost(why),
        // It went down with a batch; that one learns from it.
        HeadError::Ended(Ended::Whole { blamed, .. }) if blamed > 1 => return Fault::Again,
        HeadError::Ended(Ended::Whole { why, .. }) => return Fault::Lost(why),
        HeadError::Bad(method, bad) => (method, bad),
    };
    Fault::Said(match bad {
        Bad::Refused(code, message) => SourceError::Refused {
            endpoint: link.label().to_string(),
            method: method.into(),
            code,
            message,
        },
        other => SourceError::Answer {
            endpoint: link.label().to_string(),
            method: method.into(),
            why: other.to_string(),
        },
    })
}

/// The endpoint answered, and this is what.
pub(super) fn said(link: &Link, ask: &Ask<'_>, bad: Bad) -> Fault {
    let (endpoint, method) = (link.label().to_string(), ask.method().to_owned());
    Fault::Said(match bad {
        Bad::Broken(why) => SourceError::Answer {
            endpoint,
            method,
            why,
        },
        Bad::NoHash(why) => SourceError::Missing {
            number: ask.number().unwrap_or_default(),
            why: format!("{endpoint}: {why}"),
        },
        Bad::Absent(why) | Bad::Pruned(why) => {
            if let Some(number) = ask.number() {
                link.health().has_pruned(number);
            }
            SourceError::Pruned {
                at: ask.shown(),
                why: format!("{endpoint}: {why}"),
            }
        }
        Bad::TooLarge(why) => SourceError::TooLarge {
            endpoint,
            method,
            why,
        },
        Bad::NoBatch(why) => SourceError::Answer {
            endpoint,
            method,
            why: format!("a single call is refused as a batch ({why})"),
        },
        Bad::Refused(code, message) => SourceError::Refused {
            endpoint,
            method,
            code,
            message,
        },
    })
}
