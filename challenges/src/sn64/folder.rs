//! A folder with the files of an audit, laid out as the paths in index and reports say.
//!
//! ```text
//! index.json                                the index
//! audit/validator/<hotkey>/<block>.json     reports, as the index names them
//! audit/miner/<hotkey>/<block>.json
//! invocations/YYYY/MM/DD/HH.csv             exports, as the reports name them; also
//! invocations/YYYY/MM/DD/HH-reports.csv     -reports and -jobs
//! instances/compute_history.csv             feeds of 2026, each only if there is one
//! instances/reconciliation.csv
//! chutes/gpu_count_history.json
//! miner/metagraph.json
//! ```

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::AuditError;
use super::path::existing;
use super::scan::Export;
use crate::date;
use scoring::local::sn64::units::HOUR;

/// The name of the index in the folder.
pub const INDEX: &str = "index.json";
/// The history of instances.
pub const HISTORY: &str = "instances/compute_history.csv";
/// Deletions that reports may have missed.
pub const DELETIONS: &str = "instances/reconciliation.csv";
/// GPUs of chutes.
pub const GPUS: &str = "chutes/gpu_count_history.json";
/// Miners with coldkeys, incentives, reasons for being left out.
pub const METAGRAPH: &str = "miner/metagraph.json";

/// The bytes of a file of the folder; `None` when there is none.
///
/// # Errors
///
/// When its path leads out of the folder, or it is larger than `most` bytes.
pub fn read(dir: &Path, path: &str, most: u64) -> Result<Option<Vec<u8>>, AuditError> {
    let Some(real) = existing(dir, path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let file = File::open(&real).map_err(|e| AuditError::io(&real, &e))?;
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    let read = read.map_err(|e| AuditError::io(&real, &e))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > most {
        return Err(AuditError::Limit(format!(
            "{path}: is larger than {most} bytes"
        )));
    }
    Ok(Some(bytes))
}

/// A file of the folder to be read from its beginning to its end; `None` when there is none.
///
/// # Errors
///
/// When its path leads out of the folder, or it cannot be opened.
pub fn open(dir: &Path, path: &str) -> Result<Option<File>, AuditError> {
    let Some(real) = existing(dir, path)? else {
        return Ok(None);
    };
    File::open(&real)
        .map(Some)
        .map_err(|e| AuditError::io(&real, &e))
}

/// An export of invocations in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileExport {
    /// Its path, as reports name it.
    pub path: String,
    real: PathBuf,
    end: i64,
}

impl FileExport {
    /// The export at a path; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// When the path leads out of the folder or names no hour.
    pub fn at(dir: &Path, path: &str) -> Result<Option<FileExport>, AuditError> {
        let Some(real) = existing(dir, path)? else {
            return Ok(None);
        };
        let end = hour_of(path).ok_or_else(|| AuditError::Path {
            path: path.to_owned(),
            why: "does not end in YYYY/MM/DD/HH.csv",
        })?;
        let path = path.to_owned();
        Ok(Some(FileExport { path, real, end }))
    }
}

impl Export for FileExport {
    fn name(&self) -> &str {
        &self.path
    }

    fn end(&self) -> i64 {
        self.end
    }

    fn open(&self) -> std::io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(File::open(&self.real)?))
    }
}

/// The end of the hour that an export is of, by its path; what stands behind the hour, as
/// in `07-reports.csv`, does not matter.
///
/// ```
/// use challenges::sn64::folder::hour_of;
/// assert_eq!(hour_of("invocations/1970/01/02/03.csv"), Some(27 * 3_600_000_000));
/// assert_eq!(hour_of("invocations/1970/01/02/03-reports.csv"), hour_of("1970/01/02/03.csv"));
/// assert_eq!(hour_of("invocations/1970/01/32/03.csv"), None);
/// assert_eq!(hour_of("invocations/1970/01/02/25.csv"), None);
/// ```
pub fn hour_of(path: &str) -> Option<i64> {
    let mut parts = path.strip_suffix(".csv")?.rsplit('/');
    let (hour, day) = (parts.next()?, parts.next()?);
    let (month, year) = (parts.next()?, parts.next()?);
    let number = |text: &str, length: usize| -> Option<i64> {
        let plain = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| plain)
    };
    let (hour, rest) = hour.split_at_checked(2)?;
    if !(rest.is_empty() || rest.starts_with('-')) {
        return None;
    }
    let days = date::days(number(year, 4)?, number(month, 2)?, number(day, 2)?)?;
    let hour = number(hour, 2).filter(|hour| *hour <= 24)?;
    Some(days * date::DAY + hour * HOUR)
}
