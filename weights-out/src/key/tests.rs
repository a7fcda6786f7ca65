//! Files that are keys, and files that are refused.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// The seed that every development chain gives to Alice.
const SEED: &str = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hotkey");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

fn refused(text: &str, mode: u32) -> String {
    let (_dir, path) = file(text, mode);
    let said = Signer::from_file(&path).unwrap_err().to_string();
    // Nothing of a secret is ever said.
    assert!(!said.contains(&SEED[..16]), "{said}");
    said
}

#[test]
fn seeds_as_hex_and_in_the_json_of_wallets() {
    for text in [
        SEED.to_owned(),
        format!("0x{SEED}\n"),
        format!(r#"{{"secretSeed":"0x{SEED}","ss58Address":"{ALICE}"}}"#),
        format!(r#"{{"accountId":"0x00","secretPhrase":"no","secretSeed":"{SEED}"}}"#),
    ] {
        let (_dir, path) = file(&text, 0o600);
        let signer = Signer::from_file(&path).unwrap();
        assert_eq!(signer.account().to_ss58(42), ALICE);
        let signature = signer.sign(b"message");
        assert!(verify(&signer.account(), b"message", &signature));
        assert!(!verify(&signer.account(), b"messagf", &signature));
        assert!(!format!("{signer:?}").contains("secret"));
    }
}

#[test]
fn a_private_key_is_the_same_key() {
    let (_dir, path) = file(SEED, 0o400);
    let signer = Signer::from_file(&path).unwrap();
    let private = hex::encode(signer.keypair.secret.to_ed25519_bytes());
    let (_dir, path) = file(&format!(r#"{{"privateKey":"0x{private}"}}"#), 0o600);
    assert_eq!(
        Signer::from_file(&path).unwrap().account(),
        signer.account()
    );
}

#[test]
fn files_that_others_can_read_are_refused() {
    for mode in [0o644, 0o640, 0o604, 0o660, 0o610] {
        let said = refused(SEED, mode);
        assert!(said.contains(&format!("mode {mode:04o}")), "{said}");
    }
}

#[test]
fn links_and_folders_are_refused() {
    let (dir, path) = file(SEED, 0o600);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(
        Signer::from_file(&link),
        Err(KeyError::Link { .. })
    ));
    assert!(matches!(
        Signer::from_file(dir.path()),
        Err(KeyError::NotAFile { .. })
    ));
    let absent = dir.path().join("absent");
    assert!(matches!(
        Signer::from_file(&absent),
        Err(KeyError::Read { .. })
    ));
}

#[test]
fn what_is_no_key_is_refused_without_a_word_of_it() {
    let zeros = "00".repeat(32);
    for (text, wanted) in [
        (format!("{SEED}00"), "64 hex digits"),
        (String::new(), "64 hex digits"),
        ("{".to_owned(), "damaged"),
        ("{}".to_owned(), "neither"),
        (
            format!(r#"{{"secretSeed":"{}"}}"#, &SEED[2..]),
            "secretSeed",
        ),
        (r#"{"privateKey":"0x11"}"#.to_owned(), "privateKey"),
        (
            format!(r#"{{"secretSeed":"{SEED}","publicKey":"{zeros}"}}"#),
            "mixed up",
        ),
        (
            format!(r#"{{"secretSeed":"{SEED}","ss58Address":"5C"}}"#),
            "mixed up",
        ),
    ] {
        let said = refused(&text, 0o600);
        assert!(said.contains(wanted), "{said}");
    }
    assert!(refused(&"a".repeat(70_000), 0o600).contains("70000 bytes"));
}
