//! Every epoch computed again and compared with what the chain stored, to the last bit.
//!
//! [`inputs`] takes from the store what the epoch read, [`judge`] computes and compares, [`verify`]
//! does both; [`follow`] does so for every epoch of a store and keeps the [`Record`]s. [`locate`]
//! finds the stage at which two sets of inputs part.
//!
//! Where the store has the likeliest value of an input but no proof, the epoch is computed with it
//! and the reason kept as a doubt. Results that are the chain's to the last bit settle a doubt;
//! otherwise the verdict is not "differs" but names what is missing. The same holds for rules newer
//! than any that were read: results that differ are then `RULES_UNKNOWN`.

pub mod compare;
pub mod digest;
pub mod follow;
pub mod limits;
pub mod locate;
pub mod record;

mod commits;
mod emission;
mod inputs;
mod reads;
mod stake;

use chain_metadata::{BlockNumber, MechId, NetUid};
use scoring::fixed::I32F32;
use scoring::yuma::mechanism::{Joined, join, split_emission};
use scoring::yuma::{
    EpochInputs, EpochOutputs, Knowledge, Observer, Scratch, Stage, epoch_observed,
};

use crate::store::{Store, StoreError};
use crate::view;
use compare::{Field, Numbers, Touched, Values};
use emission::{amount_of, fitting};
use reads::missing;

pub use emission::Drained;
pub use inputs::{Assembled, forecast, inputs};
pub use reads::Gap;
pub use record::{Record, Verdict, chained, chained_to};

/// A record with the vectors that it compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The outcome.
    pub record: Record,
    /// What was computed; empty without complete inputs.
    pub computed: Values,
    /// What the chain stored.
    pub stored: Values,
}

/// Computes the epochs of a subnet in a block again, one for each mechanism, and compares.
///
/// A block in which no epoch of the subnet ran has none.
///
/// # Errors
/// Only when the store's engine fails; what is damaged or missing is in the verdict.
pub fn verify(
    store: &Store,
    netuid: NetUid,
    block: BlockNumber,
) -> Result<Vec<Verified>, StoreError> {
    if store.epoch_from(netuid.0, block, block)?.is_none() {
        return Ok(Vec::new());
    }
    let spec = match store.block(block)? {
        Some(row) => row.spec,
        None => 0,
    };
    match inputs(store, netuid, block).and_then(|assembled| judge(store, &assembled)) {
        Ok(verified) => Ok(verified),
        Err(gap) => {
            let verdict = match gap {
                Gap::Store(error) => return Err(error),
                Gap::Missing(what) => Verdict::InputIncomplete(what),
                Gap::Rules(what) => Verdict::RulesUnknown(what),
                Gap::NotRun(why) => Verdict::NotRun(why),
            };
            Ok(vec![Verified {
                record: Record::without(netuid, MechId(0), block, spec, verdict),
                computed: Values::default(),
                stored: Values::default(),
            }])
        }
    }
}

/// Computes and compares with given inputs.
///
/// # Errors
/// [`Gap`]: what is missing of the results, or why nothing can be computed.
pub fn judge(store: &Store, epoch: &Assembled) -> Result<Vec<Verified>, Gap> {
    let around = inputs::around(store, epoch.block)?;
    let touched = compare::touched(store, &around, epoch)?;
    let mut sides = Vec::with_capacity(epoch.mechanisms.len());
    for mechanism in (0..).take(epoch.mechanisms.len()).map(MechId) {
        sides.push(compare::stored(store, &around, epoch, mechanism)?);
    }
    let computed = compute(epoch, &sides, &touched)?;
    let mut verified = Vec::with_capacity(sides.len());
    let runs = epoch.mechanisms.iter().zip(&computed.outputs).zip(sides);
    for (mechanism, ((inputs, outputs), mut stored)) in (0..).map(MechId).zip(runs) {
        let before = compare::bonds(store, &around.before, epoch, mechanism)?;
        let mut values = of_mechanism(outputs, before);
        if mechanism.0 == 0 {
            whole(&computed.joined, &mut values);
        }
        let fields = compare::compare(&values, &stored, &touched);
        let first = compare::first(&fields);
        let mut record = Record {
            knowledge: Some(epoch.knowledge),
            first,
            replaced: touched.replaced.iter().copied().collect(),
            drained: computed.drained,
            inputs: Some(digest::inputs(&EpochInputs {
                emission: computed.drained,
                ..inputs.clone()
            })),
            results: Some(digest::results(outputs)),
            ..Record::without(
                epoch.netuid,
                mechanism,
                epoch.block,
                inputs.rules.spec,
                verdict(epoch, &computed.doubts, first.is_some()),
            )
        };
        record.fields = fields;
        if mechanism.0 == 0
            && let Some(why) = &computed.unknown
            && stored.vectors.contains_key(&Field::Emission)
        {
            record.unknown.push((Field::Emission, why.clone()));
        }
        stored
            .vectors
            .retain(|field, _| values.vectors.contains_key(field) || *field == Field::Emission);
        verified.push(Verified {
            record,
            computed: values,
            stored,
        });
    }
    Ok(verified)
}

fn verdict(epoch: &Assembled, doubts: &[String], differs: bool) -> Verdict {
    if !differs {
        return Verdict::Exact;
    }
    let doubts: Vec<&str> = epoch
        .doubts
        .iter()
        .chain(doubts)
        .map(String::as_str)
        .collect();
    if !doubts.is_empty() {
        return Verdict::InputIncomplete(doubts.join("; "));
    }
    match epoch.knowledge {
        Knowledge::Unchecked => Verdict::RulesUnknown(format!(
            "computed by the rules of spec {}, the newest that were read in part",
            scoring::yuma::YumaRules::CHECKED_PARTLY
        )),
        Knowledge::Partly | Knowledge::Fully => Verdict::Differs,
    }
}

/// The results of all mechanisms.
struct Computed {
    outputs: Vec<EpochOutputs>,
    joined: Joined,
    /// The amount that was distributed, as far as it is known.
    drained: Option<u64>,
    /// Why the amounts are not known.
    unknown: Option<String>,
    doubts: Vec<String>,
}

/// Keeps the shares of the emission.
#[derive(Default)]
struct Shares(Vec<I32F32>);

impl Observer for Shares {
    fn see(&mut self, stage: Stage<'_>) {
        if let Stage::Emission { combined, .. } = stage {
            self.0 = combined.to_vec();
        }
    }
}

fn compute(epoch: &Assembled, stored: &[Values], touched: &Touched) -> Result<Computed, Gap> {
    let mut scratch = Scratch::default();
    let mut run = |inputs: &EpochInputs<'_>| -> Result<(EpochOutputs, Shares), Gap> {
        let mut shares = Shares::default();
        let outputs = epoch_observed(inputs, &mut scratch, &mut shares);
        match outputs {
            Ok(outputs) => Ok((outputs, shares)),
            Err(e) => missing(e.to_string()),
        }
    };
    let several = epoch.mechanisms.len() > 1;
    let (amount, unknown) = match &epoch.drained {
        Drained::Unknown(why) => (None, Some(why.clone())),
        Drained::Between(low, high) if low == high => (Some(*high), None),
        Drained::Between(..) if several => (
            None,
            Some("the drained amount is bounded only, and several mechanisms share it".to_owned()),
        ),
        Drained::Between(_, high) => (Some(*high), None),
    };
    let mut computed = Computed {
        outputs: Vec::with_capacity(epoch.mechanisms.len()),
        joined: Joined::default(),
        drained: amount,
        unknown,
        doubts: Vec::new(),
    };
    // Without an amount the weights of the mechanisms are those of a great one.
    let whole = amount.unwrap_or(match epoch.drained {
        Drained::Between(_, high) => high,
        Drained::Unknown(_) => 1 << 50,
    });
    if several && amount.is_none() {
        computed
            .doubts
            .push("the drained amount, which rounds the weights of the mechanisms".into());
    }
    let count = u8::try_from(epoch.mechanisms.len()).unwrap_or(u8::MAX);
    let parts = split_emission(whole, count, epoch.split.as_deref());
    for (inputs, part) in epoch.mechanisms.iter().zip(&parts) {
        let inputs = EpochInputs {
            emission: amount.map(|_| *part),
            ..inputs.clone()
        };
        let (mut outputs, shares) = run(&inputs)?;
        if let (Drained::Between(low, high), Some(emission), false) =
            (&epoch.drained, &mut outputs.emission, several)
            && low < high
        {
            let stored = stored
                .first()
                .and_then(|side| side.vectors.get(&Field::Emission));
            let stored = compared(stored, touched);
            if let Some(found) = fitting((*low, *high), &shares.0, &stored) {
                let amounts = shares.0.iter().map(|share| amount_of(*share, found));
                emission.combined = amounts.collect();
                computed.drained = Some(found);
            }
        }
        computed.outputs.push(outputs);
    }
    match join(&computed.outputs, &parts, whole) {
        Ok(joined) => computed.joined = joined,
        Err(e) => return missing(e.to_string()),
    }
    if let (1, Some(emission)) = (
        computed.outputs.len(),
        computed.outputs.first().and_then(|o| o.emission.as_ref()),
    ) {
        computed.joined.emission = Some(emission.combined.clone());
    }
    Ok(computed)
}

/// A stored vector without the uids that are not compared.
fn compared(stored: Option<&Numbers>, touched: &Touched) -> Numbers {
    let mut stored = stored.cloned().unwrap_or_default();
    for uid in &touched.replaced {
        if let Some(value) = stored.get_mut(usize::from(*uid)) {
            *value = None;
        }
    }
    stored
}

fn numbers<T: Copy + Into<u64>>(values: &[T]) -> Numbers {
    values.iter().map(|value| Some((*value).into())).collect()
}

/// Incentive and bonds; `before` are the rows that the epoch leaves where it writes none.
fn of_mechanism(outputs: &EpochOutputs, before: Vec<compare::Pairs>) -> Values {
    let mut values = Values::default();
    let incentive = numbers(&outputs.incentive);
    values.vectors.insert(Field::Incentive, incentive);
    values.bonds = before
        .into_iter()
        .zip(outputs.bonds.iter())
        .map(|(before, row)| row.map_or(before, <[_]>::to_vec))
        .collect();
    values
}

/// The fields of the subnet as a whole.
fn whole(joined: &Joined, values: &mut Values) {
    let mut put = |field, numbers: Option<Numbers>| {
        if let Some(numbers) = numbers {
            values.vectors.insert(field, numbers);
        }
    };
    let shares = |of: &Option<Vec<u16>>| of.as_deref().map(numbers);
    put(Field::Active, Some(numbers(&joined.active)));
    put(Field::StakeWeight, shares(&joined.stake_weight));
    put(Field::Permits, Some(numbers(&joined.validator_permit)));
    put(Field::Consensus, Some(numbers(&joined.consensus)));
    put(
        Field::ValidatorTrust,
        Some(numbers(&joined.validator_trust)),
    );
    put(Field::Rank, shares(&joined.rank));
    put(Field::Trust, shares(&joined.trust));
    put(Field::Dividends, Some(numbers(&joined.dividends)));
    put(Field::Emission, joined.emission.as_deref().map(numbers));
    put(Field::Pruning, shares(&joined.pruning_scores));
}

/// Spec version of a stored block.
fn spec_of(store: &Store, block: BlockNumber) -> Result<u32, StoreError> {
    Ok(view::at(store, block)?.map_or(0, |at| at.row.spec))
}
