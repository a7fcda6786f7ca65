//! Which part of the state a block may have changed, told by its events and calls.
//!
//! The rule is *known to be narrow, or everything*: a few calls and events are
//! known to change one kind of thing; any other that names a subnet makes the
//! whole subnet be read again. Reading too much costs a little, reading too
//! little would be wrong.

use std::collections::BTreeSet;

use chain_metadata::{AccountId, Call, Event, Value};

use crate::items::PALLET;
use crate::world::netuid_of;

/// What a block may have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Storage may have been written past all pallets: read everything.
    pub everything: bool,
    /// Something that is not known to be narrow happened.
    pub structural: bool,
    /// Subnets (netuid) whose values are read again.
    pub subnets: BTreeSet<u16>,
    /// Subnets in which uids may have changed hands: W and B are read whole.
    pub members: BTreeSet<u16>,
    /// Subnets (netuid) whose `LastUpdate` may have changed.
    pub updated: BTreeSet<u16>,
    /// Rows of W: storage index and uid.
    pub rows: BTreeSet<(u16, u16)>,
    /// Candidates for (netuid, uid).
    pub neurons: BTreeSet<(u16, u16)>,
    /// Subnets in which an account may have changed what it serves.
    pub serving: BTreeSet<u16>,
    /// Accounts named by what happened.
    pub accounts: BTreeSet<AccountId>,
}

/// How far a call or event reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing that is kept, but for what every block reads.
    Nothing,
    /// Rows of W and `LastUpdate`.
    Weights,
    /// Axon, prometheus, certificate of a hotkey.
    Serving,
    /// Values of a subnet, no uids.
    Subnet,
    /// Uids may change hands.
    Members,
    /// Anything of the subnets and accounts named.
    Anything,
}

fn call_reach(name: &str) -> Reach {
    match name {
        "add_stake"
        | "remove_stake"
        | "add_stake_limit"
        | "remove_stake_limit"
        | "remove_stake_full_limit"
        | "move_stake"
        | "transfer_stake"
        | "swap_stake"
        | "swap_stake_limit"
        | "unstake_all"
        | "unstake_all_alpha"
        | "recycle_alpha"
        | "burn_alpha"
        | "claim_root"
        | "set_root_claim_type"
        | "increase_take"
        | "decrease_take"
        | "become_delegate"
        | "set_children"
        | "set_childkey_take"
        | "set_coldkey_auto_stake_hotkey"
        | "set_identity"
        | "faucet" => Reach::Nothing,
        "serve_axon" | "serve_axon_tls" | "serve_prometheus" => Reach::Serving,
        _ if name.contains("weights") && !name.starts_with("sudo_") => Reach::Weights,
        _ if name.starts_with("sudo_set_") => Reach::Subnet,
        _ => Reach::Anything,
    }
}

fn event_reach(name: &str) -> Reach {
    match name {
        "StakeAdded"
        | "StakeRemoved"
        | "StakeMoved"
        | "StakeTransferred"
        | "StakeSwapped"
        | "DelegateAdded"
        | "TakeDecreased"
        | "TakeIncreased"
        | "SetChildren"
        | "SetChildrenScheduled"
        | "ChildKeyTakeSet"
        | "AlphaRecycled"
        | "AlphaBurned"
        | "RootClaimed"
        | "RootClaimTypeSet"
        | "AutoStakeAdded"
        | "AutoStakeDestinationSet"
        | "ChainIdentitySet"
        | "FirstEmissionBlockNumberSet"
        | "TransactionFeePaidWithAlpha"
        | "IncentiveAlphaEmittedToMiners" => Reach::Nothing,
        "AxonServed" | "PrometheusServed" => Reach::Serving,
        "NeuronRegistered"
        | "BulkNeuronsRegistered"
        | "HotkeySwapped"
        | "HotkeySwappedOnSubnet" => Reach::Members,
        _ if is_weights_event(name) => Reach::Weights,
        _ if name.ends_with("Set") => Reach::Subnet,
        _ => Reach::Anything,
    }
}

fn is_weights_event(name: &str) -> bool {
    matches!(
        name,
        "WeightsSet"
            | "BatchWeightsCompleted"
            | "BatchCompletedWithErrors"
            | "BatchWeightItemFailed"
    ) || [
        "WeightsCommitted",
        "WeightsRevealed",
        "WeightsBatchRevealed",
        "WeightsRevealFailed",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// Every u16 and every account inside a value, in order.
fn leaves(value: &Value, numbers: &mut Vec<u16>, accounts: &mut BTreeSet<AccountId>) {
    if let Some(account) = value.as_account() {
        accounts.insert(account);
        return;
    }
    match value {
        Value::Uint { width: 16, .. } => numbers.extend(value.as_u16()),
        Value::Seq(items) | Value::Tuple(items) => {
            for item in items {
                leaves(item, numbers, accounts);
            }
        }
        Value::Composite(fields) | Value::Variant { fields, .. } => {
            for (_, field) in fields {
                leaves(field, numbers, accounts);
            }
        }
        _ => {}
    }
}

impl Touched {
    /// Adds what an event may have changed.
    ///
    /// In this pallet's events the first u16 is the netuid (or storage index)
    /// in every runtime; the numbers after it may be uids.
    pub fn event(&mut self, event: &Event) {
        if &*event.pallet != PALLET {
            return;
        }
        let mut numbers = Vec::new();
        let mut accounts = BTreeSet::new();
        for (_, value) in &event.fields {
            leaves(value, &mut numbers, &mut accounts);
        }
        let (netuids, uids) = numbers.split_at(numbers.len().min(1));
        self.add(event_reach(&event.name), netuids, uids, accounts);
    }

    /// Adds what a call (outer or nested) may have changed, failed or not.
    pub fn call(&mut self, call: &Call, signer: Option<AccountId>) {
        if &*call.pallet == "System"
            && matches!(&*call.name, "set_storage" | "kill_storage" | "kill_prefix")
        {
            self.everything = true;
            return;
        }
        let mut netuids = Vec::new();
        let mut accounts: BTreeSet<_> = signer.into_iter().collect();
        let mut others = Vec::new();
        for (name, value) in &call.args {
            if name.contains("netuid") {
                leaves(value, &mut netuids, &mut accounts);
            } else if &*call.pallet == PALLET {
                leaves(value, &mut others, &mut accounts);
            }
        }
        let ours = &*call.pallet == PALLET || &*call.pallet == "AdminUtils";
        if ours || !netuids.is_empty() {
            // Numbers among the arguments are weights and limits, not uids.
            self.add(call_reach(&call.name), &netuids, &[], accounts);
        }
    }

    fn add(&mut self, reach: Reach, netuids: &[u16], uids: &[u16], accounts: BTreeSet<AccountId>) {
        let subnets = netuids.iter().map(|n| netuid_of(*n));
        match reach {
            Reach::Nothing => {}
            Reach::Weights => {
                self.updated.extend(subnets);
                for index in netuids {
                    self.rows.extend(uids.iter().map(|uid| (*index, *uid)));
                }
            }
            Reach::Serving => {
                self.serving.extend(subnets);
                self.accounts.extend(accounts);
            }
            Reach::Subnet => {
                self.structural = true;
                self.subnets.extend(subnets);
            }
            Reach::Members | Reach::Anything => {
                self.structural = true;
                for netuid in subnets {
                    self.subnets.insert(netuid);
                    self.members.insert(netuid);
                    self.neurons.extend(uids.iter().map(|uid| (netuid, *uid)));
                }
                self.accounts.extend(accounts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_narrow() {
        assert_eq!(call_reach("add_stake"), Reach::Nothing);
        assert_eq!(call_reach("set_mechanism_weights"), Reach::Weights);
        assert_eq!(call_reach("sudo_set_weights_set_rate_limit"), Reach::Subnet);
        assert_eq!(call_reach("never_seen_before"), Reach::Anything);
        assert_eq!(event_reach("TimelockedWeightsRevealed"), Reach::Weights);
        assert_eq!(event_reach("WeightsSetRateLimitSet"), Reach::Subnet);
        assert_eq!(event_reach("NetworkAdded"), Reach::Anything);
    }

    #[test]
    fn leaves_are_found_at_any_depth() {
        let value = Value::Seq(vec![
            Value::Tuple(vec![
                Value::Uint {
                    width: 16,
                    value: 7,
                },
                Value::Account([9; 32]),
            ]),
            Value::Uint {
                width: 64,
                value: 5,
            },
        ]);
        let (mut numbers, mut accounts) = (Vec::new(), BTreeSet::new());
        leaves(&value, &mut numbers, &mut accounts);
        assert_eq!(numbers, vec![7]);
        assert_eq!(accounts, BTreeSet::from([AccountId([9; 32])]));
    }
}
