//! One pass of scoring.
//!
//! [`pass`] looks at what is known and does what is missing, a step at a time: open a ciphertext, run an
//! image, compare with one other commit, judge. Each step is one append to the ledger under a key of its
//! own (ciphertext and key; image; pair of ciphertexts; ciphertext and hash of what it was judged by), and a step whose
//! record is there is not done again. Where a pass was cut off, the next one goes on; only a
//! call to a service whose answer had not been written yet is made once more.

mod compare;
mod keep;
mod step;

pub(super) use compare::{
    Pair, pair as pair_of, record as record_comparison, with as compare_with,
};
pub use keep::MAX_LOGS;
pub(super) use step::{Writer, judge_commit, writer};

use chain_metadata::AccountId;

use super::config::{Challenge, Config, Metagraph};
use super::controller::{Controller, ControllerError};
use super::format::{MAX_TEXT, ScoringLog};
use super::merge::Version;
use super::reveal;
use super::select::{self, Candidate, Revealed, Skipped};
use super::state::{self, State};
use crate::ledger::{Ledger, LedgerError};
use crate::python::Json;

/// What a pass needs besides the state.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The subnet's neurons now.
    pub miners: &'a Metagraph,
    /// The services.
    pub controller: &'a dyn Controller,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
}

/// What a pass did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Passed {
    /// Ciphertexts opened.
    pub opened: usize,
    /// Ciphertexts with keys that do not open them.
    pub failed: usize,
    /// Images run.
    pub run: usize,
    /// Comparisons made.
    pub compared: usize,
    /// Commits judged.
    pub judged: usize,
    /// Challenges that gave no task, and why: their commits wait for the next pass.
    pub unavailable: Vec<(String, String)>,
    /// Revealed commits that were not scored, and why.
    pub skipped: Vec<(Revealed, Skipped)>,
}

/// One pass over all active challenges. What validators told must be in the ledger
/// ([`super::report::take`]). Whatever services do is recorded: an image that fails, or whose answer gets no score, has a log with
/// score 0 and the error, a failed comparison one with similarity 0 and the error. Only a challenge that gives no
/// task is no miner's fault: its commits wait.
///
/// `state` is brought up to the ledger first and after every step. Passes of one ledger must
/// not run at the same time.
///
/// # Errors
///
/// When the ledger cannot be read or written. Then nothing of the step in hand is written,
/// or all of it; call again.
pub fn pass(
    ledger: &Ledger,
    state: &mut State,
    context: Context<'_>,
) -> Result<Passed, LedgerError> {
    state.catch_up(ledger)?;
    let mut passed = Passed::default();
    let config = context.config;
    let mut candidates = candidates(state, context);
    // The older first: a ciphertext that several miners have is the first one's.
    candidates.sort_by(select::by_age);
    for candidate in &candidates {
        open(ledger, state, context, candidate, &mut passed)?;
    }
    let (picked, skipped) = picks(state, context);
    passed.skipped = skipped;
    for one in &picked {
        let Some(challenge) = config.challenge(&one.candidate.challenge) else {
            continue;
        };
        let down = |(name, _): &(String, String)| *name == challenge.name;
        if !passed.unavailable.iter().any(down) {
            score(ledger, state, context, challenge, one, &mut passed)?;
        }
    }
    Ok(passed)
}

/// Opened commits that a pass scores now, the oldest first, and those that it does not.
pub fn picks(state: &State, context: Context<'_>) -> (Vec<Revealed>, Vec<(Revealed, Skipped)>) {
    let config = context.config;
    let candidates = candidates(state, context);
    let revealed = candidates.into_iter().filter_map(|candidate| {
        let challenge = state.challenges.get(&candidate.challenge)?;
        let opening = challenge.opened.get(&candidate.token)?;
        let docker = opening.plain.docker.clone();
        (opening.miner == candidate.miner).then_some(Revealed { candidate, docker })
    });
    select::unscored(revealed.collect(), config, |challenge, docker| {
        let challenge = state.challenges.get(challenge);
        challenge.is_some_and(|challenge| challenge.done.contains(docker))
    })
}

/// What may be opened now, by what is known to open and by keys that were not tried yet.
fn candidates(state: &State, context: Context<'_>) -> Vec<Candidate> {
    let Context {
        config,
        miners,
        now_ms,
        ..
    } = context;
    let opens = |name: &str, miner: &AccountId, token: &str, version: &Version| {
        let Some(known) = state.challenges.get(name) else {
            return false;
        };
        if let Some(opening) = known.opened.get(token) {
            // A ciphertext copied from another miner is that one's commit.
            return opening.miner == *miner;
        }
        version.keys().into_iter().any(|(key, _)| {
            let tried = (token.to_owned(), super::format::disk_key(&key));
            !known.failed.contains_key(&tried) && reveal::open(name, token, &key).is_ok()
        })
    };
    select::candidates(&state.history, config, miners, now_ms, opens)
}

/// Tries the keys told of a ciphertext, each once.
fn open(
    ledger: &Ledger,
    state: &mut State,
    context: Context<'_>,
    candidate: &Candidate,
    passed: &mut Passed,
) -> Result<(), LedgerError> {
    let Candidate {
        challenge,
        miner,
        token,
        ..
    } = candidate;
    let versions = state.history.versions(challenge, miner);
    let Some(version) = versions.and_then(|versions| versions.get(token)) else {
        return Ok(());
    };
    for (key, told_by) in version.keys() {
        let Some(known) = state.challenges.get(challenge) else {
            return Ok(());
        };
        let tried = (token.clone(), super::format::disk_key(&key));
        if known.opened.contains_key(token) {
            return Ok(());
        }
        if known.failed.contains_key(&tried) {
            continue;
        }
        let outcome = reveal::open(challenge, token, &key);
        match &outcome {
            Ok(_) => passed.opened += 1,
            Err(_) => passed.failed += 1,
        }
        let step = writer(ledger, context, challenge, *miner);
        step.opened(token, &key, &told_by, &outcome)?;
        state.catch_up(ledger)?;
    }
    Ok(())
}

/// Runs, compares and judges one commit as far as that was not done.
fn score(
    ledger: &Ledger,
    state: &mut State,
    context: Context<'_>,
    challenge: &Challenge,
    one: &Revealed,
    passed: &mut Passed,
) -> Result<(), LedgerError> {
    let name = &challenge.name;
    let step = writer(ledger, context, name, one.candidate.miner);
    let Some(known) = state.challenges.get(name) else {
        return Ok(());
    };
    let logs = match known.runs.get(&one.docker) {
        Some(payload) => state::logs(ledger, payload)?,
        None => {
            let seeds = seeds(ledger, state, context, challenge)?;
            let inputs = match inputs(context, challenge, seeds) {
                Ok(inputs) => inputs,
                Err(error) => {
                    // Not the miner's fault: nothing is written, and the next pass asks again.
                    let why = error.to_string();
                    tracing::warn!(challenge = name, why, "no task; its commits wait");
                    passed.unavailable.push((name.clone(), why));
                    return Ok(());
                }
            };
            let logs = run(context, challenge, &one.docker, inputs);
            let logs = keep::scoring(logs, MAX_LOGS);
            step.ran(&one.docker, &one.candidate.token, &logs)?;
            passed.run += 1;
            state.catch_up(ledger)?;
            logs
        }
    };
    for pair in compare::pool(state, context, challenge, one) {
        let compared = compare::with(ledger, context, challenge, &pair, &logs)?;
        let Some(compared) = compared else { continue };
        compare::record(&step, &pair, compared.into_logs(), "pass")?;
        passed.compared += 1;
        state.catch_up(ledger)?;
    }
    if judge_commit(&step, state, context, challenge, one, &logs, "pass")? {
        passed.judged += 1;
        state.catch_up(ledger)?;
    }
    Ok(())
}

/// Inputs of commits scored on the same day, so that all of a day are given the same.
fn seeds(
    ledger: &Ledger,
    state: &State,
    context: Context<'_>,
    challenge: &Challenge,
) -> Result<Vec<Json>, LedgerError> {
    let mut all: Vec<ScoringLog> = Vec::new();
    let Some(known) = state.challenges.get(&challenge.name) else {
        return Ok(Vec::new());
    };
    let day = context.now_ms / 86_400_000;
    for token in &known.order {
        let Some(judged) = known.judged.get(token) else {
            continue;
        };
        if judged.scored_ms / 86_400_000 != day {
            continue;
        }
        if let Some(payload) = known.runs.get(&judged.docker) {
            all.extend(state::logs(ledger, payload)?);
        }
    }
    Ok(select::seeds(&all, challenge.tasks))
}

fn failed_log(error: &ControllerError, input: &Json, output: Option<Json>) -> ScoringLog {
    ScoringLog {
        score: Some(0.0),
        miner_input: Some(input.clone()),
        miner_output: output,
        error: Some(error.to_string().chars().take(MAX_TEXT / 4).collect()),
        ..ScoringLog::default()
    }
}

/// The seeds, and as many new tasks as are missing.
fn inputs(
    context: Context<'_>,
    challenge: &Challenge,
    seeds: Vec<Json>,
) -> Result<Vec<Json>, ControllerError> {
    let mut inputs = seeds;
    let mut bytes = 0_usize;
    while inputs.len() < challenge.tasks {
        let task = context.controller.task(&challenge.name)?;
        let unfit = |why: String| ControllerError::Shape {
            service: format!("/task of {}", challenge.name),
            wanted: "a task that can be kept",
            why,
        };
        bytes = bytes.saturating_add(keep::input(&task).map_err(unfit)?);
        if bytes > keep::MAX_INPUTS {
            let most = keep::MAX_INPUTS;
            return Err(unfit(format!(
                "the tasks of a run have more than {most} bytes"
            )));
        }
        inputs.push(task);
    }
    Ok(inputs)
}

/// Runs an image over the inputs; a log an input.
fn run(
    context: Context<'_>,
    challenge: &Challenge,
    docker: &str,
    inputs: Vec<Json>,
) -> Vec<ScoringLog> {
    let (name, controller) = (challenge.name.as_str(), context.controller);
    let mut logs = Vec::new();
    for (number, input) in inputs.into_iter().enumerate() {
        let output = match controller.solve(name, docker, &input) {
            Ok(output) => output,
            Err(error) => {
                logs.push(failed_log(&error, &input, None));
                continue;
            }
        };
        match controller.score(name, number == 0, &input, &output) {
            Err(error) => logs.push(failed_log(&error, &input, Some(output))),
            Ok(score) => {
                let score = if score.is_finite() { score } else { 0.0 };
                let baseline = challenge.baseline.as_deref();
                let baseline = baseline.map(|image| {
                    let output = controller.solve(name, image, &input)?;
                    controller.score(name, false, &input, &output)
                });
                let mut log = ScoringLog {
                    score: Some(score),
                    miner_input: Some(input),
                    miner_output: Some(output),
                    ..ScoringLog::default()
                };
                match baseline {
                    Some(Ok(baseline)) if baseline.is_finite() => {
                        log.score = Some(score - baseline);
                        log.baseline_score = Some(baseline);
                    }
                    Some(Err(error)) => {
                        log.error =
                            Some(format!("nothing was taken away for the baseline: {error}"));
                    }
                    _ => {}
                }
                logs.push(log);
            }
        }
    }
    logs
}
