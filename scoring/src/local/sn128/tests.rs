use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::availability::{Heartbeat, Rule, presence};
use super::cycle::{Availabilities, Cycle, CycleError, Miner, Note, Scores, score};
use super::worker::Attempt;
use super::{DEFAULT, MinerScore, ParameterError, Parameters, Zero};

const HOUR: i64 = 3_600_000;
const NOW: i64 = 500_000 * HOUR;

/// So many right answers of a worker, each after `ms`.
fn answers<'a>(ids: &'a [String], hotkey: &'a str, worker: &'a str, ms: f64) -> Vec<Attempt<'a>> {
    let attempt = |(index, id): (usize, &'a String)| Attempt {
        id,
        created_ms: NOW - i64::try_from(index).unwrap() * 240_000,
        hotkey,
        worker,
        verified: true,
        success: true,
        computation_ms: Some(ms),
        success_count: Some(1),
        gpus: Vec::new(),
    };
    ids.iter().enumerate().map(attempt).collect()
}

fn ids(prefix: &str, number: usize) -> Vec<String> {
    (0..number).map(|n| format!("{prefix}-{n}")).collect()
}

fn miner(hotkey: &'static str, lease: f64) -> Miner<'static> {
    Miner {
        hotkey,
        online: true,
        leases: vec![lease],
    }
}

fn of<'s, 'a>(scores: &'s Scores<'a>, hotkey: &str) -> &'s MinerScore<'a> {
    scores
        .miners
        .iter()
        .find(|miner| miner.hotkey == hotkey)
        .unwrap()
}

fn with_golden<T>(then: impl FnOnce(Cycle<'_>) -> T) -> T {
    let (a, b, c) = (ids("a", 40), ids("b", 18), ids("c", 36));
    let mut attempts = answers(&a, "m1", "w1", 1000.0);
    attempts.extend(answers(&b, "m1", "w2", 2000.0));
    attempts.extend(answers(&c, "m2", "w1", 500.0));
    let given = [
        (("m1", "w1"), 1.0),
        (("m1", "w2"), 0.5),
        (("m2", "w1"), 0.9),
    ];
    then(Cycle {
        now_ms: NOW,
        miners: vec![miner("m1", 0.0), miner("m2", 0.5), miner("m3", 0.8)],
        attempts,
        owners: BTreeMap::new(),
        availabilities: Availabilities::Given(given.into()),
    })
}

#[test]
fn the_published_example() {
    with_golden(|cycle| {
        let scores = score(&DEFAULT, &cycle).unwrap();
        assert_eq!(scores.baseline, 36.0);
        let by = |field: fn(&MinerScore<'_>) -> f64| -> Vec<f64> {
            scores.miners.iter().map(field).collect()
        };
        assert_eq!(
            by(|m| m.raw_challenge),
            [0.0011250000000000001, 0.0018000000000000002, 0.0]
        );
        assert_eq!(by(|m| m.challenge_norm), [0.625, 1.0, 0.0]);
        assert_eq!(scores.average_norm, 0.5416666666666666);
        assert_eq!(by(|m| m.composite), [0.1875, 0.5125, 0.7224999999999999]);
        let weights = [0.1318101933216169, 0.3602811950790861, 0.507908611599297];
        assert_eq!(by(|m| m.weight), weights);
        assert_eq!(by(|m| m.submitted), weights);
        assert!(scores.submit && scores.notes.is_empty());
        assert_eq!(
            scores.miners.iter().map(|m| m.replaced).collect::<Vec<_>>(),
            [false, true, true]
        );
    });
}

#[test]
fn the_factors_of_a_worker() {
    with_golden(|cycle| {
        let scores = score(&DEFAULT, &cycle).unwrap();
        let [first, second, third] = scores.workers.as_slice() else {
            panic!("{:?}", scores.workers)
        };
        assert_eq!((first.participation, second.participation), (1.0, 0.5));
        assert_eq!(
            (first.speed, second.speed, third.speed),
            (0.001, 0.0005, 0.002)
        );
        assert_eq!(second.score, Some(0.0005 * 0.5 * 0.5));
        // The first one has more successes than counts, and both of those with enough are
        // ranked by time.
        assert_eq!(
            [third.rank, first.rank, second.rank],
            [Some(0), Some(1), Some(2)]
        );
    });
}

fn beats(changes: usize) -> Vec<Heartbeat<'static>> {
    let addresses = ["1.1.1.1", "2.2.2.2"];
    (0..2028_usize)
        .map(|n| Heartbeat {
            id: n as u64,
            at_ms: NOW - i64::try_from(2027 - n).unwrap() * 300_000,
            worker: "w",
            address: Some(addresses[n.min(changes) % 2]),
            gpus: vec!["GPU-a"],
        })
        .collect()
}

#[test]
fn availability_of_169_hours() {
    for (changes, wanted) in [(0, 1.0), (1, 0.5), (3, 0.125), (4, 0.0)] {
        let beats = beats(changes);
        let presence = presence(&DEFAULT, NOW, &beats);
        let found = presence.availability(&DEFAULT, "w", &BTreeSet::new());
        assert_eq!(found.value, wanted);
        assert_eq!(
            (found.buckets, found.expected, found.address_changes),
            (2028, 2028, changes)
        );
        assert_eq!((presence.outside, found.rule), (0, Rule::Own));
    }
}

#[test]
fn a_worker_with_gpus_needs_all_of_them() {
    let beat = |id, hours: i64, worker, gpus: &[&'static str]| Heartbeat {
        id,
        at_ms: NOW - hours * HOUR,
        worker,
        address: None,
        gpus: gpus.to_vec(),
    };
    let beats = [
        beat(0, 1, "w", &["GPU-a"]),
        beat(1, 1, "other", &["GPU-b"]),
        beat(2, 2, "w", &["GPU-a"]),
        beat(3, 3, "", &["GPU-a", "GPU-b"]),
        beat(4, 170, "w", &["GPU-a", "GPU-b"]),
        beat(5, -1, "w", &["GPU-a", "GPU-b"]),
    ];
    let presence = presence(&DEFAULT, NOW, &beats);
    assert_eq!(presence.outside, 2);
    let found = |worker, gpus: &[&'static str]| {
        let used = gpus.iter().copied().collect();
        presence.availability(&DEFAULT, worker, &used)
    };
    assert_eq!(found("w", &["GPU-a", "GPU-b"]).buckets, 2);
    assert_eq!(found("w", &["GPU-a"]).buckets, 3);
    assert_eq!(found("w", &[]).buckets, 2);
    // Nothing of its own: not there, whatever the others of the hotkey say.
    assert_eq!(found("silent", &["GPU-a"]).value, 0.0);
    assert_eq!(found("w", &["GPU-a"]).value, 3.0 / 2028.0);
    let off = Parameters {
        availability_hours: 0,
        ..DEFAULT
    };
    let found = presence.availability(&off, "silent", &BTreeSet::new());
    assert_eq!((found.value, found.rule), (1.0, Rule::Off));
}

#[test]
fn an_address_that_is_not_told_is_no_change() {
    let told = [
        None,
        Some("a"),
        Some(""),
        Some("a"),
        None,
        Some("b"),
        Some("a"),
    ];
    let beats: Vec<Heartbeat<'_>> = (0..)
        .zip(told)
        .map(|(id, address)| Heartbeat {
            id,
            at_ms: NOW,
            worker: "w",
            address,
            gpus: vec![],
        })
        .collect();
    let presence = presence(&DEFAULT, NOW, &beats);
    assert_eq!(
        presence
            .availability(&DEFAULT, "w", &BTreeSet::new())
            .address_changes,
        2
    );
}

#[test]
fn a_gpu_of_another_hotkey_does_not_count() {
    let ids = ids("a", 4);
    let mut attempts = answers(&ids, "m1", "w", 1000.0);
    attempts[0].gpus = vec!["GPU-mine"];
    attempts[1].gpus = vec!["GPU-mine", "GPU-yours"];
    attempts[2].gpus = vec!["GPU-nobody's"];
    let cycle = Cycle {
        now_ms: NOW,
        miners: vec![miner("m1", 0.0), miner("m2", 0.0)],
        attempts,
        owners: [("GPU-mine", "m1"), ("GPU-yours", "m2")].into(),
        availabilities: Availabilities::Failed("no database"),
    };
    let scores = score(&DEFAULT, &cycle).unwrap();
    assert_eq!(
        (scores.workers[0].foreign, scores.workers[0].successes),
        (2, 2)
    );
    assert!(scores.notes.contains(&Note::Foreign(2)));
    assert!(scores.notes.contains(&Note::FailOpen("no database".into())));
    assert_eq!(scores.workers[0].availability, 1.0);
    assert_eq!(of(&scores, "m2").zero, Some(Zero::Nothing));
}

#[test]
fn what_does_not_count_is_told() {
    let ids = ids("a", 6);
    let mut attempts = answers(&ids, "m1", "w", 600.0);
    attempts[0].verified = false;
    attempts[1].created_ms = NOW - 3 * HOUR - 1;
    attempts[2].success = false;
    attempts[3].computation_ms = None;
    attempts[4].success_count = Some(3);
    attempts[5].success_count = Some(0);
    attempts[5].hotkey = "stranger";
    let cycle = Cycle {
        now_ms: NOW,
        miners: vec![miner("m1", 0.0)],
        attempts,
        owners: BTreeMap::new(),
        availabilities: Availabilities::Failed("x"),
    };
    let scores = score(&DEFAULT, &cycle).unwrap();
    assert!(scores.notes.contains(&Note::Unverified(1)));
    assert!(scores.notes.contains(&Note::OutsideWindow(1)));
    assert!(scores.notes.contains(&Note::Strangers(1)));
    let worker = &scores.workers[0];
    assert_eq!(
        (worker.attempts, worker.successes, worker.mean_ms),
        (3, 1, Some(200.0))
    );
    assert_eq!(worker.mean_gpus, 3.0);
    // The stranger is slower by a factor of three: it is not the best, and has no weight.
    assert_eq!(
        (scores.best_raw, scores.miners.len()),
        (1.0 / 200.0 * (1.0 / 36.0), 1)
    );
}

#[test]
fn offline_miners_weigh_nothing() {
    with_golden(|mut cycle| {
        cycle.miners[1].online = false;
        let scores = score(&DEFAULT, &cycle).unwrap();
        let offline = of(&scores, "m2");
        assert_eq!((offline.composite, offline.submitted), (0.0, 0.0));
        assert_eq!(offline.zero, Some(Zero::Offline));
        // It still is the best of the challenges and part of the mean.
        assert_eq!(scores.average_norm, 0.5416666666666666);

        cycle
            .miners
            .iter_mut()
            .for_each(|miner| miner.online = false);
        let scores = score(&DEFAULT, &cycle).unwrap();
        assert!(scores.miners.iter().all(|miner| miner.weight == 1.0 / 3.0));
        assert!(!scores.submit);
        assert!(scores.notes.contains(&Note::Uniform));
        assert!(scores.notes.contains(&Note::NotSubmitted));
    });
}

#[test]
fn nothing_is_submitted_when_all_scores_are_zero() {
    with_golden(|mut cycle| {
        cycle.attempts.clear();
        cycle
            .miners
            .iter_mut()
            .for_each(|miner| miner.leases.clear());
        assert!(cycle.miners.iter().all(|miner| miner.online));
        let scores = score(&DEFAULT, &cycle).unwrap();
        for miner in &scores.miners {
            assert_eq!((miner.composite, miner.weight), (0.0, 1.0 / 3.0));
            assert_eq!((miner.submitted, miner.zero), (0.0, Some(Zero::Nothing)));
        }
        assert!(!scores.submit);
        assert_eq!(scores.notes, [Note::Uniform, Note::NotSubmitted]);
    });
}

#[test]
fn a_hundred_workers_count() {
    let leases = |best: usize, rest: usize| Miner {
        hotkey: "m",
        online: true,
        leases: [vec![1.0; best], vec![0.0; rest]].concat(),
    };
    let lease = |miner: Miner<'_>| {
        let cycle = Cycle {
            now_ms: NOW,
            miners: vec![miner],
            attempts: Vec::new(),
            owners: BTreeMap::new(),
            availabilities: Availabilities::Failed("x"),
        };
        score(&DEFAULT, &cycle).unwrap().miners[0].lease
    };
    assert_eq!(lease(leases(3, 1)), 0.75);
    assert_eq!(lease(leases(50, 150)), 0.5);
    assert_eq!(lease(leases(100, 150)), 1.0);
    assert_eq!(lease(leases(0, 5)), 0.0);
    assert_eq!(lease(leases(0, 0)), 0.0);

    let ids = ids("a", 120);
    let names: Vec<String> = (0..120).map(|n| format!("w{n}")).collect();
    let mut attempts = answers(&ids, "m", "", 100.0);
    for (attempt, name) in attempts.iter_mut().zip(&names) {
        attempt.worker = name;
        attempt.created_ms = NOW;
    }
    let cycle = Cycle {
        now_ms: NOW,
        miners: vec![miner("m", 0.0)],
        attempts,
        owners: BTreeMap::new(),
        availabilities: Availabilities::Failed("x"),
    };
    let scores = score(&DEFAULT, &cycle).unwrap();
    let one = scores.workers[0].score.unwrap();
    assert_eq!(scores.workers.len(), 120);
    assert_eq!(of(&scores, "m").challenge_workers, 100);
    assert!((scores.best_raw - 100.0 * one).abs() < 1e-12);
}

#[test]
fn what_cannot_be_is_refused() {
    with_golden(|cycle| {
        let refused = |cycle: &Cycle<'_>| score(&DEFAULT, cycle).unwrap_err();
        let mut twice = cycle.clone();
        twice.miners.push(miner("m1", 0.0));
        assert_eq!(refused(&twice), CycleError::Miner("m1".into()));
        let mut twice = cycle.clone();
        twice.attempts.push(cycle.attempts[0].clone());
        assert_eq!(refused(&twice), CycleError::Attempt("a-0".into()));
        let mut nan = cycle.clone();
        nan.attempts[0].computation_ms = Some(f64::NAN);
        assert!(matches!(refused(&nan), CycleError::Number { .. }));
        let mut fast = cycle.clone();
        fast.attempts[0].computation_ms = Some(1e-300);
        assert!(matches!(refused(&fast), CycleError::Fast { .. }));
        let mut negative = cycle.clone();
        negative.miners[0].leases = vec![-0.1];
        assert_eq!(
            refused(&negative).to_string(),
            "a lease score of m1 is -0.1; give a number from 0 to 1000000000000"
        );
        let zero = Parameters {
            challenge_interval_s: 0,
            ..DEFAULT
        };
        assert_eq!(
            score(&zero, &cycle).unwrap_err(),
            CycleError::Parameters(ParameterError::Zero("challenge_interval_s"))
        );
        let heavy = Parameters {
            lease_weight: f64::NAN,
            ..DEFAULT
        };
        assert!(score(&heavy, &cycle).is_err());
    });
}

prop_compose! {
    fn attempts()(
        rows in prop::collection::vec((0_usize..3, 0_usize..3, 0_i64..200, any::<bool>(), 0.0..5000.0_f64), 0..60)
    ) -> Vec<(usize, usize, i64, bool, f64)> { rows }
}

const HOTKEYS: [&str; 3] = ["m1", "m2", "m3"];
const WORKERS: [&str; 3] = ["w1", "w2", "w3"];

fn cycle<'a>(
    ids: &'a [String],
    rows: &[(usize, usize, i64, bool, f64)],
    leases: &[f64],
) -> Cycle<'a> {
    let attempts = ids.iter().zip(rows).map(|(id, row)| Attempt {
        id,
        created_ms: NOW - row.2 * 60_000,
        hotkey: HOTKEYS[row.0],
        worker: WORKERS[row.1],
        verified: true,
        success: row.3,
        computation_ms: Some(row.4),
        success_count: None,
        gpus: Vec::new(),
    });
    let miners = HOTKEYS.iter().zip(leases);
    Cycle {
        now_ms: NOW,
        miners: miners
            .map(|(hotkey, lease)| miner(hotkey, *lease))
            .collect(),
        attempts: attempts.collect(),
        owners: BTreeMap::new(),
        availabilities: Availabilities::Failed("not looked at"),
    }
}

proptest! {
    #[test]
    fn scores_are_shares(rows in attempts(), leases in prop::array::uniform3(0.0..2.0_f64)) {
        let ids = ids("x", rows.len());
        let scores = score(&DEFAULT, &cycle(&ids, &rows, &leases)).unwrap();
        for miner in &scores.miners {
            for share in [miner.composite, miner.challenge_norm, miner.lease, miner.weight] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&share), "{miner:?}");
            }
        }
        let sum: f64 = scores.miners.iter().map(|miner| miner.weight).sum();
        prop_assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(
        rows in attempts(), leases in prop::array::uniform3(0.0..1.0_f64), turn in 0_usize..60,
    ) {
        let ids = ids("x", rows.len());
        let straight = cycle(&ids, &rows, &leases);
        let mut turned = straight.clone();
        turned.miners.reverse();
        if !rows.is_empty() {
            turned.attempts.rotate_left(turn % rows.len());
            turned.attempts.reverse();
        }
        prop_assert_eq!(score(&DEFAULT, &straight).unwrap(), score(&DEFAULT, &turned).unwrap());
    }

    #[test]
    fn another_right_answer_as_fast_is_never_worse(rows in attempts(), ms in 1.0..5000.0_f64) {
        // As fast as all others, so that the mean stays where it is.
        let rows: Vec<_> = rows.into_iter().map(|row| (row.0, row.1, row.2, row.3, ms)).collect();
        let more = [rows.clone(), vec![(0, 0, 1, true, ms)]].concat();
        let (few, many) = (ids("x", rows.len()), ids("x", more.len()));
        let raw = |cycle: &Cycle<'_>| of(&score(&DEFAULT, cycle).unwrap(), "m1").raw_challenge;
        let (before, after) = (
            raw(&cycle(&few, &rows, &[0.0; 3])),
            raw(&cycle(&many, &more, &[0.0; 3])),
        );
        prop_assert!(after >= before * (1.0 - 1e-12), "{before} {after}");
    }

    #[test]
    fn a_longer_time_is_never_better(rows in attempts(), row in 0_usize..60, more in 0.0..1000.0_f64) {
        prop_assume!(!rows.is_empty());
        let row = row % rows.len();
        let mut slower = rows.clone();
        // A time of zero counts as no speed at all: not part of the rule.
        prop_assume!(rows.iter().all(|row| row.4 > 0.0));
        slower[row].4 += more;
        let ids = ids("x", rows.len());
        let hotkey = HOTKEYS[rows[row].0];
        let raw = |rows: &[_]| {
            of(&score(&DEFAULT, &cycle(&ids, rows, &[0.0; 3])).unwrap(), hotkey).raw_challenge
        };
        prop_assert!(raw(&slower) <= raw(&rows) * (1.0 + 1e-12));
    }

    #[test]
    fn more_heartbeats_of_one_address_are_never_worse(
        hours in prop::collection::vec(0_i64..200, 0..50), more in 0_i64..169,
    ) {
        let beat = |(id, hours): (u64, &i64)| Heartbeat {
            id, at_ms: NOW - hours * HOUR, worker: "w", address: Some("a"), gpus: vec![],
        };
        let mut beats: Vec<_> = (0..).zip(&hours).map(beat).collect();
        let value = |beats: &[Heartbeat<'_>]| {
            presence(&DEFAULT, NOW, beats).availability(&DEFAULT, "w", &BTreeSet::new()).value
        };
        let before = value(&beats);
        beats.push(beat((99, &more)));
        prop_assert!(value(&beats) >= before && value(&beats) <= 1.0);
    }
}
