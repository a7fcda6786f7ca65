//! Closings of days, weights and backups over a ledger in memory.

use std::sync::atomic::Ordering;

use challenges::ledger::Ledger;
use challenges::python::{dumps, parse_slice};
use challenges::record::Kind;
use challenges::sn61::backup;
use challenges::sn61::config::{Challenge, Config};
use challenges::sn61::finalize::Outcome;
use challenges::sn61::state::State;
use indexer::store::Store;

use crate::world::*;

#[test]
fn a_day_is_closed_once_and_compares_its_commits() {
    let mut config = config("sn61-base", &["one", "two"]);
    config.challenges[0].max_unique = 1;
    let (ledger, mut fake) = (ledger(), Fake::default());
    fake.scores.insert(docker("b"), 0.9);
    // c is like b, which by then is out of the unique set's one place.
    fake.scores.insert(docker("a"), 0.95);
    fake.likeness.insert((docker("c"), docker("b")), 1.7);
    told(
        &ledger,
        &config,
        &[
            (0, "one", "a", EARLY),
            (1, "one", "b", EARLY + 1.0),
            (2, "one", "c", EARLY + 2.0),
        ],
    );
    let before_hour = NOW - 2 * 3_600_000;
    assert!(close(&ledger, &config, &fake, before_hour).is_empty());
    let waiting = close(&ledger, &config, &fake, NOW);
    assert_eq!(waiting[0], Outcome::Nothing, "nothing was opened yet");
    let state = State::load(&ledger, &config).unwrap();
    assert!(!state.challenges["one"].is_done);
    assert_eq!(count(&ledger, Kind::Finalization), 0);
    let tomorrow = NOW + DAY;
    let (state, _) = once(&ledger, &config, &fake, tomorrow);
    assert!(!state.challenges["one"].is_done);
    assert!(state.challenges["one"].judged[&sealed("one", "c").0].accepted);
    let closed = close(&ledger, &config, &fake, tomorrow);
    assert_eq!(closed, [Outcome::Closed { commits: 3 }, Outcome::Nothing]);
    let state = State::load(&ledger, &config).unwrap();
    let one = &state.challenges["one"];
    let c = &one.judged[&sealed("one", "c").0];
    assert_eq!((c.accepted, c.penalty), (false, 1.0), "clamped to 1");
    assert_eq!(
        one.miners[&2].best, None,
        "not accepted any more: no best commit"
    );
    assert!(one.is_done && c.closed);
    let len = ledger.len();
    assert_eq!(
        close(&ledger, &config, &fake, tomorrow),
        [Outcome::Already, Outcome::Nothing]
    );
    assert_eq!(ledger.len(), len);
    // What is revealed later opens the day's question again.
    told(&ledger, &config, &[(4, "one", "e", EARLY + 9.0)]);
    let (state, _) = once(&ledger, &config, &fake, tomorrow + 60_000);
    assert!(!state.challenges["one"].is_done);
    let next = close(&ledger, &config, &fake, tomorrow + DAY);
    assert_eq!(next[0], Outcome::Closed { commits: 1 });
}

#[test]
fn a_closing_is_tried_again_and_ends() {
    let mut config = config("sn61-base", &["one"]);
    config.max_attempts = 2;
    let (ledger, fake) = (ledger(), Fake::default());
    config.challenges[0].max_unique = 1;
    told(
        &ledger,
        &config,
        &[
            (0, "one", "a", EARLY),
            (1, "one", "b", EARLY),
            (2, "one", "c", EARLY),
        ],
    );
    once(&ledger, &config, &fake, NOW);
    fake.mute.store(true, Ordering::SeqCst);
    for attempt in 1..=2 {
        let outcome = close(&ledger, &config, &fake, NOW);
        assert!(
            matches!(&outcome[0], Outcome::Failed { attempt: a, .. } if *a == attempt),
            "{outcome:?}"
        );
    }
    let outcome = close(&ledger, &config, &fake, NOW);
    assert_eq!(outcome[0], Outcome::Closed { commits: 3 });
    assert_eq!(close(&ledger, &config, &fake, NOW), [Outcome::Already]);
    assert_eq!(count(&ledger, Kind::Finalization), 1);
}

#[test]
fn a_closing_waits_for_what_was_revealed_and_not_scored() {
    let config = config("sn61-base", &["one"]);
    let (ledger, fake) = (ledger(), Fake::default());
    told(&ledger, &config, &[(0, "one", "a", EARLY)]);
    once(&ledger, &config, &fake, NOW);
    // Only what a killed pass leaves: opened, and not judged.
    let part = Ledger::open(Store::in_memory().unwrap()).unwrap();
    for entry in records(&ledger).into_iter().take(2) {
        part.append(&[entry], Default::default()).unwrap();
    }
    assert_eq!(
        close(&part, &config, &fake, NOW),
        [Outcome::Waiting { unscored: 1 }]
    );
    once(&part, &config, &Fake::default(), NOW);
    assert_eq!(
        close(&part, &config, &fake, NOW),
        [Outcome::Closed { commits: 1 }]
    );
}

#[test]
fn weights_age_and_leave_one_miner_an_entity() {
    let config = config("sn61-abs-2026", &["one", "two"]);
    let (ledger, mut fake) = (ledger(), Fake::default());
    fake.scores.insert(docker("c"), 0.9);
    told(
        &ledger,
        &config,
        &[
            (0, "one", "a", EARLY),
            (1, "one", "b", EARLY + 1.0),
            (2, "one", "c", EARLY + 2.0),
        ],
    );
    let (state, _) = once(&ledger, &config, &fake, NOW);
    let miners = metagraph(6);
    let weights = state.weights(&config, &miners, NOW);
    assert_eq!(weights.len(), 11);
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(weights[2] > weights[1] && weights[0] == 0.0, "{weights:?}");
    assert_eq!(
        state.weights(&config, &miners, NOW + 16 * DAY),
        [0.0; 11],
        "expired"
    );
    let old = Config::new("sn61-abs-2025", config.challenges.clone()).unwrap();
    let burnt = state.weights(&old, &miners, NOW);
    assert_eq!(burnt[6], 0.5);
}

#[test]
fn a_backup_comes_back() {
    let config = config("sn61-abs-2026", &["one"]);
    let (ledger, fake) = (ledger(), Fake::default());
    told(
        &ledger,
        &config,
        &[(0, "one", "a", EARLY), (1, "one", "b", EARLY + 1.0)],
    );
    once(&ledger, &config, &fake, NOW);
    close(&ledger, &config, &fake, NOW);
    let state = State::load(&ledger, &config).unwrap();
    let out = backup::export(&state, &ledger, (3, validator(3))).unwrap();
    let text = dumps(&out);
    let fresh = Ledger::open(Store::in_memory().unwrap()).unwrap();
    let imported =
        backup::import(&fresh, &config, text.as_bytes(), "backup.json", NOW + 5).unwrap();
    assert_eq!(imported.taken, ["one"]);
    let again = backup::import(&fresh, &config, text.as_bytes(), "backup.json", NOW + 6).unwrap();
    assert_eq!((again.already, fresh.len()), (vec!["one".to_owned()], 1));
    let restored = State::load(&fresh, &config).unwrap();
    let (one, was) = (&restored.challenges["one"], &state.challenges["one"]);
    assert_eq!(
        (&one.done, &one.days, &one.unique),
        (&was.done, &was.days, &was.unique)
    );
    assert_eq!(one.miners, was.miners);
    let miners = metagraph(6);
    assert_eq!(
        restored.weights(&config, &miners, NOW),
        state.weights(&config, &miners, NOW)
    );
    assert_eq!(
        dumps(&backup::export(&restored, &fresh, (3, validator(3))).unwrap()),
        text
    );
    // Nothing is scored or closed again.
    told(
        &fresh,
        &config,
        &[(0, "one", "a", EARLY), (1, "one", "b", EARLY + 1.0)],
    );
    let (_, passed) = once(&fresh, &config, &fake, NOW + 10);
    assert_eq!((passed.run, passed.judged), (0, 0));
    assert_eq!(close(&fresh, &config, &fake, NOW + 10), [Outcome::Already]);
    for (from, to) in [
        (
            r#""miner_uid": 1, "miner_hotkey""#,
            r#""miner_uid": 2, "miner_hotkey""#,
        ),
        (r#""2025-10-15""#, r#""2025-13-15""#),
        (r#""unique_commits": ["#, r#""unique_commits": [5, "#),
        (r#""challenge_managers""#, r#""managers""#),
    ] {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text, "{from}");
        let refused = backup::import(&fresh, &config, wrong.as_bytes(), "b", NOW);
        assert!(refused.is_err(), "{to}");
    }
    assert!(parse_slice(text.as_bytes()).is_ok());
}

#[test]
fn configurations_are_checked() {
    let of = |challenges| Config::new("sn61-base", challenges);
    assert!(Config::new("sn64-p1", vec![]).is_err());
    assert!(of(vec![Challenge::new("", 0.5)]).is_err());
    assert!(of(vec![Challenge::new("a", 0.5), Challenge::new("a", 0.5)]).is_err());
    assert!(of(vec![Challenge::new("a", f64::NAN)]).is_err());
    let mut config = of(vec![Challenge::new("a", 0.5)]).unwrap();
    config.scoring_hour = 24;
    assert_eq!(
        config.check().unwrap_err().to_string(),
        "the scoring hour is 24; it must be from 0 to 23"
    );
    config.scoring_hour = 23;
    config.merging.support = 0;
    assert!(
        config
            .check()
            .unwrap_err()
            .to_string()
            .contains("support is 0")
    );
}

#[test]
fn the_hour_of_closing_is_the_hour_of_commits_too() {
    let mut config = config("sn61-base", &["one"]);
    let (ledger, fake) = (ledger(), Fake::default());
    // 13:30 of the day before: in time for 14:00, too late for 13:00.
    told(&ledger, &config, &[(0, "one", "a", 1_760_448_600.0)]);
    config.set_scoring_hour(13);
    assert_eq!(once(&ledger, &config, &fake, NOW).1.opened, 0);
    config.set_scoring_hour(14);
    assert_eq!(once(&ledger, &config, &fake, NOW).1.opened, 1);
    let mut config = Config::new("sn61-abs-2026", vec![]).unwrap();
    let before = config.on_time;
    config.set_scoring_hour(3);
    assert_eq!((config.scoring_hour, config.on_time), (3, before));
}

#[test]
fn a_day_without_reveals_stays_open_and_can_be_closed_later_that_day() {
    let config = config("sn61-base", &["one"]);
    let (ledger, fake) = (ledger(), Fake::default());
    assert_eq!(close(&ledger, &config, &fake, NOW), [Outcome::Nothing]);
    told(&ledger, &config, &[(0, "one", "a", EARLY)]);
    once(&ledger, &config, &fake, NOW + 1);
    assert_eq!(
        close(&ledger, &config, &fake, NOW + 2),
        [Outcome::Closed { commits: 1 }]
    );
    let done = |wanted: bool| {
        let state = State::load(&ledger, &config).unwrap();
        assert_eq!(state.challenges["one"].is_done, wanted);
    };
    done(true);
    assert_eq!(
        close(&ledger, &config, &fake, NOW + DAY),
        [Outcome::Nothing]
    );
    done(true);
    // A copy of an image that was scored is revealed, and has no score of its own.
    let plain = format!("one---{}", docker("a"));
    let copy = challenges::sn61::fernet::seal(&key("copy"), 2, [5; 16], plain.as_bytes()).unwrap();
    let copy = serde_json::json!({"encrypted_commit": copy, "commit_timestamp": EARLY, "key": key("copy")});
    take(&ledger, &config, &body(1, &[(miner(2), "one", copy)]));
    once(&ledger, &config, &fake, NOW + DAY);
    done(false);
    assert_eq!(
        close(&ledger, &config, &fake, NOW + DAY),
        [Outcome::Closed { commits: 0 }]
    );
    done(true);
}
