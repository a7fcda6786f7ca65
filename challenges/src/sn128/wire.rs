//! Messages between validators and miners. Members that are not listed are skipped, since
//! miners of other versions send more.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::merkle;

/// Name that stands for the CPU where a GPU's uuid is expected.
pub const CPU: &str = "-1";

/// Kind of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whole numbers, one answer.
    CpuMatrix,
    /// Fractions, an answer for each GPU.
    GpuMatrix,
}

fn one() -> u32 {
    1
}

/// What is to be computed (`challenge_data`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its kind.
    pub challenge_type: Kind,
    /// Rows and columns.
    pub matrix_size: u32,
    /// 16 bytes in hex.
    pub seed: String,
    /// How often the product is taken.
    #[serde(default = "one")]
    pub iterations: u32,
    /// How GPUs are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Which GPU; -1 for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_gpu_id: Option<i64>,
}

/// A commitment of a CPU or GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// The GPU, or [`CPU`].
    pub uuid: String,
    /// Root of the tree over the hashes of all rows, in hex.
    pub merkle_root: String,
    /// Version of the signature; 0 without one.
    #[serde(default)]
    pub sig_ver: u32,
    /// The signature, in hex or base64.
    #[serde(default)]
    pub sig_val: Option<String>,
}

/// The first phase, from the miner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitmentData {
    /// Name of the challenge.
    pub challenge_id: String,
    /// The worker.
    pub worker_id: String,
    /// A commitment of each GPU, or one of the CPU.
    pub commitments: Vec<Commitment>,
    /// Whatever the miner adds.
    #[serde(default)]
    pub debug_info: Option<Value>,
    /// Version of the message.
    #[serde(default = "one")]
    pub schema_version: u32,
}

/// What is asked of one GPU or the CPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRequest {
    /// The GPU, or [`CPU`].
    pub uuid: String,
    /// Rows, whole.
    pub rows: Vec<u32>,
    /// Single values: row and column.
    pub coordinates: Vec<(u32, u32)>,
}

/// The answer to the first phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CommitReply {
    /// Nothing is asked: the original takes the challenge as solved.
    Free {
        /// Always true.
        auto_verified: bool,
        /// Always empty.
        proof_requests: Vec<ProofRequest>,
    },
    /// What must be proven.
    Asked {
        /// A request for each commitment.
        proof_requests: Vec<ProofRequest>,
    },
}

/// The proof of one GPU or the CPU.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The GPU, or [`CPU`].
    pub uuid: String,
    /// Hashes of the rows asked for, in their order.
    #[serde(default)]
    pub row_hashes: Vec<String>,
    /// Their ways to the root.
    #[serde(default)]
    pub merkle_proofs: Vec<merkle::Proof>,
    /// The values asked for one by one, then those of the rows, one row after the other.
    #[serde(default)]
    pub coordinate_values: Vec<f64>,
}

/// The second phase, from the miner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProofData {
    /// Name of the challenge.
    pub challenge_id: String,
    /// A proof for each commitment.
    pub proofs: Vec<Proof>,
    /// Whatever the miner adds.
    #[serde(default)]
    pub debug_info: Option<Value>,
}

/// The answer to the second phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofReply {
    /// `queued`.
    pub challenge_status: String,
    /// Name of the challenge.
    pub challenge_id: String,
}

/// What is looked at: whole rows and single values. As JSON a list of `[row, column]` and
/// `[row, null]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, Option<u32>)>", into = "Vec<(u32, Option<u32>)>")]
pub struct Targets {
    /// Single values: row and column.
    pub coordinates: Vec<(u32, u32)>,
    /// Whole rows.
    pub rows: Vec<u32>,
}

impl Targets {
    /// Whether nothing is looked at.
    pub fn is_empty(&self) -> bool {
        self.coordinates.is_empty() && self.rows.is_empty()
    }
}

impl From<Vec<(u32, Option<u32>)>> for Targets {
    fn from(list: Vec<(u32, Option<u32>)>) -> Targets {
        let mut targets = Targets::default();
        for (row, column) in list {
            match column {
                Some(column) => targets.coordinates.push((row, column)),
                None => targets.rows.push(row),
            }
        }
        targets
    }
}

impl From<Targets> for Vec<(u32, Option<u32>)> {
    fn from(targets: Targets) -> Vec<(u32, Option<u32>)> {
        let coordinates = targets.coordinates.into_iter();
        let rows = targets.rows.into_iter();
        coordinates
            .map(|(row, column)| (row, Some(column)))
            .chain(rows.map(|row| (row, None)))
            .collect()
    }
}
