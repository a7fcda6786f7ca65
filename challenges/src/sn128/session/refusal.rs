//! Why messages are refused and challenges fail.

use serde_json::{Value, json};
use thiserror::Error;

use crate::sn128::commitment::BadSignature;

/// Why a challenge has failed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Failure {
    /// No commitment in time.
    #[error("no commitment came within {0} ms")]
    Timeout(u64),
    /// No proof, or no verdict, in time.
    #[error("nothing came of the proof within {0} ms")]
    Stale(u64),
    /// A message that fails it.
    #[error(transparent)]
    Refused(Refusal),
    /// The proofs are wrong.
    #[error("no proof is right: {0}")]
    Proofs(String),
    /// Something outside, as when too many proofs wait.
    #[error("{0}")]
    Outside(String),
}

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Something is empty.
    #[error("{0} is missing; send it")]
    Missing(&'static str),
    /// Another challenge, or another miner's.
    #[error("there is no challenge {0} for this hotkey")]
    NotFound(String),
    /// The first phase is over, or never began.
    #[error("challenge {0} has its commitment already, or is over")]
    AlreadyProcessed(String),
    /// The second phase is not due.
    #[error("challenge {0} waits for no proof")]
    NotCommitted(String),
    /// Another worker.
    #[error("the challenge was given to worker {expected}, and {got} answers")]
    Worker {
        /// Whom it was given to.
        expected: String,
        /// Who answers.
        got: String,
    },
    /// The CPU answers a challenge for GPUs.
    #[error("a challenge for GPUs was answered by the CPU (-1)")]
    CpuForGpu,
    /// A GPU that the worker never told of.
    #[error("no heartbeat of the worker names the GPU {0}")]
    NotInInventory(String),
    /// No signature.
    #[error("the commitment of {0} is not signed; send it with the GPU's signature")]
    NotSigned(String),
    /// A wrong signature.
    #[error("{uuid}: {why}")]
    Signature {
        /// The GPU.
        uuid: String,
        /// What is wrong.
        why: BadSignature,
    },
    /// A GPU that comes twice.
    #[error("{0} comes twice; send it once")]
    Twice(String),
    /// A root that is none.
    #[error("the root of {0} is not 16 to 64 hex digits")]
    Root(String),
    /// Commitments without proofs.
    #[error("there are commitments without a proof: {}", .0.join(", "))]
    MissingProofs(Vec<String>),
    /// Proofs without commitments.
    #[error("there are proofs without a commitment: {}", .0.join(", "))]
    ExtraProofs(Vec<String>),
    /// Something that a message of this kind must have.
    #[error("{what} of {uuid} is missing or not as the challenge wants it")]
    Structure {
        /// GPU or CPU.
        uuid: String,
        /// What is missing.
        what: &'static str,
    },
    /// Nothing would be looked at.
    #[error(
        "nothing would be looked at, and any answer would pass; the validator must ask for rows or values"
    )]
    NoTargets,
    /// Too late.
    #[error("the time of challenge {0} is over")]
    Expired(String),
}

impl Refusal {
    /// Whether the challenge has failed by it, rather than going on.
    pub fn fails(&self) -> bool {
        matches!(
            self,
            Refusal::CpuForGpu
                | Refusal::NotInInventory(_)
                | Refusal::Signature { .. }
                | Refusal::Expired(_)
        )
    }

    /// The answer on the wire; its code is 1.
    pub fn wire(&self) -> Value {
        json!({ "error": self.to_string() })
    }
}
