mod besides;
mod foreign;

use std::path::PathBuf;

use chain_metadata::AccountId;
use scoring::local::sn64::{Features, Miner};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::super::ids::{entry_id, show};
use super::super::input::shares;
use super::*;

const HEADER: &str = "parent_invocation_id,invocation_id,chute_id,chute_user_id,function_name,image_id,image_user_id,instance_id,miner_uid,miner_hotkey,started_at,completed_at,error_message,compute_multiplier,bounty,metrics\n";

fn key(n: u8) -> String {
    AccountId([n; 32]).to_string()
}

fn id(n: u32) -> String {
    show(u128::from(n))
}

/// A folder of two hours with a validator's report and a miner's.
struct Made {
    dir: TempDir,
}

impl Made {
    fn put(&self, path: &str, text: &str) {
        let place = self.dir.path().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }

    fn run(&self, rules: Rules) -> Audit {
        self.try_run(rules, None).unwrap()
    }

    fn try_run(&self, rules: Rules, synthetics: Option<&[Synthetic]>) -> Result<Audit, AuditError> {
        self.by(&[], rules, synthetics)
    }

    fn by(
        &self,
        validators: &[AccountId],
        rules: Rules,
        synthetics: Option<&[Synthetic]>,
    ) -> Result<Audit, AuditError> {
        audit(&Request {
            dir: self.dir.path(),
            rules,
            netuid: NetUid(64),
            now: None,
            store: None,
            validators,
            block: None,
            synthetics,
        })
    }

    /// One more entry of an hour in the index, at a path.
    fn enter(&self, who: u8, block: u32, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(folder::INDEX)).unwrap();
        let mut index: Vec<Value> = serde_json::from_str(&text).unwrap();
        index.push(json!({
            "entry_id": show(entry_id(&key(who), block)), "hotkey": key(who), "block": block,
            "path": path, "start_time": from, "end_time": to,
        }));
        self.put(folder::INDEX, &json!(index).to_string());
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }
}

/// (id, parent, chute, uid, miner, start, end, error, multiplier, bounty, metrics)
fn line(
    id_of: u32,
    parent: u32,
    chute: u32,
    miner: u8,
    times: (&str, &str),
    error: &str,
    rest: (&str, u8, &str),
) -> String {
    let (start, end) = times;
    let (multiplier, bounty, metrics) = rest;
    let uid = miner - 1;
    format!(
        "{},{},{},,chat,,,,{uid},{},{start},{end},{error},{multiplier},{bounty},{metrics}\n",
        id(parent),
        id(id_of),
        id(chute),
        key(miner)
    )
}

const ELEVEN: &str = "invocations/2025/10/15/11.csv";
const TWELVE: &str = "invocations/2025/10/15/12.csv";
const USERS: &str = "invocations/2025/10/15/12-reports.csv";

/// Miners: 2 is A, 3 is B, 1 is C with uid 0; A and C have the same coldkey. Validator: 9.
fn made() -> Made {
    let made = Made {
        dir: tempfile::tempdir().unwrap(),
    };
    let steps = "\"{'steps': 10, 'tokens': None, 'p': False}\"";
    let day = |clock: &str| format!("2025-10-15 {clock}");
    let eleven = [
        HEADER.to_owned(),
        line(
            1,
            101,
            1,
            2,
            (&day("10:00:00"), &day("10:00:05")),
            "",
            ("2.0", 3, steps),
        ),
        line(
            2,
            102,
            1,
            2,
            (&day("10:10:00"), &day("10:10:20")),
            "",
            ("2.0", 0, steps),
        ),
        line(
            3,
            103,
            1,
            3,
            (&day("10:20:00"), &day("10:20:10")),
            "",
            ("1.0", 0, steps),
        ),
        // Not ended in its hour; the next file has the end.
        line(4, 104, 2, 1, (&day("10:59:59.5"), ""), "", ("1.0", 0, "")),
    ];
    let twelve = [
        HEADER.to_owned(),
        line(
            4,
            104,
            2,
            1,
            (&day("10:59:59.5"), &day("11:00:00.5")),
            "",
            ("1.0", 0, "None"),
        ),
        line(
            5,
            105,
            1,
            3,
            (&day("11:00:10"), &day("11:00:20")),
            "\"boom, \"\"quoted\"\"\"",
            ("1.0", 4, ""),
        ),
        line(
            6,
            106,
            2,
            3,
            (&day("11:30:00"), &day("11:30:02")),
            "",
            ("1.0", 7, "\"{'p': True}\""),
        ),
    ];
    let users = format!(
        "invocation_id,user_id,timestamp,confirmed_at,confirmed_by,reason\n{},u,t,{},me,\"slow, wrong\"\n{},u,t,,,x\n",
        id(102),
        day("12:00:00"),
        id(101)
    );
    made.put(ELEVEN, &eleven.concat());
    made.put(TWELVE, &twelve.concat());
    made.put(USERS, &users);
    let instance = |n: u32,
                    chute: u32,
                    miner: u8,
                    created: &str,
                    activated: &str,
                    multiplier: f64,
                    billed: Option<&str>| {
        json!({
            "instance_id": id(n), "deployment_id": id(n), "validator": key(9), "chute_id": id(chute), "version": "1",
            "deletion_reason": null, "miner_uid": miner, "miner_hotkey": key(miner), "region": "n/a",
            "created_at": day(created), "verified_at": day(activated), "activated_at": day(activated), "deleted_at": null,
            "stop_billing_at": null, "billed_to": billed, "compute_multiplier": multiplier, "mood": "good",
        })
    };
    let export = |path: &str| {
        let hash = Sha256::digest(std::fs::read(made.path(path)).unwrap());
        json!({"path": path, "sha256": hex::encode(hash)})
    };
    let instances = json!([
        instance(201, 1, 2, "01:00:00", "02:00:00", 1.5, None),
        instance(202, 2, 3, "10:00:00", "10:00:00", 3.0, Some("user")),
    ]);
    for (hour, block) in [(11, 100), (12, 400)] {
        let report = json!({
            "instance_audit": instances,
            "csv_exports": if hour == 11 {
                json!({"invocations": export(ELEVEN)})
            } else {
                json!({"invocations": export(TWELVE), "reports": export(USERS)})
            },
        });
        made.put(
            &format!("audit/validator/{}/{block}.json", key(9)),
            &report.to_string(),
        );
    }
    let own = json!({
        "miner_hotkey": key(2), "start_time": day("11:00:00"), "end_time": day("12:00:00"), "prometheus_message": null,
        "prometheus_metrics": [{"chute_id": id(1), "deployment_id": id(201), "function": "chat", "total_seconds": 25.5, "total_count": 2}],
        "deployment_audit": [instance(201, 1, 2, "01:00:00", "02:00:00", 1.5, None)],
    });
    made.put(
        &format!("audit/miner/{}/401.json", key(2)),
        &own.to_string(),
    );
    made.put(
        &format!("audit/miner/{}/402.json", key(3)),
        "{\"prometheus_metrics\": 7}",
    );
    let entry = |whose: &str, who: u8, block: u32, from: &str, to: &str| {
        json!({
            "entry_id": show(entry_id(&key(who), block)), "hotkey": key(who), "block": block,
            "path": format!("audit/{whose}/{}/{block}.json", key(who)), "created_at": day(to),
            "start_time": day(from).replace(' ', "T"), "end_time": day(to).replace(' ', "T") + "Z",
        })
    };
    let index = json!([
        entry("validator", 9, 400, "11:00:00", "12:00:00"),
        entry("validator", 9, 100, "10:00:00", "11:00:00"),
        entry("miner", 2, 401, "11:00:00", "12:00:00"),
        entry("miner", 3, 402, "11:00:00", "12:00:00"),
        entry("miner", 1, 403, "09:00:00", "10:00:00"),
    ]);
    made.put(folder::INDEX, &index.to_string());
    made.put(
        folder::GPUS,
        &json!([{"chute_id": id(1), "gpu_count": 2}]).to_string(),
    );
    let known = json!([
        {"hotkey": key(2), "coldkey": "c1", "incentive": 40000},
        {"hotkey": key(3), "coldkey": "c2", "incentive": 10000},
        {"hotkey": key(1), "coldkey": "c1", "incentive": 10000},
        {"hotkey": key(7), "coldkey": "c7", "incentive": 0},
    ]);
    made.put(folder::METAGRAPH, &known.to_string());
    made
}

fn row(audit: &Audit, n: u8) -> &MinerRow {
    audit
        .miners
        .iter()
        .find(|row| row.hotkey == key(n))
        .unwrap()
}

fn told(audit: &Audit, n: u8) -> Vec<f64> {
    row(audit, n).features.values().copied().collect()
}

/// Shares of A, B, C by the rules, of features computed by hand.
fn by_hand(rules: Rules, audit: &Audit, features: [Features; 3]) {
    let coldkeys = [Some(1), Some(2), Some(1)];
    // Hotkeys in the order in which the audit has them, with the one that did nothing.
    let mut miners: Vec<(String, Miner)> = [2_u8, 3, 1]
        .into_iter()
        .zip(features.into_iter().zip(coldkeys))
        .map(|(n, (features, coldkey))| (key(n), Miner { coldkey, features }))
        .collect();
    miners.push((
        key(7),
        Miner {
            coldkey: Some(7),
            ..Miner::default()
        },
    ));
    miners.sort_by(|a, b| a.0.cmp(&b.0));
    let only: Vec<Miner> = miners.iter().map(|(_, miner)| *miner).collect();
    let wanted = shares(rules, &only).shares;
    assert_eq!(audit.miners.len(), 4);
    for (row, wanted) in audit.miners.iter().zip(wanted) {
        assert_eq!(row.share, wanted, "{rules:?} {}", row.hotkey);
    }
}

#[test]
fn p1_by_hand() {
    let found = made().run(Rules::P1);
    // Steps of chute 1 took 0.5, 2 and 1 seconds: the median is 1, which cuts 20 s to 10.
    let a = Features {
        units: 3.0 + 2.0 * 5.0 + 2.0 * 10.0,
        invocations: 2.0,
        unique: 1.0,
        bounties: 1.0,
        ..Features::default()
    };
    // The failed one does not count, the private one does.
    let b = Features {
        units: 10.0 + 7.0 + 2.0,
        invocations: 2.0,
        unique: 2.0,
        bounties: 1.0,
        ..Features::default()
    };
    // Uid 0 does not count at all.
    assert_eq!(told(&found, 2), [1.0, 33.0, 2.0, 1.0]);
    assert_eq!(told(&found, 3), [1.0, 19.0, 2.0, 2.0]);
    assert_eq!(told(&found, 1), [0.0; 4]);
    let share = 33.0 / 52.0 * 0.35 + 2.0 / 4.0 * 0.30 + 1.0 / 3.0 * 0.25 + 1.0 / 2.0 * 0.10;
    assert_eq!(row(&found, 2).share, share);
    by_hand(Rules::P1, &found, [a, b, Features::default()]);
    assert_eq!(
        (found.invocations.rows, found.invocations.superseded),
        (7, 1)
    );
    assert_eq!(found.invocations.suspects, 0);
}

#[test]
fn p2_by_hand() {
    let made = made();
    for rules in [Rules::P1b, Rules::P2] {
        let found = made.run(rules);
        // The second invocation of A has a confirmed report.
        let a = Features {
            units: 13.0,
            invocations: 1.0,
            unique: 2.0,
            bounties: 1.0,
            ..Features::default()
        };
        // Ten seconds, bounties of the failed and of the private one, and the private
        // instance: two hours at 3, for 7200 invocations and one bounty.
        let b = Features {
            units: 10.0 + 4.0 + 7.0 + 21600.0,
            invocations: 7201.0,
            unique: 1.0,
            bounties: 2.0,
            ..Features::default()
        };
        let c = Features {
            units: 1.0,
            invocations: 1.0,
            ..Features::default()
        };
        by_hand(rules, &found, [a, b, c]);
        let best = format!("{} of the same coldkey has more", key(2));
        assert_eq!(row(&found, 1).reason.as_deref(), Some(best.as_str()));
        assert_eq!(row(&found, 1).share, 0.0);
    }
}

#[test]
fn p2b_by_hand() {
    let found = made().run(Rules::P2b);
    let a = Features {
        units: 11.0 * 3600.0 * 1.5,
        breadth: 2.0,
        demand: 0.75 * 13.0 + 0.25,
        // One of two bounties of the chute.
        bounty: 0.5_f64.sqrt(),
        ..Features::default()
    };
    let b = Features {
        units: 21600.0,
        breadth: 1.0,
        demand: 0.75 * 21.0 + 0.25,
        bounty: 0.5_f64.sqrt(),
        ..Features::default()
    };
    let c = Features {
        demand: 0.75 + 0.25,
        ..Features::default()
    };
    for (n, features) in [(2, a), (3, b), (1, c)] {
        let wanted = [
            features.bounty,
            features.breadth,
            features.units,
            features.demand,
        ];
        for (told, wanted) in told(&found, n).iter().zip(wanted) {
            assert!((told - wanted).abs() < 1e-12, "{n}: {told} {wanted}");
        }
    }
    let total: f64 = found.miners.iter().map(|row| row.share).sum();
    assert!((total - 1.0).abs() < 1e-12);
}

#[test]
fn p3_by_hand() {
    let made = made();
    let found = made.run(Rules::P3);
    assert_eq!(
        (told(&found, 2), told(&found, 3)),
        (vec![59400.0], vec![21600.0])
    );
    let a = row(&found, 2);
    assert_eq!(a.share, 59400.0 / 81000.0);
    assert_eq!(a.weight, Some(48059));
    assert_eq!(a.actual, Some(40000.0 / 60000.0));
    assert_eq!(a.outcome, Some("far"));
    assert_eq!(
        a.line.as_deref(),
        Some("0.73333 vs actual 0.66667, delta 0.06667")
    );
    assert_eq!(row(&found, 1).outcome, Some("only-on-chain"));
    assert_eq!(row(&found, 7).outcome, Some("neither"));
    assert!(found.violations.is_empty());
    assert_eq!(
        found.unknown,
        [
            "member mood (miners' reports)",
            "member mood (validators' reports)"
        ]
    );
    assert_eq!(found.now, "2025-10-15T12:00:00Z");

    // With a history: an hour at 0.6, then at 2.
    made.put(
        folder::HISTORY,
        &format!("instance_id,compute_multiplier,started_at,ended_at\n{0},0.6,2025-10-15 10:00:00,2025-10-15 11:00:00\n{0},2.0,2025-10-15 11:00:00,\n", id(202)),
    );
    assert_eq!(told(&made.run(Rules::P3), 3), [9360.0]);
    // Deleted by the feed after one hour and a half: private, and without an excuse.
    made.put(
        folder::DELETIONS,
        &format!("instance_id,deleted_at\n{},2025-10-15 11:30:00\n", id(202)),
    );
    assert_eq!(told(&made.run(Rules::P3), 3), [0.0]);
    // Blacklisted, or not registered.
    made.put(
        folder::METAGRAPH,
        &json!([{"hotkey": key(2), "blacklist_reason": "cheating"}]).to_string(),
    );
    let found = made.run(Rules::P3);
    assert_eq!(
        row(&found, 2).reason.as_deref(),
        Some("blacklisted: cheating")
    );
    assert_eq!(row(&found, 3).reason.as_deref(), Some("not registered"));
    assert!(found.miners.iter().all(|row| row.share == 0.0));
}
