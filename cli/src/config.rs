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

fn parted(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

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

    #[test]
    fn addresses_are_a_text_with_commas_or_a_list() {
        for (given, wanted) in [
            ("ws://a:1", vec!["ws://a:1"]),
            (" ws://a:1 , ws://b:2,", vec!["ws://a:1", "ws://b:2"]),
            (r#"["ws://a:1", "ws://b:2"]"#, vec!["ws://a:1", "ws://b:2"]),
            ("", vec![]),
        ] {
            Jail::expect_with(|jail| {
                jail.set_env("YUMASCOPE_URL", given);
                assert_eq!(Config::load(&Flags::default()).unwrap().url, wanted);
                Ok(())
            });
        }
        Jail::expect_with(|jail| {
            jail.set_env("YUMASCOPE_URL", "7");
            let error = format!("{:#}", Config::load(&Flags::default()).unwrap_err());
            assert!(error.contains("an address"), "{error}");
            Ok(())
        });
    }

    #[test]
    fn a_network_wins_over_addresses_of_the_places_before_it() {
        let own = || vec!["ws://own:1".to_owned()];
        let file = || Flags {
            config: Some("y.toml".into()),
            ..Flags::default()
        };
        Jail::expect_with(|jail| {
            jail.create_file("y.toml", "url = [\"ws://own:1\"]\n")?;
            assert_eq!(Config::load(&file()).unwrap().urls().unwrap(), own());
            // A flag over the file.
            let flags = Flags {
                network: Some(Network::Finney),
                ..file()
            };
            let urls = Config::load(&flags).unwrap().urls().unwrap();
            assert_eq!(urls, Network::Finney.urls());
            // The environment over the file.
            jail.set_env("YUMASCOPE_NETWORK", "archive");
            let config = Config::load(&file()).unwrap();
            assert_eq!(config.urls().unwrap(), Network::Archive.urls());
            // Both in one place: the address, and the network's genesis.
            let flags = Flags {
                url: own(),
                network: Some(Network::Finney),
                ..file()
            };
            let config = Config::load(&flags).unwrap();
            assert_eq!(config.urls().unwrap(), own());
            assert_eq!(config.network, Some(Network::Finney));
            // An address over a network of the place before it keeps the guard.
            let flags = Flags {
                url: own(),
                ..file()
            };
            let config = Config::load(&flags).unwrap();
            assert_eq!(config.urls().unwrap(), own());
            assert_eq!(config.network, Some(Network::Archive));
            Ok(())
        });
    }

    #[test]
    fn unknown_keys_are_refused_by_name_and_file() {
        Jail::expect_with(|jail| {
            jail.create_file("bad.toml", "windwo = 7\n")?;
            let flags = Flags {
                config: Some("bad.toml".into()),
                ..Flags::default()
            };
            let error = format!("{:#}", Config::load(&flags).unwrap_err());
            assert!(
                error.contains("windwo") && error.contains("bad.toml"),
                "{error}"
            );
            Ok(())
        });
    }

    #[test]
    fn printed_settings_can_be_read_back() {
        Jail::expect_with(|jail| {
            let flags = Flags {
                network: Some(Network::Archive),
                url: vec!["ws://a:1".into(), "ws://b:2".into()],
                from: Some(5),
                ..Flags::default()
            };
            let config = Config::load(&flags).unwrap();
            jail.create_file("printed.toml", &config.to_toml().unwrap())?;
            let again = Config::load(&Flags {
                config: Some("printed.toml".into()),
                ..Flags::default()
            })
            .unwrap();
            assert_eq!(config, again);
            Ok(())
        });
    }

    #[test]
    fn heads_are_followed_unless_told_otherwise() {
        Jail::expect_with(|jail| {
            assert!(Config::load(&Flags::default()).unwrap().heads);
            jail.create_file("y.toml", "heads = false\n")?;
            let file = |no_heads| Flags {
                config: Some("y.toml".into()),
                no_heads,
                ..Flags::default()
            };
            assert!(!Config::load(&file(false)).unwrap().heads);
            jail.set_env("YUMASCOPE_HEADS", "true");
            assert!(Config::load(&file(false)).unwrap().heads);
            assert!(!Config::load(&file(true)).unwrap().heads);
            Ok(())
        });
    }

    #[test]
    fn numbers_out_of_bounds_are_refused() {
        for cache_mib in [0, MAX_CACHE_MIB + 1, 1 << 44, u64::MAX] {
            let config = Config {
                cache_mib,
                ..Config::default()
            };
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains("1 to 1048576"), "{error}");
        }
        for timeout in [0, u64::MAX] {
            let config = Config {
                timeout,
                ..Config::default()
            };
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains("1 to 86400"), "{error}");
        }
        for number in [0, u64::MAX] {
            let config = Config {
                ingest_freshness: number,
                ..Config::default()
            };
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains("1 to 3600"), "{error}");
            let config = Config {
                ingest_body_kib: number,
                ..Config::default()
            };
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains("1 to 65536"), "{error}");
        }
    }

    #[test]
    fn ranges_are_two_numbers() {
        let of = |text: &str| {
            let config = Config {
                ranges: vec![text.into()],
                ..Config::default()
            };
            config.validate().map(|()| config.blocks().unwrap())
        };
        assert_eq!(of("5..9").unwrap(), [(5, 9)]);
        assert_eq!(of("5..=5").unwrap(), [(5, 5)]);
        for text in [
            "",
            "5",
            "5-9",
            "..9",
            "5..",
            "a..b",
            "0..4294967296",
            "-1..4",
        ] {
            let error = of(text).unwrap_err().to_string();
            assert!(error.contains("FIRST..LAST"), "{error}");
        }
        assert!(of("9..5").unwrap_err().to_string().contains("swap"));
        for number in [0, 1_025] {
            let config = Config {
                split: number,
                ..Config::default()
            };
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains("1 to 1024"), "{error}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let config = Config {
            from: Some(9),
            until: Some(3),
            ..Config::default()
        };
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("before")
        );
        assert!(
            Config::default()
                .urls()
                .unwrap_err()
                .to_string()
                .contains("--network")
        );
    }
}
