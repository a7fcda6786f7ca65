//! Verdicts as the window shows them.

use std::collections::BTreeMap;

use chain_metadata::{BlockNumber, H256, MechId, NetUid, Uid};
use graphql::ports::{self, ReadError};
use indexer::store::Store;
use indexer::verify::compare::{Difference, Field, Values};
use indexer::verify::{Record, Verdict, Verified, chained_to, verify};

use super::read_error;

/// Blocks whose records are read at once for a page.
const STEP: u32 = 4096;
/// Records looked through for one page.
const LOOKED_THROUGH: usize = 50_000;
/// Records that differ and are shown in a summary.
const WORST: usize = 10;

fn kind(verdict: &Verdict) -> ports::VerdictKind {
    match verdict {
        Verdict::Exact => ports::VerdictKind::Exact,
        Verdict::Differs => ports::VerdictKind::Differs,
        Verdict::InputIncomplete(_) => ports::VerdictKind::InputIncomplete,
        Verdict::RulesUnknown(_) => ports::VerdictKind::RulesUnknown,
        Verdict::NotRun(_) => ports::VerdictKind::NotRun,
    }
}

fn field(field: Field, d: &Difference) -> ports::FieldVerdict {
    ports::FieldVerdict {
        field: field.name().to_owned(),
        stage: field.stage().to_owned(),
        compared: d.compared,
        differing: d.differing,
        max_abs_diff: d.max_abs_diff,
        first_uid: d.first_uid.map(Uid),
    }
}

fn shown(record: &Record) -> ports::Verification {
    let fields = Field::ALL.iter();
    ports::Verification {
        netuid: record.netuid,
        mechanism: record.mechanism,
        block: record.block,
        spec_version: record.spec,
        rules: record.knowledge.map(|known| known.to_string()),
        verdict: kind(&record.verdict),
        what: record.verdict.what().map(str::to_owned),
        fields: fields
            .filter_map(|f| Some(field(*f, record.field(*f)?)))
            .collect(),
        first: record
            .first
            .and_then(|(f, _)| Some(field(f, record.field(f)?))),
        not_compared: record
            .unknown
            .iter()
            .map(|(f, why)| (f.name().to_owned(), why.clone()))
            .collect(),
        replaced: record.replaced.iter().copied().map(Uid).collect(),
        drained: record.drained,
        inputs_hash: record.inputs.map(H256),
        results_hash: record.results.map(H256),
    }
}

/// The record that is stored, or one made now.
pub(super) fn one(
    store: &Store,
    (block, netuid, mechanism): (BlockNumber, NetUid, MechId),
) -> Result<Option<ports::Verification>, ReadError> {
    let stored = store.verdict(netuid, mechanism, block);
    if let Some(record) = stored.map_err(read_error)? {
        return Ok(Some(shown(&record)));
    }
    Ok(again(store, (block, netuid, mechanism))?.map(|v| shown(&v.record)))
}

fn again(
    store: &Store,
    (block, netuid, mechanism): (BlockNumber, NetUid, MechId),
) -> Result<Option<Verified>, ReadError> {
    let verified = verify(store, netuid, block).map_err(read_error)?;
    let found = verified
        .into_iter()
        .find(|one| one.record.mechanism == mechanism);
    Ok(found)
}

/// Computed and stored values by uid.
pub(super) fn values(
    store: &Store,
    key: (BlockNumber, NetUid, MechId),
) -> Result<Option<Vec<ports::ComparedNeuron>>, ReadError> {
    let Some(Verified {
        computed, stored, ..
    }) = again(store, key)?
    else {
        return Ok(None);
    };
    let mut neurons: BTreeMap<u16, Vec<ports::ComparedValue>> = BTreeMap::new();
    for field in Field::ALL {
        let (a, b) = (computed.vectors.get(field), stored.vectors.get(field));
        let longest = a.map_or(0, Vec::len).max(b.map_or(0, Vec::len));
        for uid in (0..=u16::MAX).take(longest) {
            let at = |side: Option<&Vec<Option<u64>>>| {
                side.and_then(|v| v.get(usize::from(uid)).copied().flatten())
            };
            let value = ports::ComparedValue {
                field: field.name().to_owned(),
                computed: at(a),
                stored: at(b),
            };
            neurons.entry(uid).or_default().push(value);
        }
    }
    let neurons = neurons.into_iter().map(|(uid, values)| {
        let uid = Uid(uid);
        ports::ComparedNeuron { uid, values }
    });
    Ok(Some(neurons.collect()))
}

/// Subnets and mechanisms with records, those of one subnet where it is given.
fn judged(store: &Store, netuid: Option<NetUid>) -> Result<Vec<(NetUid, MechId)>, ReadError> {
    let mut all = store.judged().map_err(read_error)?;
    all.retain(|(subnet, _)| netuid.is_none_or(|wanted| wanted == *subnet));
    Ok(all)
}

/// Records newest first.
pub(super) fn page(
    store: &Store,
    wanted: &ports::VerificationFilter,
    before: Option<ports::VerificationId>,
    first: usize,
) -> Result<ports::VerificationPage, ReadError> {
    let judged = judged(store, wanted.netuid)?;
    let lowest = ports::VerificationId {
        block: wanted.from,
        netuid: NetUid(0),
        mechanism: MechId(0),
    };
    let mut records = Vec::new();
    let mut looked = 0_usize;
    let tip = store.last().map_err(read_error)?.unwrap_or(0);
    let mut high = wanted.to.min(before.map_or(u32::MAX, |b| b.block)).min(tip);
    while high >= wanted.from {
        let low = wanted.from.max(high.saturating_sub(STEP - 1));
        let mut found = Vec::new();
        for (netuid, mechanism) in &judged {
            let some = store.verdicts(*netuid, *mechanism, (low, high), true, usize::MAX);
            found.extend(some.map_err(read_error)?);
        }
        looked = looked.saturating_add(found.len());
        found.retain(|record| {
            before.is_none_or(|before| id(record) < before)
                && wanted.verdict.is_none_or(|v| v == kind(&record.verdict))
        });
        found.sort_by_key(|record| std::cmp::Reverse(id(record)));
        records.extend(found);
        if records.len() > first {
            records.truncate(first);
            let next = records.last().map(id).or(before);
            return Ok(paged(&records, next));
        }
        if low == wanted.from {
            break;
        }
        if looked >= LOOKED_THROUGH {
            let next = ports::VerificationId {
                block: low,
                ..lowest
            };
            return Ok(paged(&records, Some(next)));
        }
        high = low.saturating_sub(1);
    }
    Ok(paged(&records, None))
}

/// The same, oldest first.
pub(super) fn page_up(
    store: &Store,
    wanted: &ports::VerificationFilter,
    after: Option<ports::VerificationId>,
    first: usize,
) -> Result<ports::VerificationPage, ReadError> {
    let judged = judged(store, wanted.netuid)?;
    let mut records = Vec::new();
    let mut looked = 0_usize;
    let tip = store.last().map_err(read_error)?.unwrap_or(0);
    let to = wanted.to.min(tip);
    let mut low = wanted.from.max(after.map_or(0, |after| after.block));
    while low <= to {
        let high = to.min(low.saturating_add(STEP - 1));
        let mut found = Vec::new();
        for (netuid, mechanism) in &judged {
            let some = store.verdicts(*netuid, *mechanism, (low, high), false, usize::MAX);
            found.extend(some.map_err(read_error)?);
        }
        looked = looked.saturating_add(found.len());
        found.retain(|record| {
            after.is_none_or(|after| id(record) > after)
                && wanted.verdict.is_none_or(|v| v == kind(&record.verdict))
        });
        found.sort_by_key(id);
        records.extend(found);
        if records.len() > first {
            records.truncate(first);
            let next = records.last().map(id).or(after);
            return Ok(paged(&records, next));
        }
        if high == to {
            break;
        }
        if looked >= LOOKED_THROUGH {
            let next = ports::VerificationId {
                block: high,
                netuid: NetUid(u16::MAX),
                mechanism: MechId(u8::MAX),
            };
            return Ok(paged(&records, Some(next)));
        }
        low = high.saturating_add(1);
    }
    Ok(paged(&records, None))
}

fn id(record: &Record) -> ports::VerificationId {
    ports::VerificationId {
        block: record.block,
        netuid: record.netuid,
        mechanism: record.mechanism,
    }
}

fn paged(records: &[Record], next: Option<ports::VerificationId>) -> ports::VerificationPage {
    ports::VerificationPage {
        records: records.iter().map(shown).collect(),
        next,
    }
}

/// What the records of a range say together. They are read one by one: a year of all subnets is
/// more than a million, of which a few are held.
pub(super) fn summary(
    store: &Store,
    netuid: Option<NetUid>,
    range: (BlockNumber, BlockNumber),
) -> Result<ports::VerificationSummary, ReadError> {
    let mut summary = ports::VerificationSummary {
        epochs: 0,
        exact: 0,
        differs: 0,
        input_incomplete: 0,
        rules_unknown: 0,
        not_run: 0,
        worst: Vec::new(),
        chains: Vec::new(),
        newest: None,
    };
    let mut worst: Vec<(u64, Record)> = Vec::new();
    let mut newest: Option<Record> = None;
    for (netuid, mechanism) in judged(store, netuid)? {
        let (mut count, mut hash) = (0_u64, [0; 32]);
        let mut last: Option<Record> = None;
        for record in store.each_verdict(netuid, mechanism, range, false) {
            let record = record.map_err(read_error)?;
            count += 1;
            hash = chained_to(hash, &record);
            match record.verdict {
                Verdict::Exact => summary.exact += 1,
                Verdict::Differs => summary.differs += 1,
                Verdict::InputIncomplete(_) => summary.input_incomplete += 1,
                Verdict::RulesUnknown(_) => summary.rules_unknown += 1,
                Verdict::NotRun(_) => summary.not_run += 1,
            }
            if record.first.is_some() {
                let differing = record.fields.iter().map(|d| u64::from(d.differing)).sum();
                worst.push((differing, record.clone()));
                if worst.len() > 8 * WORST {
                    only_worst(&mut worst);
                }
            }
            last = Some(record);
        }
        if count == 0 {
            continue;
        }
        summary.chains.push(ports::VerificationChain {
            netuid,
            mechanism,
            records: count,
            hash: H256(hash),
        });
        if newest.as_ref().map(|r| r.block) < last.as_ref().map(|r| r.block) {
            newest = last;
        }
    }
    only_worst(&mut worst);
    summary.epochs =
        summary.exact + summary.differs + summary.input_incomplete + summary.rules_unknown;
    summary.newest = newest.as_ref().map(shown);
    for (_, record) in worst {
        let key = (record.block, record.netuid, record.mechanism);
        let values = again(store, key)?;
        summary.worst.push(ports::Offender {
            deviations: values
                .map_or_else(Vec::new, |v| deviations(&record, &v.computed, &v.stored)),
            record: shown(&record),
        });
    }
    Ok(summary)
}

/// Leaves those with most differences, of equal ones the newest.
fn only_worst(worst: &mut Vec<(u64, Record)>) {
    worst.sort_by_key(|(n, record)| std::cmp::Reverse((*n, record.block)));
    worst.truncate(WORST);
}

/// How far the vectors that differ are from each other.
fn deviations(record: &Record, computed: &Values, stored: &Values) -> Vec<ports::Deviation> {
    let fields = record.fields.iter().filter(|d| d.differing > 0);
    let fields = fields.filter_map(|d| Field::of_byte(d.field));
    fields
        .filter_map(|field| {
            let both = computed.vectors.get(&field)?.iter();
            let pairs: Vec<(u64, u64)> = both
                .zip(stored.vectors.get(&field)?)
                .filter_map(|(a, b)| a.zip(*b))
                .collect();
            let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            Some(ports::Deviation {
                field: field.name().to_owned(),
                correlation: correlation(&numbers(&a), &numbers(&b)),
                rank_correlation: correlation(&ranks(&a), &ranks(&b)),
            })
        })
        .collect()
}

/// For statistics only: amounts above 2^53 lose their last digits here.
#[expect(
    clippy::cast_precision_loss,
    reason = "a correlation is no chain value"
)]
fn numbers(values: &[u64]) -> Vec<f64> {
    values.iter().map(|value| *value as f64).collect()
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[u64]) -> Vec<f64> {
    let below = |value: u64| values.iter().filter(|v| **v < value).count();
    let equal = |value: u64| values.iter().filter(|v| **v == value).count();
    let twice = |value: u64| 2 * below(value) + equal(value) + 1;
    let twice = values.iter().map(|v| u64::try_from(twice(*v)));
    let twice: Vec<u64> = twice.map(Result::unwrap_or_default).collect();
    numbers(&twice).into_iter().map(|rank| rank / 2.0).collect()
}

/// Pearson's; `None` where a side is constant.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let count = u32::try_from(a.len()).ok().filter(|n| *n > 0)?;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / f64::from(count);
    let (ma, mb) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma) * (x - ma);
        bb += (y - mb) * (y - mb);
    }
    let spread = (aa * bb).sqrt();
    (spread > 0.0).then(|| (ab / spread).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_are_the_usual_ones() {
        let up = [1, 2, 3, 10];
        let down = [4, 3, 2, 1];
        let ranked = |a: &[u64], b: &[u64]| correlation(&ranks(a), &ranks(b));
        assert_eq!(ranked(&up, &[5, 6, 7, 8]), Some(1.0));
        assert_eq!(ranked(&up, &down), Some(-1.0));
        assert_eq!(ranks(&[7, 7, 1]), [2.5, 2.5, 1.0]);
        assert_eq!(correlation(&numbers(&[3, 3]), &numbers(&[1, 2])), None);
        assert_eq!(correlation(&[], &[]), None);
        let half = correlation(&numbers(&[1, 2, 3]), &numbers(&[1, 3, 2])).unwrap();
        assert!((half - 0.5).abs() < 1e-12, "{half}");
    }
}
