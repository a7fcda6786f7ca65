//! What changed, when and by what, as the window asks for it.

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, Phase, Uid, storage_index};
use graphql::ports::{self, Histories, ReadError, RowKey};
use indexer::store::history::{How, SetKind};
use indexer::view::find::{self, Span};
use indexer::view::{At, series, sets, tenancy};

use super::records::extrinsic;
use super::{StoreReader, commits, coverage, read_error};

fn change(how: How) -> ports::TenancyChange {
    match how {
        How::FoundAtStart => ports::TenancyChange::FoundAtStart,
        How::Registered => ports::TenancyChange::Registered,
        How::Swapped => ports::TenancyChange::Swapped,
        How::Moved => ports::TenancyChange::Moved,
        How::Written => ports::TenancyChange::Written,
        How::Dissolved => ports::TenancyChange::Dissolved,
        How::Removed => ports::TenancyChange::Removed,
    }
}

pub(super) fn tenancy(found: tenancy::Tenancy) -> ports::Tenancy {
    ports::Tenancy {
        netuid: found.netuid,
        uid: found.uid,
        hotkey: found.hotkey,
        from: found.from,
        began: change(found.began),
        until: found.until,
        ended: found.ended.map(change),
        registered_at: found.registered_at,
        previous: found.previous,
        next: found.next,
    }
}

pub(super) fn whose(whose: ports::Whose) -> tenancy::Whose {
    match whose {
        ports::Whose::Uid(uid) => tenancy::Whose::Uid(uid),
        ports::Whose::Hotkey(hotkey) => tenancy::Whose::Hotkey(hotkey),
    }
}

pub(super) fn set_by(found: sets::SetBy) -> ports::WeightsSet {
    let row = found.row;
    ports::WeightsSet {
        block: found.block,
        kind: match row.kind {
            SetKind::Direct => ports::WeightsSetKind::Direct,
            SetKind::Batch => ports::WeightsSetKind::Batch,
            SetKind::HashReveal => ports::WeightsSetKind::HashReveal,
            SetKind::TimelockReveal => ports::WeightsSetKind::TimelockReveal,
            SetKind::Contract => ports::WeightsSetKind::Contract,
            SetKind::Scheduled => ports::WeightsSetKind::Scheduled,
        },
        hotkey: row.hotkey.map(AccountId),
        made_by: row.extrinsic.map(|extrinsic| ports::CallPlace {
            block: found.block,
            extrinsic,
            path: row.path,
        }),
        item: row.item,
        version_key: row.version_key,
        commit: found.commit.map(commits::name),
    }
}

fn vector(field: ports::SeriesField) -> series::Vector {
    let entry = match field {
        ports::SeriesField::Incentive => "Incentive",
        ports::SeriesField::Dividends => "Dividends",
        ports::SeriesField::Consensus => "Consensus",
        ports::SeriesField::Trust => "Trust",
        ports::SeriesField::Rank => "Rank",
        ports::SeriesField::Emission => "Emission",
        ports::SeriesField::StakeWeight => "StakeWeight",
        ports::SeriesField::ValidatorTrust => "ValidatorTrust",
        ports::SeriesField::Active => "Active",
        ports::SeriesField::ValidatorPermit => "ValidatorPermit",
    };
    series::Vector {
        entry,
        by_mechanism: field == ports::SeriesField::Incentive,
    }
}

fn place(after: (BlockNumber, u32)) -> (BlockNumber, Uid) {
    // The place of a tenancy in a block is its uid.
    (after.0, Uid(u16::try_from(after.1).unwrap_or(u16::MAX)))
}

/// An event as the window shows it.
pub(super) fn event(at: &At, event: &chain_metadata::Event) -> ports::Event {
    let ss58 = at.layout.metadata.ss58_prefix();
    ports::Event {
        block: at.number,
        index: event.index,
        phase: match event.phase {
            Phase::ApplyExtrinsic(index) => ports::Phase::ApplyExtrinsic(index),
            Phase::Finalization => ports::Phase::Finalization,
            Phase::Initialization => ports::Phase::Initialization,
        },
        fields: chain_metadata::fields_json(&event.fields, ss58),
        pallet: event.pallet.to_string(),
        name: event.name.to_string(),
        spec_version: at.row.spec,
    }
}

impl StoreReader {
    /// The blocks of a search: those given, which must be stored without a hole between them, or
    /// the newest stored range.
    fn searched(
        &self,
        from: Option<BlockNumber>,
        to: Option<BlockNumber>,
        before: Option<(BlockNumber, u32)>,
    ) -> Result<Span, ReadError> {
        let store = self.base();
        let asked = from.or(to);
        let span = match asked {
            Some(asked) => store.span_of(asked),
            None => self.tip()?,
        };
        if let Some(asked) = asked.filter(|_| span.is_none()) {
            return self.missing(asked);
        }
        let (first, last) = span.map_or((0, 0), |span| (span.first, span.last));
        // Stored behind a hole, or not at all.
        if to.is_some_and(|to| to > last) {
            return self.missing(last.saturating_add(1));
        }
        Ok(Span {
            from: from.unwrap_or(first).max(first),
            to: to.unwrap_or(last),
            before,
        })
    }
}

impl StoreReader {
    /// That a block is not stored.
    fn missing<T>(&self, asked: BlockNumber) -> Result<T, ReadError> {
        let spans = self.spans()?;
        Err(ReadError::OutOfRange {
            asked,
            first: spans.first().map(|span| span.0),
            last: spans.last().map(|span| span.1),
        })
    }

    /// Refuses a block whose tenancies are being made again.
    pub(super) fn settled(&self, block: BlockNumber) -> Result<(), ReadError> {
        match coverage::restaged_to(self.over(block), block) {
            Some(done) => Err(ReadError::Restaging { asked: block, done }),
            None => Ok(()),
        }
    }
}

impl Histories for StoreReader {
    fn tenancy(
        &self,
        keys: &[(BlockNumber, NetUid, Uid)],
    ) -> Result<Vec<Option<ports::Tenancy>>, ReadError> {
        keys.iter()
            .map(|(block, netuid, uid)| {
                self.settled(*block)?;
                let found = tenancy::at(self.over(*block), *block, *netuid, *uid);
                Ok(found.map_err(read_error)?.map(tenancy))
            })
            .collect()
    }

    fn tenancies(
        &self,
        netuid: NetUid,
        of: ports::Whose,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Vec<ports::Tenancy>, ReadError> {
        let before =
            before.map(|(block, uid)| (block, Uid(u16::try_from(uid).unwrap_or(u16::MAX))));
        if let Some(tip) = self.tip()? {
            self.settled(tip.last)?;
        }
        let found = tenancy::list(self.base(), netuid, whose(of), before, first);
        Ok(found
            .map_err(read_error)?
            .into_iter()
            .map(tenancy)
            .collect())
    }

    fn weights_set_by(&self, keys: &[RowKey]) -> Result<Vec<Option<ports::WeightsSet>>, ReadError> {
        keys.iter()
            .map(|(block, netuid, mechanism, uid)| {
                let Some(index) = storage_index(*netuid, *mechanism) else {
                    return Ok(None);
                };
                let found = sets::cause(self.over(*block), index, uid.0, *block);
                Ok(found.map_err(read_error)?.map(set_by))
            })
            .collect()
    }

    fn weight_changes(
        &self,
        (netuid, mechanism, uid): (NetUid, MechId, Uid),
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<ports::WeightsVersion>, ReadError> {
        let found = sets::versions(self.base(), netuid, mechanism, uid, from..=to, first);
        let versions = found.map_err(read_error)?.into_iter();
        Ok(versions
            .map(|version| ports::WeightsVersion {
                block: version.block,
                entries: version.entries,
                set_by: version.set_by.map(set_by),
            })
            .collect())
    }

    fn series(
        &self,
        wanted: &ports::SeriesWanted,
        after: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<ports::Series, ReadError> {
        let wanted = series::Wanted {
            netuid: wanted.netuid,
            mechanism: wanted.mechanism,
            whose: whose(wanted.whose),
            vectors: wanted.fields.iter().map(|field| vector(*field)).collect(),
            range: (wanted.from, wanted.to),
            every: match wanted.changes {
                true => series::Every::Change,
                false => series::Every::Epoch,
            },
            after: after.map(place),
        };
        self.settled(wanted.range.1)?;
        let found = series::series(self.base(), &wanted, first).map_err(read_error)?;
        let point = |point: series::Point| ports::SeriesPoint {
            block: point.block,
            epoch: point.epoch,
            values: point.values,
        };
        let segments = found.segments.into_iter();
        Ok(ports::Series {
            segments: segments
                .map(|(of, points)| (tenancy(of), points.into_iter().map(point).collect()))
                .collect(),
            next: found.next.map(|(block, uid)| (block, u32::from(uid.0))),
        })
    }

    fn epochs(
        &self,
        netuid: NetUid,
        from: BlockNumber,
        to: BlockNumber,
        first: usize,
    ) -> Result<Vec<ports::Epoch>, ReadError> {
        let found = self.base().epochs_in(netuid.0, from..=to, first);
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

    fn find_extrinsics(
        &self,
        wanted: &ports::ExtrinsicFilter,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<ports::Found<ports::FoundExtrinsic>, ReadError> {
        let span = self.searched(wanted.from, wanted.to, before)?;
        let wanted = find::Extrinsics {
            account: wanted.account,
            pallet: wanted.pallet.clone(),
            call: wanted.call.clone(),
            error: wanted.error.clone(),
            success: wanted.success,
        };
        let found = find::find_extrinsics(self.base(), &wanted, span, first);
        let found = found.map_err(read_error)?;
        let items = found.items.into_iter().map(|(block, body, paths)| {
            let at = self.at(block)?;
            let ss58 = at.layout.metadata.ss58_prefix();
            Ok(ports::FoundExtrinsic {
                extrinsic: extrinsic(&at, ss58, body),
                paths,
            })
        });
        Ok(ports::Found {
            items: items.collect::<Result<_, ReadError>>()?,
            next: found.next,
        })
    }

    fn find_events(
        &self,
        wanted: &ports::EventFilter,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<ports::Found<ports::Event>, ReadError> {
        let span = self.searched(wanted.from, wanted.to, before)?;
        let wanted = find::Events {
            account: wanted.account,
            pallet: wanted.pallet.clone(),
            name: wanted.name.clone(),
        };
        let found = find::find_events(self.base(), &wanted, span, first);
        let found = found.map_err(read_error)?;
        let items = found.items.iter();
        let items = items.map(|(block, one)| Ok(event(&self.at(*block)?, one)));
        Ok(ports::Found {
            items: items.collect::<Result<_, ReadError>>()?,
            next: found.next,
        })
    }
}
