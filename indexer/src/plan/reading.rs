//! Which storage keys are read at the end of a block.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chain_metadata::{AccountId, BlockNumber, KeyPart, Value};

use super::Prepared;
use crate::items::{Layout, MANIFEST, Refresh, Scope};
use crate::source::Bytes;
use crate::touch::Touched;
use crate::world::World;

/// A storage key that is read, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Position in the manifest.
    pub line: usize,
    /// The whole storage key.
    pub full: Bytes,
    /// Netuid or storage index, where the item is keyed by one.
    pub subnet: u16,
    /// Uid, where the item is keyed by one.
    pub uid: u16,
}

/// Keys of the items that are read in every block.
pub fn every_block_keys(layout: &Layout, netuids: impl Iterator<Item = u16>) -> Vec<Key> {
    let mut keys = Keys::new(layout);
    keys.globals(Refresh::EveryBlock);
    for netuid in netuids {
        keys.subnet(netuid, Refresh::EveryBlock);
    }
    keys.list
}

/// What is read at one block, and what that has told so far.
#[derive(Debug)]
pub(super) struct Reading {
    layout: Arc<Layout>,
    number: BlockNumber,
    touched: Touched,
    /// Every subnet with all its uids.
    whole: bool,
    /// The list of subnets must be asked for.
    pub(super) enumerate: bool,
    /// Subnets that are read with all their uids.
    entire: BTreeSet<u16>,
    /// uids before this block, for every subnet that was known.
    before: BTreeMap<u16, u16>,
    /// Total number of networks before this block.
    networks_before: Option<u64>,
    /// Subnets whose epoch ran in this block.
    pub(super) epochs: BTreeSet<u16>,
    /// Subnets that were there before and are not any more.
    gone: BTreeSet<u16>,
    asked: HashSet<Bytes>,
    unsettled: bool,
}

impl Reading {
    pub(super) fn of(
        touched: &Touched,
        upgraded: bool,
        number: BlockNumber,
        layout: &Arc<Layout>,
        world: &World,
    ) -> Reading {
        let whole = upgraded || touched.everything;
        let mut touched = touched.clone();
        // Whoever holds a uid now may lose it in this block; whoever is named
        // may hold uids anywhere.
        for (netuid, uid) in &touched.neurons {
            let held = world
                .subnets
                .get(netuid)
                .and_then(|s| s.hotkeys.get(usize::from(*uid)));
            touched.accounts.extend(held.copied().flatten());
        }
        if touched.structural {
            for account in &touched.accounts {
                for (netuid, uid) in world.places(account) {
                    touched.subnets.insert(netuid);
                    touched.members.insert(netuid);
                    touched.neurons.insert((netuid, uid));
                }
            }
        }
        Reading {
            layout: layout.clone(),
            number,
            touched,
            whole,
            enumerate: whole,
            entire: BTreeSet::new(),
            before: world.subnets.iter().map(|(n, s)| (*n, s.uids)).collect(),
            networks_before: world.total_networks,
            epochs: BTreeSet::new(),
            gone: BTreeSet::new(),
            asked: HashSet::new(),
            unsettled: false,
        }
    }

    /// Whether all keys are known before anything is read: nothing changes
    /// hands, and what every block reads was fetched with it (which it was not
    /// when a subnet is younger than the request).
    pub(super) fn in_one_round(
        &self,
        known: &HashMap<Bytes, Option<Bytes>>,
        world: &World,
    ) -> bool {
        let Some((_, step)) = self.layout.find("LastMechansimStepBlock") else {
            return false;
        };
        !self.whole
            && !self.touched.structural
            && world
                .subnets
                .keys()
                .all(|n| known.contains_key(&step.key_of_encoded(&[&n.to_le_bytes()])))
    }

    /// Nothing turned up that needs another round.
    pub(super) fn settled(&self) -> bool {
        !self.unsettled
    }

    /// Adds the subnets under the keys of `NetworksAdded`.
    pub(super) fn candidates(&mut self, layout: &Layout, keys: &[Bytes]) {
        let Some((_, entry)) = layout.find("NetworksAdded") else {
            return;
        };
        for key in keys {
            if let Ok(parts) = entry.decode_keys(layout.metadata.types(), key)
                && let [KeyPart::Value(netuid)] = parts.as_slice()
                && let Some(netuid) = netuid.as_u16()
            {
                self.touched.subnets.insert(netuid);
                self.entire.insert(netuid);
            }
        }
    }

    /// An epoch ran where `LastMechansimStepBlock` is this block.
    pub(super) fn note_epochs(&mut self, known: &HashMap<Bytes, Option<Bytes>>, world: &World) {
        let layout = self.layout.clone();
        let Some((_, entry)) = layout.find("LastMechansimStepBlock") else {
            return;
        };
        for netuid in world.subnets.keys() {
            let key = entry.key_of_encoded(&[&netuid.to_le_bytes()]);
            let step = known.get(&key).and_then(Option::as_ref).and_then(|bytes| {
                let value = entry.decode_value(layout.metadata.types(), bytes).ok()?;
                value.as_u64()
            });
            if self.number > 0 && step == Some(u64::from(self.number)) {
                self.epochs.insert(*netuid);
            }
        }
    }

    /// Moves what is already known into the block; returns what must be asked.
    pub(super) fn take_known(
        &mut self,
        block: &mut Prepared,
        known: &mut HashMap<Bytes, Option<Bytes>>,
        world: &World,
    ) -> Vec<Key> {
        let mut missing = Vec::new();
        for key in self.keys(world) {
            if self.asked.contains(&key.full) {
                continue;
            }
            match known.remove(&key.full) {
                Some(value) => {
                    self.asked.insert(key.full.clone());
                    block.values.push((key, value));
                }
                None => missing.push(key),
            }
        }
        missing
    }

    fn keys(&self, world: &World) -> Vec<Key> {
        let mut keys = Keys::new(&self.layout);
        keys.globals(Refresh::EveryBlock);
        for netuid in world.subnets.keys() {
            keys.subnet(*netuid, Refresh::EveryBlock);
        }
        if self.touched.structural || self.whole {
            keys.globals(Refresh::Touched);
        }
        let everywhere: BTreeSet<u16> = if self.whole {
            world.subnets.keys().copied().collect()
        } else {
            BTreeSet::new()
        };
        let entire: BTreeSet<u16> = self.entire.union(&everywhere).copied().collect();

        for netuid in self.touched.subnets.union(&entire) {
            keys.subnet(*netuid, Refresh::EveryBlock);
            keys.subnet(*netuid, Refresh::Touched);
            keys.subnet(*netuid, Refresh::Epoch);
            keys.indices(&world.indices(*netuid), Refresh::Epoch);
        }
        for netuid in &self.epochs {
            keys.subnet(*netuid, Refresh::Touched);
            keys.subnet(*netuid, Refresh::Epoch);
            keys.indices(&world.indices(*netuid), Refresh::Epoch);
        }
        for netuid in &self.touched.updated {
            keys.entry_by_index("LastUpdate", &world.indices(*netuid));
        }
        for (index, uid) in &self.touched.rows {
            keys.entry_by_index_uid("Weights", *index, *uid);
        }
        let with_matrices = self
            .touched
            .members
            .iter()
            .chain(&self.epochs)
            .chain(&entire);
        for netuid in with_matrices.collect::<BTreeSet<_>>() {
            for index in world.indices(*netuid) {
                for uid in 0..self.uids(world, *netuid) {
                    keys.entry_by_index_uid("Weights", index, uid);
                    keys.entry_by_index_uid("Bonds", index, uid);
                }
            }
        }

        let mut neurons = self.touched.neurons.clone();
        for netuid in &entire {
            neurons.extend((0..self.uids(world, *netuid)).map(|uid| (*netuid, uid)));
        }
        let mut accounts: BTreeSet<(u16, AccountId)> = BTreeSet::new();
        for (netuid, uid) in &neurons {
            if !world.subnets.contains_key(netuid) {
                continue;
            }
            keys.neuron(*netuid, *uid);
            let holder = world.subnets[netuid].hotkeys.get(usize::from(*uid));
            accounts.extend(holder.copied().flatten().map(|a| (*netuid, a)));
        }
        let serving = self.touched.members.union(&self.touched.serving);
        for netuid in serving.filter(|n| world.subnets.contains_key(n)) {
            accounts.extend(self.touched.accounts.iter().map(|a| (*netuid, *a)));
        }
        for (netuid, account) in &accounts {
            keys.account_in(*netuid, account);
            keys.account(account);
        }
        keys.list
    }

    /// uids to read: as many as there are or were.
    fn uids(&self, world: &World, netuid: u16) -> u16 {
        let now = world.subnets.get(&netuid).map_or(0, |s| s.uids);
        now.max(self.before.get(&netuid).copied().unwrap_or(0))
    }

    /// Learns from what was read.
    pub(super) fn absorb(&mut self, values: &[(Key, Option<Bytes>)], world: &mut World) {
        let layout = self.layout.clone();
        let types = layout.metadata.types();
        for (key, value) in values {
            let line = &MANIFEST[key.line];
            if !matches!(
                line.entry,
                "NetworksAdded"
                    | "SubnetworkN"
                    | "MechanismCountCurrent"
                    | "Keys"
                    | "TotalNetworks"
                    | "LastMechansimStepBlock"
            ) {
                continue;
            }
            let value = match (value, layout.entry(key.line)) {
                (Some(bytes), Some(entry)) => entry.decode_value(types, bytes).ok(),
                _ => None,
            };
            let number = value.as_ref().and_then(Value::as_u64);
            match line.entry {
                "NetworksAdded" if value.as_ref().and_then(Value::as_bool) == Some(true) => {
                    if !world.subnets.contains_key(&key.subnet) {
                        self.entire.insert(key.subnet);
                        self.unsettled = true;
                    }
                    world.subnet(key.subnet);
                }
                "NetworksAdded" if world.subnets.contains_key(&key.subnet) => {
                    self.gone.insert(key.subnet);
                }
                "LastMechansimStepBlock"
                    if self.number > 0 && number == Some(u64::from(self.number)) =>
                {
                    self.epochs.insert(key.subnet);
                }
                "SubnetworkN" if world.subnets.contains_key(&key.subnet) => {
                    let uids = number.and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
                    let before = self.before.get(&key.subnet).copied().unwrap_or(0);
                    world.subnet(key.subnet).uids = uids;
                    if uids != before && !self.entire.contains(&key.subnet) {
                        self.grown(key.subnet, before, uids);
                    }
                }
                "MechanismCountCurrent" if world.subnets.contains_key(&key.subnet) => {
                    let count = number.and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
                    world.subnet(key.subnet).mechanisms = count;
                }
                "Keys" if world.subnets.contains_key(&key.subnet) => {
                    let holder = value.and_then(|v| v.as_account());
                    world.set_hotkey(key.subnet, key.uid, holder);
                }
                "TotalNetworks" => {
                    if number != self.networks_before && self.networks_before.is_some() {
                        self.enumerate |= self.touched.subnets.is_empty();
                        self.unsettled |= self.touched.subnets.is_empty();
                    }
                    world.total_networks = number;
                }
                _ => {}
            }
        }
    }

    /// uids were added at the end, or the subnet was trimmed and numbered anew.
    fn grown(&mut self, netuid: u16, before: u16, uids: u16) {
        let known = self.touched.neurons.len();
        if uids > before {
            self.touched
                .neurons
                .extend((before..uids).map(|uid| (netuid, uid)));
        } else {
            self.entire.insert(netuid);
        }
        self.touched.members.insert(netuid);
        self.touched.subnets.insert(netuid);
        self.unsettled |= known != self.touched.neurons.len() || uids < before;
    }

    /// Forgets subnets and uids that are gone.
    pub(super) fn finish(&self, world: &mut World) {
        world
            .subnets
            .retain(|netuid, _| !self.gone.contains(netuid));
        for subnet in world.subnets.values_mut() {
            subnet.hotkeys.truncate(usize::from(subnet.uids));
        }
    }
}

/// Collects keys of one layout.
struct Keys<'a> {
    layout: &'a Layout,
    list: Vec<Key>,
    seen: HashSet<Bytes>,
}

impl<'a> Keys<'a> {
    fn new(layout: &'a Layout) -> Keys<'a> {
        Keys {
            layout,
            list: Vec::new(),
            seen: HashSet::new(),
        }
    }

    fn push(&mut self, line: usize, parts: &[&[u8]], subnet: u16, uid: u16) {
        let Some(entry) = self.layout.entry(line) else {
            return;
        };
        let full = entry.key_of_encoded(parts);
        if self.seen.insert(full.clone()) {
            self.list.push(Key {
                line,
                full,
                subnet,
                uid,
            });
        }
    }

    fn lines(scope: Scope) -> impl Iterator<Item = (usize, Refresh)> {
        MANIFEST
            .iter()
            .enumerate()
            .filter(move |(_, item)| item.scope == scope)
            .map(|(line, item)| (line, item.refresh))
    }

    fn globals(&mut self, refresh: Refresh) {
        for (line, _) in Self::lines(Scope::Global).filter(|(_, r)| *r == refresh) {
            self.push(line, &[], 0, 0);
        }
    }

    fn subnet(&mut self, netuid: u16, refresh: Refresh) {
        for (line, _) in Self::lines(Scope::Subnet).filter(|(_, r)| *r == refresh) {
            self.push(line, &[&netuid.to_le_bytes()], netuid, 0);
        }
    }

    fn indices(&mut self, indices: &[u16], refresh: Refresh) {
        for index in indices {
            for (line, _) in Self::lines(Scope::Mech).filter(|(_, r)| *r == refresh) {
                self.push(line, &[&index.to_le_bytes()], *index, 0);
            }
        }
    }

    fn entry_by_index(&mut self, entry: &str, indices: &[u16]) {
        for index in indices {
            if let Some(line) = MANIFEST.iter().position(|i| i.entry == entry) {
                self.push(line, &[&index.to_le_bytes()], *index, 0);
            }
        }
    }

    fn entry_by_index_uid(&mut self, entry: &str, index: u16, uid: u16) {
        if let Some(line) = MANIFEST.iter().position(|i| i.entry == entry) {
            let parts: [&[u8]; 2] = [&index.to_le_bytes(), &uid.to_le_bytes()];
            self.push(line, &parts, index, uid);
        }
    }

    fn neuron(&mut self, netuid: u16, uid: u16) {
        for (line, _) in Self::lines(Scope::SubnetUid) {
            let parts: [&[u8]; 2] = [&netuid.to_le_bytes(), &uid.to_le_bytes()];
            self.push(line, &parts, netuid, uid);
        }
    }

    fn account_in(&mut self, netuid: u16, account: &AccountId) {
        for (line, _) in Self::lines(Scope::SubnetAccount) {
            self.push(line, &[&netuid.to_le_bytes(), &account.0], netuid, 0);
        }
    }

    fn account(&mut self, account: &AccountId) {
        for (line, _) in Self::lines(Scope::Account) {
            self.push(line, &[&account.0], 0, 0);
        }
    }
}
