//! Commits and reveals, and the salt between them.

use std::os::unix::fs::PermissionsExt;

use chain_metadata::{blake2_256, decode_extrinsic};
use scoring::local::sn42::chain::{Route, Row};
use scoring::local::sn42::commit::preimage;
use weights_out::follow::{Expected, Following};
use weights_out::node::Node;
use weights_out::order::{Order, OrderError};
use weights_out::salt::SaltFile;
use weights_out::submit::{SubmitError, prepare, send, sign};

use super::timing::{chain_with, tempo_after};
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

    assert_eq!(played.submitted(), [sent.extrinsic]);

    // Later, out of the file alone, in a chain that took the commit in block 100.
    let salt = SaltFile::read(&path).unwrap();
    let (played, node) = chain_with(&salt, 100, tempo_after(100)).await;
    assert_eq!((salt.hash.0.to_vec(), salt.salt.len()), (hash.clone(), 8));
    let order = Order::reveal(signer.account(), state(1, true), &salt).unwrap();
    let prepared = prepare(&node, order, Some(salt), genesis).await.unwrap();
    send(&node, &prepared, &signer, &salts).await.unwrap();
    let reveal = decode_extrinsic(&meta, &played.submitted()[0]).unwrap();
    assert_eq!(reveal.call.full_name(), "SubtensorModule.reveal_weights");
    assert_eq!(reveal.nonce(), Some(0));
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
    assert!(played.submitted().is_empty());
    let path = only_file(&salts);
    assert_unconfirmed(&error, &path);
    let salt = SaltFile::read(&path).unwrap();
    assert_eq!(Some(&salt), prepared.salt.as_ref());
    Order::reveal(signer.account(), state(1, true), &salt).unwrap();
}

/// The error has, and says, what is needed to look for the commit and to reveal it.
fn assert_unconfirmed(error: &SubmitError, path: &std::path::Path) -> Following {
    let said = error.to_string();
    let SubmitError::Unconfirmed {
        following,
        salt_file,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(salt_file.as_deref(), Some(path));
    assert!(said.contains(&path.display().to_string()), "{said}");
    assert!(said.contains(&following.extrinsic.to_string()), "{said}");
    (**following).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_lands_without_an_answer_can_be_followed_and_revealed() {
    let (played, _) = node_at(100).await;
    let timeout = std::time::Duration::from_millis(400);
    let node = Node::connect(&played.ws_url(), timeout).await.unwrap();
    let (folder, _, signer) = signer();
    let salts = folder.path().join("salts");
    let order = order(signer.account(), Route::Commit);
    let genesis = recording().genesis_hash;
    let prepared = prepare(&node, order, None, genesis).await.unwrap();
    played.faults().delay(4 * timeout);
    let error = send(&node, &prepared, &signer, &salts).await.unwrap_err();
    let path = only_file(&salts);
    let following = assert_unconfirmed(&error, &path);
    // It did arrive, and is what the error names.
    for _ in 0..200 {
        if !played.submitted().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let arrived = played.submitted();
    assert_eq!(blake2_256(&arrived[0]), following.extrinsic);
    assert_eq!(arrived.len(), 1);
    let salt = SaltFile::read(&path).unwrap();
    let Expected::Committed { hash, .. } = following.expected else {
        panic!("{following:?}")
    };
    assert_eq!(salt.hash, hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_text() {
    let (folder, _, signer) = signer();
    let genesis = recording().genesis_hash;
    let mut salt = SaltFile::new(&order(signer.account(), Route::Commit), genesis);
    salt.salt = vec![54_321; 8];
    salt.hash = salt.computed_hash().unwrap();
    let (_played, node) = chain_with(&salt, 100, tempo_after(100)).await;
    let order = Order::reveal(signer.account(), state(1, true), &salt).unwrap();
    let prepared = prepare(&node, order, Some(salt.clone()), genesis)
        .await
        .unwrap();
    let signed = sign(&prepared, &signer, folder.path()).unwrap();
    let bytes = &signed.extrinsic;
    // The salt as it stands in the bytes.
    let raw = [54_321_u16.to_le_bytes(); 8].concat();
    assert!(bytes.windows(16).any(|part| part == raw));
    let texts = [
        format!("{salt:?} {prepared:?} {signed:?} {signer:?}"),
        format!("{salt:#?} {prepared:#?} {signed:#?} {signer:#?}"),
    ];
    for text in texts {
        for secret in ["54321", "49, 212", "5a5a5a", "31d431d4", "90, 90, 90"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    // Nor in what is said of a damaged file.
    let path = salt.keep(&folder.path().join("salts")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("54321", "\"54321\"", 1)).unwrap();
    let error = SaltFile::read(&path).unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(said.contains("damaged") || said.contains("Damaged"));
    assert!(said.contains("line") && !said.contains("54321"), "{said}");
}

/// Everything that is logged, of any level.
#[derive(Default)]
struct Log(std::sync::Mutex<String>);

impl tracing::field::Visit for &Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write;
        writeln!(self.0.lock().unwrap(), "{field} = {value:?}").unwrap();
    }
}

struct Logged(std::sync::Arc<Log>);

impl tracing::Subscriber for Logged {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut &*self.0);
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut &*self.0);
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut &*self.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// All of it runs on one thread, so that all of it is heard.
#[tokio::test]
async fn secrets_are_in_no_log() {
    let (folder, _, signer) = signer();
    let genesis = recording().genesis_hash;
    let salt = SaltFile::new(&order(signer.account(), Route::Commit), genesis);
    let (played, node) = chain_with(&salt, 100, tempo_after(100)).await;
    let log = std::sync::Arc::new(Log::default());
    let heard = tracing::subscriber::set_default(Logged(std::sync::Arc::clone(&log)));
    tracing::trace!("it listens");
    let order = Order::reveal(signer.account(), state(1, true), &salt).unwrap();
    let prepared = prepare(&node, order, Some(salt.clone()), genesis)
        .await
        .unwrap();
    send(&node, &prepared, &signer, folder.path())
        .await
        .unwrap();
    drop(heard);
    let bytes: Vec<u8> = salt.salt.iter().flat_map(|n| n.to_le_bytes()).collect();
    let raw = hex::encode(bytes);
    assert!(hex::encode(&played.submitted()[0]).contains(&raw));
    let text = log.0.lock().unwrap().clone();
    assert!(text.contains("it listens"));
    assert!(!text.contains(&raw), "{text}");
}

#[test]
fn a_salt_is_never_open_to_others_while_it_is_written() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (folder, _, signer) = signer();
    let salts = folder.path().join("salts");
    std::fs::create_dir(&salts).unwrap();
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            loop {
                // One more look when all are written, so that something is always seen.
                let last = done.load(Ordering::Relaxed);
                for file in std::fs::read_dir(&salts).unwrap().flatten() {
                    // It may be gone again.
                    if let Ok(data) = file.metadata() {
                        seen.insert(data.permissions().mode() & 0o777);
                    }
                }
                if last {
                    break;
                }
            }
            seen
        });
        for _ in 0..50 {
            let order = order(signer.account(), Route::Commit);
            let salt = SaltFile::new(&order, recording().genesis_hash);
            salt.keep(&salts).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        looking.join().unwrap()
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0o600]);
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
