use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn what_python_prints() {
    for (text, wanted) in [
        ("{}", json!({})),
        (
            "{'a': 1, \"b\": -2.5e-3, 'c': None,}",
            json!({"a": 1, "b": -0.0025, "c": null}),
        ),
        ("{'it': 10, 'p': True}", json!({"it": 10, "p": true})),
        (
            "{'s': 'it\\'s \\x41\\u00e9 \\\\'}",
            json!({"s": "it's Aé \\"}),
        ),
        ("[1, (2, 3), []]", json!([1, [2, 3], []])),
        (
            "{\"it\": 10, \"p\": true, \"q\": null}",
            json!({"it": 10, "p": true, "q": null}),
        ),
        (" 'x' ", json!("x")),
        ("{'a': 1, 'a': 2}", json!({"a": 2})),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap(), wanted, "{text}");
    }
}

#[test]
fn code_is_refused() {
    for text in [
        "",
        "__import__('os').system('rm -rf /')",
        "{'a': open('x')}",
        "{'a': exec}",
        "{'a': 1+1}",
        "{'a': 1 + 1}",
        "{'a': 1j}",
        "{'a': nan}",
        "{'a': inf}",
        "{'a': NaN}",
        "{'a': 1e999}",
        "{'a': 0x10}",
        "{'a': lambda: 1}",
        "{'a': b'x'}",
        "{'a': [x for x in y]}",
        "{1: 2}",
        "{'a' 1}",
        "{'a': }",
        "{'a': 1",
        "{'a': 1}}",
        "{'a': 1}; import os",
        "{'a': 'x}",
        "{'a': '\\N{DIGIT ONE}'}",
        "{'a': '\\x4'}",
        "{'a': ---}",
        "{**{}}",
        "{'a': 1 if x else 2}",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
        assert!(walk(text.as_bytes(), |_, _| ()).is_err(), "{text}");
    }
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert!(parse(&deep).unwrap_err().what.contains("too deep"));
    let deep = [b"{'a':".to_vec(), deep, b"}".to_vec()].concat();
    assert!(walk(&deep, |_, _| ()).is_err());
    assert!(walk(b"[1]", |_, _| ()).is_err());
    let error = parse(b"{'a': exec}").unwrap_err().to_string();
    assert!(error.contains("at character 6"), "{error}");
}

#[test]
fn walking_tells_scalars() {
    let mut found = Vec::new();
    let text = b"{'it': 10, 'p': True, 'n': None, 'l': [1, {'it': 2}], 's': '1.5', 'e\\x41': 1}";
    walk(text, |key, scalar| {
        found.push((String::from_utf8_lossy(key).into_owned(), scalar))
    })
    .unwrap();
    let wanted = [
        ("it", Scalar::Number(10.0)),
        ("p", Scalar::Bool(true)),
        ("n", Scalar::Other),
        ("l", Scalar::Other),
        ("s", Scalar::Number(1.5)),
        ("eA", Scalar::Number(1.0)),
    ];
    assert_eq!(found, wanted.map(|(key, scalar)| (key.to_owned(), scalar)));
}

fn printed(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(printed).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(k, v)| format!("{}: {}", printed(&k.as_str().into()), printed(v)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::from),
        "[ -~é]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-z'\\\\]{0,4}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn both_ways_of_writing_are_read(value in values()) {
        prop_assert_eq!(&parse(printed(&value).as_bytes()).unwrap(), &value);
        prop_assert_eq!(&parse(value.to_string().as_bytes()).unwrap(), &value);
        if value.is_object() {
            prop_assert!(walk(printed(&value).as_bytes(), |_, _| ()).is_ok());
        }
    }

    #[test]
    fn no_bytes_panic(text in "[\\[\\](){}'\":,.0-9eENoTrux\\\\ -]{0,40}") {
        let parsed = parse(text.as_bytes());
        let walked = walk(text.as_bytes(), |_, _| ());
        if walked.is_ok() {
            prop_assert!(parsed.is_ok());
        }
    }
}
