//! Judges proofs: a payload and what was to be looked at in, a verdict with reasons out.
//!
//! [`Verdict::verified`] follows the original's rules. What these let pass although it should
//! not is told apart in [`Verdict::strict`]: the way of another leaf, nothing looked at,
//! values that are wrong within the allowed share. [`Verdict::accepted`] wants both.

use std::collections::BTreeMap;

use rand::RngCore;

use super::cpu::{self, Seed};
use super::create::{columns, sizes};
use super::gpu::{self, Tolerance, needed, seed_hash};
use super::merkle;
use super::wire::{CPU, Kind, Proof, Targets, Task};

mod json;
mod verdict;

pub use json::of_json;
pub use verdict::{Reason, Strict, Unfit, Unit, Verdict};

/// Most multiplications that one verification may take: somewhat more than the greatest
/// matrix for CPUs and the most rows that are asked for.
pub const MAX_WORK: u64 = 8_000_000_000;

/// What is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Request<'a> {
    /// What was to be computed.
    pub task: &'a Task,
    /// What is looked at.
    pub targets: &'a Targets,
    /// The committed root of each GPU or of the CPU; signatures are checked before.
    pub commitments: &'a BTreeMap<String, String>,
    /// The proofs.
    pub proofs: &'a [Proof],
    /// Columns of every row that are looked at (for GPUs); see [`columns`].
    pub columns: &'a [u32],
    /// How near values must be.
    pub tolerance: Tolerance,
}

/// Judges.
///
/// # Errors
///
/// When the request itself is wrong; what is wrong with the proofs is in the verdict.
pub fn verify(request: &Request<'_>) -> Result<Verdict, Unfit> {
    let seed = fit(request)?;
    let mut strict = Vec::new();
    if request.targets.is_empty() {
        strict.push(Strict::NoTargets);
    }
    let mut by_uuid: BTreeMap<&str, Vec<&Proof>> = BTreeMap::new();
    for uuid in request.commitments.keys() {
        by_uuid.insert(uuid, Vec::new());
    }
    for proof in request.proofs {
        by_uuid.entry(&proof.uuid).or_default().push(proof);
    }
    let wanted = computed(request, seed);
    let mut units = Vec::new();
    for (uuid, proofs) in by_uuid {
        let found = unit(request, uuid, &proofs, &wanted, &mut strict);
        let reasons: Vec<Reason> = found.err().into_iter().collect();
        units.push(Unit {
            uuid: uuid.to_owned(),
            verified: reasons.is_empty(),
            reasons,
        });
    }
    let verified = units.iter().filter(|unit| unit.verified).count();
    if verified > 0 && verified < units.len() {
        let of = units.len();
        strict.push(Strict::Some { verified, of });
    }
    strict.extend(same_roots(request.commitments));
    Ok(Verdict {
        verified: verified > 0,
        accepted: verified > 0 && strict.is_empty(),
        success_count: u32::try_from(verified).unwrap_or(u32::MAX),
        units,
        strict,
    })
}

/// Draws the secret columns and judges.
///
/// # Errors
///
/// See [`verify`].
pub fn verify_drawn(request: &Request<'_>, rng: &mut impl RngCore) -> Result<Verdict, Unfit> {
    let drawn = columns(&request.tolerance, request.task.matrix_size, rng);
    verify(&Request {
        columns: &drawn,
        ..request.clone()
    })
}

fn fit(request: &Request<'_>) -> Result<Seed, Unfit> {
    let task = request.task;
    let seed = Seed::from_hex(&task.seed)?;
    let size = task.matrix_size;
    let (min, max) = sizes(task.challenge_type);
    if !(min..=max).contains(&size) {
        return Err(Unfit::Size { size, min, max });
    }
    if task.iterations == 0 {
        return Err(Unfit::Iterations);
    }
    let rows = request.targets.rows.iter().map(|row| (*row, 0));
    let columns = request.columns.iter().map(|column| (0, *column));
    let coordinates = request.targets.coordinates.iter().copied();
    for (row, column) in rows.chain(columns).chain(coordinates) {
        if row >= size || column >= size {
            return Err(Unfit::Outside { row, column, size });
        }
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let (n, rows) = (u64::from(size), count(request.targets.rows.len()));
    if rows > n {
        return Err(Unfit::Rows { rows, size });
    }
    let work = match task.challenge_type {
        Kind::CpuMatrix => u64::from(task.iterations)
            .saturating_mul(rows.saturating_add(1))
            .saturating_add(1)
            .saturating_mul(n * n),
        Kind::GpuMatrix => {
            if rows > 0 && request.columns.is_empty() {
                return Err(Unfit::Columns);
            }
            rows.saturating_mul(count(request.columns.len()))
                .saturating_add(count(request.targets.coordinates.len()))
                .saturating_mul(n)
                .saturating_mul(count(request.proofs.len()))
        }
    };
    if work > MAX_WORK {
        return Err(Unfit::Work { work });
    }
    Ok(seed)
}

/// The right hashes of the rows looked at, for a CPU.
fn computed(request: &Request<'_>, seed: Seed) -> Vec<String> {
    let proven = request.proofs.iter().any(|proof| proof.uuid == CPU);
    if request.task.challenge_type != Kind::CpuMatrix || !proven {
        return Vec::new();
    }
    let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let wanted: Vec<usize> = request.targets.rows.iter().map(|row| place(*row)).collect();
    let size = place(request.task.matrix_size);
    cpu::rows(seed, size, &wanted, request.task.iterations)
        .iter()
        .map(|row| cpu::row_hash(row))
        .collect()
}

fn unit(
    request: &Request<'_>,
    uuid: &str,
    proofs: &[&Proof],
    wanted: &[String],
    strict: &mut Vec<Strict>,
) -> Result<(), Reason> {
    let root = request.commitments.get(uuid).ok_or(Reason::NotCommitted)?;
    let proof = match proofs {
        [] => return Err(Reason::NotProven),
        [proof] => proof,
        _ => return Err(Reason::Twice),
    };
    let kind = request.task.challenge_type;
    if (uuid == CPU) != (kind == Kind::CpuMatrix) {
        return Err(Reason::Kind);
    }
    let rows = &request.targets.rows;
    let given = proof.coordinate_values.len();
    let surplus = |wanted| Strict::Surplus {
        uuid: uuid.to_owned(),
        given,
        wanted,
    };
    if kind == Kind::CpuMatrix {
        if rows.is_empty() {
            return Err(Reason::NoTargets);
        }
        hashes(proof, rows, wanted)?;
        if given > 0 {
            strict.push(surplus(0));
        }
    } else {
        let size = usize::try_from(request.task.matrix_size).unwrap_or(usize::MAX);
        let asked = rows.len().saturating_mul(size);
        let asked = asked.saturating_add(request.targets.coordinates.len());
        let computed = values(request, proof, size, asked, strict)?;
        hashes(proof, rows, &computed)?;
        if given > asked {
            strict.push(surplus(asked));
        }
    }
    for (way, row) in proof.merkle_proofs.iter().zip(rows) {
        if !merkle::leads(way, root) {
            return Err(Reason::Root { row: *row });
        }
    }
    for way in &proof.merkle_proofs {
        if let Err(why) = merkle::strict(way, request.task.matrix_size) {
            let uuid = uuid.to_owned();
            strict.push(Strict::Way { uuid, why });
        }
    }
    Ok(())
}

/// Whether the hashes are those wanted, and the ways begin with them.
fn hashes(proof: &Proof, rows: &[u32], wanted: &[String]) -> Result<(), Reason> {
    let (given, ways) = (proof.row_hashes.len(), proof.merkle_proofs.len());
    if given != rows.len() || ways != rows.len() {
        return Err(Reason::Rows {
            hashes: given,
            ways,
            wanted: rows.len(),
        });
    }
    for ((row, given), wanted) in rows.iter().zip(&proof.row_hashes).zip(wanted) {
        if given != wanted {
            return Err(Reason::Hash {
                row: *row,
                given: given.chars().take(64).collect(),
                wanted: wanted.clone(),
            });
        }
    }
    let ways = proof.merkle_proofs.iter().zip(&proof.row_hashes);
    for (row, (way, hash)) in rows.iter().zip(ways) {
        if way.leaf_index != *row {
            let leaf = way.leaf_index;
            return Err(Reason::Leaf { row: *row, leaf });
        }
        if way.leaf_hash != *hash {
            return Err(Reason::LeafHash { row: *row });
        }
    }
    Ok(())
}

/// Compares the values of a GPU; tells the hashes of its rows.
fn values(
    request: &Request<'_>,
    proof: &Proof,
    size: usize,
    asked: usize,
    strict: &mut Vec<Strict>,
) -> Result<Vec<String>, Reason> {
    let (task, targets) = (request.task, request.targets);
    let (single, whole) = match proof.coordinate_values.get(..asked) {
        Some(values) => values.split_at(targets.coordinates.len()),
        None => {
            return Err(Reason::Values {
                given: proof.coordinate_values.len(),
                wanted: asked,
            });
        }
    };
    let seed = seed_hash(&task.seed, &proof.uuid);
    let right = |row: u32, column: u32, claimed: f64| {
        let expected = gpu::expected(seed, task.matrix_size, row, column, task.iterations);
        gpu::near(&request.tolerance, expected, claimed)
    };
    let of = single.len();
    let claimed = targets.coordinates.iter().zip(single);
    let good = claimed
        .filter(|((row, column), value)| right(*row, *column, **value))
        .count();
    let enough = needed(&request.tolerance, of);
    if good < enough {
        return Err(Reason::Coordinates {
            right: good,
            of,
            needed: enough,
        });
    }
    let (mut wrong, mut looked) = (of - good, of);
    let mut computed = Vec::with_capacity(targets.rows.len());
    for (row, values) in targets.rows.iter().zip(whole.chunks_exact(size)) {
        let sampled = request.columns.iter().filter_map(|column| {
            let value = values.get(usize::try_from(*column).ok()?)?;
            Some(right(*row, *column, *value))
        });
        let of = request.columns.len();
        let good = sampled.filter(|right| *right).count();
        let enough = needed(&request.tolerance, of);
        if good < enough {
            return Err(Reason::Sample {
                row: *row,
                right: good,
                of,
                needed: enough,
            });
        }
        wrong += of - good;
        looked += of;
        let hash = gpu::row_hash(values);
        computed.push(hash.map_err(|column| Reason::Half { row: *row, column })?);
    }
    if wrong > 0 {
        strict.push(Strict::Wrong {
            uuid: proof.uuid.clone(),
            wrong,
            of: looked,
        });
    }
    Ok(computed)
}

fn same_roots(commitments: &BTreeMap<String, String>) -> Vec<Strict> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let mut same = Vec::new();
    for (uuid, root) in commitments {
        if let Some(first) = seen.get(root.as_str()) {
            same.push(Strict::SameRoot {
                first: (*first).to_owned(),
                second: uuid.clone(),
            });
        } else {
            seen.insert(root, uuid);
        }
    }
    same
}
