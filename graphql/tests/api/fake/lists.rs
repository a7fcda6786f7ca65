//! Lists from their other ends, epochs by number, and accounts of the store in memory.

use chain_metadata::{AccountId, BlockNumber, NetUid, Uid};
use graphql::ports::*;
use graphql::{ReadError, Reader};

use super::{Fake, account};

/// More than any list here holds.
const ALL: usize = 1_000;

/// The other way round: what lies past a place, at most so many, and whether more do.
fn turned<T>(mut list: Vec<T>, past: impl Fn(&T) -> bool, first: usize) -> (Vec<T>, bool) {
    list.reverse();
    list.retain(past);
    let more = list.len() > first;
    list.truncate(first);
    (list, more)
}

impl Backwards for Fake {
    fn commits_up(
        &self,
        at: BlockNumber,
        filter: &CommitFilter,
        after: Option<CommitId>,
        first: usize,
    ) -> Result<CommitPage, ReadError> {
        let all = self.commits(at, filter, None, ALL)?.commits;
        let (commits, more) = turned(all, |c| after.is_none_or(|a| c.id > a), first);
        let next = commits.last().map(|c| c.id).or(after).filter(|_| more);
        Ok(CommitPage { commits, next })
    }

    fn stake_movements_up(
        &self,
        at: BlockNumber,
        filter: &StakeFilter,
        after: Option<StakeMovementId>,
        first: usize,
    ) -> Result<StakeMovementPage, ReadError> {
        let all = self.stake_movements(at, filter, None, ALL)?.movements;
        let (movements, more) = turned(all, |m| after.is_none_or(|a| m.id > a), first);
        let next = movements.last().map(|m| m.id).or(after).filter(|_| more);
        Ok(StakeMovementPage { movements, next })
    }

    fn tenancies_up(
        &self,
        netuid: NetUid,
        whose: Whose,
        after: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Vec<Tenancy>, ReadError> {
        let all = self.tenancies(netuid, whose, None, ALL)?;
        let place = |t: &Tenancy| (t.from, u32::from(t.uid.0));
        Ok(turned(all, |t| after.is_none_or(|a| place(t) > a), first).0)
    }

    fn verifications_up(
        &self,
        wanted: &VerificationFilter,
        after: Option<VerificationId>,
        first: usize,
    ) -> Result<VerificationPage, ReadError> {
        let all = self.verifications(wanted, None, ALL)?.records;
        let id = |r: &Verification| VerificationId {
            block: r.block,
            netuid: r.netuid,
            mechanism: r.mechanism,
        };
        let (records, more) = turned(all, |r| after.is_none_or(|a| id(r) > a), first);
        let next = records.last().map(id).or(after).filter(|_| more);
        Ok(VerificationPage { records, next })
    }

    fn row_versions(
        &self,
        row: VersionsOf,
        from: BlockNumber,
        to: BlockNumber,
        newest_first: bool,
        first: usize,
    ) -> Result<Vec<WeightsVersion>, ReadError> {
        let of = (row.netuid, row.mechanism, row.uid);
        let size = if newest_first { ALL } else { first };
        let mut found = self.weight_changes(of, from, to, size)?;
        if newest_first {
            found = turned(found, |_| true, first).0;
        }
        if row.bonds {
            found.iter_mut().for_each(|version| version.set_by = None);
        }
        Ok(found)
    }

    fn epochs_down(
        &self,
        netuid: NetUid,
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<Epoch>, ReadError> {
        let all = self.epochs(netuid, from, to, ALL)?;
        Ok(turned(all, |_| true, first).0)
    }

    fn results_down(
        &self,
        wanted: &ResultFilter,
        before: Option<u64>,
        first: usize,
    ) -> Result<ResultPage, ReadError> {
        let all = self.results(wanted, None, ALL)?.records;
        let (records, more) = turned(all, |r| before.is_none_or(|b| r.number < b), first);
        let next = records.last().map(|r| r.number).or(before).filter(|_| more);
        Ok(ResultPage { records, next })
    }
}

/// Epochs of every subnet run in blocks that four divides; the one of block 12 is not counted, and
/// the others have their block as index.
impl Epochs for Fake {
    fn applied(&self, keys: &[(BlockNumber, NetUid)]) -> Result<Vec<Option<Applied>>, ReadError> {
        self.count("applied");
        let one = |(block, _): &(BlockNumber, NetUid)| {
            self.check(*block)?;
            let ran = block - block % 4;
            let stored = self.check(ran).is_ok();
            Ok((ran > 0).then_some(Applied {
                block: ran,
                index: (stored && ran != 12).then_some(u64::from(ran)),
                spec_version: stored.then(|| super::spec_of(ran)),
                input_spec_version: stored.then(|| super::spec_of(ran - 1)),
                finalized: Some(ran) <= self.held().last,
            }))
        };
        keys.iter().map(one).collect()
    }

    fn epoch_blocks(
        &self,
        keys: &[(NetUid, EpochPlace)],
    ) -> Result<Vec<Option<BlockNumber>>, ReadError> {
        self.count("epoch_blocks");
        let (first, last) = {
            let held = self.held();
            (held.first.unwrap_or(1), held.last.unwrap_or(0))
        };
        let ran: Vec<_> = (first..=last).rev().filter(|b| b % 4 == 0).collect();
        let one = |(_, place): &(NetUid, EpochPlace)| match *place {
            EpochPlace::Index(index) => {
                let with = |b: &&u32| u64::from(**b) == index && **b != 12;
                ran.iter().find(with).copied()
            }
            EpochPlace::Behind(behind) => ran.get(usize::try_from(behind).unwrap()).copied(),
        };
        Ok(keys.iter().map(one).collect())
    }
}

/// Account n is owned by account n + 50 when n is below 50, and is uid n of every subnet when it is
/// below the number of neurons. It has left subnet 0.
impl Accounts for Fake {
    fn owners(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Option<AccountId>>, ReadError> {
        self.count("owners");
        let one = |(block, AccountId(id)): &(BlockNumber, AccountId)| {
            self.check(*block)?;
            Ok((id[0] < 50).then(|| account(id[0] + 50)))
        };
        keys.iter().map(one).collect()
    }

    fn owned_hotkeys(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Option<Vec<AccountId>>>, ReadError> {
        self.count("owned_hotkeys");
        let one = |(block, AccountId(id)): &(BlockNumber, AccountId)| {
            self.check(*block)?;
            Ok(match id[0] {
                255 => None,
                50..100 => Some(vec![account(id[0] - 50), account(7), account(8)]),
                _ => Some(Vec::new()),
            })
        };
        keys.iter().map(one).collect()
    }

    fn memberships(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Vec<Membership>>, ReadError> {
        self.count("memberships");
        let one = |(block, AccountId(id)): &(BlockNumber, AccountId)| {
            self.check(*block)?;
            let held = self.held();
            let uid = u16::from(id[0]);
            let in_all = (0..held.subnets).filter(|_| uid < held.neurons);
            Ok(in_all
                .map(|netuid| Membership {
                    netuid: NetUid(netuid),
                    uid: (netuid > 0).then_some(Uid(uid)),
                })
                .collect())
        };
        keys.iter().map(one).collect()
    }
}
