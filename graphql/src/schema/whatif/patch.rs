//! What is to be different in a simulation, as asked for.

use async_graphql::InputObject;
use scoring::simulate::{CopyWeights, Patch};
use scoring::yuma::Row;

use crate::schema::scalars::U64;

/// What is different in a simulation, in every epoch of it. Nothing when empty. Uids are those of
/// the subnet, whoever holds them; each may be named once in a part.
#[derive(InputObject)]
pub(crate) struct SimulationPatch {
    /// Rows of weights in place of the stored ones; they count as set in the block before the epoch.
    #[graphql(default)]
    weights: Vec<PatchRow>,
    /// Total stake weights in place of the chain's.
    #[graphql(default)]
    stakes: Vec<PatchStake>,
    /// `Kappa`, of 65535.
    kappa: Option<u16>,
    /// `BondsPenalty`, of 65535.
    bonds_penalty: Option<u16>,
    /// `BondsMovingAverage`, of 1000000.
    moving_average: Option<U64>,
    /// `Yuma3On`.
    yuma3: Option<bool>,
    /// `LiquidAlphaOn`.
    liquid_alpha: Option<bool>,
    /// The low one of `AlphaValues`, of 65535.
    alpha_low: Option<u16>,
    /// The high one of `AlphaValues`, of 65535.
    alpha_high: Option<u16>,
    /// `AlphaSigmoidSteepness`, an integer as the chain stores it.
    alpha_sigmoid_steepness: Option<i32>,
    /// Validators that are not there: no stake, permit, weights and bonds.
    #[graphql(default)]
    remove: Vec<u16>,
    /// Validators that set what another one had before.
    #[graphql(default)]
    copy: Vec<PatchCopy>,
}

/// A row of weights.
#[derive(InputObject)]
struct PatchRow {
    /// Number of the validator's neuron.
    uid: u16,
    /// Its weights, as the chain stores them; none to set no weights.
    entries: Vec<PatchWeight>,
}

/// A weight.
#[derive(InputObject)]
struct PatchWeight {
    /// Number of the miner's neuron.
    uid: u16,
    /// The weight, of 65535.
    weight: u16,
}

/// A stake.
#[derive(InputObject)]
struct PatchStake {
    /// The neuron.
    uid: u16,
    /// Its total stake weight in rao, below 2^63.
    rao: U64,
}

/// A validator that copies another.
#[derive(InputObject)]
struct PatchCopy {
    /// Number of the neuron that copies.
    uid: u16,
    /// Number of the neuron that is copied.
    from: u16,
    /// How many epochs the copy is behind; 0 for the same epoch.
    #[graphql(default)]
    delay: u32,
}

impl From<SimulationPatch> for Patch {
    fn from(patch: SimulationPatch) -> Self {
        let row = |row: PatchRow| {
            let entries = row.entries.iter().map(|entry| (entry.uid, entry.weight));
            Row::owned(row.uid, entries.collect())
        };
        let stakes = patch.stakes.iter().map(|stake| (stake.uid, stake.rao.0));
        let copies = patch.copy.iter().map(|copy| CopyWeights {
            copier: copy.uid,
            source: copy.from,
            delay: copy.delay,
        });
        Self {
            stakes: stakes.collect(),
            copies: copies.collect(),
            weights: patch.weights.into_iter().map(row).collect(),
            kappa: patch.kappa,
            bonds_penalty: patch.bonds_penalty,
            bonds_moving_average: patch.moving_average.map(|value| value.0),
            yuma3: patch.yuma3,
            liquid_alpha: patch.liquid_alpha,
            alpha_low: patch.alpha_low,
            alpha_high: patch.alpha_high,
            alpha_sigmoid_steepness: patch.alpha_sigmoid_steepness,
            removed: patch.remove,
        }
    }
}
