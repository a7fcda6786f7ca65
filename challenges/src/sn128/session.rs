//! The state of a challenge between its two phases.
//!
//! ```text
//! created ─► sent ─► committed ─► verifying ─► verified
//!               └───────┴────────────┴───────► failed
//! ```
//!
//! No clock: every step is told the time, in milliseconds since 1970. A refused message
//! leaves the state as it is, except where the refusal says that the challenge has failed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::commitment::{self, BadSignature, Key};
use super::verify::Verdict;
use super::wire::{
    CPU, CommitReply, Commitment, CommitmentData, Kind, Proof, ProofData, ProofReply, ProofRequest,
    Targets, Task,
};

mod refusal;

pub use refusal::{Failure, Refusal};

/// Where a challenge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Made, and not sent yet.
    Created,
    /// Sent; the clock of the computation runs.
    Sent,
    /// The commitment is there; proofs have been asked for.
    Committed,
    /// The proofs are there.
    Verifying,
    /// Solved.
    Verified,
    /// Not solved.
    Failed,
}

/// A step that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a challenge that is {from:?} cannot become {to:?}")]
pub struct WrongStep {
    /// Where it is.
    pub from: State,
    /// Where it should go.
    pub to: State,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Milliseconds from sending to the commitment.
    pub timeout_ms: u64,
    /// Milliseconds from the commitment to the proof, and from there to the verdict.
    pub stale_ms: u64,
    /// Whether a challenge of which nothing is looked at counts as solved, as in the original.
    pub free: bool,
}

/// What the published configuration says, without free challenges.
pub const LIMITS: Limits = Limits {
    timeout_ms: 60_000,
    stale_ms: 3_600_000,
    free: false,
};

/// What commitments of GPUs are checked against.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// GPUs that the worker's heartbeats named.
    pub inventory: &'a BTreeSet<String>,
    /// The key that GPUs sign with.
    pub key: &'a Key,
}

/// A challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its name.
    pub id: String,
    /// Hotkey of the miner.
    pub hotkey: String,
    /// The worker.
    pub worker: String,
    /// What is to be computed.
    pub task: Task,
    /// Where it is.
    pub state: State,
    /// When it was made.
    pub created_ms: u64,
    /// When it was sent.
    pub sent_ms: Option<u64>,
    /// When the commitment came.
    pub committed_ms: Option<u64>,
    /// When the proof came.
    pub proven_ms: Option<u64>,
    /// When it was settled.
    pub settled_ms: Option<u64>,
    /// The committed roots.
    pub commitments: BTreeMap<String, String>,
    /// What is looked at.
    pub targets: Targets,
    /// The proofs.
    pub proofs: Vec<Proof>,
    /// How many GPUs answered rightly, or 1 for the CPU.
    pub success_count: u32,
    /// Why it has failed.
    pub failure: Option<Failure>,
    /// Whether it counts as solved although nothing was looked at.
    pub was_free: bool,
}

impl Session {
    /// A new one.
    pub fn new(id: &str, hotkey: &str, worker: &str, task: Task, now_ms: u64) -> Session {
        Session {
            id: id.to_owned(),
            hotkey: hotkey.to_owned(),
            worker: worker.to_owned(),
            task,
            state: State::Created,
            created_ms: now_ms,
            sent_ms: None,
            committed_ms: None,
            proven_ms: None,
            settled_ms: None,
            commitments: BTreeMap::new(),
            targets: Targets::default(),
            proofs: Vec::new(),
            success_count: 0,
            failure: None,
            was_free: false,
        }
    }

    /// Milliseconds from sending to the commitment: the time that is scored.
    pub fn computation_ms(&self) -> Option<u64> {
        Some(self.committed_ms?.saturating_sub(self.sent_ms?))
    }

    fn step(&self, from: &[State], to: State) -> Result<(), WrongStep> {
        if from.contains(&self.state) {
            Ok(())
        } else {
            Err(WrongStep {
                from: self.state,
                to,
            })
        }
    }

    /// It was sent.
    ///
    /// # Errors
    ///
    /// When it was sent before.
    pub fn send(&mut self, now_ms: u64) -> Result<(), WrongStep> {
        self.step(&[State::Created], State::Sent)?;
        self.state = State::Sent;
        self.sent_ms = Some(now_ms);
        Ok(())
    }

    /// It has failed, for whatever reason.
    ///
    /// # Errors
    ///
    /// When it is settled already.
    pub fn fail(&mut self, why: Failure, now_ms: u64) -> Result<(), WrongStep> {
        let open = [
            State::Created,
            State::Sent,
            State::Committed,
            State::Verifying,
        ];
        self.step(&open, State::Failed)?;
        self.state = State::Failed;
        self.settled_ms = Some(now_ms);
        self.failure = Some(why);
        Ok(())
    }

    /// Fails it if it has waited too long; tells whether it did.
    pub fn expire(&mut self, limits: &Limits, now_ms: u64) -> bool {
        let (since, limit, why) = match self.state {
            State::Sent => (
                self.sent_ms,
                limits.timeout_ms,
                Failure::Timeout as fn(u64) -> _,
            ),
            State::Committed => (self.committed_ms, limits.stale_ms, Failure::Stale as _),
            State::Verifying => (self.proven_ms, limits.stale_ms, Failure::Stale as _),
            State::Created | State::Verified | State::Failed => return false,
        };
        let waited = since.map_or(0, |since| now_ms.saturating_sub(since));
        waited > limit && self.fail(why(limit), now_ms).is_ok()
    }

    fn settle_refusal(&mut self, refusal: Refusal, now_ms: u64) -> Refusal {
        if refusal.fails() {
            // It is open: every refusal that fails comes after that was checked.
            let _ = self.fail(Failure::Refused(refusal.clone()), now_ms);
        }
        refusal
    }

    /// The first phase: a commitment of `peer`. `targets` are drawn by the validator only now.
    ///
    /// # Errors
    ///
    /// See [`Refusal`]; some of them fail the challenge.
    pub fn commit(
        &mut self,
        data: &CommitmentData,
        peer: &str,
        known: Known<'_>,
        targets: Targets,
        limits: &Limits,
        now_ms: u64,
    ) -> Result<CommitReply, Refusal> {
        let checked = self.may_commit(data, peer, known, &targets, limits, now_ms);
        if let Err(refusal) = checked {
            return Err(self.settle_refusal(refusal, now_ms));
        }
        let root =
            |commitment: &Commitment| (commitment.uuid.clone(), commitment.merkle_root.clone());
        self.commitments = data.commitments.iter().map(root).collect();
        // A challenge that was answered before anybody noted that it was sent took no time
        // that could be scored.
        self.committed_ms = Some(now_ms);
        self.targets = targets;
        if self.targets.is_empty() {
            self.state = State::Verified;
            self.settled_ms = Some(now_ms);
            self.was_free = true;
            return Ok(CommitReply::Free {
                auto_verified: true,
                proof_requests: Vec::new(),
            });
        }
        self.state = State::Committed;
        let request = |uuid: &String| ProofRequest {
            uuid: uuid.clone(),
            rows: self.targets.rows.clone(),
            coordinates: self.targets.coordinates.clone(),
        };
        Ok(CommitReply::Asked {
            proof_requests: self.commitments.keys().map(request).collect(),
        })
    }

    fn may_commit(
        &self,
        data: &CommitmentData,
        peer: &str,
        known: Known<'_>,
        targets: &Targets,
        limits: &Limits,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        for (what, empty) in [
            ("challenge_id", data.challenge_id.is_empty()),
            ("worker_id", data.worker_id.is_empty()),
            ("commitments", data.commitments.is_empty()),
        ] {
            if empty {
                return Err(Refusal::Missing(what));
            }
        }
        if data.challenge_id != self.id || peer != self.hotkey {
            return Err(Refusal::NotFound(data.challenge_id.clone()));
        }
        if !matches!(self.state, State::Created | State::Sent) {
            return Err(Refusal::AlreadyProcessed(self.id.clone()));
        }
        if data.worker_id != self.worker {
            return Err(Refusal::Worker {
                expected: self.worker.clone(),
                got: data.worker_id.clone(),
            });
        }
        let waited = self.sent_ms.map_or(0, |sent| now_ms.saturating_sub(sent));
        if waited > limits.timeout_ms {
            return Err(Refusal::Expired(self.id.clone()));
        }
        let mut seen = BTreeSet::new();
        for commitment in &data.commitments {
            if !seen.insert(&commitment.uuid) {
                return Err(Refusal::Twice(commitment.uuid.clone()));
            }
            self.may_commit_one(commitment, known)?;
        }
        if targets.is_empty() && !limits.free {
            return Err(Refusal::NoTargets);
        }
        Ok(())
    }

    fn may_commit_one(&self, commitment: &Commitment, known: Known<'_>) -> Result<(), Refusal> {
        let uuid = || commitment.uuid.clone();
        match self.task.challenge_type {
            Kind::CpuMatrix if commitment.uuid != CPU => {
                return Err(Refusal::Structure {
                    uuid: uuid(),
                    what: "the UUID '-1'",
                });
            }
            Kind::CpuMatrix => {}
            Kind::GpuMatrix => {
                if commitment.uuid == CPU {
                    return Err(Refusal::CpuForGpu);
                }
                if !known.inventory.contains(&commitment.uuid) {
                    return Err(Refusal::NotInInventory(uuid()));
                }
                match commitment::verify(known.key, &self.task.seed, commitment) {
                    Ok(()) => {}
                    Err(BadSignature::Missing) => return Err(Refusal::NotSigned(uuid())),
                    Err(why) => return Err(Refusal::Signature { uuid: uuid(), why }),
                }
            }
        }
        let root = &commitment.merkle_root;
        let hex = root.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex || !(16..=64).contains(&root.len()) {
            return Err(Refusal::Root(uuid()));
        }
        Ok(())
    }

    /// The second phase: proofs of `peer`.
    ///
    /// # Errors
    ///
    /// See [`Refusal`]; none of them but being late fails the challenge, so that a miner can
    /// send what was missing.
    pub fn prove(
        &mut self,
        data: &ProofData,
        peer: &str,
        limits: &Limits,
        now_ms: u64,
    ) -> Result<ProofReply, Refusal> {
        if let Err(refusal) = self.may_prove(data, peer, limits, now_ms) {
            return Err(self.settle_refusal(refusal, now_ms));
        }
        self.state = State::Verifying;
        self.proven_ms = Some(now_ms);
        self.proofs.clone_from(&data.proofs);
        Ok(ProofReply {
            challenge_status: "queued".into(),
            challenge_id: self.id.clone(),
        })
    }

    fn may_prove(
        &self,
        data: &ProofData,
        peer: &str,
        limits: &Limits,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        if data.challenge_id.is_empty() {
            return Err(Refusal::Missing("challenge_id"));
        }
        if data.proofs.is_empty() {
            return Err(Refusal::Missing("proofs"));
        }
        if data.challenge_id != self.id || peer != self.hotkey {
            return Err(Refusal::NotFound(data.challenge_id.clone()));
        }
        if self.state != State::Committed {
            return Err(Refusal::NotCommitted(self.id.clone()));
        }
        let waited = self.committed_ms.map_or(0, |at| now_ms.saturating_sub(at));
        if waited > limits.stale_ms {
            return Err(Refusal::Expired(self.id.clone()));
        }
        let mut given = BTreeSet::new();
        for proof in &data.proofs {
            if !given.insert(&proof.uuid) {
                return Err(Refusal::Twice(proof.uuid.clone()));
            }
        }
        let committed: BTreeSet<&String> = self.commitments.keys().collect();
        let named = |uuids: &BTreeSet<&String>, but: &BTreeSet<&String>| -> Vec<String> {
            uuids.difference(but).map(|uuid| (*uuid).clone()).collect()
        };
        let missing = named(&committed, &given);
        if !missing.is_empty() {
            return Err(Refusal::MissingProofs(missing));
        }
        let extra = named(&given, &committed);
        if !extra.is_empty() {
            return Err(Refusal::ExtraProofs(extra));
        }
        let rows = !self.targets.rows.is_empty();
        let values = self.task.challenge_type == Kind::GpuMatrix;
        for proof in &data.proofs {
            for (what, missing) in [
                ("row_hashes", rows && proof.row_hashes.is_empty()),
                ("merkle_proofs", rows && proof.merkle_proofs.is_empty()),
                (
                    "coordinate_values",
                    values && proof.coordinate_values.is_empty(),
                ),
            ] {
                if missing {
                    let uuid = proof.uuid.clone();
                    return Err(Refusal::Structure { uuid, what });
                }
            }
        }
        Ok(())
    }

    /// The verdict is there.
    ///
    /// # Errors
    ///
    /// When no proofs wait for one.
    pub fn settle(&mut self, verdict: &Verdict, now_ms: u64) -> Result<(), WrongStep> {
        let to = if verdict.verified {
            State::Verified
        } else {
            State::Failed
        };
        self.step(&[State::Verifying], to)?;
        self.state = to;
        self.settled_ms = Some(now_ms);
        self.success_count = verdict.success_count;
        if !verdict.verified {
            let reasons: Vec<String> = verdict
                .units
                .iter()
                .flat_map(|unit| {
                    unit.reasons
                        .iter()
                        .map(|why| format!("{}: {why}", unit.uuid))
                })
                .collect();
            self.failure = Some(Failure::Proofs(reasons.join("; ")));
        }
        Ok(())
    }
}
