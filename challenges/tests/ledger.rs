//! The ledger of results: numbers, pages, damage, backups and scoring again.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chain_metadata::AccountId;
use challenges::ledger::{Filter, Imported, Latest, Ledger, LedgerError, Whose, put_payload};
use challenges::profiles::{InputError, Row, Scored, inputs_hash, rescore_with};
use challenges::record::{
    ChallengeRun, Comparison, Entry, Finalization, Kind, Provenance, Record, Reporter, Score,
    Submission,
};
use indexer::store::Store;
use indexer::store::engine::memory::MemoryEngine;
use indexer::store::engine::{Batch, Engine, EngineError, Range, Rows};
use indexer::store::tables::{Table, pack};
use proptest::prelude::*;
use serde_json::{Value, json};

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn entry(challenge: &str, subject: &str, record: Record) -> Entry {
    Entry {
        netuid: 61,
        challenge: challenge.into(),
        subject: subject.into(),
        provenance: Provenance {
            reporter: Reporter::Computed,
            received_ms: 1_000,
            checked_at: None,
            signature: None,
            payload: HASH.into(),
        },
        record,
    }
}

fn score(profile: &str, score: f64) -> Record {
    Record::Score(Score {
        of: "x".into(),
        profile: profile.into(),
        inputs: HASH.into(),
        score: Some(score),
        reason: None,
        details: Value::Null,
    })
}

fn submission(id: &str, details: Value) -> Record {
    Record::Submission(Submission {
        id: id.into(),
        at_ms: Some(7),
        details,
    })
}

/// One of each kind.
fn all_kinds() -> Vec<Entry> {
    vec![
        entry(
            "a",
            "m1",
            Record::Run(ChallengeRun {
                id: "r".into(),
                started_ms: 1,
                ended_ms: None,
                success: Some(false),
                error: Some("out of time".into()),
                details: json!({"n": 1.0, "list": [0.1, -0.0, 1e-310, 18_446_744_073_709_551_615_u64]}),
            }),
        ),
        entry("a", "m1", submission("s", json!("é\n"))),
        entry("a", "m2", score("p", 0.1 + 0.2)),
        entry(
            "b",
            "m1",
            Record::Comparison(Comparison {
                of: "s".into(),
                with: "t".into(),
                similarity: Some(1.0),
                reason: None,
                details: Value::Null,
            }),
        ),
        entry(
            "b",
            "all",
            Record::Finalization(Finalization {
                period: "2025-10-15".into(),
                profile: "p".into(),
                inputs: HASH.into(),
                details: json!({}),
            }),
        ),
    ]
}

fn ledger() -> Ledger {
    Ledger::open(Store::in_memory().unwrap()).unwrap()
}

fn seqs(found: &[(u64, Entry)]) -> Vec<u64> {
    found.iter().map(|(seq, _)| *seq).collect()
}

#[test]
fn records_come_back_as_they_were_and_are_numbered() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let all = all_kinds();
    let check = |ledger: &Ledger| {
        for (seq, wanted) in (0..).zip(&all) {
            assert_eq!(ledger.get(seq).unwrap().as_ref(), Some(wanted));
        }
        assert_eq!(ledger.get(5).unwrap(), None);
        assert_eq!(ledger.len(), 5);
    };
    let memory = ledger();
    assert!(memory.is_empty());
    assert_eq!(memory.append(&all, Batch::default()).unwrap(), 0);
    check(&memory);
    {
        let disk = Ledger::open(Store::open_sled(&dir, true, 1 << 20).unwrap()).unwrap();
        assert_eq!(disk.append(&all[..2], Batch::default()).unwrap(), 0);
        assert_eq!(disk.append(&all[2..], Batch::default()).unwrap(), 2);
        check(&disk);
    }
    // Another process goes on counting.
    let disk = Ledger::open(Store::open_sled(&dir, false, 1 << 20).unwrap()).unwrap();
    check(&disk);
    assert_eq!(disk.append(&all[..1], Batch::default()).unwrap(), 5);
}

#[test]
fn pages_go_by_number_under_every_filter() {
    let ledger = ledger();
    for turn in 0..40_u32 {
        let subject = format!("m{}", turn % 3);
        let challenge = if turn % 2 == 0 { "a" } else { "ab" };
        let record = match turn % 5 {
            0 => submission(&turn.to_string(), Value::Null),
            _ => score("p", f64::from(turn)),
        };
        ledger
            .append(&[entry(challenge, &subject, record)], Batch::default())
            .unwrap();
    }
    let whole = ledger.from(0, 100).unwrap();
    for challenge in [None, Some("a"), Some("ab"), Some("none")] {
        for kind in [None, Some(Kind::Score), Some(Kind::Run)] {
            for subject in [None, Some("m1"), Some("m")] {
                let filter = Filter {
                    netuid: 61,
                    challenge: challenge.map(Into::into),
                    kind,
                    subject: subject.map(Into::into),
                    after: None,
                };
                let wanted: Vec<u64> = whole
                    .iter()
                    .filter(|(_, e)| challenge.is_none_or(|c| c == e.challenge))
                    .filter(|(_, e)| kind.is_none_or(|k| k == e.record.kind()))
                    .filter(|(_, e)| subject.is_none_or(|s| s == e.subject))
                    .map(|(seq, _)| *seq)
                    .collect();
                assert_eq!(seqs(&ledger.find(&filter, 1000).unwrap()), wanted);
                assert!(ledger.find(&filter, 0).unwrap().is_empty());
                for size in [1, 2, 7] {
                    let (mut paged, mut filter) = (Vec::new(), filter.clone());
                    loop {
                        let page = ledger.page(&filter, size).unwrap();
                        assert!(page.records.len() <= size);
                        paged.extend(seqs(&page.records));
                        match page.next {
                            Some(next) => filter.after = Some(next),
                            None => break,
                        }
                    }
                    assert_eq!(paged, wanted, "{filter:?} {size}");
                }
                let last = Filter {
                    after: Some(u64::MAX),
                    ..filter
                };
                assert!(ledger.find(&last, 9).unwrap().is_empty());
            }
        }
    }
    let other = Filter {
        netuid: 62,
        ..Filter::default()
    };
    assert!(ledger.find(&other, 9).unwrap().is_empty());
}

#[test]
fn the_newest_score_of_each_subject_counts() {
    let ledger = ledger();
    let bob = AccountId([2; 32]);
    let mut entries = Vec::new();
    for (at, challenge, subject, profile, value) in [
        (10, "a", "m1", "p", 1.0),
        (20, "a", "m1", "q", 2.0),
        (30, "a", "m2", "p", 3.0),
        (40, "a", "m1", "p", 4.0),
        (50, "b", "m1", "p", 5.0),
    ] {
        let mut entry = entry(challenge, subject, score(profile, value));
        entry.provenance.received_ms = at;
        entries.push(entry);
    }
    let mut foreign = entry("a", "m1", score("p", 99.0));
    foreign.provenance.reporter = Reporter::Hotkey {
        hotkey: bob,
        uid: 3,
    };
    foreign.provenance.received_ms = 60;
    entries.push(foreign);
    // Kinds around the scores are stepped over.
    entries.extend(
        all_kinds()
            .into_iter()
            .filter(|e| e.record.kind() != Kind::Score),
    );
    ledger.append(&entries, Batch::default()).unwrap();
    let latest = |wanted: Latest| {
        let found = ledger.latest_scores(&Latest {
            netuid: 61,
            ..wanted
        });
        let number = |(_, e): &(u64, Entry)| match &e.record {
            Record::Score(score) => score.score.unwrap(),
            _ => panic!("{e:?}"),
        };
        found.unwrap().iter().map(number).collect::<Vec<_>>()
    };
    assert_eq!(latest(Latest::default()), [3.0, 4.0, 5.0]);
    let challenge = Some("a".to_owned());
    let of_a = Latest {
        challenge,
        ..Latest::default()
    };
    assert_eq!(latest(of_a.clone()), [3.0, 4.0]);
    let profile = Some("q".to_owned());
    assert_eq!(
        latest(Latest {
            profile,
            ..of_a.clone()
        }),
        [2.0]
    );
    assert_eq!(
        latest(Latest {
            until_ms: Some(30),
            ..of_a.clone()
        }),
        [2.0, 3.0]
    );
    assert_eq!(
        latest(Latest {
            whose: Whose::Hotkey(bob),
            ..of_a.clone()
        }),
        [99.0]
    );
    assert_eq!(
        latest(Latest {
            whose: Whose::Anybody,
            ..of_a
        }),
        [3.0, 99.0]
    );
}

/// An engine that can be told to fail, and that counts batches.
#[derive(Default)]
struct Failing {
    inner: MemoryEngine,
    fails: AtomicBool,
    batches: AtomicUsize,
}

impl Engine for Failing {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.inner.get(key)
    }
    fn scan(&self, range: Range) -> Rows<'_> {
        self.inner.scan(range)
    }
    fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(EngineError::Io {
                doing: "writing",
                why: "the disk is full".into(),
            });
        }
        self.batches.fetch_add(batches.len(), Ordering::SeqCst);
        self.inner.commit(batches)
    }
    fn size_on_disk(&self) -> Result<u64, EngineError> {
        self.inner.size_on_disk()
    }
    fn verify(&self) -> Result<u64, EngineError> {
        self.inner.verify()
    }
}

#[test]
fn records_are_added_in_one_batch_or_not_at_all() {
    let engine = Arc::new(Failing::default());
    let ledger = Ledger::open(Store::open(engine.clone()).unwrap()).unwrap();
    let before = engine.batches.load(Ordering::SeqCst);
    let mut more = Batch::default();
    put_payload(&mut more, b"payload");
    ledger.append(&all_kinds(), more).unwrap();
    // What an engine promises of a batch is what holds at a kill.
    assert_eq!(engine.batches.load(Ordering::SeqCst), before + 1);
    engine.fails.store(true, Ordering::SeqCst);
    let error = ledger.append(&all_kinds(), Batch::default()).unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    engine.fails.store(false, Ordering::SeqCst);
    assert_eq!(ledger.len(), 5);
    let long = entry("a", &"x".repeat(256), score("p", 1.0));
    let nan = entry("a", "m", score("p", f64::NAN));
    for bad in [long, nan] {
        let error = ledger
            .append(&[all_kinds()[0].clone(), bad], Batch::default())
            .unwrap_err();
        assert!(
            matches!(
                error,
                LedgerError::TooLong { len: 256, .. } | LedgerError::NotFinite { .. }
            ),
            "{error}"
        );
    }
    assert_eq!(ledger.len(), 5);
    assert_eq!(ledger.from(0, 10).unwrap().len(), 5);
    assert_eq!(ledger.append(&all_kinds(), Batch::default()).unwrap(), 5);
}

#[test]
fn damaged_rows_are_errors_with_their_number() {
    let good = serde_json::to_value(&all_kinds()[2]).unwrap();
    let mut unknown = good.clone();
    unknown["record"]["extra"] = json!(1);
    let mut wrong = good.clone();
    wrong["record"]["kind"] = json!("guess");
    for bytes in [
        Vec::new(),
        vec![9, 9],
        vec![1, 255, 255, 255, 255, 0],
        pack(b"not json"),
        pack(unknown.to_string().as_bytes()),
        pack(wrong.to_string().as_bytes()),
    ] {
        let ledger = ledger();
        ledger.append(&all_kinds(), Batch::default()).unwrap();
        let mut batch = Batch::default();
        batch.put(Table::Result.key(&2_u64.to_be_bytes()), bytes);
        ledger.store().commit(vec![batch]).unwrap();
        let everything = Filter {
            netuid: 61,
            ..Filter::default()
        };
        let listed = Filter {
            challenge: Some("a".into()),
            kind: Some(Kind::Score),
            subject: Some("m2".into()),
            ..everything.clone()
        };
        let latest = Latest {
            netuid: 61,
            ..Latest::default()
        };
        for error in [
            ledger.get(2).unwrap_err(),
            ledger.from(0, 9).unwrap_err(),
            ledger.page(&everything, 9).unwrap_err(),
            ledger.page(&listed, 9).unwrap_err(),
            ledger.latest_scores(&latest).unwrap_err(),
            ledger.export(&mut Vec::new()).unwrap_err(),
        ] {
            assert!(error.to_string().contains("record 2"), "{error}");
        }
        assert!(ledger.get(1).unwrap().is_some());
    }
    // Listed and not there; a key without a number.
    let ledger = ledger();
    ledger.append(&all_kinds(), Batch::default()).unwrap();
    let mut batch = Batch::default();
    batch.delete(Table::Result.key(&2_u64.to_be_bytes()));
    ledger.store().commit(vec![batch]).unwrap();
    let latest = Latest {
        netuid: 61,
        ..Latest::default()
    };
    let error = ledger.latest_scores(&latest).unwrap_err();
    assert!(error.to_string().contains("not there"), "{error}");
    let mut batch = Batch::default();
    batch.put(Table::ResultOf.key(&[0, 61, 200, 1]), Vec::new());
    ledger.store().commit(vec![batch]).unwrap();
    assert!(ledger.latest_scores(&latest).is_err());
}

fn exported(ledger: &Ledger) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(ledger.export(&mut out).unwrap(), ledger.len());
    out
}

#[test]
fn a_backup_can_be_taken_in_again_and_again() {
    let first = ledger();
    let mut more = Batch::default();
    let hash = put_payload(&mut more, b"\x00\xffbody");
    first.append(&all_kinds(), more).unwrap();
    // The same record twice is two records.
    let twice = entry("a", "m2", score("p", 0.5));
    first
        .append(&[twice.clone(), twice.clone()], Batch::default())
        .unwrap();
    let backup = exported(&first);
    assert_eq!(backup.iter().filter(|b| **b == b'\n').count(), 1 + 1 + 7);

    let second = ledger();
    let done = second.import(&mut Cursor::new(&backup)).unwrap();
    let wanted = Imported {
        added: 7,
        known: 0,
        payloads: 1,
    };
    assert_eq!(done, wanted);
    assert_eq!(exported(&second), backup);
    let key: [u8; 32] = hex::decode(&hash).unwrap().try_into().unwrap();
    assert_eq!(second.payload(&key).unwrap().unwrap(), b"\x00\xffbody");
    for _ in 0..2 {
        let done = second.import(&mut Cursor::new(&backup)).unwrap();
        assert_eq!((done.added, done.known), (0, 7));
        assert_eq!(exported(&second), backup);
    }
    // Into a ledger that has something else and a part of it already.
    let third = ledger();
    let own = entry("c", "own", score("p", 9.0));
    third
        .append(&[own, twice, all_kinds()[3].clone()], Batch::default())
        .unwrap();
    let done = third.import(&mut Cursor::new(&backup)).unwrap();
    assert_eq!((done.added, done.known), (5, 2));
    assert_eq!(third.len(), 8);
    // A backup that was cut off: what came before is kept, and the rest comes with the next try.
    let cut = &backup[..backup.len() - 10];
    let fourth = ledger();
    let error = fourth.import(&mut Cursor::new(cut)).unwrap_err();
    assert!(error.to_string().contains("line 9"), "{error}");
    fourth.import(&mut Cursor::new(&backup)).unwrap();
    assert_eq!(exported(&fourth), backup);
}

#[test]
fn what_is_no_backup_is_refused_by_its_line() {
    let head = "{\"yumascope_results\":1}\n";
    let payload = |text: &str| format!("{head}{{\"sha256\":\"{HASH}\",\"payload\":\"{text}\"}}\n");
    for (text, part) in [
        (String::new(), "line 1 of the backup: the file is empty"),
        ("{}\n".into(), "line 1"),
        ("[1]".into(), "line 1"),
        ("{\"yumascope_results\":2}\n".into(), "version 2"),
        (
            format!("{head}{head}"),
            "line 2 of the backup: a second head",
        ),
        (format!("{head}\n\nrubbish\n"), "line 4"),
        (payload("!"), "line 2"),
        (payload("AAAA"), "not what its sha256 says"),
        (
            format!("{head}{{\"seq\":0,\"entry\":{{\"netuid\":70000}}}}\n"),
            "line 2",
        ),
    ] {
        let ledger = ledger();
        let error = ledger.import(&mut Cursor::new(&text)).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert!(ledger.is_empty());
    }
    // An empty payload is one.
    let text = payload("");
    assert_eq!(
        ledger().import(&mut Cursor::new(&text)).unwrap().payloads,
        1
    );
}

/// Gives every miner of the input its number times a factor.
fn times(profile: &'static str, factor: f64) -> impl Fn(&Value) -> Result<Scored, InputError> {
    move |input| {
        let miners = input["miners"].as_object().ok_or(InputError::Field {
            at: "miners".into(),
            what: "is missing".into(),
        })?;
        let rows = miners.iter().map(|(name, n)| Row {
            subject: name.clone(),
            score: n.as_f64().map(|n| n * factor),
            parts: vec![("factor".into(), factor)],
            reason: n.is_null().then(|| "no number".to_owned()),
        });
        Ok(Scored {
            profile,
            inputs_hash: inputs_hash(input),
            rows: rows.collect(),
            notes: serde_json::Map::new(),
        })
    }
}

#[test]
fn submissions_are_scored_again_without_being_taken_in_again() {
    let ledger = ledger();
    let inputs = [
        submission("day 1", json!({"miners": {"m1": 1.0, "m2": 2.0}})),
        submission("day 2", json!({"miners": {"m1": 3.0, "m2": null}})),
        submission("no input", json!({})),
    ];
    let entries: Vec<_> = inputs.into_iter().map(|r| entry("a", "all", r)).collect();
    ledger.append(&entries, Batch::default()).unwrap();
    let wanted = Filter {
        netuid: 61,
        challenge: Some("a".into()),
        ..Filter::default()
    };
    let one = rescore_with(&ledger, &wanted, &times("p", 1.0), 5_000).unwrap();
    assert_eq!((one.submissions, one.added, one.known), (2, 4, 0));
    assert_eq!(one.refused, [(2, "miners: is missing".to_owned())]);
    // Once more: nothing is said twice.
    let again = rescore_with(&ledger, &wanted, &times("p", 1.0), 6_000).unwrap();
    assert_eq!((again.submissions, again.added, again.known), (2, 0, 4));
    let other = rescore_with(&ledger, &wanted, &times("q", 10.0), 7_000).unwrap();
    assert_eq!((other.added, ledger.len()), (4, 3 + 4 + 4));
    let latest = |profile: &str| {
        let found = ledger.latest_scores(&Latest {
            netuid: 61,
            profile: Some(profile.into()),
            ..Latest::default()
        });
        let told = |(_, e): (u64, Entry)| match e.record {
            Record::Score(score) => (e.subject, score.score, score.reason),
            _ => panic!(),
        };
        found.unwrap().into_iter().map(told).collect::<Vec<_>>()
    };
    let none = Some("no number".to_owned());
    assert_eq!(
        latest("p"),
        [
            ("m1".to_owned(), Some(3.0), None),
            ("m2".to_owned(), None, none.clone())
        ]
    );
    assert_eq!(
        latest("q"),
        [
            ("m1".to_owned(), Some(30.0), None),
            ("m2".to_owned(), None, none)
        ]
    );
}

proptest! {
    #[test]
    fn every_float_is_kept_to_the_last_bit(bits in any::<u64>(), details in any::<f64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let ledger = ledger();
        let mut new = entry("a", "m", score("p", number));
        if let Record::Score(score) = &mut new.record {
            score.details = json!({ "part": details });
        }
        ledger.append(&[new.clone()], Batch::default()).unwrap();
        let other = Ledger::open(Store::in_memory().unwrap()).unwrap();
        other.import(&mut Cursor::new(exported(&ledger))).unwrap();
        for kept in [ledger.get(0).unwrap().unwrap(), other.get(0).unwrap().unwrap()] {
            let Record::Score(score) = &kept.record else { panic!() };
            prop_assert_eq!(score.score.map(f64::to_bits), Some(bits));
            prop_assert_eq!(&kept, &new);
        }
    }

    #[test]
    fn no_line_panics(text in "\\PC{0,80}", json in prop::sample::select(vec!["{\"seq\":", "{\"payload\":", "{\"entry\":{"])) {
        let lines = format!("{{\"yumascope_results\":1}}\n{json}{text}\n");
        let _ = ledger().import(&mut Cursor::new(lines));
    }
}
