//! How large the chain is and how fast it goes.

use crate::SyntheticError;

/// A chain: everything in it follows from these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Two chains of different seeds have nothing in common but their pace.
    pub seed: u64,
    /// Last block, which is final.
    pub head: u32,
    /// Subnets, numbered from 1.
    pub subnets: u16,
    /// Uids of each subnet.
    pub neurons: u16,
    /// How many of them are validators: uids from 0. Each has rows of W and B
    /// over all uids, and one hotkey for all subnets.
    pub validators: u16,
    /// Blocks from one epoch of a subnet to the next, and from one setting of
    /// weights by a validator to its next.
    pub tempo: u32,
    /// Blocks from one registration in a subnet to the next; 0 is never.
    pub registration_every: u32,
    /// Stake movements in a block.
    pub stake_moves: u32,
    /// Axons served in a block.
    pub axon_serves: u32,
    /// About how far a weight moves from one setting to the next, in parts of
    /// 10,000 of itself.
    pub drift: u16,
    /// Every so many-th subnet commits its weights, time-locked; 0 is none.
    pub commit_reveal_every: u16,
}

impl Default for Config {
    /// The size and pace of the real network.
    ///
    /// The drift is taken from mainnet: weights of one miner by the validators of
    /// subnet 2 (block 3,705,440) lie 5 % apart, which is what independent walks
    /// with steps of 0.5 % reach within a day.
    fn default() -> Self {
        Config {
            seed: 424,
            head: 10_000,
            subnets: 128,
            neurons: 256,
            validators: 64,
            tempo: 360,
            registration_every: 180,
            stake_moves: 8,
            axon_serves: 4,
            drift: 50,
            commit_reveal_every: 4,
        }
    }
}

impl Config {
    /// A chain for tests: all that happens on a large one happens within 60 blocks.
    pub fn small() -> Config {
        Config {
            head: 60,
            subnets: 5,
            neurons: 12,
            validators: 4,
            tempo: 12,
            registration_every: 7,
            stake_moves: 2,
            axon_serves: 2,
            ..Config::default()
        }
    }

    /// Refuses numbers that make no chain.
    pub(crate) fn checked(self) -> Result<Config, SyntheticError> {
        let wrong = |what: &str| Err(SyntheticError::Config(what.to_owned()));
        if self.subnets == 0 || self.subnets >= 4096 {
            return wrong("subnets must be 1 to 4095");
        }
        if self.neurons == 0 || self.neurons > 4096 {
            return wrong("neurons must be 1 to 4096");
        }
        if self.validators > self.neurons {
            return wrong("there cannot be more validators than neurons");
        }
        if self.tempo < 2 {
            return wrong("the tempo must be at least 2 blocks");
        }
        if self.stake_moves > 1000 || self.axon_serves > 1000 || self.drift > 300 {
            return wrong("at most 1000 stake moves and axons a block, and a drift of 300");
        }
        Ok(self)
    }

    /// Netuids, ascending.
    pub fn netuids(&self) -> std::ops::RangeInclusive<u16> {
        1..=self.subnets
    }

    /// Uids that are not validators.
    pub fn miners(&self) -> u16 {
        self.neurons - self.validators
    }
}
