//! What made a number, what changed it, what would have, and who copies whom: entry points.

mod copying;
mod difference;
mod explanation;
pub(super) mod fixed;
mod patch;
mod simulation;

use async_graphql::{Context, Object};
use chain_metadata::{MechId, NetUid, Uid};

use super::as_of;
use super::cost;
use super::error::{ApiError, Res};
use super::scalars::Account;
use crate::loaders::loaders;
use crate::ports::{Asked, CopyingWanted, DiffWanted, EpochKey, Reader};
pub(crate) use copying::DEFAULT_RELATIONS;
use copying::WeightCopying;
use difference::{DiffField, IncentiveDiff};
use explanation::EpochExplanation;
use patch::SimulationPatch;
use simulation::Simulation;

/// Entry points about what made a number, what changed it, and what would have.
#[derive(Default)]
pub(crate) struct WhatIf;

/// Epochs asked for when nothing is said.
const DEFAULT_HORIZON: u32 = 1;
/// The greatest lag when nothing is said, in epochs.
pub(crate) const DEFAULT_LAG: u32 = 8;

/// Asks the port; a refusal becomes the field's error.
async fn ask<T: Send + 'static>(
    ctx: &Context<'_>,
    name: &'static str,
    read: impl FnOnce(&dyn Reader) -> Asked<T> + Send + 'static,
) -> Res<T> {
    let answer = loaders(ctx)?.reads.run(name, read).await?;
    answer.map_err(ApiError::from)
}

/// The key of an epoch in a stored block.
async fn key(ctx: &Context<'_>, netuid: u16, mechanism: u8, block: u32) -> Res<EpochKey> {
    Ok(EpochKey {
        netuid: NetUid(netuid),
        mechanism: MechId(mechanism),
        block: as_of::stored(loaders(ctx)?, block).await?,
    })
}

#[Object(name = "WhatIfQuery")]
impl WhatIf {
    /// How one neuron's numbers of an epoch came about: what each validator said of it, which mask
    /// removed what, where the median fell and who decided it, the bonds before and after, and what
    /// they brought. The epoch is computed again. Null only together with an error: NOT_FOUND says
    /// that no epoch ran in the block, that the uid does not exist, or which input is not known.
    #[graphql(complexity = "cost::epoch(child_complexity)")]
    async fn explain_epoch(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Height of the block in which the epoch ran.")] block: u32,
        #[graphql(desc = "Number of the neuron in the subnet.")] uid: u16,
    ) -> Res<Option<EpochExplanation>> {
        let key = key(ctx, netuid, mechanism, block).await?;
        let read = ask(ctx, "explain_epoch", move |reader| {
            reader.explain_epoch(key, Uid(uid))
        });
        Ok(Some(EpochExplanation(read.await?)))
    }

    /// What changed a hotkey's incentive or dividends from one epoch (A) to another (B): terms whose
    /// changes add up to the difference exactly. A walk goes from A to B, replaces one input after
    /// the other by that of B and computes the epoch anew each time; how much a step is found to do
    /// depends on those before it, so their order is fixed:
    /// RULES; HYPERPARAMETER, one by one; DEPARTURE of hotkeys that are in A only; ARRIVAL of those
    /// in B only; CLOCK (activity, and masks by block); PERMITS; OWNER; STAKE of each hotkey that
    /// differs; WEIGHTS of each validator that differ; BONDS before the epoch, for dividends only;
    /// NUMBERING (other uids for the same hotkeys, nearly always nothing). Within a kind the
    /// hotkeys with the most stake come first; those beyond `detail` share one term without a
    /// hotkey. Only inputs that differ have a term. Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::epoch(child_complexity) + cost::WHAT_IF")]
    async fn incentive_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "The hotkey, which has a uid in one of the epochs at least.")]
        hotkey: Account,
        #[graphql(desc = "Height of the block in which epoch A ran.")] from_block: u32,
        #[graphql(desc = "Height of the block in which epoch B ran.")] to_block: u32,
        #[graphql(desc = "Which number.", default_with = "DiffField::Incentive")] field: DiffField,
        #[graphql(
            desc = "How many hotkeys of a kind get a term of their own, 0 to 256; 16 without it."
        )]
        detail: Option<u16>,
    ) -> Res<Option<IncentiveDiff>> {
        let from = key(ctx, netuid, mechanism, from_block).await?;
        let to = key(ctx, netuid, mechanism, to_block).await?;
        let wanted = DiffWanted {
            netuid: from.netuid,
            mechanism: from.mechanism,
            hotkey: hotkey.0,
            from: from.block,
            to: to.block,
            measure: field.into(),
            detail: detail.map(usize::from),
        };
        let read = ask(ctx, "incentive_diff", move |reader| {
            reader.incentive_diff(&wanted)
        });
        let found = read.await?;
        Ok(Some(IncentiveDiff { wanted, found }))
    }

    /// Epochs with and without a patch, from a stored one on. Later epochs have the inputs that are
    /// stored, as far as they are; after those each follows from the one before, with the same
    /// stakes, weights, hyperparameters and emission. Bonds and permits are carried on from epoch to
    /// epoch on either side. The same question has the same answer and the same permalink on every
    /// machine. What the outcome would change in the world is not modelled: emission does not become
    /// stake, and nobody reacts. A patch that cannot be is BAD_INPUT, too much work LIMIT_EXCEEDED.
    /// Complexity before it is computed counts a neuron an epoch; when their number is known, the
    /// values that are really given out are held to the same limit. Null only together with an error.
    #[graphql(complexity = "cost::simulation(horizon, child_complexity)")]
    async fn simulate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Height of the block in which the first epoch ran.")] block: u32,
        #[graphql(
            desc = "How many epochs, from 1 on; with the longest delay of a copy 360 at most.",
            default_with = "DEFAULT_HORIZON"
        )]
        horizon: u32,
        #[graphql(desc = "What is different.")] patch: SimulationPatch,
    ) -> Res<Option<Simulation>> {
        let key = key(ctx, netuid, mechanism, block).await?;
        let patch = patch.into();
        let read = ask(ctx, "simulate", move |reader| {
            reader.simulate(key, horizon, &patch)
        });
        Ok(Some(Simulation(read.await?)))
    }

    /// Who sets weights that others had before, in the blocks of a range: a statistic over the rows of
    /// the weight matrix and the ledger of commits, with steps of one epoch. A row is decided when
    /// it is set, or when what it was revealed from was committed; others can read it when it is
    /// set. Each change of a validator's row is compared with what every other one had shown right
    /// before, and so many epochs before. Validators that run the same code on the same data look
    /// like exact copies of whoever is first. Null only together with an error.
    #[graphql(complexity = "cost::epoch(child_complexity) + cost::WHAT_IF")]
    async fn weight_copying(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Lowest height.")] from: u32,
        #[graphql(desc = "Highest height.")] to: u32,
        #[graphql(
            desc = "The greatest lag, in epochs, 0 to 1000.",
            default_with = "DEFAULT_LAG"
        )]
        max_lag: u32,
    ) -> Res<Option<WeightCopying>> {
        let (first, last) = (
            key(ctx, netuid, mechanism, from).await?,
            key(ctx, netuid, mechanism, to).await?,
        );
        let wanted = CopyingWanted {
            netuid: first.netuid,
            mechanism: first.mechanism,
            from: first.block,
            to: last.block,
            max_lag,
        };
        let read = ask(ctx, "weight_copying", move |reader| {
            reader.weight_copying(&wanted)
        });
        Ok(Some(WeightCopying(read.await?)))
    }
}
