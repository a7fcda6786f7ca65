//! The centralised scorer in the real program: a validator's signed report in, a challenge's
//! services asked, the score out, the day closed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use challenges::sn61::fernet;
use serde_json::{Value, json};

use crate::context::{outcome, text};
use crate::results::{complete, deliver_to, known_hotkey, now_ns, signed};
use crate::served::{Served, http, start};

/// Services of a challenge: a task, a solver, a score of 0.75.
fn services() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let body = match first.split(' ').nth(1)? {
            "/task" => json!({ "question": 1 }),
            "/solve" => json!({ "answer": 2 }),
            "/score" | "/score?reset=true" => json!(0.75),
            "/compare" => json!({ "data": { "similarity_score": 0.1, "reason": "little" } }),
            other => panic!("nobody asks for {other}"),
        };
        let body = body.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).ok()?;
    }
}

fn settings(to: &Path, services: &str) -> String {
    let file = to.join("scoring.toml");
    let body = format!(
        "profile = \"sn61-base\"\nnetuid = 1\ninterval_seconds = 1\nscoring_hour = 0\nany_stake = true\n\
         [[challenges]]\nname = \"c\"\nweight = 1.0\n\
         [services.c]\nchallenge = \"{services}\"\ncompare = \"{services}\"\nrunner = \"{services}\"\n"
    );
    std::fs::write(&file, body).unwrap();
    text(&file).to_owned()
}

/// Ciphertext and key of a commit.
fn sealed(image: u8) -> (String, String) {
    let key = URL_SAFE.encode([image; 32]);
    let plain = format!("c---user/img@sha256:{}", hex::encode([image; 32]));
    let token = fernet::seal(&key, 1, [image; 16], plain.as_bytes()).unwrap();
    (token, key)
}

fn asked(served: &Served, challenge: &str, tokens: &[&str]) -> (u16, Value) {
    let body = json!({ "challenge_name": challenge, "encrypted_commits": tokens });
    let (status, body) = http(
        &served.address,
        "POST",
        "/get_scoring_result",
        &body.to_string(),
    );
    (
        status,
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}")),
    )
}

/// The answer for a token, once it is as wanted.
fn until(served: &Served, token: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let (status, told) = asked(served, "c", &[token]);
        assert_eq!(status, 200, "{told}");
        if wanted(&told["data"]) {
            return told["data"].clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{told}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What is public of a commit, once it is scored.
fn scored(served: &Served, token: &str) -> Value {
    let told = until(served, token, |data| !data["commits"][token].is_null());
    told["commits"][token].clone()
}

#[test]
fn a_report_is_scored_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (recording, hotkey, uid) = known_hotkey(folder.path());
    let data = folder.path().join("store");
    let file = settings(folder.path(), &services());
    let flags = [
        "--data-dir",
        text(&data),
        "--listen",
        "127.0.0.1:0",
        "--scoring",
        &file,
    ];
    let (token, key) = sealed(1);
    let report = |token: &str, key: &str, time: f64| {
        let commit = json!({ "encrypted_commit": token, "commit_timestamp": time, "key": key });
        json!({ "miner_commits": { hotkey.to_string(): { "c": commit } } }).to_string()
    };
    let body = report(&token, &key, 1.5).into_bytes();
    {
        let demo = ["demo", "--recording", text(&recording), "--ingest"];
        let served = start(&[&demo[..], &flags].concat());
        complete(&served);
        let (status, told) = asked(&served, "none", &[&token]);
        assert_eq!((status, &told["status"]), (404, &json!(404)), "{told}");
        let (status, told) = asked(&served, "c", &[&token]);
        assert_eq!(status, 200, "{told}");
        assert!(told["data"]["commits"][&token].is_null(), "{told}");
        // Nothing was revealed: there is no day to close.
        assert_ne!(told["data"]["is_done"], true, "{told}");

        let headers = signed(&body, now_ns());
        let push = |netuid: u16, headers: &[(&str, String)], body: &[u8]| {
            let path = format!("/v1/scoring/{netuid}/reports");
            let (status, told) = deliver_to(&served, &path, headers, body);
            (
                status,
                told["code"].as_str().unwrap_or_default().to_owned(),
                told,
            )
        };
        let code = |(status, code, _): (u16, String, Value)| (status, code);
        assert_eq!(code(push(2, &headers, &body)), (404, "NO_SCORER".into()));
        assert_eq!(code(push(1, &[], &body)), (401, "MISSING_HEADER".into()));
        assert_eq!(
            code(push(1, &headers, b"{}")),
            (401, "BAD_SIGNATURE".into())
        );
        let wrong = signed(b"[1]", now_ns());
        assert_eq!(code(push(1, &wrong, b"[1]")), (422, "BAD_REPORT".into()));
        let (status, _, told) = push(1, &headers, &body);
        assert_eq!(status, 200, "{told}");
        assert_eq!((&told["told"], &told["new"]), (&json!(1), &json!(1)));
        assert_eq!(code(push(1, &headers, &body)), (409, "REPLAYED".into()));

        let commit = scored(&served, &token);
        // The first closing is the one with this commit in it.
        let told = until(&served, &token, |data| data["is_done"] == true);
        assert_eq!(told["commits"][&token], commit);
        assert_eq!(commit["score"], 0.75, "{commit}");
        assert_eq!(
            (&commit["accepted"], &commit["penalty"]),
            (&json!(true), &json!(0.0))
        );
        assert_eq!(
            (&commit["miner_uid"], &commit["commit"]),
            (
                &json!(uid),
                &json!(format!("c---user/img@sha256:{}", "01".repeat(32)))
            )
        );
    }
    // A report from a file, and the same answers from the store alone.
    let (other, key) = sealed(2);
    let from = folder.path().join("report.json");
    let mut told: Value = serde_json::from_str(&report(&other, &key, 2.5)).unwrap();
    told["validator_uid"] = json!(uid);
    told["validator_hotkey"] = json!(hotkey.to_string());
    std::fs::write(&from, told.to_string()).unwrap();
    let take = [
        "results",
        "reports",
        "--data-dir",
        text(&data),
        "--scoring",
        &file,
        text(&from),
    ];
    for new in [
        "1 commits told, 1 of them new",
        "1 commits told, 0 of them new",
    ] {
        let output = outcome(&take);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(new), "{said}");
    }
    let served = start(&[&["serve"][..], &flags].concat());
    assert_eq!(scored(&served, &token)["score"], 0.75);
    assert_eq!(scored(&served, &other)["score"], 0.75);
}

#[test]
fn wrong_settings_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scoring.toml");
    let store = folder.path().join("store");
    let said = |body: &str| {
        std::fs::write(&file, body).unwrap();
        let output = outcome(&[
            "results",
            "reports",
            "--data-dir",
            text(&store),
            "--scoring",
            text(&file),
            "none.json",
        ]);
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.trim().lines().count(), 1, "{said}");
        said
    };
    drop(indexer::store::Store::open_sled(&store, true, 1 << 20).unwrap());
    let base = "profile = \"sn61-base\"\n";
    for (body, wanted) in [
        ("profile = 1", "is no file of scoring settings"),
        (
            "profile = \"none\"\nchallenges = []\n[services]\n",
            "none is no profile",
        ),
        (
            &format!("{base}rubbish = 1\nchallenges = []\n[services]\n"),
            "rubbish",
        ),
        (
            &format!("{base}[[challenges]]\nname = \"c\"\nweight = 1.0\n[services]\n"),
            "has no services",
        ),
        (
            &format!(
                "{base}challenges = []\n[services.c]\nchallenge = \"a\"\ncompare = \"a\"\nrunner = \"a\"\n"
            ),
            "is of no challenge",
        ),
        (
            &format!("{base}interval_seconds = 0\nchallenges = []\n[services]\n"),
            "interval_seconds is 0",
        ),
        (
            &format!("{base}scoring_hour = 24\nchallenges = []\n[services]\n"),
            "the scoring hour is 24",
        ),
        (
            &format!("{base}support = 0\nchallenges = []\n[services]\n"),
            "the support is 0",
        ),
    ] {
        let said = said(body);
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn challenges_are_made_and_answers_verified() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer.json");
    let run = |args: &[&str]| {
        let output = outcome(args);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), out, error)
    };
    let (fine, made, _) = run(&["challenge", "create", "sn27", "--difficulty", "4"]);
    assert!(fine);
    std::fs::write(&file, &made).unwrap();
    let verify = ["challenge", "verify", "sn27", "--input", text(&file)];
    let (fine, out, error) = run(&verify);
    assert!(fine && out.contains("\"verified\":true"), "{error}");
    let mut wrong: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(wrong["password"].as_str().unwrap().chars().count(), 4);
    wrong["password"] = json!("abcd!");
    std::fs::write(&file, wrong.to_string()).unwrap();
    let (fine, _, error) = run(&verify);
    assert!(!fine && error.trim().lines().count() == 1, "{error}");

    let (fine, made, _) = run(&["challenge", "create", "sn128-cpu"]);
    let mut answer: Value = serde_json::from_str(&made).unwrap();
    assert!(fine && !answer["targets"].as_array().unwrap().is_empty());
    answer["commitments"] = json!([{ "uuid": "-1", "merkle_root": "00" }]);
    answer["proofs"] = json!([{ "uuid": "-1", "row_hashes": [], "merkle_proofs": [] }]);
    std::fs::write(&file, answer.to_string()).unwrap();
    let (fine, out, error) = run(&["challenge", "verify", "sn128-cpu", "--input", text(&file)]);
    assert!(!fine && error.contains("does not hold"), "{error}");
    let verdict: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(verdict["verified"], false, "{verdict}");
    let (fine, _, error) = run(&["challenge", "create", "sn27", "--difficulty", "0"]);
    assert!(!fine && error.contains('0'), "{error}");
}

/// A file of the project.
fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

#[test]
fn what_the_documents_show_works() {
    let folder = tempfile::tempdir().unwrap();
    let part = |text: &str, from: &str, to: &str| {
        let (_, rest) = text.split_once(from).unwrap();
        rest.split_once(to).unwrap().0.to_owned()
    };
    let file = folder.path().join("scoring.toml");
    let store = folder.path().join("store");
    drop(indexer::store::Store::open_sled(&store, true, 1 << 20).unwrap());
    let settings = part(&document("docs/challenges.md"), "```toml\n", "```");
    std::fs::write(&file, settings).unwrap();
    let output = outcome(&[
        "results",
        "reports",
        "--data-dir",
        text(&store),
        "--scoring",
        text(&file),
        "none.json",
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    // The settings are read: what is missing is the report.
    assert!(said.contains("cannot read the report none.json"), "{said}");

    let input = folder.path().join("input.json");
    std::fs::write(&input, part(&document("README.md"), "echo '", "' |")).unwrap();
    let score = ["score", "--profile", "sn27-r2", "--input", text(&input)];
    let output = outcome(&score);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("193.95"), "{said}");
}
