//! Rows on their way out, against a node over a real WebSocket.
//!
//! | file | what it shows |
//! |---|---|
//! | `payload` | recorded signatures, which a real runtime took, are over the bytes that are made here |
//! | `sending` | what arrives at the node is the plan, signed; what the chain refuses does not |
//! | `secrets` | salts survive whatever happens between keeping and sending |
//! | `timing` | a reveal is made in its one epoch only, and its row shown at no other time |
//! | `following` | the state proves it, the chain refuses it, time runs out |

mod following;
mod payload;
mod secrets;
mod sending;
mod timing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chain_metadata::{
    AccountId, Call, Extrinsic, H256, Metadata, Recording, Value, blake2_256, decode_extrinsic,
};
use replay_node::{Mode, Options, ReplayNode};
use scoring::local::sn42::chain::{ChainState, Route, Row, Scaling};
use weights_out::key::Signer;
use weights_out::node::Node;
use weights_out::order::Order;

pub(crate) fn recording() -> Arc<Recording> {
    replay_node::fixture("mini-300").unwrap()
}

/// Metadata of a runtime, read once: specs of the recordings differ.
pub(crate) fn meta(recording: &Recording, spec: u32) -> Arc<Metadata> {
    static KNOWN: Mutex<BTreeMap<u32, Arc<Metadata>>> = Mutex::new(BTreeMap::new());
    let read = || {
        let bytes = recording.metadata(spec, 14).unwrap();
        Arc::new(Metadata::from_bytes(bytes).unwrap())
    };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(spec).or_insert_with(read))
}

pub(crate) async fn node_at(start: u32) -> (ReplayNode, Node) {
    let options = Options {
        mode: Mode::Stepped { start },
        ..Options::default()
    };
    let played = replay_node::start(recording(), options).await.unwrap();
    let node = Node::connect(&played.ws_url(), Duration::from_secs(10))
        .await
        .unwrap();
    (played, node)
}

/// A key of the tests' own, in a file as wallets write it.
pub(crate) fn signer() -> (tempfile::TempDir, PathBuf, Signer) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hotkey");
    std::fs::write(&path, "0x".to_owned() + &"5a".repeat(32)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let signer = Signer::from_file(&path).unwrap();
    (folder, path, signer)
}

/// A subnet that takes nearly everything.
pub(crate) fn state(uid: u16, commit_reveal: bool) -> ChainState {
    ChainState {
        netuid: 2,
        mechanism: 0,
        mechanisms: 1,
        block: 500,
        commit_reveal,
        neurons: 256,
        uid: Some(uid),
        stake: Some(1),
        stake_threshold: 0,
        version_key: 0,
        last_update: 0,
        rate_limit: 0,
        permit: true,
        owner: false,
        min_allowed: 1,
        max_weight: u16::MAX,
        unrevealed: 0,
        scaling: Scaling::Greatest,
    }
}

pub(crate) fn some_row() -> Row {
    Row {
        uids: vec![3, 1, 7],
        values: vec![65535, 32768, 1],
    }
}

pub(crate) fn order(hotkey: AccountId, route: Route) -> Order {
    let state = state(1, route != Route::Direct);
    Order::new(hotkey, state, route, some_row(), 7).unwrap()
}

pub(crate) fn numbers(call: &Call, arg: &str) -> Vec<u16> {
    let list = call.arg(arg).unwrap().items();
    list.iter().map(|v| v.as_u16().unwrap()).collect()
}

/// Extrinsics of a recorded block, decoded, with their hashes.
pub(crate) fn extrinsics(recording: &Recording, number: u32) -> Vec<(H256, Extrinsic)> {
    let meta = meta(recording, recording.spec_of_state(number - 1).unwrap());
    let block = recording.block(number).unwrap();
    let decoded = |raw: &Vec<u8>| (blake2_256(raw), decode_extrinsic(&meta, raw).unwrap());
    block.extrinsics.iter().map(decoded).collect()
}

/// A value of the pallet in a recorded state.
pub(crate) fn stored(recording: &Recording, at: u32, entry: &str, keys: &[&[u8]]) -> Option<Value> {
    let meta = meta(recording, recording.spec_of_state(at)?);
    let entry = meta.storage("SubtensorModule", entry)?;
    let bytes = recording.storage(at, &entry.key_of_encoded(keys))?;
    entry.decode_value(meta.types(), bytes).ok()
}

/// A row of W in a recorded state.
pub(crate) fn stored_row(recording: &Recording, at: u32, index: u16, uid: u16) -> Row {
    let keys: [&[u8]; 2] = [&index.to_le_bytes(), &uid.to_le_bytes()];
    let value = stored(recording, at, "Weights", &keys).unwrap();
    let pair = |v: &Value| {
        (
            v.items()[0].as_u16().unwrap(),
            v.items()[1].as_u16().unwrap(),
        )
    };
    let (uids, values) = value.items().iter().map(pair).unzip();
    Row { uids, values }
}
