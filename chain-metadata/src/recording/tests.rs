//! A small recording made by hand, read whole and read damaged.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

type Files = BTreeMap<String, Vec<u8>>;

const KEY_A: &str = "0xaa01";
const KEY_B: &str = "0xaa02";
const KEY_C: &str = "0xab";

fn header(parent: H256, number: u32, log: &[u8]) -> Header {
    Header {
        parent_hash: parent,
        number,
        state_root: H256::ZERO,
        extrinsics_root: H256([7; 32]),
        logs: vec![log.to_vec()],
    }
}

fn line(number: u32, hash: H256, spec: u32, header: &Header, diff: serde_json::Value) -> String {
    json!({
        "number": number, "hash": hash, "specVersion": spec, "header": header,
        "extrinsics": ["0x0404"], "diff": diff,
    })
    .to_string()
}

/// Blocks 0 to 3; the state of block 2 has runtime 2, which knows metadata 15.
fn files() -> Files {
    let genesis = H256([0x45; 32]);
    let mut lines = vec![line(0, genesis, 1, &header(genesis, 0, b"x"), json!([]))];
    let diffs = [
        (1, json!([[KEY_A, "0x01"], [KEY_B, "0x05"], [KEY_C, null]])),
        (2, json!([[KEY_A, "0x01"], [KEY_B, null], ["0x", null]])),
        (2, json!([[KEY_A, "0x"], [KEY_C, "0x0909"]])),
    ];
    let mut parent = genesis;
    for (number, (spec, diff)) in (1..).zip(diffs) {
        let header = header(parent, number, &[6, 1, 2]);
        parent = header.hash();
        lines.push(line(number, parent, spec, &header, diff));
    }
    let runtime =
        |spec: u32, api: u32| json!({"specVersion": spec, "apis": [["0x37e397fc7c91f5e4", api]]});
    let chain = json!({
        "name": "tiny", "properties": {"ss58Format": 42}, "head": 3,
        "specs": {"1": {"first": 0, "runtimeVersion": runtime(1, 1)},
                  "2": {"first": 2, "runtimeVersion": runtime(2, 2)}},
        "failures": [[2, "addStake", "Module.Error"]],
    });
    let call = json!({"block": 3, "hash": parent, "method": "Api_get", "params": "0x0100", "result": "0x08"});
    let mut files = Files::new();
    put(&mut files, "chain.json", &chain.to_string());
    put(
        &mut files,
        "genesis.json.zst",
        &json!([[KEY_A, "0x00"], [KEY_B, "0x05"]]).to_string(),
    );
    put(&mut files, "blocks.jsonl.zst", &(lines.join("\n") + "\n"));
    put(&mut files, "calls.jsonl.zst", &call.to_string());
    put(&mut files, "metadata/1.v14.scale", "meta\u{e}one");
    put(&mut files, "metadata/2.v14.scale", "meta\u{e}two");
    put(&mut files, "metadata/2.v15.scale", "meta\u{f}two");
    files
}

fn put(files: &mut Files, name: &str, text: &str) {
    let bytes = if name.ends_with(".zst") {
        zstd::encode_all(text.as_bytes(), 1).unwrap()
    } else {
        text.as_bytes().to_vec()
    };
    files.insert(name.into(), bytes);
}

fn text(files: &Files, name: &str) -> String {
    let bytes = &files[name];
    let bytes = if name.ends_with(".zst") {
        zstd::decode_all(bytes.as_slice()).unwrap()
    } else {
        bytes.clone()
    };
    String::from_utf8(bytes).unwrap()
}

fn load(files: &Files) -> Result<Recording, RecordingError> {
    Recording::load(|name| files.get(name).cloned().ok_or("no such file"))
}

/// Replaces `from`, which must be there, and gives the error that follows.
fn damage(name: &str, from: &str, to: &str) -> RecordingError {
    let mut files = files();
    let old = text(&files, name);
    assert!(old.contains(from), "{name} holds no {from}: {old}");
    put(&mut files, name, &old.replacen(from, to, 1));
    load(&files).unwrap_err()
}

fn bytes(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text.trim_start_matches("0x")).unwrap()
}

#[test]
fn a_whole_recording_answers() {
    let recording = load(&files()).unwrap();
    assert_eq!((recording.name.as_str(), recording.head), ("tiny", 3));
    assert_eq!(recording.genesis_hash, H256([0x45; 32]));
    assert_eq!(recording.failures.len(), 1);
    let block = recording.block(2).unwrap();
    assert_eq!(block.parent, recording.block(1).unwrap().hash);
    assert_eq!(block.extrinsics, [bytes("0404")]);
    assert_eq!(recording.number_of(&block.hash), Some(2));
    assert_eq!(recording.number_of(&H256::ZERO), None);
    assert!(recording.block(4).is_none());

    assert_eq!(recording.spec_of_state(1), Some(1));
    assert_eq!(recording.spec_of_state(2), Some(2));
    assert_eq!(recording.spec_of_state(4), None);
    assert_eq!(recording.metadata(1, 14), Some("meta\u{e}one".as_bytes()));
    assert_eq!(recording.metadata(1, 15), None);
    assert_eq!(recording.metadata_versions(2), [14, 15]);
    assert_eq!(recording.api_version(2, METADATA_API), Some(2));
    assert_eq!(recording.api_version(2, "0x0000000000000000"), None);
    assert_eq!(recording.runtime_version(2).unwrap()["specVersion"], 2);

    let at = recording.block(3).unwrap().hash;
    assert_eq!(recording.call(&at, "Api_get", &[1, 0]), Some(&[8][..]));
    assert_eq!(recording.call(&at, "Api_get", &[2, 0]), None);
    assert_eq!(recording.call(&block.hash, "Api_get", &[1, 0]), None);
}

#[test]
fn storage_is_the_sum_of_the_changes() {
    let recording = load(&files()).unwrap();
    let (a, b, c) = (bytes(KEY_A), bytes(KEY_B), bytes(KEY_C));
    let values: Vec<_> = (0..=4).map(|at| recording.storage(at, &a)).collect();
    let expected: [Option<&[u8]>; 5] = [Some(&[0]), Some(&[1]), Some(&[1]), Some(&[]), None];
    assert_eq!(values, expected);
    assert_eq!(recording.storage(1, &b), Some(&[5][..]));
    assert_eq!(recording.storage(2, &b), None);
    assert_eq!(recording.storage(2, &c), None);
    assert_eq!(recording.storage(3, &c), Some(&[9, 9][..]));

    // Only real changes count, although the diffs name more.
    let blocks = |key: &[u8]| recording.changes(key).map(|(at, _)| at).collect::<Vec<_>>();
    assert_eq!(blocks(&a), [0, 1, 3]);
    assert_eq!(blocks(&b), [0, 2]);
    assert_eq!(blocks(&c), [3]);
    assert!(blocks(&[]).is_empty());
    let diff: Vec<_> = recording.diff(1).collect();
    assert_eq!(diff.len(), 3);
    assert_eq!(diff[1], (b.as_slice(), Some(&[5][..])));
    assert_eq!(diff[2], (c.as_slice(), None));
    assert_eq!(recording.diff(0).count(), 2);
    assert_eq!(recording.diff(4).count(), 0);
}

#[test]
fn keys_come_in_order_and_in_pages() {
    let recording = load(&files()).unwrap();
    let (a, b, c) = (bytes(KEY_A), bytes(KEY_B), bytes(KEY_C));
    assert_eq!(recording.keys(1, &[0xaa], None, 10), [&a[..], &b[..]]);
    assert_eq!(recording.keys(1, &[0xaa], Some(&a), 10), [&b[..]]);
    assert_eq!(recording.keys(1, &[], None, 1), [&a[..]]);
    assert_eq!(recording.keys(3, &[], None, 10), [&a[..], &c[..]]);
    assert_eq!(recording.keys(3, &[], Some(&c), 10), [] as [&[u8]; 0]);
    // A start before the prefix begins at the prefix.
    assert_eq!(recording.keys(3, &[0xab], Some(&a), 10), [&c[..]]);
    assert!(recording.keys(4, &[], None, 10).is_empty());
}

#[test]
fn two_writes_to_one_key_in_a_block_leave_the_last() {
    let mut history = History::default();
    history.begin_block();
    history.set(0, b"k", Some(b"old")).unwrap();
    history.begin_block();
    history.set(1, b"k", Some(b"new")).unwrap();
    history.set(1, b"k", Some(b"old")).unwrap();
    assert_eq!(history.value(1, b"k"), Some(&b"old"[..]));
    assert_eq!(history.changes(b"k").count(), 1);
    history.set(1, b"k", None).unwrap();
    assert_eq!(history.value(1, b"k"), None);
    assert_eq!(history.diff(1).count(), 3);
}

#[test]
fn a_header_survives_json_and_hashes_its_scale_form() {
    let header = header(H256([1; 32]), 300, &[6, 0x61]);
    let json = serde_json::to_value(&header).unwrap();
    assert_eq!(json["number"], "0x12c");
    assert_eq!(json["digest"]["logs"][0], "0x0661");
    assert_eq!(serde_json::from_value::<Header>(json).unwrap(), header);
    // Compact(300) is 0xb104; one digest item is Compact(1) = 0x04.
    let parts = [
        "01".repeat(32),
        "b104".into(),
        "00".repeat(32),
        "07".repeat(32),
        "040661".into(),
    ];
    assert_eq!(hex::encode(encode_header(&header)), parts.concat());
}

#[test]
fn missing_and_unpackable_files_are_named() {
    for name in files().keys() {
        let mut files = files();
        files.remove(name);
        let error = load(&files).unwrap_err();
        assert_eq!(
            error,
            RecordingError::Unreadable {
                file: name.clone(),
                cause: "no such file".into()
            }
        );
        assert!(
            error
                .to_string()
                .contains("copy the whole recording folder")
        );
    }
    for name in ["genesis.json.zst", "blocks.jsonl.zst", "calls.jsonl.zst"] {
        for cut in 0..4 {
            let mut files = files();
            let packed = files[name].clone();
            let kept = packed.len() * cut / 4;
            files.insert(name.into(), packed[..kept].to_vec());
            let error = load(&files).unwrap_err();
            match &error {
                RecordingError::Compressed { file, .. } | RecordingError::Json { file, .. } => {
                    assert_eq!(file, name);
                }
                // No bytes at all unpack to no lines.
                RecordingError::Truncated { found, .. } => assert_eq!((cut, *found), (0, 0)),
                other => panic!("{other}"),
            }
        }
        let mut files = files();
        files.insert(name.into(), b"not packed".to_vec());
        let error = load(&files).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.contains("zstandard"),
            "{error}"
        );
    }
}

#[test]
fn a_cut_off_block_file_says_how_many_blocks_it_holds() {
    let mut files = files();
    let all = text(&files, "blocks.jsonl.zst");
    let kept: Vec<_> = all.lines().take(3).collect();
    put(&mut files, "blocks.jsonl.zst", &kept.join("\n"));
    let error = load(&files).unwrap_err();
    assert!(matches!(
        error,
        RecordingError::Truncated {
            expected: 4,
            found: 3,
            ..
        }
    ));
    // Cut within a line.
    put(&mut files, "blocks.jsonl.zst", &all[..all.len() - 20]);
    let error = load(&files).unwrap_err();
    assert!(
        matches!(error, RecordingError::Json { line: 4, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("blocks.jsonl.zst line 4"),
        "{error}"
    );
}

#[test]
fn bad_hex_and_wrong_types_name_line_and_column() {
    for (name, from, to, line, what) in [
        (
            "blocks.jsonl.zst",
            "\"0x0404\"",
            "\"0x040\"",
            1,
            "Odd number",
        ),
        (
            "blocks.jsonl.zst",
            "\"0x0909\"",
            "\"0x09zz\"",
            4,
            "Invalid character",
        ),
        ("blocks.jsonl.zst", "\"0x05\"", "\"05\"", 2, "lacks 0x"),
        ("blocks.jsonl.zst", "\"0x2\"", "\"2\"", 3, "block number"),
        (
            "blocks.jsonl.zst",
            "\"number\":3",
            "\"number\":-3",
            4,
            "invalid value",
        ),
        (
            "blocks.jsonl.zst",
            "\"diff\"",
            "\"dif\"",
            1,
            "missing field",
        ),
        ("calls.jsonl.zst", "\"0x0100\"", "7", 1, "invalid type"),
        ("genesis.json.zst", "\"0x00\"", "null", 1, "invalid type"),
        (
            "chain.json",
            "\"head\":3",
            "\"head\":\"3\"",
            1,
            "invalid type",
        ),
    ] {
        let error = damage(name, from, to);
        match &error {
            RecordingError::Json { file, line: at, .. } => {
                assert_eq!((file.as_str(), *at), (name, line), "{error}");
            }
            other => panic!("{other}"),
        }
        let error = error.to_string();
        assert!(error.contains(what) && error.contains("column"), "{error}");
    }
}

#[test]
fn blocks_that_do_not_follow_each_other_are_refused() {
    let mut files = files();
    let all = text(&files, "blocks.jsonl.zst");
    let lines: Vec<_> = all.lines().collect();
    put(
        &mut files,
        "blocks.jsonl.zst",
        &[lines[0], lines[2], lines[3]].join("\n"),
    );
    let error = load(&files).unwrap_err();
    assert!(
        matches!(
            error,
            RecordingError::OutOfOrder {
                line: 2,
                expected: 1,
                found: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_changed_parent_or_header_does_not_hash() {
    let mut files = files();
    let all = text(&files, "blocks.jsonl.zst");
    let mut lines: Vec<String> = all.lines().map(str::to_owned).collect();
    let parent = "\"parentHash\":\"0x4545";
    assert!(lines[1].contains(parent));
    lines[1] = lines[1].replace(parent, "\"parentHash\":\"0x4546");
    put(&mut files, "blocks.jsonl.zst", &lines.join("\n"));
    let error = load(&files).unwrap_err();
    assert!(
        matches!(
            error,
            RecordingError::Parent {
                line: 2,
                number: 1,
                ..
            }
        ),
        "{error}"
    );

    let mut lines: Vec<String> = all.lines().map(str::to_owned).collect();
    lines[3] = lines[3].replace("\"0x060102\"", "\"0x060103\"");
    put(&mut files, "blocks.jsonl.zst", &lines.join("\n"));
    let error = load(&files).unwrap_err();
    assert!(
        matches!(
            error,
            RecordingError::Hash {
                line: 4,
                number: 3,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn runtimes_have_to_agree_with_the_blocks() {
    let error = damage("chain.json", "\"first\":2", "\"first\":3");
    assert!(
        matches!(
            error,
            RecordingError::Runtime {
                number: 2,
                spec: 2,
                ..
            }
        ),
        "{error}"
    );
    let error = damage("blocks.jsonl.zst", "\"specVersion\":2", "\"specVersion\":9");
    assert!(
        matches!(
            error,
            RecordingError::Runtime {
                number: 2,
                spec: 9,
                ..
            }
        ),
        "{error}"
    );
    let error = damage("chain.json", "\"specVersion\":2", "\"specVersion\":4");
    assert!(matches!(error, RecordingError::Chain { .. }), "{error}");
    let error = damage("metadata/2.v15.scale", "meta\u{f}", "meta\u{e}");
    assert!(error.to_string().contains("0x6d6574610e"), "{error}");
    let error = damage("metadata/1.v14.scale", "meta\u{e}one", "me");
    assert!(error.to_string().contains("0x6d65"), "{error}");
}

#[test]
fn calls_belong_to_blocks_of_the_recording() {
    let error = damage("calls.jsonl.zst", "\"block\":3", "\"block\":2");
    assert!(
        matches!(
            error,
            RecordingError::Call {
                number: 2,
                line: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("Api_get"), "{error}");
}

#[test]
fn no_single_damaged_byte_makes_it_panic() {
    let whole = files();
    for name in whole.keys() {
        let text = text(&whole, name);
        for position in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[position] ^= 1;
            let mut files = whole.clone();
            let packed = if name.ends_with(".zst") {
                zstd::encode_all(bytes.as_slice(), 1).unwrap()
            } else {
                bytes
            };
            files.insert(name.clone(), packed);
            if let Err(error) = load(&files) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}
