//! The bytes that are signed, held against signatures that real runtimes accepted.

use chain_metadata::{Era, ExtrinsicKind, H256, Value, decode_extrinsic};
use weights_out::build::{Context, prepare};
use weights_out::key::verify;

fn signature(kind: &ExtrinsicKind) -> Option<&[u8]> {
    match kind {
        ExtrinsicKind::Signed {
            signature: Value::Variant { name, fields, .. },
            ..
        } if &**name == "Sr25519" => fields.first()?.1.as_bytes(),
        _ => None,
    }
}

#[test]
fn recorded_signatures_are_over_these_bytes() {
    // Runtimes 103, 119, 143 and 300 have other extensions each.
    let mut specs = std::collections::BTreeMap::<u32, u32>::new();
    let (mut hashed, mut plain) = (0, 0);
    for name in ["mini-300", "upgrades"] {
        let recording = replay_node::fixture(name).unwrap();
        for block in recording.blocks().iter().skip(1) {
            let spec = recording.spec_of_state(block.number - 1).unwrap();
            let runtime = recording.runtime_version(spec).unwrap();
            let transaction = runtime["transactionVersion"].as_u64().unwrap();
            let meta = super::meta(&recording, spec);
            for raw in &block.extrinsics {
                let found = decode_extrinsic(&meta, raw).unwrap();
                let (Some(signer), Some(signature)) = (found.signer(), signature(&found.kind))
                else {
                    continue;
                };
                assert_eq!(found.era(), Some(Era::Immortal));
                let context = Context {
                    spec_version: spec,
                    transaction_version: u32::try_from(transaction).unwrap(),
                    genesis: recording.genesis_hash,
                    birth: 0,
                    // What is valid for ever is signed with block 0.
                    birth_hash: recording.genesis_hash,
                    nonce: found.nonce().unwrap(),
                    tip: 0,
                };
                let mut unsigned = prepare(&meta, found.call.clone(), context).unwrap();
                // The era is the first that is not empty; one byte says for ever.
                unsigned.extra.splice(0..2, [0]);
                let payload = unsigned.payload();
                assert!(
                    verify(&signer, &payload, signature),
                    "block {}",
                    block.number
                );
                let wrong = weights_out::build::Unsigned {
                    implicit: H256::ZERO.0.to_vec(),
                    ..unsigned
                };
                assert!(!verify(&signer, &wrong.payload(), signature));
                *specs.entry(spec).or_default() += 1;
                if payload.len() == 32 {
                    hashed += 1;
                } else {
                    plain += 1;
                }
            }
        }
    }
    assert_eq!(
        specs.keys().copied().collect::<Vec<_>>(),
        [103, 119, 143, 300]
    );
    assert!(plain > 100, "{plain} plain, {hashed} hashed");
}
