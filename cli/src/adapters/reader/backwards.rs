//! Lists from their other ends, as the window asks for them.

use chain_metadata::{BlockNumber, NetUid, Uid};
use challenges::ledger::Filter;
use graphql::ports::{self, Backwards, ReadError};
use indexer::view::{self, sets, tenancy};

use super::{StoreReader, commits, coverage, history, read_error, results, stake, verdicts};

impl Backwards for StoreReader {
    fn commits_up(
        &self,
        at: BlockNumber,
        filter: &ports::CommitFilter,
        after: Option<ports::CommitId>,
        first: usize,
    ) -> Result<ports::CommitPage, ReadError> {
        let at = self.at(at)?;
        if let Some(done) = coverage::restaged_to(&self.store, at.number) {
            let asked = at.number;
            return Err(ReadError::Restaging { asked, done });
        }
        let filter = commits::filter(filter);
        let after = after.map(commits::id);
        let page = view::commits::page_up(self.over(at.number), &at, &filter, after, first);
        let page = page.map_err(read_error)?;
        let found = page.commits.into_iter();
        Ok(ports::CommitPage {
            commits: found.map(|c| commits::commit(&at, c)).collect(),
            next: page.next.map(commits::name),
        })
    }

    fn stake_movements_up(
        &self,
        at: BlockNumber,
        filter: &ports::StakeFilter,
        after: Option<ports::StakeMovementId>,
        first: usize,
    ) -> Result<ports::StakeMovementPage, ReadError> {
        let at = self.at(at)?;
        let (filter, after) = (stake::filter(filter), after.map(stake::id));
        let page = view::stake::page_up(self.over(at.number), at.number, &filter, after, first);
        let page = page.map_err(read_error)?;
        Ok(ports::StakeMovementPage {
            movements: page.movements.into_iter().map(stake::movement).collect(),
            next: page.next.map(stake::name),
        })
    }

    fn tenancies_up(
        &self,
        netuid: NetUid,
        whose: ports::Whose,
        after: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Vec<ports::Tenancy>, ReadError> {
        if let Some(tip) = self.tip()? {
            self.settled(tip.last)?;
        }
        let after = after.map(|(block, uid)| (block, Uid(u16::try_from(uid).unwrap_or(u16::MAX))));
        let whose = history::whose(whose);
        let found = tenancy::list_up(self.base(), netuid, whose, after, first);
        let found = found.map_err(read_error)?.into_iter();
        Ok(found.map(history::tenancy).collect())
    }

    fn verifications_up(
        &self,
        wanted: &ports::VerificationFilter,
        after: Option<ports::VerificationId>,
        first: usize,
    ) -> Result<ports::VerificationPage, ReadError> {
        verdicts::page_up(self.base(), wanted, after, first)
    }

    fn row_versions(
        &self,
        row: ports::VersionsOf,
        from: BlockNumber,
        to: BlockNumber,
        newest_first: bool,
        first: usize,
    ) -> Result<Vec<ports::WeightsVersion>, ReadError> {
        let row = sets::RowOf {
            entry: if row.bonds { "Bonds" } else { "Weights" },
            netuid: row.netuid,
            mechanism: row.mechanism,
            uid: row.uid,
        };
        let found = sets::row_versions(self.base(), row, from..=to, newest_first, first);
        let versions = found.map_err(read_error)?.into_iter();
        Ok(versions
            .map(|version| ports::WeightsVersion {
                block: version.block,
                entries: version.entries,
                set_by: version.set_by.map(history::set_by),
            })
            .collect())
    }

    fn epochs_down(
        &self,
        netuid: NetUid,
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<ports::Epoch>, ReadError> {
        let found = self.base().epochs_down(netuid.0, from..=to, first);
        let found = found.map_err(read_error)?.into_iter();
        Ok(found
            .map(|(block, row)| ports::Epoch {
                netuid,
                block,
                mechanisms: row.mechanisms,
                index: row.index,
            })
            .collect())
    }

    fn results_down(
        &self,
        wanted: &ports::ResultFilter,
        before: Option<u64>,
        first: usize,
    ) -> Result<ports::ResultPage, ReadError> {
        let filter = Filter {
            netuid: wanted.netuid.0,
            challenge: wanted.challenge.clone(),
            kind: wanted.kind.map(results::kind),
            subject: wanted.subject.clone(),
            after: None,
        };
        let page = self.ledger()?.page_down(&filter, before, first);
        let page = page.map_err(results::ledger_error)?;
        Ok(ports::ResultPage {
            records: page.records.into_iter().map(results::record).collect(),
            next: page.next,
        })
    }
}
