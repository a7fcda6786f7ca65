//! Records of verification: epochs computed again and compared with what the chain stored.

use super::*;

/// The outcome for an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictKind {
    /// Every integer that was compared is the chain's.
    Exact,
    /// Some integer is another one.
    Differs,
    /// Something that the epoch read is not known.
    InputIncomplete,
    /// The runtime's rules are not known.
    RulesUnknown,
    /// A slot was due, and no epoch ran.
    NotRun,
}

/// How a field compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldVerdict {
    /// Its name, such as `validator_trust`.
    pub field: String,
    /// The stage of the epoch that makes it.
    pub stage: String,
    /// Entries compared.
    pub compared: u32,
    /// Entries that differ.
    pub differing: u32,
    /// The greatest difference, in raw units.
    pub max_abs_diff: u64,
    /// The lowest uid with a difference; `None` when there is none.
    pub first_uid: Option<Uid>,
}

/// The record of one mechanism of a subnet in one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// Height of the block.
    pub block: BlockNumber,
    /// Runtime that executed it.
    pub spec_version: SpecVersion,
    /// How well the runtime's rules are known, in words; `None` where there are none.
    pub rules: Option<String>,
    /// The outcome.
    pub verdict: VerdictKind,
    /// What is missing or unknown, or why no epoch ran; `None` for other outcomes.
    pub what: Option<String>,
    /// Every field that both sides have.
    pub fields: Vec<FieldVerdict>,
    /// The first field that differs, in the order of the stages; `None` when none does.
    pub first: Option<FieldVerdict>,
    /// Fields that the chain stores and that are not compared, with the reason.
    pub not_compared: Vec<(String, String)>,
    /// Uids that are not compared, because an extrinsic of the block gave them to somebody else.
    pub replaced: Vec<Uid>,
    /// The amount, in rao, that the emission was compared with; `None` when it is not known.
    pub drained: Option<u64>,
    /// BLAKE2-256 of the canonical inputs; `None` when they were not complete.
    pub inputs_hash: Option<H256>,
    /// BLAKE2-256 of the canonical results; `None` together with `inputs_hash`.
    pub results_hash: Option<H256>,
}

/// Which records are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationFilter {
    /// Only this subnet, all mechanisms.
    pub netuid: Option<NetUid>,
    /// Lowest height.
    pub from: BlockNumber,
    /// Highest height.
    pub to: BlockNumber,
    /// Only this outcome.
    pub verdict: Option<VerdictKind>,
}

/// Names a record in the order of lists: newest first, then by falling subnet and mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerificationId {
    /// Height of the block.
    pub block: BlockNumber,
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
}

/// Some records, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationPage {
    /// The records.
    pub records: Vec<Verification>,
    /// The last one looked at, when more may follow.
    pub next: Option<VerificationId>,
}

/// Computed and stored values of a uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedNeuron {
    /// The neuron.
    pub uid: Uid,
    /// Its values.
    pub values: Vec<ComparedValue>,
}

/// A value of a uid, computed and stored, in raw units; flags are 0 and 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedValue {
    /// Name of the field.
    pub field: String,
    /// What was computed; `None` when it is not known.
    pub computed: Option<u64>,
    /// What the chain stored; `None` when nothing is stored for the uid.
    pub stored: Option<u64>,
}

/// What the records of a range say together.
#[derive(Debug, Clone, PartialEq)]
pub struct VerificationSummary {
    /// Epochs, of every outcome.
    pub epochs: u64,
    /// Exact ones.
    pub exact: u64,
    /// Ones that differ.
    pub differs: u64,
    /// Ones of which something is missing.
    pub input_incomplete: u64,
    /// Ones whose rules are not known.
    pub rules_unknown: u64,
    /// Slots without an epoch; no epochs.
    pub not_run: u64,
    /// Records with a number that is not the chain's, those with most such numbers first.
    pub worst: Vec<Offender>,
    /// One hash for the records of each mechanism in the range.
    pub chains: Vec<VerificationChain>,
    /// The newest record in the range.
    pub newest: Option<Verification>,
}

/// A record that differs, with how far its vectors are from each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Offender {
    /// The record.
    pub record: Verification,
    /// Of each vector that differs.
    pub deviations: Vec<Deviation>,
}

/// How far two vectors are from each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// Name of the field.
    pub field: String,
    /// Pearson's correlation; `None` where one side is constant.
    pub correlation: Option<f64>,
    /// Spearman's; `None` where one side is constant.
    pub rank_correlation: Option<f64>,
}

/// One hash for the records of a mechanism in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationChain {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// How many records it is made of.
    pub records: u64,
    /// The hash.
    pub hash: H256,
}
