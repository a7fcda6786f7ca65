use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Map, Value, json};

use super::*;
use crate::backtest;
use crate::outbox::Memory;
use crate::rule::RawRule;

mod trouble;

/// A chain that counts: `n` at block b is made of b, with holes.
#[derive(Default)]
struct Counting {
    tip: AtomicU32,
}

impl Chain for Counting {
    fn spans(&self) -> Result<Vec<(u32, u32)>, AskError> {
        let tip = self.tip.load(Ordering::SeqCst);
        Ok(match tip {
            0 => Vec::new(),
            1..=100 => vec![(1, tip)],
            _ => vec![(1, 100), (105, tip.max(105))],
        })
    }

    fn epochs(
        &self,
        netuids: Option<&[u16]>,
        from: u32,
        to: u32,
    ) -> Result<Vec<(u32, u16)>, AskError> {
        let mut found = Vec::new();
        for block in from..=to {
            for netuid in netuids.unwrap_or(&[1, 2, 3]) {
                if block % (10 + u32::from(*netuid)) == 0 {
                    found.push((block, *netuid));
                }
            }
        }
        Ok(found)
    }

    fn ask(&self, document: &str, variables: Map<String, Value>) -> Result<Value, AskError> {
        let block = variables["block"].as_u64().unwrap();
        if document == "fails" || block.is_multiple_of(47) {
            return Err(AskError {
                what: "no".into(),
                passing: false,
            });
        }
        let n = block.wrapping_mul(2_654_435_761) % 100;
        Ok(
            json!({ "n": if n > 95 { Value::Null } else { n.into() }, "list": [{"id": "a", "n": n}, {"id": n % 3, "n": 100 - n}] }),
        )
    }
}

fn rule(more: Value) -> Rule {
    let mut raw = json!({
        "name": "low", "on": "block", "query": "q", "from": "first", "repeat": 3,
        "when": { "at": "/n", "op": "<", "value": 30 }, "message": "{/n} at {$block}",
    });
    raw.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let raw: RawRule = serde_json::from_value(raw).unwrap();
    Rule::build(raw).unwrap()
}

struct Running {
    chain: Arc<Counting>,
    outbox: Arc<Memory>,
    board: Arc<Board>,
    engine: Engine,
}

fn running(rule: &Rule, outbox: Arc<Memory>, chain: Arc<Counting>) -> Running {
    let board = Arc::new(Board::default());
    let engine = Engine::new(
        rule.clone(),
        chain.clone(),
        outbox.clone(),
        board.clone(),
        Stop::default(),
    );
    Running {
        engine: engine.unwrap(),
        chain,
        outbox,
        board,
    }
}

impl Running {
    fn catch_up(&mut self) {
        while self.engine.turn().unwrap() {}
    }

    fn drain(&self, told: &mut Vec<Alert>) {
        while let Some((seq, alert)) = self.board.next("low", "h") {
            told.push(alert);
            self.board.acked("low", "h", seq);
        }
    }
}

fn history(rule: &Rule, to: u32) -> Vec<Alert> {
    let chain = Counting::default();
    chain.tip.store(to, Ordering::SeqCst);
    let mut told = Vec::new();
    let outcome = backtest::run(&chain, rule, 0, u32::MAX, |alert| told.push(alert)).unwrap();
    let count = |event| u64::try_from(told.iter().filter(|a| a.event == event).count()).unwrap();
    assert_eq!(outcome.fired, count(Event::Fired));
    assert_eq!(outcome.cleared, count(Event::Cleared));
    assert_eq!(outcome.unknown, count(Event::Unknown));
    assert_eq!((outcome.from, outcome.to), (Some(1), Some(to)));
    told
}

#[test]
fn history_is_what_the_present_was() {
    for more in [
        json!({}),
        json!({"on": "epoch"}),
        json!({"on": "epoch", "netuids": [2]}),
        json!({"every": 7, "for": 2}),
        json!({"each": "/list", "key": "/id"}),
        json!({"each": "/list", "key": "/id", "when": {"at": "/n", "op": "fell_by_more_than", "percent": 40}}),
        json!({"query": "fails"}),
    ] {
        let rule = rule(more.clone());
        let mut told = Vec::new();
        let mut now = running(&rule, Arc::default(), Arc::default());
        now.board.join("low", "h", None);
        // In steps of all sizes, with restarts in between.
        let mut tip = 0;
        for step in 0_u32.. {
            tip += 1 + step * 7 % 40;
            tip = tip.min(700);
            if (101..105).contains(&tip) {
                tip = 105;
            }
            now.chain.tip.store(tip, Ordering::SeqCst);
            now.catch_up();
            now.drain(&mut told);
            if step % 3 == 0 {
                // As a kill leaves it: only what was kept is there.
                let acked = now.engine.standing().seq;
                now = running(&rule, now.outbox, now.chain);
                now.board.join("low", "h", Some(acked));
            }
            if tip == 700 {
                break;
            }
        }
        let wanted = history(&rule, 700);
        assert!(!wanted.is_empty(), "{more}");
        assert_eq!(told, wanted, "{more}");
        let mut names: Vec<_> = wanted.iter().map(Alert::cursor).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), wanted.len(), "{more}");
    }
}

#[test]
fn a_new_rule_begins_at_the_tip() {
    let rule = rule(json!({"from": "tip"}));
    let chain = Arc::new(Counting::default());
    chain.tip.store(50, Ordering::SeqCst);
    let mut now = running(&rule, Arc::default(), chain);
    now.board.join("low", "h", None);
    now.catch_up();
    assert_eq!(now.engine.standing().next, Some(51));
    now.chain.tip.store(90, Ordering::SeqCst);
    now.catch_up();
    let mut told = Vec::new();
    now.drain(&mut told);
    assert!(!told.is_empty() && told.iter().all(|alert| alert.block > 50));
}

#[test]
fn alerts_wait_for_every_hook() {
    let rule = rule(json!({}));
    let chain = Arc::new(Counting::default());
    chain.tip.store(90, Ordering::SeqCst);
    let mut now = running(&rule, Arc::default(), chain);
    now.board.join("low", "h", None);
    now.board.join("low", "slow", None);
    now.catch_up();
    let mut told = Vec::new();
    now.drain(&mut told);
    // The other has got none of them, also after a restart.
    let again = running(&rule, now.outbox, now.chain);
    again
        .board
        .join("low", "h", Some(again.engine.standing().seq));
    again.board.join("low", "slow", Some(0));
    let (seq, first) = again.board.next("low", "slow").unwrap();
    assert_eq!((seq, &first), (1, &told[0]));
    assert_eq!(again.board.next("low", "h"), None);
}

#[test]
fn a_changed_rule_goes_on_where_it_stood() {
    let chain = Arc::new(Counting::default());
    chain.tip.store(90, Ordering::SeqCst);
    let mut now = running(&rule(json!({})), Arc::default(), chain);
    now.catch_up();
    let seq = now.engine.standing().seq;
    let changed = running(&rule(json!({"for": 2})), now.outbox, now.chain);
    let standing = changed.engine.standing();
    assert_eq!((standing.next, standing.seq), (Some(91), seq));
    assert_eq!(standing.state, RuleState::default());
}

#[test]
fn rules_on_time_have_no_history() {
    let rule = rule(
        json!({"on": "time", "from": "tip", "when": {"at": "/list/0/id", "op": "==", "value": "a"}, "message": "m"}),
    );
    let chain = Arc::new(Counting::default());
    chain.tip.store(90, Ordering::SeqCst);
    let error = backtest::run(&*chain, &rule, 0, 9, |_| ()).unwrap_err();
    assert!(error.to_string().contains("no history"), "{error}");
    let mut now = running(&rule, Arc::default(), chain);
    now.board.join("low", "h", None);
    assert!(now.engine.turn().unwrap());
    assert!(!now.engine.turn().unwrap());
    let (_, alert) = now.board.next("low", "h").unwrap();
    assert!(alert.at_ms.is_some() && alert.block == 90);
}
