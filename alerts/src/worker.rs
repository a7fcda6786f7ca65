//! One hook at work: it takes messages from its lanes, delivers them one after the other, and
//! keeps where it stands.
//!
//! A lane is a stream with its filter, or a rule. Within a lane messages go in order; a message
//! that fails holds up the hook until it has arrived or was given up. What was sent right before
//! a crash may be sent once more, with the same key. A hook that has got far behind a rule gives
//! up its oldest alerts, so that the rule and its other hooks can go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::deliver::{Failed, Post, wait};
use crate::engine::Board;
use crate::hook::{Hook, Wanted};
use crate::outbox::{
    Dead, HookState, Outbox, OutboxError, Pending, dead_name, hook_name, read, write,
};
use crate::rule::Alert;
use crate::sign;

mod again;

/// What a lane gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Something to be delivered.
    Item {
        /// The place behind it.
        cursor: String,
        /// Height of its block; `None` where it is of none.
        block: Option<u32>,
        /// `item` or `lagged`.
        kind: &'static str,
        /// What it is.
        data: Value,
    },
    /// Nothing new up to here.
    Place {
        /// The place.
        cursor: String,
        /// Height of the last block up to it.
        block: Option<u32>,
    },
}

/// A stream that is being followed.
pub trait Lane: Send {
    /// The next message if there is one now; does not wait.
    ///
    /// # Errors
    /// When the stream has ended, with the reason, which is empty when that is as it should be; it
    /// is followed anew.
    fn take(&mut self) -> Result<Option<Message>, String>;
}

/// The streams that can be followed.
pub trait Streams: Send + Sync {
    /// Whether there is such a stream with such a filter.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    fn check(&self, wanted: &Wanted) -> Result<(), String>;

    /// Height of the highest stored block; `None` while there is none.
    fn tip(&self) -> Option<u32>;

    /// Follows a stream behind a cursor; `first` is before everything, `None` from now on.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    fn follow(&self, wanted: &Wanted, after: Option<&str>) -> Result<Box<dyn Lane>, String>;
}

/// Tells threads to end.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Tells it.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was told.
    pub fn told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps, but not beyond the stop.
    pub fn nap(&self, mut time: Duration) {
        while !time.is_zero() && !self.told() {
            let part = time.min(Duration::from_millis(100));
            std::thread::sleep(part);
            time -= part;
        }
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// How long a hook looks away when there is nothing.
const IDLE: Duration = Duration::from_millis(25);
/// How often it looks for messages that are to be tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a place without a message is kept.
const KEEP: Duration = Duration::from_secs(10);
/// How often the place behind messages that arrived is kept. A crash repeats those of this time.
const KEEP_ARRIVED: Duration = Duration::from_millis(250);
/// Most alerts of a rule that wait for one hook; beyond that its oldest are given up.
const MAX_BEHIND: usize = 2_000;
/// How many are given up between two attempts.
const SHED: usize = 64;
/// How long it waits before it follows a stream anew.
const ANEW: Duration = Duration::from_secs(1);

/// What is behind a hook.
pub struct Around {
    /// Keeps what must survive.
    pub outbox: Arc<dyn Outbox>,
    /// Streams.
    pub streams: Arc<dyn Streams>,
    /// Alerts of rules.
    pub board: Arc<Board>,
    /// Sends.
    pub post: Box<dyn Post>,
    /// Tells when to end.
    pub stop: Stop,
}

/// A hook at work.
pub struct Worker {
    hook: Hook,
    around: Around,
    state: HookState,
    open: BTreeMap<String, Box<dyn Lane>>,
    dirty: bool,
    /// Whether something arrived that is not kept yet.
    arrived: bool,
    kept_ms: u64,
    looked_ms: u64,
    anew_ms: BTreeMap<String, u64>,
    /// What was tried again and could not be put where it belongs yet.
    tried: again::Tried,
}

/// The lane of a rule.
pub(crate) fn rule_lane(rule: &str) -> String {
    format!("alert:{rule}")
}

impl Worker {
    /// Takes up where it was.
    ///
    /// # Errors
    /// When what was kept cannot be read.
    pub fn new(hook: Hook, around: Around) -> Result<Worker, OutboxError> {
        let name = hook_name(&hook.name);
        let mut state: HookState = read(&*around.outbox, &name)?.unwrap_or_default();
        for rule in &hook.alerts {
            let lane = rule_lane(rule);
            let acked = state.lanes.get(&lane).and_then(|text| text.parse().ok());
            let acked = around.board.join(rule, &hook.name, acked);
            state.lanes.insert(lane, acked.to_string());
        }
        // Where it joined must not be lost.
        write(&*around.outbox, &name, &state)?;
        Ok(Worker {
            hook,
            around,
            state,
            open: BTreeMap::new(),
            dirty: false,
            arrived: false,
            kept_ms: 0,
            looked_ms: 0,
            anew_ms: BTreeMap::new(),
            tried: again::Tried::default(),
        })
    }

    /// Works until it is told to stop. Trouble with the disk is told and tried again.
    pub fn run(&mut self) {
        while !self.around.stop.told() {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => self.around.stop.nap(IDLE),
                Err(error) => {
                    tracing::error!(hook = self.hook.name, "the hook waits: {error}");
                    self.around.stop.nap(Duration::from_secs(5));
                }
            }
        }
        if self.dirty
            && let Err(error) = self.keep()
        {
            tracing::error!(hook = self.hook.name, "{error}");
        }
    }

    /// One look at everything; whether there was something to do.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn turn(&mut self) -> Result<bool, OutboxError> {
        self.shed()?;
        if let Some(pending) = self.state.pending.clone() {
            return self.attempt(pending);
        }
        let now = now_ms();
        if now.saturating_sub(self.looked_ms) >= millis(AGAIN) {
            self.looked_ms = now;
            self.take_again();
        }
        let since = now.saturating_sub(self.kept_ms);
        let due = if self.arrived { KEEP_ARRIVED } else { KEEP };
        if self.dirty && since >= millis(due) {
            self.keep()?;
        }
        let mut busy = false;
        for wanted in self.hook.topics.clone() {
            busy |= self.stream(&wanted)?;
            if self.state.pending.is_some() || self.around.stop.told() {
                return Ok(true);
            }
        }
        for rule in self.hook.alerts.clone() {
            busy |= self.rule(&rule)?;
            if self.state.pending.is_some() || self.around.stop.told() {
                return Ok(true);
            }
        }
        Ok(busy)
    }

    fn keep(&mut self) -> Result<(), OutboxError> {
        write(
            &*self.around.outbox,
            &hook_name(&self.hook.name),
            &self.state,
        )?;
        (self.dirty, self.arrived) = (false, false);
        self.kept_ms = now_ms();
        Ok(())
    }

    /// The next message of a stream.
    fn stream(&mut self, wanted: &Wanted) -> Result<bool, OutboxError> {
        let lane = wanted.lane();
        let taken = match self.lane(wanted, &lane) {
            Ok(Some(open)) => open.take(),
            Ok(None) => return Ok(false),
            Err(why) => Err(why),
        };
        match taken {
            Ok(None) => Ok(false),
            Ok(Some(Message::Place { cursor, block })) => {
                self.tell_lag(block);
                let first = self.state.lanes.insert(lane, cursor).is_none();
                self.dirty = true;
                // Where a new hook begins must not be lost.
                if first {
                    self.keep()?;
                }
                Ok(true)
            }
            Ok(Some(Message::Item {
                cursor,
                block,
                kind,
                data,
            })) => {
                self.tell_lag(block);
                let mut body = self.envelope(&lane, &cursor, &wanted.topic);
                body.insert("kind".into(), kind.into());
                body.insert("data".into(), data);
                let pending =
                    self.message(lane, cursor.clone(), cursor, wanted.topic.clone(), body);
                self.send(pending)?;
                Ok(true)
            }
            Err(why) => {
                if !why.is_empty() {
                    tracing::warn!(
                        hook = self.hook.name,
                        lane,
                        "the stream is followed anew: {why}"
                    );
                }
                self.open.remove(&lane);
                self.anew_ms
                    .insert(lane, now_ms().saturating_add(millis(ANEW)));
                Ok(false)
            }
        }
    }

    /// How many blocks this hook is behind the store.
    fn tell_lag(&self, block: Option<u32>) {
        if let (Some(block), Some(tip)) = (block, self.around.streams.tip()) {
            let lag = f64::from(tip.saturating_sub(block));
            metrics::gauge!("alerts_hook_lag_blocks", "hook" => self.hook.name.clone()).set(lag);
        }
    }

    fn lane(&mut self, wanted: &Wanted, lane: &str) -> Result<Option<&mut Box<dyn Lane>>, String> {
        if !self.open.contains_key(lane) {
            if self.anew_ms.get(lane).is_some_and(|at| now_ms() < *at) {
                return Ok(None);
            }
            let kept = self.state.lanes.get(lane).map(String::as_str);
            let after = kept.or(self.hook.from_first.then_some("first"));
            let open = self.around.streams.follow(wanted, after)?;
            self.open.insert(lane.to_owned(), open);
        }
        Ok(self.open.get_mut(lane))
    }

    /// The next alert of a rule.
    fn rule(&mut self, rule: &str) -> Result<bool, OutboxError> {
        let Some((seq, alert)) = self.around.board.next(rule, &self.hook.name) else {
            return Ok(false);
        };
        let pending = self.alert(rule, seq, &alert);
        self.send(pending)?;
        Ok(true)
    }

    /// An alert as a message.
    fn alert(&self, rule: &str, seq: u64, alert: &Alert) -> Pending {
        let lane = rule_lane(rule);
        let cursor = alert.cursor();
        let mut body = self.envelope(&lane, &cursor, "alert");
        body.insert("kind".into(), alert.event.name().into());
        body.insert("data".into(), json!(alert));
        self.message(lane, cursor, seq.to_string(), "alert".into(), body)
    }

    /// Gives up the oldest alerts of rules that this hook is too far behind of. A rule keeps what
    /// some hook has not got, so that one dead receiver would stop it for all.
    fn shed(&mut self) -> Result<(), OutboxError> {
        let mut is_shed = false;
        for rule in self.hook.alerts.clone() {
            for _ in 0..SHED {
                let behind = self.around.board.behind(&rule, &self.hook.name);
                if behind <= MAX_BEHIND || self.around.stop.told() {
                    break;
                }
                let Some((seq, alert)) = self.around.board.next(&rule, &self.hook.name) else {
                    break;
                };
                let fresh = self.alert(&rule, seq, &alert);
                // The oldest may be the one that is being tried; then so much is known of it.
                let is_tried = |pending: &Pending| pending.key == fresh.key;
                let oldest = self.state.pending.clone().filter(is_tried);
                let is_pending = oldest.is_some();
                let reason = format!(
                    "{behind} alerts of rule {rule} wait for this hook, at most {MAX_BEHIND} may; the oldest give way"
                );
                self.bury(oldest.as_ref().unwrap_or(&fresh), reason)?;
                if is_pending {
                    self.state.pending = None;
                }
                self.arrived(&fresh)?;
                is_shed = true;
            }
        }
        match is_shed {
            true => self.keep(),
            false => Ok(()),
        }
    }

    /// What every message says of itself.
    fn envelope(&self, lane: &str, cursor: &str, event: &str) -> serde_json::Map<String, Value> {
        let mut body = serde_json::Map::new();
        body.insert("id".into(), sign::key(&self.hook.name, lane, cursor).into());
        body.insert("hook".into(), self.hook.name.clone().into());
        body.insert("type".into(), event.into());
        body.insert("cursor".into(), cursor.into());
        body
    }

    fn message(
        &self,
        lane: String,
        named: String,
        place: String,
        event: String,
        body: serde_json::Map<String, Value>,
    ) -> Pending {
        Pending {
            key: sign::key(&self.hook.name, &lane, &named),
            lane,
            cursor: place,
            event,
            body: Value::Object(body).to_string(),
            attempts: 0,
            next_ms: 0,
            why: None,
        }
    }

    /// Tries a message that was just taken. It is the pending one before anything can fail: its
    /// lane will not give it again.
    fn send(&mut self, pending: Pending) -> Result<(), OutboxError> {
        self.state.pending = Some(pending.clone());
        self.attempt(pending).map(drop)
    }

    /// Tries a message when its time has come.
    fn attempt(&mut self, mut pending: Pending) -> Result<bool, OutboxError> {
        let (size, most) = (pending.body.len(), self.hook.max_body);
        if size > most {
            let reason = format!(
                "the message has {size} bytes, at most {most} are sent; raise max_body_kib"
            );
            return self.give_up(pending, reason).map(|()| true);
        }
        // Left over when it could not be put aside at its last attempt.
        if pending.attempts >= self.hook.max_attempts {
            return self.give_up_tried(pending).map(|()| true);
        }
        if now_ms() < pending.next_ms {
            return Ok(false);
        }
        match self.once(&pending) {
            Ok(()) => {
                self.state.pending = None;
                self.arrived(&pending)?;
            }
            Err(failed) => {
                pending.attempts = pending.attempts.saturating_add(1);
                if pending.attempts >= self.hook.max_attempts {
                    pending.why = Some(failed.why);
                    self.state.pending = Some(pending.clone());
                    self.dirty = true;
                    self.give_up_tried(pending)?;
                    return Ok(true);
                }
                self.postpone(&mut pending, failed);
                self.state.pending = Some(pending);
                self.keep()?;
            }
        }
        Ok(true)
    }

    fn give_up_tried(&mut self, pending: Pending) -> Result<(), OutboxError> {
        let reason = format!(
            "{} attempts failed; at the last one {}",
            pending.attempts,
            pending.why.as_deref().unwrap_or("nobody said why")
        );
        self.give_up(pending, reason)
    }

    fn once(&self, pending: &Pending) -> Result<(), Failed> {
        let started = std::time::Instant::now();
        let sent = self.around.post.post(pending, now_ms() / 1_000);
        let hook = self.hook.name.clone();
        let outcome = sent
            .as_ref()
            .map_or_else(|failed| failed.kind, |()| "delivered");
        metrics::counter!("alerts_deliveries_total", "hook" => hook.clone(), "outcome" => outcome)
            .increment(1);
        metrics::histogram!("alerts_delivery_seconds", "hook" => hook)
            .record(started.elapsed().as_secs_f64());
        sent
    }

    fn postpone(&self, pending: &mut Pending, failed: Failed) {
        let (first, longest) = (self.hook.first_retry, self.hook.longest_retry);
        let wait = wait(&pending.key, pending.attempts, first, longest);
        let wait = wait.max(failed.after.unwrap_or_default().min(longest));
        pending.next_ms = now_ms().saturating_add(millis(wait));
        tracing::warn!(
            hook = self.hook.name,
            host = self.hook.host(),
            key = pending.key,
            attempt = pending.attempts,
            again_ms = millis(wait),
            "{}",
            failed.why
        );
        pending.why = Some(failed.why);
    }

    /// Goes on behind a message.
    fn arrived(&mut self, pending: &Pending) -> Result<(), OutboxError> {
        self.state
            .lanes
            .insert(pending.lane.clone(), pending.cursor.clone());
        (self.dirty, self.arrived) = (true, true);
        if let Some(rule) = pending.lane.strip_prefix("alert:")
            && let Ok(seq) = pending.cursor.parse()
        {
            self.around.board.acked(rule, &self.hook.name, seq);
        }
        // A message that failed before is on the disk as one to be tried.
        if pending.attempts > 0 || self.hook.max_body < pending.body.len() {
            self.keep()?;
        }
        Ok(())
    }

    /// Puts a message aside and goes on behind it.
    fn give_up(&mut self, pending: Pending, reason: String) -> Result<(), OutboxError> {
        tracing::error!(
            hook = self.hook.name,
            key = pending.key,
            "given up: {reason}"
        );
        self.bury(&pending, reason)?;
        self.state.pending = None;
        self.arrived(&pending)
    }

    fn bury(&self, pending: &Pending, reason: String) -> Result<(), OutboxError> {
        let letter = Dead {
            hook: self.hook.name.clone(),
            message: pending.clone(),
            reason,
            at_ms: now_ms(),
        };
        write(
            &*self.around.outbox,
            &dead_name(&letter.hook, &pending.key),
            &letter,
        )?;
        metrics::counter!("alerts_dead_total", "hook" => self.hook.name.clone()).increment(1);
        Ok(())
    }

    /// Where it stands.
    pub fn state(&self) -> &HookState {
        &self.state
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
