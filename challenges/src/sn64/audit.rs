//! All of an audit together: what a folder holds, checked, measured, scored, compared.
//!
//! Nothing is passed over in silence: what is missing, unusual or against the rules is in
//! the answer. An audit fails only when its own files cannot be read; a miner's report that
//! cannot be read is told and left out, like a report under `audit/validator/` of someone
//! who is no validator.

mod chain;
mod gather;
mod miners;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use scoring::local::sn64::coverage::{WANTED, coverage};
use scoring::local::sn64::units::{WINDOW, seconds};
use scoring::local::sn64::{Rules, agreement, compare};
use serde::Serialize;
use serde_json::Value;

use super::commitment::Verdict;
use super::index::{self, Whose};
use super::invocations::{Invocations, Medians, medians};
use super::scan::{Export, Names, scan};
use super::synthetics::{self, Synthetic};
use super::trust::Trust;
use super::{AuditError, folder, ids};
use crate::date;
use chain_metadata::{AccountId, BlockNumber, NetUid};
use indexer::store::Store;

/// What to audit, and by which rules.
#[derive(Debug)]
pub struct Request<'a> {
    /// The folder, laid out as [`super::folder`] says.
    pub dir: &'a Path,
    /// The rules.
    pub rules: Rules,
    /// The subnet.
    pub netuid: NetUid,
    /// The time of the audit, microseconds since 1970; without it the end of the newest
    /// validator's report.
    pub now: Option<i64>,
    /// Our own index.
    pub store: Option<&'a Store>,
    /// Hotkeys whose reports count as a validator's; when there are none, those with a
    /// validator permit at the block of their entry, by the store; without a store
    /// everyone's count, and a note says so.
    pub validators: &'a [AccountId],
    /// The block whose incentives are compared; without it the newest block of an entry
    /// that is stored, or the last stored one.
    pub block: Option<BlockNumber>,
    /// Own requests that must be in the exports.
    pub synthetics: Option<&'a [Synthetic]>,
}

/// What an audit came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Name of the profile.
    pub profile: &'static str,
    /// The subnet.
    pub netuid: u16,
    /// The time of the audit.
    pub now: String,
    /// From when on invocations and instances count.
    pub from: String,
    /// blake2-256 of profile, time and the hashes of all files that were read, in hex.
    pub inputs_hash: String,
    /// Limits that verdicts depend on.
    pub thresholds: Thresholds,
    /// The block whose incentives were compared; `None` when they are from the folder or
    /// there are none.
    pub incentive_block: Option<BlockNumber>,
    /// Miners, by hotkey.
    pub miners: Vec<MinerRow>,
    /// Coverage by reports, by hotkey.
    pub coverage: Vec<CoverageRow>,
    /// Reports in the window.
    pub reports: Vec<ReportRow>,
    /// Files that validators' reports name.
    pub exports: Vec<ExportRow>,
    /// What miners say of themselves, by hotkey.
    pub agreement: BTreeMap<String, Value>,
    /// Own requests; `None` when none were given.
    pub synthetics: Option<Vec<SyntheticRow>>,
    /// What was read of invocations.
    pub invocations: Counts,
    /// Files that are not there.
    pub missing: Vec<String>,
    /// Members and columns that nobody knows.
    pub unknown: Vec<String>,
    /// What was unusual.
    pub notes: Vec<String>,
    /// What breaks integrity: reports or exports that are not what was committed.
    pub violations: Vec<String>,
}

/// Limits that verdicts depend on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// The greatest difference of shares that is well.
    pub incentive: f64,
    /// The least ratio of counts that is well.
    pub agreement: f64,
    /// Seconds that reports must cover.
    pub coverage_seconds: f64,
}

/// A miner.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MinerRow {
    /// Its hotkey.
    pub hotkey: String,
    /// Its coldkey, when it is known.
    pub coldkey: Option<String>,
    /// Its computed share.
    pub share: f64,
    /// The weight that would be set; `None` when it is none.
    pub weight: Option<u16>,
    /// The features that the profile scores, by name.
    pub features: BTreeMap<&'static str, f64>,
    /// Why the share is zero, when a rule made it so.
    pub reason: Option<String>,
    /// Its incentive on chain, of 65535; `None` when it is not known.
    pub incentive: Option<u16>,
    /// Its share on chain; `None` when nobody's is known.
    pub actual: Option<f64>,
    /// What comes of the comparison, in one word.
    pub outcome: Option<&'static str>,
    /// The comparison as the original says it, when both have a share.
    pub line: Option<String>,
}

/// Coverage by the reports of one hotkey.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverageRow {
    /// The hotkey.
    pub hotkey: String,
    /// Whose reports.
    pub whose: Whose,
    /// Seconds that at least one report covers.
    pub seconds: f64,
    /// Whether that is enough.
    pub full: bool,
    /// Seconds of all reports together, as the original sums them.
    pub summed_seconds: f64,
    /// Whether the original would call it full.
    pub full_by_the_original: bool,
    /// Holes, from and to.
    pub gaps: Vec<(String, String)>,
    /// Reports that end before they begin.
    pub backwards: usize,
}

/// A report in the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportRow {
    /// The id of the entry.
    pub entry_id: String,
    /// Who committed it.
    pub hotkey: String,
    /// Whose it is.
    pub whose: Whose,
    /// The block of the commitment.
    pub block: BlockNumber,
    /// Where it is.
    pub path: String,
    /// sha256 of it, in hex; `None` when it is not there.
    pub sha256: Option<String>,
    /// Whether the chain holds its hash; `None` when it is not there.
    pub commitment: Option<Verdict>,
    /// Why it was left out.
    pub refused: Option<String>,
}

/// A file that a validator's report names.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportRow {
    /// Where it is.
    pub path: String,
    /// What is in it.
    pub kind: String,
    /// The report that names it.
    pub report: String,
    /// sha256 by the report, in hex.
    pub sha256: String,
    /// `verified`, `mismatch`, or `absent`.
    pub verdict: &'static str,
}

/// What became of an own request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyntheticRow {
    /// The id of its invocation.
    pub invocation_id: String,
    /// When it was made.
    pub created_at: String,
    /// The hotkey that answered, by the record.
    pub hotkey: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: synthetics::Verdict,
}

/// What was read of invocations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Files.
    pub files: usize,
    /// Rows.
    pub rows: u64,
    /// Rows whose place a later one took.
    pub superseded: u64,
    /// Ends whose beginning is in no file.
    pub without_beginning: u64,
    /// Ids that needed a second reading.
    pub suspects: u64,
}

/// A time for people.
pub(crate) fn iso(micros: i64) -> String {
    let rest = micros.rem_euclid(date::DAY) / 1_000_000;
    format!(
        "{}T{:02}:{:02}:{:02}Z",
        date::day_of(micros),
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Audits a folder.
///
/// # Errors
///
/// When the index, a validator's report, an export or the store cannot be read.
pub fn audit(request: &Request<'_>) -> Result<Audit, AuditError> {
    let dir = request.dir;
    let Some(bytes) = folder::read(dir, folder::INDEX, index::MAX_BYTES)? else {
        return Err(AuditError::Io {
            path: dir.join(folder::INDEX).display().to_string(),
            why: "there is no such file; it is the list of entries of the audit".into(),
        });
    };
    let index = index::parse(folder::INDEX, &bytes)?;
    let trust = Trust {
        named: request.validators,
        store: request.store,
        netuid: request.netuid,
    };
    let parted = trust.part(index.entries)?;
    let entries = parted.counted;
    let Some(now) = request.now.or_else(|| index::newest(&entries)) else {
        return Err(AuditError::field(
            folder::INDEX,
            "the file",
            match index.refused.first().map(String::as_str) {
                None if parted.left_out.is_empty() => "has no entries".to_owned(),
                None => format!(
                    "has no entries that count, such as that of a validator: {}",
                    parted.left_out.first().map_or("", |(_, why)| why.as_str())
                ),
                Some(refused) => format!("has no entries that count: {refused}"),
            },
        ));
    };
    let window: Vec<_> = entries
        .iter()
        .filter(|e| index::in_window(e, now))
        .collect();
    let mut gathered = gather::gather(request, &window)?;
    gathered.notes.extend(index.refused);
    if !trust.checks() {
        gathered.notes.push(
            "validators were not checked: every report under audit/validator/ counts; give --data-dir or name them with --validator".into(),
        );
    }
    for (entry, why) in parted.left_out {
        if index::in_window(&entry, now) {
            gathered.left_out(&entry, why);
        }
    }
    let confirmed = gather::confirmed(dir, &mut gathered)?;
    let gpus = gather::feeds(dir, &mut gathered)?;

    let files = gather::files(dir, &mut gathered)?;
    let wanted: HashSet<u128> = request
        .synthetics
        .unwrap_or_default()
        .iter()
        .map(|s| s.id)
        .collect();
    let names = Names::default();
    let mut of_chutes = Vec::new();
    if request.rules == Rules::P1 {
        // Only what the last two days and the hour they are cut in can hold.
        let from = now.saturating_sub(super::invocations::MEDIAN_WINDOW);
        let first = files.partition_point(|file| file.end() <= from);
        let recent = files.get(first..).unwrap_or_default();
        let speeds = scan(recent, &Medians { now }, &names, &HashSet::new())?;
        of_chutes = medians(speeds.part);
    }
    let measure = Invocations {
        rules: request.rules,
        now,
        reported: &confirmed,
        medians: &of_chutes,
    };
    let scanned = scan(&files, &measure, &names, &wanted)?;
    let found = scanned.found;
    gather::verify(&files, &found.hashes, &mut gathered);
    for (column, file) in &found.unknown_columns {
        gathered
            .unknown
            .insert(format!("column {column} (first in {file})"));
    }

    let chain = chain::chain(request, &window, &mut gathered.notes)?;
    let hotkeys = names.hotkeys();
    let work = miners::named(&hotkeys, scanned.part);
    let rows = miners::rows(
        request.rules,
        now,
        &work,
        &gathered.instances,
        &gpus,
        &chain,
        &mut gathered.notes,
    );
    let audited: BTreeMap<String, u64> = work
        .sums
        .iter()
        .map(|(hotkey, sums)| (hotkey.clone(), sums.done))
        .collect();
    let agreed = super::agreement::compare(&gathered.reported, &audited, &gathered.instances, now);
    let cut = index::newest(&entries).unwrap_or(now);
    let ends: HashSet<i64> = files.iter().map(Export::end).collect();
    let synthetics = request.synthetics.map(|all| {
        let verdicts = synthetics::judge(all, cut, &found.wanted, &ends);
        all.iter()
            .zip(verdicts)
            .map(|(synthetic, verdict)| SyntheticRow {
                invocation_id: ids::show(synthetic.id),
                created_at: iso(synthetic.at),
                hotkey: synthetic.hotkey.clone(),
                verdict,
            })
            .collect()
    });
    Ok(Audit {
        profile: request.rules.name(),
        netuid: request.netuid.0,
        now: iso(now),
        from: iso(now.saturating_sub(WINDOW)),
        inputs_hash: inputs_hash(request, now, &gathered, &found.hashes),
        thresholds: Thresholds {
            incentive: compare::THRESHOLD,
            agreement: agreement::LEAST,
            coverage_seconds: seconds(WANTED),
        },
        incentive_block: chain.block,
        miners: rows,
        coverage: covered(&window, now),
        agreement: agreed
            .iter()
            .map(|(hotkey, a)| (hotkey.clone(), a.json()))
            .collect(),
        synthetics,
        invocations: Counts {
            files: files.len(),
            rows: found.rows,
            superseded: found.superseded,
            without_beginning: found.without_beginning,
            suspects: found.suspects,
        },
        reports: gathered.reports,
        exports: gathered.exports.into_values().collect(),
        missing: gathered.missing.into_iter().collect(),
        unknown: gathered.unknown.into_iter().collect(),
        notes: gathered.notes,
        violations: gathered.violations,
    })
}

/// Coverage of every hotkey that has entries.
fn covered(window: &[&index::Entry], now: i64) -> Vec<CoverageRow> {
    let mut times: BTreeMap<(Whose, String), Vec<(i64, i64)>> = BTreeMap::new();
    for entry in window {
        let key = (entry.whose, entry.hotkey.to_string());
        times.entry(key).or_default().push((entry.start, entry.end));
    }
    let row = |((whose, hotkey), times): ((Whose, String), Vec<(i64, i64)>)| {
        let found = coverage(&times, now);
        CoverageRow {
            hotkey,
            whose,
            seconds: seconds(found.covered),
            full: found.full(),
            summed_seconds: seconds(found.summed),
            full_by_the_original: found.full_by_the_original(),
            gaps: found
                .gaps
                .iter()
                .map(|(from, to)| (iso(*from), iso(*to)))
                .collect(),
            backwards: found.backwards,
        }
    };
    times.into_iter().map(row).collect()
}

fn inputs_hash(
    request: &Request<'_>,
    now: i64,
    gathered: &gather::Gathered,
    exports: &[[u8; 32]],
) -> String {
    let mut hash = Blake2b::<U32>::new();
    hash.update(request.rules.name());
    hash.update(now.to_le_bytes());
    for file in gathered.hashes.iter().chain(exports) {
        hash.update(file);
    }
    hex::encode(hash.finalize())
}
