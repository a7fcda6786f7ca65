//! Settings: defaults, file, environment, flags, each over the one before.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::args::Flags;
use crate::networks::Network;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// A known network; see `--network`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<Network>,
    /// Node addresses; empty for those of the network.
    pub(crate) url: Vec<String>,
    /// Folder of the store.
    pub(crate) data_dir: PathBuf,
    /// Address to serve on.
    pub(crate) listen: SocketAddr,
    /// First block of a new store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<u32>,
    /// Last block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u32>,
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
    /// Log filter.
    pub(crate) log: String,
    /// Log as JSON lines.
    pub(crate) log_json: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            network: None,
            url: Vec::new(),
            data_dir: PathBuf::from("yumascope-data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            from: None,
            until: None,
            window: 32,
            cache_mib: 256,
            timeout: 30,
            patience: None,
            log: "info".into(),
            log_json: false,
        }
    }
}

impl Config {
    /// Settings from all places; refuses unknown keys and nonsense.
    pub(crate) fn load(flags: &Flags) -> Result<Config> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(path) = &flags.config {
            if !path.is_file() {
                bail!("there is no settings file {}", path.display());
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        let config: Config = figment
            .merge(Env::prefixed("YUMASCOPE_"))
            .merge(Serialized::defaults(flags))
            .extract()
            .context("the settings cannot be used")?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<()> {
        if self.window == 0 || self.window > 1024 {
            bail!("window is {}, it must be 1 to 1024", self.window);
        }
        if self.timeout == 0 {
            bail!("timeout is 0 seconds, no node can answer in that; give 1 or more");
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until < from
        {
            bail!("--until {until} is before --from {from}; swap them");
        }
        Ok(())
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
