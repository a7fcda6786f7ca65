//! The vectors of spec 439 in the other direction: calls, extrinsics and what is signed.

use chain_metadata::{
    AccountId, Call, Era, Extrinsic, ExtrinsicKind, Metadata, Shape, Value, decode_call,
    decode_extrinsic, encode_call, encode_extrinsic, encode_type,
};
use serde_json::{Value as Json, json};

use crate::golden::GOLDEN;
use crate::scene::zero;
use crate::support::{hexed, json, metadata, unhex};

/// A value of a type from JSON as a user of the Python client writes it.
pub(crate) fn from_json(meta: &Metadata, ty: u32, json: &Json) -> Value {
    let info = meta.types().get(ty).unwrap();
    match (&info.shape, json) {
        (Shape::Bool, Json::Bool(value)) => Value::Bool(*value),
        (Shape::Uint(width) | Shape::Compact(width), Json::Number(number)) => Value::Uint {
            width: *width,
            value: number.as_u64().unwrap().into(),
        },
        (Shape::Account, Json::String(text)) => {
            Value::Account(text.parse::<AccountId>().unwrap().0)
        }
        (Shape::Bytes | Shape::ByteArray(_), Json::String(_)) => Value::Bytes(unhex(json)),
        (Shape::Sequence(item), Json::Array(list)) => Value::Seq(
            list.iter()
                .map(|json| from_json(meta, *item, json))
                .collect(),
        ),
        (Shape::Variant(variants), Json::String(text)) => {
            // An address, an optional value, or a variant without fields.
            if let Some(id) = variants.by_name("Id") {
                let account = Value::Account(text.parse::<AccountId>().unwrap().0);
                return variant("Id", id.index, vec![account]);
            }
            if let Some(some) = variants.by_name("Some") {
                let inner = from_json(meta, some.fields[0].ty, json);
                return variant("Some", some.index, vec![inner]);
            }
            variant(text, variants.by_name(text).unwrap().index, vec![])
        }
        (shape, json) => panic!("{json} for {shape:?}"),
    }
}

fn variant(name: &str, index: u8, fields: Vec<Value>) -> Value {
    Value::Variant {
        name: name.into(),
        index,
        fields: fields.into_iter().map(|field| (None, field)).collect(),
    }
}

fn call(meta: &Metadata, pallet: &str, name: &str, params: &Json) -> Call {
    let pallet = meta.pallet(pallet).unwrap();
    let functions = meta.types().variants(pallet.calls.unwrap()).unwrap();
    let function = functions.by_name(name).unwrap();
    let call_type = meta.types().resolve(meta.extrinsic().call);
    let args = function.fields.iter().map(|field| {
        let name = field.name.clone().unwrap();
        let param = &params[&*name];
        let item = match &meta.types().get(field.ty).unwrap().shape {
            Shape::Sequence(item) => Some(*item),
            _ => None,
        };
        let value = if field.ty == call_type {
            inner_call(meta, param).to_value()
        } else if item == Some(call_type) {
            let list = param.as_array().unwrap().iter();
            Value::Seq(
                list.map(|param| inner_call(meta, param).to_value())
                    .collect(),
            )
        } else if param.is_null() {
            panic!("no {name} in {params}");
        } else {
            from_json(meta, field.ty, param)
        };
        (name, value)
    });
    Call {
        pallet: pallet.name.as_str().into(),
        name: function.name.clone(),
        pallet_index: pallet.index,
        call_index: function.index,
        args: args.collect(),
    }
}

/// The vectors describe inner calls in words.
fn inner_call(meta: &Metadata, param: &Json) -> Call {
    let transfer = |value: u64, dest: &str| {
        call(
            meta,
            "Balances",
            "transfer_keep_alive",
            &json!({"dest": dest, "value": value}),
        )
    };
    match param.as_str() {
        Some("transfer 1 to bob") => {
            transfer(1, "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty")
        }
        Some("transfer 2 to charlie") => {
            transfer(2, "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y")
        }
        Some(other) => panic!("{other}"),
        None => call(
            meta,
            param["module"].as_str().unwrap(),
            param["function"].as_str().unwrap(),
            param,
        ),
    }
}

#[test]
fn calls() {
    let golden = json(GOLDEN);
    for meta in [
        metadata("localdevnet_spec439_v14"),
        metadata("localdevnet_spec439_v15"),
    ] {
        let vectors = golden["calls"].as_array().unwrap();
        assert_eq!(vectors.len(), 10);
        for vector in vectors {
            let (pallet, name) = (&vector["module"], &vector["function"]);
            let call = call(
                &meta,
                pallet.as_str().unwrap(),
                name.as_str().unwrap(),
                &vector["params"],
            );
            let bytes = encode_call(&meta, &call).unwrap();
            assert_eq!(vector["data_hex"], hexed(&bytes), "{pallet}.{name}");
            let back = decode_call(&meta, &bytes).unwrap();
            assert_eq!(Call::from_value(&back.to_value()), Some(back.clone()));
            assert_eq!(encode_call(&meta, &back).unwrap(), bytes);
            assert_eq!(back.full_name(), call.full_name());
        }
    }
}

/// Extensions as the vectors give them: era, nonce and tip, everything else empty.
fn extensions(meta: &Metadata, vector: &Json) -> Vec<(std::sync::Arc<str>, Value)> {
    let uint = |width, field: &str| Value::Uint {
        width,
        value: vector[field].as_u64().unwrap().into(),
    };
    let values = meta.extrinsic().extensions.iter().map(|extension| {
        let value = match &*extension.name {
            "CheckMortality" => era(&vector["era"]),
            "CheckNonce" => uint(32, "nonce"),
            "ChargeTransactionPayment" => uint(64, "tip"),
            _ => zero(meta.types(), extension.ty),
        };
        (extension.name.clone(), value)
    });
    values.collect()
}

fn era(json: &Json) -> Value {
    let Some(period) = json["period"].as_u64() else {
        return variant("Immortal", 0, vec![]);
    };
    let phase = json["current"].as_u64().unwrap() % period;
    let encoded = u64::from(period.trailing_zeros() - 1) + (phase << 4);
    let [first, second] = u16::try_from(encoded).unwrap().to_le_bytes();
    let second = Value::Uint {
        width: 8,
        value: second.into(),
    };
    variant(&format!("Mortal{first}"), first, vec![second])
}

#[test]
fn extrinsics() {
    let golden = json(GOLDEN);
    let vectors = golden["extrinsics"].as_array().unwrap();
    assert_eq!(vectors.len(), 2);
    for meta in [
        metadata("localdevnet_spec439_v14"),
        metadata("localdevnet_spec439_v15"),
    ] {
        for vector in vectors {
            let signer: AccountId = vector["address"].as_str().unwrap().parse().unwrap();
            let made = Extrinsic {
                index: 0,
                hash: chain_metadata::H256::ZERO,
                raw_len: 0,
                version: 4,
                kind: ExtrinsicKind::Signed {
                    address: variant("Id", 0, vec![Value::Account(signer.0)]),
                    signature: variant(
                        "Sr25519",
                        1,
                        vec![Value::Bytes(unhex(&vector["signature_hex"]))],
                    ),
                },
                extensions: extensions(&meta, vector),
                call: decode_call(&meta, &unhex(&vector["call_data_hex"])).unwrap(),
            };
            let raw = encode_extrinsic(&meta, &made).unwrap();
            assert_eq!(vector["extrinsic_hex"], hexed(&raw));
            let back = decode_extrinsic(&meta, &raw).unwrap();
            assert_eq!(vector["extrinsic_hash"], back.hash.to_string());
            assert_eq!((back.kind, back.call), (made.kind, made.call));
            let expected = match vector["era"]["period"].as_u64() {
                None => Era::Immortal,
                Some(period) => Era::Mortal {
                    period,
                    phase: vector["era"]["current"].as_u64().unwrap() % period,
                },
            };
            let back = decode_extrinsic(&meta, &raw).unwrap();
            assert_eq!(back.era(), Some(expected));
            assert_eq!(back.nonce(), vector["nonce"].as_u64());
            assert_eq!(back.tip(), vector["tip"].as_u64().map(u128::from));
        }
    }
}

#[test]
fn what_is_signed() {
    let golden = json(GOLDEN);
    let meta = metadata("localdevnet_spec439_v15");
    let genesis = Value::Bytes(unhex(&golden["network"]["genesis_hash"]));
    let vectors = golden["signature_payloads"].as_array().unwrap();
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        let mut payload = unhex(&vector["call_data_hex"]);
        for ((_, value), extension) in extensions(&meta, vector)
            .iter()
            .zip(&meta.extrinsic().extensions)
        {
            encode_type(meta.types(), extension.ty, value, &mut payload).unwrap();
        }
        let birth = match &vector["era_birth_block_hash"] {
            Json::Null => genesis.clone(),
            hash => Value::Bytes(unhex(hash)),
        };
        let number = |name: &str| Value::Uint {
            width: 32,
            value: golden["network"][name].as_u64().unwrap().into(),
        };
        for extension in &meta.extrinsic().extensions {
            let implicit = match &*extension.name {
                "CheckSpecVersion" => number("spec_version"),
                "CheckTxVersion" => number("transaction_version"),
                "CheckGenesis" => genesis.clone(),
                "CheckMortality" => birth.clone(),
                _ => zero(meta.types(), extension.implicit),
            };
            encode_type(meta.types(), extension.implicit, &implicit, &mut payload).unwrap();
        }
        assert_eq!(vector["payload_hex"], hexed(&payload));
    }
}
