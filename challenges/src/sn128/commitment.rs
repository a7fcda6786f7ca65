//! Signatures of GPUs under their commitments.
//!
//! P-256 with SHA-256 over `0x1|seed|uuid|root`, as the 64 bytes of `r` and `s` in hex or
//! base64. Which key signs is a setting: it belongs to the software on the GPU.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use thiserror::Error;

use super::wire::Commitment;

/// The key that the original trusts: 65 bytes, uncompressed, in hex.
pub const PUBLISHED_KEY: &str = "045db4dcfa2559220159eba6bb8b7f16e4c4962bb9d862a7df8a1ce4138c01e145\
33213760877d4eaba3f84a7e1e1b29cb0f3320ff90f01dc206c22cffc0b09afb";

/// The version of signatures that is known.
pub const VERSION: u32 = 1;

/// A key that signs commitments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(VerifyingKey);

/// A key that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the public key is no point of P-256; give 33 or 65 bytes in hex")]
pub struct NoKey;

/// Why a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSignature {
    /// There is none.
    #[error("the commitment is not signed")]
    Missing,
    /// Another version.
    #[error("the signature has version {0}; only {VERSION} is known")]
    Version(u32),
    /// Neither hex nor base64.
    #[error("the signature is neither hex nor base64")]
    Encoding,
    /// Another length.
    #[error("the signature has {0} bytes, and 64 are wanted")]
    Length(usize),
    /// Nothing but zeros.
    #[error("the signature is all zeros")]
    Zeros,
    /// It is not the key's.
    #[error("the signature is not that of the key over this seed, GPU and root")]
    Wrong,
}

impl Key {
    /// From the bytes of a point, in hex.
    ///
    /// # Errors
    ///
    /// When it is no point of the curve.
    pub fn from_hex(text: &str) -> Result<Key, NoKey> {
        let bytes = hex::decode(text).map_err(|_| NoKey)?;
        let key = VerifyingKey::from_sec1_bytes(&bytes);
        key.map(Key).map_err(|_| NoKey)
    }
}

/// What a GPU signs.
///
/// ```
/// use challenges::sn128::commitment::message;
/// assert_eq!(message("00ff", "GPU-1", "ab"), "0x1|00ff|GPU-1|ab");
/// ```
pub fn message(seed: &str, uuid: &str, root: &str) -> String {
    format!("{VERSION:#x}|{seed}|{uuid}|{root}")
}

/// Checks the signature of a commitment.
///
/// # Errors
///
/// See [`BadSignature`].
pub fn verify(key: &Key, seed: &str, commitment: &Commitment) -> Result<(), BadSignature> {
    let text = commitment.sig_val.as_deref().unwrap_or("");
    if text.is_empty() {
        return Err(BadSignature::Missing);
    }
    if commitment.sig_ver != VERSION {
        return Err(BadSignature::Version(commitment.sig_ver));
    }
    let bytes = hex::decode(text)
        .or_else(|_| STANDARD.decode(text))
        .map_err(|_| BadSignature::Encoding)?;
    if bytes.len() != 64 {
        return Err(BadSignature::Length(bytes.len()));
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(BadSignature::Zeros);
    }
    let signature = Signature::from_slice(&bytes).map_err(|_| BadSignature::Wrong)?;
    let message = message(seed, &commitment.uuid, &commitment.merkle_root);
    let verified = key.0.verify(message.as_bytes(), &signature);
    verified.map_err(|_| BadSignature::Wrong)
}
