//! One record more.

use chain_metadata::AccountId;
use scoring::local::sn61::best::{Change, best};
use serde_json::Value;

use super::{ChallengeState, Compared, Judged, MinerState, Opening, State};
use crate::ledger::{Ledger, LedgerError, Seq};
use crate::python::parse_slice;
use crate::record::{ChallengeRun, Comparison, Entry, Finalization, Record, Reporter, Score};
use crate::sn61::format::{MAX_TOKEN, disk_key, plain};
use crate::sn61::merge::Word;
use crate::sn61::{backup, report};

/// Name of the run that opens a ciphertext with a key.
pub(in crate::sn61) fn reveal_id(token: &str, key: &str) -> String {
    format!("reveal:{}:{}", disk_key(token), disk_key(key))
}

/// Name of the run of an image.
pub(in crate::sn61) fn run_id(docker: &str) -> String {
    format!("score:{docker}")
}

/// Name of a failed attempt to close a day.
pub(in crate::sn61) fn try_id(period: &str, attempt: u32) -> String {
    format!("finalize:{period}:{attempt}")
}

/// Name of the record of a backup, by the sha256 of its text.
pub(in crate::sn61) fn import_id(payload: &str) -> String {
    format!("import:{payload}")
}

/// Takes a record in. What validators told is taken from themselves only, and all else only
/// from records made here.
pub(super) fn entry(
    state: &mut State,
    ledger: &Ledger,
    seq: Seq,
    entry: &Entry,
) -> Result<(), LedgerError> {
    if entry.netuid != state.netuid {
        return Ok(());
    }
    if let Record::Submission(submission) = &entry.record {
        let Some((validator, miner, word)) = report::word(submission) else {
            return Ok(());
        };
        let own = match &entry.provenance.reporter {
            Reporter::Hotkey { hotkey, .. } => *hotkey == validator,
            _ => true,
        };
        if own {
            told(state, entry, miner, validator, (&submission.id, word));
        }
        return Ok(());
    }
    if matches!(entry.provenance.reporter, Reporter::Hotkey { .. }) {
        return Ok(());
    }
    let Some(challenge) = state.challenges.get_mut(&entry.challenge) else {
        return Ok(());
    };
    let payload = &entry.provenance.payload;
    match &entry.record {
        Record::Submission(_) => {}
        Record::Run(run) => one_run(challenge, ledger, seq, run, payload)?,
        Record::Comparison(comparison) => compared(challenge, comparison, payload),
        Record::Score(score) => judged(challenge, seq, &entry.subject, score),
        Record::Finalization(closed) => finalized(challenge, closed),
    }
    Ok(())
}

/// A validator's word, within the limits of [`report::take`].
fn told(
    state: &mut State,
    entry: &Entry,
    miner: AccountId,
    validator: AccountId,
    (token, word): (&str, Word),
) {
    let challenge = &entry.challenge;
    let versions = state.history.versions(challenge, &miner);
    let version = versions.and_then(|versions| versions.get(token));
    if !version.is_some_and(|version| version.words.contains_key(&validator)) {
        let key = (challenge.clone(), miner, validator);
        let count = state.told.entry(key).or_default();
        if *count >= report::MAX_TOLD || token.len() > MAX_TOKEN {
            return;
        }
        *count += 1;
    }
    let history = &mut state.history;
    history.add(challenge, miner, token, validator, word);
}

fn text<'a>(details: &'a Value, name: &str) -> Option<&'a str> {
    details.get(name)?.as_str()
}

fn one_run(
    challenge: &mut ChallengeState,
    ledger: &Ledger,
    seq: Seq,
    run: &ChallengeRun,
    payload: &str,
) -> Result<(), LedgerError> {
    match run.id.split_once(':') {
        Some(("reveal", _)) => revealed(challenge, run),
        Some(("score", docker)) => {
            challenge.runs.insert(docker.to_owned(), payload.to_owned());
        }
        Some(("finalize", rest)) => {
            if let Some((period, _)) = rest.split_once(':') {
                *challenge.attempts.entry(period.to_owned()).or_default() += 1;
            }
        }
        Some(("import", hash)) => {
            let damaged = |what: String| LedgerError::Damaged { seq, what };
            let mut key = [0; 32];
            hex::decode_to_slice(hash, &mut key).map_err(|e| damaged(e.to_string()))?;
            let bytes = ledger.payload(&key)?;
            let bytes = bytes.ok_or_else(|| damaged("the text of a backup is missing".into()))?;
            let json = parse_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
            let read = backup::Manager::read(&crate::python::At::root(&json, "backup"));
            let manager = read.map_err(|e| damaged(e.to_string()))?;
            manager.apply(challenge, seq);
        }
        _ => {}
    }
    Ok(())
}

fn revealed(challenge: &mut ChallengeState, run: &ChallengeRun) {
    let (Some(token), Some(key)) = (text(&run.details, "token"), text(&run.details, "key")) else {
        return;
    };
    let opening = || -> Option<Opening> {
        Some(Opening {
            miner: text(&run.details, "miner")?.parse().ok()?,
            key: key.to_owned(),
            plain: plain(text(&run.details, "commit")?).ok()?,
        })
    };
    match opening() {
        Some(opening) if run.success == Some(true) => {
            challenge.opened.insert(token.to_owned(), opening);
            challenge.is_done = false;
        }
        _ => {
            let why = run.error.clone().unwrap_or_default();
            let tried = (token.to_owned(), disk_key(key));
            challenge.failed.insert(tried, why);
        }
    }
}

fn compared(challenge: &mut ChallengeState, comparison: &Comparison, payload: &str) {
    let details = &comparison.details;
    let numbers = details.get("similarities").and_then(Value::as_array);
    let numbers = numbers.map_or(&[][..], Vec::as_slice);
    let made = challenge.comparisons.entry(comparison.of.clone());
    made.or_default().push(Compared {
        with: comparison.with.clone(),
        docker: text(details, "reference").unwrap_or_default().to_owned(),
        counts: details.get("counts").and_then(Value::as_bool) == Some(true),
        similarities: numbers.iter().map(Value::as_f64).collect(),
        payload: payload.to_owned(),
    });
}

fn judged(challenge: &mut ChallengeState, seq: Seq, miner: &str, score: &Score) {
    let details = &score.details;
    let number = |name: &str| details.get(name).and_then(Value::as_u64);
    let uid = number("uid").and_then(|uid| u16::try_from(uid).ok());
    let (Ok(miner), Some(uid)) = (miner.parse::<AccountId>(), uid) else {
        return;
    };
    let flag = |name: &str| details.get(name).and_then(Value::as_bool) == Some(true);
    let float = |name: &str| details.get(name).and_then(Value::as_f64);
    let of = Judged {
        seq,
        miner,
        uid,
        docker: text(details, "docker").unwrap_or_default().to_owned(),
        timestamp: float("timestamp"),
        scored_ms: number("scored_ms").unwrap_or(0),
        score: score.score,
        penalty: float("penalty").unwrap_or(0.0),
        accepted: flag("accepted"),
        inputs: score.inputs.clone(),
        closed: false,
        told: None,
    };
    place(challenge, &score.of, of, flag("done"));
}

/// Puts a judged commit in its places.
pub(in crate::sn61) fn place(challenge: &mut ChallengeState, token: &str, of: Judged, done: bool) {
    if !challenge.judged.contains_key(token) {
        challenge.order.push(token.to_owned());
    }
    if done {
        challenge.done.insert(of.docker.clone());
    }
    if let Some(score) = of.score {
        if of.accepted {
            challenge.unique.insert(score, token, &of.docker);
        }
        let miner = challenge.miners.entry(of.uid).or_default();
        if miner.hotkey != of.miner {
            // Another hotkey has the uid: what was known is of its former holder.
            *miner = MinerState {
                hotkey: of.miner,
                ..MinerState::default()
            };
        }
        miner.latest = Some(token.to_owned());
        let current = miner.best.as_ref().map(|(t, s, _)| (t.as_str(), *s));
        let again = of.accepted && current.is_some_and(|(best, _)| best == token);
        match best(current, token, of.accepted, score) {
            Change::Clears => miner.best = None,
            // The best commit judged again has its new score, be it lower.
            Change::Stays if !again => {}
            Change::Stays | Change::Replaces => {
                miner.best = Some((token.to_owned(), score, of.scored_ms));
            }
        }
    }
    challenge.judged.insert(token.to_owned(), of);
}

fn finalized(challenge: &mut ChallengeState, closed: &Finalization) {
    challenge.days.insert(closed.period.clone());
    challenge.is_done = true;
    let rows = closed.details.get("rows").and_then(Value::as_array);
    for row in rows.into_iter().flatten() {
        let judged = text(row, "token").and_then(|token| challenge.judged.get_mut(token));
        if let Some(judged) = judged {
            judged.closed = true;
        }
    }
    for miner in challenge.miners.values_mut() {
        if let Some((_, score, _)) = miner.best {
            miner.daily.insert(closed.period.clone(), score);
        }
    }
}
