//! Flags of the window's door, and of `keys`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use serde::Serialize;

/// Who may come in, how often, and how; see docs/operations.md.
#[derive(Debug, Default, Clone, ClapArgs, Serialize)]
pub(crate) struct DoorFlags {
    /// File of the API keys [default: keys.json in the folder of the store].
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<PathBuf>,
    /// Answer nothing but pages and probes without an API key (`yumascope keys create`).
    #[arg(long, help_heading = "Access")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) require_key: bool,
    /// Take in signed reports only with an API key of scope ingest besides.
    #[arg(long, help_heading = "Access")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ingest_requires_key: bool,
    /// Tokens a second that an address without a key may spend; 0 is no limit [default: 20].
    #[arg(long, value_name = "N", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anonymous_rate: Option<f64>,
    /// Tokens that such an address may save up [default: 200].
    #[arg(long, value_name = "N", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anonymous_burst: Option<u32>,
    /// Tokens a second that a key without a rate of its own may spend; 0 is no limit [default: 200].
    #[arg(long, value_name = "N", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_rate: Option<f64>,
    /// Tokens that such a key may save up [default: 2000].
    #[arg(long, value_name = "N", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_burst: Option<u32>,
    /// Count this machine's own requests like others.
    #[arg(long, help_heading = "Access")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) limit_loopback: bool,
    /// Address or range (10.0.0.0/8) of a proxy whose word on the client's address is believed; give it again, or with commas, for more.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "CIDR",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trusted_proxy: Vec<String>,
    /// The header in which that proxy writes the client's address: x-forwarded-for or forwarded [default: x-forwarded-for].
    #[arg(long, value_name = "HEADER", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy_header: Option<String>,
    /// Pages of which origins may read: any, off, or origins with commas [default: any].
    #[arg(long, value_name = "any|off|ORIGIN,…", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cors: Option<String>,
    /// Most open connections [default: 4096].
    #[arg(long, value_name = "N", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_connections: Option<u32>,
    /// Most open connections of one address [default: 64].
    #[arg(long, value_name = "N", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections_per_address: Option<u32>,
    /// Most WebSockets and event streams of one key, or of one address without a key [default: 32].
    #[arg(long, value_name = "N", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) streams_per_caller: Option<u32>,
    /// How long the head of a request may take, and how long a connection may be idle, in seconds [default: 15].
    #[arg(long, value_name = "SECONDS", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header_timeout: Option<u64>,
    /// Serve HTTPS with this certificate (PEM, with those that vouch for it); read anew when it changes.
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM).
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_key: Option<PathBuf>,
    /// GraphQL documents that may be asked for by id: a JSON object of texts by SHA-256 or name.
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) persisted_queries: Option<PathBuf>,
    /// Carry out only those documents.
    #[arg(long, help_heading = "Access")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) only_persisted: bool,
    /// Whether the schema may be asked for by introspection [default: true].
    #[arg(long, value_name = "BOOL", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) introspection: Option<bool>,
    /// Whether GET /graphql shows the query page [default: true].
    #[arg(long, value_name = "BOOL", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query_page: Option<bool>,
    /// Show /metrics on this address, in plain HTTP and without keys, and nowhere else.
    #[arg(long, value_name = "ADDR", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// How long /ready says no before new connections are refused, when the program is told to stop, in seconds [default: 0].
    #[arg(long, value_name = "SECONDS", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drain: Option<u64>,
    /// /ready says no when the store is more than so many blocks behind the node [default: 10].
    #[arg(long, value_name = "BLOCKS", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready_lag: Option<u32>,
    /// After that it says yes again when the store is at most so many blocks behind [default: 5].
    #[arg(long, value_name = "BLOCKS", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready_lag_back: Option<u32>,
    /// How long that must last before /ready says no, in seconds [default: 10].
    #[arg(long, value_name = "SECONDS", help_heading = "Access")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready_hold: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// Where the keys are. The program that serves need not be stopped: it sees changes by itself.
#[derive(Debug, ClapArgs)]
pub(crate) struct KeysPlace {
    /// Folder of the store.
    #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
    pub(crate) data_dir: PathBuf,
    /// File of the API keys [default: keys.json in the folder of the store].
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it, this once: only a hash of it is kept.
    Create {
        /// What its holder is called, in lists and logs.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// What it may do: read, ingest, or both with a comma.
        #[arg(
            long,
            value_name = "SCOPE",
            value_delimiter = ',',
            default_value = "read"
        )]
        scope: Vec<String>,
        /// Tokens it may spend, as 50/s, 600/m or 10000/h [default: that of --key-rate].
        #[arg(long, value_name = "N/s")]
        rate: Option<String>,
        /// Tokens it may save up [default: ten seconds' worth of --rate, at least 10].
        #[arg(long, value_name = "N", requires = "rate")]
        burst: Option<u32>,
        /// Day from which on it is worth nothing (UTC), as 2030-01-31, or days from now, as 90d.
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
        #[command(flatten)]
        place: KeysPlace,
    },
    /// List the keys: names, scopes, rates, days; never the keys themselves.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: KeysPlace,
    },
    /// Revoke a key by its name or id; a running program refuses it within seconds.
    Revoke {
        /// Name or id.
        #[arg(value_name = "NAME|ID")]
        key: String,
        #[command(flatten)]
        place: KeysPlace,
    },
}
