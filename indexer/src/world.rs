//! What the planner must know of the chain to ask the right questions: which
//! subnets there are, how many uids, who holds them.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{
    AccountId, DecodeError, KeyPart, MECHANISM_STRIDE, MechId, NetUid, StorageEntry, Types, Value,
    storage_index,
};

use crate::store::{Store, StoreError};
use crate::view::{self, At};

/// One subnet as the planner knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubnetWorld {
    /// Hotkey by uid, as far as known.
    pub hotkeys: Vec<Option<AccountId>>,
    /// `SubnetworkN`: uids run below it.
    pub uids: u16,
    /// `MechanismCountCurrent`; 1 in runtimes without mechanisms.
    pub mechanisms: u8,
    /// `BondsResetOn`: a commitment of a miner takes its bonds away.
    pub bonds_reset: bool,
    /// Parents of every hotkey that has some in this subnet.
    pub parents: BTreeMap<AccountId, Vec<AccountId>>,
    /// Hotkeys that lost their uid since the last epoch: it takes away what the
    /// one before has written of them.
    pub former: BTreeSet<AccountId>,
    /// `SubnetOwnerHotkey`.
    pub owner_hotkey: Option<AccountId>,
    /// `SubnetOwner`.
    pub owner: Option<AccountId>,
}

/// The subnets at the end of one block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// By netuid.
    pub subnets: BTreeMap<u16, SubnetWorld>,
    /// `TotalNetworks` when last read.
    pub total_networks: Option<u64>,
    /// Coldkey of every hotkey of which that is known; an epoch pays it.
    pub owners: BTreeMap<AccountId, AccountId>,
    /// Hotkeys whose `LoadedEmission` the next block adds to their stake.
    pub loaded: BTreeSet<AccountId>,
}

impl World {
    /// The subnet, made with nothing known if it is new.
    pub fn subnet(&mut self, netuid: u16) -> &mut SubnetWorld {
        self.subnets.entry(netuid).or_insert_with(|| SubnetWorld {
            mechanisms: 1,
            ..SubnetWorld::default()
        })
    }

    /// Storage indices of so many mechanisms of a subnet, in order.
    pub fn indices(netuid: u16, mechanisms: u8) -> impl Iterator<Item = u16> {
        (0..mechanisms.max(1)).filter_map(move |m| storage_index(NetUid(netuid), MechId(m)))
    }

    /// Every (netuid, uid) that the account holds.
    pub fn places(&self, account: &AccountId) -> Vec<(u16, u16)> {
        let mut places = Vec::new();
        for (netuid, subnet) in &self.subnets {
            for (uid, hotkey) in (0_u16..).zip(&subnet.hotkeys) {
                if hotkey.as_ref() == Some(account) {
                    places.push((*netuid, uid));
                }
            }
        }
        places
    }

    /// Remembers the parents of a hotkey; tells whether that is new.
    pub fn set_parents(&mut self, netuid: u16, child: AccountId, value: &Value) -> bool {
        let mut parents = BTreeSet::new();
        accounts(value, &mut parents);
        let parents: Vec<_> = parents.into_iter().collect();
        let known = &mut self.subnet(netuid).parents;
        if parents.is_empty() {
            return known.remove(&child).is_some();
        }
        known.insert(child, parents.clone()) != Some(parents)
    }

    /// Every hotkey that holds a uid.
    pub fn hotkeys(&self) -> impl Iterator<Item = AccountId> {
        let subnets = self.subnets.values();
        subnets.flat_map(|s| s.hotkeys.iter().copied().flatten())
    }

    /// Hotkeys whose stake an epoch of the subnet may change: who holds a uid,
    /// their parents, the owner, and everyone on root.
    pub fn stakers(&self, netuid: u16) -> BTreeSet<AccountId> {
        let mut stakers = BTreeSet::new();
        for netuid in [netuid, 0] {
            let Some(subnet) = self.subnets.get(&netuid) else {
                continue;
            };
            stakers.extend(subnet.hotkeys.iter().copied().flatten());
            stakers.extend(subnet.parents.values().flatten());
            stakers.extend(subnet.owner_hotkey);
            stakers.extend(&subnet.former);
        }
        stakers
    }

    /// Remembers the coldkey of a hotkey; tells whether that is new.
    pub fn set_owner(&mut self, hotkey: AccountId, coldkey: Option<AccountId>) -> bool {
        match coldkey {
            Some(coldkey) => self.owners.insert(hotkey, coldkey) != Some(coldkey),
            None => self.owners.remove(&hotkey).is_some(),
        }
    }

    /// Remembers who holds a uid; tells whether that is new.
    pub fn set_hotkey(&mut self, netuid: u16, uid: u16, hotkey: Option<AccountId>) -> bool {
        let hotkeys = &mut self.subnet(netuid).hotkeys;
        let uid = usize::from(uid);
        if hotkeys.len() <= uid {
            hotkeys.resize(uid + 1, None);
        }
        let before = std::mem::replace(&mut hotkeys[uid], hotkey);
        if before == hotkey {
            return false;
        }
        self.subnet(netuid).former.extend(before);
        true
    }

    /// Remembers the accounts of some keys that hold no uid in the subnet of the key:
    /// the last epoch gave them something there.
    pub fn remember_former(
        &mut self,
        types: &Types,
        entry: &StorageEntry,
        keys: &[Vec<u8>],
    ) -> Result<(), DecodeError> {
        for key in keys {
            let parts = entry.decode_keys(types, key)?;
            let values = || parts.iter().filter_map(KeyPart::value);
            let netuid = values().find_map(Value::as_u16);
            let account = values().find_map(Value::as_account);
            if let (Some(netuid), Some(account)) = (netuid, account)
                && let Some(subnet) = self.subnets.get_mut(&netuid)
                && !subnet.hotkeys.contains(&Some(account))
            {
                subnet.former.insert(account);
            }
        }
        Ok(())
    }

    /// The world at the end of a stored block.
    pub fn load(store: &Store, at: &At) -> Result<World, StoreError> {
        let mut world = World::default();
        for NetUid(netuid) in view::subnets(store, at)? {
            let le = netuid.to_le_bytes();
            let number = |entry| -> Result<Option<u64>, StoreError> {
                let value = view::held(store, at, entry, &[&le])?.value();
                Ok(value.and_then(|v| v.as_u64()))
            };
            let uids = number("SubnetworkN")?.and_then(|n| u16::try_from(n).ok());
            let mechanisms = number("MechanismCountCurrent")?.and_then(|n| u8::try_from(n).ok());
            let reset = view::held(store, at, "BondsResetOn", &[&le])?.value();
            let subnet = world.subnet(netuid);
            subnet.uids = uids.unwrap_or(0);
            subnet.mechanisms = mechanisms.unwrap_or(1);
            subnet.bonds_reset = reset.and_then(|v| v.as_bool()).unwrap_or(false);
            let owner = view::held(store, at, "SubnetOwnerHotkey", &[&le])?.stored();
            subnet.owner_hotkey = owner.and_then(|v| v.as_account());
            let owner = view::held(store, at, "SubnetOwner", &[&le])?.stored();
            subnet.owner = owner.and_then(|v| v.as_account());
            let loaded = view::held(store, at, "LoadedEmission", &[&le])?.stored();
            for uid in 0..world.subnet(netuid).uids {
                let holder = view::held(store, at, "Keys", &[&le, &uid.to_le_bytes()])?.stored();
                let Some(holder) = holder.and_then(|v| v.as_account()) else {
                    continue;
                };
                world.set_hotkey(netuid, uid, Some(holder));
                let parents = view::held(store, at, "ParentKeys", &[&holder.0, &le])?.stored();
                if let Some(parents) = parents {
                    world.set_parents(netuid, holder, &parents);
                }
            }
            if let Some(loaded) = loaded {
                accounts(&loaded, &mut world.loaded);
            }
        }
        for entry in ["AlphaDividendsPerSubnet", "TaoDividendsPerSubnet"] {
            for (netuid, account) in view::accounts_under(store, at, entry)? {
                let subnet = world.subnets.get_mut(&netuid.0);
                if let Some(subnet) = subnet
                    && !subnet.hotkeys.contains(&Some(account))
                {
                    subnet.former.insert(account);
                }
            }
        }
        let netuids: Vec<u16> = world.subnets.keys().copied().collect();
        let stakers = netuids.iter().flat_map(|netuid| world.stakers(*netuid));
        for hotkey in stakers.collect::<BTreeSet<_>>() {
            let coldkey = view::held(store, at, "Owner", &[&hotkey.0])?.stored();
            world.set_owner(hotkey, coldkey.and_then(|v| v.as_account()));
        }
        let total = view::held(store, at, "TotalNetworks", &[])?.value();
        world.total_networks = total.and_then(|v| v.as_u64());
        Ok(world)
    }
}

/// Every account inside a value.
pub fn accounts(value: &Value, found: &mut BTreeSet<AccountId>) {
    if let Some(account) = value.as_account() {
        found.insert(account);
        return;
    }
    for item in value.items() {
        accounts(item, found);
    }
    for (_, field) in value.fields() {
        accounts(field, found);
    }
}

/// Netuid of a storage index.
pub fn netuid_of(index: u16) -> u16 {
    index % MECHANISM_STRIDE
}
