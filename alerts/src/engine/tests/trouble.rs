//! When the disk fails or the end comes in the middle of a block.

use super::*;
use crate::outbox::trouble::{Does, Trouble};

fn of(
    rule: &Rule,
    chain: Arc<dyn Chain>,
    outbox: Arc<dyn Outbox>,
    stop: Stop,
) -> (Engine, Arc<Board>) {
    let board = Arc::new(Board::default());
    let engine = Engine::new(rule.clone(), chain, outbox, board.clone(), stop);
    (engine.unwrap(), board)
}

fn taken(board: &Board, told: &mut Vec<Alert>) {
    while let Some((seq, alert)) = board.next("low", "h") {
        told.push(alert);
        board.acked("low", "h", seq);
    }
}

#[test]
fn a_disk_that_can_neither_be_written_nor_read_loses_no_alert() {
    let rule = rule(json!({}));
    let chain = Arc::new(Counting::default());
    chain.tip.store(90, Ordering::SeqCst);
    let outbox = Arc::new(Trouble::default());
    let (mut engine, board) = of(&rule, chain, outbox.clone(), Stop::default());
    board.join("low", "h", None);
    let mut told = Vec::new();
    // Good, then broken for some rounds, then good.
    engine.begin(&[(1, 90)]).unwrap();
    outbox.refuse(&[(Does::Put, "rules/"), (Does::Get, "rules/")]);
    for _ in 0..3 {
        engine.turn().unwrap_err();
        engine.go_back();
        taken(&board, &mut told);
        assert!(told.is_empty(), "{told:?}");
    }
    outbox.refuse(&[]);
    while engine.turn().unwrap() {}
    taken(&board, &mut told);
    assert_eq!(told, history(&rule, 90));
}

/// Is told to stop while it answers at a block, as a program that ends.
struct Ending {
    inner: Counting,
    stop: Stop,
    at: (u64, u64),
}

impl Chain for Ending {
    fn spans(&self) -> Result<Vec<(u32, u32)>, AskError> {
        self.inner.spans()
    }

    fn epochs(
        &self,
        netuids: Option<&[u16]>,
        from: u32,
        to: u32,
    ) -> Result<Vec<(u32, u16)>, AskError> {
        self.inner.epochs(netuids, from, to)
    }

    fn ask(&self, document: &str, variables: Map<String, Value>) -> Result<Value, AskError> {
        let number = |name: &str| variables[name].as_u64().unwrap();
        if (number("block"), number("netuid")) == self.at {
            self.stop.now();
            return Err(AskError {
                what: "the program is being stopped".into(),
                passing: true,
            });
        }
        self.inner.ask(document, variables)
    }
}

#[test]
fn an_end_in_the_middle_of_a_block_leaves_that_block_for_the_next_life() {
    let rule = rule(json!({"netuids": [1, 2], "for": 2}));
    let wanted = history(&rule, 90);
    for block in 1..=60 {
        let outbox = Arc::new(Memory::default());
        let stop = Stop::default();
        let ending = Ending {
            inner: Counting::default(),
            stop: stop.clone(),
            at: (block, 2),
        };
        ending.inner.tip.store(90, Ordering::SeqCst);
        let (mut first, board) = of(&rule, Arc::new(ending), outbox.clone(), stop);
        board.join("low", "h", None);
        first.run();
        let mut told = Vec::new();
        taken(&board, &mut told);
        let seq = first.standing().seq;
        let chain = Arc::new(Counting::default());
        chain.tip.store(90, Ordering::SeqCst);
        let (mut next, board) = of(&rule, chain, outbox, Stop::default());
        board.join("low", "h", Some(seq));
        while next.turn().unwrap() {}
        taken(&board, &mut told);
        assert_eq!(told, wanted, "{block}");
    }
}
