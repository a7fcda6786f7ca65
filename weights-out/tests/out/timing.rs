//! When a reveal is made, and when its row stays a secret.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chain_metadata::{AccountId, H256, Metadata, Recording};
use replay_node::{Mode, Options, ReplayNode};
use scoring::local::sn42::chain::Route;
use weights_out::node::{Head, Node};
use weights_out::order::Order;
use weights_out::salt::SaltFile;
use weights_out::submit::{SubmitError, prepare};
use weights_out::window::{WindowError, check};

use super::{meta, node_at, order, recording, signer, some_row, state, stored};

/// The recorded chain with more in its state, from the beginning.
fn patched(pairs: &[(Vec<u8>, Vec<u8>)]) -> Arc<Recording> {
    const GENESIS: &str = "genesis.json.zst";
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/replay-node/fixtures/mini-300");
    let read = |file: &str| {
        let bytes = std::fs::read(folder.join(file)).map_err(|e| e.to_string())?;
        if file != GENESIS {
            return Ok::<_, String>(bytes);
        }
        let plain = zstd::decode_all(bytes.as_slice()).unwrap();
        let mut all: Vec<(String, String)> = serde_json::from_slice(&plain).unwrap();
        let hexed = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
        all.extend(pairs.iter().map(|(key, value)| (hexed(key), hexed(value))));
        let text = serde_json::to_vec(&all).unwrap();
        Ok(zstd::encode_all(text.as_slice(), 1).unwrap())
    };
    Arc::new(Recording::load(read).unwrap())
}

async fn play(recording: Arc<Recording>, start: u32) -> (ReplayNode, Node) {
    let options = Options {
        mode: Mode::Stepped { start },
        ..Options::default()
    };
    let played = replay_node::start(recording, options).await.unwrap();
    let node = Node::connect(&played.ws_url(), Duration::from_secs(10))
        .await
        .unwrap();
    (played, node)
}

fn number(name: &str, at: u32) -> u32 {
    let recording = recording();
    let value = stored(&recording, at, name, &[&2_u16.to_le_bytes()]);
    let default = || {
        let meta = meta(&recording, 300);
        let entry = meta.storage("SubtensorModule", name).unwrap();
        entry.default_value(meta.types()).unwrap()
    };
    value.or_else(default).unwrap().as_u32().unwrap()
}

/// First and last block in which a commit of a block in subnet 2 can be revealed.
fn window(commit: u32) -> (u32, u32) {
    let tempo = number("Tempo", commit);
    let period = number("RevealPeriodEpochs", commit);
    let epoch = (commit + 2 + 1) / (tempo + 1);
    let first = (epoch + period) * (tempo + 1) - (2 + 1);
    (first, first + tempo)
}

/// The last block before a commit of this block can be revealed.
pub(crate) fn tempo_after(commit: u32) -> u32 {
    window(commit).0 - 1
}

fn commits_key(meta: &Metadata, who: &AccountId) -> Vec<u8> {
    let entry = meta.storage("SubtensorModule", "WeightCommits").unwrap();
    entry.key_of_encoded(&[&2_u16.to_le_bytes(), &who.0])
}

/// A queue of one commit, with the three numbers behind its hash.
fn queue(hash: &H256, numbers: [u64; 3]) -> Vec<u8> {
    let numbers = numbers.map(u64::to_le_bytes).concat();
    [&[4], &hash.0[..], &numbers].concat()
}

/// A chain that took a commit in a block of subnet 2, at another block.
pub(crate) async fn chain_with(salt: &SaltFile, commit: u32, at: u32) -> (ReplayNode, Node) {
    let key = commits_key(&meta(&recording(), 300), &salt.hotkey);
    let (first, last) = window(commit);
    let numbers = [commit, first, last].map(u64::from);
    play(patched(&[(key, queue(&salt.hash, numbers))]), at).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reveal_is_made_in_its_epoch_only() {
    let (_folder, _, signer) = signer();
    let genesis = recording().genesis_hash;
    let salt = SaltFile::new(&order(signer.account(), Route::Commit), genesis);
    let (first, last) = window(100);
    let (played, node) = chain_with(&salt, 100, first - 2).await;
    let tried = async || {
        let order = Order::reveal(signer.account(), state(1, true), &salt).unwrap();
        prepare(&node, order, Some(salt.clone()), genesis).await
    };
    // The next block is the one before the first.
    let error = tried().await.unwrap_err();
    let SubmitError::Window(WindowError::RevealTooEarly { first: told, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!(told, Some(u64::from(first)));
    assert!(error.to_string().contains("RevealTooEarly"), "{error}");
    played.advance(1);
    tried().await.unwrap();
    played.advance(last - first);
    tried().await.unwrap();
    played.advance(1);
    let error = tried().await.unwrap_err();
    assert!(
        matches!(
            error,
            SubmitError::Window(WindowError::ExpiredWeightCommit { .. })
        ),
        "{error}"
    );
    assert!(played.submitted().is_empty());

    // A commit that never landed.
    let (_played, node) = node_at(first - 1).await;
    let order = Order::reveal(signer.account(), state(1, true), &salt).unwrap();
    let error = prepare(&node, order, Some(salt), genesis)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SubmitError::Window(WindowError::NoWeightsCommitFound { .. })
        ),
        "{error}"
    );
}

async fn checked(
    node: &Node,
    meta: &Metadata,
    hotkey: AccountId,
    hash: &H256,
) -> Result<u64, WindowError> {
    let order = Order::new(hotkey, state(1, true), Route::Reveal, some_row(), 7).unwrap();
    let at: Head = node.finalized().await.unwrap();
    check(node, meta, at, &order, hash).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_commit_may_be_revealed_when_it_was() {
    let recording = recording();
    let meta = meta(&recording, 300);
    let (hotkey, hash) = super::following::committer();
    let keys: [&[u8]; 2] = [&2_u16.to_le_bytes(), &hotkey.0];
    let held = stored(&recording, 112, "WeightCommits", &keys).unwrap();
    let commit = held.items().last().unwrap().items().to_vec();
    let numbers: Vec<u32> = commit.iter().skip(1).map(|v| v.as_u32().unwrap()).collect();
    // What is computed here is what the chain wrote beside the hash.
    let (first, last) = window(112);
    assert_eq!(numbers, [112, first, last]);
    // Block 126 took the reveal.
    let (_played, node) = node_at(125).await;
    checked(&node, &meta, hotkey, &hash).await.unwrap();
    let (_played, node) = node_at(first - 2).await;
    let error = checked(&node, &meta, hotkey, &hash).await.unwrap_err();
    assert!(
        matches!(error, WindowError::RevealTooEarly { .. }),
        "{error}"
    );
    let (_played, node) = node_at(126).await;
    let error = checked(&node, &meta, hotkey, &hash).await.unwrap_err();
    assert!(
        matches!(error, WindowError::NoWeightsCommitFound { .. }),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_runtimes_count_epochs_in_storage() {
    // Metadata of runtime 424, where a commit carries its epoch.
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/synthetic/fixtures/subtensor_spec424_v16.scale.zst");
    let bytes = zstd::decode_all(std::fs::read(file).unwrap().as_slice()).unwrap();
    let meta = Metadata::from_bytes(&bytes).unwrap();
    let hotkey = AccountId([9; 32]);
    let hash = H256([8; 32]);
    let at = |name: &str| {
        let entry = meta.storage("SubtensorModule", name).unwrap();
        entry.key_of_encoded(&[&2_u16.to_le_bytes()])
    };
    for (now, wanted) in [
        (40_u64, "RevealTooEarly"),
        (41, "from block 460 on"),
        (42, ""),
        (43, "ExpiredWeightCommit"),
    ] {
        let recording = patched(&[
            (commits_key(&meta, &hotkey), queue(&hash, [40, 50, 0])),
            (at("SubnetEpochIndex"), now.to_le_bytes().to_vec()),
            (at("LastEpochBlock"), 450_u64.to_le_bytes().to_vec()),
            (at("RevealPeriodEpochs"), 2_u64.to_le_bytes().to_vec()),
            (at("Tempo"), 10_u16.to_le_bytes().to_vec()),
        ]);
        // Before the recorded chain sets period and tempo of its own.
        let (_played, node) = play(recording, 0).await;
        match checked(&node, &meta, hotkey, &hash).await {
            Ok(epoch) => assert_eq!((epoch, wanted), (42, "")),
            Err(error) => {
                assert!(!wanted.is_empty(), "{error}");
                assert!(error.to_string().contains(wanted), "{error}");
            }
        }
    }
}
