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
    #[error("Missing {0}")]
    Missing(&'static str),
    /// Another challenge, or another miner's.
    #[error("Challenge {0} not found or not accessible")]
    NotFound(String),
    /// The first phase is over, or never began.
    #[error("Challenge {0} already processed")]
    AlreadyProcessed(String),
    /// The second phase is not due.
    #[error("Challenge {0} not in committed state")]
    NotCommitted(String),
    /// Another worker.
    #[error("Worker ID mismatch: expected {expected}, got {got}")]
    Worker {
        /// Whom it was given to.
        expected: String,
        /// Who answers.
        got: String,
    },
    /// The CPU answers a challenge for GPUs.
    #[error("GPU challenge answered with UUID '-1'")]
    CpuForGpu,
    /// A GPU that the worker never told of.
    #[error("GPU UUID {0} not found in heartbeat inventory")]
    NotInInventory(String),
    /// No signature.
    #[error("GPU commitment for {0} is missing signature")]
    NotSigned(String),
    /// A wrong signature.
    #[error("Merkle signature verification failed for {uuid}: {why}")]
    Signature {
        /// The GPU.
        uuid: String,
        /// What is wrong.
        why: BadSignature,
    },
    /// A GPU that comes twice.
    #[error("UUID {0} is given twice")]
    Twice(String),
    /// A root that is none.
    #[error("Merkle root of {0} is not 16 to 64 hex digits")]
    Root(String),
    /// Commitments without proofs.
    #[error("Missing proofs for verified commitments: {}", .0.join(", "))]
    MissingProofs(Vec<String>),
    /// Proofs without commitments.
    #[error("Unexpected proofs for unverified UUIDs: {}", .0.join(", "))]
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
    #[error("No verification targets: the validator's settings would let any answer pass")]
    NoTargets,
    /// Too late.
    #[error("Challenge {0} has expired")]
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
