//! Five validators, fifty miners, conflicts, missing times, and a liar.

use chain_metadata::AccountId;
use challenges::ledger::Ledger;
use challenges::sn61::cycle::{self, pass};
use challenges::sn61::format::Commit;
use challenges::sn61::merge::compat::{self, carry_over};
use challenges::sn61::merge::listing::versions;
use challenges::sn61::merge::{History, Merging, Times};
use challenges::sn61::report::{Report, counts, histories};
use challenges::sn61::reveal::OnTime;
use challenges::sn61::state::State;
use indexer::store::Store;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{
    Fake, NOW, body, commit, config, context, docker, key, metagraph, miner, sealed, take,
    validator,
};

const CHALLENGES: [&str; 2] = ["one", "two"];

/// When miner `m` committed; the newer of two commits.
fn time(m: u8, newer: bool) -> f64 {
    1_760_000_000.0 + f64::from(m) * 60.0 + if newer { 5000.0 } else { 0.0 }
}

/// What honest validator `v` saw: a little later each, every seventh time lost, only some keys,
/// and of miners divisible by 5 only validators 2 and 3 have the newer commit.
fn honest(v: u8) -> Vec<u8> {
    let mut told = Vec::new();
    for m in 0..50_u8 {
        for challenge in CHALLENGES {
            let of = |newer: bool| {
                let lost = (m + v).is_multiple_of(7);
                let seen = (!lost).then_some(time(m, newer) + f64::from(v));
                let image = format!("{m}-{newer}");
                commit(challenge, &image, seen, (m + v).is_multiple_of(3))
            };
            let value: Value = match (m % 5 == 0, v >= 2) {
                (true, true) => json!([of(false), of(true)]),
                _ => of(false),
            };
            told.push((miner(m), challenge, value));
        }
    }
    body(v, &told)
}

/// The liar tells of the same ciphertexts with times of its own and wrong keys.
fn liar(backwards: bool) -> Vec<u8> {
    let mut told = Vec::new();
    for m in 0..50_u8 {
        for challenge in CHALLENGES {
            let (token, _) = sealed(challenge, &format!("{m}-false"));
            let time = if backwards { 0.0 } else { 9e11 };
            let lie = json!({
                "encrypted_commit": token, "commit_timestamp": time,
                "key": key("lie"), "commit": format!("{challenge}---liar/image"),
            });
            told.push((miner(m), challenge, lie));
        }
    }
    body(4, &told)
}

fn reports(backwards: bool) -> Vec<Report> {
    let honest = (0..4).map(honest);
    let bodies: Vec<_> = honest.chain([liar(backwards)]).collect();
    let read = bodies.iter().map(|body| Report::read(body, None).unwrap());
    read.collect()
}

#[test]
fn a_liar_moves_nothing() {
    let merging = Merging::default();
    for backwards in [true, false] {
        let reports = reports(backwards);
        assert_eq!(counts(&reports)[&validator(4)], 100);
        let current = histories(&reports).current(merging);
        assert_eq!(current.len(), 100);
        for m in 0..50_u8 {
            let newer = m % 5 == 0;
            for challenge in CHALLENGES {
                let got = &current[&(challenge.to_owned(), miner(m))];
                let (token, key) = sealed(challenge, &format!("{m}-{newer}"));
                assert_eq!(got.token, token, "{m} {backwards}");
                // Its time is within what honest validators saw.
                let away = got.timestamp.unwrap() - time(m, newer);
                assert!((0.0..=3.0).contains(&away), "{m} {backwards} {away}");
                if let Some((opened, _)) = &got.opened {
                    assert_eq!(*opened, key);
                }
                let wrong = got.wrong_keys.iter().all(|(_, by)| *by == [validator(4)]);
                assert!(wrong, "only the liar's key does not open it");
            }
        }
    }
}

#[test]
fn a_commit_that_only_the_liar_tells_of_needs_support() {
    let mut history = histories(&reports(true));
    let (fake, _) = sealed("one", "fake");
    let lie = body(
        4,
        &[(
            miner(3),
            "one",
            json!({"encrypted_commit": fake, "commit_timestamp": 1.8e9}),
        )],
    );
    history.join(&Report::read(&lie, None).unwrap().history());
    let current = |support| {
        let merging = Merging {
            times: Times::Median,
            support,
            ..Merging::default()
        };
        history.current(merging)[&("one".to_owned(), miner(3))]
            .token
            .clone()
    };
    assert_eq!(current(1), fake);
    assert_eq!(current(2), sealed("one", "3-false").0);
    let versions = history.versions("one", &miner(3)).unwrap();
    assert_eq!(
        versions[&fake].words.keys().collect::<Vec<_>>(),
        [&validator(4)]
    );
    assert_eq!(versions[&sealed("one", "3-false").0].words.len(), 5);
}

#[test]
fn the_history_tells_who_told_what() {
    let history = histories(&reports(true));
    let list = |open: bool| versions(&history, Merging::default(), "one", &miner(10), |_| open);
    let listed = list(true);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].encrypted_commit, sealed("one", "10-true").0);
    assert!(listed[0].current && !listed[1].current);
    let who: Vec<_> = listed[1].told.iter().map(|told| told.validator).collect();
    assert_eq!(who, (0..5).map(validator).collect::<Vec<_>>());
    // Validator 2 has a key for miner 10, and the liar one that does not open.
    let keys: Vec<usize> = listed[1].told.iter().map(|told| told.keys.len()).collect();
    assert_eq!(keys, [0, 0, 1, 0, 1]);
    assert_eq!(
        listed[1].docker_hub_id.as_deref(),
        Some(docker("10-false").as_str())
    );
    assert_eq!(list(false)[1].docker_hub_id, None, "not before its time");
    let text = serde_json::to_string(&listed).unwrap();
    assert!(
        !text.contains(&sealed("one", "10-false").1),
        "keys themselves are not shown"
    );
}

#[test]
fn ties_are_broken_as_documented() {
    let (a, b) = ("a-token", "b-token");
    let told = |v: u8, token: &str, time: Option<f64>| {
        let told = json!({"encrypted_commit": token, "commit_timestamp": time});
        Report::read(&body(v, &[(miner(0), "one", told)]), None).unwrap()
    };
    let current = |reports: &[Report]| {
        let current = histories(reports).current(Merging::default());
        current[&("one".to_owned(), miner(0))].token.clone()
    };
    assert_eq!(current(&[told(0, b, Some(5.0)), told(1, a, Some(5.0))]), a);
    assert_eq!(
        current(&[
            told(0, b, Some(5.0)),
            told(1, a, Some(5.0)),
            told(2, b, Some(5.0))
        ]),
        b
    );
    assert_eq!(current(&[told(0, a, None), told(1, b, Some(0.0))]), b);
    assert_eq!(current(&[told(0, b, None), told(1, a, None)]), a);
}

/// What a pass comes to after reports in an order: uid, score and time of every commit.
fn passed(
    bodies: &[Vec<u8>],
    profile: &str,
    compat: bool,
) -> Vec<(String, u16, Option<f64>, Option<f64>)> {
    let ledger = Ledger::open(Store::in_memory().unwrap()).unwrap();
    let mut config = config(profile, &["one"]);
    config.merging.compat = compat;
    for body in bodies {
        take(&ledger, &config, body);
    }
    let miners = metagraph(50);
    let mut state = State::load(&ledger, &config).unwrap();
    let fake = Fake::default();
    pass(&ledger, &mut state, context(&config, &miners, &fake, NOW)).unwrap();
    let judged = state.challenges["one"].judged.iter();
    judged
        .map(|(token, j)| (token.clone(), j.uid, j.score, j.timestamp))
        .collect()
}

#[test]
fn a_pass_comes_to_the_same_in_any_order_of_reports() {
    let mut bodies: Vec<_> = (0..4).map(honest).chain([liar(true)]).collect();
    for profile in ["sn61-base", "sn61-abs-2026"] {
        let wanted = passed(&bodies, profile, false);
        // Ten miners have a newer commit; nobody told the key of those of 5, 20 and 35, whose
        // older one is scored. By the rules of 2026 the older commit of the ten is scored too.
        let commits = if profile == "sn61-base" { 50 } else { 57 };
        assert_eq!(wanted.len(), commits);
        for (_, uid, _, time) in &wanted {
            let of = u8::try_from(*uid).unwrap();
            let seen = time.unwrap();
            assert!(seen >= self::time(of, false), "the liar's 0 does not count");
        }
        bodies.rotate_left(2);
        bodies.swap(0, 3);
        assert_eq!(passed(&bodies, profile, false), wanted);
    }
    // As the original does it, the liar's time counts.
    let compat = passed(&bodies, "sn61-base", true);
    assert!(compat.iter().any(|(.., time)| *time == Some(0.0)));
    bodies.reverse();
    assert_eq!(
        passed(&bodies, "sn61-base", true),
        compat,
        "validators go by uid"
    );
}

#[test]
fn validators_without_stake_do_not_count() {
    let ledger = Ledger::open(Store::in_memory().unwrap()).unwrap();
    let mut config = config("sn61-base", &["one"]);
    let told = |v: u8| body(v, &[(miner(0), "one", commit("one", "a", Some(5.0), true))]);
    // Validators 0 to 4 have stake; 5 is not registered, a miner has none.
    take(&ledger, &config, &told(5));
    let miners = metagraph(2);
    let opened = |config: &_| {
        let mut state = State::load(&ledger, config).unwrap();
        pass(
            &ledger,
            &mut state,
            context(config, &miners, &Fake::default(), NOW),
        )
        .unwrap()
        .opened
    };
    assert_eq!(ledger.len(), 0, "nothing of it is kept");
    assert!(!miners.counts(&miner(0), Some(10_000.0)) && miners.counts(&miner(0), Some(0.0)));
    let least = config.min_stake.take();
    let taken = take(&ledger, &config, &told(5));
    assert_eq!((taken.new, taken.without_stake), (1, 0));
    // Taken in while it counted, and not believed since it does not.
    config.min_stake = least;
    assert_eq!(opened(&config), 0);
    let taken = take(&ledger, &config, &told(5));
    assert_eq!((taken.told, taken.new, taken.without_stake), (1, 0, 1));
    config.min_stake = None;
    assert_eq!(opened(&config), 1);
}

/// One validator's made-up ciphertexts of every miner, each with a time and perhaps a key.
fn made_up(times: &[Option<f64>], with_key: bool) -> Vec<u8> {
    let lies = |m: u8| {
        let of = |(n, time): (usize, &Option<f64>)| {
            let (token, _) = sealed("one", &format!("lie {m} {n}"));
            let key = with_key.then(|| key("lie"));
            json!({"encrypted_commit": token, "commit_timestamp": time, "key": key})
        };
        json!(times.iter().enumerate().map(of).collect::<Vec<_>>())
    };
    let told: Vec<_> = (0..50).map(|m| (miner(m), "one", lies(m))).collect();
    body(4, &told)
}

#[test]
fn what_one_validator_makes_up_takes_no_place_from_a_commit() {
    let bodies: Vec<_> = (0..4).map(honest).collect();
    let late = NOW as f64 / 1000.0 - 200_000.0;
    for profile in ["sn61-base", "sn61-abs-2026"] {
        let wanted = passed(&bodies, profile, false);
        for times in [
            vec![Some(9e11)],
            vec![None],
            vec![Some(late)],
            vec![Some(NOW as f64 / 1000.0)],
            vec![Some(9e11), None, Some(late), Some(1.8e9), Some(0.0)],
            (0..64_u8).map(|n| Some(late + f64::from(n))).collect(),
        ] {
            for with_key in [false, true] {
                let mut bodies = bodies.clone();
                bodies.insert(1, made_up(&times, with_key));
                assert_eq!(
                    passed(&bodies, profile, false),
                    wanted,
                    "{times:?} {with_key}"
                );
            }
        }
        // Real ciphertexts told to be from the future, or with the times of the liar before.
        let mut bodies = bodies.clone();
        bodies.push(liar(false));
        let tokens = |passed: Vec<(String, u16, Option<f64>, Option<f64>)>| {
            passed.into_iter().map(|one| one.0).collect::<Vec<_>>()
        };
        assert_eq!(tokens(passed(&bodies, profile, false)), tokens(wanted));
    }
}

#[test]
fn without_bounds_in_time_the_future_is_not_believed_and_no_time_is_oldest() {
    let ledger = Ledger::open(Store::in_memory().unwrap()).unwrap();
    let mut config = config("sn61-base", &["one"]);
    config.on_time = OnTime::Always;
    let of = |image: &str, time| commit("one", image, time, true);
    let told = json!([
        of("none", None),
        of("real", Some(5.0)),
        of("future", Some(9e11))
    ]);
    take(&ledger, &config, &body(0, &[(miner(0), "one", told)]));
    let miners = metagraph(2);
    let mut state = State::load(&ledger, &config).unwrap();
    let fake = Fake::default();
    pass(&ledger, &mut state, context(&config, &miners, &fake, NOW)).unwrap();
    let judged: Vec<_> = state.challenges["one"].judged.keys().collect();
    assert_eq!(judged, [&sealed("one", "real").0]);
    // Support is a setting of its own: with 2, one validator's word is not enough.
    config.merging.support = 2;
    config.rules.newest = Some(9);
    assert!(
        cycle::picks(&state, context(&config, &miners, &fake, NOW))
            .1
            .is_empty()
    );
}

fn fields(picture: &compat::Picture, m: u8) -> (String, Option<f64>, Option<String>) {
    let commit = &picture.commits[&(u16::from(m), miner(m))]["one"];
    let of = commit.clone();
    (of.encrypted_commit, of.commit_timestamp, of.key)
}

#[test]
fn compat_depends_on_the_order_as_the_original() {
    let told = |v: u8, miner: AccountId, value: Value| {
        Report::read(&body(v, &[(miner, "one", value)]), None).unwrap()
    };
    let of = |token: &str, time: Option<f64>, key: Option<&str>| json!({"encrypted_commit": token, "commit_timestamp": time, "key": key});
    let miners = metagraph(2);
    let merge = |reports: &[Report]| compat::merge(reports, &miners, None);
    // The same ciphertext: the older time, the first key.
    let (x, y) = (
        told(0, miner(0), of("t", Some(9.0), Some("k0"))),
        told(1, miner(0), of("t", Some(4.0), Some("k1"))),
    );
    assert_eq!(
        fields(&merge(&[x.clone(), y.clone()]), 0),
        ("t".into(), Some(4.0), Some("k0".into()))
    );
    assert_eq!(
        fields(&merge(&[y, x]), 0),
        ("t".into(), Some(4.0), Some("k1".into()))
    );
    // A missing time stays missing; and another ciphertext without one never replaces.
    let (x, y) = (
        told(0, miner(0), of("t", None, None)),
        told(1, miner(0), of("u", Some(4.0), None)),
    );
    assert_eq!(fields(&merge(&[x.clone(), y.clone()]), 0).0, "t");
    assert_eq!(fields(&merge(&[y, x]), 0).0, "u");
    // Both have one: the later, in any order.
    let (x, y) = (
        told(0, miner(0), of("t", Some(3.0), None)),
        told(1, miner(0), of("u", Some(4.0), None)),
    );
    assert_eq!(fields(&merge(&[x.clone(), y.clone()]), 0).0, "u");
    assert_eq!(fields(&merge(&[y, x]), 0).0, "u");
    // Of a list the latest is taken, and all are looked up; who is no miner is left out.
    let list = json!([
        of("a", None, None),
        of("b", Some(1.0), None),
        of("c", Some(0.5), None)
    ]);
    let picture = merge(&[
        told(0, miner(1), list),
        told(1, miner(77), of("z", None, None)),
    ]);
    assert_eq!(fields(&picture, 1).0, "b");
    assert_eq!(picture.lookup.len(), 3);
    assert_eq!(picture.commits.len(), 1);
}

#[test]
fn compat_carries_over_what_is_the_same() {
    let before = Commit {
        encrypted_commit: "t".into(),
        score: Some(0.5),
        accepted: Some(true),
        ..Commit::default()
    };
    let mut same = Commit {
        encrypted_commit: "t".into(),
        key: Some("k".into()),
        ..Commit::default()
    };
    carry_over(&mut same, &before);
    assert_eq!(
        (same.score, same.accepted, same.key.as_deref()),
        (Some(0.5), Some(true), Some("k"))
    );
    let mut other = Commit {
        encrypted_commit: "u".into(),
        ..Commit::default()
    };
    carry_over(&mut other, &before);
    assert_eq!(other.score, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_reports_does_not_matter(
        order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(),
        twice in 0..5_usize,
        cut in 0..6_usize,
    ) {
        let reports = reports(false);
        let wanted = histories(&reports);
        let shuffled: Vec<&Report> = order.iter().map(|at| &reports[*at]).collect();
        // One by one and again; and in two parts that are joined.
        let mut one_by_one = histories(shuffled.iter().copied());
        one_by_one.join(&reports[twice].history());
        prop_assert_eq!(&one_by_one, &wanted);
        let (left, right) = shuffled.split_at(cut);
        let (left, right) = (histories(left.iter().copied()), histories(right.iter().copied()));
        let (mut a, mut b) = (left.clone(), right.clone());
        a.join(&right);
        b.join(&left);
        prop_assert_eq!(&a, &wanted);
        prop_assert_eq!(&b, &wanted);
    }

    #[test]
    fn joining_is_associative_and_idempotent(
        words in prop::collection::vec((0_u8..3, 0_u8..3, prop::option::of(0_u32..9), prop::option::of("[a-z]{1,2}")), 0..30),
        cuts in (0..31_usize, 0..31_usize),
    ) {
        let told: Vec<History> = words
            .iter()
            .map(|(v, token, time, key)| {
                let commit = json!({"encrypted_commit": format!("t{token}"), "commit_timestamp": time, "key": key});
                Report::read(&body(*v, &[(miner(0), "one", commit)]), None).unwrap().history()
            })
            .collect();
        let joined = |part: &[History]| {
            let mut all = History::default();
            part.iter().for_each(|history| all.join(history));
            all
        };
        let (low, high) = (cuts.0.min(cuts.1).min(told.len()), cuts.0.max(cuts.1).min(told.len()));
        let (a, b, c) = (joined(&told[..low]), joined(&told[low..high]), joined(&told[high..]));
        let (mut ab_c, mut bc) = (a.clone(), b.clone());
        ab_c.join(&b);
        ab_c.join(&c);
        bc.join(&c);
        let mut a_bc = a;
        a_bc.join(&bc);
        prop_assert_eq!(&ab_c, &a_bc);
        let same = ab_c.clone();
        ab_c.join(&same);
        prop_assert_eq!(&ab_c, &same);
    }
}
