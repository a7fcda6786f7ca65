//! Lists from their other ends, for pages that are cut from the back.

use super::*;

/// The lists of the other ports in the other order, under the same rules and bounds.
pub trait Backwards: Send + Sync {
    /// [`Reader::commits`], oldest first: those newer than `after`.
    fn commits_up(
        &self,
        at: BlockNumber,
        filter: &CommitFilter,
        after: Option<CommitId>,
        first: usize,
    ) -> Result<CommitPage, ReadError>;

    /// [`Reader::stake_movements`], oldest first: those newer than `after`.
    fn stake_movements_up(
        &self,
        at: BlockNumber,
        filter: &StakeFilter,
        after: Option<StakeMovementId>,
        first: usize,
    ) -> Result<StakeMovementPage, ReadError>;

    /// [`Histories::tenancies`], oldest first: those that begin after `after` (block and uid).
    fn tenancies_up(
        &self,
        netuid: NetUid,
        whose: Whose,
        after: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Vec<Tenancy>, ReadError>;

    /// [`Reader::verifications`], oldest first: those newer than `after`.
    fn verifications_up(
        &self,
        wanted: &VerificationFilter,
        after: Option<VerificationId>,
        first: usize,
    ) -> Result<VerificationPage, ReadError>;

    /// Versions of a row of a matrix that begin in the blocks from `from` to `to`, at most `first`,
    /// in either order. Of rows of B nothing says what set them.
    fn row_versions(
        &self,
        row: VersionsOf,
        from: BlockNumber,
        to: BlockNumber,
        newest_first: bool,
        first: usize,
    ) -> Result<Vec<WeightsVersion>, ReadError>;

    /// [`Histories::epochs`], newest first.
    fn epochs_down(
        &self,
        netuid: NetUid,
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<Epoch>, ReadError>;

    /// [`Results::results`], highest number first: those below `before`.
    fn results_down(
        &self,
        wanted: &ResultFilter,
        before: Option<u64>,
        first: usize,
    ) -> Result<ResultPage, ReadError>;
}

/// A row of a matrix over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionsOf {
    /// Of B; else of W.
    pub bonds: bool,
    /// Subnet.
    pub netuid: NetUid,
    /// Mechanism.
    pub mechanism: MechId,
    /// The neuron whose row it is.
    pub uid: Uid,
}
