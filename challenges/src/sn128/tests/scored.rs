use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{input, lease};
use crate::profiles::{Scored, of_value};

fn scored(input: &Value) -> Result<Scored, String> {
    let profile = scoring::local::find("sn128-2025").unwrap();
    of_value(profile, input).map_err(|why| why.to_string())
}

/// The published example, with so many challenges written out.
fn golden() -> Value {
    let mut challenges = Vec::new();
    for (hotkey, worker, ms, number) in [
        ("m1", "w1", 1000, 40),
        ("m1", "w2", 2000, 18),
        ("m2", "w1", 500, 36),
    ] {
        for n in 0..number {
            challenges.push(json!({
                "id": format!("{hotkey}-{worker}-{n}"), "hotkey": hotkey, "worker": worker,
                "created": 1_760_000_000_000_u64 - n * 240_000, "status": "verified",
                "success": true, "computation_ms": ms, "success_count": 1, "gpus": ["-1"],
            }));
        }
    }
    json!({
        "now": 1_760_000_000_000_u64,
        "miners": [
            { "hotkey": "m3", "online": true, "workers": [{ "id": "w1", "lease_score": 0.8 }] },
            { "hotkey": "m1", "online": true, "workers": [
                { "id": "w1", "availability": 1.0 },
                { "id": "w2", "availability": 0.5, "lease_score": 0 },
            ] },
            { "hotkey": "m2", "online": true, "workers": [
                { "id": "w1", "lease_score": 0.5, "availability": 0.9 },
            ] },
        ],
        "challenges": challenges,
    })
}

fn part(scored: &Scored, row: usize, name: &str) -> f64 {
    let parts: BTreeMap<_, _> = scored.rows[row].parts.iter().cloned().collect();
    parts[name]
}

#[test]
fn the_published_example_of_json() {
    let scored = scored(&golden()).unwrap();
    let subjects: Vec<_> = scored.rows.iter().map(|row| row.subject.as_str()).collect();
    assert_eq!(subjects, ["m3", "m1", "m2"]);
    let scores: Vec<_> = scored.rows.iter().filter_map(|row| row.score).collect();
    assert_eq!(scores, [0.7224999999999999, 0.1875, 0.5125]);
    assert_eq!(part(&scored, 0, "weight"), 0.507908611599297);
    assert_eq!(part(&scored, 1, "weight"), 0.1318101933216169);
    assert_eq!(part(&scored, 2, "weight"), 0.3602811950790861);
    assert_eq!(part(&scored, 1, "challenge_norm"), 0.625);
    assert_eq!(scored.notes["average_norm"], 0.5416666666666666);
    assert_eq!(scored.notes["baseline"], 36.0);
    assert_eq!(scored.notes["notes"], json!([]));
    assert_eq!(scored.notes["workers"][1]["participation"], 0.5);
}

#[test]
fn failing_open_is_told() {
    let mut input = golden();
    for miner in input["miners"].as_array_mut().unwrap() {
        for worker in miner["workers"].as_array_mut().unwrap() {
            worker["availability"] = Value::Null;
        }
    }
    let silent = scored(&input).unwrap_err();
    assert!(
        silent.starts_with("heartbeats: is missing; give it, or"),
        "{silent}"
    );
    input["availability_failed"] = json!("the database was locked");
    let open = scored(&input).unwrap();
    assert_eq!(
        open.notes["notes"],
        json!([
            "availability could not be computed (the database was locked), so every worker has 1, as the original does"
        ])
    );
    assert_eq!(open.notes["workers"][1]["availability"], 1.0);
}

#[test]
fn what_a_hub_is_told() {
    let report = input::report(&golden()).unwrap();
    assert_eq!(
        report["minerScores"][0],
        json!({ "hotkey": "m1", "weight": 0.13181 })
    );
    let worker = &report["workerScores"][2];
    assert_eq!(worker["workerKey"], "m2:w1");
    assert_eq!(
        (worker["score"].clone(), worker["leaseScore"].clone()),
        (json!(1.0), json!(0.5))
    );
    assert_eq!(worker["calculatedAt"], "2025-10-09T08:53:20.000Z");
    assert_eq!(report["workerScores"][0]["perfScore"], 0.555556);
    let stats = &report["globalStats"];
    assert_eq!(stats["averageChallengeNorm"], 0.541667);
    assert_eq!(stats["windowStart"], "2025-10-09T05:53:20.000Z");
    assert_eq!(
        (stats["workerCap"].clone(), stats["totalWorkers"].clone()),
        (json!(100), json!(3))
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let of = |change: fn(&mut Value)| {
        let mut input = golden();
        change(&mut input);
        scored(&input).unwrap_err()
    };
    for (found, wanted) in [
        (
            of(|i| i["now"] = json!("soon")),
            "now: is \"soon\"; give a time as",
        ),
        (
            of(|i| i["now"] = json!(i64::MAX)),
            "now: is 9223372036854775807; give a time",
        ),
        (of(|i| i["extra"] = json!(1)), "extra: is not known here"),
        (
            of(|i| i["parameters"] = json!({ "window_minutes": 0 })),
            "parameters: window_minutes is 0",
        ),
        (
            of(|i| i["parameters"] = json!({ "lease_weight": 1.5 })),
            "parameters: lease_weight is 1.5",
        ),
        (
            of(|i| i["parameters"] = json!({ "interval": 1 })),
            "parameters.interval: is not known",
        ),
        (
            of(|i| i["miners"][1]["hotkey"] = json!("m3")),
            "miners[1].workers[0].id: w1 comes twice",
        ),
        (
            of(|i| {
                i["miners"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "hotkey": "m3", "online": true }))
            }),
            "the input: the miner m3 is named twice",
        ),
        (
            of(|i| i["miners"][1]["workers"][1]["id"] = json!("w1")),
            "miners[1].workers[1].id: w1 comes twice",
        ),
        (
            of(|i| i["miners"][1]["workers"][1]["availability"] = json!(1.1)),
            "miners[1].workers[1].availability: is 1.1",
        ),
        (
            of(|i| i["miners"][0]["workers"][0]["lease_score"] = json!(-1)),
            "the input: a lease score of m3 is -1",
        ),
        (
            of(|i| i["miners"][0]["online"] = json!(null)),
            "miners[0].online: is missing; give true or false",
        ),
        (
            of(|i| i["challenges"][3]["status"] = json!("won")),
            "challenges[3].status: is \"won\"; give one of",
        ),
        (
            of(|i| i["challenges"][3]["id"] = i["challenges"][2]["id"].clone()),
            "the input: the challenge m1-w1-2 is named twice",
        ),
        (
            of(|i| i["challenges"][3]["success_count"] = json!(-2)),
            "challenges[3].success_count: is -2",
        ),
        (
            of(|i| i["challenges"][3]["gpus"] = json!([7])),
            "challenges[3].gpus[0]: is a number; give a text",
        ),
        (
            of(|i| i["gpu_owners"] = json!({ "GPU-1": 7 })),
            "gpu_owners.GPU-1: is a number; give a text",
        ),
        (
            of(|i| i["heartbeats"] = json!([])),
            "heartbeats: is not the only source of availability",
        ),
    ] {
        assert!(found.starts_with(wanted), "{found}");
    }
}

#[test]
fn leases_are_all_taken_or_none() {
    let worker = ("m1".to_owned(), "w:1".to_owned());
    let mut leases = BTreeMap::from([(worker.clone(), 0.5)]);
    let near = json!({ "workerScores": [{ "workerKey": "m1:w:1", "score": 0.5 + 1e-13 }] });
    let applied = lease::apply(&mut leases, &near).unwrap();
    assert_eq!((applied.same, leases[&worker]), (1, 0.5));
    let half = json!({ "workerScores": [
        { "workerKey": "m1:w:1", "score": 0.9 }, { "workerKey": "m1", "score": 1 },
    ] });
    let refused = lease::apply(&mut leases, &half).unwrap_err().to_string();
    assert!(
        refused.starts_with("workerScores[1].workerKey: is \"m1\""),
        "{refused}"
    );
    assert_eq!(leases[&worker], 0.5);
}

/// All places of a JSON value.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    found.push(at.clone());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, item) in members {
                places(item, format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// What hardly anything wants.
fn others() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!(5e-324),
        json!(""),
        json!("x"),
        json!([]),
        json!({}),
        json!([[]]),
    ]
}

#[test]
fn anything_anywhere_is_scored_or_refused() {
    let mut input = golden();
    input["challenges"].as_array_mut().unwrap().truncate(3);
    for miner in input["miners"].as_array_mut().unwrap() {
        for worker in miner["workers"].as_array_mut().unwrap() {
            worker["availability"] = Value::Null;
        }
    }
    input["parameters"] = json!({
        "window_minutes": 180, "challenge_interval_s": 240, "participation_threshold": 0.8,
        "availability_hours": 169, "worker_cap": 100, "lease_weight": 0.7, "challenge_weight": 0.3,
    });
    input["gpu_owners"] = json!({ "GPU-1": "m1" });
    input["heartbeats"] = json!([{
        "id": 1, "hotkey": "m1", "worker": "w1", "at": 1_759_999_000_000_u64, "ip": "a",
        "gpus": ["GPU-1"],
    }]);
    assert!(scored(&input).is_ok());
    let mut found = Vec::new();
    places(&input, String::new(), &mut found);
    assert!(found.len() > 50);
    for place in found {
        for other in others() {
            let mut changed = input.clone();
            *changed.pointer_mut(&place).unwrap() = other;
            let Ok(scored) = scored(&changed) else {
                continue;
            };
            for row in scored.rows {
                assert!(row.score.is_some_and(f64::is_finite), "{place} {changed}");
                assert!(
                    row.parts.iter().all(|part| part.1.is_finite()),
                    "{place} {changed}"
                );
            }
        }
    }
}
