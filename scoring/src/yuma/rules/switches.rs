//! Every change, with the first spec version that has it.

/// A change of the epoch or of what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Switch {
    /// A short name.
    pub name: &'static str,
    /// The first spec version with the new behaviour.
    pub since: u32,
    /// What changed.
    pub what: &'static str,
}

impl Switch {
    /// True for runtimes with the new behaviour.
    pub const fn is_on(self, spec: u32) -> bool {
        spec >= self.since
    }
}

macro_rules! switches {
    ($($name:ident = $since:literal, $what:literal;)*) => {
        $(
            #[doc = concat!("From spec ", stringify!($since), ": ", $what)]
            pub const $name: Switch = Switch { name: stringify!($name), since: $since, what: $what };
        )*
        /// All switches, in the order of this file.
        pub const ALL: &[Switch] = &[$($name),*];
    };
}

switches! {
    PERMIT_MASKS_STAKE = 108, "active stake excludes uids without a validator permit, before it is normalised.";
    PRUNING_UPSCALED = 116, "pruning scores are scaled so that the greatest is 65535, rounded half away from zero.";
    UPSCALED_WEIGHTS = 117, "set_weights stores rows scaled so that the greatest weight is 65535; only the format of the input changes.";
    RAW_U16_INPUTS = 120, "weights and bonds enter as whole numbers, not divided by 65535 first.";
    UPSCALED_BONDS = 120, "each column of bonds is divided by its greatest entry before it is stored; dividends use the values before.";
    SPLIT_EMISSION = 121, "emission is split into a server and a validator part; the fallback to stake goes to the validator part.";
    LOADED_EMISSION_FULL = 121, "a delegate's stake grows by all of its loaded emission; before, each nominator's part was rounded down and the rest lost.";
    OWNER_CUT = 133, "the owner's cut leaves the pending emission in every block.";
    ROOT_SEPARATE = 133, "netuid 0 has an epoch of its own kind.";
    WEIGHT_UID_FILTER = 143, "weights of and to uids outside the subnet are skipped. Released as 144; a build that still says 143 has it, and one without it panics, so no epoch differs.";
    BOND_ROW_FILTER = 151, "bonds of uids outside the subnet are skipped; a runtime without it panics.";
    REGISTRATION_NO_EPOCH = 151, "a subnet with registrations off has no epoch.";
    REGISTRATION_NO_EMISSION = 153, "a subnet with registrations off has epochs, but no new emission.";
    LIQUID_ALPHA_1 = 154, "liquid alpha: each miner's moving average follows a logistic curve through two quantiles of the consensus.";
    STAKE_INHERITED = 195, "stake moves along child keys, per subnet, and stops at NetworkMaxStake; LoadedEmission is gone, stakes change after all epochs.";
    STAKE_WEIGHT = 195, "StakeWeight is stored.";
    POOL_PENDING = 195, "the owner's cut leaves the pending emission at the epoch, not in every block.";
    ROOT_AS_SUBNET = 195, "netuid 0 passes through the same epoch again.";
    ROOT_SKIPPED = 210, "netuid 0 has no epoch.";
    REGISTRATION_SLOT = 212, "a subnet with registrations off uses up its slot without an epoch.";
    REVEALS_BEFORE_EPOCH = 216, "timelocked commits are revealed right before the epoch of their subnet.";
    CHILDREN_AFTER_EPOCH = 216, "pending child keys become effective after the epoch.";
    CHILDREN_BEFORE_EPOCH = 218, "pending child keys become effective before the epoch.";
    STAKE_ALPHA_TAO = 233, "total stake is alpha plus weighted TAO, both moved along child keys; NetworkMaxStake is gone.";
    BONDS_PENALTY = 233, "new bonds come from weights between the unclipped and the clipped ones, by BondsPenalty.";
    LIQUID_ALPHA_1_SAFE = 233, "a slope of liquid alpha 1 that does not fit becomes zero; before, it stopped at the end of the number.";
    CHILDREN_AFTER_DISTRIBUTION = 233, "pending child keys become effective after the distribution.";
    REGISTRATION_FREE = 233, "registrations do not matter for epochs.";
    PER_SUBNET_ORDER = 233, "epoch and distribution follow each other subnet by subnet; root stake changes in between.";
    POOL_SWAPPED = 233, "an epoch distributes PendingEmission and PendingAlphaSwapped.";
    OWNER_KEEPS_SELF_WEIGHT = 252, "the subnet owner's weight for itself counts.";
    BOND_MASK_TEMPO = 257, "old bonds to a miner are dropped if it registered at or after block - tempo, whatever their validator did.";
    DEFAULT_BONDS_PENALTY_FULL = 257, "BondsPenalty is 65535 where nothing is stored; before, 0.";
    STAKE_THRESHOLD = 273, "stake below StakeThreshold counts as zero.";
    PERMITS_NEED_STAKE = 273, "a uid without stake gets no validator permit.";
    YUMA3 = 273, "Yuma3: bonds are a moving average of weights, dividends weight them with stake. Per subnet.";
    LIQUID_ALPHA_2 = 273, "liquid alpha only with Yuma3: one alpha per validator and miner from a sigmoid; steepness is used as it is.";
    STEEPNESS_PERCENT = 283, "steepness of liquid alpha is signed and divided by -100.";
    COMMIT_MASK = 297, "weights committed before their miner registered are dropped on subnets with commit-reveal.";
    REVEALS_EVERY_BLOCK = 301, "reveals are tried in every block for every subnet.";
    DEFAULT_COMMIT_REVEAL = 306, "commit-reveal is on where nothing is stored; before, off.";
    MECHANISMS = 320, "mechanisms: an epoch for each, keyed by mechanism * 4096 + netuid, then joined; a short LastUpdate is filled up with zeros.";
    ALL_BOND_ROWS = 320, "the bonds of every uid are rewritten; before, uids without a permit before and after kept theirs.";
    STAKE_WEIGHT_MISSING = 320, "StakeWeight is not stored.";
    STAKE_WEIGHT_AGAIN = 323, "StakeWeight is stored again.";
    UNIQUE_HOTKEYS = 334, "no epoch while two uids have the same hotkey.";
    ROOT_CLAIMS = 334, "root dividends wait to be claimed: no root stake changes between epochs of a block.";
    POOL_ROOT_ALPHA = 334, "an epoch distributes PendingEmission and PendingRootAlphaDivs.";
    POOL_SERVER_VALIDATOR = 345, "an epoch distributes PendingServerEmission, PendingValidatorEmission and PendingRootAlphaDivs.";
    DRAINED_FIRST = 361, "all pending amounts are drained before the first epoch of a block.";
    NO_RANK_TRUST_PRUNING = 365, "Rank, Trust and PruningScores are no longer made.";
    BOUNDED_EXPONENT = 365, "the exponent of liquid alpha stops at -20 and 20; before, the exponential became zero when it did not fit.";
    OWNER_PRIVILEGE = 397, "the subnet owner is exempt from StakeThreshold and counts as permitted, before and after.";
    ACTIVITY_FACTOR = 423, "the activity cutoff is a factor of the tempo.";
    BOND_MASK_LAST_STEP = 423, "old bonds to a miner are dropped if it registered after the last epoch.";
    COMMIT_MASK_BY_EPOCH = 423, "commits carry their epoch, and expire by the subnet's epoch counter.";
    DYNAMIC_TEMPO = 423, "epochs are due by what is stored about the last one, every tempo blocks; the owner may change right before.";
}
