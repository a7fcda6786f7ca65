//! When a rule would have spoken: the same walk and the same state as when it runs, over stored
//! blocks.

use serde::Serialize;

use crate::chain::{AskError, Chain, ask, positions, stretch};
use crate::rule::{Alert, Event, On, Rule, RuleState};
use crate::worker::Stop;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Name of the rule.
    pub rule: String,
    /// First block that was looked at; null when none was.
    pub from: Option<u32>,
    /// Last block that was looked at; null when none was.
    pub to: Option<u32>,
    /// How many times it was asked.
    pub asked: u64,
    /// How often it would have fired.
    pub fired: u64,
    /// How often it would have cleared.
    pub cleared: u64,
    /// How often it would have said that it cannot tell.
    pub unknown: u64,
    /// Subjects for which it holds at the end.
    pub holding: u64,
}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BacktestError {
    /// The rule has no history.
    #[error(
        "rule {0} is asked by time: its answers are of the moment, so there is no history to test it on"
    )]
    NoHistory(String),
    /// The range ends before it begins.
    #[error("the range {from} to {to} ends before it begins; swap the two")]
    Range {
        /// First block.
        from: u32,
        /// Last block.
        to: u32,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Walks a rule over the stored blocks from `from` to `to`, and hands over each alert as it comes.
///
/// # Errors
/// [`BacktestError`]. A question without an answer is no error here: it is an `unknown` of the rule.
pub fn run(
    chain: &dyn Chain,
    rule: &Rule,
    from: u32,
    to: u32,
    mut told: impl FnMut(Alert),
) -> Result<Outcome, BacktestError> {
    if rule.on == On::Time {
        return Err(BacktestError::NoHistory(rule.name.clone()));
    }
    if to < from {
        return Err(BacktestError::Range { from, to });
    }
    let mut outcome = Outcome {
        rule: rule.name.clone(),
        from: None,
        to: None,
        asked: 0,
        fired: 0,
        cleared: 0,
        unknown: 0,
        holding: 0,
    };
    let spans = chain.spans()?;
    let mut state = RuleState::default();
    let mut next = Some(from);
    while let Some((first, last)) = next.and_then(|next| stretch(&spans, next, to)) {
        outcome.from.get_or_insert(first);
        outcome.to = Some(last);
        for block in positions(chain, rule, first, last)?.values() {
            for position in block {
                outcome.asked += 1;
                // Nobody tells this stop.
                let Some(answer) = ask(chain, rule, position, &Stop::default()) else {
                    continue;
                };
                let answer = answer.as_ref().map_err(String::as_str);
                for alert in rule.evaluate(&mut state, position, answer) {
                    match alert.event {
                        Event::Fired => outcome.fired += 1,
                        Event::Cleared => outcome.cleared += 1,
                        Event::Unknown => outcome.unknown += 1,
                        Event::Repeated => {}
                    }
                    told(alert);
                }
            }
        }
        next = last.checked_add(1);
    }
    let holding = state.subjects.values().filter(|s| s.since.is_some());
    outcome.holding = u64::try_from(holding.count()).unwrap_or(u64::MAX);
    Ok(outcome)
}
