//! Storage keys, built from a layout.

use std::collections::HashSet;

use chain_metadata::{AccountId, SpecVersion};

use crate::items::{Layout, Refresh, Scope, lines, position};
use crate::source::Bytes;
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

/// Keys that blocks are fetched with: those of the system, then those of the
/// items that every block reads.
#[derive(Debug)]
pub struct Ahead {
    spec: SpecVersion,
    netuids: Vec<u16>,
    /// All keys, in the order asked.
    pub keys: Vec<Bytes>,
    /// The keys after those of the system, in the same order.
    pub every: Vec<Key>,
}

impl Ahead {
    /// The keys for a runtime and the subnets that are known.
    pub fn new(layout: &Layout, world: &World) -> Ahead {
        let mut every = Keys::new(layout);
        every.globals(Refresh::EveryBlock);
        for netuid in world.subnets.keys() {
            every.subnet(*netuid, Refresh::EveryBlock);
        }
        let every = every.list;
        let mut keys = layout.system_keys().to_vec();
        keys.extend(every.iter().map(|k| k.full.clone()));
        Ahead {
            spec: layout.spec,
            netuids: world.subnets.keys().copied().collect(),
            keys,
            every,
        }
    }

    /// Whether these are the keys for this runtime and these subnets.
    pub fn fits(&self, layout: &Layout, world: &World) -> bool {
        self.spec == layout.spec && self.netuids.iter().eq(world.subnets.keys())
    }

    /// How many keys of the system stand before the others.
    pub fn system(&self) -> usize {
        self.keys.len() - self.every.len()
    }
}

/// Collects keys of one layout, each once.
pub(super) struct Keys<'a> {
    layout: &'a Layout,
    pub(super) list: Vec<Key>,
    seen: HashSet<Bytes>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(layout: &'a Layout) -> Keys<'a> {
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

    pub(super) fn globals(&mut self, refresh: Refresh) {
        for line in lines(Scope::Global, refresh) {
            self.push(*line, &[], 0, 0);
        }
    }

    pub(super) fn subnet(&mut self, netuid: u16, refresh: Refresh) {
        for line in lines(Scope::Subnet, refresh) {
            self.push(*line, &[&netuid.to_le_bytes()], netuid, 0);
        }
    }

    /// Vectors of a mechanism.
    pub(super) fn mechanism(&mut self, index: u16) {
        for line in lines(Scope::Mech, Refresh::Epoch) {
            self.push(*line, &[&index.to_le_bytes()], index, 0);
        }
    }

    pub(super) fn last_update(&mut self, index: u16) {
        if let Some(line) = position("LastUpdate") {
            self.push(line, &[&index.to_le_bytes()], index, 0);
        }
    }

    /// A row of W or B.
    pub(super) fn row(&mut self, entry: &str, index: u16, uid: u16) {
        if let Some(line) = position(entry) {
            let parts: [&[u8]; 2] = [&index.to_le_bytes(), &uid.to_le_bytes()];
            self.push(line, &parts, index, uid);
        }
    }

    pub(super) fn neuron(&mut self, netuid: u16, uid: u16) {
        for line in lines(Scope::SubnetUid, Refresh::Touched) {
            let parts: [&[u8]; 2] = [&netuid.to_le_bytes(), &uid.to_le_bytes()];
            self.push(*line, &parts, netuid, uid);
        }
    }

    /// What a hotkey serves and is in a subnet, and its kin there.
    pub(super) fn account_in(&mut self, netuid: u16, account: &AccountId) {
        for line in lines(Scope::SubnetAccount, Refresh::Touched) {
            self.push(*line, &[&netuid.to_le_bytes(), &account.0], netuid, 0);
        }
        for line in lines(Scope::AccountSubnet, Refresh::Touched) {
            self.push(*line, &[&account.0, &netuid.to_le_bytes()], netuid, 0);
        }
    }

    /// What an account has committed to in a subnet, and what was revealed of it.
    pub(super) fn commitment(&mut self, netuid: u16, account: &AccountId) {
        for entry in ["CommitmentOf", "RevealedCommitments"] {
            if let Some(line) = position(entry) {
                self.push(line, &[&netuid.to_le_bytes(), &account.0], netuid, 0);
            }
        }
    }

    /// Parents, children and takes of a hotkey in a subnet.
    pub(super) fn kin(&mut self, netuid: u16, account: &AccountId) {
        if let Some(line) = position("PendingChildKeys") {
            self.push(line, &[&netuid.to_le_bytes(), &account.0], netuid, 0);
        }
        for line in lines(Scope::AccountSubnet, Refresh::Touched) {
            self.push(*line, &[&account.0, &netuid.to_le_bytes()], netuid, 0);
        }
    }

    /// Stake of a hotkey in a subnet, and what the last epoch gave on it.
    pub(super) fn stake(&mut self, netuid: u16, account: &AccountId) {
        for line in lines(Scope::AccountSubnet, Refresh::Epoch) {
            self.push(*line, &[&account.0, &netuid.to_le_bytes()], netuid, 0);
        }
        for line in lines(Scope::SubnetAccount, Refresh::Epoch) {
            self.push(*line, &[&netuid.to_le_bytes(), &account.0], netuid, 0);
        }
    }

    /// Shares that a coldkey has in a hotkey's stake in a subnet.
    pub(super) fn shares(&mut self, netuid: u16, hotkey: &AccountId, coldkey: &AccountId) {
        for line in lines(Scope::PairSubnet, Refresh::Epoch) {
            let parts: [&[u8]; 3] = [&hotkey.0, &coldkey.0, &netuid.to_le_bytes()];
            self.push(*line, &parts, netuid, 0);
        }
    }

    /// What a coldkey has with a hotkey in no subnet, or with another account.
    pub(super) fn pair(&mut self, hotkey: &AccountId, coldkey: &AccountId) {
        for refresh in [Refresh::Touched, Refresh::Epoch] {
            for line in lines(Scope::Pair, refresh) {
                self.push(*line, &[&hotkey.0, &coldkey.0], 0, 0);
            }
        }
    }

    /// What a coldkey has claimed of what a hotkey's stake on root earned in a subnet.
    pub(super) fn claimed(&mut self, netuid: u16, hotkey: &AccountId, coldkey: &AccountId) {
        for line in lines(Scope::SubnetPair, Refresh::Touched) {
            let parts: [&[u8]; 3] = [&netuid.to_le_bytes(), &hotkey.0, &coldkey.0];
            self.push(*line, &parts, netuid, 0);
        }
    }

    /// The coldkey of a hotkey.
    pub(super) fn owner(&mut self, hotkey: &AccountId) {
        self.named("Owner", hotkey);
    }

    /// All that a coldkey has staked, in runtimes without subnet tokens.
    pub(super) fn coldkey_total(&mut self, coldkey: &AccountId) {
        self.named("TotalColdkeyStake", coldkey);
    }

    /// An item that is keyed by an account.
    fn named(&mut self, entry: &str, account: &AccountId) {
        if let Some(line) = position(entry) {
            self.push(line, &[&account.0], 0, 0);
        }
    }

    /// What an account owns and is, wherever it is registered.
    pub(super) fn account(&mut self, account: &AccountId) {
        for line in lines(Scope::Account, Refresh::Touched) {
            self.push(*line, &[&account.0], 0, 0);
        }
        self.total_stake(account);
    }

    /// Stake of a hotkey in runtimes without subnet tokens.
    pub(super) fn total_stake(&mut self, account: &AccountId) {
        for line in lines(Scope::Account, Refresh::Epoch) {
            self.push(*line, &[&account.0], 0, 0);
        }
    }
}
