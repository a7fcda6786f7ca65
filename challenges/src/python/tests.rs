//! What Python writes.

use proptest::prelude::*;

use super::*;

#[test]
fn texts_are_as_python_makes_them() {
    for (given, written) in [
        (r#"{"b":1,"a":"é"}"#, r#"{"b": 1, "a": "\u00e9"}"#),
        (
            "[1E5, 1e22,1e-5,-0.0, -0, 123456789012345678901234567890]",
            "[100000.0, 1e+22, 1e-05, -0.0, 0, 123456789012345678901234567890]",
        ),
        (
            r#"["😀", "\u007f\/", "\n\u0001"]"#,
            r#"["\ud83d\ude00", "\u007f/", "\n\u0001"]"#,
        ),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a": 3, "b": 2}"#),
        (" [ ] ", "[]"),
        ("{}", "{}"),
        ("[true,false,null]", "[true, false, null]"),
    ] {
        assert_eq!(dumps(&parse(given).unwrap()), written, "{given}");
    }
    for (value, text) in [
        (9_007_199_254_740_993.0, "9007199254740992.0"),
        (1e15, "1000000000000000.0"),
        // Two shortest forms are equally near: the even digit.
        (7_827_495_935_805_697.0 / 4.0, "1956873983951424.2"),
        (1_423_510_569_309_561.0 / 8.0, "177938821163695.12"),
        (-0.0, "-0.0"),
        (0.000_123, "0.000123"),
        (-0.5, "-0.5"),
        (120.0, "120.0"),
        (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        (5e-324, "5e-324"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e100, "1e+100"),
    ] {
        assert_eq!(float_repr(value), text);
    }
}

#[test]
fn what_is_no_json_is_refused_where_it_is() {
    for (text, at) in [
        ("", 0),
        ("[1,]", 3),
        ("01", 2),
        ("[NaN]", 1),
        ("Infinity", 0),
        ("1e999", 5),
        ("\"\\ud800\"", 7),
        ("\"\\ud800\\u0041\"", 13),
        ("\"a\nb\"", 2),
        ("{\"a\" 1}", 5),
        ("{1:2}", 1),
        ("[] []", 3),
        ("\"abc", 4),
        ("1.", 2),
        ("\"\\x\"", 2),
        ("\"\\u00é\"", 3),
    ] {
        assert_eq!(parse(text).unwrap_err().at, at, "{text}");
    }
    assert!(parse(&format!("{}1{}", "[".repeat(64), "]".repeat(64))).is_ok());
    assert!(parse(&"[".repeat(1_000_000)).is_err());
    assert!(parse(&"{\"a\":".repeat(1_000_000)).is_err());
    assert!(parse(&"9".repeat(4301)).is_err());
    assert!(parse_slice(&[b'"', 0xff, b'"']).is_err());
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i128>().prop_map(|n| Json::Int(n.to_string())),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(Json::Float),
        any::<String>().prop_map(Json::Str),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Json::Dict(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in json()) {
        let text = dumps(&value);
        prop_assert!(text.is_ascii());
        prop_assert_eq!(&parse(&text).unwrap(), &value);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        let through: Json = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&through, &value);
        prop_assert_eq!(serde_json::to_string(&value).unwrap(), text);
    }

    #[test]
    fn a_float_comes_back(value in any::<f64>()) {
        prop_assume!(value.is_finite());
        let text = float_repr(value);
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
    }

    #[test]
    fn no_text_panics(text in any::<String>(), near in "[\\[\\]{}\",:\\\\u0-9a-f.eE+-]{0,30}") {
        let _ = parse(&text);
        let _ = parse(&near);
    }
}
