//! Miners, validators and services made up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use chain_metadata::AccountId;
use challenges::ledger::Ledger;
use challenges::python::Json;
use challenges::record::{Entry, Kind, Record, Reporter};
use challenges::sn61::config::{Challenge, Config, Metagraph, Neuron};
use challenges::sn61::controller::{Controller, ControllerError, Likeness};
use challenges::sn61::cycle::{Context, Passed, pass};
use challenges::sn61::fernet;
use challenges::sn61::finalize::{Outcome, run};
use challenges::sn61::report::{self, Report};
use challenges::sn61::state::State;
use indexer::store::Store;
use indexer::store::engine::Batch;
use serde_json::{Value, json};

/// 2025-10-15 15:00:00 UTC.
pub(crate) const NOW: u64 = 1_760_540_400_000;
pub(crate) const DAY: u64 = 86_400_000;

pub(crate) fn account(group: u8, number: u8) -> AccountId {
    let mut bytes = [group; 32];
    bytes[31] = number;
    AccountId(bytes)
}

pub(crate) fn miner(number: u8) -> AccountId {
    account(7, number)
}

pub(crate) fn validator(number: u8) -> AccountId {
    account(9, number)
}

/// Miners have the uids 0, 1, …; validators come behind.
pub(crate) fn metagraph(miners: u8) -> Metagraph {
    let neuron = |hotkey: AccountId, n: u8| Neuron {
        hotkey,
        stake: if n >= 200 { 10_000.0 } else { 0.0 },
        coldkey: account(8, n),
        ip: format!("10.0.0.{n}"),
    };
    let all = (0..miners).map(|n| neuron(miner(n), n));
    let all = all.chain((0..5).map(|n| neuron(validator(n), 200 + n)));
    Metagraph::new(all.collect(), Some(u16::from(miners)))
}

pub(crate) fn docker(name: &str) -> String {
    let digest = challenges::sn61::format::disk_key(name);
    format!("user-{name}/image@sha256:{digest}")
}

pub(crate) fn key(seed: &str) -> String {
    let bytes = hex::decode(challenges::sn61::format::disk_key(seed)).unwrap();
    base64::engine::general_purpose::URL_SAFE.encode(bytes)
}

/// A ciphertext of an image for a challenge, and its key.
pub(crate) fn sealed(challenge: &str, image: &str) -> (String, String) {
    let key = key(&format!("{challenge} {image}"));
    let plain = format!("{challenge}---{}", docker(image));
    let token = fernet::seal(&key, 1, [3; 16], plain.as_bytes()).unwrap();
    (token, key)
}

pub(crate) fn commit(
    challenge: &str,
    image: &str,
    timestamp: Option<f64>,
    with_key: bool,
) -> Value {
    let (token, key) = sealed(challenge, image);
    json!({
        "encrypted_commit": token,
        "commit_timestamp": timestamp,
        "key": with_key.then_some(key),
    })
}

/// The text of a report: miner, challenge and what is told.
pub(crate) fn body(validator_number: u8, told: &[(AccountId, &str, Value)]) -> Vec<u8> {
    let mut miners: BTreeMap<String, serde_json::Map<String, Value>> = BTreeMap::new();
    for (miner, challenge, commit) in told {
        let of = miners.entry(miner.to_string()).or_default();
        of.insert((*challenge).to_owned(), commit.clone());
    }
    let body = json!({
        "validator_uid": 100 + u16::from(validator_number),
        "validator_hotkey": validator(validator_number).to_string(),
        "miner_commits": miners,
    });
    body.to_string().into_bytes()
}

pub(crate) fn taken(
    ledger: &Ledger,
    config: &Config,
    report: &Report,
    body: &[u8],
) -> Result<report::Taken, challenges::ledger::LedgerError> {
    let mut state = State::load(ledger, config)?;
    let from = Reporter::Hotkey {
        hotkey: report.validator,
        uid: report.uid,
    };
    let provenance = report::provenance(from, None, NOW);
    let miners = metagraph(50);
    let known = (config, &miners);
    let taken = report::take(
        ledger,
        &mut state,
        known,
        report,
        body,
        &provenance,
        Batch::default(),
    )?;
    assert_eq!(state, State::load(ledger, config)?);
    Ok(taken)
}

pub(crate) fn take(ledger: &Ledger, config: &Config, body: &[u8]) -> report::Taken {
    let report = Report::read(body, None).unwrap();
    taken(ledger, config, &report, body).unwrap()
}

pub(crate) fn config(profile: &str, names: &[&str]) -> Config {
    let challenges = names.iter().map(|name| Challenge::new(name, 0.4));
    Config::new(profile, challenges.collect()).unwrap()
}

/// Services that answer what they are told to, and count.
#[derive(Default)]
pub(crate) struct Fake {
    /// Score by image; 0.8 otherwise.
    pub(crate) scores: BTreeMap<String, f64>,
    /// Likeness of pairs of images; 0.2 otherwise.
    pub(crate) likeness: BTreeMap<(String, String), f64>,
    /// Answers by image; its name otherwise.
    pub(crate) answers: BTreeMap<String, Json>,
    /// Images that cannot be run.
    pub(crate) broken: BTreeSet<String>,
    /// Whether comparisons get no answer.
    pub(crate) mute: AtomicBool,
    /// Whether challenges give no tasks.
    pub(crate) down: AtomicBool,
    /// Calls, in order.
    pub(crate) calls: Mutex<Vec<String>>,
}

impl Fake {
    fn call(&self, text: String) {
        self.calls.lock().unwrap().push(text);
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| call.starts_with(what)).count()
    }
}

fn image(output: &Json) -> String {
    match output.get("image") {
        Some(Json::Str(image)) => image.clone(),
        _ => String::new(),
    }
}

pub(crate) fn unreachable(service: &str) -> ControllerError {
    ControllerError::Unreachable {
        service: service.into(),
        attempts: 3,
        why: "connection refused".into(),
    }
}

impl Controller for Fake {
    fn task(&self, challenge: &str) -> Result<Json, ControllerError> {
        self.call(format!("task {challenge}"));
        if self.down.load(Ordering::SeqCst) {
            return Err(unreachable("/task"));
        }
        Ok(Json::dict([
            ("zeta", Json::Str("é".into())),
            ("alpha", Json::Int("123456789012345678901234567890".into())),
        ]))
    }

    fn solve(&self, _: &str, docker: &str, _: &Json) -> Result<Json, ControllerError> {
        self.call(format!("solve {docker}"));
        if self.broken.contains(docker) {
            return Err(unreachable("the image"));
        }
        let answer = || Json::dict([("image", Json::Str(docker.to_owned()))]);
        Ok(self.answers.get(docker).cloned().unwrap_or_else(answer))
    }

    fn score(&self, _: &str, reset: bool, _: &Json, output: &Json) -> Result<f64, ControllerError> {
        self.call(format!("score {} {reset}", image(output)));
        Ok(self.scores.get(&image(output)).copied().unwrap_or(0.8))
    }

    fn compare(
        &self,
        _: &str,
        _: &Json,
        output: &Json,
        reference: &Json,
    ) -> Result<Likeness, ControllerError> {
        let pair = (image(output), image(reference));
        self.call(format!("compare {} {}", pair.0, pair.1));
        if self.mute.load(Ordering::SeqCst) {
            return Err(unreachable("/compare"));
        }
        Ok(Likeness {
            similarity: self.likeness.get(&pair).copied().unwrap_or(0.2),
            reason: "made up".into(),
        })
    }
}

pub(crate) fn context<'a>(
    config: &'a Config,
    miners: &'a Metagraph,
    controller: &'a dyn Controller,
    now_ms: u64,
) -> Context<'a> {
    Context {
        config,
        miners,
        controller,
        now_ms,
    }
}

/// All records.
pub(crate) fn records(ledger: &Ledger) -> Vec<Entry> {
    let all = ledger.from(0, usize::MAX).unwrap();
    all.into_iter().map(|(_, entry)| entry).collect()
}

/// What a record is about: no two may be about the same.
pub(crate) fn about(entry: &Entry) -> String {
    let of = match &entry.record {
        Record::Run(run) => run.id.clone(),
        Record::Submission(s) => format!("{} {}", s.id, s.details["validator"]),
        Record::Score(score) => format!("{} {}", score.of, score.inputs),
        Record::Comparison(c) => format!("{} {}", c.of, c.with),
        Record::Finalization(f) => f.period.clone(),
    };
    format!("{} {:?} {of}", entry.challenge, entry.record.kind())
}

pub(crate) fn count(ledger: &Ledger, kind: Kind) -> usize {
    let all = records(ledger);
    all.iter().filter(|e| e.record.kind() == kind).count()
}

/// Two days before: on time by any rule.
pub(crate) const EARLY: f64 = 1_760_367_600.0;

pub(crate) fn ledger() -> Ledger {
    Ledger::open(Store::in_memory().unwrap()).unwrap()
}

/// Validator 0 tells of commits, with keys: miner, challenge, image and time.
pub(crate) fn told(ledger: &Ledger, config: &Config, list: &[(u8, &str, &str, f64)]) {
    let of = |(m, challenge, image, time): &(u8, &'_ str, &str, f64)| {
        let value = commit(challenge, image, Some(*time), true);
        (miner(*m), (*challenge).to_owned(), value)
    };
    let list: Vec<_> = list.iter().map(of).collect();
    let list: Vec<_> = list
        .iter()
        .map(|(m, c, v)| (*m, c.as_str(), v.clone()))
        .collect();
    take(ledger, config, &body(0, &list));
}

pub(crate) fn once(ledger: &Ledger, config: &Config, fake: &Fake, now: u64) -> (State, Passed) {
    let mut state = State::load(ledger, config).unwrap();
    let miners = metagraph(6);
    let passed = pass(ledger, &mut state, context(config, &miners, fake, now)).unwrap();
    assert_eq!(state, State::load(ledger, config).unwrap());
    (state, passed)
}

pub(crate) fn close(ledger: &Ledger, config: &Config, fake: &Fake, now: u64) -> Vec<Outcome> {
    let mut state = State::load(ledger, config).unwrap();
    let miners = metagraph(6);
    let outcomes = run(ledger, &mut state, context(config, &miners, fake, now)).unwrap();
    assert_eq!(state, State::load(ledger, config).unwrap());
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
