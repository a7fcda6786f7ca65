//! Matrices of fractions, for GPUs.
//!
//! Every number is a hash of its place, the seed and the GPU, so that a verifier can compute
//! any of them alone. GPUs compute with 16 bits: values are compared with a tolerance.

use sha2::{Digest, Sha256};

use super::half;

/// Which matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Side {
    /// The left one.
    A = 0,
    /// The right one.
    B = 1,
}

/// How near a value must be, and how many of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// A difference up to this is right.
    pub absolute: f64,
    /// So is one that is up to this share of the value.
    pub relative: f64,
    /// Share of the values that must be right.
    pub threshold: f64,
    /// Share of the columns of a row that is looked at.
    pub row_sample_rate: f64,
}

/// What the published configuration says.
pub const TOLERANCE: Tolerance = Tolerance {
    absolute: 0.02,
    relative: 0.005,
    threshold: 0.85,
    row_sample_rate: 0.001,
};

/// The hash of seed and GPU that all numbers come from.
///
/// ```
/// use challenges::sn128::gpu::seed_hash;
/// let hash = seed_hash("00112233445566778899aabbccddeeff", "GPU-aaaa");
/// assert_eq!(hash, 790_365_007_136_311_084);
/// ```
pub fn seed_hash(seed: &str, uuid: &str) -> u64 {
    let digest = Sha256::digest(format!("{seed}|{uuid}").as_bytes());
    let low = digest.iter().take(8).rev();
    low.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A number of a matrix, from -1 up to but not including 1.
pub fn element(seed_hash: u64, row: u32, column: u32, side: Side) -> f64 {
    let mixed =
        seed_hash ^ (u64::from(row) << 32) ^ (u64::from(column) << 16) ^ u64::from(side as u8);
    let folded = mixed ^ (mixed >> 32);
    #[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
    let mut word = folded as u32;
    word = word.wrapping_mul(0x9e37_79b9).wrapping_add(0x85eb_ca6b);
    word ^= word >> 16;
    word = word.wrapping_mul(0x85eb_ca6b);
    f64::from(word & 0xffff) / 32_768.0 - 1.0
}

/// A number of the product, times the iterations.
pub fn expected(seed_hash: u64, size: u32, row: u32, column: u32, iterations: u32) -> f64 {
    let mut sum = 0.0;
    for k in 0..size {
        sum += element(seed_hash, row, k, Side::A) * element(seed_hash, k, column, Side::B);
    }
    sum * f64::from(iterations)
}

/// Whether a claimed value is near enough.
///
/// ```
/// use challenges::sn128::gpu::{TOLERANCE, near};
/// assert!(near(&TOLERANCE, 1.0, 1.019) && !near(&TOLERANCE, 1.0, 1.021));
/// assert!(near(&TOLERANCE, 100.0, 100.5) && !near(&TOLERANCE, 100.0, 100.51));
/// assert!(!near(&TOLERANCE, 1.0, f64::NAN));
/// ```
pub fn near(tolerance: &Tolerance, expected: f64, claimed: f64) -> bool {
    let difference = (expected - claimed).abs();
    difference <= tolerance.absolute || difference / (expected.abs() + 1e-10) <= tolerance.relative
}

/// How many of so many values must be right.
///
/// ```
/// use challenges::sn128::gpu::{TOLERANCE, needed};
/// assert_eq!([1, 20, 25].map(|of| needed(&TOLERANCE, of)), [1, 17, 22]);
/// ```
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a number of values is far below 2^53, and the cast saturates"
)]
pub fn needed(tolerance: &Tolerance, of: usize) -> usize {
    (tolerance.threshold * of as f64).ceil() as usize
}

/// How many columns of a row are looked at.
///
/// ```
/// use challenges::sn128::gpu::{TOLERANCE, sampled};
/// assert_eq!([100, 32_768].map(|size| sampled(&TOLERANCE, size)), [1, 32]);
/// ```
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a small number, and the cast saturates"
)]
pub fn sampled(tolerance: &Tolerance, size: u32) -> u32 {
    let share = (f64::from(size) * tolerance.row_sample_rate) as u32;
    share.clamp(1, size.max(1))
}

/// The hash of a row: FNV-1a over 64 bits, which takes the 16 bits of each value as one
/// unit, as 16 hex digits. When a value has no 16 bits, its place.
///
/// # Errors
///
/// The place of a value that is no number or too great for 16 bits.
pub fn row_hash(values: &[f64]) -> Result<String, usize> {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for (place, value) in values.iter().enumerate() {
        hash ^= u64::from(half::bits(*value).ok_or(place)?);
        hash = hash.wrapping_mul(0x0100_0000_01b3);
    }
    Ok(format!("{hash:016x}"))
}

/// A whole row of the product in 16 bits, as an honest GPU has it.
pub fn row(seed_hash: u64, size: u32, row: u32, iterations: u32) -> Vec<f64> {
    let left: Vec<f64> = (0..size)
        .map(|k| element(seed_hash, row, k, Side::A))
        .collect();
    let value = |column| {
        let products = (0..)
            .zip(&left)
            .map(|(k, a)| a * element(seed_hash, k, column, Side::B));
        products.sum::<f64>() * f64::from(iterations)
    };
    let rounded = |value| half::bits(value).map_or(value, half::value);
    (0..size).map(|column| rounded(value(column))).collect()
}
