//! Checks of the settings of the window's door.

use anyhow::{Result, bail};
use graphql::{Cidr, Cors, ProxyHeader};

use super::Config;

/// Most tokens a second.
const MOST_RATE: f64 = 1e9;
/// Longest of the door's times: a day, in seconds.
const MOST_SECONDS: u64 = 86_400;
/// Most connections, streams and tokens saved up.
const MOST: u32 = 1_000_000_000;

impl Config {
    /// Refuses what cannot be.
    pub(super) fn check_door(&self) -> Result<()> {
        for (name, rate) in [
            ("anonymous_rate", self.anonymous_rate),
            ("key_rate", self.key_rate),
        ] {
            if !(0.0..=MOST_RATE).contains(&rate) {
                bail!("{name} is {rate}, it must be 0 to {MOST_RATE}");
            }
        }
        for (name, number) in [
            ("anonymous_burst", self.anonymous_burst),
            ("key_burst", self.key_burst),
            ("max_connections", self.max_connections),
            ("connections_per_address", self.connections_per_address),
            ("streams_per_caller", self.streams_per_caller),
        ] {
            if !(1..=MOST).contains(&number) {
                bail!("{name} is {number}, it must be 1 to {MOST}");
            }
        }
        for (name, seconds, least) in [
            ("header_timeout", self.header_timeout, 1),
            ("drain", self.drain, 0),
            ("ready_hold", self.ready_hold, 0),
        ] {
            if !(least..=MOST_SECONDS).contains(&seconds) {
                bail!("{name} is {seconds} seconds, it must be {least} to {MOST_SECONDS}");
            }
        }
        if self.ready_lag_back > self.ready_lag {
            bail!(
                "ready_lag_back is {}, more than ready_lag, which is {}; give a smaller one",
                self.ready_lag_back,
                self.ready_lag
            );
        }
        for proxy in &self.trusted_proxy {
            proxy.parse::<Cidr>()?;
        }
        self.proxy_header.parse::<ProxyHeader>()?;
        self.cors.parse::<Cors>()?;
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            bail!("TLS needs both --tls-cert and --tls-key; give the other one too");
        }
        if self.only_persisted && self.persisted_queries.is_none() {
            bail!("--only-persisted needs the documents; give --persisted-queries too");
        }
        Ok(())
    }
}
