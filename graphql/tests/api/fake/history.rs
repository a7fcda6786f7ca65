//! Histories of the store in memory: made from their keys, as everything in it.

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, Uid};
use graphql::ReadError;
use graphql::ports::*;

use super::{Fake, WIDE, account, event, extrinsic};

/// Uid 3 is held by one neuron up to block 14 and by another one from 15 on; the
/// neuron of uid 0 swapped its hotkey in block 13.
pub(crate) fn tenancy(block: BlockNumber, netuid: NetUid, uid: Uid) -> Tenancy {
    let cut = match uid.0 {
        0 => Some((13, TenancyChange::Swapped)),
        3 => Some((15, TenancyChange::Registered)),
        _ => None,
    };
    let late = cut.is_some_and(|(at, _)| block >= at);
    let swapped = uid.0 == 0;
    let holder = u8::try_from(uid.0).unwrap() + if late { 100 } else { 0 };
    Tenancy {
        netuid,
        uid,
        hotkey: account(holder),
        from: cut.filter(|_| late).map_or(10, |(at, _)| at),
        began: match cut {
            Some((_, how)) if late => how,
            _ => TenancyChange::FoundAtStart,
        },
        until: cut.filter(|_| !late).map(|(at, _)| at),
        ended: cut.filter(|_| !late).map(|(_, how)| how),
        registered_at: (uid.0 != 2).then_some(WIDE),
        previous: (swapped && late).then_some((12, uid)),
        next: (swapped && !late).then_some((13, uid)),
    }
}

pub(crate) fn set_by(block: BlockNumber, uid: Uid) -> WeightsSet {
    let reveal = uid.0 == 2;
    WeightsSet {
        block,
        kind: match uid.0 {
            0 => WeightsSetKind::Batch,
            2 => WeightsSetKind::TimelockReveal,
            _ => WeightsSetKind::Direct,
        },
        hotkey: Some(account(9)),
        made_by: (!reveal).then(|| CallPlace {
            block,
            extrinsic: 2,
            path: Some(vec![1, 0]),
        }),
        item: (uid.0 == 0).then_some(4),
        version_key: (!reveal).then_some(WIDE),
        commit: reveal.then_some(CommitId { block, index: 0 }),
    }
}

impl Fake {
    fn stored(&self) -> std::ops::RangeInclusive<BlockNumber> {
        let held = self.held();
        held.first.unwrap_or(1)..=held.last.unwrap_or(0)
    }

    /// What a search may look at, which must have no hole: from where it ends on.
    fn searched(
        &self,
        from: Option<BlockNumber>,
        to: Option<BlockNumber>,
    ) -> Result<std::ops::RangeInclusive<BlockNumber>, ReadError> {
        let (from, to) = (from.unwrap(), to.unwrap());
        for block in from..=to {
            self.check(block)?;
        }
        Ok(from.max(self.held().search_to.unwrap_or(0))..=to)
    }

    /// Where a search goes on that has looked at a range.
    fn rest(
        &self,
        from: Option<BlockNumber>,
        range: &std::ops::RangeInclusive<BlockNumber>,
    ) -> Option<(BlockNumber, u32)> {
        let start = *range.start();
        (from? < start).then(|| (start - 1, u32::MAX))
    }
}

fn named(account: AccountId, found: &Extrinsic) -> bool {
    found.signer == Some(account)
}

impl Histories for Fake {
    fn tenancy(
        &self,
        keys: &[(BlockNumber, NetUid, Uid)],
    ) -> Result<Vec<Option<Tenancy>>, ReadError> {
        self.count("tenancy");
        let neurons = self.held().neurons;
        let each = keys.iter();
        Ok(each
            .map(|(block, netuid, uid)| (uid.0 < neurons).then(|| tenancy(*block, *netuid, *uid)))
            .collect())
    }

    fn tenancies(
        &self,
        netuid: NetUid,
        whose: Whose,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Vec<Tenancy>, ReadError> {
        self.count("tenancies");
        let mut all: Vec<_> = (0..4)
            .flat_map(|uid| [20, 10].map(|block| tenancy(block, netuid, Uid(uid))))
            .filter(|t| match whose {
                Whose::Uid(uid) => t.uid == uid,
                Whose::Hotkey(hotkey) => t.hotkey == hotkey,
            })
            .collect();
        all.dedup();
        all.retain(|t| before.is_none_or(|before| (t.from, u32::from(t.uid.0)) < before));
        all.truncate(first);
        Ok(all)
    }

    fn weights_set_by(&self, keys: &[RowKey]) -> Result<Vec<Option<WeightsSet>>, ReadError> {
        self.count("weights_set_by");
        let each = keys.iter();
        Ok(each
            .map(|(block, _, _, uid)| (uid.0 != 3).then(|| set_by(*block, *uid)))
            .collect())
    }

    fn weight_changes(
        &self,
        (_, _, uid): (NetUid, MechId, Uid),
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<WeightsVersion>, ReadError> {
        self.count("weight_changes");
        let blocks = (from..=to).filter(|block| block % 3 == 0).take(first);
        Ok(blocks
            .map(|block| WeightsVersion {
                block,
                entries: (block != 15).then(|| vec![(3, 65535), (0, uid.0)]),
                set_by: (block != 15).then(|| set_by(block, uid)),
            })
            .collect())
    }

    fn series(
        &self,
        wanted: &SeriesWanted,
        after: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Series, ReadError> {
        self.count("series");
        let Whose::Uid(uid) = wanted.whose else {
            return Ok(Series {
                segments: Vec::new(),
                next: None,
            });
        };
        let blocks = (wanted.from..=wanted.to).filter(|block| wanted.changes || block % 2 == 0);
        let blocks = blocks.filter(|block| after.is_none_or(|after| (*block, 0) > after));
        let mut series = Series {
            segments: Vec::new(),
            next: None,
        };
        for block in blocks.take(first) {
            let held = tenancy(block, wanted.netuid, uid);
            let values = wanted.fields.iter().map(|field| match field {
                SeriesField::Trust => None,
                SeriesField::Emission => Some(WIDE),
                SeriesField::ValidatorPermit => Some(1),
                _ => Some(65535),
            });
            let point = SeriesPoint {
                block,
                epoch: (block != 12).then(|| WIDE + u64::from(block)),
                values: values.collect(),
            };
            match series.segments.iter_mut().find(|(t, _)| *t == held) {
                Some((_, points)) => points.push(point),
                None => series.segments.push((held, vec![point])),
            }
            series.next = (block < wanted.to).then_some((block, 0));
        }
        Ok(series)
    }

    fn epochs(
        &self,
        netuid: NetUid,
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<Epoch>, ReadError> {
        self.count("epochs");
        let blocks = (from..=to).filter(|block| block % 4 == 0).take(first);
        Ok(blocks
            .map(|block| Epoch {
                netuid,
                block,
                mechanisms: 2,
                index: (block != 12).then_some(WIDE),
            })
            .collect())
    }

    fn find_extrinsics(
        &self,
        wanted: &ExtrinsicFilter,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Found<FoundExtrinsic>, ReadError> {
        self.count("find_extrinsics");
        let range = self.searched(wanted.from, wanted.to)?;
        let all = self.stored().rev().filter(|block| range.contains(block));
        let all = all.flat_map(|block| (0..3).rev().map(move |index| extrinsic(block, index)));
        let items: Vec<_> = all
            .filter(|x| before.is_none_or(|before| (x.block, x.index) < before))
            .filter(|x| wanted.account.is_none_or(|account| named(account, x)))
            .filter(|x| wanted.success.is_none() || x.success == wanted.success)
            .filter(|x| wanted.call.as_ref().is_none_or(|call| *call == x.call.name))
            .take(first)
            .map(|extrinsic| FoundExtrinsic {
                paths: vec![vec![0, 1], Vec::new()],
                extrinsic,
            })
            .collect();
        let next = items.last().filter(|_| items.len() >= first);
        let next = next.map(|one| (one.extrinsic.block, one.extrinsic.index));
        Ok(Found {
            next: next.or_else(|| self.rest(wanted.from, &range)),
            items,
        })
    }

    fn find_events(
        &self,
        wanted: &EventFilter,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Found<Event>, ReadError> {
        self.count("find_events");
        let range = self.searched(wanted.from, wanted.to)?;
        let all = self.stored().rev().filter(|block| range.contains(block));
        let all = all.flat_map(|block| (0..5).rev().map(move |index| event(block, index)));
        let items: Vec<_> = all
            .filter(|e| before.is_none_or(|before| (e.block, e.index) < before))
            .filter(|e| {
                wanted
                    .pallet
                    .as_ref()
                    .is_none_or(|pallet| *pallet == e.pallet)
            })
            .filter(|e| wanted.name.as_ref().is_none_or(|name| *name == e.name))
            .take(first)
            .collect();
        let next = items.last().filter(|_| items.len() >= first);
        let next = next.map(|one| (one.block, one.index));
        Ok(Found {
            next: next.or_else(|| self.rest(wanted.from, &range)),
            items,
        })
    }
}
