//! The kinds of behaviour between which runtimes differ.

/// Where total stake comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StakeSource {
    /// `TotalHotkeyStake`, the same on every subnet.
    TotalHotkey,
    /// The same moved along child keys per subnet and stopped at `NetworkMaxStake`: [`crate::yuma::stake::inherited_pre_dtao`].
    InheritedCapped,
    /// Alpha and weighted TAO, both moved along child keys: [`crate::yuma::stake::alpha_tao`].
    AlphaTao,
}

/// Which weights the new bonds come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BondWeights {
    /// Always the clipped ones.
    Clipped,
    /// Between the unclipped and the clipped ones by the hyperparameter `BondsPenalty`.
    Penalty,
}

/// Which old bonds are dropped because their miner is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BondMask {
    /// Bonds of validators that have not set weights since the miner registered.
    LastUpdate,
    /// Bonds to miners registered at or after `block - tempo`.
    BlockMinusTempo,
    /// Bonds to miners registered after the last epoch; `block - tempo` if there was none.
    LastStep,
}

/// Which weights are dropped because they were committed before their miner registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommitMask {
    /// None.
    None,
    /// Expiry of a commit is computed from its block and the tempo.
    ByBlock,
    /// Expiry of a commit is computed from the epoch counter.
    ByEpoch,
}

/// The liquid alpha that a runtime knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiquidAlpha {
    /// None; the hyperparameter does not exist or is ignored.
    None,
    /// One alpha per miner, from a logistic curve through two quantiles of the consensus.
    Quantiles {
        /// True if a slope that does not fit becomes zero, false if it stops at the end of the number.
        safe_division: bool,
    },
    /// One alpha per validator and miner, from a sigmoid of the difference; only with Yuma3.
    Sigmoid {
        /// True if steepness is a percentage (divided by -100), false if it is used as it is.
        percent: bool,
        /// True if the exponent is stopped at -20 and 20, false if the exponential becomes zero when it does not fit.
        bounded: bool,
    },
}

/// How pruning scores are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pruning {
    /// `floor(share * 65535)`.
    Floor,
    /// Scaled so that the greatest becomes 65535, rounded half away from zero.
    MaxUpscale,
    /// Not stored.
    None,
}

/// How the activity cutoff is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActivityRule {
    /// `ActivityCutoff`, in blocks.
    Blocks,
    /// `ActivityCutoffFactorMilli` thousandths of a tempo, at least one block.
    FactorMilli,
}

/// When epochs are due, see [`crate::yuma::schedule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// By block number, tempo and netuid alone; the period is tempo + 1.
    Modulo,
    /// By what is stored about the last epoch; the period is tempo.
    Stateful,
}

/// What a subnet with registrations switched off does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegistrationGate {
    /// The switch does not matter.
    None,
    /// No epoch.
    NoEpoch,
    /// An epoch without new emission.
    NoNewEmission,
    /// The slot is used up without an epoch.
    SlotConsumed,
}

/// What happens to netuid 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RootEpoch {
    /// An epoch like any subnet's.
    Subnet,
    /// An epoch of its own kind, which sets `EmissionValues`; not computed here, see [`crate::yuma`].
    Separate,
    /// None.
    Skipped,
}

/// When reveals of timelocked commits change `Weights` inside the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reveals {
    /// Never: commits are revealed by extrinsics only.
    Never,
    /// Right before the epoch of the same subnet.
    BeforeEpoch,
    /// Tried in every block for every subnet, before epochs.
    EveryBlock,
}

/// When pending child keys become effective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PendingChildren {
    /// There are none.
    None,
    /// After the epoch.
    AfterEpoch,
    /// Before the epoch: they change the inherited stake.
    BeforeEpoch,
    /// At the end of the block's distribution.
    AfterDistribution,
}

/// What of the last block's `LoadedEmission` is added to stakes before epochs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadedEmission {
    /// The take, and for each nominator of a delegate its part rounded down; all of it for others.
    PerNominator,
    /// All of it: the remainder goes to the owner.
    Full,
    /// There is none.
    None,
}

/// How epochs and distributions of one block follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockOrder {
    /// All epochs, then the stakes change.
    EpochsFirst,
    /// Subnet by subnet, each with its distribution, which also changes root stake.
    PerSubnet,
    /// Subnet by subnet; root dividends wait to be claimed, so a subnet changes only its own alpha.
    PerSubnetRootClaims,
    /// All reveals, all emissions, all pending amounts drained, then the epochs in ascending order.
    DrainedFirst,
}

/// Which storage items hold the amount that an epoch distributes (each with the share of the block itself added).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EmissionPool {
    /// `PendingEmission`, filled from `EmissionValues`.
    EmissionValues,
    /// The same without the owner's cut, taken each block.
    EmissionValuesAfterCut,
    /// `PendingEmission` without the owner's cut, taken at the epoch.
    PendingAfterCut,
    /// `PendingEmission` and `PendingAlphaSwapped`.
    PendingAndSwapped,
    /// `PendingEmission` and `PendingRootAlphaDivs`.
    PendingAndRootAlpha,
    /// `PendingServerEmission`, `PendingValidatorEmission` and `PendingRootAlphaDivs`.
    ServerValidatorRootAlpha,
}
