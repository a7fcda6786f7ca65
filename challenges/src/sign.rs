//! sr25519 signatures of hotkeys, as `substrate` signs.

use chain_metadata::AccountId;
use schnorrkel::{PublicKey, Signature};

/// What a hotkey signs is put under this name before.
const CONTEXT: &[u8] = b"substrate";

/// Whether `signature` is the hotkey's over `message`. A signature of the wrong length or
/// a hotkey that is no key of this kind is no.
pub fn verify(hotkey: &AccountId, message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (
        PublicKey::from_bytes(&hotkey.0),
        Signature::from_bytes(signature),
    ) else {
        return false;
    };
    key.verify_simple(CONTEXT, message, &signature).is_ok()
}
