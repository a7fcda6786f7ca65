//! `author_…`: extrinsics are taken and kept, never executed.

use chain_metadata::blake2_256;
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::ErrorObject;

use super::Table;
use crate::answer::{Answer, Hex};

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
    })
}
