//! The files of an audit from a service, into a folder laid out as [`super::folder`] says.
//!
//! Everything is streamed to a file beside its place and moved there when it is whole.
//! Reports and exports that are there already are not asked for again: they do not change.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use super::AuditError;
use super::folder::{self, GPUS, HISTORY, INDEX, METAGRAPH};
use super::index::{self, Entry, Whose};
use super::path::under;
use super::report;
use super::trust::Trust;

/// The largest export that is taken.
pub const MAX_EXPORT: u64 = 8 << 30;
/// The longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(600);

/// What was fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Files that came.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were there already.
    pub kept: u64,
    /// Files that the service does not have.
    pub missing: Vec<String>,
    /// Entries and miners' files that were left out, and why.
    pub refused: Vec<String>,
}

/// Fetches the index, the reports of the window, and the exports that they name, from a
/// service such as `https://api.chutes.ai`. `now` is in microseconds since 1970; without it
/// the newest report ends the window. What cannot be had of a miner is told and left out, like
/// validators' reports that do not count by `trust`.
///
/// # Errors
///
/// When the service does not answer as it should, something is larger than its limit, or a
/// path leads out of the folder.
pub fn fetch(
    base: &str,
    dir: &Path,
    now: Option<i64>,
    trust: &Trust<'_>,
) -> Result<Fetched, AuditError> {
    let base = base.trim_end_matches('/');
    if !(base.starts_with("https://") || base.starts_with("http://")) {
        return Err(AuditError::Http {
            url: base.to_owned(),
            why: "is no address of a service; it must begin with https://".into(),
        });
    }
    std::fs::create_dir_all(dir).map_err(|e| AuditError::io(dir, &e))?;
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(3)
        .build();
    let mut run = Run {
        agent: config.into(),
        base,
        dir,
        fetched: Fetched::default(),
    };
    if !run.get("/audit/", INDEX, index::MAX_BYTES, true)? {
        return Err(AuditError::Http {
            url: format!("{base}/audit/"),
            why: "there is no index of audits".into(),
        });
    }
    let bytes = folder::read(dir, INDEX, index::MAX_BYTES)?.unwrap_or_default();
    let index = index::parse(INDEX, &bytes)?;
    run.fetched.refused = index.refused;
    let parted = trust.part(index.entries)?;
    let entries = parted.counted;
    let now = now.or_else(|| index::newest(&entries));
    for (entry, why) in &parted.left_out {
        if now.is_none_or(|now| index::in_window(entry, now)) {
            run.fetched.refused.push(format!("{}: {why}", entry.path));
        }
    }
    let now = now.unwrap_or(0);
    let mut exports = BTreeSet::new();
    for entry in entries.iter().filter(|entry| index::in_window(entry, now)) {
        run.report(entry, &mut exports)?;
    }
    for path in exports {
        let url = path
            .strip_prefix("invocations/")
            .map(|rest| format!("/invocations/exports/{rest}"));
        let url = url.unwrap_or_else(|| format!("/{path}"));
        run.get(&url, &path, MAX_EXPORT, false)?;
    }
    for (url, path) in [
        ("/instances/compute_history_csv", HISTORY),
        ("/instances/reconciliation_csv", folder::DELETIONS),
        ("/chutes/gpu_count_history", GPUS),
        ("/miner/metagraph", METAGRAPH),
    ] {
        run.get(url, path, report::MAX_BYTES, true)?;
    }
    Ok(run.fetched)
}

struct Run<'a> {
    agent: ureq::Agent,
    base: &'a str,
    dir: &'a Path,
    fetched: Fetched,
}

impl Run<'_> {
    fn report(&mut self, entry: &Entry, exports: &mut BTreeSet<String>) -> Result<(), AuditError> {
        let url = format!("/audit/download?path={}", entry.path);
        let there = match self.get(&url, &entry.path, report::MAX_BYTES, false) {
            // What the service says of one miner's file ends nobody else's audit; that our
            // own folder cannot be written does.
            Err(error @ AuditError::Http { .. }) if entry.whose == Whose::Miner => {
                self.fetched.refused.push(error.to_string());
                return Ok(());
            }
            answer => answer?,
        };
        if !there || entry.whose == Whose::Miner {
            return Ok(());
        }
        let bytes = folder::read(self.dir, &entry.path, report::MAX_BYTES)?.unwrap_or_default();
        let report = report::validator(&entry.path, &bytes)?;
        exports.extend(report.exports.into_values().map(|export| export.path));
        Ok(())
    }

    /// Whether the file is there now.
    fn get(&mut self, url: &str, path: &str, most: u64, again: bool) -> Result<bool, AuditError> {
        let place = under(self.dir, path)?;
        if !again && place.exists() {
            self.fetched.kept += 1;
            return Ok(true);
        }
        let url = format!("{}{url}", self.base);
        let failed = |why: String| AuditError::Http {
            url: url.clone(),
            why,
        };
        let mut answer = self
            .agent
            .get(&url)
            .call()
            .map_err(|e| failed(e.to_string()))?;
        match answer.status().as_u16() {
            200 => {}
            404 => {
                self.fetched.missing.push(path.to_owned());
                return Ok(false);
            }
            status => return Err(failed(format!("answered with status {status}"))),
        }
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent).map_err(|e| AuditError::io(parent, &e))?;
        }
        let part = place.with_extension("part");
        let mut source = answer.body_mut().with_config().limit(u64::MAX).reader();
        let bytes = save(&mut source, &part, most).map_err(|e| match e {
            Some(error) => failed(error.to_string()),
            None => failed(format!("is larger than {most} bytes")),
        });
        if bytes.is_err() {
            // What has come of it is of no use; that it may stay is no reason to fail otherwise.
            let _ = std::fs::remove_file(&part);
        }
        self.fetched.bytes += bytes?;
        self.fetched.files += 1;
        std::fs::rename(&part, &place).map_err(|e| AuditError::io(&place, &e))?;
        Ok(true)
    }
}

/// Copies to a file; no error within the error means too much.
fn save(source: &mut impl Read, to: &Path, most: u64) -> Result<u64, Option<std::io::Error>> {
    let mut file = File::create(to).map_err(Some)?;
    let copied =
        std::io::copy(&mut source.take(most.saturating_add(1)), &mut file).map_err(Some)?;
    if copied > most {
        return Err(None);
    }
    file.flush().map_err(Some)?;
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use chain_metadata::NetUid;

    use super::super::ids::{entry_id, show};
    use super::*;

    const ANYONE: Trust<'static> = Trust {
        named: &[],
        store: None,
        netuid: NetUid(64),
    };

    /// What the service answers with status 500.
    const BROKEN: &str = "broken";

    /// A service that answers from a table until it is dropped.
    fn service(answers: HashMap<String, String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                reader.read_line(&mut line).unwrap();
                let mut rest = String::new();
                while reader.read_line(&mut rest).unwrap() > 2 {
                    rest.clear();
                }
                let path = line.split(' ').nth(1).unwrap();
                let (status, body) = match answers.get(path) {
                    Some(body) if body == BROKEN => ("500 Internal Server Error", ""),
                    Some(body) => ("200 OK", body.as_str()),
                    None => ("404 Not Found", ""),
                };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        format!("http://{address}")
    }

    const HOTKEY: &str = "5Dt7HZ7Zpw4DppPxFM7Ke3Cm7sDAWhsZXmM5ZAmE7dSVJbcQ";

    fn index(path: &str) -> String {
        let id = show(entry_id(HOTKEY, 7));
        format!(
            "[{{\"entry_id\": \"{id}\", \"hotkey\": \"{HOTKEY}\", \"block\": 7, \"path\": \"{path}\", \
             \"start_time\": \"2025-10-15T11:00:00\", \"end_time\": \"2025-10-15T12:00:00\"}}]"
        )
    }

    #[test]
    fn everything_comes_once() {
        let path = format!("audit/validator/{HOTKEY}/7.json");
        let report = format!(
            "{{\"csv_exports\": {{\"invocations\": {{\"path\": \"invocations/2025/10/15/12.csv\", \"sha256\": \"{0}\"}}, \
             \"jobs\": {{\"path\": \"invocations/2025/10/15/12-jobs.csv\", \"sha256\": \"{0}\"}}}}}}",
            "00".repeat(32)
        );
        let answers = HashMap::from([
            ("/audit/".to_owned(), index(&path)),
            (format!("/audit/download?path={path}"), report),
            (
                "/invocations/exports/2025/10/15/12.csv".to_owned(),
                "a,b\n".to_owned(),
            ),
        ]);
        let base = service(answers);
        let dir = tempfile::tempdir().unwrap();
        let fetched = fetch(&base, dir.path(), None, &ANYONE).unwrap();
        assert_eq!(
            (fetched.files, fetched.kept, fetched.missing.len()),
            (3, 0, 5)
        );
        assert_eq!(
            std::fs::read(dir.path().join("invocations/2025/10/15/12.csv")).unwrap(),
            b"a,b\n"
        );
        let again = fetch(&base, dir.path(), None, &ANYONE).unwrap();
        assert_eq!((again.files, again.kept), (1, 2));
    }

    #[test]
    fn what_is_left_out_ends_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "audit/validator/../../../x.json",
            "/etc/passwd",
            "audit/miner/x/7.json",
        ] {
            let base = service(HashMap::from([("/audit/".to_owned(), index(path))]));
            let fetched = fetch(&base, dir.path(), None, &ANYONE).unwrap();
            assert_eq!(fetched.refused.len(), 1);
            assert!(fetched.refused[0].contains("is left out"), "{path}");
        }
        // A miner's report that the service cannot give.
        let path = format!("audit/miner/{HOTKEY}/7.json");
        let url = format!("/audit/download?path={path}");
        let answers = HashMap::from([
            ("/audit/".to_owned(), index(&path)),
            (url.clone(), BROKEN.to_owned()),
            ("/miner/metagraph".to_owned(), "[]".to_owned()),
        ]);
        let fetched = fetch(&service(answers), dir.path(), None, &ANYONE).unwrap();
        assert_eq!((fetched.files, fetched.refused.len()), (2, 1));
        assert!(fetched.refused[0].contains("answered with status 500"));
        // A validator's that is none.
        let path = format!("audit/validator/{HOTKEY}/7.json");
        let url = format!("/audit/download?path={path}");
        let answers = HashMap::from([
            ("/audit/".to_owned(), index(&path)),
            (url, "[[[".to_owned()),
        ]);
        let base = service(answers);
        assert!(fetch(&base, dir.path(), None, &ANYONE).is_err());
        let named = Trust {
            named: &[chain_metadata::AccountId([7; 32])],
            ..ANYONE
        };
        let fetched = fetch(&base, dir.path(), None, &named).unwrap();
        assert!(fetched.refused[0].contains("not among the validators"));
    }

    #[test]
    fn what_a_service_may_not_do() {
        let dir = tempfile::tempdir().unwrap();
        for (body, wanted) in [
            ("[[[".to_owned(), "is not JSON"),
            (
                index("audit/miner/x.json")
                    .replace("cf9a", "cf9b")
                    .replace(": 7,", ": 8,"),
                "is not the id",
            ),
        ] {
            let base = service(HashMap::from([("/audit/".to_owned(), body)]));
            let error = fetch(&base, dir.path(), None, &ANYONE)
                .unwrap_err()
                .to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let error = fetch(&service(HashMap::new()), dir.path(), None, &ANYONE)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no index"), "{error}");
        let error = fetch("ftp://x", dir.path(), None, &ANYONE)
            .unwrap_err()
            .to_string();
        assert!(error.contains("https://"), "{error}");
        let mut endless = std::io::repeat(b'x');
        assert!(
            save(&mut endless, &dir.path().join("x"), 1000)
                .unwrap_err()
                .is_none()
        );
    }
}
