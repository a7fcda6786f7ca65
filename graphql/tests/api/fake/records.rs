//! The records of the store in memory, each made from its key.

use chain_metadata::{AccountId, BlockNumber, H256, MechId, NetUid, Uid};
use graphql::ports::*;
use serde_json::json;

use super::WIDE;

pub(crate) fn hash_of(number: BlockNumber) -> H256 {
    let mut bytes = [0xb1; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    H256(bytes)
}

/// The first extrinsics of blocks 11 and 12 are the same bytes.
pub(crate) fn extrinsic_hash(block: BlockNumber, index: u32) -> H256 {
    let block = if index == 0 && block == 12 { 11 } else { block };
    let mut bytes = [0xe7; 32];
    bytes[..4].copy_from_slice(&block.to_be_bytes());
    bytes[4..8].copy_from_slice(&index.to_be_bytes());
    H256(bytes)
}

pub(crate) fn account(byte: u8) -> AccountId {
    AccountId([byte; 32])
}

pub(crate) fn block(number: BlockNumber) -> Block {
    Block {
        number,
        hash: hash_of(number),
        parent_hash: number.checked_sub(1).map_or(H256::ZERO, hash_of),
        state_root: H256([1; 32]),
        extrinsics_root: H256([2; 32]),
        timestamp_ms: (number != 10).then_some(WIDE),
        spec_version: spec_of(number),
        extrinsic_count: 3,
        event_count: 5,
        digest_logs: vec![vec![6, 0xab], vec![]],
        finalized: true,
    }
}

pub(crate) fn spec_of(number: BlockNumber) -> u32 {
    if number < 15 { 300 } else { 301 }
}

pub(crate) fn call(pallet: &str, name: &str, args: serde_json::Value) -> Call {
    Call {
        pallet: pallet.into(),
        name: name.into(),
        args,
    }
}

pub(crate) fn extrinsic(block: BlockNumber, index: u32) -> Extrinsic {
    let failure = DispatchError {
        pallet: Some("SubtensorModule".into()),
        name: "NotEnoughStake".into(),
        docs: "Too little stake.".into(),
    };
    let inherent = index == 0;
    let failed = index == 2;
    Extrinsic {
        block,
        index,
        hash: extrinsic_hash(block, index),
        raw: vec![0x28, 4, u8::try_from(index).unwrap()],
        version: 4,
        signer: (!inherent).then(|| account(u8::try_from(index).unwrap())),
        nonce: (!inherent).then_some(WIDE),
        tip: (!inherent).then_some(0),
        fee: (!inherent).then_some(u128::MAX),
        success: Some(!failed),
        error: failed.then(|| failure.clone()),
        call: match index {
            0 => call("Timestamp", "set", json!({ "now": "1700000000000" })),
            1 => call(
                "SubtensorModule",
                "set_weights",
                json!({ "netuid": 1, "dests": [0, 1] }),
            ),
            _ => call("Utility", "batch", json!({ "calls": [] })),
        },
        nested: if failed {
            vec![
                NestedCall {
                    path: vec![0],
                    origin: account(2).to_string(),
                    outcome: CallOutcome::Failed,
                    error: Some(failure),
                    call: call("SubtensorModule", "add_stake", json!({ "amount": "1" })),
                },
                NestedCall {
                    path: vec![1],
                    origin: account(2).to_string(),
                    outcome: CallOutcome::NotRun,
                    error: None,
                    call: call("System", "remark", json!({ "remark": "0x" })),
                },
            ]
        } else {
            Vec::new()
        },
        spec_version: spec_of(block),
    }
}

pub(crate) fn event(block: BlockNumber, index: u32) -> Event {
    let (phase, pallet, name, fields) = match index {
        0 => (
            Phase::Initialization,
            "SubtensorModule",
            "EpochTriggered",
            json!({ "netuid": 1 }),
        ),
        1 => (
            Phase::ApplyExtrinsic(0),
            "System",
            "ExtrinsicSuccess",
            json!({}),
        ),
        2 => (
            Phase::ApplyExtrinsic(1),
            "SubtensorModule",
            "WeightsSet",
            json!([1, 0]),
        ),
        3 => (
            Phase::ApplyExtrinsic(1),
            "System",
            "ExtrinsicSuccess",
            json!({}),
        ),
        _ => (
            Phase::Finalization,
            "Balances",
            "Issued",
            json!({ "amount": "18446744073709551615" }),
        ),
    };
    Event {
        block,
        index,
        phase,
        pallet: pallet.into(),
        name: name.into(),
        fields,
        spec_version: spec_of(block),
    }
}

pub(crate) fn stamp(block: BlockNumber) -> Stamp {
    Stamp {
        block,
        hash: hash_of(block),
        spec_version: spec_of(block + 1),
        finalized: true,
    }
}

pub(crate) fn subnet(block: BlockNumber, netuid: NetUid, neurons: u16) -> Subnet {
    let root = netuid.0 == 0;
    let item = |name: &str, value, stored, changed_at| Item {
        name: name.into(),
        value,
        stored,
        changed_at,
    };
    Subnet {
        stamp: stamp(block),
        netuid,
        neuron_count: Some(neurons),
        tempo: Some(0),
        last_epoch_block: (!root).then_some(WIDE),
        blocks_since_last_step: Some(0),
        mechanism_count: (block >= 15).then_some(2),
        owner: (!root).then(|| account(9)),
        owner_hotkey: None,
        registered_at: (!root).then_some(0),
        token_symbol: Some("τ".into()),
        items: vec![
            item("Kappa", Some(json!(32767)), false, None),
            item("Burn", Some(json!(WIDE.to_string())), true, Some(block)),
            item("SubnetIdentitiesV3", None, false, None),
        ],
    }
}

pub(crate) fn neuron(uid: u16, block: BlockNumber) -> Neuron {
    let served = uid == 1;
    Neuron {
        uid: Uid(uid),
        hotkey: account(u8::try_from(uid % 256).unwrap()),
        coldkey: (uid != 2).then(|| account(200)),
        block_at_registration: Some(u64::from(uid)),
        axon: served.then(|| Axon {
            block: WIDE,
            version: u32::MAX,
            ip: u128::MAX.to_string(),
            ip_text: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".into(),
            port: 65535,
            ip_type: 6,
            protocol: 4,
            placeholder1: 0,
            placeholder2: 255,
        }),
        prometheus: served.then(|| Prometheus {
            block: 1,
            version: 2,
            ip: "2130706433".into(),
            ip_text: "127.0.0.1".into(),
            port: 9090,
            ip_type: 4,
        }),
        active: Some(uid.is_multiple_of(2)),
        // No longer computed from block 15 on.
        rank: (block < 15).then_some(0),
        trust: None,
        consensus: Some(uid),
        incentive: Some(if served { 65535 } else { 0 }),
        dividends: Some(u16::try_from(block).unwrap()),
        emission: Some(if served { u64::MAX } else { 0 }),
        validator_trust: Some(13107),
        validator_permit: Some(uid == 0),
        stake_weight: (uid != 3).then_some(1),
        pruning_score: None,
        last_update: Some(WIDE + u64::from(uid)),
    }
}

/// A commit of a block, revealed in the next one if that is not above `at`.
pub(crate) fn commit(block: BlockNumber, at: BlockNumber, netuid: NetUid) -> Commit {
    let place = |block| CallPlace {
        block,
        extrinsic: 0,
        path: Some(vec![1]),
    };
    let revealed = block < at;
    let state = if revealed {
        CommitState::Revealed
    } else {
        CommitState::Committed
    };
    let mut states = vec![(block, CommitState::Committed)];
    states.extend(revealed.then_some((block + 1, state)));
    Commit {
        id: CommitId { block, index: 0 },
        kind: CommitKind::Hash,
        netuid,
        mechanism: MechId(0),
        hotkey: account(7),
        uid: Some(Uid(2)),
        made_by: Some(place(block)),
        hash: Some(hash_of(block)),
        round: Some(WIDE),
        epoch: Some(3),
        bytes: Some(vec![0xab]),
        fields: vec![json!({ "Raw1": "0x01" })],
        state,
        since: block + u32::from(revealed),
        reason: None,
        holder: account(7),
        held: !revealed,
        states,
        reveals: revealed
            .then(|| CommitReveal {
                block: block + 1,
                made_by: Some(place(block + 1)),
                verified: Some(true),
                ambiguous: false,
                revealed: vec![vec![1, 2]],
                row: Some(RevealedRow {
                    netuid,
                    mechanism: MechId(0),
                    uid: Uid(2),
                    first_epoch: None,
                }),
            })
            .into_iter()
            .collect(),
        attempts: vec![CommitAttempt {
            made_by: place(block),
            error: "SubtensorModule.RevealTooEarly".into(),
            hash_matches: true,
        }],
    }
}

pub(crate) fn movement(block: BlockNumber, filter: &StakeFilter) -> StakeMovement {
    let side = |hotkey: u8, netuid: u16| StakeSide {
        hotkey: Some(filter.hotkey.unwrap_or(account(hotkey))),
        coldkey: filter.coldkey,
        netuid: Some(filter.netuid.unwrap_or(NetUid(netuid))),
    };
    let added = block.is_multiple_of(2);
    StakeMovement {
        id: StakeMovementId { block, index: 1 },
        kind: match added {
            true => StakeMovementKind::Added,
            false => StakeMovementKind::MovedAndTransferred,
        },
        from: (!added).then(|| side(3, 1)),
        to: Some(side(4, 2)),
        tao: Some(WIDE),
        alpha: added.then_some(0),
        fee: None,
        event: 4,
        made_by: added.then(|| CallPlace {
            block,
            extrinsic: 0,
            path: Some(vec![2]),
        }),
    }
}

/// The third one has bytes that nobody can read.
pub(crate) fn share(n: u8, of: StakeOf, netuid: Option<NetUid>) -> StakeShare {
    let (hotkey, coldkey) = match of {
        StakeOf::Hotkey(hotkey) => (hotkey, account(n)),
        StakeOf::Coldkey(coldkey) => (account(n), coldkey),
    };
    StakeShare {
        entry: "Alpha".into(),
        hotkey,
        coldkey,
        netuid: Some(netuid.unwrap_or(NetUid(7))),
        value: (n != 3).then(|| json!({ "bits": "340282366920938463463374607431768211455" })),
        bytes: vec![n; 8],
        changed_at: 11,
        pool_alpha: Some(WIDE),
        pool_shares: Some(json!({ "bits": "5" })),
    }
}
