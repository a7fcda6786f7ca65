//! The window's door as it is set: keys, rates, TLS and documents from files, watched while the
//! program runs.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use graphql::{Cidr, Cors, DoorOptions, Keys, Rate, ServerOptions, Tls};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::keys::{FILE, KeyFile};
use crate::signals::Hangups;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Largest file of documents, in bytes.
const MOST_BYTES: u64 = 64 << 20;
/// Sockets that are left for the store, the node and the rest.
const RESERVED: u64 = 128;

/// What of the settings concerns the door, in the options of a server.
pub(crate) fn options(config: &Config, rest: ServerOptions) -> Result<ServerOptions> {
    let keys = KeyFile::load(&key_file(config))?.in_force()?;
    let max_connections = bounded(config.max_connections)?;
    let trusted = config.trusted_proxy.iter().map(|text| text.parse::<Cidr>());
    let metrics_listener = config.metrics_listen.map(|address| {
        std::net::TcpListener::bind(address).map(Arc::new).with_context(|| {
            format!("{address} cannot be listened on; stop what uses it or give another --metrics-listen")
        })
    });
    let door = DoorOptions {
        keys: Arc::new(Keys::new(keys)),
        require_key: config.require_key,
        ingest_requires_key: config.ingest_requires_key,
        anonymous: rate(config.anonymous_rate, config.anonymous_burst),
        keyed: rate(config.key_rate, config.key_burst),
        limit_loopback: config.limit_loopback,
        trusted_proxies: trusted.collect::<Result<_, _>>()?,
        proxy_header: config.proxy_header.parse()?,
        max_connections,
        connections_per_address: usize::try_from(config.connections_per_address)?,
        streams_per_caller: usize::try_from(config.streams_per_caller)?,
        header_timeout: Duration::from_secs(config.header_timeout),
        tls: tls(config)?,
        ..DoorOptions::default()
    };
    let persisted = config.persisted_queries.as_deref().map(persisted);
    Ok(ServerOptions {
        cors: config.cors.parse::<Cors>()?,
        persisted: persisted.transpose()?.map(Arc::new),
        only_persisted: config.only_persisted,
        introspection: config.introspection,
        query_page: config.query_page,
        max_lag: config.ready_lag,
        back_lag: config.ready_lag_back,
        ready_hold: Duration::from_secs(config.ready_hold),
        drain: Duration::from_secs(config.drain),
        metrics_listener: metrics_listener.transpose()?,
        door,
        ..rest
    })
}

/// Where the keys are.
pub(crate) fn key_file(config: &Config) -> PathBuf {
    let own = || config.data_dir.join(FILE);
    config.keys.clone().unwrap_or_else(own)
}

fn rate(per_second: f64, burst: u32) -> Rate {
    Rate {
        per_second,
        burst: f64::from(burst),
    }
}

fn tls(config: &Config) -> Result<Option<Arc<Tls>>> {
    match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => Ok(Some(Arc::new(Tls::load(cert, key)?))),
        (None, None) => Ok(None),
        _ => bail!("TLS needs both --tls-cert and --tls-key; give the other one too"),
    }
}

/// Documents by id. An id of 64 hex digits must be the SHA-256 of its text.
fn persisted(path: &Path) -> Result<HashMap<String, String>> {
    let told = || format!("the documents in {} cannot be used", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(told)?;
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    if u64::try_from(read.with_context(told)?)? > MOST_BYTES {
        bail!("{}: the file has more than {MOST_BYTES} bytes", told());
    }
    documents(&text).with_context(told)
}

fn documents(text: &str) -> Result<HashMap<String, String>> {
    let found: HashMap<String, String> = serde_json::from_str(text)
        .context("give a JSON object of GraphQL documents by SHA-256 (hex) or name")?;
    for (id, document) in &found {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=128).contains(&id.len()) || !id.bytes().all(fine) {
            bail!("{id:?} is no id; give letters, digits, `.`, `_` and `-`, 128 at most");
        }
        if document.trim().is_empty() {
            bail!("the document {id:?} is empty");
        }
        let is_hash = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hash = hex::encode(Sha256::digest(document.as_bytes()));
        if is_hash && !id.eq_ignore_ascii_case(&hash) {
            bail!(
                "the document {id} has the SHA-256 {hash}; put it under that id, or under a name"
            );
        }
    }
    Ok(found)
}

/// As many connections as are wanted, but no more than the system gives sockets for: a store that
/// cannot open its file would be worse than a client that is turned away.
fn bounded(wanted: u32) -> Result<usize> {
    let sockets = sockets();
    let most = sockets.map_or(u64::MAX, |all| all.saturating_sub(RESERVED).max(16));
    if u64::from(wanted) > most {
        tracing::warn!(
            wanted,
            most,
            "the system allows fewer open sockets than --max-connections; raise `ulimit -n`"
        );
    }
    Ok(usize::try_from(most.min(u64::from(wanted)))?)
}

/// How many files and sockets this process may have open, after asking for all that it may ask for.
#[cfg(unix)]
fn sockets() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    match setrlimit(Resource::Nofile, all) {
        Ok(()) => now.maximum,
        Err(_) => now.current,
    }
}

#[cfg(not(unix))]
fn sockets() -> Option<u64> {
    None
}

/// What tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    #[cfg(unix)]
    inode: u64,
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok(),
        bytes: metadata.len(),
        #[cfg(unix)]
        inode: std::os::unix::fs::MetadataExt::ino(&metadata),
    })
}

/// Most looks between two attempts at a file that cannot be read.
const MOST_SKIPPED: u32 = 32;

/// A file, or two that belong together, and what is done when they change.
struct Watched {
    what: &'static str,
    /// The gauge that is 1 while they cannot be read anew.
    gauge: &'static str,
    paths: Vec<PathBuf>,
    /// As they were when they were read well.
    good: Vec<Option<Stamp>>,
    /// What is wrong with them, while something is.
    trouble: Option<Trouble>,
    read: Box<dyn Fn() -> Result<()> + Send>,
}

/// Of files that could not be read.
struct Trouble {
    /// As they were then.
    seen: Vec<Option<Stamp>>,
    /// What was told.
    told: String,
    /// How many looks were waited last, and how many are left to wait.
    wait: u32,
    left: u32,
}

impl Watched {
    fn new(
        what: &'static str,
        gauge: &'static str,
        paths: Vec<PathBuf>,
        read: impl Fn() -> Result<()> + Send + 'static,
    ) -> Self {
        metrics::gauge!(gauge).set(0.0);
        Self {
            what,
            gauge,
            good: paths.iter().map(|path| stamp(path)).collect(),
            paths,
            trouble: None,
            read: Box::new(read),
        }
    }

    /// Reads it again if it changed, or if that is wanted anyway. What is broken changes nothing,
    /// and is tried again: trouble may pass, as with too many open files, and leave no trace in
    /// the file.
    fn look(&mut self, anyway: bool) {
        let now: Vec<_> = self.paths.iter().map(|path| stamp(path)).collect();
        let is_due = match &mut self.trouble {
            None => now != self.good,
            Some(trouble) => {
                trouble.left = trouble.left.saturating_sub(1);
                trouble.left == 0 || now != trouble.seen
            }
        };
        if !is_due && !anyway {
            return;
        }
        let what = self.what;
        match (self.read)() {
            Ok(()) => {
                (self.good, self.trouble) = (now, None);
                metrics::gauge!(self.gauge).set(0.0);
                tracing::info!("{what} read anew");
            }
            Err(error) => {
                let told = format!("{error:#}");
                let before = self.trouble.take();
                let is_known = |trouble: &Trouble| trouble.seen == now && trouble.told == told;
                // Whoever asks by a signal is told, also once more.
                if anyway || !before.as_ref().is_some_and(is_known) {
                    tracing::error!(
                        "{what} cannot be read anew, the last good ones stay in force: {told}"
                    );
                }
                metrics::gauge!(self.gauge).set(1.0);
                let same = before.filter(|trouble| trouble.seen == now);
                let wait = same.map_or(1, |trouble| (trouble.wait * 2).min(MOST_SKIPPED));
                self.trouble = Some(Trouble {
                    seen: now,
                    told,
                    wait,
                    left: wait,
                });
            }
        }
    }
}

/// Reads keys and certificates anew when their files change, or at SIGHUP. Must be called inside a
/// tokio runtime, before anybody changes the files.
pub(crate) fn watch(config: &Config, options: &ServerOptions) -> Result<()> {
    let (path, keys) = (key_file(config), options.door.keys.clone());
    let read = {
        let path = path.clone();
        move || {
            keys.replace(KeyFile::load(&path)?.in_force()?);
            Ok(())
        }
    };
    let mut files = vec![Watched::new(
        "API keys",
        "keys_unreadable",
        vec![path],
        read,
    )];
    if let Some(tls) = options.door.tls.clone() {
        let paths = tls.files().map(Path::to_owned).to_vec();
        let read = move || Ok(tls.reload()?);
        files.push(Watched::new(
            "certificate and key",
            "tls_unreadable",
            paths,
            read,
        ));
    }
    let mut hangups = Hangups::listen().context("signals cannot be listened to")?;
    tokio::spawn(async move {
        loop {
            let anyway = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = hangups.next() => true,
            };
            let looked = tokio::task::spawn_blocking(move || {
                for file in &mut files {
                    file.look(anyway);
                }
                files
            });
            match looked.await {
                Ok(back) => files = back,
                Err(broken) => return tracing::error!(%broken, "files are watched no more"),
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_named_by_what_they_are() {
        let query = "{ status { last } }";
        let hash = hex::encode(Sha256::digest(query));
        let of = |id: &str, text: &str| documents(&serde_json::json!({ id: text }).to_string());
        assert_eq!(of(&hash, query).unwrap()[&hash], query);
        assert_eq!(of("status-1.0", query).unwrap().len(), 1);
        for (id, text, word) in [
            (&*"0".repeat(64), query, "has the SHA-256"),
            ("", query, "no id"),
            ("a b", query, "no id"),
            (&*"a".repeat(129), query, "no id"),
            ("a", " ", "empty"),
        ] {
            let error = format!("{:#}", of(id, text).unwrap_err());
            assert!(error.contains(word), "{error}");
        }
        for text in ["", "[]", "{\"a\": 1}", "{\"a\": \"b\""] {
            let error = format!("{:#}", documents(text).unwrap_err());
            assert!(error.contains("JSON object"), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_again_when_it_changed_or_could_not_be_read() {
        use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let (count, is_broken) = (
            Arc::new(AtomicU32::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (counted, broken) = (count.clone(), is_broken.clone());
        let read = move || {
            counted.fetch_add(1, SeqCst);
            match broken.load(SeqCst) {
                true => bail!("too many open files"),
                false => Ok(()),
            }
        };
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let mut file = Watched::new("it", "it_unreadable", vec![path.clone()], read);
            let mut looked = |anyway| {
                file.look(anyway);
                let gauge = page.render().contains("it_unreadable 1");
                (count.load(SeqCst), gauge)
            };
            assert_eq!(looked(false), (0, false));
            std::fs::write(&path, "a").unwrap();
            assert_eq!([looked(false), looked(false)], [(1, false); 2]);
            assert_eq!([looked(true), looked(false)], [(2, false); 2]);
            // It is tried again though nothing changes, at growing distances.
            is_broken.store(true, SeqCst);
            std::fs::write(&path, "bb").unwrap();
            let tries: Vec<u32> = (0..9).map(|_| looked(false).0).collect();
            assert_eq!(tries, [3, 4, 4, 5, 5, 5, 5, 6, 6]);
            // What changes meanwhile is tried at once.
            std::fs::write(&path, "ccc").unwrap();
            assert_eq!([looked(false), looked(false)], [(7, true), (8, true)]);
            // When the trouble is over, the file is read, and that is the end of it.
            is_broken.store(false, SeqCst);
            while looked(false).1 {}
            assert_eq!([looked(false), looked(false)], [(9, false); 2]);
            std::fs::remove_file(&path).unwrap();
            assert_eq!([looked(false), looked(false)], [(10, false); 2]);
        });
    }
}
