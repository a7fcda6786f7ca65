//! A rule as the chain goes on, and the board on which its alerts wait for hooks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::chain::{AskError, Chain, Position, ask, positions, stretch};
use crate::outbox::{Outbox, OutboxError, read, rule_name, write};
use crate::rule::{Alert, Event, From, On, Rule, RuleState};
use crate::worker::{Stop, now_ms};

/// Most alerts of a rule that wait; the rule stands still until some have been taken. Hooks give
/// up their oldest long before, so that only a disk or a hook that hangs comes this far.
const MAX_WAITING: usize = 10_000;
/// How often a place without an alert is kept.
const KEEP: Duration = Duration::from_secs(10);
/// How long a rule looks away when there is no new block.
const IDLE: Duration = Duration::from_millis(100);
/// How long it waits after trouble.
const TROUBLE: Duration = Duration::from_secs(2);

/// Where a rule stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// What the rule said when this was kept.
    pub digest: String,
    /// The next block to look at; `None` before the first.
    pub next: Option<u32>,
    /// Its subjects.
    pub state: RuleState,
    /// How many alerts it has told so far.
    pub seq: u64,
    /// Alerts that some hook has not got yet, with their numbers.
    pub waiting: VecDeque<(u64, Alert)>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(u64, Alert)>,
    seq: u64,
    /// Up to which number each hook has got them.
    acked: BTreeMap<String, u64>,
}

/// Alerts on their way from rules to hooks.
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<String, Queue>>);

impl Board {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts up what waits for a rule; before hooks join.
    pub fn load(&self, rule: &str, standing: &Standing) {
        let mut board = self.lock();
        let queue = board.entry(rule.to_owned()).or_default();
        queue.waiting = standing.waiting.clone();
        queue.seq = standing.seq;
    }

    /// A hook wants the alerts of a rule, behind the number that it got; a new one those to come.
    /// Returns the number behind which it gets them.
    pub fn join(&self, rule: &str, hook: &str, acked: Option<u64>) -> u64 {
        let mut board = self.lock();
        let queue = board.entry(rule.to_owned()).or_default();
        // A number beyond the last is of a life that was forgotten.
        let acked = acked
            .filter(|acked| *acked <= queue.seq)
            .unwrap_or(queue.seq);
        queue.acked.insert(hook.to_owned(), acked);
        acked
    }

    /// The next alert that a hook has not got.
    pub fn next(&self, rule: &str, hook: &str) -> Option<(u64, Alert)> {
        let board = self.lock();
        let queue = board.get(rule)?;
        let acked = *queue.acked.get(hook)?;
        queue.waiting.iter().find(|(seq, _)| *seq > acked).cloned()
    }

    /// How many alerts of a rule wait for a hook.
    pub fn behind(&self, rule: &str, hook: &str) -> usize {
        let board = self.lock();
        let Some(queue) = board.get(rule) else {
            return 0;
        };
        let Some(acked) = queue.acked.get(hook) else {
            return 0;
        };
        // They are in order.
        let got = queue.waiting.partition_point(|(seq, _)| seq <= acked);
        queue.waiting.len().saturating_sub(got)
    }

    /// A hook has got the alerts up to a number.
    pub fn acked(&self, rule: &str, hook: &str, seq: u64) {
        let mut board = self.lock();
        let Some(queue) = board.get_mut(rule) else {
            return;
        };
        if let Some(acked) = queue.acked.get_mut(hook) {
            *acked = seq.max(*acked);
        }
        queue.trim();
    }

    pub(crate) fn put(&self, rule: &str, alerts: Vec<(u64, Alert)>) {
        let mut board = self.lock();
        let queue = board.entry(rule.to_owned()).or_default();
        for (seq, alert) in alerts {
            queue.seq = queue.seq.max(seq);
            queue.waiting.push_back((seq, alert));
        }
        queue.trim();
    }

    /// What some hook has not got yet.
    fn waiting(&self, rule: &str) -> VecDeque<(u64, Alert)> {
        let board = self.lock();
        board
            .get(rule)
            .map(|queue| queue.waiting.clone())
            .unwrap_or_default()
    }

    fn full(&self, rule: &str) -> bool {
        let board = self.lock();
        board
            .get(rule)
            .is_some_and(|queue| queue.waiting.len() >= MAX_WAITING)
    }
}

impl Queue {
    fn trim(&mut self) {
        // Without hooks nobody waits.
        let done = self.acked.values().min().copied().unwrap_or(u64::MAX);
        while self.waiting.front().is_some_and(|(seq, _)| *seq <= done) {
            self.waiting.pop_front();
        }
    }
}

fn without_alerts(standing: &Standing) -> Standing {
    Standing {
        digest: standing.digest.clone(),
        next: standing.next,
        state: standing.state.clone(),
        seq: standing.seq,
        waiting: VecDeque::new(),
    }
}

/// A rule at work.
pub struct Engine {
    rule: Rule,
    chain: Arc<dyn Chain>,
    outbox: Arc<dyn Outbox>,
    board: Arc<Board>,
    standing: Standing,
    /// The standing on the disk, but for the alerts that wait: those are on the board.
    last_kept: Standing,
    stop: Stop,
    kept: Instant,
    dirty: bool,
    asked_ms: u64,
}

/// Why a rule stands still.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The store.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The disk.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl Engine {
    /// Takes up where it was; a rule that says something else now begins anew where it stands.
    ///
    /// # Errors
    /// When what was kept cannot be read.
    pub fn new(
        rule: Rule,
        chain: Arc<dyn Chain>,
        outbox: Arc<dyn Outbox>,
        board: Arc<Board>,
        stop: Stop,
    ) -> Result<Engine, OutboxError> {
        let mut standing: Standing = read(&*outbox, &rule_name(&rule.name))?.unwrap_or_default();
        if standing.digest != rule.digest() {
            if !standing.digest.is_empty() {
                tracing::info!(
                    rule = rule.name,
                    "the rule was changed; what it remembered is dropped"
                );
            }
            standing.state = RuleState::default();
            standing.digest = rule.digest().to_owned();
        }
        board.load(&rule.name, &standing);
        write(&*outbox, &rule_name(&rule.name), &standing)?;
        Ok(Engine {
            last_kept: without_alerts(&standing),
            rule,
            chain,
            outbox,
            board,
            standing,
            stop,
            kept: Instant::now(),
            dirty: false,
            asked_ms: 0,
        })
    }

    /// Works until it is told to stop. Trouble is told and tried again.
    pub fn run(&mut self) {
        while !self.stop.told() {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => self.stop.nap(IDLE),
                Err(error) => {
                    tracing::warn!(rule = self.rule.name, "the rule waits: {error}");
                    self.stop.nap(TROUBLE);
                    self.go_back();
                }
            }
        }
        if self.dirty
            && let Err(error) = self.keep()
        {
            tracing::error!(rule = self.rule.name, "{error}");
        }
    }

    /// One stretch of blocks; whether there was something to do.
    ///
    /// # Errors
    /// When the store or the disk fails; nothing is lost.
    pub fn turn(&mut self) -> Result<bool, EngineError> {
        if self.board.full(&self.rule.name) {
            return Ok(false);
        }
        let spans = self.chain.spans()?;
        if self.rule.on == On::Time {
            return self.by_time(&spans);
        }
        let next = match self.standing.next {
            Some(next) => next,
            None => self.begin(&spans)?,
        };
        let Some((from, to)) = stretch(&spans, next, u32::MAX) else {
            return Ok(false);
        };
        let found = positions(&*self.chain, &self.rule, from, to)?;
        for (block, positions) in found {
            // Between two blocks everything up to here is kept.
            if self.stop.told() {
                return Ok(true);
            }
            let mut told = Vec::new();
            for position in positions {
                let Some(alerts) = self.look(&position) else {
                    return Ok(self.cut_off());
                };
                told.extend(alerts);
            }
            // The next block, its subjects and its alerts are kept together.
            self.standing.next = block.checked_add(1);
            self.put(told)?;
        }
        self.standing.next = to.checked_add(1);
        self.dirty = true;
        if self.kept.elapsed() >= KEEP {
            self.keep()?;
        }
        metrics::gauge!("alerts_rule_block", "rule" => self.rule.name.clone()).set(f64::from(to));
        Ok(true)
    }

    /// Where a new rule begins; kept at once, so that a crash does not move it.
    fn begin(&mut self, spans: &[(u32, u32)]) -> Result<u32, EngineError> {
        let next = match self.rule.from {
            From::First => spans.first().map_or(0, |span| span.0),
            From::Block(block) => block,
            From::Tip => spans.last().map_or(0, |span| span.1.saturating_add(1)),
        };
        self.standing.next = Some(next);
        self.keep()?;
        Ok(next)
    }

    fn by_time(&mut self, spans: &[(u32, u32)]) -> Result<bool, EngineError> {
        let now = now_ms();
        let every = u64::from(self.rule.every).saturating_mul(1_000);
        let Some((_, tip)) = spans.last() else {
            return Ok(false);
        };
        if now.saturating_sub(self.asked_ms) < every {
            return Ok(false);
        }
        self.asked_ms = now;
        let netuids = match &self.rule.netuids {
            None => vec![None],
            Some(netuids) => netuids.iter().map(|netuid| Some(*netuid)).collect(),
        };
        let mut told = Vec::new();
        for netuid in netuids {
            let position = Position {
                block: *tip,
                netuid,
                at_ms: Some(now),
            };
            let Some(alerts) = self.look(&position) else {
                return Ok(self.cut_off());
            };
            told.extend(alerts);
        }
        self.put(told)?;
        Ok(true)
    }

    /// What there is to tell at a position; `None` when the stop was told before that was known.
    fn look(&mut self, position: &Position) -> Option<Vec<Alert>> {
        let answer = ask(&*self.chain, &self.rule, position, &self.stop)?;
        let answer = answer.as_ref().map_err(String::as_str);
        Some(
            self.rule
                .evaluate(&mut self.standing.state, position, answer),
        )
    }

    /// The stop came in the middle of a block: what was looked at of it is forgotten.
    fn cut_off(&mut self) -> bool {
        self.go_back();
        true
    }

    /// Back to what was kept: whatever was looked at since told nothing, or is told again. Nothing
    /// is read, since the disk may be what is broken.
    fn go_back(&mut self) {
        self.standing = self.last_kept.clone();
        self.dirty = false;
    }

    /// First on the disk, then to the hooks.
    fn put(&mut self, alerts: Vec<Alert>) -> Result<(), OutboxError> {
        self.dirty = true;
        if alerts.is_empty() {
            return Ok(());
        }
        let mut numbered = Vec::new();
        for alert in alerts {
            self.standing.seq += 1;
            let rule = self.rule.name.clone();
            match alert.event {
                Event::Fired => {
                    metrics::counter!("alerts_rules_fired_total", "rule" => rule).increment(1)
                }
                Event::Unknown => {
                    metrics::counter!("alerts_rules_unknown_total", "rule" => rule).increment(1)
                }
                Event::Cleared | Event::Repeated => {}
            }
            tracing::info!(
                rule = self.rule.name,
                event = alert.event.name(),
                block = alert.block,
                netuid = alert.netuid,
                subject = alert.subject,
                reason = alert.reason,
                "{}",
                alert.message
            );
            numbered.push((self.standing.seq, alert));
        }
        self.standing.waiting = self.board.waiting(&self.rule.name);
        self.standing.waiting.extend(numbered.iter().cloned());
        self.write()?;
        self.board.put(&self.rule.name, numbered);
        Ok(())
    }

    fn keep(&mut self) -> Result<(), OutboxError> {
        self.standing.waiting = self.board.waiting(&self.rule.name);
        self.write()
    }

    fn write(&mut self) -> Result<(), OutboxError> {
        write(&*self.outbox, &rule_name(&self.rule.name), &self.standing)?;
        self.last_kept = without_alerts(&self.standing);
        self.kept = Instant::now();
        self.dirty = false;
        Ok(())
    }

    /// Where it stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }
}

#[cfg(test)]
mod tests;
