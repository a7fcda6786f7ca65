//! Bodies that nobody honest sends.

use std::io::Write;

use challenges::ledger::Ledger;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::json;

use super::{NOW, body, chutes, gzip, over, record, refused, rows, signed, store, take, with};

/// Refused as an object, and nothing kept of what stands beside it.
fn bad(text: &str, code: &str) -> String {
    let body = text.as_bytes();
    refused(&signed(1, NOW, body), body, code)
}

#[test]
fn hostile_bodies_are_refused() {
    let large = format!("[{}]", vec![record("m").to_string(); 90_000].join(","));
    assert!(large.len() > 10 << 20);
    bad(&large, "BODY_TOO_LARGE");
    let deep = |n: usize| {
        let details = format!("{}1{}", "[".repeat(n), "]".repeat(n));
        record("m")
            .to_string()
            .replace("{\"commit\":\"x\"}", &details)
    };
    bad(&deep(33), "TOO_DEEP");
    bad(&deep(100_000), "TOO_DEEP");
    bad(&"[".repeat(500_000), "TOO_DEEP");
    bad(&"{\"a\":".repeat(100_000), "TOO_DEEP");
    let long = "x".repeat(70_000);
    bad(&record(&long).to_string(), "TEXT_TOO_LONG");
    bad(&format!("{{\"{long}\":1}}"), "TEXT_TOO_LONG");
    let good = record("m").to_string();
    let put = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replace(from, to)
    };
    for twice in [
        put("\"subject\":", "\"subject\":\"x\",\"subject\":"),
        put("\"commit\":\"x\"", "\"commit\":\"x\",\"commit\":\"y\""),
        put("\"commit\":\"x\"", "\"a\":1,\"\\u0061\":2"),
        put(
            "\"kind\":\"submission\"",
            "\"kind\":\"score\",\"kind\":\"submission\"",
        ),
    ] {
        bad(&twice, "DUPLICATE_MEMBER");
    }
    for text in [
        "",
        "nul",
        "{",
        "NaN",
        "[NaN]",
        "{\"a\":Infinity}",
        "[1e999]",
        "[01]",
        "'a'",
        "[1,]",
        "{}{}",
        "\u{feff}[]",
    ] {
        bad(text, "NOT_JSON");
    }
    refused(&signed(1, NOW, b"[\"\xff\"]"), b"[\"\xff\"]", "NOT_JSON");
    bad("[]", "EMPTY");
    for text in ["1", "null", "[[]]", "\"text\"", "[1]", "{}"] {
        bad(text, "BAD_RECORD");
    }
    for (text, part) in [
        (put("\"subject\":\"m\"", "\"subject\":\"\""), "`subject`"),
        (put("\"subject\":\"m\"", "\"subject\":7"), "string"),
        (
            put("\"subject\":\"m\"", "\"subject\":\"a\\u0000\""),
            "control",
        ),
        (record(&"s".repeat(256)).to_string(), "256 bytes"),
        (put("\"at_ms\":5", "\"at_ms\":-5"), "invalid value"),
        (put("\"at_ms\":5", "\"at_ms\":5.5"), "floating point"),
        (put("\"id\":\"token\"", "\"id\":null"), "null"),
        (put(",\"id\":\"token\"", ""), "missing field `id`"),
        (put("submission", "finalization"), "made here"),
        (put("submission", "Submission"), "`record.kind`"),
        (
            "{\"challenge\":\"c\",\"subject\":\"s\",\"record\":[]}".into(),
            "no object",
        ),
        (
            put(
                "{\"at_ms\":5,\"details\":{\"commit\":\"x\"},\"id\":\"token\",\"kind\":\"submission\"}",
                "{\"kind\":\"comparison\",\"of\":\"a\",\"with\":\"b\",\"similarity\":1.5}",
            ),
            "0 to 1",
        ),
    ] {
        let told = bad(&text, "BAD_RECORD");
        assert!(
            told.contains(part) && told.contains("record 0"),
            "{text}: {told}"
        );
    }
    for text in [
        put("\"subject\"", "\"extra\":1,\"subject\""),
        put("\"id\"", "\"score\":1,\"id\""),
    ] {
        bad(&text, "UNKNOWN_MEMBER");
    }
    // A good record beside a bad one is not kept either, nor one that stands twice.
    let told = bad(&format!("[{good},{good}]"), "DUPLICATE_RECORD");
    assert!(told.contains("record 1"), "{told}");
    bad(&format!("[{good},{{}}]"), "BAD_RECORD");
    let many = body(1001);
    refused(&signed(1, NOW, &many), &many, "TOO_MANY_RECORDS");
    let lines = vec![good.clone(); 1001].join("\n");
    let headers = signed(1, NOW, lines.as_bytes());
    let headers = with(headers, "content-type", "application/x-ndjson");
    refused(&headers, lines.as_bytes(), "TOO_MANY_RECORDS");
    let cut = format!("{good}\n{}", &good[..20]);
    let headers = with(
        signed(1, NOW, cut.as_bytes()),
        "content-type",
        "application/x-ndjson",
    );
    let told = refused(&headers, cut.as_bytes(), "NOT_JSON");
    assert!(told.contains("line 2"), "{told}");
}

#[test]
fn packed_bodies_are_unpacked_only_so_far() {
    let packed = |bytes: &[u8]| {
        let headers = signed(1, NOW, bytes);
        with(headers, "content-encoding", "gzip")
    };
    // A gigabyte of blanks in a megabyte, one in the other, and nothing that is gzip.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..900 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    refused(&packed(&bomb), &bomb, "UNPACKED_TOO_LARGE");
    let inner = gzip(&gzip(&body(1)));
    refused(&packed(&inner), &inner, "NOT_JSON");
    let good = gzip(&body(1));
    for bytes in [&b"[]"[..], b"", &good[..good.len() - 5], &[0x1f, 0x8b]] {
        let code = refused(&packed(bytes), bytes, "BAD_GZIP");
        assert!(code.contains("gzip"));
    }
    // Many members, each small: their sum counts.
    let parts = gzip(&vec![b' '; 1 << 20]).repeat(9);
    refused(&packed(&parts), &parts, "UNPACKED_TOO_LARGE");
    // Packed without saying so.
    refused(&signed(1, NOW, &good), &good, "NOT_JSON");
}

proptest! {
    #[test]
    fn no_bytes_panic_and_none_that_are_refused_leave_a_row(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "[\\[\\]{}\",:0-9a-z\\\\ ]{0,80}",
        gzip in any::<bool>(),
        lines in any::<bool>(),
    ) {
        for body in [bytes, text.into_bytes()] {
            let store = store();
            let mut headers = signed(1, NOW, &body);
            if gzip {
                headers = with(headers, "content-encoding", "gzip");
            }
            if lines {
                headers = with(headers, "content-type", "application/x-ndjson");
            }
            if take(&over(&store), &headers, &body).is_err() {
                prop_assert_eq!(rows(&store), 0);
            }
        }
    }

    #[test]
    fn no_headers_panic(name in prop::sample::select(vec!["validator-hotkey", "timestamp", "signature", "validator-uid", "x-chutes-nonce", "idempotency-key"]), value in "\\PC{0,80}") {
        let body = body(1);
        let store = store();
        let _ = take(&over(&store), &with(signed(1, NOW, &body), name, &value), &body);
        let _ = take(&over(&store), &with(chutes(1, NOW / 1000, &body), name, &value), &body);
    }

    #[test]
    fn what_is_taken_is_what_was_sent(details in prop::collection::btree_map("[a-z]{1,5}", -1e300..1e300_f64, 0..8)) {
        let mut sent = record("m");
        sent["record"]["details"] = json!(details);
        let body = sent.to_string().into_bytes();
        let store = store();
        take(&over(&store), &signed(1, NOW, &body), &body).unwrap();
        let entry = Ledger::open(store).unwrap().get(0).unwrap().unwrap();
        prop_assert_eq!(serde_json::to_value(&entry.record).unwrap(), sent["record"].clone());
    }
}
