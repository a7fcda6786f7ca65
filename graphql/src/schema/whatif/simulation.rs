//! Epochs with and without a patch, as shown.

use std::collections::BTreeSet;

use async_graphql::{Context, Object, SelectionField, SimpleObject, from_value};
use scoring::simulate::SimulatedEpoch;
use scoring::yuma::EpochOutputs;

use crate::ports;
use crate::schema::cost;
use crate::schema::error::{ApiError, Res};
use crate::schema::limits::Tally;
use crate::schema::scalars::{Hash, I128, U64};

/// A simulation as shown.
pub(crate) struct Simulation(pub(crate) ports::Simulation);

/// Epochs with and without a patch.
#[Object]
impl Simulation {
    /// BLAKE2-256 of all that the numbers depend on: subnet, mechanism, block, horizon, the patch in
    /// a canonical form and the inputs of every stored epoch that was used. The same simulation
    /// has the same one everywhere; a longer store may give it other inputs, and then another one.
    async fn permalink(&self) -> Hash {
        Hash(self.0.permalink)
    }

    /// BLAKE2-256 of the inputs of every stored epoch that was used.
    async fn inputs_hash(&self) -> Hash {
        Hash(self.0.inputs_hash)
    }

    /// Work that it was: matrix cells and vector entries read, at most.
    async fn cost(&self) -> U64 {
        U64(self.0.cost)
    }

    /// The most that is allowed.
    async fn cost_limit(&self) -> U64 {
        U64(self.0.cost_limit)
    }

    /// Where the stored epochs end, and what has no proof, in words.
    async fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// The epochs, in order.
    async fn epochs(&self, ctx: &Context<'_>) -> Res<Vec<SimulatedEpochNode<'_>>> {
        let mut values = 0_usize;
        for field in ctx.field().selection_set() {
            if field.name() != "neurons" {
                continue;
            }
            let shown = Shown::asked(&field)?;
            let of_each: usize = field.selection_set().map(size).sum();
            let epochs = self.0.epochs.iter();
            let neurons: usize = epochs.map(|epoch| shown.of(epoch).count()).sum();
            values = values.saturating_add(neurons.saturating_mul(of_each));
        }
        let advice = "ask for a shorter horizon, for fewer uids, or for fewer fields of each";
        Tally::of(ctx)?.add(values, advice)?;
        Ok(self.0.epochs.iter().map(SimulatedEpochNode).collect())
    }
}

/// Values of a field and all fields below it.
fn size(field: SelectionField<'_>) -> usize {
    field
        .selection_set()
        .map(size)
        .fold(1, usize::saturating_add)
}

/// Which neurons are shown.
struct Shown {
    changed: bool,
    uids: Option<BTreeSet<u16>>,
}

impl Shown {
    fn new(changed: bool, uids: Option<Vec<u16>>) -> Self {
        let uids = uids.map(|uids| uids.into_iter().collect());
        Self { changed, uids }
    }

    /// As the arguments of `neurons` say.
    fn asked(field: &SelectionField<'_>) -> Res<Self> {
        let arguments = field.arguments();
        let arguments = arguments.map_err(|error| ApiError::bad_input(error.message))?;
        let (mut changed, mut uids) = (true, None);
        for (name, value) in arguments {
            let told = |error| ApiError::bad_input(format!("`{name}` cannot be read: {error}"));
            match name.as_str() {
                "changed" => changed = from_value(value).map_err(told)?,
                "uids" => uids = from_value(value).map_err(told)?,
                _ => {}
            }
        }
        Ok(Self::new(changed, uids))
    }

    /// Those of an epoch, by uid.
    fn of(&self, epoch: &SimulatedEpoch) -> impl Iterator<Item = SimulatedNeuron> {
        let uids = (0..=u16::MAX).take(epoch.base.incentive.len());
        let uids = uids.filter(|uid| self.uids.as_ref().is_none_or(|uids| uids.contains(uid)));
        let neurons = uids.map(|uid| SimulatedNeuron::of(epoch, uid));
        neurons.filter(|neuron| !self.changed || neuron.is_changed())
    }
}

/// An epoch as shown.
pub(crate) struct SimulatedEpochNode<'a>(&'a SimulatedEpoch);

/// One epoch with and without the patch.
#[Object(name = "SimulatedEpoch")]
impl SimulatedEpochNode<'_> {
    /// Its number, from 0.
    async fn index(&self) -> u32 {
        self.0.index
    }

    /// Height of its block; of an epoch that is not stored the one at which it would be due.
    async fn block_number(&self) -> U64 {
        U64(self.0.block)
    }

    /// True if its inputs are those that are stored, false if they follow from the epoch before.
    async fn is_stored(&self) -> bool {
        self.0.is_given
    }

    /// True if the patch changes a number of this epoch.
    async fn is_changed(&self) -> bool {
        !self.0.delta.is_zero()
    }

    /// Numbers of the neurons that have a validator permit with the patch only.
    async fn permits_gained(&self) -> &[u16] {
        &self.0.delta.permits_gained
    }

    /// Numbers of the neurons that have a validator permit without the patch only.
    async fn permits_lost(&self) -> &[u16] {
        &self.0.delta.permits_lost
    }

    /// The numbers of each neuron, by uid.
    #[graphql(complexity = "cost::counted_later(child_complexity)")]
    async fn neurons(
        &self,
        #[graphql(
            desc = "Only those with a number that the patch changes.",
            default = true
        )]
        changed: bool,
        #[graphql(desc = "Only these; a uid that the epoch does not have is left out.")]
        uids: Option<Vec<u16>>,
    ) -> Vec<SimulatedNeuron> {
        Shown::new(changed, uids).of(self.0).collect()
    }
}

/// A neuron's numbers in one epoch.
#[derive(SimpleObject)]
pub(crate) struct SimulatedNeuron {
    /// Number of the neuron.
    uid: u16,
    /// `Incentive`.
    incentive: SimulatedShare,
    /// `Dividends` of this mechanism's epoch.
    dividends: SimulatedShare,
    /// `Consensus` of this mechanism's epoch.
    consensus: SimulatedShare,
    /// `ValidatorTrust` of this mechanism's epoch.
    validator_trust: SimulatedShare,
    /// `Emission`; null where the amount that the epoch distributes is not known.
    emission: Option<SimulatedAmount>,
    /// `ValidatorPermit` after the epoch.
    validator_permit: SimulatedFlag,
}

/// An integer of 0 to 65535, with and without the patch.
#[derive(SimpleObject)]
pub(crate) struct SimulatedShare {
    /// Without the patch.
    without: u16,
    /// With the patch.
    with: u16,
    /// With less without.
    delta: i32,
}

/// An amount in rao, with and without the patch.
#[derive(SimpleObject)]
pub(crate) struct SimulatedAmount {
    /// Without the patch.
    without: U64,
    /// With the patch.
    with: U64,
    /// With less without.
    delta: I128,
}

/// A flag, with and without the patch.
#[derive(SimpleObject)]
pub(crate) struct SimulatedFlag {
    /// Without the patch.
    without: bool,
    /// With the patch.
    with: bool,
}

impl SimulatedNeuron {
    fn of(epoch: &SimulatedEpoch, uid: u16) -> Self {
        let at = usize::from(uid);
        let share = |of: fn(&EpochOutputs) -> &[u16]| {
            let read = |side| of(side).get(at).copied().unwrap_or(0);
            let (without, with) = (read(&epoch.base), read(&epoch.patched));
            SimulatedShare {
                without,
                with,
                delta: i32::from(with) - i32::from(without),
            }
        };
        let amount = |side: &EpochOutputs| side.emission.as_ref()?.combined.get(at).copied();
        let amounts = amount(&epoch.base).zip(amount(&epoch.patched));
        let permit = |side: &EpochOutputs| side.validator_permit.get(at) == Some(&true);
        Self {
            uid,
            incentive: share(|side| &side.incentive),
            dividends: share(|side| &side.dividends),
            consensus: share(|side| &side.consensus),
            validator_trust: share(|side| &side.validator_trust),
            emission: amounts.map(|(without, with)| SimulatedAmount {
                without: U64(without),
                with: U64(with),
                delta: I128(i128::from(with) - i128::from(without)),
            }),
            validator_permit: SimulatedFlag {
                without: permit(&epoch.base),
                with: permit(&epoch.patched),
            },
        }
    }

    fn is_changed(&self) -> bool {
        let shares = [
            &self.incentive,
            &self.dividends,
            &self.consensus,
            &self.validator_trust,
        ];
        shares.iter().any(|share| share.delta != 0)
            || self
                .emission
                .as_ref()
                .is_some_and(|amount| amount.delta.0 != 0)
            || self.validator_permit.with != self.validator_permit.without
    }
}
