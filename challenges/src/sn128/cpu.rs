//! Matrices of whole numbers, for CPUs.
//!
//! Two square matrices of numbers from -500 to 500 come out of a seed, row by row, the left
//! one first. Their product, times the right one again for every further iteration, is taken
//! in 64 bits that wrap around.

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::twister::Twister;

/// Greatest number of the matrices, and with a minus the least.
pub const MOST: i64 = 500;
/// Length of a row's hash, in hex digits.
pub const HASH: usize = 16;

/// The seed of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 16]);

/// A seed that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the seed is {0:?}; give 32 hex digits")]
pub struct NoSeed(pub String);

impl Seed {
    /// From hex digits.
    ///
    /// # Errors
    ///
    /// When these are not 32 hex digits.
    pub fn from_hex(text: &str) -> Result<Seed, NoSeed> {
        let mut bytes = [0; 16];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Seed(bytes)),
            Err(_) => Err(NoSeed(text.chars().take(64).collect())),
        }
    }

    /// The generator that it starts.
    pub fn twister(self) -> Twister {
        let [a, b, c, d, ..] = self.0;
        Twister::new(u32::from_be_bytes([a, b, c, d]))
    }
}

fn fill(twister: &mut Twister, row: &mut [i64]) {
    for number in row {
        *number = i64::from(twister.up_to(1000)) - MOST;
    }
}

/// Both matrices, row by row.
pub fn matrices(seed: Seed, size: usize) -> (Vec<Vec<i64>>, Vec<Vec<i64>>) {
    let mut twister = seed.twister();
    let mut matrix = || -> Vec<Vec<i64>> {
        let mut rows = vec![vec![0; size]; size];
        for row in &mut rows {
            fill(&mut twister, row);
        }
        rows
    };
    let left = matrix();
    (left, matrix())
}

/// Some rows of the product, in the order in which they are wanted; a row outside of the
/// matrix is all zeros. Neither matrix is kept as a whole: the right one is drawn again in
/// every iteration.
pub fn rows(seed: Seed, size: usize, wanted: &[usize], iterations: u32) -> Vec<Vec<i64>> {
    let mut twister = seed.twister();
    let mut drawn = vec![0; size];
    let mut rows = vec![vec![0; size]; wanted.len()];
    for place in 0..size {
        fill(&mut twister, &mut drawn);
        for (row, _) in rows.iter_mut().zip(wanted).filter(|(_, at)| **at == place) {
            row.copy_from_slice(&drawn);
        }
    }
    for _ in 0..iterations {
        let mut right = twister.clone();
        let mut products = vec![vec![0_i64; size]; wanted.len()];
        for place in 0..size {
            fill(&mut right, &mut drawn);
            for (row, product) in rows.iter().zip(&mut products) {
                let factor = row.get(place).copied().unwrap_or(0);
                for (sum, number) in product.iter_mut().zip(&drawn) {
                    *sum = sum.wrapping_add(factor.wrapping_mul(*number));
                }
            }
        }
        rows = products;
    }
    rows
}

/// The bytes of a row that are hashed: eight for each number, the lowest first.
pub fn row_bytes(row: &[i64]) -> Vec<u8> {
    row.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The hash of a row: the first 16 hex digits of its sha256.
pub fn row_hash(row: &[i64]) -> String {
    let digest = Sha256::digest(row_bytes(row));
    hex::encode(digest.iter().take(HASH / 2).copied().collect::<Vec<u8>>())
}

/// The hashes of all rows of the product, which a miner commits to.
pub fn hashes(seed: Seed, size: usize, iterations: u32) -> Vec<String> {
    let all: Vec<usize> = (0..size).collect();
    rows(seed, size, &all, iterations)
        .iter()
        .map(|row| row_hash(row))
        .collect()
}
