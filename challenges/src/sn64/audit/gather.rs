//! What the folder holds besides invocations.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::agreement::Reported;
use super::super::commitment::{self, Verdict};
use super::super::folder::{self, FileExport};
use super::super::index::{Entry, Whose};
use super::super::instances::Instances;
use super::super::scan::Export;
use super::super::{AuditError, ids, report, tables};
use super::{ExportRow, ReportRow, Request};

/// The kind of export that holds invocations, in reports.
const INVOCATIONS: &str = "invocations";
/// The kind that holds reports of users.
const REPORTS: &str = "reports";

/// What the folder holds besides invocations.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) reports: Vec<ReportRow>,
    /// By path and report.
    pub(super) exports: BTreeMap<(String, String), ExportRow>,
    pub(super) instances: Instances,
    pub(super) reported: BTreeMap<String, Reported>,
    pub(super) missing: BTreeSet<String>,
    pub(super) unknown: BTreeSet<String>,
    pub(super) notes: Vec<String>,
    pub(super) violations: Vec<String>,
    /// sha256 of every file but the exports of invocations.
    pub(super) hashes: Vec<[u8; 32]>,
}

/// Reads and checks all reports of the window.
pub(super) fn gather(request: &Request<'_>, window: &[&Entry]) -> Result<Gathered, AuditError> {
    let mut all = Gathered::default();
    let mut unverifiable = 0_u64;
    for entry in window {
        let mut row = blank(entry);
        let bytes = match folder::read(request.dir, &entry.path, report::MAX_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                all.missing.insert(entry.path.clone());
                all.reports.push(row);
                continue;
            }
            // One miner's file ends nobody else's audit.
            Err(error) if entry.whose == Whose::Miner => {
                row.refused = Some(error.to_string());
                all.reports.push(row);
                continue;
            }
            Err(error) => return Err(error),
        };
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        all.hashes.push(hash);
        row.sha256 = Some(hex::encode(hash));
        let verdict = commitment::check(
            request.store,
            request.netuid,
            &entry.hotkey,
            entry.block,
            &hash,
        )?;
        let what = match &verdict {
            Verdict::Mismatch { chain } => Some(format!(
                "{}: sha256 is {}, the chain has {chain} at block {}",
                entry.path,
                hex::encode(hash),
                entry.block
            )),
            Verdict::Missing => Some(format!(
                "{}: the hotkey has committed no sha256 at block {}",
                entry.path, entry.block
            )),
            Verdict::Verified | Verdict::Unverifiable { .. } => None,
        };
        // What a miner says of itself decides nothing, so it only warns.
        match entry.whose {
            Whose::Validator => all.violations.extend(what),
            Whose::Miner => all.notes.extend(what),
        }
        if entry.whose == Whose::Validator && matches!(verdict, Verdict::Unverifiable { .. }) {
            unverifiable += 1;
        }
        row.commitment = Some(verdict);
        match entry.whose {
            Whose::Validator => all.validator(entry, &bytes)?,
            Whose::Miner => row.refused = all.miner(entry, &bytes).err().map(|e| e.to_string()),
        }
        all.reports.push(row);
    }
    if unverifiable > 0 {
        all.notes.push(format!(
            "{unverifiable} reports of validators are not compared with the chain; why is told with each"
        ));
    }
    Ok(all)
}

/// A report of which nothing but its entry is known.
fn blank(entry: &Entry) -> ReportRow {
    ReportRow {
        entry_id: ids::show(entry.id),
        hotkey: entry.hotkey.to_string(),
        whose: entry.whose,
        block: entry.block,
        path: entry.path.clone(),
        sha256: None,
        commitment: None,
        refused: None,
    }
}

impl Gathered {
    /// Tells of a report that is not read.
    pub(super) fn left_out(&mut self, entry: &Entry, why: String) {
        let refused = Some(why);
        self.reports.push(ReportRow {
            refused,
            ..blank(entry)
        });
    }

    fn validator(&mut self, entry: &Entry, bytes: &[u8]) -> Result<(), AuditError> {
        let report = report::validator(&entry.path, bytes)?;
        for instance in report.instances {
            self.instances.take(instance);
        }
        for part in report.history {
            self.instances.take_history(part);
        }
        for (kind, export) in report.exports {
            let row = ExportRow {
                path: export.path.clone(),
                kind,
                report: entry.path.clone(),
                sha256: hex::encode(export.sha256),
                verdict: "absent",
            };
            self.exports.insert((export.path, entry.path.clone()), row);
        }
        let named = report
            .unknown
            .into_iter()
            .map(|name| format!("member {name} (validators' reports)"));
        self.unknown.extend(named);
        Ok(())
    }

    fn miner(&mut self, entry: &Entry, bytes: &[u8]) -> Result<(), AuditError> {
        let report = report::miner(&entry.path, bytes)?;
        let hotkey = entry.hotkey.to_string();
        if report.hotkey.as_ref().is_some_and(|named| *named != hotkey) {
            return Err(AuditError::field(
                &entry.path,
                "miner_hotkey",
                "is not the hotkey that committed the report",
            ));
        }
        let named = report
            .unknown
            .iter()
            .map(|name| format!("member {name} (miners' reports)"));
        self.unknown.extend(named);
        self.reported.entry(hotkey).or_default().take(report);
        Ok(())
    }

    fn paths(&self, kind: &str) -> BTreeSet<String> {
        let of_kind = self.exports.values().filter(|row| row.kind == kind);
        of_kind.map(|row| row.path.clone()).collect()
    }

    /// Compares the hash of a file with what all reports that name it say.
    fn compare(&mut self, path: &str, hash: &[u8; 32]) {
        let hash = hex::encode(hash);
        for row in self.exports.values_mut().filter(|row| row.path == path) {
            row.verdict = "verified";
            if row.sha256 != hash {
                row.verdict = "mismatch";
                let what = format!(
                    "{path}: sha256 is {hash}, {} says {}",
                    row.report, row.sha256
                );
                self.violations.push(what);
            }
        }
    }
}

/// Requests with a confirmed report.
pub(super) fn confirmed(dir: &Path, all: &mut Gathered) -> Result<HashSet<u128>, AuditError> {
    let mut found = HashSet::new();
    for path in all.paths(REPORTS) {
        let Some(file) = folder::open(dir, &path)? else {
            all.missing.insert(path);
            continue;
        };
        let mut hash = [0; 32];
        tables::confirmed(&path, file, &mut hash, &mut found)?;
        all.hashes.push(hash);
        all.compare(&path, &hash);
    }
    // Files of other kinds are not read for their content, but are what was committed or not.
    let others: BTreeSet<String> = all
        .exports
        .values()
        .filter(|row| row.kind != REPORTS && row.kind != INVOCATIONS)
        .map(|row| row.path.clone())
        .collect();
    for path in others {
        let Some(mut file) = folder::open(dir, &path)? else {
            all.missing.insert(path);
            continue;
        };
        let mut hash = Sha256::new();
        std::io::copy(&mut file, &mut hash).map_err(|e| AuditError::io(&dir.join(&path), &e))?;
        all.compare(&path, &hash.finalize().into());
    }
    Ok(found)
}

/// Feeds that came in 2026, each only if it is there; GPUs of chutes.
pub(super) fn feeds(dir: &Path, all: &mut Gathered) -> Result<BTreeMap<u128, u64>, AuditError> {
    if let Some(file) = folder::open(dir, folder::HISTORY)? {
        for part in tables::history(folder::HISTORY, file)? {
            all.instances.take_history(part);
        }
    }
    if let Some(file) = folder::open(dir, folder::DELETIONS)? {
        for (instance, at) in tables::deletions(folder::DELETIONS, file)? {
            all.instances.take_deletion(instance, at);
        }
    }
    match folder::read(dir, folder::GPUS, report::MAX_BYTES)? {
        Some(bytes) => tables::gpus(folder::GPUS, &bytes),
        None => Ok(BTreeMap::new()),
    }
}

/// The exports of invocations that are there, by their hours.
pub(super) fn files(dir: &Path, all: &mut Gathered) -> Result<Vec<FileExport>, AuditError> {
    let mut found: BTreeMap<i64, FileExport> = BTreeMap::new();
    for path in all.paths(INVOCATIONS) {
        let Some(file) = FileExport::at(dir, &path)? else {
            all.missing.insert(path);
            continue;
        };
        if let Some(other) = found.insert(file.end(), file) {
            return Err(AuditError::Limit(format!(
                "{path} and {} are exports of the same hour; reports must name one of them",
                other.path
            )));
        }
    }
    Ok(found.into_values().collect())
}

/// Compares the hashes of the exports with the reports.
pub(super) fn verify(files: &[FileExport], hashes: &[[u8; 32]], all: &mut Gathered) {
    for (file, hash) in files.iter().zip(hashes) {
        all.compare(&file.path, hash);
    }
}
