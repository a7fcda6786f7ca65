//! Which part of the state a block may have changed, told by its events and calls.
//!
//! The rule is *known to be narrow, or everything*: some calls and events are
//! known to change one kind of thing; any other that names a subnet makes the
//! whole subnet be read again, neurons and matrices included. Reading too much
//! costs a little, reading too little would be wrong.

use std::collections::BTreeSet;

use chain_metadata::{AccountId, Call, Event, NestedCall, Value};

use crate::commits::COMMITMENTS;
use crate::items::PALLET;
use crate::world::netuid_of;

/// More accounts than that in one call or event are not taken two by two.
const FEW: usize = 4;

/// What a block may have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Storage may have been written past all pallets: read everything.
    pub everything: bool,
    /// Something happened that may change more than rows of W.
    pub structural: bool,
    /// The accounts named may have lost or won uids in any subnet. Validators hold
    /// one in nearly all of them: then most of the state is read.
    pub far: bool,
    /// Settings of any subnet may have changed without saying which.
    pub settings: bool,
    /// Coldkeys may have changed for any hotkey.
    pub coldkeys: bool,
    /// Subnets (netuid) whose values are read again.
    pub subnets: BTreeSet<u16>,
    /// Subnets in which uids may have changed hands: W and B are read whole.
    pub members: BTreeSet<u16>,
    /// Subnets of which nothing can be said to be unchanged.
    pub entire: BTreeSet<u16>,
    /// Subnets whose B a commitment may have changed.
    pub bonds: BTreeSet<u16>,
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
    /// Accounts whose stake in a subnet may have changed.
    pub stakes: BTreeSet<(u16, AccountId)>,
    /// Accounts whose parents, children or takes in a subnet may have changed.
    pub kin: BTreeSet<(u16, AccountId)>,
    /// Accounts whose stake may have gone to another account, in any subnet.
    pub swapped: BTreeSet<AccountId>,
    /// Accounts whose commitment in a subnet may have changed.
    pub commitments: BTreeSet<(u16, AccountId)>,
    /// Accounts of which only what they own and are may have changed.
    pub owners: BTreeSet<AccountId>,
    /// Shares that may have changed: netuid, hotkey, coldkey.
    pub shares: BTreeSet<(u16, AccountId, AccountId)>,
    /// Accounts, as hotkey and coldkey, between which something may have changed.
    pub pairs: BTreeSet<(AccountId, AccountId)>,
    /// Hotkeys and coldkeys whose stake on root may have changed.
    pub claims: BTreeSet<(AccountId, AccountId)>,
    /// Coldkeys any of whose shares may have changed.
    pub holders: BTreeSet<AccountId>,
    /// Accounts under which any key may have come or gone.
    pub moved: BTreeSet<AccountId>,
}

/// How far a call or event reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing that is kept, but for what every block reads.
    Nothing,
    /// What the accounts named own and are.
    Owners,
    /// Stake of the accounts named, in all subnets named.
    Stake,
    /// Stake of the coldkeys named, with any hotkey in any subnet.
    Holder,
    /// Parents, children and takes of the accounts named.
    Kin,
    /// Rows of W and `LastUpdate`.
    Weights,
    /// Axon, prometheus, certificate of a hotkey.
    Serving,
    /// B of a subnet that takes bonds away on a commitment.
    Bonds,
    /// Values of a subnet, no uids.
    Subnet,
    /// Uids may change hands.
    Members,
    /// Uids change hands, and all stake with them.
    Swap,
    /// Coldkeys of hotkeys, owners of subnets.
    Coldkeys,
    /// Anything of the subnets and accounts named.
    Anything,
}

fn is_coldkey_swap(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("coldkey") && name.contains("swap")
}

fn call_reach(pallet: &str, name: &str) -> Reach {
    match pallet {
        PALLET | "AdminUtils" => {}
        "Commitments" => return Reach::Bonds,
        // Pools and positions: what is kept of them is read in every block.
        "Swap" => return Reach::Nothing,
        _ => return Reach::Anything,
    }
    match name {
        // A registration says in its events which uid it took; a hotkey that is new
        // is given to the signer.
        "register" | "burned_register" | "root_register" | "register_limit" => Reach::Owners,
        _ if is_coldkey_swap(name) => Reach::Coldkeys,
        _ if name.contains("mechanism_count") => Reach::Members,
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
        | "burn_alpha" => Reach::Stake,
        "claim_root" => Reach::Holder,
        "increase_take"
        | "decrease_take"
        | "become_delegate"
        | "set_children"
        | "set_childkey_take"
        | "set_coldkey_auto_stake_hotkey" => Reach::Kin,
        "set_root_claim_type" | "set_identity" => Reach::Owners,
        "faucet" => Reach::Nothing,
        "serve_axon" | "serve_axon_tls" | "serve_prometheus" => Reach::Serving,
        _ if name.contains("weights") && !name.starts_with("sudo_") => Reach::Weights,
        _ if name.starts_with("sudo_set_") => Reach::Subnet,
        _ => Reach::Anything,
    }
}

fn event_reach(name: &str) -> Reach {
    match name {
        _ if is_coldkey_swap(name) => Reach::Coldkeys,
        _ if name.contains("MechanismCount") => Reach::Members,
        "StakeAdded" | "StakeRemoved" | "StakeMoved" | "StakeTransferred" | "StakeSwapped"
        | "AlphaRecycled" | "AlphaBurned" | "AutoStakeAdded" => Reach::Stake,
        "RootClaimed" | "SubnetLeaseDividendsDistributed" => Reach::Holder,
        "DelegateAdded"
        | "TakeDecreased"
        | "TakeIncreased"
        | "SetChildren"
        | "SetChildrenScheduled"
        | "ChildKeyTakeSet"
        | "AutoStakeDestinationSet" => Reach::Kin,
        "RootClaimTypeSet" | "ChainIdentitySet" => Reach::Owners,
        // The fee is taken from the stake that the call is about, see `Touched::fee`.
        "FirstEmissionBlockNumberSet"
        | "TransactionFeePaidWithAlpha"
        | "IncentiveAlphaEmittedToMiners" => Reach::Nothing,
        "AxonServed" | "PrometheusServed" => Reach::Serving,
        "NeuronRegistered" | "BulkNeuronsRegistered" => Reach::Members,
        "HotkeySwapped" | "HotkeySwappedOnSubnet" => Reach::Swap,
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
pub(crate) fn leaves(value: &Value, numbers: &mut Vec<u16>, accounts: &mut BTreeSet<AccountId>) {
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
        match (&*event.pallet, &*event.name) {
            (PALLET, _) => {}
            (COMMITMENTS, _) => {
                let (mut netuids, mut accounts) = (Vec::new(), BTreeSet::new());
                for (_, value) in &event.fields {
                    leaves(value, &mut netuids, &mut accounts);
                }
                for netuid in netuids.iter().take(1) {
                    let named = accounts.iter().map(|a| (*netuid, *a));
                    self.commitments.extend(named);
                }
                return;
            }
            ("Proxy" | "Registry", _) => {
                let (mut numbers, mut accounts) = (Vec::new(), BTreeSet::new());
                for (_, value) in &event.fields {
                    leaves(value, &mut numbers, &mut accounts);
                }
                self.link(&accounts);
                self.owners.extend(accounts);
                return;
            }
            // A call that is run later, or by a precompile, is in no extrinsic,
            // and not every setter tells by an event.
            ("Scheduler", "Dispatched") => {
                self.structural = true;
                self.settings = true;
                return;
            }
            ("Ethereum", "Executed") if calls_precompile(event) => {
                self.structural = true;
                self.settings = true;
                return;
            }
            _ => return,
        }
        let mut numbers = Vec::new();
        let mut accounts = BTreeSet::new();
        for (_, value) in &event.fields {
            leaves(value, &mut numbers, &mut accounts);
        }
        let (netuids, uids) = numbers.split_at(numbers.len().min(1));
        self.add(event_reach(&event.name), netuids, uids, accounts);
    }

    /// Adds what a call (outer or nested) may have changed. Calls that failed or
    /// were rolled back change nothing and need not be given. `actors` are the
    /// signer and whom the call acts for.
    pub fn call(&mut self, call: &Call, actors: impl IntoIterator<Item = AccountId>) {
        if &*call.pallet == "System"
            && matches!(&*call.name, "set_storage" | "kill_storage" | "kill_prefix")
        {
            self.everything = true;
            return;
        }
        let mut netuids = Vec::new();
        let mut accounts: BTreeSet<_> = actors.into_iter().collect();
        let mut others = Vec::new();
        if matches!(&*call.pallet, "Proxy" | "Registry") {
            // Not all of them tell by an event; what they run is a call of its own.
            for (_, value) in &call.args {
                leaves(value, &mut others, &mut accounts);
            }
            if matches!(
                &*call.name,
                "remove_proxies" | "kill_pure" | "kill_anonymous"
            ) {
                self.structural = true;
                self.moved.extend(&accounts);
            }
            self.link(&accounts);
            self.owners.extend(accounts);
            return;
        }
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
            let reach = call_reach(&call.pallet, &call.name);
            self.add(reach, &netuids, &[], accounts);
        }
    }

    /// Whether a call moves stake of the accounts that it names.
    pub fn is_about_stake(call: &Call) -> bool {
        &*call.pallet == PALLET && call_reach(PALLET, &call.name) == Reach::Stake
    }

    /// Adds what a fee that was paid in alpha may have changed: it is taken from
    /// the stake that the calls of the extrinsic are about, also where they fail.
    pub fn fee(&mut self, event: &Event, calls: &[NestedCall]) {
        let (mut netuids, mut accounts) = (Vec::new(), BTreeSet::new());
        for (_, value) in &event.fields {
            leaves(value, &mut netuids, &mut accounts);
        }
        let payers = accounts.clone();
        for nested in calls.iter().filter(|n| &*n.call.pallet == PALLET) {
            for (name, value) in &nested.call.args {
                let mut others = Vec::new();
                let numbers = if name.contains("netuid") {
                    &mut netuids
                } else {
                    &mut others
                };
                leaves(value, numbers, &mut accounts);
            }
        }
        let reach = if netuids.is_empty() {
            Reach::Holder
        } else {
            Reach::Stake
        };
        let named = if netuids.is_empty() { payers } else { accounts };
        self.add(reach, &netuids, &[], named);
    }

    /// Every two of a few accounts; of many, whatever is theirs.
    fn link(&mut self, accounts: &BTreeSet<AccountId>) -> Vec<(AccountId, AccountId)> {
        if accounts.len() > FEW {
            self.structural = true;
            self.holders.extend(accounts);
            self.moved.extend(accounts);
            return Vec::new();
        }
        let each = accounts.iter();
        let pairs: Vec<_> = each
            .flat_map(|a| accounts.iter().map(move |b| (*a, *b)))
            .collect();
        self.pairs.extend(&pairs);
        pairs
    }

    fn add(&mut self, reach: Reach, netuids: &[u16], uids: &[u16], accounts: BTreeSet<AccountId>) {
        let subnets = netuids.iter().map(|n| netuid_of(*n));
        match reach {
            Reach::Nothing => {}
            Reach::Owners => self.owners.extend(accounts),
            Reach::Stake => {
                let pairs = self.link(&accounts);
                // All the numbers named may be subnets: a move names two.
                let all = netuids.iter().chain(uids).map(|n| netuid_of(*n));
                for netuid in all.chain([0]) {
                    self.stakes.extend(accounts.iter().map(|a| (netuid, *a)));
                    let shares = pairs.iter().map(|(a, b)| (netuid, *a, *b));
                    self.shares.extend(shares);
                }
                if netuids.iter().chain(uids).any(|n| *n == 0) {
                    self.claims.extend(pairs);
                }
                self.owners.extend(accounts);
            }
            Reach::Holder => {
                self.structural = true;
                self.holders.extend(&accounts);
                self.owners.extend(accounts);
            }
            Reach::Kin => {
                // Who is whose parent decides what later epochs touch.
                self.structural = true;
                for netuid in subnets {
                    self.kin.extend(accounts.iter().map(|a| (netuid, *a)));
                }
                self.owners.extend(accounts);
            }
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
            Reach::Bonds => self.bonds.extend(subnets),
            Reach::Coldkeys => {
                self.structural = true;
                self.coldkeys = true;
                self.swapped.extend(&accounts);
                self.holders.extend(&accounts);
                self.owners.extend(accounts);
            }
            Reach::Members | Reach::Swap | Reach::Anything => {
                self.structural = true;
                self.far |= reach != Reach::Members;
                match reach {
                    Reach::Swap => {
                        self.moved.extend(&accounts);
                        self.owners.extend(&accounts);
                    }
                    Reach::Anything => {
                        self.link(&accounts);
                        self.holders.extend(&accounts);
                        self.owners.extend(&accounts);
                    }
                    _ => {}
                }
                // A hotkey swap names no subnet: its stake is in any of them.
                if netuids.is_empty() {
                    self.swapped.extend(&accounts);
                }
                for netuid in subnets {
                    self.subnets.insert(netuid);
                    self.members.insert(netuid);
                    self.neurons.extend(uids.iter().map(|uid| (netuid, *uid)));
                    if reach == Reach::Anything {
                        self.entire.insert(netuid);
                    }
                }
                self.accounts.extend(accounts);
            }
        }
    }
}

/// Precompiles live at addresses below 65,536.
fn calls_precompile(event: &Event) -> bool {
    let to = event
        .field("to")
        .and_then(Value::as_bytes)
        .unwrap_or_default();
    // A call from a contract is not seen; the next epoch reads all settings.
    to.len() == 20 && to.iter().take(18).all(|b| *b == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_narrow() {
        let reach = |name| call_reach(PALLET, name);
        assert_eq!(reach("add_stake"), Reach::Stake);
        assert_eq!(reach("set_children"), Reach::Kin);
        assert_eq!(reach("set_mechanism_weights"), Reach::Weights);
        assert_eq!(reach("sudo_set_weights_set_rate_limit"), Reach::Subnet);
        assert_eq!(reach("sudo_set_mechanism_count"), Reach::Members);
        assert_eq!(reach("swap_coldkey_announced"), Reach::Coldkeys);
        assert_eq!(reach("never_seen_before"), Reach::Anything);
        assert_eq!(call_reach("NewPallet", "call"), Reach::Anything);
        assert_eq!(event_reach("TimelockedWeightsRevealed"), Reach::Weights);
        assert_eq!(event_reach("WeightsSetRateLimitSet"), Reach::Subnet);
        assert_eq!(event_reach("NetworkAdded"), Reach::Anything);
        assert_eq!(event_reach("ColdkeySwapped"), Reach::Coldkeys);
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
