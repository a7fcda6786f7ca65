//! When the disk or the receiver fails at the worst moment.

use super::*;
use crate::outbox::trouble::{Does, Trouble};
use crate::outbox::{again_name, trying_name};
use crate::rule::{Event, Severity};

fn troubled(outbox: &Arc<Trouble>, receiver: &Receiver, last: u64, max_attempts: u32) -> Worker {
    let around = Around {
        outbox: outbox.clone(),
        streams: Arc::new(Numbers { last }),
        board: Arc::default(),
        post: Box::new(receiver.clone()),
        stop: Stop::default(),
    };
    Worker::new(hook(max_attempts), around).unwrap()
}

fn letter(key: &str, n: u64, at_ms: u64) -> Dead {
    Dead {
        hook: "h".into(),
        message: Pending {
            key: key.into(),
            lane: "blocks".into(),
            cursor: n.to_string(),
            event: "blocks".into(),
            body: json!({ "id": key, "data": { "n": n } }).to_string(),
            attempts: 3,
            next_ms: 0,
            why: None,
        },
        reason: "500".into(),
        at_ms,
    }
}

fn look_again(worker: &mut Worker) {
    worker.looked_ms = 0;
    drain(worker);
}

#[test]
fn a_message_that_cannot_be_put_aside_is_not_passed_over() {
    let (outbox, receiver) = (Arc::<Trouble>::default(), Receiver::default());
    *receiver.script.lock().unwrap() = [false].into();
    outbox.refuse(&[(Does::Put, "dead/")]);
    let mut worker = troubled(&outbox, &receiver, 3, 1);
    for _ in 0..3 {
        worker.turn().unwrap_err();
    }
    assert!(numbers(&receiver).is_empty());
    outbox.refuse(&[]);
    drain(&mut worker);
    // It was not sent once more than its attempts, and is not lost.
    assert_eq!(numbers(&receiver), [2, 3]);
    let dead = dead_letters(&*outbox).unwrap();
    let [letter] = dead.as_slice() else {
        panic!("{dead:?}");
    };
    assert_eq!(
        (letter.message.cursor.as_str(), letter.message.attempts),
        ("1", 1)
    );
    assert!(letter.reason.contains("500"), "{}", letter.reason);
}

#[test]
fn a_message_that_is_too_large_is_not_lost_when_the_disk_fails() {
    let (outbox, receiver) = (Arc::<Trouble>::default(), Receiver::default());
    outbox.refuse(&[(Does::Put, "dead/")]);
    let mut worker = troubled(&outbox, &receiver, 2, 3);
    worker.hook.max_body = 10;
    worker.turn().unwrap_err();
    worker.turn().unwrap_err();
    outbox.refuse(&[]);
    drain(&mut worker);
    assert!(numbers(&receiver).is_empty());
    let dead = dead_letters(&*outbox).unwrap();
    let mut cursors: Vec<&str> = dead.iter().map(|d| d.message.cursor.as_str()).collect();
    cursors.sort_unstable();
    assert_eq!(cursors, ["1", "2"]);
    assert!(dead.iter().all(|d| d.reason.contains("max_body_kib")));
}

#[test]
fn letters_that_cannot_be_moved_neither_stop_the_hook_nor_are_sent() {
    let (outbox, receiver) = (Arc::<Trouble>::default(), Receiver::default());
    write(&*outbox, &again_name("h", "k9"), &letter("k9", 9, 1)).unwrap();
    outbox.put("again/h/a0.json", b"{").unwrap();
    outbox.refuse(&[(Does::Rename, "again/")]);
    let mut worker = troubled(&outbox, &receiver, 3, 3);
    drain(&mut worker);
    look_again(&mut worker);
    assert_eq!(numbers(&receiver), [1, 2, 3]);
    // When they can be moved, the good one arrives; the damaged one stays and stops nobody.
    outbox.refuse(&[]);
    look_again(&mut worker);
    look_again(&mut worker);
    assert_eq!(numbers(&receiver), [1, 2, 3, 9]);
    assert!(outbox.list("again/h").unwrap().is_empty());
    assert_eq!(outbox.list("trying/h").unwrap(), ["trying/h/a0.json"]);
}

#[test]
fn a_letter_that_cannot_be_removed_is_sent_once() {
    let (outbox, receiver) = (Arc::<Trouble>::default(), Receiver::default());
    write(&*outbox, &again_name("h", "k8"), &letter("k8", 8, 1)).unwrap();
    write(&*outbox, &again_name("h", "k9"), &letter("k9", 9, 1)).unwrap();
    // The first fails once more, the second arrives.
    *receiver.script.lock().unwrap() = [false].into();
    outbox.refuse(&[(Does::Remove, "trying/"), (Does::Put, "dead/")]);
    let mut worker = troubled(&outbox, &receiver, 3, 3);
    for _ in 0..3 {
        look_again(&mut worker);
    }
    assert_eq!(numbers(&receiver), [9, 1, 2, 3]);
    outbox.refuse(&[]);
    look_again(&mut worker);
    assert_eq!(numbers(&receiver), [9, 1, 2, 3]);
    assert!(outbox.list("trying/h").unwrap().is_empty());
    let dead = dead_letters(&*outbox).unwrap();
    assert!(dead.len() == 1 && dead[0].message.key == "k8", "{dead:?}");
    // Wanted once more, it is a new wish.
    redeliver(&*outbox, None, None).unwrap();
    look_again(&mut worker);
    assert_eq!(numbers(&receiver), [9, 1, 2, 3, 8]);
}

#[test]
fn what_was_taken_up_in_another_life_is_tried() {
    let (outbox, receiver) = (Arc::<Trouble>::default(), Receiver::default());
    write(&*outbox, &trying_name("h", "k9"), &letter("k9", 9, 1)).unwrap();
    drain(&mut troubled(&outbox, &receiver, 1, 3));
    assert_eq!(numbers(&receiver), [9, 1]);
    assert!(outbox.list("trying/h").unwrap().is_empty());
}

#[test]
fn a_letter_that_is_put_aside_while_it_is_redelivered_stays() {
    let outbox = Arc::<Trouble>::default();
    let name = dead_name("h", "k1");
    write(&*outbox, &name, &letter("k1", 1, 1)).unwrap();
    // The hook puts the same message aside again, in the middle of it.
    let fresh = letter("k1", 1, 2);
    let (place, put) = (name.clone(), fresh.clone());
    outbox.then(move |inner| write(inner, &place, &put).unwrap());
    assert_eq!(redeliver(&*outbox, None, None).unwrap(), 1);
    assert_eq!(read::<Dead>(&*outbox, &name).unwrap(), Some(fresh));
}

fn alert(block: u32) -> Alert {
    Alert {
        rule: "low".into(),
        event: Event::Fired,
        severity: Severity::Warning,
        block,
        netuid: None,
        subject: None,
        since: Some(block),
        message: "low".into(),
        reason: None,
        values: serde_json::Map::new(),
        at_ms: None,
    }
}

#[test]
fn a_dead_receiver_gives_up_its_oldest_alerts_and_holds_up_no_other_hook() {
    let (outbox, board) = (Arc::<Memory>::default(), Arc::<Board>::default());
    let receiver = Receiver::default();
    *receiver.script.lock().unwrap() = vec![false; 100_000].into();
    let mut hook = hook(10);
    hook.max_attempts = u32::MAX;
    (hook.topics, hook.alerts) = (Vec::new(), vec!["low".into()]);
    let around = Around {
        outbox: outbox.clone(),
        streams: Arc::new(Numbers { last: 0 }),
        board: board.clone(),
        post: Box::new(receiver.clone()),
        stop: Stop::default(),
    };
    let mut worker = Worker::new(hook, around).unwrap();
    board.join("low", "quick", None);
    board.put("low", vec![(1, alert(1))]);
    // It is trying the first one when the others come.
    assert!(worker.turn().unwrap());
    assert!(worker.state().pending.is_some());
    let more = (2..=2_300_u32).map(|n| (u64::from(n), alert(n)));
    board.put("low", more.collect());
    for seq in 1..=2_300 {
        board.acked("low", "quick", seq);
    }
    assert_eq!(board.behind("low", "quick"), 0);
    for _ in 0..10 {
        worker.turn().unwrap();
    }
    assert_eq!(board.behind("low", "h"), MAX_BEHIND);
    let dead = dead_letters(&*outbox).unwrap();
    let mut given_up: Vec<u64> = dead
        .iter()
        .map(|letter| letter.message.cursor.parse().unwrap())
        .collect();
    given_up.sort_unstable();
    assert_eq!(given_up, (1..=300).collect::<Vec<u64>>());
    assert!(dead.iter().all(|letter| letter.reason.contains("give way")));
    // That is kept at once, and the rest still comes when the receiver is back.
    let kept: HookState = read(&*outbox, &hook_name("h")).unwrap().unwrap();
    assert_eq!(kept.lanes["alert:low"], "300");
    assert_eq!(board.next("low", "h").unwrap().0, 301);
}
