//! `author_…`: extrinsics are taken and kept, never executed.

use chain_metadata::{AccountId, Hasher, blake2_256, storage_prefix};
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::ErrorObject;
use parity_scale_codec::{Compact, Decode};
use serde_json::json;

use super::Table;
use crate::answer::{Answer, Hex, invalid_params};
use crate::shared::Shared;

/// A pool that is never emptied has to end somewhere.
const POOL: usize = 8192;

pub(super) fn register(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.method(&["author_submitExtrinsic"], |shared, arguments| {
        let Hex(extrinsic) = arguments.required()?;
        let hash = blake2_256(&extrinsic);
        let mut pool = shared.submitted();
        if pool.len() >= POOL {
            // 1016 is what a node answers when its pool has no room.
            return Err(ErrorObject::owned(1016, "Immediately Dropped", None::<()>));
        }
        pool.push(extrinsic);
        Ok(Answer::hash(hash))
    })?;
    table.method(&["author_pendingExtrinsics"], |shared, _| {
        let pool = shared.submitted();
        Ok(Answer::List(
            pool.iter()
                .map(|extrinsic| Answer::bytes(extrinsic))
                .collect(),
        ))
    })?;
    table.method(
        &["system_accountNextIndex", "account_nextIndex"],
        |shared, arguments| {
            let address: String = arguments.required()?;
            let (account, _) = AccountId::from_ss58(&address)
                .map_err(|e| invalid_params(format!("{address} is no address: {e}")))?;
            let waiting = shared
                .submitted()
                .iter()
                .filter(|extrinsic| signer(extrinsic) == Some(account))
                .count();
            let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
            let next = u64::from(nonce(shared, &account)).saturating_add(waiting);
            Ok(Answer::Json(json!(next)))
        },
    )
}

/// How many extrinsics of an account the best block's state has seen.
fn nonce(shared: &Shared, account: &AccountId) -> u32 {
    let mut key = storage_prefix("System", "Account").to_vec();
    Hasher::Blake2_128Concat.hash_into(&account.0, &mut key);
    let best = shared.best();
    let value = best
        .as_ref()
        .and_then(|block| shared.chain.storage(block, &key));
    // An account's data begins with its nonce.
    let nonce = value.and_then(|value| value.first_chunk::<4>());
    nonce.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The account that signed an extrinsic of version 4 whose address is an account.
fn signer(mut extrinsic: &[u8]) -> Option<AccountId> {
    Compact::<u32>::decode(&mut extrinsic).ok()?;
    let account = extrinsic.strip_prefix(&[0x84, 0x00])?.first_chunk::<32>()?;
    Some(AccountId(*account))
}
