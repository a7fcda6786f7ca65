//! Verdicts whose every value follows from their key.

use chain_metadata::{BlockNumber, H256, MechId, NetUid, Uid};
use graphql::ports::*;

use super::WIDE;

/// Even blocks are exact; odd ones differ.
pub(crate) fn record(block: BlockNumber, netuid: NetUid) -> Verification {
    let exact = block.is_multiple_of(2);
    let field = FieldVerdict {
        field: "incentive".into(),
        stage: "ranks".into(),
        compared: 4,
        differing: u32::from(!exact),
        max_abs_diff: if exact { 0 } else { WIDE },
        first_uid: (!exact).then_some(Uid(2)),
    };
    Verification {
        netuid,
        mechanism: MechId(0),
        block,
        spec_version: 301,
        rules: Some("checked in full".into()),
        verdict: if exact {
            VerdictKind::Exact
        } else {
            VerdictKind::Differs
        },
        what: None,
        first: (!exact).then(|| field.clone()),
        fields: vec![field],
        not_compared: vec![("emission".into(), "not known".into())],
        replaced: vec![Uid(3)],
        drained: Some(WIDE),
        inputs_hash: Some(H256([7; 32])),
        results_hash: None,
    }
}

pub(crate) fn values() -> Vec<ComparedNeuron> {
    let value = |computed, stored| ComparedValue {
        field: "incentive".into(),
        computed,
        stored,
    };
    vec![
        ComparedNeuron {
            uid: Uid(0),
            values: vec![value(Some(WIDE), Some(WIDE))],
        },
        ComparedNeuron {
            uid: Uid(1),
            values: vec![value(Some(WIDE), None)],
        },
    ]
}

/// A record in every block of the range, of subnet 1.
pub(crate) fn page(
    wanted: &VerificationFilter,
    before: Option<VerificationId>,
    first: usize,
) -> VerificationPage {
    let netuid = wanted.netuid.unwrap_or(NetUid(1));
    let below = before.map_or(wanted.to + 1, |id| id.block);
    let mut records: Vec<_> = (wanted.from..below)
        .rev()
        .map(|block| record(block, netuid))
        .filter(|record| wanted.verdict.is_none_or(|v| v == record.verdict))
        .collect();
    let more = records.len() > first;
    records.truncate(first);
    let next = records.last().filter(|_| more);
    VerificationPage {
        next: next.map(|record| VerificationId {
            block: record.block,
            netuid,
            mechanism: MechId(0),
        }),
        records,
    }
}

pub(crate) fn summary(netuid: Option<NetUid>, blocks: u64) -> VerificationSummary {
    let empty = netuid == Some(NetUid(9));
    let epochs = if empty { 0 } else { blocks };
    VerificationSummary {
        epochs,
        exact: epochs / 2,
        differs: epochs - epochs / 2,
        input_incomplete: 0,
        rules_unknown: 0,
        not_run: 0,
        worst: vec![Offender {
            record: record(11, NetUid(1)),
            deviations: vec![Deviation {
                field: "incentive".into(),
                correlation: Some(0.5),
                rank_correlation: None,
            }],
        }],
        chains: vec![VerificationChain {
            netuid: NetUid(1),
            mechanism: MechId(0),
            records: WIDE,
            hash: H256([8; 32]),
        }],
        newest: (!empty).then(|| record(20, NetUid(1))),
    }
}
