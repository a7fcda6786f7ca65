//! The JSON that people and scripts get.

use chain_metadata::{
    Event, Value, decode_events, decode_extrinsic, event_json, extrinsic_json, extrinsic_outcome,
    nested_calls, storage_json,
};
use serde_json::json;

use crate::golden::GOLDEN;
use crate::scene::{BOB, Scene};
use crate::support::{json, metadata, unhex};

#[test]
fn a_real_extrinsic_and_its_events() {
    let golden = json(GOLDEN);
    let meta = metadata("localdevnet_spec439_v15");
    let events = decode_events(&meta, &unhex(&golden["events"]["raw_hex"])).unwrap();
    let own: Vec<&Event> = events
        .iter()
        .filter(|e| e.extrinsic_index() == Some(2))
        .collect();
    let raw = unhex(&golden["block"]["raw"]["block"]["extrinsics"][2]);
    let mut xt = decode_extrinsic(&meta, &raw).unwrap();
    xt.index = 2;
    let outcome = extrinsic_outcome(&meta, &xt, &own);
    let shown = extrinsic_json(&meta, &xt, &nested_calls(&meta, &xt, &own), Some(&outcome));
    let signature = &golden["block"]["decoded_extrinsics"][2]["signature"];
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    assert_eq!(
        shown,
        json!({
            "index": 2,
            "hash": "0x0b594d33dfd5c9f5442bb73dd7b73636cda4db9d68f042237c0ee2843e04434f",
            "length": 144,
            "version": 4,
            "kind": "signed",
            "signer": alice,
            "signature": signature,
            "nonce": 1,
            "tip": "0",
            "era": "Immortal",
            "extensions": {
                "CheckNonZeroSender": null, "CheckSpecVersion": null, "CheckTxVersion": null,
                "CheckGenesis": null, "CheckMortality": "Immortal", "CheckNonce": 1,
                "CheckWeight": null, "ChargeTransactionPayment": "0",
                "SudoTransactionExtension": null, "CheckShieldedTxValidity": null,
                "SubtensorTransactionExtension": null, "DrandPriority": null,
                "CheckMetadataHash": { "mode": "Disabled" },
            },
            "call": {
                "pallet": "Balances",
                "name": "transfer_keep_alive",
                "args": {
                    "dest": { "Id": "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty" },
                    "value": "1000000000",
                },
            },
            "nested": [],
            "success": true,
            "error": null,
            "fee": "166247",
        })
    );
    assert_eq!(
        event_json(own[0], 42),
        json!({
            "index": own[0].index,
            "phase": "ApplyExtrinsic",
            "extrinsicIndex": 2,
            "pallet": "Balances",
            "event": "Withdraw",
            "fields": { "who": alice, "amount": "166247" },
            "topics": [],
        })
    );
    let first = event_json(&events[0], 42);
    assert_eq!(
        (&first["phase"], &first["extrinsicIndex"]),
        (&json!("Initialization"), &json!(null))
    );
}

#[test]
fn nested_calls_and_failures() {
    let scene = Scene::new("localdevnet_spec439_v15");
    let call = scene.batch(
        "force_batch",
        &[scene.proxy(BOB, &scene.leaf(1)), scene.sudo(&scene.leaf(2))],
    );
    let xt = scene.signed(&call);
    let events = scene.events(&[
        "!Proxy.ProxyExecuted",
        "Utility.ItemCompleted",
        "!Utility.ItemFailed",
        "Utility.BatchCompletedWithErrors",
        "System.ExtrinsicSuccess",
    ]);
    let own: Vec<&Event> = events.iter().collect();
    let nested = nested_calls(&scene.meta, &xt, &own);
    let shown = extrinsic_json(&scene.meta, &xt, &nested, None);
    let failed = json!({ "Failed": {
        "pallet": "Balances",
        "name": "InsufficientBalance",
        "docs": "Balance too low to send value.",
    }});
    let list = shown["nested"].as_array().unwrap();
    let short: Vec<_> = list
        .iter()
        .map(|n| json!([n["path"], n["origin"], n["outcome"], n["call"]["name"]]))
        .collect();
    let alice = json!({ "Signed": crate::scene::ALICE.to_string() });
    assert_eq!(
        short,
        [
            json!([[0], alice, "Succeeded", "proxy"]),
            json!([[0, 0], { "Signed": BOB.to_string() }, failed, "remark"]),
            json!([[1], alice, failed, "sudo"]),
            json!([[1, 0], "Root", "NotRun", "remark"]),
        ]
    );
    assert_eq!(list[1]["call"]["args"], json!({ "remark": "0x01" }));
    assert_eq!(shown["success"], json!(null));
    let failure = scene.events(&["!System.ExtrinsicFailed"]);
    let outcome = extrinsic_outcome(&scene.meta, &xt, &failure.iter().collect::<Vec<_>>());
    let shown = extrinsic_json(&scene.meta, &xt, &[], Some(&outcome));
    assert_eq!(
        (&shown["success"], &shown["error"]),
        (&json!(false), &failed["Failed"])
    );
}

#[test]
fn storage_items() {
    let golden = json(GOLDEN);
    let meta = metadata("localdevnet_spec439_v15");
    let key = unhex(&golden["storage_keys"][7]["key_hex"]);
    let shown = storage_json(&meta, &key, None).unwrap();
    assert_eq!(
        shown,
        json!({
            "pallet": "SubtensorModule",
            "entry": "Alpha",
            "keys": golden["storage_keys"][7]["params"],
            "value": null,
        })
    );
    let tempo = meta
        .storage("SubtensorModule", "Tempo")
        .unwrap()
        .key_of_encoded(&[&[7, 0]]);
    let shown = storage_json(&meta, &tempo, Some(&[104, 1])).unwrap();
    assert_eq!(
        (&shown["keys"], &shown["value"]),
        (&json!([7]), &json!(360))
    );
    let error = storage_json(&meta, &tempo, Some(&[104, 1, 0, 0])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode SubtensorModule.Tempo: 2 bytes are left after the value"
    );
    let error = storage_json(&meta, &tempo[..33], None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode SubtensorModule.Tempo: 2 bytes are needed but only 1 are left"
    );
    let error = storage_json(&meta, &[0xab; 4], None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode storage.0xabababab: the metadata does not have it"
    );
    // A hash that does not belong to the key behind it.
    let mut wrong = key.clone();
    wrong[32] ^= 1;
    let error = storage_json(&meta, &wrong, None).unwrap_err();
    assert!(error.to_string().contains("part 0"), "{error}");
}

#[test]
fn hashed_key_parts_are_shown_as_hashes() {
    // No entry of this runtime hides its keys, so one is altered.
    let meta = metadata("localdevnet_spec439_v15");
    let mut entry = meta.storage("SubtensorModule", "Tempo").unwrap().clone();
    entry.hashers = vec![chain_metadata::Hasher::Twox128];
    let netuid = Value::Uint {
        width: 16,
        value: 7,
    };
    let key = entry
        .key(meta.types(), std::slice::from_ref(&netuid))
        .unwrap();
    assert_eq!(key.len(), 48);
    let parts = entry.decode_keys(meta.types(), &key).unwrap();
    assert_eq!(parts, [chain_metadata::KeyPart::Hashed(key[32..].to_vec())]);
    assert_eq!(parts[0].value(), None);
    let too_many = entry
        .key(meta.types(), &[netuid.clone(), netuid])
        .unwrap_err();
    assert_eq!(
        too_many.to_string(),
        "cannot decode SubtensorModule.Tempo: 2 keys are given but the entry has 1"
    );
}
