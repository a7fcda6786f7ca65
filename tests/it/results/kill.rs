//! SIGKILL while reports come in: each is there whole or not at all, and what was answered is there.

use challenges::ledger::{Filter, Ledger};
use challenges::record::{Entry, Kind};
use indexer::store::Store;
use serde_json::{Value, json};

use super::{complete, deliver, known_hotkey, now_ns, signed};
use crate::context::text;
use crate::served::start;

/// Records of a report.
const EACH: usize = 7;

fn report(turn: usize) -> Vec<u8> {
    let record = |n: usize| {
        json!({ "challenge": "c", "subject": format!("m{n}"),
                "record": { "kind": "submission", "id": format!("{turn}-{n}") } })
    };
    let records: Vec<Value> = (0..EACH).map(record).collect();
    json!(records).to_string().into_bytes()
}

#[test]
fn a_killed_program_has_whole_reports() {
    let folder = tempfile::tempdir().unwrap();
    let (recording, _, _) = known_hotkey(folder.path());
    let data = folder.path().join("store");
    let flags = [
        "--data-dir",
        text(&data),
        "--listen",
        "127.0.0.1:0",
        "--log",
        "warn",
        "--ingest",
    ];
    drop({
        let served = start(&[&["demo", "--recording", text(&recording)][..], &flags].concat());
        complete(&served);
        served
    });
    let (mut answered, mut turn) = (0, 0);
    for wait_ms in [0, 7, 40] {
        let mut served = start(&[&["serve"][..], &flags].concat());
        let pid = served.child.id();
        // It dies a little after the first answer, in the middle of some other report.
        let mut killer = None;
        loop {
            let body = report(turn);
            let headers = signed(&body, now_ns());
            let told = std::panic::catch_unwind(|| deliver(&served, 1, &headers, &body));
            turn += 1;
            // No answer: the program is gone.
            let Ok((status, told)) = told else { break };
            assert_eq!((status, &told["count"]), (201, &json!(EACH)), "{told}");
            answered += 1;
            killer.get_or_insert_with(|| {
                std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(wait_ms));
                    let mut kill = std::process::Command::new("kill");
                    kill.args(["-9", &pid.to_string()]).status().unwrap();
                })
            });
        }
        killer.expect("nothing came in").join().unwrap();
        served.child.wait().unwrap();
        let ledger = Ledger::open(Store::open_sled(&data, false, 1 << 20).unwrap()).unwrap();
        let all = ledger.from(0, usize::MAX).unwrap();
        assert_eq!(u64::try_from(all.len()).unwrap(), ledger.len());
        assert_eq!(all.len() % EACH, 0);
        assert!(all.len() / EACH >= answered && all.len() / EACH <= turn);
        for (_, Entry { provenance, .. }) in &all {
            let hash = hex::decode(&provenance.payload)
                .unwrap()
                .try_into()
                .unwrap();
            assert!(ledger.payload(&hash).unwrap().is_some());
        }
        let listed = |n: usize| {
            let filter = Filter {
                netuid: 1,
                challenge: Some("c".into()),
                kind: Some(Kind::Submission),
                subject: Some(format!("m{n}")),
                after: None,
            };
            ledger.find(&filter, usize::MAX).unwrap().len()
        };
        assert!((0..EACH).all(|n| listed(n) == all.len() / EACH));
    }
    assert!(answered >= 3);
}
