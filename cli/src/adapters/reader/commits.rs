//! Commits as the window shows them.

use chain_metadata::{BlockNumber, Uid};
use graphql::ports;
use indexer::commits::{CallAt, Id, Kind, State};
use indexer::view::At;
use indexer::view::commits::{Commit, Filter};

/// A filter as the ledger takes it.
pub(super) fn filter(wanted: &ports::CommitFilter) -> Filter {
    Filter {
        netuid: wanted.netuid,
        hotkey: wanted.hotkey,
        kind: wanted.kind.map(|kind| match kind {
            ports::CommitKind::Hash => Kind::Hash,
            ports::CommitKind::Timelocked => Kind::Timelocked,
            ports::CommitKind::Commitment => Kind::Commitment,
        }),
        state: wanted.state.map(|state| match state {
            ports::CommitState::Committed => State::Committed,
            ports::CommitState::Due => State::Due,
            ports::CommitState::Revealed => State::Revealed,
            ports::CommitState::Failed => State::Failed,
            ports::CommitState::Expired => State::Expired,
            ports::CommitState::Superseded => State::Superseded,
            ports::CommitState::Orphaned => State::Orphaned,
        }),
    }
}

/// A name as the ledger takes it.
pub(super) fn id(id: ports::CommitId) -> Id {
    Id {
        block: id.block,
        index: id.index,
    }
}

/// A name as the window shows it.
pub(super) fn name(id: Id) -> ports::CommitId {
    ports::CommitId {
        block: id.block,
        index: id.index,
    }
}

fn kind(kind: Kind) -> ports::CommitKind {
    match kind {
        Kind::Hash => ports::CommitKind::Hash,
        Kind::Timelocked => ports::CommitKind::Timelocked,
        Kind::Commitment => ports::CommitKind::Commitment,
    }
}

fn state(state: State) -> ports::CommitState {
    match state {
        State::Committed => ports::CommitState::Committed,
        State::Due => ports::CommitState::Due,
        State::Revealed => ports::CommitState::Revealed,
        State::Failed => ports::CommitState::Failed,
        State::Expired => ports::CommitState::Expired,
        State::Superseded => ports::CommitState::Superseded,
        State::Orphaned => ports::CommitState::Orphaned,
    }
}

fn place(block: BlockNumber, call: CallAt) -> ports::CallPlace {
    ports::CallPlace {
        block,
        extrinsic: call.extrinsic,
        path: call.path,
    }
}

/// A commit of the ledger at a block.
pub(super) fn commit(at: &At, found: Commit) -> ports::Commit {
    let ss58 = at.layout.metadata.ss58_prefix();
    let Commit {
        entry,
        netuid,
        mechanism,
        bytes,
        fields,
        rows,
        revealed,
    } = found;
    let row = |block: BlockNumber| {
        let row = rows.iter().find(|row| row.block == block)?;
        Some(ports::RevealedRow {
            netuid: row.netuid,
            mechanism: row.mechanism,
            uid: row.uid,
            first_epoch: row.first_epoch,
        })
    };
    let reveals = entry.reveals.into_iter().map(|(block, reveal)| {
        let row = reveal.row.and_then(|_| row(block));
        ports::CommitReveal {
            block,
            made_by: reveal.made_by.map(|call| place(block, call)),
            verified: reveal.verified,
            ambiguous: reveal.ambiguous,
            revealed: revealed
                .iter()
                .filter(|(at, _)| *at == block)
                .map(|(_, bytes)| bytes.clone())
                .collect(),
            row,
        }
    });
    let attempts = entry
        .attempts
        .into_iter()
        .map(|(block, attempt)| ports::CommitAttempt {
            made_by: place(block, attempt.made_by),
            error: attempt.error,
            hash_matches: attempt.hash_matches,
        });
    ports::Commit {
        id: name(entry.id),
        kind: kind(entry.row.kind),
        netuid,
        mechanism,
        hotkey: chain_metadata::AccountId(entry.row.hotkey),
        uid: entry.row.uid.map(Uid),
        made_by: entry.row.made_by.map(|call| place(entry.id.block, call)),
        hash: entry.row.hash.map(chain_metadata::H256),
        round: entry.row.round,
        epoch: entry.row.epoch,
        bytes,
        fields: fields.iter().map(|field| field.to_json(ss58)).collect(),
        state: state(entry.state),
        since: entry.since,
        reason: entry.reason,
        holder: entry.holder,
        held: entry.held,
        states: entry
            .states
            .into_iter()
            .map(|(block, was)| (block, state(was)))
            .collect(),
        reveals: reveals.collect(),
        attempts: attempts.collect(),
    }
}
