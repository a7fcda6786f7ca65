//! Reports as they come in: who signed them, when, and whether they came before.

use std::io::Write;
use std::sync::{Arc, Mutex};

use chain_metadata::{AccountId, Uid};
use challenges::ingest::{
    Accepted, Ingest, IngestError, KEY_LIFE_MS, Limits, Registry, Request, Seat,
};
use challenges::ledger::Ledger;
use challenges::record::{Record, Reporter};
use flate2::Compression;
use flate2::write::GzEncoder;
use indexer::store::engine::Range;
use indexer::store::tables::Table;
use indexer::store::{Store, StoreError};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[path = "ingest/hostile.rs"]
mod hostile;

const NOW: u64 = 1_760_000_000_000;

/// Those whose seed is their number, at block 100.
struct Fixed(Vec<(u16, u8, u16)>);

impl Registry for Fixed {
    fn seat(&self, netuid: u16, hotkey: &AccountId) -> Result<Option<Seat>, StoreError> {
        let found = self.0.iter();
        let mut found = found.filter(|(net, n, _)| *net == netuid && account(*n) == *hotkey);
        Ok(Some(Seat {
            block: 100,
            uid: found.next().map(|(_, _, uid)| Uid(*uid)),
        }))
    }
}

fn pair(seed: u8) -> Keypair {
    let secret = MiniSecretKey::from_bytes(&[seed; 32]).unwrap();
    secret.expand_to_keypair(ExpansionMode::Ed25519)
}

fn account(seed: u8) -> AccountId {
    AccountId(pair(seed).public.to_bytes())
}

fn signature(seed: u8, message: &str) -> String {
    hex::encode(
        pair(seed)
            .sign_simple(b"substrate", message.as_bytes())
            .to_bytes(),
    )
}

type Headers = Vec<(String, String)>;

fn headers(list: &[(&str, String)]) -> Headers {
    let pairs = list.iter();
    pairs.map(|(n, v)| ((*n).to_owned(), v.clone())).collect()
}

/// Signed in our own way.
fn signed(seed: u8, at_ms: u64, body: &[u8]) -> Headers {
    let time = (at_ms * 1_000_000 + 7).to_string();
    let hash = hex::encode(Sha256::digest(body));
    headers(&[
        ("validator-hotkey", account(seed).to_string()),
        ("timestamp", time.clone()),
        (
            "signature",
            format!("0x{}", signature(seed, &format!("{hash}.{time}"))),
        ),
    ])
}

/// Signed in the other way.
fn chutes(seed: u8, at_s: u64, body: &[u8]) -> Headers {
    let hash = hex::encode(Sha256::digest(body));
    let hotkey = account(seed).to_string();
    let message = format!("{hotkey}:{at_s}:{hash}");
    headers(&[
        ("x-chutes-hotkey", hotkey),
        ("x-chutes-nonce", at_s.to_string()),
        ("x-chutes-signature", signature(seed, &message)),
    ])
}

fn with(mut headers: Headers, name: &str, value: &str) -> Headers {
    headers.retain(|(other, _)| other != name);
    headers.push((name.into(), value.into()));
    headers
}

fn record(subject: &str) -> Value {
    json!({
        "challenge": "ab_sniffer_v5", "subject": subject,
        "record": { "kind": "submission", "id": "token", "at_ms": 5, "details": { "commit": "x" } },
    })
}

fn body(records: usize) -> Vec<u8> {
    let list: Vec<_> = (0..records).map(|n| record(&format!("m{n}"))).collect();
    json!(list).to_string().into_bytes()
}

fn store() -> Store {
    Store::in_memory().unwrap()
}

fn over(store: &Store) -> Ingest {
    over_with(store, Limits::default())
}

fn over_with(store: &Store, limits: Limits) -> Ingest {
    let ledger = Arc::new(Ledger::open(store.clone()).unwrap());
    let known = Fixed(vec![(61, 1, 5), (61, 2, 6), (62, 1, 0)]);
    Ingest::new(ledger, Arc::new(known), limits)
}

fn take(
    ingest: &Ingest,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Accepted, IngestError> {
    let request = Request {
        netuid: 61,
        headers,
        body,
    };
    ingest.take(request, NOW)
}

/// All rows that a request may write.
fn rows(store: &Store) -> usize {
    let tables = [
        Table::Result,
        Table::ResultOf,
        Table::ResultPayload,
        Table::ResultSeen,
    ];
    let count = |t: &Table| store.engine().scan(Range::prefix(&t.key(&[]))).count();
    tables.iter().map(count).sum()
}

/// A refusal with this code, and nothing kept.
fn refused(headers: &[(String, String)], body: &[u8], code: &str) -> String {
    let store = store();
    let error = take(&over(&store), headers, body).expect_err(code);
    assert_eq!(error.code(), code, "{error}");
    assert!((400..=503).contains(&error.status()));
    assert_eq!(rows(&store), 0, "{error}");
    error.to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn both_ways_to_sign_and_all_forms_of_a_body_are_taken() {
    let store = store();
    let ingest = over(&store);
    let one = record("a").to_string().into_bytes();
    let list = body(3);
    let lines = format!("{}\n\n{}\r\n", record("b"), record("c")).into_bytes();
    let packed = gzip(&list);
    let ndjson = |h: Headers| with(h, "content-type", "application/x-ndjson; charset=utf-8");
    let with_uid = with(signed(1, NOW, &one), "validator-uid", "5");
    for (n, (headers, body, count)) in [
        (with_uid, one.clone(), 1),
        (chutes(2, NOW / 1000, &list), list.clone(), 3),
        (ndjson(signed(1, NOW - 59_000, &lines)), lines.clone(), 2),
        (
            with(signed(2, NOW + 59_000, &packed), "content-encoding", "gzip"),
            packed.clone(),
            3,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let done = take(&ingest, &headers, &body).unwrap_or_else(|e| panic!("{n}: {e}"));
        assert_eq!((done.count, done.repeated), (count, false));
        assert_eq!(done.payload, hex::encode(Sha256::digest(&body)));
    }
    let ledger = Ledger::open(store).unwrap();
    assert_eq!(ledger.len(), 9);
    let entry = ledger.get(0).unwrap().unwrap();
    assert_eq!((entry.netuid, entry.subject.as_str()), (61, "a"));
    let who = Reporter::Hotkey {
        hotkey: account(1),
        uid: 5,
    };
    assert_eq!(entry.provenance.reporter, who);
    assert_eq!(entry.provenance.checked_at, Some(100));
    assert_eq!(entry.provenance.received_ms, NOW);
    assert_eq!(entry.provenance.signature.unwrap().len(), 128);
    assert!(matches!(entry.record, Record::Submission(s) if s.id == "token"));
    // The payload is there as it was sent, packed.
    let hash = Sha256::digest(&packed).into();
    assert_eq!(ledger.payload(&hash).unwrap(), Some(packed));
}

#[test]
fn strangers_and_bad_signatures_are_refused() {
    let body = body(1);
    let good = signed(1, NOW, &body);
    let sign = |h: &str| with(good.clone(), "signature", h);
    refused(&[], &body, "MISSING_HEADER");
    for gone in ["validator-hotkey", "timestamp", "signature"] {
        let mut headers = good.clone();
        headers.retain(|(name, _)| name != gone);
        assert!(refused(&headers, &body, "MISSING_HEADER").contains(gone));
    }
    for name in ["x-chutes-hotkey", "x-chutes-nonce", "x-chutes-signature"] {
        let mut headers = chutes(1, NOW / 1000, &body);
        headers.retain(|(other, _)| other != name);
        refused(&headers, &body, "MISSING_HEADER");
    }
    // Of another hotkey, over another body, of another time, altered by a bit, of nothing.
    refused(
        &with(good.clone(), "validator-hotkey", &account(2).to_string()),
        &body,
        "BAD_SIGNATURE",
    );
    refused(&good, &[&body[..], b" "].concat(), "BAD_SIGNATURE");
    let later = ((NOW + 1) * 1_000_000).to_string();
    refused(
        &with(good.clone(), "timestamp", &later),
        &body,
        "BAD_SIGNATURE",
    );
    refused(&sign(&"00".repeat(64)), &body, "BAD_SIGNATURE");
    refused(&sign(&"ff".repeat(64)), &body, "BAD_SIGNATURE");
    let mut bits = hex::decode(good[2].1.trim_start_matches("0x")).unwrap();
    bits[9] ^= 1;
    refused(&sign(&hex::encode(bits)), &body, "BAD_SIGNATURE");
    for bad in ["", "0x", "zz", &"ab".repeat(63), &"ab".repeat(65)] {
        refused(&sign(bad), &body, "BAD_HEADER");
    }
    let other_way = with(
        chutes(1, NOW / 1000, &body),
        "x-chutes-hotkey",
        &account(2).to_string(),
    );
    refused(&other_way, &body, "BAD_SIGNATURE");
    for (name, value) in [
        ("validator-hotkey", "5abc"),
        ("validator-hotkey", ""),
        ("timestamp", "-1"),
        ("timestamp", "1e18"),
        ("timestamp", "99999999999999999999999"),
        ("validator-uid", "70000"),
        ("validator-uid", "+5"),
        ("idempotency-key", ""),
        ("idempotency-key", "a b"),
        ("content-encoding", "br"),
        ("content-type", "text/plain"),
    ] {
        assert!(refused(&with(good.clone(), name, value), &body, "BAD_HEADER").contains(name));
    }
    let long = "k".repeat(129);
    refused(
        &with(good.clone(), "idempotency-key", &long),
        &body,
        "BAD_HEADER",
    );
    let huge = with(chutes(1, 1, &body), "x-chutes-nonce", &u64::MAX.to_string());
    refused(&huge, &body, "BAD_HEADER");
    let mut twice = good.clone();
    twice.push(twice[1].clone());
    assert!(refused(&twice, &body, "BAD_HEADER").contains("twice"));
    let mut both = good.clone();
    both.extend(chutes(1, NOW / 1000, &body));
    assert!(refused(&both, &body, "BAD_HEADER").contains("one of the two ways"));
    // Known keys in a subnet they are not in, a stranger, another uid.
    refused(&signed(3, NOW, &body), &body, "NOT_REGISTERED");
    refused(
        &with(good.clone(), "validator-uid", "6"),
        &body,
        "WRONG_UID",
    );
    let store = store();
    let foreign = Request {
        netuid: 62,
        headers: &signed(2, NOW, &body),
        body: &body,
    };
    let error = over(&store).take(foreign, NOW).unwrap_err();
    assert_eq!((error.code(), error.status()), ("NOT_REGISTERED", 403));
    // Nothing is indexed.
    let ledger = Arc::new(Ledger::open(store.clone()).unwrap());
    let ingest = Ingest::new(ledger, Arc::new(store.clone()), Limits::default());
    assert_eq!(take(&ingest, &good, &body).unwrap_err().code(), "NO_CHAIN");
    assert_eq!(rows(&store), 0);
}

/// Admits a report of a form of its own and writes what makes it known.
fn admit(ingest: &Ingest, store: &Store, headers: &Headers, body: &[u8]) -> Result<String, String> {
    let request = Request {
        netuid: 61,
        headers,
        body,
    };
    let done: Result<String, IngestError> = ingest.admit(request, NOW, |admitted| {
        assert_eq!(admitted.body, body);
        assert_eq!((admitted.hotkey, admitted.uid), (account(1), 5));
        store.commit(vec![admitted.seen]).unwrap();
        Ok(admitted.provenance.payload)
    });
    done.map_err(|error| error.code().to_owned())
}

#[test]
fn a_report_may_be_hashed_as_python_writes_it() {
    let sent = br#"{"challenge_name":"ab_sniffer_v6"}"#;
    let python = br#"{"challenge_name": "ab_sniffer_v6"}"#;
    let hash = hex::encode(Sha256::digest(python));
    assert_eq!(
        hash,
        "b747d774eb4fc6cf1111d6866b8114e9cac19954899192a37673d118d79aa517"
    );
    let store = store();
    let ingest = over(&store);
    let refused = |headers: &Headers, body: &[u8], code: &str| {
        assert_eq!(admit(&ingest, &store, headers, body), Err(code.to_owned()));
    };
    refused(&signed(2, NOW, b"{}"), sent, "BAD_SIGNATURE");
    refused(&signed(1, NOW, b"[1]"), b"no json", "BAD_SIGNATURE");
    refused(&signed(1, NOW - 60_001, python), sent, "STALE");
    refused(&signed(3, NOW, python), sent, "NOT_REGISTERED");
    refused(
        &with(signed(1, NOW, python), "validator-uid", "4"),
        sent,
        "WRONG_UID",
    );
    // What was packed is hashed as it was sent.
    let packed = gzip(python);
    let headers = with(signed(1, NOW, python), "content-encoding", "gzip");
    refused(&headers, &packed, "BAD_SIGNATURE");
    // Python writes a blank behind the colon; what is kept is what came.
    let payload = admit(&ingest, &store, &signed(1, NOW, python), sent);
    assert_eq!(payload, Ok(hex::encode(Sha256::digest(sent))));
    // Other blanks do not make another request of it, and none at all do.
    for body in [
        &sent[..],
        br#"{ "challenge_name" :"ab_sniffer_v6"}"#,
        python,
    ] {
        refused(&signed(1, NOW, python), body, "REPLAYED");
    }
    admit(&ingest, &store, &signed(1, NOW, sent), sent).unwrap();
    refused(&signed(1, NOW, sent), sent, "REPLAYED");
    // Results of challenges are hashed as they are sent, and in no other way.
    let error = take(&ingest, &signed(1, NOW, python), sent).unwrap_err();
    assert_eq!(error.code(), "BAD_SIGNATURE");
}

#[test]
fn a_record_may_say_for_which_subnet_it_was_signed() {
    let store = store();
    let ingest = over(&store);
    let body = |netuid: u64| {
        let mut records: Vec<Value> = serde_json::from_slice(&body(1)).unwrap();
        records[0]["netuid"] = json!(netuid);
        serde_json::to_vec(&records).unwrap()
    };
    let foreign = body(62);
    let error = take(&ingest, &signed(1, NOW, &foreign), &foreign).unwrap_err();
    assert_eq!((error.code(), error.status()), ("BAD_RECORD", 422));
    assert!(
        error
            .to_string()
            .contains("for subnet 62 and was sent to subnet 61"),
        "{error}"
    );
    assert_eq!(rows(&store), 0);
    let own = body(61);
    take(&ingest, &signed(1, NOW, &own), &own).unwrap();
    assert_eq!(Ledger::open(store.clone()).unwrap().len(), 1);
}

#[test]
fn what_is_not_fresh_or_came_before_is_refused() {
    let body = body(2);
    for at in [NOW - 60_001, NOW + 60_001, 0, 18_446_744_000_000] {
        assert!(refused(&signed(1, at, &body), &body, "STALE").contains("clock"));
    }
    refused(&chutes(1, 0, &body), &body, "STALE");
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let first = signed(1, NOW, &body);
    {
        let store = Store::open_sled(&dir, true, 1 << 20).unwrap();
        take(&over(&store), &first, &body).unwrap();
    }
    // Another process, and a signature made anew over the same.
    let store = Store::open_sled(&dir, false, 1 << 20).unwrap();
    let ingest = over(&store);
    let before = rows(&store);
    for again in [first.clone(), signed(1, NOW, &body)] {
        let error = take(&ingest, &again, &body).unwrap_err();
        assert_eq!((error.code(), error.status()), ("REPLAYED", 409));
    }
    // To another subnet in which it is registered it is the same request.
    let other = Request {
        netuid: 62,
        headers: &first,
        body: &body,
    };
    assert_eq!(ingest.take(other, NOW).unwrap_err().code(), "REPLAYED");
    assert_eq!(rows(&store), before);
    // At another time it is another request, and by another hotkey.
    take(&ingest, &signed(1, NOW + 1, &body), &body).unwrap();
    take(&ingest, &signed(2, NOW, &body), &body).unwrap();
}

#[test]
fn what_was_seen_is_forgotten_when_it_decides_nothing_any_more() {
    let store = store();
    let ingest = over(&store);
    let seen = || {
        let range = Range::prefix(&Table::ResultSeen.key(&[]));
        store.engine().scan(range).count()
    };
    let at = |now: u64, key: Option<&str>| {
        let body = json!(record(&now.to_string())).to_string().into_bytes();
        let mut headers = signed(1, now, &body);
        if let Some(key) = key {
            headers = with(headers, "idempotency-key", key);
        }
        let request = Request {
            netuid: 61,
            headers: &headers,
            body: &body,
        };
        ingest.take(request, now).unwrap();
    };
    at(NOW, Some("k"));
    assert_eq!(seen(), 3);
    at(NOW + 100_000, None);
    assert_eq!(seen(), 4);
    at(NOW + 120_001, None);
    assert_eq!(seen(), 4);
    at(NOW + KEY_LIFE_MS, None);
    assert_eq!(seen(), 3);
    at(NOW + KEY_LIFE_MS + 1, Some("k"));
    assert_eq!(seen(), 4);
}

#[test]
fn a_key_makes_a_request_safe_to_send_again() {
    let store = store();
    let ingest = over(&store);
    let (one, other) = (body(2), body(3));
    let keyed = |seed, at, body: &[u8]| with(signed(seed, at, body), "idempotency-key", "k-1");
    let first = take(&ingest, &keyed(1, NOW, &one), &one).unwrap();
    let before = rows(&store);
    for at in [NOW, NOW + 5] {
        let again = take(&ingest, &keyed(1, at, &one), &one).unwrap();
        let wanted = Accepted {
            repeated: true,
            ..first.clone()
        };
        assert_eq!(again, wanted);
    }
    let error = take(&ingest, &keyed(1, NOW, &other), &other).unwrap_err();
    assert_eq!(
        (error.code(), error.status()),
        ("IDEMPOTENCY_KEY_REUSED", 409)
    );
    assert_eq!(rows(&store), before);
    // Keys of another hotkey or subnet are others.
    assert!(
        !take(&ingest, &keyed(2, NOW, &other), &other)
            .unwrap()
            .repeated
    );
    let request = Request {
        netuid: 62,
        headers: &keyed(1, NOW + 9, &other),
        body: &other,
    };
    assert!(!ingest.take(request, NOW).unwrap().repeated);
}

#[test]
fn of_equal_requests_at_the_same_time_one_is_taken() {
    let store = store();
    let ingest = over(&store);
    let body = body(4);
    let headers = signed(1, NOW, &body);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let told = take(&ingest, &headers, &body).map_err(|e| e.code());
                done.lock().unwrap().push(told.map(|a| a.count));
            });
        }
    });
    let done = done.into_inner().unwrap();
    assert_eq!(done.iter().filter(|d| **d == Ok(4)).count(), 1);
    assert_eq!(done.iter().filter(|d| **d == Err("REPLAYED")).count(), 7);
    assert_eq!(Ledger::open(store).unwrap().len(), 4);
}

#[test]
fn limits_are_those_that_are_set() {
    let limits = Limits {
        records: 2,
        window_ms: 5,
        body_bytes: 2_000,
        ..Limits::default()
    };
    let store = store();
    let ingest = over_with(&store, limits);
    assert_eq!(ingest.limits().records, 2);
    let (two, three) = (body(2), body(3));
    let code = |headers: &Headers, body: &[u8]| take(&ingest, headers, body).unwrap_err().code();
    assert_eq!(code(&signed(1, NOW, &three), &three), "TOO_MANY_RECORDS");
    assert_eq!(code(&signed(1, NOW - 6, &two), &two), "STALE");
    let large = body(20);
    assert_eq!(code(&signed(1, NOW, &large), &large), "BODY_TOO_LARGE");
    take(&ingest, &signed(1, NOW - 5, &two), &two).unwrap();
}
