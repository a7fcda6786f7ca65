//! Epochs of a small subnet, computed by `scoring` itself.

use chain_metadata::{AccountId, BlockNumber, H256, Uid};
use graphql::ReadError;
use graphql::ports::*;
use scoring::copying::{Publication, copying};
use scoring::diff::{Epoch, Options, diff};
use scoring::fixed::I64F64;
use scoring::simulate::{Patch, SimulateError, Timeline, simulate};
use scoring::yuma::{EpochInputs, Row, YumaRules};

use super::Fake;

/// Four neurons: two validators with 3 and 1 of the stake, of which the first owns up to more of
/// miner 2 in even blocks, and a third without a permit.
fn inputs(block: BlockNumber) -> EpochInputs<'static> {
    let rules = YumaRules::for_spec(425).unwrap();
    let block = u64::from(block) * 100;
    let first = if block.is_multiple_of(200) { 3 } else { 1 };
    EpochInputs {
        rules,
        params: rules.defaults().params,
        block,
        n: 4,
        last_update: vec![block - 10; 4].into(),
        block_at_registration: vec![1, 2, 3, 4].into(),
        last_step_block: block - 100,
        total_stake: [3, 1, 1, 0]
            .map(I64F64::saturating_from_u64)
            .to_vec()
            .into(),
        owner_uid: None,
        validator_permit: vec![true, true, false, false].into(),
        weights: vec![
            Row::owned(0, vec![(2, first), (3, 1)]),
            Row::owned(1, vec![(1, 5), (2, 9), (3, 9)]),
            Row::owned(2, vec![(3, 7)]),
        ],
        bonds: vec![Row::owned(0, vec![(2, 65_535)])],
        commit_blocks: vec![].into(),
        emission: Some(1_000_000_000),
    }
}

fn refused(block: BlockNumber, netuid: u16) -> Option<Refused> {
    match netuid {
        1 => None,
        2 => Some(Refused::NotFound("block 9 is not stored".into())),
        3 => Some(Refused::Limit {
            limit: "cost",
            measured: 12,
            allowed: 10,
            text: "the cost is 12, but at most 10 is allowed".into(),
        }),
        _ => Some(Refused::NotFound(format!("no epoch ran in block {block}"))),
    }
}

impl WhatIfs for Fake {
    fn explain_epoch(&self, epoch: EpochKey, uid: Uid) -> Asked<Explained> {
        self.count("explain_epoch");
        if let Some(refused) = refused(epoch.block, epoch.netuid.0) {
            return Ok(Err(refused));
        }
        Ok(
            match scoring::explain::explain(&inputs(epoch.block), uid.0) {
                Ok(explanation) => Ok(Explained {
                    spec_version: 425,
                    explanation,
                    doubts: vec!["the weather".into()],
                }),
                Err(error) => Err(Refused::NotFound(error.to_string())),
            },
        )
    }

    fn incentive_diff(&self, wanted: &DiffWanted) -> Asked<EpochDiff> {
        self.count("incentive_diff");
        if let Some(refused) = refused(wanted.from, wanted.netuid.0) {
            return Ok(Err(refused));
        }
        let hotkeys = [0, 1, 2, 3];
        let (a, b) = (inputs(wanted.from), inputs(wanted.to));
        let [a, b] = [&a, &b].map(|inputs| Epoch {
            inputs,
            hotkeys: &hotkeys,
        });
        let options = Options {
            measure: wanted.measure,
            detail: wanted.detail.unwrap_or(16),
        };
        let number = u32::from(wanted.hotkey.0[0]);
        Ok(match diff(&a, &b, number, &options) {
            Ok(diff) => Ok(EpochDiff {
                diff,
                hotkeys: (0..4).map(|n| Some(AccountId([n; 32]))).collect(),
                doubts: vec![],
            }),
            Err(error) => Err(Refused::NotFound(error.to_string())),
        })
    }

    fn simulate(&self, epoch: EpochKey, horizon: u32, patch: &Patch) -> Asked<Simulation> {
        self.count("simulate");
        if let Some(refused) = refused(epoch.block, epoch.netuid.0) {
            return Ok(Err(refused));
        }
        let epochs = [inputs(epoch.block), inputs(epoch.block + 1)];
        let timeline = Timeline {
            past_weights: &[],
            epochs: &epochs,
        };
        let simulated: Result<_, SimulateError> = simulate(&timeline, horizon, patch);
        Ok(match simulated {
            Ok(epochs) => Ok(Simulation {
                epochs,
                permalink: H256([3; 32]),
                inputs_hash: H256([4; 32]),
                cost: super::WIDE,
                cost_limit: super::WIDE + 1,
                notes: vec!["a note".into()],
            }),
            Err(error) => Err(Refused::BadInput(error.to_string())),
        })
    }

    fn weight_copying(&self, wanted: &CopyingWanted) -> Asked<WeightCopying> {
        self.count("weight_copying");
        if let Some(refused) = refused(wanted.from, wanted.netuid.0) {
            return Ok(Err(refused));
        }
        // Validator 1 sets a block later what validator 0 has set.
        let steps: Vec<BlockNumber> = (wanted.from..=wanted.to).collect();
        let row = |step: BlockNumber| -> Vec<(u16, u16)> {
            let weight = |uid: u16| u32::from(uid).wrapping_mul(step * step + 7) % 97;
            (0..16)
                .map(|uid| (uid, u16::try_from(weight(uid)).unwrap() + 1))
                .collect()
        };
        let rows: Vec<_> = steps
            .iter()
            .flat_map(|step| [(0, *step, row(*step)), (1, *step, row(*step - 1))])
            .collect();
        let publications: Vec<_> = rows
            .iter()
            .map(|(validator, step, row)| Publication {
                validator: *validator,
                decided: u64::from(*step),
                visible: u64::from(*step),
                row,
            })
            .collect();
        let blocks: Vec<u64> = steps.iter().copied().map(u64::from).collect();
        Ok(Ok(WeightCopying {
            followers: copying(&publications, &blocks, wanted.max_lag)
                .map_err(|error| ReadError::Store(error.to_string()))?,
            hotkeys: vec![AccountId([0; 32]), AccountId([1; 32])],
            steps,
        }))
    }
}
