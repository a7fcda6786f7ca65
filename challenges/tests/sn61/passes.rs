//! Passes over a ledger in memory.

use std::sync::atomic::Ordering;

use challenges::ledger::put_payload;
use challenges::python::{Json, dumps};
use challenges::record::Record;
use challenges::sn61::finalize::Outcome;
use challenges::sn61::select::Skipped;
use challenges::sn61::state::{AskError, MAX_ASKED, Question, State, get_scoring_result, logs};
use indexer::store::engine::Batch;
use serde_json::json;

use crate::world::*;

#[test]
fn a_pass_scores_compares_and_judges_and_the_next_does_nothing() {
    let (ledger, config) = (ledger(), config("sn61-abs-2026", &["one", "two"]));
    let mut fake = Fake::default();
    fake.likeness.insert((docker("c"), docker("a")), 0.65);
    told(
        &ledger,
        &config,
        &[
            (0, "one", "a", EARLY),
            (1, "one", "b", EARLY + 1.0),
            (2, "one", "c", EARLY + 2.0),
            (3, "two", "d", EARLY + 3.0),
            (4, "two", "too-young", 1_760_540_000.0),
        ],
    );
    let (state, passed) = once(&ledger, &config, &fake, NOW);
    assert_eq!((passed.opened, passed.run, passed.judged), (4, 4, 4));
    // b with a; c with a and b.
    assert_eq!(passed.compared, 3);
    let one = &state.challenges["one"];
    let of = |image: &str| &one.judged[&sealed("one", image).0];
    // Nobody to compare with leaves no score, though it is accepted.
    assert_eq!((of("a").score, of("a").accepted), (Some(0.0), true));
    assert_eq!((of("b").score, of("b").penalty), (Some(0.8), 0.2));
    assert_eq!((of("c").accepted, of("c").penalty), (false, 0.65));
    assert!(one.done.contains(&docker("c")), "rejected is done with");
    assert!(!one.is_done);
    // All of a day get the same input, asked for once.
    assert_eq!(fake.count("task one"), 1);
    assert_eq!(fake.count(&format!("score {} true", docker("b"))), 1);
    let kept = logs(&ledger, &one.runs[&docker("b")]).unwrap();
    let text = r#"{"zeta": "\u00e9", "alpha": 123456789012345678901234567890}"#;
    assert_eq!(dumps(kept[0].miner_input.as_ref().unwrap()), text);
    let before = (ledger.len(), fake.calls.lock().unwrap().len());
    let (_, again) = once(&ledger, &config, &fake, NOW + 1000);
    assert_eq!((again.run, again.compared, again.judged), (0, 0, 0));
    assert_eq!(again.skipped.len(), 4);
    assert_eq!((ledger.len(), fake.calls.lock().unwrap().len()), before);
}

#[test]
fn one_image_is_scored_once() {
    let (ledger, config) = (ledger(), config("sn61-abs-2026", &["one", "two"]));
    let fake = Fake::default();
    told(
        &ledger,
        &config,
        &[(0, "one", "a", EARLY + 5.0), (1, "one", "b", EARLY)],
    );
    // Miner 2 commits the image of miner 1, later; and miner 3 in the other challenge.
    let plain = format!("one---{}", docker("b"));
    let copy = challenges::sn61::fernet::seal(&key("copy"), 2, [5; 16], plain.as_bytes()).unwrap();
    let copy =
        json!({"encrypted_commit": copy, "commit_timestamp": EARLY + 9.0, "key": key("copy")});
    take(&ledger, &config, &body(1, &[(miner(2), "one", copy)]));
    told(&ledger, &config, &[(3, "two", "b", EARLY + 7.0)]);
    let (_, passed) = once(&ledger, &config, &fake, NOW);
    let who: Vec<_> = passed
        .skipped
        .iter()
        .map(|(r, why)| (r.candidate.uid, *why))
        .collect();
    assert_eq!(who, [(3, Skipped::SameImage), (2, Skipped::SameImage)]);
    assert_eq!(fake.count(&format!("solve {}", docker("b"))), 1);
    // The other challenge has its own list: there it is scored in the next pass.
    let (state, passed) = once(&ledger, &config, &fake, NOW);
    assert_eq!(passed.judged, 1);
    assert!(state.challenges["two"].done.contains(&docker("b")));
}

#[test]
fn a_ciphertext_of_another_miner_is_not_a_commit_of_ones_own() {
    let (ledger, config) = (ledger(), config("sn61-abs-2026", &["one"]));
    let stolen = commit("one", "a", Some(EARLY + 60.0), true);
    told(&ledger, &config, &[(3, "one", "a", EARLY)]);
    take(&ledger, &config, &body(1, &[(miner(1), "one", stolen)]));
    let (state, passed) = once(&ledger, &config, &Fake::default(), NOW);
    assert_eq!(passed.judged, 1);
    let judged = &state.challenges["one"].judged;
    // Miner 1 has the lower uid, miner 3 was first.
    assert_eq!(
        judged.values().map(|judged| judged.uid).collect::<Vec<_>>(),
        [3]
    );
}

#[test]
fn failures_of_services_are_results() {
    let mut config = config("sn61-base", &["one"]);
    config.scoring_hour = 15;
    let (ledger, mut fake) = (ledger(), Fake::default());
    fake.broken.insert(docker("a"));
    told(
        &ledger,
        &config,
        &[
            (0, "one", "a", EARLY),
            (1, "one", "b", EARLY),
            (2, "one", "c", EARLY),
        ],
    );
    fake.mute.store(true, Ordering::SeqCst);
    let (state, passed) = once(&ledger, &config, &fake, NOW);
    assert_eq!((passed.run, passed.judged), (3, 3));
    let one = &state.challenges["one"];
    let failed = logs(&ledger, &one.runs[&docker("a")]).unwrap();
    assert_eq!(failed[0].score, Some(0.0));
    assert!(
        failed[0]
            .error
            .as_ref()
            .unwrap()
            .contains("connection refused")
    );
    assert_eq!(one.judged[&sealed("one", "a").0].score, Some(0.0));
    // A comparison without an answer counts 0, with the error.
    let compared: Vec<_> = records(&ledger)
        .into_iter()
        .filter_map(|e| match e.record {
            Record::Comparison(c) => Some(c),
            _ => None,
        })
        .collect();
    assert_eq!(compared.len(), 1, "a has no answers to compare");
    assert_eq!(compared[0].similarity, None);
    assert!(compared[0].reason.as_ref().unwrap().contains("/compare"));
}

#[test]
fn commits_wait_for_a_challenge_that_gives_no_task() {
    let config = config("sn61-base", &["one"]);
    let (ledger, fake) = (ledger(), Fake::default());
    told(
        &ledger,
        &config,
        &[(0, "one", "a", EARLY), (1, "one", "b", EARLY)],
    );
    fake.down.store(true, Ordering::SeqCst);
    let (_, passed) = once(&ledger, &config, &fake, NOW);
    assert_eq!((passed.opened, passed.run, fake.count("task")), (2, 0, 1));
    assert!(passed.unavailable[0].1.contains("/task"));
    assert_eq!(
        close(&ledger, &config, &fake, NOW),
        [Outcome::Waiting { unscored: 2 }]
    );
    fake.down.store(false, Ordering::SeqCst);
    let (_, passed) = once(&ledger, &config, &fake, NOW);
    assert_eq!((passed.run, passed.judged), (2, 2));
    assert!(passed.unavailable.is_empty());
}

#[test]
fn a_baseline_is_taken_away() {
    let mut config = config("sn61-base", &["one"]);
    config.challenges[0].baseline = Some(docker("baseline"));
    config.challenges[0].tasks = 2;
    let (ledger, mut fake) = (ledger(), Fake::default());
    fake.scores.insert(docker("baseline"), 0.25);
    told(&ledger, &config, &[(0, "one", "a", EARLY)]);
    let (state, _) = once(&ledger, &config, &fake, NOW);
    let one = &state.challenges["one"];
    let kept = logs(&ledger, &one.runs[&docker("a")]).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(
        (kept[0].score, kept[0].baseline_score),
        (Some(0.8 - 0.25), Some(0.25))
    );
    assert_eq!(one.judged[&sealed("one", "a").0].score, Some(0.8 - 0.25));
    assert_eq!(
        fake.count(&format!("score {} true", docker("a"))),
        1,
        "reset at the first task only"
    );
}

#[test]
fn keys_that_do_not_open_are_recorded_once() {
    let (ledger, config) = (ledger(), config("sn61-abs-2026", &["one"]));
    let (token, right) = sealed("one", "a");
    let (other, other_key) = sealed("two", "x");
    let of = |token: &str, key: &str| json!({"encrypted_commit": token, "commit_timestamp": EARLY, "key": key});
    take(
        &ledger,
        &config,
        &body(0, &[(miner(0), "one", of(&token, &key("wrong")))]),
    );
    take(
        &ledger,
        &config,
        &body(0, &[(miner(1), "one", of(&other, &other_key))]),
    );
    let (_, passed) = once(&ledger, &config, &Fake::default(), NOW);
    assert_eq!((passed.opened, passed.failed), (0, 2));
    let (_, passed) = once(&ledger, &config, &Fake::default(), NOW);
    assert_eq!((passed.opened, passed.failed), (0, 0));
    let told = records(&ledger).into_iter().filter_map(|e| match e.record {
        Record::Run(run) => run.error,
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert!(
        told[0].contains("the key does not belong to the token"),
        "{told:?}"
    );
    assert!(told[1].contains("made for the challenge two"), "{told:?}");
    take(
        &ledger,
        &config,
        &body(1, &[(miner(0), "one", of(&token, &right))]),
    );
    let (state, passed) = once(&ledger, &config, &Fake::default(), NOW);
    assert_eq!((passed.opened, passed.judged), (1, 1));
    assert!(state.challenges["one"].judged.contains_key(&token));
}

#[test]
fn a_rejected_image_is_tried_again_by_the_base_rules_only_when_something_changed() {
    let (ledger, config) = (ledger(), config("sn61-base", &["one"]));
    let mut fake = Fake::default();
    fake.likeness.insert((docker("b"), docker("a")), 0.5);
    told(
        &ledger,
        &config,
        &[(0, "one", "a", EARLY), (1, "one", "b", EARLY + 1.0)],
    );
    let (state, _) = once(&ledger, &config, &fake, NOW);
    let token = sealed("one", "b").0;
    assert!(
        !state.challenges["one"].judged[&token].accepted,
        "0.5 is not below 0.5"
    );
    assert!(!state.challenges["one"].done.contains(&docker("b")));
    let before = ledger.len();
    let (_, again) = once(&ledger, &config, &fake, NOW + 5);
    assert_eq!((again.run, again.judged, ledger.len()), (0, 0, before));
    told(&ledger, &config, &[(2, "one", "c", EARLY + 2.0)]);
    let (_, third) = once(&ledger, &config, &fake, NOW + 9);
    // c is new: it is run; b is compared with it in the pass after that.
    assert_eq!(third.run, 1);
    let (_, fourth) = once(&ledger, &config, &fake, NOW + 10);
    assert_eq!((fourth.run, fourth.compared, fourth.judged), (0, 1, 1));
}

#[test]
fn results_are_answered_as_documented() {
    let config = config("sn61-abs-2026", &["one"]);
    let (ledger, fake) = (ledger(), Fake::default());
    told(
        &ledger,
        &config,
        &[(0, "one", "a", EARLY), (1, "one", "b", EARLY + 1.0)],
    );
    let (state, _) = once(&ledger, &config, &fake, NOW);
    let token = sealed("one", "b").0;
    let asked = json!({"challenge_name": "one", "encrypted_commits": [token, "unknown", token]});
    let question = Question::read(asked.to_string().as_bytes()).unwrap();
    let ask = |state: &State| {
        let (name, tokens) = (&question.challenge_name, &question.encrypted_commits);
        get_scoring_result(state, &ledger, name, tokens)
            .unwrap()
            .json()
    };
    let answer = ask(&state);
    let names = |json: &Json| match json {
        Json::Dict(members) => members.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>(),
        _ => vec![],
    };
    assert_eq!(names(&answer), ["status", "message", "data"]);
    assert_eq!(
        answer.get("message"),
        Some(&Json::Str("Scoring results retrieved successfully".into()))
    );
    let data = answer.get("data").unwrap();
    assert_eq!(data.get("is_done"), Some(&Json::Bool(false)));
    let commits = data.get("commits").unwrap();
    assert_eq!(names(commits), [token.as_str(), "unknown"]);
    assert_eq!(commits.get("unknown"), Some(&Json::Null));
    let commit = commits.get(&token).unwrap();
    assert_eq!(commit.get("score"), Some(&Json::Float(0.8)));
    assert_eq!(
        commit.get("scored_timestamp"),
        Some(&Json::Float(1_760_540_400.0))
    );
    assert_eq!(
        commit.get("commit"),
        Some(&Json::Str(format!("one---{}", docker("b"))))
    );
    let text = dumps(commit);
    assert!(
        text.contains(&format!(r#""{}": [{{"similarity_score": 0.2"#, docker("a"))),
        "{text}"
    );
    assert!(
        !text.contains("zeta") && !text.contains(r#"{"image""#),
        "inputs and outputs are hidden"
    );
    close(&ledger, &config, &fake, NOW);
    let state = State::load(&ledger, &config).unwrap();
    assert_eq!(
        ask(&state).get("data").unwrap().get("is_done"),
        Some(&Json::Bool(true))
    );
    let many = get_scoring_result(&state, &ledger, "one", &vec![token.clone(); MAX_ASKED + 1]);
    assert!(matches!(many, Err(AskError::TooMany(1025))));
    let unknown = get_scoring_result(&state, &ledger, "none", &[]);
    assert!(matches!(unknown, Err(AskError::UnknownChallenge(name)) if name == "none"));
    for wrong in [
        "",
        "[]",
        r#"{"challenge_name": 1, "encrypted_commits": []}"#,
        r#"{"challenge_name": "one"}"#,
        r#"{"challenge_name": "one", "encrypted_commits": [1]}"#,
    ] {
        assert!(Question::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn answers_that_cannot_be_read_back_fail_their_miner_only() {
    let mut config = config("sn61-base", &["one"]);
    config.challenges[0].baseline = Some(docker("baseline"));
    let (ledger, mut fake) = (ledger(), Fake::default());
    for (image, levels) in [("a", 63), ("b", 64), ("c", 65)] {
        let nested = (1..levels).fold(Json::dict([]), |inner, _| Json::dict([("x", inner)]));
        fake.answers.insert(docker(image), nested);
    }
    fake.scores.insert(docker("d"), f64::MAX);
    fake.scores.insert(docker("baseline"), -f64::MAX);
    let commits = ["a", "b", "c", "d", "e"];
    let list: Vec<_> = (0..)
        .zip(commits)
        .map(|(m, c)| (m, "one", c, EARLY))
        .collect();
    told(&ledger, &config, &list);
    let (state, passed) = once(&ledger, &config, &fake, NOW);
    assert_eq!((passed.run, passed.judged), (5, 5));
    let one = &state.challenges["one"];
    let failed = |image: &str| {
        let kept = logs(&ledger, &one.runs[&docker(image)]).unwrap();
        assert_eq!(kept.len(), 1, "{image}");
        kept[0].error.is_some() && kept[0].score == Some(0.0)
    };
    assert_eq!(commits.map(failed), [false, true, true, true, false]);
    once(&ledger, &config, &fake, NOW + 1);
    assert!(matches!(
        close(&ledger, &config, &fake, NOW)[0],
        Outcome::Closed { commits: 5 }
    ));
}

#[test]
fn logs_that_cannot_be_read_stop_nobody_else() {
    let config = config("sn61-base", &["one", "two"]);
    let (ledger, fake) = (ledger(), Fake::default());
    told(
        &ledger,
        &config,
        &[(0, "one", "a", EARLY), (1, "one", "b", EARLY)],
    );
    once(&ledger, &config, &fake, NOW);
    // A run whose logs are none, as an older program could have written it.
    let damaged = ledger.len();
    let mut run = records(&ledger)
        .into_iter()
        .find(|entry| matches!(&entry.record, Record::Run(run) if run.id.starts_with("score:")))
        .unwrap();
    let mut batch = Batch::default();
    run.provenance.payload = put_payload(&mut batch, b"[{\"score\": Infinity}]");
    ledger.append(&[run], batch).unwrap();
    assert_eq!(ledger.len(), damaged + 1);
    told(
        &ledger,
        &config,
        &[(2, "one", "c", EARLY), (3, "two", "d", EARLY)],
    );
    let (state, passed) = once(&ledger, &config, &fake, NOW + 1);
    assert_eq!(passed.judged, 2, "{passed:?}");
    let tokens = ["a", "b", "c"].map(|image| sealed("one", image).0);
    let answer = get_scoring_result(&state, &ledger, "one", &tokens).unwrap();
    assert!(answer.commits.iter().all(|(_, commit)| commit.is_some()));
    assert!(matches!(
        close(&ledger, &config, &fake, NOW)[0],
        Outcome::Closed { .. }
    ));
}
