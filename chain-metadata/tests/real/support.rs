//! Fixtures.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use chain_metadata::Metadata;
use serde_json::Value as Json;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A compressed fixture.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.zst"));
    let packed = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    zstd::decode_all(packed.as_slice()).unwrap()
}

/// A compressed JSON fixture. Integers that leave 64 bits become strings.
pub(crate) fn json(name: &str) -> Json {
    let text = String::from_utf8(bytes(name)).unwrap();
    serde_json::from_str(&quote_large_integers(&text)).unwrap()
}

/// A compressed fixture of hex digits.
pub(crate) fn hex_file(name: &str) -> Vec<u8> {
    hex::decode(String::from_utf8(bytes(name)).unwrap().trim()).unwrap()
}

/// Bytes of a `0x` string.
pub(crate) fn unhex(value: &Json) -> Vec<u8> {
    let text = value.as_str().unwrap();
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).unwrap()
}

pub(crate) fn hexed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Names of all metadata fixtures.
pub(crate) fn metadata_names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder().join("metadata"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".scale.zst").unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// A metadata fixture, read once per test run.
pub(crate) fn metadata(name: &str) -> Arc<Metadata> {
    static KNOWN: OnceLock<Mutex<HashMap<String, Arc<Metadata>>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap();
    let load = || {
        let raw = bytes(&format!("metadata/{name}.scale"));
        Arc::new(Metadata::from_bytes(&raw).unwrap())
    };
    known.entry(name.to_owned()).or_insert_with(load).clone()
}

fn quote_large_integers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !in_string && first.is_ascii_digit() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let digits = &rest[..end];
            if digits.parse::<u64>().is_err() {
                out.push_str(&format!("\"{digits}\""));
            } else {
                out.push_str(digits);
            }
            rest = &rest[end..];
            continue;
        }
        if first == '\\' {
            out.push_str(&rest[..2]);
            rest = &rest[2..];
            continue;
        }
        in_string ^= first == '"';
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

#[test]
fn large_integers_survive() {
    let text =
        r#"{"a": 340282366920938463463374607431768211455, "b": [1, "12345678901234567890123\"4"]}"#;
    let json: Json = serde_json::from_str(&quote_large_integers(text)).unwrap();
    assert_eq!(json["a"], "340282366920938463463374607431768211455");
    assert_eq!(json["b"][0], 1);
    assert_eq!(json["b"][1], "12345678901234567890123\"4");
}
