//! An honest miner.

use std::collections::{BTreeMap, BTreeSet};

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::commitment::{Key, message};
use super::super::cpu::{Seed, hashes};
use super::super::create::{SETTINGS, columns, targets};
use super::super::gpu::{TOLERANCE, row, row_hash, seed_hash};
use super::super::merkle::{proofs, root};
use super::super::verify::{Request, Verdict, verify};
use super::super::wire::{CPU, Commitment, CommitmentData, Kind, Proof, Targets, Task};

/// What a GPU signs with.
pub(super) fn signing() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

/// The key to it.
pub(super) fn key() -> Key {
    let point = signing().verifying_key().to_encoded_point(false);
    Key::from_hex(&hex::encode(point.as_bytes())).unwrap()
}

pub(super) fn sign(message: &str) -> Signature {
    signing().sign(message.as_bytes())
}

/// A challenge and the answers of all units.
#[derive(Debug, Clone)]
pub(super) struct Played {
    pub(super) task: Task,
    pub(super) targets: Targets,
    pub(super) columns: Vec<u32>,
    pub(super) commitment: CommitmentData,
    pub(super) proofs: Vec<Proof>,
}

/// A challenge of 100 rows, answered by these units.
pub(super) fn play(kind: Kind, units: &[&str]) -> Played {
    let mut rng = StdRng::seed_from_u64(128);
    let task = Task {
        challenge_type: kind,
        matrix_size: 100,
        seed: "00112233445566778899aabbccddeeff".into(),
        iterations: 1,
        mode: None,
        target_gpu_id: None,
    };
    let targets = targets(kind, 100, &SETTINGS, &mut rng).unwrap();
    let columns = columns(&TOLERANCE, 100, &mut rng);
    let mut commitments = Vec::new();
    let mut answers = Vec::new();
    for uuid in units {
        let (commitment, proof) = answer(&task, &targets, uuid);
        commitments.push(commitment);
        answers.push(proof);
    }
    Played {
        task,
        targets,
        columns,
        commitment: CommitmentData {
            challenge_id: "c1".into(),
            worker_id: "w1".into(),
            commitments,
            debug_info: None,
            schema_version: 1,
        },
        proofs: answers,
    }
}

fn answer(task: &Task, targets: &Targets, uuid: &str) -> (Commitment, Proof) {
    let mut values = Vec::new();
    let leaves: Vec<String> = if uuid == CPU {
        hashes(Seed::from_hex(&task.seed).unwrap(), 100, task.iterations)
    } else {
        let seed = seed_hash(&task.seed, uuid);
        let rows: Vec<Vec<f64>> = (0..100).map(|at| row(seed, 100, at, 1)).collect();
        let at = |row: u32, column: u32| rows[row as usize][column as usize];
        values.extend(
            targets
                .coordinates
                .iter()
                .map(|(row, column)| at(*row, *column)),
        );
        values.extend(
            targets
                .rows
                .iter()
                .flat_map(|row| rows[*row as usize].clone()),
        );
        rows.iter().map(|row| row_hash(row).unwrap()).collect()
    };
    let root = root(&leaves).unwrap();
    let signature = sign(&message(&task.seed, uuid, &root));
    let commitment = Commitment {
        uuid: uuid.to_owned(),
        merkle_root: root,
        sig_ver: u32::from(uuid != CPU),
        sig_val: (uuid != CPU).then(|| hex::encode(signature.to_bytes())),
    };
    let proof = Proof {
        uuid: uuid.to_owned(),
        row_hashes: targets
            .rows
            .iter()
            .map(|row| leaves[*row as usize].clone())
            .collect(),
        merkle_proofs: proofs(&leaves, &targets.rows).unwrap(),
        coordinate_values: values,
    };
    (commitment, proof)
}

impl Played {
    pub(super) fn roots(&self) -> BTreeMap<String, String> {
        let commitments = &self.commitment.commitments;
        commitments
            .iter()
            .map(|c| (c.uuid.clone(), c.merkle_root.clone()))
            .collect()
    }

    pub(super) fn inventory(&self) -> BTreeSet<String> {
        self.commitment
            .commitments
            .iter()
            .map(|c| c.uuid.clone())
            .collect()
    }

    pub(super) fn verdict(&self) -> Verdict {
        verify(&Request {
            task: &self.task,
            targets: &self.targets,
            commitments: &self.roots(),
            proofs: &self.proofs,
            columns: &self.columns,
            tolerance: TOLERANCE,
        })
        .unwrap()
    }
}
