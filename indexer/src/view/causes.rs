//! Who changed a setting of a subnet, where it can be told: the one call of the block
//! that is known to set it.
//!
//! Nothing is guessed. Two calls that may have done it, a call whose outcome is not
//! known, a block in which a runtime migrated, or one in which something ran that is in
//! no extrinsic: then nobody is named.

use chain_metadata::{AccountId, BlockNumber, Call, Event, NetUid, Outcome, Phase, Value};

use super::{At, Body, at, events, extrinsics};
use crate::items::{Item, PALLET, Refresh};
use crate::store::{Store, StoreError};
use crate::touch::{Touched, leaves};

/// A call that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Position of the extrinsic in the block.
    pub extrinsic: u32,
    /// Where the call stands in it.
    pub path: Vec<u32>,
    /// Who signed the extrinsic; `None` when nobody did.
    pub signer: Option<AccountId>,
}

/// Calls that set an item, where the call is not named after it.
const SETTERS: &[(&str, &str)] = &[
    ("sudo_set_max_weight_limit", "MaxWeightsLimit"),
    ("sudo_set_rao_recycled", "RAORecycledForRegistration"),
    (
        "sudo_set_commit_reveal_weights_interval",
        "RevealPeriodEpochs",
    ),
    (
        "sudo_set_commit_reveal_weights_interval",
        "WeightCommitRevealInterval",
    ),
    ("sudo_set_liquid_alpha_enabled", "LiquidAlphaOn"),
    ("sudo_set_yuma3_enabled", "Yuma3On"),
    ("sudo_set_bonds_reset_enabled", "BondsResetOn"),
    ("sudo_set_toggle_transfer", "TransferToggle"),
    ("sudo_set_sn_owner_hotkey", "SubnetOwnerHotkey"),
    ("sudo_set_ema_price_halving_period", "EMAPriceHalvingBlocks"),
    ("sudo_set_mechanism_count", "MechanismCountCurrent"),
    ("sudo_set_mechanism_count", "MechanismEmissionSplit"),
    ("sudo_set_owner_immune_neuron_limit", "ImmuneOwnerUidsLimit"),
    ("sudo_set_root_claim_threshold", "RootClaimableThreshold"),
    ("set_fee_rate", "FeeRate"),
    ("start_call", "FirstEmissionBlockNumber"),
    ("start_call", "SubtokenEnabled"),
    ("start_call", "NetworkRegistrationAllowed"),
    ("start_call", "NetworkPowRegistrationAllowed"),
    ("update_symbol", "TokenSymbol"),
    ("set_subnet_identity", "SubnetIdentities"),
    ("set_subnet_identity", "SubnetIdentitiesV2"),
    ("set_subnet_identity", "SubnetIdentitiesV3"),
    ("register", "RAORecycledForRegistration"),
    ("burned_register", "RAORecycledForRegistration"),
    ("register_limit", "RAORecycledForRegistration"),
];

/// `MinAllowedWeights` as the chain's calls spell it: `min_allowed_weights`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len().saturating_add(8));
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// Whether a call of this name is known to set an item.
fn sets(name: &str, entry: &str) -> bool {
    name.strip_prefix("sudo_set_") == Some(snake(entry).as_str())
        || SETTERS.contains(&(name, entry))
}

/// Whether a call makes or dissolves a subnet.
fn is_of_networks(call: &Call) -> bool {
    let name = &*call.name;
    &*call.pallet == PALLET && name.contains("network") && !name.contains("set_")
}

/// Whether a number stands among the arguments that name subnets.
fn names_subnet(call: &Call, netuid: NetUid) -> bool {
    let (mut numbers, mut accounts) = (Vec::new(), std::collections::BTreeSet::new());
    for (name, value) in &call.args {
        if name.contains("netuid") {
            leaves(value, &mut numbers, &mut accounts);
        }
    }
    numbers.contains(&netuid.0)
}

/// A block as far as it tells who did what.
#[derive(Debug)]
struct Told {
    number: BlockNumber,
    bodies: Vec<Body>,
    events: Vec<Event>,
    /// Something may have changed settings without an extrinsic's call.
    hidden: bool,
}

impl Told {
    fn new(store: &Store, at: &At) -> Result<Told, StoreError> {
        let (bodies, events) = (extrinsics(store, at)?, events(store, at)?);
        let mut touched = Touched::default();
        events.iter().for_each(|event| touched.event(event));
        for nested in bodies.iter().flat_map(|body| &body.nested) {
            if !matches!(nested.outcome, Outcome::Failed(_) | Outcome::NotRun) {
                touched.call(&nested.call, []);
            }
        }
        let before = at.number.checked_sub(1).map(|parent| store.block(parent));
        let before = before.transpose()?.flatten();
        Ok(Told {
            number: at.number,
            bodies,
            events,
            hidden: touched.settings
                || touched.everything
                || before.is_none_or(|before| before.spec != at.row.spec),
        })
    }

    /// Whether an extrinsic made or dissolved a subnet.
    fn made_or_dissolved(&self, extrinsic: u32, netuid: NetUid) -> bool {
        self.events.iter().any(|event| {
            let first = event.fields.first().map(|(_, value)| value);
            event.phase == Phase::ApplyExtrinsic(extrinsic)
                && &*event.pallet == PALLET
                && matches!(&*event.name, "NetworkAdded" | "NetworkRemoved")
                && first.and_then(Value::as_u16) == Some(netuid.0)
        })
    }

    fn cause(&self, line: &Item, netuid: NetUid) -> Option<Cause> {
        // What an epoch computes is nobody's call.
        if self.hidden || line.refresh == Refresh::Epoch {
            return None;
        }
        let mut causes = Vec::new();
        for body in &self.bodies {
            let index = body.extrinsic.index;
            let whole = self.made_or_dissolved(index, netuid);
            for nested in &body.nested {
                let call = &nested.call;
                let known = sets(&call.name, line.entry) && names_subnet(call, netuid);
                if matches!(nested.outcome, Outcome::Failed(_) | Outcome::NotRun)
                    || !(known || whole && is_of_networks(call))
                {
                    continue;
                }
                causes.push((
                    nested.outcome == Outcome::Succeeded,
                    Cause {
                        extrinsic: index,
                        path: nested.path.clone(),
                        signer: body.extrinsic.signer(),
                    },
                ));
            }
        }
        let only = causes.pop().filter(|_| causes.is_empty());
        only.filter(|(sure, _)| *sure).map(|(_, cause)| cause)
    }
}

/// Finds who changed what; keeps the block that was asked about last.
#[derive(Debug)]
pub struct Causes<'a> {
    store: &'a Store,
    told: Option<Told>,
}

impl<'a> Causes<'a> {
    /// Over a store.
    pub fn new(store: &'a Store) -> Causes<'a> {
        Causes { store, told: None }
    }

    /// The call that changed an item of a subnet in a block; `None` when it cannot be told.
    ///
    /// # Errors
    ///
    /// When the block's extrinsics or events do not decode.
    pub fn of(
        &mut self,
        line: &Item,
        netuid: NetUid,
        block: BlockNumber,
    ) -> Result<Option<Cause>, StoreError> {
        if self.told.as_ref().is_none_or(|told| told.number != block) {
            let Some(at) = at(self.store, block)? else {
                return Ok(None);
            };
            self.told = Some(Told::new(self.store, &at)?);
        }
        let told = self.told.as_ref();
        Ok(told.and_then(|told| told.cause(line, netuid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::item;

    #[test]
    fn calls_are_named_after_what_they_set() {
        assert_eq!(snake("MinAllowedWeights"), "min_allowed_weights");
        assert!(sets("sudo_set_tempo", "Tempo"));
        assert!(sets(
            "sudo_set_weights_set_rate_limit",
            "WeightsSetRateLimit"
        ));
        assert!(sets("sudo_set_max_weight_limit", "MaxWeightsLimit"));
        assert!(!sets("sudo_set_tempo", "Kappa"));
        assert!(!sets("sudo_set_min_difficulty", "Difficulty"));
        assert!(!sets("set_weights", "Weights"));
    }

    #[test]
    fn what_setters_set_is_kept_for_a_subnet() {
        for (name, entry) in SETTERS {
            let line = item(entry).unwrap_or_else(|| panic!("{name}: {entry} is not kept"));
            assert_eq!(line.scope, crate::items::Scope::Subnet, "{entry}");
        }
    }
}
