//! Eras, and extensions that nobody knows.

use super::*;

fn meta() -> Metadata {
    let recording = replay_node::fixture("mini-300").unwrap();
    Metadata::from_bytes(recording.metadata(300, 14).unwrap()).unwrap()
}

fn context() -> Context {
    Context {
        spec_version: 300,
        transaction_version: 1,
        genesis: H256([0x45; 32]),
        birth: 1_000_042,
        birth_hash: H256([7; 32]),
        nonce: 70,
        tip: 0,
    }
}

/// A type that holds a number, and the one that holds nothing.
fn types(meta: &Metadata) -> (u32, u32) {
    let find = |name: &str| {
        let all = &meta.extrinsic().extensions;
        all.iter().find(|e| &*e.name == name).unwrap()
    };
    (find("CheckNonce").ty, find("CheckNonce").implicit)
}

#[test]
fn an_era_begins_at_its_block() {
    // Period 64 is 2^(5 + 1); block 42 of it.
    assert_eq!(era(42), (5_u16 + 42 * 16).to_le_bytes());
    assert_eq!(era(64 + 42), era(42));
    assert_eq!(context().last_block(), 1_000_042 + 63);
}

#[test]
fn an_unknown_extension_is_taken_only_when_it_is_empty() {
    let meta = meta();
    let (number, nothing) = types(&meta);
    let extension = |name: &str, ty, implicit| Extension {
        name: name.into(),
        ty,
        implicit,
    };
    let made = |extension: &Extension| contents(&meta, extension, &context());
    let empty = made(&extension("SomethingNew", nothing, nothing)).unwrap();
    assert_eq!(empty, (vec![], vec![]));
    for full in [
        extension("SomethingNew", number, nothing),
        extension("SomethingNew", nothing, number),
        // One that is known by its name and has another shape.
        extension("CheckNonce", nothing, nothing),
    ] {
        let error = made(&full).unwrap_err().to_string();
        assert!(error.contains(&*full.name), "{error}");
    }
    let nonce = made(&extension("CheckNonce", number, nothing)).unwrap();
    assert_eq!(nonce.0, [0x19, 0x01]);
}
