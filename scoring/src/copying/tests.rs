//! Hand-made series: copiers with known delays, and validators that only look at the same miners.

use super::*;

const STEP: u64 = 100;
const MINERS: u16 = 40;

/// A small generator of numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

type Weights = Vec<(u16, u16)>;

/// Miners that get better and worse: a row of truth for each step.
fn truth(steps: usize, seed: u64) -> Vec<Weights> {
    let mut numbers = Numbers(seed);
    let mut now: Vec<u64> = (0..MINERS).map(|_| numbers.below(20_000)).collect();
    let mut rows = vec![];
    for _ in 0..steps {
        for value in &mut now {
            *value = (*value * 3 + numbers.below(30_000)) / 4;
        }
        rows.push(
            (0..MINERS)
                .zip(&now)
                .map(|(uid, value)| (uid, u16::try_from(*value).unwrap()))
                .collect(),
        );
    }
    rows
}

/// What a validator sees of it, with its own errors.
fn seen(truth: &[Weights], error: u64, seed: u64) -> Vec<Weights> {
    let mut numbers = Numbers(seed);
    let row = |row: &Weights| {
        let mut row = row.clone();
        for (_, weight) in &mut row {
            let noise = u16::try_from(numbers.below(error + 1)).unwrap();
            *weight = weight.saturating_add(noise);
        }
        row
    };
    truth.iter().map(row).collect()
}

/// One row a step, decided `at` blocks before it and shown so many blocks later.
fn published(validator: u32, rows: &[Weights], at: u64, hidden: u64) -> Vec<Publication<'_>> {
    let blocks = (1..).map(|step| step * STEP - at);
    let rows = rows.iter().zip(blocks);
    rows.map(|(row, decided)| Publication {
        validator,
        decided,
        visible: decided + hidden,
        row,
    })
    .collect()
}

/// Rows of others so many steps later; before that, own ones.
fn delayed(rows: &[Weights], own: &[Weights], delay: usize) -> Vec<Weights> {
    let mut copied = own[..delay].to_vec();
    copied.extend_from_slice(&rows[..rows.len() - delay]);
    copied
}

fn steps(count: u64) -> Vec<u64> {
    (1..=count).map(|step| step * STEP).collect()
}

fn find(followers: &[Follower], validator: u32) -> &Follower {
    followers
        .iter()
        .find(|follower| follower.validator == validator)
        .unwrap()
}

#[test]
fn a_copier_with_a_delay_is_found_with_its_lag() {
    let truth = truth(30, 7);
    let leader = seen(&truth, 3000, 11);
    let own = seen(&truth, 3000, 23);
    for delay in 0..5 {
        // The leader sets weights 50 blocks before each step, the copier 10.
        let copies = delayed(&leader, &own, delay);
        let mut all = published(1, &leader, 50, 0);
        all.extend(published(2, &own, 30, 0));
        all.extend(published(3, &copies, 10, 0));
        let followers = copying(&all, &steps(30), 6).unwrap();
        let copier = find(&followers, 3);
        let found = copier.leader().expect("a leader");
        // Compared with what was shown at the steps: a row set within a step is seen at lag 0.
        assert_eq!(
            (found.leader, found.lag),
            (1, Some(u32::try_from(delay).unwrap())),
            "delay {delay}"
        );
        assert!(found.score > 0.9, "delay {delay}: {}", found.score);
        // Within a step there is no timing, only the exact copy.
        assert_eq!(
            found.timing > 0.9,
            delay > 0,
            "delay {delay}: {}",
            found.timing
        );
        assert!(found.best.identical + 5 >= found.best.count && found.best.count >= 24);
        for honest in [1, 2] {
            assert!(
                find(&followers, honest).leader().is_none(),
                "delay {delay}: {honest}"
            );
            assert_eq!(find(&followers, honest).score(), 0.0);
        }
    }
}

#[test]
fn a_copier_that_adds_noise_is_found_too() {
    let truth = truth(40, 3);
    let leader = seen(&truth, 3000, 5);
    let own = seen(&truth, 3000, 9);
    let copies = seen(&delayed(&leader, &own, 2), 300, 31);
    let mut all = published(1, &leader, 50, 0);
    all.extend(published(2, &own, 30, 0));
    all.extend(published(3, &copies, 10, 0));
    let followers = copying(&all, &steps(40), 5).unwrap();
    let found = find(&followers, 3).leader().unwrap();
    assert_eq!(
        (found.leader, found.lag, found.best.identical),
        (1, Some(2), 0)
    );
    assert!(found.best.correlation > 0.99 && found.score > 0.9);
}

#[test]
fn independent_validators_are_not_followers() {
    for seed in 1..20 {
        let truth = truth(30, seed * 977);
        // Very good at the same thing, to not so good at all.
        let views: Vec<Vec<Weights>> = [100, 500, 2000, 8000, 8000]
            .iter()
            .zip(1..)
            .map(|(error, own)| seen(&truth, *error, seed * 1000 + own))
            .collect();
        let mut all = vec![];
        for (validator, rows) in (0..).zip(&views) {
            all.extend(published(
                validator,
                rows,
                10 + u64::from(validator) * 15,
                0,
            ));
        }
        for follower in copying(&all, &steps(30), 6).unwrap() {
            assert_eq!(follower.changes, 29);
            assert!(follower.leader().is_none(), "seed {seed}: {follower:?}");
        }
    }
}

#[test]
fn hidden_weights_are_followed_from_when_they_are_shown() {
    let truth = truth(30, 19);
    let leader = seen(&truth, 3000, 2);
    let own = seen(&truth, 3000, 4);
    // Committed at each step and revealed three steps later; the copier takes what it reads at once.
    let copies = delayed(&leader, &own, 3);
    let mut all = published(1, &leader, 50, 3 * STEP);
    all.extend(published(3, &copies, 10, 0));
    let followers = copying(&all, &steps(30), 5).unwrap();
    let found = find(&followers, 3).leader().unwrap();
    assert_eq!((found.leader, found.lag), (1, Some(0)));
    assert!(found.timing > 0.9, "{}", found.timing);
    // Open ones would have been followed with a lag of three.
    let mut all = published(1, &leader, 50, 0);
    all.extend(published(3, &copies, 10, 0));
    let followers = copying(&all, &steps(30), 5).unwrap();
    assert_eq!(find(&followers, 3).leader().unwrap().lag, Some(3));
}

#[test]
fn weights_that_never_change_prove_nothing() {
    let row = truth(1, 5);
    let rows: Vec<Weights> = std::iter::repeat_n(row[0].clone(), 20).collect();
    let mut all = published(1, &rows, 50, 0);
    all.extend(published(2, &rows, 10, 0));
    for follower in copying(&all, &steps(20), 3).unwrap() {
        assert_eq!((follower.changes, follower.score()), (0, 0.0));
        assert_eq!(follower.relations[0].lag, None);
    }
}

#[test]
fn order_scale_and_threads_do_not_matter() {
    let truth = truth(20, 77);
    let leader = seen(&truth, 1000, 3);
    let copies = delayed(&leader, &seen(&truth, 1000, 8), 1);
    let mut all = published(1, &leader, 50, 0);
    all.extend(published(2, &copies, 10, 0));
    all.extend(published(5, &truth, 20, STEP));
    let expected = copying(&all, &steps(20), 4).unwrap();
    let run = |threads, all: &[Publication<'_>]| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| copying(all, &steps(20), 4).unwrap())
    };
    assert_eq!(run(1, &all), expected);
    assert_eq!(run(5, &all), expected);
    all.reverse();
    assert_eq!(run(3, &all), expected);
    // Half the weights are as good, and so is another order.
    let halved: Vec<Weights> = copies
        .iter()
        .map(|row| {
            row.iter()
                .rev()
                .map(|(uid, weight)| (*uid, weight / 2))
                .collect()
        })
        .collect();
    let mut all = published(1, &leader, 50, 0);
    all.extend(published(2, &halved, 10, 0));
    let found = copying(&all, &steps(20), 4).unwrap();
    let found = find(&found, 2).leader().unwrap();
    assert!(found.lag == Some(1) && found.best.correlation > 0.999_99);
}

#[test]
fn the_likeness_of_rows_by_hand() {
    let rows: [Weights; 3] = [
        vec![(0, 1), (1, 2)],
        vec![(0, 3), (1, 4)],
        vec![(0, 4), (1, 3)],
    ];
    let publication = |validator, step: u64, row| Publication {
        validator,
        decided: step * STEP,
        visible: step * STEP,
        row,
    };
    let all = [
        publication(1, 1, &rows[1][..]),
        publication(2, 1, &rows[0]),
        publication(2, 2, &rows[2]),
    ];
    let found = copying(&all, &steps(3), 1).unwrap();
    let relation = &find(&found, 2).relations[0];
    // (3, 4) and (4, 3): cosine 24/25, correlation -1.
    assert_eq!(relation.lags.len(), 2);
    for likeness in [relation.lags[0], relation.lags[1], relation.together] {
        assert_eq!(
            (likeness.count, likeness.correlation, likeness.cosine),
            (1, -1.0, 0.96)
        );
    }
    assert!(find(&found, 1).relations[0].lag.is_none());
    assert_eq!(find(&found, 1).changes, 0);
    // Three rows, two weights each, two validators, three comparisons, both ways.
    assert_eq!(cost(&all, 1), 3 * 2 * 2 * 3 * 2);
}

#[test]
fn impossible_series_are_refused() {
    let row = [(1, 2), (3, 4), (1, 5)];
    let publication = |decided, visible, row| Publication {
        validator: 9,
        decided,
        visible,
        row,
    };
    let refused = |publications: &[Publication<'_>], steps: &[u64], lag| {
        copying(publications, steps, lag).unwrap_err()
    };
    assert_eq!(
        refused(&[], &[5, 7, 7], 1),
        CopyingError::Steps { index: 2, block: 7 }
    );
    assert_eq!(
        refused(&[], &[], 1001),
        CopyingError::Lag {
            lag: 1001,
            most: 1000
        }
    );
    assert_eq!(
        refused(&[publication(5, 4, &row[..2])], &[5], 1),
        CopyingError::Visible {
            validator: 9,
            decided: 5,
            visible: 4
        }
    );
    assert_eq!(
        refused(&[publication(5, 5, &row)], &[5], 1),
        CopyingError::DuplicateWeight {
            validator: 9,
            decided: 5,
            uid: 1
        }
    );
    assert_eq!(copying(&[], &[], 0), Ok(vec![]));
    let alone = copying(&[publication(5, 5, &row[..2])], &[1, 6], 3).unwrap();
    assert_eq!((alone.len(), alone[0].changes), (1, 1));
}
