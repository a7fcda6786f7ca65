use super::*;
use crate::profiles::of_value;

fn find(name: &str) -> &'static Profile {
    scoring::local::find(name).unwrap()
}

/// Both examples of the README as the code scores them.
fn examples() -> Value {
    let miner = |uid, hotkey, allocated, failed: f64, difficulty| {
        json!({
            "uid": uid, "hotkey": hotkey, "allocated": allocated, "has_docker": true,
            "measured": {
                "attempts": 100, "successes": 92, "failed_of_last": failed * 20.0,
                "elapsed": 16, "difficulty": difficulty,
            },
        })
    };
    json!({ "miners": [miner(1, "a", true, 0.026, 7), miner(2, "b", false, 0.031, 9)] })
}

#[test]
fn the_examples_by_every_profile() {
    for (name, first, second) in [
        ("sn27-r1", 0.8850574712643678, 0.5289440034665894),
        ("sn27-r2", 0.7727091633466135, 0.7202457190076312),
        ("sn27-r2b", 0.7895424836601308, 0.7731070563544484),
        ("sn27-r3", 1.0583333333333333, 0.7025592147868093),
    ] {
        let mut input = examples();
        if name == "sn27-r3" {
            input["best"] = json!(1);
        }
        let scored = of_value(find(name), &input).unwrap();
        assert_eq!(scored.rows[0].score, Some(first), "{name}");
        assert_eq!(scored.rows[1].score, Some(second), "{name}");
        assert_eq!(scored.inputs_hash.len(), 64);
        let sum = first + second;
        assert_eq!(scored.notes["weights"], json!([first / sum, second / sum]));
    }
}

#[test]
fn every_part_is_told() {
    let scored = of_value(find("sn27-r1"), &examples()).unwrap();
    let parts: BTreeMap<_, _> = scored.rows[1].parts.iter().cloned().collect();
    assert_eq!(parts["difficulty"], 50.0);
    assert_eq!(parts["successes"], 92.0);
    assert_eq!(parts["sum"], 153.39376100531095);
    assert_eq!(parts["max_score"], 290.0);
    assert_eq!(parts["next_difficulty"], 11.0);
    assert_eq!(parts["allocated"], 0.0);
}

#[test]
fn reports_take_away() {
    let mut input = examples();
    input["validators"] = json!(8);
    input["miners"][0]["reports"] = json!(1);
    input["miners"][1]["reports"] = json!(4);
    let scored = of_value(find("sn27-r2"), &input).unwrap();
    assert_eq!(scored.rows[0].score, Some(0.7727091633466135 * 0.75));
    assert_eq!(scored.rows[1].score, Some(0.0));
    assert_eq!(
        scored.rows[1].reason.as_deref(),
        Some("4 validators reported the miner; from 4 on the score is zero")
    );
    let refused = of_value(find("sn27-r1"), &input).unwrap_err().to_string();
    assert_eq!(
        refused,
        "miners[0].reports: is only for sn27-r2; leave it out"
    );
}

#[test]
fn a_miner_without_results_is_zero_and_says_why() {
    let input = json!({
        "now": "2024-03-26T12:00:00Z",
        "results": [{
            "uid": 1, "hotkey": "old", "success": true, "elapsed": 1, "difficulty": 7,
            "at": "2024-03-26T11:00:00Z",
        }],
        "miners": [{ "uid": 1, "hotkey": "new", "has_docker": true }],
    });
    let scored = of_value(find("sn27-r2"), &input).unwrap();
    assert_eq!(scored.rows[0].score, Some(0.0));
    assert_eq!(
        scored.rows[0].reason.as_deref(),
        Some("no challenge of the window was solved")
    );
    assert_eq!(
        scored.notes["window"],
        json!({ "rule": "calendar", "hours": 12 })
    );
    assert_eq!(scored.notes["weights"], json!([0.0]));
}

#[test]
fn hardware_that_nobody_knows() {
    let input = json!({ "miners": [
        { "uid": 1, "hotkey": "a", "gpu": "NVIDIA B200", "gpus": 8 },
        { "uid": 2, "hotkey": "b", "gpu": "a toaster", "gpus": 1, "allocated": true },
        { "uid": 3, "hotkey": "c" },
    ] });
    let scored = of_value(find("sn27-r4"), &input).unwrap();
    let scores: Vec<_> = scored.rows.iter().map(|row| row.score).collect();
    assert_eq!(scores, [Some(1.0), Some(0.0), Some(0.0)]);
    assert!(
        scored.rows[1]
            .reason
            .as_ref()
            .unwrap()
            .contains("a toaster")
    );
    assert_eq!(scored.rows[2].reason.as_deref(), Some("no GPU was proven"));
    assert_eq!(scored.notes["gpu_scores"], "published");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let r1 = |change: fn(&mut Value)| {
        let mut input = examples();
        change(&mut input);
        of_value(find("sn27-r1"), &input).unwrap_err().to_string()
    };
    for (found, wanted) in [
        (
            r1(|i| i["miner"] = json!([])),
            "miner: is not known here; known are now, window, results, miners, best, validators",
        ),
        (
            r1(|i| i["miners"][1]["uid"] = json!(1)),
            "miners[1].uid: 1 comes twice; give every miner once",
        ),
        (
            r1(|i| i["miners"][1]["hotkey"] = json!("a")),
            "miners[1].hotkey: a comes twice; give every miner once",
        ),
        (
            r1(|i| i["miners"][0]["uid"] = json!(-1)),
            "miners[0].uid: is -1; give a whole number from 0 on",
        ),
        (
            r1(|i| i["miners"][0]["uid"] = json!(70000)),
            "miners[0].uid: is 70000; that is too great",
        ),
        (
            r1(|i| i["miners"][0]["has_docker"] = json!("yes")),
            "miners[0].has_docker: is a text; give true or false",
        ),
        (
            r1(|i| i["miners"][0]["measured"] = json!(null)),
            "miners[0].measured: is missing; give it",
        ),
        (
            r1(|i| i["miners"][0]["measured"]["elapsed"] = json!("16")),
            "miners[0].measured.elapsed: is a text; give a number",
        ),
        (
            r1(|i| i["miners"][0]["measured"]["successes"] = json!(101)),
            "miners[0]: 101 of 100 challenges were solved; give at most as many as were tried",
        ),
        (
            r1(|i| i["miners"] = json!({})),
            "miners: is an object; give a list",
        ),
        (
            r1(|i| i["now"] = json!("2024-03-26")),
            "now: is only for `results`; give these, or leave it out",
        ),
        (r1(|i| *i = json!([])), ": is a list; give an object"),
    ] {
        assert_eq!(found, wanted);
    }
    let r3 = of_value(find("sn27-r3"), &examples()).unwrap_err();
    assert!(matches!(r3, InputError::Field { at, .. } if at == "best"));
    let table = json!({ "miners": [], "gpu_scores": { "x": 0 } });
    let r4 = of_value(find("sn27-r4"), &table).unwrap_err().to_string();
    assert_eq!(
        r4,
        "gpu_scores: the score of x is 0; give a number from 0.000001 to 1000000"
    );
    let nan = crate::profiles::score("sn27-r1", br#"{"miners": NaN}"#).unwrap_err();
    assert!(matches!(nan, InputError::Json(_)));
    let huge = crate::profiles::score("sn27-r1", br#"{"best": 1e999}"#).unwrap_err();
    assert!(matches!(huge, InputError::Json(_)));
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
    let hardware = json!({
        "miners": [{ "uid": 7, "hotkey": "a", "gpu": "b", "gpus": 4 }],
        "gpu_scores": { "b": 5.0 },
    });
    let mut reported = examples();
    reported["validators"] = json!(8);
    reported["miners"][0]["reports"] = json!(1);
    let results = json!({
        "now": "2024-03-26T12:00:00Z", "window": { "rule": "rolling", "hours": 24 },
        "results": [{
            "uid": 7, "hotkey": "a", "success": true, "elapsed": 16.0, "difficulty": 9,
            "at": "2024-03-26T11:00:00Z",
        }],
        "miners": [{ "uid": 7, "hotkey": "a", "allocated": true, "has_docker": true }],
        "best": 0.5,
    });
    for (name, input) in [
        ("sn27-r1", examples()),
        ("sn27-r2", reported),
        ("sn27-r3", results),
        ("sn27-r4", hardware),
    ] {
        assert!(of_value(find(name), &input).is_ok());
        let mut found = Vec::new();
        places(&input, String::new(), &mut found);
        for place in found {
            for other in others() {
                let mut changed = input.clone();
                *changed.pointer_mut(&place).unwrap() = other;
                let Ok(scored) = of_value(find(name), &changed) else {
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
}
