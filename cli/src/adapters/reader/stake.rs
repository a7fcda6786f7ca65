//! Stake as the window shows it.

use chain_metadata::{AccountId, NetUid};
use graphql::ports;
use indexer::stakes::{Id, Kind, Movement, Side};
use indexer::view::At;
use indexer::view::stake::{Filter, Of, Share};

/// Both names of every kind.
const KINDS: [(Kind, ports::StakeMovementKind); 13] = {
    use ports::StakeMovementKind as Shown;
    [
        (Kind::Added, Shown::Added),
        (Kind::Removed, Shown::Removed),
        (Kind::Moved, Shown::Moved),
        (Kind::Transferred, Shown::Transferred),
        (Kind::MovedAndTransferred, Shown::MovedAndTransferred),
        (Kind::Swapped, Shown::Swapped),
        (Kind::RootClaimed, Shown::RootClaimed),
        (Kind::AutoStaked, Shown::AutoStaked),
        (Kind::Recycled, Shown::Recycled),
        (Kind::Burned, Shown::Burned),
        (Kind::BoughtAndBurned, Shown::BoughtAndBurned),
        (Kind::FeePaid, Shown::FeePaid),
        (Kind::LeaseDividends, Shown::LeaseDividends),
    ]
};

/// A kind as the window shows it.
fn shown(kind: Kind) -> ports::StakeMovementKind {
    use ports::StakeMovementKind as Shown;
    match kind {
        Kind::Added => Shown::Added,
        Kind::Removed => Shown::Removed,
        Kind::Moved => Shown::Moved,
        Kind::Transferred => Shown::Transferred,
        Kind::MovedAndTransferred => Shown::MovedAndTransferred,
        Kind::Swapped => Shown::Swapped,
        Kind::RootClaimed => Shown::RootClaimed,
        Kind::AutoStaked => Shown::AutoStaked,
        Kind::Recycled => Shown::Recycled,
        Kind::Burned => Shown::Burned,
        Kind::BoughtAndBurned => Shown::BoughtAndBurned,
        Kind::FeePaid => Shown::FeePaid,
        Kind::LeaseDividends => Shown::LeaseDividends,
    }
}

/// A filter as the ledger takes it.
pub(super) fn filter(wanted: &ports::StakeFilter) -> Filter {
    let kind = |kind| {
        let mut kinds = KINDS.iter();
        kinds
            .find(|(_, shown)| *shown == kind)
            .map(|(kind, _)| *kind)
    };
    Filter {
        hotkey: wanted.hotkey,
        coldkey: wanted.coldkey,
        netuid: wanted.netuid,
        kind: wanted.kind.and_then(kind),
    }
}

/// A name as the ledger takes it.
pub(super) fn id(id: ports::StakeMovementId) -> Id {
    Id {
        block: id.block,
        index: id.index,
    }
}

/// A name as the window shows it.
pub(super) fn name(id: Id) -> ports::StakeMovementId {
    ports::StakeMovementId {
        block: id.block,
        index: id.index,
    }
}

/// Whose stake, as the store takes it.
pub(super) fn of(of: ports::StakeOf) -> Of {
    match of {
        ports::StakeOf::Hotkey(hotkey) => Of::Hotkey(hotkey),
        ports::StakeOf::Coldkey(coldkey) => Of::Coldkey(coldkey),
    }
}

/// A movement as the window shows it.
pub(super) fn movement((id, moved): (Id, Movement)) -> ports::StakeMovement {
    let side = |side: Side| ports::StakeSide {
        hotkey: side.hotkey.map(AccountId),
        coldkey: side.coldkey.map(AccountId),
        netuid: side.netuid.map(NetUid),
    };
    ports::StakeMovement {
        id: name(id),
        kind: shown(moved.kind),
        from: moved.from.map(side),
        to: moved.to.map(side),
        tao: moved.tao,
        alpha: moved.alpha,
        fee: moved.fee,
        event: moved.event,
        made_by: moved.made_by.map(|call| ports::CallPlace {
            block: id.block,
            extrinsic: call.extrinsic,
            path: call.path,
        }),
    }
}

/// A row of stake as the window shows it.
pub(super) fn share(at: &At, share: Share) -> ports::StakeShare {
    let ss58 = at.layout.metadata.ss58_prefix();
    ports::StakeShare {
        entry: share.entry.to_owned(),
        hotkey: share.hotkey,
        coldkey: share.coldkey,
        netuid: share.netuid,
        value: share.value.map(|value| value.to_json(ss58)),
        bytes: share.bytes,
        changed_at: share.changed_at,
        pool_alpha: share.pool_alpha,
        pool_shares: share.pool_shares.map(|value| value.to_json(ss58)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_shown_and_found_by_its_name() {
        for (kind, name) in KINDS {
            assert_eq!(shown(kind), name);
            let wanted = ports::StakeFilter {
                kind: Some(name),
                ..ports::StakeFilter::default()
            };
            assert_eq!(filter(&wanted).kind, Some(kind));
        }
    }
}
