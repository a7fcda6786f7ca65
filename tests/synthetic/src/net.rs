//! The network: when things happen, and what everybody is at any block.
//!
//! Nothing is remembered: every answer follows from the numbers of [`Config`]
//! and the block that is asked for.

use std::collections::HashMap;
use std::sync::RwLock;

use chain_metadata::AccountId;

use crate::accounts::Who;
use crate::cycle::{Beat, Cycle};
use crate::noise::{ONE, averaged, hash, moved, signed, walk};
use crate::{Config, SyntheticError};

/// Parts of a whole on the chain.
const FULL: u64 = 65_535;

/// Alpha given to the miners of a subnet in an epoch of 360 blocks, rao; the
/// validators get as much.
const BUDGET: u64 = 148_000_000_000;

/// What a hash is for.
const SCORE: u64 = 1;
const VIEW: u64 = 2;
const BOND: u64 = 3;
const SHARE: u64 = 4;
const TRUST: u64 = 5;
const SETTING: u64 = 6;
const REGISTERING: u64 = 7;
const STAKE: u64 = 8;
const PROFILE: u64 = 9;
const POOL: u64 = 10;

#[derive(Debug, Default)]
struct Accounts {
    who: HashMap<AccountId, Who>,
    account: HashMap<Who, AccountId>,
}

/// A chain without its bytes.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) config: Config,
    /// Miners of a subnet, in the order in which they are replaced.
    replaced: Option<Cycle>,
    /// Positions of validators in all subnets, in the order in which their stake moves.
    staked: Option<Cycle>,
    /// All uids of all subnets, in the order in which they serve axons.
    served: Option<Cycle>,
    /// Accounts seen, both ways: making one takes two hashes.
    accounts: RwLock<Accounts>,
    /// Scores by rank where a few are strong.
    steep: Vec<u64>,
    /// How much of its bonds a miner has after so many epochs, of [`FULL`].
    ramp: Vec<u64>,
}

impl Net {
    pub(crate) fn new(config: Config) -> Result<Net, SyntheticError> {
        let config = config.checked()?;
        let subnets = u64::from(config.subnets);
        let on = |yes: u32, total: u64| Cycle::new(if yes == 0 { 0 } else { total });
        let mut left = FULL;
        let mut ramp = Vec::new();
        for _ in 0..60 {
            left = left * 9 / 10;
            ramp.push(FULL - left);
        }
        Ok(Net {
            replaced: on(config.registration_every, u64::from(config.miners())),
            staked: on(config.stake_moves, subnets * u64::from(config.validators)),
            served: on(config.axon_serves, subnets * u64::from(config.neurons)),
            accounts: RwLock::default(),
            steep: std::iter::successors(Some(58_000), |score| Some(score * 97 / 100))
                .map(|score| score + 3)
                .take(256)
                .collect(),
            ramp,
            config,
        })
    }

    fn hash(&self, parts: &[u64]) -> u64 {
        hash(self.config.seed, parts)
    }

    /// The account of somebody.
    pub(crate) fn account(&self, who: Who) -> AccountId {
        let known = self.accounts.read().ok();
        if let Some(account) = known.and_then(|known| known.account.get(&who).copied()) {
            return account;
        }
        let account = who.account(self.config.seed);
        if let Ok(mut known) = self.accounts.write() {
            known.account.insert(who, account);
            known.who.insert(account, who);
        }
        account
    }

    /// Whose account it is.
    pub(crate) fn who(&self, account: &AccountId) -> Option<Who> {
        let known = self.accounts.read().ok();
        if let Some(who) = known.and_then(|known| known.who.get(account).copied()) {
            return Some(who);
        }
        Who::of(self.config.seed, account)
    }

    /// Epochs of a subnet.
    pub(crate) fn epochs(&self, netuid: u16) -> Beat {
        let tempo = self.config.tempo;
        let place = u64::from(netuid - 1) * u64::from(tempo) / u64::from(self.config.subnets);
        Beat {
            first: 1 + u32::try_from(place).unwrap_or(0) % tempo,
            every: tempo,
        }
    }

    /// Settings of weights by a validator.
    pub(crate) fn settings(&self, netuid: u16, validator: u16) -> Beat {
        let tempo = self.config.tempo;
        let at = self.hash(&[SETTING, netuid.into(), validator.into()]) % u64::from(tempo);
        Beat {
            first: 1 + u32::try_from(at).unwrap_or(0),
            every: tempo,
        }
    }

    /// Whether the weights of a subnet are committed and revealed later.
    pub(crate) fn commits(&self, netuid: u16) -> bool {
        let every = self.config.commit_reveal_every;
        every > 0 && netuid.is_multiple_of(every)
    }

    /// Registrations in a subnet.
    pub(crate) fn registrations(&self, netuid: u16) -> Option<Beat> {
        self.replaced?;
        let every = self.config.registration_every;
        let at = self.hash(&[REGISTERING, netuid.into()]) % u64::from(every);
        Some(Beat {
            first: 1 + u32::try_from(at).unwrap_or(0),
            every,
        })
    }

    /// The uid that is taken over in a subnet in a block.
    pub(crate) fn registered(&self, netuid: u16, block: u32) -> Option<u16> {
        let beat = self.registrations(netuid)?;
        if !beat.at(block) {
            return None;
        }
        let place = self.replaced?.place(u64::from(beat.count(block) - 1));
        Some(self.config.validators + u16::try_from(place).ok()?)
    }

    /// How many held a uid before the one who holds it at the end of a block,
    /// and the block of his registration (0 for the first one).
    pub(crate) fn tenancy(&self, netuid: u16, uid: u16, block: u32) -> (u32, u32) {
        let first = (0, 0);
        let (Some(beat), Some(cycle)) = (self.registrations(netuid), self.replaced) else {
            return first;
        };
        let Some(place) = uid.checked_sub(self.config.validators) else {
            return first;
        };
        let visits = u64::from(beat.count(block));
        let times = cycle.times(place.into(), visits);
        let since = cycle
            .visit(place.into(), times)
            .and_then(|visit| beat.block(u32::try_from(visit).ok()? + 1));
        (
            u32::try_from(times).unwrap_or(u32::MAX),
            since.unwrap_or_default(),
        )
    }

    /// Who holds a uid at the end of a block.
    pub(crate) fn holder(&self, netuid: u16, uid: u16, block: u32) -> Who {
        if uid < self.config.validators {
            return Who::Validator { uid };
        }
        Who::Miner {
            netuid,
            uid,
            generation: self.tenancy(netuid, uid, block).0,
        }
    }

    /// The uid that a hotkey holds in a subnet at the end of a block.
    pub(crate) fn uid_of(&self, netuid: u16, who: Who, block: u32) -> Option<u16> {
        let uid = match who {
            Who::Validator { uid } if uid < self.config.validators => uid,
            Who::Miner { netuid: n, uid, .. } if n == netuid && uid < self.config.neurons => uid,
            _ => return None,
        };
        (self.holder(netuid, uid, block) == who).then_some(uid)
    }

    /// Which setting of a validator stands in W at the end of a block. Committed
    /// weights stand there from the epoch after they were committed.
    pub(crate) fn setting_in_force(&self, netuid: u16, validator: u16, block: u32) -> u32 {
        let beat = self.settings(netuid, validator);
        if !self.commits(netuid) {
            return beat.count(block);
        }
        let epochs = self.epochs(netuid);
        match epochs.block(epochs.count(block)) {
            Some(epoch) => beat.count(epoch - 1),
            None => 0,
        }
    }

    /// Block whose end state the `count`th epoch reads.
    fn before_epoch(&self, netuid: u16, count: u32) -> u32 {
        self.epochs(netuid)
            .block(count)
            .map_or(0, |block| block - 1)
    }

    /// What a miner is worth, up to [`FULL`], at a time counted in tempos.
    ///
    /// Subnets are of three kinds: all miners alike, evenly graded, a few
    /// strong ones. New holders begin anew.
    fn score(&self, netuid: u16, uid: u16, generation: u32, time: u64) -> u64 {
        let who = [netuid.into(), uid.into(), generation.into()];
        let key = self.hash(&[SCORE, who[0], who[1], who[2]]);
        let rank = self.hash(&[PROFILE, who[0], who[1], who[2]]) % 256;
        let base = match netuid % 3 {
            1 if rank < 12 => 600 + rank * 90,
            1 => 38_000 + rank * 20,
            2 => 900 + rank * 220,
            _ => self
                .steep
                .get(usize::try_from(rank).unwrap_or(0))
                .copied()
                .unwrap_or(3),
        };
        moved(base, walk(key, time), self.config.drift).clamp(1, FULL)
    }

    /// A validator's row of W at its setting `count` (0: what stood there at first).
    pub(crate) fn weights(&self, netuid: u16, validator: u16, count: u32) -> Vec<(u16, u16)> {
        let set = self.settings(netuid, validator).block(count);
        let before = set.map_or(0, |block| block - 1);
        let (v, n, time) = (validator.into(), netuid.into(), u64::from(count));
        let cell = |uid: u16| {
            let (generation, _) = self.tenancy(netuid, uid, before);
            let score = self.score(netuid, uid, generation, time);
            let key = self.hash(&[VIEW, n, v, uid.into(), generation.into()]);
            let weight = moved(score, walk(key, time), self.config.drift);
            (uid, short(weight.clamp(1, FULL)))
        };
        (0..self.config.neurons).map(cell).collect()
    }

    /// Share of a validator in a subnet, up to [`FULL`].
    fn share(&self, netuid: u16, validator: u16, time: u64) -> u64 {
        let turn = (u64::from(validator) + u64::from(netuid) * 7)
            % u64::from(self.config.validators.max(1));
        let key = self.hash(&[SHARE, netuid.into(), validator.into()]);
        moved(90_000 / (5 + 3 * turn), walk(key, time), 10)
    }

    /// A validator's row of B after the epoch `count`.
    pub(crate) fn bonds(&self, netuid: u16, validator: u16, count: u32) -> Vec<(u16, u16)> {
        let before = self.before_epoch(netuid, count);
        let epochs = self.epochs(netuid);
        let share = self.share(netuid, validator, count.into());
        let (v, n) = (validator.into(), netuid.into());
        let cell = |uid: u16| {
            let (generation, since) = self.tenancy(netuid, uid, before);
            let key = self.hash(&[BOND, n, v, uid.into(), generation.into()]);
            let bond = moved(share, averaged(key, count.into()), self.config.drift);
            let bond = match generation {
                0 => bond,
                _ => bond * self.ramped(count - epochs.count(since)) / FULL,
            };
            (uid, short(bond.clamp(1, FULL)))
        };
        (0..self.config.neurons).map(cell).collect()
    }

    fn ramped(&self, epochs: u32) -> u64 {
        let at = usize::try_from(epochs).unwrap_or(usize::MAX).max(1) - 1;
        self.ramp.get(at).copied().unwrap_or(FULL)
    }

    /// A vector of a subnet at the end of a block; `None` for one that is not kept.
    pub(crate) fn vector(&self, entry: &str, netuid: u16, block: u32) -> Option<Vec<u64>> {
        let count = self.epochs(netuid).count(block);
        let uids = 0..self.config.neurons;
        let validator = |uid: u16| uid < self.config.validators;
        let list: Vec<u64> = match entry {
            "Active" => uids
                .map(|uid| {
                    let idle = self
                        .hash(&[PROFILE, netuid.into(), uid.into()])
                        .is_multiple_of(8);
                    u64::from(validator(uid) || !idle)
                })
                .collect(),
            "ValidatorPermit" => uids.map(|uid| u64::from(validator(uid))).collect(),
            "LastUpdate" => uids
                .map(|uid| {
                    let at = if validator(uid) {
                        let beat = self.settings(netuid, uid);
                        beat.block(beat.count(block)).unwrap_or(0)
                    } else {
                        self.tenancy(netuid, uid, block).1
                    };
                    u64::from(at)
                })
                .collect(),
            "StakeWeight" => {
                let shares: Vec<u64> = uids
                    .map(|uid| match validator(uid) {
                        true => self.share(netuid, uid, count.into()),
                        false => 0,
                    })
                    .collect();
                parts(&shares, FULL)
            }
            "ValidatorTrust" => uids
                .map(|uid| match validator(uid) {
                    true => {
                        let key = self.hash(&[TRUST, netuid.into(), uid.into()]);
                        moved(61_000, walk(key, count.into()), self.config.drift / 4).min(FULL)
                    }
                    false => 0,
                })
                .collect(),
            "Dividends" => parts(&self.dividends(netuid, count), FULL),
            "Incentive" => self.cleared(parts(&self.scores(netuid, count, 0), FULL), netuid, block),
            "Consensus" => self.cleared(parts(&self.scores(netuid, count, 1), FULL), netuid, block),
            "Emission" => self.cleared(self.emission(netuid, count), netuid, block),
            _ => return None,
        };
        Some(list)
    }

    /// What each uid earned in an epoch, rao.
    pub(crate) fn emission(&self, netuid: u16, count: u32) -> Vec<u64> {
        let budget = BUDGET * u64::from(self.config.tempo) / 360;
        let miners = parts(&self.scores(netuid, count, 0), budget);
        let validators = parts(&self.dividends(netuid, count), budget);
        miners.iter().zip(validators).map(|(m, v)| m + v).collect()
    }

    fn dividends(&self, netuid: u16, count: u32) -> Vec<u64> {
        let dividend = |uid: u16| {
            let key = self.hash(&[TRUST, netuid.into(), uid.into()]);
            let share = self.share(netuid, uid, count.into()) * 1000;
            moved(share, walk(key, count.into()), self.config.drift / 4)
        };
        self.mapped(|uid| {
            if uid < self.config.validators {
                dividend(uid)
            } else {
                0
            }
        })
    }

    /// Scores of miners as an epoch finds them, a thousandfold.
    fn scores(&self, netuid: u16, count: u32, kind: u64) -> Vec<u64> {
        let before = self.before_epoch(netuid, count);
        self.mapped(|uid| {
            if uid < self.config.validators {
                return 0;
            }
            let (generation, _) = self.tenancy(netuid, uid, before);
            let score = self.score(netuid, uid, generation, count.into()) * 1000;
            let key = self.hash(&[SCORE, kind, netuid.into(), uid.into(), generation.into()]);
            moved(score, averaged(key, count.into()), self.config.drift)
        })
    }

    fn mapped(&self, f: impl FnMut(u16) -> u64) -> Vec<u64> {
        (0..self.config.neurons).map(f).collect()
    }

    /// A new holder of a uid has nothing until the next epoch.
    fn cleared(&self, mut list: Vec<u64>, netuid: u16, block: u32) -> Vec<u64> {
        for (uid, value) in (0..).zip(&mut list) {
            if !self.holds_since_epoch(netuid, uid, block) {
                *value = 0;
            }
        }
        list
    }

    /// Alpha on a validator in a subnet after so many movements and epochs, rao.
    fn alpha(&self, netuid: u16, validator: u16, moves: u64, epochs: u32) -> u64 {
        let share = self.share(netuid, validator, 0);
        let key = self.hash(&[STAKE, netuid.into(), validator.into()]);
        let base = share * 17_000_000_003;
        moved(base, walk(key, moves), 20) + share * 830_017 * u64::from(epochs)
    }

    /// Alpha on a validator in a subnet at the end of a block, rao.
    pub(crate) fn staked(&self, netuid: u16, validator: u16, block: u32) -> u64 {
        let moves = self.staked.map_or(0, |cycle| {
            let visits = u64::from(block) * u64::from(self.config.stake_moves);
            cycle.times(self.position(netuid, validator), visits)
        });
        self.alpha(netuid, validator, moves, self.epochs(netuid).count(block))
    }

    /// Alpha that the holder of a uid has in its subnet at the end of a block, rao.
    ///
    /// A miner keeps what it was given, more or less: a new one has nothing
    /// until its first epoch.
    pub(crate) fn alpha_of(&self, netuid: u16, uid: u16, block: u32) -> u64 {
        if uid < self.config.validators {
            return self.staked(netuid, uid, block);
        }
        let (generation, since) = self.tenancy(netuid, uid, block);
        let epochs = self.epochs(netuid);
        let count = epochs.count(block);
        let given = match generation {
            0 => count + 40,
            _ => count - epochs.count(since),
        };
        let key = self.hash(&[STAKE, netuid.into(), uid.into(), generation.into()]);
        let an_epoch = 90_000_000 + key % 1_500_000_000;
        moved(u64::from(given) * an_epoch, walk(key, count.into()), 2)
    }

    /// What [`Net::alpha_of`] was when the last epoch ran; 0 before the first one.
    pub(crate) fn alpha_before(&self, netuid: u16, uid: u16, block: u32) -> u64 {
        match self.epochs(netuid).count(block) {
            0 => 0,
            count => self.alpha_of(netuid, uid, self.before_epoch(netuid, count)),
        }
    }

    /// Whether the holder of a uid held it when the last epoch ran.
    pub(crate) fn holds_since_epoch(&self, netuid: u16, uid: u16, block: u32) -> bool {
        let before = self.before_epoch(netuid, self.epochs(netuid).count(block));
        self.tenancy(netuid, uid, before).0 == self.tenancy(netuid, uid, block).0
    }

    /// What a validator and those behind it earned in the last epoch, rao.
    pub(crate) fn dividend(&self, netuid: u16, validator: u16, block: u32) -> u64 {
        let count = self.epochs(netuid).count(block);
        let share = self.share(netuid, validator, count.into()) * 1_800_017;
        let key = self.hash(&[TRUST, netuid.into(), validator.into()]);
        moved(share, walk(key, count.into()), self.config.drift / 4)
    }

    fn position(&self, netuid: u16, validator: u16) -> u64 {
        u64::from(netuid - 1) * u64::from(self.config.validators) + u64::from(validator)
    }

    /// Stake movements of a block: subnet, validator, and alpha added (or taken).
    pub(crate) fn stake_moves(&self, block: u32) -> Vec<(u16, u16, i128)> {
        let (Some(cycle), Some(before)) = (self.staked, block.checked_sub(1)) else {
            return Vec::new();
        };
        let a_block = u64::from(self.config.stake_moves);
        let first = u64::from(before) * a_block;
        let one = |visit: u64| {
            let (netuid, validator) = split(cycle.place(visit), self.config.validators)?;
            let round = cycle.round(visit);
            let epochs = self.epochs(netuid).count(block);
            let after = self.alpha(netuid, validator, round, epochs);
            let before = self.alpha(netuid, validator, round - 1, epochs);
            Some((netuid, validator, i128::from(after) - i128::from(before)))
        };
        (first..first + a_block).filter_map(one).collect()
    }

    /// Axons served in a block: subnet and uid.
    pub(crate) fn axons_served(&self, block: u32) -> Vec<(u16, u16)> {
        let (Some(cycle), Some(before)) = (self.served, block.checked_sub(1)) else {
            return Vec::new();
        };
        let a_block = u64::from(self.config.axon_serves);
        let first = u64::from(before) * a_block;
        let visits = first..first + a_block;
        visits
            .filter_map(|visit| split(cycle.place(visit), self.config.neurons))
            .collect()
    }

    /// The last block up to `block` in which the holder of a uid served its axon:
    /// 0 for one that the chain began with, `None` for none.
    pub(crate) fn axon(&self, netuid: u16, uid: u16, block: u32) -> Option<u32> {
        let (generation, since) = self.tenancy(netuid, uid, block);
        let at_first = (generation == 0).then_some(0);
        let Some(cycle) = self.served else {
            return at_first;
        };
        let a_block = u64::from(self.config.axon_serves);
        let place = u64::from(netuid - 1) * u64::from(self.config.neurons) + u64::from(uid);
        let times = cycle.times(place, u64::from(block) * a_block);
        let last = cycle
            .visit(place, times)
            .and_then(|visit| u32::try_from(visit / a_block + 1).ok());
        match last {
            // Whoever registers in a block serves from the next one on.
            Some(last) if generation == 0 || last > since => Some(last),
            _ => at_first,
        }
    }

    /// A pool of a subnet: what it began with, what a block adds on average, and
    /// how far trades move it.
    pub(crate) fn pool(&self, netuid: u16, which: u64, block: u32, a_block: u64) -> u64 {
        let key = self.hash(&[POOL, netuid.into(), which]);
        let base = 20_000_000_000_000 + key % 900_000_000_000_000;
        moved(base, walk(key, block.into()), 2) + a_block * u64::from(block)
    }

    /// Something that only grows, by up to twice `a_block` in a block.
    pub(crate) fn sum(&self, netuid: u16, which: u64, block: u32, a_block: u64) -> u64 {
        let key = self.hash(&[POOL, netuid.into(), which]);
        let now = signed(self.hash(&[key, block.into()])) + ONE;
        let jitter = a_block * u64::try_from(now).unwrap_or(0) / 131_072;
        key % 90_000_000_000_000_000 + a_block * u64::from(block) + jitter
    }
}

/// Subnet and uid of a position.
fn split(position: u64, width: u16) -> Option<(u16, u16)> {
    let width = u64::from(width);
    let netuid = u16::try_from(position / width + 1).ok()?;
    Some((netuid, u16::try_from(position % width).ok()?))
}

/// Each one's part of a whole, rounded down.
fn parts(list: &[u64], whole: u64) -> Vec<u64> {
    let sum: u128 = list.iter().copied().map(u128::from).sum();
    let part = |n: &u64| {
        let part = u128::from(*n) * u128::from(whole) / sum.max(1);
        u64::try_from(part).unwrap_or(u64::MAX)
    };
    list.iter().map(part).collect()
}

fn short(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
