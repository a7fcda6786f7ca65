//! The hashes that storage keys are made of.

use std::hash::Hasher as _;

use blake2::digest::Digest;
use blake2::digest::consts::{U16, U32};

/// How one part of a storage key is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hasher {
    /// 16 bytes of BLAKE2b.
    Blake2_128,
    /// 32 bytes of BLAKE2b.
    Blake2_256,
    /// 16 bytes of BLAKE2b and the plain key.
    Blake2_128Concat,
    /// 16 bytes of xxHash.
    Twox128,
    /// 32 bytes of xxHash.
    Twox256,
    /// 8 bytes of xxHash and the plain key.
    Twox64Concat,
    /// The plain key alone.
    Identity,
}

impl Hasher {
    /// Appends the hash of an encoded key, and the key itself where the hasher keeps it.
    pub fn hash_into(&self, encoded_key: &[u8], out: &mut Vec<u8>) {
        self.digest_into(encoded_key, out);
        if self.is_reversible() {
            out.extend(encoded_key);
        }
    }

    /// Bytes before the plain key, or all bytes where the plain key is not kept.
    pub fn hash_len(&self) -> usize {
        match self {
            Hasher::Identity => 0,
            Hasher::Twox64Concat => 8,
            Hasher::Blake2_128 | Hasher::Blake2_128Concat | Hasher::Twox128 => 16,
            Hasher::Blake2_256 | Hasher::Twox256 => 32,
        }
    }

    /// Whether the plain key can be read back from a storage key.
    pub fn is_reversible(&self) -> bool {
        matches!(
            self,
            Hasher::Blake2_128Concat | Hasher::Twox64Concat | Hasher::Identity
        )
    }

    /// Appends the hash only.
    pub(crate) fn digest_into(&self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Hasher::Identity => {}
            Hasher::Blake2_128 | Hasher::Blake2_128Concat => {
                out.extend(blake2::Blake2b::<U16>::digest(bytes));
            }
            Hasher::Blake2_256 => out.extend(blake2::Blake2b::<U32>::digest(bytes)),
            Hasher::Twox64Concat => twox(bytes, 1, out),
            Hasher::Twox128 => twox(bytes, 2, out),
            Hasher::Twox256 => twox(bytes, 4, out),
        }
    }
}

/// xxHash with the seeds 0, 1, … one after another.
fn twox(bytes: &[u8], words: u64, out: &mut Vec<u8>) {
    for seed in 0..words {
        let mut hasher = twox_hash::XxHash64::with_seed(seed);
        hasher.write(bytes);
        out.extend(hasher.finish().to_le_bytes());
    }
}

/// The first 32 bytes of every key of a storage entry: hashes of the pallet's storage prefix and
/// of the entry's name.
pub fn storage_prefix(pallet_prefix: &str, entry: &str) -> [u8; 32] {
    let mut out = Vec::with_capacity(32);
    Hasher::Twox128.digest_into(pallet_prefix.as_bytes(), &mut out);
    Hasher::Twox128.digest_into(entry.as_bytes(), &mut out);
    let mut prefix = [0; 32];
    prefix.copy_from_slice(&out);
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(hasher: Hasher, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        hasher.hash_into(bytes, &mut out);
        hex::encode(out)
    }

    #[test]
    fn well_known_prefix() {
        assert_eq!(
            hex::encode(storage_prefix("System", "Events")),
            "26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7"
        );
    }

    #[test]
    fn lengths_are_as_announced() {
        for hasher in [
            Hasher::Blake2_128,
            Hasher::Blake2_256,
            Hasher::Blake2_128Concat,
            Hasher::Twox128,
            Hasher::Twox256,
            Hasher::Twox64Concat,
            Hasher::Identity,
        ] {
            let kept = if hasher.is_reversible() { 3 } else { 0 };
            assert_eq!(hashed(hasher, b"key").len(), 2 * (hasher.hash_len() + kept));
        }
        assert_eq!(hashed(Hasher::Identity, b"key"), hex::encode(b"key"));
        assert_eq!(
            hashed(Hasher::Twox64Concat, b"key")[16..],
            hex::encode(b"key")
        );
        // xxHash64 of no bytes with seed 0, as its author publishes it.
        assert_eq!(hashed(Hasher::Twox64Concat, b""), "99e9d85137db46ef");
        assert_eq!(
            hashed(Hasher::Blake2_256, b""),
            "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
        );
        assert_eq!(
            hashed(Hasher::Blake2_128, b""),
            "cae66941d9efbd404e4d88758ea67670"
        );
    }
}
