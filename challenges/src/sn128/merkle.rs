//! The tree of hashes over the rows of a matrix.
//!
//! Hashes are texts of hex digits. A leaf is a row's hash as it is; a node above is the
//! sha256 of the two texts below it put together; the last of an odd number is put together
//! with itself. The tree does not say of a hash whether it is a leaf.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The way from a leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Place of the leaf, from 0 on.
    pub leaf_index: u32,
    /// The leaf.
    pub leaf_hash: String,
    /// The other hash of each pair, from the leaf up.
    pub proof_hashes: Vec<String>,
    /// Whether that other hash is on the right.
    pub proof_directions: Vec<bool>,
}

/// Why a way is not that of the leaf it names. The original does not look for these.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Astray {
    /// The leaf is not in the tree.
    #[error("leaf {index} is not in a tree of {leaves}")]
    Outside {
        /// Its place.
        index: u32,
        /// Leaves of the tree.
        leaves: u32,
    },
    /// A way of another length.
    #[error(
        "the way of leaf {index} has {hashes} hashes and {directions} directions, and {wanted} of each are wanted"
    )]
    Length {
        /// Its place.
        index: u32,
        /// Hashes given.
        hashes: usize,
        /// Directions given.
        directions: usize,
        /// How many there are in a tree of this size.
        wanted: usize,
    },
    /// A turn to the wrong side.
    #[error(
        "the way of leaf {index} turns to the wrong side at level {level}: it is the way of another leaf"
    )]
    Direction {
        /// Its place.
        index: u32,
        /// Level, 0 at the leaf.
        level: usize,
    },
    /// A last node that is put together with another hash than its own.
    #[error(
        "the way of leaf {index} has a foreign hash at level {level}, where a last node is put together with itself"
    )]
    Odd {
        /// Its place.
        index: u32,
        /// Level, 0 at the leaf.
        level: usize,
    },
}

fn pair(left: &str, right: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hex::encode(hasher.finalize())
}

fn above(level: &[String]) -> Vec<String> {
    level
        .chunks(2)
        .map(|two| match two {
            [left, right] => pair(left, right),
            [last, ..] => pair(last, last),
            [] => String::new(),
        })
        .collect()
}

/// The root over leaves; `None` without any. The root of one leaf is the leaf.
pub fn root(leaves: &[String]) -> Option<String> {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = above(&level);
    }
    level.pop()
}

/// The ways from some leaves to the root; `None` when one is not in the tree.
pub fn proofs(leaves: &[String], wanted: &[u32]) -> Option<Vec<Proof>> {
    let mut proofs = Vec::with_capacity(wanted.len());
    for index in wanted {
        let leaf = leaves.get(usize::try_from(*index).ok()?)?;
        proofs.push(Proof {
            leaf_index: *index,
            leaf_hash: leaf.clone(),
            proof_hashes: Vec::new(),
            proof_directions: Vec::new(),
        });
    }
    let mut level = leaves.to_vec();
    let mut height = 0;
    while level.len() > 1 {
        for proof in &mut proofs {
            let place = usize::try_from(proof.leaf_index).ok()? >> height;
            let own = level.get(place)?;
            let right = place % 2 == 0;
            let other = if right { place + 1 } else { place - 1 };
            proof
                .proof_hashes
                .push(level.get(other).unwrap_or(own).clone());
            proof.proof_directions.push(right);
        }
        level = above(&level);
        height += 1;
    }
    Some(proofs)
}

/// Whether the way leads from its leaf to the root. As in the original, what has no partner
/// among hashes and directions is not looked at, and neither is the place of the leaf.
pub fn leads(proof: &Proof, root: &str) -> bool {
    let steps = proof.proof_hashes.iter().zip(&proof.proof_directions);
    let end = steps.fold(proof.leaf_hash.clone(), |hash, (other, right)| {
        if *right {
            pair(&hash, other)
        } else {
            pair(other, &hash)
        }
    });
    end == root
}

/// Whether the way is that of the leaf it names in a tree of so many leaves: its length, its
/// turns, and what last nodes are put together with.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn strict(proof: &Proof, leaves: u32) -> Result<(), Astray> {
    let index = proof.leaf_index;
    if index >= leaves {
        return Err(Astray::Outside { index, leaves });
    }
    let mut widths = Vec::new();
    let mut width = leaves;
    while width > 1 {
        widths.push(width);
        width = width.div_ceil(2);
    }
    let (hashes, directions) = (proof.proof_hashes.len(), proof.proof_directions.len());
    if hashes != widths.len() || directions != widths.len() {
        return Err(Astray::Length {
            index,
            hashes,
            directions,
            wanted: widths.len(),
        });
    }
    let mut hash = proof.leaf_hash.clone();
    let mut place = index;
    let steps = proof.proof_hashes.iter().zip(&proof.proof_directions);
    for ((level, width), (other, right)) in widths.iter().enumerate().zip(steps) {
        if *right != place.is_multiple_of(2) {
            return Err(Astray::Direction { index, level });
        }
        let last = place.is_multiple_of(2) && place + 1 == *width;
        if last && *other != hash {
            return Err(Astray::Odd { index, level });
        }
        hash = if *right {
            pair(&hash, other)
        } else {
            pair(other, &hash)
        };
        place /= 2;
    }
    Ok(())
}
