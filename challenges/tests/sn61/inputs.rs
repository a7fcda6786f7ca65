//! Scoring of one input by each profile.

use challenges::profiles::{InputError, Scored, score};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: f64 = 1_700_000_000.0;

fn one(uid: u16, token: &str, scores: &[f64], likeness: &[f64], days: f64) -> Value {
    let scores: Vec<Value> = scores.iter().map(|s| json!({"score": s})).collect();
    let likeness: Vec<Value> = likeness
        .iter()
        .map(|s| json!({"similarity_score": s}))
        .collect();
    json!({
        "miner_uid": uid, "miner_hotkey": format!("hotkey-{uid}"), "encrypted_commit": token,
        "scored_timestamp": NOW - days * 86_400.0,
        "scoring_logs": scores, "comparison_logs": {"ref": likeness},
    })
}

fn input(commits: Vec<Value>) -> Value {
    json!({"now": NOW, "uids": 5, "commits": commits})
}

fn scored(profile: &str, input: &Value) -> Scored {
    score(profile, input.to_string().as_bytes()).unwrap()
}

fn refused(profile: &str, input: &Value) -> String {
    score(profile, input.to_string().as_bytes())
        .unwrap_err()
        .to_string()
}

fn part(scored: &Scored, row: usize, name: &str) -> f64 {
    let parts = &scored.rows[row].parts;
    parts.iter().find(|(n, _)| n == name).unwrap().1
}

#[test]
fn the_base_rules_share_among_all_uids() {
    let input = input(vec![
        one(1, "a", &[0.4, 0.6], &[0.1], 100.0),
        one(2, "b", &[0.7], &[], 0.0),
        one(3, "c", &[0.9], &[0.49], 0.0),
        one(3, "d", &[1.0], &[0.5], 0.0),
    ]);
    let scored = scored("sn61-base", &input);
    let shares: Vec<f64> = scored.rows.iter().map(|row| row.score.unwrap()).collect();
    // The published numbers for 0, .5, .7, .9, 0.
    assert_eq!(
        shares,
        [
            0.088_719_274_003_629_96,
            0.241_163_990_358_146_15,
            0.655_551_692_669_221_4,
            0.0
        ]
    );
    assert_eq!(
        scored.rows[3].reason.as_deref(),
        Some("too like another commit")
    );
    assert_eq!(scored.notes["burn"], json!(0.5));
    let mut missing = input.clone();
    missing["commits"][1]["scoring_logs"] = json!([{"score": null}]);
    let left_out = self::scored("sn61-base", &missing);
    assert_eq!(left_out.rows[1].score, None);
    assert!(
        left_out.rows[1]
            .reason
            .as_ref()
            .unwrap()
            .contains("left out")
    );
}

#[test]
fn the_rules_of_challenges_reduce_and_age() {
    let mut input = input(vec![
        one(1, "a", &[0.9], &[0.5], 12.5),
        one(2, "b", &[0.9, 0.2], &[0.3], 0.0),
        one(2, "c", &[0.8], &[0.1], 0.0),
        one(3, "d", &[0.5], &[0.1], 0.0),
        one(4, "e", &[0.9], &[0.1], 15.5),
    ]);
    let now = scored("sn61-abs-2026", &input);
    assert_eq!(part(&now, 0, "adjusted"), 0.882_665_596_572_951_8);
    let aged = scoring::local::sn61::decay::Decay::PUBLISHED.apply(0.882_665_596_572_951_8, 12.5);
    assert_eq!(part(&now, 0, "decayed"), aged);
    assert_eq!(now.rows[2].score, Some(0.0));
    assert_eq!(
        now.rows[2].reason.as_deref(),
        Some("another commit of this miner is its best")
    );
    assert_eq!(now.rows[4].reason.as_deref(), Some("the score is too old"));
    let sum: f64 = now.rows.iter().filter_map(|row| row.score).sum();
    assert!((sum - 1.0).abs() < 1e-12);
    let then = scored("sn61-abs-2025", &input);
    assert_eq!(
        part(&then, 3, "accepted"),
        0.0,
        "0.5 was below the least score then"
    );
    assert_eq!(then.inputs_hash, now.inputs_hash);
    input["settings"] = json!({"min_score": 0.5, "max_similarity": 0.4});
    let set = scored("sn61-abs-2025", &input);
    assert_eq!(part(&set, 3, "accepted"), 1.0);
    assert_eq!(part(&set, 0, "accepted"), 0.0);
}

#[test]
fn one_miner_an_entity_when_places_are_told() {
    let mut input = input(vec![
        one(1, "a", &[0.9], &[0.1], 0.0),
        one(2, "b", &[0.8], &[0.1], 0.0),
        one(3, "c", &[0.9], &[0.1], 0.0),
    ]);
    assert_eq!(
        scored("sn61-abs-2026", &input).notes["entities"],
        json!(false)
    );
    for (at, ip) in ["1.1.1.1", "1.1.1.1", "2.2.2.2"].into_iter().enumerate() {
        input["commits"][at]["ip"] = json!(ip);
        input["commits"][at]["coldkey"] = json!(format!("cold-{at}"));
    }
    let filtered = scored("sn61-abs-2026", &input);
    assert_eq!(filtered.notes["entities"], json!(true));
    assert_eq!(filtered.notes["row"], json!({"1": 0.5, "3": 0.5}));
    input["owner_uid"] = json!(0);
    let burnt = scored("sn61-abs-2025", &input);
    assert_eq!(burnt.notes["row"]["0"], json!(0.5));
}

#[test]
fn wrong_inputs_name_the_place() {
    let right = || {
        input(vec![
            one(1, "a", &[0.5], &[0.1], 0.0),
            one(2, "b", &[0.5], &[0.1], 0.0),
        ])
    };
    let with = |pointer: &str, value: Value| {
        let mut input = right();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        input.pointer_mut(parent).unwrap()[name] = value;
        refused("sn61-abs-2026", &input)
    };
    for (pointer, value, wanted) in [
        (
            "/now",
            json!("today"),
            "input.now: a finite number is wanted",
        ),
        ("/now", Value::Null, "input.now: it is missing"),
        ("/extra", json!(1), "input.extra: there is no such member"),
        ("/uids", json!(2), "input.uids: there is a commit of uid 2"),
        (
            "/settings",
            json!({"min": 1}),
            "input.settings.min: there is no such member",
        ),
        (
            "/commits/0/weight",
            json!(1),
            "input.commits[0].weight: there is no such member",
        ),
        (
            "/commits/1/miner_uid",
            json!(1),
            "input.commits[1].miner_hotkey: uid 1 has another hotkey before",
        ),
        (
            "/commits/1/miner_hotkey",
            json!("hotkey-1"),
            "input.commits[1].miner_uid: the hotkey has uid 1 before",
        ),
        ("/commits/1/miner_hotkey", json!(""), "the hotkey is empty"),
        (
            "/commits/1/ip",
            json!("1.1.1.1"),
            "ip and coldkey are given together",
        ),
        (
            "/commits/1/scoring_logs",
            json!([{"score": "1"}]),
            "input.commits[1].scoring_logs[0].score: a finite number",
        ),
        (
            "/commits/1/scoring_logs",
            json!([{"points": 1}]),
            "scoring_logs[0].points: there is no such member",
        ),
        (
            "/commits/1/comparison_logs",
            json!({"r": {}}),
            "comparison_logs.r: a list is wanted",
        ),
    ] {
        let told = with(pointer, value);
        assert!(told.contains(wanted), "{told} is not {wanted}");
    }
    let mut twice = right();
    twice["commits"][1] = twice["commits"][0].clone();
    assert!(refused("sn61-base", &twice).contains("has this ciphertext twice"));
    let nan = right().to_string().replace("0.5", "NaN");
    assert!(matches!(
        score("sn61-base", nan.as_bytes()),
        Err(InputError::Json(_))
    ));
    let empty = scored("sn61-base", &json!({"now": 0, "commits": []}));
    assert!(empty.rows.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_order_of_miners_does_not_matter(
        miners in prop::collection::btree_map(0_u16..40, (0.0..=1.0_f64, 0.0..=1.0_f64, 0.0..20.0_f64), 1..20)
            .prop_flat_map(|miners| {
                let list: Vec<_> = miners.into_iter().collect();
                (Just(list.clone()), Just(list).prop_shuffle())
            }),
    ) {
        for profile in ["sn61-base", "sn61-abs-2025", "sn61-abs-2026"] {
            let of = |list: &[(u16, (f64, f64, f64))]| {
                let commit = |(uid, (score, likeness, days)): &(u16, (f64, f64, f64))| {
                    one(*uid, "t", &[*score], &[*likeness], *days)
                };
                let input = json!({"now": NOW, "uids": 40, "commits": list.iter().map(commit).collect::<Vec<_>>()});
                let scored = scored(profile, &input);
                let mut rows: Vec<_> = scored.rows.into_iter().map(|row| (row.subject, row.score)).collect();
                rows.sort_by(|a, b| a.0.cmp(&b.0));
                (rows, scored.notes["row"].clone())
            };
            let (given, shuffled) = (of(&miners.0), of(&miners.1));
            prop_assert!(given.0.iter().all(|(_, score)| score.is_some_and(|s| (0.0..=1.0).contains(&s))));
            prop_assert_eq!(given, shuffled);
        }
    }
}
