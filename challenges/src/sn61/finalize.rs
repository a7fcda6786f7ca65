//! Closing a day.
//!
//! From the configured hour (UTC) on every challenge with revealed commits is closed once a day: commits scored since
//! the last closing are compared with each other, judged again, and written down together as the
//! [`Finalization`] of challenge and date, which exists once however often [`run`] is called. Every
//! comparison, every score and the closing itself is one append; a run that was cut off goes on
//! where it ended.
//!
//! A comparison that gets no answer fails the attempt: it is recorded, and the next call tries
//! again. After [`super::config::Config::max_attempts`] failed attempts of a day such comparisons count as
//! failed (similarity 0 and the error), and the day is closed.

use serde_json::json;

use super::config::Challenge;
use super::cycle::{self, Context, Pair};
use super::select::{Candidate, Revealed};
use super::state::{self, ChallengeState, Judged, State, try_id};
use crate::date::day_of;
use crate::ledger::{Ledger, LedgerError};
use crate::profiles::inputs_hash;
use crate::record::{ChallengeRun, Finalization, Record};

/// What became of one challenge's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is closed now.
    Closed {
        /// How many commits it has.
        commits: usize,
    },
    /// It was closed before.
    Already,
    /// Nothing was revealed since the last closing: the day is left open, and closed
    /// when something is.
    Nothing,
    /// Revealed commits were not judged yet: a pass must run first.
    Waiting {
        /// How many.
        unscored: usize,
    },
    /// A service gave no answer; call again.
    Failed {
        /// Which attempt of the day this was, from 1 on.
        attempt: u32,
        /// Why.
        why: String,
    },
}

/// The date (UTC) that can be closed at a time, as `YYYY-MM-DD`; `None` before the hour.
///
/// ```
/// use challenges::sn61::finalize::due;
/// assert_eq!(due(14, 1_700_000_000_000).as_deref(), Some("2023-11-14"));
/// assert_eq!(due(23, 1_700_000_000_000), None);
/// ```
pub fn due(hour: u8, now_ms: u64) -> Option<String> {
    let hours = now_ms / 3_600_000 % 24;
    let micros = i64::try_from(now_ms).ok()?.checked_mul(1000)?;
    (hours >= u64::from(hour)).then(|| day_of(micros))
}

/// Closes the day of every active challenge for which it is due; nothing before the hour. The
/// outcomes are by challenge, in the order of the configuration.
///
/// Must not run at the same time as a pass or another closing of the same ledger.
///
/// # Errors
///
/// When the ledger cannot be read or written; call again.
pub fn run(
    ledger: &Ledger,
    state: &mut State,
    context: Context<'_>,
) -> Result<Vec<(String, Outcome)>, LedgerError> {
    state.catch_up(ledger)?;
    let Some(period) = due(context.config.scoring_hour, context.now_ms) else {
        return Ok(Vec::new());
    };
    let mut outcomes = Vec::new();
    for challenge in &context.config.challenges {
        let outcome = close(ledger, state, context, challenge, &period)?;
        outcomes.push((challenge.name.clone(), outcome));
    }
    Ok(outcomes)
}

/// A commit of the day.
struct Member {
    token: String,
    judged: Judged,
}

/// Commits judged since the last closing, by uid; of one uid the older first.
fn members(known: &ChallengeState, by_time: bool) -> Vec<Member> {
    let open = known.judged.iter().filter(|(_, judged)| !judged.closed);
    let mut members: Vec<Member> = open
        .map(|(token, judged)| Member {
            token: token.clone(),
            judged: judged.clone(),
        })
        .collect();
    let time = |member: &Member| member.judged.timestamp.unwrap_or(f64::INFINITY);
    members.sort_by(|a, b| {
        let uids = a.judged.uid.cmp(&b.judged.uid);
        let times = time(a).total_cmp(&time(b));
        let order = if by_time {
            times.then(uids)
        } else {
            uids.then(times)
        };
        order.then_with(|| a.token.cmp(&b.token))
    });
    members
}

fn close(
    ledger: &Ledger,
    state: &mut State,
    context: Context<'_>,
    challenge: &Challenge,
    period: &str,
) -> Result<Outcome, LedgerError> {
    let name = &challenge.name;
    let (picked, _) = cycle::picks(state, context);
    let Some(known) = state.challenges.get(name) else {
        return Ok(Outcome::Already);
    };
    if known.days.contains(period) {
        return Ok(Outcome::Already);
    }
    let waits = |one: &&Revealed| {
        one.candidate.challenge == *name && !known.judged.contains_key(&one.candidate.token)
    };
    let unscored = picked.iter().filter(waits).count();
    if unscored > 0 {
        return Ok(Outcome::Waiting { unscored });
    }
    let attempts = known.attempts.get(period).copied().unwrap_or(0);
    // In 2025 a commit was compared with those of smaller uids, since then with older ones.
    let members = members(known, context.config.rules.all_accepted);
    // Something was opened since the last closing unless that closing is what was told last.
    let opened = !known.is_done && !known.opened.is_empty();
    if members.is_empty() && !opened {
        return Ok(Outcome::Nothing);
    }
    for (at, member) in members.iter().enumerate() {
        let before = members.get(..at).unwrap_or_default();
        for other in before.iter().filter(|o| o.judged.uid != member.judged.uid) {
            let why = compare(ledger, state, context, challenge, (member, other), attempts)?;
            if let Some(why) = why {
                let attempt = attempts.saturating_add(1);
                failed(ledger, context, name, period, attempt, &why)?;
                state.catch_up(ledger)?;
                return Ok(Outcome::Failed { attempt, why });
            }
        }
    }
    for member in &members {
        again(ledger, state, context, challenge, member)?;
    }
    let commits = seal(ledger, state, context, challenge, period)?;
    Ok(Outcome::Closed { commits })
}

/// Compares two commits of the day unless they were; tells why it has to be tried again.
fn compare(
    ledger: &Ledger,
    state: &mut State,
    context: Context<'_>,
    challenge: &Challenge,
    (member, other): (&Member, &Member),
    attempts: u32,
) -> Result<Option<String>, LedgerError> {
    let pair = cycle_pair(state, challenge, member, other);
    let (Some(pair), Some(known)) = (pair, state.challenges.get(&challenge.name)) else {
        return Ok(None);
    };
    let Some(payload) = known.runs.get(&member.judged.docker) else {
        return Ok(None);
    };
    let own = state::logs(ledger, payload)?;
    let Some(compared) = cycle::compare_with(ledger, context, challenge, &pair, &own)? else {
        return Ok(None);
    };
    if let Some(why) = &compared.failed
        && attempts < context.config.max_attempts
    {
        return Ok(Some(why.clone()));
    }
    let step = cycle::writer(ledger, context, &challenge.name, member.judged.miner);
    cycle::record_comparison(&step, &pair, compared.clamped(), "finalize")?;
    state.catch_up(ledger)?;
    Ok(None)
}

fn cycle_pair(
    state: &State,
    challenge: &Challenge,
    member: &Member,
    other: &Member,
) -> Option<Pair> {
    let pair = cycle::pair_of(
        state,
        &challenge.name,
        &member.token,
        &other.token,
        &other.judged,
    )?;
    Some(Pair {
        own: other.judged.miner == member.judged.miner,
        equal_inputs: true,
        ..pair
    })
}

/// Judges a commit again with what the day's comparisons gave.
fn again(
    ledger: &Ledger,
    state: &mut State,
    context: Context<'_>,
    challenge: &Challenge,
    member: &Member,
) -> Result<(), LedgerError> {
    let known = state.challenges.get(&challenge.name);
    let payload = known.and_then(|known| known.runs.get(&member.judged.docker));
    let Some(payload) = payload else {
        return Ok(());
    };
    let logs = state::logs(ledger, payload)?;
    let judged = &member.judged;
    let one = Revealed {
        candidate: Candidate {
            challenge: challenge.name.clone(),
            miner: judged.miner,
            uid: judged.uid,
            token: member.token.clone(),
            timestamp: judged.timestamp,
        },
        docker: judged.docker.clone(),
    };
    let step = cycle::writer(ledger, context, &challenge.name, judged.miner);
    if cycle::judge_commit(&step, state, context, challenge, &one, &logs, "finalize")? {
        state.catch_up(ledger)?;
    }
    Ok(())
}

fn failed(
    ledger: &Ledger,
    context: Context<'_>,
    challenge: &str,
    period: &str,
    attempt: u32,
    why: &str,
) -> Result<(), LedgerError> {
    let record = Record::Run(ChallengeRun {
        id: try_id(period, attempt),
        started_ms: context.now_ms,
        ended_ms: Some(context.now_ms),
        success: Some(false),
        error: Some(why.to_owned()),
        details: json!({ "period": period, "attempt": attempt }),
    });
    let nobody = chain_metadata::AccountId::default();
    let step = cycle::writer(ledger, context, challenge, nobody).whole();
    step.append(record, None)
}

/// Writes the closing down; tells how many commits it has.
fn seal(
    ledger: &Ledger,
    state: &mut State,
    context: Context<'_>,
    challenge: &Challenge,
    period: &str,
) -> Result<usize, LedgerError> {
    let Some(known) = state.challenges.get(&challenge.name) else {
        return Ok(0);
    };
    let members = members(known, context.config.rules.all_accepted);
    let rows: Vec<serde_json::Value> = members
        .iter()
        .map(|Member { token, judged }| {
            json!({
                "token": token,
                "hotkey": judged.miner,
                "uid": judged.uid,
                "docker_hub_id": judged.docker,
                "score": judged.score,
                "penalty": judged.penalty,
                "accepted": judged.accepted,
                "inputs": judged.inputs,
            })
        })
        .collect();
    let vector = known.vector(context.config, context.miners, context.now_ms);
    let shares: serde_json::Map<String, serde_json::Value> = context
        .miners
        .neurons()
        .iter()
        .zip(vector)
        .filter(|(_, share)| *share != 0.0)
        .map(|(neuron, share)| (neuron.hotkey.to_string(), share.into()))
        .collect();
    let inputs = inputs_hash(&json!({ "period": period, "rows": rows }));
    let step = cycle::writer(
        ledger,
        context,
        &challenge.name,
        chain_metadata::AccountId::default(),
    );
    step.whole().append(
        Record::Finalization(Finalization {
            period: period.to_owned(),
            profile: context.config.rules.name.to_owned(),
            inputs,
            details: json!({ "rows": rows, "shares": shares }),
        }),
        None,
    )?;
    state.catch_up(ledger)?;
    Ok(members.len())
}
