//! What an epoch stores.

/// The integers that the chain holds after the epoch, one per uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochOutputs {
    /// `StakeWeight`: normalised stake. None where the runtime does not store it (before 195, and 320 to 322).
    pub stake_weight: Option<Vec<u16>>,
    /// `Active`.
    pub active: Vec<bool>,
    /// `Consensus`.
    pub consensus: Vec<u16>,
    /// `Incentive`.
    pub incentive: Vec<u16>,
    /// `Dividends`.
    pub dividends: Vec<u16>,
    /// `ValidatorTrust`.
    pub validator_trust: Vec<u16>,
    /// `Rank`, equal to the incentive. None from spec 365 on.
    pub rank: Option<Vec<u16>>,
    /// `Trust`. None from spec 365 on.
    pub trust: Option<Vec<u16>>,
    /// `PruningScores`. None from spec 365 on.
    pub pruning_scores: Option<Vec<u16>>,
    /// `ValidatorPermit` for the next epoch.
    pub validator_permit: Vec<bool>,
    /// `Bonds`.
    pub bonds: BondRows,
    /// Amounts; none when the drained emission was not given.
    pub emission: Option<Emission>,
}

/// Amounts in rao, one per uid. Each is rounded down on its own, so they may add up to a little less than what was drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emission {
    /// For incentive. None before spec 121, which did not split.
    pub server: Option<Vec<u64>>,
    /// For dividends. None before spec 121.
    pub validator: Option<Vec<u64>>,
    /// `Emission`: both together, rounded once.
    pub combined: Vec<u64>,
}

/// The rows of `Bonds` after the epoch, in one flat array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BondRows {
    /// Where each row starts; one more than there are rows.
    pub(crate) starts: Vec<u32>,
    pub(crate) entries: Vec<(u16, u16)>,
    /// Rows that the epoch wrote. Before spec 320 a uid without a permit before and after keeps whatever is stored.
    pub(crate) written: Vec<bool>,
}

impl BondRows {
    /// Number of rows, one per uid.
    pub fn len(&self) -> usize {
        self.written.len()
    }

    /// True for a subnet without neurons.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The row that the epoch wrote for a uid, in the order in which it is stored: empty if it cleared the row,
    /// none if it left what was stored before (or the uid does not exist).
    pub fn row(&self, uid: u16) -> Option<&[(u16, u16)]> {
        let uid = usize::from(uid);
        if !*self.written.get(uid)? {
            return None;
        }
        let start = usize::try_from(*self.starts.get(uid)?).ok()?;
        let end = usize::try_from(*self.starts.get(uid + 1)?).ok()?;
        self.entries.get(start..end)
    }

    /// All rows in the order of uids, as [`BondRows::row`] gives them.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[(u16, u16)]>> {
        (0..=u16::MAX).take(self.len()).map(|uid| self.row(uid))
    }
}
