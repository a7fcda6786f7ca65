//! Published numbers, and what must hold for all numbers.

use proptest::prelude::*;

use super::across::{AcrossError, total, with_burn};
use super::best::{Change, Unique, best};
use super::decay::Decay;
use super::entities::{Miner, same_entity};
use super::judge::{Judging, Reason, judge};
use super::similarity::{adjust, reduction};
use super::softmax::{Over, softmax};
use super::sum::pairwise;
use super::*;

#[test]
fn similarity_takes_what_was_published() {
    for (similarity, left) in [
        (0.0, 0.0),
        (0.1, 0.9),
        (0.4, 0.9),
        (0.5, 0.882_665_596_572_951_8),
        (0.6, 0.865_331_193_145_903_8),
        (0.65, 0.829_349_772_637_337_9),
        (0.7, 0.768_198_051_533_946_6),
        (0.8, 0.264_753_387_610_072_1),
        (0.9, 0.054_872_483_384_637_18),
        (1.0, 0.0),
    ] {
        assert_eq!(adjust(0.9, similarity), left, "{similarity}");
    }
    assert_eq!(adjust(0.9, f64::NAN), 0.0);
}

#[test]
fn scores_age_as_published() {
    for (days, left) in [
        (0.0, 1.0),
        (5.0, 0.990_049_833_749_168_1),
        (10.0, 0.980_198_673_306_755_3),
        (11.0, 0.940_990_726_374_485),
        (12.5, 0.735_149_004_980_066_4),
        (14.0, 0.352_871_522_390_431_8),
        (15.0, 0.0),
        (15.01, 0.0),
        (-1.0, 1.0),
        (f64::NAN, 0.0),
    ] {
        assert_eq!(Decay::PUBLISHED.apply(1.0, days), left, "{days}");
    }
}

#[test]
fn both_softmaxes_are_as_published() {
    let scores = [0.0, 0.5, 0.7, 0.9, 0.0];
    assert_eq!(
        softmax(&scores, TEMPERATURE, Over::NonZero),
        [
            0.0,
            0.090_030_573_170_380_48,
            0.244_728_471_054_797_56,
            0.665_240_955_774_821_9,
            0.0
        ]
    );
    assert_eq!(
        softmax(&scores, TEMPERATURE, Over::All),
        [
            0.007_282_521_484_501_265,
            0.088_719_274_003_629_96,
            0.241_163_990_358_146_15,
            0.655_551_692_669_221_4,
            0.007_282_521_484_501_265
        ]
    );
    assert_eq!(softmax(&[0.0; 3], 0.2, Over::NonZero), [0.0; 3]);
    assert_eq!(softmax(&[0.0; 4], 0.2, Over::All), [0.25; 4]);
    assert!(softmax(&[], 0.2, Over::All).is_empty());
}

#[test]
fn empty_challenges_release_their_weight() {
    let (one, two, none) = ([1.0, 0.0], [0.0, 1.0], [0.0, 0.0]);
    let (sum, used) = total(&[(0.4, &one), (0.3, &two), (0.3, &none)]).unwrap();
    assert_eq!(
        used,
        [0.571_428_571_428_571_4, 0.428_571_428_571_428_6, 0.0]
    );
    assert_eq!(sum, [0.571_428_571_428_571_4, 0.428_571_428_571_428_6]);
    assert_eq!(total(&[(0.4, &none)]).unwrap().0, [0.0, 0.0]);
    assert_eq!(
        total(&[(0.4, &none), (0.6, &[0.0])]),
        Err(AcrossError::Length {
            index: 1,
            len: 1,
            wanted: 2
        })
    );
    assert!(total(&[(f64::NAN, &none)]).is_err());
    assert_eq!(with_burn(&none, 0.5, None), [0.0, 0.0]);
}

#[test]
fn one_miner_an_entity_as_published() {
    let row = |score, ip, coldkey, docker| Miner {
        score,
        ip,
        coldkey,
        docker,
    };
    let miners = [
        row(0.1, "1.1.1.1", "a", None),
        row(0.4, "1.1.1.1", "b", None),
        row(0.2, "2.2.2.2", "b", None),
        row(0.2, "3.3.3.3", "c", Some("x")),
        row(0.1, "0.0.0.0", "d", None),
        row(0.3, "4.4.4.4", "e", Some("x")),
    ];
    assert_eq!(
        same_entity(&miners),
        [
            0.0,
            0.571_428_571_428_571_5,
            0.0,
            0.0,
            0.0,
            0.428_571_428_571_428_6
        ]
    );
    assert_eq!(same_entity(&miners[4..5]), [0.0]);
    // A group may land in two entities, which do not become one for that.
    let bridge = [
        row(0.2, "1", "a", None),
        row(0.3, "2", "b", None),
        row(0.1, "3", "a", None),
        row(0.5, "3", "b", None),
    ];
    assert_eq!(same_entity(&bridge), [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn the_base_manager_judges() {
    let base = Judging::Base { threshold: 0.5 };
    let nan = f64::NAN;
    let left_out = judge(base, &[Some(0.5), None], &[]);
    assert_eq!((left_out.score, left_out.accepted), (None, false));
    assert_eq!(left_out.reasons, [Reason::ScoreMissing]);
    let zero = judge(base, &[Some(nan), Some(1.0)], &[vec![Some(0.5)]]);
    assert_eq!(
        (zero.score, zero.penalty, zero.accepted),
        (Some(0.0), 0.5, false)
    );
    assert_eq!(zero.reasons, [Reason::ScoreNotANumber, Reason::TooSimilar]);
    let partly = judge(
        base,
        &[Some(1.0)],
        &[vec![Some(nan), Some(0.3), None], vec![]],
    );
    assert_eq!((partly.penalty, partly.accepted), (0.3, true));
    let wholly = judge(base, &[Some(1.0)], &[vec![Some(0.9)], vec![Some(nan)]]);
    assert_eq!((wholly.penalty, wholly.accepted), (0.0, true));
    assert_eq!(wholly.reasons, [Reason::PenaltyNotANumber]);
    let empty = judge(base, &[], &[]);
    assert_eq!((empty.score, empty.accepted), (Some(0.0), true));
}

#[test]
fn a_challenge_manager_judges() {
    let now = rules(ABS_2026).unwrap().judging;
    let then = rules(ABS_2025).unwrap().judging;
    let scores = [None, Some(0.65), Some(0.2)];
    let likeness = [vec![Some(0.1), None], vec![Some(0.6)]];
    let verdict = judge(now, &scores, &likeness);
    assert_eq!((verdict.raw, verdict.penalty), (Some(0.65), 0.6));
    assert!(verdict.accepted, "the bound itself is accepted");
    assert_eq!(verdict.score, Some(adjust(0.65, 0.6)));
    assert!(
        !judge(then, &scores, &likeness).accepted,
        "0.65 is below 0.7"
    );
    let alone = judge(now, &scores, &[]);
    assert_eq!((alone.score, alone.accepted), (Some(0.0), true));
    assert_eq!(alone.reasons, [Reason::NotCompared]);
    let copied = judge(now, &[Some(1.0)], &[vec![Some(0.61)]]);
    assert!(!copied.accepted);
    assert_eq!(copied.reasons, [Reason::TooSimilar, Reason::Reduced]);
    assert!(!judge(now, &[Some(1.0)], &[vec![Some(-0.1)]]).accepted);
    assert_eq!(judge(now, &[], &[]).raw, Some(0.0));
}

#[test]
fn the_best_commit_follows_its_rule() {
    assert_eq!(best(Some(("a", 0.5)), "b", true, 0.6), Change::Replaces);
    assert_eq!(best(Some(("a", 0.5)), "b", false, 0.9), Change::Stays);
    assert_eq!(best(None, "b", false, 0.9), Change::Stays);
    assert_eq!(best(Some(("a", 0.5)), "b", true, f64::NAN), Change::Stays);
}

#[test]
fn numpy_adds_in_blocks() {
    // Each made by numpy's rule by hand: 9 terms are eight running sums and a rest.
    let nine = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
    let eight = ((0.1 + 0.2) + (0.3 + 0.4)) + ((0.5 + 0.6) + (0.7 + 0.8));
    assert_eq!(pairwise(&nine), eight + 0.9);
    let many: Vec<f64> = (0..200_u32).map(|n| f64::from(n) * 0.1).collect();
    assert_eq!(
        pairwise(&many),
        pairwise(&many[..96]) + pairwise(&many[96..])
    );
}

fn unit() -> impl Strategy<Value = f64> {
    0.0..=1.0_f64
}

proptest! {
    #[test]
    fn more_likeness_never_leaves_more(score in unit(), a in 0.01..=1.0_f64, b in 0.01..=1.0_f64) {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        prop_assert!(adjust(score, high) <= adjust(score, low) + 1e-12);
        prop_assert!((0.0..=score).contains(&adjust(score, a)));
        prop_assert!(reduction(a.max(0.4)) <= 1.0);
    }

    #[test]
    fn age_only_takes(score in unit(), a in 0.0..20.0_f64, b in 0.0..20.0_f64) {
        let (young, old) = if a <= b { (a, b) } else { (b, a) };
        let decay = Decay::PUBLISHED;
        prop_assert!(decay.apply(score, old) <= decay.apply(score, young));
        prop_assert!((0.0..=score).contains(&decay.apply(score, a)));
    }

    #[test]
    fn softmax_sums_to_one_and_keeps_the_order(scores in prop::collection::vec(unit(), 1..300)) {
        for over in [Over::All, Over::NonZero] {
            let vector = softmax(&scores, 0.2, over);
            let sum: f64 = vector.iter().sum();
            let empty = over == Over::NonZero && scores.iter().all(|s| *s == 0.0);
            let wanted = if empty { 0.0 } else { 1.0 };
            prop_assert!((sum - wanted).abs() < 1e-9);
            for (a, x) in scores.iter().zip(&vector) {
                for (b, y) in scores.iter().zip(&vector) {
                    prop_assert!(a > b || x <= y);
                }
            }
        }
    }

    #[test]
    fn the_unique_set_is_the_same_in_any_order(
        scores in prop::collection::hash_map("[a-f]{1,4}", 0_u32..1000, 0..40).prop_shuffle_pairs(),
    ) {
        let (one, other) = scores;
        // Distinct scores: the order of equals is the only thing that time decides.
        let fill = |list: &[(String, f64)]| {
            let mut unique = Unique::new(5);
            for (name, score) in list {
                unique.insert(*score, name, "d");
            }
            unique.members().to_vec()
        };
        let (one, other) = (fill(&one), fill(&other));
        prop_assert!(one.len() <= 5);
        prop_assert!(one.is_sorted_by(|a, b| a.score <= b.score));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn entities_never_gain(scores in prop::collection::vec((unit(), 0_u8..4, 0_u8..4, 0_u8..4), 0..20)) {
        let texts: Vec<[String; 3]> = scores
            .iter()
            .map(|(_, ip, cold, docker)| [format!("{ip}"), format!("{cold}"), format!("{docker}")])
            .collect();
        let miners: Vec<Miner<'_>> = scores
            .iter()
            .zip(&texts)
            .map(|((score, ..), [ip, coldkey, docker])| Miner {
                score: *score,
                ip,
                coldkey,
                docker: (docker != "0").then_some(docker),
            })
            .collect();
        let left = same_entity(&miners);
        let sum: f64 = left.iter().sum();
        prop_assert!(left.iter().filter(|s| **s > 0.0).count() <= 4, "one an address at most");
        prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9);
    }
}

type Scores = Vec<(String, f64)>;

trait Shuffled {
    fn prop_shuffle_pairs(self) -> BoxedStrategy<(Scores, Scores)>;
}

impl<S> Shuffled for S
where
    S: Strategy<Value = std::collections::HashMap<String, u32>> + 'static,
{
    fn prop_shuffle_pairs(self) -> BoxedStrategy<(Scores, Scores)> {
        let lists = self.prop_flat_map(|map| {
            let mut list: Scores = map.into_keys().map(|name| (name, 0.0)).collect();
            list.sort_by(|a, b| a.0.cmp(&b.0));
            for (at, item) in list.iter_mut().enumerate() {
                item.1 = f64::from(u32::try_from(at).unwrap_or(0)) / 64.0;
            }
            (Just(list.clone()).prop_shuffle(), Just(list).prop_shuffle())
        });
        lists.boxed()
    }
}
