//! Accounts that belong to no key pair: their ids are hashes of what makes them.

use parity_scale_codec::Encode;

use crate::{AccountId, blake2_256};

/// The salt that pallets `utility` and `multisig` share.
const SALT: &[u8; 16] = b"modlpy/utilisuba";

/// The account that `Utility.as_derivative` acts for.
pub fn derivative_account(who: AccountId, index: u16) -> AccountId {
    AccountId(blake2_256(&(SALT, who.0, index).encode()).0)
}

/// The account of a multisig. The order of the signatories does not matter.
pub fn multisig_account(signatories: &[AccountId], threshold: u16) -> AccountId {
    let mut sorted: Vec<[u8; 32]> = signatories.iter().map(|account| account.0).collect();
    sorted.sort_unstable();
    AccountId(blake2_256(&(SALT, sorted, threshold).encode()).0)
}
