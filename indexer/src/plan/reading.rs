//! Which storage keys are read at the end of a block.

mod stake;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chain_metadata::{AccountId, BlockNumber, KeyPart, Value};

use super::former::Former;
use super::keys::{Key, Keys};
use super::sweep::Sweep;
use super::{Fetched, Prepared};
use crate::IndexError;
use crate::items::{Layout, MANIFEST, Refresh, Scope};
use crate::source::Bytes;
use crate::touch::Touched;
use crate::world::{World, accounts, netuid_of};

/// What a subnet was before the block.
#[derive(Debug, Clone, Copy)]
struct Before {
    uids: u16,
    mechanisms: u8,
}

/// What is read at one block, and what that has told so far.
#[derive(Debug)]
pub(super) struct Reading {
    layout: Arc<Layout>,
    number: BlockNumber,
    touched: Touched,
    /// Every subnet with all its uids.
    whole: bool,
    /// Nothing is known of the state before this block.
    fresh: bool,
    /// Subnets came or went: so may keys of any account in them.
    recount: bool,
    /// Keys that only the node can tell of.
    pub(super) sweep: Sweep,
    /// The list of subnets must be asked for.
    enumerate: bool,
    enumerated: bool,
    /// Read until nothing new turns up, what every block reads included.
    rounds: bool,
    /// Every subnet that was known.
    before: BTreeMap<u16, Before>,
    /// Subnets whose epoch ran in this block.
    epochs: BTreeSet<u16>,
    /// Hotkeys to whose stake this block added what was loaded before it.
    drained: BTreeSet<AccountId>,
    /// Hotkeys that had lost their uid before this block, by subnet.
    former: Former,
    /// Subnets that were there before and are not any more.
    gone: BTreeSet<u16>,
    asked: HashSet<Bytes>,
}

/// Entries from which the world is known.
const TELLING: [&str; 13] = [
    "NetworksAdded",
    "SubnetworkN",
    "MechanismCountCurrent",
    "LastMechansimStepBlock",
    "TotalNetworks",
    "Keys",
    "BondsResetOn",
    "ParentKeys",
    "SubnetOwnerHotkey",
    "LoadedEmission",
    "Owner",
    "SubnetOwner",
    "StakingHotkeys",
];

impl Reading {
    pub(super) fn of(block: &Prepared, upgraded: bool, fresh: bool, world: &mut World) -> Reading {
        let mut touched = block.decoded.touched.clone();
        let whole = upgraded || touched.everything;
        // Whoever holds a uid now may lose it in this block; whoever is named
        // may hold uids anywhere.
        for (netuid, uid) in &touched.neurons {
            let subnet = world.subnets.get(netuid);
            let held = subnet.and_then(|s| s.hotkeys.get(usize::from(*uid)));
            touched.accounts.extend(held.copied().flatten());
        }
        if touched.far {
            for account in &touched.accounts {
                for (netuid, uid) in world.places(account) {
                    touched.subnets.insert(netuid);
                    touched.members.insert(netuid);
                    touched.neurons.insert((netuid, uid));
                }
            }
        }
        let before = |s: &crate::world::SubnetWorld| Before {
            uids: s.uids,
            mechanisms: s.mechanisms,
        };
        Reading {
            layout: block.layout.clone(),
            number: block.raw.number,
            touched,
            whole,
            fresh,
            recount: false,
            sweep: Sweep::new(whole),
            enumerate: whole,
            enumerated: false,
            rounds: true,
            before: world.subnets.iter().map(|(n, s)| (*n, before(s))).collect(),
            epochs: BTreeSet::new(),
            drained: std::mem::take(&mut world.loaded),
            former: Former::of(world),
            gone: BTreeSet::new(),
            asked: HashSet::new(),
        }
    }

    /// Netuids whose epoch ran, ascending.
    pub(super) fn epochs(&self) -> Vec<u16> {
        self.epochs.iter().copied().collect()
    }

    /// Whether all keys are known before anything is asked: nothing changes
    /// hands, and what every block reads was fetched with it (which it was not
    /// when a subnet is younger than the request) and says that the world is as
    /// it was. Notes the epochs on the way.
    pub(super) fn in_one_round(
        &mut self,
        fetched: &Fetched,
        world: &mut World,
    ) -> Result<bool, IndexError> {
        // What was loaded for a hotkey is shared by whoever has staked on it.
        let nominators = !self.drained.is_empty() && self.layout.find("Stake").is_some();
        if self.whole
            || nominators
            || self.touched.structural
            || !fetched.ahead.fits(&self.layout, world)
        {
            return Ok(false);
        }
        let mut loaded = BTreeSet::new();
        let values = fetched.values.iter().skip(fetched.ahead.system());
        for (key, value) in fetched.ahead.every.iter().zip(values) {
            let entry = MANIFEST[key.line].entry;
            if !TELLING.contains(&entry) {
                continue;
            }
            let value = self.value(key, value.as_deref())?;
            if let ("LoadedEmission", Some(value)) = (entry, &value) {
                accounts(value, &mut loaded);
            }
            let number = value.as_ref().and_then(Value::as_u64);
            let subnet = world.subnets.get(&key.subnet);
            let same = match (entry, subnet) {
                ("NetworksAdded", _) => value.and_then(|v| v.as_bool()) == Some(true),
                ("SubnetworkN", Some(s)) => number.unwrap_or(0) == u64::from(s.uids),
                ("MechanismCountCurrent", Some(s)) => {
                    number.unwrap_or(1) == u64::from(s.mechanisms)
                }
                ("TotalNetworks", _) => number == world.total_networks,
                ("LastMechansimStepBlock", _) => {
                    if self.number > 0 && number == Some(u64::from(self.number)) {
                        self.epochs.insert(key.subnet);
                    }
                    true
                }
                _ => true,
            };
            if !same {
                return Ok(false);
            }
        }
        self.rounds = false;
        world.loaded = loaded;
        Ok(true)
    }

    /// Whether everything is read.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether everything that accounts have in subnets is read.
    pub(super) fn is_recounted(&self) -> bool {
        self.recount
    }

    /// Whether the list of subnets must be asked for now.
    pub(super) fn take_enumerate(&mut self) -> bool {
        let take = self.wants_enumerate();
        self.enumerated |= take;
        take
    }

    pub(super) fn wants_enumerate(&self) -> bool {
        self.enumerate && !self.enumerated
    }

    /// Adds the subnets under the keys of `NetworksAdded`.
    pub(super) fn candidates(&mut self, keys: &[Bytes]) {
        let layout = self.layout.clone();
        let Some((_, entry)) = layout.find("NetworksAdded") else {
            return;
        };
        for key in keys {
            if let Ok(parts) = entry.decode_keys(layout.metadata.types(), key)
                && let [KeyPart::Value(netuid)] = parts.as_slice()
                && let Some(netuid) = netuid.as_u16()
            {
                self.touched.subnets.insert(netuid);
                self.touched.entire.insert(netuid);
            }
        }
    }

    /// Who had something of an epoch and no uid before this block.
    pub(super) fn into_former(self) -> Former {
        self.former
    }

    /// What is wanted now: known values, and keys that must be asked for. A key
    /// is given once.
    pub(super) fn next(
        &mut self,
        known: &mut HashMap<Bytes, Option<Bytes>>,
        world: &World,
    ) -> (Vec<(Key, Option<Bytes>)>, Vec<Key>) {
        self.sweeps(world);
        let keys = self.keys(world);
        self.split(keys, known)
    }

    /// Keys that the node has told of since the last time, likewise.
    pub(super) fn found(
        &mut self,
        known: &mut HashMap<Bytes, Option<Bytes>>,
    ) -> (Vec<(Key, Option<Bytes>)>, Vec<Key>) {
        let keys = std::mem::take(&mut self.sweep.found);
        self.split(keys, known)
    }

    fn split(
        &mut self,
        keys: Vec<Key>,
        known: &mut HashMap<Bytes, Option<Bytes>>,
    ) -> (Vec<(Key, Option<Bytes>)>, Vec<Key>) {
        let (mut news, mut missing) = (Vec::new(), Vec::new());
        for key in keys {
            if !self.asked.insert(key.full.clone()) {
                continue;
            }
            match known.remove(&key.full) {
                Some(value) => news.push((key, value)),
                None => missing.push(key),
            }
        }
        (news, missing)
    }

    /// Every key that is wanted as far as the world is known. What every block
    /// reads is among them only when the block is read in rounds.
    pub(super) fn keys(&self, world: &World) -> Vec<Key> {
        let layout = self.layout.clone();
        let mut keys = Keys::new(&layout);
        let touched = &self.touched;
        let settings = self.whole || touched.settings || touched.coldkeys;
        if self.rounds {
            keys.globals(Refresh::EveryBlock);
            keys.globals(Refresh::Touched);
            for netuid in world.subnets.keys() {
                keys.subnet(*netuid, Refresh::EveryBlock);
                if settings {
                    keys.subnet(*netuid, Refresh::Touched);
                }
            }
        }
        let mut entire = touched.entire.clone();
        if self.whole {
            entire.extend(world.subnets.keys());
        }

        for netuid in touched.subnets.union(&entire).chain(&self.epochs) {
            if self.rounds {
                keys.subnet(*netuid, Refresh::EveryBlock);
            }
            keys.subnet(*netuid, Refresh::Touched);
            keys.subnet(*netuid, Refresh::Epoch);
            for index in self.indices(world, *netuid) {
                keys.mechanism(index);
            }
        }
        for netuid in &touched.updated {
            for index in self.indices(world, *netuid) {
                keys.last_update(index);
            }
        }
        for (index, uid) in &touched.rows {
            keys.row("Weights", *index, *uid);
        }
        let matrices: BTreeSet<u16> = touched
            .members
            .iter()
            .chain(&self.epochs)
            .chain(&entire)
            .copied()
            .collect();
        let resets = touched.bonds.iter().filter(|n| {
            let subnet = world.subnets.get(*n);
            subnet.is_some_and(|s| s.bonds_reset) && !matrices.contains(n)
        });
        for (netuid, weights) in matrices
            .iter()
            .map(|n| (n, true))
            .chain(resets.map(|n| (n, false)))
        {
            for index in self.indices(world, *netuid) {
                for uid in 0..self.uids(world, *netuid) {
                    if weights {
                        keys.row("Weights", index, uid);
                    }
                    keys.row("Bonds", index, uid);
                }
            }
        }
        self.neurons(world, &entire, &mut keys);
        keys.list
    }

    /// Keys that the epochs of this block read: they are asked for at the parent
    /// too. What changed there without a trace is learned before it is used.
    pub(super) fn inputs(&self, world: &World) -> Vec<Key> {
        let layout = self.layout.clone();
        let mut keys = Keys::new(&layout);
        for netuid in &self.epochs {
            if !self.before.contains_key(netuid) {
                continue;
            }
            keys.subnet(*netuid, Refresh::Touched);
            keys.subnet(*netuid, Refresh::Epoch);
            for index in self.indices(world, *netuid) {
                keys.mechanism(index);
                for uid in 0..self.uids(world, *netuid) {
                    keys.row("Weights", index, uid);
                    keys.row("Bonds", index, uid);
                }
            }
            for account in world.stakers(*netuid) {
                keys.kin(*netuid, &account);
            }
            Reading::stakers(world, *netuid, &mut keys);
        }
        keys.list
    }

    fn neurons(&self, world: &World, entire: &BTreeSet<u16>, keys: &mut Keys<'_>) {
        let touched = &self.touched;
        let mut neurons = touched.neurons.clone();
        for netuid in entire {
            neurons.extend((0..self.uids(world, *netuid)).map(|uid| (*netuid, uid)));
        }
        let mut served: BTreeSet<(u16, AccountId)> = BTreeSet::new();
        for (netuid, uid) in &neurons {
            let Some(subnet) = world.subnets.get(netuid) else {
                continue;
            };
            keys.neuron(*netuid, *uid);
            let holder = subnet.hotkeys.get(usize::from(*uid));
            served.extend(holder.copied().flatten().map(|a| (*netuid, a)));
        }
        let serving = touched.members.union(&touched.serving);
        for netuid in serving.filter(|n| world.subnets.contains_key(n)) {
            served.extend(touched.accounts.iter().map(|a| (*netuid, *a)));
        }
        for (netuid, account) in &served {
            keys.account_in(*netuid, account);
            keys.stake(*netuid, account);
            keys.account(account);
        }
        for (netuid, account) in &touched.commitments {
            keys.commitment(*netuid, account);
        }
        for (netuid, account) in &touched.kin {
            keys.kin(*netuid, account);
        }
        for (netuid, account) in &touched.stakes {
            keys.stake(*netuid, account);
        }
        for account in &touched.swapped {
            for netuid in world.subnets.keys() {
                keys.kin(*netuid, account);
                keys.stake(*netuid, account);
            }
        }
        for account in touched
            .owners
            .iter()
            .chain(&touched.swapped)
            .chain(&self.drained)
        {
            keys.account(account);
        }
        for netuid in self.epochs.iter().chain(entire) {
            Reading::stakers(world, *netuid, keys);
        }
        self.between(world, entire, keys);
        if touched.coldkeys {
            for account in world.hotkeys() {
                keys.account(&account);
            }
        }
    }

    /// uids to read: as many as there are or were.
    fn uids(&self, world: &World, netuid: u16) -> u16 {
        let now = world.subnets.get(&netuid).map_or(0, |s| s.uids);
        now.max(self.before.get(&netuid).map_or(0, |b| b.uids))
    }

    /// Storage indices to read: of as many mechanisms as there are or were.
    fn indices(&self, world: &World, netuid: u16) -> impl Iterator<Item = u16> + use<> {
        let now = world.subnets.get(&netuid).map_or(1, |s| s.mechanisms);
        let was = self.before.get(&netuid).map_or(1, |b| b.mechanisms);
        World::indices(netuid, now.max(was))
    }

    /// A value by its type; bytes that do not decode stop the road.
    fn value(&self, key: &Key, bytes: Option<&[u8]>) -> Result<Option<Value>, IndexError> {
        let (Some(bytes), Some(entry)) = (bytes, self.layout.entry(key.line)) else {
            return Ok(None);
        };
        let value = entry.decode_value(self.layout.metadata.types(), bytes);
        value.map(Some).map_err(|e| IndexError::Decode {
            block: self.number,
            spec: self.layout.spec,
            what: e.to_string(),
        })
    }

    /// Learns from what was read; tells whether the world is another now.
    pub(super) fn absorb(
        &mut self,
        values: &[(Key, Option<Bytes>)],
        world: &mut World,
    ) -> Result<bool, IndexError> {
        let mut changed = false;
        // First which subnets there are: the other values come in any order.
        for (key, value) in values {
            if MANIFEST[key.line].entry != "NetworksAdded" {
                continue;
            }
            let added = self.value(key, value.as_deref())?.and_then(|v| v.as_bool());
            if added == Some(true) {
                if !world.subnets.contains_key(&key.subnet) {
                    self.recount = true;
                    self.touched.entire.insert(key.subnet);
                    changed = true;
                }
                world.subnet(key.subnet);
            } else if world.subnets.contains_key(&key.subnet) {
                self.recount = true;
                self.gone.insert(key.subnet);
            }
        }
        for (key, value) in values {
            let entry = MANIFEST[key.line].entry;
            if !TELLING.contains(&entry)
                || (entry == "StakingHotkeys" && self.touched.holders.is_empty())
            {
                continue;
            }
            let value = self.value(key, value.as_deref())?;
            if matches!(entry, "Owner" | "StakingHotkeys") {
                changed |= self.owned(key, entry, value, world)?;
                continue;
            }
            let number = value.as_ref().and_then(Value::as_u64);
            if entry == "TotalNetworks" {
                let known = world.total_networks;
                self.enumerate |= known.is_some() && known != number;
                changed |= known != number;
                world.total_networks = number;
                continue;
            }
            if entry == "LastMechansimStepBlock" {
                if self.number > 0 && number == Some(u64::from(self.number)) {
                    changed |= self.epochs.insert(key.subnet);
                }
                continue;
            }
            if !world.subnets.contains_key(&key.subnet) {
                continue;
            }
            match entry {
                "SubnetworkN" => {
                    let uids = number.and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
                    let before = std::mem::replace(&mut world.subnet(key.subnet).uids, uids);
                    if before != uids {
                        self.resized(key.subnet, before, uids);
                        changed = true;
                    }
                }
                "MechanismCountCurrent" => {
                    let count = number.and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
                    let before = std::mem::replace(&mut world.subnet(key.subnet).mechanisms, count);
                    if before != count {
                        self.touched.subnets.insert(key.subnet);
                        self.touched.members.insert(key.subnet);
                        changed = true;
                    }
                }
                "Keys" => {
                    let holder = value.and_then(|v| v.as_account());
                    changed |= world.set_hotkey(key.subnet, key.uid, holder);
                }
                "ParentKeys" => {
                    let child = self.account_of(key)?;
                    let parents = value.unwrap_or(Value::Unit);
                    changed |= world.set_parents(key.subnet, child, &parents);
                }
                "SubnetOwnerHotkey" => {
                    let owner = value.and_then(|v| v.as_account());
                    let subnet = world.subnet(key.subnet);
                    changed |= std::mem::replace(&mut subnet.owner_hotkey, owner) != owner;
                }
                "SubnetOwner" => {
                    let owner = value.and_then(|v| v.as_account());
                    let subnet = world.subnet(key.subnet);
                    changed |= std::mem::replace(&mut subnet.owner, owner) != owner;
                }
                "LoadedEmission" => {
                    if let Some(value) = &value {
                        accounts(value, &mut world.loaded);
                    }
                }
                "BondsResetOn" => {
                    let on = value.and_then(|v| v.as_bool()).unwrap_or(false);
                    world.subnet(key.subnet).bonds_reset = on;
                }
                _ => {}
            }
        }
        Ok(changed)
    }

    /// uids were added at the end, or the subnet was trimmed and numbered anew.
    fn resized(&mut self, netuid: u16, before: u16, uids: u16) {
        if uids > before {
            let added = (before..uids).map(|uid| (netuid, uid));
            self.touched.neurons.extend(added);
        } else {
            self.touched.entire.insert(netuid);
        }
        self.touched.members.insert(netuid);
        self.touched.subnets.insert(netuid);
    }

    /// Forgets subnets and uids that are gone, and values of subnets that never were.
    pub(super) fn finish(&self, values: &mut Vec<(Key, Option<Bytes>)>, world: &mut World) {
        values.retain(|(key, _)| {
            let netuid = match MANIFEST[key.line].scope {
                Scope::Global | Scope::Account | Scope::Pair => return true,
                Scope::Mech | Scope::MechUid => netuid_of(key.subnet),
                _ => key.subnet,
            };
            world.subnets.contains_key(&netuid)
        });
        self.former
            .learn(&self.epochs(), &self.layout, values, world);
        world
            .subnets
            .retain(|netuid, _| !self.gone.contains(netuid));
        for subnet in world.subnets.values_mut() {
            subnet.hotkeys.truncate(usize::from(subnet.uids));
        }
    }
}
