//! The one epoch of a reveal, as each runtime counts.

use super::*;

#[test]
fn a_reveal_has_one_epoch_by_tempo() {
    // Tempo 360, netuid 61: epoch 16,621 begins with block 6,000,119.
    let beat = Beat::Tempo {
        length: 361,
        netuid: 61,
    };
    let at = |block| decide(beat, 1, 6_000_000, block);
    for block in [6_000_000, 6_000_117] {
        let error = at(block).unwrap_err();
        assert!(
            matches!(
                error,
                WindowError::RevealTooEarly {
                    epoch: 16_621,
                    now: 16_620,
                    first: Some(6_000_119),
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("from block 6000119 on"));
    }
    // The block after 6,000,118 is the first, that after 6,000,478 the last.
    for block in [6_000_118, 6_000_478] {
        assert_eq!(at(block).unwrap(), 16_621);
    }
    let error = at(6_000_479).unwrap_err();
    assert!(
        matches!(
            error,
            WindowError::ExpiredWeightCommit {
                epoch: 16_621,
                now: 16_622,
                ..
            }
        ),
        "{error}"
    );
    // Three epochs later instead of one.
    assert!(decide(beat, 3, 6_000_000, 6_000_118 + 2 * 361).is_ok());
    assert!(decide(beat, 3, 6_000_000, 6_000_117 + 2 * 361).is_err());
}

#[test]
fn a_reveal_has_one_epoch_by_interval_and_by_counter() {
    let beat = Beat::Interval(20);
    assert!(decide(beat, 1, 105, 118).is_err());
    assert_eq!(decide(beat, 1, 105, 119).unwrap(), 6);
    assert_eq!(decide(beat, 1, 105, 138).unwrap(), 6);
    assert!(decide(beat, 1, 105, 139).is_err());

    let at = |now| {
        let next = Some(700);
        decide(Beat::Counter { now, next }, 2, 40, 650)
    };
    let first = |now| match at(now) {
        Err(WindowError::RevealTooEarly { first, .. }) => Some(first),
        _ => None,
    };
    assert_eq!((first(40), first(41)), (Some(None), Some(Some(700))));
    assert_eq!(at(42).unwrap(), 42);
    let error = at(43).unwrap_err();
    assert!(error.to_string().contains("ExpiredWeightCommit"), "{error}");
}

#[test]
fn without_a_length_nothing_is_revealed() {
    let error = decide(Beat::Interval(0), 1, 105, 119).unwrap_err();
    assert!(matches!(error, WindowError::Unknown(_)), "{error}");
}

#[test]
fn a_commit_is_found_alone_and_in_a_queue() {
    let one = |byte: u8| {
        let number = Value::Uint {
            width: 64,
            value: 5,
        };
        Value::Tuple(vec![Value::Bytes(vec![byte; 32]), number])
    };
    let queue = Value::Seq(vec![one(1), one(2)]);
    let some = |value| Value::Variant {
        name: "Some".into(),
        index: 1,
        fields: vec![(None, value)],
    };
    assert_eq!(commit_of(&queue, &H256([2; 32])), Some(&one(2)));
    assert_eq!(commit_of(&one(2), &H256([2; 32])), Some(&one(2)));
    assert_eq!(commit_of(&some(one(2)), &H256([2; 32])), Some(&one(2)));
    assert_eq!(commit_of(&queue, &H256([3; 32])), None);
    assert_eq!(commit_of(&one(2), &H256([3; 32])), None);
}
