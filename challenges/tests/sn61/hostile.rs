//! Reports that mean harm.

use challenges::ledger::Ledger;
use challenges::record::{Entry, Record, Reporter, Score};
use challenges::sn61::report::{MAX_BODY, Report, ReportError, provenance};
use challenges::sn61::state::State;
use indexer::store::Store;
use indexer::store::engine::Batch;
use proptest::prelude::*;
use serde_json::json;

use crate::world::*;

fn told(miner_commits: &str) -> String {
    let hotkey = validator(0);
    format!(
        r#"{{"validator_uid": 3, "validator_hotkey": "{hotkey}", "miner_commits": {miner_commits}}}"#
    )
}

fn of(commit: &str) -> String {
    told(&format!(r#"{{"{}": {{"one": {commit}}}}}"#, miner(0)))
}

#[test]
fn each_is_refused_with_its_place() {
    let m = miner(0);
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    for (text, wanted) in [
        (String::new(), "byte 0"),
        (told("[]"), "report.miner_commits: an object is wanted"),
        (told(r#"{"5F": {}}"#), "report.miner_commits.5F: "),
        (
            told(r#"{"5F": {}}"#).replace("uid\": 3", "uid\": \"3\""),
            "report.validator_uid: a uid is wanted",
        ),
        (
            told("{}").replace("miner_commits", "commits"),
            "report.commits: there is no such member",
        ),
        (of("5"), "an object is wanted"),
        (of("[[]]"), ".one[0]: an object is wanted"),
        (of("{}"), ".one.encrypted_commit: it is missing"),
        (
            of(r#"{"encrypted_commit": 5}"#),
            "encrypted_commit: a text is wanted",
        ),
        (
            of(&format!(
                r#"{{"encrypted_commit": "{}"}}"#,
                "a".repeat(5000)
            )),
            "the text has 5000 bytes, and may have 4096",
        ),
        (
            of(r#"{"encrypted_commit": "t", "commit_timestamp": NaN}"#),
            "byte",
        ),
        (
            of(r#"{"encrypted_commit": "t", "commit_timestamp": 1e400}"#),
            "beyond the doubles",
        ),
        (
            of(r#"{"encrypted_commit": "t", "commit_timestamp": -1}"#),
            "commit_timestamp: -1 is not from 0",
        ),
        (
            of(r#"{"encrypted_commit": "t", "commit_timestamp": "1"}"#),
            "a finite number is wanted",
        ),
        (
            of(&format!(r#"{{"encrypted_commit": "t", "x": {deep}}}"#)),
            "more than 64 deep",
        ),
        (of(&"[".repeat(100_000)), "more than 64 deep"),
        (
            of(&format!(
                "[{}]",
                vec![r#"{"encrypted_commit": "t"}"#; 65].join(",")
            )),
            "65 items, and at most 64",
        ),
        (
            of(r#"{"encrypted_commit": "t", "miner_hotkey": "other"}"#),
            "says otherwise",
        ),
        (
            of(r#"{"encrypted_commit": "\ud800"}"#),
            "half a surrogate pair",
        ),
        (
            told(&format!(r#"{{"{m}": {{"{}": {{}}}}}}"#, "c".repeat(300))),
            "1 to 255 bytes",
        ),
    ] {
        let error = Report::read(text.as_bytes(), None).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error} is not {wanted}");
        assert!(error.len() < 600, "an error repeats what was sent: {error}");
    }
    let long = vec![b' '; MAX_BODY + 1];
    assert!(matches!(
        Report::read(&long, None),
        Err(ReportError::Long { .. })
    ));
}

#[test]
fn a_signer_tells_only_for_itself() {
    let text = of(r#"{"encrypted_commit": "t"}"#);
    let read = |signer| Report::read(text.as_bytes(), Some(signer));
    assert!(read((validator(0), 3)).is_ok());
    assert!(read((validator(1), 3)).is_err());
    assert!(read((validator(0), 4)).is_err());
    let bare = format!(r#"{{"miner_commits": {{"{}": {{}}}}}}"#, miner(0));
    assert_eq!(
        Report::read(bare.as_bytes(), Some((validator(2), 9)))
            .unwrap()
            .uid,
        9
    );
    assert!(Report::read(bare.as_bytes(), None).is_err());
}

#[test]
fn records_that_a_hotkey_handed_in_move_only_its_own_word() {
    let ledger = Ledger::open(Store::in_memory().unwrap()).unwrap();
    let config = config("sn61-base", &["one"]);
    take(
        &ledger,
        &config,
        &body(
            0,
            &[(miner(0), "one", commit("one", "a", Some(5.0), false))],
        ),
    );
    let mut forged: Entry = records(&ledger).remove(0);
    let from = Reporter::Hotkey {
        hotkey: validator(4),
        uid: 4,
    };
    forged.provenance.reporter = from.clone();
    let score = Entry {
        netuid: 61,
        challenge: "one".into(),
        subject: miner(4).to_string(),
        provenance: provenance(from, None, NOW),
        record: Record::Score(Score {
            of: "t".into(),
            profile: "sn61-base".into(),
            inputs: String::new(),
            score: Some(1.0),
            reason: None,
            details: json!({"uid": 4, "docker": "d", "accepted": true, "done": true}),
        }),
    };
    if let Record::Submission(submission) = &mut forged.record {
        submission.details["commit_timestamp"] = json!(1.0);
    }
    let before = State::load(&ledger, &config).unwrap();
    ledger.append(&[forged, score], Batch::default()).unwrap();
    let after = State::load(&ledger, &config).unwrap();
    assert_eq!(after.history, before.history);
    assert_eq!(after.challenges, before.challenges);
}

#[test]
fn only_so_much_is_kept_of_what_nobody_asked_for() {
    let ledger = Ledger::open(Store::in_memory().unwrap()).unwrap();
    let config = config("sn61-base", &["one"]);
    let of = |token: String| json!({"encrypted_commit": token});
    let first = take(
        &ledger,
        &config,
        &body(
            0,
            &[
                (miner(0), "one", of("a".into())),
                (miner(1), "none", of("a".into())),
                (miner(60), "one", of("a".into())),
            ],
        ),
    );
    assert_eq!(
        (first.told, first.new, first.inactive, first.unregistered),
        (3, 1, 1, 1)
    );
    assert_eq!(ledger.len(), 1);
    for round in 0..17 {
        let list: Vec<_> = (0..64).map(|n| of(format!("{round} {n}"))).collect();
        take(
            &ledger,
            &config,
            &body(0, &[(miner(0), "one", json!(list))]),
        );
    }
    assert_eq!(ledger.len(), 1024);
    let more = take(
        &ledger,
        &config,
        &body(0, &[(miner(0), "one", of("new".into()))]),
    );
    assert_eq!((more.new, more.too_many), (0, 1));
    let other = take(
        &ledger,
        &config,
        &body(1, &[(miner(0), "one", of("new".into()))]),
    );
    assert_eq!(other.new, 1);
}

#[test]
fn submissions_that_no_report_told_have_no_part() {
    let ledger = Ledger::open(Store::in_memory().unwrap()).unwrap();
    let config = config("sn61-base", &["one"]);
    let told = [(miner(0), "one", commit("one", "a", Some(5.0), false))];
    take(&ledger, &config, &body(0, &told));
    let real = records(&ledger).remove(0);
    let with = |number: usize, marked: bool| {
        let mut entry = real.clone();
        if let Record::Submission(submission) = &mut entry.record {
            submission.id = format!("token {number}");
            if !marked {
                let details = submission.details.as_object_mut().unwrap();
                details.remove(challenges::ingest::RESERVED).unwrap();
            }
        }
        entry
    };
    let before = State::load(&ledger, &config).unwrap();
    let unmarked: Vec<_> = (0..2000).map(|n| with(n, false)).collect();
    ledger.append(&unmarked, Batch::default()).unwrap();
    let after = State::load(&ledger, &config).unwrap();
    assert_eq!(after.history, before.history);
    // The limits hold when records are read too, whoever wrote them.
    let marked: Vec<_> = (0..2000).map(|n| with(n, true)).collect();
    ledger.append(&marked, Batch::default()).unwrap();
    let full = State::load(&ledger, &config).unwrap();
    let versions = full.history.versions("one", &miner(0)).unwrap();
    assert_eq!(versions.len(), challenges::sn61::report::MAX_TOLD);
}

proptest! {
    #[test]
    fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let _ = Report::read(&bytes, None);
        let mut text = of(r#"{"encrypted_commit": "t", "commit_timestamp": 1.5, "scoring_logs": [{"score": 1}]}"#).into_bytes();
        let at = cut.index(text.len());
        text[at] = byte;
        let _ = Report::read(&text, None);
        text.truncate(at);
        prop_assert!(Report::read(&text, None).is_err());
    }
}
