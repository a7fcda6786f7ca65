//! Names for the chain's numbers, so that a uid is never taken for a netuid.

use std::fmt;
use std::str::FromStr;

use blake2::digest::Digest;
use serde::{Deserialize, Serialize};

mod bytes32;
mod ss58;

pub use bytes32::H256;
pub use ss58::{AccountId, IdError};

/// The height of a block; the genesis block is 0.
pub type BlockNumber = u32;

/// The `spec_version` of a runtime, as in `Core_version`.
pub type SpecVersion = u32;

/// Distance between the storage indices of two mechanisms of one subnet.
///
/// Items keyed by `NetUidStorageIndex` use `mechanism * 4096 + netuid`.
pub const MECHANISM_STRIDE: u16 = 4096;

macro_rules! small_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

small_id! {
    /// The number of a subnet; 0 is the root network.
    NetUid(u16)
}

small_id! {
    /// The number of a neuron within its subnet. It is handed on when a neuron is replaced.
    Uid(u16)
}

small_id! {
    /// The number of an incentive mechanism within its subnet; most subnets have only 0.
    MechId(u8)
}

/// The index under which a mechanism's rows are stored (`NetUidStorageIndex`).
///
/// `None` when the netuid is not below [`MECHANISM_STRIDE`] or the product leaves 16 bits.
pub fn storage_index(netuid: NetUid, mech: MechId) -> Option<u16> {
    if netuid.0 >= MECHANISM_STRIDE {
        return None;
    }
    u16::from(mech.0)
        .checked_mul(MECHANISM_STRIDE)?
        .checked_add(netuid.0)
}

/// The subnet and the mechanism behind a `NetUidStorageIndex`; inverse of [`storage_index`].
pub fn split_storage_index(index: u16) -> (NetUid, MechId) {
    // 65535 / 4096 is 15, so the low byte holds the whole quotient.
    let [mech, _] = (index / MECHANISM_STRIDE).to_le_bytes();
    (NetUid(index % MECHANISM_STRIDE), MechId(mech))
}

/// BLAKE2b with a 256 bit digest: the chain's hash for blocks and extrinsics.
pub fn blake2_256(bytes: &[u8]) -> H256 {
    H256(blake2::Blake2b::<blake2::digest::consts::U32>::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_indices_split_and_join() {
        for index in 0..=u16::MAX {
            let (netuid, mech) = split_storage_index(index);
            assert_eq!(storage_index(netuid, mech), Some(index));
        }
        assert_eq!(storage_index(NetUid(19), MechId(2)), Some(8211));
        assert_eq!(storage_index(NetUid(4096), MechId(0)), None);
        assert_eq!(storage_index(NetUid(1), MechId(16)), None);
    }

    #[test]
    fn blake2_of_nothing_is_the_published_digest() {
        assert_eq!(
            blake2_256(b"").to_string(),
            "0x0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
        );
    }

    #[test]
    fn small_ids_are_bare_numbers_in_json() {
        assert_eq!(serde_json::to_string(&NetUid(7)).unwrap(), "7");
        assert_eq!(serde_json::from_str::<MechId>("3").unwrap(), MechId(3));
        assert_eq!("12".parse::<Uid>().unwrap(), Uid(12));
    }
}
