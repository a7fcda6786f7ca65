//! Commits and reveals, and the salt between them.

use std::os::unix::fs::PermissionsExt;

use chain_metadata::{blake2_256, decode_extrinsic};
use scoring::local::sn42::chain::{Route, Row};
use scoring::local::sn42::commit::preimage;
use weights_out::order::{Order, OrderError};
use weights_out::salt::SaltFile;
use weights_out::submit::{SubmitError, prepare, send, sign};

use super::{meta, node_at, numbers, order, recording, signer, some_row, state};

/// Set in a process that is to die in the middle.
const DIES: &str = "WEIGHTS_OUT_DIES_IN";

fn only_file(folder: &std::path::Path) -> std::path::PathBuf {
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_and_its_reveal_have_the_same_hash() {
    let (played, node) = node_at(100).await;
    let (folder, _, signer) = signer();
    let salts = folder.path().join("salts");
    let genesis = recording().genesis_hash;
    let committed = order(signer.account(), Route::Commit);
    let prepared = prepare(&node, committed, None, genesis).await.unwrap();
    let sent = send(&node, &prepared, &signer, &salts).await.unwrap();
    let path = sent.salt_file.unwrap();
    assert_eq!(path, only_file(&salts));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let meta = meta(&recording(), 300);
    let commit = decode_extrinsic(&meta, &sent.extrinsic).unwrap();
    assert_eq!(commit.call.full_name(), "SubtensorModule.commit_weights");
    let hash = commit
        .call
        .arg("commit_hash")
        .unwrap()
        .as_bytes()
        .unwrap()
        .to_vec();

    // Later, out of the file alone.
    let salt = SaltFile::read(&path).unwrap();
    assert_eq!((salt.hash.0.to_vec(), salt.salt.len()), (hash.clone(), 8));
    let order = Order::reveal(signer.account(), state(1, true), &salt).unwrap();
    let prepared = prepare(&node, order, Some(salt), genesis).await.unwrap();
    send(&node, &prepared, &signer, &salts).await.unwrap();
    let reveal = decode_extrinsic(&meta, &played.submitted()[1]).unwrap();
    assert_eq!(reveal.call.full_name(), "SubtensorModule.reveal_weights");
    assert_eq!(reveal.nonce(), Some(1));
    let row = Row {
        uids: numbers(&reveal.call, "uids"),
        values: numbers(&reveal.call, "values"),
    };
    assert_eq!(row, some_row());
    let key = reveal.call.arg("version_key").unwrap().as_u64().unwrap();
    let salt = numbers(&reveal.call, "salt");
    let opened = blake2_256(&preimage(&signer.account().0, 2, &row, &salt, key));
    assert_eq!(opened.0.to_vec(), hash);
    // Another salt every time.
    let again = super::order(signer.account(), Route::Commit);
    let other = prepare(&node, again, None, genesis).await.unwrap();
    assert_ne!(other.salt.unwrap().salt, salt);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_salt_is_kept_when_the_node_fails() {
    let (played, node) = node_at(100).await;
    let (folder, _, signer) = signer();
    let salts = folder.path().join("salts");
    let genesis = recording().genesis_hash;
    let order = order(signer.account(), Route::Commit);
    let prepared = prepare(&node, order, None, genesis).await.unwrap();
    played.faults().drop_on("author_submitExtrinsic", 1);
    let error = send(&node, &prepared, &signer, &salts).await.unwrap_err();
    assert!(matches!(error, SubmitError::Node(_)), "{error}");
    assert!(played.submitted().is_empty());
    let salt = SaltFile::read(&only_file(&salts)).unwrap();
    assert_eq!(Some(&salt), prepared.salt.as_ref());
    Order::reveal(signer.account(), state(1, true), &salt).unwrap();
}

/// In a process of its own this dies between keeping the salt and sending the commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_leaves_a_salt_that_can_be_used() {
    if let Ok(salts) = std::env::var(DIES) {
        let (_played, node) = node_at(100).await;
        let (_folder, _, signer) = signer();
        let order = order(signer.account(), Route::Commit);
        let genesis = recording().genesis_hash;
        let prepared = prepare(&node, order, None, genesis).await.unwrap();
        sign(&prepared, &signer, std::path::Path::new(&salts)).unwrap();
        std::process::abort();
    }
    let (folder, _, signer) = signer();
    let salts = folder.path().join("salts");
    let name = "secrets::a_process_that_dies_leaves_a_salt_that_can_be_used";
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(DIES, &salts)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    let salt = SaltFile::read(&only_file(&salts)).unwrap();
    assert_eq!(salt.row(), some_row());
    let order = Order::reveal(signer.account(), state(1, true), &salt).unwrap();
    assert_eq!(order.commit_hash(&salt.salt), salt.hash);
}

#[test]
fn salts_are_never_written_over_and_damage_is_seen() {
    let (folder, _, signer) = signer();
    let order = order(signer.account(), Route::Commit);
    let salt = SaltFile::new(&order, recording().genesis_hash);
    let salts = folder.path().join("a/b");
    let path = salt.keep(&salts).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = salt.keep(&salts).unwrap_err().to_string();
    assert!(error.contains("cannot write"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(only_file(&salts), path);

    let text = String::from_utf8(before).unwrap();
    for (from, to, wanted) in [
        (
            "\"version_key\": 7",
            "\"version_key\": 8",
            "does not have its hash",
        ),
        ("\"format\": 1", "\"format\": 2", "only 1 is known"),
        ("\"netuid\": 2", "\"netuid\": 99999", "damaged"),
        ("\"uids\"", "\"uid\"", "damaged"),
    ] {
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let error = SaltFile::read(&path).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let other = chain_metadata::AccountId([3; 32]);
    let error = Order::reveal(other, state(1, true), &salt).unwrap_err();
    assert!(matches!(error, OrderError::Salt { .. }), "{error}");
}

#[test]
fn golden_hashes() {
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    for (mechanism, hash) in [
        (
            0,
            "0xb4a3fd89f408197ef787dc14da1d5698ed4e43e999af320f7dc3929bf9c7c63c",
        ),
        (
            2,
            "0x13b08c54f2d701cf1a53658f800ec213a1baf2a01b150d2518f79873ef446389",
        ),
    ] {
        let mut state = state(1, true);
        (state.netuid, state.mechanism, state.mechanisms) = (61, mechanism, 3);
        let row = Row {
            uids: vec![0, 1, 2],
            values: vec![65535, 32768, 1],
        };
        let order = Order::new(alice.parse().unwrap(), state, Route::Commit, row, 1000).unwrap();
        let found = order.commit_hash(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(found.to_string(), hash);
    }
}
