//! A scorer that dies at every step, before or after the step is written, and goes on from
//! what is on disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use challenges::ledger::{Ledger, LedgerError};
use challenges::sn61::config::Config;
use challenges::sn61::cycle::pass;
use challenges::sn61::finalize::{Outcome, run};
use challenges::sn61::report::Report;
use challenges::sn61::state::State;
use indexer::store::Store;
use indexer::store::engine::sled::SledEngine;
use indexer::store::engine::{Batch, Engine, EngineError, Range, Rows};

use crate::world::*;

/// An engine that dies at a commit.
struct Mortal {
    inner: SledEngine,
    left: AtomicUsize,
    /// Whether the last commit is written before it dies.
    after: bool,
}

impl Engine for Mortal {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.inner.get(key)
    }

    fn scan(&self, range: Range) -> Rows<'_> {
        self.inner.scan(range)
    }

    fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError> {
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            if self.after {
                self.inner.commit(batches)?;
            }
            return Err(EngineError::Io {
                doing: "committing",
                why: "killed".into(),
            });
        }
        self.left.store(left - 1, Ordering::SeqCst);
        self.inner.commit(batches)
    }

    fn size_on_disk(&self) -> Result<u64, EngineError> {
        self.inner.size_on_disk()
    }

    fn verify(&self) -> Result<u64, EngineError> {
        self.inner.verify()
    }
}

fn fake() -> Fake {
    let mut fake = Fake::default();
    fake.broken.insert(docker("broken"));
    fake.likeness.insert((docker("c"), docker("a")), 0.45);
    fake
}

fn report() -> Vec<u8> {
    let of = |m: u8, challenge: &'static str, image: &str| {
        let time = EARLY + f64::from(m);
        (
            miner(m),
            challenge,
            commit(challenge, image, Some(time), true),
        )
    };
    body(
        0,
        &[
            of(0, "one", "a"),
            of(1, "one", "b"),
            of(2, "one", "c"),
            of(3, "one", "broken"),
            of(0, "two", "d"),
            of(1, "two", "e"),
        ],
    )
}

/// A pass and the closing of the day.
fn work(ledger: &Ledger, config: &Config, fake: &Fake) -> Result<Vec<Outcome>, LedgerError> {
    let miners = metagraph(5);
    let mut state = State::load(ledger, config)?;
    pass(ledger, &mut state, context(config, &miners, fake, NOW))?;
    let outcomes = run(ledger, &mut state, context(config, &miners, fake, NOW))?;
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

fn settled(profile: &str) -> Config {
    let mut config = config(profile, &["one", "two"]);
    // Few are compared in the pass, the others when the day is closed.
    config.challenges[0].max_unique = 1;
    config
}

fn prepare(dir: &Path, config: &Config) {
    let ledger = Ledger::open(Store::open_sled(dir, true, 1 << 20).unwrap()).unwrap();
    assert_eq!(take(&ledger, config, &report()).new, 6);
}

fn every_step(profile: &str) {
    let config = settled(profile);
    let whole = tempfile::tempdir().unwrap();
    prepare(whole.path(), &config);
    let ledger = Ledger::open(Store::open_sled(whole.path(), false, 1 << 20).unwrap()).unwrap();
    let outcomes = work(&ledger, &config, &fake()).unwrap();
    assert_eq!(
        outcomes,
        [
            Outcome::Closed { commits: 4 },
            Outcome::Closed { commits: 2 }
        ]
    );
    let wanted = records(&ledger);
    let steps = wanted.len() - 6;
    assert!(steps > 20, "{steps}");
    let state = State::load(&ledger, &config).unwrap();
    for kill in 0..steps {
        for after in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            prepare(dir.path(), &config);
            let calls = fake();
            {
                let mortal = Mortal {
                    inner: SledEngine::open(dir.path(), false, 1 << 20).unwrap(),
                    left: AtomicUsize::new(kill),
                    after,
                };
                let ledger = Ledger::open(Store::open(Arc::new(mortal)).unwrap()).unwrap();
                work(&ledger, &config, &calls).unwrap_err();
            }
            let ledger =
                Ledger::open(Store::open_sled(dir.path(), false, 1 << 20).unwrap()).unwrap();
            assert_eq!(ledger.len(), (6 + kill + usize::from(after)) as u64);
            let outcomes = work(&ledger, &config, &calls).unwrap();
            assert!(
                outcomes
                    .iter()
                    .all(|o| matches!(o, Outcome::Closed { .. } | Outcome::Already))
            );
            assert_eq!(
                records(&ledger),
                wanted,
                "killed at step {kill}, written {after}"
            );
            assert_eq!(State::load(&ledger, &config).unwrap(), state);
            let images = ["a", "b", "c", "d", "e", "broken"];
            let twice: usize = images
                .iter()
                .map(|image| calls.count(&format!("solve {}", docker(image))) - 1)
                .sum();
            assert!(
                twice <= usize::from(!after),
                "only the call in hand is made again"
            );
            let len = ledger.len();
            assert_eq!(
                work(&ledger, &config, &calls).unwrap(),
                [Outcome::Already, Outcome::Already]
            );
            assert_eq!(ledger.len(), len);
        }
    }
    let mut keys: Vec<String> = wanted.iter().map(about).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(
        keys.len(),
        wanted.len(),
        "no two records are about the same"
    );
}

#[test]
fn death_at_every_step_changes_nothing_by_the_rules_of_2025() {
    every_step("sn61-base");
}

#[test]
fn death_at_every_step_changes_nothing_by_the_rules_of_2026() {
    every_step("sn61-abs-2026");
}

#[test]
fn a_report_is_taken_wholly_or_not_and_once() {
    let config = settled("sn61-base");
    for after in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open_sled(dir.path(), true, 1 << 20).unwrap());
        {
            let inner = SledEngine::open(dir.path(), false, 1 << 20).unwrap();
            let mortal = Mortal {
                inner,
                left: AtomicUsize::new(0),
                after,
            };
            let ledger = Ledger::open(Store::open(Arc::new(mortal)).unwrap()).unwrap();
            let read = Report::read(&report(), None).unwrap();
            assert!(taken(&ledger, &config, &read, &report()).is_err());
        }
        let ledger = Ledger::open(Store::open_sled(dir.path(), false, 1 << 20).unwrap()).unwrap();
        assert_eq!(ledger.len(), if after { 6 } else { 0 });
        assert_eq!(
            take(&ledger, &config, &report()).new,
            if after { 0 } else { 6 }
        );
        assert_eq!(ledger.len(), 6);
    }
}
