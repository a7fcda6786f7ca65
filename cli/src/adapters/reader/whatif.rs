//! Explanations, differences, simulations and copying, as the window asks for them.

use chain_metadata::{H256, Uid};
use graphql::ports::{self, Asked, Refused, WhatIfs};
use indexer::whatif::{self, WhatIfError, copying, difference, simulation};
use scoring::simulate::Patch;

use super::{StoreReader, read_error};

/// An answer, or why there is none.
pub(super) fn asked<T, U>(answer: Result<T, WhatIfError>, shown: impl FnOnce(T) -> U) -> Asked<U> {
    Ok(Err(match answer {
        Ok(answer) => return Ok(Ok(shown(answer))),
        Err(WhatIfError::Store(error)) => return Err(read_error(error)),
        Err(WhatIfError::NotFound(text)) => Refused::NotFound(text),
        Err(WhatIfError::BadInput(text)) => Refused::BadInput(text),
        Err(
            ref error @ WhatIfError::Limit {
                limit,
                measured,
                allowed,
                ..
            },
        ) => Refused::Limit {
            limit,
            measured,
            allowed,
            text: error.to_string(),
        },
    }))
}

fn key(epoch: ports::EpochKey) -> whatif::Key {
    whatif::Key {
        netuid: epoch.netuid,
        mechanism: epoch.mechanism,
        block: epoch.block,
    }
}

impl WhatIfs for StoreReader {
    fn explain_epoch(&self, epoch: ports::EpochKey, uid: Uid) -> Asked<ports::Explained> {
        let explained = whatif::explain(self.base(), key(epoch), uid.0);
        asked(explained, |explained| ports::Explained {
            spec_version: explained.spec,
            explanation: explained.explanation,
            doubts: explained.doubts,
        })
    }

    fn incentive_diff(&self, wanted: &ports::DiffWanted) -> Asked<ports::EpochDiff> {
        let wanted = difference::Wanted {
            netuid: wanted.netuid,
            mechanism: wanted.mechanism,
            hotkey: wanted.hotkey,
            from: wanted.from,
            to: wanted.to,
            measure: wanted.measure,
            detail: wanted.detail.unwrap_or(difference::DEFAULT_DETAIL),
        };
        let found = difference::difference(self.base(), &wanted);
        asked(found, |found| ports::EpochDiff {
            diff: found.diff,
            hotkeys: found.hotkeys,
            doubts: found.doubts,
        })
    }

    fn simulate(
        &self,
        epoch: ports::EpochKey,
        horizon: u32,
        patch: &Patch,
    ) -> Asked<ports::Simulation> {
        let simulated = simulation::simulation(self.base(), key(epoch), horizon, patch);
        asked(simulated, |simulated| ports::Simulation {
            epochs: simulated.epochs,
            permalink: H256(simulated.permalink),
            inputs_hash: H256(simulated.inputs),
            cost: simulated.cost,
            cost_limit: whatif::MAX_COST,
            notes: simulated.notes,
        })
    }

    fn weight_copying(&self, wanted: &ports::CopyingWanted) -> Asked<ports::WeightCopying> {
        let wanted = copying::Wanted {
            netuid: wanted.netuid,
            mechanism: wanted.mechanism,
            from: wanted.from,
            to: wanted.to,
            max_lag: wanted.max_lag,
        };
        // Who held a uid is told by tenancies.
        self.settled(wanted.to)?;
        let found = copying::weight_copying(self.base(), &wanted);
        asked(found, |found| ports::WeightCopying {
            followers: found.followers,
            hotkeys: found.hotkeys,
            steps: found.steps,
        })
    }
}
