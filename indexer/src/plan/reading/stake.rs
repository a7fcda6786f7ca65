//! Keys of stake: what hotkeys and coldkeys have between them.

use std::collections::BTreeSet;

use chain_metadata::{AccountId, KeyPart, Value};

use super::Reading;
use crate::IndexError;
use crate::items::{MANIFEST, Refresh, Scope, lines};
use crate::plan::keys::{Key, Keys};
use crate::world::{World, accounts};

/// Lines of items that are keyed by two accounts first.
fn of_two_accounts() -> impl Iterator<Item = usize> {
    let kinds = [
        (Scope::PairSubnet, Refresh::Epoch),
        (Scope::Pair, Refresh::Epoch),
        (Scope::Pair, Refresh::Touched),
    ];
    kinds
        .into_iter()
        .flat_map(|(scope, refresh)| lines(scope, refresh))
        .copied()
}

impl Reading {
    /// Asks for keys that cannot be told from what happened: all of them where
    /// nothing is known, those under an account whose stake went elsewhere, those
    /// of a coldkey of which only itself was named.
    pub(super) fn sweeps(&mut self, world: &World) {
        let layout = self.layout.clone();
        let sides: &[bool] = if self.fresh { &[false] } else { &[false, true] };
        if self.whole || self.recount {
            for (line, item) in MANIFEST.iter().enumerate() {
                let of_subnets = !matches!(item.scope, Scope::Account | Scope::Pair);
                if item.scope.is_open() && (self.whole || of_subnets) {
                    for at_parent in sides {
                        self.sweep.want(&layout, line, &[], *at_parent);
                    }
                }
            }
        }
        if self.whole {
            return;
        }
        for account in &self.touched.moved {
            for at_parent in sides {
                for line in of_two_accounts() {
                    self.sweep.want(&layout, line, &[&account.0], *at_parent);
                }
                for line in lines(Scope::SubnetPair, Refresh::Touched) {
                    for netuid in world.subnets.keys() {
                        let parts: [&[u8]; 2] = [&netuid.to_le_bytes(), &account.0];
                        self.sweep.want(&layout, *line, &parts, *at_parent);
                    }
                }
            }
        }
        for account in &self.drained {
            for line in lines(Scope::Pair, Refresh::Epoch) {
                self.sweep.want(&layout, *line, &[&account.0], false);
            }
        }
        for (coldkey, hotkeys) in &self.sweep.staking.clone() {
            // A swapped coldkey leaves its list to the other one.
            let swapped = self
                .touched
                .holders
                .iter()
                .filter(|_| self.touched.coldkeys);
            let coldkeys: BTreeSet<_> = swapped.chain([coldkey]).collect();
            for (hotkey, coldkey) in hotkeys
                .iter()
                .flat_map(|h| coldkeys.iter().map(move |c| (h, c)))
            {
                for line in of_two_accounts() {
                    for at_parent in sides {
                        let parts: [&[u8]; 2] = [&hotkey.0, &coldkey.0];
                        self.sweep.want(&layout, line, &parts, *at_parent);
                    }
                }
            }
        }
    }

    /// Stake of those whom an epoch of the subnet pays, there and on root: of each
    /// hotkey, and the shares of its coldkey in it.
    pub(super) fn stakers(world: &World, netuid: u16, keys: &mut Keys<'_>) {
        let subnet = world.subnets.get(&netuid);
        if let Some((hotkey, owner)) = subnet.and_then(|s| s.owner_hotkey.zip(s.owner)) {
            keys.shares(netuid, &hotkey, &owner);
        }
        for hotkey in world.stakers(netuid) {
            for netuid in [netuid, 0] {
                keys.stake(netuid, &hotkey);
            }
            keys.total_stake(&hotkey);
            if let Some(coldkey) = world.owners.get(&hotkey) {
                for netuid in [netuid, 0] {
                    keys.shares(netuid, &hotkey, coldkey);
                }
                keys.coldkey_total(coldkey);
            }
        }
    }

    /// What is kept between two accounts.
    pub(super) fn between(&self, world: &World, entire: &BTreeSet<u16>, keys: &mut Keys<'_>) {
        let touched = &self.touched;
        for (netuid, hotkey, coldkey) in &touched.shares {
            keys.shares(*netuid, hotkey, coldkey);
        }
        for (hotkey, coldkey) in &touched.pairs {
            keys.pair(hotkey, coldkey);
            keys.coldkey_total(coldkey);
        }
        let staking = self.sweep.staking.iter();
        let claims = staking.flat_map(|(c, hotkeys)| hotkeys.iter().map(move |h| (h, c)));
        for (hotkey, coldkey) in claims.chain(touched.claims.iter().map(|(h, c)| (h, c))) {
            for netuid in world.subnets.keys() {
                keys.claimed(*netuid, hotkey, coldkey);
            }
        }
        for coldkey in &touched.holders {
            keys.account(coldkey);
        }
        for (netuid, hotkey, coldkey) in &self.sweep.shares {
            for netuid in [*netuid, 0] {
                keys.stake(netuid, hotkey);
                keys.shares(netuid, hotkey, coldkey);
            }
            keys.account(coldkey);
        }
        if self.rounds {
            // A payee of whom it is not known whose hotkey it is.
            let kin = touched.kin.iter().map(|(netuid, _)| netuid);
            let subnets = entire.iter().chain(&touched.members).chain(&self.epochs);
            for netuid in subnets.chain(kin).collect::<BTreeSet<_>>() {
                for hotkey in world.stakers(*netuid) {
                    if !world.owners.contains_key(&hotkey) {
                        keys.owner(&hotkey);
                    }
                }
            }
        }
    }

    /// The account that a key is about.
    pub(super) fn account_of(&self, key: &Key) -> Result<AccountId, IndexError> {
        let entry = self.layout.entry(key.line);
        let parts = entry.map(|e| e.decode_keys(self.layout.metadata.types(), &key.full));
        let account = parts.and_then(Result::ok).and_then(|parts| {
            let mut values = parts.iter().filter_map(KeyPart::value);
            values.find_map(Value::as_account)
        });
        account.ok_or_else(|| IndexError::Decode {
            block: self.number,
            spec: self.layout.spec,
            what: format!("the key 0x{} names no account", hex::encode(&key.full)),
        })
    }

    /// Learns whose a hotkey is, or with which hotkeys a coldkey stakes; tells
    /// whether more is to be asked now.
    pub(super) fn owned(
        &mut self,
        key: &Key,
        entry: &str,
        value: Option<Value>,
        world: &mut World,
    ) -> Result<bool, IndexError> {
        let account = self.account_of(key)?;
        if entry == "Owner" {
            let owner = value.and_then(|v| v.as_account());
            let before = world.owners.get(&account).copied();
            let changed = world.set_owner(account, owner) && !self.whole;
            if changed {
                self.touched.owners.extend(before.into_iter().chain(owner));
            }
            return Ok(changed);
        }
        if !self.touched.holders.contains(&account) {
            return Ok(false);
        }
        let mut hotkeys: BTreeSet<AccountId> = BTreeSet::new();
        if let Some(value) = &value {
            accounts(value, &mut hotkeys);
        }
        let known = self.sweep.staking.entry(account).or_default();
        let before = known.len();
        known.extend(hotkeys);
        Ok(known.len() != before)
    }
}
