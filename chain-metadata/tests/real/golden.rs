//! An independent codec's vectors of spec 439: storage, events, a block, runtime APIs.
//!
//! Not covered, because it is not in the bytes that this crate reads: `receipt.total_fee_amount`
//! is compared with the fee in the event; `payment_info` is an answer of the node without its
//! bytes (only its shape was recorded).

use chain_metadata::{
    AccountId, Event, H256, KeyPart, Metadata, Phase, Value, blake2_256, decode_all, decode_events,
    decode_extrinsic, encode_events, encode_extrinsic, encode_type, extrinsic_outcome,
    multisig_account, runtime_api_output,
};
use serde_json::Value as Json;

use crate::compare::{same_as_python, same_fields};
use crate::golden_calls::from_json;
use crate::support::{hexed, json, metadata, unhex};

pub(crate) const GOLDEN: &str = "blocks/golden_spec439.json";

fn both() -> [std::sync::Arc<Metadata>; 2] {
    [
        metadata("localdevnet_spec439_v14"),
        metadata("localdevnet_spec439_v15"),
    ]
}

fn list<'a>(golden: &'a Json, name: &str, count: usize) -> &'a [Json] {
    let list = golden[name].as_array().unwrap();
    assert_eq!(list.len(), count, "{name}");
    list
}

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {json}"))
}

#[test]
fn recorded_metadata_loads_in_its_wrappers() {
    let golden = json(GOLDEN);
    let v15 = Metadata::from_bytes(&unhex(&golden["metadata"]["v15_hex"])).unwrap();
    let v14 = Metadata::from_bytes(&unhex(&golden["metadata"]["v14_hex"])).unwrap();
    assert_eq!((v14.version(), v15.version()), (14, 15));
    let spec = golden["network"]["spec_version"].as_u64().unwrap();
    assert_eq!(v14.spec_version().map(u64::from), Ok(spec));
    assert_eq!(v15.spec_version().map(u64::from), Ok(spec));
}

#[test]
fn storage_keys() {
    let golden = json(GOLDEN);
    for meta in both() {
        for vector in list(&golden, "storage_keys", 10) {
            let entry = meta.storage(text(vector, "pallet"), text(vector, "storage_function"));
            let entry = entry.unwrap();
            let params: Vec<Value> = vector["params"]
                .as_array()
                .unwrap()
                .iter()
                .zip(&entry.keys)
                .map(|(param, ty)| from_json(&meta, *ty, param))
                .collect();
            let key = entry.key(meta.types(), &params).unwrap();
            assert_eq!(vector["key_hex"], hexed(&key));
            let found = meta.storage_by_key(&key).unwrap();
            assert_eq!((&found.pallet, &found.name), (&entry.pallet, &entry.name));
            let parts = entry.decode_keys(meta.types(), &key).unwrap();
            let expected: Vec<_> = params.iter().cloned().map(KeyPart::Value).collect();
            assert_eq!(parts, expected);
            if meta.version() == 15 {
                assert_eq!(
                    vector["value_scale_type"],
                    format!("scale_info::{}", entry.value)
                );
            }
        }
    }
}

#[test]
fn storage_values() {
    let golden = json(GOLDEN);
    for meta in both() {
        for vector in list(&golden, "storage_values", 8) {
            let key = unhex(&vector["key_hex"]);
            let entry = meta.storage_by_key(&key).unwrap();
            assert_eq!(entry.pallet, text(vector, "pallet"));
            assert_eq!(entry.name, text(vector, "storage_function"));
            let value = if vector["raw_hex"].is_null() {
                entry.default_value(meta.types()).unwrap().unwrap()
            } else {
                let raw = unhex(&vector["raw_hex"]);
                entry.check_value(meta.types(), &raw).unwrap();
                entry.decode_value(meta.types(), &raw).unwrap()
            };
            same_as_python(&value, &vector["decoded"]).unwrap();
        }
    }
}

#[test]
fn query_maps() {
    let golden = json(GOLDEN);
    let meta = metadata("localdevnet_spec439_v15");
    let mut rows = 0;
    for map in list(&golden, "query_maps", 4) {
        let entry = meta
            .storage(text(map, "pallet"), text(map, "storage_function"))
            .unwrap();
        let params = map["params"].as_array().unwrap();
        let params: Vec<Value> = params
            .iter()
            .zip(&entry.keys)
            .map(|(param, ty)| from_json(&meta, *ty, param))
            .collect();
        let prefix = entry.key(meta.types(), &params).unwrap();
        assert_eq!(map["prefix_hex"], hexed(&prefix));
        let keys = map["raw_keys"].as_array().unwrap();
        let changes = map["raw_changes"].as_array().unwrap();
        let pairs = map["pairs"].as_array().unwrap();
        assert!(keys.len() == changes.len() && keys.len() == pairs.len());
        for ((key, change), pair) in keys.iter().zip(changes).zip(pairs) {
            assert_eq!(change[0], *key);
            let key = unhex(key);
            assert!(key.starts_with(&prefix));
            let parts = entry.decode_keys(meta.types(), &key).unwrap();
            let [KeyPart::Value(last)] = &parts[params.len()..] else {
                panic!("{parts:?}");
            };
            same_as_python(last, &pair[0]).unwrap();
            let value = entry
                .decode_value(meta.types(), &unhex(&change[1]))
                .unwrap();
            same_as_python(&value, &pair[1]).unwrap();
            rows += 1;
        }
    }
    assert_eq!(rows, 100);
}

#[test]
fn all_events_field_by_field() {
    let golden = json(GOLDEN);
    let raw = unhex(&golden["events"]["raw_hex"]);
    let theirs = golden["events"]["decoded"].as_array().unwrap();
    assert_eq!(theirs.len(), 491);
    for meta in both() {
        let events = decode_events(&meta, &raw).unwrap();
        assert_eq!(events.len(), theirs.len());
        assert_eq!(encode_events(&meta, &events).unwrap(), raw);
        for (event, theirs) in events.iter().zip(theirs) {
            same_event(event, theirs);
        }
    }
}

fn same_event(event: &Event, theirs: &Json) {
    let (phase, index) = match event.phase {
        Phase::ApplyExtrinsic(index) => ("ApplyExtrinsic", Some(index)),
        Phase::Finalization => ("Finalization", None),
        Phase::Initialization => ("Initialization", None),
    };
    assert_eq!(theirs["phase"], phase);
    assert_eq!(
        theirs["extrinsic_idx"],
        serde_json::to_value(index).unwrap()
    );
    assert_eq!(theirs["module_id"], *event.pallet);
    assert_eq!(theirs["event_id"], *event.name);
    assert_eq!(theirs["event_index"], event.pallet_index);
    let both = format!("{:02x}{:02x}", event.pallet_index, event.variant_index);
    assert_eq!(theirs["event"]["event_index"], both);
    same_fields(&event.fields, &theirs["attributes"])
        .unwrap_or_else(|e| panic!("event {} {}: {e}", event.index, event.name));
    assert_eq!(
        theirs["topics"].as_array().unwrap().len(),
        event.topics.len()
    );
}

#[test]
fn block_and_receipt() {
    let golden = json(GOLDEN);
    let block = &golden["block"];
    let events_raw = unhex(&golden["events"]["raw_hex"]);
    for meta in both() {
        let events = decode_events(&meta, &events_raw).unwrap();
        let raws = block["raw"]["block"]["extrinsics"].as_array().unwrap();
        let theirs = block["decoded_extrinsics"].as_array().unwrap();
        assert_eq!((raws.len(), theirs.len()), (3, 3));
        for (at, (raw, theirs)) in raws.iter().zip(theirs).enumerate() {
            let raw = unhex(raw);
            let xt = decode_extrinsic(&meta, &raw).unwrap();
            assert_eq!(encode_extrinsic(&meta, &xt).unwrap(), raw);
            assert_eq!(theirs["extrinsic_hash"], xt.hash.to_string());
            let behind_length = raw.len() - if raw[0] & 3 == 0 { 1 } else { 2 };
            assert_eq!(theirs["extrinsic_length"], behind_length);
            let call = &theirs["call"];
            assert_eq!(call["call_module"], *xt.call.pallet);
            assert_eq!(call["call_function"], *xt.call.name);
            let index = format!("0x{:02x}{:02x}", xt.call.pallet_index, xt.call.call_index);
            assert_eq!(call["call_index"], index);
            let encoded = chain_metadata::encode_call(&meta, &xt.call).unwrap();
            assert_eq!(call["call_hash"], blake2_256(&encoded).to_string());
            let args = call["call_args"].as_array().unwrap();
            assert_eq!(args.len(), xt.call.args.len());
            for (theirs, (name, value)) in args.iter().zip(&xt.call.args) {
                assert_eq!(theirs["name"], **name);
                same_as_python(value, &theirs["value"]).unwrap();
            }
            if let Some(address) = theirs["address"].as_str() {
                assert_eq!(xt.signer().unwrap().to_string(), address);
                let chain_metadata::ExtrinsicKind::Signed { signature, .. } = &xt.kind else {
                    panic!("{:?}", xt.kind);
                };
                same_as_python(signature, &theirs["signature"]).unwrap();
                assert_eq!(theirs["nonce"], xt.nonce().unwrap());
                assert_eq!(theirs["tip"].as_u64().map(u128::from), xt.tip());
                assert_eq!(xt.era(), Some(chain_metadata::Era::Immortal));
                let mode = xt.extension("CheckMetadataHash").unwrap();
                same_as_python(mode, &theirs["mode"]).unwrap();
            }
            if golden["receipt"]["extrinsic_idx"] == at {
                check_receipt(&meta, &golden["receipt"], &xt, &events, at);
            }
        }
    }
}

fn check_receipt(
    meta: &Metadata,
    receipt: &Json,
    xt: &chain_metadata::Extrinsic,
    events: &[Event],
    at: usize,
) {
    let index = u32::try_from(at).unwrap();
    let own: Vec<&Event> = events
        .iter()
        .filter(|event| event.extrinsic_index() == Some(index))
        .collect();
    let theirs = receipt["triggered_events"].as_array().unwrap();
    assert_eq!(own.len(), theirs.len());
    for (event, theirs) in own.iter().zip(theirs) {
        same_event(event, theirs);
    }
    let outcome = extrinsic_outcome(meta, xt, &own);
    assert_eq!(outcome.success, receipt["is_success"].as_bool());
    assert_eq!(outcome.error, None);
    assert_eq!(
        outcome.fee,
        receipt["total_fee_amount"].as_u64().map(u128::from)
    );
    assert_eq!(outcome.tip, Some(0));
}

#[test]
fn header_hash() {
    let golden = json(GOLDEN);
    let header = &golden["block"]["decoded_header"];
    let mut bytes = unhex(&header["parentHash"]);
    let number = u32::try_from(header["number"].as_u64().unwrap()).unwrap();
    parity_scale_codec::Encode::encode_to(&parity_scale_codec::Compact(number), &mut bytes);
    bytes.extend(unhex(&header["stateRoot"]));
    bytes.extend(unhex(&header["extrinsicsRoot"]));
    let logs = header["digest"]["logs"].as_array().unwrap();
    bytes.push(u8::try_from(logs.len()).unwrap() << 2);
    for log in logs {
        bytes.extend(unhex(log));
    }
    assert_eq!(header["hash"], blake2_256(&bytes).to_string());
    assert_eq!(
        golden["block"]["block_hash"].as_str().unwrap().parse(),
        Ok(blake2_256(&bytes))
    );
}

#[test]
fn constants() {
    let golden = json(GOLDEN);
    for meta in both() {
        for vector in list(&golden, "constants", 3) {
            let (ty, bytes) = meta
                .constant(text(vector, "module"), text(vector, "name"))
                .unwrap();
            let value = decode_all(meta.types(), *ty, bytes).unwrap();
            same_as_python(&value, &vector["decoded"]).unwrap();
        }
    }
}

#[test]
fn addresses() {
    let golden = json(GOLDEN);
    for vector in list(&golden, "ss58", 4) {
        let account: AccountId = text(vector, "address").parse().unwrap();
        assert_eq!(vector["public_key_hex"], hexed(&account.0));
        assert_eq!(vector["address"], account.to_string());
    }
    for vector in list(&golden, "multisig", 3) {
        let signatories = vector["signatories"].as_array().unwrap().iter();
        let signatories: Vec<AccountId> = signatories
            .map(|s| s.as_str().unwrap().parse().unwrap())
            .collect();
        let threshold = u16::try_from(vector["threshold"].as_u64().unwrap()).unwrap();
        let account = multisig_account(&signatories, threshold);
        assert_eq!(vector["ss58_address"], account.to_string());
    }
}

#[test]
fn runtime_calls() {
    let golden = json(GOLDEN);
    let meta = metadata("localdevnet_spec439_v15");
    for vector in list(&golden, "runtime_calls", 4) {
        let (api, method) = (text(vector, "api"), text(vector, "method"));
        let output = runtime_api_output(&meta, api, method).unwrap();
        let raw = unhex(&vector["raw_hex"]);
        let value = decode_all(meta.types(), output, &raw).unwrap();
        same_as_python(&value, &vector["decoded"]).unwrap_or_else(|e| panic!("{method}: {e}"));
        let mut again = Vec::new();
        encode_type(meta.types(), output, &value, &mut again).unwrap();
        assert_eq!(again, raw);
        let inputs = &meta.runtime_api(api, method).unwrap().inputs;
        let params = vector["params"].as_array().unwrap();
        assert_eq!(inputs.len(), params.len());
        let mut encoded = Vec::new();
        for ((_, ty), param) in inputs.iter().zip(params) {
            let value = from_json(&meta, *ty, param);
            encode_type(meta.types(), *ty, &value, &mut encoded).unwrap();
        }
        assert_eq!(text(vector, "encoded_params_hex"), hex::encode(encoded));
    }
}

#[test]
fn genesis_hash_is_a_hash() {
    let golden = json(GOLDEN);
    let text = text(&golden["network"], "genesis_hash");
    let hash: H256 = text.parse().unwrap();
    assert_eq!(hash.to_string(), text);
    assert_ne!(hash, H256::ZERO);
}
