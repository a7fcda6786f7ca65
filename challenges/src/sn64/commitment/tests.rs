use super::*;

fn variant(name: &str, field: Value) -> Value {
    Value::Variant {
        name: name.into(),
        index: 131,
        fields: vec![(None, field)],
    }
}

fn registration(fields: Value) -> Value {
    let info = Value::Composite(vec![(Some("fields".into()), fields)]);
    Value::Composite(vec![
        (
            Some("deposit".into()),
            Value::Uint {
                width: 64,
                value: 0,
            },
        ),
        (
            Some("block".into()),
            Value::Uint {
                width: 32,
                value: 7,
            },
        ),
        (Some("info".into()), info),
    ])
}

#[test]
fn every_shape_of_a_hash() {
    let bytes = Value::Bytes(vec![9; 32]);
    let numbers = Value::Seq(vec![Value::Uint { width: 8, value: 9 }; 32]);
    let text = Value::Str("0x".to_owned() + &"09".repeat(32));
    let bare = Value::Bytes("09".repeat(32).into_bytes());
    for hash in [bytes, numbers, text, bare] {
        for hash in [hash.clone(), Value::Tuple(vec![hash])] {
            let field = variant("Sha256", hash);
            for fields in [
                Value::Seq(vec![field.clone()]),
                Value::Seq(vec![Value::Tuple(vec![field.clone()])]),
                Value::Seq(vec![
                    variant("None", Value::Unit),
                    Value::Seq(vec![field.clone()]),
                ]),
            ] {
                assert_eq!(
                    sha256(&registration(fields.clone())),
                    Some([9; 32]),
                    "{fields:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_no_hash() {
    for field in [
        variant("Sha256", Value::Bytes(vec![9; 31])),
        variant("BlakeTwo256", Value::Bytes(vec![9; 32])),
        variant("Raw32", Value::Bytes(vec![9; 32])),
        variant(
            "Sha256",
            Value::Seq(vec![
                Value::Uint {
                    width: 16,
                    value: 999
                };
                32
            ]),
        ),
        variant("Sha256", Value::Unit),
    ] {
        assert_eq!(
            sha256(&registration(Value::Seq(vec![field.clone()]))),
            None,
            "{field:?}"
        );
    }
    let mut deep = variant("Sha256", Value::Bytes(vec![9; 32]));
    for _ in 0..1000 {
        deep = Value::Tuple(vec![deep]);
    }
    assert_eq!(sha256(&deep), None);
}

#[test]
fn without_a_store_nothing_can_be_told() {
    let verdict = check(None, NetUid(64), &AccountId([1; 32]), 7, &[0; 32]).unwrap();
    assert_eq!(verdict.word(), "unverifiable");
    let store = Store::in_memory().unwrap();
    let verdict = check(Some(&store), NetUid(64), &AccountId([1; 32]), 7, &[0; 32]).unwrap();
    let Verdict::Unverifiable { why } = verdict else {
        panic!("{verdict:?}")
    };
    assert!(why.contains("block 7 is not in the store"), "{why}");
}
