//! Judges proofs: a payload and what was to be looked at in, a verdict with reasons out.
//!
//! [`Verdict::verified`] follows the original's rules. What these let pass although it should
//! not is told apart in [`Verdict::strict`]: the way of another leaf, nothing looked at,
//! values that are wrong within the allowed share. [`Verdict::accepted`] wants both.

use std::collections::BTreeMap;

use rand::RngCore;
use serde::{Serialize, Serializer};
use thiserror::Error;

use super::commitment::BadSignature;
use super::cpu::{self, NoSeed, Seed};
use super::create::{columns, sizes};
use super::gpu::{self, Tolerance, needed, seed_hash};
use super::merkle::{self, Astray};
use super::wire::{CPU, Kind, Proof, Targets, Task};

mod json;

pub use json::of_json;

/// Most multiplications that one verification may take.
pub const MAX_WORK: u64 = 20_000_000_000;

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

/// A request that cannot be judged, whatever the proofs are.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// A seed that is none.
    #[error(transparent)]
    Seed(#[from] NoSeed),
    /// A size that no challenge has.
    #[error("the matrix has {size} rows; give a number from {min} to {max}")]
    Size {
        /// Its size.
        size: u32,
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// No iterations.
    #[error("the product is taken 0 times; give a number from 1 on")]
    Iterations,
    /// A target outside of the matrix.
    #[error("row {row} or column {column} is outside of a matrix of {size} rows")]
    Outside {
        /// Its row.
        row: u32,
        /// Its column.
        column: u32,
        /// The size.
        size: u32,
    },
    /// Columns are missing.
    #[error("no columns of the rows are given; draw some")]
    Columns,
    /// Too much to compute.
    #[error(
        "this takes {work} multiplications, and may take {MAX_WORK}; look at fewer rows or iterations"
    )]
    Work {
        /// How many.
        work: u64,
    },
}

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Reason {
    /// Another number of hashes or ways than rows asked for.
    #[error("{hashes} hashes and {ways} ways are given for {wanted} rows")]
    Rows {
        /// Hashes.
        hashes: usize,
        /// Ways.
        ways: usize,
        /// Rows.
        wanted: usize,
    },
    /// Too few values.
    #[error("{given} values are given, and {wanted} are wanted")]
    Values {
        /// Given.
        given: usize,
        /// Wanted.
        wanted: usize,
    },
    /// A hash that is not that of the row.
    #[error("the hash of row {row} is {given}, and {wanted} is right")]
    Hash {
        /// The row.
        row: u32,
        /// What was given.
        given: String,
        /// What is right.
        wanted: String,
    },
    /// A way that names another leaf than the row.
    #[error("the way of row {row} names leaf {leaf}")]
    Leaf {
        /// The row.
        row: u32,
        /// The leaf.
        leaf: u32,
    },
    /// A way that begins with another hash.
    #[error("the way of row {row} begins with another hash than the row's")]
    LeafHash {
        /// The row.
        row: u32,
    },
    /// A way that leads elsewhere.
    #[error("the way of row {row} does not lead to the committed root")]
    Root {
        /// The row.
        row: u32,
    },
    /// Too many wrong values.
    #[error("{right} of {of} single values are right, and {needed} must be")]
    Coordinates {
        /// Right ones.
        right: usize,
        /// All.
        of: usize,
        /// How many must be right.
        needed: usize,
    },
    /// Too many wrong values in a row.
    #[error("{right} of {of} values of row {row} are right, and {needed} must be")]
    Sample {
        /// The row.
        row: u32,
        /// Right ones.
        right: usize,
        /// Those that were looked at.
        of: usize,
        /// How many must be right.
        needed: usize,
    },
    /// A value that a GPU cannot have.
    #[error("value {column} of row {row} does not fit into 16 bits")]
    Half {
        /// The row.
        row: u32,
        /// The column.
        column: usize,
    },
    /// The commitment is missing.
    #[error("there is a proof and no commitment")]
    NotCommitted,
    /// The proof is missing.
    #[error("there is a commitment and no proof")]
    NotProven,
    /// Two proofs of one GPU.
    #[error("there are two proofs")]
    Twice,
    /// A GPU in a challenge for the CPU, or the other way round.
    #[error("the challenge is not for this kind of unit")]
    Kind,
    /// Nothing was to be looked at.
    #[error("no row was to be looked at")]
    NoTargets,
    /// The signature under the commitment is wrong.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

/// What the original's rules let pass.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Strict {
    /// Nothing was looked at.
    #[error("nothing was looked at: any answer passes; this is an error of the settings")]
    NoTargets,
    /// A way that is not that of the leaf it names.
    #[error("{uuid}: {why}")]
    Way {
        /// GPU or CPU.
        uuid: String,
        /// What is wrong.
        why: Astray,
    },
    /// More values than asked for.
    #[error("{uuid}: {given} values are given, and {wanted} were asked for")]
    Surplus {
        /// GPU or CPU.
        uuid: String,
        /// Given.
        given: usize,
        /// Asked for.
        wanted: usize,
    },
    /// Wrong values, but not too many.
    #[error("{uuid}: {wrong} of {of} values are wrong, which the rules allow")]
    Wrong {
        /// GPU.
        uuid: String,
        /// Wrong ones.
        wrong: usize,
        /// All that were looked at.
        of: usize,
    },
    /// Some GPUs failed.
    #[error("{verified} of {of} GPUs are verified, and one is enough by the rules")]
    Some {
        /// Verified ones.
        verified: usize,
        /// All.
        of: usize,
    },
    /// Two GPUs with one root: their matrices differ, so one is copied.
    #[error("{first} and {second} have committed to the same root")]
    SameRoot {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// The signature was not looked at.
    #[error("{0}: the signature was not checked, since no key was given")]
    NotSigned(String),
}

fn told<T: ToString, S: Serializer>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(items.iter().map(ToString::to_string))
}

/// The verdict over one GPU or the CPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unit {
    /// GPU or CPU.
    pub uuid: String,
    /// Whether it is verified by the original's rules.
    pub verified: bool,
    /// Why it is not.
    #[serde(serialize_with = "told")]
    pub reasons: Vec<Reason>,
}

/// The verdict over a challenge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether it is verified by the original's rules: one unit is enough.
    pub verified: bool,
    /// Whether it is verified and nothing stricter speaks against it.
    pub accepted: bool,
    /// Verified units; times are divided by this number.
    pub success_count: u32,
    /// Every unit, in the order of uuids.
    pub units: Vec<Unit>,
    /// What the original's rules let pass.
    #[serde(serialize_with = "told")]
    pub strict: Vec<Strict>,
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
