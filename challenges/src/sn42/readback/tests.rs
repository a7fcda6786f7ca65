//! Verdicts out of made-up evidence; those out of recorded chains are among the integration
//! tests.

use indexer::store::history::{SetKind, SetRow};

use super::*;

fn row(values: &[u16]) -> Row {
    Row {
        uids: (0..=u16::MAX).take(values.len()).collect(),
        values: values.to_vec(),
    }
}

fn question(expected: Option<&[u16]>, since: Option<u32>) -> Question {
    Question {
        netuid: NetUid(1),
        mechanism: MechId(0),
        who: Who::Uid(Uid(0)),
        expected: expected.map(row),
        since,
        stale_tempos: 2,
    }
}

fn set(block: u32) -> Option<SetBy> {
    Some(SetBy {
        block,
        row: SetRow {
            kind: SetKind::Direct,
            hotkey: None,
            extrinsic: Some(1),
            path: Some(vec![]),
            item: None,
            version_key: None,
        },
        commit: None,
    })
}

fn commit(block: u32, state: State) -> Option<CommitSeen> {
    Some(CommitSeen {
        block,
        place: 0,
        extrinsic: Some(2),
        kind: Kind::Hash,
        state,
        since: block + 5,
        revealed_at: None,
        reason: None,
    })
}

/// Set at block 90 by a call; asked at 100; tempo 10.
fn evidence() -> Evidence {
    Evidence {
        block: 100,
        tempo: 10,
        last_update: Some(90),
        commit_reveal: false,
        row: Some(row(&[16384, 32768, 65535])),
        row_since: Some(90),
        scaling: Scaling::Greatest,
        set: set(90),
        commit: None,
    }
}

fn verdict(question: &Question, evidence: &Evidence) -> (Verdict, Option<Difference>) {
    let (verdict, difference, reason) = judge(question, evidence);
    assert!(!reason.is_empty());
    (verdict, difference)
}

#[test]
fn what_was_sent_is_compared_after_the_chains_scaling() {
    let found = evidence();
    assert_eq!(
        verdict(&question(Some(&[10, 20, 40]), Some(89)), &found),
        (Verdict::Set, None)
    );
    let near = verdict(&question(Some(&[16384, 32767, 65535]), None), &found);
    assert_eq!(
        near,
        (Verdict::ChangedOnChain, Some(Difference::Quantisation))
    );
    let far = verdict(&question(Some(&[20, 10, 40]), None), &found);
    assert_eq!(far, (Verdict::ChangedOnChain, Some(Difference::Real(2))));
    let fewer = verdict(&question(Some(&[10, 20]), None), &found);
    assert_eq!(fewer.0, Verdict::ChangedOnChain);
}

#[test]
fn what_is_old_or_did_not_land_is_stale() {
    let mut found = evidence();
    found.block = 110;
    assert_eq!(verdict(&question(None, None), &found).0, Verdict::Set);
    found.block = 111;
    assert_eq!(verdict(&question(None, None), &found).0, Verdict::Stale);
    found.block = 100;
    assert_eq!(verdict(&question(None, Some(90)), &found).0, Verdict::Stale);
    assert_eq!(verdict(&question(None, Some(89)), &found).0, Verdict::Set);
}

#[test]
fn nothing_at_all_is_never() {
    let mut found = evidence();
    (found.row, found.row_since, found.set, found.last_update) = (None, None, None, None);
    assert_eq!(verdict(&question(None, None), &found).0, Verdict::Never);
}

#[test]
fn a_commit_is_told_by_its_state() {
    let mut found = evidence();
    found.commit_reveal = true;
    found.commit = commit(95, State::Committed);
    found.last_update = Some(95);
    assert_eq!(verdict(&question(None, None), &found).0, Verdict::Committed);
    found.commit = commit(95, State::Due);
    assert_eq!(
        verdict(&question(None, Some(94)), &found).0,
        Verdict::Committed
    );
    for state in [State::Expired, State::Failed, State::Orphaned] {
        found.commit = commit(95, state);
        assert_eq!(verdict(&question(None, None), &found).0, Verdict::Expired);
    }
    // One that is older than what is asked about is another matter.
    assert_eq!(verdict(&question(None, Some(95)), &found).0, Verdict::Stale);
    // One that is older than the row is done with.
    found.commit = commit(80, State::Expired);
    assert_eq!(verdict(&question(None, None), &found).0, Verdict::Set);
    // A row that is already there as expected stays so while the next commit waits.
    found.commit = commit(95, State::Committed);
    let wanted = question(Some(&[10, 20, 40]), Some(85));
    assert_eq!(verdict(&wanted, &found).0, Verdict::Set);
}

#[test]
fn last_update_tells_of_rows_only_without_commits() {
    let mut found = evidence();
    (found.set, found.row_since, found.block) = (None, Some(10), 100);
    assert_eq!(verdict(&question(None, None), &found).0, Verdict::Set);
    found.commit_reveal = true;
    assert_eq!(verdict(&question(None, None), &found).0, Verdict::Stale);
}
