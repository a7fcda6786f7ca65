//! Computed against stored, integer by integer. Nothing is scaled before it is compared.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{Event, MechId, Phase, Value, storage_index};
use parity_scale_codec::{Decode, Encode};

use super::inputs::{Around, Assembled};
use super::reads::{Gap, State, missing};
use crate::commits::COMMITMENTS;
use crate::items::PALLET;
use crate::store::Store;
use crate::view;

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $byte:literal, $name:literal, $entry:literal, $stage:literal;)*) => {
        /// A vector or matrix that an epoch stores, in the order of the stages that make them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $($(#[$doc])* $field),* }

        impl Field {
            /// All of them, in the order of their stages.
            pub const ALL: &[Field] = &[$(Field::$field),*];

            /// Its byte on disk; never used again for another field.
            pub fn byte(self) -> u8 {
                match self { $(Field::$field => $byte),* }
            }

            /// The field of a byte.
            pub fn of_byte(byte: u8) -> Option<Field> {
                match byte { $($byte => Some(Field::$field),)* _ => None }
            }

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Field::$field => $name),* }
            }

            /// The storage entry that holds it.
            pub fn entry(self) -> &'static str {
                match self { $(Field::$field => $entry),* }
            }

            /// The stage of the epoch that makes it.
            pub fn stage(self) -> &'static str {
                match self { $(Field::$field => $stage),* }
            }
        }
    };
}

fields! {
    /// Who was not silent too long.
    Active = 0, "active", "Active", "activity";
    /// Normalised stake.
    StakeWeight = 1, "stake_weight", "StakeWeight", "stake";
    /// Validator permits for the next epoch.
    Permits = 2, "permits", "ValidatorPermit", "permits";
    /// Stake-weighted medians.
    Consensus = 3, "consensus", "Consensus", "consensus";
    /// Sums of the clipped rows.
    ValidatorTrust = 4, "validator_trust", "ValidatorTrust", "clipping";
    /// Normalised ranks.
    Rank = 5, "rank", "Rank", "ranks";
    /// What the clipping left of the ranks.
    Trust = 6, "trust", "Trust", "ranks";
    /// Shares of the miners, of one mechanism.
    Incentive = 7, "incentive", "Incentive", "ranks";
    /// Bonds, of one mechanism.
    Bonds = 8, "bonds", "Bonds", "bonds";
    /// Shares of the validators.
    Dividends = 9, "dividends", "Dividends", "dividends";
    /// Amounts.
    Emission = 10, "emission", "Emission", "emission";
    /// Scores by which uids are replaced.
    Pruning = 11, "pruning", "PruningScores", "emission";
}

impl Field {
    /// Whether each mechanism stores its own; the others are of the subnet as a whole.
    pub fn of_mechanism(self) -> bool {
        matches!(self, Field::Incentive | Field::Bonds)
    }
}

/// One number per uid; none where nothing is stored for it. Flags are 0 and 1.
pub type Numbers = Vec<Option<u64>>;

/// A matrix row: pairs of a uid and a value in their order.
pub type Pairs = Vec<(u16, u16)>;

/// Vectors by field, and rows of bonds by uid (none: the epoch leaves what was stored).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// All fields but the bonds; a field that is not there is not stored or not known.
    pub vectors: BTreeMap<Field, Numbers>,
    /// `Bonds`.
    pub bonds: Vec<Pairs>,
}

/// How a field compares.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Difference {
    /// [`Field::byte`].
    pub field: u8,
    /// Entries compared.
    pub compared: u32,
    /// Entries that differ.
    pub differing: u32,
    /// The greatest difference, in raw units.
    pub max_abs_diff: u64,
    /// The lowest uid with a difference; of bonds, the validator's.
    pub first_uid: Option<u16>,
}

/// What an extrinsic of the same block changed after the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Uids that were given to somebody else: their values are not compared.
    pub replaced: BTreeSet<u16>,
    /// Uids whose column of bonds was taken away: it is not compared.
    pub unbonded: BTreeSet<u16>,
}

/// What the block's extrinsics changed of the epoch's results.
pub(super) fn touched(store: &Store, around: &Around, epoch: &Assembled) -> Result<Touched, Gap> {
    let netuid = epoch.netuid.0;
    let after = State {
        store,
        at: &around.after,
    };
    let n = epoch.hotkeys.len();
    let now = after.number("SubnetworkN", netuid)?.unwrap_or(0);
    if usize::try_from(now).is_ok_and(|now| now < n) {
        return missing(format!(
            "the results: uids were taken away in block {} after the epoch",
            around.after.number
        ));
    }
    let called = |event: &&Event| matches!(event.phase, Phase::ApplyExtrinsic(_));
    let ours = |event: &&Event| event.field_or("netuid", 0).and_then(Value::as_u16) == Some(netuid);
    let mut touched = Touched::default();
    for event in around.events.iter().filter(called).filter(ours) {
        if event.is(PALLET, "NeuronRegistered") {
            let uid = event.field_or("uid", 1).and_then(Value::as_u16);
            touched
                .replaced
                .extend(uid.filter(|uid| usize::from(*uid) < n));
        }
    }
    let resets = after
        .read("BondsResetOn", &[&netuid.to_le_bytes()], Value::as_bool)?
        .unwrap_or(false);
    if resets {
        for event in around.events.iter().filter(called).filter(ours) {
            let who = event.field_or("who", 1).and_then(Value::as_account);
            if &*event.pallet == COMMITMENTS && who.is_some() {
                let uids = (0_u16..).zip(&epoch.hotkeys);
                touched.unbonded.extend(
                    uids.filter(|(_, hotkey)| **hotkey == who)
                        .map(|(uid, _)| uid),
                );
            }
        }
    }
    Ok(touched)
}

/// What the chain stores at the end of the block, of one mechanism; the fields of the subnet as a
/// whole only with mechanism 0.
pub(super) fn stored(
    store: &Store,
    around: &Around,
    epoch: &Assembled,
    mechanism: MechId,
) -> Result<Values, Gap> {
    let after = State {
        store,
        at: &around.after,
    };
    let Some(index) = storage_index(epoch.netuid, mechanism) else {
        return missing(format!("the storage index of mechanism {mechanism}"));
    };
    let n = epoch.hotkeys.len();
    let mut values = Values::default();
    for field in Field::ALL.iter().copied() {
        let key = match field {
            Field::Bonds => continue,
            Field::Incentive => index,
            _ if mechanism.0 > 0 => continue,
            _ => epoch.netuid.0,
        };
        let number = |value: &Value| match value {
            Value::Bool(flag) => Some(u64::from(*flag)),
            other => other.as_u64(),
        };
        if let Some(vector) = after.vector(field.entry(), key, number)? {
            let mut vector: Numbers = vector.into_iter().map(Some).collect();
            vector.resize(n, None);
            values.vectors.insert(field, vector);
        }
    }
    values.bonds = bonds(store, &around.after, epoch, mechanism)?;
    Ok(values)
}

/// Stored rows of B by uid, empty where none is stored.
pub(super) fn bonds(
    store: &Store,
    at: &view::At,
    epoch: &Assembled,
    mechanism: MechId,
) -> Result<Vec<Pairs>, Gap> {
    let Some(rows) = view::rows(store, at, "Bonds", epoch.netuid, mechanism)? else {
        return missing(format!(
            "Bonds of mechanism {mechanism} at block {}",
            at.number
        ));
    };
    let mut bonds = vec![Pairs::new(); epoch.hotkeys.len()];
    for (uid, _, entries) in rows {
        if let Some(row) = bonds.get_mut(usize::from(uid.0)) {
            *row = entries;
        }
    }
    Ok(bonds)
}

/// Compares all fields that both sides have.
pub fn compare(computed: &Values, stored: &Values, touched: &Touched) -> Vec<Difference> {
    let mut found = Vec::new();
    for field in Field::ALL.iter().copied() {
        let tally = if field == Field::Bonds {
            bonds_tally(&computed.bonds, &stored.bonds, touched)
        } else {
            let both = computed.vectors.get(&field).zip(stored.vectors.get(&field));
            let Some((computed, stored)) = both else {
                continue;
            };
            vector_tally(computed, stored, touched)
        };
        found.push(tally.of(field));
    }
    found
}

#[derive(Default)]
struct Tally {
    compared: u32,
    differing: u32,
    greatest: u64,
    first: Option<u16>,
}

impl Tally {
    fn see(&mut self, uid: u16, differs: bool, by: u64) {
        self.compared = self.compared.saturating_add(1);
        if differs {
            self.differing = self.differing.saturating_add(1);
            self.greatest = self.greatest.max(by);
            self.first.get_or_insert(uid);
        }
    }

    fn of(self, field: Field) -> Difference {
        Difference {
            field: field.byte(),
            compared: self.compared,
            differing: self.differing,
            max_abs_diff: self.greatest,
            first_uid: self.first,
        }
    }
}

fn vector_tally(computed: &Numbers, stored: &Numbers, touched: &Touched) -> Tally {
    let mut tally = Tally::default();
    for (uid, computed) in (0_u16..).zip(computed) {
        if touched.replaced.contains(&uid) {
            continue;
        }
        let stored = stored.get(usize::from(uid)).copied().flatten();
        let by = computed.unwrap_or(0).abs_diff(stored.unwrap_or(0));
        tally.see(uid, *computed != stored, by);
    }
    tally
}

/// Entries of either side; one that is not there is zero. Rows with the same entries in another
/// order differ in one entry by nothing.
fn bonds_tally(computed: &[Pairs], stored: &[Pairs], touched: &Touched) -> Tally {
    let mut tally = Tally::default();
    for ((uid, computed), stored) in (0_u16..).zip(computed).zip(stored) {
        if touched.replaced.contains(&uid) {
            continue;
        }
        let compared = |row: &Pairs| -> Pairs {
            let kept = |(to, _): &(u16, u16)| {
                !touched.unbonded.contains(to) && !touched.replaced.contains(to)
            };
            row.iter().copied().filter(kept).collect()
        };
        let (computed, stored) = (compared(computed), compared(stored));
        let mut pairs: BTreeMap<u16, (Option<u16>, Option<u16>)> = BTreeMap::new();
        for (to, value) in &computed {
            pairs.entry(*to).or_default().0 = Some(*value);
        }
        for (to, value) in &stored {
            pairs.entry(*to).or_default().1 = Some(*value);
        }
        let mut same = true;
        for (a, b) in pairs.into_values() {
            same &= a == b;
            let by = u64::from(a.unwrap_or(0)).abs_diff(u64::from(b.unwrap_or(0)));
            tally.see(uid, a != b, by);
        }
        if same && computed != stored {
            tally.see(uid, true, 0);
        }
    }
    tally
}

/// The stage and the uid of the first difference, in the order of the stages.
pub fn first(differences: &[Difference]) -> Option<(Field, u16)> {
    Field::ALL.iter().find_map(|field| {
        let found = differences
            .iter()
            .find(|d| d.field == field.byte() && d.differing > 0)?;
        Some((*field, found.first_uid?))
    })
}
