//! Published numbers of the formats, and views.

use challenges::python::{At, Json, dumps, parse};
use challenges::sn61::format::{Commit, View, disk_key, docker_user, input_hash, plain};
use sha2::{Digest, Sha256};

#[test]
fn hashes_are_as_published() {
    let body = parse(r#"{"challenge_name":"ab_sniffer_v6"}"#).unwrap();
    assert_eq!(dumps(&body), r#"{"challenge_name": "ab_sniffer_v6"}"#);
    assert_eq!(
        hex::encode(Sha256::digest(dumps(&body))),
        "b747d774eb4fc6cf1111d6866b8114e9cac19954899192a37673d118d79aa517"
    );
    let input = parse(r#"{"b":1,"a":"é"}"#).unwrap();
    assert_eq!(
        input_hash(Some(&input)).unwrap(),
        "9d5df31df2744dd5bc3b99a72ee2c1679cf1a7108cac98ab091d70d17c84b07f"
    );
    assert_eq!(input_hash(Some(&Json::Dict(vec![]))), None);
    assert_eq!(
        disk_key("enc1"),
        "926d58e1cc31c70de9cc1cad94e00a11a460d9be58014dd4c7e5f4544efc0bcd"
    );
}

#[test]
fn plain_commits_are_split() {
    let two = plain("c---user/img---more").unwrap();
    assert_eq!(two.docker, "user/img");
    for wrong in [
        "",
        "c",
        "c--d",
        "---d",
        "c---",
        "c--- d",
        "c---a\u{0}",
        &format!("c---{}", "d".repeat(513)),
    ] {
        assert!(plain(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(docker_user("user/img"), Some("user"));
    assert_eq!(docker_user("img"), None);
}

const COMMIT: &str = r#"{
    "miner_uid": 7, "miner_hotkey": "5F", "challenge_name": "c",
    "docker_hub_id": "user/img@sha256:ab", "commit_timestamp": 5, "encrypted_commit": "t",
    "key": "k", "commit": "c---user/img@sha256:ab", "something_new": [1],
    "scoring_logs": [{"score": 1, "miner_input": {"b": 1, "a": "\u00e9"}, "miner_output": {"o": 1},
        "validation_output": {"v": 1}, "error": null, "input_hash": "a lie"}],
    "comparison_logs": {"other/img@sha256:cd": [{"similarity_score": 0.25, "miner_input": {"x": 1},
        "miner_output": {"y": 1}, "reference_output": {"z": 1}, "reason": "r", "reference_hotkey": "5G"}]},
    "scored_timestamp": 6.5, "score": 0.5, "penalty": 0.25, "accepted": true
}"#;

#[test]
fn a_commit_is_read_and_told() {
    let json = parse(COMMIT).unwrap();
    let commit = Commit::read(&At::root(&json, "commit"), None).unwrap();
    let told = commit.json();
    let log = |json: &Json, name: &str| match json.get("scoring_logs") {
        Some(Json::List(logs)) => logs[0].get(name).cloned(),
        _ => None,
    };
    let hash = "9d5df31df2744dd5bc3b99a72ee2c1679cf1a7108cac98ab091d70d17c84b07f";
    assert_eq!(log(&told, "input_hash"), Some(Json::Str(hash.into())));
    assert_eq!(told.get("commit_timestamp"), Some(&Json::Float(5.0)));
    assert_eq!(told.get("something_new"), None);
    let again = Commit::read(&At::root(&told, "commit"), None).unwrap();
    assert_eq!(again, commit);
    assert_eq!(serde_json::to_string(&commit).unwrap(), dumps(&told));

    let public = commit.view(View::Public).json();
    for (name, wanted) in [
        ("miner_input", Json::Null),
        ("miner_output", Json::Null),
        ("input_hash", Json::Null),
        ("validation_output", parse(r#"{"v": 1}"#).unwrap()),
    ] {
        assert_eq!(log(&public, name), Some(wanted), "{name}");
    }
    assert_eq!(public.get("key"), Some(&Json::Str("k".into())));
    let state = commit.view(View::State).json();
    assert_eq!(log(&state, "validation_output"), Some(Json::Null));
    assert_eq!(state.get("key"), Some(&Json::Null));
    assert!(state.get("commit") != Some(&Json::Null));
    let anonymous = dumps(&commit.view(View::Anonymised).json());
    assert!(anonymous.contains(r#""docker_hub_id": "7---ab""#));
    assert!(anonymous.contains(r#""ref---cd": ["#));
    assert!(!anonymous.contains("img"), "{anonymous}");
}

#[test]
fn a_wrong_commit_names_the_place() {
    for (from, to, wanted) in [
        (
            r#""score": 1,"#,
            r#""score": "1","#,
            "commit.scoring_logs[0].score: a finite number is wanted",
        ),
        (
            r#""miner_uid": 7"#,
            r#""miner_uid": 7.5"#,
            "commit.miner_uid: a uid is wanted: an integer from 0 to 65535",
        ),
        (
            r#""commit_timestamp": 5"#,
            r#""commit_timestamp": -5"#,
            "commit.commit_timestamp: -5 is not from 0 to 1000000000000",
        ),
        (
            r#""encrypted_commit": "t""#,
            r#""encrypted_commit": """#,
            "commit.encrypted_commit: the ciphertext is empty",
        ),
        (
            r#""encrypted_commit": "t","#,
            "",
            "commit.encrypted_commit: it is missing",
        ),
        (
            r#""accepted": true"#,
            r#""accepted": 1"#,
            "commit.accepted: true or false is wanted",
        ),
        (
            r#""miner_input": {"x": 1}"#,
            r#""miner_input": [1]"#,
            "commit.comparison_logs.other/img@sha256:cd[0].miner_input: an object is wanted",
        ),
    ] {
        let text = COMMIT.replace(from, to);
        assert_ne!(text, COMMIT, "{from}");
        let json = parse(&text).unwrap();
        let error = Commit::read(&At::root(&json, "commit"), None).unwrap_err();
        assert_eq!(error.to_string(), wanted);
    }
}
