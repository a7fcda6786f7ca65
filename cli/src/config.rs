//! Settings: defaults, file, environment, flags, each over the one before.

mod environment;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use serde::{Deserialize, Deserializer, Serialize};

use crate::args::Flags;
use crate::networks::Network;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// A known network; see `--network`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<Network>,
    /// Node addresses, a list or one text with commas; empty for those of the network.
    #[serde(deserialize_with = "addresses")]
    pub(crate) url: Vec<String>,
    /// Folder of the store.
    pub(crate) data_dir: PathBuf,
    /// Address to serve on.
    pub(crate) listen: SocketAddr,
    /// First block that is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<u32>,
    /// Last block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u32>,
    /// Ranges to fill besides, `FIRST..LAST` each; a list or one text with commas.
    #[serde(deserialize_with = "ranges")]
    pub(crate) ranges: Vec<String>,
    /// Into how many pieces what is missing is cut.
    pub(crate) split: u32,
    /// Most ranges filled at once, besides the head.
    pub(crate) ranges_at_once: u32,
    /// Leave out blocks whose state no node keeps.
    pub(crate) allow_partial: bool,
    /// Most blocks fetched in one batch.
    pub(crate) window: u32,
    /// Page cache of the store, MiB.
    pub(crate) cache_mib: u64,
    /// Longest wait for an answer, seconds.
    pub(crate) timeout: u64,
    /// How long a failing node is asked again, seconds; 0 is forever. Without
    /// it: 120, and forever for `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) patience: Option<u64>,
    /// Whether every epoch is computed again behind the commits.
    pub(crate) verify: bool,
    /// Whether `run` follows blocks that are not final yet.
    pub(crate) heads: bool,
    /// Whether signed reports of challenge results are taken in.
    pub(crate) ingest: bool,
    /// How far from now a report may be signed, seconds.
    pub(crate) ingest_freshness: u64,
    /// Largest report, KiB.
    pub(crate) ingest_body_kib: u64,
    /// Settings of the centralised scorer; none runs without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scoring: Option<PathBuf>,
    /// Webhooks and alert rules; none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hooks: Option<PathBuf>,
    /// File of the API keys; `keys.json` in the folder of the store without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<PathBuf>,
    /// Whether nothing but pages and probes is answered without a key.
    pub(crate) require_key: bool,
    /// Whether signed reports need a key of scope ingest besides.
    pub(crate) ingest_requires_key: bool,
    /// Tokens a second of an address without a key; 0 is no limit.
    pub(crate) anonymous_rate: f64,
    /// Tokens that such an address may save up.
    pub(crate) anonymous_burst: u32,
    /// Tokens a second of a key without a rate of its own; 0 is no limit.
    pub(crate) key_rate: f64,
    /// Tokens that such a key may save up.
    pub(crate) key_burst: u32,
    /// Whether this machine's own requests are counted.
    pub(crate) limit_loopback: bool,
    /// Addresses or ranges of proxies that are believed; a list or one text with commas.
    #[serde(deserialize_with = "list")]
    pub(crate) trusted_proxy: Vec<String>,
    /// The header in which they write it: x-forwarded-for or forwarded.
    pub(crate) proxy_header: String,
    /// Pages of which origins may read: any, off, or origins with commas.
    pub(crate) cors: String,
    /// Most open connections.
    pub(crate) max_connections: u32,
    /// Most open connections of one address.
    pub(crate) connections_per_address: u32,
    /// Most WebSockets and event streams of one key or address.
    pub(crate) streams_per_caller: u32,
    /// How long the head of a request may take, seconds.
    pub(crate) header_timeout: u64,
    /// Certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_key: Option<PathBuf>,
    /// GraphQL documents by id, JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) persisted_queries: Option<PathBuf>,
    /// Whether only those are carried out.
    pub(crate) only_persisted: bool,
    /// Whether the schema may be asked for.
    pub(crate) introspection: bool,
    /// Whether there is a query page.
    pub(crate) query_page: bool,
    /// Address for `/metrics` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// How long `/ready` says no before connections are refused, seconds.
    pub(crate) drain: u64,
    /// `/ready` says no when the store is more blocks behind.
    pub(crate) ready_lag: u32,
    /// After that it says yes again when it is at most so many behind.
    pub(crate) ready_lag_back: u32,
    /// How long that must last, seconds.
    pub(crate) ready_hold: u64,
    /// Log filter.
    pub(crate) log: String,
    /// Log as JSON lines.
    pub(crate) log_json: bool,
}

/// Largest page cache: a TiB, in MiB.
const MAX_CACHE_MIB: u64 = 1_048_576;
/// Most pieces, and most ranges at once.
const MAX_RANGES: u32 = 1_024;
/// Longest time between signing a report and taking it in: an hour, in seconds.
const MAX_FRESHNESS: u64 = 3_600;
/// Largest report: 64 MiB, in KiB.
const MAX_REPORT_KIB: u64 = 65_536;
/// Longest wait for one answer: a day, in seconds.
const MAX_TIMEOUT: u64 = 86_400;

impl Default for Config {
    fn default() -> Self {
        Config {
            network: None,
            url: Vec::new(),
            data_dir: PathBuf::from("yumascope-data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            from: None,
            until: None,
            ranges: Vec::new(),
            split: 1,
            ranges_at_once: 2,
            allow_partial: false,
            window: 32,
            cache_mib: 256,
            timeout: 30,
            patience: None,
            verify: true,
            heads: true,
            ingest: false,
            ingest_freshness: 60,
            ingest_body_kib: 1_024,
            scoring: None,
            hooks: None,
            keys: None,
            require_key: false,
            ingest_requires_key: false,
            anonymous_rate: 20.0,
            anonymous_burst: 200,
            key_rate: 200.0,
            key_burst: 2_000,
            limit_loopback: false,
            trusted_proxy: Vec::new(),
            proxy_header: "x-forwarded-for".into(),
            cors: "any".into(),
            max_connections: 4_096,
            connections_per_address: 64,
            streams_per_caller: 32,
            header_timeout: 15,
            tls_cert: None,
            tls_key: None,
            persisted_queries: None,
            only_persisted: false,
            introspection: true,
            query_page: true,
            metrics_listen: None,
            drain: 0,
            ready_lag: 10,
            ready_lag_back: 5,
            ready_hold: 10,
            log: "info".into(),
            log_json: false,
        }
    }
}

impl Config {
    /// Settings from all places; refuses unknown keys and nonsense.
    pub(crate) fn load(flags: &Flags) -> Result<Config> {
        let mut places = Vec::new();
        if let Some(path) = &flags.config {
            if !path.is_file() {
                bail!("there is no settings file {}", path.display());
            }
            places.push(Figment::from(Toml::file_exact(path)));
        }
        places.push(Figment::from(environment::settings()));
        places.push(Figment::from(Serialized::defaults(flags)));
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        for place in places {
            // The two settings that answer one question: a network wins over
            // addresses of the places before it, not over those beside it.
            if place.contains("network") && !place.contains("url") {
                figment = figment.merge(Serialized::default("url", Vec::<String>::new()));
            }
            figment = figment.merge(place);
        }
        let config: Config = figment.extract().context("the settings cannot be used")?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<()> {
        if self.window == 0 || self.window > 1024 {
            bail!("window is {}, it must be 1 to 1024", self.window);
        }
        if !(1..=MAX_CACHE_MIB).contains(&self.cache_mib) {
            bail!(
                "cache_mib is {}, it must be 1 to {MAX_CACHE_MIB}",
                self.cache_mib
            );
        }
        if !(1..=MAX_TIMEOUT).contains(&self.timeout) {
            bail!(
                "timeout is {} seconds, it must be 1 to {MAX_TIMEOUT}",
                self.timeout
            );
        }
        for (name, number) in [
            ("split", self.split),
            ("ranges_at_once", self.ranges_at_once),
        ] {
            if !(1..=MAX_RANGES).contains(&number) {
                bail!("{name} is {number}, it must be 1 to {MAX_RANGES}");
            }
        }
        for (name, number, most) in [
            ("ingest_freshness", self.ingest_freshness, MAX_FRESHNESS),
            ("ingest_body_kib", self.ingest_body_kib, MAX_REPORT_KIB),
        ] {
            if !(1..=most).contains(&number) {
                bail!("{name} is {number}, it must be 1 to {most}");
            }
        }
        self.blocks()?;
        self.check_door()?;
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until < from
        {
            bail!("--until {until} is before --from {from}; swap them");
        }
        Ok(())
    }

    /// The ranges to fill besides, by first and last block.
    pub(crate) fn blocks(&self) -> Result<Vec<(u32, u32)>> {
        let range = |text: &String| {
            let parts = text.split_once("..").map(|(first, last)| {
                let last = last.strip_prefix('=').unwrap_or(last);
                (first.trim().parse(), last.trim().parse())
            });
            match parts {
                Some((Ok(first), Ok(last))) if first <= last => Ok((first, last)),
                Some((Ok(_), Ok(_))) => {
                    bail!("the range {text} ends before it begins; swap the two")
                }
                _ => bail!("{text} is no range of blocks; give FIRST..LAST, as in 0..999"),
            }
        };
        self.ranges.iter().map(range).collect()
    }

    /// Bounds of reports, when any are taken in.
    pub(crate) fn reports(&self) -> Option<challenges::ingest::Limits> {
        let defaults = challenges::ingest::Limits::default();
        let bytes = self.ingest_body_kib.saturating_mul(1 << 10);
        let body_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.ingest.then(|| challenges::ingest::Limits {
            window_ms: self.ingest_freshness.saturating_mul(1_000),
            body_bytes,
            unpacked_bytes: defaults.unpacked_bytes.max(body_bytes),
            ..defaults
        })
    }

    /// Page cache of the store, bytes.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache_mib.saturating_mul(1 << 20)
    }

    /// The node addresses in force.
    pub(crate) fn urls(&self) -> Result<Vec<String>> {
        match (self.url.is_empty(), self.network) {
            (false, _) => Ok(self.url.clone()),
            (true, Some(network)) => Ok(network.urls()),
            (true, None) => {
                bail!(
                    "no node is given: use --network finney|test|archive|local or --url ws://host:port"
                )
            }
        }
    }

    /// As TOML, for `--print-config` and as a file to start from.
    pub(crate) fn to_toml(&self) -> Result<String> {
        let value = serde_json::to_value(self)?;
        let mut out = String::new();
        for (key, value) in value.as_object().into_iter().flatten() {
            // All settings are flat; their JSON strings, numbers, booleans and
            // lists of strings are TOML as they stand.
            out.push_str(&format!("{key} = {value}\n"));
        }
        Ok(out)
    }
}

/// A list of addresses, or one text with commas, as the environment gives it.
fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "an address, several with commas, or a list of addresses"
    )]
    enum Given {
        Text(String),
        List(Vec<String>),
    }
    Ok(match Given::deserialize(from)? {
        Given::List(list) => list,
        Given::Text(text) => parted(&text),
    })
}

/// A list of ranges, or one text with commas.
fn ranges<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a range FIRST..LAST, several with commas, or a list of ranges"
    )]
    enum Given {
        Text(String),
        List(Vec<String>),
    }
    Ok(match Given::deserialize(from)? {
        Given::List(list) => list,
        Given::Text(text) => parted(&text),
    })
}

/// A list of texts, or one text with commas.
fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a text, several with commas, or a list of texts"
    )]
    enum Given {
        Text(String),
        List(Vec<String>),
    }
    Ok(match Given::deserialize(from)? {
        Given::List(list) => list,
        Given::Text(text) => parted(&text),
    })
}

fn parted(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod cases;
mod door;

#[cfg(test)]
#[expect(
    clippy::result_large_err,
    reason = "figment's Jail wants its own error"
)]
mod tests {
    use figment::Jail;

    use super::*;

    #[test]
    fn each_place_wins_over_the_one_before() {
        Jail::expect_with(|jail| {
            jail.create_file("y.toml", "window = 7\ntimeout = 9\ncache_mib = 11\n")?;
            jail.set_env("YUMASCOPE_TIMEOUT", "10");
            jail.set_env("YUMASCOPE_CACHE_MIB", "12");
            let flags = Flags {
                config: Some("y.toml".into()),
                cache_mib: Some(13),
                ..Flags::default()
            };
            let config = Config::load(&flags).unwrap();
            assert_eq!(
                (config.window, config.timeout, config.cache_mib),
                (7, 10, 13)
            );
            assert_eq!(config.listen, Config::default().listen);
            Ok(())
        });
    }

    #[test]
    fn every_setting_can_come_from_the_environment() {
        let wanted = Config {
            network: Some(Network::Test),
            url: vec!["ws://a:1".into(), "ws://b:2".into()],
            data_dir: "/somewhere/else".into(),
            listen: SocketAddr::from(([127, 0, 0, 2], 9000)),
            from: Some(5),
            until: Some(9),
            ranges: vec!["0..4".into(), "20..=29".into()],
            split: 5,
            ranges_at_once: 3,
            allow_partial: true,
            window: 3,
            cache_mib: 4,
            timeout: 6,
            patience: Some(7),
            verify: false,
            heads: false,
            ingest: true,
            ingest_freshness: 11,
            ingest_body_kib: 12,
            scoring: Some("/scoring.toml".into()),
            hooks: Some("/hooks.toml".into()),
            keys: Some("/keys.json".into()),
            require_key: true,
            ingest_requires_key: true,
            anonymous_rate: 0.5,
            anonymous_burst: 13,
            key_rate: 14.0,
            key_burst: 15,
            limit_loopback: true,
            trusted_proxy: vec!["10.0.0.0/8".into(), "::1".into()],
            proxy_header: "forwarded".into(),
            cors: "https://a.example".into(),
            max_connections: 16,
            connections_per_address: 17,
            streams_per_caller: 18,
            header_timeout: 19,
            tls_cert: Some("/cert.pem".into()),
            tls_key: Some("/key.pem".into()),
            persisted_queries: Some("/queries.json".into()),
            only_persisted: true,
            introspection: false,
            query_page: false,
            metrics_listen: Some(SocketAddr::from(([127, 0, 0, 3], 9001))),
            drain: 20,
            ready_lag: 22,
            ready_lag_back: 21,
            ready_hold: 23,
            log: "indexer=debug,warn".into(),
            log_json: true,
        };
        let settings = [
            ("NETWORK", "test"),
            ("URL", "ws://a:1,ws://b:2"),
            ("DATA_DIR", "/somewhere/else"),
            ("LISTEN", "127.0.0.2:9000"),
            ("FROM", "5"),
            ("UNTIL", "9"),
            ("RANGES", "0..4, 20..=29"),
            ("SPLIT", "5"),
            ("RANGES_AT_ONCE", "3"),
            ("ALLOW_PARTIAL", "true"),
            ("WINDOW", "3"),
            ("CACHE_MIB", "4"),
            ("TIMEOUT", "6"),
            ("PATIENCE", "7"),
            ("VERIFY", "false"),
            ("HEADS", "false"),
            ("INGEST", "true"),
            ("INGEST_FRESHNESS", "11"),
            ("INGEST_BODY_KIB", "12"),
            ("SCORING", "/scoring.toml"),
            ("HOOKS", "/hooks.toml"),
            ("KEYS", "/keys.json"),
            ("REQUIRE_KEY", "true"),
            ("INGEST_REQUIRES_KEY", "true"),
            ("ANONYMOUS_RATE", "0.5"),
            ("ANONYMOUS_BURST", "13"),
            ("KEY_RATE", "14"),
            ("KEY_BURST", "15"),
            ("LIMIT_LOOPBACK", "true"),
            ("TRUSTED_PROXY", "10.0.0.0/8, ::1"),
            ("PROXY_HEADER", "forwarded"),
            ("CORS", "https://a.example"),
            ("MAX_CONNECTIONS", "16"),
            ("CONNECTIONS_PER_ADDRESS", "17"),
            ("STREAMS_PER_CALLER", "18"),
            ("HEADER_TIMEOUT", "19"),
            ("TLS_CERT", "/cert.pem"),
            ("TLS_KEY", "/key.pem"),
            ("PERSISTED_QUERIES", "/queries.json"),
            ("ONLY_PERSISTED", "true"),
            ("INTROSPECTION", "false"),
            ("QUERY_PAGE", "false"),
            ("METRICS_LISTEN", "127.0.0.3:9001"),
            ("DRAIN", "20"),
            ("READY_LAG", "22"),
            ("READY_LAG_BACK", "21"),
            ("READY_HOLD", "23"),
            ("LOG", "indexer=debug,warn"),
            ("LOG_JSON", "true"),
        ];
        // A setting that is added must be added here too.
        let value = serde_json::to_value(&wanted).unwrap();
        assert_eq!(value.as_object().unwrap().len(), settings.len());
        Jail::expect_with(|jail| {
            for (name, value) in settings {
                jail.set_env(format!("YUMASCOPE_{name}"), value);
            }
            assert_eq!(Config::load(&Flags::default()).unwrap(), wanted);
            Ok(())
        });
    }
}
