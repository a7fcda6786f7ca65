//! Total stake of every uid as the epoch saw it.

use std::collections::BTreeMap;

use chain_metadata::{AccountId, Event, Phase, Value};
use scoring::fixed::I64F64;
use scoring::yuma::YumaRules;
use scoring::yuma::rules::{BlockOrder, LoadedEmission, PendingChildren, StakeSource};
use scoring::yuma::stake::{Parent, alpha_tao, inherited_pre_dtao};

use super::reads::{Gap, State, missing};
use crate::view;

/// What the totals are made from.
pub(super) struct Sources<'a> {
    pub(super) rules: &'a YumaRules,
    pub(super) netuid: u16,
    /// The parent's state.
    pub(super) before: State<'a>,
    /// The state after the block.
    pub(super) after: State<'a>,
    pub(super) events: &'a [Event],
    /// Hotkeys by uid at the parent.
    pub(super) hotkeys: &'a [Option<AccountId>],
    /// Subnets whose epochs ran earlier in the same block.
    pub(super) earlier: &'a [u16],
}

/// Total stakes, and reasons to doubt them.
pub(super) struct Totals {
    pub(super) totals: Vec<I64F64>,
    pub(super) doubts: Vec<String>,
}

impl Sources<'_> {
    pub(super) fn totals(&self) -> Result<Totals, Gap> {
        let mut doubts = Vec::new();
        let totals = match self.rules.stake_source {
            StakeSource::TotalHotkey => self.total_hotkey(&mut doubts)?,
            StakeSource::InheritedCapped => self.inherited(&mut doubts)?,
            StakeSource::AlphaTao => self.alpha_and_tao(&mut doubts)?,
        };
        Ok(Totals { totals, doubts })
    }

    fn total_stake(&self, state: State<'_>, hotkey: &AccountId) -> Result<u64, Gap> {
        state.need("TotalHotkeyStake", &[&hotkey.0], Value::as_u64)
    }

    /// `TotalHotkeyStake`, with what the block before had loaded and this block drains first.
    fn total_hotkey(&self, doubts: &mut Vec<String>) -> Result<Vec<I64F64>, Gap> {
        let loaded = match self.rules.loaded_emission {
            LoadedEmission::None => BTreeMap::new(),
            LoadedEmission::PerNominator | LoadedEmission::Full => self.loaded()?,
        };
        let mut totals = Vec::with_capacity(self.hotkeys.len());
        for hotkey in self.hotkeys {
            let Some(hotkey) = hotkey else {
                totals.push(I64F64::ZERO);
                continue;
            };
            let own = self.total_stake(self.before, hotkey)?;
            let grown = match loaded.get(hotkey) {
                Some(amount) => self.drained(hotkey, own, *amount, doubts)?,
                None => own,
            };
            totals.push(I64F64::saturating_from_u64(grown));
        }
        Ok(totals)
    }

    /// What `LoadedEmission` at the parent holds for each hotkey, all subnets together.
    fn loaded(&self) -> Result<BTreeMap<AccountId, u64>, Gap> {
        let mut sums = BTreeMap::new();
        for netuid in view::subnets(self.before.store, self.before.at)? {
            let lists =
                self.before
                    .stored("LoadedEmission", &[&netuid.0.to_le_bytes()], |value| {
                        value.items().iter().map(tuple).collect::<Option<Vec<_>>>()
                    })?;
            for (hotkey, amount) in lists.into_iter().flatten() {
                let sum: &mut u64 = sums.entry(hotkey).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        Ok(sums)
    }

    /// The stake of a hotkey after its loaded emission.
    fn drained(
        &self,
        hotkey: &AccountId,
        own: u64,
        amount: u64,
        doubts: &mut Vec<String>,
    ) -> Result<u64, Gap> {
        let all = own.saturating_add(amount);
        let delegate = self
            .before
            .stored("Delegates", &[&hotkey.0], |_| Some(()))?
            .is_some();
        if self.rules.loaded_emission == LoadedEmission::Full || !delegate || amount == 0 {
            return Ok(all);
        }
        // A delegate's emission is rounded down for each nominator, whose stakes are not kept. The
        // state after the block has the sum, unless an extrinsic moved stake as well.
        let after = self.total_stake(self.after, hotkey)?;
        let moved = self
            .events
            .iter()
            .filter(|e| matches!(e.phase, Phase::ApplyExtrinsic(_)))
            .any(|e| {
                let mut named = std::collections::BTreeSet::new();
                for (_, value) in &e.fields {
                    crate::world::accounts(value, &mut named);
                }
                named.contains(hotkey)
            });
        if moved || after < own || after > all {
            doubts.push(format!(
                "Stake of the nominators of {hotkey}, which decides how its loaded emission was rounded"
            ));
            return Ok(all);
        }
        Ok(after)
    }

    fn children(&self, hotkey: &AccountId) -> Result<Vec<u64>, Gap> {
        let children = self.before.kin("ChildKeys", hotkey, self.netuid)?;
        Ok(children.into_iter().map(|(share, _)| share).collect())
    }

    fn inherited(&self, doubts: &mut Vec<String>) -> Result<Vec<I64F64>, Gap> {
        if self.rules.pending_children == PendingChildren::BeforeEpoch
            && view::accounts_under(self.before.store, self.before.at, "PendingChildKeys")?
                .iter()
                .any(|(netuid, _)| netuid.0 == self.netuid)
        {
            doubts.push("PendingChildKeys, which may come into force before the epoch".into());
        }
        let max = self.before.need(
            "NetworkMaxStake",
            &[&self.netuid.to_le_bytes()],
            Value::as_u64,
        )?;
        let mut totals = Vec::with_capacity(self.hotkeys.len());
        for hotkey in self.hotkeys {
            let Some(hotkey) = hotkey else {
                totals.push(I64F64::ZERO);
                continue;
            };
            let own = self.total_stake(self.before, hotkey)?;
            let mut parents = Vec::new();
            for (proportion, parent) in self.before.kin("ParentKeys", hotkey, self.netuid)? {
                parents.push(Parent {
                    proportion,
                    alpha: self.total_stake(self.before, &parent)?,
                    tao: 0,
                });
            }
            let total = inherited_pre_dtao(own, &self.children(hotkey)?, &parents, max);
            totals.push(I64F64::saturating_from_u64(total));
        }
        Ok(totals)
    }

    fn alpha(&self, state: State<'_>, hotkey: &AccountId, netuid: u16) -> Result<u64, Gap> {
        let keys: [&[u8]; 2] = [&hotkey.0, &netuid.to_le_bytes()];
        state.need("TotalHotkeyAlpha", &keys, Value::as_u64)
    }

    fn alpha_and_tao(&self, doubts: &mut Vec<String>) -> Result<Vec<I64F64>, Gap> {
        let weight = self.before.need("TaoWeight", &[], Value::as_u64)?;
        let mut moved = false;
        let mut tao = |hotkey: &AccountId| -> Result<u64, Gap> {
            let before = self.alpha(self.before, hotkey, 0)?;
            if self.rules.block_order != BlockOrder::PerSubnet || self.earlier.is_empty() {
                return Ok(before);
            }
            if self.alpha(self.after, hotkey, 0)? == before {
                return Ok(before);
            }
            moved = true;
            self.root_dividends(hotkey, before)
        };
        let mut totals = Vec::with_capacity(self.hotkeys.len());
        for hotkey in self.hotkeys {
            let Some(hotkey) = hotkey else {
                totals.push(I64F64::ZERO);
                continue;
            };
            let mut parents = Vec::new();
            for (proportion, parent) in self.before.kin("ParentKeys", hotkey, self.netuid)? {
                parents.push(Parent {
                    proportion,
                    alpha: self.alpha(self.before, &parent, self.netuid)?,
                    tao: tao(&parent)?,
                });
            }
            let own = self.alpha(self.before, hotkey, self.netuid)?;
            let made = alpha_tao(own, tao(hotkey)?, &self.children(hotkey)?, &parents, weight);
            totals.push(made.total);
        }
        if moved {
            let earlier: Vec<_> = self.earlier.iter().map(u16::to_string).collect();
            doubts.push(format!(
                "root stake between the epochs of the block: the takes of the root dividends of subnet {} are not kept",
                earlier.join(", ")
            ));
        }
        Ok(totals)
    }

    /// Root stake with the dividends of the block's earlier epochs. What is recorded of them is
    /// without the hotkey's take, which is made good by its proportion, up to rounding.
    fn root_dividends(&self, hotkey: &AccountId, before: u64) -> Result<u64, Gap> {
        let take = self
            .before
            .read("Delegates", &[&hotkey.0], Value::as_u64)?
            .unwrap_or(0);
        let Some(kept) = 65_535_u64.checked_sub(take).filter(|kept| *kept > 0) else {
            return missing(format!(
                "the root dividends of {hotkey}, who takes them all"
            ));
        };
        let mut stake = before;
        for netuid in self.earlier {
            let keys: [&[u8]; 2] = [&netuid.to_le_bytes(), &hotkey.0];
            let given = self
                .after
                .read("TaoDividendsPerSubnet", &keys, Value::as_u64)?
                .unwrap_or(0);
            let whole = u128::from(given) * 65_535 / u128::from(kept);
            stake = stake.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX));
        }
        Ok(stake)
    }
}

/// Hotkey and amounts of an entry of `LoadedEmission`: one amount, later two.
fn tuple(value: &Value) -> Option<(AccountId, u64)> {
    let (account, amounts) = value.items().split_first()?;
    let mut sum = 0_u64;
    for amount in amounts {
        sum = sum.saturating_add(amount.as_u64()?);
    }
    Some((account.as_account()?, sum))
}
